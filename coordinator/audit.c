#include "coordinator/audit.h"
#include "coordinator/ledger_internal.h"
#include <inttypes.h>
#include <string.h>

enum { PAGE = 500, PAGE_LIMIT = 64 << 20 };

struct hash256 audit_hash(const struct audit_event *e)
{
    const struct bytes texts[] = { e->actor,  e->origin, e->kind,      e->object,
                                   e->before, e->after,  e->request_id };
    struct sha256 ctx;
    sha256_init_tagged(&ctx, "casemate/event");
    sha256_update(&ctx, BYTES_OF(e->prev.b));
    sha256_u64le(&ctx, e->seq);
    sha256_u64le(&ctx, (uint64_t)e->at_us);
    for (size_t i = 0; i < COUNT(texts); i++) {
        sha256_compact_size(&ctx, texts[i].len);
        sha256_update(&ctx, texts[i]);
    }
    return sha256_final(&ctx);
}

// --- Writing ---

// Locks the last event's place: whoever comes second waits until the first has committed, so that numbers
// have no gap and the chain no fork.
static bool lock_head(struct db *db, struct audit_head *out, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(4096);
    struct db_rows rows;
    if (!db_query(db, &rows, "SELECT seq, hash FROM event_head WHERE id = 1 FOR UPDATE", DB_NONE,
                  arena, err))
        return false;
    if (rows.n != 1)
        return code_fail(err, CODE_INTERNAL, "the ledger has no head of its events");
    out->seq = db_cell_u64(&rows, 0, 0);
    out->hash = db_cell_hash(&rows, 0, 1);
    return db_now_us(db, &out->at_us, err);
}

static bool store_head(struct db *db, const struct audit_head *head, struct err *err)
{
    return db_exec(db, NULL, "UPDATE event_head SET seq = $1, hash = $2 WHERE id = 1",
                   DB_ARGS(db_u64(head->seq), db_hash(&head->hash)), err);
}

static bool insert(struct db *db, const struct audit_event *e, struct err *err)
{
    return db_exec(db, NULL,
                   "INSERT INTO event(seq, created_at, at, actor, origin, kind, object, before, "
                   "after, request_id, prev_hash, hash) "
                   "VALUES($1, $2, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                   DB_ARGS(db_u64(e->seq), db_int(e->at_us), db_text_of(e->actor),
                           db_text_of(e->origin), db_text_of(e->kind), db_text_of(e->object),
                           db_text_of(e->before), db_text_of(e->after), db_text_of(e->request_id),
                           db_hash(&e->prev), db_hash(&e->hash)),
                   err);
}

// Whether event e concerns a wallet: the same for who reads it and for who is told. Roles are given and taken in one
// wallet each, which the event names.
#define ROWS(table, key, wallet)                                                                   \
    "EXISTS (SELECT 1 FROM " table " x WHERE x." key " = e.object AND x.wallet_id = " wallet ")"
#define CONCERNS(wallet)                                                                           \
    "CASE WHEN e.kind IN ('role.granted', 'role.taken') "                                          \
    "THEN e.before LIKE '%' || " wallet " || '%' OR e.after LIKE '%' || " wallet " || '%' "        \
    "ELSE e.object = " wallet                                                                      \
    " OR " ROWS("spend", "id", wallet) " OR " ROWS("change_request", "id", wallet) " OR " ROWS(    \
        "refill_policy", "id",                                                                     \
        wallet) " OR " ROWS("wallet_signer", "signer_id",                                          \
                            wallet) " OR " ROWS("role_grant", "principal_id",                      \
                                                wallet) " OR EXISTS (SELECT 1 FROM api_token t "   \
                                                        "JOIN role_grant x ON x.principal_id = "   \
                                                        "t.principal_id WHERE t.id = e.object "    \
                                                        "AND x.wallet_id = " wallet ") END"

