#include "coordinator/fleet_store.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/require.h"
#include "bitcoin/multisig_register.h"
#include "coordinator/wallet.h"

#define SIGNER_ARENA ((size_t)24 << 20) // the policy's text, its tree, its rules
#define READ_ARENA   ((size_t)64 << 20)
#define EVENT_MAX    1024

// --- Reading ---

void known_signer_free(struct known_signer *signer)
{
    if (signer != NULL)
        arena_free(signer->arena); // it lies in there itself
}

bool known_signer_equal(const struct known_signer *a, const struct known_signer *b)
{
    bool same = strcmp(a->id, b->id) == 0 && a->number == b->number &&
                memcmp(a->xfp.b, b->xfp.b, sizeof a->xfp.b) == 0 && strcmp(a->pin, b->pin) == 0 &&
                strcmp(a->domain, b->domain) == 0 && a->enabled == b->enabled &&
                a->is_command == b->is_command && a->vouched_for == b->vouched_for &&
                a->vouched_amount.n == b->vouched_amount.n &&
                a->vouched_budget.n == b->vouched_budget.n &&
                a->vouched_period_min == b->vouched_period_min && a->max_psbt == b->max_psbt &&
                a->max_inputs == b->max_inputs && a->n_wallets == b->n_wallets &&
                strcmp(a->policy_id, b->policy_id) == 0;
    for (size_t i = 0; same && i < a->n_wallets; i++)
        same = strcmp(a->wallets[i].id, b->wallets[i].id) == 0 &&
               a->wallets[i].cap.n == b->wallets[i].cap.n &&
               strcmp(a->wallets[i].keys.name, b->wallets[i].keys.name) == 0;
    return same;
}

static uint64_t limit_of(const struct json *limits, const char *key, uint64_t otherwise)
{
    const struct json *value = limits != NULL ? json_get(limits, key) : NULL;
    int64_t n;
    return value != NULL && value->type == JSON_NUMBER && json_integer(value, &n, NULL) && n >= 0
               ? (uint64_t)n
               : otherwise;
}

// `limits` of the row: {"ready": true, "max_amount", "per_period", "period_min", "max_psbt", "max_inputs"}.
static void read_limits(struct known_signer *s, struct bytes text)
{
    const struct json *limits = NULL;
    struct err unimportant;
    if (!json_parse(&limits, text, s->arena, &unimportant))
        limits = NULL;
    const struct json *ready = limits != NULL ? json_get(limits, "ready") : NULL;
    s->vouched_for = ready != NULL && ready->type == JSON_TRUE;
    s->vouched_amount.n = limit_of(limits, "max_amount", SATS_MAX);
    s->vouched_budget.n = limit_of(limits, "per_period", SATS_MAX);
    s->vouched_period_min = (uint32_t)limit_of(limits, "period_min", 60);
    s->max_psbt = limit_of(limits, "max_psbt", 0);
    s->max_inputs = limit_of(limits, "max_inputs", 0);
}

static const char *text_of(const struct db_rows *rows, size_t row, size_t column,
                           struct arena *arena)
{
    const char *text = arena_text(arena, db_cell_bytes(rows, row, column));
    return text != NULL ? text : "";
}

static bool read_wallet(struct known_signer *s, const struct db_rows *rows, size_t i,
                        struct err *err)
{
    struct known_wallet *w = &s->wallets[s->n_wallets];
    db_cell_copy(w->id, sizeof w->id, rows, i, 0);
    w->k = (unsigned)db_cell_int(rows, i, 4);
    w->n = (unsigned)db_cell_int(rows, i, 5);
    w->window_us = db_cell_int(rows, i, 6) * 1000000;
    w->cap.n = db_cell_u64(rows, i, 8);
    if (!arena_copy(s->arena, db_cell_bytes(rows, i, 1), &w->name))
        return err_set(err, ERR_NO_MEMORY, "a wallet is too large");
    const struct chain *chain = wallet_chain_of(db_cell_bytes(rows, i, 2));
    if (chain == NULL)
        return err_set(err, ERR_INVALID, "wallet %.*s: no such network", BYTES_ARG(w->name));
    if (!ms_read_foreign(&w->keys, db_cell_bytes(rows, i, 3), chain, s->arena, err))
        return err_within(err, "wallet %.*s", BYTES_ARG(w->name));
    db_cell_copy(w->keys.name, sizeof w->keys.name, rows, i, 7);
    s->n_wallets++;
    return true;
}

