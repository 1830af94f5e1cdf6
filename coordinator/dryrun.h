// coordinator/dryrun.h -- what a spend would be, without doing any of it.
//
// Reserves nothing, uses no change address, asks no signer. Source: coordinator.md D6 "Dry run".
#ifndef CASEMATE_COORDINATOR_DRYRUN_H
#define CASEMATE_COORDINATOR_DRYRUN_H
#include "coordinator/fleet.h"
#include "coordinator/node.h"

struct dry_run {
    struct build build;
    struct fleet_signer signers[SIGNERS_MAX]; // the k that would be asked
    size_t n_signers;
    struct velocity_view velocity; // before it
    uint64_t fee_rate;
};
// Fails: as the spend would, with the same codes.
MUST_CHECK bool dry_run(struct dry_run *out, struct db *db, struct node *node, struct fleet *fleet,
                        const struct wallet *wallet, const struct wallet_row *row,
                        const struct spend_request *request, struct arena *arena, struct err *err);

#endif
