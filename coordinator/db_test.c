// SQL on both stores: the same statements, the same values, the same names of what goes wrong.
#include "coordinator/db.h"
#include "coordinator/db_internal.h"
#include "tests/support/ledger_rig.h"
#include "tests/support/test.h"
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// --- Values ---

TEST_BOTH(values_come_back_as_they_went)
{
    static const uint8_t bytes[] = { 0, 1, 255, 0, '\'' };
    struct db_rows rows;
    struct err err;
    rig_exec(rig,
             db_is_postgres(rig->db)
                 ? "CREATE TABLE t (id bigint PRIMARY KEY, n bigint, x text, b bytea)"
                 : "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, x TEXT, b BLOB) STRICT");
    const struct db_value values[][3] = {
        { db_int(INT64_MIN), db_text(""), db_blob((struct bytes){ 0 }) },
        { db_int(INT64_MAX), db_text("'; DROP TABLE t; --"), db_blob(BYTES_OF(bytes)) },
        { db_int(0), db_text("\xc3\xa4\xe2\x82\xac"), db_blob(BYTES("x")) },
        { db_null(DB_INT), db_null(DB_TEXT), db_null(DB_BLOB) },
    };
    for (size_t i = 0; i < COUNT(values); i++) {
        uint64_t changed;
        assert_true(db_exec(rig->db, &changed, "INSERT INTO t(id, n, x, b) VALUES($1, $2, $3, $4)",
                            DB_ARGS(db_u64(i), values[i][0], values[i][1], values[i][2]), &err));
        assert_int_equal(changed, 1);
    }
    assert_true(
        db_query(rig->db, &rows, "SELECT n, x, b FROM t ORDER BY id", DB_NONE, test_arena(), &err));
    assert_int_equal(rows.n, COUNT(values));
    for (size_t i = 0; i < COUNT(values); i++) {
        for (size_t c = 0; c < 3; c++)
            assert_int_equal(db_cell_is_null(&rows, i, c), values[i][c].is_null);
        assert_true(db_cell_int(&rows, i, 0) == values[i][0].n);
        assert_bytes_equal(db_cell_bytes(&rows, i, 1), values[i][1].b);
        assert_bytes_equal(db_cell_bytes(&rows, i, 2), values[i][2].b);
    }
    uint64_t changed;
    assert_true(
        db_exec(rig->db, &changed, "UPDATE t SET n = 1 WHERE id > $1", DB_ARGS(db_int(1)), &err));
    assert_int_equal(changed, 2);
    char text[4];
    db_cell_copy(text, sizeof text, &rows, 1, 1);
    assert_string_equal(text, "'; ");
}

// More statements than a connection keeps prepared.
TEST_BOTH(any_number_of_statements)
{
    struct db_rows rows;
    struct err err;
    for (unsigned i = 0; i < DB_STATEMENTS_MAX + 100; i++) {
        char sql[64];
        (void)snprintf(sql, sizeof sql, "SELECT $1 + %u", i);
        assert_true(db_query(rig->db, &rows, sql, DB_ARGS(db_int(1)), test_arena(), &err));
        assert_int_equal(db_cell_int(&rows, 0, 0), 1 + i);
    }
}

TEST_BOTH(an_answer_that_does_not_fit_is_an_error)
{
    AUTO(arena_freep) struct arena *small = arena_new(1000);
    struct db_rows rows;
    struct err err;
    assert_false(
        db_query(rig->db, &rows,
                 "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 100) "
                 "SELECT n FROM r",
                 DB_NONE, small, &err));
    assert_int_equal(err.code, ERR_NO_MEMORY);
    assert_true(db_query(rig->db, &rows, "SELECT 1", DB_NONE, test_arena(), &err));
}

// --- What goes wrong ---

