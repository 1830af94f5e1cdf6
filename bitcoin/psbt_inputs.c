// bitcoin/psbt_inputs.c -- inputs: read (V4), then judged one by one (I1), then counted (I2).
#include "base/reader.h"
#include "base/require.h"
#include "bitcoin/psbt_work.h"
#include "bitcoin/tx_scan.h"

// --- V4: what each input's map holds ---

static bool read_prev_tx(struct work *w, size_t i, struct bytes raw, struct err *err)
{
    const struct outpoint *prevout = &w->psbt->tx.in[i].prevout;
    struct input_work *in = &w->in[i];
    struct tx_scan scan;
    struct err why;
    // D-UTXO: "parsed completely, at least one input and one output, nothing left over"
    if (!tx_scan(&scan, raw, &why) || scan.n_in == 0 || scan.n_out == 0)
        return psbt_invalid(err, "Trouble parsing UTXO given for input #%zu", i);
    const struct hash256 txid = tx_scan_txid(&scan);
    if (!bytes_equal(BYTES_OF(txid.b), BYTES_OF(prevout->txid.b)))
        return psbt_invalid(err, "utxo hash mismatch for input #%zu", i);
    in->has_prev_tx = true;
    in->has_prev_out = tx_scan_output(&scan, prevout->index, &in->prev_out);
    return true;
}

static void read_fields(struct input_work *in, uint32_t *sighash, const struct psbt_field **prev_tx,
                        const struct psbt_map *map)
{
    for (size_t i = 0; i < map->n_fields; i++) {
        const struct psbt_field *f = &map->fields[i];
        switch (f->key.ptr[0]) {
        case PSBT_IN_NON_WITNESS_UTXO:
            *prev_tx = f;
            break;
        case PSBT_IN_WITNESS_UTXO:
            in->utxo = f;
            break;
        case PSBT_IN_PARTIAL_SIG:
            in->n_sigs++;
            break;
        case PSBT_IN_SIGHASH_TYPE:
            *sighash = psbt_u32(f);
            break;
        case PSBT_IN_REDEEM_SCRIPT:
            in->redeem = f->value;
            break;
        case PSBT_IN_WITNESS_SCRIPT:
            in->witness_script = f->value;
            break;
        default:
            break;
        }
    }
}

static bool read_paths(struct work *w, size_t i, struct err *err)
{
    const struct psbt_field *f = NULL;
    while ((f = psbt_next_in_path(&w->psbt->in[i], w->view->taproot, f)) != NULL) {
        bool claims;
        if (!work_take_path(w, f, &claims, err))
            return false;
        w->facts->tx.in[i].claims = w->facts->tx.in[i].claims || claims;
        if (f->key.ptr[0] == PSBT_IN_KEY_PATH)
            w->in[i].n_paths++;
        else
            w->in[i].has_tap_path = true;
    }
    return true;
}

static bool read_input(struct work *w, size_t i, struct err *err)
{
    struct input_work *in = &w->in[i];
    struct input_facts *facts = &w->facts->tx.in[i];
    const struct psbt_field *prev_tx = NULL;
    w->facts->plans[i].sighash = SIGHASH_ALL;
    facts->prevout = w->psbt->tx.in[i].prevout;
    read_fields(in, &w->facts->plans[i].sighash, &prev_tx, &w->psbt->in[i]);
    if (!read_paths(w, i, err))
        return false;
    // 10.2: "fully signed, first guess: there are partial signatures and they are at least as many
    // as key paths"
    facts->fully_signed = in->n_sigs > 0 && in->n_sigs >= in->n_paths;
    return prev_tx == NULL || read_prev_tx(w, i, prev_tx->value, err);
}

_Static_assert(sizeof(struct outpoint) == 36, "outpoints are compared as bytes: no padding");

static int compare_outpoints(const void *a, const void *b)
{
    const struct tx_in *const *x = a, *const *y = b;
    const int order = memcmp(&(*x)->prevout, &(*y)->prevout, sizeof(struct outpoint));
    if (order != 0)
        return order;
    return *x < *y ? -1 : *x > *y; // both are of one array
}

