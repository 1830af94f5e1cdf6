// bitcoin/psbt_prove.c -- claims become facts: keys derived from our seed and compared.
#include "bitcoin/psbt_err.h"
#include "bitcoin/psbt_path.h"
#include "bitcoin/psbt_sign.h"
#include "bitcoin/taproot.h"

// Whether the key in a key path field, for an output with that script, is ours at the path that it
// states. The comparison is of public keys, so memcmp will do.
static bool is_derived(const struct psbt_field *f, struct bytes script, struct keycache *cache)
{
    const struct key_origin claim = psbt_path_read(f);
    const struct bytes key = psbt_key_data(f);
    struct err impossible_child;
    const struct known_key *ours;
    if (!keycache_public(&ours, cache, &claim.path, &impossible_child))
        return false;
    if (key.len == XONLY_LEN)
        return bytes_equal(key, bytes_of(ours->key.b + 1, XONLY_LEN));
    if (key.len == sizeof ours->key.b)
        return bytes_equal(key, BYTES_OF(ours->key.b));
    // 14.1: "65-byte P2PK keys: compare uncompressed forms"; elsewhere our keys are compressed.
    if (script_classify(script) != SCRIPT_P2PK)
        return false;
    const struct pubkey64 xy = pubkey_to64(&ours->key);
    return bytes_equal(bytes_slice(key, 1, key.len), BYTES_OF(xy.b));
}

static bool is_ours(const struct psbt_facts *facts, const struct psbt_field *f)
{
    return xfp_equal(psbt_path_xfp(f, facts->xfp), facts->xfp);
}

// --- Outputs, 11.4 ---

static bool deception(size_t i, struct err *err)
{
    (void)err_set(err, ERR_INVALID,
                  "Output#%zu: Deception regarding change output. BIP-32 path doesn't match actual "
                  "address.",
                  i);
    return err_detail(err, "%s", PSBT_CHANGE_FRAUD);
}

// "every key path that claims to be ours is derived from the seed and must give that key: at least
// one per output"
static bool prove_output(struct psbt_facts *facts, size_t i, struct keycache *cache,
                         struct err *err)
{
    struct output_facts *out = &facts->tx.out[i];
    const struct psbt_field *f = NULL;
    size_t n_claims = 0, n_proved = 0;
    if (!out->change && !out->multisig)
        return true;
    while ((f = psbt_next_out_path(&facts->psbt->out[i], facts->taproot, f)) != NULL)
        if (is_ours(facts, f)) {
            n_claims++;
            n_proved += is_derived(f, out->script, cache);
        }
    out->own = n_proved > 0 && n_proved == n_claims;
    return !out->change || out->own || deception(i, err);
}

// --- Inputs, 14.1 ---

static bool wrong_pubkey(const struct psbt_facts *facts, size_t i, struct err *err)
{
    char text[KEYPATH_TEXT_MAX];
    struct writer w = writer_of(text, sizeof text);
    keypath_write(&w, &facts->tx.in[i].path);
    return psbt_late(err, "Path (%.*s) led to wrong pubkey for input#%zu",
                     BYTES_ARG(writer_bytes(&w)), i);
}

// An input that we do not sign may be ours all the same: signed before, for instance.
static bool some_claim_is_ours(const struct psbt_facts *facts, size_t i, struct keycache *cache)
{
    const struct spend_way *spend = &facts->plans[i].spend;
    const struct psbt_field *f = NULL;
    while ((f = psbt_next_in_path(&facts->psbt->in[i], facts->taproot, f)) != NULL)
        if (is_ours(facts, f) && spend_has_key(spend, psbt_key_data(f)) &&
            is_derived(f, spend->script, cache))
            return true;
    return false;
}

// The first claiming key without a signature that is in the script and ours indeed: the plan's, if
// the wallet's checks were made.
static bool prove_multisig(struct psbt_facts *facts, size_t i, struct keycache *cache,
                           struct err *err)
{
    const struct psbt_map *map = &facts->psbt->in[i];
    struct input_plan *plan = &facts->plans[i];
    const struct psbt_field *f = NULL;
    while ((f = psbt_next(map, PSBT_IN_KEY_PATH, f)) != NULL) {
        const struct bytes key = psbt_key_data(f);
        if (is_ours(facts, f) && psbt_find_keyed(map, PSBT_IN_PARTIAL_SIG, key) == NULL &&
            spend_has_key(&plan->spend, key) && is_derived(f, plan->spend.script, cache)) {
            plan->key = f;
            facts->tx.in[i].path = psbt_path_read(f).path;
            return true;
        }
    }
    return psbt_late(err, "Input #%zu needs pubkey I dont have", i);
}

static bool prove_key(struct psbt_facts *facts, size_t i, struct keycache *cache, struct err *err)
{
    const struct input_plan *plan = &facts->plans[i];
    if (spend_is_multisig(plan->spend.kind))
        return prove_multisig(facts, i, cache, err);
    return is_derived(plan->key, plan->spend.script, cache) || wrong_pubkey(facts, i, err);
}

static bool prove_input(struct psbt_facts *facts, size_t i, struct keycache *cache, struct err *err)
{
    const struct input_plan *plan = &facts->plans[i];
    struct input_facts *in = &facts->tx.in[i];
    if (plan->key == NULL) {
        in->own = in->claims && some_claim_is_ours(facts, i, cache);
        return true;
    }
    if (!prove_key(facts, i, cache, err))
        return false;
    // "consensus would allow it and sign a constant, or zero, in its place; never sign that"
    if ((plan->sighash & ~(uint32_t)SIGHASH_ANYONECANPAY) == SIGHASH_SINGLE && i >= facts->tx.n_out)
        return psbt_late(err, "SINGLE corresponding output (%zu) missing", i);
    in->own = true;
    return true;
}

static bool prove(struct psbt_facts *facts, struct keycache *cache, struct err *err)
{
    for (size_t i = 0; i < facts->tx.n_out; i++)
        if (!prove_output(facts, i, cache, err))
            return false;
    for (size_t i = 0; i < facts->tx.n_in; i++)
        if (!prove_input(facts, i, cache, err))
            return false;
    return true;
}

bool psbt_prove(struct psbt_facts *facts, struct keycache *keys, struct err *err)
{
    facts->proved = prove(facts, keys, err);
    return facts->proved;
}
