// A policy that starts by itself: policy.md 8.2 step 6, 8.3, 8.4, 12, D21.
#include "signer/hsm_start.h"
#include "signer/requests.h"
#include "tests/support/device_checks.h"
#include <signal.h>
#include <sys/resource.h>

static enum device_state state(const struct device_rig *rig)
{
    return rig->device.state;
}

#define BOOT                                                                                       \
    "{\"boot_to_hsm\":\"123456\",\"period\":10,\"rules\":[{\"per_period\":0},{\"per_period\":"     \
    "5000}]}"

TEST(policy_24_37_wire_73_boot_starts_by_itself_and_all_spent)
{
    WITH_RIG(rig, host);
    rig_activate(host, BOOT);
    assert_status(host, "has_spent", "absent"); // "not a new file"
    assert_signs(host, rig_payment(rig, 3000));
    assert_status(host, "has_spent", "[0, 3000]");
    device_rig_restart(rig);
    assert_int_equal(state(rig), DEVICE_HSM);
    assert_true(rig->wire_is_open);
    host = rig_host_linked(rig);
    // "a rule with `per_period` 0 is not charged"
    assert_status(host, "has_spent", "[0, 5000]");
    assert_status(host, "period_ends", "600");
    assert_refuses(host, rig_payment(rig, 1),
                   "Rejected: rule #1: would exceed period spending, rule #2: would exceed period "
                   "spending");
    rig_pass(rig, 599000);
    assert_status(host, "period_ends", "1");
    rig_pass(rig, 1000);
    assert_status(host, "has_spent", "absent");
    assert_signs(host, rig_payment(rig, 5000));
}

TEST(policy_24_38_wire_71_the_escape_window_is_60_s)
{
    static const struct {
        int64_t after_ms;
        const char *digits;
        bool leaves;
    } cases[] = {
        { 0, "123456", true },
        { 59900, "123456", true },
        { 59999, "123456", true },
        { 60000, "123456", false }, // "less than 60 s"
        { 59000, "123457", false },
        { 59000, "12345", false },
        { 59000, "12345y6", true }, // OK before the sixth digit queues nothing and clears nothing
        { 59000, "12345x6", false },
        { 59000, "9123456", false }, // the seventh digit begins a new display
        { INT64_C(6) * 86400000, "123456", false },
        { INT64_C(7) * 86400000, "123456", false }, // the reference reopens from day 6.21 ...
        { INT64_C(10) * 86400000, "123456", false },
        { INT64_C(13) * 86400000, "123456", false }, // ... and after its wrap (D4)
        { INT64_C(25) * 86400000, "123456", false },
    };
    WITH_RIG(rig, host);
    rig_activate(host, "{\"boot_to_hsm\":\"123456\"}");
    for (size_t i = 0; i < COUNT(cases); i++) {
        device_rig_restart(rig);
        assert_int_equal(state(rig), DEVICE_HSM);
        rig_pass(rig, cases[i].after_ms);
        rig_keys(rig, cases[i].digits);
        if ((state(rig) == DEVICE_NORMAL) != cases[i].leaves)
            fail_msg("case %zu: state %d", i, (int)state(rig));
        host = rig_host_linked(rig);
        // "The policy stays saved"
        if (cases[i].leaves)
            assert_status(host, "policy_available", "true");
    }
}

// It measures from activation, not from power-on, and works after a fresh activation too.
TEST(policy_8_4_escape_after_a_fresh_activation)
{
    WITH_RIG(rig, host);
    rig_pass(rig, 100000);
    rig_activate(host, "{\"boot_to_hsm\":\"000000\"}");
    rig_pass(rig, 59900);
    rig_keys(rig, "000000");
    assert_int_equal(state(rig), DEVICE_NORMAL);
    // Other values than six digits cannot be entered.
    rig_activate(host, "{\"boot_to_hsm\":\"1\"}");
    rig_keys(rig, "1y1111111x1y");
    assert_int_equal(state(rig), DEVICE_HSM);
}

TEST(policy_8_4_without_boot_to_hsm_no_digits_leave)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{}");
    rig_keys(rig, "123456y000000yxy");
    assert_int_equal(state(rig), DEVICE_HSM);
}

