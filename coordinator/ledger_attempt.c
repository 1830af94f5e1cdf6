// coordinator/ledger_attempt.c -- transactions made for a spend: stored, anchored, their inputs locked.
#include "base/require.h"
#include "coordinator/ledger_rows.h"
#include <string.h>

// --- Reading ---

static bool read_inputs(struct attempt *a, struct db *db, struct arena *arena, struct err *err)
{
    struct db_rows rows;
    if (!db_query(db, &rows,
                  "SELECT txid, vout, sat, branch, path_index FROM attempt_input "
                  "WHERE attempt_id = $1 ORDER BY idx",
                  DB_ARGS(db_text(a->id)), arena, err))
        return false;
    struct attempt_input *inputs = arena_array(arena, rows.n, sizeof *inputs);
    if (!inputs)
        return err_set(err, ERR_NO_MEMORY, "too many inputs");
    for (size_t i = 0; i < rows.n; i++)
        inputs[i] = (struct attempt_input){ .outpoint = { db_cell_hash(&rows, i, 0),
                                                          (uint32_t)db_cell_int(&rows, i, 1) },
                                            .amount = db_cell_sats(&rows, i, 2),
                                            .branch = (uint32_t)db_cell_int(&rows, i, 3),
                                            .index = (uint32_t)db_cell_int(&rows, i, 4) };
    a->inputs = inputs;
    a->n_inputs = rows.n;
    return true;
}

bool ledger_attempts(struct db *db, struct attempts *out, const char *spend_id, struct arena *arena,
                     struct err *err)
{
    struct db_rows rows;
    if (!db_query(db, &rows, ATTEMPT_SELECT " WHERE a.spend_id = $1 ORDER BY a.number",
                  DB_ARGS(db_text(spend_id)), arena, err))
        return false;
    *out = (struct attempts){ arena_array(arena, rows.n, sizeof *out->items), rows.n };
    if (!out->items)
        return err_set(err, ERR_NO_MEMORY, "too many attempts");
    for (size_t i = 0; i < rows.n; i++) {
        out->items[i] = attempt_of_row(&rows, i);
        if (!read_inputs(&out->items[i], db, arena, err))
            return false;
    }
    return true;
}

bool op_attempt_state(struct op *op, const char *attempt_id, enum attempt_state state,
                      struct err *err)
{
    const bool sent = state == ATTEMPT_SENT || state == ATTEMPT_CONFIRMED;
    return OP_CHANGE(op, err,
                     "UPDATE attempt SET state = $2, "
                     "first_sent_at = CASE WHEN $4 = 1 AND first_sent_at IS NULL THEN $3 "
                     "ELSE first_sent_at END WHERE id = $1",
                     db_text(attempt_id), db_text(attempt_state_name(state)), db_int(op->now_us),
                     db_int(sent));
}

// --- Input locks ---

static bool lock_coin(struct op *op, const struct spend *s, const struct outpoint *o, bool *mine,
                      struct err *err)
{
    struct db_rows rows;
    const struct db_value wallet = db_text(s->wallet_id), txid = db_hash(&o->txid);
    if (!OP_EXEC(op, err,
                 "INSERT INTO input_lock(wallet_id, txid, vout, spend_id) VALUES($1, $2, $3, $4) "
                 "ON CONFLICT (wallet_id, txid, vout) DO NOTHING",
                 wallet, txid, db_int(o->index), db_text(s->id)) ||
        !OP_QUERY(op, &rows, err,
                  "SELECT 1 FROM input_lock "
                  "WHERE wallet_id = $1 AND txid = $2 AND vout = $3 AND spend_id = $4",
                  wallet, txid, db_int(o->index), db_text(s->id)))
        return false;
    *mine = rows.n == 1;
    return true;
}

// Invariant 7.
static bool lock_inputs(struct op *op, const struct spend *s, const struct attempt *a,
                        struct err *err)
{
    bool mine;
    for (size_t i = 0; i < a->n_inputs; i++) {
        if (!lock_coin(op, s, &a->inputs[i].outpoint, &mine, err))
            return false;
        if (!mine)
            return code_fail(err, CODE_COINS_BUSY, "input %zu is held by another spend", i);
    }
    return true;
}

bool op_relock(struct op *op, const struct spend *spend, struct err *err)
{
    struct db_rows rows;
    bool mine;
    if (!OP_QUERY(op, &rows, err,
                  "SELECT DISTINCT i.txid, i.vout FROM attempt_input i JOIN attempt a "
                  "ON a.id = i.attempt_id WHERE a.spend_id = $1",
                  db_text(spend->id)))
        return false;
    for (size_t i = 0; i < rows.n; i++) {
        const struct outpoint o = { db_cell_hash(&rows, i, 0), (uint32_t)db_cell_int(&rows, i, 1) };
        if (!lock_coin(op, spend, &o, &mine, err))
            return false;
    }
    return true;
}

// --- The anchor ---

