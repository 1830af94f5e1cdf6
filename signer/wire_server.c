#include "signer/wire_server.h"
#include "base/require.h"
#include "base/secret.h"
#include "signer/requests.h"
#include "signer/socket_file.h"
#include "wire/socket_name.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <stddef.h>
#include <sys/stat.h>

#define DATAGRAM_MAX 256 // longer ones are cut: they are `long` anyway
#define RETRY_MS     10  // "the reference gives each packet 100 tries, 10 ms apart"
#define GRACE_MS     1000
#define DRAIN_MAX    64 // datagrams taken in one go, so that panels and timers get their turn
#define TURN_MS      20 // a peer's, to read what it was sent
#define TICK_MS      1  // between looks at whether it has
#define TRIAL        2  // packets of a peer that may not read at all
#define WINDOW       16 // packets of one that does
#define SEND_BUFFER  (1 << 20) // bytes asked for; the system gives less
#define REPLY_ARENA  (2 * REPLY_LIMIT)
#define REPLY_LIMIT  (8u << 20)

struct datagram {
    struct sockaddr_un from;
    socklen_t from_len; // 0: none
    uint8_t b[DATAGRAM_MAX];
    size_t len;
};

struct wire_server {
    struct device *device;
    int fd;
    struct datagram held; // see `hold`
    bool is_held_longer;
    uint64_t held_timer;
    struct socket_file file;
    char folder[sizeof((struct sockaddr_un *)NULL)->sun_path]; // of the file
    uint64_t retry_timer;
    uint32_t half;   // of the buffer, in the kernel's bytes
    uint64_t turn;   // id of the peer whose turn it is, 0: nobody's
    uint32_t before; // what was unread when it began
    int64_t turn_end_ms;
    uint64_t last_turn; // id of whoever had the last one
};

static void datagram_wipe(struct datagram *in)
{
    wipe(in, sizeof *in);
}

// --- Sending ---

enum sent { SENT, SENT_LATER, SENT_GONE };

// Sends as many packets of the reply as the socket takes, WINDOW at most, in one call: a reader that was
// woken by the first finds the others there. *n of them were sent when it is SENT.
static enum sent send_packets(const struct wire_server *server, struct peer *peer, size_t max,
                              size_t *n)
{
    struct outbox *out = &peer->outbox;
    struct mmsghdr messages[WINDOW] = { 0 };
    struct iovec parts[WINDOW];
    const size_t left = (out->packets.len - out->sent) / PACKET_LEN;
    const unsigned count = (unsigned)(left < max ? left : max);
    for (size_t i = 0; i < count; i++) {
        parts[i] = (struct iovec){ out->packets.ptr + out->sent + i * PACKET_LEN, PACKET_LEN };
        messages[i].msg_hdr = (struct msghdr){ .msg_name = &peer->address,
                                               .msg_namelen = peer->address_len,
                                               .msg_iov = &parts[i],
                                               .msg_iovlen = 1 };
    }
    const int sent = sendmmsg(server->fd, messages, count, MSG_NOSIGNAL);
    *n = sent > 0 ? (size_t)sent : 0;
    if (sent >= 0)
        return SENT;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == EINTR)
        return SENT_LATER;
    return SENT_GONE;
}

// Every packet is charged to our one socket's buffer until its reader has taken it. A client that does
// not read could fill it, and nobody would get a reply. So replies fill half of it only. While that
// half is taken, peers get a few packets each in turn, and the next ones when they have read those; one
// that has not keeps them, and gets no more before something was read.
static uint32_t memory_of(const struct wire_server *server, size_t which)
{
    uint32_t memory[SK_MEMINFO_VARS] = { 0 };
    socklen_t len = sizeof memory;
    (void)getsockopt(server->fd, SOL_SOCKET, SO_MEMINFO, memory, &len);
    return memory[which];
}

static uint32_t unread(const struct wire_server *server)
{
    return memory_of(server, SK_MEMINFO_WMEM_ALLOC);
}

static bool is_crowded(const struct wire_server *server)
{
    return unread(server) >= server->half;
}

static int64_t now(const struct wire_server *server)
{
    return server->device->clock->monotonic_ms(server->device->clock);
}

static bool is_pending(const struct peer *peer)
{
    return peer != NULL && peer->outbox.packets.len > 0;
}

static void drop_reply(struct peer *peer)
{
    blob_drop(&peer->outbox.packets);
    peer->outbox.sent = 0;
}

static void give_up(const struct wire_server *server, struct peer *peer, bool gone)
{
    LOG(server->device->log, LOG_INFO, "reply_dropped", LOG_U64("peer", peer->id),
        LOG_BOOL("gone", gone));
    peer->is_gone |= gone;
    drop_reply(peer);
}

