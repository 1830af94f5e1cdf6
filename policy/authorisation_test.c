#include "base/secret.h"
#include "crypto/otp.h"
#include "policy/users.h"
#include "tests/support/policy_fixture.h"

static const struct hash256 no_psbt;

// Sends a token, keeps the progress when it is good, as one request alone does.
static const char *try_token(struct user *user, const char *token, uint32_t step)
{
    struct authorisation auth = { .time_step = step, .token_len = strlen(token) };
    struct user_progress after = { .last = 12345 };
    memcpy(auth.token, token, auth.token_len);
    const enum auth_problem problem = user_verify(&after, user, &auth, &no_psbt, &totp_any_time);
    if (problem == AUTH_GOOD)
        user->progress = after;
    else
        assert_int_equal(after.last, 12345); // written only when good
    return auth_problem_text(problem);
}

static const char *try_code(struct user *user, uint64_t counter, uint32_t step)
{
    char code[OTP_TEXT_SIZE];
    otp_code(code, bytes_of(user->secret, user->secret_len), counter);
    return try_token(user, code, step);
}

// Each row goes on from the one before, unless `start` sets the last counter.
static const struct {
    uint64_t start; // 0: go on
    uint32_t step;
    uint64_t code; // of this time step
    const char *problem;
    uint64_t last;
} totp[] = {
    { 57000000, 57000000, 57000000, "replay", 57000000 },
    { 57000000, 57000001, 57000000, "mismatch", 57000000 },
    { 57000000, 57000003, 57000001, "", 57000001 },
    { 0, 57000003, 57000003, "", 57000003 },
    { 0, 57000003, 57000003, "replay", 57000003 },
    { 0, 58000000, 58000000, "", 58000000 }, // the future is accepted
    { 0, 57999999, 57999999, "replay", 58000000 },
    { 0, 58000004, 58000001, "mismatch", 58000000 }, // three steps back
    { 0, 58000003, 58000001, "", 58000001 },         // two
    { 0, 58000003, 58000002, "", 58000002 },         // one
    { 0, 52622504, 52622504, "range", 58000002 },
    { 1, 52622505, 52622505, "", 52622505 }, // the least step
    { 1, 52622504, 52622504, "range", 1 },
    { 1, 4294967295, 4294967295, "", 4294967295 }, // the greatest: no code is left
    { 0, 4294967295, 4294967295, "replay", 4294967295 },
};

TEST(policy_24_58_totp_table)
{
    struct fixture f;
    fixture_init(&f);
    struct user *alice = &f.users[0];
    for (size_t i = 0; i < COUNT(totp); i++) {
        if (totp[i].start != 0)
            alice->progress.last = totp[i].start;
        const char *problem = try_code(alice, totp[i].code, totp[i].step);
        if (strcmp(problem, totp[i].problem) != 0 || alice->progress.last != totp[i].last)
            fail_msg("row %zu: '%s', last %llu", i, problem,
                     (unsigned long long)alice->progress.last);
    }
}

static const struct {
    uint64_t code;
    const char *problem;
    uint64_t last;
} hotp[] = {
    { 0, "", 0 },          { 0, "mismatch", 0 }, // the reference takes it again and again (D12)
    { 10, "mismatch", 0 }, { 9, "", 9 },         { 9, "mismatch", 9 },   { 3, "mismatch", 9 },
    { 0, "mismatch", 9 },  { 18, "", 18 },       { 28, "mismatch", 18 }, // 10 ahead
    { 19, "", 19 },
};

TEST(policy_24_58_hotp_table)
{
    struct fixture f;
    fixture_init(&f);
    struct user *bob = &f.users[1];
    for (size_t i = 0; i < COUNT(hotp); i++) {
        const char *problem = try_code(bob, hotp[i].code, 0);
        if (strcmp(problem, hotp[i].problem) != 0 || bob->progress.last != hotp[i].last)
            fail_msg("row %zu: '%s', last %llu", i, problem,
                     (unsigned long long)bob->progress.last);
    }
}

// The first code may be skipped; then it is never good again.
TEST(policy_24_58_hotp_without_code_0)
{
    struct fixture f;
    fixture_init(&f);
    assert_string_equal(try_code(&f.users[1], 1, 0), "");
    assert_false(f.users[1].progress.zero_used);
    assert_string_equal(try_code(&f.users[1], 0, 0), "mismatch");
}

