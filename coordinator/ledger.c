#include "coordinator/ledger.h"
#include "coordinator/ledger_rows.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

// --- Submitting ---

struct submit {
    const struct spend_request *request;
    struct spend *out;
    struct sats amount;
    bool is_new;
};

static bool is_request_id(struct bytes id)
{
    for (size_t i = 0; i < id.len; i++)
        if (!isalnum(id.ptr[i]) && !strchr("._:-/", id.ptr[i]))
            return false;
    return id.len > 0 && id.len < REQUEST_ID_SIZE;
}

static bool check_request(const struct spend_request *r, struct sats *sum, struct err *err)
{
    *sum = (struct sats){ 0 };
    if (!is_request_id(r->request_id))
        return code_fail(err, CODE_BAD_REQUEST, "a request id has 1 to 64 of [A-Za-z0-9._:-]");
    if (r->n_outputs == 0)
        return code_fail(err, CODE_BAD_REQUEST, "a spend has at least one output");
    for (size_t i = 0; i < r->n_outputs; i++)
        if (r->outputs[i].amount.n > SATS_MAX || !sats_add(sum, r->outputs[i].amount) ||
            sum->n > SATS_MAX)
            return code_fail(err, CODE_AMOUNT_OUT_OF_RANGE, "more than there can be");
    return true;
}

// D10: "unique per wallet forever". A row of another transaction that has not ended yet is waited for.
static bool insert_spend(struct op *op, const struct submit *s, const char *id, bool *inserted,
                         struct err *err)
{
    const struct spend_request *r = s->request;
    const int64_t woken_us = !r->needs_approval     ? op->now_us
                             : r->not_after_us != 0 ? r->not_after_us + 1
                                                    : NEVER_US;
    uint64_t changed;
    if (!db_exec(
            op->db, &changed,
            "INSERT INTO spend(id, created_at, wallet_id, request_id, body_hash, principal_id, "
            "tier, amount, state, state_at, not_after, next_at, fee_rate, note) "
            "VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $2, $10, $11, $12, $13) "
            "ON CONFLICT (wallet_id, request_id) DO NOTHING",
            DB_ARGS(db_text(id), db_int(op->now_us), db_text(r->wallet_id),
                    db_text_of(r->request_id), db_hash(&r->body_hash),
                    db_text(r->principal_id && r->principal_id[0] ? r->principal_id : NULL),
                    db_text(tier_name(r->tier)), db_sats(s->amount),
                    db_text(spend_state_name(r->needs_approval ? SPEND_AWAITING_APPROVAL
                                                               : SPEND_RECEIVED)),
                    db_int_or_null(r->not_after_us), db_int(woken_us), db_u64(r->fee_rate),
                    db_text_of(r->note)),
            err))
        return false;
    *inserted = changed == 1;
    return true;
}

static bool insert_outputs(struct op *op, const struct spend_request *r, const char *id,
                           struct err *err)
{
    for (size_t i = 0; i < r->n_outputs; i++) {
        const struct spend_output *o = &r->outputs[i];
        if (!OP_EXEC(op, err,
                     "INSERT INTO spend_output(spend_id, idx, script, address, sat, "
                     "destination_id) VALUES($1, $2, $3, $4, $5, $6)",
                     db_text(id), db_u64(i), db_blob(o->script), db_text_of(o->address),
                     db_sats(o->amount), db_text(o->destination_id[0] ? o->destination_id : NULL)))
            return false;
    }
    return true;
}

static bool find_request(struct op *op, const struct submit *s, struct err *err)
{
    const struct spend_request *r = s->request;
    struct db_rows rows, hash;
    if (!OP_QUERY(op, &rows, err, SPEND_SELECT " WHERE s.wallet_id = $1 AND s.request_id = $2",
                  db_text(r->wallet_id), db_text_of(r->request_id)))
        return false;
    if (rows.n != 1)
        return code_fail(err, CODE_CONFLICT, "the spend of this request id is gone");
    *s->out = spend_of_row(&rows, 0);
    if (!OP_QUERY(op, &hash, err, "SELECT body_hash FROM spend WHERE id = $1", db_text(s->out->id)))
        return false;
    if (bytes_equal(db_cell_bytes(&hash, 0, 0), BYTES_OF(r->body_hash.b)))
        return true;
    return code_fail(err, CODE_IDEMPOTENCY_MISMATCH,
                     "this request id stands for another request already");
}