static bool same_outpoint(const struct outpoint *a, const struct outpoint *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

// By sorting: all pairs of 24,000 inputs are too many.
static bool mark_duplicates(struct work *w, struct err *err)
{
    const struct tx *tx = &w->psbt->tx;
    const struct tx_in **sorted = arena_array(w->scratch, tx->n_in, sizeof *sorted);
    if (sorted == NULL)
        return psbt_too_complex(err);
    for (size_t i = 0; i < tx->n_in; i++)
        sorted[i] = &tx->in[i];
    qsort(sorted, tx->n_in, sizeof *sorted, compare_outpoints);
    for (size_t i = 1; i < tx->n_in; i++)
        if (same_outpoint(&sorted[i]->prevout, &sorted[i - 1]->prevout))
            w->in[sorted[i] - tx->in].duplicate = true;
    return true;
}

bool step_read_inputs(struct work *w, struct err *err)
{
    for (size_t i = 0; i < w->psbt->n_in; i++)
        if (!read_input(w, i, err))
            return false;
    return mark_duplicates(w, err);
}

// --- I1, steps 2 to 5 of 10.2: the output that is spent ---

static struct tx_out witness_utxo(const struct psbt_field *f)
{
    struct tx_out out = { 0 };
    struct reader r = reader_of(f->value);
    REQUIRE(tx_read_out(&r, &out)); // the field table checked it
    return out;
}

bool work_spent(const struct work *w, size_t i, struct tx_out *out)
{
    const struct input_work *in = &w->in[i];
    if (in->has_prev_out)
        *out = in->prev_out;
    else if (!in->has_prev_tx && in->utxo != NULL)
        *out = witness_utxo(in->utxo);
    else
        return false;
    return true;
}

static bool spent_output(const struct work *w, size_t i, struct tx_out *out, struct err *err)
{
    const struct input_work *in = &w->in[i];
    if (!work_spent(w, i, out))
        return psbt_invalid(err, "not enuf outs");
    if (!in->has_prev_tx || in->utxo == NULL)
        return true;
    // D-UTXO: "both present must agree in amount and script"
    const struct tx_out claimed = witness_utxo(in->utxo);
    return (claimed.value == out->value && bytes_equal(claimed.script, out->script)) ||
           psbt_invalid(err, "utxo mismatch for input #%zu", i);
}

static bool take_amount(struct work *w, size_t i, int64_t value, struct err *err)
{
    struct input_facts *facts = &w->facts->tx.in[i];
    if (value < 0)
        return psbt_invalid(err, "negative input value: i%zu", i);
    facts->amount.n = (uint64_t)value;
    facts->has_amount = true;
    if (facts->amount.n > SATS_MAX)
        return psbt_invalid(err, "input value out of range: i%zu", i);
    return sats_add(&w->facts->tx.total_in, facts->amount) ||
           psbt_invalid(err, "sum of input values out of range: i%zu", i);
}

// 10.2 step 5: a script whose signatures commit to the amount, shown by the script alone.
static bool is_provably_segwit(struct bytes script, struct bytes redeem)
{
    const enum script_kind kind = script_classify(script), inner = script_classify(redeem);
    if (kind == SCRIPT_P2WPKH || kind == SCRIPT_P2WSH || kind == SCRIPT_P2TR)
        return true;
    return (inner == SCRIPT_P2WPKH || inner == SCRIPT_P2WSH) && script_is_p2sh_of(script, redeem);
}

// --- I1, steps 7 to 13 ---

static bool (*const judges[])(struct work *w, size_t i, struct err *err) = {
    [SCRIPT_UNKNOWN] = judge_unknown_input, [SCRIPT_P2TR] = judge_taproot_input,
    [SCRIPT_P2WPKH] = judge_key_input,      [SCRIPT_P2WSH] = judge_script_input,
    [SCRIPT_P2PKH] = judge_key_input,       [SCRIPT_P2SH] = judge_script_input,
    [SCRIPT_P2PK] = judge_key_input,        [SCRIPT_OP_RETURN] = NULL, // nobody can spend it
};

bool judge_unknown_input(struct work *w, size_t i, struct err *err)
{
    struct writer hex = work_text(w);
    struct bytes text;
    writer_hex(&hex, w->facts->plans[i].spend.script);
    if (!writer_finish(&hex, &text))
        return psbt_too_complex(err);
    return err_set(err, ERR_INVALID, "Unhandled scriptPubKey: %.*s", BYTES_ARG(text));
}

static bool judge_by_kind(struct work *w, size_t i, struct err *err)
{
    struct input_facts *facts = &w->facts->tx.in[i];
    const struct input_plan *plan = &w->facts->plans[i];
    const enum script_kind kind = script_classify(plan->spend.script);
    if (!facts->claims || facts->fully_signed || judges[kind] == NULL)
        return true;
    if (!judges[kind](w, i, err))
        return false;
    facts->will_sign = plan->key != NULL;
    if (facts->will_sign)
        facts->path = psbt_path_read(plan->key).path;
    return true;
}

static bool check_proof_of_amount(const struct work *w, size_t i, struct err *err)
{
    if (!w->facts->tx.in[i].will_sign || w->in[i].has_prev_tx)
        return true;
    const enum spend_kind kind = w->facts->plans[i].spend.kind;
    if (!spend_is_segwit(kind))
        return err_set(err, ERR_INVALID, "Legacy input #%zu requires non-witness UTXO", i);
    if (w->view->require_prev_tx && !spend_is_taproot(kind))
        return err_set(err, ERR_INVALID, "Input #%zu requires non-witness UTXO", i);
    return true;
}

// 17: of segwit inputs that claim to be ours; "an amount proved by a previous transaction is not
// compared", nor one of a message PSBT.
static bool amount_counts(const struct work *w, size_t i)
{
    const struct input_facts *in = &w->facts->tx.in[i];
    return in->claims && !w->facts->tx.is_message && !w->in[i].has_prev_tx &&
           (in->verified || spend_is_segwit(w->facts->plans[i].spend.kind));
}

static bool check_memory(const struct work *w, size_t i, struct err *err)
{
    const struct input_facts *in = &w->facts->tx.in[i];
    const struct signer_view *view = w->view;
    char expected[32], claimed[32];
    struct writer e = writer_of(expected, sizeof expected), c = writer_of(claimed, sizeof claimed);
    struct sats seen;
    if (!amount_counts(w, i) || view->known_amount == NULL ||
        !view->known_amount(view->memory, &in->prevout, &seen) || seen.n == in->amount.n)
        return true;
    sats_write_short_number(&e, seen, view->unit);
    sats_write_short_number(&c, in->amount, view->unit);
    return err_set(err, ERR_INVALID, "Input#%zu: Expected %.*s but PSBT claims %.*s %s", i,
                   BYTES_ARG(writer_bytes(&e)), BYTES_ARG(writer_bytes(&c)),
                   unit_label(view->chain, view->unit));
}

static bool missing_utxo(struct err *err)
{
    return err_set(err, ERR_INVALID, "Missing own UTXO(s). Cannot determine value being signed");
}

static bool judge_input(struct work *w, size_t i, struct err *err)
{
    struct input_facts *facts = &w->facts->tx.in[i];
    const struct input_work *in = &w->in[i];
    struct tx_out spent = { 0 };
    if (in->duplicate)
        return err_set(err, ERR_INVALID, "Duplicate inputs");
    if (!in->has_prev_tx && in->utxo == NULL) {
        if (facts->claims && !facts->fully_signed)
            return missing_utxo(err);
        return true; // foreign without amount
    }
    if (!spent_output(w, i, &spent, err) || !take_amount(w, i, spent.value, err))
        return false;
    const struct spend_scripts scripts = { in->redeem, in->witness_script };
    facts->verified = in->has_prev_tx || is_provably_segwit(spent.script, in->redeem);
    w->facts->plans[i].spend = spend_of(spent.script, &scripts);
    return judge_by_kind(w, i, err) && check_proof_of_amount(w, i, err) &&
           check_memory(w, i, err) && (i > 0 || message_check_input0(w, err));
}

bool step_judge_inputs(struct work *w, struct err *err)
{
    struct tx_facts *tx = &w->facts->tx;
    bool signs_taproot = false, lacks_utxo = false;
    for (size_t i = 0; i < tx->n_in; i++) {
        if (!judge_input(w, i, err))
            return false;
        const struct input_facts *in = &tx->in[i];
        tx->n_signatures += in->will_sign;
        tx->signs_single_key = tx->signs_single_key || (in->will_sign && !in->multisig);
        tx->signs_multisig = tx->signs_multisig || (in->will_sign && in->multisig);
        lacks_utxo = lacks_utxo || !in->has_amount;
        signs_taproot =
            signs_taproot || (in->will_sign && spend_is_taproot(w->facts->plans[i].spend.kind));
    }
    // 22: "every input of the PSBT needs a UTXO"
    return !signs_taproot || !lacks_utxo || missing_utxo(err);
}

// --- I2: all inputs together ---

typedef bool input_test(const struct work *w, size_t i);

static bool lacks_utxo(const struct work *w, size_t i)
{
    return !w->facts->tx.in[i].has_amount;
}

static bool is_unverified(const struct work *w, size_t i)
{
    return w->facts->tx.in[i].has_amount && !w->facts->tx.in[i].verified;
}

static bool is_fully_signed(const struct work *w, size_t i)
{
    return w->facts->tx.in[i].fully_signed;
}

static bool lacks_our_key(const struct work *w, size_t i)
{
    const struct input_facts *in = &w->facts->tx.in[i];
    return !in->fully_signed && !in->will_sign && !w->in[i].nothing_left;
}

static size_t count(const struct work *w, input_test *test)
{
    size_t n = 0;
    for (size_t i = 0; i < w->psbt->n_in; i++)
        n += test(w, i);
    return n;
}

static bool warn_of(struct work *w, input_test *test, const char *label, const char *text,
                    struct err *err)
{
    struct writer t = work_text(w);
    bool first = true;
    writer_text(&t, text);
    for (size_t i = 0; i < w->psbt->n_in; i++) {
        if (!test(w, i))
            continue;
        writer_printf(&t, first ? "%zu" : ", %zu", i);
        first = false;
    }
    return first || work_add(w, &w->warnings, label, &t, err);
}

static bool check_totals(const struct work *w, struct err *err)
{
    const struct tx_facts *tx = &w->facts->tx;
    if (w->unknown_amounts && tx->is_message)
        return err_set(err, ERR_INVALID, "%s", PSBT_INVALID);
    if (!w->unknown_amounts && tx->total_in.n == 0 && !tx->is_message)
        return psbt_invalid(err, "zero value txn");
    if (count(w, is_fully_signed) == tx->n_in)
        return err_set(err, ERR_INVALID, "Transaction looks completely signed already?");
    if (count(w, lacks_our_key) == tx->n_in)
        return err_set(err, ERR_INVALID,
                       "None of the keys involved in this transaction belong to this Coldcard");
    return true;
}

bool step_inputs_total(struct work *w, struct err *err)
{
    static const struct {
        input_test *test;
        const char *label, *text;
    } warnings[] = {
        { lacks_utxo, "Unable to calculate fee", "Some input(s) haven't provided UTXO(s): " },
        { is_unverified, "Unable to calculate fee",
          "Some input(s) provided unverified witness UTXO(s): " },
        { lacks_our_key, "Limited Signing",
          "We are not signing these inputs, because we do not know the key: " },
        { is_fully_signed, "Partly Signed Already",
          "Some input(s) provided were already completely signed by other parties: " },
    };
    w->unknown_amounts = count(w, lacks_utxo) + count(w, is_unverified) > 0;
    w->facts->tx.fee_known = !w->unknown_amounts;
    if (!check_totals(w, err))
        return false;
    for (size_t i = 0; i < COUNT(warnings); i++)
        if (!warn_of(w, warnings[i].test, warnings[i].label, warnings[i].text, err))
            return false;
    return !w->view->skip_multisig_checks ||
           work_warn(w, "Danger", "Some multisig checks are disabled.", err);
}
