// coordinator/coins_psbt.h -- the coins that a PSBT of ours spends, to spend them again. Pure.
//
// A node lists an output no more once a transaction of ours spends it; a replacement needs it all the same.
#ifndef CASEMATE_COORDINATOR_COINS_PSBT_H
#define CASEMATE_COORDINATOR_COINS_PSBT_H
#include "coordinator/build.h"

// All inputs, as that PSBT tells of them, with one confirmation. *out borrows from `psbt`.
// Fails: ERR_INVALID for a PSBT that is not one of this wallet.
MUST_CHECK bool coins_of_psbt(struct coins *out, const struct wallet *wallet, struct bytes psbt,
                              struct arena *arena, struct err *err);

#endif
