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
#define SHORT_REPLY  40 // packets: every reply but a long status report
#define SEND_BUFFER  (1 << 20) // bytes asked for; the system gives less
#define REPLY_ARENA  (2 * REPLY_LIMIT)
#define REPLY_LIMIT  (8u << 20)

struct wire_server {
    struct device *device;
    int fd;
    struct socket_file file;
    uint64_t retry_timer;
};

// --- Sending ---

enum sent { SENT, SENT_LATER, SENT_GONE };

static enum sent send_packet(const struct wire_server *server, const struct peer *peer,
                             struct bytes packet)
{
    const ssize_t n = sendto(server->fd, packet.ptr, packet.len, MSG_NOSIGNAL,
                             (const struct sockaddr *)&peer->address, peer->address_len);
    if (n >= 0)
        return SENT;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == EINTR)
        return SENT_LATER;
    return SENT_GONE;
}

// Every packet is charged to our one socket's buffer until its reader has taken it. So that a client
// that is stopped cannot fill it, a long reply goes on only while less than half of it is taken; the
// rest is for short replies to the others.
static bool has_room(const struct wire_server *server, const struct outbox *out)
{
    uint32_t memory[SK_MEMINFO_VARS] = { 0 };
    socklen_t len = sizeof memory;
    if (out->sent < SHORT_REPLY * PACKET_LEN ||
        getsockopt(server->fd, SOL_SOCKET, SO_MEMINFO, memory, &len) != 0)
        return true;
    return memory[SK_MEMINFO_WMEM_ALLOC] < memory[SK_MEMINFO_SNDBUF] / 2;
}

// True while something is left to be sent later.
static bool flush(struct wire_server *server, struct peer *peer)
{
    struct device *device = server->device;
    struct outbox *out = &peer->outbox;
    const int64_t now_ms = device->clock->monotonic_ms(device->clock);
    while (out->sent < out->packets.len) {
        const struct bytes packet = bytes_slice(blob_bytes(&out->packets), out->sent, PACKET_LEN);
        const enum sent result =
            has_room(server, out) ? send_packet(server, peer, packet) : SENT_LATER;
        if (result == SENT) {
            out->sent += PACKET_LEN;
            out->give_up_at_ms = now_ms + GRACE_MS;
        } else if (result == SENT_LATER && now_ms < out->give_up_at_ms) {
            return true;
        } else {
            // "drop the whole reply"
            LOG(device->log, LOG_INFO, "reply_dropped", LOG_U64("peer", peer->id),
                LOG_BOOL("gone", result == SENT_GONE));
            break;
        }
    }
    blob_drop(&out->packets);
    out->sent = 0;
    return false;
}

static void flush_all(void *context)
{
    struct wire_server *server = context;
    bool more = false;
    server->retry_timer = 0;
    for (size_t i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = server->device->peers.items[i];
        if (peer != NULL && peer->outbox.packets.len > 0 && flush(server, peer))
            more = true;
    }
    if (more)
        server->retry_timer = loop_after(server->device->loop, RETRY_MS, flush_all, server);
}

// A reply that the peer has not fetched yet is overtaken by the next one: a client that asks again
// has given it up.
static void send_reply(struct wire_server *server, struct peer *peer, struct bytes packets)
{
    struct device *device = server->device;
    blob_set(&peer->outbox.packets, packets);
    peer->outbox.sent = 0;
    peer->outbox.give_up_at_ms = device->clock->monotonic_ms(device->clock) + GRACE_MS;
    if (flush(server, peer) && server->retry_timer == 0)
        server->retry_timer = loop_after(device->loop, RETRY_MS, flush_all, server);
}

// --- Receiving ---

static void take(struct wire_server *server, const struct sockaddr_un *from, socklen_t from_len,
                 struct bytes packet)
{
    struct peer *peer = peers_get(&server->device->peers, from, from_len);
    AUTO(arena_freep) struct arena *arena = arena_new(REPLY_ARENA);
    struct writer packets = writer_growing(arena, REPLY_LIMIT);
    requests_feed(server->device, peer, packet, &packets);
    if (packets.len > 0)
        send_reply(server, peer, writer_bytes(&packets));
}

// "A datagram without a source address MUST be dropped without reply."
static bool is_named(const struct sockaddr_un *from, socklen_t len)
{
    return len > offsetof(struct sockaddr_un, sun_path) && from->sun_family == AF_UNIX;
}

static void readable(void *context, int fd, short revents)
{
    struct wire_server *server = context;
    struct device *device = server->device;
    (void)revents;
    for (int i = 0; i < DRAIN_MAX; i++) {
        uint8_t packet[DATAGRAM_MAX];
        struct sockaddr_un from = { 0 };
        socklen_t from_len = sizeof from;
        const ssize_t n =
            recvfrom(fd, packet, sizeof packet, 0, (struct sockaddr *)&from, &from_len);
        if (n < 0)
            return;
        // A name that fills sun_path has no room for its final zero, which the kernel counts.
        from_len = from_len < sizeof from ? from_len : sizeof from;
        if (is_named(&from, from_len))
            take(server, &from, from_len, bytes_of(packet, (size_t)n));
        wipe(packet, sizeof packet);
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
    return socket_file_bind(&server->file, server->fd, SOCK_DGRAM, options->path, group, err);
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
    if (server->fd >= 0) {
        loop_unwatch(server->device->loop, server->fd);
        close(server->fd);
    }
    socket_file_remove(&server->file);
    free(server);
}
