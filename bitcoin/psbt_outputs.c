// bitcoin/psbt_outputs.c -- outputs: which are change (O1), then fee and warnings (O2).
#include "base/require.h"
#include "bitcoin/psbt_work.h"

enum {
    OP_RETURN_SCRIPT_MAX = 83, // 80 bytes of data
    BIG_FEE_PCT = 5,
};

// --- O1 ---

static bool (*const judges[])(struct work *w, size_t i, size_t n_paths, struct err *err) = {
    [SCRIPT_UNKNOWN] = NULL,
    [SCRIPT_P2TR] = judge_taproot_output,
    [SCRIPT_P2WPKH] = judge_key_output,
    [SCRIPT_P2WSH] = judge_script_output,
    [SCRIPT_P2PKH] = judge_key_output,
    [SCRIPT_P2SH] = judge_script_output,
    [SCRIPT_P2PK] = judge_key_output,
    [SCRIPT_OP_RETURN] = NULL,
};

// A taproot output claims by its taproot key paths, others by theirs.
static bool read_paths(struct work *w, size_t i, size_t *n_paths, bool *claims, struct err *err)
{
    const bool is_taproot = script_classify(w->facts->tx.out[i].script) == SCRIPT_P2TR;
    const struct psbt_field *f = NULL;
    *n_paths = 0;
    *claims = false;
    while ((f = psbt_next_out_path(&w->psbt->out[i], w->view->taproot, f)) != NULL) {
        bool ours;
        if (!work_take_path(w, f, &ours, err))
            return false;
        const bool counts = is_taproot == (f->key.ptr[0] == PSBT_OUT_TAP_KEY_PATH);
        *n_paths += counts;
        *claims = *claims || (counts && ours);
    }
    return true;
}

static bool find_value(struct bytes *out, const struct psbt_map *map, struct bytes key)
{
    const struct psbt_field *field = psbt_find(map, key);
    if (field != NULL)
        *out = field->value;
    return field != NULL;
}

static bool judge_output(struct work *w, size_t i, struct err *err)
{
    struct output_facts *out = &w->facts->tx.out[i];
    const struct psbt_map *map = &w->psbt->out[i];
    size_t n_paths;
    bool claims;
    out->script = w->psbt->tx.out[i].script;
    out->has_attestation = find_value(&out->attestation, map, BYTES(PSBT_OUT_ATTESTATION_KEY));
    out->has_bound_attestation =
        find_value(&out->bound_attestation, map, BYTES(PSBT_OUT_BOUND_ATTESTATION_KEY));
    if (out->script.len > SCRIPT_MAX)
        return psbt_invalid(err, "output %zu: script of %zu bytes", i, out->script.len);
    if (!read_paths(w, i, &n_paths, &claims, err))
        return false;
    const enum script_kind kind = script_classify(out->script);
    if (!claims || judges[kind] == NULL)
        return true;
    return judges[kind](w, i, n_paths, err);
}

bool step_judge_outputs(struct work *w, struct err *err)
{
    for (size_t i = 0; i < w->psbt->n_out; i++)
        if (!judge_output(w, i, err))
            return false;
    return true;
}

// --- Change must fit the inputs: 11.5 (D-CHANGE) ---

// Of the wallet's inputs that we sign. An input that only carries our signature does not count: the
// host may have made that up to bring a wallet into a transaction that is none of the wallet's.
static struct sats signed_of_wallet(const struct tx_facts *tx)
{
    struct sats sum = { 0 };
    for (size_t i = 0; i < tx->n_in; i++)
        if (tx->in[i].multisig && tx->in[i].will_sign)
            REQUIRE(sats_add(&sum, tx->in[i].amount)); // a part of total_in
    return sum;
}

static bool exceeds(const struct tx_facts *tx, struct sats limit)
{
    struct sats sum = { 0 };
    for (size_t i = 0; i < tx->n_out; i++)
        if (tx->out[i].change && tx->out[i].multisig && !sats_add(&sum, tx->out[i].amount))
            return true;
    return sum.n > limit.n;
}

// "1. Any input to be signed is multisig: no single-key output is change. 2. Inputs to be signed
// include single-key ones and multisig ones: let W be the sum of the wallet's proved inputs, C the
// sum of multisig change outputs. C > W: no multisig output is change." The same without multisig
// ones, whose sum is then 0.
static void unmark_change(struct tx_facts *tx)
{
    const bool no_single_key = tx->signs_multisig;
    const bool no_multisig = tx->signs_single_key && exceeds(tx, signed_of_wallet(tx));
    for (size_t i = 0; i < tx->n_out; i++)
        if (tx->out[i].multisig ? no_multisig : no_single_key)
            tx->out[i].change = false;
}

// --- O2: sums and fee, 12.5 ---

static bool read_amount(struct work *w, size_t i, struct err *err)
{
    const int64_t value = w->psbt->tx.out[i].value;
    if (value < 0)
        return psbt_invalid(err, "negative output value: o%zu", i);
    if ((uint64_t)value > SATS_MAX)
        return psbt_invalid(err, "output value out of range: o%zu", i);
    w->facts->tx.out[i].amount.n = (uint64_t)value;
    return true;
}

