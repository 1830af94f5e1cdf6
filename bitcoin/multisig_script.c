// bitcoin/multisig_script.c -- whether a script is a wallet's: the 16 rows of psbt-signing.md 7.6.
#include "base/reader.h"
#include "bitcoin/multisig.h"
#include <string.h>

enum { OP_0_PLUS = 80, OP_PUSH_33 = 33, OP_CHECKMULTISIG = 0xae };

static bool invalid(struct err *err, const char *text)
{
    return err_set(err, ERR_INVALID, "%s", text);
}

// Rows 4 and 7 ("bad M", "too long") cannot fail: row 2 has taken M from the first element and row 3
// the whole length from N.
bool ms_script_parse(struct ms_script *out, struct bytes script, struct err *err)
{
    struct ms_script s = { 0 };
    if (script.len == 0 || script.ptr[script.len - 1] != OP_CHECKMULTISIG)
        return invalid(err, "need CHECKMULTISIG");
    const int m = script.ptr[0] - OP_0_PLUS;
    const int n = script.len < 2 ? 0 : script.ptr[script.len - 2] - OP_0_PLUS;
    if (m < 1 || m > n || n > MS_KEYS_MAX)
        return invalid(err, "M/N range");
    s.m = (size_t)m;
    s.n = (size_t)n;
    if (script.len != 3 + 34 * s.n)
        return invalid(err, "bad len");
    for (size_t i = 0; i < s.n; i++) {
        const struct bytes push = bytes_slice(script, 1 + 34 * i, 34);
        if (push.ptr[0] != OP_PUSH_33)
            return invalid(err, "data");
        s.key[i] = bytes_slice(push, 1, 33);
    }
    for (size_t i = 0; i < s.n; i++)
        if (s.key[i].ptr[0] != 0x02 && s.key[i].ptr[0] != 0x03)
            return invalid(err, "Y val");
    *out = s;
    return true;
}

// Row 14's text: "one `_` per step that the xpub covers".
static bool wrong_key(size_t place, const struct key_origin *origin, size_t covered,
                      struct err *err)
{
    char xfp[XFP_TEXT_SIZE], tried[KEYPATH_TEXT_MAX];
    struct writer w = writer_of(tried, sizeof tried);
    xfp_to_text(xfp, origin->xfp);
    for (size_t i = 0; i < origin->path.depth; i++) {
        if (i < covered)
            writer_text(&w, "/_");
        else
            writer_printf(&w, "/%u", (unsigned)origin->path.step[i]);
    }
    return err_set(err, ERR_INVALID, "pk#%zu wrong, tried: [%s%.*s]", place + 1, xfp,
                   BYTES_ARG(writer_bytes(&w)));
}

// Row 14's derivation. The first step mostly is one of the two kept branches, the second the last.
static bool derive(struct pubkey *out, const struct ms_cosigner *cosigner,
                   const struct keypath *path, struct keytable *table, struct err *err)
{
    size_t i = cosigner->node.depth;
    const struct hdpub *from = &cosigner->node;
    struct hdpub node, parent;
    if (i + 1 < path->depth && path->step[i] < MS_BRANCHES)
        from = &cosigner->branch[path->step[i++]];
    for (; i + 1 < path->depth; i++) {
        parent = *from;
        if (!hdpub_child(&node, &parent, path->step[i], err))
            return false;
        from = &node;
    }
    if (i < path->depth)
        return keytable_pubkey(out, table, from, path->step[i], err);
    *out = from->key;
    return true;
}

// Rows 12 to 14.
static bool check_derivation(const struct ms_cosigner *cosigner, size_t place, struct bytes key,
                             const struct key_origin *origin, struct keytable *table,
                             struct err *err)
{
    const size_t covered = cosigner->node.depth;
    struct pubkey derived;
    if (origin->path.depth < covered)
        return err_set(err, ERR_INVALID, "pk#%zu wrong, too shallow", place + 1);
    for (size_t i = covered; i < origin->path.depth; i++)
        if ((origin->path.step[i] & KEYPATH_HARD) != 0)
            return invalid(err, "hard deriv");
    if (!derive(&derived, cosigner, &origin->path, table, err) ||
        !bytes_equal(BYTES_OF(derived.b), key))
        return wrong_key(place, origin, covered, err);
    return true;
}

// Rows 9 to 14 for one key. `used` says which cosigners have had theirs.
static bool check_key(const struct ms_wallet *wallet, size_t place, struct bytes key,
                      const struct ms_claims *claims, bool used[static MS_KEYS_MAX],
                      struct err *err)
{
    struct key_origin origin;
    if (!claims->origin(claims->context, place, key, &origin))
        return invalid(err, "unexpected pubkey");
    const size_t at = ms_wallet_position(wallet, origin.xfp);
    if (at == wallet->n || used[at])
        return err_set(err, ERR_INVALID, "pk#%zu wrong, unknown XFP", place + 1);
    if (!wallet->sorted && at != place)
        return invalid(err, "script key order");
    used[at] = true;
    return check_derivation(&wallet->cosigner[at], place, key, &origin, claims->table, err);
}

// Row 16 ("not all keys used") cannot fail: row 8 makes the keys as many as the cosigners, and row 10
// lets each have one only.
bool ms_script_check(const struct ms_wallet *wallet, struct bytes script,
                     const struct ms_claims *claims, bool form_only, struct err *err)
{
    struct ms_script s;
    bool used[MS_KEYS_MAX] = { false };
    if (!ms_script_parse(&s, script, err))
        return false;
    if (s.m != wallet->m || s.n != wallet->n)
        return invalid(err, "wrong M/N in script");
    for (size_t i = 0; !form_only && i < s.n; i++) {
        if (!check_key(wallet, i, s.key[i], claims, used, err))
            return false;
        // BIP-67, and no two keys alike.
        if (wallet->sorted && i > 0 && bytes_compare(s.key[i - 1], s.key[i]) >= 0)
            return invalid(err, "BIP-67 violation");
    }
    return true;
}
