// The client's end of a signer link against an HTTP server whose answers the test makes up.
#include "base/file.h"
#include "base/require.h"
#include "client/fake_signer.h"
#include "client/transfer.h"
#include "crypto/certificate_make.h"
#include "http/server.h"
#include "tests/support/test.h"
#include <pthread.h>
#include <time.h>

#define N_THREADS 8
#define N_ASKED   200

// --- The bunker's end ---

#define STATE(serial, xfp)                                                                         \
    "{\"v\": 1, \"kind\": \"casemate\", \"serial\": " serial ", \"xfp\": " xfp                     \
    ", \"state\": \"idle\", \"provision\": true}"

struct rig {
    struct http_server *server;
    struct listeners listeners;
    pthread_t thread;
    const char *state; // sent at the beginning; NULL: none
};

static size_t body_limit(void *context, const struct http_request *r)
{
    (void)context, (void)r;
    return 0;
}

static void serve(void *context, struct http_exchange *x, const struct http_request *r)
{
    (void)context, (void)r;
    http_reply(x, &(struct http_reply){ .status = 404 });
}

static unsigned upgrade(void *context, const struct http_request *r, struct bytes *location)
{
    (void)context, (void)location;
    if (!bytes_equal_text(r->path, "/device"))
        return 404;
    return bytes_equal_text(r->certificate, "alice") ? 101 : 403;
}

static void opened(void *context, struct http_socket *s, const struct http_request *r)
{
    const struct rig *rig = context;
    (void)r;
    if (rig->state != NULL)
        http_socket_send(s, bytes_of_text(rig->state), 1);
}

// The first letter of a ping's content says what is wrong with the answer.
static void answer_ping(struct http_socket *s, struct bytes content)
{
    static const struct {
        char letter;
        const char *text;
    } states[] = { { 'o', STATE("\"other\"", "\"3442193E\"") },
                   { 'x', STATE("\"one\"", "\"00000000\"") },
                   { 'a', STATE("null", "null") },
                   { 'j', "{}" } };
    uint8_t mem[2100];
    struct writer w = writer_of(mem, sizeof mem);
    for (size_t i = 0; i < COUNT(states); i++)
        if (content.ptr[0] == (uint8_t)states[i].letter)
            http_socket_send(s, bytes_of_text(states[i].text), 0);
    writer_text(&w, "biny");
    writer_put(&w, content);
    if (content.ptr[0] == 'c')
        http_socket_close(s, 1008);
    else if (content.ptr[0] == '2')
        http_socket_send_binary(s, writer_bytes(&w));
    else if (content.ptr[0] == 'n')
        http_socket_send_binary(s, BYTES("err_Coldcard is not connected."));
    if (content.ptr[0] != 's' && content.ptr[0] != 'n')
        http_socket_send_binary(s, writer_bytes(&w));
}

static void binary(void *context, struct http_socket *s, struct bytes message)
{
    (void)context;
    if (bytes_equal_text(message, "xpubm"))
        http_socket_send_binary(s, BYTES("asci" FAKE_XPUB));
    else if (bytes_starts_with(message, BYTES("ping")))
        answer_ping(s, bytes_slice(message, 4, SIZE_MAX));
    else
        http_socket_send_binary(s, BYTES("err_Not allowed on this link"));
}

static void ignore_text(void *context, struct http_socket *s, struct bytes text)
{
    (void)context, (void)s, (void)text;
}

static void closed(void *context, struct http_socket *s)
{
    (void)context, (void)s;
}

static void tick(void *context)
{
    (void)context;
}

// --- Certificates ---

static const char *in_dir(const char *name)
{
    struct writer w = writer_growing(test_arena(), 400);
    writer_printf(&w, "%s/%s", test_dir(), name);
    return arena_text(test_arena(), writer_bytes(&w));
}

static struct certificate_pem made(enum certificate_kind kind, const char *name, const char *file,
                                   const struct certificate_pem *by)
{
    const struct certificate_wish w = {
        .kind = kind, .n_names = 1, .names = { name }, .now_s = (int64_t)time(NULL), .days = 10
    };
    struct certificate_pem out;
    struct err err;
    char crt[100], key[100];
    (void)snprintf(crt, sizeof crt, "%s.crt", file);
    (void)snprintf(key, sizeof key, "%s.key", file);
    if (!certificate_make(&out, &w, by, test_arena(), &err) ||
        !file_create(in_dir(crt), out.certificate, 0600, &err) ||
        !file_create(in_dir(key), out.key, 0600, &err))
        fail_msg("%s", err.text);
    return out;
}

static void *run(void *context)
{
    http_server_run(context);
    return NULL;
}

