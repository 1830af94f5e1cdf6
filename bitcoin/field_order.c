#include "bitcoin/field_order.h"
#include "base/require.h"

#define HASH_START 5381u
#define HASH_TIMES 33u
#define FREE       SIZE_MAX

// Sizes of the table, one after the other.
static const size_t sizes[] = { 1, 2, 4, 6, 8, 10, 12, 17, 23, 29, 37, 47, FIELD_ORDER_MAX };

struct table {
    size_t size;
    size_t slots[FIELD_ORDER_MAX]; // index of a key, or FREE
};

static uint32_t hash_of(struct bytes key)
{
    uint32_t hash = HASH_START;
    for (size_t i = 0; i < key.len; i++)
        hash = (hash * HASH_TIMES) ^ key.ptr[i];
    hash &= 0xffff;
    return hash == 0 ? 1 : hash;
}

static void insert(struct table *t, const struct bytes *keys, size_t key)
{
    size_t at = hash_of(keys[key]) % t->size;
    while (t->slots[at] != FREE)
        at = (at + 1) % t->size;
    t->slots[at] = key;
}

static struct table empty_table(size_t size)
{
    struct table t = { .size = size };
    for (size_t i = 0; i < size; i++)
        t.slots[i] = FREE;
    return t;
}

// What lay there moves over in the order in which it lay.
static struct table grown(const struct table *old, size_t size, const struct bytes *keys)
{
    struct table t = empty_table(size);
    for (size_t i = 0; i < old->size; i++)
        if (old->slots[i] != FREE)
            insert(&t, keys, old->slots[i]);
    return t;
}

void field_order(size_t *out, const struct bytes *keys, size_t n)
{
    struct table t = empty_table(0);
    size_t used = 0, next = 0;
    for (size_t i = 0; n > FIELD_ORDER_MAX && i < n; i++)
        out[i] = i;
    if (n > FIELD_ORDER_MAX)
        return;
    for (size_t i = 0; i < n; i++) {
        if (used == t.size)
            t = grown(&t, sizes[next++], keys);
        insert(&t, keys, i);
        used++;
    }
    size_t k = 0;
    for (size_t i = 0; i < t.size; i++)
        if (t.slots[i] != FREE)
            out[k++] = t.slots[i];
    REQUIRE(k == n);
}
