// What a host can send, in every state of the signer: random datagrams, messages of every kind with
// random and mutated arguments, in the clear and encrypted, cut wrongly, out of order.
//
// FAULT_COUNT datagrams a state. After each few thousand a host of good manners must find the signer
// answering, in the state in which it was, with nothing signed and nothing charged beyond the policy.
// The program has sanitizers in the build that has them: a crash or a leak fails the clean end.
#include "base/require.h"
#include "crypto/random.h"
#include "tests/faults/rig.h"
#include "wire/link.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { SAMPLE = 3000, CHUNK = 20000, HOSTS = 4, ACT_ROOM = 16384, PSBTS = 3 };

// --- Chance, the same in every run ---

struct chance {
    uint64_t state;
};

static uint32_t draw(struct chance *c, uint32_t below)
{
    c->state ^= c->state << 13;
    c->state ^= c->state >> 7;
    c->state ^= c->state << 17;
    return (uint32_t)((c->state >> 32) % below);
}

static void draw_bytes(struct chance *c, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)draw(c, 256);
}

// --- Hosts without manners ---

struct mob {
    struct rig *rig;
    struct chance chance;
    struct arena *arena; // of one act
    int fds[HOSTS];
    struct link links[HOSTS];
    bool only_known;     // no code that the device does not know
    bool keeps_the_link; // no `ncry`
    bool never_shows;    // asks for no visualisation, which is a result that nobody approves
    bool may_end;        // the 100th refusal ends it
    bool gone;           // it did
    unsigned ends;
    struct bytes psbts[PSBTS];
    unsigned long sent, replies;
};

static int open_host(const struct rig *rig, unsigned n)
{
    struct sockaddr_un server = { .sun_family = AF_UNIX }, own = { .sun_family = AF_UNIX };
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)snprintf(server.sun_path, sizeof server.sun_path, "%.100s", rig->socket);
    (void)snprintf(own.sun_path, sizeof own.sun_path, "%.90s/h-%u.sock", rig->dir, n);
    (void)unlink(own.sun_path);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof own), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&server, sizeof server), 0);
    return fd;
}

static void drain(struct mob *mob, int fd)
{
    uint8_t packet[PACKET_LEN + 1];
    ssize_t n;
    while ((n = recv(fd, packet, sizeof packet, MSG_DONTWAIT)) >= 0) {
        assert_int_equal(n, PACKET_LEN);
        mob->replies++;
    }
    assert_true(errno == EAGAIN || mob->may_end);
}

static void drain_all(struct mob *mob)
{
    for (int i = 0; i < HOSTS; i++)
        drain(mob, mob->fds[i]);
}

