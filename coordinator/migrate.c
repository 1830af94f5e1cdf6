#include "coordinator/migrate.h"
#include "base/file.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { ROWS_LIMIT = 1 << 20 };

// --- What is there ---

static bool has_versions(struct db *db, bool *out, struct arena *arena, struct err *err)
{
    struct db_rows rows;
    const char *sql =
        db_is_postgres(db)
            ? "SELECT 1 FROM information_schema.tables "
              "WHERE table_schema = 'casemate' AND table_name = 'schema_version'"
            : "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_version'";
    if (!db_query(db, &rows, sql, DB_NONE, arena, err))
        return false;
    *out = rows.n > 0;
    return true;
}

static bool same_step(const struct migrate_step *step, const struct db_rows *rows, size_t row,
                      struct err *err)
{
    if (db_cell_int(rows, row, 0) == step->number &&
        bytes_equal(db_cell_bytes(rows, row, 1), BYTES_OF(step->hash.b)))
        return true;
    return err_set(err, ERR_INVALID, "step %u of the ledger is another than this program's",
                   step->number);
}

static bool read_state(struct db *db, struct migrate_state *out, const struct migrate_steps *steps,
                       struct arena *arena, struct err *err)
{
    struct db_rows rows;
    bool has;
    *out = (struct migrate_state){ 0, (unsigned)steps->n };
    if (!has_versions(db, &has, arena, err))
        return false;
    if (!has)
        return true;
    if (!db_query(db, &rows, "SELECT step, hash FROM schema_version ORDER BY step", DB_NONE, arena,
                  err))
        return false;
    for (size_t i = 0; i < rows.n && i < steps->n; i++)
        if (!same_step(&steps->items[i], &rows, i, err))
            return false;
    if (rows.n > steps->n)
        return err_set(err, ERR_UNSUPPORTED,
                       "the ledger has step %zu, this program knows %zu: it is newer", rows.n,
                       steps->n);
    out->applied = (unsigned)rows.n;
    return true;
}

bool migrate_state(struct db *db, struct migrate_state *out, const struct migrate_steps *steps,
                   struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(ROWS_LIMIT);
    return read_state(db, out, steps, arena, err);
}

// --- Applying ---

static bool make_versions(struct db *db, struct err *err)
{
    static const struct bytes sqlite =
        BYTES_INIT("CREATE TABLE schema_version (step INTEGER PRIMARY KEY, name TEXT NOT NULL, "
                   "hash BLOB NOT NULL, applied_at INTEGER NOT NULL) STRICT;");
    static const struct bytes postgres =
        BYTES_INIT("CREATE SCHEMA IF NOT EXISTS casemate; "
                   "CREATE TABLE schema_version (step bigint PRIMARY KEY, name text NOT NULL, "
                   "hash bytea NOT NULL, applied_at bigint NOT NULL);");
    return db_script(db, db_is_postgres(db) ? postgres : sqlite, err);
}

static bool apply_step(struct db *db, const struct migrate_step *step, struct err *err)
{
    int64_t now_us;
    if (!db_script(db, step->sql[db_is_postgres(db)], err) || !db_now_us(db, &now_us, err))
        return err_within(err, "step %u (%s)", step->number, step->name);
    return db_exec(
        db, NULL, "INSERT INTO schema_version(step, name, hash, applied_at) VALUES($1, $2, $3, $4)",
        DB_ARGS(db_int(step->number), db_text(step->name), db_blob(BYTES_OF(step->hash.b)),
                db_int(now_us)),
        err);
}

struct apply {
    const struct migrate_steps *steps;
    bool done;
};

// One step, or none when all are there.
static bool apply_next(struct db *db, void *context, struct err *err)
{
    struct apply *a = context;
    struct migrate_state state;
    // Whoever comes second waits here, and then sees what the first has done.
    if (db_is_postgres(db) &&
        !db_script(db, BYTES("SELECT pg_advisory_xact_lock(4848482301)"), err))
        return false;
    if (!migrate_state(db, &state, a->steps, err))
        return false;
    a->done = state.applied == state.known;
    if (a->done)
        return true;
    if (state.applied == 0 && !make_versions(db, err))
        return false;
    return apply_step(db, &a->steps->items[state.applied], err);
}

