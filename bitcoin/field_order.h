// bitcoin/field_order.h -- in which order a Coldcard writes the key paths of one map.
//
// It keeps them in a hash table and writes them as they lie there, so files that pass through one and
// through us stay equal byte for byte. The order says nothing, and no reader may depend on it.
// Source: derived from what it writes (tests/vectors/golden/decisions.jsonl): open addressing over a
// 16-bit hash of the key, in the order of arrival, with a table that grows when it is full.
#ifndef CASEMATE_BITCOIN_FIELD_ORDER_H
#define CASEMATE_BITCOIN_FIELD_ORDER_H
#include "base/bytes.h"

#define FIELD_ORDER_MAX 59 // keys; more stay in the order of the file

// out[i] is the index of the key that comes i-th. `keys` are without their type.
void field_order(size_t *out, const struct bytes *keys, size_t n);

#endif
