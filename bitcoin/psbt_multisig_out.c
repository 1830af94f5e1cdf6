// bitcoin/psbt_multisig_out.c -- multisig outputs: change of the inputs' wallet, or at least ours.
//
// (1) Change is a script made of the wallet's xpubs, in the wallet's format; a P2SH wallet's may also
//     stand inside P2WSH, if the PSBT leaves out the redeem script (11.6: "an address of ours in
//     another script type is change").
// Source: psbt-signing.md 11.3, 20.
#include "bitcoin/psbt_work.h"

enum { WITNESS_PROGRAM_LEN = 34 };

// What the map says of the output.
struct scripts {
    struct bytes redeem, witness; // no bytes: none
    struct bytes multisig;        // the witness script, or without it the redeem script
    enum addr_format format;
};

static struct bytes value_of(const struct psbt_map *map, uint8_t type)
{
    const struct psbt_field *f = psbt_get(map, type);
    return f == NULL ? (struct bytes){ 0 } : f->value;
}

// Row 4: "P2SH with both scripts, redeem `0020`+32: P2SH-P2WSH; P2SH; P2WSH."
static struct scripts scripts_of(const struct work *w, size_t i)
{
    const struct psbt_map *map = &w->psbt->out[i];
    struct scripts s = { .redeem = value_of(map, PSBT_OUT_REDEEM_SCRIPT),
                         .witness = value_of(map, PSBT_OUT_WITNESS_SCRIPT),
                         .format = ADDR_P2SH };
    s.multisig = s.witness.len > 0 ? s.witness : s.redeem;
    if (script_classify(w->facts->tx.out[i].script) == SCRIPT_P2WSH)
        s.format = ADDR_P2WSH;
    else if (s.witness.len > 0 && script_classify(s.redeem) == SCRIPT_P2WSH)
        s.format = ADDR_P2SH_P2WSH;
    return s;
}

bool ms_output_script(struct ms_script *out, const struct psbt_map *map)
{
    const struct bytes witness = value_of(map, PSBT_OUT_WITNESS_SCRIPT);
    const struct bytes script = witness.len > 0 ? witness : value_of(map, PSBT_OUT_REDEEM_SCRIPT);
    struct err no;
    return ms_script_parse(out, script, &no);
}

static bool check_script(const struct work *w, size_t i, const struct scripts *s,
                         const struct ms_wallet *wallet, struct err *err)
{
    const struct ms_paths paths = { w, &w->psbt->out[i], PSBT_OUT_KEY_PATH };
    const struct ms_claims claims = ms_paths_claims(&paths);
    return ms_script_check(wallet, s->multisig, &claims, false, err);
}

// --- Change of the inputs' wallet ---

static bool check_p2wsh(const struct work *w, size_t i, const struct scripts *s, struct err *err)
{
    return ms_is_script_of(w->facts->tx.out[i].script, s->witness, ADDR_P2WSH) ||
           work_fraud(err, i, "P2WSH witness script has wrong hash");
}

// Row 7: the redeem script that follows from the witness script, or the one that is given.
static bool check_p2sh(const struct work *w, size_t i, const struct scripts *s, struct err *err)
{
    uint8_t mem[WITNESS_PROGRAM_LEN];
    struct writer expected = writer_of(mem, sizeof mem);
    struct bytes redeem = s->redeem;
    if (s->witness.len > 0) {
        script_write_p2wsh(&expected, sha256(s->witness));
        if (redeem.len > 0 && !bytes_equal(redeem, writer_bytes(&expected)))
            return work_fraud(err, i, "P2SH-P2WSH redeem script provided, and doesn't match");
        redeem = writer_bytes(&expected);
    }
    return script_is_p2sh_of(w->facts->tx.out[i].script, redeem) ||
           work_fraud(err, i, "Change output is fraudulent");
}

// Rows 5 to 7.
static bool check_change(const struct work *w, size_t i, const struct scripts *s, struct err *err)
{
    struct err why;
    if (!check_script(w, i, s, w->wallet, &why)) {
        (void)err_set(err, ERR_INVALID, "Output#%zu: P2WSH or P2SH change output script: %s", i,
                      why.text);
        return err_detail(err, "%s", PSBT_CHANGE_FRAUD);
    }
    return s->format == ADDR_P2WSH ? check_p2wsh(w, i, s, err) : check_p2sh(w, i, s, err);
}

// --- Outputs of other registered wallets ---

// "For an output with a claim that section 11 did not accept as change, try every registered wallet
// by 7.6. Failing is not an error; the output is just not own."
static bool is_of_some_wallet(const struct work *w, size_t i, const struct scripts *s)
{
    struct err no;
    for (size_t k = 0; k < w->view->wallets.n; k++) {
        const struct ms_wallet *wallet = w->view->wallets.list[k];
        if (wallet->format == s->format &&
            ms_is_script_of(w->facts->tx.out[i].script, s->multisig, wallet->format) &&
            check_script(w, i, s, wallet, &no))
            return true;
    }
    return false;
}

bool judge_multisig_output(struct work *w, size_t i, struct err *err)
{
    const struct scripts s = scripts_of(w, i);
    struct output_facts *out = &w->facts->tx.out[i];
    const bool unchecked = w->view->skip_multisig_checks && !w->view->hsm_mode;
    if (s.multisig.len == 0)
        return err_set(err, ERR_INVALID, "Missing redeem/witness script for multisig output #%zu",
                       i);
    if (w->wallet != NULL && !unchecked && s.format == w->wallet->format) {
        if (!check_change(w, i, &s, err))
            return false;
        out->change = out->multisig = true;
        return true;
    }
    out->multisig = is_of_some_wallet(w, i, &s);
    return true;
}
