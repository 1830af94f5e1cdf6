#include "signer/loop.h"
#include "base/require.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>

#define IDLE_US 200 // without an event: a client that goes on does so sooner

struct watch {
    int fd; // -1: free
    short events;
    loop_fd_fn *fn;
    void *context;
};
struct timer {
    uint64_t id; // 0: free
    int64_t due_ms;
    loop_fn *fn;
    void *context;
    bool when_idle; // or sooner than due_ms
};
struct loop {
    const struct clock *clock;
    struct watch watches[LOOP_FDS_MAX];
    struct timer timers[LOOP_TIMERS_MAX];
    uint64_t last_timer;
    int signal_fd;
    loop_fn *on_terminate;
    void *terminate_context;
    bool stopped;
};

struct loop *loop_new(const struct clock *clock)
{
    struct loop *loop = calloc(1, sizeof *loop);
    REQUIRE(loop != NULL);
    loop->clock = clock;
    loop->signal_fd = -1;
    for (size_t i = 0; i < LOOP_FDS_MAX; i++)
        loop->watches[i].fd = -1;
    return loop;
}

void loop_free(struct loop *loop)
{
    if (loop != NULL && loop->signal_fd >= 0)
        close(loop->signal_fd);
    free(loop);
}

static struct watch *find_watch(struct loop *loop, int fd)
{
    for (size_t i = 0; i < LOOP_FDS_MAX; i++) {
        if (loop->watches[i].fd == fd)
            return &loop->watches[i];
    }
    return NULL;
}

bool loop_watch(struct loop *loop, int fd, short events, loop_fd_fn *fn, void *context)
{
    REQUIRE(fd >= 0);
    struct watch *watch = find_watch(loop, fd);
    if (watch == NULL)
        watch = find_watch(loop, -1);
    if (watch == NULL)
        return false;
    *watch = (struct watch){ fd, events, fn, context };
    return true;
}

void loop_unwatch(struct loop *loop, int fd)
{
    struct watch *watch = fd >= 0 ? find_watch(loop, fd) : NULL;
    if (watch != NULL)
        watch->fd = -1;
}

static uint64_t set_timer(struct loop *loop, int64_t ms, struct timer timer)
{
    size_t i = 0;
    while (i < LOOP_TIMERS_MAX && loop->timers[i].id != 0)
        i++;
    REQUIRE(i < LOOP_TIMERS_MAX);
    timer.id = ++loop->last_timer;
    timer.due_ms = loop->clock->monotonic_ms(loop->clock) + ms;
    loop->timers[i] = timer;
    return timer.id;
}

uint64_t loop_after(struct loop *loop, int64_t ms, loop_fn *fn, void *context)
{
    return set_timer(loop, ms, (struct timer){ .fn = fn, .context = context });
}

uint64_t loop_when_idle(struct loop *loop, int64_t ms, loop_fn *fn, void *context)
{
    const struct timer timer = { .fn = fn, .context = context, .when_idle = true };
    return set_timer(loop, ms, timer);
}

void loop_cancel(struct loop *loop, uint64_t timer)
{
    for (size_t i = 0; timer != 0 && i < LOOP_TIMERS_MAX; i++) {
        if (loop->timers[i].id == timer)
            loop->timers[i].id = 0;
    }
}

static void signal_ready(void *context, int fd, short revents)
{
    struct loop *loop = context;
    struct signalfd_siginfo info;
    (void)revents;
    if (read(fd, &info, sizeof info) == sizeof info)
        loop->on_terminate(loop->terminate_context);
}

bool loop_on_terminate(struct loop *loop, loop_fn *fn, void *context, struct err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return err_set_errno(err, errno, "cannot block signals");
    loop->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (loop->signal_fd < 0)
        return err_set_errno(err, errno, "cannot receive signals");
    loop->on_terminate = fn;
    loop->terminate_context = context;
    if (!loop_watch(loop, loop->signal_fd, POLLIN, signal_ready, loop))
        return err_set(err, ERR_LIMIT, "more than %d descriptors watched", LOOP_FDS_MAX);
    return true;
}

