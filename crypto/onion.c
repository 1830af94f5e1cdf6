#include "crypto/evp.h"

#include "crypto/onion.h"

#include "base/base64.h"
#include "base/require.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include <sodium.h>
#include <string.h>

#define PUBLIC_LEN crypto_core_ed25519_BYTES
#define VERSION    3
#define SUFFIX     ".onion"

void onion_key_of_seed(uint8_t out[static ONION_KEY_LEN], const uint8_t seed[static 32])
{
    sha512(out, bytes_of(seed, 32));
    out[0] &= 248;
    out[31] &= 63;
    out[31] |= 64;
}

void onion_key_new(uint8_t out[static ONION_KEY_LEN])
{
    uint8_t seed[32];
    random_bytes(seed, sizeof seed);
    onion_key_of_seed(out, seed);
    wipe(seed, sizeof seed);
}

// "first 2 bytes of SHA3-256(".onion checksum" || pub || 0x03)"
static void checksum_of(uint8_t out[static 2], const uint8_t public[static PUBLIC_LEN])
{
    static const char prefix[] = ".onion checksum";
    uint8_t text[sizeof prefix - 1 + PUBLIC_LEN + 1], hash[32];
    memcpy(text, prefix, sizeof prefix - 1);
    memcpy(text + sizeof prefix - 1, public, PUBLIC_LEN);
    text[sizeof text - 1] = VERSION;
    REQUIRE(EVP_Digest(text, sizeof text, hash, NULL, EVP_sha3_256(), NULL) == 1);
    memcpy(out, hash, 2);
}

static bool is_clamped(const uint8_t key[static ONION_KEY_LEN])
{
    return (key[0] & 7) == 0 && (key[31] & 192) == 64;
}

bool onion_address(char out[static ONION_ADDR_LEN + 1], const uint8_t key[static ONION_KEY_LEN])
{
    uint8_t raw[PUBLIC_LEN + 3];
    if (!is_clamped(key) || crypto_scalarmult_ed25519_base_noclamp(raw, key) != 0)
        return false;
    checksum_of(raw + PUBLIC_LEN, raw);
    raw[sizeof raw - 1] = VERSION;
    struct writer w = writer_of(out, ONION_ADDR_LEN + 1);
    base32_write(&w, BYTES_OF(raw));
    for (size_t i = 0; i < ONION_ID_LEN; i++)
        out[i] = (char)(out[i] >= 'A' && out[i] <= 'Z' ? out[i] - 'A' + 'a' : out[i]);
    writer_text(&w, SUFFIX);
    writer_u8(&w, 0);
    REQUIRE(!w.failed && w.len == ONION_ADDR_LEN + 1);
    return true;
}

bool onion_is_address(struct bytes text)
{
    uint8_t raw[PUBLIC_LEN + 3], checksum[2];
    struct writer w = writer_of(raw, sizeof raw);
    if (text.len != ONION_ADDR_LEN ||
        !bytes_equal_text(bytes_slice(text, ONION_ID_LEN, SIZE_MAX), SUFFIX) ||
        !base32_read(&w, bytes_slice(text, 0, ONION_ID_LEN)) || w.len != sizeof raw)
        return false;
    for (size_t i = 0; i < ONION_ID_LEN; i++)
        if (text.ptr[i] >= 'A' && text.ptr[i] <= 'Z')
            return false;
    checksum_of(checksum, raw);
    return raw[sizeof raw - 1] == VERSION && memcmp(checksum, raw + PUBLIC_LEN, 2) == 0;
}
