// The wire socket itself: wire-protocol.md 1.2, checklist items 1 to 8.
#include "signer/wire_server.h"
#include "base/reader.h"
#include "signer/requests.h"
#include "tests/support/device_checks.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERVER "signer-t.sock"

// A device with a wire server of its own, on the loop of the rig.
struct wired {
    struct device_rig *rig;
    struct wire_server *server;
    char path[128];
};

static void unwire(struct wired *w)
{
    wire_server_close(w->server);
    device_rig_free(w->rig);
}

static void wire(struct wired *w)
{
    struct err err;
    w->rig = device_rig_new(test_dir());
    snprintf(w->path, sizeof w->path, "%s/" SERVER, test_dir());
    const struct wire_server_options options = { .device = &w->rig->device, .path = w->path };
    if (!wire_server_open(&w->server, &options, &err))
        fail_msg("%s", err.text);
}
#define WITH_WIRE(w)                                                                               \
    AUTO(unwire) struct wired w = { 0 };                                                           \
    wire(&w)

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    assert_true(strlen(path) <= sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path));
    return address;
}

// A client that is bound to a path of its own ("" for none) and connected.
static int client(const struct wired *w, const char *name)
{
    char path[128];
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    const struct sockaddr_un server = address_of(w->path);
    assert_int_equal(connect(fd, (const struct sockaddr *)&server, sizeof server), 0);
    if (name[0] == 0)
        return fd;
    snprintf(path, sizeof path, "%s/%s", test_dir(), name);
    const struct sockaddr_un own = address_of(path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&own, sizeof own), 0);
    return fd;
}

static void run(struct wired *w)
{
    struct err err;
    for (int i = 0; i < 8; i++)
        assert_true(loop_step(w->rig->loop, 0, &err));
}

static void send_bytes(int fd, struct bytes datagram)
{
    assert_int_equal(send(fd, datagram.ptr, datagram.len, 0), datagram.len);
}

// The server's queue has room for few datagrams (net.unix.max_dgram_qlen): it must be drained.
static void send_request(struct wired *w, int fd, struct bytes message)
{
    struct writer packets = writer_growing(test_arena(), 1u << 16);
    frame_cut(&packets, message, false);
    for (size_t at = 0; at < packets.len; at += PACKET_LEN) {
        if (at / PACKET_LEN % 8 == 7)
            run(w);
        send_bytes(fd, bytes_slice(writer_bytes(&packets), at, PACKET_LEN));
    }
}

// One reply, put together; no bytes if there is none.
static struct bytes receive(struct wired *w, int fd)
{
    struct writer message = writer_growing(test_arena(), 4u << 20);
    for (int idle = 0; idle < 200;) {
        uint8_t packet[100];
        const ssize_t n = recv(fd, packet, sizeof packet, 0);
        if (n < 0) {
            assert_true(errno == EAGAIN);
            rig_pass(w->rig, 10);
            idle++;
            continue;
        }
        assert_int_equal(n, PACKET_LEN); // exactly
        writer_put(&message, bytes_of(packet + 1, packet[0] & FRAME_COUNT));
        if ((packet[0] & FRAME_LAST) != 0)
            return writer_bytes(&message);
    }
    return (struct bytes){ 0 };
}

static struct bytes ask(struct wired *w, int fd, const char *message)
{
    send_request(w, fd, bytes_of_text(message));
    run(w);
    return receive(w, fd);
}

// --- Datagrams ---

TEST(wire_15_2_3_requests_and_replies)
{
    WITH_WIRE(w);
    const int a = client(&w, "a.sock"), b = client(&w, "b.sock");
    send_request(&w, a, BYTES("blkc"));
    send_request(&w, b, BYTES("pingfor b"));
    send_request(&w, a, BYTES("ping"));
    run(&w);
    assert_bytes_text(receive(&w, b), "binyfor b");
    assert_bytes_text(receive(&w, a), "asciXTN");
    assert_bytes_text(receive(&w, a), "biny");
    // Padding is zeros.
    uint8_t packet[PACKET_LEN], zeros[PACKET_LEN] = { 0 };
    send_request(&w, a, BYTES("blkc"));
    run(&w);
    assert_int_equal(recv(a, packet, sizeof packet, 0), PACKET_LEN);
    assert_memory_equal(packet + 8, zeros, PACKET_LEN - 8);
    close(a);
    close(b);
}

static void send_packed(struct wired *w, int fd, const struct request *request)
{
    struct writer message = writer_growing(test_arena(), REQUEST_MAX);
    request_pack(&message, request);
    send_request(w, fd, writer_bytes(&message));
}

