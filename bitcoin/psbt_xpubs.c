// bitcoin/psbt_xpubs.c -- extended public keys that a PSBT carries: which wallet they describe (V6).
//
// Source: psbt-signing.md 7.9.
#include "bitcoin/multisig_register.h"
#include "bitcoin/psbt_work.h"

enum { OP_0_PLUS = 80, OP_CHECKMULTISIG = 0xae, XPUBS_MAX = MS_KEYS_MAX };

// Setting `pms`.
enum { PMS_VERIFY, PMS_OFFER, PMS_TRUST };

struct xpubs {
    const struct psbt_field *fields[XPUBS_MAX];
    struct key_origin origins[XPUBS_MAX];
    size_t n;
};

// --- Reading ---

static bool read_xpubs(struct xpubs *xpubs, const struct work *w, struct err *err)
{
    const struct psbt_field *f = NULL;
    xpubs->n = 0;
    while ((f = psbt_next(&w->psbt->global, PSBT_GLOBAL_XPUB, f)) != NULL) {
        if (xpubs->n == XPUBS_MAX)
            return psbt_unreadable(err, "more than %d global xpubs", XPUBS_MAX);
        if (!psbt_path_check_depth(f, err))
            return false;
        xpubs->fields[xpubs->n] = f;
        xpubs->origins[xpubs->n] = psbt_path_read(f);
        xpubs->origins[xpubs->n++].xfp = psbt_path_xfp(f, w->view->xfp);
    }
    return true;
}

static bool some_is_ours(const struct xpubs *xpubs, struct xfp ours)
{
    for (size_t i = 0; i < xpubs->n; i++)
        if (xfp_equal(xpubs->origins[i].xfp, ours))
            return true;
    return false;
}

// --- The input that they explain ---

struct script_form {
    size_t m;
    enum addr_format format;
};

static bool is_multisig_of(struct bytes script, size_t n)
{
    return script.len >= 3 && script.ptr[script.len - 1] == OP_CHECKMULTISIG &&
           script.ptr[script.len - 2] == OP_0_PLUS + n && script.ptr[0] > OP_0_PLUS &&
           script.ptr[0] <= OP_0_PLUS + n;
}

static bool form_of_input(struct script_form *out, const struct work *w, size_t i, size_t n)
{
    const struct input_work *in = &w->in[i];
    struct tx_out spent;
    const bool in_witness = is_multisig_of(in->witness_script, n);
    if (in->n_paths == 0 || (!in_witness && !is_multisig_of(in->redeem, n)))
        return false;
    out->m = (size_t)(in_witness ? in->witness_script : in->redeem).ptr[0] - OP_0_PLUS;
    out->format = ADDR_P2SH;
    if (in_witness)
        out->format = work_spent(w, i, &spent) && script_classify(spent.script) == SCRIPT_P2SH
                          ? ADDR_P2SH_P2WSH
                          : ADDR_P2WSH;
    return true;
}

// Step 3: without such an input the xpubs are single-key information.
static bool find_form(struct script_form *out, const struct work *w, size_t n)
{
    for (size_t i = 0; i < w->psbt->n_in; i++)
        if (form_of_input(out, w, i, n))
            return true;
    return false;
}

// --- A registered wallet ---

static bool is_cosigner(const struct ms_wallet *wallet, const struct xpubs *xpubs, size_t i,
                        bool *same_path)
{
    const size_t at = ms_wallet_position(wallet, xpubs->origins[i].xfp);
    const struct ms_cosigner *cosigner = &wallet->cosigner[at]; // step 2 has found it
    *same_path = keypath_equal(&cosigner->origin.path, &xpubs->origins[i].path);
    return hdpub_equals_bytes(&cosigner->node, psbt_key_data(xpubs->fields[i]));
}

// Step 4: "same path, same xpub after normalisation"
static bool compare(const struct ms_wallet *wallet, const struct xpubs *xpubs, struct err *err)
{
    for (size_t i = 0; i < xpubs->n; i++) {
        bool same_path;
        const bool same_key = is_cosigner(wallet, xpubs, i, &same_path);
        char xfp[XFP_TEXT_SIZE];
        if (!same_path)
            return err_set(err, ERR_INVALID, "%s", PSBT_INVALID);
        xfp_to_text(xfp, xpubs->origins[i].xfp);
        if (!same_key)
            return psbt_invalid(err, "xpub wrong (xfp=%s)", xfp);
    }
    return true;
}

