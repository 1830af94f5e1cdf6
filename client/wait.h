// client/wait.h -- waiting for a descriptor or for a while, with a way to give up.
//
// Nothing in client/ installs a signal handler: whoever wants Ctrl-C to end a wait passes a
// descriptor that becomes readable then (a signalfd, a pipe), and every release function still runs.
#ifndef CASEMATE_CLIENT_WAIT_H
#define CASEMATE_CLIENT_WAIT_H
#include "base/err.h"

#define WAIT_NO_CANCEL  0    // as cancel_fd: nobody can stop the wait
#define WAIT_NO_TIMEOUT (-1) // as timeout_ms: for ever

// Milliseconds of a clock that never goes back.
int64_t wait_now_ms(void);

// Until `fd` is ready for `events` (POLLIN, POLLOUT), or has failed.
// Fails: ERR_TIMEOUT "no answer within <n> ms", ERR_INTERRUPTED "interrupted" when cancel_fd is
//        readable, ERR_IO.
MUST_CHECK bool wait_fd(int fd, short events, int cancel_fd, int timeout_ms, struct err *err);

// For `ms` milliseconds. Fails: ERR_INTERRUPTED, ERR_IO.
MUST_CHECK bool wait_pause(int ms, int cancel_fd, struct err *err);

#endif
