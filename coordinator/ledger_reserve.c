// coordinator/ledger_reserve.c -- the transaction that charges the cap (D2).
#include "coordinator/ledger_rows.h"
#include <inttypes.h>
#include <string.h>

// --- What fits ---

bool op_fee_fits(const struct velocity_view *v, struct sats extra, struct err *err)
{
    struct sats sum = v->fees;
    if (sats_add(&sum, extra) && sum.n <= v->fee_cap.n)
        return true;
    return code_fail(err, CODE_FEE_VELOCITY_EXCEEDED,
                     "the fee would exceed what the window allows for fees: %" PRIu64 " of %" PRIu64
                     " sat are spent, %" PRIu64 " more are asked for",
                     v->fees.n, v->fee_cap.n, extra.n);
}

static bool amount_fits(const struct velocity_view *v, const struct spend *s, struct err *err)
{
    const struct sats cap = s->tier == TIER_SURGE ? v->cap_surge : v->cap_auto;
    struct sats sum = v->spent;
    if (sats_add(&sum, s->amount) && sum.n <= cap.n)
        return true;
    return code_fail(err, CODE_VELOCITY_EXCEEDED,
                     "would exceed the cap: %" PRIu64 " of %" PRIu64 " sat are spent, %" PRIu64
                     " more are asked for",
                     v->spent.n, cap.n, s->amount.n);
}

// --- What must hold besides ---

static bool end_recovering(struct op *op, const char *wallet_id, struct err *err)
{
    const struct event event = { .actor = "coordinator",
                                 .kind = "wallet.status",
                                 .object = wallet_id,
                                 .before = BYTES("{\"status\": \"recovering\"}"),
                                 .after = BYTES("{\"status\": \"active\"}") };
    return OP_EXEC(op, err,
                   "UPDATE wallet SET status = 'active', recovering_until = NULL WHERE id = $1",
                   db_text(wallet_id)) &&
           ledger_event_within(op->db, &event, err);
}

bool op_wallet_active(struct op *op, const char *wallet_id, struct err *err)
{
    struct db_rows rows;
    if (!OP_QUERY(op, &rows, err,
                  "SELECT status, recovering_until FROM wallet WHERE id = $1 FOR UPDATE",
                  db_text(wallet_id)))
        return false;
    if (rows.n != 1)
        return code_fail(err, CODE_NOT_FOUND, "there is no such wallet");
    const struct bytes status = db_cell_bytes(&rows, 0, 0);
    if (bytes_equal_text(status, "frozen"))
        return code_fail(err, CODE_FROZEN, "the wallet is frozen");
    if (!bytes_equal_text(status, "recovering"))
        return true;
    // D5 "Amnesia": "admits nothing for one whole W"; its last microsecond included.
    if (op->now_us <= db_cell_int(&rows, 0, 1))
        return code_fail(err, CODE_RECOVERING,
                         "the ledger was lost: nothing is sent for one window");
    return end_recovering(op, wallet_id, err);
}

static bool is_fresh(const struct guard *g, int64_t now_us, struct err *err)
{
    const int64_t age_us = now_us - g->reconciled_us;
    // A clock that was set back makes an age that cannot be known: refused, too.
    if (g->reconciled_us != 0 && age_us <= MAX_STALENESS_US && age_us >= -MAX_STALENESS_US)
        return true;
    return code_fail(err, CODE_LEDGER_STALE, "the ledger was not compared with the chain lately");
}

// Invariant 9. Every output, as the ledger does not know which scripts are the wallet's own.
static bool all_listed(struct op *op, const struct spend *s, struct err *err)
{
    struct db_rows rows;
    if (!OP_QUERY(op, &rows, err,
                  "SELECT o.address FROM spend_output o LEFT JOIN destination d "
                  "ON d.id = o.destination_id AND d.wallet_id = $2 AND d.script = o.script "
                  "AND d.state = 'active' WHERE o.spend_id = $1 AND d.id IS NULL ORDER BY o.idx",
                  db_text(s->id), db_text(s->wallet_id)))
        return false;
    if (rows.n == 0)
        return true;
    const struct bytes address = db_cell_bytes(&rows, 0, 0);
    return code_fail(err, CODE_DESTINATION_NOT_ALLOWED, "%.*s is not on the list of destinations",
                     BYTES_ARG(address));
}

// --- The change address ---

