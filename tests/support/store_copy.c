#include "tests/support/store_copy.h"
#include "base/require.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sqlite3_stmt *prepared(sqlite3 *sql, const char *text)
{
    sqlite3_stmt *s = NULL;
    REQUIRE(sqlite3_prepare_v2(sql, text, -1, &s, NULL) == SQLITE_OK);
    return s;
}

static void note_written(void *context, int op, const char *db, const char *table, sqlite3_int64 id)
{
    struct store_copier *c = context;
    (void)op, (void)db, (void)id;
    for (size_t t = 0; t < c->n; t++)
        c->is_written[t] |= strcmp(c->tables[t], table) == 0;
}

void store_copier_init(struct store_copier *c, sqlite3 *sql, const char *const *tables, size_t n)
{
    char text[256];
    REQUIRE(0 < n && n <= STORE_COPY_TABLES);
    *c = (struct store_copier){ .sql = sql, .n = n, .tables = tables };
    for (size_t t = 0; t < n; t++) {
        (void)snprintf(text, sizeof text, "SELECT * FROM %s ORDER BY rowid", tables[t]);
        c->select[t] = prepared(sql, text);
        (void)snprintf(text, sizeof text, "DELETE FROM %s WHERE rowid > ?", tables[t]);
        c->empty[t] = prepared(sql, text);
        int len = snprintf(text, sizeof text, "INSERT INTO %s VALUES(?", tables[t]);
        for (int i = 1; i < sqlite3_column_count(c->select[t]); i++)
            len += snprintf(text + len, sizeof text - (size_t)len, ", ?");
        (void)snprintf(text + len, sizeof text - (size_t)len, ")");
        c->insert[t] = prepared(sql, text);
    }
    (void)sqlite3_update_hook(sql, note_written, c);
    store_copy_take(&c->held, c);
}

void store_copier_wipe(struct store_copier *c)
{
    for (size_t t = 0; t < c->n; t++) {
        (void)sqlite3_finalize(c->select[t]);
        (void)sqlite3_finalize(c->insert[t]);
        (void)sqlite3_finalize(c->empty[t]);
    }
    (void)sqlite3_update_hook(c->sql, NULL, NULL);
    store_copy_free(&c->held);
    free(c->mem);
    *c = (struct store_copier){ .n = 0 };
}

// --- Values: one byte for the type, a number or a length, then the text or blob ---

static void add(struct store_copier *c, size_t *len, const void *ptr, size_t n)
{
    if (c->room - *len < n) {
        c->room = 2 * c->room + n + 4096;
        c->mem = realloc(c->mem, c->room);
        REQUIRE(c->mem != NULL);
    }
    if (n > 0)
        memcpy(c->mem + *len, ptr, n);
    *len += n;
}

static void add_value(struct store_copier *c, size_t *len, sqlite3_stmt *s, int at)
{
    const uint8_t type = (uint8_t)sqlite3_column_type(s, at);
    const bool is_text = type == SQLITE_TEXT, is_bytes = is_text || type == SQLITE_BLOB;
    const void *ptr = is_text ? (const void *)sqlite3_column_text(s, at) : NULL;
    if (type == SQLITE_BLOB)
        ptr = sqlite3_column_blob(s, at);
    const int64_t n = is_bytes ? sqlite3_column_bytes(s, at) : sqlite3_column_int64(s, at);
    REQUIRE(type != SQLITE_FLOAT);
    add(c, len, &type, 1);
    if (type != SQLITE_NULL)
        add(c, len, &n, sizeof n);
    if (is_bytes)
        add(c, len, ptr, (size_t)n);
}

// Returns what is behind it. The bytes have to stay until the statement has run.
static const uint8_t *bind_value(sqlite3_stmt *s, int at, const uint8_t *value)
{
    const uint8_t type = *value++;
    int64_t n;
    if (type == SQLITE_NULL) {
        (void)sqlite3_bind_null(s, at);
        return value;
    }
    memcpy(&n, value, sizeof n);
    value += sizeof n;
    if (type == SQLITE_INTEGER) {
        (void)sqlite3_bind_int64(s, at, n);
        return value;
    }
    if (type == SQLITE_TEXT)
        (void)sqlite3_bind_text(s, at, (const char *)value, (int)n, SQLITE_STATIC);
    else
        (void)sqlite3_bind_blob(s, at, value, (int)n, SQLITE_STATIC);
    return value + n;
}

