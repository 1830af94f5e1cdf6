// signer/sign_tx.h -- a transaction from accepted bytes to result.
//
// The order is the invariant (policy.md 10.1 with its [FIX]es, style 7):
//   parse, analyse, story; visualisation stops here; prove; decide; log; commit; sign; result.
// A crash between any two of these loses a signature, never a limit.
#ifndef CASEMATE_SIGNER_SIGN_TX_H
#define CASEMATE_SIGNER_SIGN_TX_H
#include "signer/device.h"

// Works on a transaction that waits for its turn: in HSM mode to the end, otherwise to the question
// on the screen. The job has its result, refusal or error then, or goes on waiting for the operator.
void sign_tx_run(struct device *device, struct job *job);

#endif
