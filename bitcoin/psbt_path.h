// bitcoin/psbt_path.h -- key path values of PSBT fields: whose key, and where under that master.
//
// What a field states here is a claim until the key was derived. Source: psbt-signing.md 5.2.
#ifndef CASEMATE_BITCOIN_PSBT_PATH_H
#define CASEMATE_BITCOIN_PSBT_PATH_H
#include "bitcoin/hdkey.h"
#include "bitcoin/psbt.h"

#define PSBT_PATH_DEPTH_MAX 11 // steps: 12 words with the fingerprint

// The fields of a map that hold key paths: types 06 (input) and 02 (output), and with `taproot` 16
// and 07, whose keys are of 32 bytes. `after`: the one found before, or NULL.
const struct psbt_field *psbt_next_in_path(const struct psbt_map *map, bool taproot,
                                           const struct psbt_field *after);
const struct psbt_field *psbt_next_out_path(const struct psbt_map *map, bool taproot,
                                            const struct psbt_field *after);

// What stands before fingerprint and steps of a taproot key path: the count of leaf hashes and they
// themselves; no bytes of another field.
struct bytes psbt_path_leaves(const struct psbt_field *field);
bool psbt_path_is_of_leaves(const struct psbt_field *field); // the key stands in some script

// Key and value of a field 06 (input) or 02 (output). The depth is the signer's rule, not the
// container's: official vectors hold paths of 35 steps.
// Fails: ERR_INVALID "Invalid PSBT", details as in 5.2.
MUST_CHECK bool psbt_path_check(const struct psbt_field *field, struct err *err);
MUST_CHECK bool psbt_path_check_depth(const struct psbt_field *field, struct err *err);

// Of a field that both have passed. A fingerprint of zero means "yours" and stays as it is.
struct key_origin psbt_path_read(const struct psbt_field *field);

// The fingerprint alone, `ours` in place of 00000000, of a field that psbt_path_check (or for
// taproot the table of fields) has passed.
struct xfp psbt_path_xfp(const struct psbt_field *field, struct xfp ours);

#endif