// Sends up to `max` packets of a reply, WINDOW at most. False: the socket takes no more now.
static bool send_some(struct wire_server *server, struct peer *peer, size_t max)
{
    struct outbox *out = &peer->outbox;
    for (size_t i = 0, n; i < max && out->sent < out->packets.len; i += n) {
        const enum sent result = send_packets(server, peer, max - i, &n);
        if (result == SENT_LATER)
            return false;
        if (result == SENT_GONE) {
            give_up(server, peer, true);
            return true;
        }
        out->sent += n * PACKET_LEN;
        out->give_up_at_ms = now(server) + GRACE_MS;
    }
    if (out->sent >= out->packets.len)
        drop_reply(peer);
    return true;
}

// While there is room for everybody.
static void flush(struct wire_server *server, struct peer *peer)
{
    while (is_pending(peer) && !is_crowded(server)) {
        peer->outbox.stuck_at = 0;
        if (!send_some(server, peer, WINDOW))
            return;
    }
}

// --- Turns ---

// Ends the turn if its peer has read, or has had its time. False: it goes on.
static bool end_turn(struct wire_server *server, uint32_t left)
{
    struct peer *peer = peers_find(&server->device->peers, server->turn);
    const bool has_read = left <= server->before;
    if (peer != NULL && !has_read && now(server) < server->turn_end_ms)
        return false;
    if (peer != NULL) {
        peer->outbox.reads = has_read;
        peer->outbox.stuck_at = has_read ? 0 : left;
    }
    server->turn = 0;
    return true;
}

static bool may_have_turn(const struct peer *peer, uint32_t left)
{
    return is_pending(peer) && (peer->outbox.stuck_at == 0 || left < peer->outbox.stuck_at);
}

// Whoever comes after the one that had the last turn, by id; NULL if nobody may.
static struct peer *next_in_turn(const struct wire_server *server, uint32_t left)
{
    struct peer *next = NULL, *first = NULL;
    for (size_t i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = server->device->peers.items[i];
        if (!may_have_turn(peer, left))
            continue;
        if (first == NULL || peer->id < first->id)
            first = peer;
        if (peer->id > server->last_turn && (next == NULL || peer->id < next->id))
            next = peer;
    }
    return next != NULL ? next : first;
}

static void take_turn(struct wire_server *server)
{
    const uint32_t left = unread(server);
    if (server->turn != 0 && !end_turn(server, left))
        return;
    struct peer *peer = next_in_turn(server, left);
    if (peer == NULL)
        return;
    server->turn = server->last_turn = peer->id;
    server->before = left;
    server->turn_end_ms = now(server) + TURN_MS;
    (void)send_some(server, peer, peer->outbox.reads ? WINDOW : TRIAL);
}

// --- What is left ---

static void send_left(void *context);

// is_moving: a queue took some packets and is full, as one does whose reader has just been woken.
static void go_on_later(struct wire_server *server, bool is_moving)
{
    const int64_t ms = server->turn != 0 || is_moving ? TICK_MS : RETRY_MS;
    if (server->retry_timer == 0)
        server->retry_timer = loop_after(server->device->loop, ms, send_left, server);
}

static void send_left(void *context)
{
    struct wire_server *server = context;
    bool more = false, is_moving = false;
    server->retry_timer = 0;
    for (size_t i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = server->device->peers.items[i];
        const size_t sent = is_pending(peer) ? peer->outbox.sent : 0;
        if (is_pending(peer))
            flush(server, peer);
        is_moving |= is_pending(peer) && peer->outbox.sent > sent;
        // "drop the whole reply"
        if (is_pending(peer) && now(server) >= peer->outbox.give_up_at_ms)
            give_up(server, peer, false);
        more |= is_pending(peer);
    }
    if (more && is_crowded(server))
        take_turn(server);
    if (more)
        go_on_later(server, is_moving);
}

// A reply that the peer has not fetched yet is overtaken by the next one: a client that asks again
// has given it up.
static void send_reply(struct wire_server *server, struct peer *peer, struct bytes packets)
{
    blob_set(&peer->outbox.packets, packets);
    peer->outbox.sent = 0;
    peer->outbox.give_up_at_ms = now(server) + GRACE_MS;
    flush(server, peer);
    if (!is_pending(peer))
        return;
    if (is_crowded(server))
        take_turn(server);
    go_on_later(server, is_pending(peer) && peer->outbox.sent > 0);
}

// --- Receiving ---

static void take(struct wire_server *server, const struct datagram *in)
{
    struct peer *peer = peers_get(&server->device->peers, &in->from, in->from_len);
    AUTO(arena_freep) struct arena *arena = arena_new(REPLY_ARENA);
    struct writer packets = writer_growing(arena, REPLY_LIMIT);
    requests_feed(server->device, peer, bytes_of(in->b, in->len), &packets);
    if (packets.len > 0)
        send_reply(server, peer, writer_bytes(&packets));
}

