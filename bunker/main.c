// bunker/main.c -- casemate-bunker: command line, start, and the way out.
#include "base/file.h"
#include "base/require.h"
#include "bunker/broadcast.h"
#include "bunker/bunker.h"
#include "bunker/command.h"
#include "bunker/web.h"
#include "http/notify.h"
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define STATUS_ARENA    ((size_t)64 << 20)
#define POLL_WATCHED_MS 2000
#define POLL_WAITING_MS 500

// --- The device ---

static void poll_done(struct device_job *job)
{
    free(job);
}

void bunker_poll(struct bunker *b)
{
    if (b->device->n_jobs > 0)
        return; // its end brings a status
    struct device_job *job = calloc(1, sizeof *job);
    REQUIRE(job != NULL);
    job->done = job->drop = poll_done;
    b->polled_ms = bunker_now_ms(b);
    device_submit(b->device, job);
}

static int64_t poll_every_ms(const struct bunker *b)
{
    const enum device_state state = b->device->view.state;
    if (state == DEVICE_ABSENT || state == DEVICE_ERROR)
        return 1000 * (int64_t)b->config->reconnect_delay;
    if (state == DEVICE_APPROVING)
        return POLL_WAITING_MS;
    return clients_any_watch(b) ? POLL_WATCHED_MS : 1000 * (int64_t)b->config->ping_rate;
}

static void read_hsm(struct bunker *b)
{
    const struct device_report *d = &b->device->view;
    struct err err;
    b->hsm = NULL;
    arena_reset(b->status_arena);
    if (d->hsts != NULL &&
        !json_parse(&b->hsm, bytes_of(d->hsts, d->hsts_len), b->status_arena, &err))
        b->hsm = NULL;
    spending_update(&b->spending, b->hsm);
}

static void update_slots(struct bunker *b)
{
    const struct json *users = json_get(b->hsm, "users");
    struct session_store *store = b->sessions.store;
    for (struct session *s = NULL; (s = store->next(store, s)) != NULL;)
        if (s->data != NULL && !slot_is_busy(session_slot(b, s)))
            slot_set_users(session_slot(b, s), users);
}

static void note_change(struct bunker *b, const struct device_report *before,
                        const struct device_report *now)
{
    const bool was = before->serial[0] != '\0', is = now->serial[0] != '\0';
    if (was == is && before->active == now->active)
        return;
    const char *event = was != is ? (is ? "device_connected" : "device_disconnected") : "hsm_mode";
    const struct audit_event e = { .event = event,
                                   .outcome = now->active ? "active" : "inactive",
                                   .reason = bytes_of_text(is ? now->serial : before->serial) };
    LOG(b->log, LOG_INFO, event, LOG_TEXT("state", device_state_name(now->state)),
        LOG_TEXT("why", now->why));
    if (!audit_add(&b->audit, bunker_now_s(b), &e))
        LOG(b->log, LOG_ERROR, "audit_failed", LOG_TEXT("event", event));
}

// The feed's view of the device's counters; spending_update has been called.
static void count_for_feed(struct bunker *b, const struct device_report *before,
                           const struct device_report *now)
{
    struct feed_counts counts = { .active = now->active,
                                  .approvals = now->approvals,
                                  .refusals = now->refusals,
                                  .n_rules = b->spending.n_rules };
    struct feed_event e = { 0 };
    const bool was = before->serial[0] != '\0', is = now->serial[0] != '\0';
    for (size_t i = 0; i < counts.n_rules && i < FEED_RULES_MAX; i++)
        counts.spent[i] = b->spending.rules[i].spent;
    feed_count(b->feed, &counts);
    if (was != is)
        e.kind = is ? FEED_CONNECTED : FEED_DISCONNECTED;
    else if (now->active && !before->active)
        e.kind = FEED_ARMED;
    else
        return;
    feed_set_text(&e, is ? now->xfp : before->xfp);
    feed_add(b->feed, bunker_now_s(b), &e);
}

