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

bool compat_needs_session(const struct call *c, struct err *err)
{
    return api_person(c) != NULL || code_fail(err, CODE_UNAUTHENTICATED, "sign in required");
}

void compat_end_stream(struct call *c, const struct writer *w)
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

bool compat_write_global(struct call *c, struct json_writer *j, const char *wallet_id,
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
    if (!write_addresses(c, j, t, err) || !compat_write_global(c, j, t->row.id, &v, err))
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
    compat_end_stream(c, &w);
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
    if (!compat_needs_session(c, err) || !file_read(&secret, file, 256, c->arena, err))
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
    { HTTP_POST, "/globalpolicy", ROLE_POLICY_ADMIN, SEED_CHANGES, compat_post_globalpolicy },
    { HTTP_POST, "/policy", ROLE_POLICY_ADMIN, SEED_STREAM, compat_post_policy },
    { HTTP_POST, "/surgepolicy", ROLE_POLICY_ADMIN, SEED_STREAM, compat_post_surgepolicy },
    { HTTP_POST, "/authorize", ROLE_POLICY_ADMIN, SEED_STREAM, compat_post_authorize },
    { HTTP_POST, "/reboot", ROLE_OPERATOR, SEED_STREAM, post_reboot },
    { HTTP_POST, "/spend", ROLE_SPENDER, SEED_STREAM, compat_spend },
    { HTTP_POST, "/signmsg", ROLE_SPENDER, SEED_STREAM, post_signmsg },
};
const size_t n_compat_routes = COUNT(compat_routes);
