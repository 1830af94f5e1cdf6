#include "bunker/actions.h"
#include "base/hex.h"
#include "base/utf8.h"

// --- Arguments ---

bool call_bad(struct action_call *call)
{
    frame_fail(call->c, "bad_args", "Bad arguments for %s.", call->name);
    return false;
}

bool call_text(struct action_call *call, size_t i, struct bytes *out)
{
    if (i >= call->n_args || call->args[i]->type != JSON_STRING)
        return call_bad(call);
    *out = call->args[i]->text;
    return true;
}

bool call_integer(struct action_call *call, size_t i, int64_t *out)
{
    if (i >= call->n_args || call->args[i]->type != JSON_NUMBER ||
        !json_integer(call->args[i], out, NULL))
        return call_bad(call);
    return true;
}

bool call_bool(struct action_call *call, size_t i, bool *out)
{
    const struct json *arg = i < call->n_args ? call->args[i] : NULL;
    int64_t number = -1;
    if (arg == NULL)
        return call_bad(call);
    if (arg->type == JSON_NUMBER && json_integer(arg, &number, NULL) &&
        (number == 0 || number == 1))
        *out = number == 1;
    else if (arg->type == JSON_TRUE || arg->type == JSON_FALSE)
        *out = arg->type == JSON_TRUE;
    else
        return call_bad(call);
    return true;
}

bool call_window(struct action_call *call, size_t i, int64_t *out)
{
    const struct json *arg = i < call->n_args ? call->args[i] : NULL;
    uint64_t number;
    *out = 0;
    if (arg == NULL || arg->type == JSON_NULL)
        return true;
    if (arg->type != JSON_STRING)
        return call_integer(call, i, out);
    struct reader r = reader_of(arg->text);
    if (arg->text.len > 0 && (!reader_decimal64(&r, INT64_MAX, &number) || !reader_done(&r)))
        return call_bad(call);
    *out = arg->text.len > 0 ? (int64_t)number : 0;
    return true;
}

bool call_has_device(struct action_call *call)
{
    if (call->b->device->view.serial[0] != '\0') {
        if (call->b->other_device)
            frame_fail(call->c, "other_device", OTHER_DEVICE);
        return !call->b->other_device;
    }
    frame_fail(call->c, "no_device", DEVICE_NOT_CONNECTED);
    bunker_poll(call->b);
    return false;
}

bool call_confirms_limit(struct action_call *call)
{
    const uint64_t refusals = call->b->device->view.refusals;
    struct visitor *v = session_visitor(call->b, call->c->session);
    const bool was_warned = v->warned_limit;
    v->warned_limit = refusals > REFUSALS_TO_CONFIRM && !was_warned;
    if (v->warned_limit)
        frame_fail(call->c, "confirm",
                   "The device has refused %llu times; at 100 it logs out. Ask again to go on all "
                   "the same.",
                   (unsigned long long)refusals);
    return !v->warned_limit;
}

bool call_begin_job(struct action_call *call)
{
    if (call->c->n_jobs >= CLIENT_JOBS_MAX) {
        frame_fail(call->c, "busy", "Too many requests.");
        return false;
    }
    call->c->n_jobs++;
    return true;
}

struct client *job_client(struct bunker *b, uint64_t client_id)
{
    struct client *c = clients_find(b, client_id);
    if (c != NULL && c->n_jobs > 0)
        c->n_jobs--;
    return c;
}

void call_audit(struct action_call *call, const char *event, const char *outcome,
                struct bytes reason)
{
    const struct session *s = call->c->session;
    const struct slot *slot = session_slot(call->b, call->c->session);
    char tag[9];
    hex_encode(tag, bytes_of(s->key, 4));
    const struct audit_event e = { .event = event,
                                   .account = s->account,
                                   .listener = s->listener->name,
                                   .session = tag,
                                   .psbt_hash = slot->hash_text,
                                   .outcome = outcome,
                                   .reason = reason };
    if (!audit_add(&call->b->audit, bunker_now_s(call->b), &e))
        LOG(call->b->log, LOG_ERROR, "audit_failed", LOG_TEXT("event", event));
}

