#include "http/reply.h"
#include "tests/support/test.h"

static const char *head(const struct http_reply *reply, const struct http_reply_context *context)
{
    struct writer w = writer_growing(test_arena(), HTTP_HEAD_MAX);
    struct bytes out;
    http_reply_head(&w, reply, context);
    writer_u8(&w, 0);
    assert_true(writer_finish(&w, &out));
    return (const char *)out.ptr;
}

TEST(bunker_21_5_every_answer_has_these_headers)
{
    const struct http_reply reply = { .status = 404 };
    assert_string_equal(
        head(&reply, &(struct http_reply_context){ .host = BYTES("h:1") }),
        "HTTP/1.1 404 Not Found\r\n"
        "content-length: 0\r\n"
        "cache-control: no-store\r\n"
        "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' data: blob:; font-src 'self'; connect-src 'self' ws://h:1 wss://h:1; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'\r\n"
        "x-content-type-options: nosniff\r\n"
        "referrer-policy: same-origin\r\n"
        "cross-origin-opener-policy: same-origin\r\n"
        "cross-origin-resource-policy: same-origin\r\n"
        "x-frame-options: DENY\r\n"
        "permissions-policy: camera=(), microphone=(), geolocation=(), usb=()\r\n"
        "\r\n");
}

TEST(bunker_21_5_what_depends_on_the_page)
{
    struct http_reply reply = { .status = 200,
                                .type = "text/html",
                                .body = BYTES("abc"),
                                .nonce = "N",
                                .camera = true,
                                .caching = CACHE_IMMUTABLE };
    http_reply_add(&reply, "location", BYTES("/x"));
    http_reply_add(&reply, "evil", BYTES("a\r\nset-cookie: b")); // left out
    const char *text = head(&reply, &(struct http_reply_context){ .hsts = true, .closes = true });
    assert_non_null(strstr(text, "content-length: 3\r\n"));
    assert_non_null(strstr(text, "script-src 'self' 'nonce-N';"));
    assert_non_null(strstr(text, "camera=(self)"));
    assert_non_null(strstr(text, "max-age=31536000, immutable\r\n"));
    assert_non_null(strstr(text, "strict-transport-security: max-age=31536000\r\n"));
    assert_non_null(strstr(text, "location: /x\r\n"));
    assert_non_null(strstr(text, "connection: close\r\n"));
    assert_null(strstr(text, "evil"));
    assert_null(strstr(text, "server:")); // bunker 3.2: none
}

TEST(http_an_event_stream_has_no_length)
{
    const struct http_reply reply = { .status = 200, .type = "text/event-stream" };
    assert_null(strstr(head(&reply, &(struct http_reply_context){ .streams = true }), "length"));
}

TEST(http_nonces_differ)
{
    char a[HTTP_NONCE_SIZE], b[HTTP_NONCE_SIZE];
    http_nonce(a);
    http_nonce(b);
    assert_int_equal(strlen(a), HTTP_NONCE_SIZE - 1);
    assert_string_not_equal(a, b);
}
