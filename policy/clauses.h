// policy/clauses.h -- the clauses of one rule, and what they need to know. Inside policy/ only.
#ifndef CASEMATE_POLICY_CLAUSES_H
#define CASEMATE_POLICY_CLAUSES_H
#include "base/arena.h"
#include "policy/evaluate.h"

// Where money goes: outputs that are not change, one for each address.
struct destination {
    size_t output;        // the first that pays there
    bool is_zero;         // and has no value; told apart from those that have
    struct bytes address; // on the transaction's chain; empty: the script has none
    struct bytes script;
    bool has_hash; // worked out when a rule asks for the first time
    struct hash256 hash;
};

// Who attested an output. Worked out when a rule asks for the first time.
struct attestor {
    bool is_known;
    enum reason reason; // REASON_NONE: the signature is good and `address` made it
    uint8_t header;
    struct bytes address;
};

// What the rules are tried on, worked out once for all of them: there may be a thousand rules and
// tens of thousands of outputs.
struct evidence {
    const struct policy *policy;
    const struct tx_facts *tx;
    const struct decision *decision; // verified users, local code, velocity as it stands
    const struct auth_facts *auth;
    struct arena *scratch;
    bool spent_is_known; // false: the sum is more than can exist
    struct sats spent;   // total_out of policy.md 10.2
    bool own_in_is_known;
    struct sats own_in, own_out;
    size_t n_own_in, n_own_out;
    bool amounts_are_equal;
    bool has_destinations; // worked out when a rule asks for the first time
    size_t n_destinations;
    struct destination *destinations; // in output order
    struct attestor *attestors;       // one per output, then of subtype 1 one per output
};

// All of it is borrowed.
struct evidence evidence_of(const struct policy *policy, const struct tx_facts *tx,
                            const struct auth_facts *auth, const struct decision *decision,
                            struct arena *scratch);

// Bytes of scratch memory that evidence_of and rule_try need for this transaction.
size_t evidence_scratch_size(const struct tx_facts *tx);

// The first clause of the rule that does not hold, in the order of policy.md 10.3, or REASON_NONE.
struct rule_outcome rule_try(const struct rule *rule, size_t index, struct evidence *evidence);

// What a rule counts of a transaction: `spent`, with the fee if it says so. False if that is unknown or
// more than can exist.
MUST_CHECK bool rule_charge(struct sats *out, const struct rule *rule, const struct tx_facts *tx,
                            struct sats spent);

// What `dedupe` knows a transaction by: its txid, and what it is charged. A PSBT of other inputs of it
// may have less change, and then moves more of what is ours.
struct hash256 rule_repeat_id(const struct tx_facts *tx, struct sats charge);

// With `dedupe`: the transaction was charged that much to the rule, and that charge still counts.
bool rule_was_charged(const struct rule *rule, size_t index, const struct policy *policy,
                      const struct tx_facts *tx, struct sats spent,
                      const struct velocity *velocity);

// Every clause by itself. Source: policy/simulate.h.
struct rule_verdict;
void rule_try_clauses(struct rule_verdict *out, const struct rule *rule, size_t index,
                      struct evidence *evidence);

// Sets `destinations`: most policies never ask, and every address costs a checksum.
void evidence_need_destinations(struct evidence *evidence);

// The signer of an output's attestation: of subtype 0, or of subtype 1.
const struct attestor *attestor_of(struct evidence *evidence, size_t output, bool is_bound);

// The SHA-256 of its script.
const struct hash256 *destination_hash(struct destination *destination);

#endif
