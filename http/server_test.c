#include "http/server.h"
#include "base/require.h"
#include "tests/support/test.h"
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

// A program that says back what it got.
struct rig {
    struct http_server *server;
    struct listeners listeners;
    pthread_t thread;
    struct http_exchange *kept; // its reply comes with the next tick
    struct http_socket *stream;
    char dir[200];
    bool takes_delete, has_link;
};

static size_t body_limit(void *context, const struct http_request *r)
{
    (void)context;
    return bytes_equal_text(r->path, "/small") ? 10 : 1 << 20;
}

static void serve(void *context, struct http_exchange *x, const struct http_request *r)
{
    struct rig *rig = context;
    char text[600];
    struct writer w = writer_of(text, sizeof text);
    if (bytes_equal_text(r->path, "/later")) {
        rig->kept = x;
        return;
    }
    if (bytes_equal_text(r->path, "/events")) {
        rig->stream = http_reply_stream(x, NULL);
        http_socket_send(rig->stream, BYTES("first"), 0);
        return;
    }
    if (bytes_equal_text(r->path, "/lines")) {
        rig->stream = http_reply_stream(x, NULL);
        http_socket_send_lines(rig->stream, BYTES("id: 7\ndata: {}\n\n"));
        http_socket_send_lines(rig->stream, BYTES(":\n\n"));
        return;
    }
    if (bytes_equal_text(r->path, "/headers")) {
        writer_printf(
            &w, "accept=%.*s key=%.*s last=%.*s site=%.*s csrf=%.*s body=", BYTES_ARG(r->accept),
            BYTES_ARG(r->idempotency_key), BYTES_ARG(r->last_event_id),
            BYTES_ARG(r->sec_fetch_site), BYTES_ARG(r->csrf_token));
        http_reply(x, &(struct http_reply){
                          .status = 201, .type = "text/plain", .body = writer_bytes(&w) });
        return;
    }
    writer_printf(&w, "%s %d %.*s ?%.*s [%.*s] x=%.*s body=%zu", r->listener->name, (int)r->method,
                  BYTES_ARG(r->path), BYTES_ARG(r->query), BYTES_ARG(r->cookie),
                  BYTES_ARG(r->x_casemate), r->body.len);
    http_reply(
        x, &(struct http_reply){ .status = 200, .type = "text/plain", .body = writer_bytes(&w) });
}

static unsigned upgrade(void *context, const struct http_request *r, struct bytes *location)
{
    (void)context;
    if (bytes_equal_text(r->path, "/elsewhere"))
        *location = BYTES("/login");
    return bytes_equal_text(r->path, "/ws") ? 101 : location->len > 0 ? 302 : 403;
}

static void opened(void *context, struct http_socket *s, const struct http_request *r)
{
    (void)context;
    (void)r;
    http_socket_send(s, BYTES("hello"), 0);
}

static void message(void *context, struct http_socket *s, struct bytes text)
{
    (void)context;
    if (bytes_equal_text(text, "bye"))
        http_socket_close(s, 4401);
    else
        http_socket_send(s, text, 0);
}

// A link's messages come back with the number of their bytes in front.
static void binary(void *context, struct http_socket *s, struct bytes content)
{
    uint8_t mem[64];
    struct writer w = writer_of(mem, sizeof mem);
    (void)context;
    writer_u8(&w, (uint8_t)content.len);
    writer_put(&w, content);
    assert_int_equal(http_socket_listener(s)->serve, SERVE_LINK);
    http_socket_send_binary(s, writer_bytes(&w));
}

static void too_large(void *context, struct http_socket *s, struct bytes start)
{
    (void)context;
    (void)start;
    http_socket_send(s, BYTES("too large"), 0);
}

static void closed(void *context, struct http_socket *s)
{
    struct rig *rig = context;
    if (rig->stream == s)
        rig->stream = NULL;
}

