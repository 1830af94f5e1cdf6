#include "crypto/stream.h"
#include "tests/support/test.h"

static const uint8_t key[STREAM_KEY_LEN] = { 1, 2, 3 };
#define PREFIX BYTES("what stands before")

static struct bytes some(size_t len)
{
    uint8_t *mem = arena_alloc(test_arena(), len);
    for (size_t i = 0; i < len; i++)
        mem[i] = (uint8_t)(i * 3 + (i >> 8));
    return bytes_of(mem, len);
}

static struct bytes sealed_of(struct bytes plain)
{
    struct writer w = writer_growing(test_arena(), 1u << 20);
    stream_seal(&w, plain, PREFIX, key);
    assert_false(w.failed);
    return writer_bytes(&w);
}

static enum stream_result open_it(struct bytes *out, struct bytes sealed)
{
    return stream_unseal(out, sealed, PREFIX, key, test_arena());
}

// Around the ends of pieces.
TEST(what_was_sealed_is_opened)
{
    static const size_t lengths[] = { 0, 1, 4095, 4096, 4097, 8192, 8193, 20000 };
    for (size_t i = 0; i < COUNT(lengths); i++) {
        const struct bytes plain = some(lengths[i]), sealed = sealed_of(plain);
        struct bytes out;
        assert_int_equal(sealed.len,
                         STREAM_OVERHEAD + lengths[i] + 17 * (1 + lengths[i] / STREAM_PIECE));
        assert_int_equal(open_it(&out, sealed), STREAM_GOOD);
        assert_bytes_equal(out, plain);
    }
}

TEST(cut_short_anywhere)
{
    const struct bytes sealed = sealed_of(some(9000));
    struct bytes out;
    for (size_t len = 0; len < sealed.len; len += len < 60 ? 1 : 7)
        assert_int_equal(open_it(&out, bytes_slice(sealed, 0, len)), STREAM_CUT);
}

// A flipped bit never opens. Where it is decides what is said.
TEST(changed_anywhere)
{
    const struct bytes sealed = sealed_of(some(9000));
    uint8_t *mem = arena_alloc(test_arena(), sealed.len + 1);
    for (size_t at = 0; at < sealed.len; at += at < 60 ? 1 : 11) {
        struct bytes out;
        memcpy(mem, sealed.ptr, sealed.len);
        mem[at] ^= 0x10;
        const enum stream_result expected = at < STREAM_OVERHEAD               ? STREAM_WRONG_KEY
                                            : at < STREAM_OVERHEAD + 2 * 4113u ? STREAM_DAMAGED
                                                                               : STREAM_CUT;
        assert_int_equal(open_it(&out, bytes_of(mem, sealed.len)), expected);
    }
    struct bytes out;
    memcpy(mem, sealed.ptr, sealed.len);
    mem[sealed.len] = 0; // one byte more
    assert_int_equal(open_it(&out, bytes_of(mem, sealed.len + 1)), STREAM_CUT);
}

TEST(pieces_cannot_be_left_out_or_swapped)
{
    const struct bytes sealed = sealed_of(some(3 * STREAM_PIECE));
    const size_t piece = STREAM_PIECE + 17;
    uint8_t *mem = arena_alloc(test_arena(), sealed.len);
    struct bytes out;
    memcpy(mem, sealed.ptr, STREAM_OVERHEAD); // without the first piece
    memcpy(mem + STREAM_OVERHEAD, sealed.ptr + STREAM_OVERHEAD + piece,
           sealed.len - STREAM_OVERHEAD - piece);
    assert_int_equal(open_it(&out, bytes_of(mem, sealed.len - piece)), STREAM_DAMAGED);
    memcpy(mem, sealed.ptr, sealed.len);
    memcpy(mem + STREAM_OVERHEAD, sealed.ptr + STREAM_OVERHEAD + piece, piece);
    memcpy(mem + STREAM_OVERHEAD + piece, sealed.ptr + STREAM_OVERHEAD, piece);
    assert_int_equal(open_it(&out, bytes_of(mem, sealed.len)), STREAM_DAMAGED);
}

TEST(another_key_or_prefix)
{
    static const uint8_t other[STREAM_KEY_LEN] = { 1, 2, 4 };
    const struct bytes sealed = sealed_of(some(100));
    struct bytes out;
    assert_int_equal(stream_unseal(&out, sealed, PREFIX, other, test_arena()), STREAM_WRONG_KEY);
    assert_int_equal(stream_unseal(&out, sealed, BYTES("what stands befor3"), key, test_arena()),
                     STREAM_WRONG_KEY);
    assert_int_equal(open_it(&out, sealed_of(some(100))), STREAM_GOOD);
    const struct bytes again = sealed_of(some(100)); // never the same twice
    assert_false(bytes_equal(again, sealed));
}
