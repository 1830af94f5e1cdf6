// policy/simulate.h -- what would happen: the signer's own evaluation with people and past assumed.
//
// (1) The decision is policy_evaluate's: nothing is decided here.
// (2) Nothing is consumed: no code, no period, no counter.
// Source: policy.md D18, item 87.
#ifndef CASEMATE_POLICY_SIMULATE_H
#define CASEMATE_POLICY_SIMULATE_H
#include "bitcoin/psbt_analyse.h"
#include "policy/evaluate.h"

// The clauses of a rule, in the order of policy.md 10.3. The first that does not hold is its reason.
#define RULE_CLAUSES 13
const char *rule_clause_name(size_t clause); // "max_amount", as files write it

struct clause_outcome {
    bool is_set;                 // the rule has it
    struct rule_outcome outcome; // REASON_NONE: it holds, or is not set
};
struct rule_verdict {
    struct clause_outcome clauses[RULE_CLAUSES];
};

struct assumptions {
    const struct bytes *users; // gave good codes; at most USERS_MAX, of at most 16 characters
    size_t n_users;
    bool local_code; // the operator entered the right one
    bool has_card;
    struct velocity velocity; // before
    int64_t now_s;
};

struct simulation {
    struct decision decision;
    size_t n_rules;
    struct rule_verdict *rules; // every rule, also behind the one that decided; none for messages
};

// What can be known of a PSBT without the seed of the signer with that fingerprint, under a signer's usual
// settings. The signer proves which keys are its own; here the key paths that the PSBT gives are believed.
// *out borrows from `raw` and the arena. Fails: as psbt_parse and psbt_analyse; ERR_NO_MEMORY.
MUST_CHECK bool policy_claimed_facts(struct psbt_facts *out, struct bytes raw, struct xfp signer,
                                     const struct chain *chain, struct arena *arena,
                                     struct err *err);

// The same for a text message: its decision alone. Fails: as policy_simulate.
MUST_CHECK bool policy_simulate_message(struct decision *out, const struct policy *policy,
                                        const struct message_facts *message,
                                        const struct assumptions *assumed, struct arena *arena,
                                        struct err *err);

// *out lives in the arena. Fails: ERR_NO_MEMORY; ERR_LIMIT for too many users; ERR_INVALID for a name that nobody can
// have.
MUST_CHECK bool policy_simulate(struct simulation *out, const struct policy *policy,
                                const struct tx_facts *tx, const struct assumptions *assumed,
                                struct arena *arena, struct err *err);

#endif