TEST_BOTH(constraints_have_one_name_in_both_stores)
{
    static const struct {
        const char *sql, *name;
    } cases[] = {
        { "INSERT INTO principal(id, kind, subject) VALUES('x', 'token', 'service')",
          "principal_subject_key" },
        { "INSERT INTO wallet_signer(wallet_id, signer_id, position, xpub, registered_name) "
          "SELECT wallet_id, signer_id, 9, 'x', 'x' FROM wallet_signer",
          "wallet_signer_pkey" },
        { "INSERT INTO velocity_guard(wallet_id, window_s, cap_auto, cap_surge, fee_cap) "
          "SELECT wallet_id, 1, 1, 1, 1 FROM velocity_guard",
          "velocity_guard_pkey" },
        { "UPDATE wallet_signer SET position = 0", "wallet_signer_wallet_id_position_key" },
        { "UPDATE wallet SET status = 'open'", "wallet_status" },
        { "UPDATE wallet SET k = 4", "wallet_threshold" },
        { "UPDATE velocity_guard SET reserved_open = -1", "guard_open" },
        { "UPDATE wallet_signer SET wallet_id = 'nobody'", "" }, // a foreign key
        { "UPDATE wallet SET kind = NULL", "" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err err;
        assert_true(db_begin(rig->db, &err));
        assert_false(db_exec(rig->db, NULL, cases[i].sql, DB_NONE, &err));
        assert_int_equal(db_fault(rig->db), DB_FAULT_CONSTRAINT);
        assert_int_equal(code_of(&err), CODE_CONFLICT);
        if (strcmp(db_violated(rig->db), cases[i].name) != 0)
            fail_msg("case %zu: '%s'", i, db_violated(rig->db));
        db_rollback(rig->db);
    }
}

TEST_BOTH(what_is_not_committed_is_gone)
{
    struct err err;
    struct db *other = rig_connect(rig);
    assert_true(db_begin(rig->db, &err));
    assert_true(db_exec(rig->db, NULL, "UPDATE wallet SET kind = 'other'", DB_NONE, &err));
    db_close(&other); // another connection's end touches nothing
    db_rollback(rig->db);
    db_rollback(rig->db);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM wallet WHERE kind = 'other'"), 0);
    assert_true(db_begin(rig->db, &err));
    assert_true(db_exec(rig->db, NULL, "UPDATE wallet SET kind = 'other'", DB_NONE, &err));
    assert_true(db_commit(rig->db, &err));
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM wallet WHERE kind = 'other'"), 1);
}

static bool fail_twice(struct db *db, void *context, struct err *err)
{
    int *tries = context;
    (void)db;
    return ++*tries > 2 || db_failed(db, DB_FAULT_RETRY, err, "others were in the way");
}

static bool fail_always(struct db *db, void *context, struct err *err)
{
    (void)db;
    ++*(int *)context;
    return code_fail(err, CODE_FROZEN, "no");
}

TEST_BOTH(a_transaction_is_tried_again_only_when_others_were_in_the_way)
{
    struct err err;
    int tries = 0;
    assert_true(db_transact(rig->db, fail_twice, &tries, &err));
    assert_int_equal(tries, 3);
    tries = 0;
    assert_false(db_transact(rig->db, fail_always, &tries, &err));
    assert_int_equal(tries, 1);
    assert_int_equal(code_of(&err), CODE_FROZEN);
    assert_false(db_in_transaction(rig->db));
}

TEST_BOTH(the_clock_goes_on_inside_a_transaction)
{
    int64_t a, b;
    struct err err;
    assert_true(db_begin(rig->db, &err));
    assert_true(db_now_us(rig->db, &a, &err));
    (void)usleep(2000);
    assert_true(db_now_us(rig->db, &b, &err));
    db_rollback(rig->db);
    assert_in_range(b - a, 2000, 10000000);
    rig->offset_us = 1000000000;
    assert_true(db_now_us(rig->db, &a, &err));
    assert_in_range(a - b, 1000000000, 1010000000);
}

// --- SQLite ---

static int64_t pragma(struct db *db, const char *sql)
{
    struct db_rows rows;
    struct err err;
    assert_true(db_query(db, &rows, sql, DB_NONE, test_arena(), &err));
    return db_cell_int(&rows, 0, 0);
}

// D2: "BEGIN IMMEDIATE, WAL, synchronous=FULL, foreign keys on, busy timeout".
TEST(coordinator_F13_sqlite_is_durable)
{
    struct ledger_rig rig;
    struct db_rows rows;
    struct err err;
    rig_sqlite(&rig);
    AUTO(db_close) struct db *db = rig_connect(&rig);
    assert_int_equal(pragma(db, "PRAGMA synchronous"), 2);
    assert_int_equal(pragma(db, "PRAGMA foreign_keys"), 1);
    assert_true(db_query(db, &rows, "PRAGMA journal_mode", DB_NONE, test_arena(), &err));
    assert_bytes_text(db_cell_bytes(&rows, 0, 0), "wal");
    assert_string_equal(db_sqlite.begin, "BEGIN IMMEDIATE");
    rig_close(&rig);
}

TEST(a_lock_that_lasts_is_told_as_such)
{
    struct ledger_rig rig;
    struct err err;
    rig_sqlite(&rig);
    struct db_options options = rig.options;
    options.wait_ms = 50;
    struct db *other = NULL;
    assert_true(db_open(&other, &options, &err));
    assert_true(db_begin(rig.db, &err));
    assert_false(db_begin(other, &err));
    assert_int_equal(db_fault(other), DB_FAULT_RETRY);
    assert_int_equal(code_of(&err), CODE_LEDGER_UNAVAILABLE);
    // Whoever only reads is not kept waiting.
    assert_true(db_begin_reading(other, &err));
    db_rollback(other);
    db_rollback(rig.db);
    assert_true(db_begin(other, &err));
    db_close(&other);
    rig_close(&rig);
}

// One process holds the file; the lock goes with it, however it ends.
TEST(coordinator_F20_one_process_has_the_store)
{
    char path[200], expected[300];
    (void)snprintf(path, sizeof path, "%s/ledger.db", test_dir());
    const struct db_options options = { .path = path };
    struct db_lock lock, second;
    struct err err;
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        const bool ok = db_lock(&lock, &options, &err);
        _exit(write(ready[1], ok ? "y" : "n", 1) == 1 ? pause() : 1);
    }
    char said;
    assert_int_equal(read(ready[0], &said, 1), 1);
    assert_int_equal(said, 'y');
    assert_false(db_lock(&second, &options, &err));
    (void)snprintf(expected, sizeof expected, "%s: another coordinator has it open", path);
    assert_err(&err, ERR_BUSY, expected);
    assert_int_equal(second.fd, -1);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    assert_true(db_lock(&second, &options, &err));
    // Twice in one process is two, too.
    assert_false(db_lock(&lock, &options, &err));
    db_unlock(&second);
    assert_true(db_lock(&second, &options, &err));
    db_unlock(&second);
    const struct db_options server = { .uri = "host=/nowhere" };
    assert_true(db_lock(&second, &server, &err));
    assert_int_equal(second.fd, -1);
}

