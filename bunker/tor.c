#include "bunker/tor.h"
#include "base/require.h"
#include "client/connection.h"
#include "crypto/random.h"
#include "http/listener.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/un.h>

static const char *const state_names[] = {
    [TOR_STATE_AWAY] = "away",
    [TOR_STATE_GOOD] = "good",
    [TOR_STATE_ADDED] = "added",
    [TOR_STATE_PUBLISHED] = "published",
};

const char *tor_state_name(enum tor_state state)
{
    return state_names[state];
}

// Where a daemon may be: "Unix control socket first, then ports 9051 and 9151".
static const char *const usual[] = { "unix:/run/tor/control", "127.0.0.1:9051", "127.0.0.1:9151" };

struct wish {
    struct secret *key; // NULL: nothing
    char address[ONION_ADDR_LEN + 1];
    size_t n_clients;
    char clients[TOR_CLIENTS_MAX][TOR_CLIENT_SIZE];
};

struct tor {
    struct tor_options options;
    pthread_t thread;
    int wake_fd;
    pthread_mutex_t lock; // of what follows
    bool stops, is_new;   // `wanted` has not been taken yet
    struct wish wanted;
    struct tor_report report;
};

// The thread's side.
struct line {
    struct tor *tor;
    struct tor_control control;
    struct wish wish; // the thread's copy
    bool has_news;    // the wish differs from what is served
    int fd;
    bool trusts; // the socket's owner, or its place was named
    int64_t asked_ms;
};

// --- Who is there ---

static bool is_owner(const struct tor_options *o, uid_t uid)
{
    const struct passwd *user = o->user != NULL ? getpwnam(o->user) : NULL;
    return uid == 0 || uid == geteuid() || (user != NULL && uid == user->pw_uid);
}

static int open_unix(struct line *l, const char *path, struct err *err)
{
    struct sockaddr_un where = { .sun_family = AF_UNIX };
    struct stat st;
    if (strlen(path) >= sizeof where.sun_path)
        return err_set(err, ERR_USAGE, "%s: too long", path), -1;
    memcpy(where.sun_path, path, strlen(path) + 1);
    if (stat(path, &st) != 0)
        return err_set_errno(err, errno, "%s", path), -1;
    if (!is_owner(&l->tor->options, st.st_uid))
        return err_set(err, ERR_AUTH, "%s: belongs to another user; see [tor] user", path), -1;
    l->trusts = true;
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0);
    if (connect(fd, (const struct sockaddr *)&where, sizeof where) == 0)
        return fd;
    (void)err_set_errno(err, errno, "%s", path);
    (void)close(fd);
    return -1;
}

static int open_port(const struct listener *at, struct err *err)
{
    struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons((uint16_t)at->port) };
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)at->port) };
    const bool is_six = inet_pton(AF_INET, at->address, &four.sin_addr) != 1;
    if (is_six && inet_pton(AF_INET6, at->address, &six.sin6_addr) != 1)
        return err_set(err, ERR_USAGE, "%s: is no address", at->address), -1;
    const int fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set_errno(err, errno, "%s", at->address), -1;
    const int status = is_six ? connect(fd, (const struct sockaddr *)&six, sizeof six)
                              : connect(fd, (const struct sockaddr *)&four, sizeof four);
    if (status == 0)
        return fd;
    (void)err_set_errno(err, errno, "%s port %u", at->address, at->port);
    (void)close(fd);
    return -1;
}

static bool read_place(struct listener *out, const char *text, struct arena *arena, struct err *err)
{
    *out = (struct listener){ .name = "tor" };
    if (!listener_set_bind(out, bytes_of_text(text), arena, err))
        return err_within(err, "[tor] control");
    return out->loopback ||
           err_set(err, ERR_USAGE, "[tor] control: %s is neither loopback nor a unix socket", text);
}

static int open_place(struct line *l, const char *text, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(65536);
    struct listener place;
    l->trusts = false;
    if (!read_place(&place, text, arena, err))
        return -1;
    return place.path != NULL ? open_unix(l, place.path, err) : open_port(&place, err);
}

