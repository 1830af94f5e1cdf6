// signer/sign_tx.h -- a transaction from accepted bytes to result.
//
// The order is the invariant (policy.md 10.1 with its [FIX]es, style 7):
//   parse, analyse, story; visualisation stops here; prove; decide; log; commit, with what other peers
//   asked for; sign; result. What takes its time is in sign_work.h.
// A crash between any two of these loses a signature, never a limit.
#ifndef CASEMATE_SIGNER_SIGN_TX_H
#define CASEMATE_SIGNER_SIGN_TX_H
#include "signer/device.h"

// Works on a transaction that waits for its turn: in HSM mode to the decision, otherwise to the
// question on the screen. The job has its result or error then, or goes on waiting, for the operator
// or, with job->decision, for the commit of its batch (hsm.h).
void sign_tx_run(struct device *device, struct job *job);

// The decision is on disk: refuses, or signs.
void sign_tx_release(struct device *device, struct job *job);

#endif
