#include "signer/hsm_start.h"
#include "signer/requests.h"
#include "tests/support/device_checks.h"
#include <signal.h>
#include <sys/resource.h>

#define NOTHING_ALLOWED                                                                            \
    "\nTransactions:\n- No transaction will be signed.\n\nMessage signing:\n- Not allowed.\n\n"    \
    "Other policy:\n- MicroSD card will receive log entries.\n"
#define QUESTION "\n\nPress OK to enable HSM mode."
#define ANYTHING "{\"rules\":[{}]}"

static struct reply ask_saved(struct rig_host *host)
{
    return rig_call(host, &(struct request){ .id = REQUEST_HSMS });
}

static enum device_state state(const struct device_rig *rig)
{
    return rig->device.state;
}

static const char *stored_form(struct device_rig *rig)
{
    struct store_policy policy;
    struct err err;
    assert_true(store_get_policy(rig->store, &policy, test_arena(), &err));
    return arena_text(test_arena(), policy.form);
}

// --- Two screens ---

TEST(policy_24_34_screen_texts_byte_for_byte)
{
    WITH_RIG(rig, host);
    assert_okay(rig_offer(host, "{}"));
    assert_screen(rig, "Start HSM?", NOTHING_ALLOWED QUESTION);
    assert_int_equal(rig_screen(rig).ask, PANEL_ASK_KEY);
    rig_keys(rig, "y");
    // "the digit must be its eighth character"
    static const char fixed[] =
        "Last chance. You are defining a new policy which allows the Coldcard to sign specific "
        "transactions without any further user approval.\n\nPolicy hash:\n"
        "af4fc1e3a66777e55c55972accbc027937a8a5cdb88591254bec551bd74b8ac7\n\n\nPress (";
    const struct bytes text = rig_screen(rig).text;
    assert_bytes_text(bytes_slice(text, 0, sizeof fixed - 1), fixed);
    const char digit = (char)text.ptr[sizeof fixed - 1];
    assert_non_null(strchr("12346", digit));
    assert_bytes_text(bytes_slice(text, sizeof fixed, 99), ") to save policy and enable HSM mode.");
    assert_bytes_text(rig_screen(rig).title, "Start HSM?");
}

// [EXT] D24: "the panel adds to screen 2, before the last line, `This policy can never be left.`"
TEST(policy_21_d24_a_policy_that_locks_in_says_so)
{
    static const struct {
        const char *policy;
        bool says;
    } cases[] = { { "{\"boot_to_hsm\":\"123456\"}", false },
                  { "{\"boot_to_hsm\":\"12345\"}", true },
                  { "{\"boot_to_hsm\":\"xyzzy\"}", true },
                  { "{}", false } };
    WITH_RIG(rig, host);
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_okay(rig_offer(host, cases[i].policy));
        rig_keys(rig, "y");
        const char *text = arena_text(test_arena(), rig_screen(rig).text);
        const char *at = strstr(text, "\nThis policy can never be left.\nPress (");
        assert_int_equal(at != NULL, cases[i].says);
        rig_keys(rig, "x");
    }
}

TEST(policy_24_34_other_keys_do_nothing)
{
    WITH_RIG(rig, host);
    assert_okay(rig_offer(host, "{}"));
    rig_keys(rig, "0123456789");
    assert_screen(rig, "Start HSM?", NOTHING_ALLOWED QUESTION);
    rig_keys(rig, "y");
    const struct bytes text = rig_screen(rig).text;
    const char digit = (char)text.ptr[text.len - sizeof ") to save policy and enable HSM mode."];
    for (const char *key = "0123456789y"; *key != 0; key++) {
        if (*key == digit)
            continue;
        rig_keys(rig, (const char[]){ *key, 0 });
        assert_int_equal(state(rig), DEVICE_NORMAL);
        assert_true(hsm_start_is_asking(&rig->device));
        assert_status(host, "approval_wait", "true");
    }
    rig_keys(rig, (const char[]){ digit, 0 });
    assert_int_equal(state(rig), DEVICE_HSM);
}

// The digit is drawn anew each time, out of five.
TEST(policy_24_34_the_digit_is_one_of_five)
{
    unsigned seen[10] = { 0 };
    WITH_RIG(rig, host);
    for (int i = 0; i < 100; i++) {
        assert_okay(rig_offer(host, "{}"));
        rig_keys(rig, "y");
        const struct bytes text = rig_screen(rig).text;
        seen[text.ptr[text.len - sizeof ") to save policy and enable HSM mode."] - '0']++;
        rig_keys(rig, "x");
    }
    for (size_t digit = 0; digit < 10; digit++)
        assert_int_equal(seen[digit] > 0, strchr("12346", (int)('0' + digit)) != NULL);
}

