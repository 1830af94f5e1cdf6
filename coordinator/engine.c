#include "coordinator/engine.h"
#include "base/base64.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/secret.h"
#include "coordinator/api_handlers.h"
#include "coordinator/audit.h"
#include "coordinator/migrate.h"
#include "crypto/random.h"

// --- The ledger ---

bool engine_store(struct db_options *out, const struct coordinator_config *c, struct arena *arena,
                  struct err *err)
{
    struct writer w = writer_growing(arena, 4096);
    *out = (struct db_options){ .path = c->sqlite };
    if (c->postgres == NULL)
        return true;
    // The password stays in its file, of libpq's format; libpq alone reads it.
    const bool is_uri = strstr(c->postgres, "://") != NULL;
    writer_text(&w, c->postgres);
    if (c->password_file != NULL)
        writer_printf(&w, is_uri ? "%spassfile=%s" : "%s passfile='%s'",
                      !is_uri                            ? ""
                      : strchr(c->postgres, '?') != NULL ? "&"
                                                         : "?",
                      c->password_file);
    out->uri = arena_text(arena, writer_bytes(&w));
    return out->uri != NULL || err_set(err, ERR_USAGE, "[store] postgres: is too long");
}

// A process's own name among the replicas: another after each start, as its memory is another.
static void make_holder(struct engine *e)
{
    uint8_t random[6];
    char text[13], host[32] = "";
    random_bytes(random, sizeof random);
    hex_encode(text, BYTES_OF(random));
    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(e->holder, sizeof e->holder, "%.32s/%s",
                   e->config->replica != NULL ? e->config->replica : host, text);
}

static bool check_network(struct engine *e, const struct db_rows *rows, struct err *err)
{
    for (size_t i = 0; i < rows->n; i++) {
        const struct bytes network = db_cell_bytes(rows, i, 0);
        if (e->config->compat_demo && bytes_equal_text(network, "main"))
            return err_set(err, ERR_USAGE, "[compat] demo: there is a wallet on mainnet");
        if (i > 0 && !bytes_equal_text(network, e->network))
            return err_set(
                err, ERR_UNSUPPORTED,
                "the ledger's wallets are on %s and %.*s: one network for each coordinator",
                e->network, BYTES_ARG(network));
        (void)snprintf(e->network, sizeof e->network, "%.*s", BYTES_ARG(network));
    }
    return true;
}

static bool check_ledger(struct engine *e, struct db *db, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new((size_t)4 << 20);
    struct audit_head head;
    struct db_rows rows;
    return migrate_at_start(db, &e->store, err) &&
           (audit_verify(db, 1, &head, err) || err_within(err, "the audit chain is broken")) &&
           db_query(db, &rows, "SELECT DISTINCT network FROM wallet", DB_NONE, arena, err) &&
           check_network(e, &rows, err);
}

static bool read_demo_secret(struct engine *e, struct arena *arena, struct err *err)
{
    const char *file = e->config->compat_totp_secret_file;
    struct writer raw = writer_growing(arena, 256);
    struct bytes text;
    if (file == NULL)
        return true;
    if (!file_read(&text, file, 256, arena, err))
        return false;
    if (!base32_read(&raw, bytes_trim(text)))
        return err_set(err, ERR_USAGE, "%s: is no base32", file);
    e->demo_secret = secret_new(writer_bytes(&raw));
    return true;
}

// Whoever held the lock file of a SQLite store before us is dead, and so is what he held; waiting for his leases
// would be waiting for nobody. Fences go on as they are.
static bool end_old_leases(struct db *db, struct err *err)
{
    return db_is_postgres(db) ||
           (db_exec(db, NULL, "UPDATE spend SET lease_until = 0 WHERE owner IS NOT NULL", DB_NONE,
                    err) &&
            db_exec(db, NULL, "UPDATE signer_lease SET until = 0", DB_NONE, err));
}

bool engine_open(struct engine *e, const struct coordinator_config *config, const struct log *log,
                 struct arena *arena, struct err *err)
{
    struct db *db = NULL;
    *e = (struct engine){ .config = config, .log = log, .clock = clock_system(), .lock.fd = -1 };
    make_holder(e);
    if (!engine_store(&e->store, config, arena, err) || !db_lock(&e->lock, &e->store, err) ||
        !read_demo_secret(e, arena, err) || !db_open(&db, &e->store, err))
        return false;
    const bool ok = check_ledger(e, db, err) && end_old_leases(db, err);
    db_close(&db);
    e->treasury = treasury_new();
    e->board = board_new();
    e->codes = surge_codes_new(&e->clock);
    return ok;
}

