// tests/support/ledger_rig.h -- a ledger with one 2-of-3 wallet, for tests; in SQLite or in PostgreSQL.
//
//   struct ledger_rig rig;
//   rig_sqlite(&rig);
//   struct spend s = rig_reserved(&rig, 100);
//   struct attempt a = rig_attempt(&rig, ATTEMPT_PAY, 1);
//   assert_true(ledger_attempt_add(rig.db, &s, &a, &err)); ...
//   rig_close(&rig);
//
// Amounts are small numbers, coins are numbers, and time is added by rig.offset_us.
// Build with tests/support/ledger_rig.c and tests/support/postgres.c among the test's sources.
#ifndef CASEMATE_TESTS_SUPPORT_LEDGER_RIG_H
#define CASEMATE_TESTS_SUPPORT_LEDGER_RIG_H
#include "coordinator/ledger.h"
#include "tests/support/postgres.h"

#define RIG_SIGNERS  3
#define RIG_WINDOW_S 3600

struct ledger_rig {
    struct db *db;
    struct db_options options;
    char place[300]; // path or URI
    int64_t offset_us;
    char wallet[ID_SIZE], principal[ID_SIZE], destination[ID_SIZE], signers[RIG_SIGNERS][ID_SIZE];
    unsigned n_requests, n_txs;
};

// An empty store with the wallet in it: caps 500 and 1000, fees 100, one hour; reconciled just now.
void rig_sqlite(struct ledger_rig *rig); // a file in the test's directory
void rig_memory(struct ledger_rig *rig); // SQLite in memory: one connection
void rig_postgres(struct ledger_rig *rig, const struct postgres *pg); // what was there is dropped
void rig_close(struct ledger_rig *rig);
struct db *rig_connect(const struct ledger_rig *rig); // one more connection

void rig_caps(struct ledger_rig *rig, uint64_t cap_auto, uint64_t cap_surge, uint64_t fee_cap);
void rig_sleep(struct ledger_rig *rig, int64_t s);           // moves the clock, and reconciles
void rig_exec(struct ledger_rig *rig, const char *sql);      // must succeed
int64_t rig_number(struct ledger_rig *rig, const char *sql); // one number

// A spend of that amount; each gets a request id of its own.
struct spend rig_submit(struct ledger_rig *rig, uint64_t amount);
// The same, held by "me".
struct spend rig_claimed(struct ledger_rig *rig, uint64_t amount);
// Its reservation; stops the test when it is refused. Fee 1.
struct spend rig_reserved(struct ledger_rig *rig, uint64_t amount);
struct spend rig_read(struct ledger_rig *rig, const char *id);
void rig_hold(struct ledger_rig *rig, struct spend *spend, const char *holder); // by force

// A transaction with one input, coin number `coin`, of which `raw` is the final form. Fee 1.
struct attempt rig_attempt(struct ledger_rig *rig, enum attempt_kind kind, unsigned coin);
// Of any inputs and fee.
struct attempt rig_attempt_of(struct ledger_rig *rig, enum attempt_kind kind,
                              const struct outpoint *coins, size_t n, uint64_t fee);
struct outpoint rig_coin(unsigned number);

// Signed by the first two signers and stored; the attempt has to be stored already.
void ledger_rig_sign(struct ledger_rig *rig, struct spend *spend, struct attempt *attempt);
// All the way to sent.
struct spend rig_sent(struct ledger_rig *rig, uint64_t amount, struct attempt *attempt);
// The state by name, from the store.
#define assert_spend_state(rig, id, expected)                                                      \
    assert_string_equal(spend_state_name(rig_read((rig), (id)).state), (expected))

// One program's server, started by the first who asks; NULL: there is none here. settings as postgres_start.
const struct postgres *rig_server(void);

// TEST(name) for both stores, the one of PostgreSQL skipped where there is none.
#define TEST_BOTH(name)                                                                            \
    static void name##_body(struct ledger_rig *rig);                                               \
    TEST(name##_on_sqlite)                                                                         \
    {                                                                                              \
        struct ledger_rig rig;                                                                     \
        rig_sqlite(&rig);                                                                          \
        name##_body(&rig);                                                                         \
        rig_close(&rig);                                                                           \
    }                                                                                              \
    TEST(name##_on_postgresql)                                                                     \
    {                                                                                              \
        struct ledger_rig rig;                                                                     \
        if (!rig_server())                                                                         \
            skip();                                                                                \
        rig_postgres(&rig, rig_server());                                                          \
        name##_body(&rig);                                                                         \
        rig_close(&rig);                                                                           \
    }                                                                                              \
    static void name##_body(struct ledger_rig *rig)

#endif