static void tick(void *context)
{
    struct rig *rig = context;
    if (rig->kept != NULL)
        http_reply(rig->kept, &(struct http_reply){ .status = 204 });
    rig->kept = NULL;
}

static void *run(void *context)
{
    http_server_run(context);
    return NULL;
}

static void start(struct rig *rig)
{
    struct err err;
    *rig = (struct rig){ .takes_delete = rig->takes_delete, .has_link = rig->has_link };
    (void)snprintf(rig->dir, sizeof rig->dir, "%s", test_dir());
    rig->listeners.n = 3;
    rig->listeners.items[0] = (struct listener){
        .name = "tcp", .address = "127.0.0.1", .loopback = true, .connections = 8
    };
    for (size_t i = 1; i < 3; i++) {
        char *path = malloc(256);
        assert_non_null(path);
        (void)snprintf(path, 256, "%s/%zu.sock", rig->dir, i);
        rig->listeners.items[i] = (struct listener){
            .name = i == 1 ? "one" : "two", .path = path, .loopback = true, .connections = 8
        };
    }
    assert_true(listeners_check(&rig->listeners, &err));
    rig->listeners.items[2].serve = rig->has_link ? SERVE_LINK : SERVE_PAGES; // which wants TLS
    const struct http_server_options options = {
        .listeners = &rig->listeners,
        .app = { rig, body_limit, serve, upgrade, opened, message, too_large, closed, tick,
                 binary },
        .link_protocol = "link-1",
        .link_message_max = 10,
        .takes_delete = rig->takes_delete,
    };
    if (!http_server_open(&rig->server, &options, &err))
        fail_msg("%s", err.text);
    assert_int_equal(pthread_create(&rig->thread, NULL, run, rig->server), 0);
}

static void stop(void *server)
{
    http_server_stop(server);
}

static void finish(struct rig *rig)
{
    http_server_post(rig->server, stop, rig->server);
    assert_int_equal(pthread_join(rig->thread, NULL), 0);
    http_server_free(rig->server);
    for (size_t i = 1; i < 3; i++)
        free((void *)(uintptr_t)rig->listeners.items[i].path);
}

static int dial(const struct rig *rig, size_t listener)
{
    const struct listener *l = &rig->listeners.items[listener];
    int fd;
    if (l->path != NULL) {
        struct sockaddr_un to = { .sun_family = AF_UNIX };
        (void)snprintf(to.sun_path, sizeof to.sun_path, "%s", l->path);
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
        return fd;
    }
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)l->port) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

// What comes until `until` is in it, or the connection ends, or 10 s have passed.
static struct bytes receive(int fd, const char *until, size_t max)
{
    struct writer w = writer_growing(test_arena(), max);
    uint8_t mem[65536];
    while (until == NULL || w.len == 0 || memmem(w.ptr, w.len, until, strlen(until)) == NULL) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        const ssize_t n = poll(&p, 1, 10000) == 1 ? read(fd, mem, sizeof mem) : -1;
        if (n <= 0)
            break;
        writer_put(&w, bytes_of(mem, (size_t)n));
    }
    writer_u8(&w, 0);
    return bytes_slice(writer_bytes(&w), 0, w.len - 1);
}

static void send_all(int fd, struct bytes content)
{
    while (content.len > 0) {
        const ssize_t n = send(fd, content.ptr, content.len, MSG_NOSIGNAL);
        if (n <= 0)
            return; // the other side has seen enough
        content = bytes_slice(content, (size_t)n, SIZE_MAX);
    }
}

static const char *ask(const struct rig *rig, size_t listener, const char *request,
                       const char *until)
{
    const int fd = dial(rig, listener);
    send_all(fd, bytes_of_text(request));
    const struct bytes reply = receive(fd, until, 1 << 16);
    close(fd);
    return (const char *)reply.ptr;
}

