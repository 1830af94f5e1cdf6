// The bunker's own settings. Source: bunker.md 6, 12.4.
#include "base/base64.h"
#include "base/require.h"
#include "bunker/actions.h"
#include "crypto/random.h"

static void run_pick_password(struct action_call *call)
{
    uint8_t random[12];
    char text[17];
    struct writer w = writer_of(text, sizeof text);
    random_bytes(random, sizeof random);
    base64_write(&w, BYTES_OF(random));
    writer_u8(&w, 0);
    for (char *c = text; *c != '\0'; c++)
        *c = *c == '/' ? 'S' : *c == '+' ? 'p' : *c;
    struct frame f;
    frame_begin(&f);
    json_key(&f.j, "vue_app_cb");
    json_begin_object(&f.j);
    json_key(&f.j, "new_master_pw");
    json_text(&f.j, text);
    json_end_object(&f.j);
    frame_send(&f, call->c, 0);
    wipe(text, sizeof text);
}

// There is no Tor control in this version.
static void run_pick_onion(struct action_call *call)
{
    frame_fail(call->c, "internal", "No local 'tord' server");
}

static void run_leave_setup(struct action_call *call)
{
    frame_fail(call->c, "bad_args",
               call->b->setup_mode ? "Tor not enabled (need to save?)" : "not in setup mode?");
}

// --- new_bunker_config ---

struct new_config {
    struct bunker *b;
    uint64_t client;
    struct secret *password;
    char verifier[PASSWORD_TEXT_MAX];
    bool has_reboots, allow_reboots, ok;
    struct err err;
};

static void hash_work(void *argument)
{
    struct new_config *n = argument;
    n->ok = password_hash(n->verifier, secret_open(n->password), PASSWORD_COST, &n->err);
    secret_close(n->password);
}

static bool keep_config(struct new_config *n, struct err *err)
{
    struct settings *s = &n->b->settings;
    struct account *a = settings_add_account(s, BYTES("admin"), ROLE_ADMIN);
    if (a == NULL)
        return err_set(err, ERR_LIMIT, "too many accounts");
    memcpy(a->password, n->verifier, sizeof a->password);
    if (n->has_reboots)
        s->allow_reboots = n->allow_reboots;
    return s->key == NULL || settings_save(s, err);
}

static void hash_done(void *argument)
{
    struct new_config *n = argument;
    struct client *c = job_client(n->b, n->client);
    const bool ok = n->ok && keep_config(n, &n->err);
    if (c != NULL && ok)
        frame_flash(c, n->b->settings.key != NULL
                           ? "Bunker settings encrypted and saved to disk."
                           : "Bunker settings kept in memory. They are saved once the device holds "
                             "their key: submit a policy.");
    else if (c != NULL)
        frame_device_error(c, &n->err);
    clients_push_slot(n->b, NULL, c);
    secret_free(n->password);
    wipe(n, sizeof *n);
    free(n);
}

static bool read_config(struct action_call *call, struct new_config *n, struct arena *arena)
{
    const struct json *config, *password, *reboots;
    struct bytes text;
    struct err err;
    if (!call_text(call, 0, &text))
        return false;
    if (!json_parse(&config, text, arena, &err))
        return call_bad(call);
    password = json_get(config, "master_pw");
    reboots = json_get(config, "allow_reboots");
    if (password == NULL || password->type != JSON_STRING)
        return call_bad(call);
    if (password->text.len < PASSWORD_MIN || password->text.len > PASSWORD_MAX) {
        frame_fail(call->c, "bad_args", "Master password must be at least 4 chars long");
        return false;
    }
    n->password = secret_new(password->text);
    n->has_reboots = reboots != NULL;
    n->allow_reboots = reboots == NULL || reboots->type != JSON_FALSE;
    return true;
}

static void run_new_config(struct action_call *call)
{
    AUTO(arena_freep) struct arena *arena = arena_new(FRAME_ARENA);
    struct new_config *n = calloc(1, sizeof *n);
    REQUIRE(n != NULL);
    n->b = call->b;
    n->client = call->c->id;
    if (!read_config(call, n, arena) || !call_begin_job(call)) {
        secret_free(n->password);
        free(n);
        return;
    }
    call_audit(call, "settings", "changed", (struct bytes){ 0 });
    if (!pool_submit(call->b->hashers, (struct pool_job){ hash_work, hash_done, n }, 64)) {
        (void)err_set(&n->err, ERR_BUSY, "Too many requests.");
        hash_done(n);
    }
}

// --- Ending ---

static void run_logout_everyone(struct action_call *call)
{
    call_audit(call, "logout_everyone", "ok", (struct bytes){ 0 });
    call->b->logs_out_all = true; // not here: this socket is one of them
}

// "needs a confirmation argument "confirm" ... and is refused on non-loopback listeners unless enabled"
static void run_shutdown(struct action_call *call)
{
    struct bytes word;
    if (!call_text(call, 0, &word))
        return;
    if (!bytes_equal_text(word, "confirm")) {
        (void)call_bad(call);
        return;
    }
    if (!call->c->session->listener->loopback && !call->b->config->allow_shutdown_remote) {
        frame_fail(call->c, "denied", "The bunker can be stopped from its own host only.");
        return;
    }
    call_audit(call, "shutdown", "ok", (struct bytes){ 0 });
    frame_flash(call->c, "Bunker is shutdown.");
    call->b->stops = true;
}

const struct action settings_actions[] = {
    { "pick_onion_addr", 0, 0, ROLE_ADMIN, run_pick_onion },
    { "pick_master_pw", 0, 0, ROLE_ADMIN, run_pick_password },
    { "new_bunker_config", 1, 1, ROLE_ADMIN, run_new_config },
    { "leave_setup_mode", 0, 0, ROLE_ADMIN, run_leave_setup },
    { "logout_everyone", 0, 0, ROLE_ADMIN, run_logout_everyone },
    { "shutdown_bunker", 1, 1, ROLE_ADMIN, run_shutdown },
};
const size_t n_settings_actions = COUNT(settings_actions);
