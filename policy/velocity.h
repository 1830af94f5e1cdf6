// policy/velocity.h -- how much has moved in the current period.
//
// (1) One fixed window for all rules; each rule with per_period has its own total.
// (2) A clock that goes back never frees money: the period then starts now, totals kept.
// (3) Nothing is ever given back but by the end of the period.
// Source: policy.md 11 and 8.2 steps 5 and 6.
#ifndef CASEMATE_POLICY_VELOCITY_H
#define CASEMATE_POLICY_VELOCITY_H
#include "policy/rules.h"

// A plain value: zero is "no period is running".
struct velocity {
    bool running;
    int64_t start_s;                     // of the period, in the caller's wall clock
    struct sats spent[POLICY_RULES_MAX]; // per rule
};

// Takes up what was stored, or what the last request left, at `now_s`: ends the period if it is
// over, restarts it if the clock stands before its start.
void velocity_advance(struct velocity *v, const struct policy *policy, int64_t now_s);

// Adds to the rule's total and starts the period if none is running. Call for approvals under a
// rule with per_period only. False, and nothing changed, if the sum is more than can exist.
MUST_CHECK bool velocity_charge(struct velocity *v, size_t rule, struct sats spent, int64_t now_s);

// Each per_period that is not 0 counts as spent from now on; without one no period runs.
// For a start with boot_to_hsm that is not the first of a new file.
struct velocity velocity_all_spent(const struct policy *policy, int64_t now_s);

// Seconds left of the running period; 0 if none runs.
int64_t velocity_left_s(const struct velocity *v, const struct policy *policy, int64_t now_s);

#endif