// Who asks at once is answered when the work is done: "not yet" would send him to sleep.
TEST(wire_7_an_early_poll_waits_for_what_takes_no_time)
{
    WITH_WIRE(w);
    const int a = client(&w, "a.sock");
    rig_activate(rig_host_linked(w.rig), "{\"rules\":[{}]}");
    const struct bytes psbt = rig_payment(w.rig, 1000);
    const uint32_t total = (uint32_t)psbt.len;
    send_packed(&w, a,
                &(struct request){ .id = REQUEST_UPLD, .upld = { .total = total, .data = psbt } });
    run(&w);
    assert_bytes_equal(bytes_slice(receive(&w, a), 0, 4), BYTES("int1"));
    send_packed(
        &w, a,
        &(struct request){ .id = REQUEST_STXN, .stxn = { .length = total, .sha = sha256(psbt) } });
    send_request(&w, a, BYTES("stok"));
    send_request(&w, a, BYTES("blkc")); // what comes behind it stays behind it
    run(&w);
    assert_bytes_text(receive(&w, a), "okay");
    assert_bytes_equal(bytes_slice(receive(&w, a), 0, 4), BYTES("strx"));
    assert_bytes_text(receive(&w, a), "asciXTN");
    close(a);
}

TEST(wire_15_4_datagrams_without_a_source_are_dropped)
{
    WITH_WIRE(w);
    const int unnamed = client(&w, ""), named = client(&w, "a.sock");
    send_request(&w, unnamed, BYTES("blkc"));
    run(&w);
    assert_bytes_text(ask(&w, named, "blkc"), "asciXTN");
    char byte;
    assert_int_equal(recv(unnamed, &byte, 1, 0), -1);
    for (size_t i = 0; i < PEERS_MAX; i++)
        assert_true(w.rig->device.peers.items[i] == NULL || i == 0);
    close(unnamed);
    close(named);
}

TEST(wire_15_6_datagrams_of_other_sizes)
{
    static const struct {
        size_t len;
        const char *reply;
    } cases[] = { { 0, "framshort" },  { 1, "framshort" },   { 10, "framshort" },
                  { 63, "framshort" }, { 65, "framlong" },   { 256, "framlong" },
                  { 257, "framlong" }, { 5000, "framlong" }, { 64, NULL } };
    uint8_t mem[5000] = { 0 };
    WITH_WIRE(w);
    const int fd = client(&w, "a.sock");
    for (size_t i = 0; i < COUNT(cases); i++) {
        send_bytes(fd, bytes_of(mem, cases[i].len));
        run(&w);
        if (cases[i].reply != NULL)
            assert_bytes_text(receive(&w, fd), cases[i].reply);
    }
    assert_bytes_text(ask(&w, fd, "blkc"), "asciXTN");
    close(fd);
}

// Linux lets a client bind to a name that fills sun_path and has no zero behind it; what recvfrom
// then says of its length is more than a struct sockaddr_un has.
TEST(wire_1_2_3_an_address_of_the_greatest_length)
{
    const struct sockaddr_un none = { 0 };
    char path[sizeof none.sun_path + 1];
    WITH_WIRE(w);
    const int fd = client(&w, "");
    snprintf(path, sizeof path, "%s/", test_dir());
    const size_t start = strlen(path);
    memset(path + start, 'x', sizeof path - start);
    path[sizeof path - 1] = 0;
    const struct sockaddr_un own = address_of(path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&own, sizeof own), 0);
    assert_bytes_text(ask(&w, fd, "blkc"), "asciXTN");
    assert_bytes_text(ask(&w, fd, "ping"), "biny");
    // It stays one peer, and can be found to be gone.
    for (size_t i = 1; i < PEERS_MAX; i++)
        assert_null(w.rig->device.peers.items[i]);
    close(fd);
    unlink(path);
}

// --- Clients that are gone or do not read ---

TEST(wire_15_5_a_client_that_disappears)
{
    WITH_WIRE(w);
    const int a = client(&w, "a.sock"), b = client(&w, "b.sock");
    char path[128];
    send_request(&w, a, BYTES("blkc"));
    close(a); // before the reply, the file stays
    run(&w);
    assert_bytes_text(ask(&w, b, "blkc"), "asciXTN");
    snprintf(path, sizeof path, "%s/a.sock", test_dir());
    assert_int_equal(unlink(path), 0);
    const int c = client(&w, "a.sock");
    assert_bytes_text(ask(&w, c, "blkc"), "asciXTN");
    send_request(&w, c, BYTES("blkc"));
    close(c);
    assert_int_equal(unlink(path), 0); // and now without its file
    run(&w);
    assert_bytes_text(ask(&w, b, "blkc"), "asciXTN");
    close(b);
}

