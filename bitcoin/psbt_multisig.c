// bitcoin/psbt_multisig.c -- multisig inputs: of which wallet, and whether the script is the wallet's.
//
// (1) All multisig inputs of a PSBT are of one wallet, and only they make it the wallet whose change
//     is change (D-CHANGE); what the PSBT's xpubs tell is checked, not believed.
// Source: psbt-signing.md 10.2 steps 8 to 10, 10.3, 7.5, 7.6.
#include "base/require.h"
#include "bitcoin/psbt_work.h"

enum { OP_0_PLUS = 80, OP_CHECKMULTISIG = 0xae, OUTPUT_SCRIPT_MAX = 34 };

// --- What key paths say ---

static struct key_origin origin_of(const struct work *w, const struct psbt_field *f)
{
    struct key_origin origin = psbt_path_read(f);
    origin.xfp = psbt_path_xfp(f, w->view->xfp);
    return origin;
}

static bool origin_in_map(const void *context, size_t place, struct bytes key,
                          struct key_origin *out)
{
    const struct ms_paths *paths = context;
    const struct psbt_field *f = psbt_find_keyed(paths->map, paths->type, key);
    (void)place; // the map is by key
    if (f != NULL)
        *out = origin_of(paths->work, f);
    return f != NULL;
}

struct ms_claims ms_paths_claims(const struct ms_paths *paths)
{
    return (struct ms_claims){ origin_in_map, paths, paths->work->view->table };
}

bool ms_paths_read(const struct ms_paths *paths, struct key_origin out[static MS_KEYS_MAX],
                   size_t *n)
{
    const struct psbt_field *f = NULL;
    for (*n = 0; (f = psbt_next(paths->map, paths->type, f)) != NULL; ++*n) {
        if (*n == MS_KEYS_MAX)
            return false;
        out[*n] = origin_of(paths->work, f);
    }
    return true;
}

bool ms_is_script_of(struct bytes script, struct bytes inner, enum addr_format format)
{
    uint8_t mem[OUTPUT_SCRIPT_MAX];
    struct writer expected = writer_of(mem, sizeof mem);
    struct err no;
    return address_script_of_script(&expected, inner, format, &no) &&
           bytes_equal(writer_bytes(&expected), script);
}

// --- Which wallet ---

// An input as its scripts and key paths describe it.
struct claimed {
    int m, n; // as the script's first and second-last byte say: any number
    enum addr_format format;
    struct key_origin origins[MS_KEYS_MAX];
    size_t n_origins;
    bool too_many; // key paths: no wallet has as many
};

static struct ms_paths paths_of(const struct work *w, size_t i)
{
    return (struct ms_paths){ w, &w->psbt->in[i], PSBT_IN_KEY_PATH };
}

static struct claimed claimed_of(const struct work *w, size_t i, struct bytes script)
{
    const struct ms_paths paths = paths_of(w, i);
    REQUIRE(script.len >= 2); // the container takes none of less than 22 bytes
    struct claimed c = { .m = script.ptr[0] - OP_0_PLUS,
                         .n = script.ptr[script.len - 2] - OP_0_PLUS,
                         .format = ADDR_P2SH };
    // "P2SH with a witness script is P2SH-P2WSH"
    if (script_classify(w->facts->plans[i].spend.script) == SCRIPT_P2WSH)
        c.format = ADDR_P2WSH;
    else if (w->in[i].witness_script.len > 0)
        c.format = ADDR_P2SH_P2WSH;
    c.too_many = !ms_paths_read(&paths, c.origins, &c.n_origins);
    return c;
}

static bool is_of(const struct claimed *c, const struct ms_wallet *wallet)
{
    return c->m == (int)wallet->m && c->n == (int)wallet->n;
}

// "already chosen: it must fit"
static bool check_fit(const struct claimed *c, const struct ms_wallet *wallet, struct err *err)
{
    if (!is_of(c, wallet))
        return psbt_invalid(err, "M/N mismatch");
    if (c->too_many || c->n_origins != wallet->n)
        return psbt_invalid(err, "XFP count");
    if (c->format != wallet->format)
        return psbt_invalid(err, "addr fmt");
    return ms_wallet_matches(wallet, c->origins, c->n_origins) ||
           psbt_invalid(err, "wrong XFP/derivs");
}

static bool choose_wallet(struct work *w, const struct claimed *c, struct err *err)
{
    const struct ms_wallet *chosen = w->wallet != NULL ? w->wallet : w->xpub_wallet;
    if (chosen != NULL) {
        w->wallet = chosen;
        return check_fit(c, chosen, err);
    }
    // Its m may be any number: is_of has the last word.
    const struct ms_query query = {
        .m = (size_t)c->m, .format = &c->format, .origins = c->origins, .n = c->n_origins
    };
    w->wallet = c->too_many ? NULL : ms_find(w->view->wallets, &query);
    return (w->wallet != NULL && is_of(c, w->wallet)) ||
           err_set(err, ERR_INVALID, "Unknown multisig wallet");
}

// --- Whether it is that wallet's ---

// 7.6 and step 10: the script has been made of the wallet's xpubs, and the output of the script.
static bool check_script(const struct work *w, size_t i, struct bytes script, struct err *err)
{
    const struct ms_paths paths = paths_of(w, i);
    const struct ms_claims claims = ms_paths_claims(&paths);
    // D-CHECKS: the setting is ignored in HSM mode.
    const bool form_only = w->view->skip_multisig_checks && !w->view->hsm_mode;
    struct err why;
    if (!ms_script_check(w->wallet, script, &claims, form_only, &why))
        return err_set(err, ERR_INVALID, "Input #%zu: %s", i, why.text);
    if (!ms_is_script_of(w->facts->plans[i].spend.script, script, w->wallet->format))
        return err_set(err, ERR_INVALID, "Input #%zu: spk mismatch", i);
    if (w->wallet->format != ADDR_P2SH && w->in[i].witness_script.len == 0)
        return err_set(err, ERR_INVALID, "Need witness script for input #%zu", i);
    return true;
}

// "Our keys = claiming keys without a partial signature yet."; psbt_prove tells which is ours.
static const struct psbt_field *key_to_sign_with(const struct work *w, size_t i)
{
    const struct psbt_map *map = &w->psbt->in[i];
    for (const struct psbt_field *f = NULL; (f = psbt_next(map, PSBT_IN_KEY_PATH, f)) != NULL;)
        if (work_is_ours(w, f) &&
            psbt_find_keyed(map, PSBT_IN_PARTIAL_SIG, psbt_key_data(f)) == NULL)
            return f;
    return NULL;
}

bool judge_multisig_input(struct work *w, size_t i, struct bytes script, struct err *err)
{
    if (script.ptr[script.len - 1] != OP_CHECKMULTISIG)
        return psbt_invalid(err, "need CHECKMULTISIG");
    const struct claimed c = claimed_of(w, i, script);
    if (c.m >= 1 && c.m <= MS_KEYS_MAX && w->in[i].n_sigs >= (size_t)c.m) {
        w->facts->tx.in[i].fully_signed = true;
        return true;
    }
    if (!choose_wallet(w, &c, err) || !check_script(w, i, script, err))
        return false;
    REQUIRE(spend_is_multisig(w->facts->plans[i].spend.kind));
    w->facts->tx.in[i].multisig = true;
    w->facts->tx.wallet_name = bytes_of_text(w->wallet->name);
    w->facts->plans[i].key = key_to_sign_with(w, i);
    w->in[i].nothing_left = w->facts->plans[i].key == NULL;
    return true;
}
