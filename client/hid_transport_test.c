#include "client/hid_transport.h"
#include "client/discover.h"
#include "client/fake_hidapi.h"
#include "client/test_peer.h"
#include "client/transfer.h"
#include "crypto/hash.h"
#include "wire/link.h"
#include <fcntl.h>
#include <sys/file.h>

// A device's node: a file, as the connection locks it.
static const char *node(const char *name)
{
    const char *path = test_path(name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    return path;
}

static void detach(int *unused)
{
    (void)unused;
    fake_hid_detach_all();
}
#define ON_A_BUS __attribute__((cleanup(detach), unused)) int bus = 0

static struct fake_hid *plug(const char *name, const char *serial)
{
    const struct fake_hid fake = { .path = node(name),
                                   .serial = serial,
                                   .socket = test_path("fake-1.sock") };
    return fake_hid_attach(&fake);
}

static bool open_usb(struct connection **out, const char *serial, uint32_t ncry, struct err *err)
{
    const struct connection_options options = { .usb = { .serial = serial },
                                                .ncry = ncry,
                                                .reply_ms = SHORT_MS };
    return connection_open(out, &options, err);
}

TEST(list_by_serial_each_device_once)
{
    ON_A_BUS;
    const struct fake_hid foreign = { .path = "/dev/x", .serial = "1", .is_foreign = true };
    struct hid_list list;
    struct err err;
    assert_true(hid_list_read(&list, test_arena(), &err));
    assert_int_equal(list.n, 0);
    plug("b", "BBBB00000002");
    fake_hid_attach(&foreign);
    plug("a", "AAAA00000001");
    plug("none", NULL); // a device that tells no serial number
    assert_true(hid_list_read(&list, test_arena(), &err));
    assert_int_equal(list.n, 3);
    assert_string_equal(list.items[0].serial, "");
    assert_string_equal(list.items[1].serial, "AAAA00000001");
    assert_string_equal(list.items[1].path, test_path("a"));
    assert_string_equal(list.items[1].manufacturer, "Coinkite");
    assert_string_equal(list.items[1].product, "Coldcard Wallet");
    assert_int_equal(list.items[1].interface_number, 3);
    assert_int_equal(list.items[1].release, 0x0202);
    assert_int_equal(list.items[1].usage_page, 0x10cc);
    assert_string_equal(list.items[2].serial, "BBBB00000002");
}

TEST(discovery_names_usb_devices)
{
    ON_A_BUS;
    struct discovery found = { .n = 0 };
    struct err err;
    plug("a", "AAAA00000001");
    assert_true(discover_usb(&found, test_arena(), &err));
    assert_int_equal(found.n, 1);
    assert_string_equal(found.items[0].transport, "usb");
    assert_string_equal(found.items[0].product, "Coldcard Wallet");
    assert_string_equal(found.items[0].usb->manufacturer, "Coinkite");
}

TEST(no_device_or_another_serial)
{
    ON_A_BUS;
    struct connection *c;
    struct err err;
    assert_false(open_usb(&c, NULL, 0, &err));
    assert_err(&err, ERR_NOT_FOUND, "no Coldcard is attached");
    plug("a", "AAAA00000001");
    assert_false(open_usb(&c, "AAAA0000000", 0, &err)); // part of a number is none
    assert_err(&err, ERR_NOT_FOUND, "no Coldcard with the serial number AAAA0000000");
}

// Upload, start, poll and download over reports, with either version of the link's encryption.
static void whole_dialogue(uint32_t ncry)
{
    ON_A_BUS;
    const struct bytes result = BYTES("what was signed");
    FAKE_SIGNER(fake) = start_fake(NULL, 0, result);
    plug("a", "AAAA00000001");
    plug("b", "BBBB00000002");
    AUTO(connection_closep) struct connection *c = NULL;
    uint8_t psbt[5000];
    struct reply reply;
    struct bytes got;
    struct err err;
    memset(psbt, 7, sizeof psbt);
    assert_true(open_usb(&c, "BBBB00000002", ncry, &err));
    assert_string_equal(connection_identity(c)->transport, "usb");
    assert_string_equal(connection_identity(c)->serial, "BBBB00000002");
    assert_string_equal(connection_identity(c)->xpub, FAKE_XPUB);
    struct request start = { .id = REQUEST_STXN };
    assert_true(transfer_start(c, bytes_of(psbt, sizeof psbt), &start, NULL, &err));
    assert_true(transfer_wait(c, &reply, REQUEST_STOK, REPLY_STRX, 5000, test_arena(), NULL, &err));
    assert_true(transfer_download(c, &got, 1, &reply, test_arena(), NULL, &err));
    assert_bytes_equal(got, result);
    assert_true(fake_hid_writes_were_right());
    connection_closep(&c);
    assert_int_equal(fake_hid_opened(), 0);
    fake_signer_pause(fake);
    assert_bytes_equal(fake_signer_uploaded(fake), bytes_of(psbt, sizeof psbt));
}

TEST(wire_15_75_whole_dialogue_version_1)
{
    whole_dialogue(LINK_V1);
}

TEST(wire_15_75_whole_dialogue_version_2)
{
    whole_dialogue(LINK_V2);
}

// A reply longer than a request may be: wire-protocol.md 2.3.
TEST(wire_15_77_long_reply_over_reports)
{
    ON_A_BUS;
    uint8_t text[40006];
    memset(text, 'x', sizeof text);
    memcpy(text, "biny", 4);
    const struct fake_rule rule = { "ping", 0, FAKE_REPLY, { text, sizeof text } };
    FAKE_SIGNER(fake) = start_fake(&rule, 1, BYTES(""));
    plug("a", "AAAA00000001");
    AUTO(connection_closep) struct connection *c = NULL;
    const struct request ping = { .id = REQUEST_PING };
    struct reply reply;
    struct err err;
    assert_true(open_usb(&c, NULL, 0, &err));
    assert_true(connection_call(c, &reply, REPLY_BINY, &ping, test_arena(), &err));
    assert_int_equal(reply.data.len, sizeof text - 4);
}

// What a device refuses comes through with its text, and the session goes on.
TEST(errors_of_the_device_come_through)
{
    ON_A_BUS;
    const struct fake_rule rule = { "xpub", 0, FAKE_REPLY, BYTES_INIT("err_bad component: 01") };
    FAKE_SIGNER(fake) = start_fake(&rule, 1, BYTES(""));
    plug("a", "AAAA00000001");
    AUTO(connection_closep) struct connection *c = NULL;
    const struct request xpub = { .id = REQUEST_XPUB, .data = BYTES_INIT("m/01") };
    const struct request vers = { .id = REQUEST_VERS };
    struct reply reply;
    struct err err;
    assert_true(open_usb(&c, NULL, 0, &err));
    assert_false(connection_call(c, &reply, REPLY_ASCI, &xpub, NULL, &err));
    assert_err(&err, ERR_INVALID, "Coldcard Error: bad component: 01");
    assert_true(connection_exchange(c, &reply, &vers, NULL, &err));
}

// Faults of USB itself. nth counts from the opening: 1 resync, 2 and 3 the `ncry`; 3 reads for `mypb`.
static const struct {
    enum fake_hid_fault on_write, on_read;
    unsigned nth;
    enum err_code code;
    const char *text;
} faults[] = {
    { FAKE_HID_UNPLUG, 0, 4, ERR_NOT_FOUND, "Coldcard AAAA00000001: unplugged" },
    { 0, FAKE_HID_UNPLUG, 4, ERR_NOT_FOUND, "Coldcard AAAA00000001: unplugged" },
    { FAKE_HID_FAIL, 0, 4, ERR_IO, "Coldcard AAAA00000001: write: Input/output error" },
    { 0, FAKE_HID_FAIL, 4, ERR_IO, "Coldcard AAAA00000001: read: Input/output error" },
    { FAKE_HID_SHORT_WRITE, 0, 4, ERR_IO,
      "Coldcard AAAA00000001: 64 bytes of a report of 65 taken" },
    { 0, FAKE_HID_SHORT_READ, 4, ERR_FRAMING, "packet is not 64 bytes long" },
    { 0, FAKE_HID_LONG_READ, 4, ERR_FRAMING, "packet is not 64 bytes long" },
};

TEST(faults_end_the_session_with_their_reason)
{
    for (size_t i = 0; i < COUNT(faults); i++) {
        ON_A_BUS;
        FAKE_SIGNER(fake) = start_fake(NULL, 0, BYTES(""));
        AUTO(connection_closep) struct connection *c = NULL;
        const struct request vers = { .id = REQUEST_VERS };
        struct fake_hid *device = plug("a", "AAAA00000001");
        struct reply reply;
        struct err err;
        assert_true(open_usb(&c, NULL, 0, &err));
        device->on_write = faults[i].on_write;
        device->on_read = faults[i].on_read;
        device->nth = faults[i].nth;
        if (connection_exchange(c, &reply, &vers, NULL, &err))
            fail_msg("fault %zu did not happen", i);
        assert_err(&err, faults[i].code, faults[i].text);
        assert_false(connection_exchange(c, &reply, &vers, NULL, &err));
        assert_err(&err, ERR_FRAMING, "the session with the device is lost");
    }
}

TEST(the_rest_of_a_reply_never_comes)
{
    ON_A_BUS;
    const struct fake_rule rule = { "vers", 0, FAKE_HALF,
                                    BYTES_INIT("asci01234567890123456789012345"
                                               "67890123456789012345678901234567"
                                               "890123456789") };
    FAKE_SIGNER(fake) = start_fake(&rule, 1, BYTES(""));
    AUTO(connection_closep) struct connection *c = NULL;
    const struct request vers = { .id = REQUEST_VERS };
    struct reply reply;
    struct err err;
    plug("a", "AAAA00000001");
    assert_true(open_usb(&c, NULL, 0, &err));
    assert_false(connection_call(c, &reply, REPLY_ASCI, &vers, NULL, &err)); // the rest never comes
    assert_err(&err, ERR_TIMEOUT, "no reply from the device within 2 s");
}

TEST(cancelled_while_waiting)
{
    ON_A_BUS;
    const struct fake_rule rule = { "vers", 0, FAKE_SILENT, { 0 } };
    FAKE_SIGNER(fake) = start_fake(&rule, 1, BYTES(""));
    AUTO(connection_closep) struct connection *c = NULL;
    const struct request vers = { .id = REQUEST_VERS };
    struct reply reply;
    struct err err;
    int stop[2];
    assert_int_equal(pipe(stop), 0);
    plug("a", "AAAA00000001");
    const struct connection_options options = { .reply_ms = 60000, .cancel_fd = stop[0] };
    assert_true(connection_open(&c, &options, &err));
    assert_int_equal(write(stop[1], "x", 1), 1);
    assert_false(connection_call(c, &reply, REPLY_ASCI, &vers, NULL, &err));
    assert_err(&err, ERR_INTERRUPTED, "interrupted");
    close(stop[0]);
    close(stop[1]);
}

// cli.md 7.6 and 8, item 13: "on USB the second waits or exits 4".
TEST(cli_8_13_one_program_at_a_time)
{
    ON_A_BUS;
    FAKE_SIGNER(fake) = start_fake(NULL, 0, BYTES(""));
    plug("a", "AAAA00000001");
    plug("b", "BBBB00000002");
    AUTO(connection_closep) struct connection *first = NULL, *other = NULL;
    struct err err;
    assert_true(open_usb(&first, "AAAA00000001", 0, &err));
    assert_false(open_usb(&other, "AAAA00000001", 0, &err));
    assert_err(&err, ERR_BUSY, "Coldcard AAAA00000001: another program is using it");
    const struct connection_options patient = { .usb = { "AAAA00000001", 250 } };
    const int64_t start_ms = wait_now_ms();
    assert_false(connection_open(&other, &patient, &err));
    assert_int_equal(err.code, ERR_BUSY);
    assert_true(wait_now_ms() - start_ms >= 250);
    assert_true(open_usb(&other, "BBBB00000002", 0, &err)); // another device is another lock
    connection_closep(&other);
    connection_closep(&first);
    assert_true(open_usb(&other, "AAAA00000001", 0, &err));
}

TEST(a_device_that_cannot_be_opened)
{
    ON_A_BUS;
    struct connection *c;
    struct err err;
    struct fake_hid *device = plug("a", "AAAA00000001");
    device->is_closed = true;
    assert_false(open_usb(&c, NULL, 0, &err));
    assert_err(&err, ERR_IO, "Coldcard AAAA00000001: open: cannot be opened");
    device->path = test_path("no-such-node");
    assert_false(open_usb(&c, NULL, 0, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
}
