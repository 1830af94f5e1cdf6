// coordinator/spend_drive.h -- what the parts of spend.h share; nobody else includes it.
#ifndef CASEMATE_COORDINATOR_SPEND_DRIVE_H
#define CASEMATE_COORDINATOR_SPEND_DRIVE_H
#include "coordinator/coins_psbt.h"
#include "coordinator/spend.h"
#include "coordinator/stop.h"
#include "coordinator/story.h"

enum next {
    NEXT_STEP, // the state has moved: go on
    NEXT_WAIT, // until d->next_us
    NEXT_LOST, // somebody else's, or the ledger does not answer: leave it
};

struct drive {
    const struct spend_context *c;
    struct spend *s;
    struct treasury_wallet t;
    struct spend_outputs outputs;
    struct arena *arena;
    int64_t now_us, next_us;
    struct coins coins; // read once
    bool has_coins;
    char flown[SIGNERS_MAX][ID_SIZE]; // passed by preflight for the payment that was just built
    size_t n_flown;
};

// Sets when it is looked at again.
enum next drive_wait(struct drive *d, int64_t in_us);

// A ledger call has failed: waits, or leaves it to who holds it now.
enum next drive_lost(struct drive *d, const struct err *err);

// Tells why, and ends in that state; parked where signatures may exist (D3 "When may a reservation be
// released?").
enum next drive_end(struct drive *d, enum spend_state state, const struct err *why);
enum next drive_park(struct drive *d, enum code code, const char *why);

// The rate for it now. Fails: CODE_NODE_UNAVAILABLE.
MUST_CHECK bool drive_fee_rate(struct drive *d, uint64_t *out, struct err *err);
MUST_CHECK bool drive_coins(struct drive *d, struct err *err);
// In place of those: the inputs of an attempt, which a node lists no more once it was sent.
MUST_CHECK bool drive_own_coins(struct drive *d, const struct attempt *attempt, struct err *err);

// built, signing, signed: gets the signatures that are missing, and sends.
enum next drive_signatures(struct drive *d, struct attempt *attempt); // spend_sign.c
enum next drive_broadcast(struct drive *d, struct attempt *attempt, const struct attempt *parent);

// Whether each of these signers, by all that is known of them now, would sign it; what a child or a void pays goes to
// the wallet itself. Fails: CODE_PREFLIGHT_FAILED, CODE_QUORUM_LOST when one is no signer any more.
MUST_CHECK bool drive_preflight(struct drive *d, enum attempt_kind kind, struct bytes psbt,
                                const struct fleet_signer *signers, size_t n, struct err *err);
// What it charges on a device.
struct sats drive_outflow(const struct drive *d, enum attempt_kind kind);

// The attempt that is worked on: the newest that is not dead; NULL: none.
struct attempt *drive_attempt(const struct attempts *all);

enum next drive_sent(struct drive *d);    // spend_send.c: in the mempool, or ought to be
enum next drive_parked(struct drive *d);  //
enum next drive_voiding(struct drive *d); //

// Makes the transaction that replaces all attempts by a payment to the wallet itself.
enum next drive_void(struct drive *d, const struct attempts *all);

// stuck.c: a remedy for a transaction that does not confirm, or that a mempool does not take for its fee.
enum next drive_unstick(struct drive *d, const struct attempts *all, struct attempt *live);

#endif
