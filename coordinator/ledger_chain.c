// coordinator/ledger_chain.c -- what the chain shows of our transactions moves their spends (D5).
//
// Each arrow of D3 is a transaction of its own: a sighting moves a spend step by step until nothing is left
// to do, so that a crash in between leaves a state from which the next sighting goes on.
#include "coordinator/ledger_rows.h"
#include <string.h>

enum { STEPS_MAX = 8 }; // the longest way: void, parked, sent, confirmed, settled

struct sight_step {
    const char *wallet_id;
    const struct hash256 *txid;
    const struct sighting *s;
    unsigned settle_depth;
    bool ours, again;
};

// --- The attempt ---

struct found {
    struct attempt attempt;
    char spend_id[ID_SIZE];
};

static bool find_attempt(struct op *op, const char *wallet_id, const struct hash256 *txid,
                         struct found *out, bool *found, struct err *err)
{
    struct db_rows rows, spend;
    if (!OP_QUERY(op, &rows, err, ATTEMPT_SELECT " WHERE a.txid = $1", db_hash(txid)) ||
        !OP_QUERY(op, &spend, err,
                  "SELECT s.id FROM attempt a JOIN spend s ON s.id = a.spend_id "
                  "WHERE a.txid = $1 AND s.wallet_id = $2",
                  db_hash(txid), db_text(wallet_id)))
        return false;
    *found = rows.n == 1 && spend.n == 1;
    if (!*found)
        return true;
    out->attempt = attempt_of_row(&rows, 0);
    db_cell_copy(out->spend_id, sizeof out->spend_id, &spend, 0, 0);
    return true;
}

// Invariant 3: of those that share the anchor one is in the chain. One that was in a block of another branch may be
// told gone later.
static bool leave_other_branch(struct op *op, const struct attempt *mined, struct err *err)
{
    return OP_EXEC(op, err,
                   "UPDATE attempt SET state = 'sent', block_hash = NULL, height = NULL "
                   "WHERE id <> $1 AND spend_id = (SELECT spend_id FROM attempt WHERE id = $1) "
                   "AND kind <> 'child' AND state = 'confirmed'",
                   db_text(mined->id));
}

// What was seen is stored with the attempt, whatever becomes of the spend.
static bool note_attempt(struct op *op, struct attempt *a, const struct sighting *s,
                         struct err *err)
{
    const bool mined = s->where == SIGHT_BLOCK;
    if (s->where == SIGHT_GONE && a->state != ATTEMPT_CONFIRMED)
        return true;
    const enum attempt_state to = mined ? ATTEMPT_CONFIRMED : ATTEMPT_SENT;
    if (a->state != to && !op_attempt_state(op, a->id, to, err))
        return false;
    a->state = to;
    if (mined && a->kind != ATTEMPT_CHILD && !leave_other_branch(op, a, err))
        return false;
    return OP_CHANGE(op, err, "UPDATE attempt SET block_hash = $2, height = $3 WHERE id = $1",
                     db_text(a->id), mined ? db_hash(&s->block_hash) : db_null(DB_BLOB),
                     mined ? db_int(s->height) : db_null(DB_INT));
}

// A self-transfer spends the anchor of the payments: for R3 it is another transaction, so deep.
static bool note_void(struct op *op, const struct found *f, const struct sighting *s,
                      struct err *err)
{
    const int64_t depth = s->where == SIGHT_BLOCK ? s->depth : 0;
    const bool gone = s->where == SIGHT_GONE;
    return OP_EXEC(op, err,
                   "UPDATE attempt_input SET spent_txid = $2, spent_depth = $3 "
                   "WHERE attempt_id IN (SELECT id FROM attempt WHERE spend_id = $1 "
                   "AND kind IN ('pay', 'replace')) AND EXISTS (SELECT 1 FROM attempt_input v "
                   "WHERE v.attempt_id = $4 AND v.txid = attempt_input.txid "
                   "AND v.vout = attempt_input.vout) "
                   "AND (spent_txid IS NULL OR spent_txid = $5 OR coalesce(spent_depth, 0) < $6)",
                   db_text(f->spend_id), gone ? db_null(DB_BLOB) : db_hash(&f->attempt.txid),
                   gone ? db_null(DB_INT) : db_int(depth), db_text(f->attempt.id),
                   db_hash(&f->attempt.txid), db_int(depth));
}

// --- The spend ---

static bool has_confirmed(struct op *op, const char *spend_id, bool *out, struct err *err)
{
    struct db_rows rows;
    if (!OP_QUERY(op, &rows, err,
                  "SELECT 1 FROM attempt WHERE spend_id = $1 AND state = 'confirmed' "
                  "AND kind IN ('pay', 'replace') LIMIT 1",
                  db_text(spend_id)))
        return false;
    *out = rows.n > 0;
    return true;
}

