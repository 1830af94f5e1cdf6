// bitcoin/tx_scan.c
#include "bitcoin/tx_scan.h"

enum { OUTPOINT_LEN = 36, SEQUENCE_LEN = 4 };

bool tx_read_out(struct reader *r, struct tx_out *out)
{
    struct tx_out o = { 0 };
    struct reader at = *r;
    if (!reader_i64le(&at, &o.value) || !reader_counted(&at, &o.script))
        return false;
    *out = o;
    *r = at;
    return true;
}

// What was read between two positions of one reader.
static struct bytes between(const struct reader *from, const struct reader *to)
{
    return bytes_slice(from->rest, 0, from->rest.len - to->rest.len);
}

// A count from outside bounds nothing but the loop: each item takes bytes, and those run out.
static bool scan_inputs(struct tx_scan *out, struct reader *r)
{
    uint64_t count;
    struct bytes skipped;
    if (!reader_compact_size(r, &count))
        return false;
    for (uint64_t i = 0; i < count; i++)
        if (!reader_take(r, OUTPOINT_LEN, &skipped) || !reader_counted(r, &skipped) ||
            !reader_take(r, SEQUENCE_LEN, &skipped))
            return false;
    out->n_in = (size_t)count;
    return true;
}

static bool scan_outputs(struct tx_scan *out, struct reader *r)
{
    uint64_t count;
    struct tx_out skipped;
    if (!reader_compact_size(r, &count))
        return false;
    const struct reader from = *r;
    for (uint64_t i = 0; i < count; i++)
        if (!tx_read_out(r, &skipped))
            return false;
    out->n_out = (size_t)count;
    out->outputs = between(&from, r);
    return true;
}

// For each input a count of items, then the items. *any: there was at least one item.
static bool skip_witnesses(struct reader *r, size_t n_in, bool *any)
{
    uint64_t items;
    struct bytes skipped;
    *any = false;
    for (size_t i = 0; i < n_in; i++) {
        if (!reader_compact_size(r, &items))
            return false;
        *any = *any || items > 0;
        for (uint64_t k = 0; k < items; k++)
            if (!reader_counted(r, &skipped))
                return false;
    }
    return true;
}

// BIP-144: a marker of 0, where the legacy format counts inputs, and a flag of 1. "If the witness is
// empty, the old serialization format must be used."
static bool scan(struct tx_scan *out, struct reader *r)
{
    bool any_item = true;
    if (!reader_take(r, 4, &out->head))
        return false;
    const bool has_witness = reader_accept_bytes(r, BYTES("\x00\x01"));
    const struct reader from = *r;
    if (!scan_inputs(out, r) || !scan_outputs(out, r))
        return false;
    out->body = between(&from, r);
    if (has_witness && (!skip_witnesses(r, out->n_in, &any_item) || !any_item))
        return false;
    return reader_take(r, 4, &out->tail);
}

bool tx_scan(struct tx_scan *out, struct bytes raw, struct err *err)
{
    struct tx_scan s = { 0 };
    struct reader r = reader_of(raw);
    if (!scan(&s, &r))
        return err_set(err, ERR_TRUNCATED, "transaction breaks off at byte %zu", r.offset);
    if (!reader_done(&r))
        return err_set(err, ERR_MALFORMED, "transaction goes on after byte %zu", r.offset);
    if (s.head.len + s.body.len + s.tail.len > TX_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "transaction longer than %d bytes", TX_SIZE_MAX);
    *out = s;
    return true;
}

struct hash256 tx_scan_txid(const struct tx_scan *scan)
{
    struct sha256 h;
    sha256_init(&h);
    sha256_update(&h, scan->head);
    sha256_update(&h, scan->body);
    sha256_update(&h, scan->tail);
    return sha256d_final(&h);
}

bool tx_scan_output(const struct tx_scan *scan, uint32_t index, struct tx_out *out)
{
    struct reader r = reader_of(scan->outputs);
    if (index >= scan->n_out)
        return false;
    for (uint32_t i = 0; i <= index; i++)
        if (!tx_read_out(&r, out))
            return false;
    return true;
}
