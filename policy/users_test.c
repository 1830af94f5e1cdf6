#include "policy/users.h"
#include "base/base64.h"
#include "base/hex.h"
#include "base/secret.h"
#include "tests/support/policy_fixture.h"

#define SERIAL "F1F1F1F1F1F1"

static struct user_request request(uint8_t mode, const char *name, struct bytes secret)
{
    return (struct user_request){ .mode = mode,
                                  .name = bytes_of_text(name),
                                  .secret = secret,
                                  .entropy = "casemate!!",
                                  .serial = BYTES(SERIAL) };
}

static const uint8_t bytes32[USER_NAME_SIZE + 1] = { 7 };

static bool create(struct user *out, char picked[static USER_PICKED_SIZE],
                   const struct user_request *r, struct err *err)
{
    static const struct user existing[] = { { .name = "alice", .name_len = 5, .mode = USER_TOTP } };
    return user_create(out, picked, r, existing, COUNT(existing), err);
}

// The rows of 13.2; the first that fails decides.
static const struct {
    unsigned mode;
    enum err_code code;
    const char *name;
    size_t secret_len;
    const char *text; // NULL: made
} rows[] = {
    { 1, ERR_INVALID, "", 0, "badlen" },
    { 1, ERR_INVALID, "caf\xc3\xa9", 0, "bad username" },
    { 1, ERR_INVALID, "a,b", 0, "bad username" },
    { 1, ERR_INVALID, "a\"b", 0, "bad username" },
    { 1, ERR_INVALID, " ab", 0, "bad username" },
    { 1, ERR_INVALID, "ab ", 0, "bad username" },
    { 1, ERR_INVALID, "a\tb", 0, "bad username" },
    { 1, ERR_INVALID, "a\x7f", 0, "bad username" },
    { 0x81, ERR_INVALID, "a", 10, "Assertion no secret with QR" }, // before mode and length
    { 0x80, ERR_INVALID, "dave", 10, "Assertion no secret with QR" },
    { 0, ERR_INVALID, "a", 0, "Assertion bad mode" },
    { 4, ERR_INVALID, "dave", 0, "Assertion bad mode" },
    { 0x80, ERR_INVALID, "dave", 0, "Assertion bad mode" },
    { 1, ERR_INVALID, "a", 0, "badlen" },
    { 1, ERR_INVALID, "0123456789abcdefg", 0, "badlen" },
    { 1, ERR_INVALID, "_ab", 3, "reserved" },
    { 1, ERR_EXISTS, "alice", 3, "exists" },
    { 1, ERR_INVALID, "dave", 32, "Assertion bad secret length" },
    { 1, ERR_INVALID, "dave", 11, "Assertion bad secret length" },
    { 2, ERR_INVALID, "dave", 9, "Assertion bad secret length" },
    { 3, ERR_INVALID, "dave", 20, "Assertion bad secret length" },
    { 3, ERR_INVALID, "dave", 31, "Assertion bad secret length" },
    { 1, ERR_NONE, "da", 10, NULL },
    { 1, ERR_NONE, "0123456789abcdef", 20, NULL },
    { 2, ERR_NONE, "Erin O.", 20, NULL },
    { 3, ERR_NONE, "dave", 32, NULL },
    { 0x83, ERR_NONE, "dave", 0, NULL },
};

TEST(policy_24_72_creating)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct user_request r =
            request((uint8_t)rows[i].mode, rows[i].name, bytes_of(bytes32, rows[i].secret_len));
        char picked[USER_PICKED_SIZE];
        struct user user;
        struct err err;
        const bool made = create(&user, picked, &r, &err);
        assert_int_equal(made, rows[i].text == NULL);
        if (!made)
            assert_err(&err, rows[i].code, rows[i].text);
        else
            assert_bytes_text(user_name(&user), rows[i].name);
    }
}

TEST(policy_24_72_the_31st_user)
{
    struct user users[USERS_MAX] = { 0 };
    char picked[USER_PICKED_SIZE];
    struct user user;
    struct err err;
    for (size_t i = 0; i < USERS_MAX; i++) {
        users[i].name_len = 3;
        (void)snprintf((char *)users[i].name, sizeof users[i].name, "u%02zu", i);
    }
    struct user_request r = request(1, "dave", bytes_of(NULL, 0));
    assert_true(user_create(&user, picked, &r, users, USERS_MAX - 1, &err));
    assert_false(user_create(&user, picked, &r, users, USERS_MAX, &err));
    assert_err(&err, ERR_LIMIT, "too many");
    r.name = BYTES("u07");
    assert_false(user_create(&user, picked, &r, users, USERS_MAX, &err));
    assert_err(&err, ERR_EXISTS, "exists");
}

