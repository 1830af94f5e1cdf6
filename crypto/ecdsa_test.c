#include "crypto/ec.h"
#include "crypto/random.h"
#include "tests/support/test.h"

static struct hash256 digest_of(struct bytes b)
{
    struct hash256 digest;
    assert_int_equal(b.len, sizeof digest.b);
    memcpy(digest.b, b.ptr, b.len);
    return digest;
}

static struct seckey seckey_of(struct bytes b)
{
    struct seckey key;
    struct err err;
    assert_true(seckey_from_bytes(&key, b, &err));
    return key;
}

static struct signature sign(const struct seckey *key, const struct hash256 *digest, bool grind)
{
    const struct pubkey pubkey = seckey_pubkey(key);
    struct signature sig;
    struct err err;
    assert_true(ecdsa_sign(&sig, key, &pubkey, digest, grind, &err));
    assert_true(ecdsa_verify(&sig, &pubkey, digest));
    return sig;
}

TEST(psbt_signing_27_91_rfc6979_vectors)
{
    const struct json *rows = json_need(test_vectors("ecdsa.json"), "rfc6979");
    assert_int_equal(rows->n_items, 5);
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct json *row = json_item(rows, i);
        const struct seckey key = seckey_of(json_item_hex(row, 0));
        const struct hash256 digest = sha256(json_item_text(row, 1));
        struct recoverable with_id;
        struct err err;
        assert_bytes_equal(BYTES_OF(digest.b), json_item_hex(row, 2));
        const struct signature sig = sign(&key, &digest, false);
        assert_bytes_equal(BYTES_OF(sig.b), json_item_hex(row, 4));
        assert_true(ecdsa_sign_recoverable(&with_id, &key, &digest, &err));
        assert_bytes_equal(BYTES_OF(with_id.sig.b), json_item_hex(row, 4));
        assert_int_equal(with_id.recid, json_item_integer(row, 5));
    }
}

// The first attempt is the signature without grinding: it has a low r exactly if it is the last.
TEST(psbt_signing_27_91_grinding_vectors)
{
    const struct json *rows = json_need(test_vectors("ecdsa.json"), "grind");
    assert_int_equal(rows->n_items, 43);
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct json *row = json_item(rows, i);
        const struct seckey key = seckey_of(json_item_hex(row, 0));
        const struct hash256 digest = digest_of(json_item_hex(row, 1));
        const struct signature sig = sign(&key, &digest, true);
        const struct signature first = sign(&key, &digest, false);
        const bool at_once = json_item_integer(row, 2) == 0;
        uint8_t der[ECDSA_DER_MAX];
        assert_bytes_equal(bytes_of(der, ecdsa_to_der(der, &sig)), json_item_hex(row, 3));
        assert_true(sig.b[0] < 0x80);
        assert_int_equal(first.b[0] < 0x80, at_once);
        assert_int_equal(memcmp(first.b, sig.b, sizeof sig.b) == 0, at_once);
    }
}

static struct hash256 message_digest(struct bytes message)
{
    struct sha256 ctx;
    sha256_init(&ctx);
    sha256_update(&ctx, BYTES("\x18"
                              "Bitcoin Signed Message:\n"));
    sha256_compact_size(&ctx, message.len);
    sha256_update(&ctx, message);
    return sha256d_final(&ctx);
}

// Another implementation's ground signatures; its first byte holds what we do not grind with.
TEST(psbt_signing_27_91_grinding_of_another_wallet)
{
    const struct json *file = test_vectors("ecdsa.json"), *rows = json_need(file, "grind_sparrow");
    const struct seckey key = seckey_of(json_need_hex(file, "grind_sparrow_key"));
    assert_int_equal(rows->n_items, 3);
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct json *row = json_item(rows, i);
        const struct hash256 digest = message_digest(json_item_text(row, 0));
        const struct signature sig = sign(&key, &digest, true);
        const struct bytes compact = test_base64(json_item_text(row, 2));
        assert_bytes_equal(BYTES_OF(sig.b), bytes_slice(compact, 1, 64));
    }
}

// The check after signing is real: with another key as "its" public key nothing is handed out.
TEST(signature_that_does_not_verify_is_kept_back)
{
    static const struct signature zero;
    const struct hash256 digest = sha256(BYTES("digest"));
    struct signature sig;
    struct seckey key, other;
    struct err err;
    seckey_generate(&key);
    seckey_generate(&other);
    const struct pubkey wrong = seckey_pubkey(&other);
    memset(&sig, 0x55, sizeof sig);
    assert_false(ecdsa_sign(&sig, &key, &wrong, &digest, true, &err));
    assert_err(&err, ERR_INTERNAL, "fresh signature does not verify");
    assert_memory_equal(&sig, &zero, sizeof sig);
}

