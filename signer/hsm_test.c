// What counts against a policy, over time and restarts: policy.md 11, 12, 16.
#include "signer/hsm.h"
#include "tests/support/device_checks.h"
#include <signal.h>
#include <sys/resource.h>

#define LIMIT_5000 "{\"period\":10,\"rules\":[{\"per_period\":5000}]}"
#define OVER       "Rejected: rule #1: would exceed period spending"

static void expect_period_left(struct device_rig *rig, const char *text)
{
    assert_bytes_text(rig_screen(rig).period_left, text);
}

// --- Velocity ---

TEST(policy_24_62_the_limit_and_one_satoshi_more)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"period\":10,\"rules\":[{\"per_period\":5000,\"max_amount\":4000},"
                       "{\"max_amount\":1}]}");
    assert_signs(host, rig_payment(rig, 1)); // rule #1 goes first
    assert_status(host, "has_spent", "[1, 0]");
    assert_refuses(host, rig_payment(rig, 4001),
                   "Rejected: rule #1: amount exceeded, rule #2: amount exceeded");
    assert_signs(host, rig_payment(rig, 4000));
    assert_signs(host, rig_payment(rig, 999)); // exactly
    assert_status(host, "has_spent", "[5000, 0]");
    assert_refuses(host, rig_payment(rig, 2),
                   "Rejected: rule #1: would exceed period spending, rule #2: amount exceeded");
    assert_signs(host, rig_payment(rig, 1)); // rule #2 has no limit
    assert_status(host, "has_spent", "[5000, 0]");
}

TEST(policy_24_62_a_rule_without_limit_starts_no_period)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"period\":10,\"rules\":[{\"max_amount\":100},{\"per_period\":5000}]}");
    assert_signs(host, rig_payment(rig, 100));
    assert_status(host, "period_ends", "absent");
    expect_period_left(rig, "--");
    assert_signs(host, rig_payment(rig, 101));
    assert_status(host, "period_ends", "600");
    expect_period_left(rig, "10m  0s");
}

// "even when total_out is 0"
TEST(policy_24_63_a_charge_of_0_starts_the_period)
{
    WITH_RIG(rig, host);
    rig_activate(host, LIMIT_5000);
    struct psbt_maker *maker = rig_maker(rig, 1000);
    maker->out[0] = maker->out[1]; // only change
    maker->n_out = 1;
    maker->out[0].amount.n = 9990000;
    assert_signs(host, rig_make(rig, maker));
    assert_status(host, "has_spent", "[0]");
    assert_status(host, "period_ends", "600");
}

TEST(policy_24_63_expiry_to_the_second)
{
    WITH_RIG(rig, host);
    rig_activate(host, LIMIT_5000);
    assert_status(host, "has_spent", "absent");
    assert_signs(host, rig_payment(rig, 5000));
    rig_pass(rig, 599000);
    assert_status(host, "period_ends", "1");
    expect_period_left(rig, "0m  1s");
    assert_refuses(host, rig_payment(rig, 1), OVER);
    rig_pass(rig, 1000);
    // Without a status report in between: expiry is noticed by the decision (E1).
    assert_signs(host, rig_payment(rig, 5000));
    rig_pass(rig, 600000);
    expect_period_left(rig, "--");
    assert_status(host, "has_spent", "absent");
    assert_status(host, "period_ends", "absent");
}

TEST(policy_24_64_two_rules_two_totals_one_period)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"period\":10,\"rules\":[{\"per_period\":3000,\"max_amount\":1000},"
                       "{\"per_period\":9000}]}");
    assert_signs(host, rig_payment(rig, 1000));
    rig_pass(rig, 300000);
    assert_signs(host, rig_payment(rig, 5000)); // too much for rule #1
    assert_status(host, "has_spent", "[1000, 5000]");
    assert_status(host, "period_ends", "300");
    rig_pass(rig, 300000);
    assert_status(host, "has_spent", "absent");
}