static const uint8_t *behind_value(const uint8_t *value)
{
    const uint8_t type = *value++;
    int64_t n;
    if (type == SQLITE_NULL)
        return value;
    memcpy(&n, value, sizeof n);
    return value + sizeof n + (type == SQLITE_INTEGER ? 0 : n);
}

// --- Copies ---

void store_copy_take(struct store_copy *out, struct store_copier *c)
{
    *out = (struct store_copy){ .values = NULL };
    for (size_t t = 0; t < c->n; t++) {
        const int columns = sqlite3_column_count(c->select[t]);
        out->start[t] = out->len;
        while (sqlite3_step(c->select[t]) == SQLITE_ROW) {
            for (int i = 0; i < columns; i++)
                add_value(c, &out->len, c->select[t], i);
            out->n_rows[t]++;
        }
        (void)sqlite3_reset(c->select[t]);
    }
    out->values = malloc(out->len + 1);
    REQUIRE(out->values != NULL);
    if (out->len > 0)
        memcpy(out->values, c->mem, out->len);
}

static size_t len_of(const struct store_copy *copy, const struct store_copier *c, size_t t)
{
    return (t + 1 < c->n ? copy->start[t + 1] : copy->len) - copy->start[t];
}

static bool is_held(const struct store_copy *from, const struct store_copier *c, size_t t)
{
    const size_t len = len_of(from, c, t);
    return !c->is_written[t] && len == len_of(&c->held, c, t) &&
           memcmp(from->values + from->start[t], c->held.values + c->held.start[t], len) == 0;
}

// The first rows of the table that only grows which the store has in common with the copy. *at: behind their values.
static size_t common_rows(const struct store_copy *from, const struct store_copier *c,
                          const uint8_t **at)
{
    const size_t t = c->n - 1;
    const uint8_t *a = from->values + from->start[t], *b = c->held.values + c->held.start[t];
    size_t n = 0;
    for (; n < from->n_rows[t] && n < c->held.n_rows[t]; n++) {
        const uint8_t *a_end = a, *b_end = b;
        for (int i = 0; i < sqlite3_column_count(c->select[t]); i++) {
            a_end = behind_value(a_end);
            b_end = behind_value(b_end);
        }
        if (a_end - a != b_end - b || memcmp(a, b, (size_t)(a_end - a)) != 0)
            break;
        a = a_end;
        b = b_end;
    }
    *at = a;
    return n;
}

static void run(sqlite3_stmt *s)
{
    REQUIRE(sqlite3_step(s) == SQLITE_DONE);
    (void)sqlite3_reset(s);
}

static void empty(const struct store_copier *c, size_t t, size_t but)
{
    (void)sqlite3_bind_int64(c->empty[t], 1, but > 0 ? (sqlite3_int64)but : -1);
    run(c->empty[t]);
}

static void fill(const struct store_copier *c, size_t t, const uint8_t *values, size_t n_rows)
{
    for (size_t row = 0; row < n_rows; row++) {
        for (int i = 0; i < sqlite3_column_count(c->select[t]); i++)
            values = bind_value(c->insert[t], i + 1, values);
        run(c->insert[t]);
    }
}

static void hold(struct store_copier *c, const struct store_copy *from)
{
    store_copy_free(&c->held);
    c->held = *from;
    c->held.values = malloc(from->len + 1);
    REQUIRE(c->held.values != NULL);
    memcpy(c->held.values, from->values, from->len);
    memset(c->is_written, 0, sizeof c->is_written);
}

void store_copy_put(const struct store_copy *from, struct store_copier *c)
{
    const size_t last = c->n - 1;
    const uint8_t *rest;
    const size_t common = common_rows(from, c, &rest);
    REQUIRE(sqlite3_exec(c->sql, "BEGIN", NULL, NULL, NULL) == SQLITE_OK);
    empty(c, last, common);
    fill(c, last, rest, from->n_rows[last] - common);
    for (size_t t = last; t-- > 0;)
        if (!is_held(from, c, t))
            empty(c, t, 0);
    for (size_t t = 0; t < last; t++) {
        // Triggers write, too: what is put here may have changed what is put later.
        if (!is_held(from, c, t)) {
            empty(c, t, 0);
            fill(c, t, from->values + from->start[t], from->n_rows[t]);
        }
    }
    REQUIRE(sqlite3_exec(c->sql, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
    hold(c, from);
}

void store_copy_free(struct store_copy *copy)
{
    free(copy->values);
    *copy = (struct store_copy){ .values = NULL };
}
