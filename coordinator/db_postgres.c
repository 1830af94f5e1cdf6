#include "base/require.h"
#include "coordinator/db_internal.h"
#include <endian.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Type numbers of PostgreSQL's catalogue, which never change (pg_type.dat).
enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_NAME = 19,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_UNKNOWN = 705,
    OID_VARCHAR = 1043
};

// --- Errors ---

static enum db_fault fault_of(const char *state)
{
    // Class 40 is rollback (serialization_failure, deadlock_detected); 40003 says that nobody knows.
    if (strcmp(state, "40003") == 0)
        return DB_FAULT_UNKNOWN;
    if (strncmp(state, "40", 2) == 0 || strcmp(state, "55P03") == 0) // lock_not_available
        return DB_FAULT_RETRY;
    if (strncmp(state, "23", 2) == 0)
        return DB_FAULT_CONSTRAINT;
    // Class 08 connection, 57P0x the server goes down or ends us.
    if (strncmp(state, "08", 2) == 0 || strncmp(state, "57P", 3) == 0)
        return DB_FAULT_LOST;
    return DB_FAULT_OTHER;
}

static struct bytes first_line(const char *text)
{
    return bytes_of(text, strcspn(text, "\n"));
}

static bool connection_failed(struct db *db, struct err *err)
{
    const struct bytes why = first_line(PQerrorMessage(db->handle));
    return db_failed(db, DB_FAULT_LOST, err, "ledger: %.*s", BYTES_ARG(why));
}

static bool result_failed(struct db *db, const PGresult *result, struct err *err)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    const char *name = result ? PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME) : NULL;
    if (!state || PQstatus(db->handle) != CONNECTION_OK)
        return connection_failed(db, err);
    const enum db_fault fault = fault_of(state);
    if (fault == DB_FAULT_CONSTRAINT && strcmp(state, "23503") != 0 && name)
        (void)snprintf(db->violated, sizeof db->violated, "%s", name);
    return db_failed(db, fault, err, "ledger: %s (%s)", text ? text : "no text", state);
}

static void clear(PGresult **result)
{
    PQclear(*result);
}

// --- Connection ---

static bool postgres_script(struct db *db, const char *sql, struct err *err)
{
    AUTO(clear) PGresult *result = PQexec(db->handle, sql);
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        return result_failed(db, result, err);
    // COMMIT of a transaction in which something failed says ROLLBACK, and is no error of the server.
    if (strcmp(sql, "COMMIT") == 0 && strcmp(PQcmdStatus(result), "COMMIT") != 0)
        return db_failed(db, DB_FAULT_OTHER, err, "ledger: the transaction was undone");
    return true;
}

static void postgres_disconnect(struct db *db)
{
    PQfinish(db->handle);
}

static void be_silent(void *context, const char *message)
{
    (void)context;
    (void)message;
}

static bool settings_of(struct db *db, struct err *err)
{
    char text[512];
    // A server may be set to answer before a commit is on its disk: not to us.
    const int len = snprintf(
        text, sizeof text,
        "SET search_path TO casemate; SET client_min_messages TO warning; "
        "SET idle_in_transaction_session_timeout TO '60s'; SET statement_timeout TO '60s'; "
        "SET lock_timeout TO %u; "
        "SELECT set_config('synchronous_commit', 'on', false) "
        "WHERE current_setting('synchronous_commit') IN ('off', 'local')",
        db->wait_ms);
    REQUIRE(len > 0 && (size_t)len < sizeof text);
    return postgres_script(db, text, err);
}

static bool postgres_connect(struct db *db, struct err *err)
{
    // What the URI says comes last and wins.
    static const char *const names[] = {
        "connect_timeout",  "keepalives_idle",  "keepalives_interval",
        "keepalives_count", "tcp_user_timeout", "client_encoding",
        "application_name", "dbname",           NULL
    };
    const char *const values[] = {
        "10", "10", "5", "3", "30000", "UTF8", "casemate-coordinator", db->where, NULL
    };
    db->handle = PQconnectdbParams(names, values, 1);
    if (db->handle && PQstatus(db->handle) == CONNECTION_OK) {
        (void)PQsetNoticeProcessor(db->handle, be_silent, NULL);
        if (settings_of(db, err))
            return true;
    } else {
        (void)connection_failed(db, err);
    }
    PQfinish(db->handle);
    db->handle = NULL;
    return false;
}

static void postgres_forget(struct db *db)
{
    if (PQstatus(db->handle) == CONNECTION_OK)
        PQclear(PQexec(db->handle, "DEALLOCATE ALL"));
}

// --- Statements ---

static void name_of(char out[static 16], size_t number)
{
    (void)snprintf(out, 16, "s%zu", number);
}