// A clock set back does not reopen the window: it is measured on the monotonic one.
TEST(policy_24_38_setting_the_clock_reopens_nothing)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"boot_to_hsm\":\"123456\"}");
    rig_pass(rig, 60000);
    rig_set_wall(rig, RIG_EPOCH_S);
    rig_keys(rig, "123456");
    assert_int_equal(state(rig), DEVICE_HSM);
}

// 12 [FIX]: stopped by the limit, "it shows screen 1 and waits for OK". To leave a policy with
// boot_to_hsm, only its code serves.
TEST(policy_12_a_stopped_boot_policy_waits_for_ok)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"boot_to_hsm\":\"123456\"}");
    for (int i = 0; i < 100; i++)
        assert_int_equal(rig_sign_text(host, "hello", "m").result, RIG_REFUSED);
    rig_pass(rig, DEVICE_ENOUGH_MS);
    assert_true(rig->has_stopped);
    device_rig_restart(rig);
    assert_false(rig->wire_is_open);
    assert_bytes_text(rig_screen(rig).title, "Start HSM?");
    rig_keys(rig, "x");
    assert_int_equal(state(rig), DEVICE_OFFER);
    assert_false(rig->wire_is_open);
    assert_bytes_text(rig_screen(rig).title, "Start HSM?");
    rig_keys(rig, "y");
    assert_int_equal(state(rig), DEVICE_HSM);
    // "an operator's activation (with keys) sets it to 0"
    assert_status(rig_host_linked(rig), "refusals", "0");
    device_rig_restart(rig);
    assert_int_equal(state(rig), DEVICE_HSM);
}

// --- Starts that fail lead back to the PIN, not to normal mode ---

static void let_files_grow(bool allowed)
{
    struct rlimit limit;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = allowed ? limit.rlim_max : 1;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

TEST(policy_21_d21_a_full_disk_at_the_start_is_no_way_out)
{
    struct err err;
    WITH_RIG(rig, host);
    rig_activate(host, "{\"boot_to_hsm\":\"123456\"}");
    rig->asks_pin = true;
    device_rig_restart(rig);
    // As device_unlock does, but the disk is full once the try of the PIN is counted.
    assert_true(vault_unlock(&rig->device.vault, &rig->device.container, RIG_PIN, &err));
    assert_true(device_load(&rig->device, &err));
    let_files_grow(false);
    device_after_unlock(&rig->device);
    let_files_grow(true);
    assert_bytes_text(rig_screen(rig).title, "Failure");
    rig_keys(rig, "x0123456789x");
    assert_int_equal(state(rig), DEVICE_OFFER);
    assert_false(rig->wire_is_open);
    rig_keys(rig, "y");
    assert_int_equal(state(rig), DEVICE_LOCKED);
    assert_true(rig_text(rig, RIG_PIN, &err));
    assert_int_equal(state(rig), DEVICE_HSM);
}

// "Policy invalid ... With `boot_to_hsm`: the message is shown and the device halts, at every start".
// (Deleting a user whom it names is refused, so only an older version can have left this.)
TEST(policy_8_3_an_invalid_boot_policy_halts)
{
    static const char *const forms[] = {
        "{\"boot_to_hsm\": \"123456\", \"rules\": [{\"users\": [\"zed\"], \"min_users\": 1}]}",
        "{\"boot_to_hsm\": \"123456\"", // not JSON: as if it had it
    };
    WITH_RIG(rig, host);
    (void)host;
    for (size_t i = 0; i < COUNT(forms); i++) {
        const struct store_policy policy = { .form = bytes_of_text(forms[i]) };
        const struct velocity none = { 0 };
        const struct store_activation activation = { .policy = &policy, .velocity = &none };
        struct err err;
        assert_true(store_activate(rig->store, &activation, &err));
        for (int start = 0; start < 2; start++) {
            device_rig_restart(rig);
            assert_int_equal(state(rig), DEVICE_OFFER);
            rig_keys(rig, "x0123456789x");
            assert_int_equal(state(rig), DEVICE_OFFER);
            rig_keys(rig, "y"); // the PIN, and here again
            assert_int_equal(state(rig), DEVICE_OFFER);
            assert_false(rig->wire_is_open);
            assert_bytes_text(bytes_slice(rig_screen(rig).text, 0, 17), "Cannot start HSM.");
        }
        rig->asks_pin = false;
    }
}
