// policy/exposure.h -- the worst case: the most that can leave under a policy, and with whose help.
//
// (1) An upper bound: no request that the policy approves moves more, whatever order, time and restart a
//     host chooses, as long as the people named give no help.
// (2) Attested outputs count as attested: an attestation can be used for ever (policy.md 10.4).
// (3) The network fee comes on top (D8), but where count_fees has it in a limit.
// (4) What only delays (not_before_height) is left out: locktimes can be chosen ahead.
// Source: policy.md 11 (fixed windows: "twice the limit can pass around its end"), 23.
#ifndef CASEMATE_POLICY_EXPOSURE_H
#define CASEMATE_POLICY_EXPOSURE_H
#include "base/writer.h"
#include "bitcoin/chain.h"
#include "policy/rules.h"

// Amounts are bounded by all that exists.
struct most {
    bool is_limited; // false: everything that the keys hold
    struct sats max;
};
struct exposure {
    bool is_possible; // some rule can be reached
    struct most per_tx, per_period, per_day;
};

// Who helps. Nobody: zeroed.
struct helpers {
    bool operator;     // enters the right local code
    bool everybody;    // all users, and the operator
    struct bytes user; // that one user; empty: none
};

// Of one rule, given that whoever it needs helps.
struct exposure exposure_of_rule(const struct policy *policy, size_t index);
// Whether the rule can be satisfied with that help.
bool helpers_are_enough(const struct rule *rule, const struct helpers *helpers);
// Of all rules together.
struct exposure exposure_of(const struct policy *policy, const struct helpers *helpers);

// "nothing"; "at most 1 BTC per transaction, 5 BTC per period, 35 BTC per day"
void exposure_write(struct writer *w, const struct exposure *exposure, const struct chain *chain,
                    enum unit unit);

// The users that some rule names, each once, in the order of the file. *out lives in the arena.
MUST_CHECK bool exposure_users(const struct policy *policy, const struct bytes **out, size_t *n,
                               struct arena *arena);

// The whole in words: a line for each rule, then for nobody, the operator, each user, everybody.
MUST_CHECK bool exposure_write_all(struct writer *w, const struct policy *policy,
                                   const struct chain *chain, enum unit unit, struct arena *arena);

#endif
