// bitcoin/descriptor_script.c -- the output script of a descriptor's child.
#include "base/reader.h"
#include "bitcoin/address.h"
#include "bitcoin/descriptor.h"
#include <string.h>

#define HARDENED "Cannot use hardened sub derivation path"

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
        return err_set(err, ERR_INVALID, HARDENED);
    const struct hdpub parent = *node;
    return hdpub_child(node, &parent, child, err);
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

// Down to where the children begin.
static bool step_down_path(struct descriptor_parent *out, const struct descriptor_key *key,
                           bool second, struct err *err)
{
    out->node = key->node;
    out->tail = key->child;
    for (size_t i = 0; i < key->path.depth; i++) {
        const bool other = key->has_pair && second && key->pair_at == i;
        if (!step_down(&out->node, other ? key->pair_second : key->path.step[i], err))
            return false;
    }
    memcpy(out->point, out->node.key.b, sizeof out->node.key.b);
    out->point_len = sizeof out->node.key.b;
    return point_of(&out->at, &out->node.key) ||
           err_set(err, ERR_INVALID, "an extended key is no point of the curve");
}

static bool read_parent(struct descriptor_keys *out, struct bytes expression, bool second,
                        struct err *err)
{
    struct descriptor_parent *parent = &out->keys[out->n++];
    struct descriptor_key key;
    if (!descriptor_key_parse(&key, expression, err) || !check_kind(&out->descriptor, &key, err))
        return false;
    out->has_pair |= key.has_pair;
    *parent = (struct descriptor_parent){ .point_len = key.point_len, .tail = TAIL_NONE };
    if (key.kind != DESCRIPTOR_KEY_EXTENDED) {
        memcpy(parent->point, key.point, key.point_len);
        return true;
    }
    out->has_star |= key.child != TAIL_NONE;
    return step_down_path(parent, &key, second, err);
}

// The key of a child: TAIL_HARD_STAR cannot be followed, and says so as any hardened step does.
static bool derive(uint8_t out[static 65], size_t *len, const struct descriptor_parent *parent,
                   uint32_t child, struct err *err)
{
    struct point point;
    memcpy(out, parent->point, parent->point_len);
    *len = parent->point_len;
    if (parent->tail == TAIL_NONE)
        return true;
    if (parent->tail == TAIL_HARD_STAR || (child & KEYPATH_HARD) != 0)
        return err_set(err, ERR_INVALID, HARDENED);
    if (!hdpub_child_point(&point, &parent->node, &parent->at, child, err))
        return false;
    const struct pubkey key = point_pubkey(&point);
    memcpy(out, key.b, sizeof key.b);
    return true;
}

static bool collect(struct points *out, const struct descriptor_keys *keys, uint32_t child,
                    struct err *err)
{
    for (out->n = 0; out->n < keys->n; out->n++) {
        uint8_t *point = out->mem[out->n];
        size_t len;
        if (!derive(point, &len, &keys->keys[out->n], child, err))
            return false;
        out->list[out->n] = bytes_of(point, len);
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

bool descriptor_keys_read(struct descriptor_keys *out, const struct descriptor *descriptor,
                          bool second, struct err *err)
{
    struct reader keys = reader_of(descriptor->keys);
    struct bytes expression;
    *out = (struct descriptor_keys){ .descriptor = *descriptor };
    if (descriptor->function >= DESCRIPTOR_MULTI && !check_multi(descriptor, err))
        return false;
    while (descriptor_next_key(&keys, &expression))
        if (!read_parent(out, expression, second, err))
            return false;
    return true;
}

bool descriptor_child(struct writer *w, const struct descriptor_keys *keys, uint32_t child,
                      struct err *err)
{
    static const enum addr_format formats[] = { [DESCRIPTOR_SH] = ADDR_P2SH,
                                                [DESCRIPTOR_WSH] = ADDR_P2WSH,
                                                [DESCRIPTOR_SH_WSH] = ADDR_P2SH_P2WSH };
    const struct descriptor *descriptor = &keys->descriptor;
    struct points points = { .n = 0 };
    uint8_t mem[INNER_MAX];
    struct writer inner = writer_of(mem, sizeof mem);
    if (!collect(&points, keys, child, err) || !write_inner(&inner, descriptor, &points, err))
        return false;
    if (descriptor->outer == DESCRIPTOR_BARE) {
        writer_put(w, writer_bytes(&inner));
        return true;
    }
    if (descriptor->outer == DESCRIPTOR_SH && inner.len > SCRIPT_REDEEM_MAX)
        return err_set(err, ERR_INVALID, "a redeem script of %zu bytes", inner.len);
    return address_script_of_script(w, writer_bytes(&inner), formats[descriptor->outer], err);
}

bool descriptor_script(struct writer *w, const struct descriptor *descriptor, bool second,
                       uint32_t child, struct err *err)
{
    struct descriptor_keys keys;
    return descriptor_keys_read(&keys, descriptor, second, err) &&
           descriptor_child(w, &keys, child, err);
}
