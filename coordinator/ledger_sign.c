// coordinator/ledger_sign.c -- asking signers, what they answered, the final transaction, and that it was sent.
#include "base/require.h"
#include "coordinator/ledger_rows.h"
#include <stdio.h>
#include <string.h>

// --- Reading ---

bool ledger_sign_requests(struct db *db, struct sign_requests *out, const char *attempt_id,
                          struct arena *arena, struct err *err)
{
    struct db_rows rows;
    if (!db_query(db, &rows,
                  "SELECT id, signer_id, seq, state, asked_at, tag, detail, signatures "
                  "FROM sign_request WHERE attempt_id = $1 ORDER BY created_at, id",
                  DB_ARGS(db_text(attempt_id)), arena, err))
        return false;
    *out = (struct sign_requests){ arena_array(arena, rows.n, sizeof *out->items), rows.n };
    if (!out->items)
        return err_set(err, ERR_NO_MEMORY, "too many requests");
    for (size_t i = 0; i < rows.n; i++) {
        struct sign_request *r = &out->items[i];
        db_cell_copy(r->id, sizeof r->id, &rows, i, 0);
        db_cell_copy(r->signer_id, sizeof r->signer_id, &rows, i, 1);
        r->seq = (unsigned)db_cell_int(&rows, i, 2);
        REQUIRE(sign_state_of(&r->state, db_cell_bytes(&rows, i, 3)));
        r->asked_us = db_cell_int(&rows, i, 4);
        db_cell_copy(r->tag, sizeof r->tag, &rows, i, 5);
        db_cell_copy(r->detail, sizeof r->detail, &rows, i, 6);
        r->signatures = db_cell_bytes(&rows, i, 7);
    }
    return true;
}

// --- Answers ---

// The spend is held. A late signature is taken from a request that was given up as unknown; nothing else changes one.
static bool write_answer(struct op *op, const struct spend *s, const struct sign_answer *a,
                         struct err *err)
{
    char detail[201], tag[16];
    (void)snprintf(detail, sizeof detail, "%s", a->detail ? a->detail : "");
    (void)snprintf(tag, sizeof tag, "%s", a->tag ? a->tag : "");
    if (a->outcome == SIGN_ASKED)
        return code_fail(err, CODE_BAD_REQUEST, "an answer is signed, refused, unknown or planned");
    return OP_CHANGE(op, err,
                     "UPDATE sign_request SET state = $2, answered_at = $3, tag = $4, detail = $5, "
                     "signatures = $6 WHERE id = $1 AND (state = 'asked' OR "
                     "(state = 'unknown' AND $2 = 'signed'))",
                     db_text(a->request->id), db_text(sign_state_name(a->outcome)),
                     db_int(op->now_us), db_text(tag[0] ? tag : NULL),
                     db_text(detail[0] ? detail : NULL),
                     a->outcome == SIGN_SIGNED ? db_blob(a->signatures) : db_null(DB_BLOB)) &&
           op_eventf(op, s, "sign.answered", err,
                     "{\"signer\": \"%s\", \"seq\": %u, \"outcome\": \"%s\"}",
                     a->request->signer_id, a->request->seq, sign_state_name(a->outcome));
}

// It is committed.
static void note_answer(const struct sign_answer *a)
{
    struct sign_request *r = a->request;
    r->state = a->outcome;
    r->signatures = a->outcome == SIGN_SIGNED ? a->signatures : (struct bytes){ 0 };
    (void)snprintf(r->tag, sizeof r->tag, "%s", a->tag ? a->tag : "");
    (void)snprintf(r->detail, sizeof r->detail, "%s", a->detail ? a->detail : "");
}

struct answer {
    const struct spend *spend;
    const struct sign_answer *answer;
};

static bool answer(struct op *op, void *context, struct err *err)
{
    const struct answer *a = context;
    return op_hold(op, a->spend, err) && write_answer(op, a->spend, a->answer, err);
}

bool ledger_sign_answer(struct db *db, struct spend *spend, struct sign_request *request,
                        enum sign_state outcome, const char *tag, const char *detail,
                        struct bytes signatures, struct err *err)
{
    const struct sign_answer given = { request, outcome, tag, detail, signatures };
    struct answer a = { spend, &given };
    if (!op_run(db, answer, &a, err))
        return false;
    note_answer(&given);
    return true;
}

// --- Asking ---