static struct bytes qr(enum user_mode mode, const char *picked)
{
    struct writer w = text_writer();
    user_qr_write(&w, mode, picked);
    return written(&w);
}

TEST(policy_24_72_qr_contents)
{
    assert_bytes_text(qr(USER_TOTP, "MNQXGZLNMF2GKIJB"),
                      "otpauth://totp/CC?secret=MNQXGZLNMF2GKIJB");
    assert_bytes_text(qr(USER_HOTP, "MNQXGZLNMF2GKIJB"),
                      "otpauth://hotp/CC?secret=MNQXGZLNMF2GKIJB");
    assert_bytes_text(qr(USER_PASSWORD, "mnqxgzlnmf2gkijb"), "mnqxgzlnmf2gkijb");
}

TEST(policy_24_73_picked_secrets)
{
    struct user_request r = request(2, "dave", bytes_of(NULL, 0));
    char picked[USER_PICKED_SIZE];
    uint8_t secret[32];
    struct user user;
    struct err err;
    assert_true(create(&user, picked, &r, &err));
    assert_string_equal(picked, "MNQXGZLNMF2GKIJB");
    assert_bytes_text(bytes_of(user.secret, user.secret_len), "casemate!!");
    r.mode = 3 | USER_SHOW_QR;
    assert_true(create(&user, picked, &r, &err));
    assert_string_equal(picked, "mnqxgzlnmf2gkijb");
    user_password_secret(secret, BYTES("mnqxgzlnmf2gkijb"), BYTES(SERIAL), false);
    assert_bytes_equal(bytes_of(user.secret, user.secret_len), BYTES_OF(secret));
    r = request(3, "dave", bytes_of(bytes32, 32)); // a given secret is not shown again
    assert_true(create(&user, picked, &r, &err));
    assert_string_equal(picked, "");
    assert_bytes_equal(bytes_of(user.secret, user.secret_len), bytes_of(bytes32, 32));
}

// Vectors of 13.3, and those of wire-protocol.md 9.3.
TEST(policy_24_58_password_vectors)
{
    const struct hash256 psbt = sha256(BYTES("example psbt"));
    uint8_t secret[32], token[32];
    assert_bytes_text(hex_of(&psbt),
                      "2253bf6431e29a55d97b694bafd60eb43184757859ce1e28bf5996d470584d9d");
    user_password_secret(secret, BYTES("abcd1234"), BYTES(SERIAL), false);
    user_password_token(token, secret, &psbt);
    assert_bytes_equal(
        BYTES_OF(secret),
        test_hex("66a60bb14408a36f8cd50c25257634018f20260644715c7603223c4ae5557be0"));
    assert_bytes_equal(
        BYTES_OF(token),
        test_hex("60f8b775d85d1745cf273f6f776b928c984cbd0378a643c5f44c873ae725ea52"));
    user_password_secret(secret, BYTES("abcd1234"), BYTES(SERIAL), true);
    user_password_token(token, secret, &psbt);
    assert_bytes_equal(
        BYTES_OF(secret),
        test_hex("3ad166a617a8f9272606f4010ea6b8befec645749c0df0dbcbe4fd41e7a06294"));
    assert_bytes_equal(
        BYTES_OF(token),
        test_hex("df38081a98b09c7a06a5f5d5684ec45dd6d9623b46da3a46e85deb538109b198"));
    user_password_secret(secret, BYTES("1234abcd"), BYTES(SERIAL), false);
    user_password_token(token, secret, &(struct hash256){ 0 });
    assert_bytes_equal(
        BYTES_OF(secret),
        test_hex("ad5a4319450bc153a0aaae2302b0adcdddd1fd7767b441ba59e0a60cb61cbf92"));
    assert_bytes_equal(
        BYTES_OF(token),
        test_hex("436e47c2d2ea017b687f66c8b293401a9430fdcda1f1b68df38f4a9d264386a0"));
}

