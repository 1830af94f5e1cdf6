// coordinator/reconcile_threads.c -- a thread for each node, which makes the passes.
#include "base/require.h"
#include "coordinator/reconcile.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

enum { NODES_MAX = BOARD_NODES, ARENA = 16 << 20, FEE_BLOCKS = 6 };

struct reconcile {
    struct reconcile_options options;
    struct clock clock;
    struct sights *sights;
    int stop_fd; // readable: calls end
    pthread_mutex_t lock;
    pthread_cond_t changed; // monotonic
    bool stops;
    uint64_t wakes;
    size_t n_started;
    struct looker {
        struct reconcile *all;
        size_t number;
        struct db *db;
        struct node *node;
        pthread_t thread;
        bool complained;
        _Atomic int64_t seen_ms;
    } lookers[NODES_MAX];
};

// --- What others see of it ---

static void show_node(const struct looker *l, const struct node_state *state)
{
    struct board_node shown = { .up = state != NULL };
    uint64_t rate;
    bool known;
    struct err err;
    if (l->all->options.board == NULL)
        return;
    (void)snprintf(shown.name, sizeof shown.name, "%s", node_name(l->node));
    shown.at_ms = l->all->clock.monotonic_ms(&l->all->clock);
    if (state != NULL) {
        shown.behind = state->behind;
        shown.height = state->height;
        if (node_fee_rate(l->node, FEE_BLOCKS, &rate, &known, &err) && known)
            shown.fee_rate = rate;
    }
    board_set_node(l->all->options.board, &shown);
}

static void show_wallet(const struct looker *l, const struct treasury_wallet *wallet, bool known)
{
    struct board_wallet shown = { .at_ms = l->all->clock.monotonic_ms(&l->all->clock) };
    struct node_balance balance;
    struct err err;
    if (l->all->options.board == NULL)
        return;
    memcpy(shown.id, wallet->row.id, sizeof shown.id);
    shown.known = known && node_balance(l->node, wallet->wallet, &balance, &err);
    if (shown.known) {
        shown.confirmed = balance.confirmed;
        shown.unconfirmed = balance.unconfirmed;
        shown.n_coins = balance.n_coins;
    }
    board_set_wallet(l->all->options.board, &shown);
}

static void count(const struct looker *l, const struct reconcile_result *result)
{
    if (l->all->options.board == NULL)
        return;
    if (result->removed > 0)
        board_count(l->all->options.board, BOARD_REORGS);
    for (unsigned i = 0; i < result->foreign; i++)
        board_count(l->all->options.board, BOARD_FOREIGN);
}

// One line when it begins and one when it ends, not one each time.
static void complain(struct looker *l, const char *what, const struct err *err)
{
    if (!l->complained)
        LOG(l->all->options.log, LOG_WARNING, "reconcile_fails",
            LOG_TEXT("node", node_name(l->node)), LOG_TEXT("of", what),
            LOG_TEXT("error", err->text));
    l->complained = true;
}

// --- Passes ---

static void note_alive(struct looker *l)
{
    atomic_store(&l->seen_ms, l->all->clock.monotonic_ms(&l->all->clock));
}

static bool look_at(struct looker *l, const struct treasury_wallet *wallet, bool *changed)
{
    const struct reconcile_context context = {
        l->db, l->node, l->number, l->all->sights, &l->all->clock, l->all->options.log
    };
    struct reconcile_result result;
    struct err err;
    note_alive(l);
    const bool ok = reconcile_wallet(&context, wallet, &result, &err);
    *changed |= result.changed;
    count(l, &result);
    if (!ok)
        complain(l, wallet_name(wallet->wallet), &err);
    show_wallet(l, wallet, ok);
    return ok;
}

static bool stops(struct reconcile *all)
{
    REQUIRE(pthread_mutex_lock(&all->lock) == 0);
    const bool stops = all->stops;
    REQUIRE(pthread_mutex_unlock(&all->lock) == 0);
    return stops;
}

static void pass(struct looker *l)
{
    AUTO(arena_freep) struct arena *arena = arena_new(ARENA);
    const struct reconcile_options *o = &l->all->options;
    struct treasury_wallet *wallets;
    struct node_state state;
    struct err err;
    size_t n;
    bool changed = false, whole = true;
    const bool up = node_state(l->node, &state, &err);
    show_node(l, up ? &state : NULL);
    if (!up) {
        complain(l, "the node", &err);
        return;
    }
    if (!treasury_all(o->treasury, l->db, &wallets, &n, arena, &err)) {
        complain(l, "the wallets", &err);
        return;
    }
    for (size_t i = 0; i < n && !stops(l->all); i++)
        whole = look_at(l, &wallets[i], &changed) && whole;
    if (whole)
        l->complained = false;
    if (changed && o->changed != NULL)
        o->changed(o->context);
}

