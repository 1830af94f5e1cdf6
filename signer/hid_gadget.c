#include "signer/hid_gadget.h"
#include "base/require.h"
#include "base/secret.h"
#include "signer/requests.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/stat.h>

#define GRACE_MS    1000 // per packet, as on the socket
#define AGAIN_MS    1000 // after the bus has failed
#define DRAIN_MAX   64   // reports taken in one go, so that sockets and timers get their turn
#define REPLY_LIMIT (8u << 20)
#define REPLY_ARENA (2 * REPLY_LIMIT)

struct hid_gadget {
    struct device *device; // borrowed
    int fd;
    bool serving;
    struct outbox outbox;
    uint64_t grace_timer, again_timer;
};

// "On USB there is one peer". An abstract name: no socket can be bound to it that we would answer.
static struct peer *peer_of(const struct hid_gadget *g)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "\0usb" };
    return peers_get(&g->device->peers, &address, offsetof(struct sockaddr_un, sun_path) + 4);
}

static loop_fd_fn ready;

static void watch(struct hid_gadget *g)
{
    const short events = g->outbox.packets.len > 0 ? POLLIN | POLLOUT : POLLIN;
    // It was watched when it was opened, and so has its place.
    REQUIRE(loop_watch(g->device->loop, g->fd, events, ready, g));
}

// --- Sending ---

static void drop_reply(struct hid_gadget *g)
{
    loop_cancel(g->device->loop, g->grace_timer);
    g->grace_timer = 0;
    blob_drop(&g->outbox.packets);
    g->outbox.sent = 0;
}

static void check_grace(void *context)
{
    struct hid_gadget *g = context;
    const int64_t now_ms = g->device->clock->monotonic_ms(g->device->clock);
    g->grace_timer = 0;
    if (now_ms < g->outbox.give_up_at_ms) {
        g->grace_timer =
            loop_after(g->device->loop, g->outbox.give_up_at_ms - now_ms, check_grace, g);
        return;
    }
    LOG_NOTE(g->device->log, LOG_INFO, "usb_reply_dropped");
    drop_reply(g);
    watch(g);
}

static void flush(struct hid_gadget *g)
{
    struct outbox *out = &g->outbox;
    const int64_t now_ms = g->device->clock->monotonic_ms(g->device->clock);
    while (out->sent < out->packets.len) {
        const struct bytes packet = bytes_slice(blob_bytes(&out->packets), out->sent, PACKET_LEN);
        if (write(g->fd, packet.ptr, packet.len) != (ssize_t)packet.len)
            break; // the one before is still on its way, or nobody is there: both end by grace
        out->sent += packet.len;
        out->give_up_at_ms = now_ms + GRACE_MS;
    }
    if (out->sent >= out->packets.len)
        drop_reply(g);
    else if (g->grace_timer == 0)
        g->grace_timer = loop_after(g->device->loop, GRACE_MS, check_grace, g);
    watch(g);
}

// A reply that was not fetched is overtaken by the next one, as on the socket.
static void send_reply(struct hid_gadget *g, struct bytes packets)
{
    drop_reply(g);
    blob_set(&g->outbox.packets, packets);
    g->outbox.give_up_at_ms = g->device->clock->monotonic_ms(g->device->clock) + GRACE_MS;
    flush(g);
}

// --- Receiving ---

static void take(struct hid_gadget *g, struct bytes report)
{
    AUTO(arena_freep) struct arena *arena = arena_new(REPLY_ARENA);
    struct writer packets = writer_growing(arena, REPLY_LIMIT);
    requests_feed(g->device, peer_of(g), report, &packets);
    if (packets.len > 0)
        send_reply(g, writer_bytes(&packets));
}

static void watch_again(void *context)
{
    struct hid_gadget *g = context;
    g->again_timer = 0;
    watch(g);
}

// No host, or the gadget was taken down: not to be asked again at once.
static void bus_failed(struct hid_gadget *g)
{
    drop_reply(g);
    loop_unwatch(g->device->loop, g->fd);
    if (g->again_timer == 0)
        g->again_timer = loop_after(g->device->loop, AGAIN_MS, watch_again, g);
}

static void receive(struct hid_gadget *g)
{
    for (int i = 0; i < DRAIN_MAX; i++) {
        // A host may send fewer bytes (2.5); by the descriptor it cannot send more.
        uint8_t report[PACKET_LEN];
        const ssize_t n = read(g->fd, report, sizeof report);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            bus_failed(g);
            return;
        }
        if (g->serving)
            take(g, bytes_of(report, (size_t)n));
        wipe(report, sizeof report);
    }
}

static void ready(void *context, int fd, short revents)
{
    struct hid_gadget *g = context;
    (void)fd;
    if ((revents & POLLOUT) != 0 && g->outbox.packets.len > 0)
        flush(g);
    if ((revents & ~POLLOUT) != 0)
        receive(g);
}

// --- Open, start, stop, close ---

bool hid_gadget_of_fd(struct hid_gadget **out, int fd, struct device *device, struct err *err)
{
    struct hid_gadget *g = calloc(1, sizeof *g);
    REQUIRE(g != NULL);
    *g = (struct hid_gadget){ .device = device, .fd = fd };
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || !loop_watch(device->loop, fd, POLLIN, ready, g)) {
        hid_gadget_close(g);
        return err_set(err, ERR_LIMIT, "the USB gadget cannot be watched");
    }
    *out = g;
    return true;
}

bool hid_gadget_open(struct hid_gadget **out, const char *path, struct device *device,
                     struct err *err)
{
    struct stat st;
    const int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return err_set_errno(err, errno, "%s", path);
    if (fstat(fd, &st) == 0 && S_ISCHR(st.st_mode))
        return hid_gadget_of_fd(out, fd, device, err);
    close(fd);
    return err_set(err, ERR_INVALID, "%s: not a device", path);
}

void hid_gadget_start(struct hid_gadget *g)
{
    if (g == NULL)
        return;
    receive(g); // what was sent to a locked signer is not answered later
    g->serving = true;
}

void hid_gadget_stop(struct hid_gadget *g)
{
    if (g == NULL)
        return;
    g->serving = false;
    drop_reply(g);
    if (g->again_timer == 0)
        watch(g);
}

void hid_gadget_close(struct hid_gadget *g)
{
    if (g == NULL)
        return;
    drop_reply(g);
    loop_cancel(g->device->loop, g->again_timer);
    loop_unwatch(g->device->loop, g->fd);
    close(g->fd);
    free(g);
}
