#include "base/arena.h"
#include "tests/support/test.h"
#include <stdalign.h>

#define ALIGNMENT alignof(max_align_t)

static bool is_zero(const uint8_t *ptr, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (ptr[i] != 0)
            return false;
    }
    return true;
}

TEST(memory_is_zeroed_aligned_and_apart)
{
    static const size_t sizes[] = { 1, 3, 16, 17, 65535, 65536, 65537, 1, 300000, 2000000, 7 };
    AUTO(arena_freep) struct arena *a = arena_new((size_t)1 << 24);
    uint8_t *pieces[COUNT(sizes)];
    for (size_t i = 0; i < COUNT(sizes); i++) {
        pieces[i] = arena_alloc(a, sizes[i]);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % ALIGNMENT, 0);
        assert_true(is_zero(pieces[i], sizes[i]));
        memset(pieces[i], (int)i + 1, sizes[i]);
    }
    for (size_t i = 0; i < COUNT(sizes); i++) {
        assert_int_equal(pieces[i][0], i + 1);
        assert_int_equal(pieces[i][sizes[i] - 1], i + 1);
    }
}

TEST(limit_is_exact)
{
    AUTO(arena_freep) struct arena *a = arena_new(100);
    assert_null(arena_alloc(a, 101));
    assert_int_equal(arena_used(a), 0); // a refusal takes nothing
    assert_non_null(arena_alloc(a, 100));
    assert_int_equal(arena_used(a), 100);
    assert_null(arena_alloc(a, 1));
    assert_non_null(arena_alloc(a, 0));
}

TEST(limit_counts_padding)
{
    AUTO(arena_freep) struct arena *a = arena_new(2 * ALIGNMENT + 1);
    assert_non_null(arena_alloc(a, 1));
    assert_non_null(arena_alloc(a, 1));
    assert_int_equal(arena_used(a), ALIGNMENT + 1);
    assert_null(arena_alloc(a, 2));
    assert_non_null(arena_alloc(a, 1));
}

TEST(sizes_that_would_wrap_are_refused)
{
    AUTO(arena_freep) struct arena *a = arena_new(SIZE_MAX);
    assert_null(arena_alloc(a, SIZE_MAX));
    assert_null(arena_alloc(a, SIZE_MAX - 15));
    assert_null(arena_array(a, SIZE_MAX / 2, 3));
    assert_null(arena_array(a, (size_t)1 << 32, (size_t)1 << 32)); // the product is 0
    assert_non_null(arena_array(a, 3, 5));
    assert_int_equal(arena_used(a), 15);
}

TEST(reset_wipes_and_gives_back)
{
    AUTO(arena_freep) struct arena *a = arena_new(1000);
    uint8_t *before = arena_alloc(a, 1000);
    assert_non_null(before);
    memset(before, 0xaa, 1000);
    arena_reset(a);
    assert_int_equal(arena_used(a), 0);
    uint8_t *after = arena_alloc(a, 1000);
    assert_ptr_equal(after, before); // the same memory, so this sees what reset left
    assert_true(is_zero(after, 1000));
}

TEST(reset_after_many_blocks)
{
    AUTO(arena_freep) struct arena *a = arena_new((size_t)1 << 24);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) {
            uint8_t *piece = arena_alloc(a, 50000);
            assert_non_null(piece);
            assert_true(is_zero(piece, 50000));
            memset(piece, 0xbb, 50000);
        }
        arena_reset(a);
    }
    arena_reset(a); // of nothing
}

TEST(large_pieces_are_given_back_one_by_one)
{
    enum { N = 5, SIZE = 200000 };
    AUTO(arena_freep) struct arena *a = arena_new((size_t)1 << 24);
    for (int round = 0; round < 3; round++) {
        uint8_t *large[N], *small[N];
        for (size_t i = 0; i < N; i++) {
            large[i] = arena_alloc(a, SIZE + i);
            small[i] = arena_alloc(a, 100);
            assert_true(is_zero(large[i], SIZE + i) && is_zero(small[i], 100));
            memset(large[i], 0xcc, SIZE + i);
            memset(small[i], 0xdd, 100);
        }
        const size_t used = arena_used(a);
        arena_give_back(a, large[2]); // in the middle
        arena_give_back(a, large[4]);
        arena_give_back(a, large[0]);
        arena_give_back(a, small[1]); // stays
        arena_give_back(a, NULL);
        assert_int_equal(arena_used(a), used); // it counts as before
        assert_int_equal(large[1][SIZE], 0xcc);
        assert_int_equal(large[3][SIZE + 2], 0xcc);
        assert_int_equal(small[1][99], 0xdd);
        if (round == 1)
            arena_reset(a);
    }
}

TEST(copy_and_text)
{
    AUTO(arena_freep) struct arena *a = arena_new(64);
    struct bytes copy;
    assert_true(arena_copy(a, BYTES("abc"), &copy));
    assert_bytes_text(copy, "abc");
    assert_true(arena_copy(a, (struct bytes){ NULL, 0 }, &copy));
    assert_int_equal(copy.len, 0);
    assert_string_equal(arena_text(a, BYTES("path")), "path");
    assert_string_equal(arena_text(a, (struct bytes){ NULL, 0 }), "");
    assert_null(arena_text(a, BYTES("pa\0th"))); // would name another file
    assert_false(arena_copy(a, BYTES("0123456789012345678901234567890123456789"), &copy));
    assert_null(arena_text(a, BYTES("0123456789012345678901234567890123456789")));
    assert_null(arena_text(a, bytes_of("", SIZE_MAX)));
}

TEST(free_of_null)
{
    struct arena *a = NULL;
    arena_free(a);
    arena_freep(&a);
}
