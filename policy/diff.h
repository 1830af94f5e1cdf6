// policy/diff.h -- what a change of policy lets through that was refused before, and the reverse.
//
// (1) Every difference comes with an example that policy_simulate, and so the signer's own evaluation,
//     has decided under both policies: one signs it, the other refuses it.
// (2) Both start fresh, as a new file does that is approved with keys (policy.md 11). Where a limit
//     counts what went before, the example says what was signed before it, by both alike.
// (3) Of one request on a fresh policy the search is complete as far as the clauses go one way, each
//     being harder to meet for more money, fewer people, less that comes back; `is_complete` says
//     whether it was cut short. Of several requests in a row it tries the same one again and again, and
//     pairs. That nothing was found proves nothing more.
// Source: policy.md D18.
#ifndef CASEMATE_POLICY_DIFF_H
#define CASEMATE_POLICY_DIFF_H
#include "policy/simulate.h"

enum diff_kind {
    DIFF_TRANSACTION,
    DIFF_MESSAGE_PSBT,     // BIP-322
    DIFF_MESSAGE,          // text
    DIFF_XPUB,             // at `path`
    DIFF_ADDRESS,          // at `path`
    DIFF_MULTISIG_ADDRESS, // of any registered wallet
};

// A request, and who stands behind it. Lives in the arena.
struct diff_request {
    const struct tx_facts *tx;
    const struct assumptions *assumed; // its velocity and time are those of the first request
};

struct diff_example {
    struct diff_request request;
    struct diff_request before; // signed by both policies so often before it; tx NULL: nothing was
    uint64_t times_before;
    int64_t pause_s;        // between the first and the second of those
    int64_t wait_s;         // between the last of them and the example
    struct keypath path;    // of the kinds that have no transaction
    bool no_users, no_card; // of messages
};

struct difference {
    bool is_allowed; // by the new policy, and was not by the old; or the reverse
    enum diff_kind kind;
    struct bytes text; // "rule #2 signs a larger amount than rule #1 did"
    struct diff_example example;
    struct bytes old_says, new_says; // the decisions' texts
};

struct policy_diff {
    bool is_same;       // nothing at all differs
    bool hash_is_equal; // limits of 0 are not in the hash, so this may be where is_same is not
    struct hash256 old_hash, new_hash;
    size_t n_settings;
    struct bytes *settings; // what changes that is no decision: "period: 60 minutes, was 30"
    size_t n;
    struct difference *items; // those that are allowed now first
    bool is_complete;
    // What the examples were tried on: attestors are replaced by keys that we have, alike in both, so
    // that outputs can be attested.
    struct policy old, new;
};

#define DIFF_ITEMS_MAX 200
#define DIFF_ARENA     ((size_t)256 << 20) // enough for any two policies

// *out lives in the arena and borrows from both policies.
// Fails: ERR_NO_MEMORY.
MUST_CHECK bool policy_diff(struct policy_diff *out, const struct policy *old,
                            const struct policy *new, const struct chain *chain,
                            struct arena *arena, struct err *err);

// Under one of the two policies of the diff: whether the example is signed (or shown), and the
// decision's text. *text lives in the arena.
MUST_CHECK bool diff_example_decide(bool *is_allowed, struct bytes *text,
                                    const struct difference *difference,
                                    const struct policy *policy, struct arena *arena,
                                    struct err *err);

// The example in words: "0.015 XTN to tb1q..., network fee 0.00001 XTN; nobody approves".
void diff_example_write(struct writer *w, const struct difference *difference,
                        const struct chain *chain);

#endif
