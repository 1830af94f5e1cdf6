// coordinator/ledger_end.c -- reservations: sent, released by R1 to R3, reopened; spends that end or are parked.
#include "coordinator/ledger_rows.h"
#include <stdio.h>
#include <string.h>

// --- Reservations ---

bool op_reservation(struct op *op, struct reservation *out, const char *spend_id, struct err *err)
{
    static const char *const names[] = { "", "open", "sent", "released" };
    struct db_rows rows;
    *out = (struct reservation){ .status = RESERVATION_NONE };
    if (!OP_QUERY(op, &rows, err,
                  "SELECT status, sat, fee, first_sent_at FROM reservation WHERE spend_id = $1",
                  db_text(spend_id)))
        return false;
    if (rows.n == 0)
        return true;
    while (!bytes_equal_text(db_cell_bytes(&rows, 0, 0), names[out->status]))
        out->status++;
    out->amount = db_cell_sats(&rows, 0, 1);
    out->fee = db_cell_sats(&rows, 0, 2);
    out->first_sent_us = db_cell_int(&rows, 0, 3);
    return true;
}

// D2: "the guard row carries the running sum of open reservations".
static bool open_changes(struct op *op, const struct spend *s, struct sats amount, bool opened,
                         struct err *err)
{
    const int64_t change = opened ? db_sats(amount).n : -db_sats(amount).n;
    return OP_CHANGE(op, err,
                     "UPDATE velocity_guard SET version = version + 1, "
                     "reserved_open = reserved_open + $2 WHERE wallet_id = $1",
                     db_text(s->wallet_id), db_int(change));
}

bool op_reservation_sent(struct op *op, const struct spend *spend, struct err *err)
{
    struct reservation r;
    if (!op_reservation(op, &r, spend->id, err))
        return false;
    if (r.status == RESERVATION_SENT)
        return true;
    if (r.status != RESERVATION_OPEN)
        return code_fail(err, CODE_CONFLICT, "its reservation is not open");
    return OP_CHANGE(op, err,
                     "UPDATE reservation SET status = 'sent', first_sent_at = $2, fee_at = $2 "
                     "WHERE spend_id = $1 AND status = 'open'",
                     db_text(spend->id), db_int(op->now_us)) &&
           open_changes(op, spend, r.amount, false, err);
}

// --- The rules of D3, "When may a reservation be released?" ---

// "(R1) no sign_request of the spend has left planned"
static bool rule_1(struct op *op, const char *spend_id, bool *holds, struct err *err)
{
    struct db_rows rows;
    if (!OP_QUERY(op, &rows, err,
                  "SELECT 1 FROM sign_request r JOIN attempt a ON a.id = r.attempt_id "
                  "WHERE a.spend_id = $1 AND r.state <> 'planned' LIMIT 1",
                  db_text(spend_id)))
        return false;
    *holds = rows.n == 0;
    return true;
}

// "(R2) fewer than k signatures exist anywhere: those received, plus every request without definite answer,
// are fewer than k". A signer that was asked twice for one transaction has one signature to give.
static bool rule_2(struct op *op, const struct spend *s, bool *holds, struct err *err)
{
    struct db_rows rows;
    if (!OP_QUERY(op, &rows, err,
                  "SELECT (SELECT count(*) FROM (SELECT DISTINCT r.attempt_id, r.signer_id "
                  "FROM sign_request r JOIN attempt a ON a.id = r.attempt_id "
                  "WHERE a.spend_id = $1 AND r.state IN ('asked', 'signed', 'unknown') "
                  "AND a.kind IN ('pay', 'replace')) maybe), "
                  "(SELECT count(*) FROM attempt WHERE spend_id = $1 AND raw IS NOT NULL "
                  "AND kind IN ('pay', 'replace')), k FROM wallet WHERE id = $2",
                  db_text(s->id), db_text(s->wallet_id)))
        return false;
    *holds = rows.n == 1 && db_cell_int(&rows, 0, 0) < db_cell_int(&rows, 0, 2) &&
             db_cell_int(&rows, 0, 1) == 0;
    return true;
}

// "(R3) an input of every attempt is spent by another transaction that is settle_depth deep". Self-transfers and
// children carry no outflow; a settled self-transfer is such another transaction.
bool op_rule_3(struct op *op, const struct spend *s, bool *holds, struct err *err)
{
    struct db_rows rows;
    if (!OP_QUERY(op, &rows, err,
                  "SELECT count(*), coalesce(sum(CASE WHEN EXISTS (SELECT 1 FROM attempt_input i "
                  "WHERE i.attempt_id = a.id AND i.spent_depth >= w.settle_depth) THEN 1 ELSE 0 "
                  "END), 0) FROM attempt a JOIN spend s ON s.id = a.spend_id "
                  "JOIN wallet w ON w.id = s.wallet_id "
                  "WHERE a.spend_id = $1 AND a.kind IN ('pay', 'replace')",
                  db_text(s->id)))
        return false;
    const int64_t all = db_cell_int(&rows, 0, 0);
    *holds = all > 0 && db_cell_int(&rows, 0, 1) == all;
    return true;
}

