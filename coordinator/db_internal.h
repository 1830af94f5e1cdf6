// coordinator/db_internal.h -- what db.c and the two stores share.
#ifndef CASEMATE_COORDINATOR_DB_INTERNAL_H
#define CASEMATE_COORDINATOR_DB_INTERNAL_H
#include "coordinator/db.h"

struct sqlite3;

#define DB_STATEMENTS_MAX 512 // prepared per connection; then all are prepared anew
#define DB_NAME_MAX       64

// A prepared statement, found by its text.
struct db_statement {
    char *sql;    // as the caller wrote it
    void *handle; // SQLite's
    uint8_t n_args;
    enum db_type types[DB_ARGS_MAX];
};

// Frames of stories that wait for the next transaction (ledger_story).
#define DB_NOTES_MAX     64
#define DB_NOTE_TEXT_MAX 4096
struct db_note {
    char spend_id[37];
    char *frame;
};

struct db {
    const struct db_store *store;
    void *handle; // of the library; NULL: not connected
    char *where;  // path or URI
    bool in_transaction;
    unsigned wait_ms;
    const int64_t *clock_offset_us;
    enum db_fault fault;
    char violated[DB_NAME_MAX];
    struct db_statement statements[DB_STATEMENTS_MAX];
    size_t n_statements;
    struct db_note notes[DB_NOTES_MAX];
    size_t n_notes, n_told; // told: written by the transaction that is open
};

// Each function sets db->fault when it fails.
struct db_store {
    bool is_postgres;
    bool (*connect)(struct db *db, struct err *err);
    void (*disconnect)(struct db *db);
    bool (*prepare)(struct db *db, struct db_statement *s, size_t number, struct err *err);
    void (*forget)(struct db *db); // all prepared statements
    // rows NULL: none are wanted
    bool (*run)(struct db *db, struct db_statement *s, size_t number, const struct db_value *args,
                struct db_rows *rows, uint64_t *changed, struct arena *arena, struct err *err);
    bool (*script)(struct db *db, const char *sql, struct err *err);
    bool (*now)(struct db *db, int64_t *out, struct err *err);
    const char *begin, *begin_reading;
};
extern const struct db_store db_sqlite, db_postgres;

// Sets fault and error; returns false.
bool db_failed(struct db *db, enum db_fault fault, struct err *err, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

// Keeps a frame; false when it is too long or there is no room.
MUST_CHECK bool db_note(struct db *db, const char *spend_id, struct bytes frame);
void db_notes_told(struct db *db); // n_told of them are committed

// Rows that grow in an arena.
struct db_table {
    struct arena *arena;
    struct db_value *cells;
    size_t n, room; // cells
};
MUST_CHECK bool db_table_add(struct db_table *t, struct db_value value);

// Whether a file system of that number (statfs) is one that other machines may write, and its name.
bool db_is_network_fs(uint64_t type, const char **name);

// For tests: the connection of SQLite, to copy a store in memory.
struct sqlite3 *db_sqlite_handle(struct db *db);

#endif
