#include "coordinator/wallet_table.h"
#include "base/require.h"

enum { SIZE_FIRST = 4096, HASH_AT = 3, SCRIPT_LEN_MIN = 23 };

// Scripts are hashes of the wallet's own keys: nobody chooses where they fall.
static size_t slot_of(const struct wallet_table *table, struct bytes script)
{
    uint64_t hash;
    memcpy(&hash, script.ptr + HASH_AT, sizeof hash);
    return (size_t)(hash & (table->size - 1));
}

// Where that script stands, or the empty slot where it would.
static struct wallet_entry *find(const struct wallet_table *table, struct bytes script)
{
    size_t at = slot_of(table, script);
    while (table->entries[at].used &&
           memcmp(table->entries[at].script, script.ptr, script.len) != 0)
        at = (at + 1) & (table->size - 1);
    return &table->entries[at];
}

static void grow(struct wallet_table *table)
{
    const struct wallet_table old = *table;
    table->size = old.size == 0 ? SIZE_FIRST : 2 * old.size;
    table->entries = calloc(table->size, sizeof table->entries[0]);
    REQUIRE(table->entries != NULL);
    for (size_t i = 0; i < old.size; i++)
        if (old.entries[i].used)
            *find(table, BYTES_OF(old.entries[i].script)) = old.entries[i];
    free(old.entries);
}

void wallet_table_put(struct wallet_table *table, struct bytes script, struct wallet_place place)
{
    REQUIRE(script.len >= SCRIPT_LEN_MIN && script.len <= sizeof table->entries[0].script);
    if (2 * (table->n + 1) > table->size)
        grow(table);
    struct wallet_entry *entry = find(table, script);
    if (entry->used)
        return;
    *entry = (struct wallet_entry){ .used = true, .place = place };
    memcpy(entry->script, script.ptr, script.len);
    table->n++;
}

bool wallet_table_get(const struct wallet_table *table, struct bytes script,
                      struct wallet_place *out)
{
    if (table->size == 0 || script.len < SCRIPT_LEN_MIN ||
        script.len > sizeof table->entries[0].script)
        return false;
    // Padded: a script that is the beginning of another is not that one.
    uint8_t padded[sizeof table->entries[0].script] = { 0 };
    memcpy(padded, script.ptr, script.len);
    const struct wallet_entry *entry = find(table, BYTES_OF(padded));
    if (!entry->used)
        return false;
    *out = entry->place;
    return true;
}

void wallet_table_wipe(struct wallet_table *table)
{
    free(table->entries);
    *table = (struct wallet_table){ 0 };
}
