#include "base/clock.h"
#include "base/require.h"
#include <inttypes.h>
#include <time.h>

#define DAY_S       86400
#define WALL_S_LAST INT64_C(253402300799) // 9999-12-31T23:59:59Z

static int64_t read_ms(clockid_t id)
{
    struct timespec now;
    REQUIRE(clock_gettime(id, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_wall_s(const struct clock *clock)
{
    struct timespec now;
    REQUIRE(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (int64_t)now.tv_sec + clock->offset_s + clock->wall_offset_s;
}

static int64_t system_monotonic_ms(const struct clock *clock)
{
    return read_ms(CLOCK_BOOTTIME) + clock->offset_s * 1000;
}

struct clock clock_system(void)
{
    return (struct clock){ .wall_s = system_wall_s, .monotonic_ms = system_monotonic_ms };
}

// Counting years from March, the leap day is the last of its year and a month's first day is a
// linear function of its number: days before month m are (153 * m + 2) / 5. The calendar repeats
// each 400 years of 146097 days; 0000-03-01 is 719468 days before 1970-01-01.
static void civil_date(struct civil *out, int days)
{
    const int d = days + 719468;
    const int era = d / 146097, day_of_era = d % 146097;
    const int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int march_month = (5 * day_of_year + 2) / 153;
    out->day = day_of_year - (153 * march_month + 2) / 5 + 1;
    out->month = march_month < 10 ? march_month + 3 : march_month - 9;
    out->year = era * 400 + year_of_era + (out->month <= 2);
}

struct civil clock_civil(int64_t wall_s)
{
    if (wall_s < 0)
        wall_s = 0;
    if (wall_s > WALL_S_LAST)
        wall_s = WALL_S_LAST;
    const int second_of_day = (int)(wall_s % DAY_S);
    struct civil c = { 0 };
    civil_date(&c, (int)(wall_s / DAY_S));
    c.hour = second_of_day / 3600;
    c.minute = second_of_day / 60 % 60;
    c.second = second_of_day % 60;
    return c;
}

void clock_to_text(char out[static CLOCK_TEXT_SIZE], int64_t wall_s)
{
    const struct civil c = clock_civil(wall_s);
    char text[80]; // the compiler cannot know that each number is short
    const int n = snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", c.year, c.month,
                           c.day, c.hour, c.minute, c.second);
    REQUIRE(n == CLOCK_TEXT_SIZE - 1);
    memcpy(out, text, CLOCK_TEXT_SIZE);
}
