#include "client/signer_link.h"
#include "base/file.h"
#include "base/require.h"
#include "base/secret.h"
#include "client/tcp.h"
#include "client/websocket.h"
#include "crypto/certificate_make.h"
#include "crypto/tls_client.h"
#include "wire/frame.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#define FILES_ARENA  ((size_t)4 * CERTIFICATE_PEM_MAX)
#define RECEIVE_SIZE 16384
#define CLOSE_NORMAL 1000

struct signer_link {
    struct link_address address;
    int fd, cancel_fd;
    struct tls_client *tls;
    struct websocket ws;
    struct link_state state;
    char serial[SERIAL_TEXT_SIZE],
        xfp[9];   // of the first device seen: the one that this link is about
    bool is_open; // the upgrade is through
    bool awaits;  // a reply is owed to us
    bool lost;
};

const struct link_state *signer_link_state(const struct signer_link *link)
{
    return &link->state;
}

// --- Errors ---

static bool within(const struct signer_link *l, struct err *err)
{
    return err->code == ERR_INTERRUPTED ? false : err_within(err, "%s", l->address.where);
}

static bool lost(struct signer_link *l, struct err *err)
{
    l->lost = true;
    if (!l->is_open)
        return err_set(err, ERR_NOT_FOUND,
                       "%s: closed the connection instead of opening a signer link",
                       l->address.where);
    return err_set(err, ERR_NOT_FOUND, "%s: the link was lost", l->address.where);
}

// --- Bytes ---

static bool io_failed(struct signer_link *l, int errnum, struct err *err)
{
    if (tcp_is_gone(errnum))
        return lost(l, err);
    l->lost = true;
    return err_set_errno(err, errnum, "%s", l->address.where);
}

static bool flush(struct signer_link *l, int64_t end_ms, struct err *err)
{
    for (struct bytes out; (out = tls_client_pending(l->tls)).len > 0;) {
        const ssize_t n = send(l->fd, out.ptr, out.len, MSG_NOSIGNAL);
        if (n > 0)
            tls_client_sent(l->tls, (size_t)n);
        else if (n < 0 && errno != EAGAIN && errno != EINTR)
            return io_failed(l, errno, err);
        else if (n < 0 && errno == EAGAIN &&
                 !wait_fd(l->fd, POLLOUT, l->cancel_fd, tcp_left_ms(end_ms), err))
            return within(l, err);
    }
    return true;
}

// Takes what is there, waiting for it if need be.
static bool receive(struct signer_link *l, int64_t end_ms, struct err *err)
{
    uint8_t mem[RECEIVE_SIZE];
    for (;;) {
        const ssize_t n = recv(l->fd, mem, sizeof mem, 0);
        if (n > 0) {
            tls_client_feed(l->tls, bytes_of(mem, (size_t)n));
            return true;
        }
        if (n == 0)
            return lost(l, err);
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return io_failed(l, errno, err);
        if (!wait_fd(l->fd, POLLIN, l->cancel_fd, tcp_left_ms(end_ms), err))
            return within(l, err);
    }
}

// At least one byte in the clear.
static bool read_some(struct signer_link *l, void *mem, size_t cap, size_t *n, int64_t end_ms,
                      struct err *err)
{
    bool closed;
    for (;;) {
        if (!tls_client_read(l->tls, mem, cap, n, &closed, err)) {
            l->lost = true;
            return within(l, err);
        }
        if (*n > 0)
            return true;
        if (closed)
            return lost(l, err);
        if (!flush(l, end_ms, err) || !receive(l, end_ms, err))
            return false;
    }
}

// --- TLS, and the upgrade ---

static bool load(struct bytes *out, const char *path, const char *what, struct arena *arena,
                 struct err *err)
{
    *out = (struct bytes){ 0 };
    if (path == NULL)
        return true;
    return file_read(out, path, CERTIFICATE_PEM_MAX, arena, err) || err_within(err, "%s", what);
}

static bool make_tls(struct signer_link *l, const struct link_choice *choice, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(FILES_ARENA);
    struct tls_client_options o = { .host = l->address.host, .has_pin = choice->pin != NULL };
    if (choice->cert_file == NULL || choice->key_file == NULL)
        return err_set(err, ERR_USAGE, "a signer link needs a client certificate and its key");
    if (choice->ca_file == NULL && choice->pin == NULL)
        return err_set(err, ERR_USAGE,
                       "a signer link needs the authority of the bunker's certificate, or its pin");
    return (!o.has_pin || link_pin_read(&o.pin, choice->pin, err)) &&
           load(&o.certificate, choice->cert_file, "client certificate", arena, err) &&
           load(&o.key, choice->key_file, "client key", arena, err) &&
           load(&o.authority, choice->ca_file, "authority", arena, err) &&
           tls_client_new(&l->tls, &o, err);
}

