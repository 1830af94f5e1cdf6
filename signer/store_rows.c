// Sealing, reading and verifying what lies in the file.
#include "base/reader.h"
#include "base/require.h"
#include "crypto/hmac.h"
#include "signer/store_internal.h"
#include <inttypes.h>

enum { ROW_VERSION = 1, VERIFY_MEMORY = 32 << 20 };

// --- Keys ---

static void derive(uint8_t out[static 32], const uint8_t key[static STORE_KEY_LEN], const char *use)
{
    hmac_sha256(out, bytes_of(key, STORE_KEY_LEN), bytes_of_text(use));
}

static void set_keys(struct store *store, const uint8_t key[static STORE_KEY_LEN])
{
    REQUIRE(!store->keys);
    store->keys = secret_new_zeroed(sizeof(struct store_keys));
    struct store_keys *keys = (void *)secret_edit(store->keys);
    derive(keys->rows, key, "casemate store rows");
    derive(keys->outpoints, key, "casemate store outpoints");
    derive(keys->sums, key, "casemate store sums");
    secret_close(store->keys);
}

const struct store_keys *store_open_keys(const struct store *store)
{
    return (const void *)secret_open(store->keys).ptr;
}

void store_close_keys(const struct store *store)
{
    secret_close(store->keys);
}

void store_lock(struct store *store)
{
    secret_free(store->keys);
    store->keys = NULL;
    wipe(store->state, sizeof *store->state);
    store->state->first_line = 1;
    store->lines_written = 0;
}

void store_unlock_new(struct store *store, const uint8_t key[static STORE_KEY_LEN])
{
    store_lock(store);
    set_keys(store, key);
}

// --- Seals ---

// A sealed blob is: version, name, content. The name says where it belongs, so that one row's blob
// is nothing in another row's place.
bool store_seal(struct bytes *out, const char *name, struct bytes content,
                const uint8_t key[static SEAL_KEY_LEN], struct arena *arena)
{
    struct writer w = writer_growing(arena, content.len + STORE_ROW_NAME_SIZE + 16);
    struct bytes plain;
    writer_u8(&w, ROW_VERSION);
    writer_counted(&w, bytes_of_text(name));
    writer_put(&w, content);
    if (!writer_finish(&w, &plain))
        return false;
    uint8_t *sealed = arena_alloc(arena, plain.len + SEAL_OVERHEAD);
    if (!sealed)
        return false;
    seal(sealed, plain, key);
    *out = bytes_of(sealed, plain.len + SEAL_OVERHEAD);
    return true;
}

bool store_unseal(struct bytes *out, const char *name, struct bytes sealed,
                  const uint8_t key[static SEAL_KEY_LEN], struct arena *arena)
{
    uint8_t version;
    struct bytes inner;
    if (sealed.len < SEAL_OVERHEAD)
        return false;
    const size_t len = sealed.len - SEAL_OVERHEAD;
    uint8_t *plain = arena_alloc(arena, len);
    if (!plain || !unseal(plain, sealed, key))
        return false;
    struct reader r = reader_of(bytes_of(plain, len));
    if (!reader_u8(&r, &version) || version != ROW_VERSION || !reader_counted(&r, &inner) ||
        !bytes_equal_text(inner, name))
        return false;
    *out = reader_rest(&r);
    return true;
}

// --- Reading a row ---

struct store_row *store_find_row(struct store_state *state, const char *name)
{
    for (size_t i = 0; i < state->n_rows; i++)
        if (strcmp(state->rows[i].name, name) == 0)
            return &state->rows[i];
    return NULL;
}

// The blob of a row, in the arena; *found false if the file has none.
static bool read_blob(struct store_db *db, const char *name, struct bytes *out, bool *found,
                      struct arena *arena, struct err *err)
{
    sqlite3_stmt *s = db_statement(db, SQL_ROW_GET);
    struct bytes blob;
    db_bind_text(s, 1, name);
    if (!db_next(db, s, found, err))
        return false;
    bool copied = !*found;
    if (*found)
        copied = db_column_blob(s, 0, &blob) && arena_copy(arena, blob, out);
    db_reset(s);
    return copied || db_damaged(db, "a row cannot be read", err);
}

static bool open_blob(struct store *store, const char *name, struct bytes blob, struct bytes *out,
                      struct arena *arena, struct err *err)
{
    const struct store_keys *keys = store_open_keys(store);
    const bool good = store_unseal(out, name, blob, keys->rows, arena);
    store_close_keys(store);
    if (!good)
        return err_set(err, ERR_INVALID,
                       "%s: '%s' was tampered with or damaged; restore it from a backup",
                       store->db->path, name);
    return true;
}

bool store_row(struct store *store, const char *name, struct bytes *out, bool *found,
               struct arena *arena, struct err *err)
{
    struct bytes blob = { 0 };
    *out = bytes_of(NULL, 0);
    *found = false;
    if (!store->keys)
        return err_set(err, ERR_STATE, "the store is locked");
    const struct store_row *row = store_find_row(store->state, name);
    if (!row)
        return true;
    if (!read_blob(store->db, name, &blob, found, arena, err))
        return false;
    const struct hash256 hash = sha256(*found ? blob : BYTES(""));
    // Its name and its key are right in an older version too; its hash is not.
    if (!*found || !bytes_equal(BYTES_OF(hash.b), BYTES_OF(row->hash.b)))
        return err_set(err, ERR_INVALID,
                       "%s: '%s' is not the version that was written last; restore the store from "
                       "a backup",
                       store->db->path, name);
    return open_blob(store, name, blob, out, arena, err);
}

// --- Unlocking ---

static bool verify_state(struct store *store, struct arena *arena, struct err *err)
{
    struct bytes blob = { 0 }, content = { 0 };
    bool found;
    if (!read_blob(store->db, ROW_STATE, &blob, &found, arena, err))
        return false;
    if (!found)
        return db_damaged(store->db, "its state is missing", err);
    if (!open_blob(store, ROW_STATE, blob, &content, arena, err))
        return false;
    return store_state_read(store->state, content) ||
           db_damaged(store->db, "its state cannot be read", err);
}

static bool verify_rows(struct store *store, struct arena *arena, struct err *err)
{
    struct store_db *db = store->db;
    uint64_t n = 0;
    for (size_t i = 0; i < store->state->n_rows; i++) {
        struct bytes ignored;
        bool found;
        if (!store_row(store, store->state->rows[i].name, &ignored, &found, arena, err))
            return false;
        arena_reset(arena);
    }
    sqlite3_stmt *s = db_statement(db, SQL_ROW_COUNT);
    bool has_row;
    if (!db_next(db, s, &has_row, err))
        return false;
    const bool same = db_column_u64(s, 0, &n) && n == store->state->n_rows + 1;
    db_reset(s);
    return same || db_damaged(db, "has rows that nobody wrote", err);
}

bool store_unlock(struct store *store, const uint8_t key[static STORE_KEY_LEN], struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(VERIFY_MEMORY);
    store_lock(store);
    set_keys(store, key);
    if (verify_state(store, arena, err) && verify_rows(store, arena, err) &&
        store_verify_lines(store, arena, err) && store_verify_amounts(store, err))
        return true;
    store_lock(store);
    return false;
}
