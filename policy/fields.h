// policy/fields.h -- one JSON object of a policy file, field by field. Inside policy/ only.
//
// Each function reads one field by the coercion rules of policy.md 2.4, and fails with the text of
// its row behind "HSM Policy invalid: <origin>: ". An absent field and null are unset: *out is then
// left as it was.
#ifndef CASEMATE_POLICY_FIELDS_H
#define CASEMATE_POLICY_FIELDS_H
#include "base/json.h"
#include "policy/rules.h"

struct fields {
    const struct json *object;
    size_t rule;         // from 1; 0: the policy itself
    struct arena *arena; // for what is kept
    struct err *err;
};

// Sets "HSM Policy invalid: policy: ..." or "HSM Policy invalid: rule #<n>: ..."; returns false.
bool fields_fail(const struct fields *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool fields_no_memory(const struct fields *f); // likewise

MUST_CHECK bool field_bool(const struct fields *f, const char *key, bool *out);
MUST_CHECK bool field_integer(const struct fields *f, const char *key, uint64_t min, uint64_t max,
                              bool *is_set, uint64_t *out);
MUST_CHECK bool field_percent(const struct fields *f, const char *key, struct percent *out);

// Lengths in code points. The text is copied.
MUST_CHECK bool field_text(const struct fields *f, const char *key, size_t min, size_t max,
                           struct bytes *out);

// *out: the array, or NULL for an empty list.
MUST_CHECK bool field_list(const struct fields *f, const char *key, const struct json **out);

// *out: the object, or NULL when unset.
MUST_CHECK bool field_object(const struct fields *f, const char *key, const struct json **out);

// A value in an error text: a string as it is, anything else as JSON.
struct bytes json_shown(const struct json *value);

// "Unknown item: <a>, <b>" if the object has members that are not among `known`.
MUST_CHECK bool fields_finish(const struct fields *f, const char *const *known, size_t n_known);

#endif
