#include "coordinator/workers.h"
#include "base/require.h"
#include "coordinator/refill_engine.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define IDLE_MS   250 // between looks at the ledger: another replica's work is not announced here
#define AWAY_MS   2000
#define NODES_MAX 8
#define ROUND_MS  1000
#define KEEP_MS   5000 // a lease is renewed so often

// What a worker carries now, for the one that keeps it; behind the lock.
struct held {
    char id[ID_SIZE]; // empty: nothing
    uint64_t fence;
    int64_t kept_ms;
};

struct worker {
    struct workers *all;
    pthread_t thread;
    struct db *db;
    struct node *nodes[NODES_MAX];
    size_t node_at; // the one that answered last
    atomic_llong seen_ms;
    struct held held;
};

struct workers {
    struct workers_options options;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    atomic_bool stops;
    uint64_t wakes;
    unsigned n_running;
    atomic_uint n_carrying;
    struct clock clock;
    size_t n; // the last one does what comes round, the one before keeps what the others hold
    struct worker workers[WORKERS_MAX + 2];
};

// --- Waiting ---

static void deadline_in(struct timespec *out, int64_t ms)
{
    (void)clock_gettime(CLOCK_MONOTONIC, out);
    out->tv_sec += ms / 1000;
    out->tv_nsec += (ms % 1000) * 1000000;
    if (out->tv_nsec >= 1000000000) {
        out->tv_sec++;
        out->tv_nsec -= 1000000000;
    }
}

// Until somebody wakes the workers after `since`, or the time is over. False: they are to stop.
static bool rest(struct workers *all, uint64_t *since, int64_t ms)
{
    struct timespec until;
    deadline_in(&until, ms);
    (void)pthread_mutex_lock(&all->lock);
    while (!all->stops && all->wakes == *since)
        if (pthread_cond_timedwait(&all->changed, &all->lock, &until) == ETIMEDOUT)
            break;
    *since = all->wakes;
    const bool go_on = !all->stops;
    (void)pthread_mutex_unlock(&all->lock);
    return go_on;
}

static int64_t now_ms(const struct workers *all)
{
    return all->clock.monotonic_ms(&all->clock);
}

static void note_alive(struct worker *w)
{
    atomic_store(&w->seen_ms, now_ms(w->all));
}

static void still_alive(void *worker)
{
    note_alive(worker);
}

// --- Carrying spends ---

// The node that answered last, else the next that does. One that is away fails each call soon enough.
static struct node *pick_node(struct worker *w)
{
    struct node_state state;
    struct err err;
    const size_t n = w->all->options.n_nodes;
    for (size_t i = 0; n > 1 && i < n; i++) {
        if (node_state(w->nodes[w->node_at], &state, &err) && !state.behind)
            break;
        w->node_at = (w->node_at + 1) % n;
    }
    return w->nodes[w->node_at];
}

// spend NULL: nothing any more.
static void hold(struct worker *w, const struct spend *spend)
{
    (void)pthread_mutex_lock(&w->all->lock);
    w->held = (struct held){ .fence = 0 };
    if (spend != NULL) {
        memcpy(w->held.id, spend->id, sizeof w->held.id);
        w->held.fence = spend->fence;
        w->held.kept_ms = now_ms(w->all);
    }
    (void)pthread_mutex_unlock(&w->all->lock);
}

// False: there was nothing to do, or the ledger is away.
static bool work_once(struct worker *w, bool *ledger_is_there)
{
    const struct workers_options *o = &w->all->options;
    struct spend spend;
    struct err err;
    bool found = false;
    *ledger_is_there = ledger_claim(w->db, &spend, &found, o->holder, SPEND_LEASE_US, &err);
    if (!*ledger_is_there)
        LOG(o->log, LOG_WARNING, "ledger_away", LOG_TEXT("error", err.text));
    if (!*ledger_is_there || !found)
        return false;
    const struct spend_context context = { .db = w->db,
                                           .node = pick_node(w),
                                           .fleet = o->fleet,
                                           .codes = o->codes,
                                           .treasury = o->treasury,
                                           .log = o->log,
                                           .alive = still_alive,
                                           .alive_context = w };
    hold(w, &spend);
    spend_drive(&context, &spend);
    hold(w, NULL);
    return true;
}

static void *carry(void *argument)
{
    struct worker *w = argument;
    uint64_t since = 0;
    bool there = true;
    do {
        note_alive(w);
        while (!w->all->stops && work_once(w, &there))
            note_alive(w);
    } while (rest(w->all, &since, there ? IDLE_MS : AWAY_MS));
    atomic_fetch_sub(&w->all->n_carrying, 1);
    return NULL;
}

// --- Keeping what they carry ---

// Whether that worker's lease is to be renewed now.
static bool to_be_kept(struct worker *w, struct held *out)
{
    const int64_t now = now_ms(w->all);
    (void)pthread_mutex_lock(&w->all->lock);
    const bool due = w->held.id[0] != '\0' && now - w->held.kept_ms >= KEEP_MS &&
                     now - atomic_load(&w->seen_ms) < WORKERS_AWAY_MS;
    if (due)
        w->held.kept_ms = now;
    *out = w->held;
    (void)pthread_mutex_unlock(&w->all->lock);
    return due;
}

static void keep_all(struct worker *keeper)
{
    struct workers *all = keeper->all;
    struct held held;
    struct err err;
    bool kept;
    for (size_t i = 0; i + 2 < all->n; i++)
        if (to_be_kept(&all->workers[i], &held) &&
            !ledger_keep(keeper->db, held.id, all->options.holder, held.fence, SPEND_LEASE_US,
                         &kept, &err))
            LOG(all->options.log, LOG_WARNING, "lease_not_kept", LOG_TEXT("spend", held.id),
                LOG_TEXT("error", err.text));
}

