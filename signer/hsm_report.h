// signer/hsm_report.h -- decisions as JSON, for the status report's member `casemate`.
//
// `last_decision`: a list of {rule, code, text, limit, actual}, one for each rule that was tried; or one
// {code, text} if no rule was reached. Codes are stable: policy/evaluate.h.
// `dry_run`: of the transaction that the host visualised last, decided as if every code that is queued
// were good, for so nobody learns whether one is: {sha256, signed, text, rules}, or {sha256, error}. It
// consumes nothing.
// Source: policy.md D18, D19.
#ifndef CASEMATE_SIGNER_HSM_REPORT_H
#define CASEMATE_SIGNER_HSM_REPORT_H
#include "signer/hsm.h"

// Sets hsm->last_decision.
void hsm_report_decision(struct hsm *hsm, const struct hsm_ruling *ruling);

// Sets hsm->dry_run: `failure` is why the transaction cannot be signed at all, or NULL.
void hsm_report_dry_run(struct device *device, const struct job *job, const struct err *failure);

// Members of the status report. `peer`: the id of whom it is for.
struct json_writer;
void hsm_report_write(struct json_writer *j, const struct hsm *hsm, uint64_t peer);

#endif
