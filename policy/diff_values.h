// policy/diff_values.h -- the values of each property of a request that a rule allows. Inside
// policy/diff*.c only.
//
// A rule's clauses are bounds. A request has one property for each: how much, where to, who approves,
// ... The values of a property that the rule allows stand in order, the easiest for any rule first, the
// hardest last.
#ifndef CASEMATE_POLICY_DIFF_VALUES_H
#define CASEMATE_POLICY_DIFF_VALUES_H
#include "policy/diff_search.h"

#define VALUES_MAX 64  // of an amount, a fee, an origin
#define SETS_MAX   300 // of targets, of users

enum property {
    AMOUNT,
    FEES,
    TARGETS,
    USERS,
    ZERO,
    SHARE,
    OUT_AMOUNTS,
    OWN_INS_OUTS,
    INS_OUTS,
    ORIGIN,
    LOCAL,
    LOCKTIME,
    ATTESTATION,
    WARNING,
    CARD
};
#define PROPERTIES 15

struct target_set {
    const struct diff_target *items;
    size_t n;
};
struct user_set {
    const struct bytes *items;
    size_t n;
};
struct origin_value {
    enum diff_origin origin;
    struct bytes wallet;
};

enum { FEE_UNKNOWN = -1 };

struct values {
    const struct rule *rule;
    size_t n_amounts, n_fees, n_targets, n_users, n_origins;
    uint64_t amounts[VALUES_MAX];
    int64_t fees[VALUES_MAX];
    struct target_set targets[SETS_MAX];
    struct user_set users[SETS_MAX];
    struct origin_value origins[VALUES_MAX];
    size_t n_zero;
    unsigned zero[3]; // kinds of outputs without value
    size_t n_locktimes;
    uint32_t locktimes[3];
    bool can_lack_attestation, can_warn, can_lack_card, can_lack_local;
    const struct diff_world *world;
};

// What rule `rule` of side->signs allows, with what the other policy makes of interest.
MUST_CHECK bool values_fill(struct values *v, const struct diff_side *side, size_t rule,
                            struct arena *arena);
void values_count(size_t out[static PROPERTIES], const struct values *v);
// The request that has of each property the value of that number.
void values_plan(struct diff_plan *out, const struct values *v, const size_t at[static PROPERTIES]);

// The property TARGETS: diff_targets.c
void values_fill_targets(struct values *v, const struct policy *other, struct arena *arena);

#endif
