// policy/lint.h -- what is odd in a policy: warnings before it is armed. They never change behaviour.
//
// Each has a stable code. Source: policy.md 23.
#ifndef CASEMATE_POLICY_LINT_H
#define CASEMATE_POLICY_LINT_H
#include "base/json.h"
#include "policy/rules.h"
#include "policy/users.h"

#define LINT_FINDINGS_MAX 5000

enum lint_code {
    LINT_SHADOWED,
    LINT_APPROVE_ALL,
    LINT_ZERO_LIMIT,
    LINT_FEES_UNLIMITED,
    LINT_EMPTY_LIST,
    LINT_WRONG_NETWORK,
    LINT_DUPLICATE_ADDRESS,
    LINT_NO_ESCAPE,
    LINT_WEAK_ESCAPE,
    LINT_WARNINGS_OK,
    LINT_NO_LOG,
    LINT_LOG_OPTIONAL,
    LINT_ANY_PATH,
    LINT_FLOAT_AMOUNT,
    LINT_FLOAT_HASH,
    LINT_STRING_NUMBER,
    LINT_ODD_BOOL,
    LINT_UNUSED_PERIOD,
    LINT_UNBOUND_CODE,
    LINT_HMAC_SERIAL,
    LINT_MIN_ONE,
    LINT_ZEROVAL_WARNING,
    LINT_LOCKER_WEAK,
    LINT_WALLET_NAMED_1,
    LINT_FRESH_HEIGHT,
};
#define LINT_CODES 25

// "shadowed", and what it means, in a sentence.
const char *lint_code_name(enum lint_code code);
const char *lint_explanation(enum lint_code code);

struct lint_finding {
    enum lint_code code;
    size_t rule;       // from 1; 0: the policy
    struct bytes text; // what it is about: "rule #1 lets through all that this one does"
};
struct lint {
    size_t n; // of them; those past LINT_FINDINGS_MAX are counted only
    struct lint_finding *findings;
    struct arena *arena;
};

// What lint may know of the signer; all may be left out.
struct lint_user {
    struct bytes name;
    enum user_mode mode; // USER_NONE: unknown
};
struct lint_world {
    const struct chain *chain;
    size_t n_users;
    const struct lint_user *users;
    size_t n_wallets;
    const struct bytes *wallets;
    struct bytes password_serial; // of the signer for which the password users were made
    struct bytes serial;          // of the signer that is meant
};

// All findings, by code. `file` is the text that was parsed; `policy` is NULL if it was refused: then
// only what shows in the text is looked for. *out and its texts live in the arena.
// Fails: ERR_MALFORMED as json_parse, ERR_NO_MEMORY.
MUST_CHECK bool policy_lint(struct lint *out, const struct policy *policy, struct bytes file,
                            const struct lint_world *world, struct arena *arena, struct err *err);

// Whatever `later` approves, `earlier` approves too: it stands before it, so `later` is never reached.
bool rule_is_shadowed(const struct rule *later, const struct rule *earlier);

// --- For lint*.c ---

void lint_add(struct lint *lint, enum lint_code code, size_t rule, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
void lint_file(struct lint *lint, const struct json *file);

#endif
