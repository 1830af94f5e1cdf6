// crypto/ct_test.c -- runs what touches a secret with that secret marked undefined, under valgrind (tests/support/ct.h).
// Covers psbt-signing.md 27, item 98.
#include "tests/support/ct.h"
#include "base/require.h"
#include "base/secret.h"
#include "crypto/aes_ctr.h"
#include "crypto/declassify.h"
#include "crypto/ec.h"
#include "crypto/hmac.h"
#include "crypto/otp.h"

// Of vectors/ecdsa.json: the third attempt has a low r.
static const struct seckey plain_key = {
    "\x42\x11\x17\x55\x86\xa9\xb6\xf5\x94\xd3\xca\x0f\x0e\x8f\x27\xd3"
    "\x1e\x28\x70\x84\x05\xac\x5b\xac\xdb\xf4\x02\xda\x8a\xb5\x3d\x2e"
};
static const struct hash256 digest = {
    "\xcd\x58\x92\x2e\xd3\xbe\xac\x30\xd7\xfe\xc2\x69\x98\x71\xed\xae"
    "\xc6\x59\x8c\x8f\xc9\x9e\x94\xf1\xef\x61\x46\x1e\x44\x1c\x7d\x09"
};

static struct seckey secret_key(void)
{
    struct seckey key = plain_key;
    make_secret(&key, sizeof key);
    return key;
}

// --- What is run: true if the result is that of the same call in the clear ---

static bool run_pubkey(void)
{
    const struct seckey key = secret_key();
    const struct pubkey a = seckey_pubkey(&key), b = seckey_pubkey(&plain_key);
    return same(&a, &b, sizeof a);
}

static bool run_tweak(void)
{
    struct seckey key = secret_key(), plain = plain_key;
    struct hash256 tweak = digest;
    REQUIRE(seckey_tweak_add(&plain, tweak.b));
    make_secret(&tweak, sizeof tweak); // BIP-32: the left half of an HMAC over the private parent
    return seckey_tweak_add(&key, tweak.b) && same(&key, &plain, sizeof key);
}

static bool run_from_bytes(void)
{
    const struct seckey key = secret_key();
    struct seckey copy;
    struct err err;
    return seckey_from_bytes(&copy, BYTES_OF(key.b), &err) && same(&copy, &plain_key, sizeof copy);
}

static bool sign(bool grind)
{
    const struct pubkey pubkey = seckey_pubkey(&plain_key);
    const struct seckey key = secret_key();
    struct signature a, b;
    struct err err;
    REQUIRE(ecdsa_sign(&b, &plain_key, &pubkey, &digest, grind, &err));
    return ecdsa_sign(&a, &key, &pubkey, &digest, grind, &err) && same(&a, &b, sizeof a);
}

static bool run_sign(void)
{
    return sign(false);
}

static bool run_grind(void)
{
    return sign(true);
}

static bool run_recoverable(void)
{
    const struct seckey key = secret_key();
    struct recoverable a, b;
    struct err err;
    REQUIRE(ecdsa_sign_recoverable(&b, &plain_key, &digest, &err));
    return ecdsa_sign_recoverable(&a, &key, &digest, &err) && same(&a.sig, &b.sig, sizeof a.sig) &&
           same(&a.recid, &b.recid, sizeof a.recid);
}

static bool run_schnorr(void)
{
    const struct seckey key = secret_key();
    struct hash256 aux = digest;
    uint8_t a[64], b[64];
    struct err err;
    REQUIRE(schnorr_sign(b, &plain_key, &digest, aux.b, &err));
    make_secret(&aux, sizeof aux);
    return schnorr_sign(a, &key, &digest, aux.b, &err) && same(a, b, sizeof a);
}

static bool run_schnorr_as(void)
{
    const struct seckey key = secret_key();
    const struct pubkey pubkey = seckey_pubkey(&plain_key);
    struct hash256 aux = digest;
    uint8_t a[64], b[64];
    struct err err;
    REQUIRE(schnorr_sign(b, &plain_key, &digest, aux.b, &err));
    make_secret(&aux, sizeof aux);
    return schnorr_sign_as(a, &key, pubkey.b + 1, &digest, aux.b, &err) && same(a, b, sizeof a);
}

static bool run_taproot(void)
{
    struct seckey key = secret_key(), plain = plain_key;
    const struct pubkey pubkey = seckey_pubkey(&plain_key);
    REQUIRE(seckey_taproot_tweak(&plain, &pubkey, digest.b));
    return seckey_taproot_tweak(&key, &pubkey, digest.b) && same(&key, &plain, sizeof key);
}