bool migrate_apply(struct db *db, const struct migrate_steps *steps, struct err *err)
{
    struct apply a = { steps, false };
    while (!a.done)
        if (!db_transact(db, apply_next, &a, err))
            return false;
    return true;
}

// --- Rights ---

// Tables of which `serve` may delete rows; the others hold money or evidence, for ever.
static const char *const deletable[] = { "input_lock",   "login_challenge", "session",
                                         "signer_lease", "outbox",          "role_grant" };

static bool is_plain(const char *name)
{
    const struct bytes all = bytes_of_text(name);
    for (size_t i = 0; i < all.len; i++)
        if (!isalnum(all.ptr[i]) && all.ptr[i] != '_' && all.ptr[i] != '-')
            return false;
    return all.len > 0 && all.len < 64;
}

static bool grant(struct db *db, const char *what, const char *role, struct err *err)
{
    char sql[256];
    const int len = snprintf(sql, sizeof sql, "GRANT %s TO \"%s\"", what, role);
    if (len < 0 || (size_t)len >= sizeof sql)
        return err_set(err, ERR_LIMIT, "the role's name is too long");
    return db_script(db, bytes_of_text(sql), err);
}

static bool grant_all(struct db *db, void *context, struct err *err)
{
    const char *role = context;
    char what[128];
    if (!grant(db, "USAGE ON SCHEMA casemate", role, err) ||
        !grant(db, "SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA casemate", role, err))
        return false;
    for (size_t i = 0; i < COUNT(deletable); i++) {
        (void)snprintf(what, sizeof what, "DELETE ON casemate.%s", deletable[i]);
        if (!grant(db, what, role, err))
            return false;
    }
    (void)snprintf(what, sizeof what, "REVOKE UPDATE ON casemate.event FROM \"%s\"", role);
    if (!db_script(db, bytes_of_text(what), err))
        return false;
    (void)snprintf(what, sizeof what,
                   "REVOKE INSERT, UPDATE ON casemate.schema_version FROM \"%s\"", role);
    return db_script(db, bytes_of_text(what), err);
}

bool migrate_grant(struct db *db, const char *role, struct err *err)
{
    char name[64];
    if (!db_is_postgres(db))
        return err_set(err, ERR_UNSUPPORTED, "only PostgreSQL has roles");
    if (!is_plain(role))
        return err_set(err, ERR_USAGE, "a role's name has letters, digits, _ and - only");
    (void)snprintf(name, sizeof name, "%s", role);
    return db_transact(db, grant_all, name, err);
}

// --- At start ---

// VACUUM INTO gives a whole copy whatever the write-ahead log holds, and refuses to overwrite.
static bool copy_file(struct db *db, const char *path, unsigned applied, struct err *err)
{
    char copy[4096];
    const int len = snprintf(copy, sizeof copy, "%s.step-%u", path, applied);
    if (len < 0 || (size_t)len >= sizeof copy)
        return err_set(err, ERR_LIMIT, "%.100s...: the path is too long", path);
    (void)remove(copy); // of a start that ended before the step was done
    if (!db_exec(db, NULL, "VACUUM INTO $1", DB_ARGS(db_text(copy)), err))
        return err_within(err, "copying %s before its schema changes", path);
    return true;
}

bool migrate_at_start(struct db *db, const struct db_options *options, struct err *err)
{
    const struct migrate_steps *steps = migrate_steps();
    struct migrate_state state;
    if (!migrate_state(db, &state, steps, err))
        return false;
    if (state.applied == state.known)
        return true;
    if (db_is_postgres(db))
        return err_set(err, ERR_STATE,
                       "the ledger has step %u of %u: run casemate-coordinator migrate",
                       state.applied, state.known);
    if (state.applied > 0 && !copy_file(db, options->path, state.applied, err))
        return false;
    return migrate_apply(db, steps, err);
}
