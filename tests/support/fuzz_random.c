#include "tests/support/fuzz_random.h"
#include "base/require.h"
#include "crypto/random.h"

static uint64_t state;

void fuzz_random_reset(void)
{
    state = 0;
}

// splitmix64
static uint64_t next(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

void random_bytes(void *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = (uint8_t)next();
}

uint32_t random_below(uint32_t bound)
{
    REQUIRE(bound >= 1);
    return (uint32_t)(next() % bound);
}
