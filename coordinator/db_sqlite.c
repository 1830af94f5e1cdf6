#include "base/require.h"
#include "coordinator/db_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

// --- The lock file, and where a store may lie ---

static const struct {
    uint64_t type;
    const char *name;
} NETWORK[] = {
    { NFS_SUPER_MAGIC, "NFS" },   { SMB_SUPER_MAGIC, "SMB" },
    { CIFS_SUPER_MAGIC, "CIFS" }, { SMB2_SUPER_MAGIC, "SMB2" },
    { V9FS_MAGIC, "9P" },         { CEPH_SUPER_MAGIC, "Ceph" },
    { AFS_SUPER_MAGIC, "AFS" },   { AFS_FS_MAGIC, "AFS" },
    { CODA_SUPER_MAGIC, "Coda" }, { OCFS2_SUPER_MAGIC, "OCFS2" },
    { NCP_SUPER_MAGIC, "NCP" },   { 0x01161970, "GFS2" },
    { 0x0bd00bd0, "Lustre" },     { 0x47504653, "GPFS" },
    { FUSE_SUPER_MAGIC, "FUSE" }, // sshfs and its like; which one it is cannot be told
};

bool db_is_network_fs(uint64_t type, const char **name)
{
    for (size_t i = 0; i < COUNT(NETWORK); i++) {
        if (NETWORK[i].type == type) {
            *name = NETWORK[i].name;
            return true;
        }
    }
    return false;
}

static bool lock_file(int fd, const char *path, struct err *err)
{
    struct statfs fs;
    const char *name;
    if (fstatfs(fd, &fs) != 0)
        return err_set_errno(err, errno, "%s", path);
    // D2: "refuses to start without it or on a network file system".
    if (db_is_network_fs((uint64_t)fs.f_type & 0xffffffff, &name))
        return err_set(err, ERR_UNSUPPORTED,
                       "%s: is on a network file system (%s); use PostgreSQL, or a local disk",
                       path, name);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno == EWOULDBLOCK)
        return err_set(err, ERR_BUSY, "%s: another coordinator has it open", path);
    return err_set_errno(err, errno, "%s", path);
}

bool db_lock(struct db_lock *out, const struct db_options *options, struct err *err)
{
    char name[4096];
    *out = (struct db_lock){ -1 };
    if (!options->path)
        return true;
    const int len = snprintf(name, sizeof name, "%s.lock", options->path);
    if (len < 0 || (size_t)len >= sizeof name)
        return err_set(err, ERR_LIMIT, "%.100s...: the path is too long", options->path);
    const int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_set_errno(err, errno, "%s", name);
    if (!lock_file(fd, options->path, err)) {
        (void)close(fd);
        return false;
    }
    out->fd = fd;
    return true;
}

void db_unlock(struct db_lock *lock)
{
    // The file stays: removing it would let two processes hold locks on two files of one name.
    if (lock->fd >= 0)
        (void)close(lock->fd);
    lock->fd = -1;
}

// --- Errors ---

// "UNIQUE constraint failed: spend.wallet_id, spend.request_id" as PostgreSQL would name it.
static void name_unique(struct db *db, const char *columns, bool primary)
{
    struct bytes rest = bytes_of_text(columns);
    const char *dot = strchr(columns, '.');
    const size_t table = dot ? (size_t)(dot - columns) : rest.len;
    size_t at = (size_t)snprintf(db->violated, sizeof db->violated, "%.*s", (int)table, columns);
    for (const char *c = columns; !primary && c && at < sizeof db->violated; c = strchr(c, ',')) {
        c += c == columns ? table + 1 : table + 3; // ", table."
        const size_t len = strcspn(c, ",");
        at += (size_t)snprintf(db->violated + at, sizeof db->violated - at, "_%.*s", (int)len, c);
    }
    if (at < sizeof db->violated)
        (void)snprintf(db->violated + at, sizeof db->violated - at, "%s",
                       primary ? "_pkey" : "_key");
}

static void name_violated(struct db *db, int extended, const char *message)
{
    const char *what = strchr(message, ':');
    db->violated[0] = 0;
    if (!what || what[1] != ' ')
        return;
    if (extended == SQLITE_CONSTRAINT_CHECK)
        (void)snprintf(db->violated, sizeof db->violated, "%s", what + 2);
    else if (extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY ||
             extended == SQLITE_CONSTRAINT_ROWID)
        name_unique(db, what + 2, extended != SQLITE_CONSTRAINT_UNIQUE);
}

