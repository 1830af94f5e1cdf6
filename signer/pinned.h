// signer/pinned.h -- policies that the signer's configuration pins: activated without keys.
// Source: design.md "Pinned policy"; policy.md D7.
#ifndef CASEMATE_SIGNER_PINNED_H
#define CASEMATE_SIGNER_PINNED_H
#include "signer/device.h"

// The hash that binds the policy, its users' secrets, its wallets' keys and the chain.
// Fails: ERR_NOT_FOUND for a user or wallet that is missing, ERR_NO_MEMORY.
MUST_CHECK bool pinned_hash(struct device *device, const struct policy *policy, struct hash256 *out,
                            struct err *err);

enum pinned {
    PINNED_REFUSED, // the configuration allows pinned policies only, and this is none
    PINNED_ASK,     // the operator's keys decide
    PINNED_ARM,     // activate without keys
};

// What the configuration says of a policy. A signer that the limit of refusals has stopped asks.
enum pinned pinned_says(struct device *device, const struct policy *policy);

#define PINNED_REFUSAL "HSM Policy invalid: policy: not accepted by signer.conf"

#endif
