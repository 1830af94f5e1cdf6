// signer/worker.h -- a few threads beside the event loop, for the one task that would hold it up.
//
// (1) One task at a time. While it runs, what its context points to belongs to it: the loop's thread
//     touches none of it until `done`.
// (2) `done` is called on the loop's thread only, after everything that the task wrote is visible there.
// (3) The threads never call into the loop, the store or the log. They take no signals.
// Source: style.md 8; psbt-signing.md 24 (8).
#ifndef CASEMATE_SIGNER_WORKER_H
#define CASEMATE_SIGNER_WORKER_H
#include "base/err.h"
#include "signer/loop.h"

#define WORKER_THREADS 2

struct worker;

struct worker_task {
    size_t n_slices; // 1 to WORKER_THREADS
    void *context;
    void (*run)(void *context, size_t slice); // once for each slice, any of them at the same time
    void (*last)(void *context); // once, by the thread that ends the last slice; NULL: nothing
    void (*done)(void *context);
};

// Starts the threads, which wait. Call it before the sandbox closes: none is started later.
// Fails: ERR_IO, ERR_LIMIT.
MUST_CHECK bool worker_new(struct worker **out, struct loop *loop, struct err *err);
void worker_free(struct worker *worker); // waits, calls `done`; NULL is fine

bool worker_is_busy(const struct worker *worker); // from worker_start to `done`

// Only when it is not busy.
void worker_start(struct worker *worker, const struct worker_task *task);

// Waits for the task, if there is one, and calls its `done` before it returns.
void worker_wait(struct worker *worker);

#endif