TEST(policy_11_signing_twice_charges_twice)
{
    WITH_RIG(rig, host);
    rig_activate(host, LIMIT_5000);
    const struct bytes psbt = rig_payment(rig, 2000);
    assert_signs(host, psbt);
    assert_signs(host, psbt);
    assert_refuses(host, psbt, OVER);
}

// --- Restarts ---

TEST(policy_24_65_spent_survives_a_restart)
{
    WITH_RIG(rig, host);
    rig_activate(host, LIMIT_5000);
    assert_signs(host, rig_payment(rig, 3000));
    rig_pass(rig, 100000);
    device_rig_restart(rig);
    rig_keys(rig, "y");
    host = rig_host_linked(rig);
    assert_status(host, "has_spent", "[3000]");
    assert_status(host, "period_ends", "500");
    assert_refuses(host, rig_payment(rig, 2001), OVER);
    assert_signs(host, rig_payment(rig, 2000));
    // Also declined at first and started from normal mode.
    device_rig_restart(rig);
    rig_keys(rig, "x");
    host = rig_host_linked(rig);
    assert_okay(rig_call(host, &(struct request){ .id = REQUEST_HSMS }));
    rig_keys(rig, "y");
    assert_status(host, "has_spent", "[5000]");
    // A period that ended while it was off.
    device_rig_stop(rig);
    rig->clock.wall_s += 600;
    device_rig_start(rig);
    rig_keys(rig, "y");
    assert_status(rig_host_linked(rig), "has_spent", "absent");
}

TEST(policy_24_65_a_clock_set_back_frees_nothing)
{
    WITH_RIG(rig, host);
    rig_activate(host, LIMIT_5000);
    assert_signs(host, rig_payment(rig, 5000));
    rig_set_wall(rig, RIG_EPOCH_S - 86400); // while it runs
    assert_status(host, "has_spent", "[5000]");
    assert_status(host, "period_ends", "600"); // "makes the period start now, totals kept"
    rig_pass(rig, 599000);
    assert_refuses(host, rig_payment(rig, 1), OVER);
    device_rig_stop(rig);
    rig_set_wall(rig, RIG_EPOCH_S - 900000); // while it is off
    device_rig_start(rig);
    rig_keys(rig, "y");
    host = rig_host_linked(rig);
    assert_status(host, "has_spent", "[5000]");
    assert_status(host, "period_ends", "600");
    assert_refuses(host, rig_payment(rig, 1), OVER);
    rig_pass(rig, 600000);
    assert_signs(host, rig_payment(rig, 1));
}

TEST(policy_24_65_a_new_file_starts_fresh)
{
    WITH_RIG(rig, host);
    rig_activate(host, LIMIT_5000);
    assert_signs(host, rig_payment(rig, 5000));
    device_rig_restart(rig);
    rig_keys(rig, "x");
    host = rig_host_linked(rig);
    rig_activate(host, LIMIT_5000); // "also when its hash is the same"
    assert_status(host, "has_spent", "absent");
    assert_signs(host, rig_payment(rig, 4000));
    // A policy of another hash in between does not free what the first had spent.
    device_rig_restart(rig);
    rig_keys(rig, "y");
    assert_status(rig_host_linked(rig), "has_spent", "[4000]");
}

// "keyed by policy hash"; the chain wraps after 12.43 days on the reference, nothing does here.
TEST(policy_24_67_30_days)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"period\":1440,\"rules\":[{\"per_period\":3000}]}");
    for (int day = 0; day < 30; day++) {
        for (int hour = 0; hour < 3; hour++) {
            assert_signs(host, rig_payment(rig, 1000));
            rig_pass(rig, 3600000);
        }
        assert_refuses(host, rig_payment(rig, 1), OVER);
        assert_status(host, "period_ends", "75600");
        rig_pass(rig, INT64_C(75600000));
    }
    assert_status(host, "approvals", "90");
    assert_status(host, "uptime", "2592000.000");
    // Periods that span the wraps of 12.43 and 24.86 days.
    rig_pass(rig, INT64_C(12) * 86400000);
    assert_signs(host, rig_payment(rig, 3000));
    rig_pass(rig, INT64_C(86400000) - 1000);
    assert_refuses(host, rig_payment(rig, 1), OVER);
    rig_pass(rig, 1000);
    assert_signs(host, rig_payment(rig, 1));
}

