// coordinator/changes_kinds.h -- what each kind of change does; changes*.c alone include it.
#ifndef CASEMATE_COORDINATOR_CHANGES_KINDS_H
#define CASEMATE_COORDINATOR_CHANGES_KINDS_H
#include "coordinator/changes.h"

// One change against what is in force. Inside a transaction that has locked the wallet's row.
struct change_context {
    struct db *db;
    struct arena *arena;
    const struct actor *actor;
    const char *principal_id; // who it is for: NULL for the host
    const char *wallet_id;
    const char *change_id;
    const struct json *body;
    int64_t now_us;
};

enum change_flags {
    CHANGE_AT_ONCE = 1,   // no delay once it is approved
    CHANGE_ALWAYS_TWO = 2 // two approvals, whatever the wallet's rules say
};

struct change_kind {
    const char *name;
    unsigned roles; // to ask for it
    unsigned flags;
    const char *inverse; // the kind that takes it back (changes.c, inverse_of); NULL: nothing does
    // Checks the body; tells whether it loosens, and what the inverse's body would be.
    bool (*compare)(const struct change_context *c, bool *loosening, struct bytes *before,
                    struct err *err);
    bool (*apply)(const struct change_context *c, struct err *err);
};
// By file: changes_limits.c, changes_lists.c, changes_people.c; what is left is in changes_kinds.c.
struct change_kinds {
    const struct change_kind *items;
    size_t n;
};
extern const struct change_kinds changes_limits, changes_lists, changes_people;
#define CHANGE_ADMIN ((unsigned)ROLE_POLICY_ADMIN)

// Members of a body. Fail: CODE_BAD_REQUEST "<name>: <what>".
#define CHANGE_WORD_MAX 64
bool change_bad(struct err *err, const char *name, const char *what); // returns false
MUST_CHECK bool change_text(const struct change_context *c, const char *name, size_t max,
                            struct bytes *out, struct err *err);
// A destination's, a hook's name: what can stand in a list without leading anybody astray.
bool change_is_name(struct bytes name);

// The wallet's list or numbers have changed: the signers' policies are made anew (changes_policy.c).
MUST_CHECK bool change_policies(const struct change_context *c, struct err *err);

const struct change_kind *change_kind_find(struct bytes name); // NULL: there is none

#endif
