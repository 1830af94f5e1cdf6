// http/pool.h -- threads for calls that block: password hashing, devices, nodes.
//
// A job and its result pass by value or ownership: what `work` touches, the loop leaves alone until
// `done`. Jobs of one pool start in the order in which they were submitted; with one thread, each ends
// before the next begins.
#ifndef CASEMATE_HTTP_POOL_H
#define CASEMATE_HTTP_POOL_H
#include "base/bytes.h"

struct pool;

// Where `done` is to run: puts `call(argument)` into the loop's queue. Any thread may call it.
struct pool_loop {
    void (*post)(void *context, void (*call)(void *), void *argument);
    void *context;
};

struct pool_job {
    void (*work)(void *argument); // on a thread of the pool
    void (*done)(void *argument); // on the loop's; NULL: nothing
    void *argument;
};

#define POOL_THREADS_MAX 8

// n_threads: 1 to POOL_THREADS_MAX. Threads that cannot be had stop the process.
struct pool *pool_new(unsigned n_threads, struct pool_loop loop);

// Waits for the jobs that run; those that have not begun are forgotten with their arguments: call it
// at the end of the process only. NULL is fine.
void pool_free(struct pool *pool);

// False if `limit` jobs wait already (0: no limit).
MUST_CHECK bool pool_submit(struct pool *pool, struct pool_job job, size_t limit);

// Jobs that wait or run.
size_t pool_pending(struct pool *pool);

#endif