// A limit of 0 stays a limit after a restart (D1).
TEST(policy_21_d1_limits_of_0_survive)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"period\":10,\"rules\":[{\"per_period\":0},{\"max_amount\":0}]}");
    for (int start = 0; start < 2; start++) {
        assert_refuses(host, rig_payment(rig, 1),
                       "Rejected: rule #1: would exceed period spending, rule #2: amount exceeded");
        device_rig_restart(rig);
        rig_keys(rig, "y");
        host = rig_host_linked(rig);
    }
}

// The last decision, as far as its charge goes.
static struct decision *charged(const struct device_rig *rig, size_t rule, uint64_t sats)
{
    struct decision *decision = arena_alloc(test_arena(), sizeof *decision);
    assert_non_null(decision);
    decision->rule = rule;
    decision->charged = true;
    decision->charge.n = sats;
    decision->velocity = rig->device.hsm->velocity;
    return decision;
}

// [FIX] "If signing fails before any signature was computed, the charge is rolled back". Forced here:
// the seed goes between analysis and signature only if hardware fails, so hsm_take_back is called.
TEST(policy_10_1_a_charge_that_is_taken_back)
{
    struct err err;
    WITH_RIG(rig, host);
    rig_activate(host, LIMIT_5000);
    assert_signs(host, rig_payment(rig, 1000));
    const struct velocity before = rig->device.hsm->velocity;
    assert_signs(host, rig_payment(rig, 4000));
    struct decision *decision = charged(rig, 0, 4000);
    assert_true(hsm_take_back(&rig->device, decision, &before, &(struct hash256){ 0 }, &err));
    assert_status(host, "has_spent", "[1000]");
    device_rig_restart(rig);
    rig_keys(rig, "y");
    assert_status(rig_host_linked(rig), "has_spent", "[1000]");
}

// What others were charged in the meantime stays; so does a charge of a period that is over.
TEST(policy_10_1_only_the_own_charge_is_taken_back)
{
    struct err err;
    const struct hash256 hash = { { 0 } };
    WITH_RIG(rig, host);
    rig_activate(host, LIMIT_5000);
    const struct velocity none = rig->device.hsm->velocity;
    assert_signs(host, rig_payment(rig, 1000));
    struct decision *first = charged(rig, 0, 1000);
    assert_signs(host, rig_payment(rig, 300));
    assert_true(hsm_take_back(&rig->device, first, &none, &hash, &err));
    assert_status(host, "has_spent", "[300]");
    const struct velocity then = rig->device.hsm->velocity;
    assert_signs(host, rig_payment(rig, 2000));
    struct decision *late = charged(rig, 0, 2000);
    rig_pass(rig, 600 * 1000);
    assert_signs(host, rig_payment(rig, 5000));
    assert_true(hsm_take_back(&rig->device, late, &then, &hash, &err));
    assert_status(host, "has_spent", "[5000]");
}

