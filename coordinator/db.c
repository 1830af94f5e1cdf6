#include "coordinator/db.h"
#include "base/require.h"
#include "coordinator/db_internal.h"
#include "coordinator/stop.h"
#include "crypto/random.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WAIT_MS = 10000, RETRIES = 40 };

// --- Errors ---

bool db_failed(struct db *db, enum db_fault fault, struct err *err, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    db->fault = fault;
    const bool conflict = fault == DB_FAULT_CONSTRAINT;
    (void)code_fail(err, conflict ? CODE_CONFLICT : CODE_LEDGER_UNAVAILABLE, "%s", text);
    if (fault == DB_FAULT_UNKNOWN)
        err->code = ERR_PENDING;
    return false;
}

enum db_fault db_fault(const struct db *db)
{
    return db->fault;
}

const char *db_violated(const struct db *db)
{
    return db->violated;
}

// --- Opening ---

static char *copy_text(const char *text)
{
    char *copy = strdup(text);
    REQUIRE(copy != NULL);
    return copy;
}

static void forget_statements(struct db *db)
{
    if (db->handle)
        db->store->forget(db);
    for (size_t i = 0; i < DB_STATEMENTS_MAX; i++)
        free(db->statements[i].sql);
    memset(db->statements, 0, sizeof db->statements);
    db->n_statements = 0;
}

static void disconnect(struct db *db)
{
    forget_statements(db);
    if (db->handle)
        db->store->disconnect(db);
    db->handle = NULL;
    db->in_transaction = false;
}

bool db_open(struct db **out, const struct db_options *options, struct err *err)
{
    AUTO(db_close) struct db *db = calloc(1, sizeof *db);
    REQUIRE(db != NULL && (options->path || options->uri));
    db->store = options->path ? &db_sqlite : &db_postgres;
    db->where = copy_text(options->path ? options->path : options->uri);
    db->wait_ms = options->wait_ms ? options->wait_ms : WAIT_MS;
    db->clock_offset_us = options->clock_offset_us;
    if (!db->store->connect(db, err))
        return false;
    *out = db;
    db = NULL;
    return true;
}

void db_close(struct db **db)
{
    if (!*db)
        return;
    disconnect(*db);
    (*db)->n_told = (*db)->n_notes;
    db_notes_told(*db);
    free((*db)->where);
    free(*db);
    *db = NULL;
}

bool db_is_postgres(const struct db *db)
{
    return db->store->is_postgres;
}

// --- Values ---

struct db_value db_int(int64_t n)
{
    return (struct db_value){ .type = DB_INT, .n = n };
}

struct db_value db_u64(uint64_t n)
{
    REQUIRE(n <= INT64_MAX);
    return db_int((int64_t)n);
}

struct db_value db_text(const char *text)
{
    return text ? db_text_of(bytes_of_text(text)) : db_null(DB_TEXT);
}

struct db_value db_text_of(struct bytes text)
{
    return (struct db_value){ .type = DB_TEXT, .b = text };
}

struct db_value db_blob(struct bytes blob)
{
    return (struct db_value){ .type = DB_BLOB, .b = blob };
}

struct db_value db_null(enum db_type type)
{
    return (struct db_value){ .type = type, .is_null = true };
}

struct db_value db_int_or_null(int64_t n)
{
    return n != 0 ? db_int(n) : db_null(DB_INT);
}

struct db_value db_blob_or_null(struct bytes blob)
{
    return blob.len > 0 ? db_blob(blob) : db_null(DB_BLOB);
}

static const struct db_value *cell(const struct db_rows *rows, size_t row, size_t column)
{
    REQUIRE(row < rows->n && column < rows->n_columns);
    return &rows->cells[row * rows->n_columns + column];
}

bool db_cell_is_null(const struct db_rows *rows, size_t row, size_t column)
{
    return cell(rows, row, column)->is_null;
}

int64_t db_cell_int(const struct db_rows *rows, size_t row, size_t column)
{
    const struct db_value *v = cell(rows, row, column);
    REQUIRE(v->is_null || v->type == DB_INT);
    return v->is_null ? 0 : v->n;
}

uint64_t db_cell_u64(const struct db_rows *rows, size_t row, size_t column)
{
    const int64_t n = db_cell_int(rows, row, column);
    return n > 0 ? (uint64_t)n : 0;
}

struct bytes db_cell_bytes(const struct db_rows *rows, size_t row, size_t column)
{
    const struct db_value *v = cell(rows, row, column);
    REQUIRE(v->is_null || v->type != DB_INT);
    return v->is_null ? (struct bytes){ 0 } : v->b;
}

