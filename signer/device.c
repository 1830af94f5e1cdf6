#include "signer/device.h"
#include "base/require.h"
#include "bitcoin/psbt_analyse.h"
#include "signer/device_wallets.h"
#include "signer/hsm_start.h"
#include "signer/master.h"
#include "signer/sign_work.h"

#define IDLE_CHECK_MS 5000 // wire-protocol.md 5.1: "checked every 5 s"

const struct chain *device_chain(const struct device *device)
{
    return chain_by_id(device->config.chain);
}

bool device_init(struct device *device, const struct device_options *options, struct err *err)
{
    *device = (struct device){
        .loop = options->loop,
        .clock = options->clock,
        .log = options->log,
        .store = options->store,
        .worker = options->worker,
        .name = options->name,
        .simulator = options->simulator,
        .config = options->config,
        .host = options->host,
    };
    screen_init(&device->screen);
    return vault_init(&device->vault, options->store, options->clock, options->config.pin_tries,
                      options->simulator, err);
}

// --- Secrets ---

const struct hdkey *device_open_master(const struct device *device)
{
    if (!device->has_seed)
        return NULL;
    const struct bytes mem = secret_open(device->master);
    return (const struct hdkey *)(const void *)mem.ptr;
}

void device_close_master(const struct device *device)
{
    if (device->has_seed)
        secret_close(device->master);
}

bool device_public_node(const struct device *device, struct hdpub *out, const struct keypath *path,
                        struct err *err)
{
    const struct hdkey *master = device_open_master(device);
    if (master == NULL)
        return err_set(err, ERR_STATE, "Assertion no seed");
    AUTO(hdkey_wipe) struct hdkey node = { 0 };
    const bool ok = hdkey_derive(&node, master, path, err);
    device_close_master(device);
    wipe_stack();
    *out = node.pub;
    return ok;
}

const struct user_list *device_open_users(const struct device *device)
{
    return (const struct user_list *)(const void *)secret_open(device->users).ptr;
}

struct user_list *device_edit_users(struct device *device)
{
    return (struct user_list *)(void *)secret_edit(device->users);
}

void device_close_users(const struct device *device)
{
    secret_close(device->users);
}

static void forget_secrets(struct device *device)
{
    secret_free(device->container);
    secret_free(device->master);
    secret_free(device->users);
    secret_free(device->journal_key);
    keycache_freep(&device->keys);
    device->container = device->master = device->users = device->journal_key = NULL;
    device->has_seed = device->has_passphrase = false;
    device->master_pub = (struct hdpub){ 0 };
    device->xfp = (struct xfp){ 0 };
    device_forget_wallets(device);
}

static void use_node(struct device *device, const struct hdkey *node)
{
    device->keys = keycache_new(node);
    device->master_pub = node->pub;
    device->xfp = hdpub_xfp(&node->pub);
    device->has_seed = true;
}

void device_use_passphrase(struct device *device, const struct hdkey *master)
{
    sign_work_settle(device); // it may use the keys that go
    keycache_freep(&device->keys);
    *(struct hdkey *)(void *)secret_edit(device->master) = *master;
    secret_close(device->master);
    use_node(device, master);
    device->has_passphrase = true;
}

static bool load_seed(struct device *device, struct err *err)
{
    secret_free(device->master);
    keycache_freep(&device->keys);
    device->master = secret_new_zeroed(sizeof(struct hdkey));
    device->has_seed = device->has_passphrase = false;
    device->master_pub = (struct hdpub){ 0 };
    device->xfp = (struct xfp){ 0 };
    if (master_kind(device->container) == MASTER_NONE)
        return true;
    struct hdkey *node = (struct hdkey *)(void *)secret_edit(device->master);
    const bool ok = master_node(node, device->container, err);
    if (ok)
        use_node(device, node);
    secret_close(device->master);
    return ok && journal_load_key(device, err);
}

static bool load_users(struct device *device, struct err *err)
{
    if (device->users == NULL)
        device->users = secret_new_zeroed(sizeof(struct user_list));
    struct user_list *users = device_edit_users(device);
    const bool ok = store_get_users(device->store, users->items, &users->n, err);
    device_close_users(device);
    return ok;
}

