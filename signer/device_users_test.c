#include "signer/device_users.h"
#include "base/base64.h"
#include "crypto/otp.h"
#include "tests/support/device_checks.h"

static struct reply rmur(struct rig_host *host, const char *name)
{
    return rig_call(host, &(struct request){ .id = REQUEST_RMUR, .rmur = { bytes_of_text(name) } });
}

// --- Creating: policy.md 13.2, in the order of its table ---

#define SECRET_10 BYTES_INIT("0123456789")
#define SECRET_20 BYTES_INIT("01234567890123456789")
#define SECRET_32 BYTES_INIT("01234567890123456789012345678901")

static const struct {
    uint8_t mode;
    struct bytes name, secret;
    const char *error; // NULL: made
} creations[] = {
    { 1, BYTES_INIT("a\nb"), SECRET_10, "bad username" },
    { 1, BYTES_INIT("\xc3\xa9t\xc3\xa9"), SECRET_10, "bad username" },
    { 1, BYTES_INIT("\xff\xfe"), SECRET_10, "bad username" },
    { 1, BYTES_INIT(" ab"), SECRET_10, "bad username" },
    { 1, BYTES_INIT("ab "), SECRET_10, "bad username" },
    { 1, BYTES_INIT("a,b"), SECRET_10, "bad username" },
    { 1, BYTES_INIT("a\"b"), SECRET_10, "bad username" },
    { 0x81, BYTES_INIT("ab"), SECRET_10, "Assertion no secret with QR" },
    { 0, BYTES_INIT("ab"), SECRET_10, "Assertion bad mode" },
    { 4, BYTES_INIT("ab"), SECRET_10, "Assertion bad mode" },
    { 0x80, BYTES_INIT("ab"), BYTES_INIT(""), "Assertion bad mode" },
    { 1, BYTES_INIT("a"), SECRET_10, "badlen" },
    { 1, BYTES_INIT("a2345678901234567"), SECRET_10, "badlen" }, // 17
    { 1, BYTES_INIT("_ab"), SECRET_10, "reserved" },
    { 1, BYTES_INIT("ab"), SECRET_10, NULL },               // 2
    { 1, BYTES_INIT("a234567890123456"), SECRET_20, NULL }, // 16
    { 1, BYTES_INIT("ab"), SECRET_20, "exists" },           // before the secret's length
    { 1, BYTES_INIT("ab"), BYTES_INIT("1"), "exists" },
    { 1, BYTES_INIT("new"), BYTES_INIT("012345678"), "Assertion bad secret length" },
    { 2, BYTES_INIT("new"), SECRET_32, "Assertion bad secret length" },
    { 3, BYTES_INIT("new"), SECRET_20, "Assertion bad secret length" },
    { 2, BYTES_INIT("hotp"), SECRET_20, NULL },
    { 3, BYTES_INIT("password"), SECRET_32, NULL },
    { 1, BYTES_INIT("AB"), SECRET_10, NULL }, // names are case-sensitive
};

TEST(policy_24_72_wire_8_11_creating_users)
{
    WITH_RIG(rig, host);
    for (size_t i = 0; i < COUNT(creations); i++) {
        const struct reply reply =
            rig_nwur(host, creations[i].mode, creations[i].name, creations[i].secret);
        if (creations[i].error != NULL)
            assert_error(reply, creations[i].error);
        else
            assert_asci(reply, "");
    }
    assert_status(host, "users", "[\"AB\", \"a234567890123456\", \"ab\", \"hotp\", \"password\"]");
    assert_error(rig_message(host, BYTES("nwur\1\0\1s"), true), "badlen"); // no name
    assert_error(rig_message(host, BYTES("nwur\1\2"), true), "buffer too small");
    assert_error(rig_message(host, BYTES("nwur\1\3\0ab"), true), "badlen");
    assert_error(rig_message(host, BYTES("nwur\1\2\0abc"), true), "badlen");
}

TEST(policy_24_72_30_users_and_no_more)
{
    WITH_RIG(rig, host);
    char name[8];
    for (int i = 0; i < 31; i++) {
        snprintf(name, sizeof name, "user%02d", i);
        const struct reply reply = rig_nwur(host, 1, bytes_of_text(name), BYTES("0123456789"));
        if (i < 30)
            assert_asci(reply, "");
        else
            assert_error(reply, "too many");
    }
    assert_okay(rmur(host, "user07"));
    assert_asci(rig_nwur(host, 1, BYTES("user30"), BYTES("0123456789")), "");
    // They are there after a restart.
    device_rig_restart(rig);
    assert_int_equal(json_get(rig_status(rig_host_linked(rig)), "users")->n_items, 30);
}