static bool rule_of(struct op *op, const struct spend *s, unsigned *rule, struct err *err)
{
    bool one, two, three;
    if (!rule_1(op, s->id, &one, err) || !rule_2(op, s, &two, err) ||
        !op_rule_3(op, s, &three, err))
        return false;
    *rule = one ? 1 : two ? 2 : three ? 3 : 0;
    return true;
}

static bool write_release(struct op *op, const struct spend *s, const struct reservation *r,
                          unsigned rule, struct err *err)
{
    static const char *const names[] = { "", "R1", "R2", "R3" };
    if (!OP_CHANGE(op, err,
                   "UPDATE reservation SET status = 'released', released_at = $2, "
                   "release_rule = $3 WHERE spend_id = $1 AND status <> 'released'",
                   db_text(s->id), db_int(op->now_us), db_text(names[rule])) ||
        !OP_EXEC(op, err, "DELETE FROM input_lock WHERE spend_id = $1", db_text(s->id)) ||
        !OP_EXEC(op, err,
                 "UPDATE attempt SET state = 'dead' WHERE spend_id = $1 AND state <> 'confirmed'",
                 db_text(s->id)))
        return false;
    // "Released addresses return to a pool"; not that of a transaction that a reorg may bring back.
    if (rule != 3 &&
        !OP_EXEC(op, err, "UPDATE change_address SET spend_id = NULL WHERE spend_id = $1",
                 db_text(s->id)))
        return false;
    return r->status != RESERVATION_OPEN || open_changes(op, s, r->amount, false, err);
}

bool op_release(struct op *op, struct spend *spend, unsigned *rule, struct err *err)
{
    struct reservation r;
    *rule = 0;
    if (!op_reservation(op, &r, spend->id, err))
        return false;
    if (r.status != RESERVATION_OPEN && r.status != RESERVATION_SENT)
        return true;
    if (!rule_of(op, spend, rule, err))
        return false;
    return *rule == 0 || write_release(op, spend, &r, *rule, err);
}

bool op_reopen(struct op *op, struct spend *spend, struct err *err)
{
    struct reservation r;
    if (!op_reservation(op, &r, spend->id, err))
        return false;
    if (r.status != RESERVATION_RELEASED)
        return true;
    const bool was_sent = r.first_sent_us != 0;
    return OP_CHANGE(op, err,
                     "UPDATE reservation SET status = $2, released_at = NULL, release_rule = NULL "
                     "WHERE spend_id = $1 AND status = 'released'",
                     db_text(spend->id), db_text(was_sent ? "sent" : "open")) &&
           OP_EXEC(op, err,
                   "UPDATE attempt SET state = CASE WHEN first_sent_at IS NOT NULL THEN 'sent' "
                   "WHEN raw IS NOT NULL THEN 'signed' ELSE 'signing' END "
                   "WHERE spend_id = $1 AND state = 'dead'",
                   db_text(spend->id)) &&
           op_relock(op, spend, err) && (was_sent || open_changes(op, spend, r.amount, true, err));
}

// --- Ending and parking ---

struct end {
    struct spend *spend, next;
    enum spend_state state;
    enum code code;
    const char *detail;
};

// An end before anything was reserved releases nothing; one after that needs a rule.
static bool release_for_end(struct op *op, struct spend *s, struct err *err)
{
    struct reservation r;
    unsigned rule;
    if (!op_reservation(op, &r, s->id, err))
        return false;
    if (r.status == RESERVATION_NONE)
        return true;
    if (!op_release(op, s, &rule, err))
        return false;
    return rule != 0 ||
           code_fail(err, CODE_CONFLICT, "signatures may exist that complete it: it stays charged");
}

static bool end(struct op *op, void *context, struct err *err)
{
    struct end *e = context;
    struct guard guard;
    e->next = *e->spend;
    if (!op_lock_guard(op, &guard, e->next.wallet_id, err) || !op_hold(op, e->spend, err))
        return false;
    if (spend_state_is_final(e->state) && !release_for_end(op, &e->next, err))
        return false;
    return op_move(op, &e->next, e->state, e->code, e->detail, err);
}

static bool run_end(struct db *db, struct spend *spend, enum spend_state state, enum code code,
                    const char *detail, struct err *err)
{
    struct end e = { .spend = spend, .state = state, .code = code, .detail = detail };
    if (!op_run(db, end, &e, err))
        return false;
    *spend = e.next;
    return true;
}

bool ledger_park(struct db *db, struct spend *spend, enum code code, const char *detail,
                 struct err *err)
{
    return run_end(db, spend, SPEND_PARKED, code, detail, err);
}

bool ledger_end(struct db *db, struct spend *spend, enum spend_state state, enum code code,
                const char *detail, struct err *err)
{
    static const uint32_t ends = 1u << SPEND_AWAITING_APPROVAL | 1u << SPEND_REJECTED |
                                 1u << SPEND_EXPIRED | 1u << SPEND_FAILED | 1u << SPEND_CANCELLED |
                                 1u << SPEND_REFUSED;
    if ((ends & 1u << state) == 0)
        return code_fail(err, CODE_CONFLICT, "%s is no end that a person or signer can bring",
                         spend_state_name(state));
    return run_end(db, spend, state, code, detail, err);
}