// What cannot be stored is not signed, and is as if it had not been asked.
TEST(hsm_1_a_full_disk_signs_nothing)
{
    struct rlimit limit, small;
    WITH_RIG(rig, host);
    rig_add_users(host);
    rig_activate(host,
                 "{\"never_log\":true,\"period\":10,\"rules\":[{\"per_period\":5000,\"users\":"
                 "[\"alice\"]}]}");
    rig_alice(host, 57000000);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 1;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const struct rig_outcome failed = rig_sign(host, rig_payment(rig, 5000), 0);
    const struct rig_outcome message = rig_sign_text(host, "hello", "m");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(failed.result, RIG_FAILED);
    assert_bytes_text(failed.data, "Signing failed late");
    assert_int_equal(message.result, RIG_FAILED);
    assert_status(host, "has_spent", "absent");
    assert_status(host, "approvals", "0");
    assert_status(host, "pending_auth", "1");
    assert_signs(host, rig_payment(rig, 5000)); // with alice's code
}

// --- Counters ---

TEST(policy_24_68_last_refusal)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"msg_paths\":[\"m/1\"],\"rules\":[{\"max_amount\":1}]}");
    assert_status(host, "last_refusal", "null");
    assert_refuses(host, rig_payment(rig, 2), "Rejected: rule #1: amount exceeded");
    assert_status(host, "last_refusal", "\"Rejected: rule #1: amount exceeded\"");
    assert_int_equal(rig_sign_text(host, "hello", "m/1").result, RIG_SIGNED);
    assert_status(host, "last_refusal", "null");
    assert_int_equal(rig_sign_text(host, "hello", "m").result, RIG_REFUSED);
    assert_status(host, "last_refusal", "\"Message signing not enabled for that path\"");
    assert_signs(host, rig_payment(rig, 1));
    assert_status(host, "approvals", "2");
    assert_status(host, "refusals", "2");
}

TEST(policy_24_71_denied_queries_count_nothing)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{}");
    assert_refuses(host, rig_payment(rig, 2), "Rejected: no txn signing allowed");
    for (int i = 0; i < 200; i++) {
        assert_error(rig_message(host, BYTES("xpubm/1"), true), "Not allowed in HSM mode");
        assert_error(rig_message(host, BYTES("show\1\0\0\0m"), true), "Not allowed in HSM mode");
        assert_error(rig_message(host, BYTES("gslr"), true), "not allowed");
        assert_error(rig_message(host, BYTES("hsms"), true), "Not allowed in HSM mode");
    }
    assert_status(host, "refusals", "1");
    assert_status(host, "approvals", "0");
    assert_status(host, "last_refusal", "\"Rejected: no txn signing allowed\"");
}

TEST(policy_24_69_wire_72_the_100th_refusal_ends_it)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"rules\":[{\"max_amount\":1}]}");
    for (int i = 0; i < 99; i++) {
        // Transactions and messages together.
        if (i % 2 == 0)
            assert_refuses(host, rig_payment(rig, 2), "Rejected: rule #1: amount exceeded");
        else
            assert_int_equal(rig_sign_text(host, "hello", "m").result, RIG_REFUSED);
    }
    rig_pass(rig, 3600000);
    assert_int_equal(rig->device.state, DEVICE_HSM);
    assert_signs(host, rig_payment(rig, 1)); // an approval sets nothing back
    assert_refuses(host, rig_payment(rig, 2), "Rejected: rule #1: amount exceeded");
    // "The reply and a quick status request still get through."
    assert_status(host, "refusals", "100");
    rig_pass(rig, 249);
    assert_false(rig->has_stopped);
    rig_pass(rig, 1);
    assert_true(rig->has_stopped);
    // With an operator it starts at 0 again.
    device_rig_restart(rig);
    rig_keys(rig, "y");
    host = rig_host_linked(rig);
    assert_status(host, "refusals", "0");
    assert_refuses(host, rig_payment(rig, 2), "Rejected: rule #1: amount exceeded");
}