// Frames are for streams, which read the events themselves.
static bool subscribe(struct db *db, const struct audit_event *e, struct err *err)
{
    if (bytes_equal_text(e->kind, "spend.frame"))
        return true;
    return db_exec(
        db, NULL,
        "INSERT INTO outbox(event_seq, hook_id, next_at) SELECT $1, h.id, $2 FROM hook h "
        "JOIN event e ON e.seq = $1 WHERE h.disabled = 0 AND "
        "(h.kinds LIKE '%,' || $3 || ',%' OR h.kinds LIKE '%,*,%') AND " CONCERNS("h.wallet_id"),
        DB_ARGS(db_u64(e->seq), db_int(e->at_us), db_text_of(e->kind)), err);
}

static bool append(struct db *db, struct audit_head *head, const struct event *event,
                   struct err *err)
{
    struct audit_event e = { .seq = head->seq + 1,
                             .at_us = head->at_us,
                             .actor = bytes_of_text(event->actor),
                             .origin = bytes_of_text(event->origin),
                             .kind = bytes_of_text(event->kind),
                             .object = bytes_of_text(event->object),
                             .before = event->before,
                             .after = event->after,
                             .request_id = bytes_of_text(event->request_id),
                             .prev = head->hash };
    e.hash = audit_hash(&e);
    head->seq = e.seq;
    head->hash = e.hash;
    return insert(db, &e, err) && subscribe(db, &e, err);
}