static const struct {
    size_t listener;
    const char *request, *until, *status, *has;
} requests[] = {
    { 0, "GET /a%20b?c=1&d=2 HTTP/1.1\r\nHost: localhost\r\nCookie: X=y\r\nX-Casemate: 1\r\n\r\n",
      "body=", "HTTP/1.1 200 OK\r\n", "tcp 0 /a b ?c=1&d=2 [X=y] x=1 body=0" },
    // Each listener is itself, though all have the same Host.
    { 1, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "body=", "HTTP/1.1 200 OK\r\n", "one 0 /" },
    { 2, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "body=", "HTTP/1.1 200 OK\r\n", "two 0 /" },
    { 0, "POST /p HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n12345",
      "body=", "HTTP/1.1 200 OK\r\n", "body=5" },
    { 0, "POST /p HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
      "body=", "HTTP/1.1 200 OK\r\n", "body=0" },
    { 0, "GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n", "\r\n\r\n",
      "HTTP/1.1 204 No Content\r\n", "" },
    { 0, "HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", NULL,
      "HTTP/1.1 200 OK\r\n", "content-length: " },
    { 0, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "\r\n\r\n",
      "HTTP/1.1 421 Misdirected Request\r\n", "content-length: 0" },
    { 0, "GET / HTTP/1.1\r\n\r\n", "\r\n\r\n", "HTTP/1.1 421 Misdirected Request\r\n", "" },
    { 0,
      "POST /p HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nContent-Length: "
      "1\r\n\r\n1",
      "\r\n\r\n", "HTTP/1.1 403 Forbidden\r\n", "" },
    { 0,
      "POST /p HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nContent-Length: "
      "1\r\n\r\n1",
      "body=", "HTTP/1.1 200 OK\r\n", "" },
    { 0, "POST /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n\r\n12345678901",
      "\r\n\r\n", "HTTP/1.1 413 Content Too Large\r\n", "" },
    { 0, "POST /p HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n", "\r\n\r\n",
      "HTTP/1.1 413 Content Too Large\r\n", "" },
    { 0, "POST /p HTTP/1.1\r\nHost: localhost\r\n\r\n", "\r\n\r\n",
      "HTTP/1.1 411 Length Required\r\n", "" },
    { 0, "DELETE /p HTTP/1.1\r\nHost: localhost\r\n\r\n", "\r\n\r\n",
      "HTTP/1.1 405 Method Not Allowed\r\n", "" },
    { 0, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n", "first\n\n", "HTTP/1.1 200 OK\r\n",
      "\r\n\r\ndata: first\n\n" },
    { 0, "GET /lines HTTP/1.1\r\nHost: localhost\r\n\r\n", ":\n\n", "HTTP/1.1 200 OK\r\n",
      "\r\n\r\nid: 7\ndata: {}\n\n:\n\n" },
    { 0,
      "GET /headers HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\nIdempotency-Key: k.1\r\n"
      "Last-Event-ID: 42\r\nSec-Fetch-Site: same-origin\r\nX-CSRF-Token: abc\r\n\r\n",
      "body=", "HTTP/1.1 201 Created\r\n",
      "accept=text/html key=k.1 last=42 site=same-origin csrf=abc body=" },
};

TEST(bunker_21_4_requests)
{
    struct rig rig = { 0 };
    start(&rig);
    for (size_t i = 0; i < COUNT(requests); i++) {
        const char *reply = ask(&rig, requests[i].listener, requests[i].request, requests[i].until);
        if (strncmp(reply, requests[i].status, strlen(requests[i].status)) != 0 ||
            strstr(reply, requests[i].has) == NULL)
            fail_msg("case %zu: %s", i, reply);
    }
    finish(&rig);
}

// Only a program that asks for it gets that method.
TEST(http_delete_is_taken_where_it_is_wanted)
{
    static const char request[] = "DELETE /p HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct rig rig = { .takes_delete = true };
    start(&rig);
    const char *reply = ask(&rig, 0, request, "body=");
    assert_int_equal(strncmp(reply, "HTTP/1.1 200 OK", 15), 0);
    assert_non_null(strstr(reply, "tcp 3 /p "));
    finish(&rig);
}

