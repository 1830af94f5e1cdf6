// All that two replicas, two spends, three signers and a crash between any two steps can do (D18).
//
// The ledger's own functions run, on SQLite in memory; around them are replicas that follow D3 and D4, devices
// that sign, refuse, or sign and lose the answer, leases that run out under a holder that only slept, a mempool
// and blocks. Each step is one committed transaction or one act outside; after each, either replica may be gone.
// Every state that can be reached is visited once and checked: invariants 1, 3, 6, 13, 15 and 20 by what the
// devices and the chain really did, the others by invariants_check.
// Without MODEL_STATES in the environment it is a sample, of random ways; with it every state, up to so many:
// `./check --long` walks through all there are.
#include "coordinator/db_internal.h"
#include "coordinator/invariants.h"
#include "coordinator/ledger.h"
#include "tests/support/ledger_rig.h"
#include "tests/support/store_copy.h"
#include "tests/support/test.h"
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    REPLICAS = 2,
    SPENDS_MAX = 2,
    COINS = 2,
    AMOUNT = 60,
    CAP = 100,
    K = 2,
    RECOVERY_STEPS = 60,
    WAY_STEPS = 60,
    SAMPLE_STEPS = 6000
};
enum { PAY, VOID, KINDS };

// --- The world outside the ledger ---

enum phase { IDLE, DECIDE, ASKED, REPLIED, BROADCAST };
struct replica {
    enum phase phase;
    unsigned spend; // which one it holds, or believes to hold
    struct spend s;
    struct attempt a; // of ASKED and later
    unsigned signer, kind;
    struct sign_request request;
    enum sign_state outcome;
};
struct world {
    struct replica r[REPLICAS];
    uint8_t signatures[SPENDS_MAX][KINDS]; // one bit a device: it has really signed
    bool sent[SPENDS_MAX][KINDS];          // really given to the network
    uint8_t mined[SPENDS_MAX];             // 0, or 1 + kind
    uint8_t spent_coins;                   // by what is mined
};

struct model {
    struct ledger_rig rig;
    struct world w;
    char ids[SPENDS_MAX][ID_SIZE];
    unsigned n_spends;
    bool with_void;
    uint64_t *seen; // open addressing
    size_t n_seen, room;
    size_t limit; // of states when all are walked through, of steps in a sample
    uint64_t n_steps, n_stale, n_recovered, deepest;
    sqlite3 *sql;
    struct store_copier copier;
    sqlite3_stmt *spend_key;
};

static void must(bool ok, const struct err *err)
{
    if (!ok)
        fail_msg("%s", err->text);
}

// --- The store ---

// The guard last: what is put back before it finds no sums to count in.
static const char *const tables[] = { "wallet",         "spend",         "reservation",
                                      "attempt",        "attempt_input", "input_lock",
                                      "change_address", "sign_request",  "event",
                                      "event_head",     "velocity_guard" };

