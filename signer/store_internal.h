// signer/store_internal.h -- what the store's files share: its state, sealed rows, transactions.
//
// For signer/store*.c and signer/vault.c only.
//
// (1) The state is sealed anew by every change, and holds the hash of each sealed row, the head of
//     the journal's hash chain and a sum over the amount memory: what was not written together does
//     not verify together.
// (2) A transaction works on a copy of the state, which takes the old one's place after COMMIT only.
// (3) In a batch a change is a savepoint of one transaction. The state is sealed and committed once, at
//     the batch's end, whose failure puts back the state from before it.
#ifndef CASEMATE_SIGNER_STORE_INTERNAL_H
#define CASEMATE_SIGNER_STORE_INTERNAL_H
#include "base/secret.h"
#include "crypto/seal.h"
#include "signer/store.h"
#include "signer/store_db.h"

#define STORE_ROW_NAME_SIZE  80
#define STORE_VELOCITIES_MAX 256 // policies whose velocity is remembered
#define STORE_ROWS_MAX       (STORE_VELOCITIES_MAX + 16)

// Names of sealed rows.
#define ROW_STATE    "state"
#define ROW_SECRET   "secret" // the master secret; the vault's
#define ROW_POLICY   "policy"
#define ROW_USERS    "users"
#define ROW_WALLETS  "wallets"
#define ROW_LOCKER   "locker"
#define ROW_VELOCITY "velocity/" // and the policy hash in hex
#define ROW_PAST     "past"      // velocities that a restored store came with

struct store_row {
    char name[STORE_ROW_NAME_SIZE];
    struct hash256 hash; // of the blob as it is on disk
};

// The amount memory's accounts. The sum is over a MAC of each entry, modulo 2^256.
struct store_amounts {
    uint64_t n, next_seq;
    uint8_t sum[32]; // little-endian
};

struct store_state {
    struct store_counters counters;
    struct store_settings settings;
    struct store_head head;
    uint64_t first_line; // the oldest journal line that is kept; head.seq + 1 if none is
    struct store_amounts amounts;
    size_t n_rows;
    struct store_row rows[STORE_ROWS_MAX]; // in the order of their last writing
};

// Keys made from the store's key, each for one use.
struct store_keys {
    uint8_t rows[SEAL_KEY_LEN]; // seals rows, the state, and journal lines
    uint8_t outpoints[32];      // names entries of the amount memory
    uint8_t sums[32];           // authenticates them
};

struct store_batch {
    bool open;
    bool lost;                  // the database undid it by itself
    bool scrub;                 // as a transaction's
    bool has_keys;              // open until its end
    struct store_state *before; // NULL: nothing has changed yet
};

struct store {
    struct store_db *db;
    struct secret *keys; // struct store_keys; NULL while locked
    struct store_state *state;
    struct store_batch batch;
    uint64_t lines_written; // up to here journal.jsonl has them
    uint64_t amounts_max;   // STORE_AMOUNTS_MAX; a test's is lower
    struct store_hook hook;
};

// --- Keys and state: store_rows.c ---

// Unlocks: derives the keys, then verifies the state, every row, every line, every amount.
// Fails: ERR_INVALID naming what does not verify; the store is then locked.
MUST_CHECK bool store_unlock(struct store *store, const uint8_t key[static STORE_KEY_LEN],
                             struct err *err);
// Sets the keys of a store that has no state yet; the transaction that follows writes the first.
void store_unlock_new(struct store *store, const uint8_t key[static STORE_KEY_LEN]);
void store_lock(struct store *store);
const struct store_keys *store_open_keys(const struct store *store);
void store_close_keys(const struct store *store);

// --- Transactions: store_tx.c ---

struct store_tx {
    struct store *store;
    struct store_state *next; // what will be the state
    struct arena *arena;      // for what is written, until the end
    bool open;
    bool scrub; // what this deletes is to be overwritten at once
};
// The caller declares it AUTO(store_tx_end): what was not committed is rolled back.
MUST_CHECK bool store_begin(struct store_tx *tx, struct store *store, struct err *err);
MUST_CHECK bool store_put_row(struct store_tx *tx, const char *name, struct bytes content,
                              struct err *err);
// Removes a row; nothing if there is none.
MUST_CHECK bool store_drop_row(struct store_tx *tx, const char *name, struct err *err);
// Adds a line to the journal; none if it is empty.
MUST_CHECK bool store_put_line(struct store_tx *tx, struct bytes line, struct err *err);
MUST_CHECK bool store_commit(struct store_tx *tx, struct err *err);
void store_tx_end(struct store_tx *tx);

// --- Rows: store_rows.c ---

// The content of a row as the state knows it; *found false if there is none.
MUST_CHECK bool store_row(struct store *store, const char *name, struct bytes *out, bool *found,
                          struct arena *arena, struct err *err);
// Seals content together with its name, and takes it back: false if it is another's or forged, or
// past the arena's limit.
MUST_CHECK bool store_seal(struct bytes *out, const char *name, struct bytes content,
                           const uint8_t key[static SEAL_KEY_LEN], struct arena *arena);
MUST_CHECK bool store_unseal(struct bytes *out, const char *name, struct bytes sealed,
                             const uint8_t key[static SEAL_KEY_LEN], struct arena *arena);
struct store_row *store_find_row(struct store_state *state, const char *name);

// --- The state as bytes: store_state.c ---

void store_state_write(struct writer *w, const struct store_state *state);
MUST_CHECK bool store_state_read(struct store_state *out, struct bytes content);

// --- Lists, policy, locker as a whole: store_lists.c, store.c ---

MUST_CHECK bool store_put_users(struct store_tx *tx, const struct user *users, size_t n,
                                struct err *err);
MUST_CHECK bool store_put_wallets(struct store_tx *tx, const struct store_wallet *wallets, size_t n,
                                  struct err *err);
MUST_CHECK bool store_put_policy(struct store_tx *tx, const struct store_policy *policy,
                                 struct err *err);
MUST_CHECK bool store_put_locker(struct store_tx *tx, struct bytes value, struct err *err);
// A velocity as its row holds it.
MUST_CHECK bool store_velocity_read(struct velocity *out, struct bytes state);

// Part of the transaction that makes a store. Source: signer/store_restore.c.
MUST_CHECK bool store_put_restored(struct store_tx *tx, const struct store_restored *restored,
                                   struct err *err);

// --- Users: store_lists.c ---

// Fails: ERR_NOT_FOUND for a user that is not stored.
MUST_CHECK bool store_put_progress(struct store_tx *tx, const struct store_progress *progress,
                                   size_t n, struct err *err);

// --- Journal lines: store_lines.c ---

// Forgets those that store_lines_written named.
MUST_CHECK bool store_drop_written_lines(struct store_tx *tx, struct err *err);
MUST_CHECK bool store_verify_lines(struct store *store, struct arena *arena, struct err *err);

// --- Amount memory: store_amounts.c ---

// The last n_weak of the n push out no older one.
MUST_CHECK bool store_put_amounts(struct store_tx *tx, const struct store_amount *amounts, size_t n,
                                  size_t n_weak, struct err *err);
MUST_CHECK bool store_clear_amounts(struct store_tx *tx, struct err *err);
MUST_CHECK bool store_verify_amounts(struct store *store, struct err *err);

#endif