// The policy makes status reports of many packets.
static void make_status_long(struct wired *w, size_t len)
{
    struct rig_host *host = rig_host_linked(w->rig);
    rig_activate(host, "{}");
    uint8_t *text = arena_alloc(test_arena(), len);
    memset(text, 's', len);
    blob_set(&w->rig->device.hsm->summary, bytes_of(text, len));
}

TEST(wire_1_2_3_long_replies_come_whole)
{
    enum { LEN = 200000 }; // 3200 packets
    WITH_WIRE(w);
    make_status_long(&w, LEN);
    const int fd = client(&w, "a.sock");
    assert_in_range(ask(&w, fd, "hsts").len, LEN, LEN + 2000);
    assert_bytes_text(ask(&w, fd, "blkc"), "asciXTN");
    close(fd);
}

static size_t waiting_bytes(const struct wired *w)
{
    size_t sum = 0;
    for (size_t i = 0; i < PEERS_MAX; i++) {
        const struct peer *peer = w->rig->device.peers.items[i];
        sum += peer == NULL ? 0 : peer->outbox.packets.len;
    }
    return sum;
}

// What is left of its reply is thrown away at the next packet that nobody takes, not after the second
// of grace that a slow client has.
TEST(wire_15_5_a_client_that_disappears_in_the_middle_of_a_reply)
{
    enum { LEN = 200000 };
    uint8_t packet[PACKET_LEN];
    WITH_WIRE(w);
    make_status_long(&w, LEN);
    const int a = client(&w, "a.sock"), b = client(&w, "b.sock");
    send_request(&w, a, BYTES("hsts"));
    run(&w);
    assert_int_equal(recv(a, packet, sizeof packet, 0), PACKET_LEN);
    assert_int_equal(packet[0] & FRAME_LAST, 0);
    assert_true(waiting_bytes(&w) > 0);
    close(a);
    rig_pass(w.rig, 50);
    assert_int_equal(waiting_bytes(&w), 0);
    assert_in_range(ask(&w, b, "hsts").len, LEN, LEN + 2000);
    close(b);
}

// Invariant (2) of wire_server.h. All replies leave through one socket, whose buffer is charged until
// they are read.
TEST(wire_server_2_a_client_that_does_not_read_holds_up_nobody)
{
    enum { LEN = 200000, FROZEN = 3 };
    char name[] = "frozen0";
    int frozen[FROZEN];
    WITH_WIRE(w);
    make_status_long(&w, LEN);
    const int other = client(&w, "other.sock");
    for (size_t i = 0; i < FROZEN; i++) {
        name[6] = (char)('0' + i);
        frozen[i] = client(&w, name);
        send_request(&w, frozen[i], BYTES("hsts"));
        run(&w);
        assert_bytes_text(ask(&w, other, "blkc"), "asciXTN");
        char longest[2061] = "ping";
        memset(longest + 4, 'a', 2056);
        assert_int_equal(ask(&w, other, longest).len, 2060);
    }
    // After a second each is given up; what is in its queue stays there.
    rig_pass(w.rig, 1100);
    assert_int_equal(waiting_bytes(&w), 0);
    assert_bytes_text(ask(&w, other, "blkc"), "asciXTN");
    for (size_t i = 0; i < FROZEN; i++)
        close(frozen[i]);
    // Once they are gone there is room for long replies again.
    assert_in_range(ask(&w, other, "hsts").len, LEN, LEN + 2000);
    close(other);
}

