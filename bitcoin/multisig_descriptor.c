// bitcoin/multisig_descriptor.c -- multisig wallets as descriptors, read and written.
//
// What the grammar has no place for gets the nearest text of psbt-signing.md 7.2.
#include "bitcoin/descriptor.h"
#include "bitcoin/multisig_draft.h"
#include <inttypes.h>

#define BRANCH_TEXT "Invalid subderivation path - only 0/* or <0;1>/* allowed"

static bool unsupported(struct err *err)
{
    return err_set(err, ERR_UNSUPPORTED,
                   "Unsupported descriptor. Supported: sh(), sh(wsh()), wsh().");
}

static bool has_hard_step(struct bytes path)
{
    for (size_t i = 0; i < path.len; i++)
        if (path.ptr[i] == 'h' || path.ptr[i] == '\'')
            return true;
    return false;
}

static bool is_branch(struct bytes path)
{
    static const char *const branches[] = { "/0/*", "/<0;1>/*", "/<1;0>/*" };
    for (size_t i = 0; i < COUNT(branches); i++)
        if (bytes_equal_text(path, branches[i]))
            return true;
    return false;
}

// *branch: that of the first key, which the others must have too.
static bool check_key(struct key_origin *origin, const struct descriptor_key_parts *parts,
                      struct bytes expression, struct bytes *branch, struct err *err)
{
    if (!parts->has_origin || !descriptor_origin(origin, parts->origin))
        return err_set(err, ERR_MALFORMED, "Key origin info is required for %.*s",
                       BYTES_ARG(expression));
    if (!bytes_starts_with(parts->key, BYTES("xpub")) &&
        !bytes_starts_with(parts->key, BYTES("tpub")))
        return err_set(err, ERR_UNSUPPORTED, "Only extended public keys are supported");
    if (has_hard_step(parts->path))
        return err_set(err, ERR_UNSUPPORTED, "Cannot use hardened sub derivation path");
    if (branch->len == 0)
        *branch = parts->path;
    if (!is_branch(parts->path) || !bytes_equal(parts->path, *branch))
        return err_set(err, ERR_UNSUPPORTED, BRANCH_TEXT);
    return true;
}

static bool check_keys(const struct descriptor *d, struct err *err)
{
    struct reader keys = reader_of(d->keys);
    struct bytes expression, branch = { 0 };
    while (descriptor_next_key(&keys, &expression)) {
        const struct descriptor_key_parts parts = descriptor_split_key(expression);
        struct key_origin origin;
        if (!check_key(&origin, &parts, expression, &branch, err))
            return false;
    }
    return true;
}

static bool add_keys(struct ms_draft *draft, const struct descriptor *d, struct err *err)
{
    struct reader keys = reader_of(d->keys);
    struct bytes expression;
    while (descriptor_next_key(&keys, &expression)) {
        const struct descriptor_key_parts parts = descriptor_split_key(expression);
        struct key_origin origin;
        if (!descriptor_origin(&origin, parts.origin))
            return unsupported(err); // check_keys has read it
        const struct draft_key key = { origin.xfp, &origin.path, parts.key };
        if (!draft_add_key(draft, &key, err))
            return false;
    }
    return true;
}

static bool parse(struct descriptor *d, struct bytes text, struct err *err)
{
    struct bytes body;
    struct err why;
    if (!descriptor_body(&body, text, &why))
        return bytes_starts_with(bytes_of_text(why.text), BYTES("Wrong checksum"))
                   ? err_set(err, ERR_MALFORMED, "%s", why.text)
                   : unsupported(err);
    if (!descriptor_parse(d, body, &why) || d->outer == DESCRIPTOR_BARE ||
        (d->function != DESCRIPTOR_MULTI && d->function != DESCRIPTOR_SORTEDMULTI))
        return unsupported(err);
    return true;
}

bool draft_read_descriptor(struct ms_draft *draft, struct bytes text, struct err *err)
{
    static const enum addr_format formats[] = { [DESCRIPTOR_SH] = ADDR_P2SH,
                                                [DESCRIPTOR_WSH] = ADDR_P2WSH,
                                                [DESCRIPTOR_SH_WSH] = ADDR_P2SH_P2WSH };
    struct descriptor d;
    if (!parse(&d, text, err))
        return false;
    if (d.threshold > d.n_keys)
        return err_set(err, ERR_INVALID, "M must be <= N: got M=%" PRIu32 " and N=%zu", d.threshold,
                       d.n_keys);
    if (!check_keys(&d, err))
        return false;
    draft->sorted = d.function == DESCRIPTOR_SORTEDMULTI;
    if (!draft->sorted && !draft->against->unsort_ms)
        return err_set(err, ERR_UNSUPPORTED, "Unsorted multisig \"multi(...)\" not allowed");
    draft->format = formats[d.outer];
    draft->has_policy = true;
    draft->m = d.threshold;
    draft->n = d.n_keys;
    return add_keys(draft, &d, err);
}

// --- Written ---

static void write_key(struct writer *w, const struct ms_wallet *wallet, size_t i,
                      enum ms_branch branch)
{
    static const char *const branches[] = {
        [MS_RECEIVE] = "/0/*", [MS_CHANGE] = "/1/*", [MS_BRANCHES] = "/<0;1>/*"
    };
    const struct ms_cosigner *cosigner = &wallet->cosigner[i];
    uint8_t mem[KEYPATH_TEXT_MAX];
    char xpub[XPUB_TEXT_SIZE];
    struct writer path = writer_of(mem, sizeof mem);
    keypath_write(&path, &cosigner->origin.path);
    hdpub_to_text(xpub, &cosigner->node, wallet->chain);
    writer_text(w, ",[");
    writer_hex(w, BYTES_OF(cosigner->origin.xfp.b));
    writer_put(w, bytes_slice(writer_bytes(&path), 1, path.len)); // without "m"
    writer_printf(w, "]%s%s", xpub, branches[branch]);
}

void ms_wallet_descriptor(struct writer *w, const struct ms_wallet *wallet, enum ms_branch branch)
{
    const size_t start = w->len;
    const bool wsh = wallet->format != ADDR_P2SH, sh = wallet->format != ADDR_P2WSH;
    writer_printf(w, "%s%s%s(%zu", sh ? "sh(" : "", wsh ? "wsh(" : "",
                  wallet->sorted ? "sortedmulti" : "multi", wallet->m);
    for (size_t i = 0; i < wallet->n; i++)
        write_key(w, wallet, i, branch);
    writer_text(w, sh && wsh ? ")))" : "))");
    descriptor_write_checksum(w, start);
}
