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

// The member `casemate` holds extensions, none of which this version knows. Empty is the same as
// absent; anything else is left for fields_finish to refuse. Source: policy.md 22.
bool has_no_extension(const struct json *object);

#endif