static void device_changed(void *context, const struct device_report *before,
                           const struct device_report *now)
{
    struct bunker *b = context;
    note_change(b, before, now);
    read_hsm(b);
    count_for_feed(b, before, now);
    update_slots(b);
    device_check_pin(b);
    pending_policy_follow(b, before, now);
    onion_update(b);
    if (before->serial[0] != '\0' && strcmp(before->serial, now->serial) != 0)
        b->asked_locker = false; // another device has another locker
    if (now->active)
        bunker_ask_locker(b);
    b->push_due = true; // at the next tick, for all jobs that end until then
    links_push(b);
}

// --- The locker ---

struct locker_of {
    struct locker_job job; // first
    struct bunker *b;
};

static void locker_drop(struct device_job *base)
{
    struct locker_of *l = (struct locker_of *)base;
    secret_free(l->job.content);
    free(l);
}

static void locker_done(struct device_job *base)
{
    struct locker_of *l = (struct locker_of *)base;
    struct bunker *b = l->b;
    struct secret *key = NULL;
    struct err err = base->err;
    bool ok = base->ok && settings_locker_key(&key, secret_open(l->job.content), &err);
    if (base->ok)
        secret_close(l->job.content);
    // What was set up before the device held the key goes under it now.
    const bool is_ours =
        ok && b->pending_key != NULL && ct_equal(secret_open(key), secret_open(b->pending_key));
    if (ok && b->pending_key != NULL) {
        secret_close(key);
        secret_close(b->pending_key);
    }
    if (is_ours) {
        b->settings.key = key;
        b->settings.loaded = true;
        b->pending_key = NULL;
        ok = settings_save(&b->settings, &err);
    } else if (ok) {
        ok = settings_open(&b->settings, key, &err);
    }
    device_check_pin(b);
    account_take_reference(b);
    onion_update(b);
    if (ok)
        LOG_NOTE(b->log, LOG_INFO, "settings_loaded");
    else
        LOG(b->log, LOG_WARNING, "locker_not_used", LOG_TEXT("error", err.text));
    locker_drop(base);
    clients_push(b);
}

void bunker_ask_locker(struct bunker *b)
{
    if (b->asked_locker || b->settings.key != NULL || b->other_device)
        return; // "one locker read per process"
    b->asked_locker = true;
    struct locker_of *l = calloc(1, sizeof *l);
    REQUIRE(l != NULL);
    l->b = b;
    l->job.base.work = locker_work;
    l->job.base.done = locker_done;
    l->job.base.drop = locker_drop;
    device_submit(b->device, &l->job.base);
}

// --- The loop ---

void bunker_session_ended(void *context, struct session *session)
{
    struct bunker *b = context;
    struct visitor *v = session->data;
    if (b->device != NULL &&
        !b->device->view.active) // nobody is left to wait for the person at the device
        (void)device_cancel_of(b->device, session);
    clients_close_session(b, session);
    if (v == NULL)
        return;
    slot_release_all(b, session);
    session->data = NULL;
    secret_free(v->picked);
    secret_free(v->totp);
    free(v);
}

static void expire_codes(struct bunker *b)
{
    struct session_store *store = b->sessions.store;
    bool any = false;
    for (struct session *s = NULL; (s = store->next(store, s)) != NULL;)
        if (s->data != NULL)
            any = slot_expire_codes(session_slot(b, s), bunker_now_ms(b)) || any;
    if (any)
        clients_push(b);
}

static void end_all_sessions(struct bunker *b)
{
    struct session_store *store = b->sessions.store;
    for (struct session *s; (s = store->next(store, NULL)) != NULL;)
        session_end(&b->sessions, s);
    b->logs_out_all = false;
}

// The loop comes round, so it lives.
static void feed_watchdog(struct bunker *b)
{
    if (b->watchdog_ms == 0 || bunker_now_ms(b) - b->fed_ms < b->watchdog_ms)
        return;
    b->fed_ms = bunker_now_ms(b);
    notify_send("WATCHDOG=1");
}

static void tick(void *context)
{
    struct bunker *b = context;
    feed_watchdog(b);
    if (b->push_due)
        clients_push(b);
    sessions_expire(&b->sessions, bunker_now_s(b));
    expire_codes(b);
    links_tick(b);
    if (b->logs_out_all)
        end_all_sessions(b);
    if (b->stops)
        http_server_stop(b->server);
    if (b->device->n_jobs == 0 && feed_settle(b->feed, bunker_now_s(b)))
        clients_push(b);
    if (bunker_now_ms(b) - b->polled_ms >= poll_every_ms(b))
        bunker_poll(b);
    if (bunker_now_s(b) - b->pushed_s >= PUSH_AT_LEAST_S) {
        b->pushed_s = bunker_now_s(b);
        for (struct client *c = b->clients; c != NULL; c = c->next)
            c->has_last = false;
        clients_push(b);
    }
}

