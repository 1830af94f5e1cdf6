#include "wire/device.h"
#include "tests/support/wire_session.h"

static struct bytes packets_of(struct link *link, struct bytes message, bool encrypted)
{
    struct writer w = writer_growing(test_arena(), 1 << 16);
    assert_true(link_cut(link, LINK_TO_DEVICE, &w, message, encrypted));
    return writer_bytes(&w);
}

static struct device_input feed_all(struct device_end *end, struct bytes packets, bool bound,
                                    struct err *err)
{
    struct device_input in = { 0 };
    for (size_t at = 0; at < packets.len; at += PACKET_LEN) {
        assert_int_equal(in.event, DEVICE_NOTHING);
        in = device_feed(end, bytes_slice(packets, at, PACKET_LEN), bound, err);
    }
    return in;
}

// A device with the keys of 13.1, and the client's view of the same link.
static struct device_end open_device(struct link *client, uint32_t version)
{
    struct device_end end = { 0 };
    struct err err;
    const struct seckey device = session_seckey("device_seckey");
    const struct seckey own = session_seckey("client_seckey");
    const struct pubkey64 client_public = session_public("client_public");
    const struct pubkey64 device_public = session_public("device_public");
    assert_true(link_accept(&end.link, version, &client_public, false, &device, &err));
    assert_true(link_open(client, &own, &device_public, version, &err));
    return end;
}

static void assert_bad(struct device_end *end, struct bytes packets, bool bound, const char *reason,
                       bool encrypted)
{
    struct err err;
    const struct device_input in = feed_all(end, packets, bound, &err);
    assert_int_equal(in.event, DEVICE_BAD_FRAMING);
    assert_err(&err, ERR_FRAMING, reason);
    assert_int_equal(in.encrypted, encrypted);
    assert_int_equal(end->in.len, 0); // "A framing error also drops the partial message"
}

// The worked session, byte for byte, as the device sees it.
TEST(wire_15_22_23_device_side_of_13_1)
{
    AUTO(device_end_wipe) struct device_end end = { 0 };
    const struct seckey own = session_seckey("device_seckey");
    const struct json *exchanges = json_need(session(), "exchanges");
    for (const struct json *x = exchanges->items; x != NULL; x = x->next) {
        struct err err;
        const struct device_input in = feed_all(&end, session_packets(x, "to_device"), false, &err);
        assert_int_equal(in.event, DEVICE_REQUEST);
        assert_int_equal(in.encrypted, json_need(x, "encrypted")->type == JSON_TRUE);
        assert_bytes_equal(in.message, json_need_hex(x, "request"));
        if (x == exchanges->items) {
            const struct pubkey64 client = session_public("client_public");
            assert_true(link_accept(&end.link, LINK_V1, &client, false, &own, &err));
        }
        struct writer w = writer_growing(test_arena(), 1 << 16);
        assert_true(device_reply(&end, &w, json_need_hex(x, "reply"), in.encrypted));
        assert_bytes_equal(writer_bytes(&w), session_packets(x, "to_host"));
        device_request_done(&end);
    }
}

TEST(wire_2_5_resync_keeps_the_session)
{
    AUTO(link_wipe) struct link client = { 0 };
    AUTO(device_end_wipe) struct device_end end = open_device(&client, LINK_V2);
    struct writer w = writer_growing(test_arena(), 1000);
    struct err err;
    frame_cut_resync(&w);
    assert_int_equal(device_feed(&end, writer_bytes(&w), true, &err).event, DEVICE_RESYNC);
    const struct device_input in =
        feed_all(&end, packets_of(&client, BYTES("vers"), true), true, &err);
    assert_int_equal(in.event, DEVICE_REQUEST);
    assert_bytes_text(in.message, "vers");
}

TEST(wire_15_14_a_code_that_is_not_utf8)
{
    AUTO(link_wipe) struct link client = { 0 };
    AUTO(device_end_wipe) struct device_end end = open_device(&client, LINK_V1);
    const struct bytes code = test_hex("ff fe fd fc");
    assert_bad(&end, packets_of(&client, code, false), false, "decode", false);
    // "For errors raised after decryption [...] the reply is encrypted iff the request was."
    assert_bad(&end, packets_of(&client, code, true), false, "decode", true);
    assert_bad(&end, packets_of(&client, test_hex("61 62 63 c3 a9"), true), false, "decode", true);
    struct err err;
    const struct device_input in =
        feed_all(&end, packets_of(&client, test_hex("c3a9 c3a9 ff"), true), false, &err);
    assert_int_equal(in.event,
                     DEVICE_REQUEST); // UTF-8, though no code; arguments are not looked at
}

TEST(wire_15_15_encrypted_without_a_session_is_no_key)
{
    struct device_end end = { 0 };
    AUTO(link_wipe) struct link client = { 0 };
    const struct seckey own = session_seckey("client_seckey");
    const struct pubkey64 device = session_public("device_public");
    struct err err;
    assert_true(link_open(&client, &own, &device, LINK_V1, &err));
    assert_bad(&end, packets_of(&client, BYTES("vers"), true), false, "no key", false);
    assert_bad(&end, packets_of(&client, BYTES("vers"), true), true, "no key", false);
}

