// The seed's routes: what is asked, changed and shown. Source: coordinator.md A3, A4, A13, D15.
#include "coordinator/compat.h"
#include "base/base64.h"
#include "base/file.h"
#include "coordinator/api_handlers.h"
#include "http/form.h"
#include <inttypes.h>

// --- Parameters ---

struct bytes compat_wallet_name(const struct call *c)
{
    return bytes_of_text(c->api->config->compat_wallet);
}

bool compat_wallet(struct call *c, struct treasury_wallet *out, unsigned roles, struct err *err)
{
    return call_wallet(c, out, compat_wallet_name(c), roles, err);
}

// A whole number; sign and all that follows the digits make it unreadable.
static bool read_integer(struct bytes text, int64_t *out)
{
    struct reader r = reader_of(bytes_trim(text));
    const bool negative = reader_accept(&r, '-');
    uint64_t n;
    if (!reader_decimal64(&r, INT64_MAX, &n) || !reader_done(&r))
        return false;
    *out = negative ? -(int64_t)n : (int64_t)n;
    return true;
}

// "values are clamped, unreadable ones ignored". False: there is none.
static bool clamped(const struct call *c, const char *name, int64_t min, int64_t max, int64_t *out)
{
    int64_t n;
    if (!read_integer(call_parameter(c, name), &n))
        return false;
    *out = n < min ? min : n > max ? max : n;
    return true;
}

static bool needs_session(const struct call *c, struct err *err)
{
    return api_person(c) != NULL || code_fail(err, CODE_UNAUTHENTICATED, "sign in required");
}

static void end_stream(struct call *c, const struct writer *w)
{
    c->plan = (struct stream_plan){ .kind = STREAM_TEXT, .text = writer_bytes(w) };
}

// --- /status ---

static void int_member(struct json_writer *j, const char *key, uint64_t value)
{
    json_key(j, key);
    json_u64(j, value);
}

// "2-of-3 ... devices": by number; what the fleet last saw, no device is asked.
static bool write_devices(struct call *c, struct json_writer *j, const struct treasury_wallet *t,
                          unsigned *online, struct err *err)
{
    struct fleet_signer seen[SIGNERS_MAX];
    struct signer_rows rows;
    const size_t n = c->api->fleet != NULL ? fleet_view(c->api->fleet, t->row.id, seen) : 0;
    char number[16];
    *online = 0;
    if (!ledger_signers(c->db, &rows, t->row.id, c->arena, err))
        return false;
    json_begin_object(j);
    for (size_t i = 0; i < rows.n; i++) {
        struct fleet_signer s = { .enabled = rows.items[i].enabled };
        for (size_t k = 0; k < n; k++)
            if (strcmp(seen[k].id, rows.items[i].id) == 0)
                s = seen[k];
        *online += s.enabled && s.active;
        (void)snprintf(number, sizeof number, "%u", rows.items[i].number);
        json_key(j, number);
        json_begin_object(j);
        json_key(j, "on");
        json_bool(j, s.enabled);
        json_key(j, "active");
        json_bool(j, s.active);
        int_member(j, "approved", s.approvals);
        int_member(j, "refused", s.refusals);
        json_end_object(j);
    }
    json_end_object(j);
    return true;
}

// The sink: the destination of that name, else the first on the list.
static bool read_list(struct call *c, const char *wallet_id, struct db_rows *out, struct err *err)
{
    return db_query(
        c->db, out,
        "SELECT address, name FROM destination WHERE wallet_id = $1 AND state = 'active' "
        "ORDER BY (name <> 'sink'), id",
        DB_ARGS(db_text(wallet_id)), c->arena, err);
}

bool compat_sink(struct call *c, const char *wallet_id, struct bytes *out, struct err *err)
{
    struct db_rows rows;
    if (!read_list(c, wallet_id, &rows, err))
        return false;
    *out = rows.n > 0 ? db_cell_bytes(&rows, 0, 0) : (struct bytes){ 0 };
    return true;
}

