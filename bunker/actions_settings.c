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

// --- The onion service ---

// Made here, without Tor. What goes out is a handle: the key itself crosses the web never.
static void run_pick_onion(struct action_call *call)
{
    char address[ONION_ADDR_LEN + 1], handle[ONION_HANDLE_SIZE];
    struct frame f;
    onion_pick(call->b, call->c->session, address, handle);
    frame_begin(&f);
    json_key(&f.j, "vue_app_cb");
    json_begin_object(&f.j);
    json_key(&f.j, "new_onion_addr");
    json_begin_array(&f.j);
    json_text(&f.j, address);
    json_text(&f.j, handle);
    json_end_array(&f.j);
    json_end_object(&f.j);
    frame_send(&f, call->c, 0);
}

// "turns login on": whoever was let in without one, but for the admin who says so, is so no longer.
static void close_open_listeners(struct bunker *b, const struct session *keeps)
{
    struct session_store *store = b->sessions.store;
    for (size_t i = 0; i < b->listeners->n; i++)
        if (b->listeners->items[i].auth == 0 && b->listeners->items[i].serve == SERVE_PAGES)
            b->listeners->items[i].auth = LISTENER_PASSWORD;
    for (struct session *next, *s = store->next(store, NULL); s != NULL; s = next) {
        next = store->next(store, s);
        if (s != keeps && strcmp(s->account, "local") == 0)
            session_end(&b->sessions, s);
    }
}

static void run_leave_setup(struct action_call *call)
{
    struct bunker *b = call->b;
    const char *why = NULL;
    if (!b->setup_mode)
        why = "not in setup mode?";
    else if (!b->settings.tor_enabled || b->onion.tor == NULL)
        why = "Tor not enabled (need to save?)";
    else if (b->settings.onion_key == NULL)
        why = "Bad address?";
    else if (!settings_has_password(&b->settings)) // nobody could log in
        why = "Master password must be at least 4 chars long";
    if (why != NULL) {
        frame_fail(call->c, "bad_args", "%s", why);
        return;
    }
    b->setup_mode = false;
    close_open_listeners(b, call->c->session);
    onion_update(b);
    call_audit(call, "setup_left", "ok", (struct bytes){ 0 });
    frame_flash(call->c, "Tor hidden service has been enabled. It may take a few minutes for the "
                         "website to become available");
    clients_push(b);
    clients_push_slot(b, NULL, call->c);
}

// --- new_bunker_config ---

struct new_config {
    struct bunker *b;
    uint64_t client;
    struct secret *password; // NULL: it stays
    char verifier[PASSWORD_TEXT_MAX];
    bool has_easy, easy_captcha, has_reboots, allow_reboots, has_tor, tor_enabled, ok;
    struct secret *onion_key; // NULL: it stays
    bool has_clients;
    size_t n_clients;
    char clients[TOR_CLIENTS_MAX][TOR_CLIENT_SIZE];
    struct err err;
};

static void new_config_free(struct new_config *n)
{
    secret_free(n->password);
    secret_free(n->onion_key);
    wipe(n, sizeof *n);
    free(n);
}

static void hash_work(void *argument)
{
    struct new_config *n = argument;
    n->ok = password_hash(n->verifier, secret_open(n->password), PASSWORD_COST, &n->err);
    secret_close(n->password);
}

static bool keep_password(struct new_config *n, struct err *err)
{
    if (n->password == NULL)
        return true;
    struct account *a = settings_add_account(&n->b->settings, BYTES("admin"), ROLE_ADMIN);
    if (a == NULL)
        return err_set(err, ERR_LIMIT, "too many accounts");
    memcpy(a->password, n->verifier, sizeof a->password);
    return true;
}

static bool keep_config(struct new_config *n, struct err *err)
{
    struct settings *s = &n->b->settings;
    if (!keep_password(n, err))
        return false;
    if (n->has_reboots)
        s->allow_reboots = n->allow_reboots;
    if (n->has_easy)
        s->easy_captcha = n->easy_captcha;
    if (n->has_tor) {
        s->tor_is_set = true;
        s->tor_enabled = n->tor_enabled;
    }
    if (n->onion_key != NULL) {
        const bool is_key = settings_set_onion(s, secret_open(n->onion_key).ptr);
        secret_close(n->onion_key);
        REQUIRE(is_key); // read_onion has looked at it
    }
    if (n->has_clients) {
        memcpy(s->onion_clients, n->clients, sizeof s->onion_clients);
        s->n_onion_clients = n->n_clients;
    }
    onion_update(n->b);
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
    new_config_free(n);
}