#define UPGRADE(path, more)                                                                        \
    "GET " path " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"    \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" more "\r\n"

static const struct {
    const char *request, *status;
} upgrades[] = {
    { UPGRADE("/ws", ""), "HTTP/1.1 101 " },
    { UPGRADE("/other", ""), "HTTP/1.1 403 Forbidden\r\n" },
    { UPGRADE("/ws", "Origin: http://evil.example\r\n"), "HTTP/1.1 403 Forbidden\r\n" },
    { UPGRADE("/ws", "Origin: http://localhost\r\n"), "HTTP/1.1 101 " },
    { UPGRADE("/elsewhere", ""), "HTTP/1.1 302 Found\r\n" },
};

TEST(bunker_21_12_upgrades)
{
    struct rig rig = { 0 };
    start(&rig);
    for (size_t i = 0; i < COUNT(upgrades); i++) {
        const char *reply = ask(&rig, 0, upgrades[i].request, "\r\n\r\n");
        if (strncmp(reply, upgrades[i].status, strlen(upgrades[i].status)) != 0)
            fail_msg("case %zu: %s", i, reply);
    }
    finish(&rig);
}

// A masked frame of a client, the mask being zeros.
static void send_frame(int fd, uint8_t first, struct bytes payload)
{
    uint8_t head[14];
    struct writer w = writer_of(head, sizeof head);
    writer_u8(&w, first);
    writer_u8(&w, 0xff);
    for (int shift = 56; shift >= 0; shift -= 8)
        writer_u8(&w, (uint8_t)((uint64_t)payload.len >> shift));
    writer_u32le(&w, 0);
    send_all(fd, writer_bytes(&w));
    send_all(fd, payload);
}

static int open_socket(const struct rig *rig)
{
    const int fd = dial(rig, 0);
    send_all(fd, BYTES(UPGRADE("/ws", "")));
    receive(fd, "\x81\x05hello", 4096);
    return fd;
}

TEST(bunker_21_15_messages_of_any_size_below_the_limit)
{
    struct rig rig = { 0 };
    start(&rig);
    const size_t len = 2900000;
    uint8_t *text = malloc(HTTP_MESSAGE_MAX + 1);
    assert_non_null(text);
    memset(text, 'a', HTTP_MESSAGE_MAX + 1);
    text[len - 1] = 'z';
    int fd = open_socket(&rig);
    send_frame(fd, 0x81, bytes_of(text, len));
    struct arena *arena = arena_new(64 << 20);
    size_t got = 0;
    uint8_t mem[65536];
    for (uint8_t last = 0; last != 'z';) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        const ssize_t n = poll(&p, 1, 10000) == 1 ? read(fd, mem, sizeof mem) : -1;
        assert_true(n > 0);
        got += (size_t)n;
        last = mem[n - 1];
    }
    assert_int_equal(got, len + 10);
    close(fd);
    fd = open_socket(&rig);
    send_frame(fd, 0x81, bytes_of(text, HTTP_MESSAGE_MAX + 1));
    const struct bytes reply = receive(fd, NULL, 4096);
    assert_bytes_text(reply, "\x81\x09too large\x88\x02\x03\xf1"); // 1009
    close(fd);
    arena_free(arena);
    free(text);
    finish(&rig);
}

TEST(bunker_21_18_input_that_closes_a_socket)
{
    static const struct {
        uint8_t first;
        struct bytes payload;
        const char *reply;
    } rows[] = {
        { 0x82, BYTES_INIT("x"), "\x88\x02\x03\xeb" },    // binary: 1003
        { 0x81, BYTES_INIT("\xff"), "\x88\x02\x03\xef" }, // no UTF-8: 1007
        { 0x81, BYTES_INIT("bye"), "\x88\x02\x11\x31" },  // 4401
    };
    struct rig rig = { 0 };
    start(&rig);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const int fd = open_socket(&rig);
        send_frame(fd, rows[i].first, rows[i].payload);
        const struct bytes reply = receive(fd, NULL, 4096);
        if (!bytes_starts_with(reply, bytes_of_text(rows[i].reply)))
            fail_msg("case %zu: %zu bytes", i, reply.len);
        close(fd);
    }
    finish(&rig);
}