static bool settle_depth_of(struct op *op, const char *wallet_id, unsigned *out, struct err *err)
{
    struct db_rows rows;
    *out = 0;
    if (!OP_QUERY(op, &rows, err, "SELECT settle_depth FROM wallet WHERE id = $1",
                  db_text(wallet_id)))
        return false;
    if (rows.n != 1)
        return code_fail(err, CODE_NOT_FOUND, "there is no such wallet");
    *out = (unsigned)db_cell_int(&rows, 0, 0);
    return true;
}

// The next arrow for a payment of ours that is where the sighting says; false: none.
static bool next_of_payment(const struct sight_step *c, const struct spend *s, bool any_confirmed,
                            enum spend_state *to)
{
    const bool mined = c->s->where == SIGHT_BLOCK, gone = c->s->where == SIGHT_GONE;
    const bool deep = mined && c->s->depth >= c->settle_depth;
    switch (s->state) {
    case SPEND_SIGNING: // its signatures became whole elsewhere
        *to = SPEND_PARKED;
        return !gone;
    case SPEND_VOID: // the conflict went with its block
        *to = SPEND_PARKED;
        return !gone;
    case SPEND_SIGNED:
    case SPEND_PARKED:
        *to = SPEND_SENT;
        return !gone;
    case SPEND_SENT:
    case SPEND_VOIDING:
        *to = SPEND_CONFIRMED;
        return mined;
    case SPEND_CONFIRMED:
        *to = deep ? SPEND_SETTLED : SPEND_SENT;
        return deep || !any_confirmed;
    case SPEND_SETTLED:
        *to = SPEND_SENT;
        return !any_confirmed || (mined && !deep);
    default:
        return false;
    }
}

// States in which no signer was asked, or which ended by R1 or R2: such a transaction cannot be there.
static bool is_impossible(const struct spend *s, const struct sighting *sight)
{
    return sight->where != SIGHT_GONE &&
           (s->state < SPEND_SIGNING || (spend_state_is_final(s->state) &&
                                         s->state != SPEND_SETTLED && s->state != SPEND_VOID));
}

static bool insert_foreign(struct op *op, const char *wallet_id, const struct hash256 *txid,
                           struct sats amount, struct sats fee, bool *is_new, struct err *err)
{
    uint64_t changed;
    char id[ID_SIZE];
    db_new_id(id, op->now_us);
    if (!db_exec(op->db, &changed,
                 "INSERT INTO foreign_outflow(id, wallet_id, txid, sat, fee, first_seen_at, state) "
                 "VALUES($1, $2, $3, $4, $5, $6, 'seen') ON CONFLICT (wallet_id, txid) DO NOTHING",
                 DB_ARGS(db_text(id), db_text(wallet_id), db_hash(txid), db_sats(amount),
                         db_sats(fee), db_int(op->now_us)),
                 err))
        return false;
    *is_new = changed == 1;
    return true;
}

// Critical: a payment whose claim was given up is on its way all the same. It counts as foreign.
static bool count_impossible(struct op *op, const struct sight_step *c, const struct spend *s,
                             const struct attempt *a, struct err *err)
{
    bool is_new;
    char txid[TXID_TEXT_SIZE];
    txid_to_text(txid, c->txid);
    if (!insert_foreign(op, c->wallet_id, c->txid, s->amount, a->fee, &is_new, err))
        return false;
    return !is_new || op_eventf(op, s, "outflow.foreign", err,
                                "{\"txid\": \"%s\", \"amount_sat\": %llu, \"critical\": true}",
                                txid, (unsigned long long)s->amount.n);
}

static bool leave_settled(struct op *op, const struct spend *s, struct err *err)
{
    return op_relock(op, s, err) &&
           op_eventf(op, s, "reorg", err, "{\"critical\": true, \"state\": \"%s\"}",
                     spend_state_name(s->state));
}

// Work that an arrow of the chain brings with it.
static bool before_move(struct op *op, struct spend *s, enum spend_state to, struct err *err)
{
    if (s->state == SPEND_VOID)
        return op_reopen(op, s, err);
    if (to == SPEND_SENT && s->state == SPEND_SETTLED)
        return leave_settled(op, s, err);
    if (to == SPEND_SENT && s->state == SPEND_CONFIRMED)
        return op_eventf(op, s, "reorg", err, "{\"critical\": false, \"state\": \"confirmed\"}");
    if (to == SPEND_SENT || to == SPEND_CONFIRMED)
        return op_reservation_sent(op, s, err);
    if (to == SPEND_SETTLED) // its inputs are spent for good
        return OP_EXEC(op, err, "DELETE FROM input_lock WHERE spend_id = $1", db_text(s->id));
    return true;
}