// [FIX] "keeps the count of refusals durably across unattended restarts"
TEST(policy_12_unattended_restarts_do_not_reset_the_count)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"boot_to_hsm\":\"123456\"}");
    for (int i = 0; i < 99; i++) {
        assert_refuses(host, rig_payment(rig, 2), "Rejected: no txn signing allowed");
        if (i % 33 == 32) {
            device_rig_restart(rig);
            host = rig_host_linked(rig);
        }
    }
    assert_status(host, "refusals", "99");
    assert_refuses(host, rig_payment(rig, 2), "Rejected: no txn signing allowed");
    rig_pass(rig, 250);
    assert_true(rig->has_stopped);
    // It does not arm by itself: hsm_boot_test.c.
}

// --- Storage locker: 16 ---

static struct reply gslr(struct rig_host *host)
{
    return rig_ask(host, REQUEST_GSLR);
}

TEST(policy_24_80_the_locker)
{
    WITH_RIG(rig, host);
    assert_error(gslr(host), "need hsm");
    rig_activate(host, "{\"set_sl\":\"0123456789abcdef\",\"allow_sl\":2}");
    for (int read = 1; read <= 2; read++) {
        const struct reply reply = gslr(host);
        assert_int_equal(reply.id, REPLY_BINY);
        assert_bytes_text(reply.data, "0123456789abcdef");
        assert_status(host, "sl_reads", read == 1 ? "1" : "2");
    }
    assert_error(gslr(host), "consumed");
    assert_status(host, "sl_reads", "2");
    // A restart by the operator resets it; a later policy reads what is there.
    device_rig_restart(rig);
    rig_keys(rig, "y");
    host = rig_host_linked(rig);
    assert_status(host, "sl_reads", "0");
    assert_bytes_text(gslr(host).data, "0123456789abcdef");
    device_rig_restart(rig);
    rig_keys(rig, "x");
    host = rig_host_linked(rig);
    rig_activate(host, "{\"allow_sl\":1}");
    assert_bytes_text(gslr(host).data, "0123456789abcdef");
    assert_error(gslr(host), "consumed");
    device_rig_restart(rig);
    rig_keys(rig, "x");
    rig_activate(rig_host_linked(rig), "{}");
    assert_error(gslr(rig_host_linked(rig)), "not allowed");
}

TEST(policy_16_a_locker_that_was_never_written_is_empty)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"allow_sl\":1}");
    const struct reply reply = gslr(host);
    assert_int_equal(reply.id, REPLY_BINY);
    assert_int_equal(reply.data.len, 0);
    assert_error(gslr(host), "consumed");
}

// "[FIX] persists the counter per start so that a crash does not reset it; a restart by the operator
// does": a start at which nobody touched a key or entered the PIN is none by the operator.
TEST(policy_16_unattended_restarts_do_not_reset_the_reads)
{
    struct err err;
    WITH_RIG(rig, host);
    rig_activate(host,
                 "{\"boot_to_hsm\":\"123456\",\"set_sl\":\"0123456789abcdef\",\"allow_sl\":3}");
    for (int start = 0; start < 3; start++) {
        assert_int_equal(gslr(host).id, REPLY_BINY);
        device_rig_restart(rig);
        host = rig_host_linked(rig);
    }
    assert_error(gslr(host), "consumed");
    rig->asks_pin = true;
    device_rig_restart(rig);
    assert_true(rig_text(rig, RIG_PIN, &err));
    host = rig_host_linked(rig);
    assert_status(host, "sl_reads", "0");
    assert_int_equal(gslr(host).id, REPLY_BINY);
}

// The value is forgotten once it is written: nothing of the policy in memory has it.
TEST(policy_8_2_the_locker_value_is_forgotten)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"set_sl\":\"0123456789abcdef\",\"allow_sl\":2}");
    assert_int_equal(rig->device.hsm->policy.set_sl.len, 0);
    assert_true(rig->device.hsm->policy.has_sl_hash);
    // D7: the same hash before and after a restart.
    const struct hash256 before = rig->device.hsm->policy_hash;
    device_rig_restart(rig);
    rig_keys(rig, "y");
    assert_memory_equal(&before, &rig->device.hsm->policy_hash, sizeof before);
}