// The signer must take it within a while: it is never busy for long.
static void send_datagram(struct mob *mob, unsigned host, struct bytes datagram)
{
    for (int ms = 0; send(mob->fds[host], datagram.len > 0 ? (const void *)datagram.ptr : "",
                          datagram.len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0;) {
        if (errno != EAGAIN && !mob->may_end)
            fail_msg("sending: %s: %.*s", strerror(errno), BYTES_ARG(rig_said(mob->rig)));
        mob->gone = errno != EAGAIN;
        if (mob->gone)
            return;
        drain_all(mob);
        struct pollfd ready = { mob->fds[host], POLLOUT, 0 };
        (void)poll(&ready, 1, 20);
        ms += 20;
        if (ms > 20000)
            fail_msg("the signer takes no datagram for 20 s");
    }
    mob->sent++;
}

static void send_packets(struct mob *mob, unsigned host, struct bytes packets)
{
    for (size_t at = 0; at < packets.len && !mob->gone; at += PACKET_LEN)
        send_datagram(mob, host, bytes_slice(packets, at, PACKET_LEN));
}

// --- Acts ---

static void send_garbage(struct mob *mob, unsigned host)
{
    uint8_t mem[100];
    const size_t len = draw(&mob->chance, 4) > 0 ? PACKET_LEN : draw(&mob->chance, sizeof mem);
    draw_bytes(&mob->chance, mem, len);
    send_datagram(mob, host, bytes_of(mem, len));
}

// Ends the device or presses its keys, as it must: no test of what it bears.
static bool is_left_out(const struct mob *mob, enum request_id id)
{
    return id == REQUEST_LOGO || id == REQUEST_REBO || id == REQUEST_XKEY ||
           (mob->keeps_the_link && id == REQUEST_NCRY) ||
           (mob->only_known && request_info(id)->kind == KIND_UNSERVED);
}

static void put_code(struct mob *mob, struct writer *w)
{
    uint8_t code[CODE_LEN];
    enum request_id id;
    do
        id = (enum request_id)(1 + draw(&mob->chance, REQUEST_COUNT - 1));
    while (is_left_out(mob, id));
    memcpy(code, request_info(id)->code, CODE_LEN);
    if (!mob->only_known && draw(&mob->chance, 30) == 0)
        code[draw(&mob->chance, CODE_LEN)] ^= (uint8_t)(1u << draw(&mob->chance, 8));
    // What one changed bit made of another code must not be one that ends it.
    const struct request_info *info = request_find(bytes_of(code, CODE_LEN));
    writer_put(w, info != NULL && is_left_out(mob, info->id) ? BYTES("ping") : BYTES_OF(code));
}

// Numbers as arguments begin with, texts as they end with, or anything.
static void put_arguments(struct mob *mob, struct writer *w)
{
    static const char *const texts[] = { "m",     "m/84h/1h/0h/0/0",  "m/0'/*",   "alice", "hello",
                                         "m/1/2", "{\"rules\":[{}]}", "\xff\xfe", "",      "%s%n" };
    static const uint32_t numbers[] = { 0, 1, 2, 4, 7, 13, 14, 256, 2048, 2097152, UINT32_MAX };
    uint8_t mem[2100];
    const unsigned n = draw(&mob->chance, 5);
    for (unsigned i = 0; i < n; i++)
        writer_u32le(w, numbers[draw(&mob->chance, COUNT(numbers))]);
    if (draw(&mob->chance, 2) == 0) {
        writer_text(w, texts[draw(&mob->chance, COUNT(texts))]);
        return;
    }
    const size_t len = draw(&mob->chance, draw(&mob->chance, 8) == 0 ? sizeof mem : 80);
    draw_bytes(&mob->chance, mem, len);
    writer_put(w, bytes_of(mem, len));
}

static void send_message(struct mob *mob, unsigned host, struct bytes message)
{
    struct writer packets = writer_growing(mob->arena, 4 * ACT_ROOM);
    struct link *link = &mob->links[host];
    const bool encrypted = link_is_open(link) && draw(&mob->chance, 3) > 0;
    REQUIRE(link_cut(link, LINK_TO_DEVICE, &packets, message, encrypted));
    struct bytes cut = writer_bytes(&packets);
    uint8_t *mem = (uint8_t *)(uintptr_t)cut.ptr;
    const unsigned how = draw(&mob->chance, 12);
    if (how == 0) // one bit anywhere
        mem[draw(&mob->chance, (uint32_t)cut.len)] ^= (uint8_t)(1u << draw(&mob->chance, 8));
    if (how == 1) // the framing byte of one packet
        mem[draw(&mob->chance, (uint32_t)(cut.len / PACKET_LEN)) * PACKET_LEN] =
            (uint8_t)draw(&mob->chance, 256);
    if (how == 2) // the end is missing
        cut =
            bytes_slice(cut, 0, PACKET_LEN * draw(&mob->chance, (uint32_t)(cut.len / PACKET_LEN)));
    send_packets(mob, host, cut);
}

static void send_request(struct mob *mob, unsigned host)
{
    struct writer w = writer_growing(mob->arena, ACT_ROOM);
    put_code(mob, &w);
    put_arguments(mob, &w);
    send_message(mob, host, writer_bytes(&w));
}

// Well-formed, but for a changed byte of the PSBT.
static void send_transaction(struct mob *mob, unsigned host)
{
    struct writer a = writer_growing(mob->arena, ACT_ROOM),
                  b = writer_growing(mob->arena, ACT_ROOM);
    struct bytes psbt;
    REQUIRE(arena_copy(mob->arena, mob->psbts[draw(&mob->chance, PSBTS)], &psbt));
    const unsigned changes = draw(&mob->chance, 4);
    for (unsigned i = 0; i < changes; i++)
        ((uint8_t *)(uintptr_t)psbt.ptr)[draw(&mob->chance, (uint32_t)psbt.len)] ^=
            (uint8_t)(1u << draw(&mob->chance, 8));
    const uint32_t len = (uint32_t)psbt.len;
    request_pack(&a, &(struct request){ .id = REQUEST_UPLD, .upld = { 0, len, psbt } });
    send_message(mob, host, writer_bytes(&a));
    const uint32_t flags = draw(&mob->chance, 8) & (mob->never_shows ? ~STXN_VISUALIZE : ~0u);
    request_pack(&b, &(struct request){ .id = REQUEST_STXN,
                                        .stxn = { len, flags, sha256(psbt), { NULL, 0 } } });
    send_message(mob, host, writer_bytes(&b));
}

static void send_poll(struct mob *mob, unsigned host)
{
    static const char *const codes[] = { "stok", "smok", "bkok", "pwok", "hsts", "sha2" };
    send_message(mob, host, bytes_of_text(codes[draw(&mob->chance, COUNT(codes))]));
}

// A session anew; the key is what the reply says, which is waited for.
static void renew(struct mob *mob, unsigned host)
{
    AUTO(seckey_wipe) struct seckey own = { 0 };
    struct writer w = writer_growing(mob->arena, 256), packets = writer_growing(mob->arena, 512);
    struct host_reply {
        uint8_t b[PACKET_LEN];
    } first;
    struct err err;
    if (mob->keeps_the_link)
        return;
    seckey_generate(&own);
    drain(mob, mob->fds[host]);
    frame_cut_resync(&packets);
    request_pack(&w,
                 &(struct request){ .id = REQUEST_NCRY, .ncry = { LINK_V1, link_public(&own) } });
    frame_cut(&packets, writer_bytes(&w), false);
    send_packets(mob, host, writer_bytes(&packets));
    const struct timeval patience = { 20, 0 };
    REQUIRE(setsockopt(mob->fds[host], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    do { // the rest of an earlier reply may come first
        const ssize_t n = mob->gone ? -1 : recv(mob->fds[host], first.b, sizeof first.b, 0);
        if (n < 0 && mob->may_end) {
            mob->gone = true;
            return;
        }
        assert_int_equal(n, PACKET_LEN);
    } while (memcmp(first.b + 1, "mypb", 4) != 0);
    uint8_t second[PACKET_LEN];
    assert_int_equal(recv(mob->fds[host], second, sizeof second, 0), PACKET_LEN);
    struct pubkey64 device;
    uint8_t key[64];
    memcpy(key, first.b + 5, PACKET_PAYLOAD - 4);
    memcpy(key + PACKET_PAYLOAD - 4, second + 1, sizeof key - (PACKET_PAYLOAD - 4));
    memcpy(&device, key, sizeof device);
    if (!link_open(&mob->links[host], &own, &device, LINK_V1, &err))
        fail_msg("%s", err.text);
}

static void act(struct mob *mob)
{
    const unsigned host = draw(&mob->chance, HOSTS);
    arena_reset(mob->arena);
    switch (draw(&mob->chance, 16)) {
    case 0:
    case 1:
        send_garbage(mob, host);
        break;
    case 2:
    case 3:
    case 4:
        send_transaction(mob, host);
        break;
    case 5:
    case 6:
        send_poll(mob, host);
        break;
    case 7:
        if (draw(&mob->chance, 8) == 0)
            renew(mob, host);
        break;
    default:
        send_request(mob, host);
    }
    if (!mob->gone)
        drain(mob, mob->fds[host]);
}

static void open_hosts(struct mob *mob)
{
    for (unsigned i = 0; i < HOSTS; i++)
        mob->fds[i] = open_host(mob->rig, i);
    for (unsigned i = 0; i < HOSTS; i++)
        renew(mob, i);
}

static void close_hosts(struct mob *mob)
{
    for (unsigned i = 0; i < HOSTS; i++) {
        link_wipe(&mob->links[i]);
        (void)close(mob->fds[i]);
    }
}

static void open_mob(struct mob *mob, struct rig *rig, uint64_t seed)
{
    *mob = (struct mob){ .rig = rig, .chance = { seed }, .arena = arena_new(1u << 20) };
    for (uint32_t i = 0; i < PSBTS; i++)
        mob->psbts[i] = rig_payment(1 + 2500 * i, i);
    open_hosts(mob);
}

static void close_mob(struct mob *mob)
{
    close_hosts(mob);
    arena_free(mob->arena);
}

// "Refusal number 100 makes the device shut down": cleanly; it arms only by keys again.
static void revive(struct mob *mob)
{
    int status;
    rig_pause_ms(50);
    status = rig_wait(mob->rig);
    if (status != 0)
        fail_msg("wait status %x: %.*s", (unsigned)status, BYTES_ARG(rig_said(mob->rig)));
    close_hosts(mob);
    rig_start_offering(mob->rig);
    assert_true(rig_keys(mob->rig, "y"));
    assert_int_equal(rig_state(mob->rig), PANEL_HSM);
    mob->gone = false;
    mob->ends++;
    open_hosts(mob);
}

// --- A host of good manners: the signer answers, and is what it was ---

static struct hsm_status look(struct rig *rig, enum panel_state expected)
{
    AUTO(connection_closep) struct connection *c = rig_connect(rig);
    AUTO(arena_freep) struct arena *arena = arena_new(1u << 20);
    const struct request ping = { .id = REQUEST_PING, .data = BYTES("hello") };
    struct reply reply;
    struct err err;
    assert_int_equal(rig_state(rig), expected);
    if (!connection_call(c, &reply, REPLY_BINY, &ping, arena, &err))
        fail_msg("%s", err.text);
    assert_bytes_text(reply.data, "hello");
    const struct hsm_status status = rig_status(c);
    assert_int_equal(status.active, expected == PANEL_HSM);
    return status;
}

// KiB of memory that the signer has.
static unsigned long resident(const struct rig *rig)
{
    char path[64], line[256];
    unsigned long kib = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)rig->pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtoul(line + 6, NULL, 10);
    }
    if (file != NULL)
        (void)fclose(file);
    return kib;
}

typedef void look_fn(struct mob *mob, void *context);

// Sends FAULT_COUNT datagrams, looking in between.
static void riot(struct mob *mob, look_fn *check, void *context)
{
    const unsigned long count = rig_count(SAMPLE);
    unsigned long next = 0, before = 0;
    while (mob->sent < count) {
        if (before == 0 && mob->sent > count / 4)
            before = resident(mob->rig);
        act(mob);
        if (mob->gone)
            revive(mob);
        if (mob->sent >= next) {
            drain_all(mob);
            if (!mob->gone)
                check(mob, context);
            next = mob->sent + CHUNK;
        }
    }
    drain_all(mob);
    check(mob, context);
    print_message(
        "# %lu datagrams, %lu packets of replies, %lu KiB after a quarter, %lu KiB after all\n",
        mob->sent, mob->replies, before, resident(mob->rig));
}

static void is_normal(struct mob *mob, void *context)
{
    (void)context;
    (void)look(mob->rig, PANEL_NORMAL);
}

TEST(datagrams_in_normal_mode)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    struct mob mob;
    rig_start(&rig);
    open_mob(&mob, &rig, 0x1111);
    riot(&mob, is_normal, NULL);
    close_mob(&mob);
    rig_stop(&rig);
}

