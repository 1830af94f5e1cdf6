// POST /v1/spends and what can be done with a spend. Source: coordinator.md D10.
#include "base/base64.h"
#include "base/require.h"
#include "base/secret.h"
#include "coordinator/api_handlers.h"
#include "coordinator/dryrun.h"
#include "coordinator/spend_view.h"
#include "coordinator/submit.h"
#include <inttypes.h>

#define RATE_MAX 100000000 // sat per 1000 vB

// --- Times ---

static bool digits(struct reader *r, size_t n, int *out)
{
    struct bytes text;
    *out = 0;
    if (!reader_take(r, n, &text))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        *out = *out * 10 + (text.ptr[i] - '0');
    }
    return true;
}

// "2026-11-21T10:15:30Z", with a fraction that is not looked at.
bool api_time_read(struct bytes text, int64_t *out_us)
{
    struct reader r = reader_of(text);
    struct tm tm = { 0 };
    if (!digits(&r, 4, &tm.tm_year) || !reader_accept(&r, '-') || !digits(&r, 2, &tm.tm_mon) ||
        !reader_accept(&r, '-') || !digits(&r, 2, &tm.tm_mday) || !reader_accept(&r, 'T') ||
        !digits(&r, 2, &tm.tm_hour) || !reader_accept(&r, ':') || !digits(&r, 2, &tm.tm_min) ||
        !reader_accept(&r, ':') || !digits(&r, 2, &tm.tm_sec))
        return false;
    if (reader_accept(&r, '.') && reader_digits(&r).len == 0)
        return false;
    if (!reader_accept(&r, 'Z') || !reader_done(&r) || tm.tm_year < 1970 || tm.tm_mon < 1 ||
        tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 ||
        tm.tm_sec > 60)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *out_us = (int64_t)timegm(&tm) * 1000000;
    return true;
}

// --- Submitting ---

static bool read_outputs(struct call *c, struct submission *s, struct err *err)
{
    static const char *const members[] = { "to", "amount_sat" };
    const struct json *outputs = json_get(c->body, "outputs");
    if (outputs == NULL || outputs->type != JSON_ARRAY || outputs->n_items == 0)
        return code_fail(err, CODE_BAD_REQUEST, "outputs: is no list of at least one");
    for (const struct json *o = outputs->items; o != NULL; o = o->next) {
        const struct json *to = json_get(o, "to");
        struct sats amount = { 0 };
        if (to == NULL || to->type != JSON_STRING || !call_only(o, members, COUNT(members), err))
            return code_fail(err, CODE_BAD_REQUEST, "outputs: each wants to and amount_sat");
        if (json_get(o, "amount_sat") == NULL)
            return code_fail(err, CODE_AMOUNT_OUT_OF_RANGE, "amount_sat: is missing");
        if (!call_sats(o, "amount_sat", &amount, err))
            return code_fail(err, CODE_AMOUNT_OUT_OF_RANGE, "amount_sat: is no amount in satoshi");
        if (!submit_add_output(c->db, s, to->text, amount, c->arena, err))
            return false;
    }
    return true;
}

static bool read_tier(struct call *c, struct submission *s, struct err *err)
{
    struct bytes tier = BYTES("auto");
    if (!call_text(c, "tier", 16, &tier, err))
        return false;
    s->tier = bytes_equal_text(tier, "surge") ? TIER_SURGE : TIER_AUTO;
    return s->tier == TIER_SURGE || bytes_equal_text(tier, "auto") ||
           code_fail(err, CODE_BAD_REQUEST, "tier: is neither auto nor surge");
}

static bool read_fee(struct call *c, struct submission *s, struct err *err)
{
    static const char *const members[] = { "rate_sat_per_kvb" };
    const struct json *fee = json_get(c->body, "fee");
    struct sats rate = { 0 };
    if (fee == NULL || fee->type == JSON_NULL)
        return true;
    if (fee->type != JSON_OBJECT || !call_only(fee, members, COUNT(members), err) ||
        !call_sats(fee, "rate_sat_per_kvb", &rate, err) || rate.n > RATE_MAX)
        return code_fail(err, CODE_BAD_REQUEST, "fee: wants rate_sat_per_kvb");
    s->fee_rate = rate.n;
    return true;
}