static bool wake_now(struct op *op, const struct spend *s, struct err *err)
{
    return OP_EXEC(op, err, "UPDATE spend SET next_at = $2 WHERE id = $1 AND next_at > $2",
                   db_text(s->id), db_int(op->now_us));
}

static bool move_by_chain(struct op *op, struct spend *s, enum spend_state to, struct err *err)
{
    return before_move(op, s, to, err) && op_move(op, s, to, NO_CODE, err) &&
           (spend_state_is_final(to) || to == SPEND_CONFIRMED || wake_now(op, s, err));
}

static bool step_payment(struct op *op, struct sight_step *c, struct spend *s,
                         const struct attempt *a, struct err *err)
{
    enum spend_state to;
    bool any_confirmed;
    if (is_impossible(s, c->s))
        return count_impossible(op, c, s, a, err);
    if (!has_confirmed(op, s->id, &any_confirmed, err))
        return false;
    c->again = next_of_payment(c, s, any_confirmed, &to);
    if (c->again)
        return move_by_chain(op, s, to, err);
    if (s->state == SPEND_VOIDING && c->s->where == SIGHT_MEMPOOL)
        return op_reservation_sent(op, s, err);
    // Evicted: somebody has to send it again.
    return c->s->where != SIGHT_GONE || spend_state_is_final(s->state) ||
           s->state == SPEND_CONFIRMED || wake_now(op, s, err);
}

// R3 holds for it: on to void; it holds no more: back from there.
static bool step_conflict(struct op *op, struct spend *s, bool *again, struct err *err)
{
    bool holds;
    unsigned rule;
    *again = false;
    if (!op_rule_3(op, s, &holds, err))
        return false;
    if (!holds && s->state == SPEND_VOID) {
        *again = true;
        return move_by_chain(op, s, SPEND_PARKED, err);
    }
    if (!holds)
        return true;
    switch (s->state) {
    case SPEND_SIGNING:
    case SPEND_SIGNED:
        *again = true;
        return move_by_chain(op, s, SPEND_PARKED, err);
    case SPEND_PARKED:
        *again = true;
        return move_by_chain(op, s, SPEND_VOIDING, err);
    case SPEND_SENT:
    case SPEND_VOIDING:
        *again = true;
        return op_release(op, s, &rule, err) && op_move(op, s, SPEND_VOID, NO_CODE, err);
    default:
        return true;
    }
}

static bool step_void(struct op *op, struct sight_step *c, struct spend *s, const struct found *f,
                      struct err *err)
{
    if (!note_void(op, f, c->s, err))
        return false;
    if (s->state == SPEND_PARKED && c->s->where != SIGHT_GONE) {
        c->again = true;
        return move_by_chain(op, s, SPEND_VOIDING, err);
    }
    return step_conflict(op, s, &c->again, err);
}

static bool sight_step(struct op *op, void *context, struct err *err)
{
    struct sight_step *c = context;
    struct guard guard;
    struct found f;
    struct spend s;
    c->again = false;
    if (!op_lock_guard(op, &guard, c->wallet_id, err) ||
        !find_attempt(op, c->wallet_id, c->txid, &f, &c->ours, err))
        return false;
    if (!c->ours)
        return true;
    // Read again behind the spend's lock.
    if (!op_lock_spend(op, &s, f.spend_id, err) ||
        !find_attempt(op, c->wallet_id, c->txid, &f, &c->ours, err) ||
        !settle_depth_of(op, c->wallet_id, &c->settle_depth, err) ||
        !note_attempt(op, &f.attempt, c->s, err))
        return false;
    if (f.attempt.kind == ATTEMPT_CHILD)
        return true;
    return f.attempt.kind == ATTEMPT_VOID ? step_void(op, c, &s, &f, err)
                                          : step_payment(op, c, &s, &f.attempt, err);
}

bool ledger_sighted(struct db *db, const char *wallet_id, const struct hash256 *txid,
                    const struct sighting *sighting, bool *ours, struct err *err)
{
    struct sight_step c = { .wallet_id = wallet_id, .txid = txid, .s = sighting, .again = true };
    for (unsigned i = 0; i < STEPS_MAX && c.again; i++)
        if (!op_run(db, sight_step, &c, err))
            return false;
    *ours = c.ours;
    return true;
}

// --- Conflicts ---

struct conflict {
    const char *wallet_id;
    const struct outpoint *spent;
    const struct hash256 *by;
    uint32_t depth;
    struct db_rows spends; // ids
    struct arena *arena;
    const char *spend_id;
    bool again;
};

