// bitcoin/psbt_tx.h -- the transaction inside a PSBT: how many inputs and outputs, then all of it.
//
// Steps of psbt_parse; nobody else calls them. Source: psbt-signing.md 8.4 to 8.6, BIP-370.
#ifndef CASEMATE_BITCOIN_PSBT_TX_H
#define CASEMATE_BITCOIN_PSBT_TX_H
#include "bitcoin/psbt.h"

// Sets n_in and n_out from the checked global map, and for version 0 the transaction. A count that the bytes left over (`left`) or
// TX_SIZE_MAX cannot hold is refused here, before anything is allocated for it.
// Fails: as psbt_parse.
MUST_CHECK bool psbt_tx_counts(struct psbt *psbt, size_t left, struct arena *arena,
                               struct err *err);

// Version 2: sets psbt->tx once all maps are there.
// Fails: as psbt_parse; detail `locktime` if required locktimes have no common type.
MUST_CHECK bool psbt_tx_build(struct psbt *psbt, struct arena *arena, struct err *err);

#endif