void db_cell_copy(char *out, size_t size, const struct db_rows *rows, size_t row, size_t column)
{
    const struct bytes text = bytes_slice(db_cell_bytes(rows, row, column), 0, size - 1);
    memset(out, 0, size);
    if (text.len > 0)
        memcpy(out, text.ptr, text.len);
}

bool db_table_add(struct db_table *t, struct db_value value)
{
    if (t->n == t->room) {
        const size_t room = t->room ? 2 * t->room : 16;
        struct db_value *grown = arena_array(t->arena, room, sizeof *grown);
        if (!grown)
            return false;
        if (t->n > 0)
            memcpy(grown, t->cells, t->n * sizeof *grown);
        arena_give_back(t->arena, t->cells);
        t->cells = grown;
        t->room = room;
    }
    if (!value.is_null && value.type != DB_INT && !arena_copy(t->arena, value.b, &value.b))
        return false;
    t->cells[t->n++] = value;
    return true;
}

// --- Notes ---

bool db_note(struct db *db, const char *spend_id, struct bytes frame)
{
    if (db->n_notes == DB_NOTES_MAX || frame.len > DB_NOTE_TEXT_MAX)
        return false;
    struct db_note *note = &db->notes[db->n_notes++];
    (void)snprintf(note->spend_id, sizeof note->spend_id, "%s", spend_id);
    note->frame = strndup((const char *)frame.ptr, frame.len);
    REQUIRE(note->frame != NULL);
    return true;
}

void db_notes_told(struct db *db)
{
    for (size_t i = 0; i < db->n_told; i++)
        free(db->notes[i].frame);
    db->n_notes -= db->n_told;
    memmove(db->notes, db->notes + db->n_told, db->n_notes * sizeof db->notes[0]);
    db->n_told = 0;
}

// --- Statements ---

static size_t hash_of(const char *sql)
{
    uint32_t h = 2166136261u; // FNV-1a
    for (; *sql; sql++)
        h = (h ^ (uint8_t)*sql) * 16777619u;
    return h % DB_STATEMENTS_MAX;
}

static bool prepare(struct db *db, struct db_statement *s, size_t at, const char *sql,
                    const struct db_value *args, size_t n_args, struct err *err)
{
    *s = (struct db_statement){ .sql = copy_text(sql), .n_args = (uint8_t)n_args };
    for (size_t i = 0; i < n_args; i++)
        s->types[i] = args[i].type;
    if (db->store->prepare(db, s, at, err)) {
        db->n_statements++;
        return true;
    }
    free(s->sql);
    *s = (struct db_statement){ 0 };
    return false;
}

// The prepared statement of a text, and its number.
static struct db_statement *statement_of(struct db *db, const char *sql,
                                         const struct db_value *args, size_t n_args, size_t *number,
                                         struct err *err)
{
    REQUIRE(n_args <= DB_ARGS_MAX);
    if (db->n_statements > DB_STATEMENTS_MAX * 3 / 4)
        forget_statements(db);
    size_t at = hash_of(sql);
    while (db->statements[at].sql && strcmp(db->statements[at].sql, sql) != 0)
        at = (at + 1) % DB_STATEMENTS_MAX;
    struct db_statement *s = &db->statements[at];
    *number = at;
    if (!s->sql && !prepare(db, s, at, sql, args, n_args, err))
        return NULL;
    bool same = s->n_args == n_args;
    for (size_t i = 0; same && i < n_args; i++)
        same = s->types[i] == args[i].type;
    REQUIRE(same); // rule (3)
    return s;
}

// After a lost connection; not in the middle of a transaction, of which nothing is left.
static bool is_ready(struct db *db, struct err *err)
{
    db->fault = DB_FAULT_NONE;
    db->violated[0] = 0;
    if (db->handle)
        return true;
    if (db->in_transaction)
        return db_failed(db, DB_FAULT_LOST, err, "ledger: the connection was lost");
    return db->store->connect(db, err);
}

// What is left of the connection after an error.
static bool run_failed(struct db *db)
{
    if (db->fault != DB_FAULT_LOST && db->fault != DB_FAULT_UNKNOWN)
        return false;
    const bool in_transaction = db->in_transaction;
    disconnect(db);
    db->in_transaction = in_transaction; // until db_rollback
    return false;
}

static bool run(struct db *db, struct db_rows *rows, uint64_t *changed, const char *sql,
                const struct db_value *args, size_t n_args, struct arena *arena, struct err *err)
{
    size_t number;
    uint64_t ignored;
    if (!is_ready(db, err))
        return false;
    struct db_statement *s = statement_of(db, sql, args, n_args, &number, err);
    if (s && db->store->run(db, s, number, args, rows, changed ? changed : &ignored, arena, err))
        return true;
    return run_failed(db);
}