static bool write_addresses(struct call *c, struct json_writer *j, const struct treasury_wallet *t,
                            struct err *err)
{
    struct writer fund = writer_growing(c->arena, 256);
    struct db_rows rows;
    if (!wallet_address(&fund, t->wallet, (struct wallet_place){ .index = 0 }, err) ||
        !read_list(c, t->row.id, &rows, err))
        return false;
    json_key(j, "fund_addr");
    json_string(j, writer_bytes(&fund));
    json_key(j, "sink_addr");
    json_string(j, rows.n > 0 ? db_cell_bytes(&rows, 0, 0) : (struct bytes){ 0 });
    json_key(j, "authorized");
    json_begin_array(j);
    for (size_t i = 1; i < rows.n; i++)
        json_string(j, db_cell_bytes(&rows, i, 0));
    json_end_array(j);
    return true;
}

static bool write_global(struct call *c, struct json_writer *j, const char *wallet_id,
                         struct velocity_view *v, struct err *err)
{
    if (!ledger_velocity(c->db, v, wallet_id, err))
        return false;
    json_key(j, "global");
    json_begin_object(j);
    int_member(j, "per_period_sat", v->cap_auto.n);
    int_member(j, "period_min", (uint64_t)(v->window_us / 60000000));
    int_member(j, "spent", v->spent.n);
    json_end_object(j);
    return true;
}

static bool write_limits(struct call *c, struct json_writer *j, const struct treasury_wallet *t,
                         struct err *err)
{
    struct change_policy p;
    struct velocity_view v;
    if (!change_policy_numbers(c->db, t->row.id, &p, err))
        return false;
    json_key(j, "policy");
    json_begin_object(j);
    int_member(j, "max_sat", p.max.n);
    int_member(j, "per_period_sat", p.per_period.n);
    int_member(j, "period_min", p.period_min);
    json_end_object(j);
    if (!write_addresses(c, j, t, err) || !write_global(c, j, t->row.id, &v, err))
        return false;
    json_key(j, "surge");
    json_begin_object(j);
    int_member(j, "max_sat", p.surge_max.n);
    int_member(j, "per_period_sat", p.surge_per_period.n);
    int_member(j, "global_per_period_sat", v.cap_surge.n);
    json_end_object(j);
    return true;
}

static bool write_status(struct call *c, struct json_writer *j, const struct treasury_wallet *t,
                         struct err *err)
{
    struct board_wallet seen;
    unsigned online;
    json_begin_object(j);
    json_key(j, "balance_sat");
    if (board_wallet(c->api->board, t->row.id, &seen) && seen.known)
        json_u64(j, seen.confirmed.n + seen.unconfirmed.n);
    else
        json_i64(j, -1);
    json_key(j, "devices");
    if (!write_devices(c, j, t, &online, err))
        return false;
    int_member(j, "quorum_online", online);
    int_member(j, "quorum_needed", t->row.k);
    if (!write_limits(c, j, t, err))
        return false;
    json_key(j, "wallet");
    json_string(j, t->row.name);
    if (c->api->config->compat_demo) {
        json_key(j, "demo");
        json_bool(j, true);
    }
    json_end_object(j);
    return true;
}

