// policy/extension.h -- the member `casemate` of a policy and of its rules. Inside policy/ only.
//
// One table has every member of policy.md 22: where it may stand, how it is read and written, and its
// line in the summary. Any other is an unknown item, so that no restriction is ever ignored.
#ifndef CASEMATE_POLICY_EXTENSION_H
#define CASEMATE_POLICY_EXTENSION_H
#include "bitcoin/chain.h"
#include "policy/fields.h"

// Reads the members of a rule, or of the policy, in the order of their names. Absent, null and {} are
// the same: nothing.
// Fails: "casemate: must be dict"; as the fields of its members; "Unknown item: <a>, <b>"; for members
//        that would have no effect where they stand "<member>: needs whitelist mode ATTEST" and "<member>:
//        not with whitelist mode ATTEST".
MUST_CHECK bool extension_read_rule(struct rule *out, const struct fields *f);
MUST_CHECK bool extension_read_policy(struct policy *out, const struct fields *f,
                                      const struct policy_world *world);

// What holds for a rule: its own and the policy's.
struct extension extension_both(const struct extension *policy, const struct extension *rule);

// "the canonical form has `casemate` as the last key of its object [...], members sorted by name".
// Nothing if it is empty.
void extension_put_rule(struct json_writer *j, const struct rule *rule);
void extension_put_policy(struct json_writer *j, const struct policy *policy);

// Whether a rule's object has whitelisted scripts or destinations, before they are read.
bool extension_lists_destinations(const struct json *rule);

// --- Lines of the summary: "one extra line per member, in the section where it belongs, each starting
// with `- Casemate: `" ---

enum extension_section { SECTION_TRANSACTIONS, SECTION_MESSAGES, SECTION_OTHER };

void extension_lines_of_rule(struct writer *w, const struct rule *rule, size_t number,
                             const struct chain *chain, enum unit unit);
void extension_lines_of_policy(struct writer *w, const struct policy *policy,
                               enum extension_section section, const struct chain *chain,
                               enum unit unit);

#endif