// D6: one for each spend; those of ended spends first, so that failing spends use up none.
static bool take_change(struct op *op, struct spend *s, struct err *err)
{
    struct db_rows rows;
    s->has_change = true;
    if (!OP_QUERY(op, &rows, err,
                  "SELECT idx FROM change_address WHERE wallet_id = $1 AND spend_id IS NULL "
                  "ORDER BY idx LIMIT 1 FOR UPDATE",
                  db_text(s->wallet_id)))
        return false;
    if (rows.n == 1) {
        s->change_index = (uint32_t)db_cell_int(&rows, 0, 0);
        return OP_CHANGE(
            op, err, "UPDATE change_address SET spend_id = $3 WHERE wallet_id = $1 AND idx = $2",
            db_text(s->wallet_id), db_int(s->change_index), db_text(s->id));
    }
    if (!OP_QUERY(op, &rows, err,
                  "UPDATE wallet SET next_change = next_change + 1 WHERE id = $1 "
                  "RETURNING next_change - 1",
                  db_text(s->wallet_id)))
        return false;
    s->change_index = (uint32_t)db_cell_int(&rows, 0, 0);
    return OP_EXEC(op, err,
                   "INSERT INTO change_address(wallet_id, idx, spend_id) VALUES($1, $2, $3)",
                   db_text(s->wallet_id), db_int(s->change_index), db_text(s->id));
}

// --- Reserving ---

struct reserve {
    struct spend *spend, next;
    struct sats fee;
};

static bool insert_reservation(struct op *op, const struct spend *s, struct sats fee,
                               const struct velocity_view *v, struct err *err)
{
    const struct sats cap = s->tier == TIER_SURGE ? v->cap_surge : v->cap_auto;
    return OP_EXEC(op, err,
                   "INSERT INTO reservation(spend_id, wallet_id, sat, fee, fee_at, status, "
                   "reserved_at, window_s, cap, spent_before) "
                   "VALUES($1, $2, $3, $4, $5, 'open', $5, $6, $7, $8)",
                   db_text(s->id), db_text(s->wallet_id), db_sats(s->amount), db_sats(fee),
                   db_int(op->now_us), db_int(v->window_us / 1000000), db_sats(cap),
                   db_sats(v->spent)) &&
           OP_CHANGE(op, err, "UPDATE spend SET change_index = $2 WHERE id = $1", db_text(s->id),
                     db_int(s->change_index)) &&
           OP_CHANGE(op, err,
                     "UPDATE velocity_guard SET version = version + 1, "
                     "reserved_open = reserved_open + $2 WHERE wallet_id = $1",
                     db_text(s->wallet_id), db_sats(s->amount));
}

static bool admit(struct op *op, struct reserve *r, const struct guard *guard, struct err *err)
{
    struct spend *s = &r->next;
    struct velocity_view v;
    if (s->not_after_us != 0 && op->now_us > s->not_after_us)
        return code_fail(err, CODE_EXPIRED, "it was not to be sent so late");
    return op_wallet_active(op, s->wallet_id, err) && is_fresh(guard, op->now_us, err) &&
           all_listed(op, s, err) && op_velocity(op, &v, guard, s->wallet_id, err) &&
           amount_fits(&v, s, err) && op_fee_fits(&v, r->fee, err) && take_change(op, s, err) &&
           insert_reservation(op, s, r->fee, &v, err);
}

// The steps of D2, "Reserve, then broadcast", in their order.
static bool reserve(struct op *op, void *context, struct err *err)
{
    struct reserve *r = context;
    struct guard guard;
    r->next = *r->spend;
    return op_lock_guard(op, &guard, r->next.wallet_id, err) && op_hold(op, r->spend, err) &&
           admit(op, r, &guard, err) && op_move(op, &r->next, SPEND_RESERVED, NO_CODE, err);
}

bool ledger_reserve(struct db *db, struct spend *spend, struct sats fee, struct err *err)
{
    struct reserve r = { .spend = spend, .fee = fee };
    // What cannot be reserved is not counted either: no wait for the guard.
    if (!spend_state_may(spend->state, SPEND_RESERVED))
        return code_fail(err, CODE_CONFLICT, "a spend that is %s cannot become reserved",
                         spend_state_name(spend->state));
    if (!op_run(db, reserve, &r, err))
        return false;
    *spend = r.next;
    return true;
}