static bool open_any(struct line *l, struct err *err)
{
    const char *control = l->tor->options.control;
    if (strcmp(control, TOR_AUTO) != 0) {
        l->fd = open_place(l, control, err);
        l->trusts = true; // it was named
        return l->fd >= 0;
    }
    for (size_t i = 0; i < COUNT(usual); i++)
        if ((l->fd = open_place(l, usual[i], err)) >= 0)
            return true;
    return err_set(err, ERR_NOT_FOUND, "No local 'tord' server");
}

// --- Authentication ---

// 32 bytes that belong to somebody whom we trust with the key.
static bool read_cookie(const struct line *l, uint8_t out[static TOR_COOKIE_LEN], struct err *err)
{
    const char *path = l->control.cookie_path;
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return err_set_errno(err, errno, "%s", path);
    const bool is_sound = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
                          st.st_size == TOR_COOKIE_LEN && is_owner(&l->tor->options, st.st_uid) &&
                          read(fd, out, TOR_COOKIE_LEN) == TOR_COOKIE_LEN;
    (void)close(fd);
    return is_sound || err_set(err, ERR_AUTH, "%s: is no cookie of a trusted user", path);
}

static bool authenticate(struct line *l, struct writer *w, struct err *err)
{
    uint8_t cookie[TOR_COOKIE_LEN], nonce[32];
    struct secret *password = l->tor->options.password;
    struct tor_control *t = &l->control;
    (void)err_set(err, ERR_AUTH, "Tor offers no way to authenticate that we know");
    if (t->may_cookie && t->cookie_path[0] != '\0' && read_cookie(l, cookie, err)) {
        random_bytes(nonce, sizeof nonce);
        tor_control_with_cookie(t, cookie, nonce, w);
        wipe(cookie, sizeof cookie);
    } else if (t->may_password && password != NULL && l->trusts) {
        tor_control_with_password(t, secret_open(password), w);
        secret_close(password);
    } else if (t->may_null && l->trusts) {
        tor_control_with_nothing(t, w);
    } else {
        return false;
    }
    return true;
}

// --- What is wanted, and what is known ---

static void copy_wish(struct wish *out, const struct wish *from)
{
    secret_free(out->key);
    *out = *from;
    if (from->key == NULL)
        return;
    out->key = secret_new(secret_open(from->key));
    secret_close(from->key);
}

static bool take_wish(struct line *l)
{
    struct tor *tor = l->tor;
    uint64_t count;
    while (read(tor->wake_fd, &count, sizeof count) > 0)
        ;
    REQUIRE(pthread_mutex_lock(&tor->lock) == 0);
    const bool goes_on = !tor->stops;
    if (tor->is_new) {
        copy_wish(&l->wish, &tor->wanted);
        tor->is_new = false;
        l->has_news = true;
    }
    REQUIRE(pthread_mutex_unlock(&tor->lock) == 0);
    return goes_on;
}

static void announce(void *argument)
{
    struct tor *tor = argument;
    tor->options.changed(tor->options.context);
}

static bool is_same(const struct tor_report *a, const struct tor_report *b)
{
    return a->state == b->state && a->uploads == b->uploads && a->uploaded == b->uploaded &&
           a->failed == b->failed && strcmp(a->version, b->version) == 0 &&
           strcmp(a->address, b->address) == 0 && strcmp(a->why, b->why) == 0;
}

