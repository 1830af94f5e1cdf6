// bitcoin/hdkey.c
#include "bitcoin/hdkey.h"
#include "base/hex.h"
#include "base/reader.h"
#include "base/require.h"
#include "bitcoin/base58.h"
#include "crypto/hmac.h"
#include <string.h>

#define SERIALIZED_LEN 78

bool xfp_equal(struct xfp a, struct xfp b)
{
    return memcmp(a.b, b.b, sizeof a.b) == 0;
}

bool xfp_is_zero(struct xfp xfp)
{
    return xfp_equal(xfp, (struct xfp){ { 0 } });
}

uint32_t xfp_to_u32(struct xfp xfp)
{
    return (uint32_t)xfp.b[0] | (uint32_t)xfp.b[1] << 8 | (uint32_t)xfp.b[2] << 16 |
           (uint32_t)xfp.b[3] << 24;
}

struct xfp xfp_from_u32(uint32_t value)
{
    return (struct xfp){ { (uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                           (uint8_t)(value >> 24) } };
}

void xfp_to_text(char out[static XFP_TEXT_SIZE], struct xfp xfp)
{
    hex_encode_upper(out, BYTES_OF(xfp.b));
}

bool xfp_from_text(struct xfp *out, struct bytes text)
{
    return hex_decode(out->b, sizeof out->b, text);
}

void hdkey_wipe(struct hdkey *node)
{
    wipe(node, sizeof *node);
}

// The 64 bytes of an HMAC-SHA-512, of which the left half is a key or what is added to one.
struct halves {
    uint8_t left[32], right[32];
};

static void halves_wipe(struct halves *h)
{
    wipe(h, sizeof *h);
}

static void halves_of(struct halves *out, struct bytes key, struct bytes data)
{
    uint8_t mac[64];
    hmac_sha512(mac, key, data);
    memcpy(out->left, mac, 32);
    memcpy(out->right, mac + 32, 32);
    wipe(mac, sizeof mac);
}

bool hdkey_from_seed(struct hdkey *out, struct bytes seed, struct err *err)
{
    AUTO(halves_wipe) struct halves h;
    AUTO(hdkey_wipe) struct hdkey node = { 0 };
    if (seed.len < 16 || seed.len > 64)
        return err_set(err, ERR_INVALID, "seed of %zu bytes, not 16 to 64", seed.len);
    halves_of(&h, BYTES("Bitcoin seed"), seed);
    // BIP-32: "In case parse256(IL) is 0 or parse256(IL) >= n, the master key is invalid."
    if (!seckey_from_bytes(&node.key, BYTES_OF(h.left), err))
        return err_within(err, "seed");
    memcpy(node.pub.chain_code, h.right, sizeof h.right);
    node.pub.key = seckey_pubkey(&node.key);
    *out = node;
    return true;
}

// What a child inherits besides keys and chain code. The parent's key must be there.
static bool child_position(struct hdpub *out, const struct hdpub *parent, uint32_t child,
                           struct err *err)
{
    if (parent->depth == UINT8_MAX)
        return err_set(err, ERR_INVALID, "deeper than 255 steps");
    out->depth = (uint8_t)(parent->depth + 1);
    out->child = child;
    return true;
}

// BIP-32: "Data = 0x00 || ser256(kpar) || ser32(i)" for a hardened child, else
// "Data = serP(point(kpar)) || ser32(i)". key33 is what stands before the index.
static void derive_halves(struct halves *out, const uint8_t chain_code[static 32],
                          const uint8_t key33[static 33], uint32_t child)
{
    uint8_t mem[33 + 4];
    struct writer data = writer_of(mem, sizeof mem);
    writer_put(&data, bytes_of(key33, 33));
    writer_u32be(&data, child);
    halves_of(out, bytes_of(chain_code, 32), writer_bytes(&data));
    wipe(mem, sizeof mem);
}

static void private_halves(struct halves *out, const struct hdkey *parent, uint32_t child)
{
    if ((child & KEYPATH_HARD) == 0) {
        derive_halves(out, parent->pub.chain_code, parent->pub.key.b, child);
        return;
    }
    uint8_t key33[33] = { 0 };
    memcpy(key33 + 1, parent->key.b, sizeof parent->key.b);
    derive_halves(out, parent->pub.chain_code, key33, child);
    wipe(key33, sizeof key33);
}

// One step without public key and parent fingerprint, which cost a point multiplication and are not
// needed on most steps of a path. *node becomes its own child.
static bool step_private(struct hdkey *node, uint32_t child, struct err *err)
{
    AUTO(halves_wipe) struct halves h;
    if (!child_position(&node->pub, &node->pub, child, err))
        return false;
    private_halves(&h, node, child);
    // BIP-32: "In case parse256(IL) >= n or ki = 0, the resulting key is invalid"
    if (!seckey_tweak_add(&node->key, h.left))
        return err_set(err, ERR_INVALID, "impossible child");
    memcpy(node->pub.chain_code, h.right, sizeof h.right);
    return true;
}

static bool is_hard(const struct keypath *path, size_t i)
{
    return (path->step[i] & KEYPATH_HARD) != 0;
}

bool hdkey_derive(struct hdkey *out, const struct hdkey *from, const struct keypath *path,
                  struct err *err)
{
    AUTO(hdkey_wipe) struct hdkey node = *from;
    REQUIRE(path->depth <= KEYPATH_DEPTH_MAX);
    for (size_t i = 0; i < path->depth; i++) {
        const bool last = i + 1 == path->depth;
        // The public key that `node` needs: as parent of the last, for its fingerprint; as parent
        // of a normal child, for its data. `from` has it already.
        if (i > 0 && (last || !is_hard(path, i)))
            node.pub.key = seckey_pubkey(&node.key);
        if (last)
            node.pub.parent = hdpub_xfp(&node.pub);
        if (!step_private(&node, path->step[i], err))
            return false;
    }
    if (path->depth > 0)
        node.pub.key = seckey_pubkey(&node.key);
    *out = node;
    return true;
}

bool hdkey_child(struct hdkey *out, const struct hdkey *parent, uint32_t child, struct err *err)
{
    const struct keypath path = { .step = { child }, .depth = 1 };
    return hdkey_derive(out, parent, &path, err);
}

bool hdkey_child_seckey(struct seckey *out, const struct hdkey *parent, uint32_t child,
                        struct err *err)
{
    AUTO(hdkey_wipe) struct hdkey node = *parent;
    if (!step_private(&node, child, err))
        return false;
    *out = node.key;
    return true;
}

bool hdpub_child(struct hdpub *out, const struct hdpub *parent, uint32_t child, struct err *err)
{
    AUTO(halves_wipe) struct halves h;
    struct hdpub node;
    if ((child & KEYPATH_HARD) != 0)
        return err_set(err, ERR_INVALID, "hardened step of a public key");
    if (!child_position(&node, parent, child, err))
        return false;
    derive_halves(&h, parent->chain_code, parent->key.b, child);
    if (!pubkey_tweak_add(&node.key, &parent->key, h.left))
        return err_set(err, ERR_INVALID, "impossible child");
    memcpy(node.chain_code, h.right, sizeof h.right);
    node.parent = hdpub_xfp(parent);
    *out = node;
    return true;
}

bool hdpub_child_point(struct point *out, const struct hdpub *parent,
                       const struct point *parent_point, uint32_t child, struct err *err)
{
    AUTO(halves_wipe) struct halves h;
    struct hdpub position;
    if ((child & KEYPATH_HARD) != 0)
        return err_set(err, ERR_INVALID, "hardened step of a public key");
    if (!child_position(&position, parent, child, err))
        return false;
    derive_halves(&h, parent->chain_code, parent->key.b, child);
    return point_tweak_add(out, parent_point, h.left) ||
           err_set(err, ERR_INVALID, "impossible child");
}

struct xfp hdpub_xfp(const struct hdpub *node)
{
    const struct hash160 id = hash160(BYTES_OF(node->key.b));
    struct xfp xfp;
    memcpy(xfp.b, id.b, sizeof xfp.b);
    return xfp;
}

bool hdpub_equal(const struct hdpub *a, const struct hdpub *b)
{
    return pubkey_equal(&a->key, &b->key) &&
           memcmp(a->chain_code, b->chain_code, sizeof a->chain_code) == 0 &&
           a->depth == b->depth && xfp_equal(a->parent, b->parent) && a->child == b->child;
}

static void write_node(struct writer *w, uint32_t version, const struct hdpub *node,
                       const uint8_t key33[static 33])
{
    writer_u32be(w, version);
    writer_u8(w, node->depth);
    writer_put(w, BYTES_OF(node->parent.b));
    writer_u32be(w, node->child);
    writer_put(w, BYTES_OF(node->chain_code));
    writer_put(w, bytes_of(key33, 33));
}

static void write_text(char out[static XPUB_TEXT_SIZE], uint32_t version, const struct hdpub *node,
                       const uint8_t key33[static 33])
{
    uint8_t mem[SERIALIZED_LEN];
    struct writer w = writer_of(mem, sizeof mem);
    write_node(&w, version, node, key33);
    struct writer text = writer_of(out, XPUB_TEXT_SIZE);
    base58check_write(&text, writer_bytes(&w));
    writer_u8(&text, 0);
    REQUIRE(!w.failed && !text.failed);
    wipe(mem, sizeof mem);
}

void hdpub_to_text(char out[static XPUB_TEXT_SIZE], const struct hdpub *node,
                   const struct chain *chain)
{
    write_text(out, chain->xpub_version[SLIP132_PLAIN], node, node->key.b);
}

void hdkey_to_text(char out[static XPUB_TEXT_SIZE], const struct hdkey *node,
                   const struct chain *chain)
{
    uint8_t key33[33] = { 0 };
    memcpy(key33 + 1, node->key.b, sizeof node->key.b);
    write_text(out, chain->xprv_version[SLIP132_PLAIN], &node->pub, key33);
    wipe(key33, sizeof key33);
}

// Any kind of either network. Regtest has testnet's versions.
static bool find_version(bool *is_main, bool is_private, uint32_t version)
{
    for (int i = CHAIN_BTC; i <= CHAIN_XTN; i++) {
        const struct chain *chain = chain_by_id((enum chain_id)i);
        const uint32_t *versions = is_private ? chain->xprv_version : chain->xpub_version;
        for (size_t kind = 0; kind < SLIP132_KINDS; kind++)
            if (versions[kind] == version) {
                *is_main = i == CHAIN_BTC;
                return true;
            }
    }
    return false;
}

bool hdpub_equals_bytes(const struct hdpub *node, struct bytes serialized)
{
    uint8_t mem[SERIALIZED_LEN];
    struct writer w = writer_of(mem, sizeof mem);
    struct reader r = reader_of(serialized);
    uint32_t version;
    bool is_main;
    if (!reader_u32be(&r, &version) || !find_version(&is_main, false, version))
        return false;
    write_node(&w, version, node, node->key.b);
    return bytes_equal(writer_bytes(&w), serialized);
}

// All but the key, which is left as its 33 bytes.
static bool read_node(struct hdpub *out, uint8_t key33[static 33], bool *is_main, bool is_private,
                      struct bytes serialized, struct err *err)
{
    struct reader r = reader_of(serialized);
    uint32_t version;
    if (!reader_u32be(&r, &version) || !reader_u8(&r, &out->depth) ||
        !reader_copy(&r, out->parent.b, sizeof out->parent.b) || !reader_u32be(&r, &out->child) ||
        !reader_copy(&r, out->chain_code, sizeof out->chain_code) || !reader_copy(&r, key33, 33) ||
        !reader_done(&r))
        return err_set(err, ERR_MALFORMED, "extended key: not of 78 bytes");
    if (!find_version(is_main, is_private, version))
        return err_set(err, ERR_MALFORMED, "extended key: unknown version");
    // BIP-32 vector 5: "zero depth with non-zero parent fingerprint", "... with non-zero index"
    if (out->depth == 0 && (!xfp_is_zero(out->parent) || out->child != 0))
        return err_set(err, ERR_MALFORMED, "extended key: depth 0 with a parent");
    return true;
}

// Base58Check text to 78 bytes, which are the caller's to wipe.
static bool read_text(struct writer *serialized, struct bytes text, struct err *err)
{
    if (!base58check_read(serialized, text))
        return err_set(err, ERR_MALFORMED, "extended key: bad base58 or checksum");
    return true;
}

bool hdpub_from_bytes(struct hdpub *out, bool *is_main, struct bytes serialized, struct err *err)
{
    struct hdpub node;
    uint8_t key33[33] = { 0 };
    bool main_net = false;
    bool good = read_node(&node, key33, &main_net, false, serialized, err);
    if (good && !pubkey_parse(&node.key, BYTES_OF(key33), err))
        good = err_set(err, ERR_MALFORMED, "extended key: not a point of the curve");
    wipe(key33, sizeof key33); // it may have been a private key
    if (!good)
        return false;
    *out = node;
    *is_main = main_net;
    return true;
}

bool hdpub_from_text(struct hdpub *out, bool *is_main, struct bytes text, struct err *err)
{
    uint8_t mem[BASE58_TEXT_MAX];
    struct writer serialized = writer_of(mem, sizeof mem);
    const bool good = read_text(&serialized, text, err) &&
                      hdpub_from_bytes(out, is_main, writer_bytes(&serialized), err);
    wipe(mem, sizeof mem);
    return good;
}

static bool read_private(struct hdkey *node, const uint8_t key33[static 33], struct err *err)
{
    // "prvkey: 0x00 || ser256(k)", and "private key 0 not in 1..n-1", "private key n not in 1..n-1"
    if (key33[0] != 0 || !seckey_from_bytes(&node->key, bytes_of(key33 + 1, 32), err))
        return err_set(err, ERR_MALFORMED, "extended key: private key out of range");
    node->pub.key = seckey_pubkey(&node->key);
    return true;
}

bool hdkey_from_text(struct hdkey *out, bool *is_main, struct bytes text, struct err *err)
{
    AUTO(hdkey_wipe) struct hdkey node = { 0 };
    uint8_t mem[BASE58_TEXT_MAX];
    struct writer serialized = writer_of(mem, sizeof mem);
    uint8_t key33[33] = { 0 };
    bool main_net = false;
    const bool good =
        read_text(&serialized, text, err) &&
        read_node(&node.pub, key33, &main_net, true, writer_bytes(&serialized), err) &&
        read_private(&node, key33, err);
    wipe(mem, sizeof mem);
    wipe(key33, sizeof key33);
    if (!good)
        return false;
    *out = node;
    *is_main = main_net;
    return true;
}

// From the character before the first "prv" that has one, to the last of the base58 characters that
// follow.
static struct bytes find_private(struct bytes text)
{
    for (size_t i = 1; i + 3 <= text.len; i++)
        if (bytes_starts_with(bytes_slice(text, i, 3), BYTES("prv"))) {
            size_t end = i;
            while (end < text.len && base58_has(text.ptr[end]))
                end++;
            return bytes_slice(text, i - 1, end - (i - 1));
        }
    return (struct bytes){ 0 };
}

bool hdkey_import(struct hdkey *out, bool *is_main, struct bytes text, struct err *err)
{
    if (!hdkey_from_text(out, is_main, find_private(text), err))
        return err_set(err, ERR_MALFORMED, "Failed to parse extended private key.");
    out->pub.depth = 0;
    out->pub.parent = (struct xfp){ { 0 } };
    out->pub.child = 0;
    return true;
}
