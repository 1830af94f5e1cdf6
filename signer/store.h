// signer/store.h -- what a signer remembers over a restart: one SQLite file, sealed and durable.
//
// (1) A function that changes the store is one transaction: it returns true only when the change is
//     on disk, and a crash or an error at any point leaves the old content or the new, whole.
// (2) Everything secret, and everything whose forgery would loosen a limit, is sealed under the
//     store's key, which only the PIN opens (signer/vault.h). Each row carries its name inside the
//     seal, and a sealed manifest names every row and the hash of its present version, so that a row
//     that was changed, swapped, removed, added or taken from an older copy is found at unlock.
//     (Putting back all of an older file is found by the journal: signer/journal_file.h.)
// (3) One process has the store open: the directory is locked from store_open to store_close.
//
// Source: design.md "The signer"; policy.md 7.4, 8.2, 11, 12, 13.1, 16; psbt-signing.md 17.
#ifndef CASEMATE_SIGNER_STORE_H
#define CASEMATE_SIGNER_STORE_H
#include "base/arena.h"
#include "base/err.h"
#include "bitcoin/tx.h"
#include "policy/users.h"
#include "policy/velocity.h"

#define STORE_FILE        "signer.db"
#define STORE_KEY_LEN     32
#define STORE_POLICY_MAX  (4u << 20) // bytes of a policy's stored form
#define STORE_LOCKER_MAX  414        // bytes of set_sl. Source: policy.md 16
#define STORE_WALLETS_MAX 256
#define STORE_WALLET_MAX  16384 // bytes
// Outpoints kept, oldest out first. psbt-signing.md 17: "at least 100,000"; more, because whoever can have
// transactions of 11,000 inputs approved pushes out as many with each.
#define STORE_AMOUNTS_MAX 250000

struct store;

// --- Open and close ---

// Makes an empty store in an existing directory and opens it. It holds nothing until store_format.
// Fails: ERR_EXISTS "<dir>/signer.db: exists already", ERR_BUSY and ERR_IO as store_open.
MUST_CHECK bool store_create(struct store **out, const char *dir, struct err *err);

// Opens, locks and checks the store of a directory. What fails changes nothing on disk.
// Fails: ERR_BUSY "<dir>: another casemate-signer has it open", ERR_NOT_FOUND, ERR_INVALID
//        "<dir>/signer.db: <what is damaged>; restore it from a backup", ERR_AUTH if others may read
//        or write the file, ERR_UNSUPPORTED if a newer version made it, ERR_IO.
MUST_CHECK bool store_open(struct store **out, const char *dir, struct err *err);
void store_close(struct store *store); // NULL is fine
void store_closep(struct store **store);

// The state directory, open for as long as the store is: for card, journal and panel socket.
int store_dir_fd(const struct store *store);

// Whether the store has keys to read and write with; all below this line needs it, and fails with
// ERR_STATE otherwise. signer/vault.h unlocks and locks.
bool store_is_unlocked(const struct store *store);

// --- Policy and what counts against it ---

// Counters that outlive a crash. Zero at an operator's activation. Source: policy.md 12, 16.
struct store_counters {
    uint64_t approvals, refusals;
    uint64_t locker_reads;
    bool stopped; // by the limit of refusals: does not arm by itself again
};

// The policy that is offered at the next start.
struct store_policy {
    struct bytes form; // policy/'s own complete stored form; empty: none is stored
    bool has_sl_hash;  // the file had set_sl
    struct hash256 sl_hash;
    struct hash256 full_hash; // policy_hash_full as it was approved: binds users and wallets
};

// *out lives in the arena. Without a stored policy: true, and an empty form.
MUST_CHECK bool store_get_policy(struct store *store, struct store_policy *out, struct arena *arena,
                                 struct err *err);
struct store_counters store_get_counters(const struct store *store);

// What was last stored for the policy of that hash; no period if nothing ever was. Several policies
// keep theirs side by side, so that changing between pinned ones frees nothing.
MUST_CHECK bool store_get_velocity(struct store *store, const struct hash256 *policy_hash,
                                   struct velocity *out, struct err *err);

