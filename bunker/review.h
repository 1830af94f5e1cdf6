// bunker/review.h -- what the bunker itself reads in a PSBT and in what the device gave back.
//
// Pure, and public data only: what is said here is the bunker's own reading, for people to compare with
// the device's, and to keep a result that is not what was asked from being taken for it.
// Source: bunker.md 9.1, 9.5 steps 4 and 5, 19.3.
#ifndef CASEMATE_BUNKER_REVIEW_H
#define CASEMATE_BUNKER_REVIEW_H
#include "base/json.h"
#include "bitcoin/chain.h"
#include "bitcoin/psbt.h"
#include "bitcoin/sats.h"

#define REVIEW_ARENA    ((size_t)64 << 20)
#define REVIEW_ROWS_MAX 5000 // inputs and outputs that a picture is worked out for

// The PSBT in an upload, in binary: as it is, from hex (70736274ff in any case) or from base64 (cHNidP).
// Parsed to its last byte. *out borrows or lies in the arena.
// Fails: ERR_MALFORMED "File does not have PSBT magic number at start.", ERR_LIMIT "PSBT is too large
//        (limit 2097152 bytes).", and what psbt_parse says.
MUST_CHECK bool review_upload(struct bytes *out, struct bytes file, struct arena *arena,
                              struct err *err);

// Whether a signature for each key of fingerprint `xfp` (8 hex digits) would complete every input.
bool review_is_completed_by(const struct psbt *psbt, struct bytes xfp);

enum result_kind { RESULT_PSBT, RESULT_TRANSACTION };

// What came back for `submitted`: by its first bytes, not by what was asked. The same inputs and outputs,
// and for a PSBT more signatures than before. txid: of the transaction, 65 bytes, empty for a PSBT.
// Fails: ERR_INVALID "The device returned another transaction.", "The device added no signature.",
//        ERR_MALFORMED "The device returned neither PSBT nor transaction."
MUST_CHECK bool review_result(enum result_kind *kind, char txid[static 65], struct bytes result,
                              struct bytes submitted, struct arena *arena, struct err *err);

// What it pays to others: the outputs that claim no key path of `xfp`, and how many they are.
// False for amounts that cannot be.
bool review_paid(struct sats *paid, size_t *n, const struct psbt *psbt, struct bytes xfp);

// {"inputs": [...], "outputs": [...], "fee": n, ...} for the picture. Source: 19.3.
void review_write(struct json_writer *j, const struct psbt *psbt, struct bytes xfp,
                  const struct chain *chain, struct arena *arena);

#endif
