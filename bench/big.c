// bench/big.c
#include "bench/big.h"
#include "base/require.h"

enum { SATS = 100000, PREV_TX_SIZE = 257, SCRIPT_MAX_LEN = 25 };

struct big_shape {
    const char *name;
    uint32_t purpose;
    bool legacy;
    size_t in_size; // of an input: in the transaction and in its map
};
static const struct big_shape shapes[] = {
    { BIG_LEGACY, 44, true, 41 + 2 + 3 + PREV_TX_SIZE + 60 + 1 },
    { BIG_SEGWIT, 84, false, 41 + 3 + 31 + 60 + 1 },
};

// What a branch's inputs have in common.
struct branch {
    const struct big_shape *shape;
    struct xfp xfp;
    struct keypath path;
    struct hdpub node;
};

static struct branch branch_of(const struct big_shape *shape, struct bench_signer *s)
{
    struct branch b = {
        .shape = shape,
        .xfp = s->view.xfp,
        .path = { .step = { shape->purpose | KEYPATH_HARD, 1 | KEYPATH_HARD, 0 | KEYPATH_HARD },
                  .depth = 4 },
    };
    struct hdkey node;
    struct err err;
    keycache_open(s->keys);
    REQUIRE(keycache_derive(&node, s->keys, &b.path, &err));
    keycache_close(s->keys);
    b.node = node.pub;
    return b;
}

static void write_script(struct writer *w, const struct branch *b, const struct pubkey *key)
{
    if (b->shape->legacy)
        script_write_p2pkh(w, hash160(BYTES_OF(key->b)));
    else
        script_write_p2wpkh(w, hash160(BYTES_OF(key->b)));
}

// A transaction whose only input makes it as long as it shall be.
static void write_prev_tx(struct writer *w, struct bytes script, uint32_t index)
{
    static const uint8_t filling[PREV_TX_SIZE];
    struct tx_in in = { .prevout.index = index, .sequence = UINT32_MAX };
    struct tx_out out = { .value = SATS, .script = script };
    const struct tx tx = { .version = 2, .n_in = 1, .n_out = 1, .in = &in, .out = &out };
    in.script_sig = bytes_of(filling, PREV_TX_SIZE - (4 + 1 + 41 + 1 + 9 + script.len + 4));
    tx_write(w, &tx);
}

static void write_map(struct writer *w, const struct branch *b, const struct pubkey *key,
                      uint32_t index, struct bytes prev_tx)
{
    uint8_t mem[SCRIPT_MAX_LEN];
    struct writer script = writer_of(mem, sizeof mem);
    write_script(&script, b, key);
    if (b->shape->legacy) {
        writer_put(w, BYTES("\x01\x00"));
        writer_counted(w, prev_tx);
    } else {
        writer_put(w, BYTES("\x01\x01\x1f"));
        writer_u64le(w, SATS);
        writer_counted(w, writer_bytes(&script));
    }
    writer_u8(w, 1 + sizeof key->b);
    writer_u8(w, PSBT_IN_KEY_PATH);
    writer_put(w, BYTES_OF(key->b));
    writer_u8(w, 4 * 6);
    writer_put(w, BYTES_OF(b->xfp.b));
    for (size_t i = 0; i < b->path.depth; i++)
        writer_u32le(w, b->path.step[i]);
    writer_u32le(w, index);
    writer_u8(w, 0);
}

static struct pubkey key_of(const struct branch *b, uint32_t index)
{
    struct hdpub child;
    struct err err;
    REQUIRE(hdpub_child(&child, &b->node, index, &err));
    return child.key;
}

// Of each input's previous transaction, if there are such.
static struct bytes *prev_txs(const struct branch *b, struct tx *tx, struct arena *arena)
{
    struct bytes *list = arena_array(arena, tx->n_in, sizeof *list);
    REQUIRE(list != NULL);
    for (uint32_t i = 0; b->shape->legacy && i < tx->n_in; i++) {
        uint8_t mem[SCRIPT_MAX_LEN];
        struct writer script = writer_of(mem, sizeof mem),
                      w = writer_growing(arena, 2 * PREV_TX_SIZE);
        const struct pubkey key = key_of(b, i);
        write_script(&script, b, &key);
        write_prev_tx(&w, writer_bytes(&script), i);
        list[i] = writer_bytes(&w);
        tx->in[i].prevout.txid = sha256d(list[i]);
    }
    return list;
}

static struct bytes make(const struct branch *b, struct arena *arena)
{
    struct tx_out out = { .script = BYTES("\x00\x14"
                                          "01234567890123456789") };
    struct tx tx = { .version = 2, .n_out = 1, .out = &out };
    struct writer raw = writer_growing(arena, PSBT_SIZE_MAX), w = raw;
    tx.n_in = (PSBT_SIZE_MAX - 512) / b->shape->in_size;
    tx.in = arena_array(arena, tx.n_in, sizeof *tx.in);
    REQUIRE(tx.in != NULL);
    out.value = (int64_t)tx.n_in * (SATS - 1000);
    const struct bytes *prev = prev_txs(b, &tx, arena);
    for (size_t i = 0; i < tx.n_in; i++) {
        if (!b->shape->legacy)
            memcpy(tx.in[i].prevout.txid.b, &i, sizeof i);
        tx.in[i].sequence = 0xfffffffd;
    }
    tx_write(&raw, &tx);
    writer_put(&w, BYTES(PSBT_MAGIC));
    writer_put(&w, BYTES("\x01\x00"));
    writer_counted(&w, writer_bytes(&raw));
    writer_u8(&w, 0);
    for (uint32_t i = 0; i < tx.n_in; i++) {
        const struct pubkey key = key_of(b, i);
        write_map(&w, b, &key, i, prev[i]);
    }
    writer_u8(&w, 0); // of the output
    REQUIRE(!w.failed);
    return writer_bytes(&w);
}

struct bytes big_psbt(const char *name, struct bench_signer *s, struct arena *arena)
{
    for (size_t i = 0; i < COUNT(shapes); i++)
        if (strcmp(name, shapes[i].name) == 0) {
            const struct branch b = branch_of(&shapes[i], s);
            AUTO(arena_freep) struct arena *scratch = arena_new(256u << 20);
            struct bytes copy;
            REQUIRE(arena_copy(arena, make(&b, scratch), &copy));
            return copy;
        }
    return (struct bytes){ 0 };
}
