#include "client/wait.h"
#include "base/clock.h"
#include <errno.h>
#include <poll.h>

int64_t wait_now_ms(void)
{
    const struct clock clock = clock_system();
    return clock.monotonic_ms(&clock);
}

static int left_of(int timeout_ms, int64_t start_ms)
{
    if (timeout_ms < 0)
        return -1;
    const int64_t left = timeout_ms - (wait_now_ms() - start_ms);
    return left > 0 ? (int)left : 0;
}

// The number of ready descriptors; 0 when the time is over. Signals do not shorten the wait.
static int poll_for(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    const int64_t start_ms = wait_now_ms();
    int ready;
    do
        ready = poll(fds, n, left_of(timeout_ms, start_ms));
    while (ready < 0 && errno == EINTR);
    return ready;
}

bool wait_fd(int fd, short events, int cancel_fd, int timeout_ms, struct err *err)
{
    struct pollfd fds[] = { { .fd = fd, .events = events },
                            { .fd = cancel_fd > 0 ? cancel_fd : -1, .events = POLLIN } };
    const int ready = poll_for(fds, COUNT(fds), timeout_ms);
    if (ready < 0)
        return err_set_errno(err, errno, "poll");
    if (fds[1].revents != 0)
        return err_set(err, ERR_INTERRUPTED, "interrupted");
    if (ready == 0)
        return err_set(err, ERR_TIMEOUT, "no answer within %d ms", timeout_ms);
    return true;
}

bool wait_pause(int ms, int cancel_fd, struct err *err)
{
    // poll(2) leaves out a descriptor of -1, so that only time and cancel_fd can end it.
    return wait_fd(-1, 0, cancel_fd, ms, err) || err->code == ERR_TIMEOUT;
}
