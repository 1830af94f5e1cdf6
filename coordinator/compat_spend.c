// The seed's /spend: its parameters, and its stream of a spend. Source: coordinator.md A3, A8, A9, C22, D15.
#include "base/require.h"
#include "coordinator/compat.h"
#include "coordinator/rpc.h"
#include <inttypes.h>

#define AMOUNT_DEFAULT 2000
#define AMOUNT_LEAST   546
#define REQUEST_PREFIX "web-"

struct asked_amount {
    int64_t sat;
    bool changed; // it is not what was written
};

// "amount (default 2000, unreadable gives the default)"; "every amount is raised to at least 546"
static struct asked_amount read_amount(const struct call *c)
{
    const struct bytes text = bytes_trim(call_parameter(c, "amount"));
    struct reader r = reader_of(text);
    const bool negative = reader_accept(&r, '-');
    uint64_t n;
    if (text.len == 0)
        return (struct asked_amount){ AMOUNT_DEFAULT, false };
    if (!reader_decimal64(&r, INT64_MAX, &n) || !reader_done(&r))
        return (struct asked_amount){ AMOUNT_DEFAULT, true };
    if (negative || n < AMOUNT_LEAST)
        return (struct asked_amount){ AMOUNT_LEAST, true };
    return (struct asked_amount){ (int64_t)n, false };
}

// Refusals of a limit or a list are `refused`; what else stops it is only the end.
static bool refuse(struct call *c, struct writer *w, const struct err *err)
{
    const enum code code = code_of(err);
    const bool limit = code == CODE_DESTINATION_NOT_ALLOWED || code == CODE_AMOUNT_OUT_OF_RANGE ||
                       code == CODE_VELOCITY_EXCEEDED || code == CODE_FORBIDDEN;
    frame_log(w, limit ? "y" : "e", "%.140s", err->text);
    if (limit)
        frame_log(w, "c", "Nothing was sent.");
    frame_end(w, limit, (struct bytes){ 0 }, code_name(code));
    c->plan = (struct stream_plan){ .kind = STREAM_TEXT, .text = writer_bytes(w) };
    return true;
}

// The request's id: whoever asks again with it joins this stream.
static void tell_request(struct writer *w, const char *request_id, const char *spend_id)
{
    char mem[512];
    struct writer text = writer_of(mem, sizeof mem);
    struct json_writer j = json_writer_of(&text);
    j.ascii = true;
    json_begin_object(&j);
    json_key(&j, "log");
    json_text(&j, "Your request has been taken.");
    json_key(&j, "cls");
    json_text(&j, "");
    json_key(&j, "request_id");
    json_text(&j, request_id);
    json_key(&j, "spend_id");
    json_text(&j, spend_id);
    json_end_object(&j);
    writer_printf(w, "data: %.*s\n\n", BYTES_ARG(writer_bytes(&text)));
}

// --- Tests that come first, in the seed's order ---

static bool check_first(const struct call *c, struct bytes code, struct bytes dest,
                        struct bytes address, struct err *err)
{
    if (code.len > 0 && api_person(c) == NULL)
        return code_fail(err, CODE_UNAUTHENTICATED, "Sign in to use the surge code.");
    if (code.len > 0 && !api_is_code(code))
        return code_fail(err, CODE_CODE_INVALID, "The code has six digits.");
    if (bytes_equal_text(dest, "custom") && (api_person(c) == NULL || address.len == 0))
        return code_fail(err, CODE_UNAUTHENTICATED, "Sign in and name an address.");
    return true;
}

static bool add_output(struct call *c, struct submission *s, struct bytes dest,
                       struct bytes address, struct sats amount, struct err *err)
{
    struct bytes to = address;
    if (bytes_equal_text(dest, "other"))
        // A fresh address is on nobody's list: the coordinator refuses it before a signer could (C9).
        return code_fail(err, CODE_DESTINATION_NOT_ALLOWED,
                         "A fresh address is not on the list of destinations.");
    if (!bytes_equal_text(dest, "custom") && !compat_sink(c, s->wallet->row.id, &to, err))
        return false;
    if (to.len == 0)
        return code_fail(err, CODE_DESTINATION_NOT_ALLOWED, "There is no destination yet.");
    return submit_add_output(c->db, s, to, amount, c->arena, err);
}