// --- Records ---

static struct bytes record_of(const struct user *user)
{
    struct writer w = text_writer();
    user_record_write(&w, user);
    return written(&w);
}

TEST(policy_13_1_records)
{
    struct fixture f;
    fixture_init(&f);
    f.users[1].progress.zero_used = true;
    f.users[0].progress.last = 58000000;
    assert_bytes_text(record_of(&f.users[0]), "[1, \"UR4LAZMTSJOF52FE\", 58000000]");
    assert_bytes_text(record_of(&f.users[1]), "[2, \"DBDCOKLQKM6BAKXD\", 0, true]");
    assert_bytes_text(record_of(&f.users[2]),
                      "[3, \"M2TAXMKEBCRW7DGVBQSSK5RUAGHSAJQGIRYVY5QDEI6EVZKVPPQA\", 0]");
    for (size_t i = 0; i < COUNT(f.users); i++) {
        struct user again;
        struct err err;
        assert_true(user_record_read(&again, user_name(&f.users[i]), record_of(&f.users[i]), &err));
        assert_true(bytes_equal(BYTES_OF(again.secret), BYTES_OF(f.users[i].secret)));
        assert_bytes_equal(record_of(&again), record_of(&f.users[i]));
        assert_bytes_equal(user_name(&again), user_name(&f.users[i]));
    }
}

static const char *const bad_records[] = {
    "",
    "[]",
    "{}",
    "[1, \"UR4LAZMTSJOF52FE\"]",
    "[0, \"UR4LAZMTSJOF52FE\", 0]",
    "[4, \"UR4LAZMTSJOF52FE\", 0]",
    "[3, \"UR4LAZMTSJOF52FE\", 0]", // 10 bytes are no password's secret
    "[1, \"UR4LAZMTSJOF52F\", 0]",
    "[1, \"\", 0]",
    "[1, \"UR4LAZMTSJOF52F1\", 0]", // no base32 digit
    "[1, \"UR4LAZMTSJOF52FE\", -1]",
    "[1, \"UR4LAZMTSJOF52FE\", 0, false]",
    "[1, \"UR4LAZMTSJOF52FE\", 0, true, true]",
    "[1, 5, 0]",
    ("[1, "
     "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\", 0]"),
};

TEST(policy_13_1_bad_records)
{
    for (size_t i = 0; i < COUNT(bad_records); i++) {
        struct user user;
        struct err err;
        assert_false(user_record_read(&user, BYTES("bob"), bytes_of_text(bad_records[i]), &err));
        assert_err(&err, ERR_MALFORMED, "not the record of a user");
    }
}

TEST(policy_13_1_names_of_records)
{
    static const struct bytes bad[] = { { NULL, 0 },
                                        { (const uint8_t *)"\xff", 1 },
                                        { bytes32, USER_NAME_SIZE + 1 } };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct user user;
        struct err err;
        assert_false(user_record_read(&user, bad[i], BYTES("[1, \"UR4LAZMTSJOF52FE\", 0]"), &err));
        assert_err(&err, ERR_MALFORMED, "not the record of a user");
    }
}

TEST(policy_d7_hash_of_a_secret)
{
    struct fixture f;
    fixture_init(&f);
    memcpy(f.users[0].secret, "0123456789", 10);
    const struct hash256 hash = user_secret_hash(&f.users[0]);
    const struct hash256 expected = sha256(BYTES("alice0123456789"));
    assert_bytes_equal(BYTES_OF(hash.b), BYTES_OF(expected.b));
}

static struct bytes menu(enum user_mode mode, uint64_t last)
{
    const struct user user = { .mode = mode, .progress = { .last = last } };
    struct writer w = text_writer();
    user_menu_write(&w, &user);
    return written(&w);
}

TEST(policy_13_2_menu)
{
    assert_bytes_text(menu(USER_TOTP, 0), "TOTP: unused");
    assert_bytes_text(menu(USER_TOTP, 57000000), "TOTP: active");
    assert_bytes_text(menu(USER_HOTP, 0), "HOTP: count=0");
    assert_bytes_text(menu(USER_HOTP, 18), "HOTP: count=18");
    assert_bytes_text(menu(USER_PASSWORD, 0), "Password: unused");
    assert_bytes_text(menu(USER_PASSWORD, 1), "Password: active");
}
