#include "signer/backup_secret.h"
#include "base/hex.h"
#include "bitcoin/seed_container.h"
#include "signer/master.h"

static bool bad(const char *key, const char *what, struct err *err)
{
    return err_set(err, ERR_MALFORMED, "%s: %s", key, what);
}

struct xprv_text {
    char b[XPUB_TEXT_SIZE];
};
static void xprv_text_wipe(struct xprv_text *text)
{
    wipe(text, sizeof *text);
}

static bool from_node(struct secret **out, const struct hdkey *node, struct err *err)
{
    AUTO(xprv_text_wipe) struct xprv_text text;
    bool is_main;
    hdkey_to_text(text.b, node, chain_by_id(CHAIN_BTC));
    return master_of_xprv(out, &is_main, bytes_of_text(text.b), err);
}

struct words_text {
    char b[MNEMONIC_TEXT_MAX];
};
static void words_text_wipe(struct words_text *text)
{
    wipe(text, sizeof *text);
}

static bool from_entropy(struct secret **out, struct bytes entropy, struct bytes passphrase,
                         struct err *err)
{
    AUTO(words_text_wipe) struct words_text words;
    struct writer w = writer_of(words.b, sizeof words.b);
    return mnemonic_from_entropy(&w, entropy, err) &&
           master_of_words(out, writer_bytes(&w), passphrase, err);
}

struct container {
    uint8_t b[SEED_CONTAINER_LEN];
};
static void container_wipe(struct container *container)
{
    wipe(container, sizeof *container);
}

// psbt-signing.md 3.3, table of the secret container. Zeros at its end may be missing.
static bool from_container(struct secret **out, struct bytes hex, struct bytes passphrase,
                           struct err *err)
{
    AUTO(container_wipe) struct container c = { { 0 } };
    char digits[2] = { '0', '0' };
    if (hex.len == 0 || hex.len > 2 * sizeof c.b)
        return bad("raw_secret", "not a secret of 1 to 72 bytes", err);
    for (size_t at = 0; at < hex.len; at += 2) {
        digits[0] = (char)hex.ptr[at];
        digits[1] = at + 1 < hex.len ? (char)hex.ptr[at + 1] : '0';
        if (!hex_decode(&c.b[at / 2], 1, BYTES_OF(digits)))
            return bad("raw_secret", "not hex digits", err);
    }
    AUTO(seed_content_wipe) struct seed_content content;
    AUTO(hdkey_wipe) struct hdkey node = { 0 };
    struct err why;
    if (!seed_container_read(&content, BYTES_OF(c.b), &why) || content.kind == SEED_NONE)
        return bad("raw_secret", "a secret of no known kind", err);
    if (content.kind == SEED_ENTROPY)
        return from_entropy(out, bytes_of(content.b, content.len), passphrase, err);
    return seed_content_node(&node, &content, (struct bytes){ 0 }, err) &&
           from_node(out, &node, err);
}

// What the words lead to is what the text calls the key, or one of them is a slip.
static bool agree(const struct secret *master, struct bytes xprv, struct err *err)
{
    AUTO(hdkey_wipe) struct hdkey node = { 0 };
    AUTO(hdkey_wipe) struct hdkey stated = { 0 };
    struct err ignored;
    bool is_main;
    if (!master_node(&node, master, err))
        return false;
    if (!hdkey_import(&stated, &is_main, xprv, &ignored))
        return bad("xprv", "Failed to parse extended private key.", err);
    if (ct_equal(BYTES_OF(node.key.b), BYTES_OF(stated.key.b)) &&
        bytes_equal(BYTES_OF(node.pub.chain_code), BYTES_OF(stated.pub.chain_code)))
        return true;
    return err_set(err, ERR_INVALID,
                   "xprv is not the key of the words or the secret beside it; leave one out");
}

bool backup_secret_read(struct secret **out, const struct backup_secret *in, struct err *err)
{
    AUTO(secret_freep) struct secret *master = NULL;
    bool is_main;
    if (in->mnemonic.len == 0 && in->raw_secret.len == 0 && in->xprv.len == 0)
        return err_set(err, ERR_MALFORMED, "no key: neither mnemonic nor raw_secret nor xprv");
    if (in->mnemonic.len == 0 && in->raw_secret.len == 0)
        return master_of_xprv(out, &is_main, in->xprv, err) || err_within(err, "xprv");
    if (in->mnemonic.len > 0 ? !master_of_words(&master, in->mnemonic, in->passphrase, err)
                             : !from_container(&master, in->raw_secret, in->passphrase, err))
        return in->mnemonic.len > 0 ? err_within(err, "mnemonic") : false;
    if (in->xprv.len > 0 && !agree(master, in->xprv, err))
        return false;
    *out = master;
    master = NULL; // the caller's now
    return true;
}
