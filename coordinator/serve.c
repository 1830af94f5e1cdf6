// casemate-coordinator serve: all parts started, watched, stopped. Source: coordinator.md D14.
#include "base/require.h"
#include "coordinator/api.h"
#include "coordinator/command.h"
#include "coordinator/engine.h"
#include "coordinator/upkeep.h"
#include "coordinator/web.h"
#include "http/notify.h"
#include <pthread.h>
#include <signal.h>

#define STOP_WAIT_S 30 // D14: "30 s for those not past `signed`"
#define DEAD_MS                                                                                    \
    (2 *                                                                                           \
     WORKERS_AWAY_MS) // no thread is away for so long: a worker tells of itself before each signer

struct server {
    const struct command *command;
    struct coordinator_config *config; // its log level changes with SIGHUP
    struct log *log;
    struct engine engine;
    struct api api;
    struct upkeep *upkeep;
    struct {
        pthread_t thread;
        sigset_t set;
    } signals;
    int64_t watchdog_ms, fed_ms; // 0: none
    bool failed;
};

// --- systemd ---

// "watchdog fed by a loop that proves database and workers alive"
static void feed(struct server *s)
{
    const int64_t now_ms = s->engine.clock.monotonic_ms(&s->engine.clock);
    const int64_t upkeep_ms = upkeep_alive_ms(s->upkeep), engine_ms = engine_alive_ms(&s->engine);
    if (s->watchdog_ms == 0 || now_ms - s->fed_ms < s->watchdog_ms)
        return;
    if (now_ms - upkeep_ms > DEAD_MS || now_ms - engine_ms > DEAD_MS)
        return;
    s->fed_ms = now_ms;
    notify_send("WATCHDOG=1");
}

static void tick(void *context)
{
    struct server *s = ((struct api *)context)->owner;
    feed(s);
}

// --- Signals ---

static void stop_loop(void *argument)
{
    struct server *s = argument;
    http_server_stop(s->api.server);
}

// "Reload on SIGHUP for log level and certificates only"
static void reload(void *argument)
{
    struct server *s = argument;
    AUTO(arena_freep) struct arena *arena = arena_new(CONFIG_ARENA);
    struct coordinator_config fresh;
    struct err err;
    const bool read = config_load(&fresh, s->command->config, arena, &err);
    if (read)
        s->log->min = fresh.log_level;
    else
        LOG(s->log, LOG_ERROR, "reload_failed", LOG_TEXT("error", err.text));
    const bool certificates = http_server_reload_certificates(s->api.server);
    LOG(s->log, LOG_INFO, "reloaded", LOG_BOOL("configuration", read),
        LOG_BOOL("certificates", certificates));
}

static void *wait_for_signal(void *context)
{
    struct server *s = context;
    int number;
    while (sigwait(&s->signals.set, &number) == 0 && number == SIGHUP)
        http_server_post(s->api.server, reload, s);
    http_server_post(s->api.server, stop_loop, s);
    return NULL;
}

static void block_signals(struct server *s)
{
    (void)sigemptyset(&s->signals.set);
    (void)sigaddset(&s->signals.set, SIGTERM);
    (void)sigaddset(&s->signals.set, SIGINT);
    (void)sigaddset(&s->signals.set, SIGHUP);
    REQUIRE(pthread_sigmask(SIG_BLOCK, &s->signals.set, NULL) == 0);
}

// --- Start ---

static void no_socket(void *context, struct http_socket *socket, const struct http_request *request)
{
    (void)context;
    (void)socket;
    (void)request;
}

static void no_message(void *context, struct http_socket *socket, struct bytes text)
{
    (void)context;
    (void)socket;
    (void)text;
}

// What must not go on: the process ends with a failure.
static void fatal(void *context, const char *why)
{
    struct server *s = context;
    LOG(s->log, LOG_ERROR, "fatal", LOG_TEXT("error", why));
    s->failed = true;
    http_server_post(s->api.server, stop_loop, s);
}

static bool listen_all(struct server *s, struct err *err)
{
    const struct http_server_options options = {
        .listeners = &s->config->listeners,
        .app = { .context = &s->api,
                 .body_limit = api_body_limit,
                 .request = api_request,
                 .upgrade = api_upgrade,
                 .opened = no_socket,
                 .message = no_message,
                 .too_large = no_message,
                 .closed = api_closed,
                 .tick = tick },
        .log = s->log,
        .takes_delete = true,
    };
    return http_server_open(&s->api.server, &options, err);
}