// The codes that 13.5 lists, so that the tables above do not only agree with themselves.
TEST(policy_24_58_code_vectors)
{
    struct fixture f;
    fixture_init(&f);
    static const char *const bobs[] = { "188239", "569316", "855425", "449612" };
    for (size_t i = 0; i < COUNT(bobs); i++)
        assert_string_equal(try_token(&f.users[1], bobs[i], 0), "");
    static const struct {
        uint32_t step;
        const char *code;
    } alices[] = { { 57000000, "320033" },
                   { 57000001, "440433" },
                   { 57000002, "644142" },
                   { 58000000, "131921" } };
    for (size_t i = 0; i < COUNT(alices); i++)
        assert_string_equal(try_token(&f.users[0], alices[i].code, alices[i].step), "");
}

// "First candidate whose code equals the token": secrets were searched for whose codes collide.
TEST(policy_24_58_the_first_candidate_counts)
{
    struct user hotp_user = { .mode = USER_HOTP, .secret = "0000030622", .secret_len = 10 };
    struct user totp_user = { .mode = USER_TOTP, .secret = "0000250468", .secret_len = 10 };
    assert_string_equal(try_token(&hotp_user, "485775", 0), ""); // of counters 3 and 8
    assert_int_equal(hotp_user.progress.last, 3);
    assert_string_equal(try_token(&totp_user, "890726", 58000000), ""); // of t and t - 2
    assert_int_equal(totp_user.progress.last, 58000000);
}

TEST(policy_24_58_tokens_of_other_lengths)
{
    struct fixture f;
    fixture_init(&f);
    assert_string_equal(try_token(&f.users[0], "32003", 57000000), "expect otp");
    assert_string_equal(try_token(&f.users[0], "3200330", 1), "expect otp"); // before `range`
    assert_string_equal(try_token(&f.users[1], "", 0), "expect otp");
    assert_string_equal(try_token(&f.users[2], "320033", 0), "mismatch");
    assert_string_equal(
        auth_problem_text(user_verify(&(struct user_progress){ 0 }, NULL,
                                      &(struct authorisation){ 0 }, &no_psbt, &totp_any_time)),
        "unknown user");
}

// No replay rule: the same token is good for the same PSBT for ever, and for no other.
TEST(policy_24_58_password_tokens)
{
    struct fixture f;
    fixture_init(&f);
    const struct user *carol = &f.users[2];
    const struct hash256 a = sha256(BYTES("a")), b = sha256(BYTES("b"));
    struct user_progress after = { 0 };
    struct authorisation auth = { .token_len = 32 };
    user_password_token(auth.token, carol->secret, &a);
    assert_int_equal(user_verify(&after, carol, &auth, &a, &totp_any_time), AUTH_GOOD);
    assert_int_equal(after.last, 1);
    assert_int_equal(user_verify(&after, carol, &auth, &a, &totp_any_time), AUTH_GOOD);
    assert_int_equal(user_verify(&after, carol, &auth, &b, &totp_any_time), AUTH_MISMATCH);
    auth.token[31] ^= 1;
    assert_int_equal(user_verify(&after, carol, &auth, &a, &totp_any_time), AUTH_MISMATCH);
    auth.token[31] ^= 1;
    auth.token_len = 31;
    assert_int_equal(user_verify(&after, carol, &auth, &a, &totp_any_time), AUTH_MISMATCH);
}

// Out of HSM mode a password is checked against 32 zero bytes, and good codes are used up all the
// same. The token is the one of wire-protocol.md 9.3.
TEST(policy_24_74_out_of_hsm_mode)
{
    const struct bytes token =
        test_hex("436e47c2d2ea017b687f66c8b293401a9430fdcda1f1b68df38f4a9d264386a0");
    struct user user = { .mode = USER_PASSWORD, .secret_len = 32 };
    struct authorisation auth = { .token_len = 32 };
    struct fixture f;
    user_password_secret(user.secret, BYTES("1234abcd"), BYTES("F1F1F1F1F1F1"), false);
    memcpy(auth.token, token.ptr, 32);
    assert_int_equal(user_verify(&user.progress, &user, &auth, &no_psbt, &totp_any_time),
                     AUTH_GOOD);
    assert_int_equal(user.progress.last, 1);
    fixture_init(&f);
    assert_string_equal(try_code(&f.users[0], 57000000, 57000000), "");
    assert_string_equal(try_code(&f.users[0], 57000000, 57000000), "replay");
}

