#include "wire/frame.h"
#include "tests/support/test.h"

static struct bytes packet_of(uint8_t framing, struct bytes payload)
{
    uint8_t *p = arena_alloc(test_arena(), PACKET_LEN);
    assert_non_null(p);
    assert_true(payload.len <= PACKET_PAYLOAD);
    memset(p, 0xa5, PACKET_LEN); // "Padding is undefined"
    p[0] = framing;
    if (payload.len > 0)
        memcpy(p + 1, payload.ptr, payload.len);
    return bytes_of(p, PACKET_LEN);
}

// `len` bytes of "ping", then counting.
static struct bytes ping_of(size_t len)
{
    uint8_t *p = arena_alloc(test_arena(), len);
    assert_non_null(p);
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)(i < 4 ? "ping"[i] : (int)(i * 7));
    return bytes_of(p, len);
}

static struct bytes cut(struct bytes message, bool encrypted)
{
    struct writer w = writer_growing(test_arena(), 4 << 20);
    struct bytes packets;
    frame_cut(&w, message, encrypted);
    assert_true(writer_finish(&w, &packets));
    assert_int_equal(packets.len % PACKET_LEN, 0);
    return packets;
}

static enum frame_event feed(struct frame_request *in, uint8_t framing, struct bytes payload)
{
    struct err err;
    return frame_request_feed(in, packet_of(framing, payload), &err);
}

static void assert_refused(struct frame_request *in, struct bytes packet, const char *reason)
{
    struct err err;
    assert_int_equal(frame_request_feed(in, packet, &err), FRAME_BAD);
    assert_err(&err, ERR_FRAMING, reason);
    assert_int_equal(in->len, 0);
}

TEST(wire_2_6_ping_of_70_bytes_is_two_packets)
{
    struct writer w = writer_growing(test_arena(), 1000);
    writer_text(&w, "ping");
    for (int i = 0; i < 70; i++)
        writer_u8(&w, 'A');
    const struct bytes packets = cut(writer_bytes(&w), false);
    struct writer expected = writer_growing(test_arena(), 1000);
    writer_put(&expected, test_hex("3f 70696e67"));
    for (int i = 0; i < 59; i++)
        writer_u8(&expected, 0x41);
    writer_u8(&expected, 0x8b);
    for (int i = 0; i < 63; i++)
        writer_u8(&expected, i < 11 ? 0x41 : 0);
    assert_bytes_equal(packets, writer_bytes(&expected));
}

TEST(wire_2_5_resync_packet)
{
    struct writer w = writer_growing(test_arena(), 1000);
    struct bytes packet;
    frame_cut_resync(&w);
    assert_true(writer_finish(&w, &packet));
    assert_int_equal(packet.len, PACKET_LEN);
    assert_int_equal(packet.ptr[0], 0x80);
    for (size_t i = 1; i < PACKET_LEN; i++)
        assert_int_equal(packet.ptr[i], 0xff);
}

// 2.3: "A reply whose length is a multiple of 63 ends with a full packet with L set".
TEST(wire_15_3_cut_lengths_flags_and_zero_padding)
{
    for (size_t len = 4; len <= 300; len++) {
        const struct bytes message = ping_of(len);
        for (int encrypted = 0; encrypted < 2; encrypted++) {
            const struct bytes packets = cut(message, encrypted);
            const size_t n = packets.len / PACKET_LEN;
            assert_int_equal(n, (len + 62) / 63);
            for (size_t i = 0; i < n; i++) {
                const struct bytes p = bytes_slice(packets, i * PACKET_LEN, PACKET_LEN);
                const struct bytes part = bytes_slice(message, i * 63, 63);
                const unsigned flags = i < n - 1 ? 0 : encrypted ? 0xc0 : 0x80;
                assert_int_equal(p.ptr[0], flags | part.len);
                assert_bytes_equal(bytes_slice(p, 1, part.len), part);
                for (size_t k = 1 + part.len; k < PACKET_LEN; k++)
                    assert_int_equal(p.ptr[k], 0);
            }
        }
    }
}

TEST(wire_cut_without_room_fails_the_writer)
{
    uint8_t mem[PACKET_LEN + PACKET_LEN - 1];
    struct writer w = writer_of(mem, sizeof mem);
    struct bytes out;
    frame_cut(&w, ping_of(64), false);
    assert_false(writer_finish(&w, &out));
}

// --- Device side ---

static const uint8_t resyncs[] = { 0x00, 0x40, 0x80, 0xc0 };

TEST(wire_15_9_packets_without_payload_are_resyncs)
{
    for (size_t i = 0; i < COUNT(resyncs); i++) {
        struct frame_request in = { 0 };
        assert_int_equal(feed(&in, resyncs[i], BYTES("")), FRAME_RESYNC);
        assert_int_equal(in.len, 0);
    }
}

TEST(wire_15_16_a_resync_forgets_the_partial_message)
{
    for (size_t i = 0; i < COUNT(resyncs); i++) {
        struct frame_request in = { 0 };
        assert_int_equal(feed(&in, 0x04, BYTES("sha2")), FRAME_MORE);
        assert_int_equal(feed(&in, resyncs[i], BYTES("")), FRAME_RESYNC);
        assert_int_equal(feed(&in, 0x84, BYTES("vers")), FRAME_COMPLETE);
        assert_bytes_text(bytes_of(in.b, in.len), "vers");
    }
}