bool device_load(struct device *device, struct err *err)
{
    sign_work_settle(device);
    AUTO(arena_freep) struct arena *arena = arena_new(STORE_POLICY_MAX + (1u << 20));
    struct store_policy policy;
    if (!load_seed(device, err) || !load_users(device, err) || !device_load_wallets(device, err) ||
        !store_get_policy(device->store, &policy, arena, err))
        return false;
    // "A stored policy turns `hsm_commands` on": wire-protocol.md 5.3.
    const struct store_settings settings = store_get_settings(device->store);
    device->hsm_commands =
        policy.form.len > 0 ||
        (settings.has_hsm_commands ? settings.hsm_commands : device->config.hsm_commands);
    return true;
}

void device_view(const struct device *device, struct signer_view *out)
{
    const struct config *config = &device->config;
    *out = (struct signer_view){
        .xfp = device->xfp,
        .chain = device_chain(device),
        .unit = config->unit,
        .fee_limit_pct = config->fee_limit_pct,
        .sighash_allow = config->sighash_allow,
        .hsm_mode = device->state == DEVICE_HSM,
        .pms = config->pms,
        .unsort_ms = config->unsort_ms,
        .skip_multisig_checks = !config->multisig_checks,
        .require_prev_tx = config->require_prev_tx,
        .sighash_all_only = config->sighash_all_only,
        .taproot = config->taproot,
        .device_order = true,
        .wallets = device->wallets,
        .table = device->keys == NULL ? NULL : keycache_table(device->keys),
        .known_amount = store_known_amount,
        .memory = device->store,
    };
}

static bool wallet_names(const struct device *device, struct policy_world *out, struct arena *arena)
{
    const struct ms_wallets wallets = device->wallets;
    struct bytes *names = arena_array(arena, wallets.n, sizeof *names);
    bool ok = names != NULL;
    for (size_t i = 0; ok && i < wallets.n; i++)
        ok = arena_copy(arena, bytes_of_text(wallets.list[i]->name), &names[i]);
    out->n_wallets = wallets.n;
    out->wallets = names;
    return ok;
}

bool device_world(const struct device *device, struct policy_world *out, struct arena *arena,
                  struct err *err)
{
    const struct user_list *users = device_open_users(device);
    struct bytes *names = arena_array(arena, users->n, sizeof *names);
    bool ok = names != NULL;
    for (size_t i = 0; ok && i < users->n; i++)
        ok = arena_copy(arena, user_name(&users->items[i]), &names[i]);
    *out = (struct policy_world){ .n_users = users->n, .users = names };
    device_close_users(device);
    return (ok && wallet_names(device, out, arena)) || err_set(err, ERR_NO_MEMORY, "Out of RAM");
}

// --- Locked and unlocked ---

static void pin_text(void *context, struct bytes text)
{
    struct device *device = context;
    struct err err;
    device->pin_was_typed = true;
    if (!device_unlock(device, text, &err))
        return; // what went wrong is on the screen
}
static const struct dialog_ops pin_dialog = { .text = pin_text };

static void ask_pin(struct device *device, const char *problem)
{
    char mem[512];
    struct writer w = writer_of(mem, sizeof mem);
    if (problem != NULL)
        writer_printf(&w, "%.300s\n\n", problem);
    if (device->vault.state == VAULT_SEALED)
        writer_text(&w, "Enter the PIN.");
    else
        writer_text(&w, device->vault.state == VAULT_EMPTY ? "No PIN is set. Run init."
                                                           : "The keys were destroyed.");
    screen_ask(&device->screen, "Locked", writer_bytes(&w), ASK_TEXT, &pin_dialog, device);
}

void device_start(struct device *device)
{
    device->state = DEVICE_LOCKED;
    device->pin_was_typed = false;
    if (device->host.unlock == NULL || !device->host.unlock(device->host.context))
        ask_pin(device, NULL);
}

bool device_unlock(struct device *device, struct bytes pin, struct err *err)
{
    if (device->state != DEVICE_LOCKED)
        return err_set(err, ERR_STATE, "not locked");
    if (!vault_unlock(&device->vault, &device->container, pin, err) || !device_load(device, err) ||
        !journal_open(device, err)) {
        forget_secrets(device);
        vault_lock(&device->vault);
        LOG(device->log, LOG_WARNING, "not_unlocked", LOG_TEXT("error", err->text));
        ask_pin(device, err->text);
        return false;
    }
    LOG_NOTE(device->log, LOG_INFO, "unlocked");
    screen_done(&device->screen);
    device_after_unlock(device);
    return true;
}

void device_after_unlock(struct device *device)
{
    device->state = DEVICE_OFFER;
    if (!hsm_start_offer(device))
        device_enter(device, DEVICE_NORMAL);
}