bool ledger_events_within(struct db *db, const struct event *events, size_t n, struct err *err)
{
    struct audit_head head;
    if (!lock_head(db, &head, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!append(db, &head, &events[i], err))
            return false;
    return store_head(db, &head, err);
}

bool ledger_event_within(struct db *db, const struct event *event, struct err *err)
{
    return ledger_events_within(db, event, 1, err);
}

static bool event_body(struct op *op, void *context, struct err *err)
{
    return ledger_event_within(op->db, context, err);
}

bool ledger_event(struct db *db, const struct event *event, struct err *err)
{
    struct event copy = *event;
    return op_run(db, event_body, &copy, err);
}

// --- Reading ---

#define EVENT_SELECT                                                                               \
    "SELECT e.seq, e.at, e.actor, e.origin, e.kind, e.object, e.before, e.after, e.request_id, "   \
    "e.prev_hash, e.hash FROM event e WHERE e.seq > $1"
#define OF_OBJECT " AND e.object = $3"
#define IN_ORDER  " ORDER BY e.seq LIMIT $2"

static struct audit_event event_of_row(const struct db_rows *rows, size_t row)
{
    return (struct audit_event){ .seq = db_cell_u64(rows, row, 0),
                                 .at_us = db_cell_int(rows, row, 1),
                                 .actor = db_cell_bytes(rows, row, 2),
                                 .origin = db_cell_bytes(rows, row, 3),
                                 .kind = db_cell_bytes(rows, row, 4),
                                 .object = db_cell_bytes(rows, row, 5),
                                 .before = db_cell_bytes(rows, row, 6),
                                 .after = db_cell_bytes(rows, row, 7),
                                 .request_id = db_cell_bytes(rows, row, 8),
                                 .prev = db_cell_hash(rows, row, 9),
                                 .hash = db_cell_hash(rows, row, 10) };
}

bool audit_read(struct db *db, struct audit_events *out, uint64_t after, size_t limit,
                const char *object, const char *wallet_id, struct arena *arena, struct err *err)
{
    static const char *const sql[2][2] = {
        { EVENT_SELECT IN_ORDER, EVENT_SELECT " AND " CONCERNS("$3") IN_ORDER },
        { EVENT_SELECT OF_OBJECT IN_ORDER, EVENT_SELECT OF_OBJECT " AND " CONCERNS("$4") IN_ORDER }
    };
    const struct db_value args[] = { db_u64(after), db_u64(limit),
                                     db_text(object ? object : wallet_id), db_text(wallet_id) };
    const size_t n = 2u + (object != NULL) + (wallet_id != NULL);
    struct db_rows rows;
    if (!db_query(db, &rows, sql[object != NULL][wallet_id != NULL], args, n, arena, err))
        return false;
    *out = (struct audit_events){ arena_array(arena, rows.n, sizeof *out->items), rows.n };
    if (!out->items)
        return err_set(err, ERR_NO_MEMORY, "too many events at once");
    for (size_t i = 0; i < rows.n; i++)
        out->items[i] = event_of_row(&rows, i);
    return true;
}

bool audit_head(struct db *db, struct audit_head *out, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(4096);
    struct db_rows rows;
    if (!db_query(db, &rows,
                  "SELECT h.seq, h.hash, e.at FROM event_head h LEFT JOIN event e ON e.seq = h.seq "
                  "WHERE h.id = 1",
                  DB_NONE, arena, err))
        return false;
    if (rows.n != 1)
        return err_set(err, ERR_INVALID, "event 0: the head is missing");
    *out = (struct audit_head){ db_cell_u64(&rows, 0, 0), db_cell_hash(&rows, 0, 1),
                                db_cell_int(&rows, 0, 2) };
    return true;
}

static bool same_hash(const struct hash256 *a, const struct hash256 *b)
{
    return bytes_equal(BYTES_OF(a->b), BYTES_OF(b->b));
}

static bool verify_next(const struct audit_event *e, struct audit_head *last, struct err *err)
{
    const struct hash256 hash = audit_hash(e);
    if (e->seq != last->seq + 1)
        return err_set(err, ERR_INVALID, "event %" PRIu64 ": missing", last->seq + 1);
    if (!same_hash(&e->prev, &last->hash))
        return err_set(err, ERR_INVALID, "event %" PRIu64 ": does not follow from the one before",
                       e->seq);
    if (!same_hash(&e->hash, &hash))
        return err_set(err, ERR_INVALID, "event %" PRIu64 ": was changed", e->seq);
    *last = (struct audit_head){ e->seq, e->hash, e->at_us };
    return true;
}

// The hash that the first event to be checked must follow from.
static bool first_link(struct db *db, uint64_t from, struct audit_head *out, struct arena *arena,
                       struct err *err)
{
    struct audit_events before;
    *out = (struct audit_head){ .seq = from > 1 ? from - 1 : 0 };
    if (out->seq == 0)
        return true;
    if (!audit_read(db, &before, out->seq - 1, 1, NULL, NULL, arena, err))
        return false;
    if (before.n != 1 || before.items[0].seq != out->seq)
        return err_set(err, ERR_INVALID, "event %" PRIu64 ": missing", out->seq);
    out->hash = before.items[0].hash;
    return true;
}

static bool verify_pages(struct db *db, struct audit_head *last, struct arena *arena,
                         struct err *err)
{
    struct audit_events page;
    do {
        arena_reset(arena);
        if (!audit_read(db, &page, last->seq, PAGE, NULL, NULL, arena, err))
            return false;
        for (size_t i = 0; i < page.n; i++)
            if (!verify_next(&page.items[i], last, err))
                return false;
    } while (page.n == PAGE);
    return true;
}

static bool verify(struct db *db, uint64_t from, struct audit_head *out, struct arena *arena,
                   struct err *err)
{
    struct audit_head head;
    if (!first_link(db, from, out, arena, err) || !verify_pages(db, out, arena, err) ||
        !audit_head(db, &head, err))
        return false;
    if (head.seq != out->seq)
        return err_set(err, ERR_INVALID, "event %" PRIu64 ": missing", out->seq + 1);
    if (!same_hash(&head.hash, &out->hash))
        return err_set(err, ERR_INVALID, "event %" PRIu64 ": is not what the head names", out->seq);
    return true;
}

bool audit_verify(struct db *db, uint64_t from, struct audit_head *out, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(PAGE_LIMIT);
    if (!db_begin_reading(db, err))
        return false;
    const bool ok = verify(db, from, out, arena, err);
    db_rollback(db);
    return ok;
}
