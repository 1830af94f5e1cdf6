#include "crypto/otp.h"
#include "base/base64.h"
#include "tests/support/test.h"

TEST(hotp_of_rfc4226)
{
    const struct json *file = test_vectors("rfc4226.json"), *rows = json_need(file, "vectors");
    assert_int_equal(rows->n_items, 10);
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct json *row = json_item(rows, i);
        char code[OTP_TEXT_SIZE];
        otp_code(code, json_need_hex(file, "secret"), (uint64_t)json_item_integer(row, 0));
        assert_bytes_equal(bytes_of_text(code), json_item_text(row, 3));
    }
}

// The published codes have eight digits: ours are their last six. Other hashes are not offered.
TEST(totp_of_rfc6238)
{
    const struct json *rows = json_need(test_vectors("rfc6238.json"), "vectors");
    size_t n_checked = 0;
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct json *row = json_item(rows, i);
        const struct bytes mode = json_item_text(row, 0), expected = json_item_text(row, 4);
        char code[OTP_TEXT_SIZE];
        if (!bytes_starts_with(mode, BYTES("sha1")))
            continue;
        otp_code(code, json_item_hex(row, 1), (uint64_t)json_item_integer(row, 3));
        assert_bytes_equal(bytes_of_text(code), bytes_slice(expected, expected.len - 6, 6));
        n_checked++;
    }
    assert_int_equal(n_checked, 12);
}

// wire-protocol.md 9.3: a binary secret.
TEST(codes_of_wire_9_3)
{
    static const char *const codes[] = { "462371", "765705", "816065" };
    for (size_t i = 0; i < COUNT(codes); i++) {
        char code[OTP_TEXT_SIZE];
        otp_code(code, BYTES("abcdefghij"), i);
        assert_string_equal(code, codes[i]);
    }
}

// policy.md 13.5: secrets in base32.
TEST(codes_of_policy_13_5)
{
    static const struct {
        const char *secret;
        uint64_t counter;
        const char *code;
    } cases[] = {
        { "DBDCOKLQKM6BAKXD", 0, "188239" },        { "DBDCOKLQKM6BAKXD", 1, "569316" },
        { "DBDCOKLQKM6BAKXD", 2, "855425" },        { "DBDCOKLQKM6BAKXD", 3, "449612" },
        { "UR4LAZMTSJOF52FE", 57000000, "320033" }, { "UR4LAZMTSJOF52FE", 57000001, "440433" },
        { "UR4LAZMTSJOF52FE", 57000002, "644142" }, { "UR4LAZMTSJOF52FE", 58000000, "131921" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t mem[16];
        struct writer w = writer_of(mem, sizeof mem);
        char code[OTP_TEXT_SIZE];
        assert_true(base32_read(&w, bytes_of_text(cases[i].secret)));
        otp_code(code, writer_bytes(&w), cases[i].counter);
        assert_string_equal(code, cases[i].code);
    }
}

// policy.md 14 and wire-protocol.md 9.2.
TEST(local_codes_of_policy_14)
{
    static const struct {
        const char *next_local_code, *digest, *code;
    } cases[] = {
        { "BrstN9qZ28pEaBdrUs3K",
          "5524fa7e4f9b58fd18b99119d1c9502601128c69d9627dc1d55ad33cb11949c4", "160472" },
        { "BrstN9qZ28pEaBdrUs3K",
          "f8fb60f5815d82f0bddb0046423805aba05f32ba13faa61d923c0dc707e4f8a3", "617842" },
        { "BrstN9qZ28pEaBdrUs3K",
          "2253bf6431e29a55d97b694bafd60eb43184757859ce1e28bf5996d470584d9d", "112936" },
        { "YWFhYWFhYWFhYWFhYWFh",
          "6262626262626262626262626262626262626262626262626262626262626262", "998170" },
        { "YWFhYWFhYWFhYWFaYWFh",
          "0000000000000000000000000000000000000000000000000000000000000000", "816912" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct bytes key = test_base64(bytes_of_text(cases[i].next_local_code));
        char code[OTP_TEXT_SIZE];
        local_code(code, key, test_hex(cases[i].digest));
        assert_string_equal(code, cases[i].code);
    }
}