// The owner of a question asks for it again if another request has taken its place, as some may.
struct owner {
    struct connection *c;
    struct bytes psbt;
    unsigned asked_again;
};

static void is_pending(struct mob *mob, void *context)
{
    struct owner *owner = context;
    AUTO(arena_freep) struct arena *arena = arena_new(1u << 20);
    const struct request ask = { .id = REQUEST_STOK };
    struct request start = { .id = REQUEST_STXN, .stxn = { .flags = 0 } };
    struct reply reply;
    struct err err;
    (void)look(mob->rig, PANEL_NORMAL);
    if (connection_exchange(owner->c, &reply, &ask, arena, &err)) {
        assert_int_equal(reply.id, REPLY_OKAY); // never a signature: nobody said yes
        return;
    }
    // "No active request" once another has discarded it, or what became of that one.
    if (err.code != ERR_INVALID && err.code != ERR_REFUSED)
        fail_msg("%s", err.text);
    owner->asked_again++;
    for (int i = 0; !transfer_start(owner->c, owner->psbt, &start, NULL, &err); i++) {
        assert_int_equal(err.code, ERR_BUSY); // a message or an address is on the screen
        assert_true(i < 3 && rig_keys(mob->rig, "x"));
    }
}

TEST(datagrams_while_a_transaction_waits_for_the_operator)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    struct request start = { .id = REQUEST_STXN, .stxn = { .flags = 0 } };
    struct mob mob;
    struct err err;
    rig_start(&rig);
    struct owner owner = { rig_connect(&rig), rig_payment(700, 77), 0 };
    assert_true(transfer_start(owner.c, owner.psbt, &start, NULL, &err));
    open_mob(&mob, &rig, 0x2222);
    mob.never_shows = true;
    riot(&mob, is_pending, &owner);
    close_mob(&mob);
    connection_close(owner.c);
    rig_stop(&rig);
    print_message("# the question was discarded %u times\n", owner.asked_again);
}

