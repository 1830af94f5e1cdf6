// tests/support/fuzz_signer.h -- the signer that fuzz targets put PSBTs before: the public test seed,
// which the corpora are made for, and registered multisig wallets of every format.
#ifndef CASEMATE_TESTS_SUPPORT_FUZZ_SIGNER_H
#define CASEMATE_TESTS_SUPPORT_FUZZ_SIGNER_H
#include "bitcoin/keycache.h"
#include "bitcoin/psbt_analyse.h"

struct fuzz_signer {
    struct ms_wallets wallets; // 2 of 3: P2WSH, P2SH, P2SH-P2WSH, and unsorted P2WSH
    struct keycache *keys;
};
// Made at the first call and kept: deriving wallets anew would be most of a run.
const struct fuzz_signer *fuzz_signer(void);

enum { FUZZ_LENIENT = 1, FUZZ_HSM_MODE = 2, FUZZ_EXTENDED = 4, FUZZ_VIEWS = 8 };
// LENIENT: no fee limit, any hash type, multisig checks skipped. EXTENDED: the wallets are
// registered and the option `taproot` is on.
struct signer_view fuzz_view(const struct fuzz_signer *signer, unsigned flags);

#endif