struct ask {
    struct spend *spend, next;
    struct attempt *attempt, moved;
    const struct sign_answer *before; // NULL: none
    const char *signer_id;
    struct sign_request made;
};

// Invariant 5: "No sign_request leaves planned without an open or sent reservation."
static bool is_covered(struct op *op, const struct spend *s, struct err *err)
{
    struct reservation r;
    if (!op_reservation(op, &r, s->id, err))
        return false;
    return r.status == RESERVATION_OPEN || r.status == RESERVATION_SENT ||
           code_fail(err, CODE_CONFLICT, "nothing is reserved for it");
}

// A frozen or recovering wallet asks for nothing new; what some signer was asked for may become whole, and
// what takes a payment back is no outflow.
static bool may_begin(struct op *op, const struct spend *s, const struct attempt *a,
                      struct err *err)
{
    struct db_rows rows;
    if (a->kind == ATTEMPT_VOID)
        return true;
    if (!OP_QUERY(op, &rows, err,
                  "SELECT 1 FROM sign_request WHERE attempt_id = $1 AND state <> 'planned' LIMIT 1",
                  db_text(a->id)))
        return false;
    return rows.n > 0 || op_wallet_active(op, s->wallet_id, err);
}

// The attempt as the ledger has it: of this spend, and to be signed.
static bool check_attempt(struct op *op, const struct spend *s, struct attempt *a, struct err *err)
{
    struct db_rows rows;
    if (!OP_QUERY(op, &rows, err, ATTEMPT_SELECT " WHERE a.id = $1 AND a.spend_id = $2",
                  db_text(a->id), db_text(s->id)))
        return false;
    if (rows.n != 1)
        return code_fail(err, CODE_NOT_FOUND, "this spend has no such transaction");
    const struct attempt now = attempt_of_row(&rows, 0);
    a->state = now.state;
    a->first_sent_us = now.first_sent_us;
    a->kind = now.kind;
    return true;
}

// An unanswered request of that signer: it may have signed.
static bool close_unanswered(struct op *op, const struct ask *c, unsigned *seq, struct err *err)
{
    struct db_rows rows;
    if (!OP_EXEC(op, err,
                 "UPDATE sign_request SET state = 'unknown' "
                 "WHERE attempt_id = $1 AND signer_id = $2 AND state = 'asked'",
                 db_text(c->moved.id), db_text(c->signer_id)) ||
        !OP_QUERY(op, &rows, err,
                  "SELECT coalesce(max(seq), 0), "
                  "coalesce(max(CASE state WHEN 'signed' THEN 1 ELSE 0 END), 0), "
                  "coalesce(max(CASE state WHEN 'planned' THEN seq ELSE 0 END), 0) "
                  "FROM sign_request WHERE attempt_id = $1 AND signer_id = $2",
                  db_text(c->moved.id), db_text(c->signer_id)))
        return false;
    if (db_cell_int(&rows, 0, 1) != 0)
        return code_fail(err, CODE_CONFLICT, "this signer has signed it already");
    const int64_t planned = db_cell_int(&rows, 0, 2);
    *seq = (unsigned)(planned != 0 ? planned : db_cell_int(&rows, 0, 0) + 1);
    return true;
}

static bool write_ask(struct op *op, struct ask *c, unsigned seq, struct err *err)
{
    struct db_rows rows;
    // What a device charges: a child or a self-transfer pays nobody else (A7).
    const bool pays = c->moved.kind == ATTEMPT_PAY || c->moved.kind == ATTEMPT_REPLACE;
    char id[ID_SIZE];
    db_new_id(id, op->now_us);
    if (!OP_QUERY(op, &rows, err,
                  "INSERT INTO sign_request(id, created_at, attempt_id, signer_id, seq, state, "
                  "value, asked_at) VALUES($1, $2, $3, $4, $5, 'asked', $6, $2) "
                  "ON CONFLICT (attempt_id, signer_id, seq) DO UPDATE "
                  "SET state = 'asked', asked_at = excluded.asked_at RETURNING id",
                  db_text(id), db_int(op->now_us), db_text(c->moved.id), db_text(c->signer_id),
                  db_int(seq), db_sats(pays ? c->next.amount : (struct sats){ 0 })))
        return false;
    c->made = (struct sign_request){ .seq = seq, .state = SIGN_ASKED, .asked_us = op->now_us };
    db_cell_copy(c->made.id, sizeof c->made.id, &rows, 0, 0);
    (void)snprintf(c->made.signer_id, sizeof c->made.signer_id, "%s", c->signer_id);
    return true;
}

