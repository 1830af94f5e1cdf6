// policy/parse.h -- reading a policy, from a file or from our stored form. Inside policy/ only.
#ifndef CASEMATE_POLICY_PARSE_H
#define CASEMATE_POLICY_PARSE_H
#include "policy/fields.h"

#define POLICY_SCRATCH (64u << 20) // for the JSON tree of any file; given back before returning

enum policy_source {
    POLICY_FILE,   // as uploaded
    POLICY_STORED, // ours: sl_hash instead of set_sl
};

// As policy_parse.
MUST_CHECK bool policy_read(struct policy *out, struct bytes text, enum policy_source source,
                            const struct policy_world *world, struct arena *arena, struct err *err);

// One element of `rules`: the checks of policy.md 2.6 and 2.7, in their order.
MUST_CHECK bool rule_read(struct rule *out, const struct fields *f,
                          const struct policy_world *world);

// A list of users that exist, and that none is in it twice.
MUST_CHECK bool users_read(const struct bytes **out, size_t *n, const struct fields *f,
                           const char *key, const struct policy_world *world);
MUST_CHECK bool no_user_twice(const struct bytes *users, size_t n, const struct fields *f);

#endif
