// What a person with the disk in another machine could do to a store, and that unlocking says so.
#include "signer/store_internal.h"
#include "tests/support/test.h"
#include <sys/stat.h>
#include <sys/wait.h>

static const uint8_t key[STORE_KEY_LEN] = "the key of a store under attack";

static struct hash256 hash_of(const char *text)
{
    return sha256(bytes_of_text(text));
}

static void run_sql(struct store *store, const char *sql)
{
    if (sqlite3_exec(store->db->sql, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(store->db->sql));
}

static void spend(struct store *store, uint64_t sats)
{
    struct velocity v = { .running = true, .start_s = 1, .spent = { { sats } } };
    const struct store_amount amounts[] = { { { hash_of("tx"), 1 }, { sats } },
                                            { { hash_of("tx"), 2 }, { 2 * sats } } };
    const struct store_progress progress = { BYTES("alice"), { sats, false } };
    const struct store_decision d = { .policy_hash = hash_of("p"),
                                      .velocity = &v,
                                      .progress = &progress,
                                      .n_progress = 1,
                                      .amounts = amounts,
                                      .n_amounts = 2,
                                      .journal_line = BYTES("{\"seq\": 0}") };
    struct err err;
    assert_true(store_commit_decision(store, &d, &err));
}

// A store with something in every table and row.
static struct store *full_store(void)
{
    AUTO(store_tx_end) struct store_tx tx = { 0 };
    struct store *store;
    struct err err;
    const struct user alice = {
        .name = "alice", .name_len = 5, .mode = USER_TOTP, .secret_len = 10
    };
    const struct store_wallet wallet = { BYTES("w"), BYTES("a wallet") };
    const struct store_policy policy = { .form = BYTES("a policy") };
    const struct velocity none = { 0 };
    const struct store_activation a = { .policy = &policy,
                                        .has_locker = true,
                                        .locker = BYTES("0123456789abcdef"),
                                        .policy_hash = hash_of("p"),
                                        .velocity = &none,
                                        .journal_line = BYTES("{\"seq\": 1}") };
    assert_true(store_create(&store, test_dir(), &err));
    run_sql(store, "PRAGMA synchronous = OFF"); // thousands of changes follow
    store_unlock_new(store, key);
    assert_true(store_begin(&tx, store, &err));
    assert_true(store_put_row(&tx, ROW_SECRET, BYTES("secret"), &err));
    assert_true(store_commit(&tx, &err));
    assert_true(store_add_user(store, &alice, BYTES(""), &err));
    assert_true(store_put_wallet(store, &wallet, BYTES(""), &err));
    assert_true(store_activate(store, &a, &err));
    spend(store, 1000);
    return store;
}

static void assert_unlocks(struct store *store)
{
    struct err err;
    if (!store_unlock(store, key, &err))
        fail_msg("%s", err.text);
}

static void assert_refused(struct store *store, const char *what)
{
    struct err err = { 0 };
    if (store_unlock(store, key, &err))
        fail_msg("not noticed: %s", what);
    if (err.code != ERR_INVALID)
        fail_msg("%s: %s", what, err.text);
    assert_false(store_is_unlocked(store));
}

// Runs the statement, which must be noticed, and undoes it.
static void assert_noticed(struct store *store, const char *sql)
{
    run_sql(store, "SAVEPOINT tamper");
    run_sql(store, sql);
    assert_refused(store, sql);
    run_sql(store, "ROLLBACK TO tamper");
    run_sql(store, "RELEASE tamper");
}

struct blob {
    char table[16];
    sqlite3_int64 rowid;
    uint8_t b[8192];
    size_t len;
};

static size_t read_blobs(struct store *store, struct blob *out, size_t max)
{
    sqlite3_stmt *s;
    size_t n = 0;
    assert_int_equal(sqlite3_prepare_v2(store->db->sql,
                                        "SELECT 'sealed', rowid, blob FROM sealed UNION ALL "
                                        "SELECT 'lines', rowid, blob FROM lines",
                                        -1, &s, NULL),
                     SQLITE_OK);
    for (; sqlite3_step(s) == SQLITE_ROW; n++) {
        assert_true(n < max);
        (void)snprintf(out[n].table, sizeof out[n].table, "%s",
                       (const char *)sqlite3_column_text(s, 0));
        out[n].rowid = sqlite3_column_int64(s, 1);
        out[n].len = (size_t)sqlite3_column_bytes(s, 2);
        assert_true(out[n].len <= sizeof out[n].b);
        memcpy(out[n].b, sqlite3_column_blob(s, 2), out[n].len);
    }
    (void)sqlite3_finalize(s);
    return n;
}

static void write_blob(struct store *store, const struct blob *blob, size_t len)
{
    sqlite3_stmt *s;
    char sql[128];
    (void)snprintf(sql, sizeof sql, "UPDATE %s SET blob = ?1 WHERE rowid = ?2", blob->table);
    assert_int_equal(sqlite3_prepare_v2(store->db->sql, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_bind_blob(s, 1, blob->b, (int)len, SQLITE_STATIC), SQLITE_OK);
    assert_int_equal(sqlite3_bind_int64(s, 2, blob->rowid), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_DONE);
    (void)sqlite3_finalize(s);
}

TEST(a_flipped_byte_in_any_blob_is_noticed)
{
    struct store *store = full_store();
    struct blob *blobs = arena_array(test_arena(), 32, sizeof *blobs);
    const size_t n = read_blobs(store, blobs, 32);
    assert_int_equal(n, 9); // state, secret, users, wallets, policy, locker, velocity; two lines
    for (size_t i = 0; i < n; i++) {
        for (size_t at = 0; at < blobs[i].len; at++) {
            char what[64];
            (void)snprintf(what, sizeof what, "%s %lld, byte %zu", blobs[i].table,
                           (long long)blobs[i].rowid, at);
            blobs[i].b[at] ^= (uint8_t)(1u << at % 8);
            write_blob(store, &blobs[i], blobs[i].len);
            assert_refused(store, what);
            blobs[i].b[at] ^= (uint8_t)(1u << at % 8);
        }
        write_blob(store, &blobs[i], blobs[i].len / 2);
        assert_refused(store, "half a blob");
        write_blob(store, &blobs[i], 0);
        assert_refused(store, "an empty blob");
        write_blob(store, &blobs[i], blobs[i].len);
        assert_unlocks(store);
    }
    store_close(store);
}

TEST(a_row_in_another_rows_place_is_noticed)
{
    static const char *const names[] = {
        "state", "secret", "policy", "users", "wallets", "locker"
    };
    struct store *store = full_store();
    for (size_t i = 0; i < COUNT(names); i++) {
        for (size_t k = 0; k < COUNT(names); k++) {
            char sql[160];
            if (i == k)
                continue;
            (void)snprintf(sql, sizeof sql,
                           "UPDATE sealed SET blob = (SELECT blob FROM sealed WHERE name = '%s') "
                           "WHERE name = '%s'",
                           names[i], names[k]);
            assert_noticed(store, sql);
        }
    }
    assert_unlocks(store);
    store_close(store);
}

TEST(removed_added_and_renamed_rows_are_noticed)
{
    static const char *const statements[] = {
        "DELETE FROM sealed WHERE name = 'state'",
        "DELETE FROM sealed WHERE name = 'users'",
        "DELETE FROM sealed WHERE name = 'policy'",
        "DELETE FROM sealed WHERE name = 'locker'",
        "DELETE FROM sealed WHERE name LIKE 'velocity/%'", // would forget what was spent
        "DELETE FROM sealed",
        "UPDATE sealed SET name = 'velocity/00' WHERE name LIKE 'velocity/%'",
        "INSERT INTO sealed SELECT 'more', blob FROM sealed WHERE name = 'users'",
        "DELETE FROM lines",
        "DELETE FROM lines WHERE seq = 1",
        "DELETE FROM lines WHERE seq = 2",
        "INSERT INTO lines SELECT 3, blob FROM lines WHERE seq = 2",
        "INSERT INTO lines SELECT 0, blob FROM lines WHERE seq = 1",
        "UPDATE lines SET seq = 4 - seq",
        "UPDATE lines SET blob = (SELECT blob FROM lines WHERE seq = 1)",
    };
    struct store *store = full_store();
    for (size_t i = 0; i < COUNT(statements); i++)
        assert_noticed(store, statements[i]);
    assert_unlocks(store);
    store_close(store);
}

TEST(a_changed_amount_memory_is_noticed)
{
    static const char *const statements[] = {
        "DELETE FROM amounts",
        "DELETE FROM amounts WHERE seq = 0",
        "UPDATE amounts SET sats = sats + 1 WHERE seq = 0",
        "UPDATE amounts SET sats = -1 WHERE seq = 0",
        "UPDATE amounts SET seq = seq + 10 WHERE seq = 0",
        "UPDATE amounts SET outpoint = zeroblob(32) WHERE seq = 0",
        "UPDATE amounts SET outpoint = zeroblob(31) WHERE seq = 0",
        "INSERT INTO amounts VALUES(7, zeroblob(32), 5)",
        // Two entries exchange their amounts: the plain sum of the amounts would stay.
        "UPDATE amounts SET sats = 3000 - sats",
    };
    struct store *store = full_store();
    for (size_t i = 0; i < COUNT(statements); i++)
        assert_noticed(store, statements[i]);
    assert_unlocks(store);
    store_close(store);
}

// Every row of an older copy, put back alone: its seal and its name are good, its time is not.
TEST(a_row_of_an_older_copy_is_noticed)
{
    struct store *store = full_store();
    struct blob *old = arena_array(test_arena(), 32, sizeof *old);
    struct blob *new = arena_array(test_arena(), 32, sizeof *new);
    const size_t n = read_blobs(store, old, 32);
    size_t changed = 0;
    spend(store, 2000);
    assert_int_equal(read_blobs(store, new, 32), n + 1);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n + 1; k++) {
            // A row that is written anew gets another rowid: the old blob is tried in each place.
            if (strcmp(old[i].table, new[k].table) != 0 ||
                (old[i].len == new[k].len &&memcmp(old[i].b, new[k].b, old[i].len) == 0))
                continue;
            struct blob put = old[i];
            put.rowid = new[k].rowid;
            write_blob(store, &put, put.len);
            assert_refused(store, "an older row");
            write_blob(store, &new[k], new[k].len);
            changed++;
        }
    }
    assert_true(changed > 20);
    assert_unlocks(store);
    store_close(store);
}

