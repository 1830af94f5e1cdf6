// bitcoin/multisig_checks.c -- the checks 1 to 18 of psbt-signing.md 7.3.
#include "base/reader.h"
#include "base/require.h"
#include "bitcoin/multisig_draft.h"
#include <string.h>

static bool invalid(struct err *err, const char *text)
{
    return err_set(err, ERR_INVALID, "%s", text);
}

struct path_text {
    char text[KEYPATH_TEXT_MAX];
};

static struct path_text text_of(const struct keypath *path)
{
    struct path_text out;
    struct writer w = writer_of(out.text, sizeof out.text);
    keypath_write(&w, path);
    writer_u8(&w, 0);
    REQUIRE(!w.failed);
    return out;
}

// --- Each key ---

// Checks 1 and 2.
static bool read_xpub(struct hdpub *node, const struct ms_draft *draft, struct bytes text,
                      struct err *err)
{
    bool is_main;
    struct err why;
    if (!hdpub_from_text(node, &is_main, text, &why))
        return err_set(err, ERR_MALFORMED, "unable to parse xpub");
    if (is_main != (draft->against->chain->id == CHAIN_BTC))
        return invalid(err, "wrong chain");
    return true;
}

// Checks 3 to 6: where the key comes from. At depth 1 the xpub itself says it.
static bool complete_origin(struct key_origin *origin, const struct draft_key *key,
                            const struct hdpub *node, struct err *err)
{
    const struct keypath own = { .step = { node->child }, .depth = 1 };
    const struct keypath *path = key->path;
    origin->xfp = key->xfp;
    if (node->depth == 1) {
        if (xfp_is_zero(origin->xfp))
            origin->xfp = node->parent;
        else if (!xfp_equal(origin->xfp, node->parent))
            return invalid(err, "xfp depth=1 wrong");
    }
    if (xfp_is_zero(origin->xfp))
        return invalid(err, "need fingerprint");
    if (node->depth == 1) {
        if (path != NULL && !keypath_equal(path, &own))
            return err_set(err, ERR_INVALID, "%s != %s", text_of(&own).text, text_of(path).text);
        path = &own;
    }
    if (path == NULL)
        return invalid(err, "empty deriv");
    origin->path = *path;
    return true;
}

static bool is_ours(const struct ms_draft *draft, struct xfp xfp)
{
    return !draft->foreign && xfp_equal(xfp, draft->against->ours.xfp);
}

static bool derive_ours(struct hdpub *out, const struct ms_draft *draft, const struct keypath *path,
                        struct err *err)
{
    const struct ms_our_keys *ours = &draft->against->ours;
    return ours->derive(ours->context, out, path, err);
}

// Check 8, with the chain code (D-KEYS): with a foreign one nobody could sign for the addresses.
static bool check_ours(const struct ms_draft *draft, const struct ms_cosigner *cosigner,
                       struct err *err)
{
    char xfp[XFP_TEXT_SIZE];
    struct hdpub ours;
    if (!is_ours(draft, cosigner->origin.xfp))
        return true;
    if (!derive_ours(&ours, draft, &cosigner->origin.path, err))
        return false;
    if (pubkey_equal(&ours.key, &cosigner->node.key) &&
        memcmp(ours.chain_code, cosigner->node.chain_code, sizeof ours.chain_code) == 0)
        return true;
    xfp_to_text(xfp, cosigner->origin.xfp);
    const struct path_text path = text_of(&cosigner->origin.path);
    return err_set(err, ERR_INVALID, "[%s/%s] wrong pubkey", xfp,
                   path.text + (cosigner->origin.path.depth > 0 ? 2 : 1)); // without "m/"
}

bool draft_add_key(struct ms_draft *draft, const struct draft_key *key, struct err *err)
{
    struct ms_cosigner cosigner = { 0 };
    char xfp[XFP_TEXT_SIZE];
    if (!read_xpub(&cosigner.node, draft, key->xpub, err) ||
        !complete_origin(&cosigner.origin, key, &cosigner.node, err))
        return false;
    xfp_to_text(xfp, cosigner.origin.xfp);
    if (cosigner.origin.path.depth != cosigner.node.depth) // check 7
        return err_set(err, ERR_INVALID, "deriv %zu != %d xpub depth (xfp=%s)",
                       cosigner.origin.path.depth, cosigner.node.depth, xfp);
    if (!check_ours(draft, &cosigner, err))
        return false;
    REQUIRE(draft->n_keys < DRAFT_KEYS_MAX); // no text has room for more
    draft->key[draft->n_keys++] = cosigner;
    return true;
}

// --- The whole ---

static bool fits_name(struct bytes name)
{
    return name.len >= 1 && name.len <= MS_NAME_MAX && bytes_is_printable_ascii(name);
}

