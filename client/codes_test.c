#include "client/codes.h"
#include "tests/support/test.h"

// wire-protocol.md 9.2 and policy.md 14.
TEST(cli_8_7_local_code_vectors)
{
    static const struct {
        const char *next, *psbt, *code;
    } rows[] = {
        { "BrstN9qZ28pEaBdrUs3K", "psbt\xff", "617842" },
        { "BrstN9qZ28pEaBdrUs3K", "casemate worked example", "160472" },
        { "BrstN9qZ28pEaBdrUs3K", "example psbt", "112936" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct hash256 hash = codes_sha256(bytes_of_text(rows[i].psbt));
        char code[OTP_TEXT_SIZE];
        struct err err;
        assert_true(codes_local(code, bytes_of_text(rows[i].next), &hash, &err));
        assert_string_equal(code, rows[i].code);
    }
}

TEST(local_code_of_what_is_none)
{
    static const char *const rows[] = { "", "BrstN9qZ28pEaBdrUs3", "BrstN9qZ28pEaBdrUs3KK",
                                        "BrstN9qZ28pEaBdrUs3=", "BrstN9qZ28pEaBdrUs3-" };
    const struct hash256 hash = { { 0 } };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char code[OTP_TEXT_SIZE];
        struct err err;
        assert_false(codes_local(code, bytes_of_text(rows[i]), &hash, &err));
        assert_err(&err, ERR_MALFORMED, "local code: not 20 base64 characters");
    }
}

TEST(totp_steps)
{
    static const struct {
        int64_t wall_s;
        uint32_t step;
        unsigned left_s;
    } rows[] = {
        { 0, 0, 30 },  { 29, 0, 1 },
        { 30, 1, 30 }, { 1795172050, 59839068, 20 },
        { -5, 0, 30 }, { INT64_MAX, UINT32_MAX, 23 },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        unsigned left_s;
        assert_int_equal(codes_totp_step(rows[i].wall_s, &left_s), rows[i].step);
        assert_int_equal(left_s, rows[i].left_s);
    }
}