static void start(struct rig *rig, const char *state)
{
    struct err err;
    const struct certificate_pem ca = made(CERTIFICATE_AUTHORITY, "ca", "ca", NULL);
    (void)made(CERTIFICATE_SERVER, "127.0.0.1", "server", &ca);
    (void)made(CERTIFICATE_CLIENT, "alice", "alice", &ca);
    (void)made(CERTIFICATE_CLIENT, "bob", "bob", &ca);
    *rig = (struct rig){ .state = state, .listeners.n = 1 };
    rig->listeners.items[0] = (struct listener){ .name = "link",
                                                 .address = "127.0.0.1",
                                                 .auth = LISTENER_MTLS,
                                                 .serve = SERVE_LINK,
                                                 .tls_cert = in_dir("server.crt"),
                                                 .tls_key = in_dir("server.key"),
                                                 .client_ca = in_dir("ca.crt"),
                                                 .n_link_names = 1,
                                                 .link_names = { BYTES_INIT("alice") },
                                                 .connections = 64 };
    assert_true(listeners_check(&rig->listeners, &err));
    const struct http_server_options options = {
        .listeners = &rig->listeners,
        .app = { rig, body_limit, serve, upgrade, opened, ignore_text, ignore_text, closed, tick,
                 binary },
        .link_protocol = LINK_PROTOCOL,
        .link_message_max = REQUEST_MAX,
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
    static const char *const files[] = { "ca.crt",    "ca.key",    "server.crt", "server.key",
                                         "alice.crt", "alice.key", "bob.crt",    "bob.key" };
    for (size_t i = 0; i < COUNT(files); i++)
        assert_int_equal(unlink(in_dir(files[i])), 0);
}

// --- The client's ---

struct ends {
    char url[100];
    struct link_choice link;
    struct connection_options options;
};

static void choose(struct ends *e, const struct rig *rig, const char *name)
{
    char crt[20], key[20];
    (void)snprintf(e->url, sizeof e->url, "wss://127.0.0.1:%u/device",
                   rig->listeners.items[0].port);
    (void)snprintf(crt, sizeof crt, "%s.crt", name);
    (void)snprintf(key, sizeof key, "%s.key", name);
    e->link = (struct link_choice){ .url = e->url,
                                    .cert_file = in_dir(crt),
                                    .key_file = in_dir(key),
                                    .ca_file = in_dir("ca.crt"),
                                    .connect_ms = 5000 };
    e->options = (struct connection_options){ .link = &e->link, .reply_ms = 2000 };
}

static bool ping(struct connection *c, const char *content, struct err *err)
{
    const struct request request = { .id = REQUEST_PING, .data = bytes_of_text(content) };
    struct reply reply;
    return connection_call(c, &reply, REPLY_BINY, &request, NULL, err) &&
           (bytes_equal_text(reply.data, content) || err_set(err, ERR_INTERNAL, "another content"));
}

TEST(bunker_51_a_connection_over_a_link)
{
    struct rig rig;
    struct ends e;
    struct err err;
    struct connection *c;
    start(&rig, STATE("\"one\"", "\"3442193E\""));
    choose(&e, &rig, "alice");
    e.link.pin_xpub = FAKE_XPUB;
    if (!connection_open(&c, &e.options, &err))
        fail_msg("%s", err.text);
    const struct connection_identity *id = connection_identity(c);
    assert_string_equal(id->transport, "link");
    assert_string_equal(id->serial, "one");
    assert_string_equal(id->xpub, FAKE_XPUB);
    assert_true(id->has_seed);
    assert_bytes_equal(BYTES_OF(id->xfp), test_hex(FAKE_XFP));
    assert_true(connection_link_state(c)->provision);
    assert_true(ping(c, "p", &err) && ping(c, "q", &err));
    assert_true(connection_pause(c, 50, &err));
    assert_true(ping(c, "a", &err)); // the device is away, and its state says so
    assert_string_equal(connection_link_state(c)->serial, "");
    const struct request refused = { .id = REQUEST_GSLR };
    struct reply reply;
    assert_false(connection_exchange(c, &reply, &refused, NULL, &err));
    assert_err(&err, ERR_INVALID, "Coldcard Error: Not allowed on this link");
    assert_true(ping(c, "p", &err)); // which ends nothing
    struct pubkey any = { 0 };
    assert_false(connection_prove(c, &any, &err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    connection_close(c);
    finish(&rig);
}

// What ends a link, and that it then has ended.
TEST(bunker_51_links_that_end)
{
    static const struct {
        const char *content;
        enum err_code code;
        const char *text; // behind "<where>: "; NULL: the whole is the next
        const char *whole;
    } rows[] = {
        { "other", ERR_NOT_FOUND, "another device is behind it now", NULL },
        { "xfp", ERR_NOT_FOUND, "another device is behind it now", NULL },
        { "close", ERR_NOT_FOUND, "the link was closed (1008)", NULL },
        { "none", ERR_NOT_FOUND, NULL, "Coldcard is not connected." },
        { "silent", ERR_TIMEOUT, NULL, "no reply from the device within 2 s" },
        { "json", ERR_FRAMING, "state of the link: not of version 1", NULL },
    };
    struct rig rig;
    struct ends e;
    start(&rig, STATE("\"one\"", "\"3442193E\""));
    choose(&e, &rig, "alice");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct connection *c;
        struct err err;
        char text[200];
        assert_true(connection_open(&c, &e.options, &err));
        assert_false(ping(c, rows[i].content, &err));
        (void)snprintf(text, sizeof text, "127.0.0.1:%u: %s", rig.listeners.items[0].port,
                       rows[i].text != NULL ? rows[i].text : "");
        assert_err(&err, rows[i].code, rows[i].text != NULL ? text : rows[i].whole);
        assert_false(ping(c, "p", &err));
        assert_err(&err, ERR_FRAMING, "the session with the device is lost");
        connection_close(c);
    }
    struct connection *c; // two replies to one message: the second belongs to nothing
    struct err err;
    assert_true(connection_open(&c, &e.options, &err) && ping(c, "2", &err));
    assert_true(!connection_pause(c, 500, &err) || !ping(c, "p", &err));
    assert_int_equal(err.code, ERR_FRAMING);
    connection_close(c);
    finish(&rig);
}

TEST(bunker_51_links_that_are_not_opened)
{
    struct rig rig;
    struct ends e;
    struct err err;
    struct connection *c;
    char text[200];
    start(&rig, STATE("\"one\"", "\"3442193E\""));
    choose(&e, &rig, "bob");
    assert_false(connection_open(&c, &e.options, &err));
    (void)snprintf(text, sizeof text,
                   "127.0.0.1:%u: the name in our certificate is not among its link_names",
                   rig.listeners.items[0].port);
    assert_err(&err, ERR_AUTH, text);
    choose(&e, &rig, "alice");
    e.link.pin_xpub = "xpub-of-another";
    assert_false(connection_open(&c, &e.options, &err));
    assert_err(&err, ERR_AUTH, "the device's key is not the pinned one");
    e.link.pin_xpub = NULL;
    e.link.cert_file = in_dir("nowhere.crt");
    assert_false(connection_open(&c, &e.options, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    (void)snprintf(e.url, sizeof e.url, "wss://127.0.0.1:%u/other", rig.listeners.items[0].port);
    choose(&e, &rig, "alice");
    (void)snprintf(e.url, sizeof e.url, "wss://127.0.0.1:%u/other", rig.listeners.items[0].port);
    assert_false(connection_open(&c, &e.options, &err));
    (void)snprintf(text, sizeof text, "127.0.0.1:%u: there is no signer link at /other",
                   rig.listeners.items[0].port);
    assert_err(&err, ERR_NOT_FOUND, text);
    rig.state = STATE("null", "null");
    choose(&e, &rig, "alice");
    assert_false(connection_open(&c, &e.options, &err));
    assert_err(&err, ERR_NOT_FOUND, "Coldcard is not connected.");
    rig.state = NULL; // a bunker that says nothing
    e.link.connect_ms = 1000;
    assert_false(connection_open(&c, &e.options, &err));
    (void)snprintf(text, sizeof text, "127.0.0.1:%u: no answer within 1 s",
                   rig.listeners.items[0].port);
    assert_err(&err, ERR_TIMEOUT, text);
    int cancel[2];
    assert_int_equal(pipe(cancel), 0);
    assert_int_equal(write(cancel[1], "x", 1), 1);
    e.options.cancel_fd = cancel[0];
    assert_false(connection_open(&c, &e.options, &err));
    assert_int_equal(err.code, ERR_INTERRUPTED);
    close(cancel[0]);
    close(cancel[1]);
    finish(&rig);
}

struct worker {
    const struct ends *ends;
    pthread_t thread;
    struct err err;
    bool ok;
};

static void *work(void *context)
{
    struct worker *w = context;
    struct connection *c;
    char content[20];
    w->ok = connection_open(&c, &w->ends->options, &w->err);
    if (!w->ok)
        return NULL;
    for (unsigned i = 0; i < N_ASKED && w->ok; i++) {
        (void)snprintf(content, sizeof content, "p %u", i);
        w->ok = ping(c, content, &w->err);
    }
    connection_close(c);
    return NULL;
}

TEST(bunker_51_a_link_for_each_thread)
{
    struct rig rig;
    struct ends e;
    struct worker workers[N_THREADS];
    start(&rig, STATE("\"one\"", "\"3442193E\""));
    choose(&e, &rig, "alice");
    for (size_t i = 0; i < N_THREADS; i++) {
        workers[i] = (struct worker){ .ends = &e };
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        if (!workers[i].ok)
            fail_msg("thread %zu: %s", i, workers[i].err.text);
    }
    finish(&rig);
}
