// The schema's steps: from nothing and from every earlier one, on both stores.
#include "coordinator/migrate.h"
#include "base/file.h"
#include "coordinator/invariants.h"
#include "tests/support/ledger_rig.h"
#include "tests/support/test.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// A store with nothing in it, at rig->db.
static void empty(struct ledger_rig *rig)
{
    struct err err;
    if (db_is_postgres(rig->db)) {
        rig_exec(rig, "DROP SCHEMA casemate CASCADE");
        return;
    }
    char path[320];
    db_close(&rig->db);
    (void)snprintf(path, sizeof path, "%s-wal", rig->place);
    (void)unlink(path);
    assert_int_equal(unlink(rig->place), 0);
    assert_true(db_open(&rig->db, &rig->options, &err));
}

static struct migrate_state state_of(struct ledger_rig *rig)
{
    struct migrate_state state;
    struct err err;
    if (!migrate_state(rig->db, &state, migrate_steps(), &err))
        fail_msg("%s", err.text);
    return state;
}

static void insert_some(struct ledger_rig *rig)
{
    rig_exec(rig, "INSERT INTO setting(key, value) VALUES('kept', 'yes')");
}

TEST_BOTH(coordinator_F51_from_every_earlier_step)
{
    const struct migrate_steps *all = migrate_steps();
    struct err err;
    assert_true(all->n >= 2);
    for (size_t from = 0; from <= all->n; from++) {
        const struct migrate_steps some = { all->items, from };
        empty(rig);
        assert_true(migrate_apply(rig->db, &some, &err));
        assert_int_equal(state_of(rig).applied, from);
        if (from > 0)
            insert_some(rig);
        assert_true(migrate_apply(rig->db, all, &err));
        assert_int_equal(state_of(rig).applied, all->n);
        assert_int_equal(rig_number(rig, "SELECT count(*) FROM schema_version"), all->n);
        if (from > 0)
            assert_int_equal(rig_number(rig, "SELECT count(*) FROM setting WHERE value = 'yes'"),
                             1);
        assert_true(migrate_apply(rig->db, all, &err)); // again: nothing
        assert_true(invariants_check(rig->db, &err));
    }
}

#define WALLET_OF(hash)                                                                            \
    "INSERT INTO wallet(id, name, network, k, n, kind, desc_receive, desc_change, desc_hash, "     \
    "status, settle_depth) VALUES('w', 'w', 'regtest', 1, 1, 'wsh', 'r', 'c', " hash               \
    ", 'active', 6); INSERT INTO velocity_guard(wallet_id, window_s, cap_auto, cap_surge, "        \
    "fee_cap) VALUES('w', 3600, 1000, 1000, 1000)"

// Step 3 begins with sums of nothing; what a ledger has sent before counts at once, and after the sums were moved.
TEST_BOTH(coordinator_F51_what_was_sent_before_the_running_sums_counts)
{
    const struct migrate_steps before = { migrate_steps()->items, 2 };
    struct velocity_view v;
    struct err err;
    int64_t now_us;
    empty(rig);
    assert_true(migrate_apply(rig->db, &before, &err));
    assert_true(db_now_us(rig->db, &now_us, &err));
    rig_exec(rig, db_is_postgres(rig->db) ? WALLET_OF("convert_to(repeat('a', 32), 'UTF8')")
                                          : WALLET_OF("zeroblob(32)"));
    for (int64_t age_s = 0; age_s < 5000; age_s += 1000) { // of one hour
        char id[16];
        (void)snprintf(id, sizeof id, "s%d", (int)age_s);
        assert_true(db_exec(rig->db, NULL,
                            "INSERT INTO spend(id, wallet_id, request_id, body_hash, tier, amount, "
                            "state, state_at) SELECT $1, 'w', $1, desc_hash, 'auto', 100, "
                            "'settled', 0 FROM wallet",
                            DB_ARGS(db_text(id)), &err));
        assert_true(db_exec(rig->db, NULL,
                            "INSERT INTO reservation(spend_id, wallet_id, sat, fee, fee_at, "
                            "status, reserved_at, first_sent_at, window_s, cap, spent_before) "
                            "VALUES($1, 'w', 100, 1, $2, 'sent', $2, $2, 3600, 1000, 0)",
                            DB_ARGS(db_text(id), db_int(now_us - age_s * 1000000)), &err));
    }
    assert_true(migrate_apply(rig->db, migrate_steps(), &err));
    for (unsigned reconciled = 0; reconciled < 2; reconciled++) {
        assert_true(ledger_velocity(rig->db, &v, "w", &err));
        assert_int_equal(v.sent.n, 400);
        assert_int_equal(v.fees.n, 4);
        assert_int_equal(rig_number(rig, "SELECT sum_sent FROM velocity_guard"),
                         reconciled ? 400 : 0);
        assert_true(ledger_reconciled(rig->db, "w", &err));
    }
}

