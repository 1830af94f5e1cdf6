#include "http/pool.h"
#include "tests/support/test.h"
#include <pthread.h>

// A loop for tests: what is posted runs at once, under a lock.
struct rig {
    pthread_mutex_t lock;
    char log[64];
    size_t len, done;
    struct rig_job *jobs;
};
struct rig_job {
    struct rig *rig;
    char name;
};

static void post(void *context, void (*call)(void *), void *argument)
{
    struct rig *rig = context;
    assert_int_equal(pthread_mutex_lock(&rig->lock), 0);
    call(argument);
    assert_int_equal(pthread_mutex_unlock(&rig->lock), 0);
}

static void work(void *argument)
{
    struct rig_job *job = argument;
    assert_int_equal(pthread_mutex_lock(&job->rig->lock), 0);
    job->rig->log[job->rig->len++] = job->name;
    assert_int_equal(pthread_mutex_unlock(&job->rig->lock), 0);
}

static void done(void *argument)
{
    struct rig_job *job = argument;
    job->rig->done++;
}

static void wait_for(struct pool *pool)
{
    while (pool_pending(pool) > 0)
        usleep(1000);
}

TEST(pool_with_one_thread_keeps_the_order)
{
    struct rig rig = { .lock = PTHREAD_MUTEX_INITIALIZER };
    struct rig_job jobs[20];
    struct pool *pool = pool_new(1, (struct pool_loop){ post, &rig });
    for (size_t i = 0; i < COUNT(jobs); i++) {
        jobs[i] = (struct rig_job){ &rig, (char)('a' + i) };
        assert_true(pool_submit(pool, (struct pool_job){ work, done, &jobs[i] }, 0));
    }
    wait_for(pool);
    pool_free(pool);
    assert_string_equal(rig.log, "abcdefghijklmnopqrst");
    assert_int_equal(rig.done, COUNT(jobs));
}

static void wait_for_lock(void *argument)
{
    struct rig *rig = argument;
    assert_int_equal(pthread_mutex_lock(&rig->lock), 0);
    assert_int_equal(pthread_mutex_unlock(&rig->lock), 0);
}

TEST(pool_refuses_past_its_limit)
{
    struct rig rig = { .lock = PTHREAD_MUTEX_INITIALIZER };
    struct pool *pool = pool_new(1, (struct pool_loop){ post, &rig });
    const struct pool_job job = { wait_for_lock, NULL, &rig };
    assert_int_equal(pthread_mutex_lock(&rig.lock), 0);
    unsigned taken = 0;
    for (int i = 0; i < 10; i++)
        taken += pool_submit(pool, job, 2);
    assert_true(taken == 2 || taken == 3); // one may have begun
    assert_int_equal(pthread_mutex_unlock(&rig.lock), 0);
    wait_for(pool);
    assert_true(pool_submit(pool, job, 2));
    wait_for(pool);
    pool_free(pool);
}
