#include "coordinator/upkeep.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/require.h"
#include "base/secret.h"
#include "coordinator/audit.h"
#include "coordinator/auth.h"
#include "coordinator/changes.h"
#include "coordinator/hooks.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

#define ROUND_MS     1000
#define SLOW_ROUNDS  60 // of them, between what is done each minute
#define UPKEEP_ARENA ((size_t)8 << 20)
#define DELIVERIES   20                  // of one round
#define CLAIM_US     ((int64_t)30000000) // nobody else delivers it meanwhile
#define CREDENTIALS  "CREDENTIALS_DIRECTORY"

// --- Webhooks ---

struct due {
    uint64_t event;
    char hook_id[37];
    struct bytes url, secret_ref;
    uint64_t tries;
    int64_t next_us;
};

// "in order per spend": an event waits for the earlier ones of the same object at the same receiver.
static bool read_due(struct db *db, struct db_rows *out, int64_t now_us, struct arena *arena,
                     struct err *err)
{
    return db_query(
        db, out,
        "SELECT o.event_seq, o.hook_id, h.url, h.secret_ref, o.tries, o.next_at "
        "FROM outbox o JOIN hook h ON h.id = o.hook_id JOIN event e ON e.seq = "
        "o.event_seq WHERE o.done_at IS NULL AND o.next_at <= $1 AND h.disabled = 0 "
        "AND NOT EXISTS (SELECT 1 FROM outbox p JOIN event f ON f.seq = p.event_seq "
        "WHERE p.hook_id = o.hook_id AND p.done_at IS NULL AND p.event_seq < o.event_seq "
        "AND f.object = e.object) ORDER BY o.event_seq LIMIT 20",
        DB_ARGS(db_int(now_us)), arena, err);
}

// Ours for a while: of two replicas one sends it.
static bool claim(struct db *db, const struct due *d, int64_t now_us, bool *ours, struct err *err)
{
    uint64_t changed;
    if (!db_exec(db, &changed,
                 "UPDATE outbox SET next_at = $3, tries = tries + 1 WHERE event_seq = $1 AND "
                 "hook_id = $2 AND next_at = $4 AND done_at IS NULL",
                 DB_ARGS(db_u64(d->event), db_text(d->hook_id), db_int(now_us + CLAIM_US),
                         db_int(d->next_us)),
                 err))
        return false;
    *ours = changed == 1;
    return true;
}

static bool write_body(struct db *db, uint64_t seq, struct bytes *out, struct arena *arena,
                       struct err *err)
{
    struct audit_events events;
    struct writer w = writer_growing(arena, (size_t)1 << 20);
    struct json_writer j = json_writer_of(&w);
    if (!audit_read(db, &events, seq - 1, 1, NULL, NULL, arena, err))
        return false;
    if (events.n != 1 || events.items[0].seq != seq)
        return code_fail(err, CODE_INTERNAL, "event %" PRIu64 " is not there", seq);
    const struct audit_event *e = &events.items[0];
    json_begin_object(&j);
    json_key(&j, "id");
    json_u64(&j, e->seq);
    json_key(&j, "at");
    auth_time_write(&j, e->at_us);
    json_key(&j, "kind");
    json_string(&j, e->kind);
    json_key(&j, "object");
    json_string(&j, e->object);
    json_key(&j, "before");
    if (e->before.len > 0)
        json_raw(&j, e->before);
    else
        json_null(&j);
    json_key(&j, "after");
    if (e->after.len > 0)
        json_raw(&j, e->after);
    else
        json_null(&j);
    json_end_object(&j);
    return writer_finish(&w, out) || err_set(err, ERR_NO_MEMORY, "event: too large");
}