static void offer(const struct rig *rig)
{
    AUTO(connection_closep) struct connection *c = rig_connect(rig);
    struct request start = { .id = REQUEST_HSMS, .hsms = { .has_file = true } };
    struct err err;
    if (!transfer_start(c, BYTES("{\"rules\":[{}]}"), &start, NULL, &err))
        assert_int_equal(err.code, ERR_BUSY);
}

static void is_offered(struct mob *mob, void *context)
{
    unsigned *again = context;
    const struct hsm_status status = look(mob->rig, PANEL_NORMAL);
    if (status.approval_wait)
        return;
    ++*again;
    (void)rig_keys(mob->rig, "x");
    offer(mob->rig);
}

TEST(datagrams_while_a_policy_waits_for_the_operator)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    struct mob mob;
    unsigned again = 0;
    rig_start(&rig);
    offer(&rig);
    open_mob(&mob, &rig, 0x3333);
    riot(&mob, is_offered, &again);
    close_mob(&mob);
    rig_stop(&rig);
    print_message("# the question was discarded %u times\n", again);
}

// In HSM mode what is right is signed: never more than the period allows.
#define LIMIT 40000
static void is_within_the_policy(struct mob *mob, void *context)
{
    uint64_t *spent = context;
    const struct hsm_status status = look(mob->rig, PANEL_HSM);
    assert_true(rig_spent(&status) <= LIMIT && rig_spent(&status) >= *spent);
    *spent = rig_spent(&status);
}