// The number behind "<base> #", or 0.
static size_t used_number(const struct ms_wallet *wallet, struct bytes base)
{
    const struct bytes name = bytes_of_text(wallet->name);
    struct reader r = reader_of(name);
    uint32_t number = 0;
    return reader_accept_bytes(&r, base) && reader_accept_bytes(&r, BYTES(" #")) &&
                   reader_decimal(&r, UINT32_MAX - 1, &number) && reader_done(&r)
               ? number
               : 0;
}

// 7.2: "if taken, ` #<n>` with the smallest n >= 2 above all used ones is appended"
static struct bytes default_name(const struct ms_draft *draft, size_t m, size_t n)
{
    const struct ms_wallets wallets = draft->against->wallets;
    struct writer w = writer_growing(draft->arena, 64 + draft->against->file_name.len);
    size_t number = 1;
    if (draft->against->file_name.len > 0)
        writer_put(&w, draft->against->file_name);
    else
        writer_printf(&w, "%zu-of-%zu", m, n);
    const struct bytes base = writer_bytes(&w);
    if (ms_find_name(wallets, base) == NULL)
        return base;
    for (size_t i = 0; i < wallets.n; i++) {
        const size_t used = used_number(wallets.list[i], base);
        number = used > number ? used : number;
    }
    writer_printf(&w, " #%zu", number + 1);
    return writer_bytes(&w);
}

// Check 14.
static bool check_included(const struct ms_draft *draft, struct err *err)
{
    size_t n_ours = 0;
    for (size_t i = 0; i < draft->n_keys; i++)
        n_ours += is_ours(draft, draft->key[i].origin.xfp);
    if (draft->foreign || n_ours == 1)
        return true;
    return invalid(err, n_ours == 0 ? "my key not included" : "my key included more than once");
}

// Check 15: "whatever their fingerprint, chain code or depth say"
static bool check_keys_differ(const struct ms_draft *draft, struct err *err)
{
    for (size_t i = 0; i < draft->n_keys; i++)
        for (size_t k = 0; k < i; k++)
            if (pubkey_equal(&draft->key[i].node.key, &draft->key[k].node.key))
                return invalid(err, "same key under two XFPs");
    return true;
}

// Check 16.
static bool check_others(const struct ms_draft *draft, struct err *err)
{
    for (size_t i = 0; !draft->foreign && i < draft->n_keys; i++) {
        const struct ms_cosigner *other = &draft->key[i];
        char xfp[XFP_TEXT_SIZE];
        struct hdpub ours;
        if (is_ours(draft, other->origin.xfp))
            continue;
        if (!derive_ours(&ours, draft, &other->origin.path, err))
            return false;
        xfp_to_text(xfp, other->origin.xfp);
        if (pubkey_equal(&ours.key, &other->node.key))
            return err_set(err, ERR_INVALID, "[%s] is our key", xfp);
    }
    return true;
}

// Check 17.
static bool check_fingerprints(const struct ms_draft *draft, struct err *err)
{
    for (size_t i = 0; i < draft->n_keys; i++)
        for (size_t k = 0; k < i; k++)
            if (xfp_equal(draft->key[i].origin.xfp, draft->key[k].origin.xfp))
                return invalid(err, "dup XFP");
    return true;
}

static bool make_wallet(struct ms_wallet *out, const struct ms_draft *draft, struct bytes name,
                        size_t m, struct err *err)
{
    struct ms_wallet wallet = { .m = m,
                                .n = draft->n_keys,
                                .format = draft->format,
                                .sorted = draft->sorted,
                                .chain = draft->against->chain };
    memcpy(wallet.name, name.ptr, name.len);
    memcpy(wallet.cosigner, draft->key, draft->n_keys * sizeof draft->key[0]);
    if (!ms_wallet_prepare(&wallet, err))
        return false;
    *out = wallet;
    return true;
}

// Check 13 ("script style addr fmt") cannot fail: a draft takes no other format.
bool draft_finish(struct ms_wallet *out, const struct ms_draft *draft, struct err *err)
{
    const size_t m = draft->has_policy ? draft->m : draft->n_keys;
    const size_t n = draft->has_policy ? draft->n : draft->n_keys;
    if (draft->n_keys == 0)
        return invalid(err, "need xpubs");
    const struct bytes name = draft->name.len > 0 ? draft->name : default_name(draft, m, n);
    if (!fits_name(name))
        return invalid(err, "name must be ascii, 1..20 long");
    if (m < 1 || m > n || n > MS_KEYS_MAX)
        return invalid(err, "M/N range");
    if (draft->n_keys != n)
        return err_set(err, ERR_INVALID, "wrong # of xpubs, expect %zu", n);
    if (!check_included(draft, err) || !check_keys_differ(draft, err) ||
        !check_others(draft, err) || !check_fingerprints(draft, err))
        return false;
    // Check 18: rules of a policy use that name for "no multisig".
    if (bytes_equal_text(name, "1"))
        return invalid(err, "name must be ascii, 1..20 long");
    return make_wallet(out, draft, name, m, err);
}
