// coordinator/preflight.c -- every check that a signer will make, before it is asked: a refusal costs one of
// the hundred that it may give, and tells whoever watches it what was tried.
//
// What is wrong for all signers is said first; then each signer's own limits. The rows of A7 that are about
// the transaction are checked twice: here by the rule as it is written, and by the signer's own analysis
// (device_view.h).
#include "bitcoin/tx_scan.h"
#include "coordinator/build.h"
#include "coordinator/coins.h"
#include "coordinator/device_view.h"

enum { FEE_WARNING_PCT = 5, ADDRESS_BYTES = 2 * SCRIPT_MAX };

struct flight {
    const struct wallet *wallet;
    const struct ms_wallet *keys;
    struct keytable *derived; // or NULL
    struct psbt psbt;
    const struct spend_outputs *outputs;
    struct sats in, out;
    uint32_t highest; // index of an input
};

static bool wrong(struct err *err, const char *what)
{
    return code_fail(err, CODE_PREFLIGHT_FAILED, "%s", what);
}

// --- Inputs ---

static bool check_fields(const struct psbt_map *map, struct err *err)
{
    const struct psbt_field *type = psbt_get(map, PSBT_IN_SIGHASH_TYPE);
    if (type != NULL && psbt_u32(type) != 1)
        return wrong(err, "an input asks for another hash type than ALL");
    if (psbt_next(map, PSBT_IN_PARTIAL_SIG, NULL) != NULL ||
        psbt_get(map, PSBT_IN_FINAL_SCRIPT_SIG) != NULL ||
        psbt_get(map, PSBT_IN_FINAL_WITNESS) != NULL)
        return wrong(err, "an input is signed already");
    return true;
}

static bool check_previous(struct flight *f, size_t i, struct err *err)
{
    const struct psbt_field *previous = psbt_get(&f->psbt.in[i], PSBT_IN_NON_WITNESS_UTXO);
    const struct outpoint *at = &f->psbt.tx.in[i].prevout;
    struct tx_scan scan;
    struct tx_out spent;
    struct wallet_place place;
    struct err why;
    if (previous == NULL)
        return wrong(err, "an input has no previous transaction");
    if (!tx_scan(&scan, previous->value, &why) || !tx_scan_output(&scan, at->index, &spent))
        return wrong(err, "an input's previous transaction is malformed");
    const struct hash256 txid = tx_scan_txid(&scan);
    if (memcmp(txid.b, at->txid.b, sizeof txid.b) != 0)
        return wrong(err, "an input's previous transaction is another one");
    if (!wallet_owns(f->wallet, spent.script, &place))
        return wrong(err, "an input is no coin of the wallet");
    if (spent.value < 0 || !sats_add(&f->in, (struct sats){ (uint64_t)spent.value }))
        return wrong(err, "the inputs are more than there can be");
    if (place.index > f->highest)
        f->highest = place.index;
    return true;
}

static bool check_inputs(struct flight *f, struct err *err)
{
    for (size_t i = 0; i < f->psbt.n_in; i++) {
        // Final sequences everywhere would leave a locktime without effect, which devices warn of;
        // and what is not replaceable cannot be helped on.
        if (f->psbt.tx.in[i].sequence >= 0xfffffffe)
            return wrong(err, "an input's sequence is final");
        if (!check_fields(&f->psbt.in[i], err) || !check_previous(f, i, err))
            return false;
    }
    return true;
}

// --- Outputs ---

// D17 8: "Outputs given to a signer are exactly the spend's outputs plus its change."
static bool is_asked_for(const struct flight *f, size_t i)
{
    const struct tx_out *out = &f->psbt.tx.out[i];
    return f->outputs != NULL && i < f->outputs->n &&
           out->value == (int64_t)f->outputs->items[i].amount.n &&
           bytes_equal(out->script, f->outputs->items[i].script);
}

static bool check_change(const struct flight *f, size_t i, struct err *err)
{
    struct wallet_place place;
    if (!wallet_owns(f->wallet, f->psbt.tx.out[i].script, &place) || place.branch != MS_CHANGE)
        return wrong(err, "an output is neither the spend's nor change");
    if (place.index > f->highest + COINS_CHANGE_GAP)
        return wrong(err, "the change index is too far above the inputs'");
    return true;
}

static bool check_outputs(struct flight *f, struct err *err)
{
    const size_t n = f->outputs == NULL ? 0 : f->outputs->n;
    if (f->psbt.n_out < n)
        return wrong(err, "an output of the spend is missing");
    for (size_t i = 0; i < f->psbt.n_out; i++) {
        const struct tx_out *out = &f->psbt.tx.out[i];
        const enum script_kind kind = script_classify(out->script);
        if (out->value <= 0 || !sats_add(&f->out, (struct sats){ (uint64_t)out->value }))
            return wrong(err, "an output of no amount that can be");
        if (kind == SCRIPT_UNKNOWN || kind == SCRIPT_OP_RETURN)
            return wrong(err, "an output of an unknown kind, or with data");
        if (i < n ? !is_asked_for(f, i) : !check_change(f, i, err))
            return i < n ? wrong(err, "an output is not the spend's") : false;
    }
    return true;
}

