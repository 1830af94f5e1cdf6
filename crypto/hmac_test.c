#include "crypto/hmac.h"
#include "tests/support/test.h"

static struct bytes filled(uint8_t value, size_t len)
{
    uint8_t *mem = arena_alloc(test_arena(), len);
    memset(mem, value, len);
    return bytes_of(mem, len);
}

struct answer {
    const char *sha256, *sha512;
};

static void check(struct bytes key, struct bytes data, const struct answer *expected)
{
    uint8_t short_mac[32], long_mac[64];
    hmac_sha256(short_mac, key, data);
    assert_bytes_equal(BYTES_OF(short_mac), test_hex(expected->sha256));
    hmac_sha512(long_mac, key, data);
    assert_bytes_equal(BYTES_OF(long_mac), test_hex(expected->sha512));
}

// RFC 4231 section 4; case 5 is a truncated one.
static const struct answer rfc4231[] = {
    { "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
      "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
      "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854" },
    { "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
      "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
      "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737" },
    { "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
      "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39"
      "bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb" },
    { "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
      "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3db"
      "a91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd" },
    { "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
      "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
      "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598" },
    { "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
      "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944"
      "b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58" },
};

TEST(rfc4231_cases)
{
    check(filled(0x0b, 20), BYTES("Hi There"), &rfc4231[0]);
    check(BYTES("Jefe"), BYTES("what do ya want for nothing?"), &rfc4231[1]);
    check(filled(0xaa, 20), filled(0xdd, 50), &rfc4231[2]);
    check(test_hex("0102030405060708090a0b0c0d0e0f10111213141516171819"), filled(0xcd, 50),
          &rfc4231[3]);
    check(filled(0xaa, 131), BYTES("Test Using Larger Than Block-Size Key - Hash Key First"),
          &rfc4231[4]);
    check(filled(0xaa, 131),
          BYTES("This is a test using a larger than block-size key and a larger than block-size "
                "data. The key needs to be hashed before being used by the HMAC algorithm."),
          &rfc4231[5]);
}

TEST(rfc2202_cases_of_sha1)
{
    uint8_t mac[20];
    hmac_sha1(mac, filled(0x0b, 20), BYTES("Hi There"));
    assert_bytes_equal(BYTES_OF(mac), test_hex("b617318655057264e28bc0b6fb378c8ef146be00"));
    hmac_sha1(mac, BYTES("Jefe"), BYTES("what do ya want for nothing?"));
    assert_bytes_equal(BYTES_OF(mac), test_hex("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"));
    hmac_sha1(mac, filled(0xaa, 80),
              BYTES("Test Using Larger Than Block-Size Key - Hash Key First"));
    assert_bytes_equal(BYTES_OF(mac), test_hex("aa4ae5e15272d00e95705637ce8a3b55ed402112"));
}

// Keys of exactly a block are used as they are, of one byte more are hashed; none is allowed.
// Computed with Python's hmac module.
TEST(keys_around_the_block_size)
{
    uint8_t mac[32], long_mac[64];
    hmac_sha256(mac, bytes_of(NULL, 0), bytes_of(NULL, 0));
    assert_bytes_equal(
        BYTES_OF(mac),
        test_hex("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"));
    hmac_sha256(mac, filled('k', 64), BYTES("x"));
    assert_bytes_equal(
        BYTES_OF(mac),
        test_hex("f91c4c403625fb06910ef93999265bbd2d62baeaec6ff36455498cc124fe3e66"));
    hmac_sha256(mac, filled('k', 65), BYTES("x"));
    assert_bytes_equal(
        BYTES_OF(mac),
        test_hex("75092ca3ee2b307470c227697b42b3e65376aa3bae98fb5a1f7b7536daa9588a"));
    hmac_sha512(long_mac, filled('k', 128), BYTES("x"));
    assert_bytes_equal(
        BYTES_OF(long_mac),
        test_hex("edf95587d0befb8ddd478ec775d4ab466c69e5c6185001f0594bfca96ce9bb80"
                 "b8b62b6a15eb8fa7f667c85574e107546fc0755fab4f09e2d3c0d5558497ca9e"));
    hmac_sha512(long_mac, filled('k', 129), BYTES("x"));
    assert_bytes_equal(
        BYTES_OF(long_mac),
        test_hex("d2e6f237e1b662b3a74b40877a17b040f4b75c8005ff909c0f5c431436e89c7d"
                 "3c65ff540f87777094a7b113d16f29042e48a9e2f7f24f20d87e234c12b46ab4"));
}
