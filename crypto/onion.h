// crypto/onion.h -- keys and addresses of Tor's onion services, version 3, made without Tor.
//
// Source: Tor's rend-spec-v3, "Encoding onion addresses"; bunker.md 14.
#ifndef CASEMATE_CRYPTO_ONION_H
#define CASEMATE_CRYPTO_ONION_H
#include "base/bytes.h"

#define ONION_KEY_LEN  64 // expanded ed25519 key: scalar, then prefix
#define ONION_ID_LEN   56 // characters of base32
#define ONION_ADDR_LEN 62 // with ".onion"

// A fresh random key.
void onion_key_new(uint8_t out[static ONION_KEY_LEN]);

// The key of a 32-byte seed: SHA-512, clamped.
void onion_key_of_seed(uint8_t out[static ONION_KEY_LEN], const uint8_t seed[static 32]);

// "<56 characters>.onion", lower case, and a final zero. False for bytes that are no clamped scalar,
// which no Tor takes either.
MUST_CHECK bool onion_address(char out[static ONION_ADDR_LEN + 1],
                              const uint8_t key[static ONION_KEY_LEN]);

// Whether text is an address: its length, alphabet, version and checksum.
bool onion_is_address(struct bytes text);

#endif
