// crypto/ec_internal.h -- what the files behind crypto/ec.h share. For crypto/ only.
#ifndef CASEMATE_CRYPTO_EC_INTERNAL_H
#define CASEMATE_CRYPTO_EC_INTERNAL_H
#include "crypto/ec.h"
#include <secp256k1.h>

// The library's context. Before crypto_init: stops the process.
const secp256k1_context *ec_context(void);

// False if `key` is no point of the curve: possible only where it was marked "unchecked".
MUST_CHECK bool ec_pubkey_load(secp256k1_pubkey *out, const struct pubkey *key);
struct pubkey ec_pubkey_store(const secp256k1_pubkey *key);
void ec_point_load(secp256k1_pubkey *out, const struct point *point);

// The library's return value, which tells nothing of a secret but that the inputs were acceptable:
// what does not happen by chance (once in 2^127) may be branched on.
bool ec_accepted(int result);

#endif
