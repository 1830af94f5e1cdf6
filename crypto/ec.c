#include "crypto/ec.h"
#include "base/require.h"
#include "base/secret.h"
#include "crypto/declassify.h"
#include "crypto/ec_internal.h"
#include "crypto/random.h"
#include <secp256k1_ecdh.h>
#include <string.h>

bool ec_accepted(int result)
{
    declassify(&result, sizeof result);
    return result == 1;
}

bool ec_pubkey_load(secp256k1_pubkey *out, const struct pubkey *key)
{
    return secp256k1_ec_pubkey_parse(ec_context(), out, key->b, sizeof key->b) == 1;
}

struct pubkey ec_pubkey_store(const secp256k1_pubkey *key)
{
    struct pubkey out;
    size_t len = sizeof out.b;
    REQUIRE(secp256k1_ec_pubkey_serialize(ec_context(), out.b, &len, key,
                                          SECP256K1_EC_COMPRESSED) == 1);
    REQUIRE(len == sizeof out.b);
    return out;
}

void seckey_wipe(struct seckey *key)
{
    wipe(key, sizeof *key);
}

bool seckey_from_bytes(struct seckey *out, struct bytes b, struct err *err)
{
    if (b.len != sizeof out->b)
        return err_set(err, ERR_INVALID, "private key of %zu bytes instead of 32", b.len);
    if (!ec_accepted(secp256k1_ec_seckey_verify(ec_context(), b.ptr)))
        return err_set(err, ERR_INVALID, "private key is zero or not below the group order");
    memcpy(out->b, b.ptr, sizeof out->b);
    return true;
}

void seckey_generate(struct seckey *out)
{
    do
        random_bytes(out->b, sizeof out->b);
    while (!ec_accepted(secp256k1_ec_seckey_verify(ec_context(), out->b)));
}

struct pubkey seckey_pubkey(const struct seckey *key)
{
    secp256k1_pubkey point;
    REQUIRE(ec_accepted(secp256k1_ec_pubkey_create(ec_context(), &point, key->b)));
    declassify(&point, sizeof point);
    return ec_pubkey_store(&point);
}

bool seckey_tweak_add(struct seckey *key, const uint8_t tweak[static 32])
{
    AUTO(seckey_wipe) struct seckey sum = *key; // the library destroys its argument on failure
    if (!ec_accepted(secp256k1_ec_seckey_tweak_add(ec_context(), sum.b, tweak)))
        return false;
    *key = sum;
    return true;
}

bool pubkey_tweak_add(struct pubkey *out, const struct pubkey *key, const uint8_t tweak[static 32])
{
    secp256k1_pubkey point;
    if (!ec_pubkey_load(&point, key) ||
        secp256k1_ec_pubkey_tweak_add(ec_context(), &point, tweak) != 1)
        return false;
    *out = ec_pubkey_store(&point);
    return true;
}

// The library also takes the hybrid forms 06 and 07, which no Bitcoin software should make.
static bool is_plain_form(struct bytes serialized)
{
    const uint8_t first = serialized.len > 0 ? serialized.ptr[0] : 0;
    return (serialized.len == 33 && (first == 0x02 || first == 0x03)) ||
           (serialized.len == 65 && first == 0x04);
}

bool pubkey_parse(struct pubkey *out, struct bytes serialized, struct err *err)
{
    secp256k1_pubkey point;
    if (!is_plain_form(serialized))
        return err_set(err, ERR_INVALID, "public key is neither compressed nor uncompressed");
    if (secp256k1_ec_pubkey_parse(ec_context(), &point, serialized.ptr, serialized.len) != 1)
        return err_set(err, ERR_INVALID, "public key is not on the curve");
    *out = ec_pubkey_store(&point);
    return true;
}

bool pubkey_from64(struct pubkey *out, const struct pubkey64 *key, struct err *err)
{
    uint8_t serialized[65] = { 0x04 };
    memcpy(serialized + 1, key->b, sizeof key->b);
    return pubkey_parse(out, BYTES_OF(serialized), err);
}

struct pubkey64 pubkey_to64(const struct pubkey *key)
{
    secp256k1_pubkey point;
    struct pubkey64 out;
    uint8_t serialized[65];
    size_t len = sizeof serialized;
    REQUIRE(ec_pubkey_load(&point, key));
    REQUIRE(secp256k1_ec_pubkey_serialize(ec_context(), serialized, &len, &point,
                                          SECP256K1_EC_UNCOMPRESSED) == 1);
    REQUIRE(len == sizeof serialized);
    memcpy(out.b, serialized + 1, sizeof out.b);
    return out;
}

// --- Points ---

_Static_assert(sizeof(secp256k1_pubkey) == sizeof(struct point), "a point is the library's key");

void ec_point_load(secp256k1_pubkey *out, const struct point *point)
{
    memcpy(out->data, point->b, sizeof point->b);
}

bool point_of(struct point *out, const struct pubkey *key)
{
    secp256k1_pubkey parsed;
    if (!ec_pubkey_load(&parsed, key))
        return false;
    memcpy(out->b, parsed.data, sizeof out->b);
    return true;
}

struct pubkey point_pubkey(const struct point *point)
{
    secp256k1_pubkey key;
    ec_point_load(&key, point);
    return ec_pubkey_store(&key);
}

bool point_tweak_add(struct point *out, const struct point *point, const uint8_t tweak[static 32])
{
    secp256k1_pubkey sum;
    ec_point_load(&sum, point);
    if (secp256k1_ec_pubkey_tweak_add(ec_context(), &sum, tweak) != 1)
        return false;
    memcpy(out->b, sum.data, sizeof out->b);
    return true;
}

bool pubkey_equal(const struct pubkey *a, const struct pubkey *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

// wire-protocol.md 4.1: "session_key = SHA-256( S.x || S.y ), both coordinates as 32-byte
// big-endian". The library's own function hashes the compressed point.
static int hash_xy(unsigned char *out, const unsigned char *x32, const unsigned char *y32,
                   void *data)
{
    (void)data;
    struct sha256 ctx;
    sha256_init(&ctx);
    sha256_update(&ctx, bytes_of(x32, 32));
    sha256_update(&ctx, bytes_of(y32, 32));
    struct hash256 hash = sha256_final(&ctx);
    memcpy(out, hash.b, sizeof hash.b);
    wipe(&hash, sizeof hash);
    return 1;
}

struct hash256 ecdh_xy(const struct seckey *key, const struct pubkey *peer)
{
    secp256k1_pubkey point;
    struct hash256 out;
    REQUIRE(ec_pubkey_load(&point, peer));
    REQUIRE(ec_accepted(secp256k1_ecdh(ec_context(), out.b, &point, key->b, hash_xy, NULL)));
    return out;
}