static bool move_asked(struct op *op, struct ask *c, struct err *err)
{
    if (c->moved.state == ATTEMPT_BUILT) {
        if (!op_attempt_state(op, c->moved.id, ATTEMPT_SIGNING, err))
            return false;
        c->moved.state = ATTEMPT_SIGNING;
    }
    if (!op_eventf(op, &c->next, "sign.asked", err,
                   "{\"attempt\": %u, \"signer\": \"%s\", \"seq\": %u}", c->moved.number,
                   c->signer_id, c->made.seq))
        return false;
    if (c->next.state != SPEND_BUILT && c->next.state != SPEND_PARKED)
        return true;
    return op_move(op, &c->next, SPEND_SIGNING, NO_CODE, err);
}

static bool may_ask(const struct ask *c, struct err *err)
{
    static const uint32_t states = 1u << SPEND_BUILT | 1u << SPEND_PARKED | 1u << SPEND_SIGNING |
                                   1u << SPEND_SENT | 1u << SPEND_VOIDING;
    if ((states & 1u << c->next.state) == 0)
        return code_fail(err, CODE_CONFLICT, "a spend that is %s asks no signer",
                         spend_state_name(c->next.state));
    if (c->moved.state != ATTEMPT_BUILT && c->moved.state != ATTEMPT_SIGNING)
        return code_fail(err, CODE_CONFLICT, "a transaction that is %s is not signed",
                         attempt_state_name(c->moved.state));
    return true;
}

static bool ask(struct op *op, void *context, struct err *err)
{
    struct ask *c = context;
    unsigned seq = 0;
    c->next = *c->spend;
    c->moved = *c->attempt;
    return op_hold(op, c->spend, err) &&
           (c->before == NULL || write_answer(op, &c->next, c->before, err)) &&
           check_attempt(op, &c->next, &c->moved, err) && may_ask(c, err) &&
           is_covered(op, &c->next, err) && may_begin(op, &c->next, &c->moved, err) &&
           close_unanswered(op, c, &seq, err) && write_ask(op, c, seq, err) &&
           move_asked(op, c, err);
}

bool ledger_sign_ask_next(struct db *db, struct spend *spend, struct attempt *attempt,
                          const struct sign_answer *before, const char *signer_id,
                          struct sign_request *out, struct err *err)
{
    struct ask c = { .spend = spend, .attempt = attempt, .before = before, .signer_id = signer_id };
    if (!op_run(db, ask, &c, err))
        return false;
    if (before != NULL)
        note_answer(before);
    *spend = c.next;
    *attempt = c.moved;
    *out = c.made;
    return true;
}

bool ledger_sign_ask(struct db *db, struct spend *spend, struct attempt *attempt,
                     const char *signer_id, struct sign_request *out, struct err *err)
{
    return ledger_sign_ask_next(db, spend, attempt, NULL, signer_id, out, err);
}

// --- The final transaction ---

struct final {
    struct spend *spend, next;
    struct attempt *attempt, moved;
    const struct sign_answer *last; // NULL: none
    struct bytes raw;
    bool lets_go;
    int64_t next_us;
};

// It is that attempt's transaction, with as many stored signatures as it takes.
static bool check_final(struct op *op, const struct final *f, struct err *err)
{
    struct db_rows rows;
    struct tx tx;
    if (!tx_parse(&tx, f->raw, op->arena, err))
        return err_within(err, "final transaction");
    const struct hash256 txid = tx_txid(&tx);
    if (!bytes_equal(BYTES_OF(txid.b), BYTES_OF(f->moved.txid.b)))
        return code_fail(err, CODE_INTERNAL, "the final transaction is another one");
    if (!OP_QUERY(op, &rows, err,
                  "SELECT (SELECT count(DISTINCT signer_id) FROM sign_request "
                  "WHERE attempt_id = $1 AND state = 'signed'), k FROM wallet WHERE id = $2",
                  db_text(f->moved.id), db_text(f->next.wallet_id)))
        return false;
    if (rows.n == 1 && db_cell_int(&rows, 0, 0) >= db_cell_int(&rows, 0, 1))
        return true;
    return code_fail(err, CODE_CONFLICT, "fewer signatures are stored than it takes");
}

