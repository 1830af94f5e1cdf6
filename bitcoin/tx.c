// bitcoin/tx.c
#include "bitcoin/tx.h"
#include "base/hex.h"
#include "base/reader.h"

// What an input and an output take at least: outpoint, empty script, sequence; value, empty script.
#define IN_SIZE_MIN  41
#define OUT_SIZE_MIN 9

// A count must leave room for what it counts, so that a count of 2^32 costs nothing.
static bool read_count(struct reader *r, size_t size_min, size_t *count, struct err *err)
{
    uint64_t n;
    if (!reader_compact_size(r, &n))
        return err_set(err, ERR_TRUNCATED, "no count at byte %zu", r->offset);
    if (n > r->rest.len / size_min)
        return err_set(err, ERR_TRUNCATED, "count at byte %zu exceeds the bytes left", r->offset);
    *count = (size_t)n;
    return true;
}

static bool read_input(struct reader *r, struct tx_in *in)
{
    return reader_copy(r, in->prevout.txid.b, sizeof in->prevout.txid.b) &&
           reader_u32le(r, &in->prevout.index) && reader_counted(r, &in->script_sig) &&
           reader_u32le(r, &in->sequence);
}

static bool read_inputs(struct tx *tx, struct reader *r, struct arena *arena, struct err *err)
{
    if (!read_count(r, IN_SIZE_MIN, &tx->n_in, err))
        return err_within(err, "inputs");
    tx->in = arena_array(arena, tx->n_in, sizeof *tx->in);
    if (tx->in == NULL)
        return err_set(err, ERR_NO_MEMORY, "inputs: no memory for %zu", tx->n_in);
    for (size_t i = 0; i < tx->n_in; i++)
        if (!read_input(r, &tx->in[i]))
            return err_set(err, ERR_TRUNCATED, "input %zu: ends at byte %zu", i, r->offset);
    return true;
}

static bool read_outputs(struct tx *tx, struct reader *r, struct arena *arena, struct err *err)
{
    if (!read_count(r, OUT_SIZE_MIN, &tx->n_out, err))
        return err_within(err, "outputs");
    tx->out = arena_array(arena, tx->n_out, sizeof *tx->out);
    if (tx->out == NULL)
        return err_set(err, ERR_NO_MEMORY, "outputs: no memory for %zu", tx->n_out);
    for (size_t i = 0; i < tx->n_out; i++)
        if (!reader_i64le(r, &tx->out[i].value) || !reader_counted(r, &tx->out[i].script))
            return err_set(err, ERR_TRUNCATED, "output %zu: ends at byte %zu", i, r->offset);
    return true;
}

// The count and items of one input, as one slice; no bytes if there are no items.
static bool read_witness(struct reader *r, struct bytes *out)
{
    const struct reader start = *r;
    struct bytes item;
    uint64_t n_items;
    if (!reader_compact_size(r, &n_items))
        return false;
    for (uint64_t i = 0; i < n_items; i++) // ends with the bytes, whatever the count says
        if (!reader_counted(r, &item))
            return false;
    *out = n_items == 0 ? (struct bytes){ 0 }
                        : bytes_slice(start.rest, 0, start.rest.len - r->rest.len);
    return true;
}

static bool read_witnesses(struct tx *tx, struct reader *r, struct err *err)
{
    size_t n_filled = 0;
    for (size_t i = 0; i < tx->n_in; i++) {
        if (!read_witness(r, &tx->in[i].witness))
            return err_set(err, ERR_TRUNCATED, "witness %zu: ends at byte %zu", i, r->offset);
        n_filled += tx->in[i].witness.len > 0;
    }
    // BIP-144: "If the witness is empty, the old serialization format must be used."
    if (n_filled == 0)
        return err_set(err, ERR_MALFORMED, "witness format without a witness");
    return true;
}

