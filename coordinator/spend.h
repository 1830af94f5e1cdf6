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

#define SPEND_LEASE_US  ((int64_t)200000000)
// What is left of it when a signer is asked: its queue, its looks before and after, its conversation at the longest.
#define SPEND_ASK_US    ((int64_t)160000000)
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
};

// Does all that can be done now for a spend that the caller holds (ledger_claim), and lets go of it.
void spend_drive(const struct spend_context *context, struct spend *spend);

#endif
