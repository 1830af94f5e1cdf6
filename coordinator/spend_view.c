#include "coordinator/spend_view.h"
#include "coordinator/auth.h"

static void text_member(struct json_writer *j, const char *key, struct bytes text)
{
    json_key(j, key);
    json_string(j, text);
}

static void time_member(struct json_writer *j, const char *key, int64_t us)
{
    json_key(j, key);
    auth_time_write(j, us);
}

static void null_or_text(struct json_writer *j, const char *key, const struct db_rows *rows,
                         size_t row, size_t column)
{
    json_key(j, key);
    if (db_cell_is_null(rows, row, column))
        json_null(j);
    else
        json_string(j, db_cell_bytes(rows, row, column));
}

static void txid_member(struct json_writer *j, const char *key, struct bytes raw)
{
    struct hash256 hash;
    char text[TXID_TEXT_SIZE];
    json_key(j, key);
    if (raw.len != sizeof hash.b) {
        json_null(j);
        return;
    }
    memcpy(hash.b, raw.ptr, sizeof hash.b);
    txid_to_text(text, &hash);
    json_text(j, text);
}

// --- Its parts ---

static bool write_outputs(struct db *db, struct json_writer *j, const char *id, struct arena *arena,
                          struct err *err)
{
    struct db_rows rows;
    if (!db_query(db, &rows,
                  "SELECT o.address, o.sat, d.name FROM spend_output o LEFT JOIN destination d "
                  "ON d.id = o.destination_id WHERE o.spend_id = $1 ORDER BY o.idx",
                  DB_ARGS(db_text(id)), arena, err))
        return false;
    json_key(j, "outputs");
    json_begin_array(j);
    for (size_t i = 0; i < rows.n; i++) {
        json_begin_object(j);
        text_member(j, "address", db_cell_bytes(&rows, i, 0));
        json_key(j, "amount_sat");
        json_u64(j, db_cell_u64(&rows, i, 1));
        null_or_text(j, "destination", &rows, i, 2);
        json_end_object(j);
    }
    json_end_array(j);
    return true;
}

static bool write_attempts(struct db *db, struct json_writer *j, const char *id,
                           struct arena *arena, struct err *err)
{
    struct db_rows rows;
    if (!db_query(db, &rows,
                  "SELECT number, kind, state, txid, fee, vsize, first_sent_at, height "
                  "FROM attempt WHERE spend_id = $1 ORDER BY number",
                  DB_ARGS(db_text(id)), arena, err))
        return false;
    json_key(j, "attempts");
    json_begin_array(j);
    for (size_t i = 0; i < rows.n; i++) {
        json_begin_object(j);
        json_key(j, "number");
        json_u64(j, db_cell_u64(&rows, i, 0));
        text_member(j, "kind", db_cell_bytes(&rows, i, 1));
        text_member(j, "state", db_cell_bytes(&rows, i, 2));
        txid_member(j, "txid", db_cell_bytes(&rows, i, 3));
        json_key(j, "fee_sat");
        json_u64(j, db_cell_u64(&rows, i, 4));
        json_key(j, "vsize");
        json_u64(j, db_cell_u64(&rows, i, 5));
        time_member(j, "first_sent_at", db_cell_int(&rows, i, 6));
        json_key(j, "height");
        if (db_cell_is_null(&rows, i, 7))
            json_null(j);
        else
            json_u64(j, db_cell_u64(&rows, i, 7));
        json_end_object(j);
    }
    json_end_array(j);
    return true;
}

static bool write_signers(struct db *db, struct json_writer *j, const char *id,
                          const struct spend_view *view, struct arena *arena, struct err *err)
{
    struct db_rows rows;
    if (!db_query(db, &rows,
                  "SELECT g.name, a.number, r.seq, r.state, r.tag, r.detail, r.asked_at, "
                  "r.answered_at FROM sign_request r JOIN attempt a ON a.id = r.attempt_id "
                  "JOIN signer g ON g.id = r.signer_id WHERE a.spend_id = $1 "
                  "ORDER BY a.number, r.asked_at, r.seq",
                  DB_ARGS(db_text(id)), arena, err))
        return false;
    json_key(j, "signers");
    json_begin_array(j);
    for (size_t i = 0; i < rows.n; i++) {
        json_begin_object(j);
        text_member(j, "signer", db_cell_bytes(&rows, i, 0));
        json_key(j, "attempt");
        json_u64(j, db_cell_u64(&rows, i, 1));
        json_key(j, "seq");
        json_u64(j, db_cell_u64(&rows, i, 2));
        text_member(j, "state", db_cell_bytes(&rows, i, 3));
        if (view->explain) {
            null_or_text(j, "tag", &rows, i, 4);
            null_or_text(j, "detail", &rows, i, 5);
        }
        time_member(j, "asked_at", db_cell_int(&rows, i, 6));
        time_member(j, "answered_at", db_cell_int(&rows, i, 7));
        json_end_object(j);
    }
    json_end_array(j);
    return true;
}

static bool write_approvals(struct db *db, struct json_writer *j, const char *id,
                            struct arena *arena, struct err *err)
{
    struct db_rows rows;
    if (!db_query(db, &rows,
                  "SELECT p.id, p.display, p.subject, a.verdict, a.at FROM approval a "
                  "JOIN principal p ON p.id = a.principal_id WHERE a.spend_id = $1 ORDER BY a.at",
                  DB_ARGS(db_text(id)), arena, err))
        return false;
    json_key(j, "approvals");
    json_begin_array(j);
    for (size_t i = 0; i < rows.n; i++) {
        json_begin_object(j);
        text_member(j, "principal_id", db_cell_bytes(&rows, i, 0));
        text_member(j, "name",
                    db_cell_bytes(&rows, i, 1).len > 0 ? db_cell_bytes(&rows, i, 1)
                                                       : db_cell_bytes(&rows, i, 2));
        text_member(j, "verdict", db_cell_bytes(&rows, i, 3));
        time_member(j, "at", db_cell_int(&rows, i, 4));
        json_end_object(j);
    }
    json_end_array(j);
    return true;
}

