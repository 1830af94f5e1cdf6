// tests/support/store_copy.h -- the rows of some tables of a SQLite store, kept and put back.
//
// For tests that go from one state of a store in many directions. Statements are prepared once.
#ifndef CASEMATE_TESTS_SUPPORT_STORE_COPY_H
#define CASEMATE_TESTS_SUPPORT_STORE_COPY_H
#include <sqlite3.h>
#include <stddef.h>

#define STORE_COPY_TABLES 16

struct store_copier {
    sqlite3 *sql;
    size_t n;
    sqlite3_stmt *select[STORE_COPY_TABLES], *insert[STORE_COPY_TABLES], *empty[STORE_COPY_TABLES];
};
// tables: those that others refer to come first.
void store_copier_init(struct store_copier *c, sqlite3 *sql, const char *const *tables, size_t n);
void store_copier_wipe(struct store_copier *c);

struct store_copy {
    sqlite3_value **values; // row after row, table after table
    size_t n, n_rows[STORE_COPY_TABLES];
};
void store_copy_take(struct store_copy *out, const struct store_copier *c);
// In place of what the tables hold.
void store_copy_put(const struct store_copy *from, const struct store_copier *c);
void store_copy_free(struct store_copy *copy);

#endif
