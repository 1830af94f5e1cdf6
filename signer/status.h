// signer/status.h -- the status report, `hsts`.
#ifndef CASEMATE_SIGNER_STATUS_H
#define CASEMATE_SIGNER_STATUS_H
#include "signer/device.h"

#define STATUS_MAX (4u << 20) // bytes; no report is longer

// One JSON object in ASCII. Ends the velocity period first if it is over and the report is not private.
// peer: the id of whom it is for; the dry run of another's transaction is not shown.
// Source: policy.md 18, D18, D19; wire-protocol.md 9.1.
void status_write(struct writer *w, struct device *device, uint64_t peer);

#endif
