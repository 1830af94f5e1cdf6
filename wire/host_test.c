#include "wire/host.h"
#include "tests/support/wire_session.h"

static struct host_end open_host(void)
{
    struct host_end end = { 0 };
    struct err err;
    const struct seckey own = session_seckey("client_seckey");
    const struct pubkey64 device = session_public("device_public");
    assert_true(link_open(&end.link, &own, &device, LINK_V1, &err));
    return end;
}

static enum frame_event feed_all(struct host_end *end, struct bytes packets, struct bytes *out,
                                 struct err *err)
{
    enum frame_event event = FRAME_MORE;
    for (size_t at = 0; at < packets.len; at += PACKET_LEN) {
        assert_int_equal(event, FRAME_MORE);
        event = host_feed(end, bytes_slice(packets, at, PACKET_LEN), out, err);
    }
    return event;
}

static struct bytes send(struct host_end *end, const char *request)
{
    struct writer w = writer_growing(test_arena(), 1 << 16);
    assert_true(host_send(end, &w, bytes_of_text(request), test_arena()));
    return writer_bytes(&w);
}

static struct bytes plain_packets(const char *reply)
{
    struct writer w = writer_growing(test_arena(), 1 << 16);
    frame_cut(&w, bytes_of_text(reply), false);
    return writer_bytes(&w);
}

// The worked session, byte for byte, as the client sees it. The plaintext `blkc` in its middle is
// one that our client would encrypt: it goes out without the end.
TEST(wire_15_22_23_client_side_of_13_1)
{
    AUTO(host_end_wipe) struct host_end end = { 0 };
    const struct json *exchanges = json_need(session(), "exchanges");
    for (const struct json *x = exchanges->items; x != NULL; x = x->next) {
        struct writer w = writer_growing(test_arena(), 1 << 16);
        struct bytes reply;
        struct err err;
        const bool encrypted = json_need(x, "encrypted")->type == JSON_TRUE;
        if (!encrypted && x != exchanges->items) {
            assert_true(
                link_cut(&end.link, LINK_TO_DEVICE, &w, json_need_hex(x, "request"), false));
            end.in = frame_reply_start(test_arena());
            end.sent_encrypted = false;
        } else {
            assert_true(host_send(&end, &w, json_need_hex(x, "request"), test_arena()));
        }
        assert_bytes_equal(writer_bytes(&w), session_packets(x, "to_device"));
        assert_int_equal(feed_all(&end, session_packets(x, "to_host"), &reply, &err),
                         FRAME_COMPLETE);
        assert_bytes_equal(reply, json_need_hex(x, "reply"));
        if (x == exchanges->items) {
            const struct seckey own = session_seckey("client_seckey");
            const struct pubkey64 device = session_public("device_public");
            assert_bytes_equal(bytes_slice(reply, 4, 64), BYTES_OF(device.b));
            assert_true(link_open(&end.link, &own, &device, LINK_V1, &err));
        }
    }
}

TEST(wire_15_76_everything_but_ncry_is_encrypted)
{
    AUTO(host_end_wipe) struct host_end end = open_host();
    assert_int_equal(send(&end, "vers").ptr[0], 0xc4);
    assert_int_equal(send(&end, "ncry").ptr[0], 0x84);
    struct host_end plain = { 0 };
    assert_int_equal(send(&plain, "vers").ptr[0], 0x84);
}

TEST(wire_15_76_a_plaintext_reply_to_an_encrypted_request_is_an_error)
{
    AUTO(host_end_wipe) struct host_end end = open_host();
    struct bytes reply;
    struct err err;
    (void)send(&end, "vers");
    assert_int_equal(feed_all(&end, plain_packets("okay"), &reply, &err), FRAME_BAD);
    assert_err(&err, ERR_FRAMING, "reply in plaintext to an encrypted request");
    assert_false(link_is_open(&end.link));
}

TEST(wire_15_76_unless_it_is_fram_which_closes_the_session)
{
    AUTO(host_end_wipe) struct host_end end = open_host();
    struct bytes reply;
    struct err err;
    (void)send(&end, "vers");
    assert_int_equal(feed_all(&end, plain_packets("framno key"), &reply, &err), FRAME_COMPLETE);
    assert_bytes_text(reply, "framno key");
    assert_false(link_is_open(&end.link));
}

TEST(wire_2_4_an_encrypted_fram_leaves_the_session_open)
{
    AUTO(host_end_wipe) struct host_end end = open_host(), device = open_host();
    struct writer w = writer_growing(test_arena(), 1000);
    struct bytes reply;
    struct err err;
    (void)send(&end, "ncry");
    (void)send(&end, "vers");
    assert_true(link_cut(&device.link, LINK_TO_HOST, &w, BYTES("framdecode"), true));
    assert_int_equal(feed_all(&end, writer_bytes(&w), &reply, &err), FRAME_COMPLETE);
    assert_bytes_text(reply, "framdecode");
    assert_true(link_is_open(&end.link));
}

TEST(wire_an_encrypted_reply_that_nobody_asked_for)
{
    AUTO(host_end_wipe) struct host_end end = { 0 };
    struct writer w = writer_growing(test_arena(), 1000);
    struct bytes reply;
    struct err err;
    (void)send(&end, "vers");
    frame_cut(&w, BYTES("okay"), true);
    assert_int_equal(feed_all(&end, writer_bytes(&w), &reply, &err), FRAME_BAD);
    assert_err(&err, ERR_FRAMING, "encrypted reply to a plaintext request");
    assert_int_equal(feed_all(&end, plain_packets("okay"), &reply, &err), FRAME_BAD);
    assert_err(&err, ERR_FRAMING, "reply without a request");
}

TEST(wire_15_77_old_framing_error_through_the_end)
{
    AUTO(host_end_wipe) struct host_end end = open_host();
    uint8_t packet[PACKET_LEN];
    struct bytes reply;
    struct err err;
    memset(packet, ' ', sizeof packet);
    packet[0] = 0x3f;
    memcpy(packet + 1, "framno key", 10);
    (void)send(&end, "vers");
    assert_int_equal(host_feed(&end, BYTES_OF(packet), &reply, &err), FRAME_COMPLETE);
    assert_true(bytes_starts_with(reply, BYTES("framno key")));
}

TEST(wire_a_writer_without_room_sends_nothing)
{
    AUTO(host_end_wipe) struct host_end end = open_host();
    uint8_t mem[PACKET_LEN - 1];
    struct writer w = writer_of(mem, sizeof mem);
    assert_false(host_send(&end, &w, BYTES("vers"), test_arena()));
    const struct bytes packets = send(&end, "vers");
    assert_bytes_equal(bytes_slice(packets, 0, 5), test_hex("c4 4bbb9adc")); // stream still at 0
}
