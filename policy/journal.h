// policy/journal.h -- the journal: one signed line for each thing that happened, chained by hashes.
//
// A line is one JSON object in the style of policy.md 7.2. `seq` (from 1) stands first; `prev` (the
// hash of the line before, 64 zeros in the first) and `sig` stand last. The signature is BIP-340 over
// the SHA-256 of the line up to and without `, "sig"`.
//
// (1) A line is written from what the caller knows to be true, and fits into JOURNAL_LINE_MAX.
// (2) Nothing that a host sends breaks a line or hides a part of it: what is not printable ASCII
//     becomes `?`, what is too long is cut and ends in "...".
// (3) No secret is ever in it: no code, no token, no key.
// Source: policy.md 17.5 and D11.
#ifndef CASEMATE_POLICY_JOURNAL_H
#define CASEMATE_POLICY_JOURNAL_H
#include "base/json.h"
#include "crypto/ec.h"
#include "policy/evaluate.h"

#define JOURNAL_LINE_MAX  65536 // bytes, LF not counted
#define JOURNAL_TEXT_MAX  4096  // bytes of one text in it
#define JOURNAL_FACTS_MAX 24576 // bytes of a transaction's facts; more and they are left out

// The last line that was written: seq 0 and 32 zero bytes before the first.
struct journal_head {
    uint64_t seq;
    struct hash256 hash; // SHA-256 of the line, without LF
};

enum journal_kind {
    JOURNAL_NONE,
    JOURNAL_START,          // unlocked; the policy hashes are of what is stored
    JOURNAL_STOP,           // locked or ended: `what`
    JOURNAL_ACTIVATION,     // HSM mode begins: `what` says how
    JOURNAL_ESCAPE,         // HSM mode was left with its code
    JOURNAL_DECISION,       // `ruling`
    JOURNAL_FAILURE,        // a transaction ended in an error: steps A to D and F of policy.md 10.1
    JOURNAL_TAKEN_BACK,     // a charge: no signature was computed
    JOURNAL_DENIED,         // `what`: "xpub", "address", "multisig-address"; `path`; "locker"
    JOURNAL_POLICY_WIPED,   // no policy is stored any more
    JOURNAL_USER_ADDED,     // `name`, `what`: "totp", "hotp", "password"
    JOURNAL_USER_DELETED,   // `name`
    JOURNAL_USER_TRIED,     // outside HSM mode: `name`'s code was good, its counter went on
    JOURNAL_WALLET_ADDED,   // `name`, `hash` of its form
    JOURNAL_WALLET_DELETED, // `name`
    JOURNAL_ACKNOWLEDGED,   // the operator lets signing go on after too many refusals
    JOURNAL_LOCKER_READ,    // by a host
};
#define JOURNAL_KINDS 17

// A decision and what it was made of. All borrowed.
struct journal_ruling {
    const struct decision *decision;
    const struct policy *policy;
    const struct tx_facts *tx;     // NULL for a text message
    const struct auth_facts *auth; // likewise
    struct bytes text;             // of decision_write
};

// What happened. What is empty, NULL or not set is left out of the line.
struct journal_event {
    enum journal_kind kind;
    const char *what;
    struct bytes name, path;
    const char *version, *chain;
    bool has_hash; // of the PSBT's or message's bytes
    struct hash256 hash;
    bool has_policy_hash, has_policy_hash_full;
    struct hash256 policy_hash, policy_hash_full;
    struct bytes text, detail; // of an error
    const struct journal_ruling *ruling;
    bool has_counts;
    uint64_t approvals, refusals;    // after it
    const struct velocity *velocity; // after it
    size_t n_rules;                  // of which policy, for `velocity`
    uint64_t n_omitted;              // like events before this one that were not written
};

// The key that signs lines: HMAC-SHA256(master private key, "casemate journal").
// Fails: ERR_INVALID where that is no key, which no master key leads to in practice.
MUST_CHECK bool journal_key(struct seckey *out, const struct seckey *master, struct err *err);
// Its x-only public key, for who verifies.
void journal_public_key(uint8_t out[static 32], const struct seckey *key);

// Writes the line behind `head`, without LF. Fails: ERR_LIMIT, ERR_INTERNAL.
MUST_CHECK bool journal_write(struct writer *w, const struct journal_event *event,
                              const struct journal_head *head, int64_t time_s,
                              const struct schnorr_key *key, struct err *err);

// "decision": as lines write it.
const char *journal_kind_name(enum journal_kind kind);

// --- Facts, as far as a policy looks at them ---

// For policy_replay: what journal_write writes as `facts` of a decision, and back.
// *out borrows from `facts` and `arena`. Fails: ERR_MALFORMED "facts: ...", ERR_NO_MEMORY.
void journal_facts_write(struct json_writer *j, const struct tx_facts *tx);
MUST_CHECK bool journal_facts_read(struct tx_facts *out, const struct json *facts,
                                   struct arena *arena, struct err *err);

#endif
