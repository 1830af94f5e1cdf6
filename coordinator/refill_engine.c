#include "coordinator/refill_engine.h"
#include "bitcoin/address.h"
#include "coordinator/stop.h"
#include "crypto/hash.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUND_ARENA ((size_t)8 << 20)
#define DAY_US      ((int64_t)86400000000)
#define PAST_RUNS   12 // from which the usual rate is taken

struct policy {
    char id[ID_SIZE], wallet_id[ID_SIZE];
    struct bytes name, body;
    uint64_t sequence;
};

static bool read_policies(struct db *db, struct policy **out, size_t *n, struct arena *arena,
                          struct err *err)
{
    struct db_rows rows;
    if (!db_query(
            db, &rows,
            "SELECT id, wallet_id, name, body, next_sequence FROM refill_policy WHERE enabled "
            "= 1 AND paused_reason IS NULL ORDER BY id",
            DB_NONE, arena, err))
        return false;
    *n = rows.n;
    *out = arena_array(arena, rows.n, sizeof **out);
    if (*out == NULL)
        return err_set(err, ERR_NO_MEMORY, "too many refill policies");
    for (size_t i = 0; i < rows.n; i++) {
        struct policy *p = &(*out)[i];
        db_cell_copy(p->id, sizeof p->id, &rows, i, 0);
        db_cell_copy(p->wallet_id, sizeof p->wallet_id, &rows, i, 1);
        p->name = db_cell_bytes(&rows, i, 2);
        p->body = db_cell_bytes(&rows, i, 3);
        p->sequence = db_cell_u64(&rows, i, 4);
    }
    return true;
}

// --- The past ---

