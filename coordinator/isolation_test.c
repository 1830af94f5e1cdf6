// The isolation table of D2, on the real server: why the guard row and read committed are part of the contract.
#include "coordinator/invariants.h"
#include "coordinator/ledger.h"
#include "tests/support/ledger_rig.h"
#include "tests/support/test.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WRITERS = 12 };

// --- The table: a naive admission, "sum, compare, insert", under each isolation and lock ---

struct table {
    const struct ledger_rig *rig;
    const char *isolation, *lock;
    pthread_barrier_t ready, summed;
    bool together; // no lock: all have their sum before the first inserts
    atomic_int first, admitted, aborted;
};

// Until all others wait for what this one has: each of them for one lock, that of the row too.
static void wait_for_others(const struct table *t)
{
    AUTO(db_close) struct db *db = rig_connect(t->rig);
    struct err err;
    for (int ms = 0; ms < 20000; ms += 5) {
        AUTO(arena_freep) struct arena *arena = arena_new(1 << 14);
        struct db_rows rows;
        if (!db_query(db, &rows, "SELECT count(*) FROM pg_locks WHERE NOT granted", DB_NONE, arena,
                      &err) ||
            db_cell_int(&rows, 0, 0) >= WRITERS - 1)
            return;
        (void)usleep(5000);
    }
}

static bool admit(struct db *db, struct table *t, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 16);
    struct db_rows rows;
    char sql[64];
    (void)snprintf(sql, sizeof sql, "SET TRANSACTION ISOLATION LEVEL %s", t->isolation);
    if (!db_script(db, bytes_of_text(sql), err))
        return false;
    if (t->lock && !db_script(db, bytes_of_text(t->lock), err))
        return false;
    if (t->lock && atomic_fetch_add(&t->first, 1) == 0)
        wait_for_others(t);
    if (!db_query(db, &rows, "SELECT CAST(coalesce(sum(sat), 0) AS bigint) FROM naive", DB_NONE,
                  arena, err))
        return false;
    if (t->together)
        (void)pthread_barrier_wait(&t->summed);
    if (db_cell_int(&rows, 0, 0) + 100 > 500)
        return false;
    return db_exec(db, NULL, "INSERT INTO naive(sat) VALUES(100)", DB_NONE, err);
}

static void *write_once(void *context)
{
    struct table *t = context;
    struct db *db = rig_connect(t->rig);
    struct err err;
    (void)pthread_barrier_wait(&t->ready);
    if (db_begin(db, &err) && admit(db, t, &err) && db_commit(db, &err))
        atomic_fetch_add(&t->admitted, 1);
    else if (db_fault(db) == DB_FAULT_RETRY)
        atomic_fetch_add(&t->aborted, 1);
    db_close(&db);
    return NULL;
}

static void run_table(struct ledger_rig *rig, struct table *t)
{
    pthread_t threads[WRITERS];
    rig_exec(rig, "TRUNCATE naive");
    t->rig = rig;
    t->first = t->admitted = t->aborted = 0;
    (void)pthread_barrier_init(&t->ready, NULL, WRITERS);
    (void)pthread_barrier_init(&t->summed, NULL, WRITERS);
    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_once, t), 0);
    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    (void)pthread_barrier_destroy(&t->ready);
    (void)pthread_barrier_destroy(&t->summed);
}

// Admitted satoshi of 12 writers of 100 against a cap of 500. Serializable aborts instead of waiting: how many
// come through is chance, but never past the cap.
TEST(coordinator_F14_isolation_table_of_D2)
{
    static const char *const advisory = "SELECT pg_advisory_xact_lock(1)",
                             *guard = "SELECT 1 FROM velocity_guard FOR UPDATE",
                             *whole = "LOCK TABLE naive IN EXCLUSIVE MODE";
    static const struct {
        const char *isolation;
        int none, advisory, guard, whole; // -1: at least one, at most five
    } cases[] = {
        { "READ COMMITTED", 12, 5, 5, 5 },
        { "REPEATABLE READ", 12, 12, 12, 5 },
        { "SERIALIZABLE", -1, -1, -1, -1 },
    };
    struct ledger_rig rig;
    if (!rig_server())
        skip();
    rig_postgres(&rig, rig_server());
    rig_exec(&rig, "CREATE TABLE naive (sat bigint NOT NULL)");
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *const locks[] = { NULL, advisory, guard, whole };
        const int expected[] = { cases[i].none, cases[i].advisory, cases[i].guard, cases[i].whole };
        for (size_t l = 0; l < COUNT(locks); l++) {
            struct table t = { .isolation = cases[i].isolation,
                               .lock = locks[l],
                               .together = !locks[l] };
            run_table(&rig, &t);
            print_message("# %-15s %-8s admitted %4d, aborted %d\n", t.isolation,
                          l == 0   ? "no lock"
                          : l == 1 ? "advisory"
                          : l == 2 ? "guard"
                                   : "table",
                          t.admitted * 100, t.aborted);
            if (expected[l] >= 0)
                assert_int_equal(t.admitted, expected[l]);
            else
                assert_in_range(t.admitted, 1, 5);
        }
    }
    rig_close(&rig);
}

// --- Ours ---

struct writers {
    const struct ledger_rig *rig;
    struct spend spends[WRITERS];
    pthread_barrier_t ready;
    atomic_int next, admitted, refused, failed;
};

static void *reserve_once(void *context)
{
    struct writers *w = context;
    struct db *db = rig_connect(w->rig);
    struct spend *s = &w->spends[atomic_fetch_add(&w->next, 1)];
    struct err err;
    (void)pthread_barrier_wait(&w->ready);
    if (ledger_reserve(db, s, (struct sats){ 1 }, &err))
        atomic_fetch_add(&w->admitted, 1);
    else if (code_of(&err) == CODE_VELOCITY_EXCEEDED)
        atomic_fetch_add(&w->refused, 1);
    else {
        print_message("# %s\n", err.text);
        atomic_fetch_add(&w->failed, 1);
    }
    db_close(&db);
    return NULL;
}

// Twelve at once: five come in, seven are told why, none fails.
static void assert_cap_held(struct ledger_rig *rig)
{
    struct writers w = { .rig = rig };
    pthread_t threads[WRITERS];
    struct err err;
    for (size_t i = 0; i < WRITERS; i++)
        w.spends[i] = rig_claimed(rig, 100);
    (void)pthread_barrier_init(&w.ready, NULL, WRITERS);
    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reserve_once, &w), 0);
    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    (void)pthread_barrier_destroy(&w.ready);
    assert_int_equal(w.admitted, 5);
    assert_int_equal(w.refused, 7);
    assert_int_equal(w.failed, 0);
    assert_int_equal(rig_number(rig, "SELECT reserved_open FROM velocity_guard"), 500);
    if (!invariants_check(rig->db, &err))
        fail_msg("%s", err.text);
}

TEST_BOTH(coordinator_F14_C7_twelve_writers_never_pass_the_cap)
{
    assert_cap_held(rig);
}

// Each of them is what a server may be set to.
TEST(coordinator_F14_whatever_the_server_defaults_to)
{
    static const char *const defaults[] = { "repeatable read", "serializable" };
    for (size_t i = 0; i < COUNT(defaults); i++) {
        char setting[64];
        struct postgres pg;
        struct ledger_rig rig;
        (void)snprintf(setting, sizeof setting, "default_transaction_isolation=%s", defaults[i]);
        if (!postgres_start(&pg, setting))
            skip();
        rig_postgres(&rig, &pg);
        assert_cap_held(&rig);
        rig_close(&rig);
        postgres_stop(&pg);
    }
}