static bool shake_hands(struct signer_link *l, int64_t end_ms, struct err *err)
{
    for (bool done = false; !done;) {
        if (!tls_client_handshake(l->tls, &done, err)) {
            struct err unimportant;
            (void)flush(l, end_ms, &unimportant); // the alert, so that they know why
            return within(l, err);
        }
        if (!flush(l, end_ms, err) || (!done && !receive(l, end_ms, err)))
            return false;
    }
    return true;
}

static bool refused(const struct signer_link *l, struct err *err)
{
    switch (err->code) {
    case ERR_AUTH:
        return err_set(err, ERR_AUTH, "%s: the name in our certificate is not among its link_names",
                       l->address.where);
    case ERR_NOT_FOUND:
        return err_set(err, ERR_NOT_FOUND, "%s: there is no signer link at %s", l->address.where,
                       l->address.path);
    default:
        return within(l, err);
    }
}

static bool upgrade(struct signer_link *l, int64_t end_ms, struct err *err)
{
    uint8_t head[WEBSOCKET_HEAD_MAX];
    char key[WEBSOCKET_KEY_SIZE];
    struct writer w = writer_of(head, sizeof head);
    websocket_key(key);
    websocket_write_upgrade(&w, l->address.where, l->address.path, LINK_PROTOCOL, key);
    REQUIRE(!w.failed);
    tls_client_write(l->tls, writer_bytes(&w));
    size_t len = 0, head_len = 0;
    while (head_len == 0) {
        size_t n;
        if (len == sizeof head)
            return err_set(err, ERR_FRAMING, "%s: not an answer of HTTP/1.1", l->address.where);
        if (!flush(l, end_ms, err) || !read_some(l, head + len, sizeof head - len, &n, end_ms, err))
            return false;
        len += n;
        head_len = websocket_head_len(bytes_of(head, len));
    }
    if (!websocket_check_answer(bytes_of(head, head_len), LINK_PROTOCOL, key, err))
        return refused(l, err);
    websocket_feed(&l->ws, bytes_of(head + head_len, len - head_len));
    l->is_open = true;
    return true;
}

// --- Frames ---

static bool send_frame(struct signer_link *l, enum websocket_event kind, struct bytes content,
                       int64_t end_ms, struct err *err)
{
    uint8_t mem[REQUEST_MAX + WEBSOCKET_FRAME_ROOM];
    struct writer w = writer_of(mem, sizeof mem);
    websocket_write(&w, kind, content);
    REQUIRE(!w.failed);
    tls_client_write(l->tls, writer_bytes(&w));
    wipe(mem, sizeof mem);
    return flush(l, end_ms, err);
}

// A device that was there at the beginning may go and come back; another one is not what was pinned.
static bool take_state(struct signer_link *l, struct bytes text, struct err *err)
{
    struct link_state now;
    if (!link_state_read(&now, text, err)) {
        l->lost = true;
        return within(l, err);
    }
    l->state = now;
    if (now.serial[0] == '\0')
        return true;
    if (l->serial[0] == '\0') {
        memcpy(l->serial, now.serial, sizeof l->serial);
        memcpy(l->xfp, now.xfp, sizeof l->xfp);
    }
    if (strcmp(l->serial, now.serial) == 0 && strcmp(l->xfp, now.xfp) == 0)
        return true;
    l->lost = true;
    return err_set(err, ERR_NOT_FOUND, "%s: another device is behind it now", l->address.where);
}

static bool closed_by_peer(struct signer_link *l, struct bytes content, struct err *err)
{
    l->lost = true;
    if (content.len < 2)
        return lost(l, err);
    return err_set(err, ERR_NOT_FOUND, "%s: the link was closed (%u)", l->address.where,
                   (unsigned)content.ptr[0] << 8 | content.ptr[1]);
}

// What happens to one event. *reply: it was a reply, in *content.
static bool take_event(struct signer_link *l, enum websocket_event event, struct bytes content,
                       bool *reply, int64_t end_ms, struct err *err)
{
    *reply = false;
    switch (event) {
    case WEBSOCKET_TEXT:
        return take_state(l, content, err);
    case WEBSOCKET_BINARY:
        *reply = l->awaits;
        l->awaits = false;
        l->lost = l->lost || !*reply;
        return *reply || err_set(err, ERR_FRAMING, "%s: a reply to nothing", l->address.where);
    case WEBSOCKET_PING:
        return send_frame(l, WEBSOCKET_PONG, content, end_ms, err);
    case WEBSOCKET_CLOSE:
        return closed_by_peer(l, content, err);
    case WEBSOCKET_BAD:
        l->lost = true;
        return within(l, err);
    default:
        return true;
    }
}