#define OFFER(names) "Sec-WebSocket-Protocol: " names "\r\n"

TEST(bunker_51_a_link_is_of_one_subprotocol)
{
    static const struct {
        const char *request, *status;
    } rows[] = {
        { UPGRADE("/ws", OFFER("link-1")), "HTTP/1.1 101 " },
        { UPGRADE("/ws", OFFER("other, link-1")), "HTTP/1.1 101 " },
        { UPGRADE("/ws", ""), "HTTP/1.1 404 Not Found\r\n" },
        { UPGRADE("/other", OFFER("link-1")), "HTTP/1.1 403 Forbidden\r\n" },
        { UPGRADE("/ws", OFFER("link-1") "Origin: http://evil.example\r\n"),
          "HTTP/1.1 403 Forbidden\r\n" },
    };
    struct rig rig = { .has_link = true };
    start(&rig);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *reply = ask(&rig, 2, rows[i].request, "\r\n\r\n");
        if (strncmp(reply, rows[i].status, strlen(rows[i].status)) != 0)
            fail_msg("case %zu: %s", i, reply);
        const bool agreed = strcasestr(reply, "sec-websocket-protocol: link-1\r\n") != NULL;
        assert_int_equal(agreed, i < 2);
    }
    finish(&rig);
}

TEST(bunker_51_messages_of_a_link_are_binary)
{
    static const struct {
        uint8_t first;
        struct bytes payload, reply;
    } rows[] = {
        { 0x82, BYTES_INIT("\xff\x00z"), BYTES_INIT("\x82\x04\x03\xff\x00z") }, // not text
        { 0x82, BYTES_INIT("0123456789"),
          BYTES_INIT("\x82\x0b\x0a"
                     "0123456789") },
        { 0x82, BYTES_INIT(""), BYTES_INIT("\x82\x01\x00") },
        { 0x82, BYTES_INIT("01234567890"), BYTES_INIT("\x88\x02\x03\xf1") }, // too long: 1009
        { 0x81, BYTES_INIT("text"), BYTES_INIT("\x88\x02\x03\xeb") },        // 1003
    };
    struct rig rig = { .has_link = true };
    start(&rig);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const int fd = dial(&rig, 2);
        send_all(fd, BYTES(UPGRADE("/ws", OFFER("link-1"))));
        receive(fd, "\x81\x05hello", 4096);
        send_frame(fd, rows[i].first, rows[i].payload);
        uint8_t reply[64];
        REQUIRE(rows[i].reply.len <= sizeof reply);
        const ssize_t n = recv(fd, reply, rows[i].reply.len, MSG_WAITALL);
        close(fd);
        assert_bytes_equal(bytes_of(reply, n > 0 ? (size_t)n : 0), rows[i].reply);
    }
    finish(&rig);
}

TEST(http_a_listener_has_so_many_connections)
{
    struct rig rig = { 0 };
    start(&rig);
    int fds[9];
    for (size_t i = 0; i < 8; i++)
        fds[i] = open_socket(&rig);
    fds[8] = dial(&rig, 0);
    send_all(fds[8], BYTES("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert_int_equal(receive(fds[8], "\r\n\r\n", 4096).len, 0);
    for (size_t i = 0; i < 9; i++)
        close(fds[i]);
    const char *reply = "";
    for (int i = 0; i < 100 && strncmp(reply, "HTTP/1.1 200", 12) != 0; i++) {
        usleep(20000);
        reply = ask(&rig, 0, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "body=");
    }
    assert_int_equal(strncmp(reply, "HTTP/1.1 200", 12), 0);
    finish(&rig);
}