static bool sum_outputs(struct work *w, struct err *err)
{
    struct tx_facts *tx = &w->facts->tx;
    for (size_t i = 0; i < tx->n_out; i++) {
        const struct output_facts *out = &tx->out[i];
        if (!sats_add(&tx->total_out, out->amount) ||
            (out->change && !sats_add(&tx->change_total, out->amount)))
            return psbt_invalid(err, "sum of output values out of range: o%zu", i);
    }
    return true;
}

// fee * scale / total_out, rounded to nearest, ties to even; no outputs' value counts as 100 %. All
// products stay below 2^61: amounts are at most SATS_MAX and the scale is 100 or 1000.
static uint64_t fee_part(const struct tx_facts *tx, uint64_t scale)
{
    if (tx->total_out.n == 0)
        return scale;
    const uint64_t quotient = tx->fee.n * scale / tx->total_out.n;
    const uint64_t twice_rest = 2 * (tx->fee.n * scale % tx->total_out.n);
    const bool up =
        twice_rest > tx->total_out.n || (twice_rest == tx->total_out.n && quotient % 2 != 0);
    return quotient + up;
}

static bool check_fee(struct work *w, struct err *err)
{
    struct tx_facts *tx = &w->facts->tx;
    const int limit = w->view->fee_limit_pct;
    if (tx->total_in.n < tx->total_out.n)
        return err_set(err, ERR_INVALID, "Outputs worth more than inputs!");
    tx->fee.n = tx->total_in.n - tx->total_out.n;
    if (limit >= 0 && tx->fee.n * 100 >= (uint64_t)limit * tx->total_out.n)
        return err_set(err, ERR_INVALID,
                       "Network fee bigger than %d%% of total amount (it is %llu%%).", limit,
                       (unsigned long long)fee_part(tx, 100));
    if (tx->fee.n * 100 < BIG_FEE_PCT * tx->total_out.n)
        return true;
    const uint64_t tenths = fee_part(tx, 1000);
    struct writer text = work_text(w);
    writer_printf(&text, "Network fee is more than %d%% of total value (%llu.%llu%%).", BIG_FEE_PCT,
                  (unsigned long long)(tenths / 10), (unsigned long long)(tenths % 10));
    return work_add(w, &w->warnings, "Big Fee", &text, err);
}

// --- O2: warnings 10 to 12 ---

struct outputs_seen {
    size_t n_op_return, n_unknown;
    bool long_op_return, zero_value;
};

static struct outputs_seen look_at_outputs(const struct tx_facts *tx)
{
    struct outputs_seen seen = { 0 };
    for (size_t i = 0; i < tx->n_out; i++) {
        const enum script_kind kind = script_classify(tx->out[i].script);
        seen.n_op_return += kind == SCRIPT_OP_RETURN;
        seen.n_unknown += kind == SCRIPT_UNKNOWN;
        if (kind == SCRIPT_OP_RETURN && tx->out[i].script.len > OP_RETURN_SCRIPT_MAX)
            seen.long_op_return = true;
        if (kind != SCRIPT_OP_RETURN && tx->out[i].amount.n == 0)
            seen.zero_value = true;
    }
    return seen;
}

static bool warn_op_return(struct work *w, const struct outputs_seen *seen, struct err *err)
{
    struct writer text = work_text(w);
    if (seen->n_op_return < 2 && !seen->long_op_return)
        return true;
    writer_text(&text, "TX may not be relayed by some nodes.");
    if (seen->n_op_return > 1)
        writer_printf(&text, "\nMultiple OP_RETURN outputs: %zu", seen->n_op_return);
    if (seen->long_op_return)
        writer_text(&text, "\nOP_RETURN > 80 bytes");
    return work_add(w, &w->warnings, "OP_RETURN", &text, err);
}

static bool warn_unknown(struct work *w, const struct outputs_seen *seen, struct err *err)
{
    struct writer text = work_text(w);
    writer_printf(&text, "Sending to %zu not well understood script(s).", seen->n_unknown);
    return seen->n_unknown == 0 || work_add(w, &w->warnings, "Output?", &text, err);
}

bool step_outputs_total(struct work *w, struct err *err)
{
    struct tx_facts *tx = &w->facts->tx;
    for (size_t i = 0; i < tx->n_out; i++)
        if (!read_amount(w, i, err))
            return false;
    unmark_change(tx);
    if (!sum_outputs(w, err))
        return false;
    if (tx->is_message)
        return true;
    if (tx->fee_known && !check_fee(w, err))
        return false;
    // D-NOFEE: these are raised when the fee is unknown, too.
    const struct outputs_seen seen = look_at_outputs(tx);
    return warn_op_return(w, &seen, err) && warn_unknown(w, &seen, err) &&
           (!seen.zero_value ||
            work_warn(w, "Zero Value", "Non-standard zero value output(s).", err));
}