// Whether the peer waits for work that has not been begun: that goes before more packets.
static bool waits_for_turn(struct wire_server *server, const struct datagram *in)
{
    struct device *device = server->device;
    if (!device->job_queued)
        return false;
    return !job_is_over(device_job(device, peers_get(&device->peers, &in->from, in->from_len)));
}

static void take_held(void *context)
{
    struct wire_server *server = context;
    AUTO(datagram_wipe) struct datagram in = server->held;
    server->held_timer = 0;
    // Of two timers that are due, either may come first.
    if (server->device->job_queued && !server->is_held_longer) {
        server->is_held_longer = true;
        server->held_timer = loop_after(server->device->loop, 0, take_held, server);
        return;
    }
    datagram_wipe(&server->held);
    take(server, &in); // which may close the server
}

// Whoever asks after what waits for its turn has nothing else to say, and is answered after it had its
// turn: mostly with the result, where "not yet" would send him to sleep.
static void hold(struct wire_server *server, const struct datagram *in)
{
    server->held = *in;
    server->is_held_longer = false;
    server->held_timer = loop_after(server->device->loop, 0, take_held, server);
}

// "A datagram without a source address MUST be dropped without reply."
static bool is_named(const struct sockaddr_un *from, socklen_t len)
{
    return len > offsetof(struct sockaddr_un, sun_path) && from->sun_family == AF_UNIX;
}

static bool receive(struct wire_server *server, struct datagram *in)
{
    in->from_len = sizeof in->from;
    const ssize_t n =
        recvfrom(server->fd, in->b, sizeof in->b, 0, (struct sockaddr *)&in->from, &in->from_len);
    in->len = n > 0 ? (size_t)n : 0;
    // A name that fills sun_path has no room for its final zero, which the kernel counts.
    if (in->from_len > sizeof in->from)
        in->from_len = sizeof in->from;
    return n >= 0;
}

static void readable(void *context, int fd, short revents)
{
    struct wire_server *server = context;
    struct device *device = server->device;
    AUTO(datagram_wipe) struct datagram in = { 0 };
    (void)fd;
    (void)revents;
    for (int i = 0; i < DRAIN_MAX && server->held_timer == 0 && receive(server, &in); i++) {
        if (!is_named(&in.from, in.from_len))
            continue;
        if (waits_for_turn(server, &in)) {
            hold(server, &in);
            return;
        }
        take(server, &in);
        // A request can end in a lock, which closes this server.
        if (device->state != DEVICE_NORMAL && device->state != DEVICE_HSM)
            return;
    }
}

static bool bind_socket(struct wire_server *server, const struct wire_server_options *options,
                        struct err *err)
{
    const gid_t group = options->has_group ? options->group : (gid_t)-1;
    server->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (server->fd < 0)
        return err_set_errno(err, errno, "%s", options->path);
    const int size = SEND_BUFFER;
    (void)setsockopt(server->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    server->half = memory_of(server, SK_MEMINFO_SNDBUF) / 2;
    if (!socket_file_bind(&server->file, server->fd, SOCK_DGRAM, options->path, group, err))
        return false;
    const char *slash = strrchr(options->path, '/');
    if (slash != NULL)
        memcpy(server->folder, options->path, (size_t)(slash - options->path));
    server->device->peers.folder = server->folder;
    return true;
}

bool wire_server_open(struct wire_server **out, const struct wire_server_options *options,
                      struct err *err)
{
    struct wire_server *server = calloc(1, sizeof *server);
    REQUIRE(server != NULL);
    server->device = options->device;
    server->fd = -1;
    bool ok = bind_socket(server, options, err);
    if (ok && !loop_watch(options->device->loop, server->fd, POLLIN, readable, server))
        ok = err_set(err, ERR_LIMIT, "too many descriptors");
    if (!ok) {
        wire_server_close(server);
        return false;
    }
    if (!socket_name_suits_clients(bytes_of_text(options->path)))
        LOG(options->device->log, LOG_WARNING, "socket_name", LOG_TEXT("path", options->path),
            LOG_TEXT("note", "clients written for a Coldcard cannot derive their own name of it"));
    *out = server;
    return true;
}

void wire_server_close(struct wire_server *server)
{
    if (server == NULL)
        return;
    loop_cancel(server->device->loop, server->retry_timer);
    loop_cancel(server->device->loop, server->held_timer);
    datagram_wipe(&server->held);
    if (server->device->peers.folder == server->folder)
        server->device->peers.folder = NULL;
    if (server->fd >= 0) {
        loop_unwatch(server->device->loop, server->fd);
        close(server->fd);
    }
    socket_file_remove(&server->file);
    free(server);
}