static void report(struct line *l, const char *why)
{
    const struct tor_control *t = &l->control;
    struct tor_report now = { .uploads = t->uploads, .uploaded = t->uploaded, .failed = t->failed };
    struct tor *tor = l->tor;
    const bool is_in = l->fd >= 0 && t->step >= TOR_READY;
    if (is_in) {
        now.state = t->served[0] == '\0' ? TOR_STATE_GOOD
                    : t->uploaded == 0   ? TOR_STATE_ADDED
                                         : TOR_STATE_PUBLISHED;
        memcpy(now.version, t->version, sizeof now.version);
        memcpy(now.address, t->served, sizeof now.address);
    } else {
        (void)snprintf(now.why, sizeof now.why, "%.199s", why);
    }
    REQUIRE(pthread_mutex_lock(&tor->lock) == 0);
    const bool changes = !is_same(&now, &tor->report) && !tor->stops;
    tor->report = now;
    REQUIRE(pthread_mutex_unlock(&tor->lock) == 0);
    if (changes)
        tor->options.loop.post(tor->options.loop.context, announce, tor);
}

// --- A connection ---

static bool send_all(struct line *l, const struct writer *w, struct err *err)
{
    struct bytes rest = writer_bytes(w);
    while (rest.len > 0) {
        const ssize_t n = send(l->fd, rest.ptr, rest.len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return err_set_errno(err, errno, "Tor");
        rest = bytes_slice(rest, n > 0 ? (size_t)n : 0, SIZE_MAX);
    }
    l->asked_ms = w->len > 0 ? wait_now_ms() : l->asked_ms;
    return true;
}

// What the state asks for beside what the daemon has just said.
static bool take_next_step(struct line *l, struct writer *w, struct err *err)
{
    struct tor_control *t = &l->control;
    if (t->step == TOR_WANTS_PROOF)
        return authenticate(l, w, err);
    if (t->step != TOR_READY || !l->has_news)
        return true;
    // Another key, other clients: the old service goes first.
    if (t->served[0] != '\0') {
        tor_control_remove(t, w);
        return true;
    }
    l->has_news = false;
    if (l->wish.key != NULL) {
        const struct tor_service service = { .key = l->wish.key,
                                             .address = l->wish.address,
                                             .target = l->tor->options.target,
                                             .n_clients = l->wish.n_clients,
                                             .clients = l->wish.clients };
        tor_control_add(t, &service, w);
    }
    return true;
}

static bool read_some(struct line *l, struct writer *w, struct err *err)
{
    uint8_t mem[4096];
    const ssize_t n = recv(l->fd, mem, sizeof mem, MSG_DONTWAIT);
    if (n == 0)
        return err_set(err, ERR_IO, "Tor has ended the connection");
    if (n < 0)
        return errno == EAGAIN || errno == EINTR || err_set_errno(err, errno, "Tor");
    return tor_control_feed(&l->control, bytes_of(mem, (size_t)n), w, err);
}

// One wait and what follows from it; false: the connection is over (err), or the thread is (no err).
static bool turn(struct line *l, struct err *err)
{
    uint8_t mem[2 * TOR_SEND_MAX];
    struct writer w = writer_of(mem, sizeof mem);
    struct pollfd fds[] = { { .fd = l->fd, .events = POLLIN },
                            { .fd = l->tor->wake_fd, .events = POLLIN } };
    const bool waits = tor_control_waits(&l->control);
    const int64_t left = l->asked_ms + (waits ? TOR_REPLY_MS : TOR_PROBE_MS) - wait_now_ms();
    const int n = poll(fds, COUNT(fds), left > 0 ? (int)left : 0);
    if (n == 0 && waits)
        return err_set(err, ERR_TIMEOUT, "Tor does not answer");
    if (!take_wish(l))
        return false;
    bool ok = fds[0].revents == 0 || n <= 0 || read_some(l, &w, err);
    if (ok && n == 0 && l->control.step == TOR_READY)
        tor_control_probe(&l->control, &w);
    ok = ok && take_next_step(l, &w, err) && (!w.failed && send_all(l, &w, err));
    wipe(mem, sizeof mem); // the service's key may have stood there
    if (ok)
        report(l, "Tor is asked who we are");
    return ok;
}

static void talk(struct line *l, struct err *err)
{
    uint8_t mem[TOR_SEND_MAX];
    struct writer w = writer_of(mem, sizeof mem);
    const struct timeval limit = { .tv_sec = 5 };
    (void)setsockopt(l->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    tor_control_begin(&l->control, &w);
    l->has_news = true;
    if (!send_all(l, &w, err))
        return;
    while (turn(l, err))
        ;
}

// Shorter when somebody wants something else meanwhile. False: the thread is to end.
static bool pause_s(struct line *l, unsigned s)
{
    struct pollfd fd = { .fd = l->tor->wake_fd, .events = POLLIN };
    const int64_t end = wait_now_ms() + 1000 * (int64_t)s;
    l->has_news = false;
    for (int64_t left; !l->has_news && (left = end - wait_now_ms()) > 0;) {
        (void)poll(&fd, 1, (int)left);
        if (!take_wish(l))
            return false;
    }
    return true;
}

static void *work(void *argument)
{
    struct line l = { .tor = argument, .fd = -1 };
    unsigned pause = 1;
    do {
        struct err err = { .code = ERR_NONE };
        if (open_any(&l, &err)) {
            talk(&l, &err);
            pause = l.control.step == TOR_READY ? 1 : pause; // not if it refused the service
            (void)close(l.fd);
            l.fd = -1;
        }
        tor_control_wipe(&l.control);
        report(&l, err.text);
        if (!pause_s(&l, pause))
            break;
        pause = 2 * pause < TOR_PAUSE_S ? 2 * pause : TOR_PAUSE_S;
    } while (take_wish(&l));
    secret_free(l.wish.key);
    return NULL;
}

// --- The loop's side ---

static void wake(struct tor *tor)
{
    const uint64_t one = 1;
    if (write(tor->wake_fd, &one, sizeof one) < 0)
        return; // it is awake already
}

bool tor_new(struct tor **out, const struct tor_options *options, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(65536);
    struct listener place;
    if (strcmp(options->control, TOR_AUTO) != 0 &&
        !read_place(&place, options->control, arena, err))
        return false;
    struct tor *tor = calloc(1, sizeof *tor);
    REQUIRE(tor != NULL && pthread_mutex_init(&tor->lock, NULL) == 0);
    tor->options = *options;
    tor->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    REQUIRE(tor->wake_fd >= 0);
    REQUIRE(pthread_create(&tor->thread, NULL, work, tor) == 0);
    *out = tor;
    return true;
}

void tor_free(struct tor *tor)
{
    if (tor == NULL)
        return;
    REQUIRE(pthread_mutex_lock(&tor->lock) == 0);
    tor->stops = true;
    REQUIRE(pthread_mutex_unlock(&tor->lock) == 0);
    wake(tor);
    REQUIRE(pthread_join(tor->thread, NULL) == 0);
    secret_free(tor->wanted.key);
    (void)pthread_mutex_destroy(&tor->lock);
    (void)close(tor->wake_fd);
    free(tor);
}

void tor_want(struct tor *tor, const struct secret *key, const char *address,
              const char (*clients)[TOR_CLIENT_SIZE], size_t n_clients)
{
    REQUIRE(n_clients <= TOR_CLIENTS_MAX);
    REQUIRE(pthread_mutex_lock(&tor->lock) == 0);
    secret_free(tor->wanted.key);
    tor->wanted = (struct wish){ .n_clients = n_clients };
    if (key != NULL) {
        tor->wanted.key = secret_new(secret_open(key));
        secret_close(key);
        (void)snprintf(tor->wanted.address, sizeof tor->wanted.address, "%s", address);
    }
    for (size_t i = 0; i < n_clients; i++)
        memcpy(tor->wanted.clients[i], clients[i], TOR_CLIENT_SIZE);
    tor->is_new = true;
    REQUIRE(pthread_mutex_unlock(&tor->lock) == 0);
    wake(tor);
}

void tor_look(struct tor *tor, struct tor_report *out)
{
    REQUIRE(pthread_mutex_lock(&tor->lock) == 0);
    *out = tor->report;
    REQUIRE(pthread_mutex_unlock(&tor->lock) == 0);
}
