// coordinator/ledger_window.c -- what counts against the cap: summed row by row, and by running sums (D2).
//
// (1) Who is admitted is measured by the rows themselves (op_velocity).
// (2) Who only looks (ledger_velocity) reads the guard's running sums and what left the window since they were moved:
//     the time that takes does not grow with the window. The sums are changed by triggers of the schema, in the
//     transaction that changes a row; invariants.h compares them with the rows.
#include "coordinator/ledger_rows.h"

// --- The guard row ---

#define GUARD_SELECT                                                                               \
    "SELECT window_s, reconciled_at, cap_auto, cap_surge, fee_cap, sum_from, sum_sent, "           \
    "sum_foreign, sum_fees FROM velocity_guard WHERE wallet_id = $1"

static bool guard_of(struct guard *out, const struct db_rows *rows, struct err *err)
{
    if (rows->n != 1)
        return code_fail(err, CODE_NOT_FOUND, "there is no such wallet");
    *out = (struct guard){
        .window_us = db_cell_int(rows, 0, 0) * 1000000,
        .reconciled_us = db_cell_int(rows, 0, 1),
        .cap = { [TIER_AUTO] = db_cell_sats(rows, 0, 2), [TIER_SURGE] = db_cell_sats(rows, 0, 3) },
        .fee_cap = db_cell_sats(rows, 0, 4),
        .sum_from_us = db_cell_int(rows, 0, 5),
        .sums = { db_cell_int(rows, 0, 6), db_cell_int(rows, 0, 7), db_cell_int(rows, 0, 8) },
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

// --- Sums ---

#define SUM(column) "CAST(coalesce(sum(" column "), 0) AS bigint)"

// What was sent, seen and charged from one time on and before another.
static bool sum_between(struct op *op, struct window_sums *out, const char *wallet_id,
                        int64_t from_us, int64_t to_us, struct err *err)
{
    struct db_rows sent, fees, foreign;
    *out = (struct window_sums){ 0 };
    if (from_us >= to_us)
        return true;
    if (!OP_QUERY(op, &sent, err,
                  "SELECT " SUM("sat") " FROM reservation WHERE wallet_id = $1 AND status = 'sent' "
                                       "AND first_sent_at >= $2 AND first_sent_at < $3",
                  db_text(wallet_id), db_int(from_us), db_int(to_us)) ||
        !OP_QUERY(op, &fees, err,
                  "SELECT " SUM("fee") " FROM reservation WHERE wallet_id = $1 AND status = 'sent' "
                                       "AND fee_at >= $2 AND fee_at < $3",
                  db_text(wallet_id), db_int(from_us), db_int(to_us)) ||
        !OP_QUERY(op, &foreign, err,
                  "SELECT " SUM("sat") ", " SUM("fee") " FROM foreign_outflow WHERE wallet_id = $1 "
                                                       "AND first_seen_at >= $2 AND "
                                                       "first_seen_at < $3 AND state <> 'void'",
                  db_text(wallet_id), db_int(from_us), db_int(to_us)))
        return false;
    *out = (struct window_sums){ .sent = db_cell_int(&sent, 0, 0),
                                 .foreign = db_cell_int(&foreign, 0, 0),
                                 .fees = db_cell_int(&fees, 0, 0) + db_cell_int(&foreign, 0, 1) };
    return true;
}

// The running sums as they are from another time on.
static bool sums_moved(struct op *op, struct window_sums *out, const struct guard *guard,
                       const char *wallet_id, int64_t from_us, struct err *err)
{
    struct window_sums gone, come;
    if (!sum_between(op, &gone, wallet_id, guard->sum_from_us, from_us, err) ||
        !sum_between(op, &come, wallet_id, from_us, guard->sum_from_us, err))
        return false;
    *out = (struct window_sums){ .sent = guard->sums.sent - gone.sent + come.sent,
                                 .foreign = guard->sums.foreign - gone.foreign + come.foreign,
                                 .fees = guard->sums.fees - gone.fees + come.fees };
    if (out->sent >= 0 && out->foreign >= 0 && out->fees >= 0)
        return true;
    return code_fail(err, CODE_INTERNAL, "the running sums of the window are wrong");
}

bool op_move_window(struct op *op, const struct guard *guard, const char *wallet_id,
                    struct err *err)
{
    const int64_t from_us = op->now_us - guard->window_us;
    struct window_sums sums;
    return sums_moved(op, &sums, guard, wallet_id, from_us, err) &&
           OP_CHANGE(op, err,
                     "UPDATE velocity_guard SET sum_from = $2, sum_sent = $3, sum_foreign = $4, "
                     "sum_fees = $5 WHERE wallet_id = $1",
                     db_text(wallet_id), db_int(from_us), db_int(sums.sent), db_int(sums.foreign),
                     db_int(sums.fees));
}

// --- The view ---

static bool view_open(struct op *op, struct velocity_view *v, const char *wallet_id,
                      struct err *err)
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

static void note_oldest(int64_t *oldest_us, const struct db_rows *rows)
{
    const int64_t at_us = rows->n > 0 ? db_cell_int(rows, 0, 0) : 0;
    if (at_us != 0 && (*oldest_us == 0 || at_us < *oldest_us))
        *oldest_us = at_us;
}

// When the oldest that counts leaves: the first microsecond in which it no longer does.
static bool view_oldest(struct op *op, struct velocity_view *v, const char *wallet_id,
                        int64_t cut_us, struct err *err)
{
    struct db_rows sent, foreign;
    int64_t oldest_us = 0;
    if (!OP_QUERY(op, &sent, err,
                  "SELECT first_sent_at FROM reservation WHERE wallet_id = $1 AND status = 'sent' "
                  "AND first_sent_at >= $2 ORDER BY first_sent_at LIMIT 1",
                  db_text(wallet_id), db_int(cut_us)) ||
        !OP_QUERY(op, &foreign, err,
                  "SELECT first_seen_at FROM foreign_outflow WHERE wallet_id = $1 "
                  "AND first_seen_at >= $2 AND state <> 'void' ORDER BY first_seen_at LIMIT 1",
                  db_text(wallet_id), db_int(cut_us)))
        return false;
    note_oldest(&oldest_us, &sent);
    note_oldest(&oldest_us, &foreign);
    v->oldest_ends_us = oldest_us ? oldest_us + v->window_us + 1 : 0;
    return true;
}

static bool view_of(struct op *op, struct velocity_view *out, const struct guard *guard,
                    const struct window_sums *sums, const char *wallet_id, struct err *err)
{
    *out = (struct velocity_view){ .window_us = guard->window_us,
                                   .now_us = op->now_us,
                                   .cap_auto = guard->cap[TIER_AUTO],
                                   .cap_surge = guard->cap[TIER_SURGE],
                                   .fee_cap = guard->fee_cap,
                                   .reconciled_us = guard->reconciled_us,
                                   .sent = { (uint64_t)sums->sent },
                                   .foreign = { (uint64_t)sums->foreign } };
    if (!view_open(op, out, wallet_id, err) ||
        !view_oldest(op, out, wallet_id, op->now_us - guard->window_us, err))
        return false;
    out->fees.n += (uint64_t)sums->fees;
    out->spent = out->open;
    if (!sats_add(&out->spent, out->sent) || !sats_add(&out->spent, out->foreign))
        return code_fail(err, CODE_INTERNAL, "the sum of all that was spent is too large");
    return true;
}

// "An entry exactly W old still counts."
bool op_velocity(struct op *op, struct velocity_view *out, const struct guard *guard,
                 const char *wallet_id, struct err *err)
{
    struct window_sums sums;
    return sum_between(op, &sums, wallet_id, op->now_us - guard->window_us, NEVER_US, err) &&
           view_of(op, out, guard, &sums, wallet_id, err);
}

static bool look(struct op *op, struct velocity_view *out, const char *wallet_id, struct err *err)
{
    struct window_sums sums;
    struct guard guard;
    struct db_rows rows;
    return OP_QUERY(op, &rows, err, GUARD_SELECT, db_text(wallet_id)) &&
           guard_of(&guard, &rows, err) &&
           sums_moved(op, &sums, &guard, wallet_id, op->now_us - guard.window_us, err) &&
           view_of(op, out, &guard, &sums, wallet_id, err);
}

// One state of the store for all of it, and no lock.
bool ledger_velocity(struct db *db, struct velocity_view *out, const char *wallet_id,
                     struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 16);
    struct op op = { db, arena, 0 };
    if (!db_begin_reading(db, err))
        return false;
    const bool ok = op_clock(&op, err) && look(&op, out, wallet_id, err);
    db_rollback(db);
    return ok;
}
