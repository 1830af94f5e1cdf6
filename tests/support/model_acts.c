#include "tests/support/model_internal.h"
#include "tests/support/test.h"
#include <stdio.h>
#include <string.h>

enum { COINS = 2 };

static void stop(struct model_replica *r)
{
    *r = (struct model_replica){ .phase = MODEL_IDLE };
}

// After a ledger call: on with what it says, or it was somebody else's by now.
static void after(struct model_replica *r, bool ok, const struct err *err)
{
    if (!ok && code_of(err) != CODE_CONFLICT)
        fail_msg("%s", err->text);
    const struct model_replica next = { .phase = MODEL_DECIDE, .spend = r->spend, .s = r->s };
    if (ok && !spend_state_is_final(r->s.state))
        *r = next; // whom it asked before makes no other state
    else
        stop(r);
}

static void sql_of(struct model *m, const char *before, unsigned spend, const char *behind)
{
    char sql[400];
    (void)snprintf(sql, sizeof sql, "%s'%s'%s", before, m->ids[spend], behind);
    model_sql(m, sql);
}

static void claim(struct model *m, unsigned i, unsigned spend)
{
    struct model_replica *r = &m->w.r[i];
    struct err err;
    bool found;
    // It is the one that is due longest.
    sql_of(m, "UPDATE spend SET next_at = CASE id WHEN ", spend,
           " THEN 0 ELSE (strftime('%s', 'now') + 3600) * 1000000 END");
    // One name for all: two workers of one replica, which only the fence tells apart.
    model_must(ledger_claim(m->rig.db, &r->s, &found, "a", 3600000000, &err), &err);
    assert_true(found);
    assert_string_equal(r->s.id, m->ids[spend]);
    for (unsigned k = 0; k < MODEL_REPLICAS; k++)
        if (m->w.r[k].phase != MODEL_IDLE && m->w.r[k].spend == spend &&
            m->w.r[k].s.fence >= r->s.fence)
            fail_msg("invariant 15: taken over with an old fence");
    r->spend = spend;
    r->phase = MODEL_DECIDE;
}

static bool end(struct model *m, struct model_replica *r, enum spend_state state, enum code code,
                struct err *err)
{
    return ledger_end(m->rig.db, &r->s, state, code, "", err);
}

static void reserve(struct model *m, struct model_replica *r)
{
    struct err err;
    // The walk takes longer than a comparison with the chain is fresh.
    model_must(ledger_reconciled(m->rig.db, m->rig.wallet, &err), &err);
    bool ok = ledger_reserve(m->rig.db, &r->s, (struct sats){ 1 }, &err);
    if (!ok && code_of(&err) == CODE_VELOCITY_EXCEEDED)
        ok = end(m, r, SPEND_REJECTED, CODE_VELOCITY_EXCEEDED, &err);
    after(r, ok, &err);
}

// As if another spend counted: what is left of the cap is too little.
static void reserve_full(struct model *m, struct model_replica *r)
{
    rig_caps(&m->rig, MODEL_AMOUNT - 1, MODEL_AMOUNT - 1, 1000);
    reserve(m, r);
    rig_caps(&m->rig, m->cap, m->cap, 1000);
}

static bool free_coin(struct model *m, unsigned *out)
{
    struct outpoints locked;
    struct err err;
    model_must(ledger_locked_inputs(m->rig.db, &locked, m->rig.wallet, test_arena(), &err), &err);
    for (unsigned coin = 1; coin <= COINS; coin++) {
        bool taken = (m->w.spent_coins & 1u << coin) != 0;
        for (size_t i = 0; i < locked.n; i++)
            taken = taken || locked.items[i].index == coin;
        if (!taken) {
            *out = coin;
            return true;
        }
    }
    return false;
}

static void build(struct model *m, struct model_replica *r)
{
    struct err err;
    unsigned coin;
    if (!free_coin(m, &coin)) {
        after(r, end(m, r, SPEND_FAILED, CODE_INSUFFICIENT_FUNDS, &err), &err);
        return;
    }
    struct attempt a = rig_attempt(&m->rig, ATTEMPT_PAY, coin);
    a.psbt = a.raw; // from which any replica finishes it
    after(r, ledger_attempt_add(m->rig.db, &r->s, &a, &err), &err);
}

static void take_back(struct model *m, struct model_replica *r)
{
    struct attempt a = rig_attempt_of(&m->rig, ATTEMPT_VOID, &r->s.anchor, 1, 2);
    struct err err;
    a.psbt = a.raw;
    after(r, ledger_attempt_add(m->rig.db, &r->s, &a, &err), &err);
}

// before: an answer that is stored in the same transaction; NULL: none.
static void ask(struct model *m, struct model_replica *r, unsigned signer,
                const struct sign_answer *before)
{
    const struct model_view v = model_look(m, r);
    struct model_replica asked = {
        .phase = MODEL_ASKED, .spend = r->spend, .kind = v.kind, .signer = signer
    };
    struct attempt a = *v.a;
    const char *id = m->rig.signers[signer];
    struct err err;
    const bool ok =
        before ? ledger_sign_ask_next(m->rig.db, &r->s, &a, before, id, &asked.request, &err)
               : ledger_sign_ask(m->rig.db, &r->s, &a, id, &asked.request, &err);
    after(r, ok, &err);
    if (ok) {
        asked.s = r->s;
        *r = asked;
    }
}

