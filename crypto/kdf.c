#include "crypto/kdf.h"
#include "base/require.h"
#include <inttypes.h>
#include <sodium.h>

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
