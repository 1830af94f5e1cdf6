// bitcoin/keycache.c
#include "bitcoin/keycache.h"
#include "base/require.h"

// Of wallets, branches 0 and 1 of a few accounts; a PSBT that uses more only takes longer.
enum { NODES_MAX = 64 };

struct node {
    struct keypath path;
    struct hdkey key;
};
struct keycache {
    const struct hdkey *master;
    struct secret *mem;
    struct node *nodes; // in `mem`, which is open while the cache lives
    size_t n_nodes;
    size_t next; // to be replaced, once all are in use
};

struct keycache *keycache_new(const struct hdkey *master)
{
    struct keycache *cache = calloc(1, sizeof *cache);
    REQUIRE(cache != NULL);
    cache->master = master;
    cache->mem = secret_new_zeroed(NODES_MAX * sizeof(struct node));
    cache->nodes = (struct node *)(void *)secret_edit(cache->mem);
    return cache;
}

void keycache_free(struct keycache *cache)
{
    if (cache == NULL)
        return;
    secret_close(cache->mem);
    secret_free(cache->mem);
    free(cache);
}

void keycache_freep(struct keycache **cache)
{
    keycache_free(*cache);
}

static const struct hdkey *find(const struct keycache *cache, const struct keypath *path)
{
    for (size_t i = 0; i < cache->n_nodes; i++)
        if (keypath_equal(&cache->nodes[i].path, path))
            return &cache->nodes[i].key;
    return NULL;
}

static struct node *room(struct keycache *cache)
{
    if (cache->n_nodes < NODES_MAX)
        return &cache->nodes[cache->n_nodes++];
    cache->next = (cache->next + 1) % NODES_MAX;
    return &cache->nodes[cache->next];
}

static const struct hdkey *find_or_derive(struct keycache *cache, const struct keypath *path,
                                          struct err *err)
{
    const struct hdkey *known = path->depth == 0 ? cache->master : find(cache, path);
    if (known != NULL)
        return known;
    AUTO(hdkey_wipe) struct hdkey key = { 0 };
    if (!hdkey_derive(&key, cache->master, path, err))
        return NULL;
    struct node *node = room(cache);
    *node = (struct node){ *path, key };
    return &node->key;
}

// The node from which the last step of a path goes; NULL if it cannot be.
static const struct hdkey *parent(struct keycache *cache, const struct keypath *path,
                                  struct err *err)
{
    struct keypath above = *path;
    above.depth--;
    return find_or_derive(cache, &above, err);
}

bool keycache_derive(struct hdkey *out, struct keycache *cache, const struct keypath *path,
                     struct err *err)
{
    if (path->depth == 0) {
        *out = *cache->master;
        return true;
    }
    const struct hdkey *from = parent(cache, path, err);
    return from != NULL && hdkey_child(out, from, path->step[path->depth - 1], err);
}

bool keycache_seckey(struct seckey *out, struct keycache *cache, const struct keypath *path,
                     struct err *err)
{
    if (path->depth == 0) {
        *out = cache->master->key;
        return true;
    }
    const struct hdkey *from = parent(cache, path, err);
    return from != NULL && hdkey_child_seckey(out, from, path->step[path->depth - 1], err);
}