// Invariant 13: the row is there before the bytes, whoever sends them, and however late.
static void device(struct model *m, struct model_replica *r, enum model_act act)
{
    struct db_rows rows;
    struct err err;
    model_must(db_query(m->rig.db, &rows, "SELECT state FROM sign_request WHERE id = $1",
                        DB_ARGS(db_text(r->request.id)), test_arena(), &err),
               &err);
    if (rows.n != 1 || bytes_equal_text(db_cell_bytes(&rows, 0, 0), "planned"))
        fail_msg("invariant 13: bytes for a request that is not announced");
    if (act != MODEL_REFUSES)
        m->w.signatures[r->spend][r->kind] |= (uint8_t)(1u << r->signer);
    r->outcome = act == MODEL_SIGNS     ? SIGN_SIGNED
                 : act == MODEL_REFUSES ? SIGN_REFUSED
                                        : SIGN_UNKNOWN;
    r->phase = MODEL_REPLIED;
}

static struct sign_answer answer_of(struct model_replica *r)
{
    return (struct sign_answer){ .request = &r->request,
                                 .outcome = r->outcome,
                                 .tag = "",
                                 .detail = "",
                                 .signatures = BYTES("signature") };
}

static bool answer(struct model *m, struct model_replica *r)
{
    struct err err;
    const bool ok = ledger_sign_answer(m->rig.db, &r->s, &r->request, r->outcome, "", "",
                                       BYTES("signature"), &err);
    after(r, ok, &err);
    return ok;
}

static void answer_only(struct model *m, struct model_replica *r)
{
    (void)answer(m, r);
}

static void answer_ask(struct model *m, struct model_replica *r, unsigned signer)
{
    const struct sign_answer last = answer_of(r);
    ask(m, r, signer, &last);
}

static void finish(struct model *m, struct model_replica *r)
{
    const struct model_view v = model_look(m, r);
    struct attempt a = *v.a;
    struct err err;
    after(r, ledger_signed(m->rig.db, &r->s, &a, a.psbt, &err), &err);
}

static void answer_finish(struct model *m, struct model_replica *r)
{
    const struct model_view v = model_look(m, r);
    const struct sign_answer last = answer_of(r);
    struct attempt a = *v.a;
    struct err err;
    after(r, ledger_signed_at_last(m->rig.db, &r->s, &a, &last, a.psbt, &err), &err);
}

static void give_up(struct model *m, struct model_replica *r)
{
    struct err err;
    bool ok = end(m, r, SPEND_REFUSED, CODE_SIGNER_REFUSED, &err);
    if (!ok && code_of(&err) == CODE_CONFLICT)
        ok = ledger_park(m->rig.db, &r->s, CODE_SIGNER_REFUSED, "", &err);
    after(r, ok, &err);
}

static void send(struct model *m, struct model_replica *r)
{
    const struct model_view v = model_look(m, r);
    // Invariant 13: "final transaction before broadcast".
    if (v.a->raw.len == 0)
        fail_msg("invariant 13: a transaction is sent that is not stored");
    m->w.sent[r->spend][v.kind] = true;
    r->kind = v.kind;
    r->phase = MODEL_BROADCAST;
}

static void note(struct model *m, struct model_replica *r, bool lets_go)
{
    struct model_view v = model_look(m, r);
    struct err err;
    if (!v.a) { // the spend is at its other transaction by now
        stop(r);
        return;
    }
    after(r,
          lets_go ? ledger_sent_and_let_go(m->rig.db, &r->s, v.a, 1, &err)
                  : ledger_sent(m->rig.db, &r->s, v.a, &err),
          &err);
    if (lets_go)
        stop(r);
}

static void note_sent(struct model *m, struct model_replica *r)
{
    note(m, r, false);
}

static void note_sent_let_go(struct model *m, struct model_replica *r)
{
    note(m, r, true);
}

static void let_go(struct model *m, struct model_replica *r)
{
    struct err err;
    if (!ledger_let_go(m->rig.db, &r->s, 1, &err) && code_of(&err) != CODE_CONFLICT)
        fail_msg("%s", err.text);
    stop(r);
}

// --- Of nobody ---

static void mine(struct model *m, unsigned spend, unsigned kind)
{
    const struct spend s = rig_read(&m->rig, m->ids[spend]);
    m->w.mined[spend] = (uint8_t)(1 + kind);
    m->w.deep[spend] = !(m->knows & MODEL_CHAIN);
    m->w.spent_coins |= (uint8_t)(1u << s.anchor.index);
}

