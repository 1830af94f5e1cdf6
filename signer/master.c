#include "signer/master.h"
#include "base/reader.h"
#include "base/require.h"

enum { ENTROPY_MAX = 32 };

// --- Making ---

static struct secret *container_of(const struct writer *w)
{
    struct bytes content;
    REQUIRE(writer_finish(w, &content));
    return secret_new(content);
}

struct scratch {
    uint8_t b[MASTER_MAX];
};
static void scratch_wipe(struct scratch *s)
{
    wipe(s->b, sizeof s->b);
}

struct secret *master_of_nothing(void)
{
    const uint8_t kind = MASTER_NONE;
    return secret_new(bytes_of(&kind, 1));
}

// kind, length of the entropy, entropy, passphrase.
bool master_of_words(struct secret **out, struct bytes words, struct bytes passphrase,
                     struct err *err)
{
    AUTO(mnemonic_text_wipe) struct mnemonic_text text;
    AUTO(mnemonic_seed_wipe) struct mnemonic_seed seed;
    AUTO(scratch_wipe) struct scratch entropy, container;
    struct writer full = writer_of(text.b, sizeof text.b);
    struct writer bits = writer_of(entropy.b, ENTROPY_MAX);
    // The seed itself is not kept; making it checks the passphrase.
    if (!mnemonic_normalize(&full, words, err) ||
        !mnemonic_to_entropy(&bits, writer_bytes(&full), err) ||
        !mnemonic_to_seed(seed.b, writer_bytes(&full), passphrase, err))
        return false;
    struct writer w = writer_of(container.b, sizeof container.b);
    writer_u8(&w, MASTER_WORDS);
    writer_counted(&w, writer_bytes(&bits));
    writer_put(&w, passphrase);
    *out = container_of(&w);
    return true;
}

static bool is_base58(uint8_t c)
{
    return c != '\0' && strchr("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", c);
}

// psbt-signing.md 3.3: "the first occurrence in the text of any character, `prv`, then base58
// characters".
static struct bytes find_xprv(struct bytes text)
{
    for (size_t at = 1; at + 3 <= text.len; at++) {
        size_t len = 0;
        if (!bytes_equal_text(bytes_slice(text, at, 3), "prv"))
            continue;
        while (at + 3 + len < text.len && is_base58(text.ptr[at + 3 + len]))
            len++;
        return bytes_slice(text, at - 1, 4 + len);
    }
    return bytes_of(NULL, 0);
}

// kind, chain code, key.
bool master_of_xprv(struct secret **out, bool *is_main, struct bytes text, struct err *err)
{
    AUTO(hdkey_wipe) struct hdkey node = { 0 };
    AUTO(scratch_wipe) struct scratch container;
    struct err ignored; // may say what of a key was wrong
    if (!hdkey_from_text(&node, is_main, find_xprv(text), &ignored))
        return err_set(err, ERR_MALFORMED, "Failed to parse extended private key.");
    struct writer w = writer_of(container.b, sizeof container.b);
    writer_u8(&w, MASTER_XPRV);
    writer_put(&w, BYTES_OF(node.pub.chain_code));
    writer_put(&w, BYTES_OF(node.key.b));
    *out = container_of(&w);
    return true;
}

// --- Reading ---

// What a container holds, borrowed from it.
struct content {
    enum master_kind kind;
    struct bytes entropy, passphrase;
    struct bytes chain_code, key;
};

static struct content parse(struct bytes container)
{
    struct reader r = reader_of(container);
    struct content c = { .kind = MASTER_NONE };
    uint8_t kind;
    if (!reader_u8(&r, &kind))
        return c;
    if (kind == MASTER_WORDS && reader_counted(&r, &c.entropy)) {
        c.kind = MASTER_WORDS;
        c.passphrase = reader_rest(&r);
    }
    if (kind == MASTER_XPRV && reader_take(&r, 32, &c.chain_code) && reader_take(&r, 32, &c.key) &&
        reader_done(&r))
        c.kind = MASTER_XPRV;
    return c;
}

enum master_kind master_kind(const struct secret *container)
{
    const enum master_kind kind = parse(secret_open(container)).kind;
    secret_close(container);
    return kind;
}

static bool node_of_words(struct hdkey *out, struct bytes entropy, struct bytes passphrase,
                          struct err *err)
{
    AUTO(mnemonic_text_wipe) struct mnemonic_text text;
    AUTO(mnemonic_seed_wipe) struct mnemonic_seed seed;
    struct writer w = writer_of(text.b, sizeof text.b);
    return mnemonic_from_entropy(&w, entropy, err) &&
           mnemonic_to_seed(seed.b, writer_bytes(&w), passphrase, err) &&
           hdkey_from_seed(out, BYTES_OF(seed.b), err);
}

// "the node is treated as a root, so its fingerprint is that of its own key"
static bool node_of_xprv(struct hdkey *out, const struct content *c, struct err *err)
{
    AUTO(hdkey_wipe) struct hdkey node = { 0 };
    if (!seckey_from_bytes(&node.key, c->key, err))
        return false;
    memcpy(node.pub.chain_code, c->chain_code.ptr, sizeof node.pub.chain_code);
    node.pub.key = seckey_pubkey(&node.key);
    *out = node;
    return true;
}

static bool no_seed(struct err *err)
{
    return err_set(err, ERR_STATE, "no seed");
}

bool master_node(struct hdkey *out, const struct secret *container, struct err *err)
{
    const struct content c = parse(secret_open(container));
    bool made = false;
    if (c.kind == MASTER_WORDS)
        made = node_of_words(out, c.entropy, c.passphrase, err);
    else if (c.kind == MASTER_XPRV)
        made = node_of_xprv(out, &c, err);
    else
        no_seed(err);
    secret_close(container);
    return made;
}

// wire-protocol.md 8.9: "seed has words -> `no seed` (also when a passphrase is already active)"
bool master_node_with_passphrase(struct hdkey *out, const struct secret *container,
                                 struct bytes passphrase, struct err *err)
{
    const struct content c = parse(secret_open(container));
    bool made = false;
    if (c.kind == MASTER_WORDS && c.passphrase.len == 0)
        made = node_of_words(out, c.entropy, passphrase, err);
    else
        no_seed(err);
    secret_close(container);
    return made;
}

bool master_has_words(const struct secret *container)
{
    const struct content c = parse(secret_open(container));
    const bool has = c.kind == MASTER_WORDS && c.passphrase.len == 0;
    secret_close(container);
    return has;
}

bool master_words(struct writer *out, const struct secret *container, struct err *err)
{
    const struct content c = parse(secret_open(container));
    const bool made = c.kind == MASTER_WORDS ? mnemonic_from_entropy(out, c.entropy, err)
                                             : err_set(err, ERR_STATE, "no words");
    secret_close(container);
    return made;
}

bool master_passphrase(struct writer *out, const struct secret *container, struct err *err)
{
    const struct content c = parse(secret_open(container));
    const bool has_words = c.kind == MASTER_WORDS;
    writer_put(out, c.passphrase);
    secret_close(container);
    return has_words || err_set(err, ERR_STATE, "no words");
}