TEST(wire_15_10_fewer_than_four_bytes_are_badsz)
{
    struct frame_request in = { 0 };
    assert_refused(&in, packet_of(0x81, BYTES("a")), "badsz");
    assert_refused(&in, packet_of(0xc2, BYTES("ab")), "badsz"); // the length is looked at first
    assert_refused(&in, packet_of(0x83, BYTES("abc")), "badsz");
    assert_int_equal(feed(&in, 0x84, BYTES("abcd")), FRAME_COMPLETE);
    assert_int_equal(feed(&in, 0x03, BYTES("abc")), FRAME_MORE); // three so far is not an error
    assert_int_equal(feed(&in, 0x81, BYTES("d")), FRAME_COMPLETE);
}

TEST(wire_15_11_2060_bytes_are_taken_and_2061_are_xlong)
{
    struct frame_request in = { 0 };
    struct err err;
    const struct bytes good = cut(ping_of(REQUEST_MAX), false);
    assert_int_equal(good.len / PACKET_LEN, 33);
    for (size_t i = 0; i < 33; i++)
        assert_int_equal(
            frame_request_feed(&in, bytes_slice(good, i * PACKET_LEN, PACKET_LEN), &err),
            i < 32 ? FRAME_MORE : FRAME_COMPLETE);
    assert_bytes_equal(bytes_of(in.b, in.len), ping_of(REQUEST_MAX));

    const struct bytes bad = cut(ping_of(REQUEST_MAX + 1), false);
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(
            frame_request_feed(&in, bytes_slice(bad, i * PACKET_LEN, PACKET_LEN), &err),
            FRAME_MORE);
    assert_refused(&in, bytes_slice(bad, 32 * PACKET_LEN, PACKET_LEN), "xlong");
}

// 2.2 check 1: "that packet is thrown away and the next packet starts a new message".
TEST(wire_2_2_the_packet_after_xlong_starts_a_message)
{
    struct frame_request in = { 0 };
    const struct bytes full = ping_of(63);
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(feed(&in, 0x3f, full), FRAME_MORE);
    assert_refused(&in, packet_of(0x3f, full), "xlong");
    assert_int_equal(feed(&in, 0x02, BYTES("ve")), FRAME_MORE);
    assert_int_equal(feed(&in, 0x82, BYTES("rs")), FRAME_COMPLETE);
    assert_bytes_text(bytes_of(in.b, in.len), "vers");
}

TEST(wire_15_12_short_packets_in_the_middle)
{
    struct frame_request in = { 0 };
    assert_int_equal(feed(&in, 0x02, BYTES("bl")), FRAME_MORE);
    assert_int_equal(feed(&in, 0x82, BYTES("kc")), FRAME_COMPLETE);
    assert_bytes_text(bytes_of(in.b, in.len), "blkc");
    assert_false(in.encrypted);
}

TEST(wire_15_13_the_encrypted_flag_counts_on_the_last_packet_only)
{
    struct frame_request in = { 0 };
    assert_int_equal(feed(&in, 0x42, BYTES("bl")), FRAME_MORE);
    assert_int_equal(feed(&in, 0x82, BYTES("kc")), FRAME_COMPLETE);
    assert_false(in.encrypted);
    assert_int_equal(feed(&in, 0x02, BYTES("bl")), FRAME_MORE);
    assert_int_equal(feed(&in, 0xc2, BYTES("kc")), FRAME_COMPLETE);
    assert_true(in.encrypted);
}

TEST(wire_15_6_packets_of_another_size)
{
    static const struct {
        size_t len;
        const char *reason;
    } cases[] = { { 0, "short" },  { 1, "short" }, { 10, "short" },
                  { 63, "short" }, { 65, "long" }, { 128, "long" } };
    const uint8_t mem[128] = { 0x84, 'v', 'e', 'r', 's' };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct frame_request in = { 0 };
        assert_int_equal(feed(&in, 0x02, BYTES("bl")), FRAME_MORE);
        // "A framing error also drops the partial message"
        assert_refused(&in, bytes_of(mem, cases[i].len), cases[i].reason);
        assert_int_equal(feed(&in, 0x84, BYTES("vers")), FRAME_COMPLETE);
        assert_bytes_text(bytes_of(in.b, in.len), "vers");
    }
}

TEST(wire_a_finished_message_is_wiped_before_the_next)
{
    struct frame_request in = { 0 };
    assert_int_equal(feed(&in, 0x8e, BYTES("passhorse tail")), FRAME_COMPLETE);
    assert_int_equal(feed(&in, 0x04, BYTES("vers")), FRAME_MORE);
    for (size_t i = 4; i < sizeof in.b; i++)
        assert_int_equal(in.b[i], 0);
}

// --- Client side ---