static bool submit_event(struct op *op, const struct spend *spend, struct err *err)
{
    char after[256];
    (void)snprintf(after, sizeof after,
                   "{\"state\": \"%s\", \"amount_sat\": %llu, \"tier\": \"%s\"}",
                   spend_state_name(spend->state), (unsigned long long)spend->amount.n,
                   tier_name(spend->tier));
    const struct event event = {
        .actor = spend->principal_id[0] ? spend->principal_id : "coordinator",
        .kind = "spend.state",
        .object = spend->id,
        .after = bytes_of_text(after),
        .request_id = spend->request_id,
    };
    return ledger_event_within(op->db, &event, err);
}

// Locked as the new row's reference to it locks it: before the grant, as those who change grants do.
static bool has_wallet(struct op *op, const char *wallet_id, struct err *err)
{
    struct db_rows rows;
    if (!OP_QUERY(op, &rows, err, "SELECT 1 FROM wallet WHERE id = $1 FOR KEY SHARE",
                  db_text(wallet_id)))
        return false;
    return rows.n == 1 || code_fail(err, CODE_NOT_FOUND, "there is no such wallet");
}

// D2's "Isolation is part of the contract", for one principal: the lock first, the sum in a later statement. Whoever
// else asks in this principal's name waits until what is asked here is in the sum. Who has no such limit waits for
// nobody: the wallet's row holds off whoever would publish another grant.
#define GRANT                                                                                      \
    "SELECT limits FROM role_grant "                                                               \
    "WHERE principal_id = $1 AND wallet_id = $2 AND role = 'spender'"
static bool lock_limit(struct op *op, const struct spend_request *r, struct err *err)
{
    struct db_rows rows;
    if (!r->is_granted)
        return true;
    if (!OP_QUERY(op, &rows, err, r->has_per_window ? GRANT " FOR UPDATE" : GRANT,
                  db_text(r->principal_id), db_text(r->wallet_id)))
        return false;
    if (rows.n != 1)
        return code_fail(err, CODE_FORBIDDEN, "this needs another role");
    if (!bytes_equal(db_cell_bytes(&rows, 0, 0), r->limits))
        return code_fail(err, CODE_CONFLICT, "your limits have just changed: ask again");
    return !r->has_per_window || op_clock(op, err); // before a wait it would have been another time
}

// What this principal's spends come to that are open, or were first sent within the window: as the cap counts (D2).
static bool within_limit(struct op *op, const struct spend_request *r, struct err *err)
{
    struct db_rows rows;
    if (!r->has_per_window)
        return true;
    if (!OP_QUERY(op, &rows, err,
                  "SELECT CAST(coalesce(sum(s.amount), 0) AS bigint) FROM spend s "
                  "JOIN velocity_guard g ON g.wallet_id = s.wallet_id "
                  "LEFT JOIN reservation r ON r.spend_id = s.id "
                  "WHERE s.wallet_id = $1 AND s.principal_id = $2 AND s.state NOT IN "
                  "('rejected', 'expired', 'failed', 'cancelled', 'refused', 'void') AND "
                  "(r.first_sent_at IS NULL OR r.first_sent_at >= $3 - g.window_s * 1000000)",
                  db_text(r->wallet_id), db_text(r->principal_id), db_int(op->now_us)))
        return false;
    return db_cell_u64(&rows, 0, 0) <= r->per_window.n ||
           code_fail(err, CODE_FORBIDDEN, "the amount is above what is left of your limit");
}

static bool submit(struct op *op, void *context, struct err *err)
{
    struct submit *s = context;
    char id[ID_SIZE];
    if (!has_wallet(op, s->request->wallet_id, err) || !lock_limit(op, s->request, err))
        return false;
    db_new_id(id, op->now_us);
    if (!insert_spend(op, s, id, &s->is_new, err))
        return false;
    if (s->is_new &&
        (!within_limit(op, s->request, err) || !insert_outputs(op, s->request, id, err)))
        return false;
    return find_request(op, s, err) && (!s->is_new || submit_event(op, s->out, err));
}

bool ledger_submit(struct db *db, struct spend *out, bool *is_new,
                   const struct spend_request *request, struct err *err)
{
    struct submit s = { .request = request, .out = out };
    if (!check_request(request, &s.amount, err) || !op_run(db, submit, &s, err))
        return false;
    *is_new = s.is_new;
    return true;
}

