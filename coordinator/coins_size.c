// coordinator/coins_size.c -- how large a transaction will be, and what that costs.
#include "coordinator/coins.h"

enum {
    TX_WEIGHT = 4 * (4 + 4) + 2,     // version, locktime; marker and flag
    INPUT_WEIGHT = 4 * (36 + 4 + 1), // outpoint, sequence, length of scriptSig
    NESTED_WEIGHT = 4 * 35,          // scriptSig: one push of a witness program
    SIGNATURE = 1 + 72,              // length; DER of a high r and a low s, hash type
    DUST_SPEND = 148,                // bytes to spend an output, as nodes count them
    DUST_SPEND_WITNESS = 67,
};

static uint64_t count_len(uint64_t n)
{
    return n < 0xfd ? 1 : n <= 0xffff ? 3 : 5;
}

uint64_t coins_vsize(const struct ms_wallet *keys, size_t n_in, uint64_t outputs_len, size_t n_out)
{
    const uint64_t script = 3 + 34 * keys->n;
    // Count of items, the empty one, signatures, script.
    const uint64_t witness = 1 + 1 + SIGNATURE * keys->m + count_len(script) + script;
    const uint64_t input =
        INPUT_WEIGHT + witness + (keys->format == ADDR_P2SH_P2WSH ? NESTED_WEIGHT : 0);
    const uint64_t weight =
        TX_WEIGHT + 4 * (count_len(n_in) + count_len(n_out) + outputs_len) + n_in * input;
    return (weight + 3) / 4;
}

uint64_t coins_fee(uint64_t rate, uint64_t vsize)
{
    uint64_t product;
    if (__builtin_mul_overflow(rate, vsize, &product) || product > UINT64_MAX - 999)
        return UINT64_MAX;
    return (product + 999) / 1000;
}

struct sats coins_dust(struct bytes script)
{
    const enum script_kind kind = script_classify(script);
    const bool witness = kind == SCRIPT_P2TR || kind == SCRIPT_P2WPKH || kind == SCRIPT_P2WSH;
    return (struct sats){ 3 * (8 + count_len(script.len) + script.len +
                               (witness ? DUST_SPEND_WITNESS : DUST_SPEND)) };
}
