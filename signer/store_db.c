#include "signer/store_db.h"
#include "base/require.h"
#include "base/writer.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { APPLICATION_ID = 0x43534d54 /* "CSMT" */, SCHEMA_VERSION = 1 };
#define FILE_NAME "signer.db"
#define NEW_NAME  "signer.db.new"

// As SQLite keeps them; compared at every open, so that no trigger, view or other table is there.
#define AMOUNTS                                                                                    \
    "CREATE TABLE amounts(seq INTEGER PRIMARY KEY, outpoint BLOB NOT NULL UNIQUE, "                \
    "sats INTEGER NOT NULL) STRICT"
static const char *const schema[] = {
    AMOUNTS,
    "CREATE TABLE lines(seq INTEGER PRIMARY KEY, blob BLOB NOT NULL) STRICT",
    "CREATE TABLE sealed(name TEXT PRIMARY KEY, blob BLOB NOT NULL) STRICT",
    "CREATE TABLE vault(id INTEGER PRIMARY KEY, blob BLOB NOT NULL) STRICT",
};

static const char *const statements[SQL_COUNT] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_SAVE] = "SAVEPOINT change",
    [SQL_SAVE_KEEP] = "RELEASE change",
    [SQL_SAVE_UNDO] = "ROLLBACK TO change",
    [SQL_ROW_GET] = "SELECT blob FROM sealed WHERE name = ?1",
    [SQL_ROW_PUT] = "INSERT OR REPLACE INTO sealed(name, blob) VALUES(?1, ?2)",
    [SQL_ROW_DELETE] = "DELETE FROM sealed WHERE name = ?1",
    [SQL_ROW_COUNT] = "SELECT count(*) FROM sealed",
    [SQL_VAULT_GET] = "SELECT blob FROM vault WHERE id = 1",
    [SQL_VAULT_PUT] = "INSERT OR REPLACE INTO vault(id, blob) VALUES(1, ?1)",
    [SQL_LINE_GET] = "SELECT blob FROM lines WHERE seq = ?1",
    [SQL_LINE_PUT] = "INSERT INTO lines(seq, blob) VALUES(?1, ?2)",
    [SQL_LINES_DROP] = "DELETE FROM lines WHERE seq <= ?1",
    [SQL_LINES_RANGE] = "SELECT count(*), ifnull(min(seq), 0), ifnull(max(seq), 0) FROM lines",
    [SQL_AMOUNT_GET] = "SELECT seq, sats FROM amounts WHERE outpoint = ?1",
    [SQL_AMOUNT_PUT] = "INSERT INTO amounts(seq, outpoint, sats) VALUES(?1, ?2, ?3)",
    [SQL_AMOUNT_DROP] = "DELETE FROM amounts WHERE seq = ?1",
    [SQL_AMOUNT_OLDEST] = "SELECT seq, outpoint, sats FROM amounts ORDER BY seq LIMIT 1",
    [SQL_AMOUNTS_ALL] = "SELECT seq, outpoint, sats FROM amounts",
    [SQL_AMOUNTS_CLEAR] = "DELETE FROM amounts",
};

// --- Errors ---

bool db_damaged(const struct store_db *db, const char *what, struct err *err)
{
    return err_set(err, ERR_INVALID, "%s: %s; restore it from a backup", db->path, what);
}

bool db_failed(struct store_db *db, struct err *err)
{
    const int code = sqlite3_errcode(db->sql) & 0xff;
    const int errnum = sqlite3_system_errno(db->sql);
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_FORMAT)
        return db_damaged(db, "damaged", err);
    if (code == SQLITE_IOERR && errnum != 0)
        return err_set_errno(err, errnum, "%s", db->path);
    return err_set(err, ERR_IO, "%s: %s", db->path, sqlite3_errmsg(db->sql));
}

// --- Statements ---

sqlite3_stmt *db_statement(struct store_db *db, enum store_sql which)
{
    sqlite3_stmt **s = &db->statements[which];
    if (!*s)
        (void)sqlite3_prepare_v3(db->sql, statements[which], -1, SQLITE_PREPARE_PERSISTENT, s,
                                 NULL);
    return *s;
}

