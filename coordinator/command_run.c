// The commands of casemate-coordinator that serve nothing. Source: coordinator.md D14.
#include "base/file.h"
#include "coordinator/api_handlers.h"
#include "coordinator/audit.h"
#include "coordinator/command.h"
#include "coordinator/dryrun.h"
#include "coordinator/engine.h"
#include "coordinator/migrate.h"
#include "coordinator/setup.h"
#include <inttypes.h>

#define HOST        (&(const struct actor){ "host", "command" })
#define DAY_US      ((int64_t)86400000000)
#define TOKEN_DAYS  90
#define DRY_WAIT_MS 10000

static const char *word(const struct run *r, size_t i)
{
    return i < r->command->n_words ? r->command->words[i] : "";
}

static bool read_count(const char *text, const char *name, uint64_t max, uint64_t *out,
                       struct err *err)
{
    struct reader n = reader_of(bytes_of_text(text));
    return text == NULL || (reader_decimal64(&n, max, out) && reader_done(&n)) ||
           err_set(err, ERR_USAGE, "--%s: is no number within its bounds", name);
}

bool command_open_ledger(const struct run *r, struct db **db, struct err *err)
{
    struct db_options store;
    struct migrate_state state;
    if (!engine_store(&store, r->config, r->arena, err) || !db_open(db, &store, err))
        return false;
    if (!migrate_state(*db, &state, migrate_steps(), err))
        return false;
    return state.applied == state.known ||
           err_set(err, ERR_STATE, "the ledger has step %u of %u: run casemate-coordinator migrate",
                   state.applied, state.known);
}

// --- migrate, check, audit ---

static bool run_migrate(struct run *r, struct err *err)
{
    AUTO(db_close) struct db *db = NULL;
    struct db_options store;
    struct db_lock lock = { -1 };
    struct migrate_state state;
    const bool ok = engine_store(&store, r->config, r->arena, err) && db_lock(&lock, &store, err) &&
                    db_open(&db, &store, err) && migrate_apply(db, migrate_steps(), err) &&
                    (r->command->grant == NULL || migrate_grant(db, r->command->grant, err)) &&
                    migrate_state(db, &state, migrate_steps(), err);
    if (lock.fd >= 0)
        db_unlock(&lock);
    if (!ok)
        return false;
    writer_printf(r->out, r->command->json ? "{\"step\": %u}\n" : "the ledger has step %u\n",
                  state.applied);
    return true;
}

static void verify_text(struct run *r, const struct audit_head *head)
{
    struct json_writer j = json_writer_of(r->out);
    if (!r->command->json) {
        writer_printf(r->out, "%" PRIu64 " events, each with the hash of the one before; head ",
                      head->seq);
        writer_hex(r->out, BYTES_OF(head->hash.b));
        writer_text(r->out, "\n");
        return;
    }
    json_begin_object(&j);
    json_key(&j, "verified");
    json_bool(&j, true);
    json_key(&j, "events");
    json_u64(&j, head->seq);
    json_key(&j, "head");
    json_hex(&j, BYTES_OF(head->hash.b));
    json_end_object(&j);
    writer_text(r->out, "\n");
}

static bool run_audit(struct run *r, struct err *err)
{
    AUTO(db_close) struct db *db = NULL;
    struct audit_head head;
    if (!command_open_ledger(r, &db, err))
        return false;
    if (!audit_verify(db, 1, &head, err)) {
        r->status = EXIT_NOT_SOUND;
        return false;
    }
    verify_text(r, &head);
    return true;
}

struct finding {
    const char *what;
    bool ok;
    char text[300];
};

