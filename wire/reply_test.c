#include "wire/reply.h"
#include "tests/support/test.h"
#include "tests/support/wire_session.h"

static struct bytes pack(const struct reply *reply)
{
    struct writer w = writer_growing(test_arena(), 1 << 17);
    struct bytes out;
    reply_pack(&w, reply);
    assert_true(writer_finish(&w, &out));
    return out;
}

static void assert_refused(struct bytes message, const char *text)
{
    struct reply reply = { .id = REPLY_NONE };
    struct err err;
    assert_false(reply_unpack(&reply, message, &err));
    assert_err(&err, ERR_FRAMING, text);
    assert_int_equal(reply.id, REPLY_NONE); // written on success only
}

#define SHA_HEX "f8fb60f5815d82f0bddb0046423805aba05f32ba13faa61d923c0dc707e4f8a3"

static const char *const accepted[] = {
    "6f6b6179", // okay
    "61736369", // asci, empty
    "62696e79", // biny, empty
    "62696e79 00ff",
    "696e7431 01000000",
    "696e7432 01000000 02000000",
    "696e7433 01000000 02000000 03000000",
    "72656675",
    "62757379",
    "6672616d 73686f7274",
    "6572725f 6e6f7065",
    "6572725f",
    "61736369 4254430a",
    "73747278 57010000" SHA_HEX,
    "736d7278 02000000 6162 1f" SHA_HEX SHA_HEX,
    "736d7278 00000000 1f" SHA_HEX SHA_HEX,
    "6d797062" SHA_HEX SHA_HEX "3442193e 04000000 78707562",
    "6d797062" SHA_HEX SHA_HEX "00000000 00000000", // no seed
};

TEST(wire_13_3_replies_both_ways)
{
    for (size_t i = 0; i < COUNT(accepted); i++) {
        const struct bytes message = test_hex(accepted[i]);
        struct reply reply;
        struct err err;
        assert_true(reply_unpack(&reply, message, &err));
        assert_bytes_text(bytes_slice(message, 0, 4), reply_code(reply.id));
        assert_bytes_equal(pack(&reply), message);
    }
}

TEST(wire_13_3_members)
{
    struct reply r;
    struct err err;
    assert_true(reply_expect(&r, REPLY_INT1, test_hex("696e7431 01000000"), &err));
    assert_int_equal(r.number[0], 1);
    assert_true(reply_unpack(&r, test_hex("696e7433 01000000 02000000 03000080"), &err));
    assert_int_equal(r.number[1], 2);
    assert_int_equal(r.number[2], 0x80000003);
    assert_true(reply_unpack(&r, test_hex("73747278 57010000" SHA_HEX), &err));
    assert_int_equal(r.strx.length, 343);
    assert_bytes_equal(BYTES_OF(r.strx.sha.b), test_hex(SHA_HEX));
    assert_true(reply_unpack(&r, test_hex("736d7278 02000000 6162 1f" SHA_HEX SHA_HEX), &err));
    assert_bytes_text(r.smrx.address, "ab");
    assert_int_equal(r.smrx.signature[0], 0x1f);
    assert_bytes_equal(bytes_of(r.smrx.signature + 33, 32), test_hex(SHA_HEX));
    assert_true(reply_unpack(&r, test_hex("61736369"), &err));
    assert_int_equal(r.data.len, 0);
}

TEST(wire_15_21_mypb_of_the_worked_session)
{
    const struct bytes message = json_need_hex(json_need(session(), "exchanges")->items, "reply");
    struct reply r;
    struct err err;
    assert_int_equal(message.len, 76 + 111);
    assert_true(reply_unpack(&r, message, &err));
    assert_int_equal(r.id, REPLY_MYPB);
    assert_bytes_equal(BYTES_OF(r.mypb.device.b), json_need_hex(session(), "device_public"));
    assert_bytes_equal(BYTES_OF(r.mypb.xfp), json_need_hex(session(), "xfp"));
    assert_bytes_equal(r.mypb.xpub, json_need_text(session(), "xpub"));
    assert_bytes_equal(pack(&r), message);
}

