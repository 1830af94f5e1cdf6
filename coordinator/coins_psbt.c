#include "coordinator/coins_psbt.h"

static bool read_coin(struct coin *out, const struct wallet *wallet, const struct psbt *psbt,
                      size_t i, struct arena *arena, struct err *err)
{
    const struct psbt_field *field = psbt_get(&psbt->in[i], PSBT_IN_NON_WITNESS_UTXO);
    const struct outpoint at = psbt->tx.in[i].prevout;
    struct tx previous;
    if (field == NULL || !tx_parse(&previous, field->value, arena, err) ||
        at.index >= previous.n_out)
        return err_set(err, ERR_INVALID, "input %zu: its previous transaction is missing", i);
    const struct tx_out *spent = &previous.out[at.index];
    *out = (struct coin){ .outpoint = at,
                          .amount = { (uint64_t)spent->value },
                          .confirmations = 1,
                          .ancestors = 1,
                          .descendants = 1,
                          .previous = field->value };
    if (spent->value < 0 || !wallet_owns(wallet, spent->script, &out->place))
        return err_set(err, ERR_INVALID, "input %zu: is not the wallet's", i);
    return true;
}

bool coins_of_psbt(struct coins *out, const struct wallet *wallet, struct bytes psbt,
                   struct arena *arena, struct err *err)
{
    struct psbt parsed;
    if (!psbt_parse(&parsed, psbt, arena, err))
        return false;
    *out = (struct coins){ arena_array(arena, parsed.n_in, sizeof *out->items), parsed.n_in };
    if (out->items == NULL)
        return err_set(err, ERR_NO_MEMORY, "too many inputs");
    for (size_t i = 0; i < parsed.n_in; i++)
        if (!read_coin(&out->items[i], wallet, &parsed, i, arena, err))
            return false;
    return true;
}
