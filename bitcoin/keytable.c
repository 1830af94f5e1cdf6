// bitcoin/keytable.c
#include "bitcoin/keytable.h"
#include "base/require.h"
#include <stdlib.h>
#include <string.h>

enum {
    PARENTS_MAX = 256, // branches 0 and 1 of 128 accounts and cosigners
    CHILDREN = 1 << 13,
    OUTPUTS = 1 << 12,
    ROW = 64,     // children or outputs that are wiped together
    SPREAD = 2909 // odd: where a branch's indices begin
};

struct parent {
    struct hdpub node;
    struct point point;
};
struct child {
    uint32_t parent; // number in `parents`, plus 1; 0: nothing is here
    uint32_t number;
    struct known_key known;
};
// No output key is all zero bytes: then nothing is here.
struct output {
    uint8_t internal[XONLY_LEN], key[XONLY_LEN];
};

struct own_node {
    struct keypath path;
    struct hdpub node;
};

// Memory that was never touched takes none. A child has one place, shared with those of other
// branches; neighbours of one branch have neighbouring places.
struct keytable {
    struct own_node nodes[KEYTABLE_NODES_MAX];
    size_t n_nodes;
    size_t oldest_node; // to be replaced, once all places are taken
    struct parent parents[PARENTS_MAX];
    size_t n_parents, last; // `last`: asked for before, and mostly again
    bool used_children[CHILDREN / ROW], used_outputs[OUTPUTS / ROW];
    struct child children[CHILDREN];
    struct output outputs[OUTPUTS];
};

struct keytable *keytable_new(void)
{
    struct keytable *table = calloc(1, sizeof *table);
    REQUIRE(table != NULL);
    return table;
}

static bool is_nothing(const struct output *o)
{
    static const uint8_t zero[XONLY_LEN];
    return memcmp(o->key, zero, sizeof zero) == 0;
}

// Only what was used: touching the rest would take its memory.
static void wipe_keys(struct keytable *table)
{
    for (size_t i = 0; i < COUNT(table->used_children); i++)
        if (table->used_children[i])
            wipe(&table->children[i * ROW], ROW * sizeof table->children[0]);
    for (size_t i = 0; i < COUNT(table->used_outputs); i++)
        if (table->used_outputs[i])
            wipe(&table->outputs[i * ROW], ROW * sizeof table->outputs[0]);
    memset(table->used_children, 0, sizeof table->used_children);
    memset(table->used_outputs, 0, sizeof table->used_outputs);
}

// Children name their parents by number, so they go with them.
static void wipe_parents(struct keytable *table)
{
    wipe_keys(table);
    wipe(table->parents, table->n_parents * sizeof table->parents[0]);
    table->n_parents = 0;
}

void keytable_forget(struct keytable *table)
{
    wipe_keys(table);
}

void keytable_free(struct keytable *table)
{
    if (table == NULL)
        return;
    wipe_parents(table);
    wipe(table->nodes, sizeof table->nodes);
    free(table);
}

void keytable_freep(struct keytable **table)
{
    keytable_free(*table);
    *table = NULL;
}

// --- Children ---

// What a child's key depends on.
static bool same_parent(const struct hdpub *a, const struct hdpub *b)
{
    return memcmp(a->chain_code, b->chain_code, sizeof a->chain_code) == 0 &&
           pubkey_equal(&a->key, &b->key) && a->depth == b->depth;
}

static bool is_at(const struct keytable *table, size_t at, const struct hdpub *node)
{
    return at < table->n_parents && same_parent(&table->parents[at].node, node);
}

// *at: where it was found before, and mostly is again.
static bool look_up_parent(const struct keytable *table, size_t *at, const struct hdpub *node)
{
    if (is_at(table, *at, node))
        return true;
    for (*at = 0; *at < table->n_parents; ++*at)
        if (is_at(table, *at, node))
            return true;
    return false;
}

// Sets `last`.
static bool find_parent(struct keytable *table, const struct hdpub *node)
{
    if (look_up_parent(table, &table->last, node))
        return true;
    if (table->n_parents == PARENTS_MAX)
        wipe_parents(table);
    struct parent *parent = &table->parents[table->n_parents];
    if (!point_of(&parent->point, &node->key))
        return false;
    parent->node = *node;
    table->last = table->n_parents++;
    return true;
}