TEST(wire_15_17_pieces_of_two_peers_are_not_joined)
{
    struct device_end a = { 0 }, b = { 0 };
    struct err err;
    uint8_t packet[PACKET_LEN] = { 0x02, 'v', 'e' };
    assert_int_equal(device_feed(&a, BYTES_OF(packet), false, &err).event, DEVICE_NOTHING);
    memcpy(packet, "\x82rs", 3);
    assert_bad(&b, BYTES_OF(packet), false, "badsz", false);
    const struct device_input in = device_feed(&a, BYTES_OF(packet), false, &err);
    assert_int_equal(in.event, DEVICE_REQUEST);
    assert_bytes_text(in.message, "vers");
}

// 2.4: "one stray plaintext runt from another process (`83 61 62 63`)". Even from the same peer it
// moves no keystream.
TEST(wire_15_18_a_runt_does_not_desynchronise)
{
    AUTO(link_wipe) struct link client = { 0 };
    AUTO(device_end_wipe) struct device_end end = open_device(&client, LINK_V1);
    struct err err;
    uint8_t runt[PACKET_LEN] = { 0x83, 'a', 'b', 'c' };
    uint8_t locked_runt[PACKET_LEN] = { 0xc3, 'a', 'b', 'c' };
    (void)feed_all(&end, packets_of(&client, BYTES("vers"), true), false, &err);
    assert_bad(&end, BYTES_OF(runt), false, "badsz", false);
    assert_bad(&end, BYTES_OF(locked_runt), false, "badsz", false);
    assert_bad(&end, bytes_of(runt, 10), false, "short", false);
    const struct device_input in =
        feed_all(&end, packets_of(&client, BYTES("blkc"), true), false, &err);
    assert_int_equal(in.event, DEVICE_REQUEST);
    assert_bytes_text(in.message, "blkc");
}

TEST(wire_15_25_bound_link)
{
    AUTO(link_wipe) struct link client = { 0 };
    AUTO(device_end_wipe) struct device_end end = open_device(&client, LINK_V2);
    struct device_end other = { 0 };
    struct err err;
    const struct seckey own = session_seckey("device_seckey");
    const struct pubkey64 key = session_public("client_public");
    assert_bad(&end, packets_of(&client, BYTES("vers"), false), true, "must encrypt", false);
    assert_bad(&end, packets_of(&client, BYTES("ncry"), false), true, "must encrypt", false);
    // 4.3: what another peer gets
    assert_bad(&other, packets_of(&client, BYTES("vers"), false), true, "must encrypt", false);
    assert_bad(&other, packets_of(&client, BYTES("ncry...."), false), true, "crypto already set up",
               false);
    // a further `ncry`, encrypted: the request arrives, link_accept refuses it, the session goes on
    struct device_input in = feed_all(&end, packets_of(&client, BYTES("ncry"), true), true, &err);
    assert_int_equal(in.event, DEVICE_REQUEST);
    assert_true(in.encrypted);
    assert_false(link_accept(&end.link, LINK_V1, &key, true, &own, &err));
    assert_err(&err, ERR_FRAMING, "crypto already set up");
    in = feed_all(&end, packets_of(&client, BYTES("vers"), true), true, &err);
    assert_bytes_text(in.message, "vers");
}

// 4.4: "its `mypb` comes back encrypted under the new key".
TEST(wire_4_4_an_encrypted_ncry_is_answered_under_the_new_key)
{
    AUTO(link_wipe) struct link client = { 0 };
    AUTO(device_end_wipe) struct device_end end = open_device(&client, LINK_V1);
    AUTO(link_wipe) struct link fresh = { 0 };
    struct err err;
    const struct seckey device = session_seckey("master_seckey");
    const struct seckey own = session_seckey("client_seckey");
    const struct pubkey64 key = session_public("client_public");
    const struct pubkey64 device_public = link_public(&device);
    const struct device_input in =
        feed_all(&end, packets_of(&client, BYTES("ncry"), true), false, &err);
    assert_true(link_accept(&end.link, LINK_V1, &key, false, &device, &err));
    struct writer w = writer_growing(test_arena(), 1000);
    assert_true(device_reply(&end, &w, BYTES("mypb"), in.encrypted));
    assert_true(link_open(&fresh, &own, &device_public, LINK_V1, &err));
    link_apply(&fresh, LINK_TO_HOST, w.ptr + 1, 4);
    assert_bytes_text(bytes_of(w.ptr + 1, 4), "mypb");
}

TEST(wire_15_11_a_ping_of_2060_bytes_is_echoed_encrypted)
{
    AUTO(link_wipe) struct link client = { 0 };
    AUTO(device_end_wipe) struct device_end end = open_device(&client, LINK_V1);
    struct err err;
    uint8_t ping[REQUEST_MAX] = "ping";
    for (size_t i = 4; i < sizeof ping; i++)
        ping[i] = (uint8_t)(i * 31);
    const struct device_input in =
        feed_all(&end, packets_of(&client, BYTES_OF(ping), true), false, &err);
    assert_int_equal(in.event, DEVICE_REQUEST);
    assert_bytes_equal(in.message, BYTES_OF(ping));
}

TEST(wire_request_is_wiped_when_done)
{
    struct device_end end = { 0 };
    struct err err;
    uint8_t packet[PACKET_LEN] = { 0x88, 'p', 'a', 's', 's', 'h', 'u', 's', 'h' };
    const struct device_input in = device_feed(&end, BYTES_OF(packet), false, &err);
    assert_bytes_text(in.message, "passhush");
    device_request_done(&end);
    for (size_t i = 0; i < sizeof end.in.b; i++)
        assert_int_equal(end.in.b[i], 0);
}