static bool has_outpoint(const struct attempt *a, const struct outpoint *o)
{
    for (size_t i = 0; i < a->n_inputs; i++)
        if (bytes_equal(BYTES_OF(a->inputs[i].outpoint.txid.b), BYTES_OF(o->txid.b)) &&
            a->inputs[i].outpoint.index == o->index)
            return true;
    return false;
}

static bool spends_ours(struct op *op, const struct spend *s, const struct attempt *a, bool *out,
                        struct err *err)
{
    struct db_rows rows;
    *out = false;
    for (size_t i = 0; i < a->n_inputs && !*out; i++) {
        if (!OP_QUERY(op, &rows, err, "SELECT 1 FROM attempt WHERE spend_id = $1 AND txid = $2",
                      db_text(s->id), db_hash(&a->inputs[i].outpoint.txid)))
            return false;
        *out = rows.n > 0;
    }
    return true;
}

// D3: "Every later attempt of the same spend must contain the anchor". A child conflicts with none of them:
// it pays change to change (D7), and can confirm only behind its parent.
static bool anchor(struct op *op, struct spend *s, const struct attempt *a, struct err *err)
{
    bool child_of_ours = true;
    if (a->kind == ATTEMPT_CHILD && !spends_ours(op, s, a, &child_of_ours, err))
        return false;
    if (!child_of_ours)
        return code_fail(err, CODE_CONFLICT, "it spends no output of this spend's transactions");
    if (a->kind == ATTEMPT_CHILD)
        return true;
    if (s->has_anchor)
        return has_outpoint(a, &s->anchor) ||
               code_fail(err, CODE_CONFLICT, "the anchor is not among its inputs");
    s->anchor = a->inputs[0].outpoint;
    s->has_anchor = true;
    return OP_CHANGE(op, err,
                     "UPDATE spend SET anchor_txid = $2, anchor_vout = $3 "
                     "WHERE id = $1 AND anchor_txid IS NULL",
                     db_text(s->id), db_hash(&s->anchor.txid), db_int(s->anchor.index));
}

// --- Fees ---

// The most that a spend can pay: its dearest transaction, of which one confirms, and all its children.
static bool fees_of(struct op *op, const char *spend_id, struct sats *out, struct err *err)
{
    struct db_rows rows;
    if (!OP_QUERY(op, &rows, err,
                  "SELECT CAST(coalesce(max(CASE kind WHEN 'child' THEN 0 ELSE fee END), 0) + "
                  "coalesce(sum(CASE kind WHEN 'child' THEN fee ELSE 0 END), 0) AS bigint) "
                  "FROM attempt WHERE spend_id = $1",
                  db_text(spend_id)))
        return false;
    *out = db_cell_sats(&rows, 0, 0);
    return true;
}

// D7: "Fees of children and replacements count in the fee window."
static bool charge_fee(struct op *op, const struct spend *s, const struct attempt *a,
                       const struct guard *guard, struct err *err)
{
    struct reservation r;
    struct velocity_view v;
    struct sats total;
    if (!op_reservation(op, &r, s->id, err) || !fees_of(op, s->id, &total, err))
        return false;
    if (r.status != RESERVATION_OPEN && r.status != RESERVATION_SENT)
        return code_fail(err, CODE_CONFLICT, "it has no reservation");
    if (total.n <= r.fee.n && a->number > 1)
        return true;
    if (total.n > r.fee.n && (!op_velocity(op, &v, guard, s->wallet_id, err) ||
                              !op_fee_fits(&v, (struct sats){ total.n - r.fee.n }, err)))
        return false;
    return OP_CHANGE(op, err, "UPDATE reservation SET fee = $2, fee_at = $3 WHERE spend_id = $1",
                     db_text(s->id), db_sats(total), db_int(op->now_us));
}

// --- Adding ---

struct add {
    struct spend *spend, next;
    struct attempt *attempt, made;
};

// In which states a kind may be added.
static const uint32_t addable[] = {
    [ATTEMPT_PAY] = 1u << SPEND_RESERVED,
    [ATTEMPT_REPLACE] = 1u << SPEND_SENT | 1u << SPEND_PARKED,
    [ATTEMPT_CHILD] = 1u << SPEND_SENT | 1u << SPEND_PARKED,
    [ATTEMPT_VOID] = 1u << SPEND_SENT | 1u << SPEND_PARKED | 1u << SPEND_VOIDING,
};

static bool may_add(struct op *op, const struct spend *s, enum attempt_kind kind, struct err *err)
{
    if ((addable[kind] & 1u << s->state) == 0)
        return code_fail(err, CODE_CONFLICT, "a spend that is %s takes no such transaction",
                         spend_state_name(s->state));
    // A frozen wallet may still take back what is on its way.
    return kind == ATTEMPT_VOID || op_wallet_active(op, s->wallet_id, err);
}