// Steps 2 and 3. NULL: none of the candidates.
static const struct ms_wallet *find_wallet(const struct work *w, const struct xpubs *xpubs,
                                           const struct script_form *form)
{
    const struct ms_wallet *found = NULL, *first = NULL;
    size_t n = 0;
    for (size_t i = 0; i < w->view->wallets.n; i++) {
        const struct ms_wallet *wallet = w->view->wallets.list[i];
        if (!ms_wallet_matches(wallet, xpubs->origins, xpubs->n))
            continue;
        n++;
        first = first == NULL ? wallet : first;
        if (found == NULL && form != NULL && wallet->m == form->m)
            found = wallet;
    }
    return n == 1 ? first : found;
}

// --- A wallet that is not registered ---

static void write_registration(struct writer *text, const struct xpubs *xpubs,
                               const struct script_form *form)
{
    writer_printf(text, "Policy: %zu of %zu\nFormat: %s\n", form->m, xpubs->n,
                  addr_format_name(form->format));
    for (size_t i = 0; i < xpubs->n; i++) {
        struct hdpub node;
        struct err no;
        bool is_main;
        char xfp[XFP_TEXT_SIZE], xpub[XPUB_TEXT_SIZE] = "";
        if (hdpub_from_bytes(&node, &is_main, psbt_key_data(xpubs->fields[i]), &no))
            hdpub_to_text(xpub, &node, chain_by_id(is_main ? CHAIN_BTC : CHAIN_XTN));
        xfp_to_text(xfp, xpubs->origins[i].xfp);
        writer_text(text, "Derivation: ");
        keypath_write(text, &xpubs->origins[i].path);
        writer_printf(text, "\n%s: %s\n", xfp, xpub);
    }
}

// "a wallet for this PSBT only, named `PSBT-M-of-N`, sorted". It is read as any registration is, but
// for the checks that need our seed; psbt_prove derives our key of each input that is signed.
static bool trust(struct work *w, const struct xpubs *xpubs, const struct script_form *form,
                  struct err *err)
{
    struct writer text = writer_growing(w->arena, MS_TEXT_MAX);
    struct ms_wallet *wallet = arena_alloc(w->arena, sizeof *wallet);
    struct err why;
    writer_printf(&text, "Name: PSBT-%zu-of-%zu\n", form->m, xpubs->n);
    write_registration(&text, xpubs, form);
    if (wallet == NULL || text.failed)
        return psbt_too_complex(err);
    if (!ms_read_foreign(wallet, writer_bytes(&text), w->view->chain, w->arena, &why))
        return why.code == ERR_NO_MEMORY ? psbt_too_complex(err)
                                         : psbt_invalid(err, "%s", why.text);
    w->xpub_wallet = wallet;
    return true;
}

// Fails in any case: whoever has an operator asks him, and analyses again when the wallet is there.
static bool offer(struct work *w, const struct xpubs *xpubs, const struct script_form *form,
                  struct err *err)
{
    struct writer text = writer_growing(w->arena, MS_TEXT_MAX);
    write_registration(&text, xpubs, form);
    if (text.failed)
        return psbt_too_complex(err);
    w->facts->offered = writer_bytes(&text);
    return err_set(err, ERR_INVALID, "Refused to import new wallet");
}

// Step 5. D-WALLET: in HSM mode "trust" is "offer".
static bool judge_unknown(struct work *w, const struct xpubs *xpubs, const struct script_form *form,
                          struct err *err)
{
    const int unset = w->view->wallets.n > 0 ? PMS_VERIFY : PMS_OFFER;
    const int pms = w->view->pms < 0 ? unset : w->view->pms;
    if (pms == PMS_VERIFY)
        return err_set(err, ERR_INVALID, "XPUBs in PSBT do not match any existing wallet");
    if (w->view->hsm_mode)
        return err_set(err, ERR_INVALID, "MS enroll not allowed in HSM mode");
    if (pms == PMS_OFFER)
        return offer(w, xpubs, form, err);
    return trust(w, xpubs, form, err);
}

bool step_xpubs(struct work *w, struct err *err)
{
    struct xpubs xpubs;
    struct script_form form;
    if (!read_xpubs(&xpubs, w, err))
        return false;
    if (xpubs.n == 0)
        return true;
    if (!some_is_ours(&xpubs, w->view->xfp))
        return err_set(err, ERR_INVALID, "My XFP not involved");
    const bool explains = find_form(&form, w, xpubs.n);
    w->xpub_wallet = find_wallet(w, &xpubs, explains ? &form : NULL);
    if (w->xpub_wallet != NULL)
        return compare(w->xpub_wallet, &xpubs, err);
    return !explains || judge_unknown(w, &xpubs, &form, err);
}
