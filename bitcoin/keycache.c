// bitcoin/keycache.c
#include "bitcoin/keycache.h"
#include "base/require.h"

// Of wallets, branches 0 and 1 of a few accounts; a PSBT that uses more only takes longer.
enum { NODES_MAX = 64 };

struct node {
    struct keypath path;
    struct hdkey key;
};
struct secrets {
    struct hdkey master;
    struct node nodes[NODES_MAX];
};
struct keycache {
    struct secret *mem;      // struct secrets
    struct secrets *secrets; // while open
    unsigned n_open;
    size_t n_nodes;
    size_t next; // to be replaced, once all are in use
};

struct keycache *keycache_new(const struct hdkey *master)
{
    struct keycache *cache = calloc(1, sizeof *cache);
    REQUIRE(cache != NULL);
    cache->mem = secret_new_zeroed(sizeof(struct secrets));
    keycache_open(cache);
    cache->secrets->master = *master;
    keycache_close(cache);
    return cache;
}

void keycache_free(struct keycache *cache)
{
    if (cache == NULL)
        return;
    secret_free(cache->mem);
    free(cache);
}

void keycache_freep(struct keycache **cache)
{
    keycache_free(*cache);
    *cache = NULL;
}

void keycache_open(struct keycache *cache)
{
    if (cache->n_open++ == 0)
        cache->secrets = (struct secrets *)(void *)secret_edit(cache->mem);
}

void keycache_close(struct keycache *cache)
{
    REQUIRE(cache->n_open > 0);
    if (--cache->n_open > 0)
        return;
    secret_close(cache->mem);
    cache->secrets = NULL;
}

static const struct hdkey *find(const struct keycache *cache, const struct keypath *path)
{
    for (size_t i = 0; i < cache->n_nodes; i++)
        if (keypath_equal(&cache->secrets->nodes[i].path, path))
            return &cache->secrets->nodes[i].key;
    return NULL;
}

static struct node *room(struct keycache *cache)
{
    if (cache->n_nodes < NODES_MAX)
        return &cache->secrets->nodes[cache->n_nodes++];
    cache->next = (cache->next + 1) % NODES_MAX;
    return &cache->secrets->nodes[cache->next];
}

static const struct hdkey *find_or_derive(struct keycache *cache, const struct keypath *path,
                                          struct err *err)
{
    const struct hdkey *master = &cache->secrets->master;
    const struct hdkey *known = path->depth == 0 ? master : find(cache, path);
    if (known != NULL)
        return known;
    AUTO(hdkey_wipe) struct hdkey key = { 0 };
    if (!hdkey_derive(&key, master, path, err))
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
    REQUIRE(cache->n_open > 0);
    if (path->depth == 0) {
        *out = cache->secrets->master;
        return true;
    }
    const struct hdkey *from = parent(cache, path, err);
    return from != NULL && hdkey_child(out, from, path->step[path->depth - 1], err);
}

bool keycache_seckey(struct seckey *out, struct keycache *cache, const struct keypath *path,
                     struct err *err)
{
    REQUIRE(cache->n_open > 0);
    if (path->depth == 0) {
        *out = cache->secrets->master.key;
        return true;
    }
    const struct hdkey *from = parent(cache, path, err);
    return from != NULL && hdkey_child_seckey(out, from, path->step[path->depth - 1], err);
}
