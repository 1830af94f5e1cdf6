// signer/hsm_start.h -- asking the operator for HSM mode, on one screen or two.
// Source: policy.md 8.1, 8.3.
#ifndef CASEMATE_SIGNER_HSM_START_H
#define CASEMATE_SIGNER_HSM_START_H
#include "signer/device.h"

// Puts up the question for a policy; takes over the arena. New file: two screens and the digit.
// The job is JOB_START_HSM meanwhile. `is_offer`: at start, before the wire is open.
void hsm_start_ask(struct device *device, const struct policy *policy, struct arena *arena,
                   bool is_new_file, bool is_offer);

// Whether the question is on the screen: `approval_wait`.
bool hsm_start_is_asking(const struct device *device);

// The stored policy, as `hsms` without a file and the menu ask for it.
// Fails: as hsm_load_policy.
MUST_CHECK bool hsm_start_saved(struct device *device, struct err *err);

// What unlocking does with a stored policy: the offer, HSM mode at once with boot_to_hsm, or a notice
// that it cannot start. True if one of them holds the screen; false: go on to normal mode.
bool hsm_start_offer(struct device *device);

#endif
