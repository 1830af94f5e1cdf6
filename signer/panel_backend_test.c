#include "signer/panel_backend.h"
#include "tests/support/device_checks.h"

#define HOME                                                                                       \
    "Signer rig, Bitcoin Testnet 4\nFingerprint 0F056943\n"                                        \
    "Journal key 061997f769891e58e9c938923f419e706f8bdc14b9d6384edea7759f874d6829\n"               \
    "HSM commands enabled\n"

static void expect_home(struct device_rig *rig)
{
    assert_screen(rig, "Ready To Sign", HOME);
    assert_int_equal(rig_screen(rig).ask, PANEL_ASK_NONE);
    assert_int_equal(rig_screen(rig).state, PANEL_NORMAL);
}

// --- What it shows ---

TEST(policy_9_the_hsm_screen)
{
    WITH_RIG(rig, host);
    expect_home(rig);
    rig_activate(host, "{\"period\":90,\"rules\":[{\"per_period\":5000}]}");
    assert_screen(rig, "HSM MODE", "APPROVED: 0\nREFUSED: 0\nPERIOD LEFT: --\n");
    assert_int_equal(rig_screen(rig).state, PANEL_HSM);
    assert_int_equal(rig_screen(rig).ask, PANEL_ASK_DIGITS);
    assert_bytes_text(rig_screen(rig).digits, "");
    assert_signs(host, rig_payment(rig, 1000));
    assert_refuses(host, rig_payment(rig, 5000), "Rejected: rule #1: would exceed period spending");
    assert_screen(rig, "HSM MODE", "APPROVED: 1\nREFUSED: 1\nPERIOD LEFT:  1h 30m\n");
    assert_int_equal(rig_screen(rig).approved, 1);
    assert_int_equal(rig_screen(rig).refused, 1);
    rig_pass(rig, INT64_C(30) * 60000 + 55000);
    assert_screen(rig, "HSM MODE", "APPROVED: 1\nREFUSED: 1\nPERIOD LEFT: 59m  5s\n");
    rig_keys(rig, "1234");
    assert_bytes_text(rig_screen(rig).digits, "1234");
    rig_keys(rig, "56");
    assert_bytes_text(rig_screen(rig).digits, "123456");
    rig_keys(rig, "7");
    assert_bytes_text(rig_screen(rig).digits, "7");
    rig_keys(rig, "x");
    assert_bytes_text(rig_screen(rig).digits, "");
}

TEST(policy_9_period_left_without_a_period)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{}");
    assert_bytes_text(rig_screen(rig).period_left, "n/a");
    // Approvals are shown modulo 10000.
    rig->device.hsm->counters.approvals = 10007;
    assert_screen(rig, "HSM MODE", "APPROVED: 7\nREFUSED: 0\nPERIOD LEFT: n/a\n");
    assert_int_equal(rig_screen(rig).approved, 10007);
    (void)host;
}

TEST(a_question_about_a_transaction)
{
    WITH_RIG(rig, host);
    assert_int_equal(rig_sign(host, rig_payment(rig, 5000), 0).result, RIG_WAITING);
    assert_screen(rig, "OK TO SEND?",
                  "Sending 0.00005000 XTN\nNetwork fee 0.00001000 XTN\n\n 1 input\n 2 outputs\n\n"
                  "0.00005000 XTN\n - to address -\n" RIG_STRANGER
                  "\n\nChange back:\n0.09994000 XTN\n - to address -\n"
                  "tb1qhvr7drg3mlxp03l97ecz5tzvczve6rsmsvf99e\n\n\n"
                  "Press OK to approve and sign transaction. X to abort.");
    assert_int_equal(rig_screen(rig).ask, PANEL_ASK_KEY);
}

// A line of the panel protocol holds 64 KiB: what is longer comes in pages, and nothing is approved
// before the last one is up.
TEST(a_policy_that_is_too_long_for_one_screen_is_shown_whole)
{
    enum { RULES = 1000 };
    struct writer policy = writer_growing(test_arena(), 1u << 20);
    writer_text(&policy, "{\"rules\":[");
    for (int i = 0; i < RULES; i++)
        writer_printf(&policy, "%s{\"patterns\":[\"EQ_OUT_AMOUNTS\",\"EQ_NUM_INS_OUTS\"]}",
                      i == 0 ? "" : ",");
    writer_text(&policy, "]}");
    WITH_RIG(rig, host);
    assert_okay(rig_offer(host, arena_text(test_arena(), writer_bytes(&policy))));
    struct err err;
    struct panel_screen screen = rig_screen(rig);
    assert_in_range(screen.text.len, 40000, 50000);
    const char *text = arena_text(test_arena(), screen.text);
    assert_non_null(strstr(text, "\n(There is more. Press OK for the next page, X to cancel.)\n"));
    // It fits in a line with all that JSON adds.
    const struct panel_reply reply = { .ok = true, .has_screen = true, .screen = screen };
    struct writer line = writer_growing(test_arena(), 1u << 20);
    struct bytes packed;
    panel_reply_pack(&line, &reply);
    assert_true(writer_finish(&line, &packed));
    assert_in_range(packed.len, 1, PANEL_LINE_MAX);

    int pages = 1;
    for (; strstr(text, "Press OK to enable HSM mode.") == NULL; pages++) {
        assert_in_range(pages, 1, 10);
        assert_true(panel_press(&rig->device, BYTES("y"), &err));
        screen = rig_screen(rig);
        text = arena_text(test_arena(), screen.text);
        assert_null(strstr(text, "Last chance"));
    }
    assert_in_range(pages, 2, 10);
    assert_non_null(strstr(text, "- Rule #1000: "));
}

