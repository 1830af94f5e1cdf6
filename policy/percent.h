// policy/percent.h -- shares of money, compared and printed without rounding errors.
//
// Source: policy.md 10.6: "Casemate compares integers".
#ifndef CASEMATE_POLICY_PERCENT_H
#define CASEMATE_POLICY_PERCENT_H
#include "base/writer.h"
#include "policy/rules.h"

bool percent_is_zero(struct percent pct); // or unset: both restrict nothing

// part / whole * 100 >= pct. `whole` is not 0.
bool percent_is_reached(struct percent pct, struct sats part, struct sats whole);

// In hundredths of a percent, to the nearest, half up; at most UINT64_MAX.
uint64_t percent_hundredths(struct percent pct);
uint64_t share_hundredths(struct sats part, struct sats whole);

// "33.30"
void hundredths_write(struct writer *w, uint64_t hundredths);

#endif
