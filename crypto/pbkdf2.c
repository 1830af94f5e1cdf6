// crypto/pbkdf2.c -- the PBKDF2 half of crypto/kdf.h, apart because of what crypto/evp.h says.
#include "crypto/evp.h"

#include "base/require.h"
#include "crypto/kdf.h"
#include <limits.h>

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