TEST(coordinator_F20_network_file_systems)
{
    static const struct {
        uint64_t type;
        const char *name; // NULL: a disk of this machine
    } cases[] = {
        { 0x6969, "NFS" },    { 0xff534d42, "CIFS" }, { 0xfe534d42, "SMB2" },
        { 0x01021997, "9P" }, { 0x00c36400, "Ceph" }, { 0x65735546, "FUSE" },
        { 0xef53, NULL },     // ext4
        { 0x58465342, NULL }, // xfs
        { 0x9123683e, NULL }, // btrfs
        { 0x01021994, NULL }, // tmpfs
        { 0x794c7630, NULL }, // overlayfs
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *name = NULL;
        assert_int_equal(db_is_network_fs(cases[i].type, &name), cases[i].name != NULL);
        if (cases[i].name)
            assert_string_equal(name, cases[i].name);
    }
}

// --- PostgreSQL ---

static struct bytes shown(struct db *db, const char *setting)
{
    char sql[64];
    struct db_rows rows;
    struct err err;
    (void)snprintf(sql, sizeof sql, "SHOW %s", setting);
    assert_true(db_query(db, &rows, sql, DB_NONE, test_arena(), &err));
    return db_cell_bytes(&rows, 0, 0);
}

// D2: "READ COMMITTED, set explicitly per transaction (a server's default may differ)"; and a server that
// answers before a commit is on its disk does not do so to us.
TEST(coordinator_F13_isolation_is_said_each_time)
{
    struct postgres pg;
    struct ledger_rig rig;
    struct err err;
    if (!postgres_start(&pg, "default_transaction_isolation=serializable;synchronous_commit=off"))
        skip();
    rig_postgres(&rig, &pg);
    assert_bytes_text(shown(rig.db, "transaction_isolation"),
                      "serializable"); // outside: the server's
    assert_true(db_begin(rig.db, &err));
    assert_bytes_text(shown(rig.db, "transaction_isolation"), "read committed");
    assert_bytes_text(shown(rig.db, "synchronous_commit"), "on");
    db_rollback(rig.db);
    assert_true(db_begin_reading(rig.db, &err));
    assert_bytes_text(shown(rig.db, "transaction_isolation"), "repeatable read");
    assert_bytes_text(shown(rig.db, "transaction_read_only"), "on");
    db_rollback(rig.db);
    rig_close(&rig);
    postgres_stop(&pg);
}

