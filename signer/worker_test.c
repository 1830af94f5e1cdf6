#include "signer/worker.h"
#include "base/require.h"
#include "tests/support/test.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

// What a task does here: every slice adds what only it writes, `last` sums it up.
struct sum {
    struct worker *worker;
    pthread_t loop_thread;
    size_t n_slices;
    uint64_t parts[WORKER_THREADS];
    uint64_t total; // by `last`
    uint64_t upto;
    unsigned n_last, n_done, rounds; // `rounds`: starts itself again so often
    atomic_uint n_running;
    atomic_bool overlap;
    bool signals_blocked[WORKER_THREADS];
};

static void add_up(void *context, size_t slice)
{
    struct sum *s = context;
    sigset_t mask;
    REQUIRE(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0);
    s->signals_blocked[slice] = sigismember(&mask, SIGTERM) == 1;
    REQUIRE(!pthread_equal(pthread_self(), s->loop_thread));
    atomic_fetch_add(&s->n_running, 1);
    s->parts[slice] = 0;
    for (uint64_t i = slice; i <= s->upto; i += s->n_slices)
        s->parts[slice] += i;
    atomic_fetch_sub(&s->n_running, 1);
}

static void sum_up(void *context)
{
    struct sum *s = context;
    if (atomic_load(&s->n_running) != 0)
        atomic_store(&s->overlap, true);
    s->total = 0;
    for (size_t i = 0; i < s->n_slices; i++)
        s->total += s->parts[i];
    s->n_last++;
}

static void start(struct sum *s);

static void done(void *context)
{
    struct sum *s = context;
    REQUIRE(pthread_equal(pthread_self(), s->loop_thread));
    REQUIRE(!worker_is_busy(s->worker));
    s->n_done++;
    if (s->rounds > 0) {
        s->rounds--;
        start(s);
    }
}

static void start(struct sum *s)
{
    const struct worker_task task = { s->n_slices, s, add_up, sum_up, done };
    worker_start(s->worker, &task);
}

struct setup {
    struct clock clock;
    struct loop *loop;
    struct worker *worker;
};

static void set_up(struct setup *t)
{
    struct err err;
    t->clock = clock_system();
    t->loop = loop_new(&t->clock);
    if (!worker_new(&t->worker, t->loop, &err))
        fail_msg("%s", err.text);
}

static void tear_down(struct setup *t)
{
    worker_free(t->worker);
    loop_free(t->loop);
}

static struct sum sum_of(const struct setup *t, size_t n_slices)
{
    return (struct sum){
        .worker = t->worker, .loop_thread = pthread_self(), .n_slices = n_slices, .upto = 100000
    };
}

static void run_until(const struct setup *t, const struct sum *s, unsigned n_done)
{
    struct err err;
    for (int i = 0; s->n_done < n_done && i < 10000; i++)
        assert_true(loop_step(t->loop, 1000, &err));
    assert_int_equal(s->n_done, n_done);
}

TEST(psbt_signing_24_8_tasks_run_beside_the_loop)
{
    struct setup t;
    set_up(&t);
    for (size_t n = 1; n <= WORKER_THREADS; n++) {
        struct sum s = sum_of(&t, n);
        assert_false(worker_is_busy(t.worker));
        start(&s);
        assert_true(worker_is_busy(t.worker)); // until the loop has heard of it
        run_until(&t, &s, 1);
        assert_int_equal(s.total, 5000050000);
        assert_int_equal(s.n_last, 1);
        assert_false(atomic_load(&s.overlap));
        for (size_t i = 0; i < n; i++)
            assert_true(s.signals_blocked[i]);
    }
    tear_down(&t);
}

// One after the other, started by the end of the one before, as often as that may be.
TEST(psbt_signing_24_8_tasks_follow_each_other)
{
    struct setup t;
    set_up(&t);
    struct sum s = sum_of(&t, 2);
    s.upto = 10;
    s.rounds = 499;
    start(&s);
    run_until(&t, &s, 500);
    assert_int_equal(s.n_last, 500);
    tear_down(&t);
}

// Who waits hears of the end before it goes on; the loop does not hear of it a second time, nor takes
// it for the end of the next task.
TEST(psbt_signing_24_8_waiting)
{
    struct setup t;
    struct err err;
    set_up(&t);
    worker_wait(t.worker); // for nothing
    struct sum s = sum_of(&t, 2), next = sum_of(&t, 2);
    for (unsigned i = 1; i <= 200; i++) {
        start(&s);
        worker_wait(t.worker);
        assert_int_equal(s.n_done, i);
        assert_int_equal(s.total, 5000050000);
        start(&next);
        assert_true(loop_step(t.loop, 0, &err)); // the first one's event
        run_until(&t, &next, i);
        assert_int_equal(next.total, 5000050000);
        assert_int_equal(s.n_done, i);
    }
    tear_down(&t);
}

// Ending waits for what runs.
TEST(psbt_signing_24_8_ending)
{
    for (unsigned i = 0; i < 100; i++) {
        struct setup t;
        set_up(&t);
        struct sum s = sum_of(&t, 1 + i % 2);
        s.upto = i * 100;
        start(&s);
        tear_down(&t);
        assert_int_equal(s.n_done, 1);
        assert_int_equal(s.n_last, 1);
    }
    worker_free(NULL);
}
