// tests/support/fuzz_bunker.c
#include "tests/support/fuzz_bunker.h"
#include "base/require.h"
#include "bunker/pages.h"
#include "bunker/web.h"
#include "tests/support/fuzz_frames.h"
#include "tests/support/fuzz_random.h"

// --- The server: sockets ---

struct http_socket {
    struct fuzz_socket seen;
    struct fuzz_bunker *world;
    void *data;
    bool is_stream;
    struct http_socket *next;
};

// What one input has opened, and what its jobs have left for the loop.
static struct http_socket *open_sockets;

void http_socket_send(struct http_socket *s, struct bytes text, unsigned key)
{
    (void)key;
    if (s->seen.closed != 0)
        return;
    s->seen.n_files += fuzz_frame_has_file(text, s->seen.n_frames);
    s->seen.n_frames++;
}

void http_socket_send_binary(struct http_socket *s, struct bytes message)
{
    (void)message;
    s->seen.n_frames++;
}

void http_socket_send_lines(struct http_socket *s, struct bytes lines)
{
    (void)lines;
    s->seen.n_frames++;
}

void http_socket_close(struct http_socket *s, unsigned code)
{
    s->seen.closed = s->seen.closed != 0 ? s->seen.closed : code;
}

void http_socket_set_data(struct http_socket *s, void *data)
{
    s->data = data;
}

void *http_socket_data(const struct http_socket *s)
{
    return s->data;
}

bool http_socket_is_stream(const struct http_socket *s)
{
    return s->is_stream;
}

const struct listener *http_socket_listener(const struct http_socket *s)
{
    return &s->world->listeners.items[0];
}

size_t http_server_sockets(const struct http_server *server)
{
    (void)server;
    return 0;
}

static struct http_socket *new_socket(struct fuzz_bunker *f, bool is_stream)
{
    struct http_socket *s = calloc(1, sizeof *s);
    REQUIRE(s != NULL);
    s->world = f;
    s->is_stream = is_stream;
    s->next = open_sockets;
    open_sockets = s;
    return s;
}

static struct http_request request_of(struct fuzz_bunker *f, size_t session, char cookie[static 64])
{
    (void)snprintf(cookie, 64, "X=%s", f->ids[session]);
    return (struct http_request){ .path = BYTES("/"),
                                  .cookie = bytes_of_text(cookie),
                                  .listener = f->sessions[session]->listener };
}

struct http_socket *fuzz_socket_open(struct fuzz_bunker *f, size_t session)
{
    char cookie[64];
    struct http_socket *s = new_socket(f, false);
    const struct http_request request = request_of(f, session, cookie);
    clients_opened(&f->b, s, &request);
    return s;
}

const struct fuzz_socket *fuzz_socket_seen(const struct http_socket *s)
{
    return &s->seen;
}

void fuzz_socket_free(struct fuzz_bunker *f, struct http_socket *s)
{
    for (struct http_socket **at = &open_sockets; *at != NULL; at = &(*at)->next)
        if (*at == s) {
            *at = s->next;
            break;
        }
    clients_closed(&f->b, s);
    free(s);
}

// --- The server: requests ---

struct http_exchange {
    struct fuzz_bunker *world;
    const struct http_request *request;
    unsigned n_replies, status;
};

const struct http_request *http_exchange_request(const struct http_exchange *e)
{
    return e->request;
}

static void check_head(struct bytes head)
{
    struct reader r = reader_of(head);
    struct bytes line;
    bool is_first = true, ended = false;
    while (reader_until(&r, '\n', &line)) {
        REQUIRE(!ended && line.len > 0 && line.ptr[line.len - 1] == '\r');
        line.len--;
        ended = line.len == 0;
        REQUIRE(memchr(line.ptr, '\r', line.len) == NULL);
        REQUIRE(!is_first || bytes_starts_with(line, BYTES("HTTP/1.1 ")));
        REQUIRE(is_first || ended || memchr(line.ptr, ':', line.len) != NULL);
        is_first = false;
    }
    REQUIRE(ended);
}

