// policy/percent.c
#include "policy/percent.h"
#include "base/require.h"
#include <inttypes.h>

__extension__ typedef unsigned __int128 uint128;

static uint64_t power_of_10(unsigned exponent)
{
    uint64_t power = 1;
    while (exponent-- > 0)
        power *= 10;
    return power;
}

bool percent_is_zero(struct percent pct)
{
    return !pct.is_set || (pct.whole == 0 && pct.fraction == 0);
}

// Policy 10.6: "let the policy number be N / 10^k; pass when own_out x 100 x 10^k >= N x own_in, in
// 128 bits". The largest factors are 100 * 10^18 and 2.1 * 10^15: 2^118.
bool percent_is_reached(struct percent pct, struct sats part, struct sats whole)
{
    const uint64_t one = power_of_10(pct.scale);
    const uint128 n = (uint128)pct.whole * one + pct.fraction;
    REQUIRE(part.n <= SATS_MAX && whole.n <= SATS_MAX && whole.n > 0);
    return (uint128)part.n * 100 * one >= n * whole.n;
}

uint64_t percent_hundredths(struct percent pct)
{
    const uint64_t one = power_of_10(pct.scale);
    return pct.whole * UINT64_C(100) + (uint64_t)(((uint128)pct.fraction * 100 + one / 2) / one);
}

uint64_t share_hundredths(struct sats part, struct sats whole)
{
    REQUIRE(whole.n > 0);
    const uint128 hundredths = ((uint128)part.n * 10000 + whole.n / 2) / whole.n;
    return hundredths > UINT64_MAX ? UINT64_MAX : (uint64_t)hundredths;
}

void hundredths_write(struct writer *w, uint64_t hundredths)
{
    writer_printf(w, "%" PRIu64 ".%02" PRIu64, hundredths / 100, hundredths % 100);
}
