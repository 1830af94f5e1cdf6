// signer/hsm.h -- HSM mode: the policy in force, what counts against it, and every decision.
//
// (1) Decisions are made in batches. After hsm_batch_commit what limits a later spend - velocity,
//     counters of users, refusals - is on disk; before it nothing that depends on a decision leaves.
// (2) A decision takes what users queued and the local code, whatever comes of it (policy.md 10.1,
//     E4, E5), but for the refusal of E2.
// (3) Time for velocity is the wall clock (hsm_now_s), for everything else the monotonic one.
// Source: policy.md 8, 9, 11, 12, 14.
#ifndef CASEMATE_SIGNER_HSM_H
#define CASEMATE_SIGNER_HSM_H
#include "policy/evaluate.h"
#include "signer/blob.h"
#include "signer/store.h"

#define HSM_LOCAL_SECRET_LEN 15

struct device;
struct job;

struct hsm {
    struct arena *arena, *payees; // of the policy, of its payee_table
    struct policy policy;
    struct blob summary; // as it was when HSM mode began
    struct hash256 policy_hash;
    struct velocity velocity;
    struct store_counters counters;
    char *last_refusal; // owned; NULL: null in the status report
    struct auth_queue queue;
    uint8_t local_secret[HSM_LOCAL_SECRET_LEN];
    bool has_code; // six digits are queued:
    char code[LOCAL_CODE_DIGITS];
    int64_t code_ms;                // since when, monotonic
    char digits[LOCAL_CODE_DIGITS]; // on the display
    size_t n_digits;
    int64_t since_ms;          // activation, monotonic
    uint64_t n_escape_misses;  // wrong codes in the escape window
    int64_t wall_s;            // the wall clock at activation
    int64_t ahead_s;           // how far it has been set forward since
    struct blob last_decision; // JSON: hsm_report.h
    struct blob dry_run;       // likewise; only for the peer that asked:
    uint64_t dry_run_peer;
};

// How HSM mode begins.
enum hsm_start {
    HSM_NEW_FILE,    // approved with keys on two screens
    HSM_SAVED,       // approved with keys on one screen
    HSM_PINNED_FILE, // a new file that the configuration pins
    HSM_UNATTENDED,  // the saved policy, pinned or with boot_to_hsm
};

// Stores what 8.2 says in one transaction, then is active. Frees the arena of the parsed policy in
// either case. Fails: ERR_IO; as policy_store_read if a name that the policy uses is gone; nothing has
// changed then.
MUST_CHECK bool hsm_activate(struct device *device, const struct policy *policy,
                             struct arena *arena, enum hsm_start how, struct err *err);

// Leaves HSM mode without touching the store; the policy stays stored. NULL-safe.
void hsm_free(struct hsm *hsm);

// The stored policy, parsed against today's users. *arena is new and the caller's on success.
// Fails: ERR_NOT_FOUND "No existing policy", and as policy_store_read.
MUST_CHECK bool hsm_load_policy(struct device *device, struct policy *out, struct arena **arena,
                                struct err *err);

// Whether the users and wallets that the stored policy names, and the chain, are still those of its
// last approval with keys: another user may stand under the same name (policy.md D7).
bool hsm_is_as_approved(struct device *device, const struct policy *policy);

// --- Decisions ---

// What to store with a decision beside what it says itself.
struct hsm_amounts {
    const struct store_amount *items;
    size_t n;
    size_t n_weak; // as in struct store_decision
};

// A decision, and what it is of. All borrowed.
struct hsm_ruling {
    const struct decision *decision;
    struct bytes text;             // the decision's own
    struct hash256 hash;           // of the PSBT's or message's bytes
    const struct tx_facts *tx;     // NULL for a text message
    const struct auth_facts *auth; // likewise
    struct hsm_amounts amounts;
};

// What the decisions of a batch change in memory, as it was before them.
struct hsm_before;
struct hsm_batch {
    struct device *device;
    struct hsm_before *before;
    struct audit_list *records; // owned
    bool card_failed;           // in hsm_batch_commit
};

// Begins a batch: decisions of requests that wait for the same commit. Nothing else of the signer may
// change before its end. `together`: records on the card are waited for at the batch's end, before its
// decisions are stored; else each before its decision.
void hsm_batch_begin(struct hsm_batch *batch, struct device *device, bool together);

// Carries a decision out as far as it is about state, with its line of the journal: the next decision
// of the batch is made on top of it. On failure nothing has changed, and the batch may go on.
MUST_CHECK bool hsm_decide(struct device *device, const struct hsm_ruling *ruling, struct err *err);

// Puts all of the batch on disk, in one commit. On failure none of it is there, nor in memory, and
// nothing of it may be signed. Where the card failed, the same may be decided again, one by one.
MUST_CHECK bool hsm_batch_commit(struct hsm_batch *batch, struct err *err);

// Takes a charge back, durably, because no signature was computed: policy.md 10.1. `decision` charged
// it on top of `before`, the velocity expired as of then; later charges stay. `hash` is of the PSBT.
MUST_CHECK bool hsm_take_back(struct device *device, const struct decision *decision,
                              const struct velocity *before, const struct hash256 *hash,
                              struct err *err);

// Nothing is signed while the operator has not acknowledged the last refusal (acknowledge_refusals).
// Fails: ERR_STATE "Too many refusals"; the operator is asked.
MUST_CHECK bool hsm_may_decide(struct device *device, struct err *err);

// The limit of refusals is reached: the end, or the operator's word. Source: policy.md 12, D27.
void hsm_reach_limit(struct device *device);

// --- Time ---

// The wall clock, for velocity. What was counted moves along when it is set forward while the signer
// runs, in the store as well: no period ends for that (docs/deviations.md). Noticed here, and looked for
// every few seconds and before the end.
int64_t hsm_now_s(struct device *device);

// Ends the period if it is over: before its state is shown.
void hsm_advance(struct device *device);

// --- Operator ---

// A key at the HSM screen: digits fill the display, `y` queues them again, `x` clears the display
// only, `w` withdraws the queued code as well (D28). Source: policy.md 8.5. True if the digits were the
// escape code: HSM mode is to be left.
bool hsm_key(struct device *device, char key);

// Whether a local code is queued; one that is older than local_conf_ttl is not any more.
bool hsm_has_code(struct device *device);

// The text of the HSM screen's "PERIOD LEFT". Source: policy.md 9.
void hsm_period_left(struct writer *w, struct device *device);

// next_local_code: 20 characters of base64 and a final zero.
void hsm_next_local_code(char out[static 21], const struct hsm *hsm);

#endif