static bool run_ecdh(void)
{
    const struct pubkey peer = seckey_pubkey(&(struct seckey){ { 1 } });
    const struct seckey key = secret_key();
    const struct hash256 a = ecdh_xy(&key, &peer), b = ecdh_xy(&plain_key, &peer);
    return same(&a, &b, sizeof a);
}

static bool run_hmac(void)
{
    const struct seckey key = secret_key();
    uint8_t a[64], b[64];
    bool ok = true;
    hmac_sha1(a, BYTES_OF(key.b), BYTES_OF(key.b));
    hmac_sha1(b, BYTES_OF(plain_key.b), BYTES_OF(plain_key.b));
    ok = same(a, b, 20) && ok;
    hmac_sha256(a, BYTES_OF(key.b), BYTES_OF(key.b));
    hmac_sha256(b, BYTES_OF(plain_key.b), BYTES_OF(plain_key.b));
    ok = same(a, b, 32) && ok;
    hmac_sha512(a, BYTES_OF(key.b), BYTES_OF(key.b));
    hmac_sha512(b, BYTES_OF(plain_key.b), BYTES_OF(plain_key.b));
    return same(a, b, 64) && ok;
}

static bool run_local_code(void)
{
    const struct seckey key = secret_key();
    char a[OTP_TEXT_SIZE], b[OTP_TEXT_SIZE];
    local_code(a, BYTES_OF(key.b), BYTES_OF(digest.b));
    local_code(b, BYTES_OF(plain_key.b), BYTES_OF(digest.b));
    return same(a, b, sizeof a);
}

static bool run_aes(void)
{
    const struct seckey key = secret_key();
    uint8_t a[40] = { 0 }, b[40] = { 0 };
    struct aes_ctr *secret = aes_ctr_new(key.b), *plain = aes_ctr_new(plain_key.b);
    aes_ctr_apply(secret, a, sizeof a);
    aes_ctr_apply(plain, b, sizeof b);
    aes_ctr_free(secret);
    aes_ctr_free(plain);
    return same(a, b, sizeof a);
}

static bool run_ct_equal(void)
{
    const struct seckey key = secret_key();
    struct seckey other = plain_key;
    other.b[31] ^= 1;
    bool equal = ct_equal(BYTES_OF(key.b), BYTES_OF(plain_key.b));
    bool differs = !ct_equal(BYTES_OF(key.b), BYTES_OF(other.b));
    declassify(&equal, sizeof equal);
    declassify(&differs, sizeof differs);
    return equal && differs;
}

// --- Proof that this test can fail ---

static bool run_branch(void)
{
    const struct seckey key = secret_key();
    volatile unsigned n = 0;
    if (key.b[0] == 0x42)
        n = n + 1;
    return n == 1;
}

static bool run_index(void)
{
    static const volatile uint8_t table[256] = { [0x42] = 7 };
    const struct seckey key = secret_key();
    uint8_t found = table[key.b[0]];
    return same(&found, &(uint8_t){ 7 }, 1);
}

static const struct ct_row rows[] = {
    { "seckey_pubkey", run_pubkey, 0 },
    { "seckey_tweak_add", run_tweak, 0 },
    { "seckey_from_bytes", run_from_bytes, 0 },
    // Two for each attempt: whether the nonce is zero or above the group order, and whether r or s
    // came out zero. Both are false but for once in 2^127, and a signature says that they were.
    { "ecdsa_sign", run_sign, 2 },
    { "ecdsa_sign, three attempts", run_grind, 6 },
    { "ecdsa_sign_recoverable", run_recoverable, 2 },
    // Whether the key of the pair is valid, then three about the nonce's point, whose x is published
    // and whose y is known from it: how to reduce y, whether it is odd, how to reduce x.
    { "schnorr_sign", run_schnorr, 4 },
    { "schnorr_sign_as", run_schnorr_as, 4 }, // the same
    { "seckey_taproot_tweak", run_taproot, 0 },
    { "ecdh_xy", run_ecdh, 0 },
    { "hmac", run_hmac, 0 },
    { "local_code", run_local_code, 0 },
    { "aes_ctr", run_aes, 0 },
    { "ct_equal", run_ct_equal, 0 },
    { "a branch on a secret is reported", run_branch, 1 },
    { "an index from a secret is reported", run_index, 1 },
};

int main(void)
{
    return ct_main("psbt-signing 27 98", rows, COUNT(rows));
}