static void write_findings(struct run *r, const struct finding *all, size_t n)
{
    struct json_writer j = json_writer_of(r->out);
    if (r->command->json)
        json_begin_object(&j);
    for (size_t i = 0; i < n; i++) {
        if (!all[i].ok)
            r->status = EXIT_NOT_SOUND;
        if (r->command->json) {
            json_key(&j, all[i].what);
            json_begin_object(&j);
            json_key(&j, "ok");
            json_bool(&j, all[i].ok);
            json_key(&j, "text");
            json_text(&j, all[i].text);
            json_end_object(&j);
        } else {
            writer_printf(r->out, "%-14s %s%s\n", all[i].what,
                          all[i].ok ? "" : "NOT OK: ", all[i].text);
        }
    }
    if (r->command->json) {
        json_end_object(&j);
        writer_text(r->out, "\n");
    }
}

static void found(struct finding *f, const char *what, bool ok, const char *text)
{
    *f = (struct finding){ .what = what, .ok = ok };
    (void)snprintf(f->text, sizeof f->text, "%.299s", text);
}

static void check_node(struct run *r, const struct node_config *n, struct db *db, struct finding *f)
{
    AUTO(node_freep) struct node *node = NULL;
    struct node_state state;
    struct db_rows rows;
    struct err err;
    char network[16] = "main";
    if (db != NULL &&
        db_query(db, &rows, "SELECT DISTINCT network FROM wallet", DB_NONE, r->arena, &err) &&
        rows.n > 0)
        db_cell_copy(network, sizeof network, &rows, 0, 0);
    const struct node_options options = { .name = n->name,
                                          .host = n->host,
                                          .port = (uint16_t)n->port,
                                          .credential_file = n->credential_file,
                                          .network = network,
                                          .wallet_prefix = COORDINATOR_WALLET_PREFIX,
                                          .cancel_fd = -1 };
    char text[100];
    if (!node_new(&node, &options, &err) || !node_state(node, &state, &err)) {
        found(f, "node", false, err.text);
        return;
    }
    (void)snprintf(text, sizeof text, "%.60s is at height %u%s", n->name, state.height,
                   state.behind ? ", behind" : "");
    found(f, "node", !state.behind, text);
}

// "checked by `check` without side effects"
static bool run_check(struct run *r, struct err *err)
{
    AUTO(db_close) struct db *db = NULL;
    struct finding all[4 + CONFIG_NODES];
    struct audit_head head;
    struct db_rows rows;
    size_t n = 0;
    char text[100];
    found(&all[n++], "configuration", true, "can be read");
    if (r->config->sqlite != NULL && access(r->config->sqlite, F_OK) != 0) {
        // To open it would make it.
        found(&all[n++], "ledger", false, "there is none yet");
    } else {
        const bool open = command_open_ledger(r, &db, err);
        found(&all[n++], "ledger", open, open ? "opens, its schema is this program's" : err->text);
        if (!open)
            db_close(&db);
    }
    if (db != NULL) {
        const bool chain = audit_verify(db, 1, &head, err);
        (void)snprintf(text, sizeof text, "%" PRIu64 " events", chain ? head.seq : 0);
        found(&all[n++], "audit chain", chain, chain ? text : err->text);
        const bool wallets =
            db_query(db, &rows, "SELECT network FROM wallet", DB_NONE, r->arena, err);
        bool demo_on_main = false;
        for (size_t i = 0; wallets && i < rows.n; i++)
            demo_on_main = demo_on_main || (r->config->compat_demo &&
                                            bytes_equal_text(db_cell_bytes(&rows, i, 0), "main"));
        (void)snprintf(text, sizeof text, demo_on_main ? "compat.demo with one on mainnet" : "%zu",
                       wallets ? rows.n : 0);
        found(&all[n++], "wallets", wallets && !demo_on_main, text);
    }
    for (size_t i = 0; i < r->config->n_nodes; i++)
        check_node(r, &r->config->nodes[i], db, &all[n++]);
    write_findings(r, all, n);
    return true;
}

// --- setup ---

