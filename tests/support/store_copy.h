// tests/support/store_copy.h -- the rows of some tables of a SQLite store, kept and put back.
//
// For tests that go from one state of a store in many directions, and keep very many of them: one block of memory
// each. Statements are prepared once.
#ifndef CASEMATE_TESTS_SUPPORT_STORE_COPY_H
#define CASEMATE_TESTS_SUPPORT_STORE_COPY_H
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_COPY_TABLES 16

struct store_copy {
    uint8_t *values; // row after row, table after table
    size_t len, start[STORE_COPY_TABLES], n_rows[STORE_COPY_TABLES];
};
void store_copy_free(struct store_copy *copy);

struct store_copier {
    sqlite3 *sql;
    size_t n;
    const char *const *tables;
    sqlite3_stmt *select[STORE_COPY_TABLES], *insert[STORE_COPY_TABLES], *empty[STORE_COPY_TABLES];
    struct store_copy held; // what was put last; a table that was not written since still holds it
    bool is_written[STORE_COPY_TABLES];
    uint8_t *mem; // in which the next copy is made
    size_t room;
};
// tables: those that others refer to come first; the last one only grows. They stay, and are tables with row ids. Takes
// the connection's update hook.
void store_copier_init(struct store_copier *c, sqlite3 *sql, const char *const *tables, size_t n);
void store_copier_wipe(struct store_copier *c);

void store_copy_take(struct store_copy *out, struct store_copier *c);
// In place of what the tables hold.
void store_copy_put(const struct store_copy *from, struct store_copier *c);

#endif
