#include "crypto/ec.h"
#include "crypto/random.h"
#include "tests/support/test.h"

#define ORDER "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"

static struct seckey seckey_of(struct bytes b)
{
    struct seckey key;
    struct err err;
    assert_true(seckey_from_bytes(&key, b, &err));
    return key;
}

// Signs what has a private key and a message of 32 bytes: others are for verification only.
static void check_bip340_signing(const struct json *row)
{
    const struct bytes message = json_item_hex(row, 4);
    struct hash256 digest;
    uint8_t sig[64];
    struct err err;
    if (json_item_text(row, 1).len == 0 || message.len != sizeof digest.b)
        return;
    const struct seckey key = seckey_of(json_item_hex(row, 1));
    const struct pubkey pubkey = seckey_pubkey(&key);
    assert_bytes_equal(bytes_of(pubkey.b + 1, 32), json_item_hex(row, 2));
    memcpy(digest.b, message.ptr, message.len);
    assert_true(schnorr_sign(sig, &key, &digest, json_item_hex(row, 3).ptr, &err));
    assert_bytes_equal(BYTES_OF(sig), json_item_hex(row, 5));
}

TEST(psbt_signing_22_bip340_vectors)
{
    const struct json *rows = json_need(test_vectors("bip340.json"), "vectors");
    assert_int_equal(rows->n_items, 19);
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct json *row = json_item(rows, i);
        const bool valid = json_item(row, 6)->type == JSON_TRUE;
        check_bip340_signing(row);
        if (schnorr_verify(json_item_hex(row, 5).ptr, json_item_hex(row, 2).ptr,
                           json_item_hex(row, 4)) != valid)
            fail_msg("vector %zu: %.*s", i, BYTES_ARG(json_item_text(row, 7)));
    }
}

TEST(psbt_signing_22_bip341_output_keys)
{
    const struct json *rows = json_need(test_vectors("bip341.json"), "scriptPubKey");
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct json *given = json_need(json_item(rows, i), "given");
        const struct json *inside = json_need(json_item(rows, i), "intermediary");
        uint8_t tweaked[32];
        assert_true(xonly_tweak_add(tweaked, json_need_hex(given, "internalPubkey").ptr,
                                    json_need_hex(inside, "tweak").ptr));
        assert_bytes_equal(BYTES_OF(tweaked), json_need_hex(inside, "tweakedPubkey"));
    }
}

// The official spends are signed with zero bytes as auxiliary data.
TEST(psbt_signing_22_bip341_key_path_spends)
{
    static const uint8_t aux[32];
    const struct json *inputs = json_need(
        json_item(json_need(test_vectors("bip341.json"), "keyPathSpending"), 0), "inputSpending");
    assert_int_equal(inputs->n_items, 7);
    for (size_t i = 0; i < inputs->n_items; i++) {
        const struct json *row = json_item(inputs, i), *inside = json_need(row, "intermediary");
        const struct bytes witness =
            json_item_hex(json_need(json_need(row, "expected"), "witness"), 0);
        struct seckey key = seckey_of(json_need_hex(json_need(row, "given"), "internalPrivkey"));
        struct hash256 digest;
        uint8_t sig[64];
        struct err err;
        const struct pubkey pubkey = seckey_pubkey(&key);
        assert_true(seckey_taproot_tweak(&key, &pubkey, json_need_hex(inside, "tweak").ptr));
        assert_bytes_equal(BYTES_OF(key.b), json_need_hex(inside, "tweakedPrivkey"));
        memcpy(digest.b, json_need_hex(inside, "sigHash").ptr, sizeof digest.b);
        assert_true(schnorr_sign(sig, &key, &digest, aux, &err));
        assert_bytes_equal(BYTES_OF(sig), bytes_slice(witness, 0, 64));
        const struct pubkey output = seckey_pubkey(&key);
        assert_true(schnorr_sign_as(sig, &key, output.b + 1, &digest, aux, &err));
        assert_bytes_equal(BYTES_OF(sig), bytes_slice(witness, 0, 64));
        assert_false(schnorr_sign_as(sig, &key, pubkey.b + 1, &digest, aux, &err));
        assert_int_equal(err.code, ERR_INTERNAL);
    }
}

// Both halves tweaked give a pair again, whichever parity the key had.
TEST(tweaks_of_both_halves_agree)
{
    for (size_t i = 0; i < 50; i++) {
        struct seckey key;
        uint8_t tweak[32], xonly[32];
        seckey_generate(&key);
        random_bytes(tweak, sizeof tweak);
        const struct pubkey before = seckey_pubkey(&key);
        uint8_t of_point[32];
        struct point point;
        assert_true(xonly_tweak_add(xonly, before.b + 1, tweak));
        assert_true(point_of(&point, &before) && point_taproot_tweak(of_point, &point, tweak));
        assert_bytes_equal(BYTES_OF(of_point), BYTES_OF(xonly));
        assert_true(seckey_taproot_tweak(&key, &before, tweak));
        const struct pubkey after = seckey_pubkey(&key);
        assert_bytes_equal(bytes_of(after.b + 1, 32), BYTES_OF(xonly));
    }
}

TEST(impossible_tweaks_change_nothing)
{
    const struct bytes one =
        test_hex("0000000000000000000000000000000000000000000000000000000000000001");
    const struct bytes minus_one =
        test_hex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140");
    const struct bytes off_curve =
        test_hex("0000000000000000000000000000000000000000000000000000000000000005");
    struct seckey key = seckey_of(one); // the generator, whose y is even
    const struct pubkey pubkey = seckey_pubkey(&key);
    uint8_t out[32] = { 0x55 };
    assert_false(seckey_taproot_tweak(&key, &pubkey, test_hex(ORDER).ptr));
    assert_false(seckey_taproot_tweak(&key, &pubkey, minus_one.ptr)); // the sum is zero
    assert_bytes_equal(BYTES_OF(key.b), one);
    assert_false(xonly_tweak_add(out, pubkey.b + 1, test_hex(ORDER).ptr));
    assert_false(xonly_tweak_add(out, pubkey.b + 1, minus_one.ptr));
    assert_false(xonly_tweak_add(out, off_curve.ptr, one.ptr));
    assert_int_equal(out[0], 0x55);
}

TEST(no_flipped_bit_verifies)
{
    const struct hash256 digest = sha256(BYTES("digest"));
    struct seckey key;
    uint8_t sig[64], aux[32];
    struct err err;
    seckey_generate(&key);
    random_bytes(aux, sizeof aux);
    const struct pubkey pubkey = seckey_pubkey(&key);
    uint8_t same[64];
    struct schnorr_key often;
    schnorr_key_of(&often, &key);
    assert_true(schnorr_sign_with(same, &often, &digest, aux, &err));
    assert_true(schnorr_sign(sig, &key, &digest, aux, &err));
    assert_memory_equal(same, sig, sizeof sig);
    assert_true(schnorr_verify(sig, pubkey.b + 1, BYTES_OF(digest.b)));
    for (size_t bit = 0; bit < 8 * sizeof sig; bit++) {
        sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(schnorr_verify(sig, pubkey.b + 1, BYTES_OF(digest.b)));
        sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}
