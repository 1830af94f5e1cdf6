// bitcoin/psbt_path.h -- key path values of PSBT fields: whose key, and where under that master.
//
// What a field states here is a claim until the key was derived. Source: psbt-signing.md 5.2.
#ifndef CASEMATE_BITCOIN_PSBT_PATH_H
#define CASEMATE_BITCOIN_PSBT_PATH_H
#include "bitcoin/hdkey.h"
#include "bitcoin/psbt.h"

#define PSBT_PATH_DEPTH_MAX 11 // steps: 12 words with the fingerprint

// Key and value of a field 06 (input) or 02 (output). The depth is the signer's rule, not the
// container's: official vectors hold paths of 35 steps.
// Fails: ERR_INVALID "Invalid PSBT", details as in 5.2.
MUST_CHECK bool psbt_path_check(const struct psbt_field *field, struct err *err);
MUST_CHECK bool psbt_path_check_depth(const struct psbt_field *field, struct err *err);

// Of a field that both have passed. A fingerprint of zero means "yours" and stays as it is.
struct key_origin psbt_path_read(const struct psbt_field *field);

// The fingerprint alone, of a field that psbt_path_check has passed; `ours` in place of 00000000.
struct xfp psbt_path_xfp(const struct psbt_field *field, struct xfp ours);

#endif