TEST(another_stores_rows_and_another_key_are_refused)
{
    struct store *store = full_store();
    uint8_t other[STORE_KEY_LEN];
    struct err err;
    memcpy(other, key, sizeof other);
    for (size_t i = 0; i < sizeof other; i++) {
        other[i] ^= 0x80;
        assert_false(store_unlock(store, other, &err));
        assert_int_equal(err.code, ERR_INVALID);
        other[i] ^= 0x80;
    }
    assert_unlocks(store);
    store_close(store);
}

TEST(errors_name_what_was_tampered_with)
{
    struct store *store = full_store();
    struct err err;
    char text[512];
    run_sql(store, "DELETE FROM sealed WHERE name = 'users'");
    (void)snprintf(text, sizeof text,
                   "%s/signer.db: 'users' is not the version that was written last; restore the "
                   "store from a backup",
                   test_dir());
    assert_false(store_unlock(store, key, &err));
    assert_err(&err, ERR_INVALID, text);
    store_close(store);
}

// --- The file itself ---

static const char *path_of(const char *name)
{
    char *path = arena_alloc(test_arena(), 256);
    (void)snprintf(path, 256, "%s/%s", test_dir(), name);
    return path;
}

// Writes to the file, and gives what stood there. `old` and `with` may be the same.
static void exchange(long at, uint8_t *old, const uint8_t *with, size_t len)
{
    uint8_t stood[16];
    FILE *f = fopen(path_of("signer.db"), "r+b");
    assert_non_null(f);
    assert_true(len <= sizeof stood);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    assert_int_equal(fread(stood, 1, len, f), len);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    assert_int_equal(fwrite(with, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
    memcpy(old, stood, len);
}

static struct hash256 hash_of_files(void)
{
    static const char *const names[] = { "signer.db", "signer.db-wal" };
    struct sha256 ctx;
    sha256_init(&ctx);
    for (size_t i = 0; i < COUNT(names); i++) {
        uint8_t buffer[4096];
        size_t got;
        FILE *f = fopen(path_of(names[i]), "rb");
        while (f && (got = fread(buffer, 1, sizeof buffer, f)) > 0)
            sha256_update(&ctx, bytes_of(buffer, got));
        if (f)
            assert_int_equal(fclose(f), 0);
    }
    return sha256_final(&ctx);
}

TEST(a_damaged_file_is_named_and_left_alone)
{
    static const struct {
        long at;
        const char *with, *text;
    } cases[] = {
        { 0, "no database", "%s/signer.db: damaged; restore it from a backup" },
        { 68, "XXXX", "%s/signer.db: is not the store of a signer; restore it from a backup" },
        { 4096, "XXXXXXXXXXXXXXXX", "%s/signer.db: damaged; restore it from a backup" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct store *store = i == 0 ? full_store() : NULL;
        char text[512];
        struct err err;
        store_close(store);
        uint8_t good[16];
        exchange(cases[i].at, good, (const uint8_t *)cases[i].with, strlen(cases[i].with));
        const struct hash256 before = hash_of_files();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(text, sizeof text, cases[i].text, test_dir());
#pragma GCC diagnostic pop
        assert_false(store_open(&store, test_dir(), &err));
        assert_err(&err, ERR_INVALID, text);
        const struct hash256 after = hash_of_files();
        assert_bytes_equal(BYTES_OF(before.b), BYTES_OF(after.b));
        exchange(cases[i].at, good, good, strlen(cases[i].with));
        assert_true(store_open(&store, test_dir(), &err));
        store_close(store);
    }
}

TEST(foreign_tables_views_and_triggers_are_refused)
{
    static const char *const statements[] = {
        "CREATE TABLE more(x)",
        "CREATE VIEW more AS SELECT * FROM sealed",
        "CREATE TRIGGER more AFTER INSERT ON sealed BEGIN DELETE FROM amounts; END",
        "CREATE INDEX more ON amounts(sats)",
        "ALTER TABLE amounts ADD COLUMN more INTEGER",
        "DROP TABLE lines",
    };
    struct store *store = full_store();
    store_close(store);
    for (size_t i = 0; i < COUNT(statements); i++) {
        sqlite3 *sql;
        struct err err;
        char path[256], text[512];
        (void)snprintf(path, sizeof path, "%s/signer.db", test_dir());
        (void)snprintf(text, sizeof text,
                       "%s: has other tables than ours; restore it from a backup", path);
        assert_int_equal(sqlite3_open(path, &sql), SQLITE_OK);
        assert_int_equal(sqlite3_exec(sql, statements[i], NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_close(sql), SQLITE_OK);
        assert_false(store_open(&store, test_dir(), &err));
        assert_err(&err, ERR_INVALID, text);
        if (i + 1 == COUNT(statements))
            break;
        static const char *const undo[] = { "DROP TABLE more", "DROP VIEW more",
                                            "DROP TRIGGER more", "DROP INDEX more",
                                            "ALTER TABLE amounts DROP COLUMN more" };
        assert_int_equal(sqlite3_open(path, &sql), SQLITE_OK);
        assert_int_equal(sqlite3_exec(sql, undo[i], NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_close(sql), SQLITE_OK);
    }
}

// Two copies of a store went on apart; a line of one is put into the other. Seal and number are good.
TEST(a_line_of_another_history_is_noticed)
{
    struct store *store = full_store();
    struct bytes blob;
    struct err err;
    uint8_t content[32 + 4] = { 0 };
    const struct store_keys *keys = store_open_keys(store);
    assert_true(store_seal(&blob, "line/2", BYTES_OF(content), keys->rows, test_arena()));
    store_close_keys(store);
    struct blob line = { .table = "lines", .rowid = 2, .len = blob.len };
    memcpy(line.b, blob.ptr, blob.len);
    write_blob(store, &line, line.len);
    char text[512];
    (void)snprintf(text, sizeof text,
                   "%s/signer.db: journal line 2 is not the one that was written; restore it from "
                   "a backup",
                   test_dir());
    assert_false(store_unlock(store, key, &err));
    assert_err(&err, ERR_INVALID, text);
    store_close(store);
}

// Also a log that a dead process left beside the file stays as it is when the store is refused.
TEST(a_refused_store_keeps_its_write_ahead_log)
{
    struct store *store = full_store();
    struct err err;
    store_close(store);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        sqlite3 *sql;
        const bool made = sqlite3_open(path_of("signer.db"), &sql) == SQLITE_OK &&
                          sqlite3_exec(sql, "CREATE TABLE more(x)", NULL, NULL, NULL) == SQLITE_OK;
        _exit(made ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    struct stat st;
    assert_int_equal(stat(path_of("signer.db-wal"), &st), 0);
    assert_true(st.st_size > 0);
    const struct hash256 before = hash_of_files();
    assert_false(store_open(&store, test_dir(), &err));
    assert_int_equal(err.code, ERR_INVALID);
    const struct hash256 after = hash_of_files();
    assert_bytes_equal(BYTES_OF(before.b), BYTES_OF(after.b));
}
