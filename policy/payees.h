// policy/payees.h -- the scripts of `destinations`: watch-only descriptors of payees [EXT].
//
// (1) Derived once, at activation; then an output is looked up by the hash of its script, in time that
//     does not depend on how many there are.
// (2) Of a policy whose scripts were not derived nothing matches: it allows less, never more.
// Source: policy.md D35, 22.
#ifndef CASEMATE_POLICY_PAYEES_H
#define CASEMATE_POLICY_PAYEES_H
#include "base/writer.h"
#include "bitcoin/facts.h"
#include "policy/rules.h"

#define PAYEES_MAX 100000 // scripts, of all rules together

struct payee_table;

// Which script it was: numbers from 0.
struct payee_hit {
    size_t payee;   // of the rule's `destinations`
    uint32_t child; // index
};

// Whether the script with that SHA-256 is one of the rule's. NULL: nothing is.
bool payee_find(const struct payee_table *table, size_t rule, const struct hash256 *script_hash,
                struct payee_hit *out);

// Derives all of them and sets policy->payee_table, which lives in `arena`: one of its own, of
// policy_payees_arena bytes. Some 35 microseconds for each key of each script. Nothing to do: true.
// Fails: as descriptor_script for an index that cannot be derived (1 in 2^127), ERR_NO_MEMORY.
MUST_CHECK bool policy_derive_payees(struct policy *policy, struct arena *arena, struct err *err);
size_t policy_payees_arena(const struct policy *policy);

// One of them: its script for the child of that index.
MUST_CHECK bool payee_script(struct writer *w, const struct payee *payee, uint32_t index,
                             struct err *err);

// How many scripts the policy's destinations have.
uint64_t policy_count_payees(const struct policy *policy);

// One line for each output of a transaction that goes to one of the rule's destinations, with LF:
// "Output 0 goes to destination #1, index 7." Numbers of outputs from 0.
void payees_log_write(struct writer *w, const struct policy *policy, size_t rule,
                      const struct tx_facts *tx);

#endif
