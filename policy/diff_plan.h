// policy/diff_plan.h -- a request that is wanted, and facts of a transaction that are like it. Inside
// policy/diff*.c only.
#ifndef CASEMATE_POLICY_DIFF_PLAN_H
#define CASEMATE_POLICY_DIFF_PLAN_H
#include "bitcoin/address.h"
#include "crypto/ec.h"
#include "policy/diff.h"

// Where money goes, and whose attestation goes with it.
struct diff_target {
    struct bytes script;
    const struct stand_in *attestor; // NULL: none
};

enum diff_origin { FROM_SINGLE_KEY, FROM_WALLET, FROM_BOTH };

// What is wanted of a pattern: nothing, if neither policy asks for it.
enum wanted { WANT_EITHER, WANT_EQUAL, WANT_UNEQUAL };

struct diff_plan {
    struct sats spend; // to all targets together
    bool fee_known;
    struct sats fee;
    const struct bytes *users; // who approve
    size_t n_users;
    bool local_code, no_card, has_warning;
    enum diff_origin origin;
    struct bytes wallet; // with FROM_WALLET and FROM_BOTH
    size_t n_targets;
    const struct diff_target *targets;
    enum { ZERO_NONE, ZERO_OP_RETURN, ZERO_TO_TARGETS } zero; // more outputs, without value
    bool is_lean;         // no more of our own money comes back than `share`; else all of it
    bool share_counts;    // some policy asks for a share
    struct percent share; // with is_lean
    enum wanted shapes[SHAPES];
    uint32_t locktime;       // a height; 0: none
    bool no_plain, no_bound; // attestations of subtype 0, of subtype 1
};

// A key of ours for the attestor of a whitelist. Source: policy.md 10.4.
struct stand_in {
    struct bytes listed;  // the address in the policy
    struct bytes address; // that of our key, in the same format
    enum addr_format format;
    struct seckey key; // no secret: made of the number of the stand-in
};
struct stand_ins {
    size_t n;
    struct stand_in *items; // sorted by `listed`
};

// Both policies with stand-ins for all attestors that can be one. *out and the lists of the copies live
// in the arena. False: no memory.
MUST_CHECK bool stand_ins_make(struct stand_ins *out, struct policy *old, struct policy *new,
                               const struct chain *chain, struct arena *arena);
// Of an address in a policy that was given to stand_ins_make, before or after; NULL: none.
const struct stand_in *stand_in_find(const struct stand_ins *all, struct bytes listed);
const struct stand_in *stand_in_of_address(const struct stand_ins *all, struct bytes address);

// False if there is no such transaction, or none that a signer would get as far as its policy with.
// *out lives in the arena.
MUST_CHECK bool diff_plan_facts(struct tx_facts *out, const struct diff_plan *plan,
                                const struct chain *chain, struct arena *arena);

#endif
