// signer/hsm_start.h -- asking the operator for HSM mode, on one screen or two.
// Source: policy.md 8.1, 8.3.
#ifndef CASEMATE_SIGNER_HSM_START_H
#define CASEMATE_SIGNER_HSM_START_H
#include "signer/device.h"

// A new file: asks on two screens, or arms at once if signer.conf pins it. Takes over the arena.
// Fails: ERR_INVALID for a policy that signer.conf does not accept, ERR_IO.
MUST_CHECK bool hsm_start_file(struct device *device, const struct policy *policy,
                               struct arena *arena, struct err *err);

// Whether the question is on the screen: `approval_wait`.
bool hsm_start_is_asking(const struct device *device);

// The stored policy, as `hsms` without a file and the menu ask for it.
// Fails: as hsm_load_policy and hsm_start_file.
MUST_CHECK bool hsm_start_saved(struct device *device, struct err *err);

// What unlocking does with a stored policy: the offer, HSM mode at once with boot_to_hsm, or a notice
// that it cannot start. True if one of them holds the screen; false: go on to normal mode.
bool hsm_start_offer(struct device *device);

#endif