static bool read_wallets(struct known_signer *s, struct db *db, struct arena *arena,
                         struct err *err)
{
    struct db_rows rows;
    if (!db_query(
            db, &rows,
            "SELECT w.id, w.name, w.network, w.desc_receive, w.k, w.n, g.window_s, "
            "x.registered_name, g.cap_auto FROM wallet_signer x JOIN wallet w ON w.id = "
            "x.wallet_id "
            "JOIN velocity_guard g ON g.wallet_id = w.id WHERE x.signer_id = $1 ORDER BY w.id",
            DB_ARGS(db_text(s->id)), arena, err))
        return false;
    for (size_t i = 0; i < rows.n && i < FLEET_WALLETS; i++)
        if (!read_wallet(s, &rows, i, err))
            return false;
    return true;
}

static bool query_policies(struct db_rows *out, const struct known_signer *s, const char *state,
                           int64_t limit, struct db *db, struct arena *arena, struct err *err)
{
    return db_query(db, out,
                    "SELECT p.id, p.body FROM policy_version p JOIN wallet_signer x ON "
                    "x.wallet_id = p.wallet_id AND x.signer_id = $1 WHERE p.state = $2 AND "
                    "(p.signer_id IS NULL OR p.signer_id = $1) ORDER BY p.published_at DESC, "
                    "p.number DESC LIMIT $3",
                    DB_ARGS(db_text(s->id), db_text(state), db_int(limit)), arena, err);
}

// A policy that does not parse is none: the signer is not ready, and nothing is loaded into it.
static bool read_policy(struct known_signer *s, struct db *db, struct arena *arena, struct err *err)
{
    struct db_rows rows;
    struct err why;
    if (!query_policies(&rows, s, "published", 1, db, arena, err))
        return false;
    if (rows.n == 0)
        return true;
    db_cell_copy(s->policy_id, sizeof s->policy_id, &rows, 0, 0);
    s->has_policy = arena_copy(s->arena, db_cell_bytes(&rows, 0, 1), &s->policy_body) &&
                    device_policy_read(&s->rules, s->policy_body, s->arena, &why);
    if (!query_policies(&rows, s, "replaced", FLEET_FORMER, db, arena, err))
        return false;
    for (size_t i = 0; i < rows.n; i++)
        s->n_former +=
            device_policy_read(&s->former[s->n_former], db_cell_bytes(&rows, i, 1), s->arena, &why);
    return true;
}

static struct known_signer *read_signer(const struct db_rows *rows, size_t i, int64_t now_us)
{
    struct arena *arena = arena_new(SIGNER_ARENA);
    struct known_signer *s = arena_alloc(arena, sizeof *s);
    REQUIRE(s != NULL);
    const struct bytes xfp = db_cell_bytes(rows, i, 4);
    s->arena = arena;
    db_cell_copy(s->id, sizeof s->id, rows, i, 0);
    db_cell_copy(s->name, sizeof s->name, rows, i, 1);
    s->number = (unsigned)db_cell_int(rows, i, 2);
    s->is_command = bytes_equal_text(db_cell_bytes(rows, i, 3), "command");
    if (xfp.len == sizeof s->xfp.b)
        memcpy(s->xfp.b, xfp.ptr, xfp.len);
    s->pin = text_of(rows, i, 5, arena);
    s->domain = text_of(rows, i, 6, arena);
    read_limits(s, db_cell_bytes(rows, i, 7));
    s->enabled = db_cell_int(rows, i, 8) != 0;
    db_cell_copy(s->state, sizeof s->state, rows, i, 9);
    const int64_t cool_us = db_cell_int(rows, i, 10) - now_us;
    s->cool_ms = cool_us > 0 ? cool_us / 1000 : 0;
    return s;
}

bool store_read_signers(struct db *db, struct known_signers *out, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(READ_ARENA);
    struct db_rows rows;
    int64_t now_us;
    bool ok = true;
    *out = (struct known_signers){ .n = 0 };
    if (!db_now_us(db, &now_us, err) ||
        !db_query(db, &rows,
                  "SELECT id, name, number, kind, fingerprint, device_pin, failure_domain, limits, "
                  "enabled, state, cool_until FROM signer ORDER BY number",
                  DB_NONE, arena, err))
        return false;
    for (size_t i = 0; ok && i < rows.n && i < CONFIG_SIGNERS; i++) {
        struct known_signer *s = out->items[out->n++] = read_signer(&rows, i, now_us);
        ok = read_wallets(s, db, arena, err) && read_policy(s, db, arena, err);
    }
    for (size_t i = 0; !ok && i < out->n; i++)
        known_signer_free(out->items[i]);
    return ok;
}

