// coordinator/choose.h -- which k of the signers are asked, and what a refusal means for the others. Pure.
//
// (1) Even in value, not in count: who signed least in its window comes first, so that honest traffic never
//     meets a device's limit before the coordinator's own (B4).
// (2) Never two of one failure domain if there is another set.
// (3) Nobody is asked who is not read back as ready, or has refused CHOOSE_REFUSALS_MAX times since its start:
//     the 100th refusal shuts a device down.
// Source: coordinator.md B4, C14, C18, C19, D9; D17 (25 to 27).
#ifndef CASEMATE_COORDINATOR_CHOOSE_H
#define CASEMATE_COORDINATOR_CHOOSE_H
#include "bitcoin/sats.h"
#include "coordinator/refusal.h"

#define CHOOSE_REFUSALS_MAX 80
#define CHOOSE_MAX          15 // signers of a wallet

// What is known of a signer, as far as it matters.
struct candidate {
    unsigned number;
    const char *domain; // failure domain; empty: its own
    bool enabled, ready;
    bool leased;   // by another replica
    bool cooling;  // after a failure
    bool excluded; // was asked for this spend already
    uint64_t refusals;
    struct sats max_amount; // of the tier's rule; SATS_MAX: no limit
    struct sats budget;     // left in its window; SATS_MAX: no limit
    struct sats value;      // signed in its window
    int64_t last_us;        // signed last; 0: never
};

enum choose_why {
    CHOOSE_NOT_READY, // disabled, not ready, leased, cooling, excluded, refusals: of no use now
    CHOOSE_AMOUNT,    // ready, and its rule does not allow that much
    CHOOSE_BUDGET,    // ready, and its window has not that much left
    CHOOSE_ELIGIBLE,
};
enum choose_why choose_judge(const struct candidate *c, struct sats amount);

struct choice {
    size_t n;                 // eligible
    size_t order[CHOOSE_MAX]; // of the candidates: the k to ask, best first, then substitutes
    size_t n_ready;           // eligible or not, they are ready: amount and budget aside
    size_t n_amount;          // of those, how many have a rule that allows the amount
};
// False: fewer than k are eligible; the counts say why.
MUST_CHECK bool choose_signers(struct choice *out, const struct candidate *candidates, size_t n,
                               size_t k, struct sats amount);

// What a refusal, or no answer, of one signer means for the spend. Source: D9 "On refusal".
enum choose_next {
    CHOOSE_END,        // another would say the same, and refusals are dear
    CHOOSE_SUBSTITUTE, // one other may be asked in its place
};
enum choose_next choose_after(enum refusal_tag tag);

// --- Budgets ---

// What a device's rule has left, conservatively: never more than it has.
struct budget {
    struct sats per_period; // of the rule; SATS_MAX: no limit
    bool is_reported;       // by has_spent, at seen_us
    struct sats reported;   // spent then, 0 when no period ran
    int64_t window_ends_us; // reported: of the period that ran then; 0: none ran
    struct sats
        counted; // our own count: of what was asked since seen_us if reported (what may have been signed
                 // counts), else in the last period
    bool assumed_spent; // not reported, and restarted with boot-to-HSM within its last period
};
struct sats budget_left(const struct budget *b, int64_t now_us);

#endif
