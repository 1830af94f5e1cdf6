#include "base/require.h"
#include "base/secret.h"
#include "crypto/declassify.h"
#include "crypto/ec_internal.h"
#include <secp256k1_extrakeys.h>
#include <secp256k1_schnorrsig.h>
#include <string.h>

static void keypair_wipe(secp256k1_keypair *pair)
{
    wipe(pair, sizeof *pair);
}

static void keypair_of(secp256k1_keypair *out, const struct seckey *key)
{
    REQUIRE(ec_accepted(secp256k1_keypair_create(ec_context(), out, key->b)));
    declassify(out->data + 32, 64); // the public key lies behind the private one
}

static void public_half(secp256k1_xonly_pubkey *out, const secp256k1_keypair *pair)
{
    REQUIRE(ec_accepted(secp256k1_keypair_xonly_pub(ec_context(), out, NULL, pair)));
    declassify(out, sizeof *out);
}

static bool sign_and_verify(uint8_t out[static 64], const secp256k1_keypair *pair,
                            const secp256k1_xonly_pubkey *half, const struct hash256 *digest,
                            const uint8_t aux[static 32], struct err *err)
{
    REQUIRE(ec_accepted(secp256k1_schnorrsig_sign32(ec_context(), out, digest->b, pair, aux)));
    declassify(out, 64);
    if (secp256k1_schnorrsig_verify(ec_context(), out, digest->b, sizeof digest->b, half) == 1)
        return true;
    wipe(out, 64);
    return err_set(err, ERR_INTERNAL, "fresh signature does not verify");
}

void schnorr_key_of(struct schnorr_key *out, const struct seckey *key)
{
    AUTO(keypair_wipe) secp256k1_keypair pair;
    _Static_assert(sizeof *out == sizeof pair, "a key pair of the library");
    keypair_of(&pair, key);
    memcpy(out, &pair, sizeof *out);
}

void schnorr_key_wipe(struct schnorr_key *key)
{
    wipe(key, sizeof *key);
}

bool schnorr_sign_with(uint8_t out[static 64], const struct schnorr_key *key,
                       const struct hash256 *digest, const uint8_t aux[static 32], struct err *err)
{
    AUTO(keypair_wipe) secp256k1_keypair pair;
    secp256k1_xonly_pubkey half;
    memcpy(&pair, key, sizeof pair);
    public_half(&half, &pair);
    return sign_and_verify(out, &pair, &half, digest, aux, err);
}

bool schnorr_sign(uint8_t out[static 64], const struct seckey *key, const struct hash256 *digest,
                  const uint8_t aux[static 32], struct err *err)
{
    AUTO(schnorr_key_wipe) struct schnorr_key own;
    schnorr_key_of(&own, key);
    return schnorr_sign_with(out, &own, digest, aux, err);
}

bool schnorr_sign_as(uint8_t out[static 64], const struct seckey *key,
                     const uint8_t xonly[static 32], const struct hash256 *digest,
                     const uint8_t aux[static 32], struct err *err)
{
    AUTO(keypair_wipe) secp256k1_keypair pair;
    secp256k1_xonly_pubkey half;
    uint8_t same[32];
    keypair_of(&pair, key);
    public_half(&half, &pair);
    REQUIRE(secp256k1_xonly_pubkey_serialize(ec_context(), same, &half) == 1);
    if (memcmp(same, xonly, sizeof same) != 0)
        return err_set(err, ERR_INTERNAL, "the private key is another one's");
    return sign_and_verify(out, &pair, &half, digest, aux, err);
}

bool schnorr_verify(const uint8_t sig[static 64], const uint8_t xonly[static 32],
                    struct bytes message)
{
    secp256k1_xonly_pubkey point;
    return secp256k1_xonly_pubkey_parse(ec_context(), &point, xonly) == 1 &&
           secp256k1_schnorrsig_verify(ec_context(), sig, message.ptr, message.len, &point) == 1;
}

// BIP-341, "taproot_tweak_seckey". Which of the two is signed for is public.
bool seckey_taproot_tweak(struct seckey *key, const struct pubkey *pubkey,
                          const uint8_t tweak[static 32])
{
    AUTO(seckey_wipe) struct seckey even = *key;
    const bool is_odd = pubkey->b[0] == 0x03;
    if (is_odd)
        REQUIRE(ec_accepted(secp256k1_ec_seckey_negate(ec_context(), even.b)));
    if (!seckey_tweak_add(&even, tweak))
        return false;
    *key = even;
    return true;
}

static bool tweak_inside(uint8_t out[static 32], const secp256k1_xonly_pubkey *inside,
                         const uint8_t tweak[static 32])
{
    secp256k1_xonly_pubkey tweaked;
    secp256k1_pubkey point;
    if (secp256k1_xonly_pubkey_tweak_add(ec_context(), &point, inside, tweak) != 1)
        return false;
    REQUIRE(secp256k1_xonly_pubkey_from_pubkey(ec_context(), &tweaked, NULL, &point) == 1);
    REQUIRE(secp256k1_xonly_pubkey_serialize(ec_context(), out, &tweaked) == 1);
    return true;
}

bool xonly_tweak_add(uint8_t out[static 32], const uint8_t xonly[static 32],
                     const uint8_t tweak[static 32])
{
    secp256k1_xonly_pubkey inside;
    return secp256k1_xonly_pubkey_parse(ec_context(), &inside, xonly) == 1 &&
           tweak_inside(out, &inside, tweak);
}

bool point_taproot_tweak(uint8_t out[static 32], const struct point *point,
                         const uint8_t tweak[static 32])
{
    secp256k1_xonly_pubkey inside;
    secp256k1_pubkey key;
    ec_point_load(&key, point);
    REQUIRE(secp256k1_xonly_pubkey_from_pubkey(ec_context(), &inside, NULL, &key) == 1);
    return tweak_inside(out, &inside, tweak);
}