static bool insert_attempt(struct op *op, const struct spend *s, struct attempt *a, struct err *err)
{
    struct db_rows rows;
    if (!OP_QUERY(op, &rows, err,
                  "SELECT coalesce(max(number), 0) + 1 FROM attempt WHERE spend_id = $1",
                  db_text(s->id)))
        return false;
    a->number = (unsigned)db_cell_int(&rows, 0, 0);
    a->state = ATTEMPT_BUILT;
    db_new_id(a->id, op->now_us);
    return OP_EXEC(op, err,
                   "INSERT INTO attempt(id, spend_id, number, kind, psbt, txid, fee, vsize, state) "
                   "VALUES($1, $2, $3, $4, $5, $6, $7, $8, 'built')",
                   db_text(a->id), db_text(s->id), db_int(a->number),
                   db_text(attempt_kind_name(a->kind)), db_blob(a->psbt), db_hash(&a->txid),
                   db_sats(a->fee), db_u64(a->vsize));
}

static bool insert_inputs(struct op *op, const struct attempt *a, struct err *err)
{
    for (size_t i = 0; i < a->n_inputs; i++) {
        const struct attempt_input *in = &a->inputs[i];
        if (!OP_EXEC(op, err,
                     "INSERT INTO attempt_input(attempt_id, idx, txid, vout, sat, branch, "
                     "path_index) VALUES($1, $2, $3, $4, $5, $6, $7)",
                     db_text(a->id), db_u64(i), db_hash(&in->outpoint.txid),
                     db_int(in->outpoint.index), db_sats(in->amount), db_int(in->branch),
                     db_int(in->index)))
            return false;
    }
    return true;
}

static bool added_event(struct op *op, const struct spend *s, const struct attempt *a,
                        struct err *err)
{
    char txid[TXID_TEXT_SIZE];
    txid_to_text(txid, &a->txid);
    return op_eventf(op, s, "spend.attempt", err,
                     "{\"number\": %u, \"kind\": \"%s\", \"txid\": \"%s\", \"fee_sat\": %llu}",
                     a->number, attempt_kind_name(a->kind), txid, (unsigned long long)a->fee.n);
}

static bool move_added(struct op *op, struct spend *s, const struct attempt *a, struct err *err)
{
    if (a->kind == ATTEMPT_PAY)
        return op_move(op, s, SPEND_BUILT, NO_CODE, err);
    if (a->kind != ATTEMPT_VOID || s->state == SPEND_VOIDING)
        return true;
    // D3 has no arrow from sent or parked that goes around voiding.
    return op_move(op, s, SPEND_VOIDING, NO_CODE, err);
}

static bool count_bump(struct op *op, struct spend *s, const struct attempt *a, struct err *err)
{
    if (a->kind != ATTEMPT_REPLACE && a->kind != ATTEMPT_CHILD)
        return true;
    s->bumps++;
    return OP_CHANGE(op, err, "UPDATE spend SET bumps = $2 WHERE id = $1", db_text(s->id),
                     db_int(s->bumps));
}

static bool add(struct op *op, void *context, struct err *err)
{
    struct add *c = context;
    struct guard guard;
    struct spend *s = &c->next;
    c->next = *c->spend;
    c->made = *c->attempt;
    return op_lock_guard(op, &guard, s->wallet_id, err) && op_hold(op, c->spend, err) &&
           may_add(op, s, c->made.kind, err) && anchor(op, s, &c->made, err) &&
           lock_inputs(op, s, &c->made, err) && insert_attempt(op, s, &c->made, err) &&
           insert_inputs(op, &c->made, err) && charge_fee(op, s, &c->made, &guard, err) &&
           count_bump(op, s, &c->made, err) && added_event(op, s, &c->made, err) &&
           move_added(op, s, &c->made, err);
}

bool ledger_attempt_add(struct db *db, struct spend *spend, struct attempt *attempt,
                        struct err *err)
{
    struct add c = { .spend = spend, .attempt = attempt };
    if (attempt->n_inputs == 0)
        return code_fail(err, CODE_BAD_REQUEST, "a transaction has at least one input");
    if (!op_run(db, add, &c, err))
        return false;
    *spend = c.next;
    *attempt = c.made;
    return true;
}

bool ledger_locked_inputs(struct db *db, struct outpoints *out, const char *wallet_id,
                          struct arena *arena, struct err *err)
{
    struct db_rows rows;
    if (!db_query(db, &rows, "SELECT txid, vout FROM input_lock WHERE wallet_id = $1",
                  DB_ARGS(db_text(wallet_id)), arena, err))
        return false;
    *out = (struct outpoints){ arena_array(arena, rows.n, sizeof *out->items), rows.n };
    if (!out->items)
        return err_set(err, ERR_NO_MEMORY, "too many locked inputs");
    for (size_t i = 0; i < rows.n; i++)
        out->items[i] =
            (struct outpoint){ db_cell_hash(&rows, i, 0), (uint32_t)db_cell_int(&rows, i, 1) };
    return true;
}