// Each table of D16 is there, and has created_at.
TEST_BOTH(all_tables_of_D16)
{
    static const char *const tables[] = {
        "wallet",        "velocity_guard",  "signer",         "wallet_signer", "signer_status",
        "signer_lease",  "policy_version",  "policy_install", "principal",     "role_grant",
        "api_token",     "login_challenge", "session",        "destination",   "change_request",
        "approval",      "spend",           "spend_output",   "reservation",   "attempt",
        "attempt_input", "input_lock",      "sign_request",   "chain_cursor",  "foreign_outflow",
        "refill_policy", "refill_run",      "message_proof",  "event",         "outbox",
        "hook",          "setting",
    };
    for (size_t i = 0; i < COUNT(tables); i++) {
        char sql[128];
        (void)snprintf(sql, sizeof sql, "SELECT count(created_at) FROM %s", tables[i]);
        (void)rig_number(rig, sql);
    }
    assert_int_equal(rig_number(rig, "SELECT count(applied_at) FROM schema_version"),
                     migrate_steps()->n);
    // The default of created_at is the store's clock in microseconds, as db_now_us.
    int64_t now_us;
    struct err err;
    insert_some(rig);
    assert_true(db_now_us(rig->db, &now_us, &err));
    assert_in_range(now_us - rig_number(rig, "SELECT created_at FROM setting"), 0, 20000000);
}

TEST_BOTH(coordinator_F51_a_store_of_another_version_is_refused)
{
    const struct migrate_steps *all = migrate_steps();
    const struct migrate_steps older = { all->items, all->n - 1 };
    struct migrate_step changed[16];
    struct migrate_state state;
    struct err err;
    char expected[128];
    assert_false(migrate_state(rig->db, &state, &older, &err));
    (void)snprintf(expected, sizeof expected,
                   "the ledger has step %zu, this program knows %zu: it is newer", all->n,
                   all->n - 1);
    assert_err(&err, ERR_UNSUPPORTED, expected);
    assert_false(migrate_apply(rig->db, &older, &err));
    assert_true(all->n <= COUNT(changed));
    memcpy(changed, all->items, all->n * sizeof changed[0]);
    changed[1].hash.b[31] ^= 1;
    const struct migrate_steps other = { changed, all->n };
    assert_false(migrate_apply(rig->db, &other, &err));
    assert_err(&err, ERR_INVALID, "step 2 of the ledger is another than this program's");
}

TEST_BOTH(a_step_that_fails_leaves_nothing)
{
    const struct migrate_steps *all = migrate_steps();
    struct migrate_step steps[16];
    struct err err;
    memcpy(steps, all->items, all->n * sizeof steps[0]);
    steps[all->n] =
        (struct migrate_step){ .number = (unsigned)all->n + 1,
                               .name = "bad",
                               .sql = { BYTES("CREATE TABLE half (x INTEGER); SELECT nonsense;"),
                                        BYTES("CREATE TABLE half (x bigint); SELECT nonsense;") } };
    const struct migrate_steps more = { steps, all->n + 1 };
    assert_false(migrate_apply(rig->db, &more, &err));
    assert_int_equal(state_of(rig).applied, all->n);
    assert_false(db_exec(rig->db, NULL, "INSERT INTO half(x) VALUES(1)", DB_NONE, &err));
}

// --- At start ---

TEST(coordinator_F51_sqlite_is_copied_and_brought_up_to_date)
{
    const struct migrate_steps *all = migrate_steps();
    const struct migrate_steps first = { all->items, 1 };
    struct ledger_rig rig, old;
    char copy[320];
    struct err err;
    rig_sqlite(&rig);
    empty(&rig);
    assert_true(migrate_at_start(rig.db, &rig.options, &err)); // a new one: nothing to copy
    (void)snprintf(copy, sizeof copy, "%s.step-0", rig.place);
    assert_int_equal(access(copy, F_OK), -1);
    empty(&rig);
    assert_true(migrate_apply(rig.db, &first, &err));
    insert_some(&rig);
    assert_true(migrate_at_start(rig.db, &rig.options, &err));
    assert_int_equal(state_of(&rig).applied, all->n);
    (void)snprintf(copy, sizeof copy, "%s.step-1", rig.place);
    old = (struct ledger_rig){ .options = { .path = copy } };
    assert_true(db_open(&old.db, &old.options, &err));
    assert_int_equal(state_of(&old).applied, 1);
    assert_int_equal(rig_number(&old, "SELECT count(*) FROM setting WHERE value = 'yes'"), 1);
    rig_close(&old);
    assert_true(migrate_at_start(rig.db, &rig.options, &err));
    rig_close(&rig);
}

