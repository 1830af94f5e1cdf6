#include "crypto/seal.h"
#include "base/require.h"
#include "base/secret.h"
#include "crypto/random.h"
#include <sodium.h>

#define NONCE_LEN crypto_secretbox_NONCEBYTES

_Static_assert(SEAL_KEY_LEN == crypto_secretbox_KEYBYTES, "key length");
_Static_assert(SEAL_OVERHEAD == NONCE_LEN + crypto_secretbox_MACBYTES, "nonce and tag");

// Layout: nonce (24), tag (16), ciphertext. A random nonce of 24 bytes does not repeat.
void seal(uint8_t *out, struct bytes plain, const uint8_t key[static SEAL_KEY_LEN])
{
    random_bytes(out, NONCE_LEN);
    REQUIRE(crypto_secretbox_easy(out + NONCE_LEN, plain.ptr, plain.len, out, key) == 0);
}

bool unseal(uint8_t *out, struct bytes sealed, const uint8_t key[static SEAL_KEY_LEN])
{
    if (sealed.len < SEAL_OVERHEAD)
        return false;
    if (crypto_secretbox_open_easy(out, sealed.ptr + NONCE_LEN, sealed.len - NONCE_LEN, sealed.ptr,
                                   key) == 0)
        return true;
    wipe(out, sealed.len - SEAL_OVERHEAD);
    return false;
}