TEST(no_flipped_bit_verifies)
{
    const struct seckey key =
        seckey_of(test_hex("1111111111111111111111111111111111111111111111111111111111111111"));
    const struct pubkey pubkey = seckey_pubkey(&key);
    struct hash256 digest = sha256(BYTES("digest"));
    struct signature sig = sign(&key, &digest, true);
    for (size_t bit = 0; bit < 8 * sizeof sig.b; bit++) {
        sig.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(ecdsa_verify(&sig, &pubkey, &digest));
        sig.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * sizeof digest.b; bit++) {
        digest.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(ecdsa_verify(&sig, &pubkey, &digest));
        digest.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    struct pubkey negated = pubkey;
    negated.b[0] ^= 0x01;
    assert_false(ecdsa_verify(&sig, &negated, &digest));
    assert_false(ecdsa_verify(&sig, &(struct pubkey){ { 0 } }, &digest));
    assert_true(ecdsa_verify(&sig, &pubkey, &digest));
}

#define ORDER         "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
#define ORDER_MINUS_1 "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140"
#define ZERO          "0000000000000000000000000000000000000000000000000000000000000000"
#define ONE           "0000000000000000000000000000000000000000000000000000000000000001"

// n - s, by long subtraction.
static void negate_s(struct signature *sig)
{
    const struct bytes order = test_hex(ORDER);
    int borrow = 0;
    for (size_t i = 32; i-- > 0;) {
        const int digit = order.ptr[i] - sig->b[32 + i] - borrow;
        borrow = digit < 0;
        sig->b[32 + i] = (uint8_t)(digit + 256 * borrow);
    }
}

// Consensus accepts a high s, so a foreign signature may have one; ours never do.
TEST(high_s_verifies_and_survives_der)
{
    const struct hash256 digest = sha256(BYTES("digest"));
    struct seckey key;
    uint8_t der[ECDSA_DER_MAX];
    struct signature again;
    for (size_t i = 0; i < 20; i++) {
        seckey_generate(&key);
        const struct pubkey pubkey = seckey_pubkey(&key);
        struct signature sig = sign(&key, &digest, true);
        assert_true(sig.b[32] < 0x80);
        negate_s(&sig);
        assert_true(sig.b[32] >= 0x7f);
        assert_true(ecdsa_verify(&sig, &pubkey, &digest));
        assert_true(ecdsa_from_der(&again, bytes_of(der, ecdsa_to_der(der, &sig))));
        assert_memory_equal(&again, &sig, sizeof sig);
    }
}

TEST(numbers_outside_the_order_never_verify)
{
    static const char *const cases[] = {
        ZERO ZERO, ONE ZERO, ZERO ONE, ORDER ONE, ONE ORDER, ONE ONE, ORDER_MINUS_1 ORDER_MINUS_1
    };
    const struct seckey key = seckey_of(test_hex(ONE));
    const struct pubkey pubkey = seckey_pubkey(&key);
    const struct hash256 zero = { { 0 } }, digest = sha256(BYTES("digest"));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct signature sig;
        memcpy(sig.b, test_hex(cases[i]).ptr, sizeof sig.b);
        assert_false(ecdsa_verify(&sig, &pubkey, &digest));
        assert_false(ecdsa_verify(&sig, &pubkey, &zero));
    }
}

TEST(recovery_finds_the_signer_and_only_by_its_id)
{
    for (size_t i = 0; i < 20; i++) {
        struct seckey key;
        struct hash256 digest;
        struct recoverable sig;
        struct pubkey found;
        struct err err;
        seckey_generate(&key);
        random_bytes(digest.b, sizeof digest.b);
        const struct pubkey pubkey = seckey_pubkey(&key);
        assert_true(ecdsa_sign_recoverable(&sig, &key, &digest, &err));
        assert_true(ecdsa_recover(&found, &sig, &digest));
        assert_true(pubkey_equal(&found, &pubkey));
        const int right = sig.recid;
        for (sig.recid = 0; sig.recid <= 3; sig.recid++)
            if (sig.recid != right && ecdsa_recover(&found, &sig, &digest))
                assert_false(pubkey_equal(&found, &pubkey));
    }
}

TEST(recovery_refuses_other_ids_and_numbers)
{
    const struct hash256 digest = sha256(BYTES("digest"));
    struct recoverable sig;
    struct seckey key;
    struct pubkey found;
    struct err err;
    seckey_generate(&key);
    assert_true(ecdsa_sign_recoverable(&sig, &key, &digest, &err));
    sig.recid = 4;
    assert_false(ecdsa_recover(&found, &sig, &digest));
    sig.recid = -1;
    assert_false(ecdsa_recover(&found, &sig, &digest));
    sig.recid = 0;
    memset(sig.sig.b, 0xff, 32);
    assert_false(ecdsa_recover(&found, &sig, &digest));
    memset(sig.sig.b, 0, 32);
    assert_false(ecdsa_recover(&found, &sig, &digest));
}