static int by_size(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

// Sat a day: each refill replaced what had gone since the one before.
static void find_rates(const struct db_rows *runs, struct refill_past *past)
{
    uint64_t rates[PAST_RUNS];
    size_t n = 0;
    for (size_t i = 0; i + 1 < runs->n && n < PAST_RUNS; i++) {
        const int64_t gap_s = (db_cell_int(runs, i, 1) - db_cell_int(runs, i + 1, 1)) / 1000000;
        rates[n++] = db_cell_u64(runs, i, 2) / (uint64_t)(gap_s > 0 ? gap_s : 1) * 86400;
    }
    if (n < 4)
        return; // too few to call anything usual
    past->rate_last = rates[0];
    qsort(rates + 1, n - 1, sizeof rates[0], by_size);
    past->rate_usual = rates[1 + (n - 1) / 2];
}

static bool read_past(struct db *db, const struct policy *p, const struct refill_rules *rules,
                      int64_t now_us, struct refill_past *out, struct arena *arena, struct err *err)
{
    struct db_rows runs, newest;
    *out = (struct refill_past){ .live = false };
    if (!db_query(db, &runs,
                  "SELECT s.state, r.created_at, s.amount FROM refill_run r JOIN spend s ON s.id = "
                  "r.spend_id WHERE r.policy_id = $1 ORDER BY r.sequence DESC LIMIT 1000",
                  DB_ARGS(db_text(p->id)), arena, err))
        return false;
    for (size_t i = 0; i < runs.n; i++) {
        const int64_t age_us = now_us - db_cell_int(&runs, i, 1);
        enum spend_state state = SPEND_SETTLED;
        if (!spend_state_of(&state, db_cell_bytes(&runs, i, 0)))
            return err_set(err, ERR_INTERNAL, "refill %s: a spend of no known state", p->id);
        out->live = out->live || !spend_state_is_final(state);
        out->today += age_us < DAY_US;
        out->recent += rules->drain_s != 0 && age_us < (int64_t)rules->drain_s * 1000000;
        if ((state == SPEND_SENT || state == SPEND_CONFIRMED) &&
            !sats_add(&out->unsettled, (struct sats){ db_cell_u64(&runs, i, 2) }))
            return err_set(err, ERR_INTERNAL, "refill %s: more than can exist", p->id);
    }
    if (!db_query(
            db, &newest,
            "SELECT CAST(coalesce(max(a.height), 0) AS bigint) FROM refill_run r JOIN attempt a "
            "ON a.spend_id = r.spend_id WHERE r.policy_id = $1 AND a.state = 'confirmed'",
            DB_ARGS(db_text(p->id)), arena, err))
        return false;
    out->height = (uint32_t)db_cell_int(&newest, 0, 0);
    if (runs.n > 0)
        out->last_s = db_cell_int(&runs, 0, 1) / 1000000;
    find_rates(&runs, out);
    return true;
}

// --- What follows ---

static bool tell(struct refill_engine *e, const struct policy *p, const char *kind, const char *why,
                 struct err *err)
{
    uint8_t mem[512];
    struct writer w = writer_of(mem, sizeof mem);
    struct json_writer j = json_writer_of(&w);
    struct bytes after;
    json_begin_object(&j);
    json_key(&j, "policy");
    json_string(&j, p->name);
    json_key(&j, "why");
    json_text(&j, why);
    json_end_object(&j);
    const struct event event = { .actor = "coordinator",
                                 .kind = kind,
                                 .object = p->id,
                                 .after = writer_finish(&w, &after) ? after : BYTES("{}") };
    return db_in_transaction(e->db) ? ledger_event_within(e->db, &event, err)
                                    : ledger_event(e->db, &event, err);
}

static void alert(struct refill_engine *e, const struct policy *p, const char *why, int64_t now_us)
{
    struct err err;
    if (e->alerted_us != 0 && now_us - e->alerted_us < REFILL_ALERT_US)
        return;
    e->alerted_us = now_us;
    LOG(e->log, LOG_WARNING, "refill_alert", LOG_BYTES("policy", p->name), LOG_TEXT("why", why));
    if (!tell(e, p, "refill.alert", why, &err))
        LOG(e->log, LOG_ERROR, "refill_alert_lost", LOG_TEXT("error", err.text));
}

struct pause {
    struct refill_engine *e;
    const struct policy *p;
    const char *why;
};
static bool pause_body(struct db *db, void *context, struct err *err)
{
    const struct pause *c = context;
    return db_exec(db, NULL, "UPDATE refill_policy SET paused_reason = $1 WHERE id = $2",
                   DB_ARGS(db_text(c->why), db_text(c->p->id)), err) &&
           tell(c->e, c->p, "refill.paused", c->why, err);
}

// The destination whose turn it is.
static bool find_destination(struct db *db, const struct policy *p,
                             const struct refill_rules *rules, struct spend_output *out,
                             struct arena *arena, struct err *err)
{
    const struct bytes name = rules->destinations[(p->sequence - 1) % rules->n_destinations];
    struct db_rows rows;
    if (!db_query(
            db, &rows,
            "SELECT id, script, address FROM destination WHERE wallet_id = $1 AND name = $2 AND "
            "state = 'active' ORDER BY created_at DESC LIMIT 1",
            DB_ARGS(db_text(p->wallet_id), db_text_of(name)), arena, err))
        return false;
    if (rows.n == 0)
        return code_fail(err, CODE_DESTINATION_NOT_ALLOWED, "no active destination is named '%.*s'",
                         BYTES_ARG(name));
    db_cell_copy(out->destination_id, sizeof out->destination_id, &rows, 0, 0);
    out->script = db_cell_bytes(&rows, 0, 1);
    out->address = db_cell_bytes(&rows, 0, 2);
    return true;
}

struct start {
    struct refill_engine *e;
    const struct policy *p;
    const struct spend *spend;
    struct bytes balances;
    const char *why;
};
// Whoever comes second finds the sequence moved on, and the same spend in the run.
static bool start_body(struct db *db, void *context, struct err *err)
{
    const struct start *c = context;
    uint64_t changed;
    char id[ID_SIZE];
    int64_t now_us;
    if (!db_now_us(db, &now_us, err) ||
        !db_exec(db, &changed,
                 "UPDATE refill_policy SET next_sequence = $1 WHERE id = $2 AND next_sequence = $3",
                 DB_ARGS(db_u64(c->p->sequence + 1), db_text(c->p->id), db_u64(c->p->sequence)),
                 err))
        return false;
    if (changed == 0)
        return true;
    db_new_id(id, now_us);
    return db_exec(db, NULL,
                   "INSERT INTO refill_run(id, policy_id, sequence, spend_id, balances, decision) "
                   "VALUES($1, $2, $3, $4, $5, 'pay')",
                   DB_ARGS(db_text(id), db_text(c->p->id), db_u64(c->p->sequence),
                           db_text(c->spend->id), db_text_of(c->balances)),
                   err) &&
           tell(c->e, c->p, "refill.started", c->why, err);
}

static struct bytes balances_text(const struct refill_rules *rules, const struct refill_balance *b,
                                  struct arena *arena)
{
    struct writer w = writer_growing(arena, 4096);
    struct json_writer j = json_writer_of(&w);
    struct bytes text;
    json_begin_array(&j);
    for (size_t i = 0; i < rules->n_sources; i++) {
        if (b[i].ok)
            json_u64(&j, b[i].balance.n);
        else
            json_null(&j);
    }
    json_end_array(&j);
    return writer_finish(&w, &text) ? text : BYTES("[]");
}

static bool start(struct refill_engine *e, const struct policy *p, const struct refill_rules *rules,
                  const struct refill_balance *balances, const struct refill_decision *decision,
                  struct arena *arena, struct err *err)
{
    struct spend_output output = { .amount = decision->amount };
    struct spend spend;
    char request_id[REQUEST_ID_SIZE];
    bool is_new;
    if (!find_destination(e->db, p, rules, &output, arena, err))
        return false;
    // No caller's request id holds a slash, so that nobody can take this one.
    (void)snprintf(request_id, sizeof request_id, "refill/%s/%" PRIu64, p->id, p->sequence);
    const struct spend_request request = {
        .wallet_id = p->wallet_id,
        .request_id = bytes_of_text(request_id),
        // Of the sequence alone: a second try with another balance is the same request.
        .body_hash = sha256(bytes_of_text(request_id)),
        .tier = TIER_AUTO,
        .outputs = &output,
        .n_outputs = 1,
        .note = p->name,
    };
    if (!ledger_submit(e->db, &spend, &is_new, &request, err))
        return false;
    STOP_POINT("refill");
    struct start context = { e, p, &spend, balances_text(rules, balances, arena), decision->why };
    return db_transact(e->db, start_body, &context, err);
}

// --- Runs that have ended ---

struct ended {
    struct refill_engine *e;
    const struct policy *p;
    const char *run_id, *state;
};
static bool ended_body(struct db *db, void *context, struct err *err)
{
    const struct ended *c = context;
    uint64_t changed;
    return db_exec(db, &changed,
                   "UPDATE refill_run SET decision = $1 WHERE id = $2 AND decision = 'pay'",
                   DB_ARGS(db_text(c->state), db_text(c->run_id)), err) &&
           (changed == 0 || tell(c->e, c->p, "refill.ended", c->state, err));
}

static bool tell_ended(struct refill_engine *e, const struct policy *p, struct arena *arena,
                       struct err *err)
{
    struct db_rows rows;
    if (!db_query(e->db, &rows,
                  "SELECT r.id, s.state FROM refill_run r JOIN spend s ON s.id = r.spend_id WHERE "
                  "r.policy_id = $1 AND r.decision = 'pay'",
                  DB_ARGS(db_text(p->id)), arena, err))
        return false;
    for (size_t i = 0; i < rows.n; i++) {
        enum spend_state state;
        char id[ID_SIZE];
        if (!spend_state_of(&state, db_cell_bytes(&rows, i, 1)) || !spend_state_is_final(state))
            continue;
        db_cell_copy(id, sizeof id, &rows, i, 0);
        struct ended context = { e, p, id, spend_state_name(state) };
        if (!db_transact(e->db, ended_body, &context, err))
            return false;
    }
    return true;
}

// --- A round ---

static bool look_at(struct refill_engine *e, const struct policy *p, bool *started,
                    struct arena *arena, struct err *err)
{
    struct refill_rules rules;
    struct refill_past past;
    struct refill_balance balances[REFILL_SOURCES];
    struct velocity_view velocity;
    char why[REFILL_SOURCES][160];
    int64_t now_us;
    if (!tell_ended(e, p, arena, err) || !refill_rules_parse(&rules, p->body, arena, err) ||
        !db_now_us(e->db, &now_us, err) || !read_past(e->db, p, &rules, now_us, &past, arena, err))
        return false;
    if (past.live)
        return true; // no need to ask anybody
    if (!ledger_velocity(e->db, &velocity, p->wallet_id, err))
        return false;
    refill_ask_sources(&rules, &e->ways, balances, why);
    const struct sats room = { velocity.cap_auto.n > velocity.spent.n
                                   ? velocity.cap_auto.n - velocity.spent.n
                                   : 0 };
    const struct refill_decision d = refill_decide(&rules, balances, &past, room, now_us / 1000000);
    for (size_t i = 0; d.verdict == REFILL_UNKNOWN && i < rules.n_sources; i++)
        if (why[i][0] != '\0')
            LOG(e->log, LOG_WARNING, "refill_source", LOG_BYTES("policy", p->name),
                LOG_TEXT("error", why[i]));
    switch (d.verdict) {
    case REFILL_PAY:
        *started = start(e, p, &rules, balances, &d, arena, err);
        return *started;
    case REFILL_DRAINING: {
        struct pause context = { e, p, d.why };
        alert(e, p, d.why, now_us);
        return db_transact(e->db, pause_body, &context, err);
    }
    case REFILL_NO_ROOM:
    case REFILL_UNKNOWN:
        alert(e, p, d.why, now_us);
        return true;
    case REFILL_ENOUGH:
    case REFILL_WAITS:
        break;
    }
    return true;
}

bool refill_round(struct refill_engine *engine, size_t *n_started, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(ROUND_ARENA);
    struct policy *policies;
    size_t n;
    *n_started = 0;
    if (!read_policies(engine->db, &policies, &n, arena, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        bool started = false;
        if (look_at(engine, &policies[i], &started, arena, err)) {
            *n_started += started;
            continue;
        }
        if (code_of(err) == CODE_LEDGER_UNAVAILABLE)
            return false;
        int64_t now_us;
        if (!db_now_us(engine->db, &now_us, err))
            return false;
        alert(engine, &policies[i], err->text, now_us);
    }
    return true;
}
