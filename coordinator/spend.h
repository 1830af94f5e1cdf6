// coordinator/spend.h -- carries a spend from state to state, as far as it goes.
//
// (1) What cannot be undone (asking a signer, broadcasting) follows the commit that announces it.
// (2) A spend goes on from what the ledger says and from nothing else, so whoever claims it after a
//     crash does what the one before would have done (D4).
// (3) Every attempt of a spend contains its anchor, so at most one of them can confirm.
// Source: coordinator.md A8, A9, D3, D4, D6, D7, D9.
#ifndef CASEMATE_COORDINATOR_SPEND_H
#define CASEMATE_COORDINATOR_SPEND_H
#include "base/log.h"
#include "coordinator/fleet.h"
#include "coordinator/node.h"
#include "coordinator/surge_codes.h"
#include "coordinator/treasury.h"

// Short, so that what a dead replica leaves is soon another's; workers.h keeps it while a signer takes its time.
#define SPEND_LEASE_US  ((int64_t)30000000)
#define SPEND_ASK_US    ((int64_t)15000000) // what is left of it when a signer is asked
#define SPEND_RETRY_US  ((int64_t)5000000)  // node or signers away
#define SPEND_WATCH_US  ((int64_t)30000000) // between looks at a transaction that was sent
#define SPEND_PARKED_US ((int64_t)30000000)

// What a worker thread has for it.
struct spend_context {
    struct db *db;
    struct node *node;
    struct fleet *fleet;
    struct surge_codes *codes;
    struct treasury *treasury;
    const struct log *log;
    void (*alive)(void *); // told before each signer; NULL: nobody asks
    void *alive_context;
};

// Does all that can be done now for a spend that the caller holds (ledger_claim), and lets go of it.
void spend_drive(const struct spend_context *context, struct spend *spend);

#endif
