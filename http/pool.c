#include "http/pool.h"
#include "base/require.h"
#include <pthread.h>

struct node {
    struct node *next;
    struct pool_job job;
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct node *first, **last;
    size_t waiting, running;
    bool ends;
    struct pool_loop loop;
    unsigned n_threads;
    pthread_t threads[POOL_THREADS_MAX];
};

// The next job; NULL when the pool ends. The lock is held.
static struct node *take(struct pool *pool)
{
    while (pool->first == NULL && !pool->ends)
        REQUIRE(pthread_cond_wait(&pool->wake, &pool->lock) == 0);
    struct node *node = pool->ends ? NULL : pool->first;
    if (node == NULL)
        return NULL;
    pool->first = node->next;
    if (pool->first == NULL)
        pool->last = &pool->first;
    pool->waiting--;
    pool->running++;
    return node;
}

static void *serve(void *context)
{
    struct pool *pool = context;
    REQUIRE(pthread_mutex_lock(&pool->lock) == 0);
    for (struct node *node; (node = take(pool)) != NULL; free(node)) {
        REQUIRE(pthread_mutex_unlock(&pool->lock) == 0);
        node->job.work(node->job.argument);
        if (node->job.done != NULL)
            pool->loop.post(pool->loop.context, node->job.done, node->job.argument);
        REQUIRE(pthread_mutex_lock(&pool->lock) == 0);
        pool->running--;
    }
    REQUIRE(pthread_mutex_unlock(&pool->lock) == 0);
    return NULL;
}

struct pool *pool_new(unsigned n_threads, struct pool_loop loop)
{
    struct pool *pool = calloc(1, sizeof *pool);
    REQUIRE(pool != NULL && n_threads >= 1 && n_threads <= POOL_THREADS_MAX);
    REQUIRE(pthread_mutex_init(&pool->lock, NULL) == 0 &&
            pthread_cond_init(&pool->wake, NULL) == 0);
    pool->last = &pool->first;
    pool->loop = loop;
    for (; pool->n_threads < n_threads; pool->n_threads++)
        REQUIRE(pthread_create(&pool->threads[pool->n_threads], NULL, serve, pool) == 0);
    return pool;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL)
        return;
    REQUIRE(pthread_mutex_lock(&pool->lock) == 0);
    pool->ends = true;
    REQUIRE(pthread_cond_broadcast(&pool->wake) == 0);
    REQUIRE(pthread_mutex_unlock(&pool->lock) == 0);
    for (unsigned i = 0; i < pool->n_threads; i++)
        REQUIRE(pthread_join(pool->threads[i], NULL) == 0);
    while (pool->first != NULL) {
        struct node *node = pool->first;
        pool->first = node->next;
        free(node);
    }
    (void)pthread_cond_destroy(&pool->wake);
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool);
}

bool pool_submit(struct pool *pool, struct pool_job job, size_t limit)
{
    REQUIRE(pthread_mutex_lock(&pool->lock) == 0);
    const bool room = limit == 0 || pool->waiting < limit;
    if (room) {
        struct node *node = malloc(sizeof *node);
        REQUIRE(node != NULL);
        *node = (struct node){ .job = job };
        *pool->last = node;
        pool->last = &node->next;
        pool->waiting++;
        REQUIRE(pthread_cond_signal(&pool->wake) == 0);
    }
    REQUIRE(pthread_mutex_unlock(&pool->lock) == 0);
    return room;
}

size_t pool_pending(struct pool *pool)
{
    REQUIRE(pthread_mutex_lock(&pool->lock) == 0);
    const size_t n = pool->waiting + pool->running;
    REQUIRE(pthread_mutex_unlock(&pool->lock) == 0);
    return n;
}
