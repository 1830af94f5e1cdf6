#include "policy/device_float.h"
#include "tests/support/policy_fixture.h"

static struct bytes percent_text(unsigned whole, uint64_t fraction, unsigned scale)
{
    struct writer w = text_writer();
    device_float_percent(&w, (struct percent){ true, whole, fraction, scale });
    return written(&w);
}

static struct bytes hours_text(unsigned minutes)
{
    struct writer w = text_writer();
    device_float_hours(&w, minutes);
    return written(&w);
}

static const struct {
    unsigned whole, scale;
    uint64_t fraction;
    const char *text;
} percentages[] = {
    { 0, 0, 0, "0.0" },
    { 100, 0, 0, "100.0" },
    { 75, 0, 0, "75.0" },
    { 7, 0, 0, "7.0" },
    { 84, 0, 0, "84.00001" }, // the four integers that gain digits
    { 89, 0, 0, "89.00001" },
    { 94, 0, 0, "94.00001" },
    { 99, 0, 0, "99.00001" },
    { 99, 1, 9, "99.90001" },
    { 81, 1, 5, "81.50001" },
    { 86, 1, 5, "86.50001" },
    { 91, 1, 5, "91.50001" },
    { 96, 1, 5, "96.50001" },
    { 33, 3, 333, "33.333" },
    { 12, 3, 345, "12.345" },
    { 0, 2, 1, "0.01" },
    { 0, 1, 5, "0.5" },
    { 0, 4, 1, "0.0001" }, // the least that has no exponent
    { 0, 10, 1234567, "0.0001234567" },
    { 99, 8, 99999999, "100.0" }, // the nearest float
    { 9, 7, 9999997, "10.0" },    // carried through all digits
    { 33, 18, UINT64_C(333333333333333333), "33.33333" },
};

TEST(policy_24_29_percentages_of_the_device)
{
    for (size_t i = 0; i < COUNT(percentages); i++)
        assert_bytes_text(
            percent_text(percentages[i].whole, percentages[i].fraction, percentages[i].scale),
            percentages[i].text);
}

static struct percent hundredths(unsigned n)
{
    if (n % 100 == 0)
        return (struct percent){ true, n / 100, 0, 0 };
    if (n % 10 == 0)
        return (struct percent){ true, n / 100, n % 100 / 10, 1 };
    return (struct percent){ true, n / 100, n % 100, 2 };
}

// All 10,000 values, one a line, against the hash of what an independent model of policy.md 5 made:
// exact fractions, rounded to 24 bits after each operation.
TEST(policy_24_29_every_percentage_from_0_01_to_100)
{
    struct writer w = text_writer();
    unsigned integers = 0;
    for (unsigned n = 1; n <= 10000; n++) {
        const size_t before = w.len;
        device_float_percent(&w, hundredths(n));
        integers += n % 100 == 0 && bytes_slice(writer_bytes(&w), before, 10).len > 5;
        writer_text(&w, "\n");
    }
    const struct hash256 hash = sha256(written(&w));
    assert_bytes_text(hex_of(&hash),
                      "76a551bce877ba8f69d7b152b31ab48c3aabf039630e9df19c72b59259419f98");
    assert_int_equal(integers, 4);
}

static const struct {
    unsigned minutes;
    const char *text;
} periods[] = { { 60, "1" },     { 61, "1.02" }, { 90, "1.5" },  { 119, "1.98" }, { 603, "10" },
                { 605, "10.1" }, { 1439, "24" }, { 4319, "72" }, { 4320, "72" },  { 240, "4" } };

TEST(policy_24_29_hours_of_the_device)
{
    for (size_t i = 0; i < COUNT(periods); i++)
        assert_bytes_text(hours_text(periods[i].minutes), periods[i].text);
}

// All 4,261 periods against the same model; it differs from C's %.3g for 357 of them, as the
// specification says of the device.
TEST(policy_24_29_every_period)
{
    struct writer w = text_writer();
    for (unsigned minutes = 60; minutes <= 4320; minutes++) {
        device_float_hours(&w, minutes);
        writer_text(&w, "\n");
    }
    const struct hash256 hash = sha256(written(&w));
    assert_bytes_text(hex_of(&hash),
                      "08f8df05af21419ce88bf8a25188a806cf7cf4db480e9e1041b700c60d514a88");
}

TEST(policy_5_small_percentages_would_have_an_exponent)
{
    assert_true(device_float_is_plain((struct percent){ true, 0, 0, 0 }));
    assert_true(device_float_is_plain((struct percent){ true, 0, 1, 4 }));
    assert_false(device_float_is_plain((struct percent){ true, 0, 9, 5 }));
}

// Section 5: what the device, and what its simulator, print differently from the number itself.
TEST(policy_5_which_percentages_print_alike_everywhere)
{
    static const unsigned odd[] = { 41, 46, 48, 51, 53, 56, 58, 61, 63, 66, 68, 71, 73, 76,
                                    78, 82, 83, 84, 87, 88, 89, 92, 93, 94, 96, 97, 98, 99 };
    size_t next = 0;
    for (unsigned n = 1; n <= 100; n++) {
        const bool is_odd = next < COUNT(odd) && odd[next] == n;
        next += is_odd;
        if (device_float_agrees((struct percent){ true, n, 0, 0 }) == is_odd)
            fail_msg("%u", n);
    }
    assert_false(device_float_agrees((struct percent){ true, 99, 9, 1 })); // 99.90001
    assert_false(device_float_agrees((struct percent){ true, 81, 5, 1 }));
    assert_true(device_float_agrees((struct percent){ true, 12, 5, 1 }));
    assert_true(device_float_agrees((struct percent){ true, 0, 0, 0 }));
}