static void run(struct model *m, const char *sql)
{
    if (sqlite3_exec(m->sql, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(m->sql));
}

static void restore(struct model *m, const struct store_copy *from)
{
    store_copy_put(from, &m->copier);
    // The walk takes longer than a reconciliation is fresh.
    run(m, "UPDATE velocity_guard SET reconciled_at = strftime('%s', 'now') * 1000000");
}

// --- What a replica reads ---

struct view {
    struct attempts attempts;
    struct sign_requests requests; // of the attempt that is worked on
    struct attempt *a;
    unsigned kind;
};

static struct view look(struct model *m, const struct replica *r)
{
    struct view v = { .a = NULL };
    struct err err;
    must(ledger_attempts(m->rig.db, &v.attempts, r->s.id, test_arena(), &err), &err);
    v.kind = r->s.state == SPEND_VOIDING ? VOID : PAY;
    for (size_t i = 0; i < v.attempts.n; i++)
        if (v.attempts.items[i].kind == (v.kind == VOID ? ATTEMPT_VOID : ATTEMPT_PAY))
            v.a = &v.attempts.items[i];
    if (v.a)
        must(ledger_sign_requests(m->rig.db, &v.requests, v.a->id, test_arena(), &err), &err);
    return v;
}

// The last word of a device on one attempt.
static enum sign_state said(const struct model *m, const struct view *v, unsigned signer,
                            bool *asked)
{
    enum sign_state state = SIGN_PLANNED;
    *asked = false;
    for (size_t i = 0; i < v->requests.n; i++) {
        if (strcmp(v->requests.items[i].signer_id, m->rig.signers[signer]) == 0) {
            state = v->requests.items[i].state;
            *asked = true;
        }
    }
    return state;
}

// D4: those that may have signed first, the same again; then one that was not asked. False: none is left.
static bool next_signer(const struct model *m, const struct view *v, unsigned *out)
{
    bool asked, found = false;
    for (unsigned i = RIG_SIGNERS; i-- > 0;) {
        (void)said(m, v, i, &asked);
        if (!asked) {
            *out = i;
            found = true;
        }
    }
    for (unsigned i = RIG_SIGNERS; i-- > 0;) {
        const enum sign_state state = said(m, v, i, &asked);
        if (asked && (state == SIGN_ASKED || state == SIGN_UNKNOWN)) {
            *out = i;
            found = true;
        }
    }
    return found;
}

static unsigned n_signed(const struct model *m, const struct view *v)
{
    unsigned n = 0;
    bool asked;
    for (unsigned i = 0; i < RIG_SIGNERS; i++)
        n += said(m, v, i, &asked) == SIGN_SIGNED;
    return n;
}

static bool free_coin(struct model *m, unsigned *out)
{
    struct outpoints locked;
    struct err err;
    must(ledger_locked_inputs(m->rig.db, &locked, m->rig.wallet, test_arena(), &err), &err);
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

// --- What it can do ---

enum act {
    CLAIM, // and its spend
    RESERVE,
    BUILD,
    CANCEL,
    ASK,
    FINISH,
    GIVE_UP, // refused, or parked where that is not allowed
    TAKE_BACK,
    LET_GO,
    SEND,         // the transaction leaves
    NOTE_SENT,    //
    DEVICE_SIGNS, // the bytes leave, and
    DEVICE_SIGNS_UNHEARD,
    DEVICE_REFUSES,
    ANSWER, // is stored
    CRASH,
    LEASE_ENDS, // of a spend, whoever holds it
    MINE,       // a spend's transaction of a kind, six blocks deep
    SEE,        // the reconciler
};
struct action {
    enum act act;
    unsigned replica, spend, kind;
};
struct actions {
    struct action items[48];
    size_t n;
};

static void can(struct actions *all, enum act act, unsigned replica, unsigned spend, unsigned kind)
{
    assert_true(all->n < COUNT(all->items));
    all->items[all->n++] = (struct action){ act, replica, spend, kind };
}

static void decisions(struct model *m, unsigned i, struct actions *all)
{
    struct replica *r = &m->w.r[i];
    const struct view v = look(m, r);
    unsigned signer;
    switch (r->s.state) {
    case SPEND_RECEIVED:
        can(all, RESERVE, i, 0, 0);
        return;
    case SPEND_RESERVED:
        can(all, BUILD, i, 0, 0);
        can(all, CANCEL, i, 0, 0);
        return;
    case SPEND_BUILT:
        can(all, CANCEL, i, 0, 0);
        can(all, ASK, i, 0, 0);
        return;
    case SPEND_SIGNING:
    case SPEND_PARKED:
        if (v.a->raw.len > 0)
            can(all, SEND, i, 0, 0);
        else if (n_signed(m, &v) >= K)
            can(all, FINISH, i, 0, 0);
        else if (next_signer(m, &v, &signer))
            can(all, ASK, i, 0, 0);
        if (r->s.state == SPEND_SIGNING && n_signed(m, &v) < K)
            can(all, GIVE_UP, i, 0, 0);
        if (r->s.state == SPEND_PARKED && m->with_void)
            can(all, TAKE_BACK, i, 0, 0);
        can(all, LET_GO, i, 0, 0);
        return;
    case SPEND_SIGNED:
        can(all, SEND, i, 0, 0);
        return;
    case SPEND_VOIDING:
        if (v.a->raw.len > 0)
            can(all, v.a->state == ATTEMPT_SIGNED ? SEND : LET_GO, i, 0, 0);
        else if (n_signed(m, &v) >= K)
            can(all, FINISH, i, 0, 0);
        else
            can(all, next_signer(m, &v, &signer) ? ASK : LET_GO, i, 0, 0);
        return;
    case SPEND_SENT:
        can(all, LET_GO, i, 0, 0);
        if (m->with_void)
            can(all, TAKE_BACK, i, 0, 0);
        return;
    default:
        can(all, LET_GO, i, 0, 0);
        return;
    }
}

static void of_replica(struct model *m, unsigned i, struct actions *all)
{
    switch (m->w.r[i].phase) {
    case IDLE:
        for (unsigned s = 0; s < m->n_spends; s++)
            can(all, CLAIM, i, s, 0);
        return;
    case DECIDE:
        decisions(m, i, all);
        break;
    case ASKED:
        can(all, DEVICE_SIGNS, i, 0, 0);
        can(all, DEVICE_SIGNS_UNHEARD, i, 0, 0);
        can(all, DEVICE_REFUSES, i, 0, 0);
        break;
    case REPLIED:
        can(all, ANSWER, i, 0, 0);
        break;
    case BROADCAST:
        can(all, NOTE_SENT, i, 0, 0);
        break;
    }
    can(all, CRASH, i, 0, 0);
}

static struct actions possible(struct model *m)
{
    struct actions all = { .n = 0 };
    for (unsigned i = 0; i < REPLICAS; i++)
        of_replica(m, i, &all);
    for (unsigned s = 0; s < m->n_spends; s++) {
        const struct spend now = rig_read(&m->rig, m->ids[s]);
        if (now.owner[0] && now.lease_until_us > 1)
            can(&all, LEASE_ENDS, 0, s, 0);
        for (unsigned k = 0; k < KINDS && !m->w.mined[s]; k++)
            if (m->w.sent[s][k])
                can(&all, MINE, 0, s, k);
        if (m->w.mined[s] && now.state != SPEND_SETTLED && now.state != SPEND_VOID)
            can(&all, SEE, 0, s, 0);
    }
    return all;
}

// --- Doing it ---

static void stop(struct replica *r)
{
    *r = (struct replica){ .phase = IDLE };
}

// After a ledger call: on with what it says, or it was somebody else's by now.
static void after(struct replica *r, bool ok, const struct err *err)
{
    if (!ok && code_of(err) != CODE_CONFLICT)
        fail_msg("%s", err->text);
    if (ok && !spend_state_is_final(r->s.state))
        r->phase = DECIDE;
    else
        stop(r);
}

static void claim(struct model *m, unsigned i, unsigned spend)
{
    struct replica *r = &m->w.r[i];
    struct err err;
    char sql[128];
    bool found;
    (void)snprintf(sql, sizeof sql,
                   "UPDATE spend SET next_at = CASE id WHEN '%s' THEN 0 ELSE 1 END", m->ids[spend]);
    run(m, sql);
    // One name for all: two workers of one replica, which only the fence tells apart.
    must(ledger_claim(m->rig.db, &r->s, &found, "a", 3600000000, &err), &err);
    if (!found)
        return;
    r->spend = strcmp(r->s.id, m->ids[0]) == 0 ? 0 : 1;
    r->phase = DECIDE;
}

static bool end(struct model *m, struct replica *r, enum spend_state state, enum code code,
                struct err *err)
{
    return ledger_end(m->rig.db, &r->s, state, code, "", err);
}

static void reserve(struct model *m, struct replica *r)
{
    struct err err;
    bool ok = ledger_reserve(m->rig.db, &r->s, (struct sats){ 1 }, &err);
    if (!ok && code_of(&err) == CODE_VELOCITY_EXCEEDED)
        ok = end(m, r, SPEND_REJECTED, CODE_VELOCITY_EXCEEDED, &err);
    after(r, ok, &err);
}

static void build(struct model *m, struct replica *r)
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

static void take_back(struct model *m, struct replica *r)
{
    struct attempt a = rig_attempt_of(&m->rig, ATTEMPT_VOID, &r->s.anchor, 1, 2);
    struct err err;
    a.psbt = a.raw;
    after(r, ledger_attempt_add(m->rig.db, &r->s, &a, &err), &err);
}

static void ask(struct model *m, struct replica *r)
{
    const struct view v = look(m, r);
    struct err err;
    r->kind = v.kind;
    assert_true(next_signer(m, &v, &r->signer));
    struct attempt a = *v.a;
    const bool ok =
        ledger_sign_ask(m->rig.db, &r->s, &a, m->rig.signers[r->signer], &r->request, &err);
    after(r, ok, &err);
    if (ok)
        r->phase = ASKED;
}

// Invariant 13: the row is there before the bytes, whoever sends them, and however late.
static void bytes_leave(struct model *m, struct replica *r, bool signs)
{
    const struct view v = look(m, r);
    struct err err;
    (void)v;
    struct db_rows rows;
    must(db_query(m->rig.db, &rows, "SELECT state FROM sign_request WHERE id = $1",
                  DB_ARGS(db_text(r->request.id)), test_arena(), &err),
         &err);
    if (rows.n != 1 || bytes_equal_text(db_cell_bytes(&rows, 0, 0), "planned"))
        fail_msg("invariant 13: bytes for a request that is not announced");
    if (signs)
        m->w.signatures[r->spend][r->kind] |= (uint8_t)(1u << r->signer);
}

static void device(struct model *m, struct replica *r, enum act act)
{
    bytes_leave(m, r, act != DEVICE_REFUSES);
    r->outcome = act == DEVICE_SIGNS     ? SIGN_SIGNED
                 : act == DEVICE_REFUSES ? SIGN_REFUSED
                                         : SIGN_UNKNOWN;
    r->phase = REPLIED;
}

static void answer(struct model *m, struct replica *r)
{
    struct err err;
    after(r,
          ledger_sign_answer(m->rig.db, &r->s, &r->request, r->outcome, "", "", BYTES("signature"),
                             &err),
          &err);
}

static void finish(struct model *m, struct replica *r)
{
    const struct view v = look(m, r);
    struct attempt a = *v.a;
    struct err err;
    after(r, ledger_signed(m->rig.db, &r->s, &a, a.psbt, &err), &err);
}

static void give_up(struct model *m, struct replica *r)
{
    struct err err;
    bool ok = end(m, r, SPEND_REFUSED, CODE_SIGNER_REFUSED, &err);
    if (!ok && code_of(&err) == CODE_CONFLICT)
        ok = ledger_park(m->rig.db, &r->s, CODE_SIGNER_REFUSED, "", &err);
    after(r, ok, &err);
}

static void send(struct model *m, struct replica *r)
{
    const struct view v = look(m, r);
    // Invariant 13: "final transaction before broadcast".
    if (v.a->raw.len == 0)
        fail_msg("invariant 13: a transaction is sent that is not stored");
    m->w.sent[r->spend][v.kind] = true;
    r->kind = v.kind;
    r->phase = BROADCAST;
}

static void note_sent(struct model *m, struct replica *r)
{
    struct view v = look(m, r);
    struct err err;
    if (!v.a) { // the spend is at its other transaction by now
        stop(r);
        return;
    }
    after(r, ledger_sent(m->rig.db, &r->s, v.a, &err), &err);
}

static void mine(struct model *m, unsigned spend, unsigned kind)
{
    m->w.mined[spend] = (uint8_t)(1 + kind);
    const struct spend s = rig_read(&m->rig, m->ids[spend]);
    m->w.spent_coins |= (uint8_t)(1u << s.anchor.index);
}

static void see(struct model *m, unsigned spend)
{
    const struct sighting sight = { SIGHT_BLOCK, { { 1 } }, 100, 6 };
    const unsigned kind = m->w.mined[spend] - 1u;
    struct attempts all;
    struct err err;
    bool ours;
    must(ledger_attempts(m->rig.db, &all, m->ids[spend], test_arena(), &err), &err);
    for (size_t i = 0; i < all.n; i++)
        if ((all.items[i].kind == ATTEMPT_VOID) == (kind == VOID))
            must(ledger_sighted(m->rig.db, m->rig.wallet, &all.items[i].txid, &sight, &ours, &err),
                 &err);
}

static void lease_ends(struct model *m, unsigned spend)
{
    char sql[128];
    (void)snprintf(sql, sizeof sql, "UPDATE spend SET lease_until = 1 WHERE id = '%s'",
                   m->ids[spend]);
    run(m, sql);
}

static void let_go(struct model *m, struct replica *r)
{
    struct err err;
    if (!ledger_let_go(m->rig.db, &r->s, 1, &err) && code_of(&err) != CODE_CONFLICT)
        fail_msg("%s", err.text);
    stop(r);
}

static void act_of_replica(struct model *m, struct replica *r, enum act act)
{
    struct err err;
    switch (act) {
    case RESERVE:
        reserve(m, r);
        break;
    case BUILD:
        build(m, r);
        break;
    case CANCEL:
        after(r, end(m, r, SPEND_CANCELLED, CODE_NONE, &err), &err);
        break;
    case ASK:
        ask(m, r);
        break;
    case FINISH:
        finish(m, r);
        break;
    case GIVE_UP:
        give_up(m, r);
        break;
    case TAKE_BACK:
        take_back(m, r);
        break;
    case SEND:
        send(m, r);
        break;
    case NOTE_SENT:
        note_sent(m, r);
        break;
    case ANSWER:
        answer(m, r);
        break;
    case LET_GO:
        let_go(m, r);
        break;
    case CRASH:
        stop(r);
        break;
    default:
        device(m, r, act);
        break;
    }
}

static void perform(struct model *m, const struct action *a)
{
    m->n_steps++;
    if (a->act == CLAIM)
        claim(m, a->replica, a->spend);
    else if (a->act == LEASE_ENDS)
        lease_ends(m, a->spend);
    else if (a->act == MINE)
        mine(m, a->spend, a->kind);
    else if (a->act == SEE)
        see(m, a->spend);
    else
        act_of_replica(m, &m->w.r[a->replica], a->act);
}

// --- A holder that lost its spend ---

static bool is_stale(struct model *m, const struct replica *r)
{
    const struct spend now = rig_read(&m->rig, r->s.id);
    return now.fence != r->s.fence || now.state != r->s.state || strcmp(now.owner, r->s.owner) != 0;
}

// Invariant 15: it can write nothing; what it can still do is send bytes that were announced.
static void settle_stale(struct model *m)
{
    for (unsigned i = 0; i < REPLICAS; i++) {
        struct replica *r = &m->w.r[i];
        struct err err;
        if (r->phase == IDLE || !is_stale(m, r))
            continue;
        if (r->phase == ASKED || (r->phase == DECIDE && r->s.state == SPEND_SIGNED))
            continue;
        struct spend copy = r->s;
        m->n_stale++;
        if (ledger_renew(m->rig.db, &copy, 1, &err) || code_of(&err) != CODE_CONFLICT)
            fail_msg("invariant 15: an old fence writes");
        if (r->phase == REPLIED)
            act_of_replica(m, r, ANSWER);
        assert_true(r->phase == IDLE || r->phase != REPLIED);
        stop(r);
    }
}

// --- What is checked ---

static unsigned bits(unsigned n)
{
    return (unsigned)__builtin_popcount(n);
}

static void check(struct model *m)
{
    struct err err;
    unsigned possible_outflow = 0, sent = 0;
    must(invariants_check(m->rig.db, &err), &err);
    for (unsigned s = 0; s < m->n_spends; s++) {
        char sql[160];
        (void)snprintf(
            sql, sizeof sql,
            "SELECT count(*) FROM reservation WHERE spend_id = '%s' AND status <> 'released'",
            m->ids[s]);
        const bool charged = rig_number(&m->rig, sql) == 1;
        const bool can_confirm = bits(m->w.signatures[s][PAY]) >= K && m->w.mined[s] != 1 + VOID;
        // Invariant 6: what can confirm is charged.
        if (can_confirm && !charged)
            fail_msg("invariant 6: released, and k devices have signed");
        possible_outflow += can_confirm ? AMOUNT : 0;
        sent += m->w.sent[s][PAY] ? AMOUNT : 0;
        // Invariant 2: what was sent is charged, unless a self-transfer has taken its place.
        if (m->w.sent[s][PAY] && !charged && m->w.mined[s] != 1 + VOID)
            fail_msg("invariant 2: sent, and not charged");
    }
    // Invariant 1, by what the devices did. (Voided ones were charged when they were sent.)
    if (possible_outflow > CAP || (!m->with_void && sent > CAP))
        fail_msg("invariant 1: %u may leave", possible_outflow);
}

// --- Telling states apart ---

static uint64_t mix(uint64_t h, uint64_t value)
{
    h ^= value + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
    h *= 0xff51afd7ed558ccdu;
    return h ^ h >> 29;
}

static uint64_t hash_spend(struct model *m, unsigned i)
{
    static const char *const sql =
        "SELECT 0, state, coalesce(anchor_vout, 9), owner IS NULL, "
        "coalesce(lease_until, 0) > 1, change_index FROM spend WHERE id = ?1 UNION ALL "
        "SELECT 1, status, 0, coalesce(release_rule, ''), 0, 0 FROM reservation WHERE spend_id = "
        "?1 "
        "UNION ALL SELECT 2, kind, raw IS NULL, state, first_sent_at IS NULL, 0 FROM attempt "
        "WHERE spend_id = ?1 UNION ALL "
        // Of one signer and attempt: whether it was ever asked, and whether it may have signed.
        "SELECT 3, kind, signer_id, max(CASE r.state WHEN 'signed' THEN 3 WHEN 'asked' THEN 2 "
        "WHEN 'unknown' THEN 2 ELSE 0 END), max(r.seq * 4 + CASE r.state WHEN 'signed' THEN 0 "
        "WHEN 'refused' THEN 1 WHEN 'asked' THEN 2 ELSE 3 END) % 4, 0 FROM sign_request r "
        "JOIN attempt a ON a.id = r.attempt_id WHERE a.spend_id = ?1 GROUP BY kind, signer_id "
        "UNION ALL SELECT 4, '', vout, '', 0, 0 FROM input_lock WHERE spend_id = ?1 ORDER BY 1, 2, "
        "3";
    if (!m->spend_key)
        assert_int_equal(sqlite3_prepare_v2(m->sql, sql, -1, &m->spend_key, NULL), SQLITE_OK);
    sqlite3_stmt *s = m->spend_key;
    uint64_t h = i + 1;
    (void)sqlite3_bind_text(s, 1, m->ids[i], -1, SQLITE_STATIC);
    while (sqlite3_step(s) == SQLITE_ROW) {
        for (int c = 0; c < 6; c++) {
            const unsigned char *text = sqlite3_column_text(s, c);
            for (; text && *text; text++)
                h = mix(h, *text);
            h = mix(h, 1);
        }
    }
    (void)sqlite3_reset(s);
    return h;
}

static uint64_t hash_replica(struct model *m, const struct replica *r)
{
    uint64_t h = mix(11, r->phase);
    if (r->phase == IDLE)
        return h;
    h = mix(h, r->spend * 100u + r->s.state);
    h = mix(h, is_stale(m, r));
    return r->phase == DECIDE ? h : mix(h, r->signer * 64 + r->kind * 8u + r->outcome);
}

static uint64_t hash_world(struct model *m)
{
    uint64_t h = 7;
    for (unsigned s = 0; s < m->n_spends; s++) {
        h = mix(h, hash_spend(m, s));
        for (unsigned k = 0; k < KINDS; k++)
            h = mix(h, m->w.signatures[s][k] * 2u + m->w.sent[s][k]);
        h = mix(h, m->w.mined[s]);
    }
    // The replicas are alike: which of them it is makes no other state.
    uint64_t sum = 0;
    for (unsigned i = 0; i < REPLICAS; i++)
        sum += hash_replica(m, &m->w.r[i]);
    h = mix(h, sum);
    return h ? h : 1;
}

static void grow(struct model *m)
{
    uint64_t *old = m->seen;
    const size_t room = m->room;
    m->room = room ? 2 * room : 1 << 14;
    m->seen = calloc(m->room, sizeof *m->seen);
    assert_non_null(m->seen);
    for (size_t i = 0; i < room; i++) {
        size_t at = old[i] % m->room;
        while (old[i] && m->seen[at])
            at = (at + 1) % m->room;
        if (old[i])
            m->seen[at] = old[i];
    }
    free(old);
}

static bool is_new(struct model *m, uint64_t h)
{
    if (2 * m->n_seen >= m->room)
        grow(m);
    size_t at = h % m->room;
    while (m->seen[at] && m->seen[at] != h)
        at = (at + 1) % m->room;
    if (m->seen[at])
        return false;
    m->seen[at] = h;
    m->n_seen++;
    return true;
}

// --- Recovery: invariants 20 and 21 ---

static bool is_open(struct model *m)
{
    for (unsigned s = 0; s < m->n_spends; s++) {
        const struct spend now = rig_read(&m->rig, m->ids[s]);
        if (!spend_state_is_final(now.state))
            return true;
    }
    return false;
}

// All replicas die; one comes back, and the devices sign what they are asked.
static void recover(struct model *m)
{
    for (unsigned i = 0; i < REPLICAS; i++)
        stop(&m->w.r[i]);
    for (unsigned s = 0; s < m->n_spends; s++)
        lease_ends(m, s);
    unsigned turn = 0;
    for (unsigned step = 0; step < RECOVERY_STEPS * m->n_spends && is_open(m); step++) {
        const struct actions all = possible(m);
        const struct action *best = NULL;
        // The world goes on by itself; a replica does the first thing it can, and takes spends in turn.
        for (size_t i = 0; i < all.n && !best; i++)
            if (all.items[i].act == SEE || all.items[i].act == MINE)
                best = &all.items[i];
        for (size_t i = 0; i < all.n && !best; i++)
            if (all.items[i].replica == 0 && all.items[i].act != CRASH &&
                all.items[i].act != LEASE_ENDS && all.items[i].act != CANCEL &&
                (all.items[i].act != CLAIM || all.items[i].spend == turn % m->n_spends))
                best = &all.items[i];
        if (!best)
            continue;
        turn += best->act == CLAIM;
        perform(m, best);
    }
    m->n_recovered++;
    for (unsigned s = 0; s < m->n_spends; s++) {
        const struct spend now = rig_read(&m->rig, m->ids[s]);
        // Invariant 20: "every one ends or is reported parked".
        if (!spend_state_is_final(now.state) && now.state != SPEND_PARKED &&
            now.state != SPEND_VOIDING)
            fail_msg("invariant 20: a spend stays %s", spend_state_name(now.state));
    }
    check(m);
}

// --- The walk ---

struct frame {
    struct store_copy store;
    struct world w;
    struct actions all;
    size_t next;
};

static void enter(struct model *m, struct frame *f)
{
    check(m);
    f->w = m->w;
    f->all = possible(m);
    f->next = 0;
    store_copy_take(&f->store, &m->copier);
    if (m->n_seen % 16 == 1) {
        recover(m);
        m->w = f->w;
    }
}

static void explore(struct model *m)
{
    size_t depth = 1, room = 64;
    struct frame *stack = malloc(room * sizeof *stack);
    assert_non_null(stack);
    (void)is_new(m, hash_world(m));
    enter(m, &stack[0]);
    while (depth > 0) {
        struct frame *f = &stack[depth - 1];
        if (f->next == f->all.n || m->n_seen >= m->limit) {
            store_copy_free(&f->store);
            depth--;
            continue;
        }
        arena_reset(test_arena());
        restore(m, &f->store);
        m->w = f->w;
        perform(m, &f->all.items[f->next++]);
        settle_stale(m);
        if (!is_new(m, hash_world(m)))
            continue;
        if (depth == room) {
            room *= 2;
            stack = realloc(stack, room * sizeof *stack);
            assert_non_null(stack);
        }
        enter(m, &stack[depth++]);
        m->deepest = depth > m->deepest ? depth : m->deepest;
    }
    free(stack);
}

// What ends a way early comes less often.
static const struct action *pick(const struct actions *all, uint64_t random)
{
    const struct action *a = &all->items[(random & 0xffff) % all->n];
    const bool rare = a->act == CANCEL || a->act == CRASH || a->act == LEASE_ENDS;
    return rare && (random >> 16 & 3) != 0 ? &all->items[(random >> 20 & 0xffff) % all->n] : a;
}

// A sample: random ways from the beginning, each as long as the longest ones are.
static void wander(struct model *m)
{
    struct frame root, here;
    uint64_t random = 0x5eed; // the same ways each time
    (void)is_new(m, hash_world(m));
    enter(m, &root);
    while (m->n_steps < m->limit) {
        restore(m, &root.store);
        m->w = root.w;
        here.all = root.all;
        for (unsigned step = 0; step < WAY_STEPS && is_open(m); step++) {
            arena_reset(test_arena());
            random = mix(random, step);
            perform(m, pick(&here.all, random));
            settle_stale(m);
            if (is_new(m, hash_world(m)))
                check(m);
            here.all = possible(m);
        }
        if (m->n_seen % 8 == 0)
            recover(m);
    }
    store_copy_free(&root.store);
}

static void walk(unsigned n_spends, bool with_void)
{
    const char *all = getenv("MODEL_STATES");
    const size_t limit = all ? strtoull(all, NULL, 10) : SAMPLE_STEPS;
    struct model m = { .n_spends = n_spends, .with_void = with_void, .limit = limit };
    rig_memory(&m.rig);
    rig_caps(&m.rig, CAP, CAP, 1000);
    rig_exec(&m.rig,
             "DROP TRIGGER event_stays; DROP TRIGGER event_remains; DROP TRIGGER spend_remains; "
             "DROP TRIGGER reservation_remains; DROP TRIGGER attempt_remains; "
             "DROP TRIGGER sign_request_remains; PRAGMA foreign_keys = OFF");
    m.sql = db_sqlite_handle(m.rig.db);
    store_copier_init(&m.copier, m.sql, tables, COUNT(tables));
    for (unsigned s = 0; s < n_spends; s++) {
        const struct spend spend = rig_submit(&m.rig, AMOUNT);
        memcpy(m.ids[s], spend.id, ID_SIZE);
    }
    if (all)
        explore(&m);
    else
        wander(&m);
    print_message("# %u spend%s%s: %zu states%s, %llu steps, %llu stale holders, %llu recoveries, "
                  "depth %llu\n",
                  n_spends, n_spends > 1 ? "s" : "", with_void ? " with voids" : "", m.n_seen,
                  !all                ? " of a sample"
                  : m.n_seen >= limit ? " (bounded)"
                                      : ", all there are",
                  (unsigned long long)m.n_steps, (unsigned long long)m.n_stale,
                  (unsigned long long)m.n_recovered, (unsigned long long)m.deepest);
    free(m.seen);
    (void)sqlite3_finalize(m.spend_key);
    store_copier_wipe(&m.copier);
    rig_close(&m.rig);
}

TEST(model_of_D2_to_D4_one_spend_inv_1_3_6_13_20)
{
    walk(1, false);
}

TEST(model_of_D2_to_D4_two_spends_inv_1_3_6_13_20)
{
    walk(2, false);
}

TEST(model_of_D2_to_D4_taking_back_inv_3_6)
{
    walk(1, true);
}