// --- Keys ---

TEST(keys_that_there_are_not)
{
    struct err err;
    WITH_RIG(rig, host);
    assert_okay(rig_offer(host, "{}"));
    assert_false(panel_press(&rig->device, BYTES("yq"), &err));
    assert_err(&err, ERR_INVALID, "key 2 is not y, x, w or a digit");
    assert_bytes_text(bytes_slice(rig_screen(rig).text, 0, 14),
                      "\nTransactions:"); // none was taken
    assert_false(panel_press(&rig->device, BYTES("Y"), &err));
    assert_false(panel_press(&rig->device, BYTES("y\0"), &err));
    assert_true(panel_press(&rig->device, BYTES(""), &err));
    assert_false(rig_text(rig, BYTES("text"), &err)); // the question takes keys
}

// --- The menu ---

TEST(the_menu_is_there_in_normal_mode_only)
{
    static const enum panel_item items[] = { PANEL_START_HSM,   PANEL_WIPE_POLICY,
                                             PANEL_DELETE_USER, PANEL_DELETE_WALLET,
                                             PANEL_CHANGE_PIN,  PANEL_LOCK };
    struct err err;
    WITH_RIG(rig, host);
    rig_activate(host, "{}");
    for (size_t i = 0; i < COUNT(items); i++) {
        assert_false(rig_menu(rig, items[i], BYTES("alice"), &err));
        assert_err(&err, ERR_STATE, "the menu is there in normal mode only");
    }
    rig->asks_pin = true;
    device_rig_restart(rig);
    for (size_t i = 0; i < COUNT(items); i++)
        assert_false(rig_menu(rig, items[i], BYTES("alice"), &err));
    assert_true(rig_text(rig, RIG_PIN, &err)); // the offer of the policy
    for (size_t i = 0; i < COUNT(items); i++)
        assert_false(rig_menu(rig, items[i], BYTES("alice"), &err));
}

TEST(the_menu_wipes_a_policy)
{
    struct err err;
    WITH_RIG(rig, host);
    rig_activate(host, "{\"period\":10,\"rules\":[{\"per_period\":5000}]}");
    assert_signs(host, rig_payment(rig, 3000));
    device_rig_restart(rig);
    rig_keys(rig, "x");
    host = rig_host_linked(rig);
    assert_true(rig_menu(rig, PANEL_WIPE_POLICY, BYTES(""), &err));
    assert_screen(rig, "Wipe HSM Policy?",
                  "The saved policy will be forgotten.\n\nPress OK to wipe it, X to keep it.");
    rig_keys(rig, "0123456789");
    assert_status(host, "policy_available", "true");
    rig_keys(rig, "x");
    assert_status(host, "policy_available", "true");
    expect_home(rig);
    assert_true(rig_menu(rig, PANEL_WIPE_POLICY, BYTES(""), &err));
    rig_keys(rig, "y");
    assert_status(host, "policy_available", "false");
    expect_home(rig);
    device_rig_restart(rig);
    assert_int_equal(rig->device.state, DEVICE_NORMAL);
}

TEST(policy_13_2_the_menu_deletes_users)
{
    struct err err;
    WITH_RIG(rig, host);
    rig_add_users(host);
    assert_false(rig_menu(rig, PANEL_DELETE_USER, BYTES("zed"), &err));
    assert_err(&err, ERR_NOT_FOUND, "no user 'zed'");
    assert_true(rig_menu(rig, PANEL_DELETE_USER, BYTES("bob"), &err));
    assert_screen(rig, "Delete user?",
                  "Delete user bob?\n\nHOTP: count=0\n\nPress OK to delete, X to keep.");
    rig_keys(rig, "x");
    assert_status(host, "users", "[\"alice\", \"bob\", \"carol\"]");
    assert_true(rig_menu(rig, PANEL_DELETE_USER, BYTES("bob"), &err));
    rig_keys(rig, "y");
    assert_status(host, "users", "[\"alice\", \"carol\"]");
    expect_home(rig);
}