// A file, or the name of a systemd credential.
static bool read_secret(struct bytes ref, struct bytes *out, struct arena *arena, struct err *err)
{
    const char *name = arena_text(arena, ref), *folder = getenv(CREDENTIALS);
    char path[1024];
    if (name == NULL || name[0] == '\0')
        return err_set(err, ERR_USAGE, "secret_ref: is no text");
    if (name[0] == '/')
        (void)snprintf(path, sizeof path, "%s", name);
    else if (folder != NULL && strchr(name, '/') == NULL)
        (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    else
        return err_set(err, ERR_NOT_FOUND, "secret_ref: is neither a path nor a credential");
    if (!file_read(out, path, HOOK_SECRET_MAX, arena, err))
        return false;
    *out = bytes_trim(*out);
    return true;
}

static bool send_one(const struct hooks_round *r, const struct due *d, int64_t now_us,
                     struct arena *arena, struct err *err)
{
    struct hook_delivery delivery = { .url = arena_text(arena, d->url),
                                      .timestamp_s = now_us / 1000000,
                                      .event = d->event,
                                      .allow_private = r->allow_private };
    return delivery.url != NULL && read_secret(d->secret_ref, &delivery.secret, arena, err) &&
           write_body(r->db, d->event, &delivery.body, arena, err) && hook_send(&delivery, err);
}

static bool settle(const struct hooks_round *r, const struct due *d, bool sent, struct err *err)
{
    int64_t now_us;
    if (!db_now_us(r->db, &now_us, err))
        return false;
    if (sent)
        return db_exec(r->db, NULL,
                       "UPDATE outbox SET done_at = $3 WHERE event_seq = $1 AND hook_id = $2",
                       DB_ARGS(db_u64(d->event), db_text(d->hook_id), db_int(now_us)), err);
    return db_exec(r->db, NULL,
                   "UPDATE outbox SET next_at = $3 WHERE event_seq = $1 AND hook_id = $2",
                   DB_ARGS(db_u64(d->event), db_text(d->hook_id),
                           db_int(now_us + hook_pause_s(d->tries + 1) * 1000000)),
                   err);
}

static bool deliver(const struct hooks_round *r, const struct due *d, int64_t now_us,
                    struct arena *arena, struct err *err)
{
    bool ours;
    struct err why;
    if (!claim(r->db, d, now_us, &ours, err))
        return false;
    if (!ours)
        return true;
    const bool sent = send_one(r, d, now_us, arena, &why);
    if (!sent)
        LOG(r->log, LOG_WARNING, "webhook_failed", LOG_TEXT("component", "upkeep"),
            LOG_TEXT("hook", d->hook_id), LOG_U64("event_seq", d->event),
            LOG_U64("tries", d->tries + 1), LOG_TEXT("error", why.text));
    return settle(r, d, sent, err);
}

bool hooks_deliver(const struct hooks_round *r, size_t *n, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(UPKEEP_ARENA);
    struct db_rows rows;
    int64_t now_us;
    *n = 0;
    if (!db_now_us(r->db, &now_us, err) || !read_due(r->db, &rows, now_us, arena, err))
        return false;
    for (size_t i = 0; i < rows.n; i++) {
        struct due d = { .event = db_cell_u64(&rows, i, 0),
                         .url = db_cell_bytes(&rows, i, 2),
                         .secret_ref = db_cell_bytes(&rows, i, 3),
                         .tries = db_cell_u64(&rows, i, 4),
                         .next_us = db_cell_int(&rows, i, 5) };
        AUTO(arena_freep) struct arena *own = arena_new(UPKEEP_ARENA);
        db_cell_copy(d.hook_id, sizeof d.hook_id, &rows, i, 1);
        if (!deliver(r, &d, now_us, own, err))
            return false;
        ++*n;
    }
    return true;
}

// --- The thread ---

struct upkeep {
    struct upkeep_options options;
    struct clock clock;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool ends;
    atomic_int_fast64_t alive_ms;
};

static void log_head(const struct upkeep *u, struct db *db)
{
    struct audit_head head;
    struct err err;
    char hash[65];
    if (!audit_head(db, &head, &err))
        return;
    hex_encode(hash, BYTES_OF(head.hash.b));
    // D11: "the head is logged every minute"
    LOG(u->options.log, LOG_INFO, "audit_head", LOG_TEXT("component", "upkeep"),
        LOG_U64("seq", head.seq), LOG_TEXT("hash", hash));
}

// D15: compat.demo "refuses to start on mainnet", and goes on with none that is added later.
static void check_demo(const struct upkeep *u, struct db *db)
{
    AUTO(arena_freep) struct arena *arena = arena_new(UPKEEP_ARENA);
    struct db_rows rows;
    struct err err;
    if (u->options.demo &&
        db_query(db, &rows, "SELECT 1 FROM wallet WHERE network = 'main'", DB_NONE, arena, &err) &&
        rows.n > 0 && u->options.fatal != NULL)
        u->options.fatal(u->options.context, "compat.demo: there is a wallet on mainnet");
}

static void slow_round(const struct upkeep *u, struct db *db)
{
    struct err err;
    log_head(u, db);
    if (!change_upkeep(db, &err) || !auth_forget_old(db, &err))
        LOG(u->options.log, LOG_WARNING, "upkeep_failed", LOG_TEXT("component", "upkeep"),
            LOG_TEXT("error", err.text));
}

static void one_round(struct upkeep *u, struct db *db, uint64_t round)
{
    const struct hooks_round hooks = { db, u->options.log, u->options.hooks_private };
    size_t n;
    struct err err;
    check_demo(u, db);
    if (round % SLOW_ROUNDS == 0)
        slow_round(u, db);
    if (hooks_deliver(&hooks, &n, &err))
        atomic_store(&u->alive_ms, u->clock.monotonic_ms(&u->clock));
    else
        LOG(u->options.log, LOG_ERROR, "ledger_unavailable", LOG_TEXT("component", "upkeep"),
            LOG_TEXT("error", err.text));
}

static bool wait_round(struct upkeep *u)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ROUND_MS / 1000;
    REQUIRE(pthread_mutex_lock(&u->lock) == 0);
    if (!u->ends)
        (void)pthread_cond_timedwait(&u->wake, &u->lock, &until);
    const bool goes_on = !u->ends;
    REQUIRE(pthread_mutex_unlock(&u->lock) == 0);
    return goes_on;
}