static bool ask(struct run *r, struct err *err)
{
    char answer[16] = "";
    if (r->command->yes)
        return true;
    if (!file_write_fd(STDOUT_FILENO, "standard output", writer_bytes(r->out), err))
        return false;
    r->out->len = 0;
    fputs("Make this wallet? Type yes: ", stderr);
    if (fgets(answer, sizeof answer, stdin) == NULL || strcmp(answer, "yes\n") != 0)
        return err_set(err, ERR_INTERRUPTED, "nothing was made");
    return true;
}

// On SQLite what is missing of the ledger is made first, as `serve` makes it: who has it open has done so.
static bool make_ledger(const struct run *r, struct err *err)
{
    AUTO(db_close) struct db *db = NULL;
    struct db_options store;
    struct db_lock lock;
    if (!engine_store(&store, r->config, r->arena, err))
        return false;
    if (!db_lock(&lock, &store, err))
        return err->code == ERR_BUSY;
    const bool ok = db_open(&db, &store, err) && migrate_at_start(db, &store, err);
    db_unlock(&lock);
    return ok;
}

static bool run_setup(struct run *r, struct err *err)
{
    AUTO(db_close) struct db *db = NULL;
    const struct json *file;
    struct bytes text;
    char id[ID_SIZE];
    if (!file_read(&text, word(r, 1), SETUP_FILE_MAX, r->arena, err))
        return false;
    if (!json_parse(&file, text, r->arena, err) || !setup_describe(r->out, file, r->arena, err)) {
        r->status = EXIT_WRONG_USE;
        return err_within(err, "%s", word(r, 1));
    }
    if (r->command->json)
        r->out->len = 0; // what is printed is for programs
    if (!ask(r, err) || !make_ledger(r, err) || !command_open_ledger(r, &db, err) ||
        !setup_apply(db, id, file, r->arena, err))
        return false;
    writer_printf(r->out, r->command->json ? "{\"wallet_id\": \"%s\"}\n" : "made wallet %s\n", id);
    return true;
}

// --- principals ---

static bool give_role(struct db *db, const char *principal_id, const char *text,
                      struct arena *arena, struct err *err)
{
    struct reader t = reader_of(bytes_of_text(text));
    struct bytes wallet;
    struct db_rows rows;
    char wallet_id[ID_SIZE];
    if (!reader_until(&t, ':', &wallet) || wallet.len == strlen(text))
        return err_set(err, ERR_USAGE, "--role: '%s' is not WALLET:ROLE", text);
    const unsigned role = role_of_name(reader_rest(&t));
    if (role == 0)
        return err_set(err, ERR_USAGE, "--role: '%s' names no role", text);
    if (!db_query(db, &rows, "SELECT id FROM wallet WHERE name = $1", DB_ARGS(db_text_of(wallet)),
                  arena, err))
        return false;
    if (rows.n != 1)
        return err_set(err, ERR_USAGE, "--role: there is no wallet '%.*s'", BYTES_ARG(wallet));
    db_cell_copy(wallet_id, sizeof wallet_id, &rows, 0, 0);
    return people_grant(db, HOST, principal_id, wallet_id, (enum role)role, (struct bytes){ 0 },
                        err);
}

struct adding {
    const struct run *run;
    const char *subject;
    char *id;
};

static bool add_person(struct db *db, void *context, struct err *err)
{
    const struct adding *a = context;
    const struct command *c = a->run->command;
    if (!people_add(db, a->id, HOST, c->words[2], a->subject, bytes_of_text(c->display), err))
        return false;
    for (size_t i = 0; i < c->n_roles; i++)
        if (!give_role(db, a->id, c->roles[i], a->run->arena, err))
            return false;
    return true;
}

