// bitcoin/descriptor_script.c -- the output script of a descriptor's child.
#include "base/reader.h"
#include "bitcoin/address.h"
#include "bitcoin/descriptor.h"
#include <string.h>

enum {
    BARE_KEYS_MAX = 3, // standard: BIP-383
    SH_KEYS_MAX = 15,
    INNER_MAX = 3 + 2 + SCRIPT_MULTISIG_KEYS_MAX * 66, // all of 65 bytes
};

struct points {
    uint8_t mem[SCRIPT_MULTISIG_KEYS_MAX][65];
    struct bytes list[SCRIPT_MULTISIG_KEYS_MAX];
    size_t n;
};

static bool step_down(struct hdpub *node, uint32_t child, struct err *err)
{
    if ((child & KEYPATH_HARD) != 0)
        return err_set(err, ERR_INVALID, "Cannot use hardened sub derivation path");
    const struct hdpub parent = *node;
    return hdpub_child(node, &parent, child, err);
}

static bool derive(uint8_t out[static 33], const struct descriptor_key *key, bool second,
                   uint32_t child, struct err *err)
{
    struct hdpub node = key->node;
    for (size_t i = 0; i < key->path.depth; i++) {
        const bool other = key->has_pair && second && key->pair_at == i;
        if (!step_down(&node, other ? key->pair_second : key->path.step[i], err))
            return false;
    }
    if (key->child == TAIL_HARD_STAR && !step_down(&node, child | KEYPATH_HARD, err))
        return false;
    if (key->child == TAIL_STAR && !step_down(&node, child, err))
        return false;
    memcpy(out, node.key.b, sizeof node.key.b);
    return true;
}

// BIP-382: "Only keys which are compressed public keys are allowed" in witness scripts; BIP-386:
// tr() takes x-only keys and no uncompressed ones.
static bool check_kind(const struct descriptor *d, const struct descriptor_key *key,
                       struct err *err)
{
    const bool uncompressed = key->kind == DESCRIPTOR_KEY_POINT && key->point_len == 65;
    const bool allowed = d->function != DESCRIPTOR_WPKH && d->function != DESCRIPTOR_TR &&
                         (d->outer == DESCRIPTOR_BARE || d->outer == DESCRIPTOR_SH);
    if (uncompressed && !allowed)
        return err_set(err, ERR_INVALID, "uncompressed keys cannot stand there");
    if (key->kind == DESCRIPTOR_KEY_XONLY && d->function != DESCRIPTOR_TR)
        return err_set(err, ERR_INVALID, "x-only keys stand in tr() only");
    return true;
}

static bool collect(struct points *out, const struct descriptor *d, bool second, uint32_t child,
                    struct err *err)
{
    struct reader keys = reader_of(d->keys);
    struct bytes expression;
    while (descriptor_next_key(&keys, &expression)) {
        struct descriptor_key key;
        uint8_t *point = out->mem[out->n];
        if (!descriptor_key_parse(&key, expression, err) || !check_kind(d, &key, err))
            return false;
        if (key.kind != DESCRIPTOR_KEY_EXTENDED)
            memcpy(point, key.point, key.point_len);
        else if (!derive(point, &key, second, child, err))
            return false;
        out->list[out->n++] =
            bytes_of(point, key.kind == DESCRIPTOR_KEY_EXTENDED ? 33 : key.point_len);
    }
    return true;
}

static bool check_multi(const struct descriptor *d, struct err *err)
{
    const size_t max = d->outer == DESCRIPTOR_BARE ? BARE_KEYS_MAX
                       : d->outer == DESCRIPTOR_SH ? SH_KEYS_MAX
                                                   : SCRIPT_MULTISIG_KEYS_MAX;
    if (d->n_keys > max)
        return err_set(err, ERR_INVALID, "more than %zu keys", max);
    if (d->threshold < 1 || d->threshold > d->n_keys)
        return err_set(err, ERR_INVALID, "%u of %zu keys", (unsigned)d->threshold, d->n_keys);
    return true;
}

static bool write_inner(struct writer *w, const struct descriptor *d, struct points *points,
                        struct err *err)
{
    struct pubkey key;
    switch (d->function) {
    case DESCRIPTOR_PK:
        script_write_push(w, points->list[0]);
        writer_u8(w, 0xac);
        return true;
    case DESCRIPTOR_PKH: // of the key as it is written, 33 or 65 bytes
        script_write_p2pkh(w, hash160(points->list[0]));
        return true;
    case DESCRIPTOR_WPKH:
        script_write_p2wpkh(w, hash160(points->list[0]));
        return true;
    case DESCRIPTOR_TR:
        return pubkey_parse(&key, points->list[0], err) &&
               address_script_of_key(w, &key, ADDR_P2TR, err);
    case DESCRIPTOR_SORTEDMULTI:
        script_sort_keys(points->list, points->n);
        break;
    case DESCRIPTOR_MULTI:
        break;
    }
    script_write_multisig(w, d->threshold, points->list, points->n);
    return true;
}

bool descriptor_script(struct writer *w, const struct descriptor *descriptor, bool second,
                       uint32_t child, struct err *err)
{
    static const enum addr_format formats[] = { [DESCRIPTOR_SH] = ADDR_P2SH,
                                                [DESCRIPTOR_WSH] = ADDR_P2WSH,
                                                [DESCRIPTOR_SH_WSH] = ADDR_P2SH_P2WSH };
    const bool multi = descriptor->function >= DESCRIPTOR_MULTI;
    struct points points = { .n = 0 };
    uint8_t mem[INNER_MAX];
    struct writer inner = writer_of(mem, sizeof mem);
    if ((multi && !check_multi(descriptor, err)) ||
        !collect(&points, descriptor, second, child, err) ||
        !write_inner(&inner, descriptor, &points, err))
        return false;
    if (descriptor->outer == DESCRIPTOR_BARE) {
        writer_put(w, writer_bytes(&inner));
        return true;
    }
    if (descriptor->outer == DESCRIPTOR_SH && inner.len > SCRIPT_REDEEM_MAX)
        return err_set(err, ERR_INVALID, "a redeem script of %zu bytes", inner.len);
    return address_script_of_script(w, writer_bytes(&inner), formats[descriptor->outer], err);
}