static void fill_api(struct server *s)
{
    struct engine *e = &s->engine;
    struct api *a = &s->api;
    a->config = s->config;
    a->listeners = &s->config->listeners;
    a->log = s->log;
    a->clock = &e->clock;
    a->assets = web_assets();
    a->store = &e->store;
    a->treasury = e->treasury;
    a->fleet = e->fleet;
    a->codes = e->codes;
    a->board = e->board;
    a->holder = e->holder;
    a->wake = engine_wake;
    a->wake_context = e;
    a->owner = s;
    api_init(a);
}

static void start_threads(struct server *s)
{
    const struct streams_options streams = {
        .store = &s->engine.store, .server = s->api.server, .fleet = s->engine.fleet, .log = s->log
    };
    const struct upkeep_options upkeep = { .store = &s->engine.store,
                                           .log = s->log,
                                           .holder = s->engine.holder,
                                           .hooks_private = s->config->hooks_private,
                                           .demo = s->config->compat_demo,
                                           .fatal = fatal,
                                           .context = s };
    s->api.streams = streams_new(&streams);
    s->api.pool = pool_new((unsigned)s->config->api_threads,
                           (struct pool_loop){ http_server_post, s->api.server });
    s->upkeep = upkeep_new(&upkeep);
    REQUIRE(pthread_create(&s->signals.thread, NULL, wait_for_signal, s) == 0);
}

static void announce(const struct server *s)
{
    for (size_t i = 0; i < s->config->listeners.n; i++) {
        const struct listener *l = &s->config->listeners.items[i];
        char where[300];
        if (l->path != NULL)
            (void)snprintf(where, sizeof where, "unix:%s", l->path);
        else
            (void)snprintf(where, sizeof where, "%s://%s%s%s:%u",
                           l->tls_cert != NULL ? "https" : "http",
                           strchr(l->address, ':') != NULL ? "[" : "", l->address,
                           strchr(l->address, ':') != NULL ? "]" : "", l->port);
        LOG(s->log, LOG_INFO, "listening", LOG_TEXT("listener", l->name), LOG_TEXT("at", where));
    }
    if (s->config->compat_demo)
        LOG(s->log, LOG_WARNING, "demo",
            LOG_TEXT("why", "compat.demo: anybody may do everything; never with real coins"));
}

// --- Stop ---

// No new spends; what runs is given its time; then everything that could use something goes before it.
static void stop_threads(struct server *s)
{
    notify_send("STOPPING=1");
    atomic_store(&s->api.stops, true);
    (void)pthread_cancel(s->signals.thread);
    (void)pthread_join(s->signals.thread, NULL);
    if (s->engine.workers != NULL)
        workers_stop(s->engine.workers, STOP_WAIT_S);
    pool_free(s->api.pool);
    streams_free(s->api.streams);
    s->api.streams = NULL;
    upkeep_free(s->upkeep);
}

static bool serve(struct server *s, struct err *err)
{
    if (!engine_start(&s->engine, STDOUT_FILENO, true, err))
        return false;
    fill_api(s);
    if (!listen_all(s, err)) {
        api_wipe(&s->api);
        return false;
    }
    start_threads(s);
    announce(s);
    s->watchdog_ms = notify_watchdog_ms();
    notify_send("READY=1");
    http_server_run(s->api.server);
    stop_threads(s);
    api_wipe(&s->api);
    LOG_NOTE(s->log, LOG_INFO, "stopped");
    return !s->failed || err_set(err, ERR_STATE, "stopped; see the log");
}

bool command_serve(struct run *r, struct err *err)
{
    struct server *s = calloc(1, sizeof *s);
    struct coordinator_config config = *r->config;
    struct log log = *r->log;
    REQUIRE(s != NULL);
    s->command = r->command;
    s->config = &config;
    s->log = &log;
    block_signals(s);
    const bool ok = engine_open(&s->engine, s->config, s->log, r->arena, err) && serve(s, err);
    engine_close(&s->engine);
    http_server_free(s->api.server);
    free(s);
    return ok;
}