static bool check_fee(const struct flight *f, struct err *err)
{
    if (f->in.n < f->out.n)
        return wrong(err, "the outputs are more than the inputs");
    const uint64_t fee = f->in.n - f->out.n; // below SATS_MAX: no product here leaves 64 bits
    return fee * 100 < f->out.n * FEE_WARNING_PCT ||
           wrong(err, "the fee is 5 % of the outputs or more");
}

// --- One signer ---

static bool signer_wrong(struct err *err, const struct signer_limits *s, const char *what)
{
    return code_fail(err, CODE_PREFLIGHT_FAILED, "signer %s would refuse: %s", s->name, what);
}

static bool is_listed(const struct signer_limits *s, struct bytes address)
{
    for (size_t i = 0; i < s->n_whitelist; i++) {
        char mem[ADDRESS_TEXT_MAX];
        struct writer clean = writer_of(mem, sizeof mem);
        if (address_clean(&clean, s->whitelist[i]) && bytes_equal(writer_bytes(&clean), address))
            return true;
    }
    return false;
}

// "every external address on each chosen signer's list": external is what it does not see as change.
static bool check_list(const struct flight *f, const struct signer_limits *s,
                       const struct device_view *view, struct arena *arena, struct err *err)
{
    for (size_t i = 0; s->whitelist != NULL && i < view->n_out; i++) {
        struct writer address = writer_growing(arena, ADDRESS_BYTES);
        if (view->is_change[i])
            continue;
        address_or_hex(&address, f->psbt.tx.out[i].script, f->keys->chain);
        if (!is_listed(s, writer_bytes(&address)))
            return code_fail(err, CODE_PREFLIGHT_FAILED,
                             "signer %s would refuse: non-whitelisted address: %.*s", s->name,
                             BYTES_ARG(writer_bytes(&address)));
    }
    return true;
}

static bool check_size(const struct flight *f, const struct signer_limits *s, struct err *err)
{
    if (s->max_psbt != 0 && f->psbt.raw.len > s->max_psbt)
        return signer_wrong(err, s, "the PSBT is larger than it takes");
    if (s->max_inputs != 0 && f->psbt.n_in > s->max_inputs)
        return signer_wrong(err, s, "more inputs than it takes");
    if (ms_wallet_position(f->keys, s->xfp) == f->keys->n)
        return signer_wrong(err, s, "it is no cosigner of the wallet");
    return true;
}

static bool check_view(const struct flight *f, const struct signer_limits *s,
                       const struct device_view *view, struct err *err)
{
    for (size_t i = f->outputs == NULL ? 0 : f->outputs->n; i < view->n_out; i++)
        if (!view->is_change[i])
            return signer_wrong(err, s, "it does not know the change for what it is");
    if (!view->signs)
        return signer_wrong(err, s, "an input's key or amount cannot be verified");
    if (view->warning.len > 0)
        return code_fail(err, CODE_PREFLIGHT_FAILED, "signer %s would refuse: %.*s: %.*s", s->name,
                         BYTES_ARG(view->warning), BYTES_ARG(view->about));
    if (view->spent.n > s->max_amount.n)
        return signer_wrong(err, s, "amount exceeded");
    if (view->spent.n > s->budget.n)
        return signer_wrong(err, s, "would exceed period spending");
    return true;
}

static bool check_signer(const struct flight *f, const struct signer_limits *s, struct arena *arena,
                         struct err *err)
{
    struct device_view view;
    struct err reply;
    if (!check_size(f, s, err))
        return false;
    if (!device_view(&view, &f->psbt, f->keys, f->derived, s->xfp, arena, &reply))
        return signer_wrong(err, s, reply.text);
    return check_view(f, s, &view, err) && check_list(f, s, &view, arena, err);
}

static bool check_signers(struct flight *f, const struct signer_limits *signers, size_t n,
                          struct arena *arena, struct err *err)
{
    bool ok = true;
    f->derived = wallet_take_derived(f->wallet); // they all see the same keys
    for (size_t i = 0; ok && i < n; i++)
        ok = check_signer(f, &signers[i], arena, err);
    wallet_give_derived(f->wallet, f->derived);
    return ok;
}

bool preflight(const struct wallet *wallet, struct bytes psbt, const struct spend_outputs *outputs,
               const struct signer_limits *signers, size_t n_signers, struct arena *arena,
               struct err *err)
{
    struct flight f = { .wallet = wallet, .keys = wallet_keys(wallet), .outputs = outputs };
    struct err why;
    if (!psbt_parse(&f.psbt, psbt, arena, &why))
        return wrong(err, why.text);
    return check_inputs(&f, err) && check_outputs(&f, err) && check_fee(&f, err) &&
           check_signers(&f, signers, n_signers, arena, err);
}
