// coordinator/device_view.h -- what a signer will make of a PSBT, worked out with the signer's own code.
//
// bitcoin/psbt_analyse.h needs no secret: with the wallet and the signer's fingerprint it gives the warnings,
// change and amounts that the signer will find. Only what is proved with its seed, or decided by its policy,
// is left to it. A Coldcard's analysis has the same rows (psbt-signing.md).
// Source: coordinator.md A7, D6 "Preflight".
#ifndef CASEMATE_COORDINATOR_DEVICE_VIEW_H
#define CASEMATE_COORDINATOR_DEVICE_VIEW_H
#include "bitcoin/multisig.h"
#include "bitcoin/psbt.h"

struct device_view {
    struct sats spent; // what rules count: all outputs but change
    struct sats fee;
    size_t n_out;
    const bool *is_change;       // by output; in the arena
    struct bytes warning, about; // label and text of the first; no bytes: none
    bool signs;                  // it finds a key of its own in every input
};

// derived: the wallet's keys that were derived before; NULL: none.
// Fails: ERR_INVALID with the signer's own reply; ERR_NO_MEMORY.
MUST_CHECK bool device_view(struct device_view *out, const struct psbt *psbt,
                            const struct ms_wallet *registered, struct keytable *derived,
                            struct xfp signer, struct arena *arena, struct err *err);

#endif
