// coordinator/treasury.h -- the wallets of the ledger, ready for use by every thread of the process.
//
// A wallet never changes once it is there, but for its status and settings, which are read anew each time.
#ifndef CASEMATE_COORDINATOR_TREASURY_H
#define CASEMATE_COORDINATOR_TREASURY_H
#include "coordinator/ledger.h"
#include "coordinator/spend_rules.h"
#include "coordinator/wallet.h"

#define TREASURY_WALLETS 64

struct treasury;
struct treasury *treasury_new(void);
void treasury_free(struct treasury *treasury); // NULL is fine

// One wallet as it is now. `wallet` lives as long as the treasury; what `row` points to lies in the arena.
struct treasury_wallet {
    const struct wallet *wallet;
    struct wallet_row row;
    struct spend_rules rules;
};
// By id. Fails: CODE_NOT_FOUND, CODE_INTERNAL for a row that is no wallet.
MUST_CHECK bool treasury_get(struct treasury *treasury, struct db *db, const char *wallet_id,
                             struct treasury_wallet *out, struct arena *arena, struct err *err);

// All of them, by name. Returns through *n at most TREASURY_WALLETS.
MUST_CHECK bool treasury_all(struct treasury *treasury, struct db *db, struct treasury_wallet **out,
                             size_t *n, struct arena *arena, struct err *err);

#endif