// In HSM mode "the idle logout is off", and the clock is looked at.
static void check_idle(void *context)
{
    struct device *device = context;
    device->idle_timer = 0;
    if (device->state == DEVICE_HSM) {
        (void)hsm_now_s(device);
        device->idle_timer = loop_after(device->loop, IDLE_CHECK_MS, check_idle, device);
        return;
    }
    if (device->state != DEVICE_NORMAL || device->config.idle_min == 0)
        return;
    const int64_t idle_ms = device->clock->monotonic_ms(device->clock) - device->last_request_ms;
    if (idle_ms >= (int64_t)device->config.idle_min * 60000) {
        LOG_NOTE(device->log, LOG_INFO, "idle");
        device_lock(device);
        return;
    }
    device->idle_timer = loop_after(device->loop, IDLE_CHECK_MS, check_idle, device);
}

void device_enter(struct device *device, enum device_state state)
{
    REQUIRE(state == DEVICE_NORMAL || state == DEVICE_HSM);
    sign_work_settle(device);
    const bool was_open = device->state == DEVICE_NORMAL || device->state == DEVICE_HSM;
    device->state = state;
    screen_dismiss(&device->screen); // what the menu asked is not answered in another mode
    if (state == DEVICE_NORMAL) {
        hsm_free(device->hsm);
        device->hsm = NULL;
        device->last_request_ms = device->clock->monotonic_ms(device->clock);
    }
    loop_cancel(device->loop, device->idle_timer);
    device->idle_timer = loop_after(device->loop, IDLE_CHECK_MS, check_idle, device);
    for (size_t i = 0; i < PEERS_MAX; i++) {
        if (device->peers.items[i] != NULL)
            job_drop(&device->peers.items[i]->job);
    }
    struct err err;
    if (!was_open && !device->host.open_wire(device->host.context, &err)) {
        LOG(device->log, LOG_ERROR, "wire_not_open", LOG_TEXT("error", err.text));
        device_stop(device);
        return;
    }
    LOG_NOTE(device->log, LOG_INFO, state == DEVICE_HSM ? "hsm_mode" : "normal_mode");
    screen_touch(&device->screen);
}

// Everything that knows a secret or serves a host goes; what is stored stays.
static void shut(struct device *device)
{
    sign_work_settle(device); // before anything that it uses goes
    if (device->hsm != NULL && store_is_unlocked(device->store))
        (void)hsm_now_s(device);
    loop_cancel(device->loop, device->idle_timer);
    loop_cancel(device->loop, device->stop_timer);
    loop_cancel(device->loop, device->blind_timer);
    device->idle_timer = device->stop_timer = device->blind_timer = 0;
    device->host.close_wire(device->host.context);
    journal_close(device, device->state == DEVICE_LOCKED ? "locked" : "ended");
    screen_dismiss(&device->screen);
    blob_drop(&device->panel_text); // may show a user's secret
    job_drop(&device->job);
    peers_reset(&device->peers);
    hsm_free(device->hsm);
    device->hsm = NULL;
    device->bound = false;
    forget_secrets(device);
    vault_lock(&device->vault);
    wipe_stack();
}

void device_lock(struct device *device)
{
    device->state = DEVICE_LOCKED; // first: a dialog that is dismissed must not open the wire again
    shut(device);
    LOG_NOTE(device->log, LOG_INFO, "locked");
    device_start(device);
}

void device_stop(struct device *device)
{
    if (device->state == DEVICE_STOPPED)
        return;
    device->state = DEVICE_STOPPED;
    shut(device);
    LOG_NOTE(device->log, LOG_INFO, "stopped");
    device->host.stopped(device->host.context);
}

static void stop_now(void *context)
{
    struct device *device = context;
    device->stop_timer = 0;
    if (device->restart)
        device_lock(device);
    else
        device_stop(device);
}

void device_stop_in(struct device *device, int64_t ms, bool restart)
{
    // The first reason counts, but an end goes before a restart.
    if (device->stop_timer != 0 && (restart || !device->restart))
        return;
    loop_cancel(device->loop, device->stop_timer);
    device->restart = restart;
    device->stop_timer = loop_after(device->loop, ms, stop_now, device);
}

void device_free(struct device *device)
{
    const bool stopped = device->state == DEVICE_STOPPED;
    device->state = DEVICE_STOPPED; // first: an offer that is dismissed must not open the wire
    if (!stopped)
        shut(device);
    screen_free(&device->screen);
    blob_drop(&device->panel_text);
    peers_free(&device->peers);
}
