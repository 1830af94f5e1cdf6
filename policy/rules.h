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

// --- Members of `casemate` [EXT]; zeroed: none. Source: policy.md 22 ---

// Of a rule, or of the policy for every rule.
struct extension {
    struct sats_limit max_fee; // the network fee is known, and at most this
    bool count_fees;           // it counts in max_amount, per_period and what is charged
};

// How long what a rule counts stays counted. Source: policy.md D17.
enum window { WINDOW_UNSET, WINDOW_FIXED, WINDOW_SLIDING };

// Watch-only scripts of a payee: the children `first` to `last` of a descriptor. Source: policy.md D35.
struct payee {
    struct bytes descriptor; // with its checksum, as in the file
    uint32_t first, last;
};

// Of a rule alone. Numbers: 0 is unset.
struct rule_extension {
    unsigned period_min; // its own period, minutes
    enum window window;
    unsigned max_txns;                  // approvals per period
    size_t n_scripts;                   // that are whitelisted
    const struct bytes *scripts;        // in the order of the file
    const struct bytes *scripts_sorted; // by bytes_compare
    size_t n_payees;                    // `destinations`
    const struct payee *payees;         //
    bool attest_bound;                  // attestations of subtype 1 only (D26)
    unsigned not_before_height;         // blocks between the locktimes of its transactions
};

// Of the policy alone. Numbers: 0 is unset.
struct policy_extension {
    bool has_totp_skew;
    unsigned totp_skew;        // steps that a TOTP time may be off the signer's clock (D12)
    unsigned escape_tries;     // wrong codes that end the escape window (D4)
    unsigned local_conf_ttl_s; // a local code is good for so long (D28)
    unsigned max_refusals;     // instead of POLICY_REFUSALS_MAX (D27)
    bool acknowledge_refusals; // ... which block until the operator acknowledges (D27)
    bool dedupe;               // what was charged is not charged again in its period (D10)
    bool hide_refusals;        // priv_over_ux hides approvals and refusals, too
    size_t n_msg_users;        // all of whom must approve a message (D29)
    const struct bytes *msg_users;
    unsigned msg_per_period; // messages
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
    struct rule_extension own;  // what only rules have
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
    struct policy_extension own; // what only policies have
    struct extension extension;  // for every rule; each has it in its `terms`
    // The scripts of all `destinations`, once policy_derive_payees has made them; borrowed. Without
    // them no output is one of theirs.
    const struct payee_table *payee_table;
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

// A rule (or msg_users) names that user / a rule that multisig wallet. Source: policy.md D21.
bool policy_names_user(const struct policy *policy, struct bytes name);
bool policy_names_wallet(const struct policy *policy, struct bytes name);

// What a rule counts (per_period, max_txns) stays counted for so many minutes; 0: it counts nothing,
// or the policy has no period.
unsigned rule_period_min(const struct policy *policy, const struct rule *rule);
// It counts by itself, not in the one period that all other rules share [EXT].
bool rule_has_own_window(const struct rule *rule);
bool rule_counts(const struct rule *rule);

// Where money may go is limited: by a whitelist, scripts or destinations.
bool rule_lists_destinations(const struct rule *rule);

// The refusal of this number shuts the signer down, or blocks it. Source: policy.md 12, D27.
uint64_t policy_max_refusals(const struct policy *policy);

// Messages need more than a path that is allowed: users, or room in a count [EXT].
bool policy_limits_messages(const struct policy *policy);

// "EQ_NUM_INS_OUTS", as files write it.
const char *shape_name(enum shape shape);

#endif