// --- Reading ---

bool ledger_spend(struct db *db, struct spend *out, const char *id, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 16);
    struct db_rows rows;
    if (!db_query(db, &rows, SPEND_SELECT " WHERE s.id = $1", DB_ARGS(db_text(id)), arena, err))
        return false;
    if (rows.n != 1)
        return code_fail(err, CODE_NOT_FOUND, "there is no spend %.40s", id);
    *out = spend_of_row(&rows, 0);
    return true;
}

bool ledger_spend_outputs(struct db *db, struct spend_outputs *out, const char *spend_id,
                          struct arena *arena, struct err *err)
{
    struct db_rows rows;
    if (!db_query(db, &rows,
                  "SELECT script, address, sat, destination_id FROM spend_output "
                  "WHERE spend_id = $1 ORDER BY idx",
                  DB_ARGS(db_text(spend_id)), arena, err))
        return false;
    struct spend_output *items = arena_array(arena, rows.n, sizeof *items);
    if (!items)
        return err_set(err, ERR_NO_MEMORY, "too many outputs");
    for (size_t i = 0; i < rows.n; i++) {
        items[i] = (struct spend_output){ .script = db_cell_bytes(&rows, i, 0),
                                          .address = db_cell_bytes(&rows, i, 1),
                                          .amount = db_cell_sats(&rows, i, 2) };
        db_cell_copy(items[i].destination_id, ID_SIZE, &rows, i, 3);
    }
    *out = (struct spend_outputs){ items, rows.n };
    return true;
}

// --- Holding ---

struct hold {
    struct spend *spend; // of the caller: written when it is committed
    struct spend next;
    const char *holder;
    int64_t lease_us, next_us;
    bool found;
};

// Due: nobody's and its time has come, or its holder has not renewed. (A holder's next_at says only whether
// somebody woke it meanwhile.)
static bool claim(struct op *op, void *context, struct err *err)
{
    struct hold *h = context;
    struct db_rows rows;
    if (!OP_QUERY(op, &rows, err,
                  SPEND_SELECT " WHERE s.state IN ('received', 'awaiting_approval', 'reserved', "
                               "'built', 'signing', 'signed', 'parked', 'sent', 'voiding') AND "
                               "((s.owner IS NULL AND s.next_at <= $1) OR s.lease_until < $1) "
                               "ORDER BY s.next_at, s.created_at LIMIT 1 FOR UPDATE SKIP LOCKED",
                  db_int(op->now_us)))
        return false;
    h->found = rows.n == 1;
    if (!h->found)
        return true;
    h->next = spend_of_row(&rows, 0);
    const bool taken_over = h->next.owner[0] != 0;
    h->next.fence++;
    h->next.lease_until_us = op->now_us + h->lease_us;
    h->next.next_us = NEVER_US;
    (void)snprintf(h->next.owner, sizeof h->next.owner, "%s", h->holder);
    if (!OP_CHANGE(op, err,
                   "UPDATE spend SET owner = $2, lease_until = $3, fence = $4, next_at = $5 "
                   "WHERE id = $1 AND fence < $4",
                   db_text(h->next.id), db_text(h->next.owner), db_int(h->next.lease_until_us),
                   db_u64(h->next.fence), db_int(NEVER_US)))
        return false;
    // An ordinary claim is no change of the spend; that a holder went missing is.
    return !taken_over || op_eventf(op, &h->next, "spend.takeover", err, "{\"fence\": %llu}",
                                    (unsigned long long)h->next.fence);
}

bool ledger_claim(struct db *db, struct spend *out, bool *found, const char *holder,
                  int64_t lease_us, struct err *err)
{
    struct hold h = { .holder = holder, .lease_us = lease_us };
    if (!op_run(db, claim, &h, err))
        return false;
    *found = h.found;
    if (h.found)
        *out = h.next;
    return true;
}

static bool renew(struct op *op, void *context, struct err *err)
{
    struct hold *h = context;
    h->next = *h->spend;
    h->next.lease_until_us = op->now_us + h->lease_us;
    return op_hold(op, h->spend, err) &&
           OP_CHANGE(op, err, "UPDATE spend SET lease_until = $3 WHERE id = $1 AND fence = $2",
                     db_text(h->next.id), db_u64(h->next.fence), db_int(h->next.lease_until_us));
}

