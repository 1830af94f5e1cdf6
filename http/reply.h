// http/reply.h -- an answer to a request, and the headers that every answer carries.
//
// Pure: bytes in, bytes out. Source: bunker.md 3.2.
#ifndef CASEMATE_HTTP_REPLY_H
#define CASEMATE_HTTP_REPLY_H
#include "base/writer.h"

#define HTTP_HEAD_MAX   8192 // bytes of status line and headers
#define HTTP_EXTRA_MAX  6
#define HTTP_NONCE_SIZE 25 // text of 18 random bytes and a final zero

enum http_caching {
    CACHE_NO_STORE,  // pages and JSON
    CACHE_IMMUTABLE, // versioned static files: a year
    CACHE_REVALIDATE // static files whose name stays
};

struct http_header {
    const char *name; // lower case
    struct bytes value;
};

struct http_reply {
    unsigned status;
    const char *type; // media type; NULL: no body
    struct bytes body;
    enum http_caching caching;
    const char *nonce; // of the one inline script of this page; NULL: none is allowed
    bool camera;       // a page that scans QR codes
    size_t n_extra;
    struct http_header extra[HTTP_EXTRA_MAX];
};

// Adds a header. Values with control characters are left out: they could end the header early.
void http_reply_add(struct http_reply *reply, const char *name, struct bytes value);

// What the headers depend on beside the reply.
struct http_reply_context {
    struct bytes host; // the validated Host of the request; empty: none was
    bool hsts;         // a TLS listener that asks for it
    bool streams;      // an event stream: no length, stays open
    bool closes;       // the connection ends after this
};

// Status line and headers, with the empty line. Fails (the writer) above its room only.
void http_reply_head(struct writer *w, const struct http_reply *reply,
                     const struct http_reply_context *context);

// "Not Found"
const char *http_status_text(unsigned status);

// 18 random bytes as base64: fresh for each response.
void http_nonce(char out[static HTTP_NONCE_SIZE]);

#endif