// --- Writing ---

struct state_change {
    const struct known_signer *signer;
    const char *before, *after, *why;
};

static void put_state(struct writer *w, const struct known_signer *s, const char *state,
                      const char *why)
{
    struct json_writer j = json_writer_of(w);
    json_begin_object(&j);
    json_key(&j, "signer");
    json_text(&j, s->name);
    json_key(&j, "state");
    json_text(&j, state);
    if (why != NULL) {
        json_key(&j, "why");
        json_text(&j, why);
    }
    json_end_object(&j);
}

static bool write_state(struct db *db, void *context, struct err *err)
{
    const struct state_change *c = context;
    uint8_t before_mem[EVENT_MAX], after_mem[EVENT_MAX];
    struct writer before = writer_of(before_mem, sizeof before_mem);
    struct writer after = writer_of(after_mem, sizeof after_mem);
    put_state(&before, c->signer, c->before, NULL);
    put_state(&after, c->signer, c->after, c->why[0] != '\0' ? c->why : NULL);
    const struct event event = { .actor = "coordinator",
                                 .kind = "signer.state",
                                 .object = c->signer->id,
                                 .before = writer_bytes(&before),
                                 .after = writer_bytes(&after) };
    return db_exec(db, NULL, "UPDATE signer SET state = $2 WHERE id = $1",
                   DB_ARGS(db_text(c->signer->id), db_text(c->after)), err) &&
           ledger_event_within(db, &event, err);
}

bool store_set_state(struct db *db, const struct known_signer *signer, const char *before,
                     const char *after, const char *why, struct err *err)
{
    struct state_change c = { signer, before, after, why };
    return db_transact(db, write_state, &c, err);
}

bool store_set_enabled(struct db *db, const char *signer_id, bool enabled, struct err *err)
{
    return db_exec(db, NULL, "UPDATE signer SET enabled = $2 WHERE id = $1",
                   DB_ARGS(db_text(signer_id), db_int(enabled)), err);
}

bool store_cool(struct db *db, const char *signer_id, int64_t cool_us, struct err *err)
{
    int64_t now_us;
    return db_now_us(db, &now_us, err) &&
           db_exec(db, NULL, "UPDATE signer SET cool_until = $2 WHERE id = $1",
                   DB_ARGS(db_text(signer_id), db_int(now_us + cool_us)), err);
}

bool store_set_pin(struct db *db, const char *signer_id, const char *xpub, struct err *err)
{
    return db_exec(db, NULL,
                   "UPDATE signer SET device_pin = $2 WHERE id = $1 AND device_pin IS NULL",
                   DB_ARGS(db_text(signer_id), db_text(xpub)), err);
}

static struct bytes spent_text(struct writer *w, const struct port_status *status)
{
    struct json_writer j = json_writer_of(w);
    json_begin_array(&j);
    if (!status->tells_velocity)
        json_null(&j);
    for (size_t i = 0; status->tells_velocity && i < status->n_spent; i++)
        json_u64(&j, status->spent[i].n);
    json_end_array(&j);
    return writer_bytes(w);
}

bool store_set_status(struct db *db, const char *signer_id, const struct port_status *status,
                      int64_t window_ends_us, struct err *err)
{
    uint8_t hash[32], mem[PORT_RULES_MAX * 24];
    struct writer w = writer_of(mem, sizeof mem);
    const bool has_hash = hex_decode(hash, sizeof hash, bytes_of_text(status->policy_hash));
    int64_t now_us;
    return db_now_us(db, &now_us, err) &&
           db_exec(
               db, NULL,
               "INSERT INTO signer_status(signer_id, seen_at, active, policy_hash, approvals, "
               "refusals, last_tag, spent, window_end) VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9) "
               "ON CONFLICT (signer_id) DO UPDATE SET seen_at = excluded.seen_at, "
               "active = excluded.active, policy_hash = excluded.policy_hash, "
               "approvals = excluded.approvals, refusals = excluded.refusals, "
               "last_tag = excluded.last_tag, spent = excluded.spent, "
               "window_end = excluded.window_end",
               DB_ARGS(db_text(signer_id), db_int(now_us), db_int(status->active),
                       has_hash ? db_blob(BYTES_OF(hash)) : db_null(DB_BLOB),
                       db_u64(status->approvals), db_u64(status->refusals),
                       db_text(refusal_tag_name(status->tag)), db_text_of(spent_text(&w, status)),
                       db_int_or_null(window_ends_us)),
               err);
}

