// bitcoin/sats.h -- money: satoshis, checked, never floating point.
#ifndef CASEMATE_BITCOIN_SATS_H
#define CASEMATE_BITCOIN_SATS_H
#include "base/writer.h"

#define SATS_MAX 2100000000000000u // all that can exist

struct sats {
    uint64_t n;
};

// *sum += more. False, and *sum unchanged, if the result is above SATS_MAX: no sum of real amounts
// is.
MUST_CHECK bool sats_add(struct sats *sum, struct sats more);

// The signer's display unit, setting `rz`: the number of decimals.
enum unit { UNIT_COIN = 8, UNIT_MILLI = 5, UNIT_BITS = 2, UNIT_SATS = 0 };

struct chain; // bitcoin/chain.h

// "0.02000000 XTN": all decimals, a blank, the unit's label. For stories.
void sats_write_fixed(struct writer *w, struct sats amount, const struct chain *chain,
                      enum unit unit);

// "1 XTN", "0.0015 BTC": trailing zeros cut, no point when whole. For summaries.
// The number alone, and the label alone, are for the texts that split them.
// Source: policy.md 4.2.
void sats_write_short(struct writer *w, struct sats amount, const struct chain *chain,
                      enum unit unit);
void sats_write_short_number(struct writer *w, struct sats amount, enum unit unit);
const char *unit_label(const struct chain *chain, enum unit unit);

#endif
