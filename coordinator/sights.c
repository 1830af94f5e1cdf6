#include "coordinator/sights.h"
#include "base/require.h"
#include <pthread.h>

struct sights {
    pthread_mutex_t lock;
    struct seen {
        size_t node;
        struct hash256 txid;
        struct sighting sighting;
        int64_t at_ms;
    } * items;
    size_t n, cap;
};

struct sights *sights_new(void)
{
    struct sights *sights = calloc(1, sizeof *sights);
    REQUIRE(sights != NULL && pthread_mutex_init(&sights->lock, NULL) == 0);
    return sights;
}

void sights_free(struct sights *sights)
{
    if (sights == NULL)
        return;
    (void)pthread_mutex_destroy(&sights->lock);
    free(sights->items);
    free(sights);
}

// With the lock: what nobody told again is forgotten, so there is never more than one pass of each node.
static void forget_old(struct sights *sights, int64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < sights->n; i++)
        if (now_ms - sights->items[i].at_ms <= SIGHTS_FRESH_MS)
            sights->items[kept++] = sights->items[i];
    sights->n = kept;
}

static bool is_of(const struct seen *seen, const struct hash256 *txid)
{
    return memcmp(&seen->txid, txid, sizeof *txid) == 0;
}

static struct seen *find_or_add(struct sights *sights, size_t node, const struct hash256 *txid)
{
    for (size_t i = 0; i < sights->n; i++)
        if (sights->items[i].node == node && is_of(&sights->items[i], txid))
            return &sights->items[i];
    if (sights->n == sights->cap) {
        sights->cap = sights->cap == 0 ? 64 : 2 * sights->cap;
        sights->items = realloc(sights->items, sights->cap * sizeof sights->items[0]);
        REQUIRE(sights->items != NULL);
    }
    sights->items[sights->n] = (struct seen){ .node = node, .txid = *txid };
    return &sights->items[sights->n++];
}

static bool is_better(const struct sighting *a, const struct sighting *b)
{
    static const int rank[] = { [SIGHT_MEMPOOL] = 1, [SIGHT_BLOCK] = 2, [SIGHT_GONE] = 0 };
    if (rank[a->where] != rank[b->where])
        return rank[a->where] > rank[b->where];
    return a->where == SIGHT_BLOCK && a->depth > b->depth;
}

struct sighting sights_put(struct sights *sights, size_t node, const struct hash256 *txid,
                           const struct sighting *seen, int64_t now_ms)
{
    struct sighting best = *seen;
    REQUIRE(pthread_mutex_lock(&sights->lock) == 0);
    forget_old(sights, now_ms);
    struct seen *mine = find_or_add(sights, node, txid);
    mine->sighting = *seen;
    mine->at_ms = now_ms;
    for (size_t i = 0; i < sights->n; i++)
        if (is_of(&sights->items[i], txid) && is_better(&sights->items[i].sighting, &best))
            best = sights->items[i].sighting;
    REQUIRE(pthread_mutex_unlock(&sights->lock) == 0);
    return best;
}