TEST(the_menu_locks)
{
    struct err err;
    WITH_RIG(rig, host);
    rig->asks_pin = true;
    assert_true(rig_menu(rig, PANEL_LOCK, BYTES(""), &err));
    rig_keys(rig, "x");
    assert_int_equal(rig->device.state, DEVICE_NORMAL);
    assert_true(rig_menu(rig, PANEL_LOCK, BYTES(""), &err));
    rig_keys(rig, "y");
    assert_int_equal(rig->device.state, DEVICE_LOCKED);
    (void)host;
}

// A host's request takes the place of a menu's question; what is pressed then answers the request.
TEST(a_request_replaces_a_question_of_the_menu)
{
    struct err err;
    WITH_RIG(rig, host);
    rig_add_users(host);
    assert_true(rig_menu(rig, PANEL_DELETE_USER, BYTES("bob"), &err));
    assert_int_equal(rig_sign(host, rig_payment(rig, 5000), 0).result, RIG_WAITING);
    rig_keys(rig, "y");
    assert_int_equal(rig_fetch(host).result, RIG_SIGNED);
    assert_status(host, "users", "[\"alice\", \"bob\", \"carol\"]");
    // And the other way round.
    assert_int_equal(rig_sign(host, rig_payment(rig, 5000), 0).result, RIG_WAITING);
    assert_true(rig_menu(rig, PANEL_DELETE_USER, BYTES("bob"), &err));
    rig_keys(rig, "x");
    assert_error(rig_ask(host, REQUEST_STOK), "No active request");
}

// --- The PIN ---

static struct device_rig *real_rig(void)
{
    struct device_rig *rig = device_rig_prepare(test_dir());
    rig->not_simulator = true;
    device_rig_start(rig);
    return rig;
}

static void answer(struct device_rig *rig, const char *prompt, const char *pin)
{
    struct err err;
    assert_screen(rig, "Change PIN", prompt);
    assert_int_equal(rig_screen(rig).ask, PANEL_ASK_TEXT);
    assert_true(rig_text(rig, bytes_of_text(pin), &err));
}

TEST(the_menu_changes_the_pin)
{
    static const struct {
        const char *old_pin, *new_pin, *again, *failure; // NULL: changed
    } cases[] = {
        { "wrong!", "abcdef", "abcdef", "wrong PIN" },
        { "123456", "abcdef", "abcdeg", "The new PINs differ." },
        { "123456", "abcde", NULL, "a PIN has 6 to 64 characters" },
        { "123456", "abcdef", "abcdef", NULL },
    };
    struct err err;
    AUTO(device_rig_freep) struct device_rig *rig = real_rig();
    for (size_t i = 0; i < COUNT(cases); i++) {
        rig_pass(rig, 10000); // the pause after a wrong one
        assert_true(rig_menu(rig, PANEL_CHANGE_PIN, BYTES(""), &err));
        answer(rig, "Enter the old PIN.", cases[i].old_pin);
        answer(rig, "Enter the new PIN.", cases[i].new_pin);
        if (cases[i].again != NULL)
            answer(rig, "Enter the new PIN again.", cases[i].again);
        assert_screen(rig, cases[i].failure != NULL ? "Failure" : "Done",
                      cases[i].failure != NULL ? cases[i].failure : "The PIN is changed.");
        rig_keys(rig, "y");
        expect_home(rig);
    }
    rig->asks_pin = true;
    device_rig_restart(rig);
    assert_true(rig_text(rig, BYTES("123456"), &err));
    assert_int_equal(rig->device.state, DEVICE_LOCKED);
    rig_pass(rig, 10000);
    assert_true(rig_text(rig, BYTES("abcdef"), &err));
    assert_int_equal(rig->device.state, DEVICE_NORMAL);
}

TEST(changing_the_pin_can_be_left)
{
    struct err err;
    AUTO(device_rig_freep) struct device_rig *rig = real_rig();
    assert_true(rig_menu(rig, PANEL_CHANGE_PIN, BYTES(""), &err));
    answer(rig, "Enter the old PIN.", "123456");
    rig_keys(rig, "x");
    expect_home(rig);
    // Another question takes its place.
    assert_true(rig_menu(rig, PANEL_CHANGE_PIN, BYTES(""), &err));
    answer(rig, "Enter the old PIN.", "123456");
    answer(rig, "Enter the new PIN.", "abcdef");
    assert_true(rig_menu(rig, PANEL_LOCK, BYTES(""), &err));
    rig_keys(rig, "x");
    assert_false(rig_text(rig, BYTES("abcdef"), &err));
    rig->device.simulator = true;
    assert_false(rig_menu(rig, PANEL_CHANGE_PIN, BYTES(""), &err));
    assert_err(&err, ERR_STATE, "a simulator has no PIN");
}
