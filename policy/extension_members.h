// policy/extension_members.h -- the table of what may stand in `casemate`. For policy/extension*.c only.
#ifndef CASEMATE_POLICY_EXTENSION_MEMBERS_H
#define CASEMATE_POLICY_EXTENSION_MEMBERS_H
#include "policy/extension.h"

// Where a member's value lies. In a rule `policy` is NULL, in a policy `rule` is.
struct owner {
    struct extension *both;
    struct rule *rule;
    struct policy *policy;
};
struct view {
    const struct extension *both;
    const struct rule *rule;
    const struct policy *policy;
    const struct chain *chain; // for lines of the summary
    enum unit unit;
};

enum part { PART_BOTH, PART_RULE, PART_POLICY };
enum kind { KIND_SPECIAL, KIND_BOOL, KIND_NUMBER };

struct member {
    const char *name;
    enum part part;
    enum kind kind;
    size_t at;        // of a bool, or an unsigned number, in the extension of that part
    unsigned max;     // of a number; it begins at 1
    const char *line; // its text in the summary; a number's has one %
    enum extension_section section;
    // A special one's:
    bool (*read)(const struct owner *, const struct fields *, const struct policy_world *);
    bool (*is_set)(const struct view *);
    void (*put)(struct json_writer *, const struct view *);
    void (*text)(struct writer *, const struct view *);
};

// By name.
#define EXTENSION_MEMBERS 18
extern const struct member extension_members[EXTENSION_MEMBERS];

// --- destinations: payees.c ---

// Fails: "need a list for: destinations", "destinations: must be dict", "bad destination: <why>", "range: ...",
// "too many destinations" and the texts of its fields.
MUST_CHECK bool payees_read(struct rule_extension *out, const struct fields *f);
void payees_put(struct json_writer *j, const struct rule_extension *own);

#endif