bool db_query(struct db *db, struct db_rows *out, const char *sql, const struct db_value *args,
              size_t n_args, struct arena *arena, struct err *err)
{
    *out = (struct db_rows){ 0 };
    return run(db, out, NULL, sql, args, n_args, arena, err);
}

bool db_exec(struct db *db, uint64_t *changed, const char *sql, const struct db_value *args,
             size_t n_args, struct err *err)
{
    return run(db, NULL, changed, sql, args, n_args, NULL, err);
}

bool db_script(struct db *db, struct bytes sql, struct err *err)
{
    if (!is_ready(db, err))
        return false;
    char *text = strndup((const char *)sql.ptr, sql.len);
    REQUIRE(text != NULL);
    const bool ok = db->store->script(db, text, err);
    free(text);
    return ok || run_failed(db);
}

// --- Transactions ---

static bool begin(struct db *db, const char *sql, struct err *err)
{
    REQUIRE(!db->in_transaction);
    if (!is_ready(db, err))
        return false;
    if (!db->store->script(db, sql, err)) {
        (void)run_failed(db);
        // The server may have closed a connection that was idle: once more, on a new one.
        if (db->fault != DB_FAULT_LOST || !is_ready(db, err))
            return false;
        if (!db->store->script(db, sql, err))
            return run_failed(db);
    }
    db->in_transaction = true;
    return true;
}

bool db_begin(struct db *db, struct err *err)
{
    return begin(db, db->store->begin, err);
}

bool db_begin_reading(struct db *db, struct err *err)
{
    return begin(db, db->store->begin_reading, err);
}

bool db_in_transaction(const struct db *db)
{
    return db->in_transaction;
}

bool db_commit(struct db *db, struct err *err)
{
    REQUIRE(db->in_transaction);
    if (!is_ready(db, err))
        return false;
    STOP_POINT("commit");
    if (db->store->script(db, "COMMIT", err)) {
        db->in_transaction = false;
        STOP_POINT("committed");
        return true;
    }
    // Whoever does not know whether it was committed must look, on a new connection.
    if (db->fault == DB_FAULT_LOST)
        (void)db_failed(db, DB_FAULT_UNKNOWN, err,
                        "ledger: the connection was lost while it committed");
    return run_failed(db);
}

void db_rollback(struct db *db)
{
    struct err ignored;
    if (!db->in_transaction)
        return;
    const enum db_fault fault = db->fault;
    if (db->handle && !db->store->script(db, "ROLLBACK", &ignored))
        disconnect(db); // which undoes it
    db->in_transaction = false;
    db->fault = fault;
}

static void pause_between(unsigned tries)
{
    const uint32_t most_us = 1000u << (tries < 6 ? tries : 6);
    const struct timespec pause = { 0, (long)(500 + random_below(most_us)) * 1000 };
    (void)nanosleep(&pause, NULL);
}

bool db_transact(struct db *db, db_body *body, void *context, struct err *err)
{
    for (unsigned tries = 0;; tries++) {
        if (db_begin(db, err) && body(db, context, err) && db_commit(db, err))
            return true;
        const bool again = db->fault == DB_FAULT_RETRY && tries < RETRIES;
        db_rollback(db);
        if (!again)
            return false;
        pause_between(tries);
    }
}

bool db_now_us(struct db *db, int64_t *out, struct err *err)
{
    if (!is_ready(db, err))
        return false;
    if (!db->store->now(db, out, err))
        return run_failed(db);
    *out += db->clock_offset_us ? *db->clock_offset_us : 0;
    return true;
}

// RFC 9562 section 5.7: 48 bits of milliseconds, version 7, variant 10; 12 bits of the fraction of the
// millisecond (method 3 of 6.2), the rest random.
void db_new_id(char out[static 37], int64_t now_us)
{
    uint8_t b[16];
    random_bytes(b, sizeof b);
    const uint64_t us = now_us > 0 ? (uint64_t)now_us : 0;
    const uint64_t ms = us / 1000, fraction = us % 1000 * 4096 / 1000;
    for (size_t i = 0; i < 6; i++)
        b[i] = (uint8_t)(ms >> (40 - 8 * i));
    b[6] = (uint8_t)(0x70 | fraction >> 8);
    b[7] = (uint8_t)fraction;
    b[8] = (uint8_t)(0x80 | (b[8] & 0x3f));
    size_t at = 0;
    for (size_t i = 0; i < sizeof b; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[at++] = '-';
        out[at++] = "0123456789abcdef"[b[i] >> 4];
        out[at++] = "0123456789abcdef"[b[i] & 15];
    }
    out[at] = 0;
}