// --- Threads ---

static void fill_nodes(struct engine *e)
{
    for (size_t i = 0; i < e->config->n_nodes; i++) {
        const struct node_config *n = &e->config->nodes[i];
        e->nodes[i] = (struct node_options){ .name = n->name,
                                             .host = n->host,
                                             .port = (uint16_t)n->port,
                                             .credential_file = n->credential_file,
                                             .network = e->network,
                                             .wallet_prefix = COORDINATOR_WALLET_PREFIX,
                                             .cancel_fd = -1 };
        e->servers[i] = (struct rpc_server){ n->url, n->credential_file, (unsigned)n->timeout_s };
    }
    for (size_t i = 0; i < e->config->n_signers; i++)
        e->ports[i] = (struct port_options){ .section = &e->config->signers[i],
                                             .network = e->network,
                                             .demo = e->config->compat_demo };
}

void engine_wake(void *engine)
{
    struct engine *e = engine;
    if (e->workers != NULL)
        workers_wake(e->workers);
}

static bool start_fleet(struct engine *e, int health_fd, struct err *err)
{
    const struct fleet_options options = {
        .ports = e->ports,
        .n_ports = e->config->n_signers,
        .db = &e->store,
        .holder = e->holder,
        .log = e->log,
        .health_fd = health_fd,
        .demo = e->config->compat_demo,
        .demo_secret = e->demo_secret != NULL ? secret_open(e->demo_secret) : (struct bytes){ 0 },
    };
    return fleet_new(&e->fleet, &options, err);
}

static bool start_reconcile(struct engine *e, struct err *err)
{
    const struct reconcile_options options = { .db = &e->store,
                                               .nodes = e->nodes,
                                               .n_nodes = e->config->n_nodes,
                                               .treasury = e->treasury,
                                               .board = e->board,
                                               .every_ms =
                                                   1000 * (unsigned)e->config->reconcile_every_s,
                                               .log = e->log,
                                               .changed = engine_wake,
                                               .context = e };
    return reconcile_new(&e->reconcile, &options, err);
}

static bool start_workers(struct engine *e, struct err *err)
{
    const struct workers_options options = { .db = &e->store,
                                             .nodes = e->nodes,
                                             .servers = e->servers,
                                             .n_nodes = e->config->n_nodes,
                                             .fleet = e->fleet,
                                             .treasury = e->treasury,
                                             .codes = e->codes,
                                             .holder = e->holder,
                                             .log = e->log,
                                             .n_threads = (unsigned)e->config->workers,
                                             .refill_every_s = (unsigned)e->config->refill_every_s,
                                             .refill_private = e->config->refill_private };
    return workers_new(&e->workers, &options, err);
}

bool engine_start(struct engine *e, int health_fd, bool works, struct err *err)
{
    if (e->network[0] == '\0')
        LOG_NOTE(e->log, LOG_WARNING, "no_wallet"); // the API answers; setup is next
    fill_nodes(e);
    if (!start_fleet(e, health_fd, err))
        return false;
    if (e->network[0] == '\0' || e->config->n_nodes == 0)
        return true;
    return start_reconcile(e, err) && (!works || start_workers(e, err));
}

void engine_stop(struct engine *e, unsigned wait_s)
{
    if (e->workers != NULL)
        workers_stop(e->workers, wait_s);
    workers_free(e->workers);
    reconcile_free(e->reconcile);
    if (e->fleet != NULL)
        fleet_free(e->fleet);
    e->workers = NULL;
    e->reconcile = NULL;
    e->fleet = NULL;
}

void engine_close(struct engine *e)
{
    engine_stop(e, 0);
    surge_codes_free(e->codes);
    board_free(e->board);
    treasury_free(e->treasury);
    if (e->demo_secret != NULL)
        secret_free(e->demo_secret);
    db_unlock(&e->lock);
}

int64_t engine_alive_ms(const struct engine *e)
{
    int64_t alive = e->clock.monotonic_ms(&e->clock);
    const int64_t workers = e->workers != NULL ? workers_alive_ms(e->workers) : alive;
    const int64_t reconcile = e->reconcile != NULL ? reconcile_alive_ms(e->reconcile) : alive;
    alive = workers < alive ? workers : alive;
    return reconcile < alive ? reconcile : alive;
}
