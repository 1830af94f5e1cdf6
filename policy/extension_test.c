#include "policy/extension.h"
#include "policy/canonical.h"
#include "policy/lint.h"
#include "policy/simulate.h"
#include "policy/summary.h"
#include "tests/support/policy_fixture.h"

static struct bytes summary(const char *text)
{
    const struct policy p = parsed(text);
    return summary_of(&p, "XTN", UNIT_COIN);
}

// Absent, null and empty: byte-identical text, form and hash.
TEST(policy_24_84_without_members_nothing_changes)
{
    static const char *const same[] = {
        "{\"rules\":[{\"max_amount\":5}]}",
        "{\"rules\":[{\"max_amount\":5,\"casemate\":{}}],\"casemate\":null}",
        ("{\"casemate\":{\"count_fees\":false,\"max_fee\":null},\"rules\":[{\"max_amount\":5,"
         "\"casemate\":{\"count_fees\":0}}]}"),
    };
    const struct policy first = parsed(same[0]);
    const struct hash256 hash = policy_hash(&first);
    assert_bytes_text(canonical_of(&first), "{\"rules\": [{\"max_amount\": 5}]}");
    for (size_t i = 1; i < COUNT(same); i++) {
        const struct policy p = parsed(same[i]);
        const struct hash256 other = policy_hash(&p);
        assert_bytes_equal(canonical_of(&p), canonical_of(&first));
        assert_bytes_equal(stored_of(&p), stored_of(&first));
        assert_bytes_equal(BYTES_OF(other.b), BYTES_OF(hash.b));
        assert_bytes_equal(summary(same[i]), summary(same[0]));
    }
}

TEST(policy_24_84_members_are_in_text_form_and_hash)
{
    static const char text[] =
        "{\"casemate\":{\"max_fee\":2000},\"allow_sl\":1,\"set_sl\":\"0123456789abcdef\",\"rules\":"
        "[{\"max_amount\":5,\"casemate\":{\"max_fee\":0,\"count_fees\":1},\"local_conf\":true},{}]"
        "}";
    const struct policy p = parsed(text), plain = parsed("{\"rules\":[{\"max_amount\":5,"
                                                         "\"local_conf\":true},{}]}");
    assert_bytes_text(canonical_of(&p),
                      "{\"allow_sl\": 1, \"rules\": [{\"max_amount\": 5, \"local_conf\": true, "
                      "\"casemate\": {\"count_fees\": true, \"max_fee\": 0}}, {}], \"casemate\": "
                      "{\"max_fee\": 2000}}");
    const struct hash256 hash = policy_hash(&p), other = policy_hash(&plain);
    assert_memory_not_equal(hash.b, other.b, sizeof hash.b);
    // `sl_hash` stays the very last key.
    const char *form = arena_text(test_arena(), stored_of(&p));
    assert_non_null(strstr(form, "}], \"casemate\": {\"max_fee\": 2000}, \"sl_hash\": \""));
    const char *shown = arena_text(test_arena(), summary(text));
    assert_non_null(strstr(
        shown, "\nTransactions:\n"
               "- Rule #1: Up to 0.00000005 XTN per txn will be approved if local user confirms\n"
               "- Casemate: Rule #1: the network fee counts in its limits\n"
               "- Casemate: Rule #1: up to 0 XTN of network fee per txn\n"
               "- Rule #2: Any amount will be approved\n"
               "- Casemate: Every rule: up to 0.00002 XTN of network fee per txn\n"
               "\nMessage signing:\n"));
}

TEST(policy_24_84_stored_and_read_back)
{
    const struct policy p = parsed("{\"casemate\":{\"count_fees\":true},\"rules\":[{\"casemate\":"
                                   "{\"max_fee\":7}},{\"max_amount\":9}]}");
    struct policy again;
    struct err err;
    assert_true(policy_store_read(&again, stored_of(&p), &policy_world_of_24, test_arena(), &err));
    assert_bytes_equal(stored_of(&again), stored_of(&p));
    assert_true(again.rules[0].terms.max_fee.is_set && again.rules[0].terms.count_fees);
    assert_true(!again.rules[1].terms.max_fee.is_set && again.rules[1].terms.count_fees);
}