#define HIGH_32 "8000000000000000000000000000000000000000000000000000000000000001"
#define X_80    "0000000000000000000000000000000000000000000000000000000000000080"
#define LOW_32  "7000000000000000000000000000000000000000000000000000000000000001"

// BIP-66: each rule once. NULL: refused.
static const struct {
    const char *der, *r, *s;
} der_cases[] = {
    { "3006 020101 020101", ONE, ONE }, // the shortest there is
    { "3044 0220" LOW_32 "0220" LOW_32, LOW_32, LOW_32 },
    { "3046 022100" HIGH_32 "022100" HIGH_32, HIGH_32, HIGH_32 }, // the longest there is
    { "3045 022100" ORDER_MINUS_1 "0220" LOW_32, ORDER_MINUS_1, LOW_32 },
    { "3007 02020080 020101", X_80, ONE },                       // the zero byte is needed
    { "3006 020100 020101", ZERO, ONE },                         // zero is a number
    { "3046 022100" ORDER_MINUS_1 "022100" LOW_32, NULL, NULL }, // s padded
    { "3007 02020001 020101", NULL, NULL },                      // r padded
    { "3007 020101 02020001", NULL, NULL },                      // s padded
    { "3006 020180 020101", NULL, NULL },                        // r negative
    { "3006 020101 020180", NULL, NULL },                        // s negative
    { "3006 0201ff 020101", NULL, NULL },                        // r is -1
    { "3005 0200 020101", NULL, NULL },                          // r empty
    { "3005 020101 0200", NULL, NULL },                          // s empty
    { "3106 020101 020101", NULL, NULL },                        // no sequence
    { "3006 030101 020101", NULL, NULL },                        // r no integer
    { "3006 020101 030101", NULL, NULL },                        // s no integer
    { "3005 020101 020101", NULL, NULL },                        // length too short
    { "3007 020101 020101", NULL, NULL },                        // length too long
    { "3006 020101 020101 01", NULL, NULL },                     // hash type appended
    { "3007 020101 020101 01", NULL, NULL },                     // junk inside
    { "308106 020101 020101", NULL, NULL },                      // long form of a short length
    { "3007 02810101 020101", NULL, NULL },                      // the same inside
    { "3080 020101 020101 0000", NULL, NULL },                   // indefinite form
    { "3003 020101", NULL, NULL },                               // no s
    { "3006 020501 020101", NULL, NULL },                        // r longer than all
    { "3006 020101 020201", NULL, NULL },                        // s longer than all
    { "3026 022100" ORDER "020101", NULL, NULL },                // r not below the order
    { "3026 020101 022100" ORDER, NULL, NULL },                  // s not below the order
    { "3027 022201" ZERO "01 020101", NULL, NULL },              // r of 34 bytes
    { "3000", NULL, NULL },
    { "30", NULL, NULL },
    { "", NULL, NULL },
};

TEST(der_is_read_strictly)
{
    for (size_t i = 0; i < COUNT(der_cases); i++) {
        const struct bytes der = test_hex(der_cases[i].der);
        const bool expected = der_cases[i].r != NULL;
        struct signature sig;
        uint8_t again[ECDSA_DER_MAX];
        memset(&sig, 0x55, sizeof sig);
        if (ecdsa_from_der(&sig, der) != expected)
            fail_msg("case %zu: %s", i, der_cases[i].der);
        if (!expected) {
            assert_int_equal(sig.b[0], 0x55);
            continue;
        }
        assert_bytes_equal(bytes_of(sig.b, 32), test_hex(der_cases[i].r));
        assert_bytes_equal(bytes_of(sig.b + 32, 32), test_hex(der_cases[i].s));
        assert_bytes_equal(bytes_of(again, ecdsa_to_der(again, &sig)), der);
    }
}

// No part of a signature is one, and neither is it with a byte behind it.
TEST(der_is_taken_whole)
{
    struct seckey key;
    const struct hash256 digest = sha256(BYTES("digest"));
    uint8_t der[ECDSA_DER_MAX + 1] = { 0 };
    struct signature again;
    seckey_generate(&key);
    const struct signature sig = sign(&key, &digest, true);
    const size_t whole = ecdsa_to_der(der, &sig);
    for (size_t len = 0; len <= whole + 1; len++)
        assert_int_equal(ecdsa_from_der(&again, bytes_of(der, len)), len == whole);
}