// A parameter that could not be bound stays NULL, which every table refuses.
void db_bind_text(sqlite3_stmt *s, int at, const char *text)
{
    if (s)
        (void)sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC);
}

void db_bind_blob(sqlite3_stmt *s, int at, struct bytes blob)
{
    if (s)
        (void)sqlite3_bind_blob64(s, at, blob.ptr ? (const void *)blob.ptr : "", blob.len,
                                  SQLITE_STATIC);
}

void db_bind_u64(sqlite3_stmt *s, int at, uint64_t value)
{
    REQUIRE(value <= INT64_MAX);
    if (s)
        (void)sqlite3_bind_int64(s, at, (sqlite3_int64)value);
}

void db_reset(sqlite3_stmt *s)
{
    (void)sqlite3_reset(s); // repeats an error that db_next has reported
    (void)sqlite3_clear_bindings(s);
}

bool db_next(struct store_db *db, sqlite3_stmt *s, bool *has_row, struct err *err)
{
    *has_row = false;
    if (!s)
        return db_failed(db, err);
    const int code = sqlite3_step(s);
    *has_row = code == SQLITE_ROW;
    if (code == SQLITE_ROW || code == SQLITE_DONE)
        return true;
    db_failed(db, err);
    db_reset(s);
    return false;
}

bool db_done(struct store_db *db, sqlite3_stmt *s, struct err *err)
{
    bool has_row;
    if (!db_next(db, s, &has_row, err))
        return false;
    db_reset(s);
    return true;
}

bool db_column_blob(sqlite3_stmt *s, int at, struct bytes *out)
{
    if (sqlite3_column_type(s, at) != SQLITE_BLOB)
        return false;
    const void *content = sqlite3_column_blob(s, at);
    const int len = sqlite3_column_bytes(s, at);
    *out = bytes_of(content, content ? (size_t)len : 0);
    return len >= 0;
}

bool db_column_u64(sqlite3_stmt *s, int at, uint64_t *out)
{
    const sqlite3_int64 value = sqlite3_column_int64(s, at);
    *out = (uint64_t)value;
    return sqlite3_column_type(s, at) == SQLITE_INTEGER && value >= 0;
}

void db_rollback(struct store_db *db)
{
    struct err ignored; // the next change starts by asking for a transaction, and reports
    if (db_in_transaction(db))
        (void)!db_done(db, db_statement(db, SQL_ROLLBACK), &ignored);
}

bool db_in_transaction(const struct store_db *db)
{
    return !sqlite3_get_autocommit(db->sql);
}

bool db_undo_save(struct store_db *db)
{
    struct err ignored; // who undoes it has reported why
    if (db_in_transaction(db) && db_done(db, db_statement(db, SQL_SAVE_UNDO), &ignored) &&
        db_done(db, db_statement(db, SQL_SAVE_KEEP), &ignored))
        return true;
    db_rollback(db);
    return false;
}

