#include "bunker/spent.h"
#include "tests/support/test.h"

static void update(struct spending *s, const char *text)
{
    const struct json *hsm;
    struct err err;
    assert_true(json_parse(&hsm, bytes_of_text(text), test_arena(), &err));
    spending_update(s, hsm);
}

#define SUMMARY                                                                                    \
    "\"summary\": \"\\nTransactions:\\n- Rule #1: Up to 0.05 XTN per period will be approved\\n"   \
    "- Rule #2: Up to 1 XTN per txn may be sent to: x\\n- Rule #3: Any amount\\n\""

static const struct {
    const char *line;
    size_t rule; // 0: none
    uint64_t cap;
} lines[] = {
    { "- Rule #1: Up to 0.05 XTN per period will be approved", 1, 5000000 },
    { "Rule #12: Up to 21 BTC per period", 12, 2100000000 },
    { "- Rule #1: Up to 0.00000001 BTC per period", 1, 1 },
    { "- Rule #1: Up to 5 BTC per txn will be approved", 0, 0 },
    { "- Rule #1: Up to 5 BTC per txn, and up to 1 BTC per period", 0, 0 },
    { "- Rule #1: Up to 0.000000001 BTC per period", 0, 0 }, // finer than a satoshi
    { "- Rule #1: Any amount will be approved", 0, 0 },
    { "Notes: Up to 1 BTC per period", 0, 0 },
    { "", 0, 0 },
};

TEST(bunker_10_caps_of_the_summary)
{
    for (size_t i = 0; i < COUNT(lines); i++) {
        size_t rule = 0;
        struct sats cap = { 0 };
        const bool found = spent_cap_of_line(bytes_of_text(lines[i].line), &rule, &cap);
        if (found != (lines[i].rule != 0) ||
            (found && (rule != lines[i].rule || cap.n != lines[i].cap)))
            fail_msg("'%s'", lines[i].line);
    }
}

TEST(bunker_21_44_normal_spending)
{
    struct spending s = { 0 };
    update(&s, "{\"active\": true, \"approvals\": 0, \"uptime\": 1.5, " SUMMARY "}");
    assert_int_equal(s.total.n, 0);
    assert_false(s.has_period_end);
    update(&s, "{\"active\": true, \"approvals\": 2, \"uptime\": 60, \"period_ends\": 7200, "
               "\"has_spent\": [1000000, 0, 0], " SUMMARY "}");
    assert_int_equal(s.total.n, 1000000);
    assert_int_equal(s.rules[0].cap.n, 5000000);
    assert_int_equal(s.rules[0].presumed.n, 0);
    assert_int_equal(s.period_ends_s, 7200);
    assert_false(s.presumed);
    assert_false(s.rules[1].has_cap); // per transaction is no cap
}

TEST(bunker_21_44_presumed_after_a_restart)
{
    struct spending s = { 0 };
    update(&s, "{\"active\": true, \"approvals\": 0, \"uptime\": 3, \"period_ends\": 100, "
               "\"has_spent\": [5000000, 0, 0], " SUMMARY "}");
    assert_true(s.presumed);
    assert_int_equal(s.total.n, 0); // nothing was spent
    assert_int_equal(s.rules[0].presumed.n, 5000000);
    // The period ends, and real spending begins.
    update(&s, "{\"active\": true, \"approvals\": 0, \"uptime\": 200, " SUMMARY "}");
    assert_false(s.presumed);
    update(&s, "{\"active\": true, \"approvals\": 1, \"uptime\": 210, \"period_ends\": 900, "
               "\"has_spent\": [70000, 0, 0], " SUMMARY "}");
    assert_false(s.presumed);
    assert_int_equal(s.total.n, 70000);
    // Restarted once more.
    update(&s, "{\"active\": true, \"approvals\": 0, \"uptime\": 2, \"period_ends\": 900, "
               "\"has_spent\": [5000000, 0, 0], " SUMMARY "}");
    assert_true(s.presumed);
}

TEST(bunker_21_44_privacy_and_no_device)
{
    struct spending s = { 0 };
    update(&s, "{\"active\": true, \"approvals\": 0, \"refusals\": 0}");
    assert_int_equal(s.n_rules, 0);
    update(&s, "{}");
    assert_int_equal(s.n_rules, 0);
    spending_update(&s, NULL);
    assert_int_equal(s.n_rules, 0);
}