static bool parse(struct tx *out, struct bytes raw, bool witness_allowed, struct arena *arena,
                  struct err *err)
{
    struct reader r = reader_of(raw);
    struct tx tx = { 0 };
    uint32_t version;
    if (!reader_u32le(&r, &version))
        return err_set(err, ERR_TRUNCATED, "no version");
    tx.version = (int32_t)version;
    // BIP-144: a marker of 0, where the legacy format counts inputs, and a flag of 1.
    tx.has_witness = witness_allowed && reader_accept_bytes(&r, BYTES("\x00\x01"));
    if (!read_inputs(&tx, &r, arena, err) || !read_outputs(&tx, &r, arena, err))
        return false;
    const size_t before_witness = r.rest.len;
    if (tx.has_witness && !read_witnesses(&tx, &r, err))
        return false;
    const size_t witness_len = tx.has_witness ? 2 + before_witness - r.rest.len : 0;
    if (!reader_u32le(&r, &tx.locktime))
        return err_set(err, ERR_TRUNCATED, "no locktime at byte %zu", r.offset);
    if (!reader_done(&r))
        return err_set(err, ERR_MALFORMED, "bytes left over at byte %zu", r.offset);
    if (raw.len - witness_len > TX_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "larger than %d bytes", TX_SIZE_MAX);
    *out = tx;
    return true;
}

bool tx_parse(struct tx *out, struct bytes raw, struct arena *arena, struct err *err)
{
    return parse(out, raw, true, arena, err);
}

bool tx_parse_legacy(struct tx *out, struct bytes raw, struct arena *arena, struct err *err)
{
    return parse(out, raw, false, arena, err);
}

struct hash256 tx_txid(const struct tx *tx)
{
    struct sha256 h;
    sha256_init(&h);
    sha256_u32le(&h, (uint32_t)tx->version);
    sha256_compact_size(&h, tx->n_in);
    for (size_t i = 0; i < tx->n_in; i++) {
        sha256_update(&h, BYTES_OF(tx->in[i].prevout.txid.b));
        sha256_u32le(&h, tx->in[i].prevout.index);
        sha256_compact_size(&h, tx->in[i].script_sig.len);
        sha256_update(&h, tx->in[i].script_sig);
        sha256_u32le(&h, tx->in[i].sequence);
    }
    sha256_compact_size(&h, tx->n_out);
    for (size_t i = 0; i < tx->n_out; i++) {
        sha256_u64le(&h, (uint64_t)tx->out[i].value);
        sha256_compact_size(&h, tx->out[i].script.len);
        sha256_update(&h, tx->out[i].script);
    }
    sha256_u32le(&h, tx->locktime);
    return sha256d_final(&h);
}

void txid_to_text(char out[static TXID_TEXT_SIZE], const struct hash256 *txid)
{
    uint8_t reversed[32];
    for (size_t i = 0; i < sizeof reversed; i++)
        reversed[i] = txid->b[sizeof reversed - 1 - i];
    hex_encode(out, BYTES_OF(reversed));
}

static bool any_witness(const struct tx *tx)
{
    for (size_t i = 0; i < tx->n_in; i++)
        if (tx->in[i].witness.len > 0)
            return true;
    return false;
}

void tx_write_input(struct writer *w, const struct tx_in *in)
{
    writer_put(w, BYTES_OF(in->prevout.txid.b));
    writer_u32le(w, in->prevout.index);
    writer_counted(w, in->script_sig);
    writer_u32le(w, in->sequence);
}

void tx_write_output(struct writer *w, const struct tx_out *out)
{
    writer_i64le(w, out->value);
    writer_counted(w, out->script);
}

static void write_witnesses(struct writer *w, const struct tx *tx)
{
    for (size_t i = 0; i < tx->n_in; i++) {
        if (tx->in[i].witness.len > 0)
            writer_put(w, tx->in[i].witness);
        else
            writer_compact_size(w, 0); // no items
    }
}

// Lengths and counts take at most 9 bytes.
static size_t size_at_most(const struct tx *tx)
{
    size_t size = 4 + 2 + 9 + 9 + 4;
    for (size_t i = 0; i < tx->n_in; i++)
        size += 41 + 8 + tx->in[i].script_sig.len + 1 + tx->in[i].witness.len;
    for (size_t i = 0; i < tx->n_out; i++)
        size += 8 + 9 + tx->out[i].script.len;
    return size;
}

void tx_write(struct writer *w, const struct tx *tx)
{
    const bool with_witness = any_witness(tx);
    writer_reserve(w, size_at_most(tx));
    writer_u32le(w, (uint32_t)tx->version);
    if (with_witness)
        writer_put(w, BYTES("\x00\x01"));
    writer_compact_size(w, tx->n_in);
    for (size_t i = 0; i < tx->n_in; i++)
        tx_write_input(w, &tx->in[i]);
    writer_compact_size(w, tx->n_out);
    for (size_t i = 0; i < tx->n_out; i++)
        tx_write_output(w, &tx->out[i]);
    if (with_witness)
        write_witnesses(w, tx);
    writer_u32le(w, tx->locktime);
}