// An entry of zeros is nobody, whatever is sent for it.
TEST(policy_24_58_a_user_without_a_kind)
{
    struct fixture f;
    fixture_init(&f);
    struct user *bob = &f.users[1];
    bob->mode = USER_NONE;
    assert_string_equal(try_code(bob, 1, 0), "unknown user");
    bob->mode = USER_HOTP;
    assert_string_equal(try_code(bob, 1, 0), "");
}

// --- The queue: item 75 ---

static bool put(struct auth_queue *q, const char *name, const char *token, struct err *err)
{
    return auth_queue_put(q, bytes_of_text(name), bytes_of_text(token), 7, err);
}

TEST(policy_24_75_queue)
{
    struct auth_queue q = { 0 };
    struct err err;
    char name[8];
    for (int i = 0; i < USERS_MAX; i++) {
        (void)snprintf(name, sizeof name, "user%02d", i);
        assert_true(put(&q, name, "111111", &err));
    }
    assert_false(put(&q, "user30", "111111", &err));
    assert_err(&err, ERR_LIMIT, "toomany");
    assert_true(put(&q, "user05", "222222", &err)); // D30: replacing is always allowed
    assert_int_equal(q.n, USERS_MAX);
    // Sent again, it is the last that was submitted.
    assert_bytes_text(authorisation_name(&q.items[5]), "user06");
    assert_bytes_text(authorisation_name(&q.items[29]), "user05");
    assert_bytes_text(bytes_of(q.items[29].token, q.items[29].token_len), "222222");
    auth_queue_clear(&q);
    const struct auth_queue empty = { 0 };
    assert_memory_equal(&q, &empty, sizeof q);
}

TEST(policy_24_75_names_and_tokens)
{
    char long_token[USER_TOKEN_MAX + 2];
    struct auth_queue q = { 0 };
    struct err err;
    static const char *const bad[] = { "", "a", "0123456789abcdefg", "ab\xff", "\xe2\x82\xbf" };
    memset(long_token, 'x', sizeof long_token - 1);
    long_token[sizeof long_token - 1] = '\0';
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_false(put(&q, bad[i], "111111", &err));
        assert_err(&err, ERR_INVALID, "badlen");
    }
    assert_false(put(&q, "bob", long_token, &err));
    assert_err(&err, ERR_INVALID, "badlen");
    assert_int_equal(q.n, 0);
    assert_true(put(&q, "ab", "", &err));
    assert_true(put(&q, "0123456789abcdef", "1", &err));
    // 16 characters of four bytes each
    assert_true(put(&q,
                    "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80"
                    "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80"
                    "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80"
                    "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80",
                    "1", &err));
    assert_int_equal(q.n, 3);
}

// Replacing is of the entry itself, first or last, and leaves the others whole.
TEST(policy_24_75_the_first_and_the_last_are_replaced)
{
    struct auth_queue q = { 0 };
    struct err err;
    char name[8];
    for (int i = 0; i < USERS_MAX; i++) {
        (void)snprintf(name, sizeof name, "user%02d", i);
        assert_true(put(&q, name, "1", &err));
    }
    assert_true(put(&q, "user29", "2", &err));
    assert_true(put(&q, "user00", "3", &err));
    assert_int_equal(q.n, USERS_MAX);
    for (size_t i = 0; i < 28; i++) {
        (void)snprintf(name, sizeof name, "user%02zu", i + 1);
        assert_bytes_text(authorisation_name(&q.items[i]), name);
        assert_bytes_text(bytes_of(q.items[i].token, q.items[i].token_len), "1");
    }
    assert_bytes_text(authorisation_name(&q.items[28]), "user29");
    assert_bytes_text(bytes_of(q.items[28].token, q.items[28].token_len), "2");
    assert_bytes_text(authorisation_name(&q.items[29]), "user00");
    assert_bytes_text(bytes_of(q.items[29].token, q.items[29].token_len), "3");
}

TEST(policy_24_75_the_longest_token)
{
    char token[USER_TOKEN_MAX + 1];
    struct auth_queue q = { 0 };
    struct err err;
    memset(token, 'x', USER_TOKEN_MAX);
    token[USER_TOKEN_MAX] = '\0';
    assert_true(put(&q, "bob", token, &err));
    assert_bytes_text(bytes_of(q.items[0].token, q.items[0].token_len), token);
}