TEST(wire_3_2_lengths_are_exact)
{
    assert_refused(test_hex("6f6b6179 78"), "okay: wrong length"); // "never send it"
    assert_refused(test_hex("72656675 00"), "refu: wrong length");
    assert_refused(test_hex("62757379 00"), "busy: wrong length");
    assert_refused(test_hex("696e7431 010000"), "int1: wrong length");
    assert_refused(test_hex("696e7431 0100000000"), "int1: wrong length");
    assert_refused(test_hex("696e7432 01000000"), "int2: wrong length");
    assert_refused(test_hex("73747278 57010000"), "strx: wrong length");
    assert_refused(test_hex("73747278 57010000" SHA_HEX "00"), "strx: wrong length");
    assert_refused(test_hex("736d7278 ffffffff 1f" SHA_HEX SHA_HEX), "smrx: wrong length");
    assert_refused(test_hex("736d7278 03000000 6162 1f" SHA_HEX SHA_HEX), "smrx: wrong length");
    assert_refused(test_hex("736d7278 01000000 6162 1f" SHA_HEX SHA_HEX), "smrx: wrong length");
    assert_refused(test_hex("6d797062" SHA_HEX SHA_HEX "3442193e"), "mypb: wrong length");
    assert_refused(test_hex("6d797062" SHA_HEX SHA_HEX "3442193e 01000000"), "mypb: wrong length");
    assert_refused(test_hex("6d797062" SHA_HEX SHA_HEX "3442193e 00000000 78"),
                   "mypb: wrong length");
    assert_refused(test_hex("6f6b61"), "reply of 3 bytes");
    assert_refused(BYTES("zzzz"), "Unknown response signature: 'zzzz'");
    assert_refused(test_hex("1b5b326a"), "Unknown response signature: '?[2j'");
    assert_refused(test_hex("61736369 ff"), "asci: not UTF-8");
}

TEST(wire_13_3_errors_as_text)
{
    static const struct {
        const char *message;
        enum err_code code;
        const char *text;
    } cases[] = {
        { "framshort", ERR_FRAMING, "Framing Error: short" },
        { "frambadsz              ", ERR_FRAMING, "Framing Error: badsz" }, // old firmware
        { "err_nope", ERR_INVALID, "Coldcard Error: nope" },
        { "err_a\nb\x1b[2J\x7f\xc3\xa9", ERR_INVALID, "Coldcard Error: a\nb?[2J???" },
        { "refu", ERR_REFUSED, "You refused permission to do the operation" },
        { "busy", ERR_BUSY, "Coldcard is handling another request right now" },
        { "okay", ERR_FRAMING, "expected asci, got okay" },
        { "zzzz", ERR_FRAMING, "Unknown response signature: 'zzzz'" },
    };
    struct reply r;
    struct err err;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_false(reply_expect(&r, REPLY_ASCI, bytes_of_text(cases[i].message), &err));
        assert_err(&err, cases[i].code, cases[i].text);
    }
    assert_true(reply_expect(&r, REPLY_ASCI, BYTES("asciBTC"), &err));
    assert_bytes_text(r.data, "BTC");
}

TEST(wire_3_2_immediate_errors_are_cut_to_80_bytes)
{
    char text[200];
    memset(text, 'x', sizeof text);
    for (size_t len = 79; len <= 81; len++) {
        struct reply r = reply_error(bytes_of(text, len), true);
        assert_int_equal(pack(&r).len, 4 + (len > 80 ? 80 : len));
        r = reply_error(bytes_of(text, len), false);
        assert_int_equal(pack(&r).len, 4 + len);
    }
    memcpy(text + 79, "\xc3\xa9", 2); // not through a character
    const struct reply r = reply_error(bytes_of(text, sizeof text), true);
    assert_int_equal(pack(&r).len, 4 + 79);
}

TEST(wire_14_asci_is_never_packed_with_other_than_ascii)
{
    uint8_t mem[100];
    struct bytes out;
    struct writer w = writer_of(mem, sizeof mem);
    struct reply r = { .id = REPLY_ASCI, .data = BYTES("caf\xc3\xa9") };
    reply_pack(&w, &r);
    assert_false(writer_finish(&w, &out));
    // A device may send it all the same; our client reads it.
    struct err err;
    assert_true(reply_unpack(&r, BYTES("ascicaf\xc3\xa9"), &err));
    assert_bytes_text(r.data, "caf\xc3\xa9");
}
