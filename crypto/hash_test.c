#include "crypto/hash.h"
#include "tests/support/test.h"

// `repeat` times `text`, in the arena.
static struct bytes repeated(const char *text, size_t repeat)
{
    struct writer w = writer_growing(test_arena(), 1 << 20);
    struct bytes out;
    for (size_t i = 0; i < repeat; i++)
        writer_text(&w, text);
    assert_true(writer_finish(&w, &out));
    return out;
}

#define BITS_448 "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
#define BITS_896                                                                                   \
    "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmno" \
    "p"                                                                                            \
    "qrsmnopqrstnopqrstu"

// FIPS 180-4 examples.
static const struct {
    const char *text;
    size_t repeat;
    const char *hash;
} sha256_cases[] = {
    { "", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { "abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { BITS_448, 1, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
    { BITS_896, 1, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
    { "a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
};

TEST(sha256_of_the_standard)
{
    for (size_t i = 0; i < COUNT(sha256_cases); i++) {
        const struct bytes text = repeated(sha256_cases[i].text, sha256_cases[i].repeat);
        const struct hash256 hash = sha256(text);
        assert_bytes_equal(BYTES_OF(hash.b), test_hex(sha256_cases[i].hash));
    }
}

TEST(sha512_of_the_standard)
{
    static const struct {
        const char *text, *hash;
    } cases[] = {
        { "", "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
              "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e" },
        { "abc", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                 "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
        { BITS_896, "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
                    "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t hash[64];
        sha512(hash, bytes_of_text(cases[i].text));
        assert_bytes_equal(BYTES_OF(hash), test_hex(cases[i].hash));
    }
}

// Source: "RIPEMD-160: A Strengthened Version of RIPEMD", appendix B.
TEST(ripemd160_of_its_paper)
{
    static const struct {
        const char *text;
        size_t repeat;
        const char *hash;
    } cases[] = {
        { "", 1, "9c1185a5c5e9fc54612808977ee8f548b2258d31" },
        { "a", 1, "0bdc9d2d256b3ee9daae347be6f4dc835a467ffe" },
        { "abc", 1, "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc" },
        { "message digest", 1, "5d0689ef49d2fae572b881b123a85ffa21595f36" },
        { BITS_448, 1, "12a053384a9c0c88e405a06c27dcf49ada62eb2b" },
        { "1234567890", 8, "9b752e45573d4b39f4dbd3323cab82bf63326bfb" },
        { "a", 1000000, "52783243c1697bdbe16d37f97f68f08325dc1528" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct hash160 hash = ripemd160(repeated(cases[i].text, cases[i].repeat));
        assert_bytes_equal(BYTES_OF(hash.b), test_hex(cases[i].hash));
    }
}

// Source: FIPS 180-1, appendices A and B.
TEST(sha1_of_its_standard)
{
    assert_bytes_equal(BYTES_OF(sha1(BYTES("abc")).b),
                       test_hex("a9993e364706816aba3e25717850c26c9cd0d89d"));
    assert_bytes_equal(BYTES_OF(sha1(BYTES(BITS_448)).b),
                       test_hex("84983e441c3bd26ebaae4aa1f95129e5e54670f1"));
}

TEST(double_and_mixed_hashes)
{
    // The hash of the first block: sha256d of its header.
    struct hash256 hash = sha256d(test_hex(
        "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd"
        "7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c"));
    assert_bytes_equal(
        BYTES_OF(hash.b),
        test_hex("6fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000"));
    // BIP-173: the public key of its examples and its HASH160.
    const struct hash160 short_hash =
        hash160(test_hex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"));
    assert_bytes_equal(BYTES_OF(short_hash.b),
                       test_hex("751e76e8199196d454941c45d1b3a323f1433bd6"));
}

// However the input is cut, the hash is the same.
TEST(pieces_do_not_matter)
{
    const struct bytes text = BYTES(BITS_896 BITS_448);
    const struct hash256 whole = sha256(text);
    for (size_t cut = 0; cut <= text.len; cut++) {
        struct sha256 ctx;
        sha256_init(&ctx);
        sha256_update(&ctx, bytes_slice(text, 0, cut));
        sha256_update(&ctx, bytes_of(NULL, 0));
        sha256_update(&ctx, bytes_slice(text, cut, text.len));
        const struct hash256 hash = sha256_final(&ctx);
        assert_bytes_equal(BYTES_OF(hash.b), BYTES_OF(whole.b));
    }
}

// What legacy sighashes rest on: a copy goes on by itself, and leaves the original alone.
TEST(midstates_are_copied_by_assignment)
{
    const struct bytes head = repeated("h", 100);
    struct sha256 ctx;
    sha256_init(&ctx);
    sha256_update(&ctx, head);
    for (unsigned c = 'a'; c <= 'z'; c++) {
        struct sha256 copy = ctx;
        sha256_u8(&copy, (uint8_t)c);
        const struct hash256 hash = sha256_final(&copy);
        uint8_t all[101];
        memcpy(all, head.ptr, head.len);
        all[100] = (uint8_t)c;
        const struct hash256 expected = sha256(BYTES_OF(all));
        assert_bytes_equal(BYTES_OF(hash.b), BYTES_OF(expected.b));
    }
}

TEST(final_wipes_the_context)
{
    static const struct sha256 zero;
    struct sha256 ctx;
    sha256_init(&ctx);
    sha256_update(&ctx, BYTES("a secret"));
    (void)sha256_final(&ctx);
    assert_memory_equal(&ctx, &zero, sizeof ctx);
}

TEST(integers_are_little_endian_and_sizes_shortest)
{
    static const struct {
        uint64_t value;
        const char *compact;
    } sizes[] = {
        { 0, "00" },
        { 0xfc, "fc" },
        { 0xfd, "fdfd00" },
        { 0xffff, "fdffff" },
        { 0x10000, "fe00000100" },
        { 0xffffffff, "feffffffff" },
        { 0x100000000, "ff0000000001000000" },
        { UINT64_MAX, "ffffffffffffffffff" },
    };
    struct sha256 ctx;
    struct hash256 hash;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        const struct hash256 expected = sha256(test_hex(sizes[i].compact));
        sha256_init(&ctx);
        sha256_compact_size(&ctx, sizes[i].value);
        hash = sha256_final(&ctx);
        assert_bytes_equal(BYTES_OF(hash.b), BYTES_OF(expected.b));
    }
    sha256_init(&ctx);
    sha256_u8(&ctx, 0x01);
    sha256_u32le(&ctx, 0x05040302);
    sha256_u64le(&ctx, 0x0d0c0b0a09080706);
    hash = sha256d_final(&ctx);
    const struct hash256 expected = sha256d(test_hex("0102030405060708090a0b0c0d"));
    assert_bytes_equal(BYTES_OF(hash.b), BYTES_OF(expected.b));
}

// BIP-341's vectors: the tweak is TapTweak over the internal key and, if there is one, the root.
TEST(tagged_hash_of_bip341)
{
    const struct json *outputs = json_need(test_vectors("bip341.json"), "scriptPubKey");
    assert_int_equal(outputs->n_items, 7);
    for (size_t i = 0; i < outputs->n_items; i++) {
        const struct json *inside = json_need(json_item(outputs, i), "intermediary");
        struct sha256 ctx;
        sha256_init_tagged(&ctx, "TapTweak");
        sha256_update(&ctx,
                      json_need_hex(json_need(json_item(outputs, i), "given"), "internalPubkey"));
        if (json_need(inside, "merkleRoot")->type == JSON_STRING)
            sha256_update(&ctx, json_need_hex(inside, "merkleRoot"));
        const struct hash256 hash = sha256_final(&ctx);
        assert_bytes_equal(BYTES_OF(hash.b), json_need_hex(inside, "tweak"));
    }
}