void http_reply(struct http_exchange *e, const struct http_reply *reply)
{
    uint8_t mem[HTTP_HEAD_MAX];
    struct writer w = writer_of(mem, sizeof mem);
    const struct http_reply_context context = { .host = e->request->host };
    http_reply_head(&w, reply, &context);
    REQUIRE(!w.failed && strcmp(http_status_text(reply->status), "") != 0);
    check_head(writer_bytes(&w));
    e->n_replies++;
    e->status = reply->status;
}

struct http_socket *http_reply_stream(struct http_exchange *e, void *data)
{
    struct http_socket *s = new_socket(e->world, true);
    s->data = data;
    e->n_replies++;
    e->status = 200;
    return s;
}

unsigned fuzz_request(struct fuzz_bunker *f, const struct http_request *request, unsigned *status)
{
    struct http_exchange e = { .world = f, .request = request };
    pages_request(&f->b, &e, request);
    fuzz_bunker_settle(f);
    *status = e.status;
    return e.n_replies;
}

// --- The pool: jobs run at once, and end when the world settles ---

struct pool {
    struct pool_loop loop;
};

static struct pool_job done_jobs[1024];
static size_t n_done;

struct pool *pool_new(unsigned n_threads, struct pool_loop loop)
{
    struct pool *p = calloc(1, sizeof *p);
    (void)n_threads;
    REQUIRE(p != NULL);
    p->loop = loop;
    return p;
}

void pool_free(struct pool *p)
{
    free(p);
}

// Those of the device run; hashing and broadcasting are left out, and fail.
bool pool_submit(struct pool *p, struct pool_job job, size_t limit)
{
    (void)limit;
    if (n_done == COUNT(done_jobs))
        return false;
    if (p->loop.context != NULL)
        job.work(job.argument);
    done_jobs[n_done++] = job;
    return true;
}

size_t pool_pending(struct pool *p)
{
    (void)p;
    return n_done;
}

void http_server_post(void *server, void (*call)(void *), void *argument)
{
    (void)server;
    call(argument);
}

void http_server_stop(struct http_server *server)
{
    (void)server;
}

// --- What main.c has ---

void bunker_poll(struct bunker *b)
{
    (void)b;
}

void bunker_ask_locker(struct bunker *b)
{
    (void)b;
}

void bunker_session_ended(void *context, struct session *session)
{
    struct bunker *b = context;
    struct visitor *v = session->data;
    clients_close_session(b, session);
    if (v == NULL)
        return;
    slot_release_all(b, session);
    session->data = NULL;
    secret_free(v->picked);
    secret_free(v->totp);
    free(v);
}

// --- The world ---

static const char hsm_status[] =
    "{\"active\": true, \"chain\": \"XTN\", \"next_local_code\": \"BrstN9qZ28pEaBdrUs3K\", "
    "\"summary\": \"<b>x</b>\\n- Rule #1: Up to 1 XTN per period\", \"last_refusal\": null, "
    "\"approvals\": 1, \"refusals\": 2, \"sl_reads\": 0, \"period\": 240, \"uptime\": 33.07, "
    "\"period_ends\": 7200, \"has_spent\": [5000000], \"users\": [\"alice\", \"bob\"], "
    "\"pending_auth\": 0}";

static void nothing_changed(void *context, const struct device_report *before,
                            const struct device_report *now)
{
    (void)context;
    (void)before;
    (void)now;
}

static void put_device(struct fuzz_bunker *f)
{
    struct device_report *d = &f->b.device->view;
    report_wipe(d);
    d->state = DEVICE_HSM;
    d->active = true;
    (void)snprintf(d->serial, sizeof d->serial, "F1F1F1F1F1F1");
    (void)snprintf(d->xfp, sizeof d->xfp, "0F056943");
    (void)snprintf(d->xpub, sizeof d->xpub, "tpub");
    d->hsts = malloc(sizeof hsm_status - 1);
    REQUIRE(d->hsts != NULL);
    memcpy(d->hsts, hsm_status, sizeof hsm_status - 1);
    d->hsts_len = sizeof hsm_status - 1;
}

