// coordinator/deadline.h -- one descriptor that becomes readable when time is up or somebody cancels: what
// client/ takes as cancel_fd, so that no call of it can outlast what was agreed.
//
// Source: coordinator.md D8 "Timeouts".
#ifndef CASEMATE_COORDINATOR_DEADLINE_H
#define CASEMATE_COORDINATOR_DEADLINE_H
#include "base/err.h"

struct deadline {
    int fd;          // to wait for
    int timer_fd;    // its parts
    int64_t last_ms; // past which nothing extends it, on the monotonic clock
};

// cancel_fd: readable to cancel; 0: nobody can. Borrowed.
MUST_CHECK bool deadline_open(struct deadline *out, int cancel_fd, struct err *err);
void deadline_close(struct deadline *d);

// Up in `ms` from now. deadline_extend can move that, though never past `most_ms` from now.
void deadline_set(struct deadline *d, int64_t ms, int64_t most_ms);
// There was progress: up in `ms` from now.
void deadline_extend(struct deadline *d, int64_t ms);
void deadline_clear(struct deadline *d); // never up

bool deadline_is_over(const struct deadline *d);

// An interruption that was the time's end is told as one: ERR_TIMEOUT "no answer in time". Returns false.
bool deadline_explain(const struct deadline *d, struct err *err);

#endif