void db_scrub(struct store_db *db)
{
    (void)sqlite3_wal_checkpoint_v2(db->sql, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

static bool execute(struct store_db *db, const char *sql, struct err *err)
{
    if (sqlite3_exec(db->sql, sql, NULL, NULL, NULL) != SQLITE_OK)
        return db_failed(db, err);
    return true;
}

// The first column of the only row of a statement of ours, as text.
static bool answer(struct store_db *db, const char *sql, char *out, size_t size, struct err *err)
{
    sqlite3_stmt *s = NULL;
    (void)sqlite3_prepare_v2(db->sql, sql, -1, &s, NULL);
    bool has_row;
    if (!db_next(db, s, &has_row, err)) {
        (void)sqlite3_finalize(s);
        return false;
    }
    const unsigned char *text = has_row ? sqlite3_column_text(s, 0) : NULL;
    (void)snprintf(out, size, "%s", text ? (const char *)text : "");
    (void)sqlite3_finalize(s);
    return true;
}

static bool expect(struct store_db *db, const char *sql, const char *expected, const char *damage,
                   struct err *err)
{
    char text[512];
    if (!answer(db, sql, text, sizeof text, err))
        return false;
    return strcmp(text, expected) == 0 || db_damaged(db, damage, err);
}

// --- Opening ---

// Whoever can write the directory could put his own panel socket there, and be told the PIN.
static bool check_folder(int fd, const char *dir, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return err_set_errno(err, errno, "%s", dir);
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return err_set(err, ERR_AUTH, "%s: belongs to another user", dir);
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return err_set(err, ERR_AUTH, "%s: others may write to it", dir);
    return true;
}

// flock(2) on the directory itself: released by the kernel however the process ends.
static bool lock_folder(int *out, const char *dir, struct err *err)
{
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, errno, "%s", dir);
    const bool safe = check_folder(fd, dir, err);
    if (safe && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        *out = fd;
        return true;
    }
    if (safe && errno == EWOULDBLOCK)
        err_set(err, ERR_BUSY, "%s: another casemate-signer has it open", dir);
    else if (safe)
        err_set_errno(err, errno, "%s", dir);
    (void)close(fd);
    return false;
}

static bool check_file(const struct store_db *db, struct err *err)
{
    struct stat st;
    if (fstatat(db->dir_fd, FILE_NAME, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return err_set_errno(err, errno, "%s", db->path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_AUTH, "%s: is not a plain file", db->path);
    if (st.st_uid != geteuid())
        return err_set(err, ERR_AUTH, "%s: belongs to another user", db->path);
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return err_set(err, ERR_AUTH, "%s: others may read or write it (mode must be 0600)",
                       db->path);
    // On a disk that is read-only SQLite would find out later, and say less.
    if (faccessat(db->dir_fd, FILE_NAME, R_OK | W_OK, AT_EACCESS) != 0)
        return err_set_errno(err, errno, "%s", db->path);
    return true;
}

static bool set_limits(struct store_db *db, struct err *err)
{
    static const struct {
        int option, value;
    } options[] = {
        { SQLITE_DBCONFIG_DEFENSIVE, 1 },        { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
        { SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },   { SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
        { SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1 }, // until all checks have passed
    };
    for (size_t i = 0; i < COUNT(options); i++)
        if (sqlite3_db_config(db->sql, options[i].option, options[i].value, NULL) != SQLITE_OK)
            return err_set(err, ERR_INTERNAL, "%s: SQLite lacks an option", db->path);
    // Exclusive before the first read: then there is no shared memory file beside the log.
    return execute(db,
                   "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; "
                   "PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON; "
                   "PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY; "
                   "PRAGMA mmap_size = 0",
                   err);
}

static bool check_version(struct store_db *db, struct err *err)
{
    char text[32];
    uint32_t version = 0;
    char expected[32];
    (void)snprintf(expected, sizeof expected, "%d", APPLICATION_ID);
    if (!expect(db, "PRAGMA application_id", expected, "is not the store of a signer", err) ||
        !answer(db, "PRAGMA user_version", text, sizeof text, err))
        return false;
    version = (uint32_t)strtoul(text, NULL, 10);
    if (version > SCHEMA_VERSION)
        return err_set(err, ERR_UNSUPPORTED,
                       "%s: made by a newer version of casemate-signer (format %" PRIu32
                       ", this one reads %d)",
                       db->path, version, SCHEMA_VERSION);
    return version == SCHEMA_VERSION || db_damaged(db, "has an unknown format", err);
}

static bool check_schema(struct store_db *db, struct err *err)
{
    char joined[1024];
    struct writer w = writer_of(joined, sizeof joined - 1);
    for (size_t i = 0; i < COUNT(schema); i++) {
        writer_text(&w, i > 0 ? ";" : "");
        writer_text(&w, schema[i]);
    }
    REQUIRE(!w.failed);
    joined[w.len] = '\0';
    // The index that UNIQUE makes has no text.
    return expect(db, "SELECT count(*) FROM sqlite_schema WHERE sql IS NOT NULL", "4",
                  "has other tables than ours", err) &&
           expect(db,
                  "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_schema "
                  "WHERE sql IS NOT NULL ORDER BY name)",
                  joined, "has other tables than ours", err);
}

static bool check_content(struct store_db *db, struct err *err)
{
    return check_version(db, err) &&
           expect(db, "PRAGMA integrity_check(1)", "ok", "damaged", err) && check_schema(db, err) &&
           expect(db, "PRAGMA journal_mode = WAL", "wal", "cannot be kept with a write-ahead log",
                  err);
}

static bool open_file(struct store_db *db, int flags, struct err *err)
{
    const int code = sqlite3_open_v2(db->path, &db->sql,
                                     flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (!db->sql)
        return err_set(err, ERR_NO_MEMORY, "%s: no memory", db->path);
    return code == SQLITE_OK ? set_limits(db, err) : db_failed(db, err);
}

static bool set_path(struct store_db *db, const char *dir, const char *name, struct err *err)
{
    const int len = snprintf(db->path, sizeof db->path, "%s/%s", dir, name);
    if (len < 0 || (size_t)len >= sizeof db->path)
        return err_set(err, ERR_LIMIT, "the path of the state directory is too long");
    return true;
}

static struct store_db *db_alloc(void)
{
    struct store_db *db = calloc(1, sizeof *db);
    REQUIRE(db != NULL);
    db->dir_fd = -1;
    return db;
}

void db_close(struct store_db *db)
{
    if (!db)
        return;
    for (size_t i = 0; i < SQL_COUNT; i++)
        (void)sqlite3_finalize(db->statements[i]);
    (void)sqlite3_close(db->sql);
    if (db->dir_fd >= 0)
        (void)close(db->dir_fd);
    free(db);
}

static bool open_into(struct store_db *db, const char *dir, struct err *err)
{
    return lock_folder(&db->dir_fd, dir, err) && set_path(db, dir, FILE_NAME, err) &&
           check_file(db, err) && open_file(db, SQLITE_OPEN_READWRITE, err) &&
           check_content(db, err);
}

bool db_open(struct store_db **out, const char *dir, struct err *err)
{
    struct store_db *db = db_alloc();
    if (!open_into(db, dir, err)) {
        db_close(db);
        return false;
    }
    (void)sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    *out = db;
    return true;
}

// --- Making ---

static bool make_tables(struct store_db *db, struct err *err)
{
    char pragmas[96];
    (void)snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                   APPLICATION_ID, SCHEMA_VERSION);
    if (!execute(db, "BEGIN IMMEDIATE", err))
        return false;
    for (size_t i = 0; i < COUNT(schema); i++)
        if (!execute(db, schema[i], err))
            return false;
    return execute(db, pragmas, err) && execute(db, "COMMIT", err);
}

static bool make_new_file(struct store_db *db, struct err *err)
{
    // What an interrupted attempt left. SQLite takes its modes for the log from this file.
    (void)unlinkat(db->dir_fd, NEW_NAME, 0);
    (void)unlinkat(db->dir_fd, NEW_NAME "-journal", 0);
    const int fd = openat(db->dir_fd, NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || close(fd) != 0)
        return err_set_errno(err, errno, "%s", db->path);
    return open_file(db, SQLITE_OPEN_READWRITE, err) && make_tables(db, err);
}

static bool move_new_file(struct store_db *db, const char *dir, struct err *err)
{
    if (sqlite3_close(db->sql) != SQLITE_OK)
        return err_set(err, ERR_INTERNAL, "%s: cannot be closed", db->path);
    db->sql = NULL;
    // RENAME_NOREPLACE: a store is never overwritten.
    if (renameat2(db->dir_fd, NEW_NAME, db->dir_fd, FILE_NAME, RENAME_NOREPLACE) != 0) {
        if (errno == EEXIST)
            return err_set(err, ERR_EXISTS, "%s/%s: exists already", dir, FILE_NAME);
        return err_set_errno(err, errno, "%s", db->path);
    }
    return fsync(db->dir_fd) == 0 || err_set_errno(err, errno, "%s", dir);
}

static bool create_with(struct store_db *db, const char *dir, struct err *err)
{
    if (!lock_folder(&db->dir_fd, dir, err) || !set_path(db, dir, NEW_NAME, err))
        return false;
    if (faccessat(db->dir_fd, FILE_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return err_set(err, ERR_EXISTS, "%s/%s: exists already", dir, FILE_NAME);
    if (make_new_file(db, err) && move_new_file(db, dir, err))
        return true;
    (void)unlinkat(db->dir_fd, NEW_NAME, 0);
    return false;
}

bool db_create(const char *dir, struct err *err)
{
    struct store_db *db = db_alloc();
    const bool created = create_with(db, dir, err);
    db_close(db);
    return created;
}