static bool read_times(struct call *c, struct submission *s, struct err *err)
{
    struct bytes text = { 0 };
    if (!call_text(c, "not_after", 40, &text, err))
        return false;
    if (text.len == 0)
        return true;
    if (!api_time_read(text, &s->not_after_us))
        return code_fail(err, CODE_BAD_REQUEST, "not_after: is no time like 2026-11-21T10:15:30Z");
    return s->known || s->not_after_us > call_now_us(c) ||
           code_fail(err, CODE_EXPIRED, "not_after: is in the past");
}

// Header or member; where both are given, they must be the same.
static bool read_request_id(struct call *c, struct submission *s, struct err *err)
{
    struct bytes member = { 0 };
    const struct bytes header = c->request->idempotency_key;
    if (!call_text(c, "request_id", REQUEST_ID_SIZE - 1, &member, err))
        return false;
    if (member.len > 0 && header.len > 0 && !bytes_equal(member, header))
        return code_fail(err, CODE_BAD_REQUEST, "request_id and Idempotency-Key differ");
    s->request_id = header.len > 0 ? header : member;
    return submit_is_request_id(s->request_id) ||
           code_fail(err, CODE_BAD_REQUEST,
                     "Idempotency-Key: 1 to 64 of A-Z a-z 0-9 . _ : - are needed");
}

static bool recall(struct call *c, struct submission *s, struct err *err)
{
    const struct json *dry = json_get(c->body, "dry_run");
    if (dry != NULL && dry->type == JSON_TRUE)
        return true;
    return read_request_id(c, s, err) && submit_recall(c->db, s, c->arena, err);
}

static bool read_submission(struct call *c, struct submission *s, struct treasury_wallet *wallet,
                            struct err *err)
{
    static const char *const members[] = { "wallet",     "outputs", "tier", "not_after", "fee",
                                           "request_id", "dry_run", "note", "code",      "auth" };
    struct bytes name = { 0 };
    *s = (struct submission){ .wallet = wallet, .alone = c->api->config->compat_demo };
    if (c->body == NULL)
        return code_fail(err, CODE_BAD_REQUEST, "body: is missing");
    if (!call_only(c->body, members, COUNT(members), err) ||
        !call_text(c, "wallet", 64, &name, err) ||
        !call_wallet(c, wallet, name, ROLE_SPENDER, err) || !recall(c, s, err) ||
        !read_tier(c, s, err) || !read_times(c, s, err) || !read_fee(c, s, err) ||
        !call_text(c, "note", SUBMIT_NOTE_MAX, &s->note, err))
        return false;
    return read_outputs(c, s, err);
}

const struct person *api_person(const struct call *c)
{
    return c->caller.kind == CALLER_NOBODY || c->caller.kind == CALLER_DEMO ? NULL
                                                                            : &c->caller.person;
}

static void wake(const struct call *c)
{
    if (c->api->wake != NULL)
        c->api->wake(c->api->wake_context);
}

bool api_submit(struct call *c, const struct submission *s, struct spend *out, bool *is_new,
                struct err *err)
{
    if (atomic_load(&c->api->stops))
        return code_fail(err, CODE_LEDGER_UNAVAILABLE, "this coordinator is stopping");
    const bool ok = submit(c->db, s, api_person(c), out, is_new, c->arena, err);
    if (ok)
        memcpy(c->spend_id, out->id, sizeof c->spend_id);
    if (ok && *is_new)
        wake(c);
    return ok;
}

static bool send_spend(struct call *c, unsigned status, const char *id, struct err *err)
{
    struct writer w;
    struct json_writer j = call_json(c, &w);
    const struct spend_view view = { api_explains(c) };
    if (!spend_view_write(c->db, &j, id, &view, c->arena, err))
        return false;
    call_reply(c, status, &w);
    return true;
}