// --- Secrets that the device picks ---

static void check_totp(struct rig_host *host, const char *name, struct bytes secret)
{
    char code[OTP_TEXT_SIZE];
    otp_code(code, secret, 57000000);
    assert_asci(rig_user(host, name, bytes_of(code, 6), 57000000), "");
}

static struct bytes from_base32(struct bytes text)
{
    struct writer w = writer_growing(test_arena(), 64);
    assert_true(base32_read(&w, text));
    return writer_bytes(&w);
}

TEST(policy_24_73_wire_59_picked_secrets)
{
    WITH_RIG(rig, host);
    const struct reply totp = rig_nwur(host, NWUR_TOTP, BYTES("totp"), BYTES(""));
    assert_int_equal(totp.id, REPLY_ASCI);
    assert_int_equal(totp.data.len, 16);
    check_totp(host, "totp", from_base32(totp.data));
    const struct reply other = rig_nwur(host, NWUR_TOTP, BYTES("other"), BYTES(""));
    assert_memory_not_equal(other.data.ptr, totp.data.ptr, 16);

    // The lower-case form is the password: it works through 13.3.
    const struct reply hmac = rig_nwur(host, NWUR_HMAC, BYTES("hmac"), BYTES(""));
    assert_int_equal(hmac.data.len, 16);
    char password[17] = { 0 };
    for (size_t i = 0; i < 16; i++) {
        const char c = (char)hmac.data.ptr[i];
        assert_true((c >= 'A' && c <= 'Z') || (c >= '2' && c <= '7'));
        password[i] = (char)(c >= 'A' ? c - 'A' + 'a' : c);
    }
    static const struct hash256 no_psbt = { 0 };
    uint8_t secret[32], token[32];
    user_password_secret(secret, bytes_of_text(password), BYTES("F1F1F1F1F1F1"), false);
    user_password_token(token, secret, &no_psbt);
    assert_asci(rig_user(host, "hmac", BYTES_OF(token), 0), "");
}

TEST(policy_24_72_secrets_for_the_screen)
{
    static const struct {
        uint8_t mode;
        const char *name, *prefix;
    } modes[] = { { 0x81, "totp", "otpauth://totp/CC?secret=" },
                  { 0x82, "hotp", "otpauth://hotp/CC?secret=" },
                  { 0x83, "hmac", "" } };
    WITH_RIG(rig, host);
    for (size_t i = 0; i < COUNT(modes); i++) {
        // "the empty string ... when the QR flag was set"
        assert_asci(rig_nwur(host, modes[i].mode, bytes_of_text(modes[i].name), BYTES("")), "");
        const char *text = arena_text(test_arena(), rig_screen(rig).text);
        const char *qr = strstr(text, "\n\n");
        assert_non_null(qr);
        assert_int_equal(strncmp(qr + 2, modes[i].prefix, strlen(modes[i].prefix)), 0);
        const char *picked = qr + 2 + strlen(modes[i].prefix);
        char again[17] = { 0 };
        memcpy(again, picked, 16);
        // "the picked text is shown beside it"
        assert_non_null(strstr(picked + 16, again));
        if (modes[i].mode == 0x81)
            check_totp(host, "totp", from_base32(bytes_of(again, 16)));
        rig_keys(rig, "0");
        assert_bytes_text(rig_screen(rig).title, "Enroll user");
        rig_keys(rig, "y");
        assert_bytes_text(rig_screen(rig).title, "Ready To Sign");
        // What was shown is nowhere any more.
        assert_null(memmem(rig->device.panel_text.ptr, rig->device.panel_text.len, again, 16));
    }
}

// --- Deleting ---

TEST(wire_60_deleting_an_unknown_user)
{
    WITH_RIG(rig, host);
    assert_okay(rmur(host, "nobody"));
    assert_error(rig_message(host, BYTES("rmur\0"), true), "badlen");
    assert_error(rig_message(host, BYTES("rmur"), true), "buffer too small");
    assert_error(rig_message(host, BYTES("rmur\3ab"), true), "badlen");
    (void)rig;
}

