#include "crypto/onion.h"
#include "base/base64.h"
#include "tests/support/test.h"

// bunker.md, appendix A.
#define KEY                                                                                        \
    "qC8n+VCcgc/v7Mu3RiTeljoG0LmeKY4hCP0b9W6GlH+s5yI1BVRLRYjNF7ZadL7kqhuWYY347wVSsaALUkLGVA=="
#define ADDRESS "ou734ickitggezugvs7lnhncwhfwhzhj33uymsyfcmz2r2cqa7wbosyd.onion"

TEST(bunker_43_known_address)
{
    char address[ONION_ADDR_LEN + 1];
    const struct bytes key = test_base64(BYTES(KEY));
    assert_int_equal(key.len, ONION_KEY_LEN);
    assert_true(onion_address(address, key.ptr));
    assert_string_equal(address, ADDRESS);
}

// "32-byte seed -> sha512 -> clamp"
TEST(bunker_43_key_of_a_seed_is_clamped)
{
    uint8_t seed[32], key[ONION_KEY_LEN];
    char address[ONION_ADDR_LEN + 1];
    memset(seed, 0xff, sizeof seed);
    for (unsigned i = 0; i < 64; i++) {
        seed[0] = (uint8_t)i;
        onion_key_of_seed(key, seed);
        assert_int_equal(key[0] & 7, 0);
        assert_int_equal(key[31] & 192, 64);
        assert_true(onion_address(address, key));
        assert_true(onion_is_address(bytes_of_text(address)));
    }
    key[31] |= 128; // no scalar that Tor makes
    assert_false(onion_address(address, key));
}

TEST(bunker_43_fresh_keys_differ)
{
    uint8_t a[ONION_KEY_LEN], b[ONION_KEY_LEN];
    onion_key_new(a);
    onion_key_new(b);
    assert_int_not_equal(memcmp(a, b, sizeof a), 0);
}

TEST(bunker_43_addresses_are_checked)
{
    static const struct {
        const char *text;
        bool is;
    } cases[] = {
        { ADDRESS, true },
        { "", false },
        { "ou734ickitggezugvs7lnhncwhfwhzhj33uymsyfcmz2r2cqa7wbosyd", false },       // no suffix
        { "pu734ickitggezugvs7lnhncwhfwhzhj33uymsyfcmz2r2cqa7wbosyd.onion", false }, // checksum
        { "OU734ickitggezugvs7lnhncwhfwhzhj33uymsyfcmz2r2cqa7wbosyd.onion", false }, // upper case
        { "ou734ickitggezugvs7lnhncwhfwhzhj33uymsyfcmz2r2cqa7wbosye.onion", false }, // version
        { "1u734ickitggezugvs7lnhncwhfwhzhj33uymsyfcmz2r2cqa7wbosyd.onion", false }, // alphabet
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        if (onion_is_address(bytes_of_text(cases[i].text)) != cases[i].is)
            fail_msg("case %zu: %s", i, cases[i].text);
}