// Feeds all packets; only the last may complete.
static struct bytes collect(struct frame_reply *in, struct bytes packets)
{
    struct err err;
    for (size_t at = 0; at < packets.len; at += PACKET_LEN) {
        const enum frame_event event =
            frame_reply_feed(in, bytes_slice(packets, at, PACKET_LEN), &err);
        assert_int_equal(event, at + PACKET_LEN == packets.len ? FRAME_COMPLETE : FRAME_MORE);
    }
    return writer_bytes(&in->content);
}

TEST(wire_15_19_77_replies_of_any_length_up_to_the_cap)
{
    static const size_t lengths[] = { 4, 62, 63, 64, 126, 127, 2060, 2061, 40006, REPLY_MAX };
    for (size_t i = 0; i < COUNT(lengths); i++) {
        const struct bytes message = ping_of(lengths[i]);
        struct frame_reply in = frame_reply_start(test_arena());
        assert_bytes_equal(collect(&in, cut(message, i % 2)), message);
        assert_int_equal(in.encrypted, i % 2);
    }
}

TEST(wire_15_77_one_byte_past_the_cap_is_refused)
{
    const struct bytes packets = cut(ping_of(REPLY_MAX + 1), false);
    struct frame_reply in = frame_reply_start(test_arena());
    struct err err;
    size_t at = 0;
    while (at + PACKET_LEN < packets.len) {
        assert_int_equal(frame_reply_feed(&in, bytes_slice(packets, at, PACKET_LEN), &err),
                         FRAME_MORE);
        at += PACKET_LEN;
    }
    assert_int_equal(frame_reply_feed(&in, bytes_slice(packets, at, PACKET_LEN), &err), FRAME_BAD);
    assert_err(&err, ERR_LIMIT, "reply longer than 1048576 bytes");
}

TEST(wire_15_77_fram_without_the_last_flag)
{
    static const char padded[] = "frambadsz                                                      ";
    assert_int_equal(sizeof padded - 1, 63);
    struct frame_reply in = frame_reply_start(test_arena());
    struct err err;
    assert_int_equal(frame_reply_feed(&in, packet_of(0x3f, bytes_of_text(padded)), &err),
                     FRAME_COMPLETE);
    assert_bytes_text(writer_bytes(&in.content), padded);
    assert_false(in.encrypted);
}

// What looks like it but is not: ciphertext, and a later packet.
TEST(wire_15_77_only_a_first_printable_packet_is_an_old_framing_error)
{
    struct bytes cipher = ping_of(63);
    uint8_t *b = arena_alloc(test_arena(), 63);
    assert_non_null(b);
    memcpy(b, cipher.ptr, 63);
    memcpy(b, "fram", 4);
    struct err err;
    struct frame_reply in = frame_reply_start(test_arena());
    assert_int_equal(frame_reply_feed(&in, packet_of(0x3f, bytes_of(b, 63)), &err), FRAME_MORE);
    assert_int_equal(frame_reply_feed(&in, packet_of(0xc1, BYTES("x")), &err), FRAME_COMPLETE);
    assert_int_equal(in.content.len, 64);
    in = frame_reply_start(test_arena());
    assert_int_equal(frame_reply_feed(&in, packet_of(0x04, BYTES("asci")), &err), FRAME_MORE);
    assert_int_equal(frame_reply_feed(&in, packet_of(0x04, BYTES("fram")), &err), FRAME_MORE);
}

TEST(wire_reply_packets_that_cannot_be)
{
    struct err err;
    struct frame_reply in = frame_reply_start(test_arena());
    assert_int_equal(frame_reply_feed(&in, BYTES("short"), &err), FRAME_BAD);
    assert_err(&err, ERR_FRAMING, "packet is not 64 bytes long");
    in = frame_reply_start(test_arena());
    assert_int_equal(frame_reply_feed(&in, packet_of(0x80, BYTES("")), &err), FRAME_BAD);
    assert_err(&err, ERR_FRAMING, "packet without payload");
    in = frame_reply_start(test_arena());
    assert_int_equal(frame_reply_feed(&in, packet_of(0x83, BYTES("oka")), &err), FRAME_BAD);
    assert_err(&err, ERR_FRAMING, "reply shorter than its code");
    in = frame_reply_start(test_arena());
    assert_int_equal(frame_reply_feed(&in, packet_of(0x84, BYTES("okay")), &err), FRAME_COMPLETE);
    assert_int_equal(frame_reply_feed(&in, packet_of(0x84, BYTES("okay")), &err), FRAME_BAD);
    assert_err(&err, ERR_FRAMING, "reply without a request");
}

TEST(wire_reply_in_an_arena_that_is_used_up)
{
    struct arena *small = arena_new(1024);
    struct frame_reply in = frame_reply_start(small);
    const struct bytes packets = cut(ping_of(4000), false);
    struct err err;
    enum frame_event event = FRAME_MORE;
    for (size_t at = 0; event == FRAME_MORE && at < packets.len; at += PACKET_LEN)
        event = frame_reply_feed(&in, bytes_slice(packets, at, PACKET_LEN), &err);
    assert_int_equal(event, FRAME_BAD);
    assert_err(&err, ERR_NO_MEMORY, "no memory for the reply");
    arena_free(small);
}