// What stands where it does not belong is refused by name, as any unknown member is.
TEST(policy_24_84_unknown_members)
{
    static const char *const of_rules[] = {
        "period",       "window",       "max_txns",          "scripts",
        "destinations", "attest_bound", "not_before_height", "x",
        "Max_fee"
    };
    static const char *const of_policies[] = {
        "totp_skew",
        "escape_tries",
        "local_conf_ttl",
        "max_refusals",
        "acknowledge_refusals",
        "dedupe",
        "hide_refusals",
        "msg_users",
        "msg_per_period",
        "x",
        "min_msg_users",
    };
    char text[120], expected[80];
    for (size_t i = 0; i < COUNT(of_rules); i++) {
        snprintf(text, sizeof text, "{\"casemate\":{\"%s\":1}}", of_rules[i]);
        snprintf(expected, sizeof expected, "policy: Unknown item: %s", of_rules[i]);
        assert_policy_error(text, expected);
    }
    for (size_t i = 0; i < COUNT(of_policies); i++) {
        snprintf(text, sizeof text, "{\"rules\":[{\"casemate\":{\"max_fee\":1,\"%s\":1}}]}",
                 of_policies[i]);
        snprintf(expected, sizeof expected, "rule #1: Unknown item: %s", of_policies[i]);
        assert_policy_error(text, expected);
    }
    assert_policy_error("{\"casemate\":[]}", "policy: casemate: must be dict");
    assert_policy_error("{\"casemate\":{\"max_fee\":-1}}",
                        "policy: max_fee: must be in range: [0..2100000000000000]");
    assert_policy_error("{\"casemate\":{\"max_fee\":\"1\"}}", "policy: max_fee: must be integer");
    assert_policy_error("{\"rules\":[{\"casemate\":{\"count_fees\":\"yes\"}}]}",
                        "rule #1: count_fees: must be boolean");
    // Checked last: an earlier error comes first.
    assert_policy_error("{\"casemate\":{\"x\":1},\"rules\":[{\"patterns\":[\"x\"]}]}",
                        "rule #1: unknown pattern: x");
}

// --- Item 85. The fixture's transaction moves 2,000,000 and pays a fee of 1,000. ---

