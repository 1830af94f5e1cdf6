// coordinator/child.h -- another program, run for its answer: no shell, a clean environment, a time limit,
// bounded output.
//
// Its group of processes ends with it: what it started and left behind is killed, unless it may leave something.
// Source: coordinator.md D8, transport 4 and `restart_command`.
#ifndef CASEMATE_COORDINATOR_CHILD_H
#define CASEMATE_COORDINATOR_CHILD_H
#include "base/arena.h"
#include "base/err.h"

struct child {
    const char *const *argv; // NULL ends; the first is an absolute path
    struct bytes input;      // its standard input; standard error is thrown away
    size_t output_max;       // bytes of standard output
    bool may_leave;          // it is to start something that stays, and ended well
    int stop_fd; // readable: it is killed (coordinator/deadline.h); 0: it may run for ever
};

// Waits for its end. *out lies in the arena.
// Fails: ERR_NOT_FOUND "<program>: <why>" when it cannot be started; ERR_INTERRUPTED; ERR_LIMIT "<program>:
//        more than <n> bytes"; ERR_INVALID "<program>: ended with status <n>", "... by signal <n>"; ERR_IO.
MUST_CHECK bool child_run(struct bytes *out, const struct child *child, struct arena *arena,
                          struct err *err);

#endif
