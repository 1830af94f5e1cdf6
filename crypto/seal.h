// crypto/seal.h -- authenticated encryption of what lies on disk (XSalsa20-Poly1305).
#ifndef CASEMATE_CRYPTO_SEAL_H
#define CASEMATE_CRYPTO_SEAL_H
#include "base/bytes.h"

#define SEAL_KEY_LEN  32
#define SEAL_OVERHEAD 40 // nonce and tag

// Writes plain.len + SEAL_OVERHEAD bytes under a fresh random nonce.
void seal(uint8_t *out, struct bytes plain, const uint8_t key[static SEAL_KEY_LEN]);

// Writes sealed.len - SEAL_OVERHEAD bytes. False if too short, forged, or sealed under another key;
// `out` is then wiped.
MUST_CHECK bool unseal(uint8_t *out, struct bytes sealed, const uint8_t key[static SEAL_KEY_LEN]);

#endif