TEST(policy_24_85_max_fee)
{
    static const struct {
        const char *policy, *expected;
    } cases[] = {
        { "{\"rules\":[{\"casemate\":{\"max_fee\":1000}}]}", "Acceptable by rule #1" },
        { "{\"rules\":[{\"casemate\":{\"max_fee\":999}}]}", "Rejected: rule #1: fee exceeded" },
        { "{\"casemate\":{\"max_fee\":999},\"rules\":[{},{\"casemate\":{\"max_fee\":5000}}]}",
          "Rejected: rule #1: fee exceeded, rule #2: fee exceeded" },
        { "{\"casemate\":{\"max_fee\":1000},\"rules\":[{\"casemate\":{\"max_fee\":999}},{}]}",
          "Acceptable by rule #2" },
        // After clause 2, before clause 3.
        { "{\"rules\":[{\"max_amount\":1,\"casemate\":{\"max_fee\":1}}]}",
          "Rejected: rule #1: amount exceeded" },
        { "{\"rules\":[{\"local_conf\":true,\"casemate\":{\"max_fee\":1}}]}",
          "Rejected: rule #1: fee exceeded" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture f;
        fixture_init(&f);
        (void)assert_decision(&f, cases[i].policy, cases[i].expected);
    }
    struct fixture f;
    fixture_init(&f);
    f.tx.fee_known = false;
    (void)assert_decision(&f, "{\"rules\":[{\"casemate\":{\"max_fee\":2100000000000000}}]}",
                          "Rejected: rule #1: fee exceeded");
}

TEST(policy_24_85_count_fees)
{
    static const struct {
        const char *policy, *expected;
        uint64_t charged;
    } cases[] = {
        { "{\"rules\":[{\"max_amount\":2000000}]}", "Acceptable by rule #1", 0 },
        { "{\"rules\":[{\"max_amount\":2000999,\"casemate\":{\"count_fees\":true}}]}",
          "Rejected: rule #1: amount exceeded", 0 },
        { "{\"rules\":[{\"max_amount\":2001000,\"casemate\":{\"count_fees\":true}}]}",
          "Acceptable by rule #1", 0 },
        { "{\"period\":5,\"rules\":[{\"per_period\":2000999}],\"casemate\":{\"count_fees\":true}}",
          "Rejected: rule #1: would exceed period spending", 0 },
        { "{\"period\":5,\"rules\":[{\"per_period\":2001000}],\"casemate\":{\"count_fees\":true}}",
          "Acceptable by rule #1", 2001000 },
        { "{\"period\":5,\"rules\":[{\"per_period\":2001000}]}", "Acceptable by rule #1", 2000000 },
        // Without a limit of money there is nothing that it could count in.
        { "{\"rules\":[{\"casemate\":{\"count_fees\":true}}]}", "Acceptable by rule #1", 0 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture f;
        fixture_init(&f);
        const struct decision d = assert_decision(&f, cases[i].policy, cases[i].expected);
        assert_int_equal(d.velocity.spent[0].n, cases[i].charged);
        assert_int_equal(d.charge.n, cases[i].charged);
    }
}

// A fee that is not known counts as more than any limit.
TEST(policy_24_85_count_fees_of_an_unknown_fee)
{
    struct fixture f;
    fixture_init(&f);
    f.tx.fee_known = false;
    (void)assert_decision(&f,
                          "{\"rules\":[{\"max_amount\":2100000000000000,\"casemate\":"
                          "{\"count_fees\":true}}]}",
                          "Rejected: rule #1: amount exceeded");
    (void)assert_decision(&f,
                          "{\"period\":5,\"rules\":[{\"per_period\":2100000000000000,"
                          "\"casemate\":{\"count_fees\":true}}]}",
                          "Rejected: rule #1: would exceed period spending");
}

TEST(policy_23_fees_in_lint)
{
    static const struct {
        const char *policy;
        bool unlimited, shadowed;
    } cases[] = {
        { "{\"rules\":[{\"max_amount\":5}]}", true, false },
        { "{\"rules\":[{\"max_amount\":5,\"casemate\":{\"max_fee\":1}}]}", false, false },
        { "{\"casemate\":{\"count_fees\":true},\"rules\":[{\"max_amount\":5}]}", false, false },
        { "{\"rules\":[{\"casemate\":{\"max_fee\":5}},{\"max_amount\":5}]}", true, false },
        { "{\"rules\":[{\"casemate\":{\"max_fee\":5}},{\"casemate\":{\"max_fee\":4}}]}", false,
          true },
        { "{\"rules\":[{\"max_amount\":5,\"casemate\":{\"count_fees\":true}},{\"max_amount\":5}]}",
          true, false },
        { "{\"rules\":[{\"max_amount\":5},{\"max_amount\":5,\"casemate\":{\"count_fees\":true}}]}",
          true, true },
    };
    const struct lint_world world = { 0 };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct policy p = parsed(cases[i].policy);
        bool unlimited = false, shadowed = false;
        struct lint lint;
        struct err err;
        assert_true(
            policy_lint(&lint, &p, bytes_of_text(cases[i].policy), &world, test_arena(), &err));
        for (size_t k = 0; k < lint.n; k++) {
            unlimited |= lint.findings[k].code == LINT_FEES_UNLIMITED;
            shadowed |= lint.findings[k].code == LINT_SHADOWED;
        }
        if (unlimited != cases[i].unlimited || shadowed != cases[i].shadowed)
            fail_msg("case %zu", i);
    }
}
