// coordinator/ledger_wallet.c -- wallets and signers as rows; cursors, leases, freezing, amnesia.
#include "coordinator/ledger_rows.h"
#include <stdio.h>
#include <string.h>

// --- Reconciling ---

static bool reconciled(struct op *op, void *context, struct err *err)
{
    const char *wallet_id = context;
    struct guard guard;
    return op_lock_guard(op, &guard, wallet_id, err) &&
           op_move_window(op, &guard, wallet_id, err) &&
           OP_CHANGE(op, err, "UPDATE velocity_guard SET reconciled_at = $2 WHERE wallet_id = $1",
                     db_text(wallet_id), db_int(op->now_us));
}

bool ledger_reconciled(struct db *db, const char *wallet_id, struct err *err)
{
    char id[ID_SIZE];
    (void)snprintf(id, sizeof id, "%s", wallet_id);
    return op_run(db, reconciled, id, err);
}

bool ledger_cursor(struct db *db, struct cursor *out, const char *node_id, const char *wallet_id,
                   struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(4096);
    struct db_rows rows;
    *out = (struct cursor){ .is_set = false };
    if (!db_query(
            db, &rows,
            "SELECT block_hash, height FROM chain_cursor WHERE node_id = $1 AND wallet_id = $2",
            DB_ARGS(db_text(node_id), db_text(wallet_id)), arena, err))
        return false;
    if (rows.n == 1)
        *out =
            (struct cursor){ true, db_cell_hash(&rows, 0, 0), (uint32_t)db_cell_int(&rows, 0, 1) };
    return true;
}

struct set_cursor {
    const char *node_id, *wallet_id;
    const struct cursor *cursor;
};

static bool set_cursor(struct op *op, void *context, struct err *err)
{
    const struct set_cursor *c = context;
    return OP_EXEC(op, err,
                   "INSERT INTO chain_cursor(node_id, wallet_id, block_hash, height, at) "
                   "VALUES($1, $2, $3, $4, $5) ON CONFLICT (node_id, wallet_id) DO UPDATE SET "
                   "block_hash = excluded.block_hash, height = excluded.height, at = excluded.at",
                   db_text(c->node_id), db_text(c->wallet_id), db_hash(&c->cursor->block_hash),
                   db_int(c->cursor->height), db_int(op->now_us));
}

bool ledger_set_cursor(struct db *db, const char *node_id, const char *wallet_id,
                       const struct cursor *cursor, struct err *err)
{
    struct set_cursor c = { node_id, wallet_id, cursor };
    return op_run(db, set_cursor, &c, err);
}

// --- The wallet's status ---

struct status {
    const char *wallet_id, *actor;
    enum { FREEZE, UNFREEZE, FORGET, REMEMBER } what;
};

static const char *status_after(const struct status *c, bool recovering)
{
    if (c->what == FREEZE)
        return "frozen";
    return recovering ? "recovering" : "active";
}

static bool write_status(struct op *op, const struct status *c, struct bytes before,
                         const char *after, int64_t until_us, struct err *err)
{
    uint8_t old_mem[64], new_mem[64];
    struct writer old_text = writer_of(old_mem, sizeof old_mem);
    struct writer new_text = writer_of(new_mem, sizeof new_mem);
    writer_printf(&old_text, "{\"status\": \"%.*s\"}", BYTES_ARG(before));
    writer_printf(&new_text, "{\"status\": \"%s\"}", after);
    const struct event event = { .actor = c->actor,
                                 .kind = c->what == FREEZE || c->what == UNFREEZE ? "freeze"
                                                                                  : "wallet.status",
                                 .object = c->wallet_id,
                                 .before = writer_bytes(&old_text),
                                 .after = writer_bytes(&new_text) };
    return OP_CHANGE(op, err, "UPDATE wallet SET status = $2, recovering_until = $3 WHERE id = $1",
                     db_text(c->wallet_id), db_text(after), db_int_or_null(until_us)) &&
           (bytes_equal_text(before, after) || ledger_event_within(op->db, &event, err));
}

