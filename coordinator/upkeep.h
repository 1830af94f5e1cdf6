// coordinator/upkeep.h -- the thread that does what comes round: webhooks, changes that are due, the audit
// head, old sessions, the demo's refusal of mainnet.
//
// Source: coordinator.md D11, D13 "Webhooks", D14; F44, F49.
#ifndef CASEMATE_COORDINATOR_UPKEEP_H
#define CASEMATE_COORDINATOR_UPKEEP_H
#include "base/log.h"
#include "coordinator/db.h"

struct upkeep;
struct upkeep_options {
    const struct db_options *store;
    const struct log *log;
    const char *holder;
    bool hooks_private;                            // webhooks may go to private addresses
    bool demo;                                     // a wallet on main ends the process
    void (*fatal)(void *context, const char *why); // what must not go on
    void *context;
};
struct upkeep *upkeep_new(const struct upkeep_options *options); // all borrowed
void upkeep_free(struct upkeep *upkeep); // waits for a delivery that runs; NULL is fine

// When the ledger last answered it, in milliseconds of the monotonic clock.
int64_t upkeep_alive_ms(struct upkeep *upkeep);

// Delivers what is due, one after the other. *n: how many were tried. For the thread, and for tests.
struct hooks_round {
    struct db *db;
    const struct log *log;
    bool allow_private;
};
MUST_CHECK bool hooks_deliver(const struct hooks_round *round, size_t *n, struct err *err);

#endif
