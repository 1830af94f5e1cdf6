// bitcoin/psbt_taproot.c -- taproot inputs and outputs by the key path, behind the option `taproot`.
//
// Without the option our claim on such an input is refused, and every such output is a payment. No
// script path is signed, no output with a script tree is change.
// Source: psbt-signing.md 22.
#include "bitcoin/psbt_work.h"

// The key path of our key, if it is the internal key and stands in no script.
static const struct psbt_field *our_path(const struct work *w, const struct psbt_map *map,
                                         uint8_t type, const struct psbt_field *internal)
{
    if (internal == NULL)
        return NULL;
    const struct psbt_field *f = psbt_find_keyed(map, type, internal->value);
    return f != NULL && work_is_ours(w, f) && !psbt_path_is_of_leaves(f) ? f : NULL;
}

// Whether the output is that of the internal key alone. 10.1: "version 1 only".
static bool is_output_of(const struct work *w, const struct spend_way *spend,
                         const struct psbt_field *f)
{
    const struct key_origin claim = psbt_path_read(f);
    uint8_t key[XONLY_LEN];
    return spend_is_taproot(spend->kind) &&
           keytable_output_key(key, w->view->table, psbt_key_data(f).ptr, &claim.path) &&
           bytes_equal(script_payload(spend->script, SCRIPT_P2TR), BYTES_OF(key));
}

bool judge_taproot_input(struct work *w, size_t i, struct err *err)
{
    const struct psbt_map *map = &w->psbt->in[i];
    struct input_plan *plan = &w->facts->plans[i];
    if (!w->view->taproot)
        return err_set(err, ERR_INVALID, "Install EDGE firmware to spend taproot.");
    // "single key, one partial signature (whoever's, good or bad): fully signed"
    if (psbt_get(map, PSBT_IN_TAP_KEY_SIG) != NULL) {
        w->facts->tx.in[i].fully_signed = true;
        return true;
    }
    const struct psbt_field *f =
        our_path(w, map, PSBT_IN_TAP_KEY_PATH, psbt_get(map, PSBT_IN_TAP_INTERNAL_KEY));
    if (f == NULL || psbt_get(map, PSBT_IN_TAP_MERKLE_ROOT) != NULL ||
        !is_output_of(w, &plan->spend, f))
        return err_set(err, ERR_INVALID, "Input #%zu: pubkey vs. address wrong", i);
    plan->key = f;
    // "Sighash field absent or 00: DEFAULT"
    if (psbt_get(map, PSBT_IN_SIGHASH_TYPE) == NULL)
        plan->sighash = SIGHASH_DEFAULT;
    return true;
}

bool judge_taproot_output(struct work *w, size_t i, size_t n_paths, struct err *err)
{
    const struct psbt_map *map = &w->psbt->out[i];
    const struct psbt_field *internal = psbt_get(map, PSBT_OUT_TAP_INTERNAL_KEY);
    struct output_facts *out = &w->facts->tx.out[i];
    const struct spend_scripts none = { .redeem.len = 0 };
    const struct spend_way spend = spend_of(out->script, &none);
    (void)n_paths;
    if (!w->view->taproot || internal == NULL)
        return true;
    const struct psbt_field *f = our_path(w, map, PSBT_OUT_TAP_KEY_PATH, internal);
    if (f == NULL || psbt_get(map, PSBT_OUT_TAP_TREE) != NULL || !is_output_of(w, &spend, f))
        return work_fraud(err, i, "Change output is fraudulent");
    out->change = true;
    return true;
}
