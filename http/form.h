// http/form.h -- what stands in a request as text: forms, queries, cookies, uploaded files.
//
// All results borrow from the input or lie in the arena.
#ifndef CASEMATE_HTTP_FORM_H
#define CASEMATE_HTTP_FORM_H
#include "base/arena.h"
#include "base/err.h"

#define HTTP_FORM_MAX  16384 // bytes of a form body
#define HTTP_PARTS_MAX 32    // of a multipart body

// The field of that name in an urlencoded form or query, decoded ("+" is a blank); the first, if it
// repeats. False, with *out empty, when it is absent, badly encoded, no UTF-8 or has a zero byte.
bool http_form_get(struct bytes form, const char *name, struct bytes *out, struct arena *arena);

// "%41" and, where `plus` is set, "+". False for a "%" without two hex digits.
MUST_CHECK bool http_percent_decode(struct bytes *out, struct bytes text, bool plus,
                                    struct arena *arena);

// The cookie of that name in a Cookie header, without quotes around it; the first, if it repeats.
bool http_cookie_get(struct bytes header, const char *name, struct bytes *out);

// One part of a multipart/form-data body.
struct http_part {
    struct bytes name, filename; // filename: empty for a plain field
    struct bytes content;
};
struct http_parts {
    size_t n;
    struct http_part items[HTTP_PARTS_MAX];
};

// content_type: the request's, with the boundary. Source: RFC 7578, RFC 2046 5.1.
// Fails: ERR_MALFORMED "multipart: <what>", ERR_LIMIT "multipart: more than 32 parts".
MUST_CHECK bool http_parts_read(struct http_parts *out, struct bytes content_type,
                                struct bytes body, struct err *err);

// The part of that name, or NULL.
const struct http_part *http_parts_find(const struct http_parts *parts, const char *name);

// Whether `value` is that media type, whatever parameters follow it ("text/html; charset=utf-8").
bool http_type_is(struct bytes value, const char *type);

// Equal but for the case of ASCII letters.
bool http_equal_nocase(struct bytes a, struct bytes b);

#endif