// Something was done to it: there may be work now.
static bool send_changed(struct call *c, const char *id, struct err *err)
{
    wake(c);
    return send_spend(c, 200, id, err);
}

// --- Codes of the surge tier ---

static void take_field(char *out, size_t size, const struct json *object, const char *name)
{
    const struct json *m = json_get(object, name);
    if (m != NULL && m->type == JSON_STRING && m->text.len < size)
        (void)snprintf(out, size, "%.*s", BYTES_ARG(m->text));
}

// {"code": "123456"} or {"auth": {"user", "value"}}; *out.given false: neither.
static bool read_code(const struct call *c, struct fleet_auth *out, struct err *err)
{
    const struct json *code = json_get(c->body, "code"), *auth = json_get(c->body, "auth");
    *out = (struct fleet_auth){ .user = "owner" };
    if (code != NULL && !api_is_code(code->type == JSON_STRING ? code->text : (struct bytes){ 0 }))
        return code_fail(err, CODE_CODE_INVALID, "code: is not six digits");
    take_field(out->code, sizeof out->code, c->body, "code");
    if (auth != NULL) {
        take_field(out->user, sizeof out->user, auth, "user");
        take_field(out->code, sizeof out->code, auth, "value");
        if (auth->type != JSON_OBJECT || out->code[0] == '\0')
            return code_fail(err, CODE_CODE_INVALID, "auth: wants user and value");
    }
    out->given = out->code[0] != '\0';
    return true;
}

bool api_is_code(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return text.len == 6;
}

bool api_keep_code(struct call *c, const char *spend_id, const struct fleet_auth *auth,
                   struct err *err)
{
    return !auth->given || surge_codes_put(c->api->codes, spend_id, auth) ||
           code_fail(err, CODE_RATE_LIMITED, "too many codes wait; try again later");
}

// --- Dry run ---

static void write_dry_run(struct json_writer *j, const struct dry_run *d, struct bytes psbt)
{
    char txid[TXID_TEXT_SIZE];
    txid_to_text(txid, &d->build.txid);
    json_begin_object(j);
    json_key(j, "dry_run");
    json_bool(j, true);
    json_key(j, "txid");
    json_text(j, txid);
    json_key(j, "psbt");
    json_string(j, psbt);
    json_key(j, "fee_sat");
    json_u64(j, d->build.fee.n);
    json_key(j, "vsize");
    json_u64(j, d->build.vsize);
    json_key(j, "fee_rate");
    json_u64(j, d->fee_rate);
    json_key(j, "spent_sat");
    json_u64(j, d->velocity.spent.n);
    json_key(j, "cap_auto_sat");
    json_u64(j, d->velocity.cap_auto.n);
    json_key(j, "cap_surge_sat");
    json_u64(j, d->velocity.cap_surge.n);
    json_key(j, "signers");
    json_begin_array(j);
    for (size_t i = 0; i < d->n_signers; i++) {
        json_begin_object(j);
        json_key(j, "name");
        json_text(j, d->signers[i].name);
        json_key(j, "budget_auto_sat");
        json_u64(j, d->signers[i].budget_auto.n);
        json_key(j, "budget_surge_sat");
        json_u64(j, d->signers[i].budget_surge.n);
        json_end_object(j);
    }
    json_end_array(j);
    json_end_object(j);
}

