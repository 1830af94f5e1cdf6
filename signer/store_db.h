// signer/store_db.h -- the store's SQLite file: locked, checked, and every statement we ever run.
//
// For the store's own files only. Nothing here knows what the blobs mean. Names and blobs that are
// handed in are borrowed for the call.
#ifndef CASEMATE_SIGNER_STORE_DB_H
#define CASEMATE_SIGNER_STORE_DB_H
#include "base/arena.h"
#include "base/err.h"
#include <sqlite3.h>

#define STORE_DB_PATH_MAX 4096

enum store_sql {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_SAVE, // the changes of a batch
    SQL_SAVE_KEEP,
    SQL_SAVE_UNDO,
    SQL_ROW_GET,    // blob of sealed row ?1
    SQL_ROW_PUT,    // ?1 name, ?2 blob
    SQL_ROW_DELETE, // ?1 name
    SQL_ROW_COUNT,
    SQL_VAULT_GET,
    SQL_VAULT_PUT,
    SQL_LINE_GET,    // blob of journal line ?1
    SQL_LINE_PUT,    // ?1 seq, ?2 blob
    SQL_LINES_DROP,  // all up to seq ?1
    SQL_LINES_RANGE, // count, lowest, highest
    SQL_AMOUNT_GET,  // seq and sats of outpoint ?1
    SQL_AMOUNT_PUT,  // ?1 seq, ?2 outpoint, ?3 sats
    SQL_AMOUNT_DROP, // ?1 seq
    SQL_AMOUNT_OLDEST,
    SQL_AMOUNTS_ALL,
    SQL_AMOUNTS_CLEAR,
    SQL_COUNT
};

struct store_db {
    sqlite3 *sql;
    sqlite3_stmt *statements[SQL_COUNT]; // prepared at first use
    int dir_fd;                          // holds the lock
    bool read_failed;                    // a lookup whose caller cannot be told
    char path[STORE_DB_PATH_MAX];        // of the file, for error texts
};

// Makes a file with our empty tables. It gets its name when it is complete.
// Fails: as store_create.
MUST_CHECK bool db_create(const char *dir, struct err *err);

// Locks the directory, opens, checks. Fails: as store_open.
MUST_CHECK bool db_open(struct store_db **out, const char *dir, struct err *err);
void db_close(struct store_db *db); // NULL is fine

// The statement, ready for its parameters. NULL if it cannot be prepared, which the functions below
// take, and report.
sqlite3_stmt *db_statement(struct store_db *db, enum store_sql which);
void db_bind_text(sqlite3_stmt *s, int at, const char *text);
void db_bind_blob(sqlite3_stmt *s, int at, struct bytes blob);
void db_bind_u64(sqlite3_stmt *s, int at, uint64_t value); // below 2^63

// Runs a statement that gives no row, and resets it.
MUST_CHECK bool db_done(struct store_db *db, sqlite3_stmt *s, struct err *err);

// Moves to the next row: *has_row false at the end. Reset with db_reset when enough was read.
MUST_CHECK bool db_next(struct store_db *db, sqlite3_stmt *s, bool *has_row, struct err *err);
void db_reset(sqlite3_stmt *s);

// Columns of the present row. A value that cannot be ours: false.
MUST_CHECK bool db_column_blob(sqlite3_stmt *s, int at, struct bytes *out); // until the next step
MUST_CHECK bool db_column_u64(sqlite3_stmt *s, int at, uint64_t *out);

// Undoes an open transaction; nothing if there is none.
void db_rollback(struct store_db *db);

// Whether a transaction is open. An error can have the database undo one by itself.
bool db_in_transaction(const struct store_db *db);

// Undoes what was done since SQL_SAVE. False: there is no transaction any more, all of it is undone.
MUST_CHECK bool db_undo_save(struct store_db *db);

// Moves the write-ahead log into the file and empties it, so that what was deleted is overwritten.
// A failure leaves that to the next one.
void db_scrub(struct store_db *db);

// "<path>: <why>" of the last failure of SQLite.
bool db_failed(struct store_db *db, struct err *err);
// ERR_INVALID "<path>: <what>; restore it from a backup".
bool db_damaged(const struct store_db *db, const char *what, struct err *err);

#endif
