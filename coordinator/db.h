// coordinator/db.h -- SQL for both stores: SQLite in a file, or PostgreSQL.
//
//   AUTO(db_close) struct db *db = NULL;
//   if (!db_open(&db, options, err)) return false;
//   struct db_rows rows;
//   if (!db_query(db, &rows, "SELECT name, k FROM wallet WHERE id = $1", DB_ARGS(db_text(id)), arena, err))
//       return false;
//   if (rows.n == 1) k = db_cell_int(&rows, 0, 1);
//
// (1) A struct db is one connection, for one thread. Each thread opens its own.
// (2) SQL is written once, with $1 ... $n for values; never put a value into the text. "FOR UPDATE",
//     "FOR UPDATE SKIP LOCKED" and "FOR KEY SHARE" are left out for SQLite, where a transaction that
//     writes excludes all others. Sums are CAST(coalesce(sum(x), 0) AS bigint).
// (3) Each statement is prepared once per connection; its arguments have the same types each time.
// (4) A transaction is BEGIN IMMEDIATE on SQLite and ISOLATION LEVEL READ COMMITTED on PostgreSQL, said
//     each time, as a server's default may differ. When the commit has returned true, it is on disk.
// (5) On PostgreSQL a statement inside a transaction that fails makes all of it fail; so on both.
// Failures set CODE_LEDGER_UNAVAILABLE, or CODE_CONFLICT for a constraint; db_fault tells more. A lost
// connection is opened again by the next call outside a transaction.
// Source: coordinator.md D2 "Isolation is part of the contract", "SQLite".
#ifndef CASEMATE_COORDINATOR_DB_H
#define CASEMATE_COORDINATOR_DB_H
#include "base/arena.h"
#include "coordinator/code.h"

#define DB_ARGS_MAX 32

struct db;

struct db_options {
    const char *path;               // SQLite: the file, made if it is not there; NULL: PostgreSQL
    const char *uri;                // PostgreSQL: as libpq takes it
    unsigned wait_ms;               // for a lock or a server, before it is an error; 0: 10 s
    const int64_t *clock_offset_us; // tests: added to the store's clock; NULL: nothing
};

// The lock file of a SQLite store, "<path>.lock": one coordinator process. Taken before the first db_open and
// kept until the process ends. For PostgreSQL it does nothing.
// Fails: ERR_BUSY "<path>: another coordinator has it open", ERR_UNSUPPORTED "<path>: is on a network file
//        system (<name>); ...", ERR_IO.
struct db_lock {
    int fd; // -1: none
};
MUST_CHECK bool db_lock(struct db_lock *out, const struct db_options *options, struct err *err);
void db_unlock(struct db_lock *lock);

// Fails: CODE_LEDGER_UNAVAILABLE. The schema is not looked at (coordinator/migrate.h does).
MUST_CHECK bool db_open(struct db **out, const struct db_options *options, struct err *err);
void db_close(
    struct db **db); // ends a transaction that is open by undoing it; a NULL inside is fine
bool db_is_postgres(const struct db *db);

// --- Values ---

enum db_type { DB_INT, DB_TEXT, DB_BLOB };
struct db_value {
    enum db_type type;
    bool is_null;
    int64_t n;      // DB_INT
    struct bytes b; // DB_TEXT, DB_BLOB: borrowed
};
struct db_value db_int(int64_t n);
struct db_value db_u64(uint64_t n);            // at most INT64_MAX, which money and heights are
struct db_value db_text(const char *text);     // NULL: SQL's NULL
struct db_value db_text_of(struct bytes text); // no zero inside
struct db_value db_blob(struct bytes blob);
struct db_value db_null(enum db_type type);
struct db_value db_int_or_null(int64_t n);          // 0 is NULL: times that are not set
struct db_value db_blob_or_null(struct bytes blob); // no bytes is NULL

// Arguments of a statement: DB_ARGS(db_int(1), db_text("a")), or DB_NONE.
#define DB_ARGS(...)                                                                               \
    (const struct db_value[]){ __VA_ARGS__ },                                                      \
        sizeof((const struct db_value[]){ __VA_ARGS__ }) / sizeof(struct db_value)
#define DB_NONE NULL, 0

// --- Statements ---

struct db_rows {
    size_t n, n_columns;
    const struct db_value *cells; // row after row
};
// A cell. NULL reads as 0 or no bytes. Stops the process for another type than the column has.
bool db_cell_is_null(const struct db_rows *rows, size_t row, size_t column);
int64_t db_cell_int(const struct db_rows *rows, size_t row, size_t column);
uint64_t db_cell_u64(const struct db_rows *rows, size_t row, size_t column);       // negative: 0
struct bytes db_cell_bytes(const struct db_rows *rows, size_t row, size_t column); // text or blob
// The text with a final zero; cut to size.
void db_cell_copy(char *out, size_t size, const struct db_rows *rows, size_t row, size_t column);

// Runs one statement; the rows live in the arena. Fails besides: ERR_NO_MEMORY for more rows than it holds.
MUST_CHECK bool db_query(struct db *db, struct db_rows *out, const char *sql,
                         const struct db_value *args, size_t n_args, struct arena *arena,
                         struct err *err);
// The same for one that gives no rows. changed: how many rows it wrote; NULL: not asked.
MUST_CHECK bool db_exec(struct db *db, uint64_t *changed, const char *sql,
                        const struct db_value *args, size_t n_args, struct err *err);
// Fixed text of several statements, without values: for steps of the schema.
MUST_CHECK bool db_script(struct db *db, struct bytes sql, struct err *err);

// --- Transactions ---

MUST_CHECK bool db_begin(struct db *db, struct err *err);
// One that only reads, and sees one state of the store throughout.
MUST_CHECK bool db_begin_reading(struct db *db, struct err *err);
MUST_CHECK bool db_commit(struct db *db, struct err *err);
void db_rollback(struct db *db); // nothing to undo is fine
bool db_in_transaction(const struct db *db);

// All of it: begins, runs the body, commits. Runs it again when the store says that others were in the way
// (deadlock, serialisation, busy), so the body starts from its arguments each time; not after a commit whose
// outcome is unknown, which fails with ERR_PENDING.
typedef bool db_body(struct db *db, void *context, struct err *err);
MUST_CHECK bool db_transact(struct db *db, db_body *body, void *context, struct err *err);

// The store's clock: microseconds since 1970 UTC. Inside a transaction it goes on.
MUST_CHECK bool db_now_us(struct db *db, int64_t *out, struct err *err);

// --- Why the last call failed ---

enum db_fault {
    DB_FAULT_NONE,
    DB_FAULT_LOST,       // no connection: nothing of the transaction is there
    DB_FAULT_RETRY,      // others were in the way: the same transaction may do another time
    DB_FAULT_CONSTRAINT, // see db_violated
    DB_FAULT_UNKNOWN,    // the commit was sent and no answer came: it is there, or not
    DB_FAULT_OTHER,
};
enum db_fault db_fault(const struct db *db);
// The constraint, named as PostgreSQL names it: "spend_wallet_id_request_id_key", "wallet_pkey", the name given to a
// CHECK; a foreign key or a NOT NULL has no name here. Empty: none.
const char *db_violated(const struct db *db);

// An id of 36 characters, UUIDv7: later ones sort behind, but for those of one millisecond.
void db_new_id(char out[static 37], int64_t now_us);

#endif