// --- Start and end ---

static void stop_server(void *argument)
{
    http_server_stop(argument);
}

// Signals are events of the loop.
struct signals {
    sigset_t set;
    struct http_server *server;
};

static void *wait_for_signal(void *context)
{
    struct signals *s = context;
    int number;
    if (sigwait(&s->set, &number) == 0)
        http_server_post(s->server, stop_server, s->server);
    return NULL;
}

static bool load_key_file(struct bunker *b, struct arena *arena, struct err *err)
{
    const char *path = b->config->settings_key_file;
    struct bytes text;
    struct secret *key;
    if (path == NULL)
        return true;
    if (!file_read(&text, path, 1024, arena, err) || !command_key(&key, text, path, err))
        return false;
    return settings_open(&b->settings, key, err);
}

static bool preload(struct bunker *b, struct slot *slot, struct arena *arena, struct err *err)
{
    struct bytes file, psbt;
    if (b->config->preload == NULL)
        return true;
    if (!file_read(&file, b->config->preload, HTTP_MESSAGE_MAX, arena, err) ||
        !review_upload(&psbt, file, arena, err))
        return err_within(err, "%s", b->config->preload);
    slot_load(slot, psbt);
    return true;
}

static bool open_audit(struct bunker *b, struct err *err)
{
    char path[1024];
    if (!command_make_folder(b->config->data_files, err))
        return false;
    (void)snprintf(path, sizeof path, "%s/audit.jsonl", b->config->data_files);
    return audit_open(&b->audit, path, err);
}

static bool start_server(struct bunker *b, struct err *err)
{
    const struct http_server_options options = {
        .listeners = b->listeners,
        .app = { b, pages_body_limit, pages_request, clients_upgrade, clients_opened,
                 clients_message, clients_too_large, clients_closed, tick, link_message },
        .link_protocol = LINK_PROTOCOL,
        .link_message_max = REQUEST_MAX,
        .log = b->log,
    };
    return http_server_open(&b->server, &options, err);
}

static void start_workers(struct bunker *b)
{
    const struct bunker_config *c = b->config;
    const struct pool_loop loop = { http_server_post, b->server };
    const struct device_options device = { .usb = c->usb,
                                           .path = c->device_path,
                                           .path_owner = c->path_owner,
                                           .serial = c->serial,
                                           .ncry = c->ncry,
                                           .loop = loop,
                                           .changed = device_changed,
                                           .context = b };
    b->hashers = pool_new(1, loop);
    b->senders = pool_new(2, loop);
    b->device = device_new(&device);
}

static void announce(const struct bunker *b)
{
    for (size_t i = 0; i < b->listeners->n; i++) {
        const struct listener *l = &b->listeners->items[i];
        char where[256];
        if (l->path != NULL)
            (void)snprintf(where, sizeof where, "unix:%s", l->path);
        else
            (void)snprintf(where, sizeof where, "%s://%s%s%s:%u",
                           l->tls_cert != NULL ? "https" : "http",
                           strchr(l->address, ':') != NULL ? "[" : "", l->address,
                           strchr(l->address, ':') != NULL ? "]" : "", l->port);
        LOG(b->log, LOG_INFO, "listening", LOG_TEXT("listener", l->name), LOG_TEXT("at", where));
    }
}

static void free_all(struct bunker *b)
{
    onion_stop(b);
    pool_free(b->hashers);
    pool_free(b->senders);
    if (b->sessions.store != NULL) // whose end tells the device
        sessions_free(&b->sessions);
    device_free(b->device);
    http_server_free(b->server);
    slot_free(b->shared);
    settings_free(&b->settings);
    secret_free(b->pending_key);
    pending_policy_drop(b);
    feed_free(b->feed);
    audit_close(&b->audit);
    arena_free(b->status_arena);
}