// Short replies fill the buffer as well, if there are enough of them.
TEST(wire_server_2_clients_that_ask_and_never_read_hold_up_nobody)
{
    enum { DEAF = 10, ASKED = 80 };
    char name[] = "deaf0", longest[2061] = "ping";
    int deaf[DEAF];
    WITH_WIRE(w);
    memset(longest + 4, 'a', 2056);
    const int other = client(&w, "other.sock");
    for (size_t i = 0; i < DEAF; i++) {
        name[4] = (char)('0' + i);
        deaf[i] = client(&w, name);
        for (int k = 0; k < ASKED; k++) {
            send_request(&w, deaf[i], BYTES("vers"));
            run(&w);
        }
        assert_bytes_text(ask(&w, other, "blkc"), "asciXTN");
        assert_int_equal(ask(&w, other, longest).len, 2060);
    }
    // Those that have not read get a little at a time, and go on asking.
    for (int k = 0; k < 50; k++) {
        for (size_t i = 0; i < DEAF; i++)
            send_request(&w, deaf[i], BYTES("vers"));
        rig_pass(w.rig, 50);
        run(&w);
        assert_bytes_text(ask(&w, other, "blkc"), "asciXTN");
    }
    // One that reads at last is as good as any.
    uint8_t packet[PACKET_LEN];
    while (recv(deaf[3], packet, sizeof packet, 0) > 0)
        ;
    rig_pass(w.rig, 1100);
    run(&w);
    while (recv(deaf[3], packet, sizeof packet, 0) > 0)
        ;
    assert_int_equal(ask(&w, deaf[3], longest).len, 2060);
    for (size_t i = 0; i < DEAF; i++)
        close(deaf[i]);
    close(other);
}

// "The same 1 s grace per packet": a slow reader gets all of it.
TEST(wire_1_2_3_a_slow_client_gets_all)
{
    enum { LEN = 60000 };
    WITH_WIRE(w);
    make_status_long(&w, LEN);
    const int fd = client(&w, "slow.sock");
    send_request(&w, fd, BYTES("hsts"));
    run(&w);
    size_t got = 0;
    for (;;) {
        uint8_t packet[PACKET_LEN];
        rig_pass(w.rig, 900);
        size_t n = 0;
        while (n < 50 && recv(fd, packet, sizeof packet, 0) == PACKET_LEN) {
            got += packet[0] & FRAME_COUNT;
            n++;
            if ((packet[0] & FRAME_LAST) != 0)
                goto done;
        }
        assert_true(n > 0);
    }
done:
    assert_in_range(got, LEN, LEN + 2000);
    close(fd);
}

// --- The socket's file ---

TEST(wire_15_7_the_socket_is_removed_and_only_ours)
{
    struct stat st;
    WITH_WIRE(w);
    assert_int_equal(stat(w.path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 07777, 0660);
    wire_server_close(w.server);
    w.server = NULL;
    assert_int_equal(stat(w.path, &st), -1);

    // Another file at our path is not ours to remove.
    struct err err;
    const struct wire_server_options options = { .device = &w.rig->device, .path = w.path };
    assert_true(wire_server_open(&w.server, &options, &err));
    assert_int_equal(unlink(w.path), 0);
    assert_int_equal(close(open(w.path, O_CREAT | O_WRONLY, 0600)), 0);
    wire_server_close(w.server);
    w.server = NULL;
    assert_int_equal(stat(w.path, &st), 0);
    // Nor to replace.
    assert_false(wire_server_open(&w.server, &options, &err));
    assert_int_equal(err.code, ERR_EXISTS);
}

TEST(wire_15_8_no_path_is_taken_over)
{
    struct err err;
    struct wire_server *second = NULL;
    WITH_WIRE(w);
    const struct wire_server_options options = { .device = &w.rig->device, .path = w.path };
    assert_false(wire_server_open(&second, &options, &err));
    assert_int_equal(err.code, ERR_BUSY);
    const int fd = client(&w, "a.sock");
    assert_bytes_text(ask(&w, fd, "blkc"), "asciXTN"); // the first one goes on
    close(fd);
    // A socket that nobody serves any more is replaced.
    char path[128];
    snprintf(path, sizeof path, "%s/left-behind.sock", test_dir());
    const struct sockaddr_un address = address_of(path);
    const int dead = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(dead, (const struct sockaddr *)&address, sizeof address), 0);
    close(dead);
    const struct wire_server_options left = { .device = &w.rig->device, .path = path };
    assert_true(wire_server_open(&second, &left, &err));
    wire_server_close(second);
}

TEST(wire_1_2_1_paths_have_at_most_107_bytes)
{
    struct err err;
    struct wire_server *server = NULL;
    char path[200];
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_new(test_dir());
    const struct wire_server_options options = { .device = &rig->device, .path = path };
    snprintf(path, sizeof path, "%s/", test_dir());
    const size_t start = strlen(path);
    memset(path + start, 's', sizeof path - start);
    path[108] = 0;
    assert_false(wire_server_open(&server, &options, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    path[107] = 0;
    assert_true(wire_server_open(&server, &options, &err));
    wire_server_close(server);
    path[0] = 0;
    assert_false(wire_server_open(&server, &options, &err));
}