TEST(policy_24_33_refused_on_either_screen_saves_nothing)
{
    WITH_RIG(rig, host);
    for (int screens = 1; screens <= 2; screens++) {
        assert_okay(rig_offer(host, ANYTHING));
        rig_keys(rig, screens == 1 ? "x" : "yx");
        assert_int_equal(state(rig), DEVICE_NORMAL);
        assert_status(host, "policy_available", "false");
        assert_status(host, "approval_wait", "absent");
        assert_screen(
            rig, "Ready To Sign",
            "Signer rig, Bitcoin Testnet 4\nFingerprint 0F056943\n"
            "Journal key 061997f769891e58e9c938923f419e706f8bdc14b9d6384edea7759f874d6829\n"
            "HSM commands enabled\n");
        assert_error(ask_saved(host), "No existing policy");
    }
}

TEST(policy_24_33_refused_the_old_policy_stays)
{
    WITH_RIG(rig, host);
    rig_activate(host, ANYTHING);
    device_rig_restart(rig);
    rig_keys(rig, "x");
    const char *before = stored_form(rig);
    host = rig_host_linked(rig);
    for (int screens = 1; screens <= 2; screens++) {
        assert_okay(rig_offer(host, "{\"rules\":[{\"max_amount\":5}]}"));
        rig_keys(rig, screens == 1 ? "x" : "yx");
        assert_string_equal(stored_form(rig), before);
    }
}

TEST(policy_8_1_a_file_that_is_invalid_changes_nothing)
{
    WITH_RIG(rig, host);
    struct rig_host *other = rig_host_linked(rig);
    rig_upload(other, BYTES("{\"zzz\":1}"));
    assert_okay(rig_offer(host, ANYTHING));
    // "Errors are returned at once; nothing changes": the question before is still there.
    assert_error(rig_hsms(other, "{\"zzz\":1}"), "HSM Policy invalid: policy: Unknown item: zzz");
    assert_true(hsm_start_is_asking(&rig->device));
    rig_keys(rig, "y");
    assert_bytes_text(bytes_slice(rig_screen(rig).text, 0, 12), "Last chance.");
}

TEST(policy_24_25_wire_74_an_error_is_cut_to_80_bytes)
{
    WITH_RIG(rig, host);
    const struct reply reply = rig_offer(
        host,
        "{\"rules\":[{\"users\":[\"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz\"]}]}");
    assert_error(reply, "HSM Policy invalid: rule #1: Unknown user: "
                        "abcdefghijklmnopqrstuvwxyzabcdefghijk");
    assert_int_equal(reply.data.len, 80);
}

TEST(policy_24_2_wire_74_errors_of_hsms)
{
    WITH_RIG(rig, host);
    assert_error(ask_saved(host), "No existing policy");
    rig_upload(host, BYTES("{}"));
    struct request hsms = { .id = REQUEST_HSMS, .hsms = { true, { 2, sha256(BYTES("[]")) } } };
    assert_error(rig_call(host, &hsms), "Checksum");
    hsms.hsms.file.sha = sha256(BYTES("{}"));
    hsms.hsms.file.length = 1;
    assert_error(rig_call(host, &hsms), "badlen");
    hsms.hsms.file.length = 3;
    assert_error(rig_call(host, &hsms), "Checksum");
    rig_upload(host, BYTES("{"));
    hsms = (struct request){ .id = REQUEST_HSMS, .hsms = { true, { 1, sha256(BYTES("{")) } } };
    assert_error(rig_call(host, &hsms), "badlen");
    uint8_t *large = arena_alloc(test_arena(), 200001);
    memset(large, ' ', 200001);
    rig_upload(host, bytes_of(large, 200001));
    hsms.hsms.file = (struct request_file){ 200001, sha256(bytes_of(large, 200001)) };
    assert_error(rig_call(host, &hsms), "badlen");
    assert_error(rig_message(host, BYTES("hsms\1"), true), "buffer too small");
    assert_false(hsm_start_is_asking(&rig->device));
}

// --- A saved policy: one screen ---

