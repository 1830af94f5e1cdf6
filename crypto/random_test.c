#include "crypto/random.h"
#include "tests/support/test.h"

TEST(draws_differ)
{
    uint8_t a[32], b[32];
    random_bytes(a, sizeof a);
    random_bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    random_bytes(a, 0);
}

// Each bit is seen in both states: fails by chance once in 2^250.
TEST(every_bit_moves)
{
    uint8_t ones[32] = { 0 }, zeros[32] = { 0 };
    for (size_t i = 0; i < 256; i++) {
        uint8_t b[32];
        random_bytes(b, sizeof b);
        for (size_t k = 0; k < sizeof b; k++) {
            ones[k] |= b[k];
            zeros[k] |= (uint8_t)~b[k];
        }
    }
    for (size_t k = 0; k < sizeof ones; k++)
        assert_int_equal(ones[k] & zeros[k], 0xff);
}

// A bound of no power of two: each residue is drawn about equally often. With 3000 draws of 3 the
// standard deviation is 26; ten of them are never seen.
TEST(below_is_uniform_and_below)
{
    unsigned seen[3] = { 0 };
    for (size_t i = 0; i < 3000; i++) {
        const uint32_t n = random_below(3);
        assert_true(n < 3);
        seen[n]++;
    }
    for (size_t i = 0; i < 3; i++)
        assert_in_range(seen[i], 740, 1260);
    assert_int_equal(random_below(1), 0);
}
