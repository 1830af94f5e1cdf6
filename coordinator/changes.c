#include "coordinator/changes.h"
#include "base/clock.h"
#include "coordinator/auth.h"
#include "coordinator/changes_kinds.h"
#include <inttypes.h>

#define CHANGES_ARENA ((size_t)1 << 20)

static const char *const states[] = {
    [CHANGE_DRAFT] = "draft",           [CHANGE_APPROVED] = "approved",
    [CHANGE_WAITING] = "waiting",       [CHANGE_PUBLISHED] = "published",
    [CHANGE_ROLLED_OUT] = "rolled_out", [CHANGE_ROLLED_BACK] = "rolled_back",
    [CHANGE_REJECTED] = "rejected",     [CHANGE_EXPIRED] = "expired",
};

const char *change_state_name(enum change_state state)
{
    return states[state];
}

static enum change_state state_of(struct bytes name)
{
    for (size_t i = 0; i < COUNT(states); i++)
        if (bytes_equal_text(name, states[i]))
            return (enum change_state)i;
    return CHANGE_EXPIRED; // what is unknown is not published
}

bool change_kind_is_known(struct bytes kind)
{
    return change_kind_find(kind) != NULL;
}

unsigned change_kind_roles(struct bytes kind)
{
    const struct change_kind *k = change_kind_find(kind);
    return k != NULL ? k->roles : 0;
}

// --- Rows ---

#define CHANGE_SELECT                                                                              \
    "SELECT c.id, c.wallet_id, c.created_by, c.kind, c.body, c.loosening, c.state, c.created_at, " \
    "c.not_before, c.expires_at, "                                                                 \
    "(SELECT CAST(count(*) AS bigint) FROM approval a WHERE a.change_request_id = c.id AND "       \
    "a.verdict = 'approve'), "                                                                     \
    "(SELECT CAST(count(*) AS bigint) FROM approval a WHERE a.change_request_id = c.id AND "       \
    "a.verdict = 'reject') FROM change_request c "

static void read_row(struct change_row *out, const struct db_rows *rows, size_t i)
{
    *out = (struct change_row){ .kind = db_cell_bytes(rows, i, 3),
                                .body = db_cell_bytes(rows, i, 4),
                                .loosening = db_cell_int(rows, i, 5) != 0,
                                .state = state_of(db_cell_bytes(rows, i, 6)),
                                .created_us = db_cell_int(rows, i, 7),
                                .not_before_us = db_cell_int(rows, i, 8),
                                .expires_us = db_cell_int(rows, i, 9),
                                .approvals = (unsigned)db_cell_int(rows, i, 10),
                                .rejections = (unsigned)db_cell_int(rows, i, 11) };
    db_cell_copy(out->id, sizeof out->id, rows, i, 0);
    db_cell_copy(out->wallet_id, sizeof out->wallet_id, rows, i, 1);
    db_cell_copy(out->created_by, sizeof out->created_by, rows, i, 2);
}

// How many people it needs, by the rules now in force.
static bool set_needed(struct db *db, struct change_row *row, struct change_rules *rules,
                       struct err *err)
{
    const struct change_kind *kind = change_kind_find(row->kind);
    if (kind == NULL)
        return code_fail(err, CODE_INTERNAL, "change %s is of no known kind", row->id);
    if (!change_rules(db, rules, row->wallet_id, err))
        return false;
    if ((kind->flags & (unsigned)CHANGE_ALWAYS_TWO) != 0)
        rules->approvals = CHANGE_APPROVALS;
    if ((kind->flags & (unsigned)CHANGE_AT_ONCE) != 0)
        rules->delay_s = 0;
    row->needed = row->loosening ? (unsigned)rules->approvals : 0;
    return true;
}

bool change_get(struct db *db, struct change_row *out, const char *id, struct arena *arena,
                struct err *err)
{
    struct db_rows rows;
    struct change_rules rules;
    if (!db_query(db, &rows, CHANGE_SELECT "WHERE c.id = $1", DB_ARGS(db_text(id)), arena, err))
        return false;
    if (rows.n == 0)
        return code_fail(err, CODE_NOT_FOUND, "there is no such change");
    read_row(out, &rows, 0);
    return set_needed(db, out, &rules, err);
}

