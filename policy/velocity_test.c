#include "policy/velocity.h"
#include "tests/support/policy_fixture.h"

#define T0 INT64_C(1764000000)

static const char two_rules[] = "{\"period\":60,\"rules\":[{\"per_period\":1000},"
                                "{\"per_period\":500},{\"per_period\":0},{}]}";

static struct velocity charged(const struct policy *p, size_t rule, uint64_t n, int64_t at)
{
    struct velocity v = { 0 };
    assert_true(velocity_charge(&v, p, rule, (struct sats){ n }, at));
    return v;
}

TEST(policy_24_63_expires_to_the_second)
{
    const struct policy p = parsed(two_rules);
    struct velocity v = charged(&p, 0, 700, T0);
    assert_true(v.running);
    assert_int_equal(velocity_left_s(&v, &p, T0), 3600);
    velocity_advance(&v, &p, T0 + 3599);
    assert_true(v.running);
    assert_int_equal(v.spent[0].n, 700);
    assert_int_equal(velocity_left_s(&v, &p, T0 + 3599), 1);
    assert_int_equal(velocity_left_s(&v, &p, T0 + 3600), 0);
    velocity_advance(&v, &p, T0 + 3600);
    assert_false(v.running);
    assert_int_equal(v.spent[0].n, 0);
}

TEST(policy_24_63_a_charge_of_nothing_starts_the_period)
{
    const struct policy p = parsed(two_rules);
    const struct velocity v = charged(&p, 1, 0, T0);
    assert_true(v.running);
    assert_int_equal(v.start_s, T0);
}

TEST(policy_24_64_two_totals_one_period)
{
    const struct policy p = parsed(two_rules);
    struct velocity v = charged(&p, 0, 700, T0);
    assert_true(velocity_charge(&v, &p, 1, (struct sats){ 500 }, T0 + 1800));
    assert_int_equal(v.start_s, T0); // the first charge started it
    assert_int_equal(v.spent[0].n, 700);
    assert_int_equal(v.spent[1].n, 500);
    velocity_advance(&v, &p, T0 + 3600);
    assert_int_equal(v.spent[0].n + v.spent[1].n, 0);
}

TEST(policy_24_65_clock_set_back)
{
    const struct policy p = parsed(two_rules);
    struct velocity v = charged(&p, 0, 700, T0);
    velocity_advance(&v, &p, T0 - 86400);
    assert_true(v.running);
    assert_int_equal(v.start_s, T0 - 86400); // the period starts now
    assert_int_equal(v.spent[0].n, 700);     // totals are kept
    assert_int_equal(velocity_left_s(&v, &p, T0 - 86400), 3600);
    velocity_advance(&v, &p, T0 - 86400 + 3600);
    assert_false(v.running);
}

TEST(policy_24_65_times_at_the_ends_of_their_range)
{
    const struct policy p = parsed(two_rules);
    struct velocity v = charged(&p, 0, 1, INT64_MIN);
    assert_int_equal(velocity_left_s(&v, &p, INT64_MIN), 3600);
    velocity_advance(&v, &p, INT64_MAX);
    assert_false(v.running);
    v = charged(&p, 0, 1, INT64_MAX);
    velocity_advance(&v, &p, INT64_MIN);
    assert_true(v.running && v.start_s == INT64_MIN);
}

TEST(policy_24_37_start_with_boot_to_hsm)
{
    const struct policy p = parsed(two_rules);
    const struct velocity v = velocity_all_spent(&p, &(struct velocity){ 0 }, T0);
    assert_true(v.running);
    assert_int_equal(v.start_s, T0);
    assert_int_equal(v.spent[0].n, 1000);
    assert_int_equal(v.spent[1].n, 500);
    assert_int_equal(v.spent[2].n, 0);
    assert_int_equal(v.spent[3].n, 0);
    const struct policy zero = parsed("{\"period\":60,\"rules\":[{\"per_period\":0},{}]}");
    assert_false(velocity_all_spent(&zero, &(struct velocity){ 0 }, T0).running);
}

TEST(policy_24_62_more_than_can_exist_is_not_charged)
{
    const struct policy p = parsed(two_rules);
    struct velocity v = charged(&p, 0, SATS_MAX, T0);
    assert_false(velocity_charge(&v, &p, 0, (struct sats){ 1 }, T0));
    assert_int_equal(v.spent[0].n, SATS_MAX);
}

// Item 67: the reference's clock wraps after 12.43 days, and a period across that never ends.
TEST(policy_24_67_thirty_days)
{
    const struct policy p = parsed("{\"period\":4320,\"rules\":[{\"per_period\":1000}]}");
    struct velocity v = { 0 };
    unsigned periods = 0;
    for (int64_t t = 0; t < INT64_C(30) * 86400; t += 599) {
        velocity_advance(&v, &p, T0 + t);
        periods += !v.running;
        if (!v.running)
            assert_true(velocity_charge(&v, &p, 0, (struct sats){ 1000 }, T0 + t));
        assert_int_equal(v.spent[0].n, 1000);
        assert_in_range(velocity_left_s(&v, &p, T0 + t), 1, 4320 * 60);
    }
    assert_int_equal(periods, 10); // of three days each
}
