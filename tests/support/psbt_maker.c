#include "tests/support/psbt_maker.h"
#include "bitcoin/tx.h"

#define SEQUENCE 0xfffffffdu

struct own_key {
    struct pubkey key;
    enum addr_format format;
    struct bytes script;
};

static bool format_of_path(enum addr_format *out, const struct keypath *path, struct err *err)
{
    switch (path->depth > 0 ? path->step[0] : 0) {
    case 44 | KEYPATH_HARD:
        *out = ADDR_P2PKH;
        return true;
    case 49 | KEYPATH_HARD:
        *out = ADDR_P2SH_P2WPKH;
        return true;
    case 84 | KEYPATH_HARD:
        *out = ADDR_P2WPKH;
        return true;
    default:
        return err_set(err, ERR_UNSUPPORTED, "a path must start with m/44h, m/49h or m/84h");
    }
}

static bool derive_own(struct own_key *out, const struct hdkey *master, const struct keypath *path,
                       struct arena *arena, struct err *err)
{
    AUTO(hdkey_wipe) struct hdkey node = { 0 };
    if (!format_of_path(&out->format, path, err) || !hdkey_derive(&node, master, path, err))
        return false;
    out->key = node.pub.key;
    struct writer w = writer_growing(arena, 64);
    if (!address_script_of_key(&w, &out->key, out->format, err))
        return false;
    return writer_finish(&w, &out->script) || err_set(err, ERR_NO_MEMORY, "out of memory");
}

// A transaction from nowhere whose output 0 is the coin.
static struct bytes previous_tx(const struct psbt_maker *maker, size_t i, struct bytes script,
                                struct arena *arena)
{
    struct writer w = writer_growing(arena, 1024);
    writer_u32le(&w, 2);
    writer_compact_size(&w, 1);
    for (unsigned k = 0; k < 28; k++)
        writer_u8(&w, 0xca);
    writer_u32le(&w, maker->salt);
    writer_u32le(&w, (uint32_t)i);
    writer_compact_size(&w, 0);
    writer_u32le(&w, SEQUENCE);
    writer_compact_size(&w, 1);
    writer_u64le(&w, maker->in[i].amount.n);
    writer_counted(&w, script);
    writer_u32le(&w, 0);
    return writer_bytes(&w);
}

static void write_field(struct writer *w, uint8_t type, struct bytes key_data, struct bytes value)
{
    writer_compact_size(w, 1 + key_data.len);
    writer_u8(w, type);
    writer_put(w, key_data);
    writer_counted(w, value);
}

static void write_keypath_field(struct writer *w, uint8_t type, const struct own_key *own,
                                struct xfp xfp, const struct keypath *path)
{
    uint8_t mem[4 + 4 * KEYPATH_DEPTH_MAX];
    struct writer value = writer_of(mem, sizeof mem);
    writer_put(&value, BYTES_OF(xfp.b));
    for (size_t i = 0; i < path->depth; i++)
        writer_u32le(&value, path->step[i]);
    write_field(w, type, BYTES_OF(own->key.b), writer_bytes(&value));
}

// The redeem script of P2SH-P2WPKH, 0014 || HASH160(key), in PSBT field `type`.
static void write_redeem_field(struct writer *w, uint8_t type, const struct own_key *own)
{
    uint8_t mem[22];
    struct writer redeem = writer_of(mem, sizeof mem);
    script_write_p2wpkh(&redeem, hash160(BYTES_OF(own->key.b)));
    if (own->format == ADDR_P2SH_P2WPKH)
        write_field(w, type, (struct bytes){ 0 }, writer_bytes(&redeem));
}

static void write_input_map(struct writer *w, const struct maker_input *in,
                            const struct own_key *own, struct bytes prev_tx, struct xfp xfp)
{
    if (own->format == ADDR_P2PKH || in->full_prev_tx)
        write_field(w, 0x00, (struct bytes){ 0 }, prev_tx);
    if (own->format != ADDR_P2PKH) {
        uint8_t mem[64];
        struct writer utxo = writer_of(mem, sizeof mem);
        writer_u64le(&utxo, in->amount.n);
        writer_counted(&utxo, own->script);
        write_field(w, 0x01, (struct bytes){ 0 }, writer_bytes(&utxo));
    }
    write_redeem_field(w, 0x04, own);
    write_keypath_field(w, 0x06, own, xfp, &in->path);
    writer_u8(w, 0);
}

static void write_output_map(struct writer *w, const struct maker_output *out,
                             const struct own_key *own, struct xfp xfp)
{
    if (out->is_ours) {
        write_redeem_field(w, 0x00, own);
        write_keypath_field(w, 0x02, own, xfp, &out->path);
    }
    writer_u8(w, 0);
}

static void write_unsigned_tx(struct writer *w, const struct psbt_maker *maker,
                              const struct bytes *prev_txs, const struct own_key *out_keys)
{
    writer_u32le(w, 2);
    writer_compact_size(w, maker->n_in);
    for (size_t i = 0; i < maker->n_in; i++) {
        const struct hash256 txid = sha256d(prev_txs[i]);
        writer_put(w, BYTES_OF(txid.b));
        writer_u32le(w, 0);
        writer_compact_size(w, 0);
        writer_u32le(w, SEQUENCE);
    }
    writer_compact_size(w, maker->n_out);
    for (size_t i = 0; i < maker->n_out; i++) {
        writer_u64le(w, maker->out[i].amount.n);
        writer_counted(w, maker->out[i].is_ours ? out_keys[i].script : maker->out[i].script);
    }
    writer_u32le(w, maker->locktime);
}

bool psbt_make(struct writer *w, const struct psbt_maker *maker, const struct hdkey *master,
               struct arena *arena, struct err *err)
{
    struct own_key *in_keys = arena_array(arena, maker->n_in, sizeof *in_keys);
    struct own_key *out_keys = arena_array(arena, maker->n_out, sizeof *out_keys);
    struct bytes *prev_txs = arena_array(arena, maker->n_in, sizeof *prev_txs);
    if (in_keys == NULL || out_keys == NULL || prev_txs == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < maker->n_in; i++) {
        if (!derive_own(&in_keys[i], master, &maker->in[i].path, arena, err))
            return err_within(err, "input %zu", i);
        prev_txs[i] = previous_tx(maker, i, in_keys[i].script, arena);
    }
    for (size_t i = 0; i < maker->n_out; i++) {
        if (maker->out[i].is_ours &&
            !derive_own(&out_keys[i], master, &maker->out[i].path, arena, err))
            return err_within(err, "output %zu", i);
    }

    struct writer tx = writer_growing(arena, TX_SIZE_MAX);
    write_unsigned_tx(&tx, maker, prev_txs, out_keys);
    const struct xfp xfp = hdpub_xfp(&master->pub);
    writer_put(w, BYTES("psbt\xff"));
    write_field(w, 0x00, (struct bytes){ 0 }, writer_bytes(&tx));
    writer_u8(w, 0);
    for (size_t i = 0; i < maker->n_in; i++)
        write_input_map(w, &maker->in[i], &in_keys[i], prev_txs[i], xfp);
    for (size_t i = 0; i < maker->n_out; i++)
        write_output_map(w, &maker->out[i], &out_keys[i], xfp);
    struct bytes done;
    return writer_finish(w, &done) || err_set(err, ERR_NO_MEMORY, "out of memory");
}
