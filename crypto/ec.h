// crypto/ec.h -- secp256k1: keys, ECDSA, recovery, Schnorr, ECDH. The only user of the curve
// library.
//
// (1) A failed invariant inside the library stops the process; no argument is printed.
// (2) Every function that takes a seckey is constant-time in it.
// (3) Signatures are verified against their public key before they are handed out.
#ifndef CASEMATE_CRYPTO_EC_H
#define CASEMATE_CRYPTO_EC_H
#include "base/err.h"
#include "crypto/hash.h"

// 32 bytes big-endian, 0 < key < n once a function here has accepted it.
struct seckey {
    uint8_t b[32];
};
// Compressed point. Values of this type come from parsing or deriving, so they are on the curve,
// unless a comment at the member says "unchecked".
struct pubkey {
    uint8_t b[33];
};
// X || Y, without the 04 prefix.
struct pubkey64 {
    uint8_t b[64];
};
// ECDSA signature, r || s, low s.
struct signature {
    uint8_t b[64];
};
// With recovery id 0 to 3.
struct recoverable {
    struct signature sig;
    int recid;
};

// Builds and self-tests the library's context and checks one known answer of every hash. Before
// anything else of this header, after secret_init; again does nothing. Stops the process on failure.
void crypto_init(void);

// Blinds the context with fresh random bytes: crypto_init did it once; again before each signing
// request. Not while another thread is inside a function of this header.
void crypto_randomize(void);

void seckey_wipe(struct seckey *key); // also for AUTO

// 0 < bytes < n. Fails: ERR_INVALID.
MUST_CHECK bool seckey_from_bytes(struct seckey *out, struct bytes b, struct err *err);
void seckey_generate(struct seckey *out);
struct pubkey seckey_pubkey(const struct seckey *key);

// key + tweak mod n; pubkey + tweak * G. False (and *key, *out unchanged) if tweak >= n or the
// result is zero / infinity.
MUST_CHECK bool seckey_tweak_add(struct seckey *key, const uint8_t tweak[static 32]);
MUST_CHECK bool pubkey_tweak_add(struct pubkey *out, const struct pubkey *key,
                                 const uint8_t tweak[static 32]);

// 33 bytes (02, 03) or 65 bytes (04). Fails: ERR_INVALID if not on the curve or of another form.
MUST_CHECK bool pubkey_parse(struct pubkey *out, struct bytes serialized, struct err *err);
MUST_CHECK bool pubkey_from64(struct pubkey *out, const struct pubkey64 *key, struct err *err);
struct pubkey64 pubkey_to64(const struct pubkey *key);
bool pubkey_equal(const struct pubkey *a, const struct pubkey *b);

// A public key as the library computes with it, for keys that are used again: reading the bytes of a
// struct pubkey costs a square root. Opaque, and made by these functions only.
struct point {
    uint8_t b[64];
};
MUST_CHECK bool point_of(struct point *out, const struct pubkey *key); // false: not on the curve
struct pubkey point_pubkey(const struct point *point);
// As pubkey_tweak_add.
MUST_CHECK bool point_tweak_add(struct point *out, const struct point *point,
                                const uint8_t tweak[static 32]);

// RFC 6979 as libsecp256k1 does it, low s. `grind`: repeat with extra data 1, 2, 3, ... until the
// first byte of r is below 0x80 (transactions); not for messages. Verified before return.
// Fails: ERR_INTERNAL if the fresh signature does not verify; nothing is handed out then.
// Source: psbt-signing.md 14.3.
MUST_CHECK bool ecdsa_sign(struct signature *out, const struct seckey *key,
                           const struct pubkey *pubkey, const struct hash256 *digest, bool grind,
                           struct err *err);
// The same, verified against a key that was read before.
MUST_CHECK bool ecdsa_sign_as(struct signature *out, const struct seckey *key,
                              const struct point *owner, const struct hash256 *digest, bool grind,
                              struct err *err);
MUST_CHECK bool ecdsa_sign_recoverable(struct recoverable *out, const struct seckey *key,
                                       const struct hash256 *digest, struct err *err);
bool ecdsa_verify(const struct signature *sig, const struct pubkey *key,
                  const struct hash256 *digest); // accepts high s
MUST_CHECK bool ecdsa_recover(struct pubkey *out, const struct recoverable *sig,
                              const struct hash256 *digest);

// DER, shortest form, of a signature made or read by a function here. Returns the length.
#define ECDSA_DER_MAX 72
size_t ecdsa_to_der(uint8_t out[static ECDSA_DER_MAX], const struct signature *sig);
// BIP-66: strict. High s is accepted and kept. Also false where r or s is no number below the group
// order, which no struct signature can hold; zero is accepted here and verifies never.
MUST_CHECK bool ecdsa_from_der(struct signature *out, struct bytes der);

// BIP-340.
#define SCHNORR_LEN 64
MUST_CHECK bool schnorr_sign(uint8_t out[static 64], const struct seckey *key,
                             const struct hash256 *digest, const uint8_t aux[static 32],
                             struct err *err);
// The same with a key that signs often, made once of its private key: less work by a quarter.
struct schnorr_key {
    uint8_t b[96]; // opaque, and a secret
};
void schnorr_key_of(struct schnorr_key *out, const struct seckey *key);
void schnorr_key_wipe(struct schnorr_key *key); // also for AUTO
MUST_CHECK bool schnorr_sign_with(uint8_t out[static 64], const struct schnorr_key *key,
                                  const struct hash256 *digest, const uint8_t aux[static 32],
                                  struct err *err);
// As schnorr_sign, by the owner of that x-only key, against which it is verified. Fails: ERR_INTERNAL
// also if `key` is not its private key.
MUST_CHECK bool schnorr_sign_as(uint8_t out[static 64], const struct seckey *key,
                                const uint8_t xonly[static 32], const struct hash256 *digest,
                                const uint8_t aux[static 32], struct err *err);
bool schnorr_verify(const uint8_t sig[static 64], const uint8_t xonly[static 32],
                    struct bytes message);
// BIP-341: the key negated if its public key `pubkey` is odd, then tweaked; the x-only key tweaked.
MUST_CHECK bool seckey_taproot_tweak(struct seckey *key, const struct pubkey *pubkey,
                                     const uint8_t tweak[static 32]);
MUST_CHECK bool xonly_tweak_add(uint8_t out[static 32], const uint8_t xonly[static 32],
                                const uint8_t tweak[static 32]);
// The same of a key that was read before, whichever y it has.
MUST_CHECK bool point_taproot_tweak(uint8_t out[static 32], const struct point *point,
                                    const uint8_t tweak[static 32]);

// SHA-256 of the shared point's X || Y. Source: wire-protocol.md 4.1.
struct hash256 ecdh_xy(const struct seckey *key, const struct pubkey *peer);

#endif
