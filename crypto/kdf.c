#include "crypto/evp.h"

#include "base/require.h"
#include "crypto/kdf.h"
#include <inttypes.h>
#include <limits.h>
#include <sodium.h>

static void pbkdf2(uint8_t *out, size_t len, struct bytes password, struct bytes salt,
                   unsigned rounds, const EVP_MD *hash)
{
    REQUIRE(len <= INT_MAX && password.len <= INT_MAX && salt.len <= INT_MAX);
    REQUIRE(rounds >= 1 && rounds <= INT_MAX);
    REQUIRE(PKCS5_PBKDF2_HMAC((const char *)password.ptr, (int)password.len, salt.ptr,
                              (int)salt.len, (int)rounds, hash, (int)len, out) == 1);
}

void pbkdf2_sha512(uint8_t *out, size_t len, struct bytes password, struct bytes salt,
                   unsigned rounds)
{
    pbkdf2(out, len, password, salt, rounds, EVP_sha512());
}

void pbkdf2_sha256(uint8_t *out, size_t len, struct bytes password, struct bytes salt,
                   unsigned rounds)
{
    pbkdf2(out, len, password, salt, rounds, EVP_sha256());
}

bool argon2id(uint8_t *out, size_t len, struct bytes password, struct bytes salt, uint32_t passes,
              uint32_t memory_kib, struct err *err)
{
    REQUIRE(salt.len == crypto_pwhash_argon2id_SALTBYTES);
    REQUIRE(len >= crypto_pwhash_argon2id_BYTES_MIN && passes >= 1 && memory_kib >= 8);
    REQUIRE(password.len <= crypto_pwhash_argon2id_PASSWD_MAX);
    // The arguments are within the library's bounds, so what is left to fail is memory.
    if (crypto_pwhash(out, len, (const char *)password.ptr, password.len, salt.ptr, passes,
                      (size_t)memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13) != 0)
        return err_set(err, ERR_NO_MEMORY, "no %" PRIu32 " KiB of memory for a key from a password",
                       memory_kib);
    return true;
}