// A wallet that is thawed while it recovers goes on recovering.
static bool change_status(struct op *op, void *context, struct err *err)
{
    const struct status *c = context;
    struct guard guard;
    struct db_rows rows;
    if (!op_lock_guard(op, &guard, c->wallet_id, err) ||
        !OP_QUERY(op, &rows, err,
                  "SELECT status, recovering_until FROM wallet WHERE id = $1 FOR UPDATE",
                  db_text(c->wallet_id)))
        return false;
    const struct bytes before = db_cell_bytes(&rows, 0, 0);
    int64_t until_us = db_cell_int(&rows, 0, 1);
    if (c->what == FORGET)
        until_us = op->now_us + guard.window_us;
    if (c->what == REMEMBER)
        until_us = 0;
    const bool stays_frozen = bytes_equal_text(before, "frozen") && c->what != UNFREEZE;
    const char *after = stays_frozen ? "frozen" : status_after(c, until_us > op->now_us);
    return write_status(op, c, before, after, until_us, err);
}

bool op_freeze(struct op *op, const char *wallet_id, const char *actor, struct err *err)
{
    struct status c = { wallet_id, actor, FREEZE };
    return change_status(op, &c, err);
}

bool ledger_freeze(struct db *db, const char *wallet_id, bool frozen, const char *actor,
                   struct err *err)
{
    struct status c = { wallet_id, actor, frozen ? FREEZE : UNFREEZE };
    return op_run(db, change_status, &c, err);
}

bool ledger_amnesia(struct db *db, const char *wallet_id, struct err *err)
{
    struct status c = { wallet_id, "coordinator", FORGET };
    return op_run(db, change_status, &c, err);
}

bool ledger_end_amnesia(struct db *db, const char *wallet_id, const char *actor, struct err *err)
{
    struct status c = { wallet_id, actor, REMEMBER };
    return op_run(db, change_status, &c, err);
}

// --- Reading wallets and signers ---

bool ledger_wallets(struct db *db, struct wallet_rows *out, struct arena *arena, struct err *err)
{
    struct db_rows rows;
    if (!db_query(db, &rows,
                  "SELECT id, name, network, kind, desc_receive, desc_change, settings, k, n, "
                  "settle_depth, status FROM wallet ORDER BY name",
                  DB_NONE, arena, err))
        return false;
    *out = (struct wallet_rows){ arena_array(arena, rows.n, sizeof *out->items), rows.n };
    if (!out->items)
        return err_set(err, ERR_NO_MEMORY, "too many wallets");
    for (size_t i = 0; i < rows.n; i++) {
        struct wallet_row *w = &out->items[i];
        const struct bytes status = db_cell_bytes(&rows, i, 10);
        db_cell_copy(w->id, sizeof w->id, &rows, i, 0);
        w->name = db_cell_bytes(&rows, i, 1);
        w->network = db_cell_bytes(&rows, i, 2);
        w->kind = db_cell_bytes(&rows, i, 3);
        w->desc_receive = db_cell_bytes(&rows, i, 4);
        w->desc_change = db_cell_bytes(&rows, i, 5);
        w->settings = db_cell_bytes(&rows, i, 6);
        w->k = (unsigned)db_cell_int(&rows, i, 7);
        w->n = (unsigned)db_cell_int(&rows, i, 8);
        w->settle_depth = (unsigned)db_cell_int(&rows, i, 9);
        w->status = bytes_equal_text(status, "frozen")       ? WALLET_FROZEN
                    : bytes_equal_text(status, "recovering") ? WALLET_RECOVERING
                                                             : WALLET_ACTIVE;
    }
    return true;
}

#define SIGNER_COLUMNS                                                                             \
    "SELECT s.id, s.name, s.kind, s.state, s.failure_domain, s.number, s.fingerprint, s.enabled"