static struct timer *next_timer(struct loop *loop)
{
    struct timer *next = NULL;
    for (size_t i = 0; i < LOOP_TIMERS_MAX; i++) {
        struct timer *timer = &loop->timers[i];
        if (timer->id != 0 && (next == NULL || timer->due_ms < next->due_ms))
            next = timer;
    }
    return next;
}

static bool waits_for_idleness(const struct loop *loop)
{
    for (size_t i = 0; i < LOOP_TIMERS_MAX; i++)
        if (loop->timers[i].id != 0 && loop->timers[i].when_idle)
            return true;
    return false;
}

// How long to wait for events: until the first timer, at most max_wait_ms (below 0: no limit).
static struct timespec wait_for(struct loop *loop, int64_t max_wait_ms)
{
    const struct timer *next = next_timer(loop);
    int64_t wait = max_wait_ms;
    if (next != NULL) {
        int64_t left = next->due_ms - loop->clock->monotonic_ms(loop->clock);
        left = left > 0 ? left : 0;
        wait = wait < 0 || left < wait ? left : wait;
    }
    if (wait != 0 && waits_for_idleness(loop))
        return (struct timespec){ .tv_nsec = IDLE_US * 1000 };
    wait = wait < 0 || wait > 60000 ? 60000 : wait;
    return (struct timespec){ wait / 1000, wait % 1000 * 1000000 };
}

// Timers that were due when this round began; one that a handler sets waits for the next round.
// Returns how many there were.
static size_t run_timers(struct loop *loop)
{
    const int64_t now_ms = loop->clock->monotonic_ms(loop->clock);
    const uint64_t newest = loop->last_timer;
    size_t n = 0;
    for (; n < LOOP_TIMERS_MAX && !loop->stopped; n++) {
        struct timer *timer = next_timer(loop);
        if (timer == NULL || timer->due_ms > now_ms || timer->id > newest)
            break;
        const struct timer fired = *timer;
        timer->id = 0;
        fired.fn(fired.context);
    }
    return n;
}

static void run_idle(struct loop *loop)
{
    const uint64_t newest = loop->last_timer;
    for (size_t i = 0; i < LOOP_TIMERS_MAX && !loop->stopped; i++) {
        const struct timer timer = loop->timers[i];
        if (timer.id == 0 || timer.id > newest || !timer.when_idle)
            continue;
        loop->timers[i].id = 0;
        timer.fn(timer.context);
    }
}

bool loop_step(struct loop *loop, int64_t max_wait_ms, struct err *err)
{
    struct pollfd fds[LOOP_FDS_MAX];
    struct watch seen[LOOP_FDS_MAX];
    nfds_t n = 0;
    for (size_t i = 0; i < LOOP_FDS_MAX; i++) {
        if (loop->watches[i].fd < 0)
            continue;
        seen[n] = loop->watches[i];
        fds[n++] = (struct pollfd){ .fd = loop->watches[i].fd, .events = loop->watches[i].events };
    }
    const struct timespec wait = wait_for(loop, max_wait_ms);
    const int ready = ppoll(fds, n, &wait, NULL);
    if (ready < 0 && errno != EINTR)
        return err_set_errno(err, errno, "cannot wait for events");
    if (run_timers(loop) == 0 && ready == 0)
        run_idle(loop);
    for (nfds_t i = 0; i < n && !loop->stopped; i++) {
        // A handler before this one may have unwatched the descriptor or given it to another.
        const struct watch *watch = fds[i].revents != 0 ? find_watch(loop, fds[i].fd) : NULL;
        if (watch != NULL && watch->fn == seen[i].fn && watch->context == seen[i].context)
            watch->fn(watch->context, watch->fd, fds[i].revents);
    }
    return true;
}

bool loop_run(struct loop *loop, struct err *err)
{
    loop->stopped = false;
    while (!loop->stopped) {
        if (!loop_step(loop, -1, err))
            return false;
    }
    return true;
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}
