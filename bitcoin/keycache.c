// bitcoin/keycache.c
#include "bitcoin/keycache.h"
#include "base/require.h"

struct secrets {
    struct hdkey master;
    struct hdkey nodes[KEYTABLE_NODES_MAX]; // whose public sides the table has, in the same places
};
struct keycache {
    struct secret *mem;            // struct secrets
    const struct secrets *secrets; // while open
    unsigned n_open;
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

static bool derive_node(size_t *at, struct keycache *cache, const struct keypath *path,
                        struct err *err)
{
    AUTO(hdkey_wipe) struct hdkey key = { 0 };
    struct secrets *secrets = edit(cache);
    const bool good = hdkey_derive(&key, &secrets->master, path, err);
    if (good) {
        *at = keytable_put_node(cache->table, path, &key.pub);
        secrets->nodes[*at] = key;
    }
    secret_close(cache->mem);
    wipe_stack();
    return good;
}

// The node from which the last step of a path goes. False if it cannot be.
static bool parent_of(size_t *at, struct keycache *cache, const struct keypath *path,
                      struct err *err)
{
    struct keypath above = *path;
    above.depth--;
    *at = keytable_find_node(cache->table, &above);
    return *at < KEYTABLE_NODES_MAX || derive_node(at, cache, &above, err);
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
    wipe_stack();
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
           keytable_child(out, cache->table, keytable_node(cache->table, at), last, err);
}

// --- Looking ---

// Place of the node from which the last step of a path goes; KEYTABLE_NODES_MAX if it is not there.
static size_t known_parent(const struct keycache *cache, struct keypath *above,
                           const struct keypath *path)
{
    *above = *path;
    above->depth--;
    return keytable_find_node(cache->table, above);
}

const struct known_key *keyview_public(struct keyview *view, const struct keypath *path)
{
    const struct keycache *cache = view->cache;
    struct keypath above;
    if (path->depth == 0 || (path->step[path->depth - 1] & KEYPATH_HARD) != 0)
        return NULL;
    const size_t at = known_parent(cache, &above, path);
    return at == KEYTABLE_NODES_MAX
               ? NULL
               : keytable_peek(cache->table, &view->last, keytable_node(cache->table, at),
                               path->step[above.depth]);
}

static bool derive_seckey(struct seckey *out, const struct hdkey *master,
                          const struct keypath *above, uint32_t last, struct err *err)
{
    AUTO(hdkey_wipe) struct hdkey parent = { 0 };
    return hdkey_derive(&parent, master, above, err) && hdkey_child_seckey(out, &parent, last, err);
}

bool keyview_seckey(struct seckey *out, const struct keyview *view, const struct keypath *path,
                    struct err *err)
{
    const struct keycache *cache = view->cache;
    struct keypath above;
    REQUIRE(cache->n_open > 0);
    if (path->depth == 0) {
        *out = cache->secrets->master.key;
        return true;
    }
    const size_t at = known_parent(cache, &above, path);
    const uint32_t last = path->step[above.depth];
    if (at == KEYTABLE_NODES_MAX)
        return derive_seckey(out, &cache->secrets->master, &above, last, err);
    return hdkey_child_seckey(out, &cache->secrets->nodes[at], last, err);
}
