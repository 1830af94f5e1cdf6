#include "base/require.h"
#include "coordinator/db_internal.h"
#include "coordinator/invariants.h"
#include "tests/support/model_internal.h"
#include "tests/support/test.h"
#include <stdio.h>
#include <string.h>

// Everything that the acts write. The guard comes late: rows that are put back change its sums. Events only grow.
static const char *const TABLES[] = { "wallet",         "spend",         "reservation",
                                      "attempt",        "attempt_input", "input_lock",
                                      "change_address", "sign_request",  "event_head",
                                      "velocity_guard", "event" };

void model_must(bool ok, const struct err *err)
{
    if (!ok)
        fail_msg("%s", err->text);
}

void model_sql(struct model *m, const char *sql)
{
    if (sqlite3_exec(m->sql, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(m->sql));
}

void model_open(struct model *m, unsigned n_spends, unsigned cap, unsigned knows, const char *flaw)
{
    *m = (struct model){ .n_spends = n_spends, .cap = cap, .knows = knows };
    rig_memory(&m->rig);
    rig_caps(&m->rig, cap, cap, 1000);
    rig_exec(&m->rig, "DROP TRIGGER event_remains; DROP TRIGGER spend_remains; "
                      "DROP TRIGGER reservation_remains; DROP TRIGGER attempt_remains; "
                      "DROP TRIGGER sign_request_remains; PRAGMA foreign_keys = OFF");
    m->sql = db_sqlite_handle(m->rig.db);
    if (flaw)
        model_sql(m, flaw);
    store_copier_init(&m->copier, m->sql, TABLES, COUNT(TABLES));
    model_keys_open(m);
    for (unsigned s = 0; s < n_spends; s++) {
        const struct spend spend = rig_submit(&m->rig, MODEL_AMOUNT);
        memcpy(m->ids[s], spend.id, ID_SIZE);
    }
}

void model_close(struct model *m)
{
    (void)sqlite3_finalize(m->key);
    store_copier_wipe(&m->copier);
    rig_close(&m->rig);
}

// --- Where it stands ---

void model_keep(struct model *m, struct model_state *out)
{
    out->w = m->w;
    store_copy_take(&out->rows, &m->copier);
}

void model_put_back(struct model *m, const struct model_state *from)
{
    store_copy_put(&from->rows, &m->copier);
    m->w = from->w;
}

void model_state_free(struct model_state *state)
{
    store_copy_free(&state->rows);
}

int64_t model_writes(const struct model *m)
{
    return sqlite3_total_changes64(m->sql);
}

// --- What a replica reads ---

struct model_view model_look(struct model *m, const struct model_replica *r)
{
    struct model_view v = { .kind = r->s.state == SPEND_VOIDING ? MODEL_VOID : MODEL_PAY };
    struct err err;
    model_must(ledger_attempts(m->rig.db, &v.attempts, r->s.id, test_arena(), &err), &err);
    for (size_t i = 0; i < v.attempts.n; i++)
        if (v.attempts.items[i].kind == (v.kind == MODEL_VOID ? ATTEMPT_VOID : ATTEMPT_PAY))
            v.a = &v.attempts.items[i];
    if (v.a)
        model_must(ledger_sign_requests(m->rig.db, &v.requests, v.a->id, test_arena(), &err), &err);
    return v;
}

// The last word of a device on one attempt.
static enum sign_state said(const struct model *m, const struct model_view *v, unsigned signer,
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

unsigned model_candidates(const struct model *m, const struct model_view *v, unsigned but,
                          enum sign_state outcome)
{
    unsigned maybe = 0, fresh = 0;
    for (unsigned i = 0; i < RIG_SIGNERS; i++) {
        bool asked;
        enum sign_state state = said(m, v, i, &asked);
        if (i == but)
            state = outcome;
        maybe |= asked && (state == SIGN_ASKED || state == SIGN_UNKNOWN) ? 1u << i : 0u;
        fresh |= asked ? 0u : 1u << i;
    }
    return maybe ? maybe : fresh;
}

unsigned model_n_signed(const struct model *m, const struct model_view *v)
{
    unsigned n = 0;
    bool asked;
    for (unsigned i = 0; i < RIG_SIGNERS; i++)
        n += said(m, v, i, &asked) == SIGN_SIGNED;
    return n;
}

// --- What can happen ---

static void can(struct model_actions *all, enum model_act act, unsigned replica, unsigned spend,
                unsigned kind)
{
    REQUIRE(all->n < MODEL_ACTIONS_MAX);
    all->items[all->n++] = (struct model_action){ act, replica, spend, kind };
}

// One act for each of them that is not like another.
static void can_ask(struct model *m, struct model_actions *all, enum model_act act, unsigned i,
                    const struct model_view *v, unsigned candidates)
{
    const unsigned spend = m->w.r[i].spend;
    const struct model_signers all_signers =
        model_signers_of(m, spend, &model_read_spend(m, spend)->exact);
    const uint64_t *signers = all_signers.of[v->kind];
    for (unsigned k = 0; k < RIG_SIGNERS; k++) {
        bool seen = !(candidates >> k & 1u);
        for (unsigned before = 0; before < k && !seen; before++)
            seen = candidates >> before & 1u && signers[before] == signers[k];
        if (!seen)
            can(all, act, i, spend, k);
    }
}

// Once.
static bool may_take_back(const struct model *m, const struct model_view *v)
{
    bool is_taken_back = false;
    for (size_t i = 0; i < v->attempts.n; i++)
        is_taken_back = is_taken_back || v->attempts.items[i].kind == ATTEMPT_VOID;
    return m->knows & MODEL_TAKES_BACK && !is_taken_back;
}

// Of one that waits for signatures, or has them.
static void signing(struct model *m, unsigned i, const struct model_view *v,
                    struct model_actions *all)
{
    const struct model_replica *r = &m->w.r[i];
    if (v->a->raw.len > 0)
        can(all, MODEL_SEND, i, r->spend, 0);
    else if (model_n_signed(m, v) >= MODEL_K)
        can(all, MODEL_FINISH, i, r->spend, 0);
    else
        can_ask(m, all, MODEL_ASK, i, v, model_candidates(m, v, RIG_SIGNERS, SIGN_PLANNED));
    if (r->s.state == SPEND_SIGNING && model_n_signed(m, v) < MODEL_K)
        can(all, MODEL_GIVE_UP, i, r->spend, 0);
    if (r->s.state == SPEND_PARKED && may_take_back(m, v))
        can(all, MODEL_TAKE_BACK, i, r->spend, 0);
    can(all, MODEL_LET_GO, i, r->spend, 0);
}

static void voiding(struct model *m, unsigned i, const struct model_view *v,
                    struct model_actions *all)
{
    const unsigned candidates = model_candidates(m, v, RIG_SIGNERS, SIGN_PLANNED);
    if (v->a->raw.len > 0)
        can(all, v->a->state == ATTEMPT_SIGNED ? MODEL_SEND : MODEL_LET_GO, i, m->w.r[i].spend, 0);
    else if (model_n_signed(m, v) >= MODEL_K)
        can(all, MODEL_FINISH, i, m->w.r[i].spend, 0);
    else if (candidates)
        can_ask(m, all, MODEL_ASK, i, v, candidates);
    else
        can(all, MODEL_LET_GO, i, m->w.r[i].spend, 0);
}

// An answer is stored alone, or with what it leads to.
static void replied(struct model *m, unsigned i, struct model_actions *all)
{
    const struct model_replica *r = &m->w.r[i];
    const struct model_view v = model_look(m, r);
    can(all, MODEL_ANSWER, i, r->spend, 0);
    if (!v.a || v.a->raw.len > 0)
        return;
    if (model_n_signed(m, &v) + (r->outcome == SIGN_SIGNED) >= MODEL_K)
        can(all, MODEL_ANSWER_FINISH, i, r->spend, 0);
    else
        can_ask(m, all, MODEL_ANSWER_ASK, i, &v, model_candidates(m, &v, r->signer, r->outcome));
}

static void decisions(struct model *m, unsigned i, struct model_actions *all)
{
    const struct model_replica *r = &m->w.r[i];
    const struct model_view v = model_look(m, r);
    switch (r->s.state) {
    case SPEND_RECEIVED:
        can(all, MODEL_RESERVE, i, r->spend, 0);
        if (m->knows & MODEL_FULL)
            can(all, MODEL_RESERVE_FULL, i, r->spend, 0);
        return;
    case SPEND_RESERVED:
        can(all, MODEL_BUILD, i, r->spend, 0);
        can(all, MODEL_CANCEL, i, r->spend, 0);
        return;
    case SPEND_BUILT:
        can(all, MODEL_CANCEL, i, r->spend, 0);
        can_ask(m, all, MODEL_ASK, i, &v, model_candidates(m, &v, RIG_SIGNERS, SIGN_PLANNED));
        return;
    case SPEND_SIGNING:
    case SPEND_PARKED:
        signing(m, i, &v, all);
        return;
    case SPEND_SIGNED:
        can(all, MODEL_SEND, i, r->spend, 0);
        return;
    case SPEND_VOIDING:
        voiding(m, i, &v, all);
        return;
    default:
        can(all, MODEL_LET_GO, i, r->spend, 0);
        if (r->s.state == SPEND_SENT && may_take_back(m, &v))
            can(all, MODEL_TAKE_BACK, i, r->spend, 0);
        return;
    }
}

static void of_replica(struct model *m, unsigned i, struct model_actions *all)
{
    const struct model_replica *r = &m->w.r[i];
    switch (r->phase) {
    case MODEL_IDLE:
        return;
    case MODEL_DECIDE:
        decisions(m, i, all);
        break;
    case MODEL_ASKED:
        can(all, MODEL_SIGNS, i, r->spend, 0);
        can(all, MODEL_SIGNS_UNHEARD, i, r->spend, 0);
        can(all, MODEL_REFUSES, i, r->spend, 0);
        break;
    case MODEL_REPLIED:
        replied(m, i, all);
        break;
    case MODEL_BROADCAST:
        can(all, MODEL_NOTE_SENT, i, r->spend, 0);
        can(all, MODEL_NOTE_SENT_LET_GO, i, r->spend, 0);
        break;
    }
    can(all, MODEL_CRASH, i, r->spend, 0);
}

static bool one_row(struct model *m, const char *what, unsigned spend)
{
    char sql[300];
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM reservation WHERE spend_id = '%s' AND %s",
                   m->ids[spend], what);
    return rig_number(&m->rig, sql) == 1;
}

enum model_place model_place_of(const struct model *m, unsigned spend, unsigned kind)
{
    const unsigned mined = m->w.mined[spend];
    if (mined == 1 + kind)
        return m->w.deep[spend] ? MODEL_IN_DEEP : MODEL_IN_BLOCK;
    return m->w.sent[spend][kind] && !mined ? MODEL_IN_MEMPOOL : MODEL_NOWHERE;
}

static void of_chain(struct model *m, unsigned spend, const struct spend *now,
                     struct model_actions *all)
{
    const unsigned mined = m->w.mined[spend];
    if (m->knows & MODEL_CHAIN) {
        for (unsigned k = 0; k < MODEL_KINDS; k++)
            if (m->w.told[spend][k] != model_place_of(m, spend, k))
                can(all, MODEL_SEE, 0, spend, k);
    } else if (mined && now->state != SPEND_SETTLED && now->state != SPEND_VOID) {
        can(all, MODEL_SEE, 0, spend, mined - 1);
    }
    for (unsigned k = 0; k < MODEL_KINDS && !mined; k++)
        if (m->w.sent[spend][k])
            can(all, MODEL_MINE, 0, spend, k);
    if (mined && !m->w.deep[spend])
        can(all, MODEL_BURY, 0, spend, 0);
    if (mined && !m->w.deep[spend] && !m->w.reorged[spend])
        can(all, MODEL_REORG, 0, spend, 0);
}

struct model_actions model_possible(struct model *m, unsigned spend)
{
    const struct spend now = model_read_spend(m, spend)->spend;
    struct model_actions all = { .n = 0 };
    of_chain(m, spend, &now, &all);
    for (unsigned i = 0; i < MODEL_REPLICAS; i++)
        if (model_is_at(&m->w.r[i], spend))
            of_replica(m, i, &all);
    const bool is_free = !now.owner[0] || now.lease_until_us <= 1;
    const bool has_work = now.state != SPEND_CONFIRMED && !spend_state_is_final(now.state);
    for (unsigned i = 0; is_free && has_work && i < MODEL_REPLICAS; i++) {
        if (m->w.r[i].phase == MODEL_IDLE) {
            can(&all, MODEL_CLAIM, i, spend, 0);
            break; // the other idle one would do the same
        }
    }
    if (!is_free)
        can(&all, MODEL_LEASE_ENDS, 0, spend, 0);
    if (m->knows & MODEL_AGES &&
        one_row(m, "status = 'sent' AND first_sent_at >= " MODEL_AGED, spend))
        can(&all, MODEL_AGE, 0, spend, 0);
    return all;
}

// --- What is checked ---

static unsigned bits(unsigned n)
{
    return (unsigned)__builtin_popcount(n);
}

// For good: as deep as no reorg goes.
static bool is_taken_back(const struct model *m, unsigned spend)
{
    return model_place_of(m, spend, MODEL_VOID) == MODEL_IN_DEEP;
}

static bool can_confirm(const struct model *m, unsigned spend)
{
    return bits(m->w.signatures[spend][MODEL_PAY]) >= MODEL_K && !is_taken_back(m, spend);
}

unsigned model_facts(struct model *m, unsigned spend)
{
    const struct spend now = model_read_spend(m, spend)->spend;
    unsigned held = 0;
    for (unsigned i = 0; i < MODEL_REPLICAS; i++)
        held += model_is_at(&m->w.r[i], spend);
    const bool counts = one_row(
        m, "(status = 'open' OR (status = 'sent' AND first_sent_at >= " MODEL_AGED "))", spend);
    return held | (counts ? MODEL_COUNTS : 0u) |
           (can_confirm(m, spend) && !m->w.aged[spend] ? MODEL_MAY_LEAVE : 0u) |
           (spend_state_is_final(now.state) ? MODEL_ENDED : 0u) |
           (now.state == SPEND_PARKED || now.state == SPEND_VOIDING ? MODEL_TOLD : 0u);
}

void model_check(struct model *m, bool wrote)
{
    struct err err;
    unsigned may_leave = 0;
    if (wrote)
        model_must(invariants_check(m->rig.db, &err), &err);
    for (unsigned s = 0; s < m->n_spends; s++) {
        const bool charged = one_row(m, "status <> 'released'", s);
        may_leave += model_facts(m, s) & MODEL_MAY_LEAVE ? MODEL_AMOUNT : 0;
        // Invariant 6: what can confirm is charged.
        if (can_confirm(m, s) && !charged)
            fail_msg("invariant 6: released, and k devices have signed");
        // Invariant 2: what was sent is charged, unless a self-transfer has taken its place.
        if (m->w.sent[s][MODEL_PAY] && !charged && !is_taken_back(m, s))
            fail_msg("invariant 2: sent, and not charged");
    }
    // Invariant 1, by what the devices did.
    if (may_leave > m->cap)
        fail_msg("invariant 1: %u may leave", may_leave);
}
