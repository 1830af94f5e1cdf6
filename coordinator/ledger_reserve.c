// coordinator/ledger_reserve.c -- the cap: what counts against it, and the transaction that charges it (D2).
#include "coordinator/ledger_rows.h"
#include <inttypes.h>
#include <string.h>

// --- The guard row ---

#define GUARD_SELECT                                                                               \
    "SELECT window_s, reconciled_at, cap_auto, cap_surge, fee_cap FROM velocity_guard "            \
    "WHERE wallet_id = $1"

static bool guard_of(struct guard *out, const struct db_rows *rows, struct err *err)
{
    if (rows->n != 1)
        return code_fail(err, CODE_NOT_FOUND, "there is no such wallet");
    *out = (struct guard){
        .window_us = db_cell_int(rows, 0, 0) * 1000000,
        .reconciled_us = db_cell_int(rows, 0, 1),
        .cap = { [TIER_AUTO] = db_cell_sats(rows, 0, 2), [TIER_SURGE] = db_cell_sats(rows, 0, 3) },
        .fee_cap = db_cell_sats(rows, 0, 4)
    };
    return true;
}

bool op_lock_guard(struct op *op, struct guard *out, const char *wallet_id, struct err *err)
{
    struct db_rows rows;
    return OP_QUERY(op, &rows, err, GUARD_SELECT " FOR UPDATE", db_text(wallet_id)) &&
           guard_of(out, &rows, err) &&
           op_clock(op, err); // before the wait it would have been another time
}

// --- What counts ---

#define SUM(column) "CAST(coalesce(sum(" column "), 0) AS bigint)"

static bool sum_open(struct op *op, struct velocity_view *v, const char *wallet_id, struct err *err)
{
    struct db_rows rows;
    if (!OP_QUERY(op, &rows, err,
                  "SELECT count(*), " SUM("sat") ", " SUM(
                      "fee") ", min(reserved_at) "
                             "FROM reservation WHERE wallet_id = $1 AND status = 'open'",
                  db_text(wallet_id)))
        return false;
    v->n_open = db_cell_u64(&rows, 0, 0);
    v->open = db_cell_sats(&rows, 0, 1);
    v->fees = db_cell_sats(&rows, 0, 2);
    v->oldest_open_us = db_cell_int(&rows, 0, 3);
    return true;
}

static void note_oldest(int64_t *oldest_us, int64_t at_us)
{
    if (at_us != 0 && (*oldest_us == 0 || at_us < *oldest_us))
        *oldest_us = at_us;
}

// "An entry exactly W old still counts."
static bool sum_sent(struct op *op, struct velocity_view *v, const char *wallet_id, int64_t cut_us,
                     int64_t *oldest_us, struct err *err)
{
    struct db_rows rows, fees;
    if (!OP_QUERY(
            op, &rows, err,
            "SELECT " SUM("sat") ", min(first_sent_at) FROM reservation "
                                 "WHERE wallet_id = $1 AND status = 'sent' AND first_sent_at >= $2",
            db_text(wallet_id), db_int(cut_us)) ||
        !OP_QUERY(op, &fees, err,
                  "SELECT " SUM("fee") " FROM reservation "
                                       "WHERE wallet_id = $1 AND status = 'sent' AND fee_at >= $2",
                  db_text(wallet_id), db_int(cut_us)))
        return false;
    v->sent = db_cell_sats(&rows, 0, 0);
    v->fees.n += db_cell_u64(&fees, 0, 0);
    note_oldest(oldest_us, db_cell_int(&rows, 0, 1));
    return true;
}

static bool sum_foreign(struct op *op, struct velocity_view *v, const char *wallet_id,
                        int64_t cut_us, int64_t *oldest_us, struct err *err)
{
    struct db_rows rows;
    if (!OP_QUERY(op, &rows, err,
                  "SELECT " SUM("sat") ", " SUM(
                      "fee") ", min(first_seen_at) FROM foreign_outflow "
                             "WHERE wallet_id = $1 AND first_seen_at >= $2 AND state <> 'void'",
                  db_text(wallet_id), db_int(cut_us)))
        return false;
    v->foreign = db_cell_sats(&rows, 0, 0);
    v->fees.n += db_cell_u64(&rows, 0, 1);
    note_oldest(oldest_us, db_cell_int(&rows, 0, 2));
    return true;
}

bool op_velocity(struct op *op, struct velocity_view *out, const struct guard *guard,
                 const char *wallet_id, struct err *err)
{
    const int64_t cut_us = op->now_us - guard->window_us;
    int64_t oldest_us = 0;
    *out = (struct velocity_view){ .window_us = guard->window_us,
                                   .now_us = op->now_us,
                                   .cap_auto = guard->cap[TIER_AUTO],
                                   .cap_surge = guard->cap[TIER_SURGE],
                                   .fee_cap = guard->fee_cap,
                                   .reconciled_us = guard->reconciled_us };
    if (!sum_open(op, out, wallet_id, err) ||
        !sum_sent(op, out, wallet_id, cut_us, &oldest_us, err) ||
        !sum_foreign(op, out, wallet_id, cut_us, &oldest_us, err))
        return false;
    out->spent = out->open;
    if (!sats_add(&out->spent, out->sent) || !sats_add(&out->spent, out->foreign))
        return code_fail(err, CODE_INTERNAL, "the sum of all that was spent is too large");
    // The first microsecond in which it no longer counts.
    out->oldest_ends_us = oldest_us ? oldest_us + guard->window_us + 1 : 0;
    return true;
}

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

// --- Looking ---

struct look {
    struct velocity_view *out;
    const char *wallet_id;
};

static bool look(struct op *op, struct look *l, struct err *err)
{
    struct guard guard;
    struct db_rows rows;
    return OP_QUERY(op, &rows, err, GUARD_SELECT, db_text(l->wallet_id)) &&
           guard_of(&guard, &rows, err) && op_velocity(op, l->out, &guard, l->wallet_id, err);
}

// One state of the store for all sums, and no lock.
bool ledger_velocity(struct db *db, struct velocity_view *out, const char *wallet_id,
                     struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 16);
    struct op op = { db, arena, 0 };
    struct look l = { out, wallet_id };
    if (!db_begin_reading(db, err))
        return false;
    const bool ok = op_clock(&op, err) && look(&op, &l, err);
    db_rollback(db);
    return ok;
}
