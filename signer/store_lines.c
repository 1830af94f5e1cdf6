// The journal's lines in the store: a hash chain from the head back to the oldest line that is kept.
#include "base/reader.h"
#include "signer/store_internal.h"
#include <inttypes.h>

enum { LINE_MAX = 65536, LINE_NAME_SIZE = 32, PREV_LEN = 32 };

static void line_name(char out[static LINE_NAME_SIZE], uint64_t seq)
{
    (void)snprintf(out, LINE_NAME_SIZE, "line/%" PRIu64, seq);
}

// --- Writing ---

// A sealed line is: the hash of the line before it, then the line.
bool store_put_line(struct store_tx *tx, struct bytes line, struct err *err)
{
    struct store_head *head = &tx->next->head;
    struct store_db *db = tx->store->db;
    char name[LINE_NAME_SIZE];
    struct bytes content, blob;
    if (line.len == 0)
        return true;
    if (line.len > LINE_MAX)
        return err_set(err, ERR_LIMIT, "a journal line is longer than %d bytes", LINE_MAX);
    struct writer w = writer_growing(tx->arena, PREV_LEN + LINE_MAX);
    writer_put(&w, BYTES_OF(head->hash.b));
    writer_put(&w, line);
    line_name(name, head->seq + 1);
    const struct store_keys *keys = store_open_keys(tx->store);
    const bool sealed =
        writer_finish(&w, &content) && store_seal(&blob, name, content, keys->rows, tx->arena);
    store_close_keys(tx->store);
    if (!sealed)
        return err_set(err, ERR_NO_MEMORY, "too much at once for the store");
    sqlite3_stmt *s = db_statement(db, SQL_LINE_PUT);
    db_bind_u64(s, 1, head->seq + 1);
    db_bind_blob(s, 2, blob);
    if (!db_done(db, s, err))
        return false;
    *head = (struct store_head){ head->seq + 1, sha256(line) };
    store_step(tx->store, "line");
    return true;
}

bool store_drop_written_lines(struct store_tx *tx, struct err *err)
{
    struct store_db *db = tx->store->db;
    const uint64_t written = tx->store->lines_written;
    if (written < tx->next->first_line)
        return true;
    sqlite3_stmt *s = db_statement(db, SQL_LINES_DROP);
    db_bind_u64(s, 1, written);
    tx->next->first_line = written + 1;
    return db_done(db, s, err);
}

// --- Reading ---

// Line `seq`, in the arena, with the hash of the one before it.
static bool read_line(struct store *store, uint64_t seq, struct hash256 *prev, struct bytes *line,
                      struct arena *arena, struct err *err)
{
    sqlite3_stmt *s = db_statement(store->db, SQL_LINE_GET);
    char name[LINE_NAME_SIZE];
    bool found;
    struct bytes blob, content;
    line_name(name, seq);
    db_bind_u64(s, 1, seq);
    if (!db_next(store->db, s, &found, err))
        return false;
    const struct store_keys *keys = store_open_keys(store);
    const bool good = found && db_column_blob(s, 0, &blob) &&
                      store_unseal(&content, name, blob, keys->rows, arena);
    store_close_keys(store);
    db_reset(s);
    if (!good)
        return err_set(err, ERR_INVALID,
                       "%s: journal line %" PRIu64
                       " was tampered with or damaged; restore it from a backup",
                       store->db->path, seq);
    struct reader r = reader_of(content);
    if (!reader_copy(&r, prev->b, sizeof prev->b))
        return db_damaged(store->db, "a journal line cannot be read", err);
    *line = reader_rest(&r);
    return true;
}

// Follows the chain from the head to the oldest line.
static bool walk(struct store *store, struct arena *arena, struct err *err)
{
    const struct store_state *state = store->state;
    struct hash256 expected = state->head.hash;
    for (uint64_t seq = state->head.seq; seq >= state->first_line; seq--) {
        struct hash256 prev = { 0 };
        struct bytes line = { 0 };
        arena_reset(arena);
        if (!read_line(store, seq, &prev, &line, arena, err))
            return false;
        const struct hash256 hash = sha256(line);
        if (!bytes_equal(BYTES_OF(hash.b), BYTES_OF(expected.b)))
            return err_set(err, ERR_INVALID,
                           "%s: journal line %" PRIu64
                           " is not the one that was written; restore it from a backup",
                           store->db->path, seq);
        expected = prev;
    }
    return true;
}

static bool check_range(struct store *store, struct err *err)
{
    const struct store_state *state = store->state;
    sqlite3_stmt *s = db_statement(store->db, SQL_LINES_RANGE);
    bool has_row;
    uint64_t n = 0, lowest = 0, highest = 0;
    if (!db_next(store->db, s, &has_row, err))
        return false;
    const bool read =
        db_column_u64(s, 0, &n) && db_column_u64(s, 1, &lowest) && db_column_u64(s, 2, &highest);
    db_reset(s);
    const bool none = state->first_line == state->head.seq + 1;
    const bool as_stated = none ? n == 0
                                : state->first_line >= 1 && lowest == state->first_line &&
                                      highest == state->head.seq && n == highest - lowest + 1;
    return (read && as_stated) || db_damaged(store->db, "journal lines are missing", err);
}

bool store_verify_lines(struct store *store, struct arena *arena, struct err *err)
{
    return check_range(store, err) && walk(store, arena, err);
}

bool store_pending_lines(struct store *store, struct store_lines *out, uint64_t after, size_t max,
                         struct arena *arena, struct err *err)
{
    const struct store_state *state = store->state;
    if (after < store->lines_written)
        after = store->lines_written;
    *out = (struct store_lines){ .first_seq = after + 1 };
    if (!store->keys)
        return err_set(err, ERR_STATE, "the store is locked");
    if (out->first_seq < state->first_line)
        out->first_seq = state->first_line;
    const uint64_t left = after < state->head.seq ? state->head.seq + 1 - out->first_seq : 0;
    const size_t n = left < max ? (size_t)left : max;
    struct bytes *lines = arena_array(arena, n, sizeof *lines);
    if (!lines)
        return err_set(err, ERR_NO_MEMORY, "too many journal lines at once");
    for (out->lines = lines; out->n < n; out->n++) {
        struct hash256 ignored; // the chain was followed when the store was unlocked
        if (!read_line(store, out->first_seq + out->n, &ignored, &lines[out->n], arena, err))
            return false;
    }
    return true;
}

void store_lines_written(struct store *store, uint64_t seq)
{
    if (seq > store->lines_written && seq <= store->state->head.seq)
        store->lines_written = seq;
}
