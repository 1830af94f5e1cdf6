// policy/velocity.h -- how much has moved in the current period.
//
// (1) One fixed window for all rules; each rule with per_period has its own total.
// (2) A clock that goes back never frees money: the period then starts now, totals kept.
// (3) Nothing is ever given back but by the end of the period.
// (4) Extensions: a rule with a period of its own, or a sliding window, counts in outlays of its own.
//     There is room for so many; past that, the two that lie closest become one with the later time:
//     what is counted may stay counted for longer, never for less.
// Source: policy.md 11, 8.2 steps 5 and 6, D10, D17, 22.
#ifndef CASEMATE_POLICY_VELOCITY_H
#define CASEMATE_POLICY_VELOCITY_H
#include "policy/rules.h"

#define VELOCITY_OUTLAYS_MAX (POLICY_RULES_MAX + 281)
#define VELOCITY_REPEATS_MAX 256
// Instead of the index of a rule: messages, which msg_per_period counts.
#define VELOCITY_MESSAGES    POLICY_RULES_MAX

// What was counted at one time in a window of its own.
struct outlay {
    uint32_t rule; // index, or VELOCITY_MESSAGES
    uint32_t n;    // requests
    int64_t since_s;
    struct sats sats;
};

// A transaction that was charged to a rule: with `dedupe` it is not charged again.
struct repeat {
    uint32_t rule;
    int64_t since_s;
    struct hash256 txid;
};

// A plain value: zero is "no period is running".
struct velocity {
    bool running;
    int64_t start_s; // of the period, in the caller's wall clock
    // Per rule, in its window. The last of `n` are the messages.
    struct sats spent[POLICY_RULES_MAX];
    uint32_t n[POLICY_RULES_MAX + 1];
    uint32_t heights[POLICY_RULES_MAX]; // greatest locktime under not_before_height; never falls
    // Of windows of their own: `spent` and `n` are their sums. By time for each rule.
    size_t n_outlays;
    struct outlay outlays[VELOCITY_OUTLAYS_MAX];
    size_t n_repeats; // oldest first
    struct repeat repeats[VELOCITY_REPEATS_MAX];
};

// A copy of what is counted alone, for the whole is 59 KB: what stands behind that in *out stays, and is
// never read.
void velocity_copy(struct velocity *out, const struct velocity *v);

// Takes up what was stored, or what the last request left, at `now_s`: ends the period if it is
// over, restarts it if the clock stands before its start.
void velocity_advance(struct velocity *v, const struct policy *policy, int64_t now_s);

// Adds to the rule's total and starts the period if none is running. Call for approvals under a
// rule that counts only. False, and nothing changed, if the sum is more than can exist.
MUST_CHECK bool velocity_charge(struct velocity *v, const struct policy *policy, size_t rule,
                                struct sats spent, int64_t now_s);

// Counts a message, for msg_per_period.
void velocity_count_message(struct velocity *v, int64_t now_s);

// Remembers that the transaction was charged to the rule, for as long as its charge counts; and whether
// it was. The oldest are forgotten: they would be charged again.
void velocity_remember(struct velocity *v, const struct policy *policy, size_t rule,
                       const struct hash256 *txid, int64_t now_s);
bool velocity_was_charged(const struct velocity *v, size_t rule, const struct hash256 *txid);

// Takes back what `after` has of a request that `before` has not: a charge of a rule, of which no
// signature was computed. What was charged since stays. A charge that cannot be told from others any
// more stays, too.
void velocity_take_back(struct velocity *now, const struct velocity *before,
                        const struct velocity *after, const struct policy *policy, size_t rule,
                        struct sats charge);

// Each per_period that is not 0 counts as spent from now on, and so do max_txns and msg_per_period;
// without one no period runs. `before`: what was stored, of which heights stay.
// For a start with boot_to_hsm that is not the first of a new file.
struct velocity velocity_all_spent(const struct policy *policy, const struct velocity *before,
                                   int64_t now_s);

// The wall clock was set forward by so much: nothing ends earlier for it.
void velocity_shift(struct velocity *v, int64_t by_s);

// Seconds left of the running period; 0 if none runs.
int64_t velocity_left_s(const struct velocity *v, const struct policy *policy, int64_t now_s);

#endif