TEST(policy_24_35_a_saved_policy_asks_once)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{}");
    device_rig_restart(rig);
    // 8.3: asked before the wire opens; X leaves it in normal mode.
    assert_false(rig->wire_is_open);
    assert_screen(rig, "Start HSM?", NOTHING_ALLOWED QUESTION);
    rig_keys(rig, "0123456789");
    assert_false(rig->wire_is_open);
    rig_keys(rig, "x");
    assert_true(rig->wire_is_open);
    assert_int_equal(state(rig), DEVICE_NORMAL);

    host = rig_host_linked(rig);
    assert_string_equal(rig_status_keys(host), "active chain policy_available users wallets");
    assert_okay(ask_saved(host));
    assert_status(host, "approval_wait", "true");
    assert_status(host, "active", "false");
    assert_screen(rig, "Start HSM?", NOTHING_ALLOWED QUESTION);
    rig_keys(rig, "y");
    assert_int_equal(state(rig), DEVICE_HSM);
    assert_status(host, "active", "true");
}

TEST(policy_8_3_the_offer_is_accepted_with_one_key)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{}");
    device_rig_restart(rig);
    rig_keys(rig, "y");
    assert_int_equal(state(rig), DEVICE_HSM);
    assert_true(rig->wire_is_open);
}

TEST(policy_8_3_the_menu_starts_a_saved_policy)
{
    struct err err;
    WITH_RIG(rig, host);
    assert_false(rig_menu(rig, PANEL_START_HSM, BYTES(""), &err));
    assert_err(&err, ERR_NOT_FOUND, "No existing policy");
    rig_activate(host, "{}");
    device_rig_restart(rig);
    rig_keys(rig, "x");
    assert_true(rig_menu(rig, PANEL_START_HSM, BYTES(""), &err));
    assert_screen(rig, "Start HSM?", NOTHING_ALLOWED QUESTION);
    rig_keys(rig, "y");
    assert_int_equal(state(rig), DEVICE_HSM);
}

// "HSM commands are switched on in the settings", whatever the configuration says.
TEST(policy_8_3_a_saved_policy_turns_hsm_commands_on)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{}");
    device_rig_stop(rig);
    rig->config.hsm_commands = false;
    device_rig_start(rig);
    rig_keys(rig, "x");
    host = rig_host_linked(rig);
    assert_status(host, "policy_available", "true");
}

TEST(policy_24_76_a_missing_user_is_named_at_the_start)
{
    WITH_RIG(rig, host);
    rig_add_users(host);
    rig_activate(host, "{\"rules\":[{\"users\":[\"bob\"]},{\"users\":[\"alice\"]}]}");
    device_rig_restart(rig);
    rig_keys(rig, "x");
    host = rig_host_linked(rig);
    assert_okay(
        rig_call(host, &(struct request){ .id = REQUEST_RMUR, .rmur = { BYTES("alice") } }));
    assert_error(ask_saved(host), "HSM Policy invalid: rule #2: Unknown user: alice");
    device_rig_restart(rig);
    assert_false(rig->wire_is_open);
    assert_screen(rig, "Failure",
                  "Cannot start HSM.\n\nHSM Policy invalid: rule #2: Unknown user: alice");
    rig_keys(rig, "0123456789");
    assert_false(rig->wire_is_open);
    rig_keys(rig, "y");
    assert_int_equal(state(rig), DEVICE_NORMAL);
    assert_true(rig->wire_is_open);
}

// D7: policy_hash stays the same when a user is made anew with another secret, so the question says it.
TEST(policy_21_d7_a_user_of_the_same_name_with_another_secret_is_noticed)
{
    static const char warning[] = "WARNING: users, wallets or the chain are not those with which "
                                  "this policy was approved.\n\n";
    WITH_RIG(rig, host);
    rig_add_users(host);
    rig_activate(host, "{\"rules\":[{\"users\":[\"alice\"]}]}");
    device_rig_restart(rig);
    assert_false(bytes_starts_with(rig_screen(rig).text, bytes_of_text(warning)));
    rig_keys(rig, "x");
    host = rig_host_linked(rig);
    assert_okay(
        rig_call(host, &(struct request){ .id = REQUEST_RMUR, .rmur = { BYTES("alice") } }));
    assert_asci(rig_nwur(host, 1, BYTES("alice"), BYTES("0123456789")), "");
    device_rig_restart(rig);
    assert_true(bytes_starts_with(rig_screen(rig).text, bytes_of_text(warning)));
    // Approved with keys, it is what was approved.
    rig_keys(rig, "y");
    assert_int_equal(state(rig), DEVICE_HSM);
    device_rig_restart(rig);
    assert_false(bytes_starts_with(rig_screen(rig).text, bytes_of_text(warning)));
}