static bool postgres_prepare(struct db *db, struct db_statement *s, size_t number, struct err *err)
{
    static const Oid oids[] = { [DB_INT] = OID_INT8, [DB_TEXT] = OID_TEXT, [DB_BLOB] = OID_BYTEA };
    Oid types[DB_ARGS_MAX];
    char name[16];
    name_of(name, number);
    for (size_t i = 0; i < s->n_args; i++)
        types[i] = oids[s->types[i]];
    AUTO(clear) PGresult *result = PQprepare(db->handle, name, s->sql, s->n_args, types);
    if (PQresultStatus(result) == PGRES_COMMAND_OK)
        return true;
    return result_failed(db, result, err);
}

struct parameters {
    const char *values[DB_ARGS_MAX];
    int lengths[DB_ARGS_MAX], formats[DB_ARGS_MAX];
    uint64_t numbers[DB_ARGS_MAX];
};

static void set_parameter(struct parameters *p, size_t at, const struct db_value *v)
{
    REQUIRE(v->b.len <= INT32_MAX);
    p->formats[at] = 1; // binary
    p->lengths[at] = v->type == DB_INT ? 8 : (int)v->b.len;
    p->numbers[at] = htobe64((uint64_t)v->n);
    if (v->is_null)
        p->values[at] = NULL;
    else if (v->type == DB_INT)
        p->values[at] = (const char *)&p->numbers[at];
    else
        p->values[at] = v->b.ptr ? (const char *)v->b.ptr : "";
}

static int64_t integer_of(const char *value, int len)
{
    uint64_t n = 0;
    for (int i = 0; i < len; i++)
        n = n << 8 | (uint8_t)value[i];
    // Two's complement of 2, 4 or 8 bytes.
    const unsigned unused = 64 - 8 * (unsigned)len;
    return (int64_t)(n << unused) >> unused;
}

// False for a type that no statement of ours gives.
static bool cell_of(struct db_value *out, const PGresult *result, int row, int column)
{
    const char *value = PQgetvalue(result, row, column);
    const int len = PQgetlength(result, row, column);
    const struct bytes content = bytes_of(value, (size_t)len);
    *out = db_null(DB_INT);
    if (PQgetisnull(result, row, column))
        return true;
    switch (PQftype(result, column)) {
    case OID_BOOL:
        *out = db_int(value[0]);
        return true;
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
        *out = db_int(integer_of(value, len));
        return true;
    case OID_TEXT:
    case OID_NAME:
    case OID_UNKNOWN:
    case OID_VARCHAR:
        *out = db_text_of(content);
        return true;
    case OID_BYTEA:
        *out = db_blob(content);
        return true;
    default:
        return false;
    }
}

static bool rows_of(struct db *db, struct db_rows *out, const PGresult *result, struct arena *arena,
                    struct err *err)
{
    struct db_table t = { .arena = arena };
    struct db_value v;
    const int columns = PQnfields(result);
    for (int row = 0; row < PQntuples(result); row++) {
        for (int column = 0; column < columns; column++) {
            if (!cell_of(&v, result, row, column))
                return db_failed(db, DB_FAULT_OTHER, err, "ledger: column %s has type %u",
                                 PQfname(result, column), PQftype(result, column));
            if (!db_table_add(&t, v))
                return err_set(err, ERR_NO_MEMORY, "the ledger's answer is too long");
        }
    }
    *out = (struct db_rows){ (size_t)PQntuples(result), (size_t)columns, t.cells };
    return true;
}

static bool postgres_run(struct db *db, struct db_statement *s, size_t number,
                         const struct db_value *args, struct db_rows *rows, uint64_t *changed,
                         struct arena *arena, struct err *err)
{
    struct parameters p;
    char name[16];
    name_of(name, number);
    for (size_t i = 0; i < s->n_args; i++)
        set_parameter(&p, i, &args[i]);
    AUTO(clear)
    PGresult *result =
        PQexecPrepared(db->handle, name, s->n_args, p.values, p.lengths, p.formats, 1);
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        return result_failed(db, result, err);
    *changed = strtoull(PQcmdTuples(result), NULL, 10);
    return !rows || rows_of(db, rows, result, arena, err);
}

// D2: "clock_timestamp(), since now() is frozen before the wait".
static bool postgres_now(struct db *db, int64_t *out, struct err *err)
{
    AUTO(clear)
    PGresult *result = PQexecParams(
        db->handle, "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)", 0,
        NULL, NULL, NULL, NULL, 1);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        return result_failed(db, result, err);
    *out = integer_of(PQgetvalue(result, 0, 0), PQgetlength(result, 0, 0));
    return true;
}

const struct db_store db_postgres = {
    .is_postgres = true,
    .connect = postgres_connect,
    .disconnect = postgres_disconnect,
    .prepare = postgres_prepare,
    .forget = postgres_forget,
    .run = postgres_run,
    .script = postgres_script,
    .now = postgres_now,
    // D2: "READ COMMITTED, set explicitly per transaction (a server's default may differ)".
    .begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
    .begin_reading = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
};
