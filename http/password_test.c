#include "http/password.h"
#include "tests/support/test.h"

// Cheap, so that the test is quick.
static const struct password_cost cheap = { 1, 64 };

TEST(bunker_4_3_passwords_verify)
{
    char text[PASSWORD_TEXT_MAX], again[PASSWORD_TEXT_MAX];
    struct err err;
    assert_true(password_hash(text, BYTES("correct horse"), cheap, &err));
    assert_true(password_hash(again, BYTES("correct horse"), cheap, &err));
    assert_string_not_equal(text, again); // salted
    assert_true(password_is_verifier(bytes_of_text(text)));
    assert_int_equal(strncmp(text, "$argon2id$v=19$m=64,t=1,p=1$", 28), 0);
    assert_true(password_verify(bytes_of_text(text), BYTES("correct horse"), &err));
    assert_false(password_verify(bytes_of_text(text), BYTES("correct horsf"), &err));
    assert_err(&err, ERR_AUTH, "wrong password");
    assert_false(password_verify(BYTES(""), BYTES(""), &err)); // no account of that name
    assert_err(&err, ERR_AUTH, "wrong password");
}

// Made by the reference implementation of Argon2: echo -n password | argon2 somesaltsomesalt -id
// is checked by crypto/kdf_test.c; here, that a verifier of the usual form is read.
TEST(bunker_4_3_verifiers_of_other_forms_are_refused)
{
    static const char *const bad[] = {
        "",
        "test1234",
        "$argon2i$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=64,t=1,p=2$AAAAAAAAAAAAAAAAAAAAAA$"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=64,t=0,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=99999999,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAA$"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA$",
    };
    struct err err;
    for (size_t i = 0; i < COUNT(bad); i++)
        if (password_is_verifier(bytes_of_text(bad[i])))
            fail_msg("case %zu", i);
    assert_false(password_verify(BYTES("test1234"), BYTES("test1234"), &err));
    assert_err(&err, ERR_MALFORMED, "password: the stored verifier is malformed");
}

TEST(bunker_6_passwords_have_a_length)
{
    char text[PASSWORD_TEXT_MAX], longest[PASSWORD_MAX + 1];
    struct err err;
    memset(longest, 'a', sizeof longest);
    assert_false(password_hash(text, BYTES("abc"), cheap, &err));
    assert_err(&err, ERR_LIMIT, "Master password must be at least 4 chars long");
    assert_true(password_hash(text, BYTES("abcd"), cheap, &err));
    assert_true(password_hash(text, bytes_of(longest, PASSWORD_MAX), cheap, &err));
    assert_false(password_hash(text, BYTES_OF(longest), cheap, &err));
    assert_err(&err, ERR_LIMIT, "password: more than 199 bytes");
}

// RFC 6238 appendix B, SHA-1, cut to six digits.
TEST(bunker_4_3_second_factor)
{
    const struct bytes secret = BYTES("12345678901234567890");
    uint64_t last = 0;
    assert_false(totp_verify(secret, BYTES("081805"), 1111111109, &last)); // a digit off
    assert_true(totp_verify(secret, BYTES("081804"), 1111111109, &last));
    assert_false(totp_verify(secret, BYTES("081804"), 1111111109, &last)); // not twice
    last = 0;
    assert_true(totp_verify(secret, BYTES("050471"), 1111111111 - 30, &last)); // the next window
    last = 0;
    assert_true(totp_verify(secret, BYTES("050471"), 1111111111 + 30, &last)); // the one before
    last = 0;
    assert_false(totp_verify(secret, BYTES("050471"), 1111111111 + 60, &last));
    assert_false(totp_verify(secret, BYTES(""), 1111111111, &last));
}