// --- Questions that end otherwise ---

TEST(wire_7_3_a_new_start_replaces_the_question)
{
    WITH_RIG(rig, host);
    struct rig_host *other = rig_host_linked(rig);
    rig_upload(other, BYTES("{\"notes\":\"second\"}"));
    assert_okay(rig_offer(host, "{\"notes\":\"first\"}"));
    rig_keys(rig, "y");
    assert_busy(rig_upld(host, 0, 1, BYTES("{")));
    assert_okay(rig_hsms(other, "{\"notes\":\"second\"}"));
    assert_screen(rig, "Start HSM?", "=-=\nsecond\n=-=\n" NOTHING_ALLOWED QUESTION);
    rig_keys(rig, "x");
    assert_status(host, "approval_wait", "absent");
}

TEST(wire_7_3_hsms_discards_what_is_pending)
{
    WITH_RIG(rig, host);
    assert_int_equal(rig_sign(host, rig_payment(rig, 1000), 0).result, RIG_WAITING);
    assert_okay(rig_offer(host, "{}"));
    rig_keys(rig, "x");
    assert_error(rig_ask(host, REQUEST_STOK), "No active request");
}

TEST(a_lock_takes_the_question_down)
{
    WITH_RIG(rig, host);
    assert_okay(rig_offer(host, "{}"));
    rig->asks_pin = true;
    device_lock(&rig->device);
    assert_screen(rig, "Locked", "Enter the PIN.");
    assert_false(rig->wire_is_open);
    rig_keys(rig, "y12346");
    assert_int_equal(state(rig), DEVICE_LOCKED);

    // The same while the policy is offered at the start.
    struct err err;
    assert_true(rig_text(rig, RIG_PIN, &err));
    rig_activate(rig_host_linked(rig), "{}");
    device_rig_restart(rig);
    assert_true(rig_text(rig, RIG_PIN, &err));
    assert_int_equal(state(rig), DEVICE_OFFER);
    device_lock(&rig->device);
    assert_int_equal(state(rig), DEVICE_LOCKED);
    assert_false(rig->wire_is_open);
}

// --- Nothing is half done ---

// 8.2 [FIX]: "reports `failed` to the operator with nothing changed". The host deletes a user while
// the operator reads.
TEST(policy_8_2_a_user_deleted_meanwhile_leaves_the_old_policy)
{
    WITH_RIG(rig, host);
    rig_add_users(host);
    rig_activate(host, ANYTHING);
    device_rig_restart(rig);
    rig_keys(rig, "x");
    host = rig_host_linked(rig);
    const char *before = stored_form(rig);
    assert_okay(rig_offer(host, "{\"rules\":[{\"users\":[\"alice\"]}]}"));
    rig_keys(rig, "y");
    assert_okay(
        rig_call(host, &(struct request){ .id = REQUEST_RMUR, .rmur = { BYTES("alice") } }));
    rig_keys(rig, "12346");
    assert_int_equal(state(rig), DEVICE_NORMAL);
    assert_screen(rig, "Failure",
                  "Cannot start HSM.\n\nHSM Policy invalid: rule #1: Unknown user: alice");
    assert_string_equal(stored_form(rig), before);
    assert_status(host, "approval_wait", "absent");
}

TEST(policy_8_2_a_full_disk_leaves_the_old_policy)
{
    struct rlimit limit, small;
    WITH_RIG(rig, host);
    rig_activate(host, ANYTHING);
    device_rig_restart(rig);
    rig_keys(rig, "x");
    host = rig_host_linked(rig);
    const char *before = stored_form(rig);
    assert_okay(rig_offer(host, "{\"set_sl\":\"0123456789abcdef\",\"allow_sl\":1}"));
    rig_keys(rig, "y");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 1;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    rig_keys(rig, "12346");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(state(rig), DEVICE_NORMAL);
    assert_bytes_text(rig_screen(rig).title, "Failure");
    assert_string_equal(stored_form(rig), before);
    rig_keys(rig, "y");
    // And it works once there is room.
    rig_activate(host, "{}");
}
