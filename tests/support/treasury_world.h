// tests/support/treasury_world.h -- a small world for the coordinator's spends: a chain, a mempool and three signers,
// in memory that outlives a killed process.
//
// It stands in for coordinator/node.h and coordinator/fleet.h: a test that links it gets these instead. The
// signers hold real keys and sign with bitcoin/; the ledger, building and combining are the real ones.
// A test forks, lets the child be killed at a named place, and goes on with what ledger and world say.
#ifndef CASEMATE_TESTS_SUPPORT_TREASURY_WORLD_H
#define CASEMATE_TESTS_SUPPORT_TREASURY_WORLD_H
#include "coordinator/dryrun.h"
#include "coordinator/spend.h"
#include "tests/support/test.h"

#define WORLD_TXS     256
#define WORLD_TX_MAX  4096 // bytes
#define WORLD_SIGNERS 3

enum world_where { WORLD_NOWHERE, WORLD_MEMPOOL, WORLD_BLOCK };
struct world_tx {
    enum world_where where;
    uint32_t height;
    struct hash256 txid;
    struct sats fee;
    size_t len;
    uint8_t raw[WORLD_TX_MAX];
};

// What a signer does when it is asked.
enum world_mood {
    MOOD_SIGNS,
    MOOD_REFUSES,      // with tag and text
    MOOD_SILENT,       // takes it, and never answers
    MOOD_SIGNS_SILENT, // signs, and the answer is lost
    MOOD_BUSY,
    MOOD_AWAY, // not reachable
    MOOD_BAD_SIGNATURE,
    MOOD_UNSIGNED, // gives back what it got
};
struct world_signer {
    enum world_mood mood;
    char tag[16], text[64];
    bool ready;
    uint64_t asked, signed_n;
    struct sats charged; // outflow of all that it signed, each time
    struct sats budget;
    uint64_t max_psbt; // bytes that it takes
    int64_t takes_s;   // by the ledger's clock, until it answers
};

struct world {
    bool node_up;
    uint32_t height;
    uint64_t fee_rate, mempool_rate; // sat per 1000 vB
    size_t n_txs;
    struct world_tx txs[WORLD_TXS];
    struct world_signer signers[WORLD_SIGNERS];
    uint64_t broadcasts;
    uint64_t taken_over; // how often another worker got a spend while a signer was asked for it
    bool keeper_died;    // nobody renews the lease of who waits for a signer
    int64_t outside_ns;  // spent in what stands for node and signers: for measuring what is left
};

// A world at height 200 with an empty mempool, all signers ready and willing. Shared with forked children;
// the test's end gives it back.
struct world *world_new(void);

// 2 of 3, on a ledger in the test's folder: caps of 1 000 000 and 3 000 000 sat in an hour, fees of 200 000.
// One destination, "hot".
struct world_ledger {
    char path[128], wallet_id[ID_SIZE], signer_id[WORLD_SIGNERS][ID_SIZE], destination_id[ID_SIZE];
    struct xfp xfp[WORLD_SIGNERS];
    struct db_options options;
    int64_t *clock_offset_us; // shared; see world_pass
    struct wallet *wallet;
    struct treasury *treasury;
    struct bytes destination;  // its script
    struct surge_codes *codes; // NULL: none are known
};
// folder: where its file is; NULL: the test's.
struct world_ledger *world_ledger(struct world *world, const char *folder);
struct db *world_db(const struct world_ledger *ledger); // the test closes it
void world_setting(const struct world_ledger *ledger, const char *json);
void world_cap(const struct world_ledger *ledger, uint64_t auto_sat, uint64_t surge_sat);

// The ledger's clock goes on by that much.
void world_pass(const struct world_ledger *ledger, int64_t s);

// A confirmed coin of the wallet.
void world_fund(struct world *world, const struct world_ledger *ledger, uint64_t sat);
// Mines what is in the mempool, then empty blocks.
void world_mine(struct world *world, uint32_t blocks);
// The newest block goes; its transactions go back into the mempool.
void world_unmine(struct world *world);
void world_evict(struct world *world, const struct hash256 *txid);
// Somebody else spends that coin, in the mempool.
void world_steal(struct world *world, const struct world_ledger *ledger,
                 const struct outpoint *coin);
// What is paid to the destination, in blocks (or the mempool too).
struct sats world_paid(const struct world *world, const struct world_ledger *ledger, bool mempool);
const struct world_tx *world_find(const struct world *world, const struct hash256 *txid);

// Tells the ledger what the chain shows, as the reconciler would.
void world_reconcile(const struct world *world, const struct world_ledger *ledger, struct db *db);

// Asks for a payment to "hot". Returns the spend.
struct spend world_submit(const struct world_ledger *ledger, struct db *db, const char *request_id,
                          uint64_t sat, enum tier tier);

// What a payment to "hot" would be. Fails: as dry_run.
MUST_CHECK bool world_dry_run(struct world *world, const struct world_ledger *ledger, struct db *db,
                              uint64_t sat, struct dry_run *out, struct err *err);
// Over every row of every table.
struct hash256 world_store_hash(const struct world_ledger *ledger, struct db *db);

// Claims and drives whatever is due, up to `rounds` times, the ledger told of the chain before each. Returns how
// often something was driven.
size_t world_drive(struct world *world, const struct world_ledger *ledger, struct db *db,
                   size_t rounds);

// The next one, without telling the ledger of the chain.
bool world_drive_claimed(struct world *world, const struct world_ledger *ledger, struct db *db);

// The same in a child that dies at the nth time it reaches a place (stop.h). True: it died there.
bool world_drive_until(struct world *world, const struct world_ledger *ledger, const char *place);
// The same of world_drive_claimed.
bool world_drive_claimed_until(struct world *world, const struct world_ledger *ledger,
                               const char *place);

struct spend world_spend(struct db *db, const char *id);
#define assert_state(spend, wanted)                                                                \
    assert_string_equal(spend_state_name((spend).state), spend_state_name(wanted))

#endif