static void reorg(struct model *m, unsigned spend)
{
    const struct spend s = rig_read(&m->rig, m->ids[spend]);
    m->w.mined[spend] = 0;
    m->w.reorged[spend] = true;
    m->w.spent_coins &= (uint8_t) ~(1u << s.anchor.index);
}

static void age(struct model *m, unsigned spend)
{
    sql_of(m,
           "UPDATE reservation SET first_sent_at = first_sent_at - 100 * 3600000000, "
           "reserved_at = reserved_at - 100 * 3600000000 WHERE first_sent_at < "
           "(strftime('%s', 'now') - 50 * 3600) * 1000000 OR spend_id = ",
           spend, ""); // those of older windows stay in older ones
    m->w.aged[spend] = true;
}

static void see(struct model *m, unsigned spend, unsigned kind)
{
    static const struct sighting sights[] = {
        [MODEL_NOWHERE] = { SIGHT_GONE, { { 0 } }, 0, 0 },
        [MODEL_IN_MEMPOOL] = { SIGHT_MEMPOOL, { { 0 } }, 0, 0 },
        [MODEL_IN_BLOCK] = { SIGHT_BLOCK, { { 1 } }, 100, 1 },
        [MODEL_IN_DEEP] = { SIGHT_BLOCK, { { 1 } }, 100, 6 },
    };
    const enum model_place place = model_place_of(m, spend, kind);
    struct attempts all;
    struct err err;
    bool ours;
    model_must(ledger_attempts(m->rig.db, &all, m->ids[spend], test_arena(), &err), &err);
    for (size_t i = 0; i < all.n; i++)
        if ((all.items[i].kind == ATTEMPT_VOID) == (kind == MODEL_VOID))
            model_must(ledger_sighted(m->rig.db, m->rig.wallet, &all.items[i].txid, &sights[place],
                                      &ours, &err),
                       &err);
    if (m->knows & MODEL_CHAIN)
        m->w.told[spend][kind] = (uint8_t)place;
}

// --- Any of them ---

static void of_replica(struct model *m, struct model_replica *r, const struct model_action *a)
{
    static void (*const steps[])(struct model *, struct model_replica *) = {
        [MODEL_RESERVE] = reserve,     [MODEL_RESERVE_FULL] = reserve_full,
        [MODEL_BUILD] = build,         [MODEL_FINISH] = finish,
        [MODEL_GIVE_UP] = give_up,     [MODEL_TAKE_BACK] = take_back,
        [MODEL_LET_GO] = let_go,       [MODEL_SEND] = send,
        [MODEL_NOTE_SENT] = note_sent, [MODEL_NOTE_SENT_LET_GO] = note_sent_let_go,
        [MODEL_ANSWER] = answer_only,  [MODEL_ANSWER_FINISH] = answer_finish,
    };
    struct err err;
    if (a->act == MODEL_CRASH)
        stop(r);
    else if (a->act == MODEL_CANCEL)
        after(r, end(m, r, SPEND_CANCELLED, CODE_NONE, &err), &err);
    else if (a->act == MODEL_ASK)
        ask(m, r, a->kind, NULL);
    else if (a->act == MODEL_ANSWER_ASK)
        answer_ask(m, r, a->kind);
    else if (a->act < COUNT(steps) && steps[a->act])
        steps[a->act](m, r);
    else
        device(m, r, a->act);
}

// Invariant 15: a late holder can write nothing; what it can still do is send bytes that were announced.
static void settle_stale(struct model *m)
{
    for (unsigned i = 0; i < MODEL_REPLICAS; i++) {
        struct model_replica *r = &m->w.r[i];
        struct err err;
        if (r->phase == MODEL_IDLE || !model_is_stale(m, r))
            continue;
        if (r->phase == MODEL_ASKED || (r->phase == MODEL_DECIDE && r->s.state == SPEND_SIGNED))
            continue;
        struct spend copy = r->s;
        m->n_stale++;
        if (ledger_renew(m->rig.db, &copy, 1, &err) || code_of(&err) != CODE_CONFLICT)
            fail_msg("invariant 15: an old fence writes");
        if (r->phase == MODEL_REPLIED && answer(m, r))
            fail_msg("invariant 15: the answer that a late holder got is stored");
        stop(r);
    }
}

void model_perform(struct model *m, const struct model_action *a)
{
    if (a->act == MODEL_CLAIM)
        claim(m, a->replica, a->spend);
    else if (a->act == MODEL_LEASE_ENDS)
        sql_of(m, "UPDATE spend SET lease_until = 1 WHERE id = ", a->spend, "");
    else if (a->act == MODEL_AGE)
        age(m, a->spend);
    else if (a->act == MODEL_MINE)
        mine(m, a->spend, a->kind);
    else if (a->act == MODEL_SEE)
        see(m, a->spend, a->kind);
    else if (a->act == MODEL_BURY)
        m->w.deep[a->spend] = true;
    else if (a->act == MODEL_REORG)
        reorg(m, a->spend);
    else
        of_replica(m, &m->w.r[a->replica], a);
    settle_stale(m);
}