// The wallet that anybody may look at with compat.public_status.
static bool public_wallet(struct call *c, struct treasury_wallet *out, struct err *err)
{
    struct treasury_wallet *all;
    const struct bytes name = compat_wallet_name(c);
    size_t n, found = 0;
    if (!treasury_all(c->api->treasury, c->db, &all, &n, c->arena, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (name.len == 0 || bytes_equal(name, all[i].row.name)) {
            *out = all[i];
            found++;
        }
    return found == 1 || code_fail(err, CODE_NOT_FOUND, "there is no such wallet");
}

static bool get_status(struct call *c, struct err *err)
{
    struct treasury_wallet t;
    struct writer w;
    struct json_writer j = call_json(c, &w);
    // "a browser's page load (Accept names text/html) is sent to /ui/ with 303"
    if (bytes_equal_text(c->request->path, "/") && c->request->accept.len > 0 &&
        memmem(c->request->accept.ptr, c->request->accept.len, "text/html", 9) != NULL) {
        c->reply = (struct http_reply){ .status = 303 };
        http_reply_add(&c->reply, "location", BYTES("/ui/"));
        return true;
    }
    const bool anonymous = c->caller.kind == CALLER_NOBODY && c->api->config->compat_public_status;
    if (!(anonymous ? public_wallet(c, &t, err) : compat_wallet(c, &t, ROLE_VIEWER, err)) ||
        !write_status(c, &j, &t, err))
        return false;
    call_reply(c, 200, &w);
    return true;
}

// --- /device, /reboot ---

static bool post_device(struct call *c, struct err *err)
{
    struct treasury_wallet t;
    char id[ID_SIZE];
    unsigned online;
    struct bytes on = call_parameter(c, "on");
    struct writer w;
    struct json_writer j = call_json(c, &w);
    const bool enable = on.len == 0 || bytes_equal_text(on, "1");
    if (!compat_wallet(c, &t, ROLE_OPERATOR, err))
        return false;
    // "an unknown n changes nothing and still says ok"
    if (api_find_signer(c, call_parameter(c, "n"), ROLE_OPERATOR, id, err)) {
        if (!api_order(c, id, enable ? FLEET_ENABLE : FLEET_DISABLE, err))
            return false;
    } else if (code_of(err) != CODE_NOT_FOUND) {
        return false;
    }
    json_begin_object(&j);
    json_key(&j, "ok");
    json_bool(&j, true);
    json_key(&j, "devices");
    if (!write_devices(c, &j, &t, &online, err))
        return false;
    json_end_object(&j);
    call_reply(c, 200, &w);
    return true;
}

static bool post_reboot(struct call *c, struct err *err)
{
    struct treasury_wallet t;
    char id[ID_SIZE];
    struct writer w = writer_growing(c->arena, 65536);
    if (!compat_wallet(c, &t, ROLE_OPERATOR, err))
        return false;
    if (!api_find_signer(c, call_parameter(c, "n"), ROLE_OPERATOR, id, err))
        return code_of(err) == CODE_NOT_FOUND
                   ? code_fail(err, CODE_BAD_REQUEST, "there is no such signer")
                   : false;
    frame_step(&w, "step", 0);
    frame_log(&w, "c", "Restarting signer %.*s.", BYTES_ARG(call_parameter(c, "n")));
    if (!api_order(c, id, FLEET_REBOOT, err))
        return false;
    frame_step(&w, "done_step", 0);
    frame_log(&w, "", "It has lost its HSM state; healing will bring it back.");
    c->plan = (struct stream_plan){
        .kind = STREAM_HEAL, .text = writer_bytes(&w), .give_up_ms = 67500 // A13: 45 times 1.5 s
    };
    memcpy(c->plan.object, id, sizeof c->plan.object);
    return true;
}

// --- Limits ---

struct asked {
    struct writer w;
    struct json_writer j;
    bool any;
};

static void ask_for(struct asked *a, const char *name, int64_t value)
{
    json_key(&a->j, name);
    json_i64(&a->j, value);
    a->any = true;
}

static struct asked asked_begin(struct call *c)
{
    struct asked a = { .w = writer_growing(c->arena, 4096) };
    return a;
}

enum outcome { OUTCOME_SAME, OUTCOME_PUBLISHED, OUTCOME_WAITS };

// Drafts the change, and publishes it where the caller may.
static bool change_to(struct call *c, const struct treasury_wallet *t, const char *kind,
                      struct bytes text, enum outcome *outcome, struct change_row *row,
                      struct err *err)
{
    const struct json *body;
    *outcome = OUTCOME_SAME;
    if (!json_parse(&body, text, c->arena, err))
        return false;
    if (!api_draft(c, t, bytes_of_text(kind), body, row, err))
        return code_of(err) == CODE_CONFLICT; // it is so already
    *outcome = OUTCOME_WAITS;
    if (row->loosening && !c->api->config->compat_demo)
        return true;
    *outcome = OUTCOME_PUBLISHED;
    return api_publish(c, row->id, row, err);
}

static bool get_global(struct call *c, const struct treasury_wallet *t, bool ok, const char *reason,
                       const struct change_row *row, struct err *err)
{
    struct velocity_view v;
    struct writer w;
    struct json_writer j = call_json(c, &w);
    json_begin_object(&j);
    json_key(&j, "ok");
    json_bool(&j, ok);
    if (!write_global(c, &j, t->row.id, &v, err))
        return false;
    if (reason != NULL) {
        json_key(&j, "reason");
        json_text(&j, reason);
    }
    if (row != NULL) {
        json_key(&j, "change_id");
        json_text(&j, row->id);
        json_key(&j, "state");
        json_text(&j, change_state_name(row->state));
    }
    json_end_object(&j);
    call_reply(c, 200, &w);
    return true;
}

static bool post_globalpolicy(struct call *c, struct err *err)
{
    struct treasury_wallet t;
    struct velocity_view v;
    struct change_row row;
    enum outcome outcome;
    int64_t cap, minutes;
    struct asked a = asked_begin(c);
    a.j = json_writer_of(&a.w);
    if (!compat_wallet(c, &t, ROLE_POLICY_ADMIN, err) || !ledger_velocity(c->db, &v, t.row.id, err))
        return false;
    if (bytes_equal_text(call_parameter(c, "reset"), "1"))
        return get_global(c, &t, false, "what was spent is not forgotten", NULL, err);
    json_begin_object(&a.j);
    if (clamped(c, "per_period_sat", 546, 10000000000, &cap)) {
        ask_for(&a, "cap_auto_sat", cap);
        if ((uint64_t)cap > v.cap_surge.n)
            ask_for(&a, "cap_surge_sat", cap); // never below the automatic one
    }
    if (clamped(c, "period_min", 1, 10080, &minutes))
        ask_for(&a, "window_s", 60 * minutes);
    json_end_object(&a.j);
    if (!a.any)
        return get_global(c, &t, true, NULL, NULL, err);
    if (!change_to(c, &t, "caps", writer_bytes(&a.w), &outcome, &row, err))
        return false;
    return get_global(c, &t, true,
                      outcome == OUTCOME_WAITS ? "it waits for the approval of others" : NULL,
                      outcome == OUTCOME_SAME ? NULL : &row, err);
}

static void tell_outcome(struct writer *w, enum outcome outcome, const struct change_row *row)
{
    switch (outcome) {
    case OUTCOME_SAME:
        frame_log(w, "c", "That is in force already; nothing changes.");
        return;
    case OUTCOME_PUBLISHED:
        frame_log(w, "g", "Published as change %s; the signers are re-armed one after the other.",
                  row->id);
        return;
    case OUTCOME_WAITS:
        frame_log(w, "y", "Change %s loosens a limit: %u other people must approve it.", row->id,
                  row->needed);
        frame_log(w, "c", "Nothing has changed yet.");
        return;
    }
}

static bool post_policy(struct call *c, struct err *err)
{
    static const struct {
        const char *parameter;
        int64_t min, max;
    } rows[] = { { "max_sat", 546, 100000000 },
                 { "per_period_sat", 546, 1000000000 },
                 { "period_min", 1, 1440 } };
    struct treasury_wallet t;
    struct change_row row;
    struct change_policy p;
    enum outcome outcome;
    int64_t value;
    struct writer w = writer_growing(c->arena, 65536);
    struct asked a = asked_begin(c);
    a.j = json_writer_of(&a.w);
    if (!compat_wallet(c, &t, ROLE_POLICY_ADMIN, err) ||
        !change_policy_numbers(c->db, t.row.id, &p, err))
        return false;
    json_begin_object(&a.j);
    for (size_t i = 0; i < COUNT(rows); i++)
        if (clamped(c, rows[i].parameter, rows[i].min, rows[i].max, &value)) {
            ask_for(&a, rows[i].parameter, value);
            // The surge tier is never below the automatic one.
            if (i == 0 && (uint64_t)value > p.surge_max.n)
                ask_for(&a, "surge_max_sat", value);
            if (i == 0 && (uint64_t)value > p.surge_per_period.n)
                ask_for(&a, "surge_per_period_sat", value);
        }
    json_end_object(&a.j);
    frame_log(&w, "c", "Changing what each signer signs by itself.");
    if (!change_to(c, &t, "policy", writer_bytes(&a.w), &outcome, &row, err))
        return false;
    tell_outcome(&w, outcome, &row);
    frame_end(&w, false, (struct bytes){ 0 }, NULL);
    end_stream(c, &w);
    return true;
}

static bool post_surgepolicy(struct call *c, struct err *err)
{
    struct treasury_wallet t;
    struct change_row row;
    struct change_policy p;
    struct velocity_view v;
    enum outcome outcome = OUTCOME_SAME, global = OUTCOME_SAME;
    int64_t value, max;
    struct writer w = writer_growing(c->arena, 65536);
    struct asked a = asked_begin(c), g = asked_begin(c);
    a.j = json_writer_of(&a.w);
    g.j = json_writer_of(&g.w);
    if (!needs_session(c, err) || !compat_wallet(c, &t, ROLE_POLICY_ADMIN, err) ||
        !change_policy_numbers(c->db, t.row.id, &p, err) ||
        !ledger_velocity(c->db, &v, t.row.id, err))
        return false;
    max = (int64_t)p.surge_max.n;
    json_begin_object(&a.j);
    json_begin_object(&g.j);
    if (clamped(c, "max_sat", (int64_t)p.max.n, 1000000000, &value)) {
        ask_for(&a, "surge_max_sat", value);
        max = value;
    }
    if (clamped(c, "per_period_sat", max, 10000000000, &value))
        ask_for(&a, "surge_per_period_sat", value);
    else if (max > (int64_t)p.surge_per_period.n)
        ask_for(&a, "surge_per_period_sat", max);
    if (clamped(c, "global_per_period_sat", (int64_t)v.cap_auto.n, 10000000000, &value))
        ask_for(&g, "cap_surge_sat", value);
    json_end_object(&a.j);
    json_end_object(&g.j);
    frame_log(&w, "c", "Changing the surge tier.");
    if ((a.any && !change_to(c, &t, "policy", writer_bytes(&a.w), &outcome, &row, err)))
        return false;
    if (a.any)
        tell_outcome(&w, outcome, &row);
    if (g.any && !change_to(c, &t, "caps", writer_bytes(&g.w), &global, &row, err))
        return false;
    if (g.any)
        tell_outcome(&w, global, &row);
    frame_end(&w, false, (struct bytes){ 0 }, NULL);
    end_stream(c, &w);
    return true;
}

static bool post_authorize(struct call *c, struct err *err)
{
    struct treasury_wallet t;
    struct change_row row;
    enum outcome outcome;
    const struct bytes address = bytes_trim(call_parameter(c, "addr"));
    struct writer w = writer_growing(c->arena, 65536), body = writer_growing(c->arena, 4096);
    struct json_writer j = json_writer_of(&body);
    if (!needs_session(c, err) || !compat_wallet(c, &t, ROLE_POLICY_ADMIN, err))
        return false;
    if (address.len == 0 || address.len > 127 || !bytes_is_printable_ascii(address))
        return code_fail(err, CODE_BAD_REQUEST, "addr: is no address");
    json_begin_object(&j);
    json_key(&j, "name");
    json_string(&j, bytes_slice(address, 0, 64));
    json_key(&j, "address");
    json_string(&j, address);
    json_end_object(&j);
    frame_log(&w, "c", "Adding %.*s to the list of destinations.", BYTES_ARG(address));
    if (!change_to(c, &t, "destination.add", writer_bytes(&body), &outcome, &row, err))
        return false;
    tell_outcome(&w, outcome, &row);
    frame_end(&w, false, outcome == OUTCOME_WAITS ? (struct bytes){ 0 } : address, NULL);
    end_stream(c, &w);
    return true;
}

// --- /signmsg ---

#define MESSAGE_DEFAULT "multisig HSM proof of quorum"

static bool post_signmsg(struct call *c, struct err *err)
{
    struct treasury_wallet t;
    struct api_proof proof;
    struct bytes text = bytes_slice(bytes_trim(call_parameter(c, "text")), 0, 140);
    struct writer w = writer_growing(c->arena, 65536);
    if (text.len == 0)
        text = BYTES(MESSAGE_DEFAULT);
    if (!compat_wallet(c, &t, ROLE_SPENDER, err))
        return false;
    if (!bytes_is_printable_ascii(text))
        return code_fail(err, CODE_BAD_REQUEST, "text: signers sign printable ASCII only");
    frame_log(&w, "c", "Asking %u signers to sign: %.*s", t.row.k, BYTES_ARG(text));
    if (!api_prove(c, &t, text, &proof, err))
        return false;
    for (size_t i = 0; i < proof.n; i++) {
        frame_log(&w, "a", "Signer %u: %s", proof.items[i].number, proof.items[i].address);
        frame_log(&w, "a", "%s", proof.items[i].signature);
    }
    frame_log(&w, "g", "%zu signatures: the quorum is there. No funds moved.", proof.n);
    frame_end(&w, false, (struct bytes){ 0 }, NULL);
    end_stream(c, &w);
    return true;
}

// --- /totp_enroll ---

static bool get_totp(struct call *c, struct err *err)
{
    const char *file = c->api->config->compat_totp_secret_file;
    struct bytes secret;
    struct writer w, raw = writer_growing(c->arena, 256);
    struct json_writer j = call_json(c, &w);
    // C3: "the coordinator never stores a signer user's secret; /totp_enroll answers 410"
    if (!c->api->config->compat_demo || file == NULL) {
        json_begin_object(&j);
        json_key(&j, "error");
        json_text(&j, "the code's secret is enrolled on the signers by its owner");
        json_end_object(&j);
        call_reply(c, 410, &w);
        return true;
    }
    if (!needs_session(c, err) || !file_read(&secret, file, 256, c->arena, err))
        return false;
    secret = bytes_trim(secret);
    if (!base32_read(&raw, secret))
        return code_fail(err, CODE_INTERNAL, "%s: is no base32", file);
    json_begin_object(&j);
    json_key(&j, "secret");
    json_string(&j, secret);
    struct writer url = writer_growing(c->arena, 512);
    writer_printf(&url,
                  "otpauth://totp/multisigHSM:owner?secret=%.*s&issuer=multisigHSM&period=30&"
                  "digits=6",
                  BYTES_ARG(secret));
    json_key(&j, "otpauth");
    json_string(&j, writer_bytes(&url));
    json_end_object(&j);
    call_reply(c, 200, &w);
    return true;
}

// --- The table ---

#define SEED_CHANGES (ROUTE_SEED | ROUTE_CHANGES | ROUTE_GET_TOO)
#define SEED_STREAM  (SEED_CHANGES | ROUTE_STREAM)

const struct route compat_routes[] = {
    { HTTP_GET, "/", 0, ROUTE_SEED | ROUTE_PUBLIC, get_status },
    { HTTP_GET, "/status", 0, ROUTE_SEED | ROUTE_PUBLIC, get_status },
    { HTTP_GET, "/auth/me", 0, ROUTE_SEED | ROUTE_PUBLIC, pages_me },
    { HTTP_GET, "/auth/nostr/challenge", 0, ROUTE_SEED | ROUTE_PUBLIC, pages_challenge },
    { HTTP_POST, "/auth/nostr/verify", 0, ROUTE_SEED | ROUTE_PUBLIC | ROUTE_RAW, pages_verify },
    { HTTP_POST, "/auth/logout", 0, ROUTE_SEED | ROUTE_PUBLIC | ROUTE_CHANGES, pages_logout },
    { HTTP_GET, "/totp_enroll", 0, ROUTE_SEED | ROUTE_PUBLIC, get_totp },
    { HTTP_POST, "/device", ROLE_OPERATOR, SEED_CHANGES, post_device },
    { HTTP_POST, "/globalpolicy", ROLE_POLICY_ADMIN, SEED_CHANGES, post_globalpolicy },
    { HTTP_POST, "/policy", ROLE_POLICY_ADMIN, SEED_STREAM, post_policy },
    { HTTP_POST, "/surgepolicy", ROLE_POLICY_ADMIN, SEED_STREAM, post_surgepolicy },
    { HTTP_POST, "/authorize", ROLE_POLICY_ADMIN, SEED_STREAM, post_authorize },
    { HTTP_POST, "/reboot", ROLE_OPERATOR, SEED_STREAM, post_reboot },
    { HTTP_POST, "/spend", ROLE_SPENDER, SEED_STREAM, compat_spend },
    { HTTP_POST, "/signmsg", ROLE_SPENDER, SEED_STREAM, post_signmsg },
};
const size_t n_compat_routes = COUNT(compat_routes);
