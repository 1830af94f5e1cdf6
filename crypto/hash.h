// crypto/hash.h -- hash functions.
//
// The contexts are plain values: assigning one copies its midstate. Wipe one that saw a secret.
#ifndef CASEMATE_CRYPTO_HASH_H
#define CASEMATE_CRYPTO_HASH_H
#include "base/bytes.h"

struct hash256 {
    uint8_t b[32];
};
struct hash160 {
    uint8_t b[20];
};

struct sha256 {
    _Alignas(8) uint8_t state[128];
};
void sha256_init(struct sha256 *ctx);
void sha256_update(struct sha256 *ctx, struct bytes data);
void sha256_u8(struct sha256 *ctx, uint8_t value);
void sha256_u32le(struct sha256 *ctx, uint32_t value);
void sha256_u64le(struct sha256 *ctx, uint64_t value);
void sha256_compact_size(struct sha256 *ctx, uint64_t value);
struct hash256 sha256_final(struct sha256 *ctx);  // ctx is wiped
struct hash256 sha256d_final(struct sha256 *ctx); // SHA-256 of that

struct hash256 sha256(struct bytes data);
struct hash256 sha256d(struct bytes data);
void sha512(uint8_t out[static 64], struct bytes data);
struct hash160 ripemd160(struct bytes data);
struct hash160 hash160(struct bytes data); // RIPEMD-160 of SHA-256
struct hash160 sha1(struct bytes data);    // for protocols that fix it; collisions are known

// BIP-340: SHA-256(SHA-256(tag) || SHA-256(tag) || ...); goes on with sha256_update.
void sha256_init_tagged(struct sha256 *ctx, const char *tag);

#endif