bool change_list(struct db *db, struct change_rows *out, const char *wallet_id, const char *cursor,
                 size_t limit, struct arena *arena, struct err *err)
{
    struct db_rows rows;
    struct change_rules rules;
    if (!db_query(db, &rows,
                  CHANGE_SELECT "WHERE c.wallet_id = $1 AND (c.id < $2 OR $2 = '') "
                                "ORDER BY c.id DESC LIMIT $3",
                  DB_ARGS(db_text(wallet_id), db_text(cursor), db_u64(limit)), arena, err))
        return false;
    out->n = rows.n;
    out->items = arena_array(arena, rows.n, sizeof *out->items);
    if (out->items == NULL)
        return err_set(err, ERR_NO_MEMORY, "too many changes");
    for (size_t i = 0; i < rows.n; i++) {
        read_row(&out->items[i], &rows, i);
        if (!set_needed(db, &out->items[i], &rules, err))
            return false;
    }
    return true;
}

void change_write(struct json_writer *j, const struct change_row *r)
{
    const struct {
        const char *name;
        int64_t us;
    } times[] = { { "created_at", r->created_us },
                  { "not_before", r->not_before_us },
                  { "expires_at", r->expires_us } };
    json_begin_object(j);
    json_key(j, "id");
    json_text(j, r->id);
    json_key(j, "wallet_id");
    json_text(j, r->wallet_id);
    json_key(j, "kind");
    json_string(j, r->kind);
    json_key(j, "body");
    json_raw(j, r->body);
    json_key(j, "loosening");
    json_bool(j, r->loosening);
    json_key(j, "state");
    json_text(j, states[r->state]);
    json_key(j, "created_by");
    if (r->created_by[0] != '\0')
        json_text(j, r->created_by);
    else
        json_null(j);
    for (size_t i = 0; i < COUNT(times); i++) {
        json_key(j, times[i].name);
        auth_time_write(j, times[i].us);
    }
    json_key(j, "approvals");
    json_u64(j, r->approvals);
    json_key(j, "rejections");
    json_u64(j, r->rejections);
    json_key(j, "needed");
    json_u64(j, r->needed);
    json_end_object(j);
}

static bool row_event(struct db *db, const struct actor *actor, const char *kind,
                      const struct change_row *row, struct bytes before, struct arena *arena,
                      struct err *err)
{
    struct writer w = writer_growing(arena, 65536);
    struct json_writer j = json_writer_of(&w);
    struct bytes after;
    change_write(&j, row);
    if (!writer_finish(&w, &after))
        return err_set(err, ERR_NO_MEMORY, "change: too large");
    return actor_event(db, actor, kind, row->id, before, after, err);
}

// --- A change in a transaction ---

struct flow {
    struct change_row *row;
    const struct actor *actor;
    const char *principal_id, *wallet_id, *id;
    struct bytes kind, body;
    bool approve, demo;
    struct arena *arena;
};

static bool lock_wallet(struct db *db, const char *wallet_id, struct arena *arena, struct err *err)
{
    struct db_rows rows;
    return db_query(db, &rows, "SELECT 1 FROM wallet WHERE id = $1 FOR UPDATE",
                    DB_ARGS(db_text(wallet_id)), arena, err) &&
           (rows.n == 1 || code_fail(err, CODE_NOT_FOUND, "there is no such wallet"));
}

static bool compare(struct db *db, const struct flow *f, const char *wallet_id, struct bytes kind,
                    struct bytes body, struct change_context *c, const struct change_kind **out,
                    bool *loosening, struct bytes *before, struct err *err)
{
    *out = change_kind_find(kind);
    if (*out == NULL)
        return code_fail(err, CODE_BAD_REQUEST, "kind: there is no such kind of change");
    *c = (struct change_context){ .db = db,
                                  .arena = f->arena,
                                  .actor = f->actor,
                                  .principal_id = f->principal_id,
                                  .wallet_id = wallet_id };
    if (!json_parse(&c->body, body, f->arena, err) || c->body->type != JSON_OBJECT)
        return code_fail(err, CODE_BAD_REQUEST, "body: is no JSON object");
    return db_now_us(db, &c->now_us, err) && (*out)->compare(c, loosening, before, err);
}