TEST(datagrams_in_hsm_mode)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    struct mob mob;
    uint64_t spent = 0;
    rig_start(&rig);
    // A second rule without a total: approvals do not end. The end by refusals is another's affair.
    rig_arm(&rig, "{\"never_log\":true,\"warnings_ok\":true,\"period\":60,\"msg_paths\":[\"any\"],"
                  "\"rules\":[{\"per_period\":40000},{}]}");
    open_mob(&mob, &rig, 0x4444);
    mob.may_end = true;
    riot(&mob, is_within_the_policy, &spent);
    close_mob(&mob);
    rig_stop(&rig);
    print_message("# %llu of %d sat spent, ended by refusals %u times\n", (unsigned long long)spent,
                  LIMIT, mob.ends);
}

// Nothing is allowed: whatever comes, nothing is signed. The limit of refusals is not reached because
// what would be counted is not sent.
TEST(datagrams_to_a_device_that_is_bound)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    const struct connection_options bound = { .socket_path = rig.socket, .ncry = LINK_V2 };
    const struct request ping = { .id = REQUEST_PING, .data = BYTES("hello") };
    struct connection *c;
    struct reply reply;
    struct mob mob;
    struct err err;
    rig_start(&rig);
    open_mob(&mob, &rig, 0x5555);
    assert_true(connection_open(&c, &bound, &err));
    mob.keeps_the_link = true; // theirs have ended: what is encrypted has no key
    const unsigned long count = rig_count(SAMPLE);
    while (mob.sent < count) {
        act(&mob);
        if (mob.sent % CHUNK < 40 || mob.sent >= count) {
            drain_all(&mob);
            if (!connection_call(c, &reply, REPLY_BINY, &ping, NULL, &err))
                fail_msg("%s", err.text);
            assert_bytes_text(reply.data, "hello");
            assert_int_equal(rig_state(&rig), PANEL_NORMAL);
        }
    }
    print_message("# counted: %lu datagrams, %lu packets of replies\n", mob.sent, mob.replies);
    connection_close(c);
    close_mob(&mob);
    rig_stop(&rig);
}

// --- No socket: locked, and ended ---