void fuzz_bunker_settle(struct fuzz_bunker *f)
{
    for (size_t i = 0; i < n_done; i++)
        done_jobs[i].done(done_jobs[i].argument);
    n_done = 0;
    put_device(f);
}

static int64_t wall(const struct clock *clock)
{
    return 1712962374 + clock->offset_s;
}

static int64_t monotonic(const struct clock *clock)
{
    return 1000 * clock->offset_s;
}

static void add_session(struct fuzz_bunker *f, size_t i, size_t listener, enum role role)
{
    static const char *const accounts[FUZZ_SESSIONS] = { "local", "op", "eve" };
    struct session *s = session_start(&f->b.sessions, &f->listeners.items[listener],
                                      bunker_now_s(&f->b), f->ids[i]);
    REQUIRE(s != NULL);
    s->logged_in = true;
    s->role = role;
    (void)snprintf(s->account, sizeof s->account, "%s", accounts[i]);
    memcpy(s->csrf, FUZZ_CSRF, sizeof s->csrf);
    f->sessions[i] = s;
}

static void set_up_listeners(struct fuzz_bunker *f)
{
    f->listeners.n = 2;
    for (size_t i = 0; i < 2; i++) {
        f->listeners.items[i] = (struct listener){ .name = i == 0 ? "local" : "login",
                                                   .address = "127.0.0.1",
                                                   .loopback = true,
                                                   .auth = i == 0 ? 0 : LISTENER_PASSWORD,
                                                   .hosts = { BYTES("localhost") },
                                                   .n_hosts = 1 };
        f->config.roles[i] = ROLE_ADMIN;
    }
}

struct fuzz_bunker *fuzz_bunker_new(void)
{
    struct fuzz_bunker *f = calloc(1, sizeof *f);
    struct err err;
    REQUIRE(f != NULL);
    fuzz_random_reset();
    f->config = (struct bunker_config){ .max_login_wait_time = 300, .factor_time = 600 };
    set_up_listeners(f);
    f->log = (struct log){ .fd = -1 };
    f->b = (struct bunker){ .config = &f->config,
                            .listeners = &f->listeners,
                            .assets = web_assets(),
                            .clock = { .wall_s = wall, .monotonic_ms = monotonic },
                            .log = &f->log,
                            .audit.fd = -1,
                            .status_arena = arena_new((size_t)1 << 20),
                            .feed = feed_new() };
    const struct device_options options = { .loop = { http_server_post, f },
                                            .changed = nothing_changed };
    f->b.device = device_new(&options);
    f->b.hashers = pool_new(1, (struct pool_loop){ 0 });
    f->b.senders = pool_new(1, (struct pool_loop){ 0 });
    settings_init(&f->b.settings, "/nowhere");
    REQUIRE(settings_add_account(&f->b.settings, BYTES("eve"), ROLE_VIEWER) != NULL);
    sessions_init(&f->b.sessions, session_store_memory());
    f->b.sessions.ended = bunker_session_ended;
    f->b.sessions.context = &f->b;
    REQUIRE(json_parse(&f->b.hsm, bytes_of_text(hsm_status), f->b.status_arena, &err));
    put_device(f);
    spending_update(&f->b.spending, f->b.hsm);
    add_session(f, FUZZ_ADMIN, 0, ROLE_ADMIN);
    add_session(f, FUZZ_OPERATOR, 1, ROLE_OPERATOR);
    add_session(f, FUZZ_VIEWER, 1, ROLE_VIEWER);
    return f;
}

void fuzz_bunker_free(struct fuzz_bunker *f)
{
    fuzz_bunker_settle(f);
    while (open_sockets != NULL)
        fuzz_socket_free(f, open_sockets);
    sessions_free(&f->b.sessions);
    pool_free(f->b.hashers);
    pool_free(f->b.senders);
    device_free(f->b.device);
    pending_policy_drop(&f->b);
    settings_free(&f->b.settings);
    secret_free(f->b.pending_key);
    feed_free(f->b.feed);
    arena_free(f->b.status_arena);
    free(f);
}