static bool run_principal_add(struct run *r, struct err *err)
{
    AUTO(db_close) struct db *db = NULL;
    char subject[PEOPLE_SUBJECT_MAX], id[ID_SIZE];
    struct adding a = { r, subject, id };
    if (!people_subject(subject, word(r, 2), bytes_of_text(word(r, 3)), err)) {
        r->status = EXIT_WRONG_USE;
        return false;
    }
    if (!command_open_ledger(r, &db, err) || !db_transact(db, add_person, &a, err))
        return false;
    writer_printf(r->out, r->command->json ? "{\"id\": \"%s\", \"subject\": \"%s\"}\n" : "%s %s\n",
                  id, subject);
    return true;
}

static void list_members(struct run *r, const struct json *list, const char *const *members,
                         size_t n)
{
    for (const struct json *item = list->items; item != NULL; item = item->next) {
        for (size_t i = 0; i < n; i++) {
            const struct json *m = json_get(item, members[i]);
            writer_printf(r->out, "%s%.*s", i > 0 ? "  " : "",
                          BYTES_ARG(m != NULL && m->text.len > 0 ? m->text : BYTES("-")));
        }
        writer_text(r->out, "\n");
    }
}

// A list as JSON, or its members in columns.
static bool print_list(struct run *r, const struct writer *json, const char *const *members,
                       size_t n, struct err *err)
{
    const struct json *list;
    if (r->command->json) {
        writer_put(r->out, writer_bytes(json));
        writer_text(r->out, "\n");
        return true;
    }
    if (!json_parse(&list, writer_bytes(json), r->arena, err))
        return false;
    list_members(r, list, members, n);
    return true;
}

static bool run_principal_list(struct run *r, struct err *err)
{
    static const char *const members[] = { "id", "subject", "display", "disabled", "roles" };
    AUTO(db_close) struct db *db = NULL;
    struct writer w = writer_growing(r->arena, (size_t)8 << 20);
    struct json_writer j = json_writer_of(&w);
    return command_open_ledger(r, &db, err) && people_write(db, &j, NULL, r->arena, err) &&
           print_list(r, &w, members, COUNT(members), err);
}

static bool run_principal_disable(struct run *r, struct err *err)
{
    AUTO(db_close) struct db *db = NULL;
    return command_open_ledger(r, &db, err) && people_disable(db, HOST, word(r, 2), true, err);
}

// --- tokens ---

static bool read_scopes(const struct command *c, unsigned *out, struct err *err)
{
    *out = c->n_roles == 0 ? ROLES_ALL : 0;
    for (size_t i = 0; i < c->n_roles; i++) {
        const unsigned role = role_of_name(bytes_of_text(c->roles[i]));
        if (role == 0)
            return err_set(err, ERR_USAGE, "--role: '%s' names no role", c->roles[i]);
        *out |= role;
    }
    return true;
}

static bool run_token_add(struct run *r, struct err *err)
{
    AUTO(db_close) struct db *db = NULL;
    struct person person;
    char id[ID_SIZE], token[AUTH_TOKEN_SIZE];
    unsigned scopes;
    uint64_t days = TOKEN_DAYS;
    if (!read_count(r->command->days, "days", 3650, &days, err) ||
        !read_scopes(r->command, &scopes, err) || !command_open_ledger(r, &db, err) ||
        !people_find(db, &person, word(r, 2), r->arena, err) ||
        !auth_token_add(db, id, token, HOST, person.id, scopes, (int64_t)days * DAY_US, err))
        return false;
    writer_printf(r->out,
                  r->command->json ? "{\"id\": \"%s\", \"token\": \"%s\"}\n" : "id %s\n%s\n", id,
                  token);
    wipe(token, sizeof token);
    return true;
}

static bool run_token_list(struct run *r, struct err *err)
{
    static const char *const members[] = { "id",         "subject",      "scopes",
                                           "expires_at", "last_used_at", "revoked" };
    AUTO(db_close) struct db *db = NULL;
    struct writer w = writer_growing(r->arena, (size_t)8 << 20);
    struct json_writer j = json_writer_of(&w);
    return command_open_ledger(r, &db, err) && auth_token_write(db, &j, r->arena, err) &&
           print_list(r, &w, members, COUNT(members), err);
}