static uint32_t place_of(size_t parent, uint32_t number)
{
    return ((uint32_t)parent * SPREAD + number) % CHILDREN;
}

const struct known_key *keytable_peek(const struct keytable *table, size_t *last,
                                      const struct hdpub *parent, uint32_t number)
{
    if (!look_up_parent(table, last, parent))
        return NULL;
    const struct child *child = &table->children[place_of(*last, number)];
    return child->parent == *last + 1 && child->number == number ? &child->known : NULL;
}

bool keytable_child(const struct known_key **out, struct keytable *table,
                    const struct hdpub *parent, uint32_t number, struct err *err)
{
    if (!find_parent(table, parent))
        return err_set(err, ERR_INVALID, "parent is not on the curve");
    const uint32_t at = (uint32_t)table->last;
    const uint32_t place = place_of(at, number);
    struct child *child = &table->children[place];
    *out = &child->known;
    if (child->parent == at + 1 && child->number == number)
        return true;
    struct point point;
    if (!hdpub_child_point(&point, parent, &table->parents[at].point, number, err))
        return false;
    table->used_children[place / ROW] = true;
    *child = (struct child){ at + 1, number, { point_pubkey(&point), point } };
    return true;
}

bool keytable_pubkey(struct pubkey *out, struct keytable *table, const struct hdpub *parent,
                     uint32_t number, struct err *err)
{
    const struct known_key *known;
    struct hdpub child;
    if (table != NULL ? !keytable_child(&known, table, parent, number, err)
                      : !hdpub_child(&child, parent, number, err))
        return false;
    *out = table != NULL ? known->key : child.key;
    return true;
}

// --- Nodes of our master ---

const struct hdpub *keytable_node(const struct keytable *table, size_t place)
{
    return place < table->n_nodes ? &table->nodes[place].node : NULL;
}

size_t keytable_find_node(const struct keytable *table, const struct keypath *path)
{
    for (size_t i = 0; i < table->n_nodes; i++)
        if (keypath_equal(&table->nodes[i].path, path))
            return i;
    return KEYTABLE_NODES_MAX;
}

size_t keytable_put_node(struct keytable *table, const struct keypath *path,
                         const struct hdpub *node)
{
    size_t place = table->n_nodes;
    if (place < KEYTABLE_NODES_MAX) {
        table->n_nodes++;
    } else {
        place = table->oldest_node;
        table->oldest_node = (place + 1) % KEYTABLE_NODES_MAX;
    }
    // One by one: put together first, they would leave a copy on the stack.
    table->nodes[place].path = *path;
    table->nodes[place].node = *node;
    return place;
}

// --- Taproot ---

// The key at that path, if its parent is known and it is that key.
static const struct known_key *own_key(struct keytable *table, const uint8_t *internal,
                                       const struct keypath *path)
{
    const struct known_key *known;
    struct err no;
    if (path == NULL || path->depth == 0)
        return NULL;
    struct keypath above = *path;
    above.depth--;
    const struct hdpub *parent = keytable_node(table, keytable_find_node(table, &above));
    if (parent == NULL || !keytable_child(&known, table, parent, path->step[above.depth], &no) ||
        memcmp(known->key.b + 1, internal, XONLY_LEN) != 0)
        return NULL;
    return known;
}

static bool make_output_key(uint8_t out[static XONLY_LEN], struct keytable *table,
                            const uint8_t *internal, const struct keypath *path)
{
    const struct known_key *known = own_key(table, internal, path);
    if (known == NULL)
        return taproot_output_key(out, internal);
    const struct hash256 tweak = taproot_tweak(internal);
    return point_taproot_tweak(out, &known->point, tweak.b);
}

bool keytable_output_key(uint8_t out[static XONLY_LEN], struct keytable *table,
                         const uint8_t internal[static XONLY_LEN], const struct keypath *path)
{
    if (table == NULL)
        return taproot_output_key(out, internal);
    const size_t place = ((size_t)internal[0] | (size_t)internal[1] << 8) % OUTPUTS;
    struct output *o = &table->outputs[place];
    if (is_nothing(o) || memcmp(o->internal, internal, sizeof o->internal) != 0) {
        struct output made;
        if (!make_output_key(made.key, table, internal, path))
            return false;
        memcpy(made.internal, internal, sizeof made.internal);
        table->used_outputs[place / ROW] = true;
        *o = made;
    }
    memcpy(out, o->key, XONLY_LEN);
    return true;
}
