// Many hosts at once, and hosts that are slow, half gone or gone: each gets its own bytes, and nobody
// waits for another.
#include "base/require.h"
#include "bitcoin/psbt.h"
#include "crypto/random.h"
#include "tests/faults/rig.h"
#include "wire/link.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HOSTS = 8, SAMPLE = 12, SATS = 1000 };

#define POLICY                                                                                     \
    "{\"never_log\":true,\"period\":600,\"msg_paths\":[\"any\"],\"rules\":[{\"per_period\":"       \
    "2000000000}]}"

// --- Hosts of good manners, each its own process ---

static void fail_child(const char *what, const struct err *err)
{
    (void)fprintf(stderr, "# host %d: %s: %s\n", (int)getpid(), what, err == NULL ? "" : err->text);
    _exit(1);
}

// Whatever it uploads comes back: the hash of each block, and the transaction that it signs.
static void sign_own(struct connection *c, uint32_t salt, struct arena *arena)
{
    const struct bytes psbt = rig_payment(SATS, salt);
    struct request start = { .id = REQUEST_STXN, .stxn = { .flags = salt & 1 } };
    const struct request ask = { .id = REQUEST_STOK };
    struct reply reply = { .id = REPLY_OKAY };
    struct psbt mine, signed_one;
    struct bytes result;
    struct err err;
    if (!transfer_start(c, psbt, &start, NULL, &err))
        fail_child("start", &err);
    while (reply.id == REPLY_OKAY) {
        if (!connection_exchange(c, &reply, &ask, arena, &err))
            fail_child("poll", &err);
    }
    // transfer_download compares the hash that `stok` told with what came.
    if (reply.id != REPLY_STRX || !transfer_download(c, &result, 1, &reply, arena, NULL, &err))
        fail_child("download", &err);
    if (!psbt_parse(&mine, psbt, arena, &err))
        fail_child("parse", &err);
    if ((salt & 1) == 0) {
        if (!psbt_parse(&signed_one, result, arena, &err))
            fail_child("parse result", &err);
        const struct hash256 a = tx_txid(&mine.tx), b = tx_txid(&signed_one.tx);
        if (memcmp(a.b, b.b, sizeof a.b) != 0)
            fail_child("somebody else's transaction", NULL);
        return;
    }
    // Finalised: the outpoint that it spends stands in it.
    const struct outpoint spent = mine.tx.in[0].prevout;
    if (memmem(result.ptr, result.len, spent.txid.b, sizeof spent.txid.b) == NULL)
        fail_child("somebody else's transaction", NULL);
}

// Uploads in blocks of its own size, looks at the running hash in between, and gives up.
static void upload_own(struct connection *c, struct arena *arena)
{
    uint8_t mem[8192] = "psbt\xff";
    const uint32_t block = 256 * (1 + random_below(8));
    struct reply reply;
    struct err err;
    random_bytes(mem + 5, sizeof mem - 5);
    for (uint32_t at = 0; at < sizeof mem; at += block) {
        const struct request upload = {
            .id = REQUEST_UPLD, .upld = { at, sizeof mem, bytes_slice(BYTES_OF(mem), at, block) }
        };
        const struct request hash = { .id = REQUEST_SHA2 };
        const uint32_t end = at + block < sizeof mem ? at + block : sizeof mem;
        const struct hash256 expected = sha256(bytes_of(mem, end));
        if (!connection_call(c, &reply, REPLY_INT1, &upload, arena, &err) || reply.number[0] != at)
            fail_child("upld", &err);
        if (!connection_call(c, &reply, REPLY_BINY, &hash, arena, &err) ||
            !bytes_equal(reply.data, BYTES_OF(expected.b)))
            fail_child("sha2", &err);
    }
}

static void sign_text(struct connection *c, uint32_t salt, struct arena *arena)
{
    char text[32];
    (void)snprintf(text, sizeof text, "message %u", salt);
    const struct request start = { .id = REQUEST_SMSG,
                                   .smsg = { 1, BYTES("m/84h/1h/0h/0/0"), bytes_of_text(text) } };
    struct reply reply;
    struct err err;
    if (!connection_call(c, &reply, REPLY_OKAY, &start, arena, &err) ||
        !transfer_wait(c, &reply, REQUEST_SMOK, REPLY_SMRX, 20000, arena, NULL, &err))
        fail_child("message", &err);
}