// D17 (12): "A dry run changes no row but its own audit row and asks no signer."
static bool run_dry(struct call *c, const struct submission *s, struct err *err)
{
    struct dry_run d;
    struct writer w;
    struct json_writer j = call_json(c, &w);
    const struct spend_request request = submit_request(s, api_person(c));
    AUTO(node_freep) struct node *node = NULL;
    if (c->api->fleet == NULL || !api_node(c, s->wallet, &node, err))
        return c->api->fleet != NULL || code_fail(err, CODE_NODE_UNAVAILABLE, "no node");
    if (!dry_run(&d, c->db, node, c->api->fleet, s->wallet->wallet, &s->wallet->row, &request,
                 c->arena, err))
        return false;
    const struct event e = { .actor = c->actor.id,
                             .kind = "spend.dry_run",
                             .object = s->wallet->row.id,
                             .request_id = c->id };
    if (!ledger_event(c->db, &e, err))
        return false;
    struct writer psbt = writer_growing(c->arena, BASE64_LEN(d.build.psbt.len) + 16);
    base64_write(&psbt, d.build.psbt);
    write_dry_run(&j, &d, writer_bytes(&psbt));
    call_reply(c, 200, &w);
    return true;
}

bool api_post_spend(struct call *c, struct err *err)
{
    struct submission *s = arena_alloc(c->arena, sizeof *s);
    struct treasury_wallet wallet;
    AUTO(fleet_auth_wipe) struct fleet_auth auth = { 0 };
    struct spend spend;
    bool is_new = false;
    const struct json *dry = json_get(c->body, "dry_run");
    REQUIRE(s != NULL);
    if (!read_submission(c, s, &wallet, err))
        return false;
    if (dry != NULL && dry->type == JSON_TRUE)
        return run_dry(c, s, err);
    if (dry != NULL && dry->type != JSON_FALSE)
        return code_fail(err, CODE_BAD_REQUEST, "dry_run: is neither true nor false");
    return read_code(c, &auth, err) && api_submit(c, s, &spend, &is_new, err) &&
           (!is_new || spend.tier != TIER_SURGE || api_keep_code(c, spend.id, &auth, err)) &&
           send_spend(c, is_new ? 201 : 200, spend.id, err);
}

// --- One spend ---

// The spend that the path names, if the caller has one of the roles for its wallet.
static bool find_spend(struct call *c, unsigned roles, struct spend *out, struct err *err)
{
    const char *id = arena_text(c->arena, c->segments[0]);
    if (id == NULL || strlen(id) != ID_SIZE - 1)
        return code_fail(err, CODE_NOT_FOUND, "there is no such spend");
    if (!ledger_spend(c->db, out, id, err) || !call_may(c, out->wallet_id, roles, err))
        return false;
    memcpy(c->spend_id, out->id, sizeof c->spend_id);
    return true;
}

bool api_get_spend(struct call *c, struct err *err)
{
    struct spend spend;
    return find_spend(c, ROLE_VIEWER, &spend, err) && send_spend(c, 200, spend.id, err);
}

static bool read_number(struct bytes text, uint64_t *out)
{
    struct reader r = reader_of(text);
    return reader_decimal64(&r, INT64_MAX, out) && reader_done(&r);
}

bool api_get_spend_events(struct call *c, struct err *err)
{
    struct spend spend;
    uint64_t after = 0;
    struct bytes text = c->request->last_event_id;
    if (text.len == 0)
        text = call_parameter(c, "after");
    if (!find_spend(c, ROLE_VIEWER, &spend, err))
        return false;
    if (text.len > 0 && !read_number(text, &after))
        return code_fail(err, CODE_BAD_REQUEST, "Last-Event-ID: is no number of an event");
    c->plan = (struct stream_plan){ .kind = STREAM_SPEND, .after = after };
    memcpy(c->plan.object, spend.id, sizeof c->plan.object);
    return true;
}

