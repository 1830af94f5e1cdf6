// coordinator/setup.h -- the first contents of a ledger: a wallet with its signers, caps, list and people, from
// one JSON file that the operator has read.
//
// (1) A wallet that exists is refused: from then on only change requests change it (D11).
// (2) All of it is one transaction, with the actor "host".
// (3) What the file says is checked as a change request would be: the same readers, the same bounds.
// Source: coordinator.md D14 "What lies where", B4; docs/man/casemate-coordinator.8.
#ifndef CASEMATE_COORDINATOR_SETUP_H
#define CASEMATE_COORDINATOR_SETUP_H
#include "base/json.h"
#include "coordinator/ledger.h"

#define SETUP_FILE_MAX ((size_t)1 << 20)

// What will be made, for the person who is asked; and what to think about (the 2/3 rule).
// Fails: CODE_BAD_REQUEST "<member>: <what>".
MUST_CHECK bool setup_describe(struct writer *w, const struct json *file, struct arena *arena,
                               struct err *err);

// Fails besides: CODE_CONFLICT for a wallet, signer number or principal that is there already.
MUST_CHECK bool setup_apply(struct db *db, char wallet_id[static ID_SIZE], const struct json *file,
                            struct arena *arena, struct err *err);

#endif
