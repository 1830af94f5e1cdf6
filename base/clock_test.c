#include "base/clock.h"
#include "tests/support/test.h"

static const struct {
    int64_t wall_s;
    const char *text;
} cases[] = {
    { 0, "1970-01-01T00:00:00Z" },
    { 59, "1970-01-01T00:00:59Z" },
    { 86399, "1970-01-01T23:59:59Z" },
    { 86400, "1970-01-02T00:00:00Z" },
    { 951782400, "2000-02-29T00:00:00Z" }, // 2000 has a leap day: divisible by 400
    { 951868800, "2000-03-01T00:00:00Z" },
    { 1709164800, "2024-02-29T00:00:00Z" },
    { 1735689599, "2024-12-31T23:59:59Z" },
    { 1795256130, "2026-11-21T10:15:30Z" },
    { 4107542399, "2100-02-28T23:59:59Z" }, // 2100 has none
    { 4107542400, "2100-03-01T00:00:00Z" },
    { INT64_C(253402300799), "9999-12-31T23:59:59Z" },
    { INT64_C(253402300800), "9999-12-31T23:59:59Z" }, // clamped from here on
    { INT64_MAX, "9999-12-31T23:59:59Z" },
    { -1, "1970-01-01T00:00:00Z" },
    { INT64_MIN, "1970-01-01T00:00:00Z" },
};

TEST(listed_times_hold)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[CLOCK_TEXT_SIZE];
        clock_to_text(text, cases[i].wall_s);
        assert_string_equal(text, cases[i].text);
    }
}

// Every day of the range against the C library.
TEST(every_day_agrees_with_libc)
{
    for (int64_t t = 43199; t < INT64_C(253402300799); t += 86400) {
        const struct civil c = clock_civil(t);
        const time_t seconds = (time_t)t;
        struct tm tm;
        assert_non_null(gmtime_r(&seconds, &tm));
        if (c.year != tm.tm_year + 1900 || c.month != tm.tm_mon + 1 || c.day != tm.tm_mday ||
            c.hour != tm.tm_hour || c.minute != tm.tm_min || c.second != tm.tm_sec)
            fail_msg("%lld: %d-%d-%d", (long long)t, c.year, c.month, c.day);
    }
}

TEST(offset_is_added_to_both)
{
    struct clock clock = clock_system();
    const int64_t wall = clock.wall_s(&clock), monotonic = clock.monotonic_ms(&clock);
    assert_true(wall > 1700000000);
    assert_in_range(clock.monotonic_ms(&clock) - monotonic, 0, 60000);
    clock.offset_s = 1000000;
    assert_in_range(clock.wall_s(&clock) - wall, 1000000, 1000060);
    assert_in_range(clock.monotonic_ms(&clock) - monotonic, 1000000000, 1000060000);
}
