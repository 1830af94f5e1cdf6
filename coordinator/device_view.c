#include "coordinator/device_view.h"
#include "bitcoin/psbt_analyse.h"

enum { FEE_LIMIT_PCT = 10 }; // of a device that nobody has set otherwise

static bool signs_all(const struct tx_facts *tx)
{
    for (size_t i = 0; i < tx->n_in; i++)
        if (!tx->in[i].will_sign || !tx->in[i].verified)
            return false;
    return true;
}

bool device_view(struct device_view *out, const struct psbt *psbt,
                 const struct ms_wallet *registered, struct keytable *derived, struct xfp signer,
                 struct arena *arena, struct err *err)
{
    const struct signer_view view = {
        .xfp = signer,
        .chain = registered->chain,
        .unit = UNIT_COIN,
        .fee_limit_pct = FEE_LIMIT_PCT,
        .hsm_mode = true,
        .pms = -1,
        .wallets = { &registered, 1 },
        .table = derived,
    };
    struct psbt_facts facts;
    if (!psbt_analyse(&facts, psbt, &view, arena, err))
        return false;
    const struct tx_facts *tx = &facts.tx;
    bool *is_change = arena_array(arena, tx->n_out, sizeof *is_change);
    if (is_change == NULL)
        return err_set(err, ERR_NO_MEMORY, "too many outputs");
    for (size_t i = 0; i < tx->n_out; i++)
        is_change[i] = tx->out[i].change;
    *out = (struct device_view){ .spent = facts_spent(tx),
                                 .fee = tx->fee,
                                 .n_out = tx->n_out,
                                 .is_change = is_change,
                                 .signs = signs_all(tx) };
    if (tx->n_warnings > 0) {
        out->warning = bytes_of_text(tx->warnings[0].label);
        out->about = tx->warnings[0].text;
    }
    return true;
}
