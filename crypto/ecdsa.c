#include "base/require.h"
#include "base/secret.h"
#include "crypto/declassify.h"
#include "crypto/ec_internal.h"
#include <secp256k1_recovery.h>
#include <string.h>

static const char MISCOMPUTED[] = "fresh signature does not verify";

static void serialize(struct signature *out, const secp256k1_ecdsa_signature *sig)
{
    REQUIRE(secp256k1_ecdsa_signature_serialize_compact(ec_context(), out->b, sig) == 1);
}

// One RFC 6979 signature. `extra` 0: without extra data.
static void sign_once(struct signature *out, const struct seckey *key, const struct hash256 *digest,
                      uint32_t extra)
{
    secp256k1_ecdsa_signature sig;
    uint8_t ndata[32] = { 0 };
    for (size_t i = 0; i < sizeof extra; i++)
        ndata[i] = (uint8_t)(extra >> 8 * i);
    REQUIRE(ec_accepted(secp256k1_ecdsa_sign(ec_context(), &sig, digest->b, key->b, NULL,
                                             extra == 0 ? NULL : ndata)));
    declassify(&sig, sizeof sig);
    serialize(out, &sig);
}

static bool verify(const struct signature *sig, const secp256k1_pubkey *key,
                   const struct hash256 *digest)
{
    secp256k1_ecdsa_signature parsed;
    if (secp256k1_ecdsa_signature_parse_compact(ec_context(), &parsed, sig->b) != 1)
        return false;
    // The library verifies low s only; consensus does not care.
    (void)secp256k1_ecdsa_signature_normalize(ec_context(), &parsed, &parsed);
    return secp256k1_ecdsa_verify(ec_context(), &parsed, digest->b, key) == 1;
}

// psbt-signing.md 14.3: "while the first byte of R is 0x80 or more, sign again with 32 bytes of
// extra data = the counter 1, 2, 3, ... as u32 little-endian followed by 28 zero bytes"
static bool sign(struct signature *out, const struct seckey *key, const secp256k1_pubkey *owner,
                 const struct hash256 *digest, bool grind, struct err *err)
{
    uint32_t extra = 0;
    sign_once(out, key, digest, extra);
    while (grind && out->b[0] >= 0x80)
        sign_once(out, key, digest, ++extra);
    // A fault in the computation of a deterministic signature reveals the key to who sees it.
    if (verify(out, owner, digest))
        return true;
    wipe(out, sizeof *out);
    return err_set(err, ERR_INTERNAL, "%s", MISCOMPUTED);
}

bool ecdsa_sign(struct signature *out, const struct seckey *key, const struct pubkey *pubkey,
                const struct hash256 *digest, bool grind, struct err *err)
{
    secp256k1_pubkey owner;
    if (!ec_pubkey_load(&owner, pubkey))
        return err_set(err, ERR_INTERNAL, "%s", MISCOMPUTED);
    return sign(out, key, &owner, digest, grind, err);
}

bool ecdsa_sign_as(struct signature *out, const struct seckey *key, const struct point *owner,
                   const struct hash256 *digest, bool grind, struct err *err)
{
    secp256k1_pubkey parsed;
    ec_point_load(&parsed, owner);
    return sign(out, key, &parsed, digest, grind, err);
}

bool ecdsa_sign_recoverable(struct recoverable *out, const struct seckey *key,
                            const struct hash256 *digest, struct err *err)
{
    secp256k1_ecdsa_recoverable_signature sig;
    REQUIRE(ec_accepted(
        secp256k1_ecdsa_sign_recoverable(ec_context(), &sig, digest->b, key->b, NULL, NULL)));
    declassify(&sig, sizeof sig);
    REQUIRE(secp256k1_ecdsa_recoverable_signature_serialize_compact(ec_context(), out->sig.b,
                                                                    &out->recid, &sig) == 1);
    // Recovering the signer's key proves the recovery id and, with it, that the signature verifies.
    const struct pubkey expected = seckey_pubkey(key);
    struct pubkey recovered;
    if (ecdsa_recover(&recovered, out, digest) && pubkey_equal(&recovered, &expected))
        return true;
    wipe(out, sizeof *out);
    return err_set(err, ERR_INTERNAL, "%s", MISCOMPUTED);
}

bool ecdsa_verify(const struct signature *sig, const struct pubkey *key,
                  const struct hash256 *digest)
{
    secp256k1_pubkey point;
    return ec_pubkey_load(&point, key) && verify(sig, &point, digest);
}

bool ecdsa_recover(struct pubkey *out, const struct recoverable *sig, const struct hash256 *digest)
{
    secp256k1_ecdsa_recoverable_signature parsed;
    secp256k1_pubkey point;
    if (sig->recid < 0 || sig->recid > 3)
        return false;
    if (secp256k1_ecdsa_recoverable_signature_parse_compact(ec_context(), &parsed, sig->sig.b,
                                                            sig->recid) != 1 ||
        secp256k1_ecdsa_recover(ec_context(), &point, &parsed, digest->b) != 1)
        return false;
    *out = ec_pubkey_store(&point);
    return true;
}

size_t ecdsa_to_der(uint8_t out[static ECDSA_DER_MAX], const struct signature *sig)
{
    secp256k1_ecdsa_signature parsed;
    size_t len = ECDSA_DER_MAX;
    REQUIRE(secp256k1_ecdsa_signature_parse_compact(ec_context(), &parsed, sig->b) == 1);
    REQUIRE(secp256k1_ecdsa_signature_serialize_der(ec_context(), out, &len, &parsed) == 1);
    return len;
}

// The library reads negative and too large numbers as zero. There is exactly one strict encoding of
// each signature, so what does not come back byte for byte was not it.
bool ecdsa_from_der(struct signature *out, struct bytes der)
{
    secp256k1_ecdsa_signature parsed;
    uint8_t again[ECDSA_DER_MAX];
    size_t len = sizeof again;
    if (der.len == 0 || der.len > ECDSA_DER_MAX ||
        secp256k1_ecdsa_signature_parse_der(ec_context(), &parsed, der.ptr, der.len) != 1)
        return false;
    REQUIRE(secp256k1_ecdsa_signature_serialize_der(ec_context(), again, &len, &parsed) == 1);
    if (!bytes_equal(bytes_of(again, len), der))
        return false;
    serialize(out, &parsed);
    return true;
}
