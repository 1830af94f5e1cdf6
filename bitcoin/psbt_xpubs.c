// bitcoin/psbt_xpubs.c -- extended public keys that a PSBT carries: which wallet they describe (V6).
//
// Source: psbt-signing.md 7.9.
#include "bitcoin/psbt_work.h"

enum { OP_0_PLUS = 80, OP_CHECKMULTISIG = 0xae, XPUBS_MAX = 15 };

// Setting `pms`.
enum { PMS_VERIFY, PMS_OFFER, PMS_TRUST };

static bool is_multisig_of(struct bytes script, size_t n)
{
    return script.len >= 3 && script.ptr[script.len - 1] == OP_CHECKMULTISIG &&
           script.ptr[script.len - 2] == OP_0_PLUS + n;
}

// Step 3: without such an input the xpubs are single-key information.
static bool some_input_has_n_keys(const struct work *w, size_t n)
{
    for (size_t i = 0; i < w->psbt->n_in; i++)
        if (w->in[i].n_paths > 0 &&
            (is_multisig_of(w->in[i].witness_script, n) || is_multisig_of(w->in[i].redeem, n)))
            return true;
    return false;
}

// Step 5, after no registered wallet was found to match. D-WALLET: in HSM mode "trust" is "offer".
static bool judge_unknown_wallet(const struct work *w, struct err *err)
{
    const int unset = w->view->n_wallets > 0 ? PMS_VERIFY : PMS_OFFER;
    const int pms = w->view->pms < 0 ? unset : w->view->pms;
    if (pms == PMS_VERIFY)
        return err_set(err, ERR_INVALID, "XPUBs in PSBT do not match any existing wallet");
    if (w->view->hsm_mode)
        return err_set(err, ERR_INVALID, "MS enroll not allowed in HSM mode");
    if (pms == PMS_OFFER)
        return err_set(err, ERR_INVALID, "Refused to import new wallet");
    return true; // trusted for this PSBT, which adds nothing while no wallet can be made of it
}

bool step_xpubs(struct work *w, struct err *err)
{
    size_t n = 0;
    bool ours = false;
    const struct psbt_field *f = NULL;
    while ((f = psbt_next(&w->psbt->global, PSBT_GLOBAL_XPUB, f)) != NULL) {
        ours = ours || work_is_ours(w, f);
        if (++n > XPUBS_MAX)
            return psbt_unreadable(err, "more than %d global xpubs", XPUBS_MAX);
    }
    if (n == 0)
        return true;
    if (!ours)
        return err_set(err, ERR_INVALID, "My XFP not involved");
    return !some_input_has_n_keys(w, n) || judge_unknown_wallet(w, err);
}