// HSM mode begins. All of it or nothing is stored. Source: policy.md 8.2 [FIX].
struct store_activation {
    const struct store_policy *policy; // a new file's; NULL: the stored one stays
    bool has_locker;                   // the new file has set_sl:
    struct bytes locker;               // its value, at most STORE_LOCKER_MAX
    struct hash256 policy_hash;        // whose velocity it is:
    const struct velocity *velocity;   // from now on
    struct store_counters counters;    // from now on
    struct bytes journal_line;         // empty: none
};
// Fails: ERR_LIMIT for what is too long, ERR_IO (a full disk too), ERR_STATE.
MUST_CHECK bool store_activate(struct store *store, const struct store_activation *activation,
                               struct err *err);

// Forgets the stored policy; velocities stay, so that it comes back with what it had spent.
MUST_CHECK bool store_wipe_policy(struct store *store, struct bytes journal_line, struct err *err);

// --- A decision ---

struct store_progress {
    struct bytes user; // name
    struct user_progress after;
};
// What was seen of an outpoint whose input is signed, or of a change output.
struct store_amount {
    struct outpoint outpoint;
    struct sats amount;
};
// Everything that limits a later spend. Returns only when it is on disk: only then may a signature
// leave. Also for what is recorded besides: a request that failed, a charge that is taken back.
struct store_decision {
    struct store_counters counters;        // after this decision
    struct hash256 policy_hash;            // whose velocity it is:
    const struct velocity *velocity;       // NULL: as it was
    const struct store_progress *progress; // of users whose codes were good
    size_t n_progress;
    const struct store_amount *amounts; // replace what is stored for the same outpoint
    size_t n_amounts;
    size_t n_weak; // the last of them push out no older one: they are kept while there is room
    struct bytes journal_line; // empty: none
};
// Fails: ERR_NOT_FOUND for a user that is not stored, ERR_LIMIT, ERR_IO, ERR_STATE.
MUST_CHECK bool store_commit_decision(struct store *store, const struct store_decision *decision,
                                      struct err *err);

// The amount memory: true and *out if an amount is stored for the outpoint. `store` is a
// struct store: fits signer_view.known_amount. While locked, and if the disk fails: false; the
// second is remembered, and store_commit_decision then refuses with ERR_IO.
bool store_known_amount(const void *store, const struct outpoint *outpoint, struct sats *out);

// --- Several changes, one commit ---

// Between store_batch_begin and its end each function above and below that changes the store adds its
// change to a batch, in order: true says that the change is in the batch, not that it is on disk; a
// change that fails leaves the batch as it was. Reading sees the batch.
void store_batch_begin(struct store *store);

// All of the batch is on disk, or, on failure, none of it is and the store is as it was before.
// Fails: ERR_IO.
MUST_CHECK bool store_batch_commit(struct store *store, struct err *err);

// None of the batch is on disk, and the store is as it was before.
void store_batch_undo(struct store *store);

// --- Storage locker ---

// Counts the read, then gives the value (empty if none was ever stored).
// Fails: ERR_LIMIT "consumed" when `allowed` reads were counted since activation.
MUST_CHECK bool store_read_locker(struct store *store, uint64_t allowed, struct bytes journal_line,
                                  struct bytes *out, struct arena *arena, struct err *err);

// --- Users ---

// All, sorted by name (bytes_compare), into out[USERS_MAX]; the caller wipes them.
MUST_CHECK bool store_get_users(struct store *store, struct user out[static USERS_MAX], size_t *n,
                                struct err *err);
// Fails: ERR_EXISTS "exists", ERR_LIMIT "too many".
MUST_CHECK bool store_add_user(struct store *store, const struct user *user,
                               struct bytes journal_line, struct err *err);
// True as well if there is no such user.
MUST_CHECK bool store_delete_user(struct store *store, struct bytes name, struct bytes journal_line,
                                  struct err *err);

// --- Multisig wallets: opaque here ---

