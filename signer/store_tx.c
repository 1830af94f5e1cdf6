// One change of the store: rows, journal line and state in one transaction, or several in one.
#include "base/require.h"
#include "signer/store_internal.h"

enum { TX_MEMORY = 64 << 20 };

void store_step(const struct store *store, const char *name)
{
    if (store->hook.step)
        store->hook.step(store->hook.context, name);
}

struct store_hook store_get_hook(const struct store *store)
{
    return store->hook;
}

static bool begin_sql(struct store *store, struct err *err)
{
    struct store_batch *batch = &store->batch;
    batch->lost |= batch->before != NULL && !db_in_transaction(store->db);
    if (batch->lost)
        return err_set(err, ERR_IO, "%s: a change before this one failed", store->db->path);
    if (batch->before == NULL && !db_done(store->db, db_statement(store->db, SQL_BEGIN), err))
        return false;
    if (!batch->open)
        return true;
    if (batch->before == NULL) {
        batch->before = malloc(sizeof *batch->before);
        REQUIRE(batch->before != NULL);
        *batch->before = *store->state;
    }
    return db_done(store->db, db_statement(store->db, SQL_SAVE), err);
}

static void make_next(struct store_tx *tx)
{
    tx->arena = arena_new(TX_MEMORY);
    tx->next = arena_alloc(tx->arena, sizeof *tx->next);
    REQUIRE(tx->next != NULL);
    *tx->next = *tx->store->state;
}

bool store_begin(struct store_tx *tx, struct store *store, struct err *err)
{
    *tx = (struct store_tx){ .store = store };
    if (!store->keys)
        return err_set(err, ERR_STATE, "the store is locked");
    if (!begin_sql(store, err))
        return false;
    tx->open = true;
    make_next(tx);
    store_step(store, "begin");
    return true;
}

void store_tx_end(struct store_tx *tx)
{
    if (tx->open && tx->store->batch.open)
        tx->store->batch.lost = !db_undo_save(tx->store->db);
    else if (tx->open)
        db_rollback(tx->store->db);
    tx->open = false;
    arena_free(tx->arena);
    tx->arena = NULL;
}

static bool seal_row(struct store_tx *tx, const char *name, struct bytes content, struct bytes *out,
                     struct err *err)
{
    const struct store_keys *keys = store_open_keys(tx->store);
    const bool sealed = store_seal(out, name, content, keys->rows, tx->arena);
    store_close_keys(tx->store);
    return sealed || err_set(err, ERR_NO_MEMORY, "too much at once for the store");
}

static bool write_blob(struct store_db *db, const char *name, struct bytes blob, struct err *err)
{
    sqlite3_stmt *s = db_statement(db, SQL_ROW_PUT);
    db_bind_text(s, 1, name);
    db_bind_blob(s, 2, blob);
    return db_done(db, s, err);
}

static void forget_row(struct store_state *state, struct store_row *row)
{
    const size_t at = (size_t)(row - state->rows);
    memmove(row, row + 1, (state->n_rows - at - 1) * sizeof *row);
    state->n_rows--;
}

// Rows stand in the order of their last writing.
static bool remember_row(struct store_state *state, const char *name, struct bytes blob,
                         struct err *err)
{
    struct store_row *old = store_find_row(state, name);
    if (old)
        forget_row(state, old);
    if (state->n_rows == COUNT(state->rows))
        return err_set(err, ERR_LIMIT, "the store has no room for another row");
    struct store_row *row = &state->rows[state->n_rows++];
    *row = (struct store_row){ .hash = sha256(blob) };
    const int len = snprintf(row->name, sizeof row->name, "%s", name);
    REQUIRE(len > 0 && (size_t)len < sizeof row->name);
    return true;
}

bool store_put_row(struct store_tx *tx, const char *name, struct bytes content, struct err *err)
{
    struct bytes blob;
    if (!seal_row(tx, name, content, &blob, err) || !remember_row(tx->next, name, blob, err) ||
        !write_blob(tx->store->db, name, blob, err))
        return false;
    store_step(tx->store, name);
    return true;
}

bool store_drop_row(struct store_tx *tx, const char *name, struct err *err)
{
    struct store_row *row = store_find_row(tx->next, name);
    if (!row)
        return true;
    sqlite3_stmt *s = db_statement(tx->store->db, SQL_ROW_DELETE);
    db_bind_text(s, 1, name);
    if (!db_done(tx->store->db, s, err))
        return false;
    forget_row(tx->next, row);
    store_step(tx->store, name);
    return true;
}

static bool write_state(struct store_tx *tx, struct err *err)
{
    struct writer w = writer_growing(tx->arena, sizeof(struct store_state) + 64);
    struct bytes content, blob;
    store_state_write(&w, tx->next);
    REQUIRE(writer_finish(&w, &content));
    return seal_row(tx, ROW_STATE, content, &blob, err) &&
           write_blob(tx->store->db, ROW_STATE, blob, err);
}

// Its state is sealed when the batch is.
static bool add_to_batch(struct store_tx *tx, struct err *err)
{
    struct store *store = tx->store;
    if (!db_done(store->db, db_statement(store->db, SQL_SAVE_KEEP), err))
        return false;
    tx->open = false;
    *store->state = *tx->next;
    store->batch.scrub |= tx->scrub;
    return true;
}

static bool commit(struct store_tx *tx, struct err *err)
{
    struct store *store = tx->store;
    if (!store_drop_written_lines(tx, err) || !write_state(tx, err))
        return false;
    store_step(store, ROW_STATE);
    if (!db_done(store->db, db_statement(store->db, SQL_COMMIT), err))
        return false;
    tx->open = false;
    *store->state = *tx->next;
    store_step(store, "committed");
    if (tx->scrub)
        db_scrub(store->db);
    return true;
}

bool store_commit(struct store_tx *tx, struct err *err)
{
    REQUIRE(tx->open);
    return tx->store->batch.open ? add_to_batch(tx, err) : commit(tx, err);
}

// --- Batches ---

void store_batch_begin(struct store *store)
{
    REQUIRE(!store->batch.open);
    store->batch = (struct store_batch){ .open = true, .has_keys = store->keys != NULL };
    if (store->batch.has_keys)
        (void)store_open_keys(store);
}

static bool commit_batch(struct store *store, const struct store_batch *batch, bool lost,
                         struct err *err)
{
    if (batch->before == NULL)
        return true;
    AUTO(store_tx_end) struct store_tx tx = { .store = store, .open = true, .scrub = batch->scrub };
    make_next(&tx);
    lost = lost || batch->lost || !db_in_transaction(store->db);
    const bool ok =
        lost ? err_set(err, ERR_IO, "%s: a change failed", store->db->path) : commit(&tx, err);
    if (!ok)
        *store->state = *batch->before;
    free(batch->before);
    return ok;
}

static bool end_batch(struct store *store, bool lost, struct err *err)
{
    const struct store_batch batch = store->batch;
    store->batch = (struct store_batch){ .open = false };
    const bool ok = commit_batch(store, &batch, lost, err);
    if (batch.has_keys)
        store_close_keys(store);
    return ok;
}

bool store_batch_commit(struct store *store, struct err *err)
{
    return end_batch(store, false, err);
}

void store_batch_undo(struct store *store)
{
    struct err undone;
    (void)!end_batch(store, true, &undone);
}