static bool store_final(struct op *op, void *context, struct err *err)
{
    struct final *f = context;
    f->next = *f->spend;
    f->moved = *f->attempt;
    if (!op_hold(op, f->spend, err) ||
        (f->last != NULL && !write_answer(op, &f->next, f->last, err)) ||
        !check_attempt(op, &f->next, &f->moved, err) || !check_final(op, f, err))
        return false;
    if (f->moved.state != ATTEMPT_BUILT && f->moved.state != ATTEMPT_SIGNING)
        return code_fail(err, CODE_CONFLICT, "a transaction that is %s is not signed",
                         attempt_state_name(f->moved.state));
    const struct hash256 wtxid = sha256d(f->raw);
    if (!OP_CHANGE(op, err,
                   "UPDATE attempt SET raw = $2, wtxid = $3, state = 'signed' WHERE id = $1",
                   db_text(f->moved.id), db_blob(f->raw), db_hash(&wtxid)) ||
        !op_eventf(op, &f->next, "spend.final", err, "{\"attempt\": %u}", f->moved.number))
        return false;
    f->moved.state = ATTEMPT_SIGNED;
    f->moved.raw = f->raw;
    if (f->next.state != SPEND_SIGNING && f->next.state != SPEND_PARKED)
        return true;
    return op_move(op, &f->next, SPEND_SIGNED, NO_CODE, err);
}

bool ledger_signed_at_last(struct db *db, struct spend *spend, struct attempt *attempt,
                           const struct sign_answer *last, struct bytes raw, struct err *err)
{
    struct final f = { .spend = spend, .attempt = attempt, .last = last, .raw = raw };
    if (!op_run(db, store_final, &f, err))
        return false;
    if (last != NULL)
        note_answer(last);
    *spend = f.next;
    *attempt = f.moved;
    return true;
}

bool ledger_signed(struct db *db, struct spend *spend, struct attempt *attempt, struct bytes raw,
                   struct err *err)
{
    return ledger_signed_at_last(db, spend, attempt, NULL, raw, err);
}

// --- Sent ---

static bool pays_others(enum attempt_kind kind)
{
    return kind == ATTEMPT_PAY || kind == ATTEMPT_REPLACE;
}

static bool move_sent(struct op *op, struct final *f, struct err *err)
{
    if (f->moved.state == ATTEMPT_SIGNED) {
        if (!op_attempt_state(op, f->moved.id, ATTEMPT_SENT, err) ||
            !op_eventf(op, &f->next, "attempt.sent", err, "{\"attempt\": %u}", f->moved.number))
            return false;
        f->moved.state = ATTEMPT_SENT;
        if (f->moved.first_sent_us == 0)
            f->moved.first_sent_us = op->now_us;
    }
    // A self-transfer that was sent is no outflow: the reservation stays what it is.
    if (!pays_others(f->moved.kind))
        return true;
    if (!op_reservation_sent(op, &f->next, err))
        return false;
    if (f->next.state != SPEND_SIGNED && f->next.state != SPEND_PARKED)
        return true;
    return op_move(op, &f->next, SPEND_SENT, NO_CODE, err);
}

static bool sent(struct op *op, void *context, struct err *err)
{
    struct final *f = context;
    struct guard guard;
    f->next = *f->spend;
    f->moved = *f->attempt;
    if (!op_lock_guard(op, &guard, f->next.wallet_id, err) || !op_hold(op, f->spend, err) ||
        !check_attempt(op, &f->next, &f->moved, err))
        return false;
    if (f->moved.state == ATTEMPT_SIGNED || f->moved.state == ATTEMPT_SENT ||
        f->moved.state == ATTEMPT_CONFIRMED)
        return move_sent(op, f, err) && (!f->lets_go || op_let_go(op, &f->next, f->next_us, err));
    return code_fail(err, CODE_CONFLICT, "a transaction that is %s cannot have been sent by us",
                     attempt_state_name(f->moved.state));
}

static bool run_sent(struct db *db, struct final *f, struct err *err)
{
    if (!op_run(db, sent, f, err))
        return false;
    *f->spend = f->next;
    *f->attempt = f->moved;
    return true;
}

bool ledger_sent(struct db *db, struct spend *spend, struct attempt *attempt, struct err *err)
{
    struct final f = { .spend = spend, .attempt = attempt };
    return run_sent(db, &f, err);
}

bool ledger_sent_and_let_go(struct db *db, struct spend *spend, struct attempt *attempt,
                            int64_t next_us, struct err *err)
{
    struct final f = { .spend = spend, .attempt = attempt, .lets_go = true, .next_us = next_us };
    return run_sent(db, &f, err);
}