static void *run(void *context)
{
    struct upkeep *u = context;
    struct db *db = NULL;
    struct err err;
    uint64_t round = 0;
    do {
        if (db != NULL || db_open(&db, u->options.store, &err))
            one_round(u, db, round++);
        else
            db = NULL;
    } while (wait_round(u));
    if (db != NULL)
        db_close(&db);
    return NULL;
}

struct upkeep *upkeep_new(const struct upkeep_options *options)
{
    struct upkeep *u = calloc(1, sizeof *u);
    REQUIRE(u != NULL && pthread_mutex_init(&u->lock, NULL) == 0 &&
            pthread_cond_init(&u->wake, NULL) == 0);
    u->options = *options;
    u->clock = clock_system();
    atomic_store(&u->alive_ms, u->clock.monotonic_ms(&u->clock));
    REQUIRE(pthread_create(&u->thread, NULL, run, u) == 0);
    return u;
}

void upkeep_free(struct upkeep *u)
{
    if (u == NULL)
        return;
    REQUIRE(pthread_mutex_lock(&u->lock) == 0);
    u->ends = true;
    REQUIRE(pthread_cond_signal(&u->wake) == 0);
    REQUIRE(pthread_mutex_unlock(&u->lock) == 0);
    REQUIRE(pthread_join(u->thread, NULL) == 0);
    (void)pthread_cond_destroy(&u->wake);
    (void)pthread_mutex_destroy(&u->lock);
    free(u);
}

int64_t upkeep_alive_ms(struct upkeep *u)
{
    return atomic_load(&u->alive_ms);
}
