// The USB device's side of the wire: a socket of kept-apart packets stands for /dev/hidgN.
#include "signer/hid_gadget.h"
#include "tests/support/device_checks.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

struct plugged {
    struct device_rig *rig;
    struct hid_gadget *gadget;
    int bus; // the host's end of the cable
    struct host_end end;
};

static void unplug(struct plugged *p)
{
    hid_gadget_close(p->gadget);
    if (p->bus >= 0)
        close(p->bus);
    host_end_wipe(&p->end);
    device_rig_free(p->rig);
}

static void plug(struct plugged *p)
{
    int ends[2];
    struct err err;
    p->rig = device_rig_new(test_dir());
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    p->bus = ends[0];
    assert_true(hid_gadget_of_fd(&p->gadget, ends[1], &p->rig->device, &err));
    hid_gadget_start(p->gadget);
}
#define PLUGGED(p)                                                                                 \
    AUTO(unplug) struct plugged p = { 0 };                                                         \
    plug(&p)

static void run(struct plugged *p)
{
    struct err err;
    for (int i = 0; i < 8; i++)
        assert_true(loop_step(p->rig->loop, 0, &err));
}

static void report(struct plugged *p, struct bytes content)
{
    assert_int_equal(send(p->bus, content.ptr, content.len, MSG_NOSIGNAL), content.len);
}

// One reply: false if none comes.
static bool fetch(struct plugged *p, struct bytes *out)
{
    for (int idle = 0; idle < 50;) {
        uint8_t packet[100];
        struct err err;
        const ssize_t n = recv(p->bus, packet, sizeof packet, 0);
        if (n < 0) {
            assert_int_equal(errno, EAGAIN);
            rig_pass(p->rig, 10);
            idle++;
            continue;
        }
        assert_int_equal(n, PACKET_LEN); // exactly
        const enum frame_event event = host_feed(&p->end, bytes_of(packet, (size_t)n), out, &err);
        assert_int_not_equal(event, FRAME_BAD);
        if (event == FRAME_COMPLETE)
            return true;
    }
    return false;
}

static void ask_bytes(struct plugged *p, struct bytes message)
{
    struct writer packets = writer_growing(test_arena(), 1u << 16);
    assert_true(host_send(&p->end, &packets, message, test_arena()));
    for (size_t at = 0; at < packets.len; at += PACKET_LEN) {
        report(p, bytes_slice(writer_bytes(&packets), at, PACKET_LEN));
        run(p);
    }
}

static struct reply ask(struct plugged *p, const struct request *request)
{
    struct writer message = writer_growing(test_arena(), REQUEST_MAX);
    struct bytes answer;
    struct reply reply;
    struct err err;
    request_pack(&message, request);
    ask_bytes(p, writer_bytes(&message));
    assert_true(fetch(p, &answer));
    assert_true(reply_unpack(&reply, answer, &err));
    return reply;
}

static void start_session(struct plugged *p, uint32_t version)
{
    AUTO(seckey_wipe) struct seckey own = { 0 };
    struct err err;
    seckey_generate(&own);
    const struct request ncry = { .id = REQUEST_NCRY,
                                  .ncry = { .version = version, .client = link_public(&own) } };
    const struct reply reply = ask(p, &ncry);
    assert_int_equal(reply.id, REPLY_MYPB);
    assert_true(link_open(&p->end.link, &own, &reply.mypb.device, version, &err));
}

static void sign_over_usb(uint32_t version)
{
    PLUGGED(p);
    start_session(&p, version);
    const struct bytes psbt = rig_payment(p.rig, 5000);
    for (size_t at = 0; at < psbt.len; at += BLOCK_MAX) {
        const struct request upld = { .id = REQUEST_UPLD,
                                      .upld = { (uint32_t)at, (uint32_t)psbt.len,
                                                bytes_slice(psbt, at, BLOCK_MAX) } };
        assert_int_equal(ask(&p, &upld).number[0], at);
    }
    const struct request stxn = { .id = REQUEST_STXN,
                                  .stxn = { .length = (uint32_t)psbt.len, .sha = sha256(psbt) } };
    assert_int_equal(ask(&p, &stxn).id, REPLY_OKAY);
    rig_run(p.rig);
    rig_keys(p.rig, "y");
    rig_run(p.rig);
    const struct request stok = { .id = REQUEST_STOK };
    const struct reply strx = ask(&p, &stok);
    assert_int_equal(strx.id, REPLY_STRX);
    assert_true(strx.strx.length > psbt.len);
    const struct request dwld = { .id = REQUEST_DWLD, .dwld = { 0, strx.strx.length, 1 } };
    const struct reply got = ask(&p, &dwld);
    assert_int_equal(got.id, REPLY_BINY);
    const struct hash256 sha = sha256(got.data);
    assert_memory_equal(sha.b, strx.strx.sha.b, sizeof sha.b);
}

TEST(whole_dialogue_version_1)
{
    sign_over_usb(LINK_V1);
}

TEST(whole_dialogue_version_2)
{
    sign_over_usb(LINK_V2);
}

