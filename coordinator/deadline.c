#include "coordinator/deadline.h"
#include "client/wait.h"
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

static bool watch(const struct deadline *d, int fd)
{
    struct epoll_event event = { .events = EPOLLIN };
    return epoll_ctl(d->fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

bool deadline_open(struct deadline *out, int cancel_fd, struct err *err)
{
    struct deadline d = { .fd = epoll_create1(EPOLL_CLOEXEC),
                          .timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK) };
    if (d.fd >= 0 && d.timer_fd >= 0 && watch(&d, d.timer_fd) &&
        (cancel_fd <= 0 || watch(&d, cancel_fd))) {
        *out = d;
        return true;
    }
    const int why = errno;
    deadline_close(&d);
    return err_set_errno(err, why, "a timer");
}

void deadline_close(struct deadline *d)
{
    if (d->fd >= 0)
        close(d->fd);
    if (d->timer_fd >= 0)
        close(d->timer_fd);
    *d = (struct deadline){ .fd = -1, .timer_fd = -1 };
}

static void arm(const struct deadline *d, int64_t ms)
{
    const struct itimerspec in = { .it_value = { .tv_sec = ms / 1000,
                                                 .tv_nsec = ms % 1000 * 1000000 } };
    (void)timerfd_settime(d->timer_fd, 0, &in, NULL); // fails for wrong arguments only
}

void deadline_extend(struct deadline *d, int64_t ms)
{
    const int64_t left_ms = d->last_ms - wait_now_ms();
    const int64_t in_ms = ms < left_ms ? ms : left_ms;
    arm(d, in_ms > 0 ? in_ms : 1); // 0 would stop the timer
}

void deadline_set(struct deadline *d, int64_t ms, int64_t most_ms)
{
    d->last_ms = wait_now_ms() + most_ms;
    deadline_extend(d, ms);
}

void deadline_clear(struct deadline *d)
{
    arm(d, 0);
}

bool deadline_is_over(const struct deadline *d)
{
    struct pollfd timer = { .fd = d->timer_fd, .events = POLLIN };
    return poll(&timer, 1, 0) == 1;
}

bool deadline_explain(const struct deadline *d, struct err *err)
{
    if (err->code == ERR_INTERRUPTED && deadline_is_over(d))
        return err_set(err, ERR_TIMEOUT, "no answer in time");
    return false;
}
