// bitcoin/psbt_multisig.c -- multisig inputs and outputs.
//
// No wallet can be registered with this signer yet, so an input that would need one is refused by
// the text for that, and no output is its change.
#include "bitcoin/psbt_work.h"

enum { OP_0_PLUS = 80, OP_CHECKMULTISIG = 0xae, KEYS_MAX = 15 };

bool judge_multisig_input(struct work *w, size_t i, struct bytes script, struct err *err)
{
    if (script.ptr[script.len - 1] != OP_CHECKMULTISIG)
        return psbt_invalid(err, "need CHECKMULTISIG");
    const int m = script.ptr[0] - OP_0_PLUS;
    if (m >= 1 && m <= KEYS_MAX && w->in[i].n_sigs >= (size_t)m) {
        w->facts->tx.in[i].fully_signed = true;
        return true;
    }
    return err_set(err, ERR_INVALID, "Unknown multisig wallet");
}

bool judge_multisig_output(struct work *w, size_t i, struct err *err)
{
    const struct psbt_map *map = &w->psbt->out[i];
    if (psbt_get(map, PSBT_OUT_REDEEM_SCRIPT) == NULL &&
        psbt_get(map, PSBT_OUT_WITNESS_SCRIPT) == NULL)
        return err_set(err, ERR_INVALID, "Missing redeem/witness script for multisig output #%zu",
                       i);
    return true; // 11.3 row 2: no active wallet, a plain output
}