static bool run_token_revoke(struct run *r, struct err *err)
{
    AUTO(db_close) struct db *db = NULL;
    return command_open_ledger(r, &db, err) && auth_token_revoke(db, HOST, word(r, 2), err);
}

// --- dry-run ---

static bool wait_for_signers(struct engine *e, const struct treasury_wallet *t)
{
    for (int waited_ms = 0; waited_ms < DRY_WAIT_MS; waited_ms += 100) {
        struct fleet_signer all[SIGNERS_MAX];
        const size_t n = fleet_view(e->fleet, t->row.id, all);
        unsigned ready = 0;
        for (size_t i = 0; i < n; i++)
            ready += all[i].ready;
        if (ready >= t->row.k)
            return true;
        (void)usleep(100000);
    }
    return false;
}

static bool find_wallet(struct engine *e, struct db *db, struct treasury_wallet *out,
                        struct bytes name, struct arena *arena, struct err *err)
{
    struct treasury_wallet *all;
    size_t n;
    if (!treasury_all(e->treasury, db, &all, &n, arena, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (bytes_equal(name, all[i].row.name)) {
            *out = all[i];
            return true;
        }
    return code_fail(err, CODE_NOT_FOUND, "there is no wallet '%.*s'", BYTES_ARG(name));
}

static void write_dry(struct run *r, const struct dry_run *d)
{
    char txid[TXID_TEXT_SIZE];
    txid_to_text(txid, &d->build.txid);
    writer_printf(
        r->out,
        r->command->json ? "{\"txid\": \"%s\", \"fee_sat\": %" PRIu64 ", \"vsize\": %" PRIu64
                           ", \"spent_sat\": %" PRIu64 ", \"cap_auto_sat\": %" PRIu64 "}\n"
                         : "txid %s\nfee %" PRIu64 " sat, %" PRIu64
                           " vB\nspent in the window %" PRIu64 " of %" PRIu64 " sat\n",
        txid, d->build.fee.n, d->build.vsize, d->velocity.spent.n, d->velocity.cap_auto.n);
    for (size_t i = 0; !r->command->json && i < d->n_signers; i++)
        writer_printf(r->out, "signer %s\n", d->signers[i].name);
}

static bool dry(struct run *r, struct engine *e, struct db *db, struct err *err)
{
    AUTO(node_freep) struct node *node = NULL;
    struct submission *s = arena_alloc(r->arena, sizeof *s);
    struct treasury_wallet t;
    struct dry_run d;
    uint64_t amount = 0;
    if (s == NULL || !read_count(word(r, 3), "sat", SATS_MAX, &amount, err))
        return s != NULL ? false : err_set(err, ERR_NO_MEMORY, "dry-run");
    if (!find_wallet(e, db, &t, bytes_of_text(word(r, 1)), r->arena, err))
        return false;
    *s = (struct submission){ .wallet = &t, .request_id = BYTES("dry-run") };
    s->tier =
        r->command->tier != NULL && strcmp(r->command->tier, "surge") == 0 ? TIER_SURGE : TIER_AUTO;
    if (!submit_add_output(db, s, bytes_of_text(word(r, 2)), (struct sats){ amount }, r->arena,
                           err))
        return false;
    if (r->config->n_nodes == 0 || !node_new(&node, &e->nodes[0], err))
        return r->config->n_nodes > 0
                   ? false
                   : code_fail(err, CODE_NODE_UNAVAILABLE, "no node is configured");
    if (!wait_for_signers(e, &t))
        LOG_NOTE(r->log, LOG_WARNING, "signers_not_ready");
    const struct spend_request request = submit_request(s, NULL);
    const struct event event = { .actor = "host", .kind = "spend.dry_run", .object = t.row.id };
    if (!dry_run(&d, db, node, e->fleet, t.wallet, &t.row, &request, r->arena, err) ||
        !ledger_event(db, &event, err))
        return false;
    write_dry(r, &d);
    return true;
}

bool command_dry_run(struct run *r, struct err *err)
{
    struct engine e;
    struct db *db = NULL;
    bool ok = engine_open(&e, r->config, r->log, r->arena, err) && engine_start(&e, -1, false, err);
    ok = ok && db_open(&db, &e.store, err) && dry(r, &e, db, err);
    db_close(&db);
    engine_close(&e);
    return ok;
}

// --- recover ---

static bool count_left(struct db *db, int64_t *left, int64_t *parked, struct arena *arena,
                       struct err *err)
{
    struct db_rows rows;
    if (!db_query(db, &rows,
                  "SELECT CAST(coalesce(sum(CASE WHEN state IN ('received', 'reserved', 'built', "
                  "'signing', 'signed') THEN 1 ELSE 0 END), 0) AS bigint), "
                  "CAST(coalesce(sum(CASE WHEN state = 'parked' THEN 1 ELSE 0 END), 0) AS bigint) "
                  "FROM spend",
                  DB_NONE, arena, err))
        return false;
    *left = db_cell_int(&rows, 0, 0);
    *parked = db_cell_int(&rows, 0, 1);
    return true;
}

// D4: whatever is in the ledger goes on until nothing is left that could go on by itself.
static bool work_off(struct run *r, struct engine *e, struct err *err)
{
    AUTO(db_close) struct db *db = NULL;
    uint64_t wait_s = 300;
    int64_t left = 0, parked = 0;
    if (!read_count(r->command->wait, "wait", 86400, &wait_s, err) || !db_open(&db, &e->store, err))
        return false;
    const int64_t until_ms = e->clock.monotonic_ms(&e->clock) + (int64_t)wait_s * 1000;
    for (;;) {
        AUTO(arena_freep) struct arena *arena = arena_new((size_t)256 << 10);
        if (!count_left(db, &left, &parked, arena, err))
            return false;
        if (left == 0 || e->clock.monotonic_ms(&e->clock) >= until_ms)
            break;
        (void)usleep(200000);
    }
    writer_printf(r->out,
                  r->command->json ? "{\"left\": %lld, \"parked\": %lld}\n"
                                   : "%lld spends are left to finish, %lld are parked\n",
                  (long long)left, (long long)parked);
    if (left > 0)
        r->status = EXIT_NOT_SOUND;
    return true;
}

bool command_recover(struct run *r, struct err *err)
{
    struct engine e;
    const bool ok = engine_open(&e, r->config, r->log, r->arena, err) &&
                    engine_start(&e, -1, true, err) && work_off(r, &e, err);
    engine_stop(&e, 30);
    engine_close(&e);
    return ok;
}

const struct command_row command_rows[] = {
    { { "serve", NULL }, 0, 0, command_serve },
    { { "migrate", NULL }, 0, 0, run_migrate },
    { { "check", NULL }, 0, 0, run_check },
    { { "setup", NULL }, 1, 1, run_setup },
    { { "dry-run", NULL }, 3, 3, command_dry_run },
    { { "export", "wallet" }, 1, 1, command_export_wallet },
    { { "export", "policy" }, 1, 1, command_export_policy },
    { { "recover", NULL }, 0, 0, command_recover },
    { { "audit", "verify" }, 0, 0, run_audit },
    { { "principal", "add" }, 2, 2, run_principal_add },
    { { "principal", "list" }, 0, 0, run_principal_list },
    { { "principal", "disable" }, 1, 1, run_principal_disable },
    { { "token", "add" }, 1, 1, run_token_add },
    { { "token", "list" }, 0, 0, run_token_list },
    { { "token", "revoke" }, 1, 1, run_token_revoke },
};
const size_t n_command_rows = COUNT(command_rows);
