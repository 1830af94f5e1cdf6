// signer/vault.h -- the PIN, and the two things it opens: the store's key and the master secret.
//
// (1) The store's key is random. It is sealed under a key that Argon2id makes of the PIN; the master
//     secret is a sealed row of the store.
// (2) A try is counted on disk before it is checked, so that cutting the power spares none.
// (3) After the n-th wrong PIN in a row: a pause of 2^(n-1) s, at most an hour, also after a restart.
// (4) With `pin_tries` above 0, that many wrong ones in a row destroy the sealed keys and the secret;
//     so does a last try that was begun and never finished.
//
// Whoever can write the disk can set the count back, and can copy the disk before guessing: against
// him only the cost of Argon2id and the length of the PIN stand.
//
// Source: design.md "A signer on its host", PIN.
#ifndef CASEMATE_SIGNER_VAULT_H
#define CASEMATE_SIGNER_VAULT_H
#include "base/clock.h"
#include "base/secret.h"
#include "signer/store.h"

#define VAULT_PIN_MIN 6
#define VAULT_PIN_MAX 64

// What a guess costs.
struct vault_cost {
    uint32_t passes;
    uint32_t memory_kib;
};
struct vault_cost vault_cost_default(void);
// Next to nothing: for the simulator and tests. A store made with it is refused elsewhere.
struct vault_cost vault_cost_weak(void);

enum vault_state {
    VAULT_EMPTY, // no PIN was ever set
    VAULT_SEALED,
    VAULT_DESTROYED,
};

struct vault {
    struct store *store;       // borrowed
    const struct clock *clock; // borrowed
    unsigned pin_tries;        // 0: never destroy
    bool accept_weak;          // simulator and tests
    enum vault_state state;
    unsigned wrong;        // in a row, those counted and not disproved
    int64_t not_before_ms; // monotonic: no try is taken earlier
};

// 6 to 64 bytes of 0x20 to 0x7e. Fails: ERR_INVALID, without the PIN.
MUST_CHECK bool vault_check_pin(struct bytes pin, struct err *err);

// Sets the first PIN of a new store, makes its keys, and stores the master secret (a container of
// signer/master.h). The store is unlocked afterwards.
// Fails: ERR_EXISTS if there is a PIN, ERR_INVALID for the PIN, ERR_NO_MEMORY, ERR_IO.
MUST_CHECK bool vault_create(struct store *store, struct bytes pin, struct bytes secret,
                             struct vault_cost cost, struct err *err);
// The same with what else the store begins with, all in one transaction.
MUST_CHECK bool vault_restore(struct store *store, struct bytes pin, struct bytes secret,
                              struct vault_cost cost, const struct store_restored *restored,
                              struct err *err);

// Reads the vault's state; destroys if (4) says so. Fails: ERR_IO, ERR_INVALID, ERR_UNSUPPORTED for
// a weak cost.
MUST_CHECK bool vault_init(struct vault *out, struct store *store, const struct clock *clock,
                           unsigned pin_tries, bool accept_weak, struct err *err);

// Milliseconds until a try is taken; 0: now.
int64_t vault_wait_ms(const struct vault *vault);

// One try. On success the store is unlocked and *secret, which the caller frees, is the container.
// Fails: ERR_AUTH "wrong PIN" (counted; detail tells what is left), ERR_BUSY "wait <n> s" (not
//        counted), ERR_STATE "no PIN is set" or "the keys were destroyed after too many wrong PINs",
//        ERR_INVALID if the PIN is right and the store was tampered with, ERR_NO_MEMORY, ERR_IO.
MUST_CHECK bool vault_unlock(struct vault *vault, struct secret **secret, struct bytes pin,
                             struct err *err);

// Wipes the store's keys. What the caller holds of the secret is his to free.
void vault_lock(struct vault *vault);

// Checks the old PIN, by the rules of a try, and seals under the new one. The old sealed key is gone
// from the file afterwards. Works locked and unlocked, and leaves that as it was.
MUST_CHECK bool vault_change_pin(struct vault *vault, struct bytes old_pin, struct bytes new_pin,
                                 struct err *err);

// Replaces the master secret of an unlocked store: the simulator's `reset`.
MUST_CHECK bool vault_replace_secret(struct vault *vault, struct bytes secret, struct err *err);

#endif