static bool failed(struct db *db, bool committing, struct err *err)
{
    const int extended = sqlite3_extended_errcode(db->handle);
    const char *message = sqlite3_errmsg(db->handle);
    enum db_fault fault = DB_FAULT_OTHER;
    switch (extended & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        fault = DB_FAULT_RETRY;
        break;
    case SQLITE_CONSTRAINT:
        fault = DB_FAULT_CONSTRAINT;
        name_violated(db, extended, message);
        break;
    case SQLITE_IOERR:
    case SQLITE_FULL:
        // What was written of it may be found in the log after a restart.
        fault = committing ? DB_FAULT_UNKNOWN : DB_FAULT_OTHER;
        break;
    default:
        break;
    }
    return db_failed(db, fault, err, "%s: %s", db->where, message);
}

// --- Connection ---

struct sqlite3 *db_sqlite_handle(struct db *db)
{
    return db->handle;
}

// As sqlite3_busy_timeout, with shorter pauses: transactions here take less than a millisecond.
static int wait_for_lock(void *context, int tries)
{
    const struct db *db = context;
    const long pause_us = tries < 20 ? 200 : 2000;
    const int64_t waited_us = tries < 20 ? tries * 200 : 4000 + (tries - 20) * INT64_C(2000);
    if (waited_us > db->wait_ms * INT64_C(1000))
        return 0;
    const struct timespec pause = { 0, pause_us * 1000 };
    (void)nanosleep(&pause, NULL);
    return 1;
}

static bool sqlite_script(struct db *db, const char *sql, struct err *err)
{
    if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    return failed(db, strcmp(sql, "COMMIT") == 0, err);
}

static void sqlite_disconnect(struct db *db)
{
    (void)sqlite3_close_v2(db->handle);
}

static bool is_wal(struct db *db, struct err *err)
{
    sqlite3_stmt *s = NULL;
    bool ok =
        sqlite3_prepare_v2(db->handle, "PRAGMA journal_mode = WAL", -1, &s, NULL) == SQLITE_OK;
    ok = ok && sqlite3_step(s) == SQLITE_ROW;
    const char *mode = ok ? (const char *)sqlite3_column_text(s, 0) : "";
    const bool wal = strcmp(mode, "wal") == 0 || strcmp(mode, "memory") == 0;
    (void)sqlite3_finalize(s);
    if (!ok)
        return failed(db, false, err);
    if (!wal)
        return db_failed(db, DB_FAULT_OTHER, err,
                         "%s: its file system cannot hold a write-ahead log", db->where);
    return true;
}

static bool sqlite_connect(struct db *db, struct err *err)
{
    sqlite3 *handle = NULL;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                      SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
    const int code = sqlite3_open_v2(db->where, &handle, flags, NULL);
    if (code != SQLITE_OK) {
        (void)db_failed(db, DB_FAULT_OTHER, err, "%s: %s", db->where, sqlite3_errstr(code));
        (void)sqlite3_close_v2(handle);
        return false;
    }
    db->handle = handle;
    (void)sqlite3_busy_handler(handle, wait_for_lock, db);
    if (is_wal(db, err) && sqlite_script(db,
                                         "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; "
                                         "PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY",
                                         err))
        return true;
    sqlite_disconnect(db);
    db->handle = NULL;
    return false;
}

static void sqlite_forget(struct db *db)
{
    for (size_t i = 0; i < DB_STATEMENTS_MAX; i++)
        (void)sqlite3_finalize(db->statements[i].handle);
}

// --- Statements ---

static const char *const locking[] = { " FOR UPDATE SKIP LOCKED", " FOR UPDATE", " FOR KEY SHARE" };

static size_t locking_len(const char *at)
{
    for (size_t i = 0; i < COUNT(locking); i++)
        if (strncmp(at, locking[i], strlen(locking[i])) == 0)
            return strlen(locking[i]);
    return 0;
}

// $1 becomes ?1, locking clauses go.
static char *translate(const char *sql)
{
    char *text = strdup(sql);
    REQUIRE(text != NULL);
    char *to = text;
    while (*sql) {
        const size_t skip = locking_len(sql);
        if (skip > 0)
            sql += skip;
        else
            *to++ = *sql == '$' ? '?' : *sql, sql++;
    }
    *to = 0;
    return text;
}

