// base/clock.h -- time comes in through an interface, so that tests own it.
#ifndef CASEMATE_BASE_CLOCK_H
#define CASEMATE_BASE_CLOCK_H
#include "base/bytes.h"

struct clock {
    int64_t (*wall_s)(const struct clock *);       // seconds since 1970 UTC; may jump
    int64_t (*monotonic_ms)(const struct clock *); // never goes back; counts while suspended
    int64_t offset_s;                              // test clocks: added to both
    int64_t wall_offset_s;                         // and besides to the wall clock
};

struct clock clock_system(void);

// "2026-11-21T10:15:30Z". `out` has room for 21 bytes. Years 1970 to 9999, else clamped.
#define CLOCK_TEXT_SIZE 21
void clock_to_text(char out[static CLOCK_TEXT_SIZE], int64_t wall_s);

// Calendar date and time of day, UTC, clamped in the same way.
struct civil {
    int year, month, day, hour, minute, second;
};
struct civil clock_civil(int64_t wall_s);

#endif