static void echo(struct connection *c, struct arena *arena)
{
    uint8_t mem[2056];
    const struct request ping = { .id = REQUEST_PING, .data = bytes_of(mem, random_below(2056)) };
    struct reply reply;
    struct err err;
    random_bytes(mem, sizeof mem);
    if (!connection_call(c, &reply, REPLY_BINY, &ping, arena, &err) ||
        !bytes_equal(reply.data, ping.data))
        fail_child("ping", &err);
}

static NORETURN void be_a_host(const struct rig *rig, uint32_t number, unsigned n)
{
    struct connection *c = rig_connect(rig);
    struct arena *arena = arena_new(8u << 20);
    for (uint32_t i = 0; i < n; i++) {
        arena_reset(arena);
        switch (random_below(4)) {
        case 0:
            upload_own(c, arena);
            break;
        case 1:
            sign_text(c, number * 100000 + i, arena);
            break;
        case 2:
            echo(c, arena);
            break;
        default:
            break;
        }
        sign_own(c, number * 100000 + i, arena);
    }
    connection_close(c);
    _exit(0);
}

static void start_hosts(const struct rig *rig, pid_t out[static HOSTS], unsigned n)
{
    for (uint32_t i = 0; i < HOSTS; i++) {
        out[i] = fork();
        if (out[i] == 0)
            be_a_host(rig, i, n);
    }
}

static void wait_for_hosts(const pid_t hosts[static HOSTS])
{
    for (int i = 0; i < HOSTS; i++) {
        int status;
        assert_int_equal(waitpid(hosts[i], &status, 0), hosts[i]);
        assert_int_equal(status, 0);
    }
}

TEST(eight_hosts_at_once_get_each_its_own)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    const unsigned n = (unsigned)rig_count(SAMPLE);
    pid_t hosts[HOSTS];
    rig_start(&rig);
    rig_arm(&rig, POLICY);
    start_hosts(&rig, hosts, n);
    wait_for_hosts(hosts);
    AUTO(connection_closep) struct connection *c = rig_connect(&rig);
    const struct hsm_status status = rig_status(c);
    assert_int_equal(rig_spent(&status), (uint64_t)HOSTS * n * SATS);
    assert_int_equal(status.refusals, 0);
    rig_stop(&rig);
    print_message("# counted: %u transactions of %d hosts\n", HOSTS * n, HOSTS);
}

// --- Hosts without ---

static int bind_at(const struct rig *rig, const char *name)
{
    struct sockaddr_un server = { .sun_family = AF_UNIX }, own = { .sun_family = AF_UNIX };
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)snprintf(server.sun_path, sizeof server.sun_path, "%.100s", rig->socket);
    (void)snprintf(own.sun_path, sizeof own.sun_path, "%.80s/%.20s", rig->dir, name);
    (void)unlink(own.sun_path);
    assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof own), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&server, sizeof server), 0);
    return fd;
}

static void send_message(int fd, const char *message)
{
    uint8_t mem[4 * PACKET_LEN];
    struct writer w = writer_of(mem, sizeof mem);
    frame_cut(&w, bytes_of_text(message), false);
    for (size_t at = 0; at < w.len; at += PACKET_LEN)
        (void)send(fd, mem + at, PACKET_LEN, MSG_DONTWAIT);
}

static NORETURN void ask_and_never_read(const struct rig *rig)
{
    const int fd = bind_at(rig, "deaf.sock");
    for (;;) { // long replies, which stay in the way
        send_message(fd, "hsts");
        send_message(fd, "vers");
        rig_pause_ms(1);
    }
}