TEST(coordinator_F51_postgresql_is_for_migrate_alone)
{
    const struct migrate_steps *all = migrate_steps();
    const struct migrate_steps first = { all->items, 1 };
    struct ledger_rig rig;
    struct err err;
    char expected[128];
    if (!rig_server())
        skip();
    rig_postgres(&rig, rig_server());
    assert_true(migrate_at_start(rig.db, &rig.options, &err));
    empty(&rig);
    assert_true(migrate_apply(rig.db, &first, &err));
    assert_false(migrate_at_start(rig.db, &rig.options, &err));
    (void)snprintf(expected, sizeof expected,
                   "the ledger has step 1 of %zu: run casemate-coordinator migrate", all->n);
    assert_err(&err, ERR_STATE, expected);
    assert_int_equal(state_of(&rig).applied, 1);
    rig_close(&rig);
}

static void *apply(void *context)
{
    const struct ledger_rig *rig = context;
    struct db *db = rig_connect(rig);
    struct err err;
    const bool ok = migrate_apply(db, migrate_steps(), &err);
    if (!ok)
        print_message("# %s\n", err.text);
    db_close(&db);
    return ok ? context : NULL;
}

TEST_BOTH(two_at_once_do_it_once)
{
    pthread_t threads[4];
    void *result;
    empty(rig);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, apply, rig), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
    }
    assert_int_equal(state_of(rig).applied, migrate_steps()->n);
}

// --- Rights ---

TEST_BOTH(what_is_evidence_stays)
{
    static const char *const refused[] = {
        "UPDATE event SET actor = 'nobody'", "DELETE FROM event",
        "DELETE FROM reservation",           "DELETE FROM attempt",
        "DELETE FROM sign_request",          "DELETE FROM foreign_outflow",
    };
    struct attempt a;
    struct err err;
    const struct hash256 txid = { { 1 } };
    const struct sighting seen = { .where = SIGHT_MEMPOOL };
    bool is_new;
    (void)rig_sent(rig, 1, &a);
    assert_true(ledger_foreign(rig->db, rig->wallet, &txid, (struct sats){ 1 }, (struct sats){ 1 },
                               &seen, false, &is_new, &err));
    for (size_t i = 0; i < COUNT(refused); i++) {
        assert_false(db_exec(rig->db, NULL, refused[i], DB_NONE, &err));
        assert_int_equal(db_fault(rig->db), DB_FAULT_CONSTRAINT);
    }
}

TEST(coordinator_F51_serve_has_a_role_that_may_not_change_tables)
{
    static const char *const refused[] = {
        "DROP TABLE hook",
        "ALTER TABLE hook ADD COLUMN x text",
        "CREATE TABLE mine (x text)",
        "DELETE FROM reservation",
        "DELETE FROM spend",
        "UPDATE event SET actor = 'x'",
        "UPDATE schema_version SET step = 9",
    };
    struct ledger_rig rig;
    struct err err;
    char uri[320];
    if (!rig_server())
        skip();
    rig_postgres(&rig, rig_server());
    assert_false(migrate_grant(rig.db, "bad\"; DROP", &err));
    rig_exec(&rig, "DROP ROLE IF EXISTS serve");
    rig_exec(&rig, "CREATE ROLE serve LOGIN");
    assert_true(migrate_grant(rig.db, "serve", &err));
    (void)snprintf(uri, sizeof uri, "%s user=serve", rig.place);
    const struct db_options options = { .uri = uri };
    struct db *owner = rig.db;
    rig.db = NULL;
    assert_true(db_open(&rig.db, &options, &err));
    for (size_t i = 0; i < COUNT(refused); i++)
        assert_false(db_exec(rig.db, NULL, refused[i], DB_NONE, &err));
    assert_true(migrate_at_start(rig.db, &options, &err));
    // And yet it can do all its work.
    struct attempt a;
    struct spend s = rig_sent(&rig, 1, &a);
    s = rig_reserved(&rig, 1);
    assert_true(ledger_end(rig.db, &s, SPEND_FAILED, CODE_NONE, "", &err));
    rig_close(&rig);
    rig.db = owner;
    rig_exec(&rig, "DROP OWNED BY serve; DROP ROLE serve");
    rig_close(&rig);
}