static bool draft_body(struct db *db, void *context, struct err *err)
{
    struct flow *f = context;
    struct change_context c;
    const struct change_kind *kind;
    struct bytes before;
    bool loosening;
    char id[ID_SIZE];
    if (!lock_wallet(db, f->wallet_id, f->arena, err) ||
        !compare(db, f, f->wallet_id, f->kind, f->body, &c, &kind, &loosening, &before, err))
        return false;
    db_new_id(id, c.now_us);
    return db_exec(db, NULL,
                   "INSERT INTO change_request(id, wallet_id, kind, body, loosening, state, "
                   "created_by, expires_at) VALUES($1, $2, $3, $4, $5, 'draft', $6, $7)",
                   DB_ARGS(db_text(id), db_text(f->wallet_id), db_text(kind->name),
                           db_text_of(f->body), db_int(loosening), db_text(f->principal_id),
                           db_int(c.now_us + CHANGE_LIFE_US)),
                   err) &&
           change_get(db, f->row, id, f->arena, err) &&
           row_event(db, f->actor, "change.drafted", f->row, before, f->arena, err);
}

bool change_draft(struct db *db, struct change_row *out, const struct actor *actor,
                  const char *principal_id, const char *wallet_id, struct bytes kind,
                  const struct json *body, struct arena *arena, struct err *err)
{
    struct flow f = { .row = out,
                      .actor = actor,
                      .principal_id = principal_id,
                      .wallet_id = wallet_id,
                      .kind = kind,
                      .body = body != NULL ? body->text : BYTES("{}"),
                      .arena = arena };
    return people_within(db, draft_body, &f, err);
}

// Locks it: two that approve or publish come one after the other.
static bool lock_change(struct db *db, struct flow *f, struct change_rules *rules, struct err *err)
{
    struct db_rows rows;
    return db_query(db, &rows, "SELECT 1 FROM change_request WHERE id = $1 FOR UPDATE",
                    DB_ARGS(db_text(f->id)), f->arena, err) &&
           change_get(db, f->row, f->id, f->arena, err) && set_needed(db, f->row, rules, err);
}

static bool move(struct db *db, const struct flow *f, enum change_state to, int64_t not_before_us,
                 struct err *err)
{
    f->row->state = to;
    f->row->not_before_us = not_before_us;
    return db_exec(db, NULL, "UPDATE change_request SET state = $2, not_before = $3 WHERE id = $1",
                   DB_ARGS(db_text(f->row->id), db_text(states[to]), db_int_or_null(not_before_us)),
                   err);
}

static bool write_verdict(struct db *db, const struct flow *f, int64_t now_us, struct err *err)
{
    char id[ID_SIZE];
    db_new_id(id, now_us);
    if (db_exec(db, NULL,
                "INSERT INTO approval(id, change_request_id, principal_id, verdict, at) "
                "VALUES($1, $2, $3, $4, $5)",
                DB_ARGS(db_text(id), db_text(f->id), db_text(f->principal_id),
                        db_text(f->approve ? "approve" : "reject"), db_int(now_us)),
                err))
        return true;
    return db_fault(db) == DB_FAULT_CONSTRAINT &&
           code_fail(err, CODE_CONFLICT, "you have said so already");
}

static bool verdict_body(struct db *db, void *context, struct err *err)
{
    struct flow *f = context;
    struct change_rules rules;
    int64_t now_us;
    if (!lock_change(db, f, &rules, err) || !db_now_us(db, &now_us, err))
        return false;
    if (f->row->state != CHANGE_DRAFT || now_us >= f->row->expires_us)
        return code_fail(err, CODE_CONFLICT, "it waits for no approval");
    // "no one approves their own request"
    if (f->approve && strcmp(f->row->created_by, f->principal_id) == 0)
        return code_fail(err, CODE_FORBIDDEN, "nobody approves their own request");
    if (!write_verdict(db, f, now_us, err))
        return false;
    f->row->approvals += f->approve;
    f->row->rejections += !f->approve;
    if (!f->approve && !move(db, f, CHANGE_REJECTED, 0, err))
        return false;
    if (f->approve && f->row->approvals >= f->row->needed &&
        !move(db, f, rules.delay_s > 0 ? CHANGE_WAITING : CHANGE_APPROVED,
              rules.delay_s > 0 ? now_us + (int64_t)rules.delay_s * 1000000 : 0, err))
        return false;
    return row_event(db, f->actor, f->approve ? "change.approved" : "change.rejected", f->row,
                     (struct bytes){ 0 }, f->arena, err);
}

