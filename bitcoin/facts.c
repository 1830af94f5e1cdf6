// bitcoin/facts.c
#include "bitcoin/facts.h"
#include "base/require.h"

struct sats facts_spent(const struct tx_facts *facts)
{
    REQUIRE(facts->change_total.n <= facts->total_out.n);
    return (struct sats){ facts->total_out.n - facts->change_total.n };
}