static void end_connections(struct ledger_rig *rig)
{
    AUTO(db_close) struct db *other = rig_connect(rig);
    struct err err;
    assert_true(
        db_script(other,
                  BYTES("SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity "
                        "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"),
                  &err));
}

TEST(a_lost_connection_is_opened_again)
{
    struct ledger_rig rig;
    struct err err;
    if (!rig_server())
        skip();
    rig_postgres(&rig, rig_server());
    // Between transactions nobody notices.
    end_connections(&rig);
    assert_true(db_begin(rig.db, &err));
    assert_true(db_exec(rig.db, NULL, "UPDATE wallet SET kind = 'other'", DB_NONE, &err));
    // Within one, it fails, and so does all of it.
    end_connections(&rig);
    assert_false(db_exec(rig.db, NULL, "UPDATE wallet SET kind = 'third'", DB_NONE, &err));
    assert_int_equal(db_fault(rig.db), DB_FAULT_LOST);
    assert_int_equal(code_of(&err), CODE_LEDGER_UNAVAILABLE);
    assert_false(db_exec(rig.db, NULL, "UPDATE wallet SET kind = 'third'", DB_NONE, &err));
    assert_int_equal(db_fault(rig.db), DB_FAULT_LOST);
    db_rollback(rig.db);
    assert_int_equal(rig_number(&rig, "SELECT count(*) FROM wallet WHERE kind = 'other'"), 0);
    rig_close(&rig);
}

// D2: "If the outcome of the commit is unknown, look the spend up by id before doing anything else."
TEST(an_unanswered_commit_is_unknown)
{
    struct ledger_rig rig;
    struct err err;
    if (!rig_server())
        skip();
    rig_postgres(&rig, rig_server());
    assert_true(db_begin(rig.db, &err));
    assert_true(db_exec(rig.db, NULL, "UPDATE wallet SET kind = 'other'", DB_NONE, &err));
    end_connections(&rig);
    assert_false(db_commit(rig.db, &err));
    assert_int_equal(db_fault(rig.db), DB_FAULT_UNKNOWN);
    assert_int_equal(err.code, ERR_PENDING);
    assert_int_equal(code_of(&err), CODE_LEDGER_UNAVAILABLE);
    db_rollback(rig.db);
    assert_int_equal(rig_number(&rig, "SELECT count(*) FROM wallet WHERE kind = 'other'"), 0);
    rig_close(&rig);
}

TEST(no_server_is_an_error)
{
    const struct db_options options = { .uri = "host=/nonexistent dbname=x connect_timeout=1" };
    struct db *db = NULL;
    struct err err;
    assert_false(db_open(&db, &options, &err));
    assert_int_equal(code_of(&err), CODE_LEDGER_UNAVAILABLE);
    assert_null(db);
}

// --- Ids ---

TEST(ids_sort_by_time)
{
    char a[37], b[37];
    const int64_t now_us = 1795279200123456; // 2026-11-21
    db_new_id(a, now_us);
    db_new_id(b, now_us + 1);
    assert_int_equal(strlen(a), 36);
    assert_true(strcmp(a, b) < 0);
    assert_memory_equal(a, b, 15); // the same millisecond: 1795279200123 is 0x1a1ff...
    assert_int_equal(a[14], '7');
    assert_non_null(strchr("89ab", a[19]));
    assert_int_equal(a[8], '-');
    assert_int_equal(a[23], '-');
}