static bool sqlite_prepare(struct db *db, struct db_statement *s, size_t number, struct err *err)
{
    (void)number;
    char *text = translate(s->sql);
    sqlite3_stmt *handle = NULL;
    const int code =
        sqlite3_prepare_v3(db->handle, text, -1, SQLITE_PREPARE_PERSISTENT, &handle, NULL);
    free(text);
    if (code != SQLITE_OK)
        return failed(db, false, err);
    REQUIRE(sqlite3_bind_parameter_count(handle) == s->n_args);
    s->handle = handle;
    return true;
}

static int bind(sqlite3_stmt *s, int at, const struct db_value *v)
{
    const void *ptr = v->b.ptr ? (const void *)v->b.ptr : "";
    if (v->is_null)
        return sqlite3_bind_null(s, at);
    if (v->type == DB_INT)
        return sqlite3_bind_int64(s, at, v->n);
    if (v->type == DB_TEXT)
        return sqlite3_bind_text64(s, at, ptr, v->b.len, SQLITE_STATIC, SQLITE_UTF8);
    return sqlite3_bind_blob64(s, at, ptr, v->b.len, SQLITE_STATIC);
}

static struct db_value column(sqlite3_stmt *s, int at)
{
    const void *ptr;
    switch (sqlite3_column_type(s, at)) {
    case SQLITE_INTEGER:
        return db_int(sqlite3_column_int64(s, at));
    case SQLITE_TEXT:
        ptr = sqlite3_column_text(s, at);
        return db_text_of(bytes_of(ptr, (size_t)sqlite3_column_bytes(s, at)));
    case SQLITE_BLOB:
        ptr = sqlite3_column_blob(s, at);
        return db_blob(bytes_of(ptr, ptr ? (size_t)sqlite3_column_bytes(s, at) : 0));
    default:
        return db_null(DB_INT);
    }
}

static bool add_row(struct db *db, struct db_table *t, sqlite3_stmt *s, struct err *err)
{
    for (int i = 0; i < sqlite3_column_count(s); i++) {
        const struct db_value v = column(s, i);
        if (sqlite3_column_type(s, i) == SQLITE_FLOAT)
            return db_failed(db, DB_FAULT_OTHER, err, "%s: a column holds a float", db->where);
        if (!db_table_add(t, v))
            return err_set(err, ERR_NO_MEMORY, "the ledger's answer is too long");
    }
    return true;
}

static bool step_all(struct db *db, sqlite3_stmt *s, struct db_table *t, struct err *err)
{
    int code;
    while ((code = sqlite3_step(s)) == SQLITE_ROW)
        if (t && !add_row(db, t, s, err))
            return false;
    return code == SQLITE_DONE || failed(db, false, err);
}

static bool sqlite_run(struct db *db, struct db_statement *statement, size_t number,
                       const struct db_value *args, struct db_rows *rows, uint64_t *changed,
                       struct arena *arena, struct err *err)
{
    (void)number;
    sqlite3_stmt *s = statement->handle;
    struct db_table table = { .arena = arena };
    bool ok = true;
    for (int i = 0; ok && i < statement->n_args; i++)
        ok = bind(s, i + 1, &args[i]) == SQLITE_OK || failed(db, false, err);
    ok = ok && step_all(db, s, rows ? &table : NULL, err);
    (void)sqlite3_reset(s); // repeats an error that was reported
    (void)sqlite3_clear_bindings(s);
    if (!ok)
        return false;
    *changed = (uint64_t)sqlite3_changes64(db->handle);
    if (rows) {
        const size_t columns = (size_t)sqlite3_column_count(s);
        *rows = (struct db_rows){ columns ? table.n / columns : 0, columns, table.cells };
    }
    return true;
}

// SQLite's own clock has milliseconds; it is this machine's.
static bool sqlite_now(struct db *db, int64_t *out, struct err *err)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return db_failed(db, DB_FAULT_OTHER, err, "%s: no clock", db->where);
    *out = now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
    return true;
}

const struct db_store db_sqlite = {
    .connect = sqlite_connect,
    .disconnect = sqlite_disconnect,
    .prepare = sqlite_prepare,
    .forget = sqlite_forget,
    .run = sqlite_run,
    .script = sqlite_script,
    .now = sqlite_now,
    .begin = "BEGIN IMMEDIATE",
    .begin_reading = "BEGIN",
};
