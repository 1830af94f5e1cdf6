// crypto/kdf.h -- keys from passwords.
#ifndef CASEMATE_CRYPTO_KDF_H
#define CASEMATE_CRYPTO_KDF_H
#include "base/err.h"

// RFC 8018. `rounds` at least 1, `len` at most 64 (SHA-512) or 32 (SHA-256) times 2^31.
void pbkdf2_sha512(uint8_t *out, size_t len, struct bytes password, struct bytes salt,
                   unsigned rounds);
void pbkdf2_sha256(uint8_t *out, size_t len, struct bytes password, struct bytes salt,
                   unsigned rounds);

// Argon2id version 1.3. salt: 16 bytes. memory in KiB (at least 8), passes at least 1.
// Fails: ERR_NO_MEMORY if the system does not give that much.
MUST_CHECK bool argon2id(uint8_t *out, size_t len, struct bytes password, struct bytes salt,
                         uint32_t passes, uint32_t memory_kib, struct err *err);

#endif