// Until woken, stopped, or the next round is due; false: stopped.
static bool rest(struct reconcile *all, uint64_t *since)
{
    const unsigned ms = all->options.every_ms;
    struct timespec until;
    int woken = 0;
    REQUIRE(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    REQUIRE(pthread_mutex_lock(&all->lock) == 0);
    while (!all->stops && all->wakes == *since && woken != ETIMEDOUT)
        woken = pthread_cond_timedwait(&all->changed, &all->lock, &until);
    *since = all->wakes;
    const bool go_on = !all->stops;
    REQUIRE(pthread_mutex_unlock(&all->lock) == 0);
    return go_on;
}

static void *look(void *argument)
{
    struct looker *l = argument;
    uint64_t since = 0;
    do {
        note_alive(l);
        pass(l);
    } while (rest(l->all, &since));
    return NULL;
}

// --- Start and end ---

static void init(struct reconcile *all, const struct reconcile_options *options)
{
    pthread_condattr_t monotonic;
    REQUIRE(options->n_nodes <= NODES_MAX);
    all->options = *options;
    if (all->options.every_ms == 0)
        all->options.every_ms = RECONCILE_EVERY_MS;
    all->clock = clock_system();
    all->sights = sights_new();
    all->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    REQUIRE(all->stop_fd >= 0 && pthread_mutex_init(&all->lock, NULL) == 0 &&
            pthread_condattr_init(&monotonic) == 0 &&
            pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 &&
            pthread_cond_init(&all->changed, &monotonic) == 0);
    (void)pthread_condattr_destroy(&monotonic);
}

static bool open_looker(struct reconcile *all, size_t i, struct err *err)
{
    struct looker *l = &all->lookers[i];
    struct node_options options = all->options.nodes[i];
    options.cancel_fd = all->stop_fd;
    l->all = all;
    l->number = i;
    note_alive(l);
    return db_open(&l->db, all->options.db, err) && node_new(&l->node, &options, err);
}

bool reconcile_new(struct reconcile **out, const struct reconcile_options *options, struct err *err)
{
    struct reconcile *all = calloc(1, sizeof *all);
    REQUIRE(all != NULL);
    init(all, options);
    *out = NULL;
    for (size_t i = 0; i < options->n_nodes; i++)
        if (!open_looker(all, i, err)) {
            reconcile_free(all);
            return false;
        }
    for (; all->n_started < options->n_nodes; all->n_started++) {
        struct looker *l = &all->lookers[all->n_started];
        REQUIRE(pthread_create(&l->thread, NULL, look, l) == 0);
    }
    *out = all;
    return true;
}

void reconcile_wake(struct reconcile *all)
{
    REQUIRE(pthread_mutex_lock(&all->lock) == 0);
    all->wakes++;
    REQUIRE(pthread_cond_broadcast(&all->changed) == 0);
    REQUIRE(pthread_mutex_unlock(&all->lock) == 0);
}

static void stop(struct reconcile *all)
{
    const uint64_t one = 1;
    REQUIRE(pthread_mutex_lock(&all->lock) == 0);
    all->stops = true;
    REQUIRE(pthread_cond_broadcast(&all->changed) == 0);
    REQUIRE(pthread_mutex_unlock(&all->lock) == 0);
    REQUIRE(write(all->stop_fd, &one, sizeof one) == sizeof one);
    for (size_t i = 0; i < all->n_started; i++)
        REQUIRE(pthread_join(all->lookers[i].thread, NULL) == 0);
}

void reconcile_free(struct reconcile *all)
{
    if (all == NULL)
        return;
    stop(all);
    for (size_t i = 0; i < all->options.n_nodes; i++) {
        node_free(all->lookers[i].node);
        db_close(&all->lookers[i].db);
    }
    (void)pthread_cond_destroy(&all->changed);
    (void)pthread_mutex_destroy(&all->lock);
    close(all->stop_fd);
    sights_free(all->sights);
    free(all);
}

int64_t reconcile_alive_ms(const struct reconcile *all)
{
    int64_t oldest = INT64_MAX;
    for (size_t i = 0; i < all->n_started; i++) {
        const int64_t seen = atomic_load(&all->lookers[i].seen_ms);
        oldest = seen < oldest ? seen : oldest;
    }
    return oldest;
}