TEST(wire_15_11_longest_request_in_33_reports)
{
    PLUGGED(p);
    uint8_t message[REQUEST_MAX];
    struct bytes answer;
    memset(message, 'x', sizeof message);
    memcpy(message, "ping", 4);
    ask_bytes(&p, bytes_of(message, sizeof message));
    assert_true(fetch(&p, &answer));
    assert_bytes_equal(bytes_slice(answer, 4, SIZE_MAX), bytes_of(message + 4, REQUEST_MAX - 4));
}

// wire-protocol.md 2.5: one client resyncs with a report of one byte.
TEST(short_reports_are_answered)
{
    PLUGGED(p);
    struct bytes answer;
    uint8_t packet[100];
    report(&p, test_hex("80"));
    run(&p);
    assert_int_equal(recv(p.bus, packet, sizeof packet, 0), PACKET_LEN);
    assert_memory_equal(packet,
                        "\x89"
                        "framshort",
                        10);
    ask_bytes(&p, BYTES("blkc"));
    assert_true(fetch(&p, &answer));
    assert_bytes_text(answer, "asciXTN");
}

// "On USB there is one peer, hence one session": and the socket's peers are others.
TEST(a_peer_of_its_own)
{
    PLUGGED(p);
    const struct request vers = { .id = REQUEST_VERS };
    start_session(&p, LINK_V1);
    struct rig_host *host = rig_host_linked(p.rig);
    rig_upload(host, BYTES("psbt\xff"));
    const struct request sha2 = { .id = REQUEST_SHA2 };
    const struct reply reply = ask(&p, &sha2);
    const struct hash256 nothing = sha256(BYTES(""));
    assert_bytes_equal(reply.data, BYTES_OF(nothing.b));
    assert_int_equal(rig_ask(host, REQUEST_VERS).id, REPLY_ASCI);
    assert_int_equal(ask(&p, &vers).id, REPLY_ASCI);
}

// A locked signer says nothing, and does not answer later either.
TEST(wire_15_7_nothing_is_served_while_locked)
{
    PLUGGED(p);
    struct bytes answer;
    hid_gadget_stop(p.gadget);
    ask_bytes(&p, BYTES("blkc"));
    assert_false(fetch(&p, &answer));
    struct writer packets = writer_growing(test_arena(), 1000);
    frame_cut(&packets, BYTES("ping"), false);
    report(&p, writer_bytes(&packets)); // not yet taken off the queue when it unlocks
    hid_gadget_start(p.gadget);
    run(&p);
    host_end_wipe(&p.end);
    ask_bytes(&p, BYTES("blkc"));
    assert_true(fetch(&p, &answer));
    assert_bytes_text(answer, "asciXTN");
}

// Nobody reads: the reply is dropped after a second, and the device serves on.
TEST(wire_15_5_a_host_that_does_not_read)
{
    PLUGGED(p);
    uint8_t message[REQUEST_MAX];
    memset(message, 'x', sizeof message);
    memcpy(message, "ping", 4);
    struct writer packets = writer_growing(test_arena(), 1u << 16);
    frame_cut(&packets, bytes_of(message, sizeof message), false);
    for (int i = 0; i < 40; i++) { // more than the queue holds
        for (size_t at = 0; at < packets.len; at += PACKET_LEN) {
            report(&p, bytes_slice(writer_bytes(&packets), at, PACKET_LEN));
            run(&p);
        }
    }
    rig_pass(p.rig, 2000);
    run(&p);
    uint8_t packet[100];
    while (recv(p.bus, packet, sizeof packet, 0) > 0)
        continue;
    rig_pass(p.rig, 2000);
    assert_true(recv(p.bus, packet, sizeof packet, 0) < 0); // nothing of it comes later
    struct bytes answer;
    ask_bytes(&p, BYTES("blkc"));
    assert_true(fetch(&p, &answer));
    assert_bytes_text(answer, "asciXTN");
}

// The cable is pulled: no busy loop, no end; a host on the socket is served.
TEST(unplugged_host)
{
    PLUGGED(p);
    struct err err;
    start_session(&p, LINK_V1);
    close(p.bus);
    p.bus = -1;
    run(&p);
    for (int i = 0; i < 5; i++) {
        rig_pass(p.rig, 1500); // it is tried again, each second
        assert_true(loop_step(p.rig->loop, 0, &err));
    }
    assert_int_equal(rig_ask(rig_host_linked(p.rig), REQUEST_VERS).id, REPLY_ASCI);
}

TEST(a_node_that_is_none)
{
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_new(test_dir());
    struct hid_gadget *gadget;
    struct err err;
    char path[200], text[300];
    snprintf(path, sizeof path, "%s/hidg0", test_dir());
    assert_false(hid_gadget_open(&gadget, path, &rig->device, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    close(creat(path, 0600));
    assert_false(hid_gadget_open(&gadget, path, &rig->device, &err));
    snprintf(text, sizeof text, "%s: not a device", path);
    assert_err(&err, ERR_INVALID, text);
    hid_gadget_start(NULL);
    hid_gadget_stop(NULL);
    hid_gadget_close(NULL);
}
