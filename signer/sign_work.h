// signer/sign_work.h -- the parts of a transaction's job that take their time, and where they run.
//
// (1) Little is done at once. More goes to the worker where the device has one: hosts and panels are
//     served meanwhile. There is one work at a time, and nothing else of the device uses the key cache
//     or changes users' wallets until it is over: sign_work_settle comes before whatever would.
// (2) A job that is dropped while it is worked on leaves the worker everything that it uses, and the
//     work is cancelled: it ends as soon as it can, and what it made is dropped.
// (3) The outcome is told on the loop's thread, before the function that began it returns or later.
// Source: psbt-signing.md 24 (8).
#ifndef CASEMATE_SIGNER_SIGN_WORK_H
#define CASEMATE_SIGNER_SIGN_WORK_H
#include "signer/device.h"

struct sign_work;

struct sign_outcome {
    const struct err *err; // NULL: all is well; ERR_INTERRUPTED: it was cancelled
    bool is_signed;        // there were signatures, whatever became of them
    bool is_dropped;       // the job is nobody's any more: it is dropped after this
};
typedef void sign_work_fn(struct device *device, struct job *job,
                          const struct sign_outcome *outcome);

// Parses, analyses and tells the story; proves, where it is only to be shown for a dry run alone. Sets
// arena, container, facts and story of the job.
void sign_work_understand(struct device *device, struct job *job, sign_work_fn *done);

// Signs what was proved, and writes the result with its hash into the job. What limits later spends is
// on disk. Facts and transaction know nothing of inputs afterwards.
void sign_work_sign(struct device *device, struct job *job, sign_work_fn *done);

bool sign_work_is_busy(const struct device *device);

// Cancels the work that goes on, if any does, waits for its end, and has its outcome told.
void sign_work_settle(struct device *device);

// For job_drop: the job's content goes to its work, which is cancelled; the job is JOB_NONE.
void sign_work_take_over(struct job *job);

// The story in that form, in the job's arena; no bytes: no memory.
struct bytes sign_work_story(const struct device *device, const struct job *job,
                             enum story_form form);

#endif
