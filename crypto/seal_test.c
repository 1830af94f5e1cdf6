#include "crypto/seal.h"
#include "tests/support/test.h"

static const uint8_t key[SEAL_KEY_LEN] = { 1, 2, 3 };

#define PLAIN BYTES("what lies on the disk")
enum { PLAIN_LEN = 21, SEALED_LEN = PLAIN_LEN + SEAL_OVERHEAD };

TEST(unseal_after_seal_is_identity)
{
    for (size_t len = 0; len <= PLAIN.len; len++) {
        uint8_t sealed[SEALED_LEN], opened[PLAIN_LEN];
        seal(sealed, bytes_slice(PLAIN, 0, len), key);
        assert_true(unseal(opened, bytes_of(sealed, len + SEAL_OVERHEAD), key));
        assert_bytes_equal(bytes_of(opened, len), bytes_slice(PLAIN, 0, len));
    }
}

TEST(same_content_is_sealed_differently)
{
    uint8_t a[SEALED_LEN], b[SEALED_LEN];
    seal(a, PLAIN, key);
    seal(b, PLAIN, key);
    assert_memory_not_equal(a, b, SEAL_OVERHEAD);
    assert_memory_not_equal(a + SEAL_OVERHEAD, b + SEAL_OVERHEAD, PLAIN_LEN);
}

// Each bit of nonce, tag and content; nothing of the content is left in the output.
TEST(no_flipped_bit_is_accepted)
{
    static const uint8_t zero[PLAIN_LEN];
    uint8_t sealed[SEALED_LEN], opened[PLAIN_LEN];
    seal(sealed, PLAIN, key);
    for (size_t bit = 0; bit < 8 * sizeof sealed; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        memset(opened, 0x55, sizeof opened);
        assert_false(unseal(opened, BYTES_OF(sealed), key));
        assert_memory_equal(opened, zero, sizeof opened);
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(unseal(opened, BYTES_OF(sealed), key));
}

TEST(no_other_key_opens_and_no_shorter_text)
{
    uint8_t sealed[SEALED_LEN], opened[PLAIN_LEN], other[SEAL_KEY_LEN];
    seal(sealed, PLAIN, key);
    memcpy(other, key, sizeof other);
    other[31] ^= 1;
    assert_false(unseal(opened, BYTES_OF(sealed), other));
    for (size_t len = 0; len < sizeof sealed; len++)
        assert_false(unseal(opened, bytes_of(sealed, len), key));
}

// NaCl's own example (tests/secretbox.c): what we write is what others read.
TEST(secretbox_of_nacl)
{
    const struct bytes box_key =
        test_hex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389");
    const struct bytes sealed = test_hex(
        "69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37"
        "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c5"
        "31a1186ac0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8a"
        "b932164548e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622"
        "a43d14a6599b1f654cb45a74e355a5");
    const struct bytes expected = test_hex(
        "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d4"
        "5e6c61296cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a"
        "024a838f21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705");
    uint8_t opened[256];
    assert_int_equal(sealed.len, expected.len + SEAL_OVERHEAD);
    assert_true(unseal(opened, sealed, box_key.ptr));
    assert_bytes_equal(bytes_of(opened, expected.len), expected);
}