static unsigned long send_into_nothing(struct mob *mob)
{
    const unsigned long count = rig_count(SAMPLE);
    uint8_t mem[PACKET_LEN];
    for (unsigned long i = 0; i < count; i++) {
        draw_bytes(&mob->chance, mem, 8);
        if (send(mob->fds[i % HOSTS], mem, sizeof mem, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            fail_msg("somebody took datagram %lu", i);
    }
    return count;
}

TEST(datagrams_to_a_device_that_is_locked_or_has_ended)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    struct mob mob;
    rig_init(&rig);
    rig_start_locked(&rig);
    assert_int_equal(rig_state(&rig), PANEL_LOCKED);
    (void)rig_text(&rig, "000000");
    assert_int_equal(rig_state(&rig), PANEL_LOCKED);
    rig_unlock(&rig);
    open_mob(&mob, &rig, 0x6666);
    assert_true(rig_menu(&rig, PANEL_LOCK));
    (void)rig_keys(&rig, "y");
    assert_int_equal(rig_state(&rig), PANEL_LOCKED);
    assert_int_equal(access(rig.socket, F_OK), -1);
    unsigned long sent = send_into_nothing(&mob);
    assert_int_equal(rig_state(&rig), PANEL_LOCKED);
    rig_unlock(&rig);
    (void)look(&rig, PANEL_NORMAL);
    rig_stop(&rig);
    sent += send_into_nothing(&mob);
    close_mob(&mob);
    print_message("# counted: %lu datagrams, nobody took one\n", sent);
}

// --- The panel, which is there in every state ---

static int open_panel(const struct rig *rig)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const struct timeval patience = { 20, 0 };
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%.100s", rig->panel);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail_msg("panel: %s: %.*s", strerror(errno), BYTES_ARG(rig_said(rig)));
    return fd;
}

// Nothing that is right and does something: no text, which a PIN would be, no OK, no menu.
static void put_line(struct chance *chance, struct writer *w)
{
    static const char *const lines[] = {
        "{\"do\":\"screen\"}",
        "{\"do\":\"watch\"}",
        "{\"do\":\"keys\",\"keys\":\"123\"}",
        "{\"do\":\"keys\",\"keys\":\"1\",\"question\":99999}",
        "{\"do\":\"menu\",\"item\":\"delete-user\",\"name\":\"nobody\"}",
        "{\"do\":\"advance\",\"seconds\":1e9}",
        "{\"do\":\"set\",\"key\":\"rz\",\"value\":8}",
        "{\"do\":[[[[[[[[[[[[[[[[[[[[[[[[{}",
        "{\"do\":\"screen\",\"do\":\"screen\"}",
        "null",
        "",
    };
    uint8_t mem[400];
    size_t len;
    if (draw(chance, 5) == 0) {
        len = draw(chance, sizeof mem);
        draw_bytes(chance, mem, len);
    } else {
        const char *line = lines[draw(chance, COUNT(lines))];
        len = strlen(line);
        memcpy(mem, line, len);
        for (unsigned i = draw(chance, 4); i > 0 && len > 0; i--)
            mem[draw(chance, (uint32_t)len)] ^= (uint8_t)(1u << draw(chance, 8));
    }
    writer_put(w, bytes_of(mem, len));
    if (draw(chance, 20) > 0)
        writer_u8(w, '\n');
}

// Whoever sends too long a line is cut off, and comes again.
static void riot_at_panel(struct rig *rig, unsigned long count, uint64_t seed)
{
    struct chance chance = { seed };
    uint8_t mem[512], replies[4096];
    int fd = open_panel(rig);
    for (unsigned long i = 0; i < count; i++) {
        struct writer w = writer_of(mem, sizeof mem);
        put_line(&chance, &w);
        if (draw(&chance, 500) == 0 || send(fd, mem, w.len, MSG_NOSIGNAL) < 0) {
            (void)close(fd);
            fd = open_panel(rig);
        }
        while (recv(fd, replies, sizeof replies, MSG_DONTWAIT) > 0)
            ;
    }
    (void)close(fd);
}

TEST(lines_to_the_panel_in_every_state)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    const unsigned long count = rig_count(SAMPLE) / 3;
    rig_init(&rig);
    rig_start_locked(&rig);
    riot_at_panel(&rig, count, 0x7777);
    assert_int_equal(rig_state(&rig), PANEL_LOCKED);
    rig_unlock(&rig);
    riot_at_panel(&rig, count, 0x8888);
    (void)look(&rig, PANEL_NORMAL);
    (void)rig_keys(&rig, "x"); // what was asked, if a bit made it right
    rig_arm(&rig, "{\"rules\":[{\"max_amount\":1}]}");
    riot_at_panel(&rig, count, 0x9999);
    const struct hsm_status status = look(&rig, PANEL_HSM);
    assert_int_equal(status.approvals + status.refusals, 0);
    rig_stop(&rig);
    print_message("# counted: %lu lines in each of 3 states\n", count);
}