// Spends of ours that want that coin, but for the one whose own transaction took it.
static bool find_losers(struct db *db, struct conflict *c, struct err *err)
{
    return db_query(
        db, &c->spends,
        "SELECT DISTINCT s.id FROM attempt_input i JOIN attempt a ON a.id = i.attempt_id "
        "JOIN spend s ON s.id = a.spend_id WHERE i.txid = $1 AND i.vout = $2 "
        "AND s.wallet_id = $3 AND NOT EXISTS (SELECT 1 FROM attempt o "
        "WHERE o.spend_id = s.id AND o.txid = $4)",
        DB_ARGS(db_hash(&c->spent->txid), db_int(c->spent->index), db_text(c->wallet_id),
                db_hash(c->by)),
        c->arena, err);
}

static bool conflict_step(struct op *op, void *context, struct err *err)
{
    struct conflict *c = context;
    struct guard guard;
    struct spend s;
    if (!op_lock_guard(op, &guard, c->wallet_id, err) || !op_lock_spend(op, &s, c->spend_id, err))
        return false;
    if (!OP_EXEC(op, err,
                 "UPDATE attempt_input SET spent_txid = $3, spent_depth = $4 "
                 "WHERE txid = $1 AND vout = $2 AND attempt_id IN "
                 "(SELECT id FROM attempt WHERE spend_id = $5)",
                 db_hash(&c->spent->txid), db_int(c->spent->index), db_hash(c->by),
                 db_int(c->depth), db_text(s.id)))
        return false;
    return step_conflict(op, &s, &c->again, err);
}

bool ledger_conflicted(struct db *db, const char *wallet_id, const struct outpoint *spent,
                       const struct hash256 *by, uint32_t depth, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct conflict c = {
        .wallet_id = wallet_id, .spent = spent, .by = by, .depth = depth, .arena = arena
    };
    char id[ID_SIZE];
    c.spend_id = id;
    if (!find_losers(db, &c, err))
        return false;
    for (size_t i = 0; i < c.spends.n; i++) {
        db_cell_copy(id, sizeof id, &c.spends, i, 0);
        c.again = true;
        for (unsigned step = 0; step < STEPS_MAX && c.again; step++)
            if (!op_run(db, conflict_step, &c, err))
                return false;
    }
    return true;
}

// --- Outflows that are not ours ---

struct foreign {
    const char *wallet_id;
    const struct hash256 *txid;
    struct sats amount, fee;
    const struct sighting *s;
    bool freezes, is_new;
};

static bool update_foreign(struct op *op, const struct foreign *f, struct err *err)
{
    unsigned settle_depth;
    if (!settle_depth_of(op, f->wallet_id, &settle_depth, err))
        return false;
    const bool mined = f->s->where == SIGHT_BLOCK;
    const char *state = !mined ? "seen" : f->s->depth >= settle_depth ? "settled" : "confirmed";
    return OP_EXEC(op, err,
                   "UPDATE foreign_outflow SET state = $3, block_hash = $4, height = $5 "
                   "WHERE wallet_id = $1 AND txid = $2",
                   db_text(f->wallet_id), db_hash(f->txid), db_text(state),
                   mined ? db_hash(&f->s->block_hash) : db_null(DB_BLOB),
                   mined ? db_int(f->s->height) : db_null(DB_INT));
}

static bool foreign_event(struct op *op, const struct foreign *f, struct err *err)
{
    char txid[TXID_TEXT_SIZE];
    uint8_t mem[256];
    struct writer w = writer_of(mem, sizeof mem);
    txid_to_text(txid, f->txid);
    writer_printf(&w, "{\"txid\": \"%s\", \"amount_sat\": %llu, \"fee_sat\": %llu}", txid,
                  (unsigned long long)f->amount.n, (unsigned long long)f->fee.n);
    const struct event event = { .actor = "coordinator",
                                 .kind = "outflow.foreign",
                                 .object = f->wallet_id,
                                 .after = writer_bytes(&w) };
    return ledger_event_within(op->db, &event, err);
}

// Behind the guard, so that whoever is being admitted sees it or comes before it.
static bool foreign(struct op *op, void *context, struct err *err)
{
    struct foreign *f = context;
    struct guard guard;
    return op_lock_guard(op, &guard, f->wallet_id, err) &&
           insert_foreign(op, f->wallet_id, f->txid, f->amount, f->fee, &f->is_new, err) &&
           update_foreign(op, f, err) &&
           (!f->is_new || !f->freezes || op_freeze(op, f->wallet_id, "coordinator", err)) &&
           (!f->is_new || foreign_event(op, f, err));
}

bool ledger_foreign(struct db *db, const char *wallet_id, const struct hash256 *txid,
                    struct sats amount, struct sats fee, const struct sighting *sighting,
                    bool freezes, bool *is_new, struct err *err)
{
    struct foreign f = { wallet_id, txid, amount, fee, sighting, freezes, false };
    if (!op_run(db, foreign, &f, err))
        return false;
    *is_new = f.is_new;
    return true;
}
