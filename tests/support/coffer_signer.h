// tests/support/coffer_signer.h -- Casemate's own signer without its process: analysis, proof, policy,
// signature, by one of ms_rig.h's cosigners.
//
// Apart from coffer.h, because the ledger and the Bitcoin layer both have a struct spend.
#ifndef CASEMATE_TESTS_SUPPORT_COFFER_SIGNER_H
#define CASEMATE_TESTS_SUPPORT_COFFER_SIGNER_H
#include "bitcoin/multisig.h"
#include "tests/support/test.h"

struct signer_says {
    bool signed_it;
    struct bytes psbt; // with the signatures
    char reply[1024];  // why not: the wire's text, or `last_refusal`
};
// policy: its JSON; NULL: none is asked. What it refers to by name is `registered`.
struct signer_says coffer_sign(size_t who, struct bytes psbt, const struct ms_wallet *registered,
                               const char *policy);

#endif