struct store_wallet {
    struct bytes name; // unique
    struct bytes form; // at most STORE_WALLET_MAX
};
// All, in the order of registration; they live in the arena.
MUST_CHECK bool store_get_wallets(struct store *store, const struct store_wallet **out, size_t *n,
                                  struct arena *arena, struct err *err);
// Replaces a wallet of the same name in its place, or adds one behind the others.
// Fails: ERR_LIMIT past STORE_WALLETS_MAX.
MUST_CHECK bool store_put_wallet(struct store *store, const struct store_wallet *wallet,
                                 struct bytes journal_line, struct err *err);
MUST_CHECK bool store_delete_wallet(struct store *store, struct bytes name,
                                    struct bytes journal_line, struct err *err);

// --- Settings ---

struct store_settings {
    bool has_hsm_commands; // the switch was ever set here; otherwise the configuration says
    bool hsm_commands;     // wire-protocol.md 5.3
};
struct store_settings store_get_settings(const struct store *store);
MUST_CHECK bool store_set_settings(struct store *store, const struct store_settings *settings,
                                   struct err *err);

// --- Backup and restore ---

// What was spent under which policy, as the store keeps it: opaque.
struct store_past_item {
    struct hash256 policy_hash;
    struct bytes state;
};
struct store_past {
    size_t n;
    const struct store_past_item *items;
};
#define STORE_PAST_MAX 512

// For a backup: the velocity of every policy, those that this store itself was restored with too.
MUST_CHECK bool store_get_past(struct store *store, struct store_past *out, struct arena *arena,
                               struct err *err);
// The locker without counting a read. Empty if none was ever stored.
MUST_CHECK bool store_get_locker(struct store *store, struct bytes *out, struct arena *arena,
                                 struct err *err);

// What a new store begins with beside its master secret: vault_restore.
struct store_restored {
    const struct user *users; // sorted by name
    size_t n_users;
    const struct store_wallet *wallets;
    size_t n_wallets;
    const struct store_policy *policy; // NULL: none
    struct store_past past;
    struct store_counters counters;
    struct store_settings settings;
    struct bytes locker; // empty: none
};

// Whether nobody knows what was spent under a policy: the store was restored, and the policy was not
// in force since. *before is then what the backup knew, and otherwise as it was.
MUST_CHECK bool store_is_past(struct store *store, const struct hash256 *policy_hash, bool *is_past,
                              struct velocity *before, struct err *err);

// --- Journal: each line is part of the commit that it tells of ---

// Of the last line ever committed; seq 0 and 32 zero bytes before the first.
struct store_head {
    uint64_t seq;
    struct hash256 hash; // SHA-256 of the line, without LF
};
struct store_head store_get_head(const struct store *store);

// A line alone: a start, a stop, a request that was not understood.
MUST_CHECK bool store_append_journal(struct store *store, struct bytes line, struct err *err);

// Lines behind number `after` that are committed and not yet known to be safe in journal.jsonl, oldest
// first, at most `max` of them.
struct store_lines {
    uint64_t first_seq;
    size_t n;
    const struct bytes *lines; // in the arena
};
MUST_CHECK bool store_pending_lines(struct store *store, struct store_lines *out, uint64_t after,
                                    size_t max, struct arena *arena, struct err *err);
// The lines up to `seq` are safe in the file. They leave the store with the next change.
void store_lines_written(struct store *store, uint64_t seq);

// --- Tests and the simulator ---

// Called between the steps of every change, with the step's name, "committed" being its last, and by
// what goes before and after a change on the way to a reply. A test dies in it. NULL: none.
struct store_hook {
    void (*step)(void *context, const char *name);
    void *context;
};
void store_set_hook(struct store *store, struct store_hook hook);
struct store_hook store_get_hook(const struct store *store);
// Tells the hook that a step is done.
void store_step(const struct store *store, const char *name);

// The simulator's `reset`: empties an unlocked store but for its keys, its master secret and the
// journal. `keep`: users, wallets and locker stay.
MUST_CHECK bool store_reset(struct store *store, bool keep, struct err *err);

#endif
