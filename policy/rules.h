// policy/rules.h -- a policy: the rules by which a signer decides with nobody watching.
//
// (1) Unset differs from 0: a limit of 0 allows nothing, an unset limit does not limit.
// (2) A struct policy exists only whole and validated; nothing in it borrows from the file.
// (3) What the file says and we do not know is an error, never ignored.
// Source: policy.md 2, 3 and 4.1.
#ifndef CASEMATE_POLICY_RULES_H
#define CASEMATE_POLICY_RULES_H
#include "base/arena.h"
#include "base/err.h"
#include "bitcoin/keypath.h"
#include "bitcoin/sats.h"
#include "crypto/hash.h"

#define POLICY_FILE_MIN     2          // bytes, else the signer answers "badlen"
#define POLICY_FILE_MAX     200000     // bytes
#define POLICY_ARENA        (4u << 20) // room for the policy of any file of that size
#define POLICY_RULES_MAX    1000
#define POLICY_PATHS_MAX    1000  // per list
#define POLICY_LOCKER_MAX   414   // bytes of set_sl
#define POLICY_REFUSALS_MAX 100   // the refusal of this number shuts the signer down
#define POLICY_ESCAPE_MS    60000 // `boot_to_hsm` works for less than this after activation

// An amount that may be absent.
struct sats_limit {
    bool is_set;
    struct sats max;
};

// whole + fraction / 10^scale, exact: "33.30" is 33, 3, 1. Percent, 0 to 100.
struct percent {
    bool is_set;
    unsigned whole;
    uint64_t fraction; // below 10^scale, last digit not 0
    unsigned scale;    // at most 18
};

// The entries of a path list in the order of the file, repetitions kept.
enum path_kind { PATH_PATTERN, PATH_ANY, PATH_P2SH };
struct path_entry {
    enum path_kind kind;
    struct keypath_pattern pattern; // when PATH_PATTERN
};
struct path_list {
    size_t n;
    const struct path_entry *entries;
};

enum whitelist_mode { WHITELIST_BASIC, WHITELIST_ATTEST };

enum shape { SHAPE_EQ_NUM_INS_OUTS, SHAPE_EQ_NUM_OWN_INS_OUTS, SHAPE_EQ_OUT_AMOUNTS };
#define SHAPES 3

// Members of `casemate` [EXT]; zeroed: none. Source: policy.md 22.
struct extension {
    struct sats_limit max_fee; // the network fee is known, and at most this
    bool count_fees;           // it counts in max_amount, per_period and what is charged
};

// The clauses of one rule: all that are set must hold. Source: policy.md 2.6 and 2.7.
struct rule {
    struct sats_limit per_period, max_amount;
    size_t n_users;
    const struct bytes *users;
    size_t min_users; // 1 to n_users; 0 when there are no users
    size_t n_whitelist;
    const struct bytes *whitelist;        // cleaned, in the order of the file
    const struct bytes *whitelist_sorted; // the same by bytes_compare
    bool has_whitelist_opts;              // given, even as {}
    enum whitelist_mode mode;
    bool allow_zeroval_outs;
    bool local_conf;
    struct bytes wallet;    // a name, or "1" for "no multisig"; empty: unset
    struct percent min_pct; // min_pct_self_transfer
    size_t n_patterns;
    const enum shape *patterns;
    struct extension extension; // as the rule has it
    struct extension terms;     // what holds for it: with what the policy has for all rules
};

// Source: policy.md 2.5. Text of no bytes is unset.
struct policy {
    bool must_log, never_log, priv_over_ux, warnings_ok;
    struct path_list msg_paths, share_xpubs, share_addrs;
    struct bytes notes;
    unsigned period_min; // minutes; 0: unset
    unsigned allow_sl;   // reads of the locker per start; 0: unset
    struct bytes set_sl; // only in a new file; secret, never stored with the policy
    bool has_sl_hash;    // the file that was approved had set_sl
    struct hash256 sl_hash;
    struct bytes boot_to_hsm;
    size_t n_rules;
    const struct rule *rules;
    struct extension extension; // for every rule; each has it in its `terms`
};

// The names that a policy may use.
struct policy_world {
    size_t n_users;
    const struct bytes *users;
    size_t n_wallets;
    const struct bytes *wallets; // registered multisig wallets
};

// Reads and validates a policy file. *out lives in `arena` (POLICY_ARENA is enough) and borrows
// nothing from `text`.
// Fails: ERR_MALFORMED or ERR_INVALID "HSM Policy invalid: <origin>: <text>", whole (the wire cuts
//        it to 80 bytes), <origin> being "policy" or "rule #<n>"; the first error in the order of
//        policy.md 2.5 and 2.6. ERR_NO_MEMORY.
MUST_CHECK bool policy_parse(struct policy *out, struct bytes text,
                             const struct policy_world *world, struct arena *arena,
                             struct err *err);

// --- Questions about a policy ---

// An empty list matches nothing. Source: policy.md 3.2.
bool path_list_matches(const struct path_list *list, const struct keypath *path);
bool path_list_has(const struct path_list *list, enum path_kind keyword);

// What the host may read. Source: policy.md 15.2 and 15.3.
bool policy_shares_xpub(const struct policy *policy, const struct keypath *path);
bool policy_shares_address(const struct policy *policy, const struct keypath *path);
bool policy_shares_multisig_address(const struct policy *policy);

// Some rule has local_conf: the status report shows the next local code. Source: policy.md 18.
bool policy_wants_local_code(const struct policy *policy);

// boot_to_hsm is unset or six digits, which is all that the keypad can enter. Source: policy.md 8.4.
bool policy_can_be_left(const struct policy *policy);

// A rule names that user / that multisig wallet. Source: policy.md D21.
bool policy_names_user(const struct policy *policy, struct bytes name);
bool policy_names_wallet(const struct policy *policy, struct bytes name);

// "EQ_NUM_INS_OUTS", as files write it.
const char *shape_name(enum shape shape);

#endif
