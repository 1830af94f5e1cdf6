// bitcoin/psbt_key_kinds.c -- single-key inputs and outputs: P2PK, P2PKH, P2WPKH, P2SH-P2WPKH.
#include "bitcoin/psbt_work.h"

// --- Inputs ---

// The first key path whose key can spend it. It need not be one that claims to be ours: proving the
// key fails then (10.2 step 9).
static const struct psbt_field *path_of_key(const struct spend_way *spend,
                                            const struct psbt_map *map)
{
    for (const struct psbt_field *f = NULL; (f = psbt_next(map, PSBT_IN_KEY_PATH, f)) != NULL;)
        if (spend_is_of_key(spend, psbt_key_data(f)))
            return f;
    return NULL;
}

bool judge_key_input(struct work *w, size_t i, struct err *err)
{
    struct input_plan *plan = &w->facts->plans[i];
    plan->key = path_of_key(&plan->spend, &w->psbt->in[i]);
    if (plan->key != NULL)
        return true;
    if (plan->spend.kind == SPEND_P2PK)
        return err_set(err, ERR_INVALID, "Input #%zu: pubkey wrong", i);
    return err_set(err, ERR_INVALID, "Input #%zu: pubkey vs. address wrong", i);
}

static bool judge_p2sh_p2wpkh_input(struct work *w, size_t i, struct err *err)
{
    if (w->in[i].n_paths != 1)
        return psbt_invalid(err, "p2sh-p2wpkh needs one key");
    // D-P2SHWPKH: "the redeem script must hash to the output and contain HASH160 of the key"
    return judge_key_input(w, i, err);
}

bool judge_script_input(struct work *w, size_t i, struct err *err)
{
    const struct input_work *in = &w->in[i];
    const struct bytes script = in->witness_script.len > 0 ? in->witness_script : in->redeem;
    if (script.len == 0)
        return err_set(err, ERR_INVALID, "Missing redeem/witness script for input #%zu", i);
    if (script_classify(w->facts->plans[i].spend.script) == SCRIPT_P2SH &&
        script_classify(script) == SCRIPT_P2WPKH)
        return judge_p2sh_p2wpkh_input(w, i, err);
    return judge_multisig_input(w, i, script, err);
}

// --- Outputs ---

bool work_fraud(struct err *err, size_t output, const char *what)
{
    (void)err_set(err, ERR_INVALID, "Output#%zu: %s", output, what);
    return err_detail(err, "%s", PSBT_CHANGE_FRAUD);
}

// Change if it is the script of that key.
static bool is_change_of(struct work *w, size_t i, struct bytes redeem, const char *lie,
                         struct err *err)
{
    struct output_facts *out = &w->facts->tx.out[i];
    const struct spend_scripts scripts = { .redeem = redeem };
    const struct spend_way spend = spend_of(out->script, &scripts);
    const struct bytes key = psbt_key_data(psbt_next(&w->psbt->out[i], PSBT_OUT_KEY_PATH, NULL));
    // 11.2: "An uncompressed key is only ever valid in P2PK."
    if ((key.len != sizeof(struct pubkey) && spend.kind != SPEND_P2PK) ||
        !spend_is_of_key(&spend, key))
        return work_fraud(err, i, lie);
    out->change = true;
    return true;
}

bool judge_key_output(struct work *w, size_t i, size_t n_paths, struct err *err)
{
    static const char p2pk_lie[] = "P2PK change output is fraudulent";
    const struct bytes no_redeem = { 0 };
    if (script_classify(w->facts->tx.out[i].script) == SCRIPT_P2PK)
        return n_paths == 1 ? is_change_of(w, i, no_redeem, p2pk_lie, err)
                            : work_fraud(err, i, p2pk_lie);
    if (n_paths != 1)
        return psbt_invalid(err, "output %zu: %zu key paths", i, n_paths);
    return is_change_of(w, i, no_redeem, "Change output is fraudulent", err);
}

bool judge_script_output(struct work *w, size_t i, size_t n_paths, struct err *err)
{
    const struct psbt_field *redeem = psbt_get(&w->psbt->out[i], PSBT_OUT_REDEEM_SCRIPT);
    if (n_paths > 1)
        return judge_multisig_output(w, i, err);
    if (redeem == NULL)
        return err_set(err, ERR_INVALID, "Missing redeem script for output #%zu", i);
    return is_change_of(w, i, redeem->value, "Change output is fraudulent", err);
}
