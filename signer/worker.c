#include "signer/worker.h"
#include "base/require.h"
#include "base/secret.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#define STACK_LEN (1u << 20)

struct worker {
    struct loop *loop;
    int event_fd; // readable when a task is over
    pthread_t threads[WORKER_THREADS];
    size_t n_threads;
    bool busy; // of the loop's thread alone

    pthread_mutex_t lock;      // of all below
    pthread_cond_t work, over; // for the threads; for the loop's side
    struct worker_task task;
    size_t n_taken, n_over; // slices
    bool ending;
};

// --- The threads ---

// One thread wakes the next. Woken at once by the loop's, which still runs, both would be given the same
// processor, and stay on it for a millisecond or more.
static bool take_slice(struct worker *w, size_t *slice)
{
    while (!w->ending && w->n_taken == w->task.n_slices)
        REQUIRE(pthread_cond_wait(&w->work, &w->lock) == 0);
    if (w->ending)
        return false;
    *slice = w->n_taken++;
    if (w->n_taken < w->task.n_slices)
        REQUIRE(pthread_cond_signal(&w->work) == 0);
    return true;
}

static void tell_loop(const struct worker *w)
{
    const uint64_t one = 1;
    ssize_t n;
    do
        n = write(w->event_fd, &one, sizeof one);
    while (n < 0 && errno == EINTR);
    REQUIRE(n == sizeof one);
}

// `last` runs when no slice does: whoever ended the last one goes on alone.
static void end_slice(struct worker *w, const struct worker_task *task)
{
    const bool is_last = w->n_over + 1 == task->n_slices;
    if (is_last && task->last != NULL) {
        REQUIRE(pthread_mutex_unlock(&w->lock) == 0);
        task->last(task->context);
        wipe_stack();
        REQUIRE(pthread_mutex_lock(&w->lock) == 0);
    }
    w->n_over++;
    if (!is_last)
        return;
    REQUIRE(pthread_cond_signal(&w->over) == 0);
    tell_loop(w);
}

static void *run_thread(void *context)
{
    struct worker *w = context;
    size_t slice;
    REQUIRE(pthread_mutex_lock(&w->lock) == 0);
    while (take_slice(w, &slice)) {
        const struct worker_task task = w->task;
        REQUIRE(pthread_mutex_unlock(&w->lock) == 0);
        task.run(task.context, slice);
        wipe_stack(); // what the work left there may be secret
        REQUIRE(pthread_mutex_lock(&w->lock) == 0);
        end_slice(w, &task);
    }
    REQUIRE(pthread_mutex_unlock(&w->lock) == 0);
    return NULL;
}

// --- The loop's side ---

static bool start_thread(pthread_t *out, struct worker *w)
{
    pthread_attr_t attr;
    sigset_t all, before;
    sigfillset(&all);
    REQUIRE(pthread_attr_init(&attr) == 0 && pthread_attr_setstacksize(&attr, STACK_LEN) == 0);
    REQUIRE(pthread_sigmask(SIG_SETMASK, &all, &before) == 0); // which the thread inherits
    const bool ok = pthread_create(out, &attr, run_thread, w) == 0;
    REQUIRE(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    pthread_attr_destroy(&attr);
    return ok;
}

static void finish_task(struct worker *w)
{
    w->busy = false; // first: `done` may start the next
    w->task.done(w->task.context);
}

static bool is_over(struct worker *w)
{
    REQUIRE(pthread_mutex_lock(&w->lock) == 0);
    const bool over = w->n_over == w->task.n_slices;
    REQUIRE(pthread_mutex_unlock(&w->lock) == 0);
    return over;
}

static void readable(void *context, int fd, short revents)
{
    struct worker *w = context;
    uint64_t count;
    (void)revents;
    if (read(fd, &count, sizeof count) == sizeof count && w->busy && is_over(w))
        finish_task(w);
}

bool worker_new(struct worker **out, struct loop *loop, struct err *err)
{
    struct worker *w = calloc(1, sizeof *w);
    REQUIRE(w != NULL);
    w->loop = loop;
    REQUIRE(pthread_mutex_init(&w->lock, NULL) == 0 && pthread_cond_init(&w->work, NULL) == 0 &&
            pthread_cond_init(&w->over, NULL) == 0);
    w->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool ok = w->event_fd >= 0 || err_set_errno(err, errno, "worker");
    if (ok && !loop_watch(loop, w->event_fd, POLLIN, readable, w))
        ok = err_set(err, ERR_LIMIT, "more than %d descriptors watched", LOOP_FDS_MAX);
    for (; ok && w->n_threads < WORKER_THREADS; w->n_threads += ok)
        ok = start_thread(&w->threads[w->n_threads], w) ||
             err_set(err, ERR_IO, "cannot start a thread");
    if (ok)
        *out = w;
    else
        worker_free(w);
    return ok;
}

void worker_free(struct worker *w)
{
    if (w == NULL)
        return;
    worker_wait(w);
    REQUIRE(pthread_mutex_lock(&w->lock) == 0);
    w->ending = true;
    REQUIRE(pthread_cond_broadcast(&w->work) == 0);
    REQUIRE(pthread_mutex_unlock(&w->lock) == 0);
    for (size_t i = 0; i < w->n_threads; i++)
        REQUIRE(pthread_join(w->threads[i], NULL) == 0);
    if (w->event_fd >= 0) {
        loop_unwatch(w->loop, w->event_fd);
        close(w->event_fd);
    }
    pthread_cond_destroy(&w->work);
    pthread_cond_destroy(&w->over);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

bool worker_is_busy(const struct worker *w)
{
    return w->busy;
}

void worker_start(struct worker *w, const struct worker_task *task)
{
    REQUIRE(!w->busy && task->n_slices >= 1 && task->n_slices <= WORKER_THREADS);
    w->busy = true;
    REQUIRE(pthread_mutex_lock(&w->lock) == 0);
    w->task = *task;
    w->n_taken = w->n_over = 0;
    REQUIRE(pthread_cond_signal(&w->work) == 0);
    REQUIRE(pthread_mutex_unlock(&w->lock) == 0);
}

// What the event says later of a task that was waited for is of no task then, or of another that is
// not over: `readable` asks.
void worker_wait(struct worker *w)
{
    if (!w->busy)
        return;
    REQUIRE(pthread_mutex_lock(&w->lock) == 0);
    while (w->n_over < w->task.n_slices)
        REQUIRE(pthread_cond_wait(&w->over, &w->lock) == 0);
    REQUIRE(pthread_mutex_unlock(&w->lock) == 0);
    finish_task(w);
}
