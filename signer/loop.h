// signer/loop.h -- the daemon's one event loop: descriptors, timers, signals.
//
// No handler may block. Handlers may watch, unwatch, set and cancel anything, themselves included.
#ifndef CASEMATE_SIGNER_LOOP_H
#define CASEMATE_SIGNER_LOOP_H
#include "base/clock.h"
#include "base/err.h"

#define LOOP_FDS_MAX    64
#define LOOP_TIMERS_MAX 64

struct loop;
typedef void loop_fd_fn(void *context, int fd, short revents); // revents as poll(2) gives them
typedef void loop_fn(void *context);

// Timers run on the clock's monotonic time, so a test clock that is moved fires them.
struct loop *loop_new(const struct clock *clock);
void loop_free(struct loop *loop); // closes no descriptor but its own; NULL is fine

// Calls `fn` while `events` (POLLIN, POLLOUT) hold for `fd`; a second call for the same fd replaces
// events, fn and context. The fd stays the caller's, who unwatches it before closing.
// False when LOOP_FDS_MAX are watched.
MUST_CHECK bool loop_watch(struct loop *loop, int fd, short events, loop_fd_fn *fn, void *context);
void loop_unwatch(struct loop *loop, int fd);

// Calls `fn` once, after `ms` milliseconds. Returns an id above 0 for loop_cancel, which does nothing
// for an id that has fired. Running out of LOOP_TIMERS_MAX is a fault of ours: it stops the process.
uint64_t loop_after(struct loop *loop, int64_t ms, loop_fn *fn, void *context);
void loop_cancel(struct loop *loop, uint64_t timer);

// As loop_after, but calls `fn` before that once nothing has happened for a moment (200 us): for what
// nobody waits for, and would hold up whoever waits for something else.
uint64_t loop_when_idle(struct loop *loop, int64_t ms, loop_fn *fn, void *context);

// SIGTERM and SIGINT call `fn` from the loop, not from a signal handler. Fails: ERR_IO.
MUST_CHECK bool loop_on_terminate(struct loop *loop, loop_fn *fn, void *context, struct err *err);

// Runs until loop_stop. Fails: ERR_IO if poll(2) does.
MUST_CHECK bool loop_run(struct loop *loop, struct err *err);
void loop_stop(struct loop *loop);

// One round: waits at most `max_wait_ms` for an event, runs what is due. For tests.
MUST_CHECK bool loop_step(struct loop *loop, int64_t max_wait_ms, struct err *err);

#endif