// Also while the others finish what they carry.
static void *keep(void *argument)
{
    static const struct timespec pause = { 0, 100000000 };
    struct worker *w = argument;
    uint64_t since = 0;
    bool go_on = true;
    while (go_on) {
        note_alive(w);
        keep_all(w);
        go_on = rest(w->all, &since, ROUND_MS);
        if (!go_on) {
            (void)nanosleep(&pause, NULL);
            go_on = atomic_load(&w->all->n_carrying) > 0;
        }
    }
    return NULL;
}

// --- What comes round ---

static void refill(struct worker *w, struct refill_engine *engine)
{
    struct err err;
    size_t n;
    engine->db = w->db;
    if (!refill_round(engine, &n, &err))
        LOG(engine->log, LOG_WARNING, "refill_round", LOG_TEXT("error", err.text));
    else if (n > 0)
        workers_wake(w->all);
}

static void *upkeep(void *argument)
{
    struct worker *w = argument;
    const struct workers_options *o = &w->all->options;
    struct named_rpc rpcs[NODES_MAX];
    const size_t n_nodes = o->n_nodes;
    uint64_t since = 0;
    int64_t refilled_ms = 0;
    for (size_t i = 0; i < n_nodes; i++)
        rpcs[i] = (struct named_rpc){ o->nodes[i].name, rpc_new(&o->servers[i]) };
    struct refill_engine engine = { .treasury = o->treasury,
                                    .ways = { { rpcs, n_nodes }, o->refill_private },
                                    .log = o->log };
    do {
        note_alive(w);
        const int64_t now = now_ms(w->all);
        if (o->refill_every_s != 0 && now - refilled_ms >= 1000 * (int64_t)o->refill_every_s) {
            refill(w, &engine);
            refilled_ms = now;
        }
    } while (rest(w->all, &since, ROUND_MS));
    for (size_t i = 0; i < n_nodes; i++)
        rpc_free(rpcs[i].rpc);
    return NULL;
}

// --- Start and end ---

static void close_worker(struct worker *w)
{
    for (size_t i = 0; i < w->all->options.n_nodes; i++)
        node_free(w->nodes[i]);
    db_close(&w->db);
}

static bool open_worker(struct workers *all, struct worker *w, struct err *err)
{
    w->all = all;
    if (!db_open(&w->db, all->options.db, err))
        return false;
    for (size_t i = 0; i < all->options.n_nodes; i++)
        if (!node_new(&w->nodes[i], &all->options.nodes[i], err))
            return false;
    note_alive(w);
    return true;
}

static void init(struct workers *all, const struct workers_options *options)
{
    pthread_condattr_t monotonic;
    all->options = *options;
    all->clock = clock_system();
    all->n = options->n_threads + 2;
    all->n_carrying = options->n_threads;
    REQUIRE(options->n_threads >= 1 && options->n_threads <= WORKERS_MAX &&
            options->n_nodes <= NODES_MAX);
    REQUIRE(pthread_mutex_init(&all->lock, NULL) == 0 && pthread_condattr_init(&monotonic) == 0 &&
            pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 &&
            pthread_cond_init(&all->changed, &monotonic) == 0);
    (void)pthread_condattr_destroy(&monotonic);
}

bool workers_new(struct workers **out, const struct workers_options *options, struct err *err)
{
    struct workers *all = calloc(1, sizeof *all);
    REQUIRE(all != NULL);
    init(all, options);
    *out = NULL;
    for (size_t i = 0; i < all->n; i++)
        if (!open_worker(all, &all->workers[i], err)) {
            for (size_t j = 0; j <= i; j++)
                close_worker(&all->workers[j]);
            free(all);
            return false;
        }
    for (size_t i = 0; i < all->n; i++)
        REQUIRE(pthread_create(&all->workers[i].thread, NULL,
                               i + 2 < all->n   ? carry
                               : i + 1 < all->n ? keep
                                                : upkeep,
                               &all->workers[i]) == 0);
    all->n_running = (unsigned)all->n;
    *out = all;
    return true;
}

void workers_wake(struct workers *workers)
{
    (void)pthread_mutex_lock(&workers->lock);
    workers->wakes++;
    (void)pthread_cond_broadcast(&workers->changed);
    (void)pthread_mutex_unlock(&workers->lock);
}

void workers_stop(struct workers *workers, unsigned wait_s)
{
    struct timespec until;
    (void)pthread_mutex_lock(&workers->lock);
    workers->stops = true;
    (void)pthread_cond_broadcast(&workers->changed);
    (void)pthread_mutex_unlock(&workers->lock);
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += wait_s;
    for (size_t i = 0; i < workers->n; i++)
        if (workers->workers[i].all != NULL &&
            pthread_timedjoin_np(workers->workers[i].thread, NULL, &until) == 0) {
            close_worker(&workers->workers[i]);
            workers->workers[i].all = NULL;
            workers->n_running--;
        }
}

void workers_free(struct workers *workers)
{
    if (workers == NULL)
        return;
    workers_stop(workers, 5);
    // A thread that still waits for a device keeps what it uses; the process is about to end.
    if (workers->n_running > 0)
        return;
    (void)pthread_cond_destroy(&workers->changed);
    (void)pthread_mutex_destroy(&workers->lock);
    free(workers);
}

int64_t workers_alive_ms(const struct workers *workers)
{
    long long oldest = INT64_MAX;
    for (size_t i = 0; i < workers->n; i++) {
        const long long seen = atomic_load(&workers->workers[i].seen_ms);
        oldest = seen < oldest ? seen : oldest;
    }
    return oldest;
}