// --- The spend ---

#define VIEW_SELECT                                                                                \
    "SELECT s.id, w.name, s.request_id, s.tier, s.state, s.amount, s.created_at, s.state_at, "     \
    "s.not_after, s.code, s.reason, s.note, s.bumps, s.cancel_asked, s.principal_id, s.fee_rate, " \
    "(SELECT a.txid FROM attempt a WHERE a.spend_id = s.id AND a.kind IN ('pay', 'replace') "      \
    "ORDER BY (a.state = 'dead'), a.number DESC LIMIT 1) "                                         \
    "FROM spend s JOIN wallet w ON w.id = s.wallet_id "

static void write_head(struct json_writer *j, const struct db_rows *rows, size_t i)
{
    static const char *const texts[] = { "id", "wallet", "request_id", "tier", "state" };
    for (size_t c = 0; c < COUNT(texts); c++)
        text_member(j, texts[c], db_cell_bytes(rows, i, c));
    json_key(j, "amount_sat");
    json_u64(j, db_cell_u64(rows, i, 5));
    time_member(j, "created_at", db_cell_int(rows, i, 6));
    time_member(j, "state_at", db_cell_int(rows, i, 7));
    time_member(j, "not_after", db_cell_int(rows, i, 8));
    null_or_text(j, "code", rows, i, 9);
    text_member(j, "reason", db_cell_bytes(rows, i, 10));
    text_member(j, "note", db_cell_bytes(rows, i, 11));
    json_key(j, "bumps");
    json_u64(j, db_cell_u64(rows, i, 12));
    json_key(j, "cancel_asked");
    json_bool(j, db_cell_int(rows, i, 13) != 0);
    null_or_text(j, "principal_id", rows, i, 14);
    json_key(j, "fee_rate");
    json_u64(j, db_cell_u64(rows, i, 15));
    txid_member(j, "txid", db_cell_bytes(rows, i, 16));
}

bool spend_view_write(struct db *db, struct json_writer *j, const char *id,
                      const struct spend_view *view, struct arena *arena, struct err *err)
{
    struct db_rows rows;
    if (!db_query(db, &rows, VIEW_SELECT "WHERE s.id = $1", DB_ARGS(db_text(id)), arena, err))
        return false;
    if (rows.n == 0)
        return code_fail(err, CODE_NOT_FOUND, "there is no such spend");
    json_begin_object(j);
    write_head(j, &rows, 0);
    if (!write_outputs(db, j, id, arena, err) || !write_attempts(db, j, id, arena, err) ||
        !write_signers(db, j, id, view, arena, err) || !write_approvals(db, j, id, arena, err))
        return false;
    json_end_object(j);
    return true;
}

// Each wallet's newest, put together: a page never needs more than `limit` of each.
struct merge {
    struct db_rows rows[64];
    size_t at[64];
};

static bool read_wallet(struct db *db, struct db_rows *rows, const char *wallet_id,
                        const struct spend_filter *f, struct arena *arena, struct err *err)
{
    return db_query(db, rows,
                    VIEW_SELECT "WHERE s.wallet_id = $1 AND (s.state = $2 OR $2 = '') AND "
                                "s.created_at >= $3 AND s.created_at <= $4 AND "
                                "(s.id < $5 OR $5 = '') ORDER BY s.id DESC LIMIT $6",
                    DB_ARGS(db_text(wallet_id), db_text_of(f->state), db_int(f->from_us),
                            db_int(f->to_us == 0 ? INT64_MAX : f->to_us), db_text_of(f->cursor),
                            db_u64(f->limit + 1)),
                    arena, err);
}

// The newest that was not written yet; false: there is none.
static bool newest(const struct merge *m, size_t n_wallets, size_t *out)
{
    bool found = false;
    for (size_t w = 0; w < n_wallets; w++) {
        if (m->at[w] == m->rows[w].n)
            continue;
        if (!found || bytes_compare(db_cell_bytes(&m->rows[w], m->at[w], 0),
                                    db_cell_bytes(&m->rows[*out], m->at[*out], 0)) > 0)
            *out = w;
        found = true;
    }
    return found;
}

bool spend_view_list(struct db *db, struct json_writer *j, const struct spend_filter *f,
                     struct arena *arena, struct err *err)
{
    struct merge *m = arena_alloc(arena, sizeof *m);
    struct bytes last = { 0 };
    size_t w = 0;
    if (m == NULL)
        return err_set(err, ERR_NO_MEMORY, "too many spends");
    for (size_t i = 0; i < f->n_wallets; i++)
        if (!read_wallet(db, &m->rows[i], f->wallet_ids[i], f, arena, err))
            return false;
    json_begin_object(j);
    json_key(j, "spends");
    json_begin_array(j);
    for (uint64_t n = 0; n < f->limit && newest(m, f->n_wallets, &w); n++, m->at[w]++) {
        json_begin_object(j);
        write_head(j, &m->rows[w], m->at[w]);
        if (!write_outputs(db, j, arena_text(arena, db_cell_bytes(&m->rows[w], m->at[w], 0)), arena,
                           err))
            return false;
        json_end_object(j);
        last = db_cell_bytes(&m->rows[w], m->at[w], 0);
    }
    json_end_array(j);
    json_key(j, "next");
    if (newest(m, f->n_wallets, &w))
        json_string(j, last);
    else
        json_null(j);
    json_end_object(j);
    return true;
}