// --- Claims ---

bool store_begin_heal(struct db *db, const char *signer_id, bool now, bool *granted,
                      struct err *err)
{
    // "at most once per cooldown (25 s), doubling to 10 min": 25, 50, 100, 200, 400, 600 s
    uint64_t changed = 0;
    int64_t now_us;
    *granted = false;
    if (!db_now_us(db, &now_us, err) ||
        !db_exec(db, &changed,
                 "UPDATE signer SET heal_at = $2, heal_tries = heal_tries + 1 WHERE id = $1 AND "
                 "(heal_at IS NULL OR $3 = 1 OR heal_at + CASE heal_tries WHEN 0 THEN $4 "
                 "WHEN 1 THEN $4 WHEN 2 THEN 2 * $4 WHEN 3 THEN 4 * $4 WHEN 4 THEN 8 * $4 "
                 "WHEN 5 THEN 16 * $4 ELSE $5 END <= $2)",
                 DB_ARGS(db_text(signer_id), db_int(now_us), db_int(now), db_int(HEAL_PAUSE_US),
                         db_int(HEAL_PAUSE_MAX_US)),
                 err))
        return false;
    *granted = changed == 1;
    return true;
}

bool store_end_heal(struct db *db, const char *signer_id, struct err *err)
{
    return db_exec(db, NULL, "UPDATE signer SET heal_tries = 0 WHERE id = $1 AND heal_tries > 0",
                   DB_ARGS(db_text(signer_id)), err);
}

struct draining {
    const struct known_signer *signer;
    bool granted;
};

// The guard's row first: two replicas do not take out two signers of a wallet at once.
static bool enough_others(struct db *db, const struct known_signer *s, const struct known_wallet *w,
                          bool *enough, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(8192);
    struct db_rows rows;
    if (!db_query(db, &rows, "SELECT version FROM velocity_guard WHERE wallet_id = $1 FOR UPDATE",
                  DB_ARGS(db_text(w->id)), arena, err) ||
        !db_query(db, &rows,
                  "SELECT count(*) FROM wallet_signer x JOIN signer s ON s.id = x.signer_id WHERE "
                  "x.wallet_id = $1 AND s.id <> $2 AND s.enabled = 1 AND s.state IN ('verified', "
                  "'active')", // active: it waits for its turn with the version before
                  DB_ARGS(db_text(w->id), db_text(s->id)), arena, err))
        return false;
    *enough = db_cell_int(&rows, 0, 0) >= (int64_t)w->k;
    return true;
}

static bool begin_draining(struct db *db, void *context, struct err *err)
{
    struct draining *d = context;
    d->granted = true;
    for (size_t i = 0; d->granted && i < d->signer->n_wallets; i++)
        if (!enough_others(db, d->signer, &d->signer->wallets[i], &d->granted, err))
            return false;
    return !d->granted || db_exec(db, NULL, "UPDATE signer SET state = 'draining' WHERE id = $1",
                                  DB_ARGS(db_text(d->signer->id)), err);
}

bool store_begin_draining(struct db *db, const struct known_signer *signer, bool *granted,
                          struct err *err)
{
    struct draining d = { signer, false };
    if (!db_transact(db, begin_draining, &d, err))
        return false;
    *granted = d.granted;
    return true;
}

bool store_installed(struct db *db, const struct known_signer *signer, const char *step,
                     const char *result, struct err *err)
{
    char id[ID_SIZE];
    int64_t now_us;
    if (!db_now_us(db, &now_us, err))
        return false;
    db_new_id(id, now_us);
    return db_exec(db, NULL,
                   "INSERT INTO policy_install(id, signer_id, policy_version_id, step, result, at) "
                   "VALUES($1, $2, $3, $4, $5, $6)",
                   DB_ARGS(db_text(id), db_text(signer->id), db_text(signer->policy_id),
                           db_text(step), db_text(result), db_int(now_us)),
                   err);
}