static bool read_filter(struct call *c, struct spend_filter *f, struct err *err)
{
    struct treasury_wallet *all;
    size_t n;
    const struct bytes wallet = call_parameter(c, "wallet"), limit = call_parameter(c, "limit"),
                       from = call_parameter(c, "from"), to = call_parameter(c, "to");
    enum spend_state unimportant;
    *f = (struct spend_filter){ .state = call_parameter(c, "state"),
                                .cursor = call_parameter(c, "cursor"),
                                .limit = API_PAGE };
    if (limit.len > 0 &&
        (!read_number(limit, &f->limit) || f->limit == 0 || f->limit > API_PAGE_MAX))
        return code_fail(err, CODE_BAD_REQUEST, "limit: is not within 1 and %d", API_PAGE_MAX);
    if (f->state.len > 0 && !spend_state_of(&unimportant, f->state))
        return code_fail(err, CODE_BAD_REQUEST, "state: is no state");
    if ((from.len > 0 && !api_time_read(from, &f->from_us)) ||
        (to.len > 0 && !api_time_read(to, &f->to_us)))
        return code_fail(err, CODE_BAD_REQUEST, "from, to: is no time like 2026-11-21T10:15:30Z");
    if (!treasury_all(c->api->treasury, c->db, &all, &n, c->arena, err))
        return false;
    for (size_t i = 0; i < n && f->n_wallets < COUNT(f->wallet_ids); i++)
        if (call_roles(c, all[i].row.id) != 0 &&
            (wallet.len == 0 || bytes_equal(wallet, all[i].row.name) ||
             bytes_equal_text(wallet, all[i].row.id)))
            f->wallet_ids[f->n_wallets++] = all[i].row.id;
    return f->n_wallets > 0 || wallet.len == 0 ||
           code_fail(err, CODE_NOT_FOUND, "there is no such wallet");
}

bool api_get_spends(struct call *c, struct err *err)
{
    struct spend_filter filter;
    struct writer w;
    struct json_writer j = call_json(c, &w);
    if (!read_filter(c, &filter, err) || !spend_view_list(c->db, &j, &filter, c->arena, err))
        return false;
    call_reply(c, 200, &w);
    return true;
}

// --- Approving, cancelling, bumping ---

struct verdict {
    struct call *call;
    const char *spend_id;
    bool approve, has_code;
};

// Who approved may give a code afterwards, or a new one where the first was lost; nothing else is said twice.
static bool said_before(struct db *db, const struct verdict *v, struct err *err)
{
    struct db_rows rows;
    if (!db_query(
            db, &rows, "SELECT verdict FROM approval WHERE spend_id = $1 AND principal_id = $2",
            DB_ARGS(db_text(v->spend_id), db_text(v->call->caller.person.id)), v->call->arena, err))
        return false;
    return (v->approve && v->has_code && rows.n == 1 &&
            bytes_equal_text(db_cell_bytes(&rows, 0, 0), "approve")) ||
           code_fail(err, CODE_CONFLICT, "you have said so already");
}

static bool verdict_body(struct db *db, void *context, struct err *err)
{
    const struct verdict *v = context;
    char id[ID_SIZE];
    int64_t now_us;
    uint64_t changed;
    struct db_rows rows;
    if (!db_now_us(db, &now_us, err) ||
        !db_query(db, &rows, "SELECT state FROM spend WHERE id = $1 FOR UPDATE",
                  DB_ARGS(db_text(v->spend_id)), v->call->arena, err))
        return false;
    if (rows.n != 1 || !bytes_equal_text(db_cell_bytes(&rows, 0, 0), "awaiting_approval"))
        return code_fail(err, CODE_CONFLICT, "it waits for no approval");
    db_new_id(id, now_us);
    if (!db_exec(db, &changed,
                 "INSERT INTO approval(id, spend_id, principal_id, verdict, at) "
                 "VALUES($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
                 DB_ARGS(db_text(id), db_text(v->spend_id), db_text(v->call->caller.person.id),
                         db_text(v->approve ? "approve" : "reject"), db_int(now_us)),
                 err))
        return false;
    if (changed == 0 && !said_before(db, v, err))
        return false;
    return actor_event(db, &v->call->actor, v->approve ? "spend.approved" : "spend.rejected",
                       v->spend_id, (struct bytes){ 0 }, (struct bytes){ 0 }, err);
}