// Takes all that comes until there is a reply, or (`until_state`) the first state. False with
// ERR_TIMEOUT at the end of the time.
static bool serve(struct signer_link *l, struct bytes *reply, bool until_state, int64_t end_ms,
                  struct err *err)
{
    uint8_t mem[RECEIVE_SIZE];
    for (;;) {
        bool is_reply;
        const enum websocket_event event = websocket_next(&l->ws, reply, err);
        if (event == WEBSOCKET_MORE) {
            size_t n;
            if (!read_some(l, mem, sizeof mem, &n, end_ms, err))
                return false;
            websocket_feed(&l->ws, bytes_of(mem, n));
            wipe(mem, n);
            continue;
        }
        if (!take_event(l, event, *reply, &is_reply, end_ms, err))
            return false;
        if (is_reply || (until_state && event == WEBSOCKET_TEXT))
            return true;
    }
}

// --- All of it ---

static bool open_link(struct signer_link *l, int connect_ms, struct err *err)
{
    const int64_t end_ms = wait_now_ms() + connect_ms;
    struct bytes nothing;
    if (!tcp_connect(&l->fd, l->address.host, l->address.port, l->cancel_fd, end_ms, err))
        (void)within(l, err);
    else if (shake_hands(l, end_ms, err) && upgrade(l, end_ms, err) &&
             serve(l, &nothing, true, end_ms, err))
        return true;
    return err->code == ERR_TIMEOUT ? err_set(err, ERR_TIMEOUT, "%s: no answer within %d s",
                                              l->address.where, connect_ms / 1000)
                                    : false;
}

bool signer_link_open(struct signer_link **out, const struct link_choice *choice, int cancel_fd,
                      struct err *err)
{
    AUTO(signer_link_freep) struct signer_link *l = calloc(1, sizeof *l);
    REQUIRE(l != NULL);
    l->fd = -1;
    l->cancel_fd = cancel_fd;
    l->ws.limit = REPLY_MAX;
    if (!link_address_read(&l->address, choice->url, err) || !make_tls(l, choice, err) ||
        !open_link(l, choice->connect_ms > 0 ? choice->connect_ms : LINK_CONNECT_MS, err))
        return false;
    *out = l;
    l = NULL; // the caller's now
    return true;
}

// Says goodbye without waiting for anything.
static void say_goodbye(struct signer_link *l)
{
    static const uint8_t normal[] = { CLOSE_NORMAL >> 8, CLOSE_NORMAL & 0xff };
    struct err unimportant;
    l->cancel_fd = WAIT_NO_CANCEL;
    (void)send_frame(l, WEBSOCKET_CLOSE, BYTES_OF(normal), wait_now_ms(), &unimportant);
}

void signer_link_free(struct signer_link *l)
{
    if (l == NULL)
        return;
    if (l->is_open && !l->lost)
        say_goodbye(l);
    if (l->fd >= 0)
        close(l->fd);
    tls_client_free(l->tls);
    websocket_wipe(&l->ws);
    free(l);
}

void signer_link_freep(struct signer_link **link)
{
    signer_link_free(*link);
    *link = NULL;
}

// What came while nobody looked: states, pings, the end. True if the link can be used.
static bool catch_up(struct signer_link *l, struct err *err)
{
    struct bytes content;
    return serve(l, &content, false, wait_now_ms(), err) || err->code == ERR_TIMEOUT;
}

bool signer_link_exchange(struct signer_link *l, struct bytes message, struct bytes *reply,
                          int timeout_ms, struct err *err)
{
    const int64_t end_ms = wait_now_ms() + timeout_ms;
    REQUIRE(message.len <= REQUEST_MAX);
    if (l->lost)
        return lost(l, err);
    if (!catch_up(l, err))
        return false;
    if (!wait_pause(0, l->cancel_fd, err)) // told to stop: nothing more is begun
        return false;
    l->awaits = true;
    if (send_frame(l, WEBSOCKET_BINARY, message, end_ms, err) &&
        serve(l, reply, false, end_ms, err))
        return true;
    l->lost = true; // a late reply must not be taken for the next one's
    return false;
}

bool signer_link_pause(struct signer_link *l, int ms, struct err *err)
{
    struct bytes content;
    if (l->lost)
        return wait_pause(ms, l->cancel_fd, err);
    return serve(l, &content, false, wait_now_ms() + ms, err) || err->code == ERR_TIMEOUT;
}