bool ledger_renew(struct db *db, struct spend *spend, int64_t lease_us, struct err *err)
{
    struct hold h = { .spend = spend, .lease_us = lease_us };
    if (!op_run(db, renew, &h, err))
        return false;
    *spend = h.next;
    return true;
}

struct keep {
    const char *spend_id, *holder;
    uint64_t fence;
    int64_t lease_us;
    bool kept;
};

static bool keep(struct op *op, void *context, struct err *err)
{
    struct keep *k = context;
    uint64_t changed;
    if (!db_exec(op->db, &changed,
                 "UPDATE spend SET lease_until = $4 WHERE id = $1 AND owner = $2 AND fence = $3",
                 DB_ARGS(db_text(k->spend_id), db_text(k->holder), db_u64(k->fence),
                         db_int(op->now_us + k->lease_us)),
                 err))
        return false;
    k->kept = changed == 1;
    return true;
}

bool ledger_keep(struct db *db, const char *spend_id, const char *holder, uint64_t fence,
                 int64_t lease_us, bool *kept, struct err *err)
{
    struct keep k = { spend_id, holder, fence, lease_us, false };
    if (!op_run(db, keep, &k, err))
        return false;
    *kept = k.kept;
    return true;
}

bool ledger_is_held(struct db *db, const struct spend *spend, bool *held, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(4096);
    struct db_rows rows;
    int64_t now_us;
    if (!db_now_us(db, &now_us, err) ||
        !db_query(db, &rows,
                  "SELECT 1 FROM spend WHERE id = $1 AND owner = $2 AND fence = $3 "
                  "AND lease_until >= $4",
                  DB_ARGS(db_text(spend->id), db_text(spend->owner), db_u64(spend->fence),
                          db_int(now_us)),
                  arena, err))
        return false;
    *held = rows.n == 1;
    return true;
}

bool op_let_go(struct op *op, struct spend *spend, int64_t next_us, struct err *err)
{
    spend->owner[0] = 0;
    spend->lease_until_us = 0;
    spend->next_us = next_us;
    return OP_CHANGE(op, err,
                     "UPDATE spend SET owner = NULL, lease_until = NULL, "
                     "next_at = CASE WHEN next_at < $3 THEN next_at ELSE $3 END "
                     "WHERE id = $1 AND fence = $2",
                     db_text(spend->id), db_u64(spend->fence), db_int(next_us));
}

static bool let_go(struct op *op, void *context, struct err *err)
{
    struct hold *h = context;
    h->next = *h->spend;
    return op_hold(op, h->spend, err) && op_let_go(op, &h->next, h->next_us, err);
}

bool ledger_let_go(struct db *db, struct spend *spend, int64_t next_us, struct err *err)
{
    struct hold h = { .spend = spend, .next_us = next_us };
    if (!op_run(db, let_go, &h, err))
        return false;
    *spend = h.next;
    return true;
}

static bool wake(struct op *op, void *context, struct err *err)
{
    const char *id = context;
    return OP_EXEC(op, err, "UPDATE spend SET next_at = $2 WHERE id = $1 AND next_at > $2",
                   db_text(id), db_int(op->now_us));
}

bool ledger_wake(struct db *db, const char *spend_id, struct err *err)
{
    char id[ID_SIZE];
    (void)snprintf(id, sizeof id, "%s", spend_id);
    return op_run(db, wake, id, err);
}

// --- Cancelling ---

struct cancel {
    const char *spend_id, *actor;
};

static bool ask_cancel(struct op *op, void *context, struct err *err)
{
    const struct cancel *c = context;
    struct spend s;
    if (!op_lock_spend(op, &s, c->spend_id, err))
        return false;
    if (spend_state_is_final(s.state) || s.state == SPEND_CONFIRMED)
        return code_fail(err, CODE_CONFLICT, "a spend that is %s cannot be cancelled",
                         spend_state_name(s.state));
    const struct event event = {
        .actor = c->actor, .kind = "spend.cancel", .object = s.id, .request_id = s.request_id
    };
    return OP_EXEC(op, err, "UPDATE spend SET cancel_asked = 1, next_at = $2 WHERE id = $1",
                   db_text(s.id), db_int(op->now_us)) &&
           (s.cancel_asked || ledger_event_within(op->db, &event, err));
}

bool ledger_ask_cancel(struct db *db, const char *spend_id, const char *actor, struct err *err)
{
    struct cancel c = { spend_id, actor };
    return op_run(db, ask_cancel, &c, err);
}
