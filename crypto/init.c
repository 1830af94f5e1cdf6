#include "base/require.h"
#include "base/secret.h"
#include "crypto/ec_internal.h"
#include "crypto/hmac.h"
#include "crypto/random.h"
#include <string.h>

// The one mutable state at file scope in the project: the library's context holds the blinding that
// protects every secret multiplication, has to be one and the same for all of them to be renewed by
// crypto_randomize, and means nothing to a caller who would otherwise carry it through every layer.
// Written by crypto_init and crypto_randomize only.
static secp256k1_context *context;

// The library's message would name an argument of ours: it is not printed.
static void stop(const char *message, void *data)
{
    (void)message;
    (void)data;
    require_failed("the curve library's invariants hold", __FILE__, __LINE__);
}

// A library that was built without a hash, or miscomputes it, must not get as far as an address.
// Sources: FIPS 180-4 examples, the RIPEMD-160 page's vectors, RFC 2202 and RFC 4231 (case 2).
static void check_known_answers(void)
{
    static const uint8_t sha256_abc[] =
        "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23"
        "\xb0\x03\x61\xa3\x96\x17\x7a\x9c\xb4\x10\xff\x61\xf2\x00\x15\xad";
    static const uint8_t sha512_abc[] =
        "\xdd\xaf\x35\xa1\x93\x61\x7a\xba\xcc\x41\x73\x49\xae\x20\x41\x31"
        "\x12\xe6\xfa\x4e\x89\xa9\x7e\xa2\x0a\x9e\xee\xe6\x4b\x55\xd3\x9a"
        "\x21\x92\x99\x2a\x27\x4f\xc1\xa8\x36\xba\x3c\x23\xa3\xfe\xeb\xbd"
        "\x45\x4d\x44\x23\x64\x3c\xe8\x0e\x2a\x9a\xc9\x4f\xa5\x4c\xa4\x9f";
    static const uint8_t ripemd160_abc[] =
        "\x8e\xb2\x08\xf7\xe0\x5d\x98\x7a\x9b\x04\x4a\x8e\x98\xc6\xb0\x87\xf1\x5a\x0b\xfc";
    static const uint8_t sha1_mac[] =
        "\xef\xfc\xdf\x6a\xe5\xeb\x2f\xa2\xd2\x74\x16\xd5\xf1\x84\xdf\x9c\x25\x9a\x7c\x79";
    const struct bytes abc = BYTES("abc");
    uint8_t out[64];

    const struct hash256 h256 = sha256(abc);
    REQUIRE(memcmp(h256.b, sha256_abc, sizeof h256.b) == 0);
    const struct hash160 h160 = ripemd160(abc);
    REQUIRE(memcmp(h160.b, ripemd160_abc, sizeof h160.b) == 0);
    sha512(out, abc);
    REQUIRE(memcmp(out, sha512_abc, 64) == 0);
    hmac_sha1(out, BYTES("Jefe"), BYTES("what do ya want for nothing?"));
    REQUIRE(memcmp(out, sha1_mac, 20) == 0);
}

void crypto_init(void)
{
    if (context != NULL)
        return;
    check_known_answers();
    secp256k1_selftest(); // stops the process by itself
    secp256k1_context *fresh = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    REQUIRE(fresh != NULL);
    secp256k1_context_set_illegal_callback(fresh, stop, NULL);
    secp256k1_context_set_error_callback(fresh, stop, NULL);
    context = fresh;
    crypto_randomize();
}

void crypto_randomize(void)
{
    uint8_t blinding[32];
    REQUIRE(context != NULL);
    random_bytes(blinding, sizeof blinding);
    REQUIRE(secp256k1_context_randomize(context, blinding) == 1);
    wipe(blinding, sizeof blinding);
}

const secp256k1_context *ec_context(void)
{
    REQUIRE(context != NULL);
    return context;
}
