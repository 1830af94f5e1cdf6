// What a backup takes out of a store, and what a restored store begins with.
#include "base/hex.h"
#include "base/reader.h"
#include "base/require.h"
#include "signer/store_internal.h"

enum { PAST_MEMORY = 32 << 20 };

// --- The row of a restored store: policy hash, then its counted state, for each ---

static bool read_past(struct bytes content, struct store_past *out, struct arena *arena)
{
    struct reader r = reader_of(content);
    struct store_past_item *items = arena_array(arena, STORE_PAST_MAX, sizeof *items);
    out->items = items;
    for (out->n = 0; items != NULL && !reader_done(&r); out->n++)
        if (out->n == STORE_PAST_MAX ||
            !reader_copy(&r, items[out->n].policy_hash.b, sizeof items->policy_hash.b) ||
            !reader_counted(&r, &items[out->n].state))
            return false;
    return items != NULL;
}

static bool load_past(struct store *store, struct store_past *out, bool *found, struct arena *arena,
                      struct err *err)
{
    struct bytes content;
    *out = (struct store_past){ 0 };
    if (!store_row(store, ROW_PAST, &content, found, arena, err))
        return false;
    return read_past(content, out, arena) ||
           db_damaged(store->db, "its past spending cannot be read", err);
}

static bool put_past(struct store_tx *tx, const struct store_past *past, struct err *err)
{
    struct writer w = writer_growing(tx->arena, PAST_MEMORY);
    struct bytes content;
    REQUIRE(past->n <= STORE_PAST_MAX);
    for (size_t i = 0; i < past->n; i++) {
        writer_put(&w, BYTES_OF(past->items[i].policy_hash.b));
        writer_counted(&w, past->items[i].state);
    }
    if (!writer_finish(&w, &content))
        return err_set(err, ERR_LIMIT, "too much past spending");
    return store_put_row(tx, ROW_PAST, content, err);
}

bool store_put_restored(struct store_tx *tx, const struct store_restored *r, struct err *err)
{
    tx->next->counters = r->counters;
    tx->next->settings = r->settings;
    return (r->n_users == 0 || store_put_users(tx, r->users, r->n_users, err)) &&
           (r->n_wallets == 0 || store_put_wallets(tx, r->wallets, r->n_wallets, err)) &&
           (r->policy == NULL || store_put_policy(tx, r->policy, err)) &&
           (r->locker.len == 0 || store_put_locker(tx, r->locker, err)) &&
           put_past(tx, &r->past, err);
}

// --- For a backup ---

// The policy hash in the name of a velocity's row.
static bool is_velocity(const struct store_row *row, struct hash256 *policy_hash)
{
    const struct bytes name = bytes_of_text(row->name), prefix = BYTES(ROW_VELOCITY);
    return bytes_starts_with(name, prefix) && hex_decode(policy_hash->b, sizeof policy_hash->b,
                                                         bytes_slice(name, prefix.len, SIZE_MAX));
}

static bool has_own(const struct store *store, const struct hash256 *policy_hash)
{
    struct hash256 own;
    for (size_t i = 0; i < store->state->n_rows; i++)
        if (is_velocity(&store->state->rows[i], &own) &&
            bytes_equal(BYTES_OF(own.b), BYTES_OF(policy_hash->b)))
            return true;
    return false;
}

static bool add_own(struct store *store, struct store_past_item *items, size_t *n,
                    struct arena *arena, struct err *err)
{
    for (size_t i = 0; i < store->state->n_rows && *n < STORE_PAST_MAX; i++) {
        struct store_past_item *item = &items[*n];
        bool found;
        if (!is_velocity(&store->state->rows[i], &item->policy_hash))
            continue;
        if (!store_row(store, store->state->rows[i].name, &item->state, &found, arena, err))
            return false;
        (*n)++;
    }
    return true;
}

bool store_get_past(struct store *store, struct store_past *out, struct arena *arena,
                    struct err *err)
{
    struct store_past_item *items = arena_array(arena, STORE_PAST_MAX, sizeof *items);
    struct store_past past;
    size_t n = 0;
    bool found;
    if (items == NULL)
        return err_set(err, ERR_NO_MEMORY, "too much past spending");
    if (!load_past(store, &past, &found, arena, err) || !add_own(store, items, &n, arena, err))
        return false;
    for (size_t i = 0; i < past.n && n < STORE_PAST_MAX; i++)
        if (!has_own(store, &past.items[i].policy_hash))
            items[n++] = past.items[i];
    *out = (struct store_past){ n, items };
    return true;
}

bool store_get_locker(struct store *store, struct bytes *out, struct arena *arena, struct err *err)
{
    bool found;
    return store_row(store, ROW_LOCKER, out, &found, arena, err);
}

bool store_is_past(struct store *store, const struct hash256 *policy_hash, bool *is_past,
                   struct velocity *before, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(PAST_MEMORY);
    struct store_past past;
    bool was_restored;
    *is_past = false;
    if (!load_past(store, &past, &was_restored, arena, err))
        return false;
    *is_past = was_restored && !has_own(store, policy_hash);
    if (*is_past)
        *before = (struct velocity){ 0 };
    for (size_t i = 0; *is_past && i < past.n; i++)
        if (bytes_equal(BYTES_OF(past.items[i].policy_hash.b), BYTES_OF(policy_hash->b)) &&
            !store_velocity_read(before, past.items[i].state))
            // A program that wrote it otherwise: all of it counts as spent anyway.
            *before = (struct velocity){ 0 };
    return true;
}