static bool prepare(struct bunker *b, struct arena *arena, struct err *err)
{
    settings_init(&b->settings, b->config->data_files);
    sessions_init(&b->sessions, session_store_memory());
    b->sessions.idle_s = (int64_t)b->config->max_idle_time;
    b->sessions.life_s = (int64_t)b->config->max_session_time;
    b->sessions.ended = bunker_session_ended;
    b->sessions.context = b;
    b->status_arena = arena_new(STATUS_ARENA);
    b->feed = feed_new();
    if (b->config->shared_slot || b->config->preload != NULL)
        b->shared = slot_new();
    return open_audit(b, err) && load_key_file(b, arena, err) &&
           (b->shared == NULL || preload(b, b->shared, arena, err));
}

static void record(struct bunker *b, const char *event)
{
    const struct audit_event e = { .event = event, .outcome = "ok" };
    if (!audit_add(&b->audit, bunker_now_s(b), &e))
        LOG(b->log, LOG_ERROR, "audit_failed", LOG_TEXT("event", event));
}

static bool serve(struct bunker *b, struct arena *arena, struct err *err)
{
    struct signals signals = { .server = NULL };
    pthread_t thread;
    (void)sigemptyset(&signals.set);
    (void)sigaddset(&signals.set, SIGTERM);
    (void)sigaddset(&signals.set, SIGINT);
    REQUIRE(pthread_sigmask(SIG_BLOCK, &signals.set, NULL) == 0);
    if (!prepare(b, arena, err) || !start_server(b, err))
        return false;
    signals.server = b->server;
    REQUIRE(pthread_create(&thread, NULL, wait_for_signal, &signals) == 0);
    start_workers(b);
    account_take_reference(b);
    if (!onion_start(b, err))
        return false;
    announce(b);
    record(b, "start");
    if (!settings_has_password(&b->settings))
        LOG_NOTE(b->log, LOG_WARNING, "no_password_set");
    b->watchdog_ms = notify_watchdog_ms();
    notify_send("READY=1");
    http_server_run(b->server);
    notify_send("STOPPING=1");
    record(b, "stop");
    LOG_NOTE(b->log, LOG_INFO, "stopped");
    (void)pthread_cancel(thread);
    (void)pthread_join(thread, NULL);
    return true;
}

static void harden(void)
{
    const struct rlimit none = { 0, 0 };
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)signal(SIGPIPE, SIG_IGN);
}

static int run(const struct command *command, struct bunker_config *config, struct arena *arena)
{
    struct bunker b = { .config = config,
                        .listeners = &config->listeners,
                        .clock = clock_system(),
                        .assets = web_assets(),
                        .setup_mode = config->setup_mode,
                        .audit.fd = -1 };
    const struct log log = { .fd = STDERR_FILENO,
                             .min = command->quiet ? LOG_WARNING : LOG_INFO,
                             .clock = &b.clock };
    struct err err;
    b.log = &log;
    b.polled_ms = b.clock.monotonic_ms(&b.clock) - 3600000;
    b.pushed_s = bunker_now_s(&b);
    if (config->n_ignored > 0)
        LOG(&log, LOG_WARNING, "unknown_keys_ignored", LOG_U64("count", config->n_ignored),
            LOG_TEXT("last", config->ignored));
    if (config->had_default_password)
        LOG(&log, LOG_WARNING, "master_pw_refused",
            LOG_TEXT("why", "passwords are set on the settings page and kept hashed"));
    const bool ok = serve(&b, arena, &err);
    free_all(&b);
    return ok ? 0 : command_complain(&err);
}

int main(int argc, char **argv)
{
    AUTO(arena_freep) struct arena *arena = arena_new(CONFIG_ARENA + ((size_t)64 << 20));
    struct command command;
    struct bunker_config config;
    struct err err;
    if (!secret_init()) {
        fputs("casemate-bunker: this system gives no guarded memory or random bytes\n", stderr);
        return 1;
    }
    harden();
    connection_init();
    broadcast_init();
    if (!command_parse(&command, argc, argv, &err))
        return command_complain(&err);
    if (command.kind != COMMAND_RUN)
        return command_run(&command, arena);
    if (!config_load(&config, &command.config, arena, &err))
        return command_complain(&err);
    return command.check ? command_show(&config, arena) : run(&command, &config, arena);
}
