#include "tests/support/store_copy.h"
#include "base/require.h"
#include <stdio.h>
#include <stdlib.h>

static sqlite3_stmt *prepared(sqlite3 *sql, const char *text)
{
    sqlite3_stmt *s = NULL;
    REQUIRE(sqlite3_prepare_v2(sql, text, -1, &s, NULL) == SQLITE_OK);
    return s;
}

void store_copier_init(struct store_copier *c, sqlite3 *sql, const char *const *tables, size_t n)
{
    char text[256];
    REQUIRE(n <= STORE_COPY_TABLES);
    *c = (struct store_copier){ .sql = sql, .n = n };
    for (size_t t = 0; t < n; t++) {
        (void)snprintf(text, sizeof text, "SELECT * FROM %s", tables[t]);
        c->select[t] = prepared(sql, text);
        (void)snprintf(text, sizeof text, "DELETE FROM %s", tables[t]);
        c->empty[t] = prepared(sql, text);
        int len = snprintf(text, sizeof text, "INSERT INTO %s VALUES(?", tables[t]);
        for (int i = 1; i < sqlite3_column_count(c->select[t]); i++)
            len += snprintf(text + len, sizeof text - (size_t)len, ", ?");
        (void)snprintf(text + len, sizeof text - (size_t)len, ")");
        c->insert[t] = prepared(sql, text);
    }
}

void store_copier_wipe(struct store_copier *c)
{
    for (size_t t = 0; t < c->n; t++) {
        (void)sqlite3_finalize(c->select[t]);
        (void)sqlite3_finalize(c->insert[t]);
        (void)sqlite3_finalize(c->empty[t]);
    }
    *c = (struct store_copier){ .n = 0 };
}

void store_copy_take(struct store_copy *out, const struct store_copier *c)
{
    size_t room = 0;
    *out = (struct store_copy){ .values = NULL };
    for (size_t t = 0; t < c->n; t++) {
        const size_t columns = (size_t)sqlite3_column_count(c->select[t]);
        while (sqlite3_step(c->select[t]) == SQLITE_ROW) {
            if (out->n + columns > room) {
                room = 2 * room + 64;
                out->values = realloc(out->values, room * sizeof *out->values);
                REQUIRE(out->values != NULL);
            }
            for (size_t i = 0; i < columns; i++)
                out->values[out->n++] =
                    sqlite3_value_dup(sqlite3_column_value(c->select[t], (int)i));
            out->n_rows[t]++;
        }
        (void)sqlite3_reset(c->select[t]);
    }
}

static void run(sqlite3_stmt *s)
{
    REQUIRE(sqlite3_step(s) == SQLITE_DONE);
    (void)sqlite3_reset(s);
}

void store_copy_put(const struct store_copy *from, const struct store_copier *c)
{
    sqlite3_value *const *values = from->values;
    REQUIRE(sqlite3_exec(c->sql, "BEGIN", NULL, NULL, NULL) == SQLITE_OK);
    for (size_t t = c->n; t-- > 0;)
        run(c->empty[t]);
    for (size_t t = 0; t < c->n; t++) {
        for (size_t row = 0; row < from->n_rows[t]; row++) {
            for (int i = 0; i < sqlite3_column_count(c->select[t]); i++)
                (void)sqlite3_bind_value(c->insert[t], i + 1, *values++);
            run(c->insert[t]);
        }
    }
    REQUIRE(sqlite3_exec(c->sql, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
}

void store_copy_free(struct store_copy *copy)
{
    for (size_t i = 0; i < copy->n; i++)
        sqlite3_value_free(copy->values[i]);
    free(copy->values);
    *copy = (struct store_copy){ .values = NULL };
}
