// base/json.h -- a strict JSON reader that keeps order and decimals, and a writer.
//
// RFC 8259 and nothing else; of that, duplicate keys, U+0000, lone surrogates and invalid UTF-8 are
// refused, and nesting above JSON_DEPTH_MAX. Numbers keep their decimal text. For policy files,
// panel lines and other texts where a dropped or repeated key would cost money.
// Source: policy.md 2.2.
#ifndef CASEMATE_BASE_JSON_H
#define CASEMATE_BASE_JSON_H
#include "base/arena.h"
#include "base/err.h"
#include "base/writer.h"

#define JSON_DEPTH_MAX 16

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json {
    enum json_type type;
    struct bytes key;  // in an object: the member's name, decoded
    struct bytes text; // JSON_STRING: decoded UTF-8; JSON_NUMBER: as written; else the source text
    size_t offset;     // of the value in the source, for error texts
    size_t n_items;    // of an array or object
    const struct json *items; // its first item or member; the rest by `next`, in source order
    const struct json *next;
};

// Parses one value with blanks around it. *out and all it points to live in the arena and borrow
// from `text`.
// Fails: ERR_MALFORMED "JSON parse fail" (detail: what and at which byte), ERR_MALFORMED
//        "duplicate item: <key>", ERR_NO_MEMORY.
MUST_CHECK bool json_parse(const struct json **out, struct bytes text, struct arena *arena,
                           struct err *err);

// The member of that name, or NULL; also NULL if `object` is no object.
const struct json *json_get(const struct json *object, const char *key);
bool json_is_text(const struct json *value, const char *text);

// The exact value of a JSON_NUMBER if it is integral and within int64_t ("60", "60.0", "6e1").
// False otherwise; *out_of_range (may be NULL) then tells integral but too large from not integral.
// With a point or exponent, 10^309 and above is no integer at all: a double has no room for it.
MUST_CHECK bool json_integer(const struct json *number, int64_t *out, bool *out_of_range);

// The number as digits * 10^-scale, with the smallest scale ("1.50" is 15 and 1); false above 18
// fraction digits or if digits leave int64_t.
MUST_CHECK bool json_decimal(const struct json *number, int64_t *digits, unsigned *scale);

// --- Writing: ", " and ": ", raw UTF-8, only what must be escaped is (policy.md 7.2) ---

struct json_writer {
    struct writer *w;
    unsigned depth;
    bool first;     // no comma needed
    bool after_key; // the value of the key just written comes next, on its line
    bool ascii;     // what is not ASCII as \\u and four digits; set it before the first call
    bool indent;    // one member or item a line, two blanks a level; set it before the first call
};

struct json_writer json_writer_of(struct writer *w);
void json_begin_object(struct json_writer *j);
void json_end_object(struct json_writer *j);
void json_begin_array(struct json_writer *j);
void json_end_array(struct json_writer *j);
void json_key(struct json_writer *j, const char *key);
void json_key_bytes(struct json_writer *j, struct bytes key);
void json_string(struct json_writer *j, struct bytes text); // valid UTF-8
void json_text(struct json_writer *j, const char *text);
void json_bool(struct json_writer *j, bool value);
void json_null(struct json_writer *j);
void json_u64(struct json_writer *j, uint64_t value);
void json_i64(struct json_writer *j, int64_t value);
void json_raw(struct json_writer *j, struct bytes already_json);
void json_value(struct json_writer *j, const struct json *value); // a parsed value again
void json_hex(struct json_writer *j, struct bytes content);

#endif
