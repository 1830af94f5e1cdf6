// bunker/policy_form.h -- a policy as the editor's form has it, and as the device takes it.
//
// The form's shapes are the reference's: lists as text, amounts in coins as text. Source: bunker.md 11.
#ifndef CASEMATE_BUNKER_POLICY_FORM_H
#define CASEMATE_BUNKER_POLICY_FORM_H
#include "base/json.h"

#define POLICY_FORM_MAX  ((size_t)2 << 20)
#define FORM_LOCKER_SIZE 49

// What goes into the storage locker with the policy.
struct form_locker {
    char text[FORM_LOCKER_SIZE]; // set_sl
    unsigned reads;              // allow_sl
};

// Form to device JSON, indented, in the order of the form; nulls and empty texts are left out. With a
// locker, set_sl and allow_sl are replaced by it (an existing set_sl that decodes stays).
// Fails: ERR_MALFORMED "Rule #<n> field <f> is invalid: <v>", "Boot to HSM code must be 6 numeric
//        digits.", and what json_parse says.
MUST_CHECK bool policy_form_clean(struct writer *w, struct bytes form,
                                  const struct form_locker *locker, struct arena *arena,
                                  struct err *err);

// Device JSON to form. Missing keys are filled in; unknown ones kept. Fails: ERR_MALFORMED "'rules'".
MUST_CHECK bool policy_form_cook(struct writer *w, const struct json *policy, struct arena *arena,
                                 struct err *err);

// Without set_sl, allow_sl and boot_to_hsm.
MUST_CHECK bool policy_form_sanitise(struct writer *w, struct bytes policy, struct arena *arena,
                                     struct err *err);

void form_random_key(uint8_t *out, size_t len);

#endif
