// bitcoin/multisig_review.c -- a new wallet beside the registered ones, and the question about it.
#include "bitcoin/multisig_register.h"

static bool refuse(struct err *err, const char *what)
{
    return err_set(err, ERR_EXISTS, "Duplicate wallet. %s", what);
}

// Equal sets of (fingerprint, path). Fingerprints within a wallet are all different.
static bool same_origins(const struct ms_wallet *a, const struct ms_wallet *b)
{
    for (size_t i = 0; i < a->n; i++) {
        const size_t at = ms_wallet_position(b, a->cosigner[i].origin.xfp);
        if (at == b->n || !keypath_equal(&a->cosigner[i].origin.path, &b->cosigner[at].origin.path))
            return false;
    }
    return a->n == b->n;
}

// Of wallets with the same origins.
static bool same_xpubs(const struct ms_wallet *a, const struct ms_wallet *b)
{
    for (size_t i = 0; i < a->n; i++) {
        const size_t at = ms_wallet_position(b, a->cosigner[i].origin.xfp);
        if (!hdpub_equal(&a->cosigner[i].node, &b->cosigner[at].node))
            return false;
    }
    return true;
}

static bool same_order(const struct ms_wallet *a, const struct ms_wallet *b)
{
    for (size_t i = 0; i < a->n; i++)
        if (!xfp_equal(a->cosigner[i].origin.xfp, b->cosigner[i].origin.xfp))
            return false;
    return true;
}

// Rows 2 to 5: `same` has the same M, N, format, origins and xpubs.
static bool refuse_same(const struct ms_wallet *wallet, const struct ms_wallet *same,
                        struct ms_wallets wallets, struct err *err)
{
    const struct ms_wallet *namesake = ms_find_name(wallets, bytes_of_text(wallet->name));
    if (wallet->sorted != same->sorted)
        return refuse(err, "BIP-67 clash");
    if (!wallet->sorted && !same_order(wallet, same))
        return refuse(err, "key order");
    if (namesake != NULL && namesake != same)
        return refuse(err, "Name already exists.");
    return refuse(err, "All details are the same as existing!");
}

static bool same_terms(const struct ms_wallet *a, const struct ms_wallet *b)
{
    return a->m == b->m && a->format == b->format;
}

bool ms_review(struct ms_review *out, const struct ms_wallet *wallet, struct ms_wallets wallets,
               struct err *err)
{
    const struct ms_wallet *similar = NULL;
    for (size_t i = 0; i < wallets.n; i++) {
        const struct ms_wallet *other = wallets.list[i];
        if (!same_origins(wallet, other))
            continue;
        if (same_terms(wallet, other) && same_xpubs(wallet, other))
            return refuse_same(wallet, other, wallets, err);
        // The first one is told of, but rather one that differs in its xpubs alone (row 1).
        if (similar == NULL || (same_terms(wallet, other) && !same_terms(wallet, similar)))
            similar = other;
    }
    if (ms_find_name(wallets, bytes_of_text(wallet->name)) != NULL)
        return refuse(err, "Name already exists.");
    *out = (struct ms_review){ .similar = similar };
    if (similar != NULL) {
        out->m_differs = wallet->m != similar->m;
        out->format_differs = wallet->format != similar->format;
        out->xpubs_differ = !same_xpubs(wallet, similar);
    }
    return true;
}

// --- The question ---

static void write_differences(struct writer *w, const struct ms_review *review)
{
    const struct {
        bool there;
        const char *text;
    } differences[] = { { review->m_differs, "M differs" },
                        { review->format_differs, "address type" },
                        { review->xpubs_differ, "xpubs" } };
    const char *separator = "";
    for (size_t i = 0; i < COUNT(differences); i++) {
        if (!differences[i].there)
            continue;
        writer_printf(w, "%s%s", separator, differences[i].text);
        separator = ", ";
    }
}

static void write_opening(struct writer *w, const struct ms_wallet *wallet,
                          const struct ms_review *review)
{
    if (review->similar != NULL) {
        writer_text(w, "WARNING: This new wallet is similar to an existing wallet, but will NOT "
                       "replace it. Consider deleting previous wallet first. Differences: ");
        write_differences(w, review);
    } else {
        writer_text(w, "Create new multisig wallet?");
    }
    if (!wallet->sorted)
        writer_text(w, "\nWARNING: BIP-67 disabled! Unsorted multisig - order of keys in "
                       "descriptor/backup is crucial");
}

static void write_who_signs(struct writer *w, const struct ms_wallet *wallet)
{
    if (wallet->n == 1)
        writer_text(w, "Only this key must sign to approve spends.");
    else if (wallet->m == wallet->n)
        writer_printf(w, "All %zu co-signers must sign to approve spends.", wallet->n);
    else if (wallet->m == 1)
        writer_printf(w, "Any one of %zu co-signers can sign to approve spends.", wallet->n);
    else
        writer_printf(w,
                      "%zu signatures, from %zu possible co-signers, are needed to approve "
                      "spends.",
                      wallet->m, wallet->n);
}

static bool paths_all_equal(const struct ms_wallet *wallet)
{
    for (size_t i = 1; i < wallet->n; i++)
        if (!keypath_equal(&wallet->cosigner[0].origin.path, &wallet->cosigner[i].origin.path))
            return false;
    return true;
}

static void write_cosigner(struct writer *w, const struct ms_wallet *wallet, size_t i,
                           struct xfp ours)
{
    const struct ms_cosigner *cosigner = &wallet->cosigner[i];
    char xfp[XFP_TEXT_SIZE], xpub[XPUB_TEXT_SIZE];
    xfp_to_text(xfp, cosigner->origin.xfp);
    hdpub_to_text(xpub, &cosigner->node, wallet->chain);
    writer_printf(w, "\n%s%s\n  ", xfp,
                  xfp_equal(cosigner->origin.xfp, ours) ? " (this signer)" : "");
    keypath_write(w, &cosigner->origin.path);
    writer_printf(w, "\n  %s\n", xpub);
}

void ms_write_question(struct writer *w, const struct ms_wallet *wallet,
                       const struct ms_review *review, struct xfp ours)
{
    write_opening(w, wallet, review);
    writer_printf(w, "\n\nWallet Name:\n  %s\n\nPolicy: %zu of %zu\n\n", wallet->name, wallet->m,
                  wallet->n);
    write_who_signs(w, wallet);
    writer_printf(w, "\n\nAddresses:\n  %s\n\nDerivation:\n  ", addr_format_name(wallet->format));
    if (paths_all_equal(wallet))
        keypath_write(w, &wallet->cosigner[0].origin.path);
    else
        writer_text(w, "differs, see below");
    writer_text(w, "\n\nCo-signers, in the order of the file:\n");
    for (size_t i = 0; i < wallet->n; i++)
        write_cosigner(w, wallet, i, ours);
}