static NORETURN void ask_and_vanish(const struct rig *rig)
{
    char name[20];
    for (unsigned i = 0;; i++) {
        (void)snprintf(name, sizeof name, "gone-%u.sock", i % 7);
        const int fd = bind_at(rig, name);
        send_message(fd, i % 2 == 0 ? "hsts" : "vers");
        (void)close(fd); // its name stays half of the time
        if (i % 4 < 2) {
            char path[RIG_PATH + 32];
            (void)snprintf(path, sizeof path, "%s/%s", rig->dir, name);
            (void)unlink(path);
        }
        rig_pause_ms(1);
    }
}

// The first packets of a message, and never the last.
static NORETURN void stop_half_way(const struct rig *rig)
{
    uint8_t packet[PACKET_LEN] = { 0x3f, 'u', 'p', 'l', 'd' };
    const int fd = bind_at(rig, "half.sock");
    for (int i = 0;; i = (i + 1) % 30) {
        (void)send(fd, packet, sizeof packet, MSG_DONTWAIT);
        rig_pause_ms(i == 0 ? 50 : 1);
    }
}

static NORETURN void be_stopped(const struct rig *rig)
{
    const int fd = bind_at(rig, "stopped.sock");
    for (int i = 0; i < 40; i++)
        send_message(fd, "hsts");
    (void)raise(SIGSTOP);
    _exit(0);
}

static int64_t now_ms(void)
{
    struct timespec t;
    REQUIRE(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// While they are there, a host's requests take milliseconds, not the second that a reply is kept for
// who does not read it.
TEST(slow_gone_and_half_hosts_hold_nobody_up)
{
    static void (*const kinds[])(const struct rig *) = { ask_and_never_read, ask_and_vanish,
                                                         stop_half_way, be_stopped };
    AUTO(rig_drop) struct rig rig = rig_prepare();
    AUTO(arena_freep) struct arena *arena = arena_new(8u << 20);
    pid_t bad[COUNT(kinds)];
    int64_t longest_ms = 0;
    struct err err;
    rig_start(&rig);
    rig_arm(&rig, POLICY);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        bad[i] = fork();
        if (bad[i] == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL); // a test that fails leaves none behind
            kinds[i](&rig);
        }
    }
    rig_pause_ms(300);
    struct connection *c = rig_connect(&rig);
    const unsigned n = (unsigned)rig_count(SAMPLE) * 4;
    for (unsigned i = 0; i < n; i++) {
        const int64_t begin = now_ms();
        arena_reset(arena);
        if (rig_sign(c, rig_payment(SATS, i), arena, &err) != RIG_SIGNED)
            fail_msg("%s", err.text);
        longest_ms = now_ms() - begin > longest_ms ? now_ms() - begin : longest_ms;
    }
    for (size_t i = 0; i < COUNT(kinds); i++) {
        (void)kill(bad[i], SIGKILL);
        (void)waitpid(bad[i], NULL, 0);
    }
    connection_close(c);
    rig_stop(&rig);
    print_message("# the longest of %u dialogues took %d ms\n", n, (int)longest_ms);
}

// A name that the system takes long to look at, or for ever, is nothing that the signer looks at: a
// host can only be asked whether it is there by sending to it.
TEST(hosts_that_come_and_go_make_room_for_others)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    AUTO(arena_freep) struct arena *arena = arena_new(8u << 20);
    char name[20];
    struct err err;
    rig_start(&rig);
    rig_arm(&rig, POLICY);
    AUTO(connection_closep) struct connection *c = rig_connect(&rig);
    // More than there is room for; all but one are gone, and that one is the longest silent.
    const unsigned n = (unsigned)rig_count(SAMPLE) * 10;
    for (unsigned i = 0; i < n; i++) {
        (void)snprintf(name, sizeof name, "h-%u.sock", i);
        const int fd = bind_at(&rig, name);
        send_message(fd, "vers");
        (void)close(fd);
        char path[RIG_PATH + 32];
        (void)snprintf(path, sizeof path, "%s/%s", rig.dir, name);
        (void)unlink(path);
    }
    if (rig_sign(c, rig_payment(SATS, 1), arena, &err) != RIG_SIGNED)
        fail_msg("%s", err.text); // it still has its session
    rig_stop(&rig);
}