// "onion_addr/onion_pk are stored only if onion_pk is truthy", and together.
static bool read_onion(struct action_call *call, struct new_config *n, const struct json *config)
{
    const struct json *key = json_get(config, "onion_pk"), *given = json_get(config, "onion_addr");
    char address[ONION_ADDR_LEN + 1];
    if (key == NULL || key->type != JSON_STRING || key->text.len == 0)
        return true;
    n->onion_key = onion_take(call->b, call->c->session, key->text);
    bool ok = n->onion_key != NULL;
    if (ok) {
        ok = onion_address(address, secret_open(n->onion_key).ptr) &&
             (given == NULL || given->type == JSON_NULL || json_is_text(given, address));
        secret_close(n->onion_key);
    }
    if (!ok)
        frame_fail(call->c, "bad_args", "Bad address?");
    return ok;
}

// Public keys of who may open the service: base32 of 32 bytes, as Tor's files have them.
static bool read_clients(struct action_call *call, struct new_config *n, const struct json *config)
{
    const struct json *list = json_get(config, "onion_clients");
    n->has_clients = list != NULL && list->type == JSON_ARRAY;
    for (const struct json *v = n->has_clients ? list->items : NULL; v != NULL; v = v->next) {
        uint8_t raw[TOR_CLIENT_SIZE];
        struct writer w = writer_of(raw, sizeof raw);
        if (n->n_clients == TOR_CLIENTS_MAX || v->type != JSON_STRING ||
            v->text.len != TOR_CLIENT_SIZE - 1 || !base32_read(&w, v->text) || w.len != 32) {
            frame_fail(call->c, "bad_args",
                       "A client's key is 52 characters of base32; at most %d of them.",
                       TOR_CLIENTS_MAX);
            return false;
        }
        (void)snprintf(n->clients[n->n_clients++], TOR_CLIENT_SIZE, "%.*s", BYTES_ARG(v->text));
    }
    return true;
}

// What is left out stays as it is; but the first password must be given.
static bool read_password(struct action_call *call, struct new_config *n, const struct json *config)
{
    const struct json *password = json_get(config, "master_pw");
    if (password == NULL && settings_has_password(&call->b->settings))
        return true;
    if (password == NULL || password->type != JSON_STRING)
        return call_bad(call);
    if (password->text.len < PASSWORD_MIN || password->text.len > PASSWORD_MAX) {
        frame_fail(call->c, "bad_args", "Master password must be at least 4 chars long");
        return false;
    }
    n->password = secret_new(password->text);
    return true;
}

static bool read_config(struct action_call *call, struct new_config *n, struct arena *arena)
{
    const struct json *config, *reboots, *tor;
    struct bytes text;
    struct err err;
    if (!call_text(call, 0, &text))
        return false;
    if (!json_parse(&config, text, arena, &err))
        return call_bad(call);
    reboots = json_get(config, "allow_reboots");
    n->has_reboots = reboots != NULL;
    n->allow_reboots = reboots == NULL || reboots->type != JSON_FALSE;
    const struct json *easy = json_get(config, "easy_captcha");
    n->has_easy = easy != NULL;
    n->easy_captcha = easy != NULL && easy->type == JSON_TRUE;
    tor = json_get(config, "tor_enabled");
    n->has_tor = tor != NULL && tor->type != JSON_NULL;
    n->tor_enabled = tor != NULL && tor->type == JSON_TRUE;
    return read_password(call, n, config) && read_clients(call, n, config) &&
           read_onion(call, n, config);
}

static void run_new_config(struct action_call *call)
{
    AUTO(arena_freep) struct arena *arena = arena_new(FRAME_ARENA);
    struct new_config *n = calloc(1, sizeof *n);
    REQUIRE(n != NULL);
    n->b = call->b;
    n->client = call->c->id;
    if (!read_config(call, n, arena) || !call_begin_job(call)) {
        new_config_free(n);
        return;
    }
    call_audit(call, "settings", "changed", (struct bytes){ 0 });
    n->ok = n->password == NULL;
    if (n->ok)
        hash_done(n);
    else if (!pool_submit(call->b->hashers, (struct pool_job){ hash_work, hash_done, n }, 64)) {
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
