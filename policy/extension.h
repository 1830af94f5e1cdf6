// policy/extension.h -- the member `casemate` of a policy and of its rules. Inside policy/ only.
//
// Of the members of policy.md 22, those in struct extension are there; any other is an unknown item, so
// that no restriction is ever ignored.
#ifndef CASEMATE_POLICY_EXTENSION_H
#define CASEMATE_POLICY_EXTENSION_H
#include "policy/fields.h"

// Absent, null and {} are the same: nothing. Fails: "casemate: must be dict"; as the fields of its
//        members; "Unknown item: <a>, <b>".
MUST_CHECK bool extension_read(struct extension *out, const struct fields *f);

// What holds for a rule: its own and the policy's.
struct extension extension_both(const struct extension *policy, const struct extension *rule);

bool extension_is_empty(const struct extension *extension);

// "the canonical form has `casemate` as the last key of its object [...], members sorted by name".
// Nothing if it is empty.
void extension_put(struct json_writer *j, const struct extension *extension);

#endif
