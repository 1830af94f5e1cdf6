// signer/sign_message.h -- a text message from accepted text to signature.
#ifndef CASEMATE_SIGNER_SIGN_MESSAGE_H
#define CASEMATE_SIGNER_SIGN_MESSAGE_H
#include "signer/device.h"

// The address that a message job signs for, of the key at its path, into job->address.
// Fails: ERR_UNSUPPORTED, ERR_INVALID, ERR_STATE without a seed.
MUST_CHECK bool sign_message_address(struct device *device, struct job *job, struct err *err);

// Works on a message that waits for its turn: in HSM mode to the decision, otherwise to the question
// on the screen. As sign_tx_run. Source: policy.md 15.1.
void sign_message_run(struct device *device, struct job *job);

// The decision is on disk: refuses, or signs.
void sign_message_release(struct device *device, struct job *job);

#endif
