#include "base/reader.h"
#include "signer/store_internal.h"

enum { STATE_VERSION = 1 };

static void write_counters(struct writer *w, const struct store_counters *c)
{
    writer_u64le(w, c->approvals);
    writer_u64le(w, c->refusals);
    writer_u64le(w, c->locker_reads);
    writer_u8(w, c->stopped);
}

void store_state_write(struct writer *w, const struct store_state *state)
{
    writer_u8(w, STATE_VERSION);
    write_counters(w, &state->counters);
    writer_u8(w, state->settings.has_hsm_commands);
    writer_u8(w, state->settings.hsm_commands);
    writer_u64le(w, state->head.seq);
    writer_put(w, BYTES_OF(state->head.hash.b));
    writer_u64le(w, state->first_line);
    writer_u64le(w, state->amounts.n);
    writer_u64le(w, state->amounts.next_seq);
    writer_put(w, BYTES_OF(state->amounts.sum));
    writer_compact_size(w, state->n_rows);
    for (size_t i = 0; i < state->n_rows; i++) {
        writer_counted(w, bytes_of_text(state->rows[i].name));
        writer_put(w, BYTES_OF(state->rows[i].hash.b));
    }
}

static bool read_bool(struct reader *r, bool *out)
{
    uint8_t value;
    if (!reader_u8(r, &value) || value > 1)
        return false;
    *out = value == 1;
    return true;
}

static bool read_counters(struct reader *r, struct store_counters *out)
{
    return reader_u64le(r, &out->approvals) && reader_u64le(r, &out->refusals) &&
           reader_u64le(r, &out->locker_reads) && read_bool(r, &out->stopped);
}

static bool read_row(struct reader *r, struct store_row *out)
{
    struct bytes name;
    if (!reader_counted(r, &name) || name.len >= sizeof out->name || name.len == 0 ||
        !bytes_is_printable_ascii(name))
        return false;
    memcpy(out->name, name.ptr, name.len);
    out->name[name.len] = '\0';
    return reader_copy(r, out->hash.b, sizeof out->hash.b);
}

static bool read_rows(struct reader *r, struct store_state *out)
{
    uint64_t n;
    if (!reader_compact_size(r, &n) || n > STORE_ROWS_MAX)
        return false;
    for (out->n_rows = 0; out->n_rows < n; out->n_rows++)
        if (!read_row(r, &out->rows[out->n_rows]))
            return false;
    return reader_done(r);
}

bool store_state_read(struct store_state *out, struct bytes content)
{
    struct reader r = reader_of(content);
    uint8_t version;
    return reader_u8(&r, &version) && version == STATE_VERSION &&
           read_counters(&r, &out->counters) && read_bool(&r, &out->settings.has_hsm_commands) &&
           read_bool(&r, &out->settings.hsm_commands) && reader_u64le(&r, &out->head.seq) &&
           reader_copy(&r, out->head.hash.b, sizeof out->head.hash.b) &&
           reader_u64le(&r, &out->first_line) && reader_u64le(&r, &out->amounts.n) &&
           reader_u64le(&r, &out->amounts.next_seq) &&
           reader_copy(&r, out->amounts.sum, sizeof out->amounts.sum) && read_rows(&r, out);
}
