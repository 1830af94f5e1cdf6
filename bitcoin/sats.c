// bitcoin/sats.c
#include "bitcoin/sats.h"
#include "bitcoin/chain.h"
#include <inttypes.h>

bool sats_add(struct sats *sum, struct sats more)
{
    if (sum->n > SATS_MAX || more.n > SATS_MAX - sum->n)
        return false;
    sum->n += more.n;
    return true;
}

static uint64_t power_of_10(unsigned exponent)
{
    uint64_t power = 1;
    while (exponent-- > 0)
        power *= 10;
    return power;
}

static void write_number(struct writer *w, struct sats amount, unsigned decimals, unsigned shown)
{
    const uint64_t one = power_of_10(decimals);
    writer_printf(w, "%" PRIu64, amount.n / one);
    if (shown > 0)
        writer_printf(w, ".%0*" PRIu64, (int)shown, amount.n % one / power_of_10(decimals - shown));
}

void sats_write_fixed(struct writer *w, struct sats amount, const struct chain *chain,
                      enum unit unit)
{
    write_number(w, amount, unit, unit);
    writer_printf(w, " %s", unit_label(chain, unit));
}

void sats_write_short_number(struct writer *w, struct sats amount, enum unit unit)
{
    unsigned shown = unit;
    // Policy 4.2: "trailing zeros removed, and no decimal point when the value is whole"
    while (shown > 0 && amount.n % power_of_10(unit - shown + 1) == 0)
        shown--;
    write_number(w, amount, unit, shown);
}

void sats_write_short(struct writer *w, struct sats amount, const struct chain *chain,
                      enum unit unit)
{
    sats_write_short_number(w, amount, unit);
    writer_printf(w, " %s", unit_label(chain, unit));
}

const char *unit_label(const struct chain *chain, enum unit unit)
{
    return chain->unit_label[unit];
}