static void signer_of_row(struct signer_row *out, const struct db_rows *rows, size_t i)
{
    const struct bytes xfp = db_cell_bytes(rows, i, 6);
    db_cell_copy(out->id, sizeof out->id, rows, i, 0);
    out->name = db_cell_bytes(rows, i, 1);
    out->kind = db_cell_bytes(rows, i, 2);
    out->state = db_cell_bytes(rows, i, 3);
    out->failure_domain = db_cell_bytes(rows, i, 4);
    out->number = (unsigned)db_cell_int(rows, i, 5);
    if (xfp.len == sizeof out->xfp)
        memcpy(out->xfp, xfp.ptr, xfp.len);
    out->enabled = db_cell_int(rows, i, 7) != 0;
}

bool ledger_signers(struct db *db, struct signer_rows *out, const char *wallet_id,
                    struct arena *arena, struct err *err)
{
    struct db_rows rows;
    const bool ok = wallet_id
                        ? db_query(db, &rows,
                                   SIGNER_COLUMNS
                                   ", w.registered_name, w.xpub, w.position FROM signer s JOIN "
                                   "wallet_signer w ON w.signer_id = s.id WHERE w.wallet_id = $1 "
                                   "ORDER BY s.number",
                                   DB_ARGS(db_text(wallet_id)), arena, err)
                        : db_query(db, &rows, SIGNER_COLUMNS " FROM signer s ORDER BY s.number",
                                   DB_NONE, arena, err);
    if (!ok)
        return false;
    *out = (struct signer_rows){ arena_array(arena, rows.n, sizeof *out->items), rows.n };
    if (!out->items)
        return err_set(err, ERR_NO_MEMORY, "too many signers");
    for (size_t i = 0; i < rows.n; i++) {
        signer_of_row(&out->items[i], &rows, i);
        if (!wallet_id)
            continue;
        out->items[i].registered_name = db_cell_bytes(&rows, i, 8);
        out->items[i].xpub = db_cell_bytes(&rows, i, 9);
        out->items[i].position = (unsigned)db_cell_int(&rows, i, 10);
    }
    return true;
}

// --- Leases of devices ---

struct lease {
    const char *signer_id, *holder;
    int64_t lease_us;
    bool taken;
};

// Invariants 15 and 16: another holder comes in only when the lease is over, and with a higher fence.
static bool lease(struct op *op, void *context, struct err *err)
{
    struct lease *c = context;
    uint64_t changed;
    if (!db_exec(op->db, &changed,
                 "INSERT INTO signer_lease(signer_id, holder, until, fence) VALUES($1, $2, $3, 1) "
                 "ON CONFLICT (signer_id) DO UPDATE SET "
                 "fence = signer_lease.fence + CASE WHEN signer_lease.holder = excluded.holder "
                 "THEN 0 ELSE 1 END, holder = excluded.holder, until = excluded.until "
                 "WHERE signer_lease.holder = excluded.holder OR signer_lease.until < $4",
                 DB_ARGS(db_text(c->signer_id), db_text(c->holder),
                         db_int(op->now_us + c->lease_us), db_int(op->now_us)),
                 err))
        return false;
    c->taken = changed == 1;
    return true;
}

static bool run_lease(struct db *db, op_body *body, struct lease c, bool *out, struct err *err)
{
    if (!op_run(db, body, &c, err))
        return false;
    *out = c.taken;
    return true;
}

bool ledger_lease_signer(struct db *db, const char *signer_id, const char *holder, int64_t lease_us,
                         bool *taken, struct err *err)
{
    return run_lease(db, lease, (struct lease){ signer_id, holder, lease_us, false }, taken, err);
}

static bool keep_lease(struct op *op, void *context, struct err *err)
{
    struct lease *c = context;
    uint64_t changed;
    if (!db_exec(op->db, &changed,
                 "UPDATE signer_lease SET until = $3 WHERE signer_id = $1 AND holder = $2 "
                 "AND until >= $4",
                 DB_ARGS(db_text(c->signer_id), db_text(c->holder),
                         db_int(op->now_us + c->lease_us), db_int(op->now_us)),
                 err))
        return false;
    c->taken = changed == 1;
    return true;
}

