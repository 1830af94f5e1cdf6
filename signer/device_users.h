// signer/device_users.h -- users made and deleted, in store and memory together.
#ifndef CASEMATE_SIGNER_DEVICE_USERS_H
#define CASEMATE_SIGNER_DEVICE_USERS_H
#include "signer/device.h"

// Fails: as user_create; ERR_IO.
MUST_CHECK bool device_add_user(struct device *device, const struct user_request *request,
                                char picked[static USER_PICKED_SIZE], struct err *err);

// No error when there is no such user. Fails: ERR_STATE "in use by policy" for a user whom a stored
// policy with boot_to_hsm names (policy.md D21); ERR_IO.
MUST_CHECK bool device_delete_user(struct device *device, struct bytes name, struct err *err);

// Whether a stored policy that starts by itself names it: it would halt the device for good without.
// `names`: policy_names_user or policy_names_wallet. Source: policy.md D21.
bool device_is_needed(struct device *device, bool (*names)(const struct policy *, struct bytes),
                      struct bytes name);

// Verifies one authorisation at once, outside HSM mode: good advances the counter, durably.
// Source: policy.md 13.4. Fails: ERR_IO.
MUST_CHECK bool device_try_user(struct device *device, const struct authorisation *auth,
                                enum auth_problem *problem, struct err *err);

#endif
