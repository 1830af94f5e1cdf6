#include "crypto/random.h"
#include "base/require.h"
#include <sodium.h>

// libsodium reads getrandom(2) anew for each call and stops the process if that fails.
void random_bytes(void *out, size_t len)
{
    randombytes_buf(out, len);
}

uint32_t random_below(uint32_t bound)
{
    REQUIRE(bound >= 1);
    return randombytes_uniform(bound);
}