// compat.demo: what the sink holds comes back before each spend; "failures are ignored".
static void reclaim(struct call *c, const struct treasury_wallet *t)
{
    const struct coordinator_config *config = c->api->config;
    struct writer fund = writer_growing(c->arena, 256), params = writer_growing(c->arena, 512);
    const struct json *result;
    struct rpc_fault fault;
    struct err err;
    if (config->compat_sink_wallet == NULL || config->n_nodes == 0 || !call_slow(c, &err) ||
        !wallet_address(&fund, t->wallet, (struct wallet_place){ .index = 0 }, &err))
        return;
    const struct rpc_server server = { config->nodes[0].url, config->nodes[0].credential_file, 10 };
    AUTO(rpc_freep) struct rpc *rpc = rpc_new(&server);
    writer_printf(&params, "[[\"%.*s\"], null, \"unset\", 1]", BYTES_ARG(writer_bytes(&fund)));
    if (!rpc_call(&result, rpc, config->compat_sink_wallet, "sendall", writer_bytes(&params),
                  c->arena, &fault, &err))
        LOG(c->api->log, LOG_DEBUG, "reclaim_failed", LOG_TEXT("error", err.text));
}

static bool read_request_id(struct call *c, char out[static REQUEST_ID_SIZE], struct err *err)
{
    const struct bytes given = call_parameter(c, "request_id");
    if (given.len == 0) {
        (void)snprintf(out, REQUEST_ID_SIZE, REQUEST_PREFIX "%s", c->id);
        return true;
    }
    if (!submit_is_request_id(given))
        return code_fail(err, CODE_BAD_REQUEST, "request_id: 1 to 64 of A-Z a-z 0-9 . _ : -");
    (void)snprintf(out, REQUEST_ID_SIZE, "%.*s", BYTES_ARG(given));
    return true;
}

static void join(struct call *c, const struct writer *w, const char *spend_id)
{
    c->plan = (struct stream_plan){ .kind = STREAM_STORY, .text = writer_bytes(w) };
    memcpy(c->plan.object, spend_id, ID_SIZE);
}

bool compat_spend(struct call *c, struct err *err)
{
    const struct bytes code = bytes_trim(call_parameter(c, "code")),
                       dest = call_parameter(c, "dest"),
                       address = bytes_trim(call_parameter(c, "addr"));
    const struct asked_amount amount = read_amount(c);
    struct submission *s = arena_alloc(c->arena, sizeof *s);
    struct writer w = writer_growing(c->arena, 65536);
    AUTO(fleet_auth_wipe) struct fleet_auth auth = { .user = "owner" };
    char request_id[REQUEST_ID_SIZE];
    struct treasury_wallet t;
    struct spend spend;
    bool is_new = false;
    REQUIRE(s != NULL);
    *s = (struct submission){ .wallet = &t,
                              .tier = code.len > 0 ? TIER_SURGE : TIER_AUTO,
                              .alone = c->api->config->compat_demo };
    if (!check_first(c, code, dest, address, err) || !compat_wallet(c, &t, ROLE_SPENDER, err) ||
        !read_request_id(c, request_id, err))
        return false;
    s->request_id = bytes_of_text(request_id);
    if (!submit_recall(c->db, s, c->arena, err))
        return false;
    if (amount.changed)
        frame_log(&w, "y", "The amount was changed to %" PRId64 " sat.", amount.sat);
    if (!add_output(c, s, dest, address, (struct sats){ (uint64_t)amount.sat }, err))
        return refuse(c, &w, err);
    if (c->api->config->compat_demo)
        reclaim(c, &t);
    if (!api_submit(c, s, &spend, &is_new, err))
        return refuse(c, &w, err);
    if (is_new && code.len > 0) {
        auth.given = true;
        (void)snprintf(auth.code, sizeof auth.code, "%.*s", BYTES_ARG(code));
        if (!api_keep_code(c, spend.id, &auth, err))
            return refuse(c, &w, err);
    }
    tell_request(&w, request_id, spend.id);
    join(c, &w, spend.id);
    return true;
}
