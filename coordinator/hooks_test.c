#include "coordinator/hooks.h"
#include "tests/support/test.h"
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>

// openssl dgst -sha256 -hmac key over "1790000000.{\"a\":1}"
TEST(coordinator_F49_signature)
{
    char out[HOOK_SIGNATURE_SIZE];
    hook_sign(out, BYTES("key"), 1790000000, BYTES("{\"a\":1}"));
    assert_string_equal(out, "7a4d26944722100249410c8c7f2e76c3cc6e9735fcc98b39e44a122da5490ffc");
}

TEST(coordinator_F49_pauses_grow_to_a_day)
{
    assert_int_equal(hook_pause_s(1), 5);
    assert_int_equal(hook_pause_s(2), 10);
    assert_int_equal(hook_pause_s(5), 80);
    assert_int_equal(hook_pause_s(16), 86400);
    assert_int_equal(hook_pause_s(UINT64_MAX), 86400);
}

// --- A receiver ---

struct receiver {
    int fd;
    unsigned port;
    pthread_t thread;
    const char *answer;
    char got[4096];
};

static void *receive(void *context)
{
    struct receiver *r = context;
    const int fd = accept(r->fd, NULL, NULL);
    size_t len = 0;
    while (fd >= 0 && memmem(r->got, len, "{\"a\":1}", 7) == NULL) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        const ssize_t n =
            poll(&p, 1, 5000) == 1 ? read(fd, r->got + len, sizeof r->got - 1 - len) : -1;
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    if (fd >= 0) {
        (void)!write(fd, r->answer, strlen(r->answer));
        close(fd);
    }
    return NULL;
}

static void start(struct receiver *r, const char *answer)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t len = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *r = (struct receiver){ .fd = socket(AF_INET, SOCK_STREAM, 0), .answer = answer };
    assert_int_equal(bind(r->fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(r->fd, 1), 0);
    assert_int_equal(getsockname(r->fd, (struct sockaddr *)&at, &len), 0);
    r->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&r->thread, NULL, receive, r), 0);
}

static bool deliver(struct receiver *r, const char *answer, struct err *err)
{
    char url[64];
    start(r, answer);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/hook", r->port);
    const struct hook_delivery d = { .url = url,
                                     .secret = BYTES("key"),
                                     .body = BYTES("{\"a\":1}"),
                                     .timestamp_s = 1790000000,
                                     .event = 42,
                                     .allow_private = true };
    const bool ok = hook_send(&d, err);
    assert_int_equal(pthread_join(r->thread, NULL), 0);
    close(r->fd);
    return ok;
}

TEST(coordinator_F49_what_a_receiver_gets)
{
    struct receiver r;
    struct err err;
    if (!deliver(&r, "HTTP/1.1 204 No Content\r\n\r\n", &err))
        fail_msg("%s", err.text);
    assert_non_null(strstr(r.got, "POST /hook HTTP/1.1\r\n"));
    assert_non_null(strstr(r.got, "X-Casemate-Id: 42\r\n"));
    assert_non_null(strstr(r.got, "X-Casemate-Timestamp: 1790000000\r\n"));
    assert_non_null(strstr(
        r.got, "X-Casemate-Signature: "
               "sha256=7a4d26944722100249410c8c7f2e76c3cc6e9735fcc98b39e44a122da5490ffc\r\n"));
    assert_non_null(strstr(r.got, "\r\n\r\n{\"a\":1}"));
}

TEST(coordinator_F49_only_2xx_is_an_answer)
{
    struct receiver r;
    struct err err;
    assert_false(deliver(&r, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", &err));
    assert_err(&err, ERR_REFUSED, "the answer's status is 500");
    // "no redirects"
    assert_false(deliver(
        &r, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        &err));
    assert_err(&err, ERR_REFUSED, "the answer's status is 302");
    assert_false(deliver(&r, "", &err));
    assert_int_equal(err.code, ERR_IO);
}

TEST(coordinator_F49_private_addresses_are_refused)
{
    static const char *const urls[] = { "http://127.0.0.1:9/", "http://localhost:9/",
                                        "https://[::1]:9/", "http://2130706433:9/" };
    struct err err;
    for (size_t i = 0; i < COUNT(urls); i++) {
        const struct hook_delivery d = { .url = urls[i], .body = BYTES("{}") };
        assert_false(hook_send(&d, &err));
        assert_err(&err, ERR_REFUSED, "the address is a private one");
    }
    const struct hook_delivery d = { .url = "file:///etc/passwd", .body = BYTES("{}") };
    assert_false(hook_send(&d, &err));
    assert_err(&err, ERR_USAGE, "it is no http or https address");
}