static bool give_verdict(struct call *c, bool approve, struct err *err)
{
    AUTO(fleet_auth_wipe) struct fleet_auth auth = { 0 };
    struct spend spend;
    if (!find_spend(c, ROLE_APPROVER, &spend, err) || !read_code(c, &auth, err))
        return false;
    if (api_person(c) == NULL)
        return code_fail(err, CODE_UNAUTHENTICATED, "sign in required");
    // "no one approves their own request"; taking it back is cancelling.
    if (strcmp(spend.principal_id, c->caller.person.id) == 0)
        return code_fail(err, CODE_FORBIDDEN, "nobody approves their own request");
    struct verdict v = { c, spend.id, approve, auth.given };
    // A code is for what waits for one: it takes no other's place, and no place for nothing.
    if (spend.state != SPEND_AWAITING_APPROVAL)
        return code_fail(err, CODE_CONFLICT, "it waits for no approval");
    return (!approve || spend.tier != TIER_SURGE || api_keep_code(c, spend.id, &auth, err)) &&
           db_transact(c->db, verdict_body, &v, err) && ledger_wake(c->db, spend.id, err) &&
           send_changed(c, spend.id, err);
}

bool api_approve_spend(struct call *c, struct err *err)
{
    return give_verdict(c, true, err);
}

bool api_reject_spend(struct call *c, struct err *err)
{
    return give_verdict(c, false, err);
}

bool api_cancel_spend(struct call *c, struct err *err)
{
    struct spend spend;
    if (!find_spend(c, (unsigned)ROLE_SPENDER | (unsigned)ROLE_OPERATOR, &spend, err))
        return false;
    // A spender takes back what is theirs.
    if ((call_roles(c, spend.wallet_id) & (unsigned)ROLE_OPERATOR) == 0 &&
        strcmp(spend.principal_id, c->caller.person.id) != 0)
        return code_fail(err, CODE_FORBIDDEN, "this needs another role");
    return ledger_ask_cancel(c->db, spend.id, c->actor.id, err) && send_changed(c, spend.id, err);
}

struct bump {
    struct call *call;
    const struct spend *spend;
    uint64_t rate;
};

static bool bump_body(struct db *db, void *context, struct err *err)
{
    const struct bump *b = context;
    uint64_t changed;
    char after[64];
    if (!db_exec(db, &changed,
                 "UPDATE spend SET bumps = 0, next_at = 0, fee_rate = CASE WHEN $2 > 0 THEN $2 "
                 "ELSE fee_rate END WHERE id = $1 AND state IN ('sent', 'parked')",
                 DB_ARGS(db_text(b->spend->id), db_u64(b->rate)), err))
        return false;
    if (changed == 0)
        return code_fail(err, CODE_CONFLICT, "it is %s", spend_state_name(b->spend->state));
    (void)snprintf(after, sizeof after, "{\"rate_sat_per_kvb\": %" PRIu64 "}", b->rate);
    return actor_event(db, &b->call->actor, "spend.bump", b->spend->id, (struct bytes){ 0 },
                       bytes_of_text(after), err);
}

bool api_bump_spend(struct call *c, struct err *err)
{
    static const char *const members[] = { "method", "rate_sat_per_kvb" };
    struct bytes method = BYTES("auto");
    struct sats rate = { 0 };
    struct spend spend;
    if (!find_spend(c, ROLE_OPERATOR, &spend, err) ||
        !call_only(c->body, members, COUNT(members), err) ||
        !call_text(c, "method", 16, &method, err) ||
        !call_sats(c->body, "rate_sat_per_kvb", &rate, err))
        return false;
    if (bytes_equal_text(method, "void"))
        return ledger_ask_cancel(c->db, spend.id, c->actor.id, err) &&
               send_changed(c, spend.id, err);
    if (!bytes_equal_text(method, "auto"))
        return code_fail(err, CODE_BAD_REQUEST,
                         "method: is neither auto (child, else replacement) nor void");
    if (rate.n > RATE_MAX)
        return code_fail(err, CODE_FEE_TOO_HIGH, "rate_sat_per_kvb: is above %d", RATE_MAX);
    struct bump b = { c, &spend, rate.n };
    return db_transact(c->db, bump_body, &b, err) && send_changed(c, spend.id, err);
}
