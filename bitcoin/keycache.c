// bitcoin/keycache.c
#include "bitcoin/keycache.h"
#include "base/require.h"

// Of wallets, branches 0 and 1 of a few accounts; a PSBT that uses more only takes longer.
enum { NODES_MAX = 64 };

struct secrets {
    struct hdkey master;
    struct hdkey nodes[NODES_MAX];
};
// What finding a node and deriving public keys from it takes.
struct public_node {
    struct keypath path;
    struct hdpub pub;
};
struct keycache {
    struct secret *mem;            // struct secrets
    const struct secrets *secrets; // while open
    unsigned n_open;
    struct public_node nodes[NODES_MAX]; // of the nodes in `secrets`
    size_t n_nodes;
    size_t next; // to be replaced, once all are in use
    struct keytable *table;
    struct known_key other; // public, of a path that the table does not serve
};

// Until secret_close. Opening for reading alone is cheaper, and the rule.
static struct secrets *edit(struct keycache *cache)
{
    return (struct secrets *)(void *)secret_edit(cache->mem);
}

struct keycache *keycache_new(const struct hdkey *master)
{
    struct keycache *cache = calloc(1, sizeof *cache);
    REQUIRE(cache != NULL);
    cache->table = keytable_new();
    cache->mem = secret_new_zeroed(sizeof(struct secrets));
    edit(cache)->master = *master;
    secret_close(cache->mem);
    return cache;
}

void keycache_free(struct keycache *cache)
{
    if (cache == NULL)
        return;
    secret_free(cache->mem);
    keytable_free(cache->table);
    wipe(cache, sizeof *cache);
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
        cache->secrets = (const struct secrets *)(const void *)secret_open(cache->mem).ptr;
}

void keycache_close(struct keycache *cache)
{
    REQUIRE(cache->n_open > 0);
    if (--cache->n_open > 0)
        return;
    secret_close(cache->mem);
    cache->secrets = NULL;
}

// --- Nodes: the parents of the keys that are asked for ---

static size_t find(const struct keycache *cache, const struct keypath *path)
{
    size_t i = 0;
    while (i < cache->n_nodes && !keypath_equal(&cache->nodes[i].path, path))
        i++;
    return i;
}

static size_t place(struct keycache *cache)
{
    if (cache->n_nodes < NODES_MAX)
        return cache->n_nodes++;
    cache->next = (cache->next + 1) % NODES_MAX;
    return cache->next;
}

static bool derive_node(size_t *at, struct keycache *cache, const struct keypath *path,
                        struct err *err)
{
    AUTO(hdkey_wipe) struct hdkey key = { 0 };
    struct secrets *secrets = edit(cache);
    const bool good = hdkey_derive(&key, &secrets->master, path, err);
    if (good) {
        *at = place(cache);
        cache->nodes[*at] = (struct public_node){ *path, key.pub };
        secrets->nodes[*at] = key;
    }
    secret_close(cache->mem);
    return good;
}

// The node from which the last step of a path goes. False if it cannot be.
static bool parent_of(size_t *at, struct keycache *cache, const struct keypath *path,
                      struct err *err)
{
    struct keypath above = *path;
    above.depth--;
    *at = find(cache, &above);
    return *at < cache->n_nodes || derive_node(at, cache, &above, err);
}

// --- Keys ---

bool keycache_derive(struct hdkey *out, struct keycache *cache, const struct keypath *path,
                     struct err *err)
{
    REQUIRE(cache->n_open > 0);
    if (path->depth == 0) {
        *out = cache->secrets->master;
        return true;
    }
    size_t at;
    return parent_of(&at, cache, path, err) &&
           hdkey_child(out, &cache->secrets->nodes[at], path->step[path->depth - 1], err);
}

struct keytable *keycache_table(struct keycache *cache)
{
    return cache->table;
}

static bool derive_other(const struct known_key **out, struct keycache *cache,
                         const struct keypath *path, struct err *err)
{
    AUTO(hdkey_wipe) struct hdkey node = { 0 };
    keycache_open(cache);
    const bool good = keycache_derive(&node, cache, path, err);
    keycache_close(cache);
    if (!good)
        return false;
    cache->other.key = node.pub.key;
    REQUIRE(point_of(&cache->other.point, &node.pub.key)); // it was computed
    *out = &cache->other;
    return true;
}

bool keycache_public(const struct known_key **out, struct keycache *cache,
                     const struct keypath *path, struct err *err)
{
    const uint32_t last = path->depth == 0 ? KEYPATH_HARD : path->step[path->depth - 1];
    size_t at;
    if ((last & KEYPATH_HARD) != 0)
        return derive_other(out, cache, path, err);
    return parent_of(&at, cache, path, err) &&
           keytable_child(out, cache->table, &cache->nodes[at].pub, last, err);
}

bool keycache_seckey(struct seckey *out, struct keycache *cache, const struct keypath *path,
                     struct err *err)
{
    REQUIRE(cache->n_open > 0);
    if (path->depth == 0) {
        *out = cache->secrets->master.key;
        return true;
    }
    size_t at;
    return parent_of(&at, cache, path, err) &&
           hdkey_child_seckey(out, &cache->secrets->nodes[at], path->step[path->depth - 1], err);
}
