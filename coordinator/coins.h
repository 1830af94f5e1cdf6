// coordinator/coins.h -- which coins pay a spend, and what becomes of the rest. Pure.
//
// (1) No coin of another party that is unconfirmed is ever chosen, nor one that another spend holds. C16.
// (2) Fee and share of the fee are within the limits of whatever is chosen.
// (3) Change is at least min_change, or there is none and the rest is fee within the same limits.
// (4) The same request gives the same choice, whatever the order of the coins.
// Source: coordinator.md D6 "Coins", "Fee", "The big-fee trap".
#ifndef CASEMATE_COORDINATOR_COINS_H
#define CASEMATE_COORDINATOR_COINS_H
#include "coordinator/build.h"

// Above the highest index of an input, as far as change may go: the devices' 200 less a margin of 50.
#define COINS_CHANGE_GAP  150u
// sat per 1000 vB that a replacement must add for its own size.
#define COINS_INCREMENTAL 1000u

struct coins_choice {
    const struct coin **coins; // the anchor first, where there is one; in the arena
    size_t n;
    struct sats fee;
    struct sats change[2];
    size_t n_change;
    uint64_t vsize;
};
// How many outputs of the request's are paid: none where everything goes to change.
size_t coins_n_outputs(const struct build_request *request);

// Fails: as build_spend.
MUST_CHECK bool coins_choose(struct coins_choice *out, const struct build_request *request,
                             struct arena *arena, struct err *err);

// Whether a coin may be chosen by a new spend, by (1) and the limits.
bool coins_is_eligible(const struct coin *coin, const struct build_limits *limits);

// Virtual size of the final transaction with n_in inputs of the wallet, every signature at its largest.
// outputs_len: bytes of all serialized outputs; n_out: how many.
uint64_t coins_vsize(const struct ms_wallet *keys, size_t n_in, uint64_t outputs_len, size_t n_out);

// The fee of that size, rounded up; UINT64_MAX where it is more than there can be.
uint64_t coins_fee(uint64_t rate, uint64_t vsize);

// What an output of that script may not be below: 3 sat for each byte to make and spend it.
struct sats coins_dust(struct bytes script);

#endif
