// bitcoin/psbt_fields.h -- the table of known PSBT fields, and the checks that it gives each.
//
// Source: psbt-signing.md 8.3 (D-VALUE is all in the table), 8.5, 5.2.
#ifndef CASEMATE_BITCOIN_PSBT_FIELDS_H
#define CASEMATE_BITCOIN_PSBT_FIELDS_H
#include "bitcoin/psbt.h"

enum psbt_map_kind { PSBT_MAP_GLOBAL, PSBT_MAP_INPUT, PSBT_MAP_OUTPUT };

// Every known field has a key and a value of its form. `number` of the input or output is for the
// detail only.
// Fails: as psbt_parse.
MUST_CHECK bool psbt_fields_check(const struct psbt_map *map, enum psbt_map_kind kind,
                                  size_t number, struct err *err);

// The fields that this version requires are there, those that it excludes are not.
// Fails: ERR_INVALID "Invalid PSBT", detail of global fields as in 8.5.
MUST_CHECK bool psbt_fields_check_version(const struct psbt_map *map, enum psbt_map_kind kind,
                                          uint32_t version, size_t number, struct err *err);

#endif
