// tests/support/world_signer.h -- the keys of treasury_world.h: what an honest signer of ms_rig.h returns.
#ifndef CASEMATE_TESTS_SUPPORT_WORLD_SIGNER_H
#define CASEMATE_TESTS_SUPPORT_WORLD_SIGNER_H
#include "bitcoin/multisig.h"

// The PSBT with the signatures of cosigner `who`, who knows that one wallet. Fails: as the signer would.
MUST_CHECK bool world_sign(struct bytes *out, size_t who, const struct ms_wallet *wallet,
                           struct bytes psbt, struct arena *arena, struct err *err);

#endif
