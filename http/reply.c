#include "http/reply.h"
#include "base/base64.h"
#include "crypto/random.h"

static const struct {
    unsigned status;
    const char *text;
} statuses[] = {
    { 101, "Switching Protocols" },
    { 200, "OK" },
    { 201, "Created" },
    { 202, "Accepted" },
    { 204, "No Content" },
    { 301, "Moved Permanently" },
    { 302, "Found" },
    { 303, "See Other" },
    { 304, "Not Modified" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 408, "Request Timeout" },
    { 409, "Conflict" },
    { 410, "Gone" },
    { 411, "Length Required" },
    { 413, "Content Too Large" },
    { 415, "Unsupported Media Type" },
    { 421, "Misdirected Request" },
    { 422, "Unprocessable Content" },
    { 429, "Too Many Requests" },
    { 500, "Internal Server Error" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
};

const char *http_status_text(unsigned status)
{
    for (size_t i = 0; i < COUNT(statuses); i++)
        if (statuses[i].status == status)
            return statuses[i].text;
    return "Status";
}

void http_reply_add(struct http_reply *reply, const char *name, struct bytes value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] < 0x20 || value.ptr[i] == 0x7f)
            return;
    if (reply->n_extra < HTTP_EXTRA_MAX)
        reply->extra[reply->n_extra++] = (struct http_header){ name, value };
}

void http_nonce(char out[static HTTP_NONCE_SIZE])
{
    uint8_t random[18];
    random_bytes(random, sizeof random);
    struct writer w = writer_of(out, HTTP_NONCE_SIZE);
    base64_write(&w, BYTES_OF(random));
    out[HTTP_NONCE_SIZE - 1] = '\0';
}

static const char *const cachings[] = {
    [CACHE_NO_STORE] = "no-store",
    [CACHE_IMMUTABLE] = "public, max-age=31536000, immutable",
    [CACHE_REVALIDATE] = "no-cache",
};

// "connect-src 'self' ws://H wss://H": some browsers do not let 'self' cover WebSocket schemes.
static void write_policy(struct writer *w, const struct http_reply *reply, struct bytes host)
{
    writer_text(w, "content-security-policy: default-src 'none'; script-src 'self'");
    if (reply->nonce != NULL)
        writer_printf(w, " 'nonce-%s'", reply->nonce);
    writer_text(
        w, "; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'");
    if (host.len > 0)
        writer_printf(w, " ws://%.*s wss://%.*s", BYTES_ARG(host), BYTES_ARG(host));
    writer_text(w, "; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
                   "require-trusted-types-for 'script'\r\n");
}

static void write_safety(struct writer *w, const struct http_reply *reply,
                         const struct http_reply_context *context)
{
    write_policy(w, reply, context->host);
    writer_text(w, "x-content-type-options: nosniff\r\n"
                   "referrer-policy: same-origin\r\n"
                   "cross-origin-opener-policy: same-origin\r\n"
                   "cross-origin-resource-policy: same-origin\r\n"
                   "x-frame-options: DENY\r\n");
    writer_printf(w, "permissions-policy: camera=(%s), microphone=(), geolocation=(), usb=()\r\n",
                  reply->camera ? "self" : "");
    if (context->hsts)
        writer_text(w, "strict-transport-security: max-age=31536000\r\n");
}

void http_reply_head(struct writer *w, const struct http_reply *reply,
                     const struct http_reply_context *context)
{
    writer_printf(w, "HTTP/1.1 %u %s\r\n", reply->status, http_status_text(reply->status));
    if (reply->type != NULL)
        writer_printf(w, "content-type: %s\r\n", reply->type);
    // "a message with 204 has no content" (RFC 9110 8.6)
    if (!context->streams && reply->status != 204)
        writer_printf(w, "content-length: %zu\r\n", reply->body.len);
    writer_printf(w, "cache-control: %s\r\n", cachings[reply->caching]);
    write_safety(w, reply, context);
    for (size_t i = 0; i < reply->n_extra; i++)
        writer_printf(w, "%s: %.*s\r\n", reply->extra[i].name, BYTES_ARG(reply->extra[i].value));
    if (context->closes)
        writer_text(w, "connection: close\r\n");
    writer_text(w, "\r\n");
}
