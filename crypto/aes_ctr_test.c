#include "crypto/aes_ctr.h"
#include "crypto/hash.h"
#include "tests/support/test.h"

// The first `len` bytes of a key's stream.
static struct bytes keystream(const char *key, size_t len)
{
    uint8_t *mem = arena_alloc(test_arena(), len);
    struct aes_ctr *stream = aes_ctr_new(test_hex(key).ptr);
    aes_ctr_apply(stream, mem, len);
    aes_ctr_free(stream);
    return bytes_of(mem, len);
}

// NIST AESAVS, VarKey256: the encrypted zero block, which is the first of our stream. (The CTR
// examples of SP 800-38A start from another counter, which this interface does not offer.)
TEST(nist_variable_keys)
{
    static const struct {
        const char *key, *block;
    } cases[] = {
        { "8000000000000000000000000000000000000000000000000000000000000000",
          "e35a6dcb19b201a01ebcfa8aa22b5759" },
        { "c000000000000000000000000000000000000000000000000000000000000000",
          "b29169cdcf2d83e838125a12ee6aa400" },
        { "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
          "4bf85f1b5d54adbc307b0a048389adcb" },
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_bytes_equal(keystream(cases[i].key, 16), test_hex(cases[i].block));
}

#define SESSION_KEY "3b2265dac86fe15fdaa31b1273fb3f8cbfc54663a7298f5e36ddac38e22dd993"

TEST(keystream_of_wire_13_1)
{
    assert_bytes_equal(
        keystream(SESSION_KEY, 64),
        test_hex("3ddee8af3a4868fa622e23485973560e0f5c955ae1c35a8f0617b93031f31764"
                 "7bcb1b6bb3efc91dd7da4e6f0804bb8b554de41ef3d524f0a6365fd0403eaefe"));
}

// 65540 blocks: the counter carries into its third byte from the end. The hash is that of the
// counter values 0, 1, 2, ... as 128-bit big-endian integers, each encrypted as a single block.
TEST(counter_is_big_endian_and_carries)
{
    const struct hash256 hash = sha256(keystream(SESSION_KEY, (size_t)65540 * 16));
    assert_bytes_equal(
        BYTES_OF(hash.b),
        test_hex("cd6b82e7408cf88bf06de8ff9874b9a1d783f80244e1f53b8ccc155e2f92df18"));
}

// Messages need not end with a block: the stream goes on within it.
TEST(stream_continues_over_any_cut)
{
    const struct bytes whole = keystream(SESSION_KEY, 80);
    for (size_t cut = 0; cut <= 80; cut++) {
        uint8_t data[80] = { 0 };
        struct aes_ctr *stream = aes_ctr_new(test_hex(SESSION_KEY).ptr);
        aes_ctr_apply(stream, data, cut);
        aes_ctr_apply(stream, data, 0);
        aes_ctr_apply(stream, data + cut, 80 - cut);
        aes_ctr_free(stream);
        assert_bytes_equal(BYTES_OF(data), whole);
    }
}

TEST(applying_twice_decrypts)
{
    uint8_t data[] = "a message of no particular length";
    struct aes_ctr *out = aes_ctr_new(test_hex(SESSION_KEY).ptr);
    struct aes_ctr *in = aes_ctr_new(test_hex(SESSION_KEY).ptr);
    aes_ctr_apply(out, data, sizeof data);
    assert_memory_not_equal(data, "a message of no particular length", sizeof data);
    aes_ctr_apply(in, data, sizeof data);
    assert_string_equal((const char *)data, "a message of no particular length");
    aes_ctr_free(out);
    aes_ctr_free(in);
    aes_ctr_free(NULL);
}