// --- Actions without a device ---

static void run_connected(struct action_call *call)
{
    clients_push_slot(call->b, NULL, call->c);
}

static void run_status(struct action_call *call)
{
    bunker_poll(call->b);
    clients_push_slot(call->b, NULL, call->c);
}

static const struct action own_actions[] = {
    { "_connected", 0, ACTION_ARGS_MAX, ROLE_VIEWER, run_connected },
    { "status", 0, 0, ROLE_VIEWER, run_status },
};

// --- Finding and running ---

static const struct action *find_in(const struct action *rows, size_t n, struct bytes name)
{
    for (size_t i = 0; i < n; i++)
        if (bytes_equal_text(name, rows[i].name))
            return &rows[i];
    return NULL;
}

static const struct action *find_action(struct bytes name)
{
    const struct action *a = find_in(own_actions, COUNT(own_actions), name);
    if (a == NULL)
        a = find_in(signing_actions, n_signing_actions, name);
    if (a == NULL)
        a = find_in(message_actions, n_message_actions, name);
    if (a == NULL)
        a = find_in(address_actions, n_address_actions, name);
    if (a == NULL)
        a = find_in(policy_actions, n_policy_actions, name);
    if (a == NULL)
        a = find_in(slot_actions, n_slot_actions, name);
    if (a == NULL)
        a = find_in(account_actions, n_account_actions, name);
    if (a == NULL)
        a = find_in(advice_actions, n_advice_actions, name);
    return a != NULL ? a : find_in(settings_actions, n_settings_actions, name);
}

static bool take_args(struct action_call *call, const struct json *args)
{
    if (args == NULL)
        return true;
    if (args->type != JSON_ARRAY || args->n_items > ACTION_ARGS_MAX)
        return false;
    for (const struct json *v = args->items; v != NULL; v = v->next)
        call->args[call->n_args++] = v;
    return true;
}

static void run_action(struct bunker *b, struct client *c, struct bytes name,
                       const struct json *args)
{
    const struct action *a = find_action(name);
    if (a == NULL) {
        frame_fail(c, "bad_args", "%.*s", BYTES_ARG(utf8_cut(name, 64)));
        return;
    }
    struct action_call call = { .b = b, .c = c, .name = a->name };
    if (!take_args(&call, args) || call.n_args < a->min_args || call.n_args > a->max_args) {
        (void)call_bad(&call);
        return;
    }
    if (c->session->role < a->role) {
        frame_fail(c, "denied", "Not permitted for this account.");
        call_audit(&call, "denied", a->name, (struct bytes){ 0 });
        return;
    }
    c->session->active_s = bunker_now_s(b);
    if (a->role == ROLE_ADMIN && account_needs_factor(b, c->session)) {
        frame_fail(c, "factor", "Give your one-time code again.");
        return;
    }
    a->run(&call);
}

static bool is_flood(struct bunker *b, struct client *c)
{
    const int64_t now = bunker_now_ms(b);
    if (now - c->flood_ms >= 1000) {
        c->flood_ms = now;
        c->n_messages = 0;
    }
    return ++c->n_messages > FLOOD_MAX;
}

void actions_run(struct bunker *b, struct client *c, struct bytes text)
{
    AUTO(arena_freep) struct arena *arena = arena_new(FRAME_ARENA);
    const struct json *frame, *action;
    struct err err;
    if (http_socket_is_stream(c->socket))
        return;
    if (is_flood(b, c)) {
        http_socket_close(c->socket, 1008);
        return;
    }
    if (!json_parse(&frame, text, arena, &err) || frame->type != JSON_OBJECT) {
        http_socket_close(c->socket, 1007);
        return;
    }
    if (json_get(frame, "_ping") != NULL)
        http_socket_send(c->socket, BYTES("{\"_pong\": 1}"), 0);
    action = json_get(frame, "action");
    if (action != NULL && action->type == JSON_STRING)
        run_action(b, c, action->text, json_get(frame, "args"));
    else if (action != NULL)
        frame_fail(c, "bad_args", "Bad arguments for action.");
}
