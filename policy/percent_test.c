#include "policy/percent.h"
#include "tests/support/policy_fixture.h"

#define SATS(n) ((struct sats){ (n) })

static struct percent pct(unsigned whole, uint64_t fraction, unsigned scale)
{
    return (struct percent){ true, whole, fraction, scale };
}

// Item 56: equality passes, one satoshi less does not; amounts near all the money there is.
static const struct {
    struct percent pct;
    uint64_t part, whole;
    bool reached;
} cases[] = {
    { { true, 75, 0, 0 }, 75, 100, true },
    { { true, 75, 0, 0 }, 749999, 1000000, false },
    { { true, 33, 33, 2 }, 3333, 10000, true },
    { { true, 33, 33, 2 }, 3332, 10000, false },
    { { true, 33, 33, 2 }, 333333333333333, 1000000000000000, true },
    { { true, 100, 0, 0 }, SATS_MAX, SATS_MAX, true },
    { { true, 100, 0, 0 }, SATS_MAX - 1, SATS_MAX, false },
    { { true, 99, UINT64_C(999999999999999999), 18 }, SATS_MAX - 1, SATS_MAX, false },
    { { true, 99, UINT64_C(999999999999999999), 18 }, SATS_MAX, SATS_MAX, true },
    { { true, 0, 1, 18 }, 1, SATS_MAX, true },
    { { true, 0, 1, 18 }, 0, SATS_MAX, false },
    { { true, 0, 1, 18 }, 0, 1, false },
    { { true, 100, 0, 0 }, 2, 1, true },
    { { true, 50, 0, 0 }, SATS_MAX / 2, SATS_MAX, true },
    { { true, 50, 0, 0 }, SATS_MAX / 2 - 1, SATS_MAX, false },
};

TEST(policy_24_56_exact_comparison)
{
    for (size_t i = 0; i < COUNT(cases); i++)
        if (percent_is_reached(cases[i].pct, SATS(cases[i].part), SATS(cases[i].whole)) !=
            cases[i].reached)
            fail_msg("case %zu", i);
}

static struct bytes two_decimals(uint64_t hundredths)
{
    struct writer w = text_writer();
    hundredths_write(&w, hundredths);
    return written(&w);
}

TEST(policy_5_two_decimals)
{
    assert_bytes_text(two_decimals(percent_hundredths(pct(75, 0, 0))), "75.00");
    assert_bytes_text(two_decimals(percent_hundredths(pct(33, 333, 3))), "33.33");
    assert_bytes_text(two_decimals(percent_hundredths(pct(66, 666, 3))), "66.67");
    assert_bytes_text(two_decimals(percent_hundredths(pct(99, 999, 3))), "100.00");
    assert_bytes_text(two_decimals(percent_hundredths(pct(0, 1, 4))), "0.00");
    assert_bytes_text(two_decimals(percent_hundredths(pct(99, UINT64_C(994999999999999999), 18))),
                      "99.99");
    assert_bytes_text(two_decimals(share_hundredths(SATS(1), SATS(3))), "33.33");
    assert_bytes_text(two_decimals(share_hundredths(SATS(2), SATS(3))), "66.67");
    assert_bytes_text(two_decimals(share_hundredths(SATS(0), SATS(3))), "0.00");
    assert_bytes_text(two_decimals(share_hundredths(SATS(SATS_MAX), SATS(SATS_MAX))), "100.00");
    assert_true(share_hundredths(SATS(SATS_MAX), SATS(1)) == UINT64_MAX);
    assert_int_equal(share_hundredths(SATS(1), SATS(20000)), 1); // half up
    assert_int_equal(share_hundredths(SATS(1), SATS(20001)), 0);
}

TEST(policy_unset_and_zero_percentages_restrict_nothing)
{
    assert_true(percent_is_zero((struct percent){ 0 }));
    assert_true(percent_is_zero((struct percent){ .whole = 5 })); // not set
    assert_true(percent_is_zero(pct(0, 0, 0)));
    assert_false(percent_is_zero(pct(0, 1, 18)));
    assert_false(percent_is_zero(pct(1, 0, 0)));
}