bool change_approve(struct db *db, struct change_row *out, const struct actor *actor,
                    const char *principal_id, const char *id, bool approve, struct arena *arena,
                    struct err *err)
{
    struct flow f = { .row = out,
                      .actor = actor,
                      .principal_id = principal_id,
                      .id = id,
                      .approve = approve,
                      .arena = arena };
    return db_transact(db, verdict_body, &f, err);
}

// --- Publishing ---

static bool is_due(const struct flow *f, bool loosening, int64_t now_us, struct err *err)
{
    const struct change_row *r = f->row;
    char at[CLOCK_TEXT_SIZE];
    if (r->state != CHANGE_DRAFT && r->state != CHANGE_APPROVED && r->state != CHANGE_WAITING)
        return code_fail(err, CODE_CONFLICT, "it is %s", states[r->state]);
    if (now_us >= r->expires_us)
        return code_fail(err, CODE_EXPIRED, "it is too old; ask anew");
    if (f->demo || (!loosening && !r->loosening))
        return true;
    // What has come to loosen since it was drafted was approved by nobody as such.
    if (!r->loosening)
        return code_fail(err, CODE_CONFLICT, "by now it would loosen: ask anew");
    if (r->state == CHANGE_DRAFT || r->approvals < r->needed)
        return code_fail(err, CODE_CONFLICT, "%u more approvals are needed",
                         r->approvals < r->needed ? r->needed - r->approvals : 1);
    clock_to_text(at, r->not_before_us / 1000000);
    return now_us >= r->not_before_us || code_fail(err, CODE_CONFLICT, "not before %s", at);
}

// What no signer has to read back is rolled out with its publication.
static bool is_for_signers(const struct change_kind *kind)
{
    return strcmp(kind->name, "policy") == 0 || strncmp(kind->name, "destination.", 12) == 0;
}

static bool publish_body(struct db *db, void *context, struct err *err)
{
    struct flow *f = context;
    struct change_context c;
    struct change_rules rules;
    const struct change_kind *kind;
    struct bytes before;
    bool loosening;
    if (!lock_change(db, f, &rules, err) || !lock_wallet(db, f->row->wallet_id, f->arena, err))
        return false;
    if (f->row->state >= CHANGE_PUBLISHED)
        return code_fail(err, CODE_CONFLICT, "it is %s", states[f->row->state]);
    if (!compare(db, f, f->row->wallet_id, f->row->kind, f->row->body, &c, &kind, &loosening,
                 &before, err) ||
        !is_due(f, loosening, c.now_us, err))
        return false;
    c.change_id = f->row->id;
    c.principal_id = f->row->created_by[0] != '\0' ? f->row->created_by : NULL;
    if (!kind->apply(&c, err) ||
        !move(db, f, is_for_signers(kind) ? CHANGE_PUBLISHED : CHANGE_ROLLED_OUT,
              f->row->not_before_us, err))
        return false;
    return row_event(db, f->actor, "policy.changed", f->row, before, f->arena, err);
}

bool change_publish(struct db *db, struct change_row *out, const struct actor *actor,
                    const char *id, bool demo, struct arena *arena, struct err *err)
{
    struct flow f = { .row = out, .actor = actor, .id = id, .demo = demo, .arena = arena };
    return db_transact(db, publish_body, &f, err);
}

// --- Taking back ---

// What was in force before, as the event of the publication has it.
static bool find_before(struct db *db, const struct flow *f, struct bytes *out, struct err *err)
{
    struct db_rows rows;
    if (!db_query(db, &rows,
                  "SELECT before FROM event WHERE object = $1 AND kind = 'policy.changed'",
                  DB_ARGS(db_text(f->id)), f->arena, err))
        return false;
    if (rows.n == 0)
        return code_fail(err, CODE_CONFLICT, "it was not published");
    *out = db_cell_bytes(&rows, 0, 0);
    return true;
}