bool ledger_keep_signer(struct db *db, const char *signer_id, const char *holder, int64_t lease_us,
                        bool *kept, struct err *err)
{
    return run_lease(db, keep_lease, (struct lease){ signer_id, holder, lease_us, false }, kept,
                     err);
}

static bool end_lease(struct op *op, void *context, struct err *err)
{
    const struct lease *c = context;
    return OP_EXEC(op, err,
                   "UPDATE signer_lease SET until = 0 WHERE signer_id = $1 AND holder = $2",
                   db_text(c->signer_id), db_text(c->holder));
}

bool ledger_end_lease(struct db *db, const char *signer_id, const char *holder, struct err *err)
{
    struct lease c = { signer_id, holder, 0, false };
    return op_run(db, end_lease, &c, err);
}

// --- Rotation ---

// D9: what was signed, or may have been, counts against a signer.
bool ledger_signed_by(struct db *db, const char *wallet_id, const char *signer_id, int64_t since_us,
                      struct sats *out, int64_t *last_us, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(4096);
    struct db_rows rows, last;
    if (!db_query(db, &rows,
                  "SELECT CAST(coalesce(sum(r.value), 0) AS bigint) FROM sign_request r "
                  "JOIN attempt a ON a.id = r.attempt_id JOIN spend s ON s.id = a.spend_id "
                  "WHERE r.signer_id = $1 AND r.asked_at >= $2 AND s.wallet_id = $3 "
                  "AND r.state IN ('asked', 'signed', 'unknown')",
                  DB_ARGS(db_text(signer_id), db_int(since_us), db_text(wallet_id)), arena, err) ||
        !db_query(db, &last, "SELECT max(asked_at) FROM sign_request WHERE signer_id = $1",
                  DB_ARGS(db_text(signer_id)), arena, err))
        return false;
    *out = db_cell_sats(&rows, 0, 0);
    *last_us = db_cell_int(&last, 0, 0);
    return true;
}

// --- What the reconciler looks for ---

bool ledger_live_attempts(struct db *db, struct live_attempts *out, const char *wallet_id,
                          struct arena *arena, struct err *err)
{
    struct db_rows rows;
    if (!db_query(db, &rows,
                  "SELECT s.id, a.id, s.state, a.state, a.txid, "
                  "CASE WHEN a.raw IS NULL THEN 0 ELSE 1 END "
                  "FROM spend s JOIN attempt a ON a.spend_id = s.id WHERE s.wallet_id = $1 AND "
                  "s.state IN ('signing', 'signed', 'sent', 'parked', 'voiding', 'confirmed', "
                  "'void') ORDER BY s.id, a.number",
                  DB_ARGS(db_text(wallet_id)), arena, err))
        return false;
    *out = (struct live_attempts){ arena_array(arena, rows.n, sizeof *out->items), rows.n };
    if (!out->items)
        return err_set(err, ERR_NO_MEMORY, "too many transactions");
    for (size_t i = 0; i < rows.n; i++) {
        struct live_attempt *a = &out->items[i];
        db_cell_copy(a->spend_id, sizeof a->spend_id, &rows, i, 0);
        db_cell_copy(a->attempt_id, sizeof a->attempt_id, &rows, i, 1);
        if (!spend_state_of(&a->spend_state, db_cell_bytes(&rows, i, 2)) ||
            !attempt_state_of(&a->state, db_cell_bytes(&rows, i, 3)))
            return code_fail(err, CODE_INTERNAL, "the ledger has a state that nobody knows");
        a->txid = db_cell_hash(&rows, i, 4);
        a->has_raw = db_cell_int(&rows, i, 5) != 0;
    }
    return true;
}