TEST(policy_24_76_users_whom_a_policy_names)
{
    WITH_RIG(rig, host);
    rig_add_users(host);
    rig_activate(host, "{\"rules\":[{\"users\":[\"alice\"]}]}");
    device_rig_restart(rig);
    rig_keys(rig, "x");
    host = rig_host_linked(rig);
    assert_okay(rmur(host, "alice")); // works without boot_to_hsm
    assert_status(host, "users", "[\"bob\", \"carol\"]");

    rig_activate(host, "{\"boot_to_hsm\":\"123456\",\"rules\":[{},{\"users\":[\"bob\"]}]}");
    rig_keys(rig, "123456");
    assert_int_equal(rig->device.state, DEVICE_NORMAL);
    assert_error(rmur(host, "bob"), "in use by policy");
    assert_okay(rmur(host, "carol"));
    assert_okay(rmur(host, "Bob")); // nobody
    assert_status(host, "users", "[\"bob\"]");
    struct err err;
    assert_true(rig_menu(rig, PANEL_DELETE_USER, BYTES("bob"), &err));
    rig_keys(rig, "y");
    assert_screen(rig, "Failure", "in use by policy");
    rig_keys(rig, "y");
    assert_status(host, "users", "[\"bob\"]");
}

// --- Outside HSM mode: checked at once ---

TEST(policy_24_74_wire_61_codes_in_normal_mode)
{
    static const struct {
        const char *name, *token;
        uint32_t step;
        const char *answer;
    } cases[] = {
        { "zed", "123456", 57000000, "unknown user" },
        { "alice", "12345", 57000000, "expect otp" },
        { "alice", "123456", 52622504, "range" },
        { "alice", "000000", 57000000, "mismatch" },
        { "alice", "320033", 57000000, "" },
        { "alice", "320033", 57000000, "replay" }, // it was burnt
        { "alice", "440433", 57000003, "" },       // of 57000001
        { "alice", "320033", 57000002, "mismatch" },
        { "bob", "188239", 0, "" }, // code 0
        { "bob", "188239", 0, "mismatch" },
        { "bob", "449612", 9, "" }, // code 3
        { "bob", "855425", 0, "mismatch" },
        { "carol", "123456", 0, "mismatch" },
    };
    WITH_RIG(rig, host);
    rig_add_users(host);
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_asci(rig_user(host, cases[i].name, bytes_of_text(cases[i].token), cases[i].step),
                    cases[i].answer);
    // 32 zero bytes stand in for the PSBT's hash; no replay rule.
    const uint8_t nothing[32] = { 0 };
    uint8_t secret[32], token[32];
    user_password_secret(secret, BYTES("abcd1234"), BYTES("F1F1F1F1F1F1"), false);
    struct hash256 zero;
    memcpy(zero.b, nothing, sizeof zero.b);
    user_password_token(token, secret, &zero);
    assert_asci(rig_user(host, "carol", BYTES_OF(token), 0), "");
    assert_asci(rig_user(host, "carol", BYTES_OF(token), 0), "");
    // Durable.
    device_rig_restart(rig);
    assert_int_equal(rig_progress(rig, "alice"), 57000001);
    assert_int_equal(rig_progress(rig, "bob"), 3);
    assert_int_equal(rig_progress(rig, "carol"), 1);
    assert_asci(rig_user(rig_host_linked(rig), "alice", BYTES("440433"), 57000001), "replay");
}

// --- In HSM mode: queued ---

TEST(policy_24_75_the_queue)
{
    char name[32];
    WITH_RIG(rig, host);
    rig_activate(host, "{}");
    const struct bytes code = BYTES("123456");
    assert_error(rig_user(host, "a", code, 0), "badlen");
    assert_error(rig_user(host, "a2345678901234567", code, 0), "badlen");
    assert_error(rig_message(host, BYTES("user\0\0\0\0\0\1t"), true), "badlen");
    assert_error(rig_message(host, BYTES("user\0\0\0\0\2\0ab"), true), "badlen");
    assert_error(rig_message(host, BYTES("user\0\0\0\0\1"), true), "buffer too small");
    assert_error(rig_message(host, BYTES("user\0\0\0\0\2\6ab"), true), "badlen");
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "user%d", i);
        assert_asci(rig_user(host, name, code, 0), "");
    }
    assert_error(rig_user(host, "user30", code, 0), "toomany");
    assert_asci(rig_user(host, "user7", code, 0), ""); // replaces
    assert_status(host, "pending_auth", "30");
    assert_refuses(host, rig_payment(rig, 1), "Rejected: no txn signing allowed");
    assert_status(host, "pending_auth", "0");
    assert_asci(rig_user(host, "user30", code, 0), "");
}

// Pending authorisations belong to the signer: `auth` and `sign` come from different processes.
TEST(wire_7_2_authorisations_of_other_peers_count)
{
    WITH_RIG(rig, host);
    rig_add_users(host);
    rig_activate(host, "{\"rules\":[{\"users\":[\"alice\"]}]}");
    rig_alice(rig_host_linked(rig), 57000000);
    assert_signs(host, rig_payment(rig, 1000));
}