// The kind that takes it back. A role that was there before, with other limits, is given back with those.
static const char *inverse_of(const struct change_kind *kind, const struct json *before)
{
    if (strcmp(kind->name, "role.grant") == 0 && json_get(before, "limits") != NULL)
        return kind->name;
    return kind->inverse;
}

static bool rollback_body(struct db *db, void *context, struct err *err)
{
    struct flow *f = context;
    struct change_row old;
    struct flow of_old = *f;
    struct change_rules rules;
    of_old.row = &old;
    if (!lock_change(db, &of_old, &rules, err))
        return false;
    const struct change_kind *kind = change_kind_find(old.kind);
    if (old.state != CHANGE_PUBLISHED && old.state != CHANGE_ROLLED_OUT)
        return code_fail(err, CODE_CONFLICT, "it was not published");
    if (kind == NULL || kind->inverse == NULL)
        return code_fail(err, CODE_CONFLICT, "it cannot be taken back");
    f->wallet_id = old.wallet_id;
    const struct json *before;
    if (!find_before(db, f, &f->body, err) || !json_parse(&before, f->body, f->arena, err))
        return false;
    f->kind = bytes_of_text(inverse_of(kind, before));
    if (!draft_body(db, f, err))
        return false;
    // What tightens needs nobody else; what loosens waits for its approvals, and the old one stays in force.
    if (f->row->loosening && !f->demo)
        return true;
    f->id = f->row->id;
    return publish_body(db, f, err) &&
           db_exec(db, NULL, "UPDATE change_request SET state = 'rolled_back' WHERE id = $1",
                   DB_ARGS(db_text(old.id)), err);
}

bool change_rollback(struct db *db, struct change_row *out, const struct actor *actor,
                     const char *principal_id, const char *id, bool demo, struct arena *arena,
                     struct err *err)
{
    struct flow f = { .row = out,
                      .actor = actor,
                      .principal_id = principal_id,
                      .id = id,
                      .demo = demo,
                      .arena = arena };
    return db_transact(db, rollback_body, &f, err);
}

// --- Freezing ---

static bool freeze_body(struct db *db, void *context, struct err *err)
{
    const struct flow *f = context;
    uint64_t changed;
    if (!lock_wallet(db, f->wallet_id, f->arena, err) ||
        !db_exec(db, &changed,
                 "UPDATE wallet SET status = 'frozen' WHERE id = $1 AND status <> 'frozen'",
                 DB_ARGS(db_text(f->wallet_id)), err))
        return false;
    if (changed == 0)
        return code_fail(err, CODE_CONFLICT, "the wallet is frozen");
    return actor_event(db, f->actor, "freeze", f->wallet_id, BYTES("{\"frozen\": false}"),
                       BYTES("{\"frozen\": true}"), err);
}

bool change_freeze(struct db *db, const struct actor *actor, const char *wallet_id, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(CHANGES_ARENA);
    struct flow f = { .actor = actor, .wallet_id = wallet_id, .arena = arena };
    return db_transact(db, freeze_body, &f, err);
}

// --- Upkeep ---

static bool upkeep_body(struct db *db, void *context, struct err *err)
{
    int64_t now_us;
    (void)context;
    // A signer that runs another policy than the newest published one has not read it back.
    return db_now_us(db, &now_us, err) &&
           db_exec(db, NULL,
                   "UPDATE change_request SET state = 'expired' WHERE state IN "
                   "('draft', 'approved', 'waiting') AND expires_at <= $1",
                   DB_ARGS(db_int(now_us)), err) &&
           db_exec(db, NULL,
                   "UPDATE change_request SET state = 'rolled_out' WHERE state = 'published' AND "
                   "NOT EXISTS (SELECT 1 FROM wallet_signer s JOIN signer g ON g.id = s.signer_id "
                   "WHERE s.wallet_id = change_request.wallet_id AND g.enabled = 1 AND "
                   "g.state <> 'verified')",
                   DB_NONE, err);
}

bool change_upkeep(struct db *db, struct err *err)
{
    return db_transact(db, upkeep_body, NULL, err);
}
