// bitcoin/psbt_hash_types.c -- which hash types may be signed (S1).
//
// Source: psbt-signing.md 12.3.
#include "bitcoin/psbt_work.h"

// "00 is a known value for these inputs only": those of taproot that we sign.
static bool is_known(const struct work *w, size_t i, uint32_t type)
{
    if (type == SIGHASH_DEFAULT)
        return w->view->taproot && spend_is_taproot(w->facts->plans[i].spend.kind);
    const uint32_t base = type & ~(uint32_t)SIGHASH_ANYONECANPAY;
    return base >= SIGHASH_ALL && base <= SIGHASH_SINGLE;
}

struct types {
    bool unusual, none, single;
    uint32_t first_unusual;
};

static void take_type(struct types *types, uint32_t type)
{
    const uint32_t base = type & ~(uint32_t)SIGHASH_ANYONECANPAY;
    if (type == SIGHASH_ALL || type == SIGHASH_DEFAULT)
        return;
    if (!types->unusual)
        types->first_unusual = type;
    types->unusual = true;
    types->none = types->none || base == SIGHASH_NONE;
    types->single = types->single || base == SIGHASH_SINGLE;
}

static bool unsupported(uint32_t type, struct err *err)
{
    return err_set(err, ERR_INVALID, "Unsupported sighash flag 0x%x", type);
}

static bool collect_types(const struct work *w, struct types *types, struct err *err)
{
    for (size_t i = 0; i < w->psbt->n_in; i++) {
        const uint32_t type = w->facts->plans[i].sighash;
        if (!w->facts->tx.in[i].claims)
            continue;
        if (!is_known(w, i, type))
            return unsupported(type, err);
        if (w->facts->tx.is_message && type != SIGHASH_ALL && type != SIGHASH_DEFAULT)
            return err_set(err, ERR_INVALID, "POR not SIGHASH_ALL");
        take_type(types, type);
    }
    return true;
}

// "Every output is change" is known only when the fee is.
static bool is_consolidation(const struct tx_facts *tx)
{
    for (size_t i = 0; i < tx->n_out; i++)
        if (!tx->out[i].change)
            return false;
    return tx->fee_known;
}

static bool check_types(const struct work *w, const struct types *types, bool all_only,
                        struct err *err)
{
    if (is_consolidation(&w->facts->tx))
        return err_set(err, ERR_INVALID,
                       "Only sighash ALL is allowed for pure consolidation transactions.");
    if (types->none)
        return err_set(err, ERR_INVALID,
                       "Sighash NONE is not allowed as funds could be going anywhere.");
    if (types->single)
        return err_set(err, ERR_INVALID,
                       "Sighash SINGLE is not allowed as some outputs could be changed.");
    return !all_only || unsupported(types->first_unusual, err);
}

bool step_hash_types(struct work *w, struct err *err)
{
    struct types types = { 0 };
    const bool all_only = w->view->sighash_all_only && w->view->hsm_mode;
    if (!collect_types(w, &types, err))
        return false;
    if (!types.unusual)
        return true;
    if ((!w->view->sighash_allow || all_only) && !check_types(w, &types, all_only, err))
        return false;
    if (types.none)
        return work_warn(w, "Danger",
                         "Destination address can be changed after signing (sighash NONE).", err);
    return work_warn(w, "Caution",
                     "Some inputs have unusual SIGHASH values not used in typical cases.", err);
}
