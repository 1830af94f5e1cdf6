// bitcoin/psbt_tx.c
#include "bitcoin/psbt_tx.h"
#include "base/reader.h"
#include "base/require.h"
#include "bitcoin/psbt_err.h"

// Serialized, without witness: an input with an empty script, an output with an empty script, and
// the rest of a transaction at its shortest.
enum { TX_IN_SIZE = 41, TX_OUT_SIZE = 9, TX_REST_SIZE = 10 };
#define SEQUENCE_FINAL UINT32_MAX

// --- How many ---

// Psbt-signing 8.4: "The legacy format is always assumed: a transaction that begins `00 01` after
// the version is an error, not a witness transaction."
static bool read_v0(struct psbt *p, struct arena *arena, struct err *err)
{
    struct err why;
    if (!tx_parse_legacy(&p->tx, psbt_get(&p->global, PSBT_GLOBAL_UNSIGNED_TX)->value, arena, &why))
        return why.code == ERR_NO_MEMORY ? psbt_too_complex(err)
                                         : psbt_unreadable(err, "txn read end wrong");
    for (size_t i = 0; i < p->tx.n_in; i++)
        // BIP-174: "The scriptSigs and witnesses for each input must be empty."
        if (p->tx.in[i].script_sig.len > 0)
            return psbt_unreadable(err, "input %zu: scriptSig in the unsigned transaction", i);
    p->n_in = p->tx.n_in;
    p->n_out = p->tx.n_out;
    return true;
}

static uint64_t count_of(const struct psbt *p, uint8_t type)
{
    struct reader r = reader_of(psbt_get(&p->global, type)->value);
    uint64_t n;
    REQUIRE(reader_compact_size(&r, &n)); // the field table checked it
    return n;
}

static bool counts_of_v2(struct psbt *p, struct err *err)
{
    const uint64_t n_in = count_of(p, PSBT_GLOBAL_INPUT_COUNT);
    const uint64_t n_out = count_of(p, PSBT_GLOBAL_OUTPUT_COUNT);
    if (n_in > TX_SIZE_MAX / TX_IN_SIZE || n_out > TX_SIZE_MAX / TX_OUT_SIZE ||
        TX_REST_SIZE + n_in * TX_IN_SIZE + n_out * TX_OUT_SIZE > TX_SIZE_MAX)
        return psbt_unreadable(err, "transaction would be longer than %d bytes", TX_SIZE_MAX);
    p->n_in = (size_t)n_in;
    p->n_out = (size_t)n_out;
    return true;
}

bool psbt_tx_counts(struct psbt *p, size_t left, struct arena *arena, struct err *err)
{
    if (!(p->version == 0 ? read_v0(p, arena, err) : counts_of_v2(p, err)))
        return false;
    // Each map takes at least the byte that ends it.
    if (p->n_in > left || p->n_out > left - p->n_in)
        return psbt_unreadable(err, "%zu maps in %zu bytes", p->n_in + p->n_out, left);
    return true;
}

// --- Version 2 ---

// The largest of one kind of required locktime, and whether each input that requires any has it.
struct locktimes {
    bool any, all;
    uint32_t max;
};

static void take_locktime(struct locktimes *l, const struct psbt_field *f)
{
    if (f == NULL) {
        l->all = false;
        return;
    }
    l->any = true;
    if (psbt_u32(f) > l->max)
        l->max = psbt_u32(f);
}

// BIP-370, "Determining Lock Time"; psbt-signing 8.5 (D-LOCKTIME).
static bool locktime_of(const struct psbt *p, uint32_t *out, struct err *err)
{
    struct locktimes height = { .all = true }, time = { .all = true };
    for (size_t i = 0; i < p->n_in; i++) {
        const struct psbt_field *h = psbt_get(&p->in[i], PSBT_IN_HEIGHT_LOCKTIME);
        const struct psbt_field *t = psbt_get(&p->in[i], PSBT_IN_TIME_LOCKTIME);
        if (h == NULL && t == NULL)
            continue;
        take_locktime(&height, h);
        take_locktime(&time, t);
    }
    const struct psbt_field *fallback = psbt_get(&p->global, PSBT_GLOBAL_FALLBACK_LOCKTIME);
    if (!height.any && !time.any)
        *out = fallback == NULL ? 0 : psbt_u32(fallback);
    else if (height.all) // "If both are possible, the height is chosen"
        *out = height.max;
    else if (time.all)
        *out = time.max;
    else
        return psbt_invalid(err, "locktime");
    return true;
}

static struct tx_in input_of(const struct psbt_map *map)
{
    struct tx_in in = { .sequence = SEQUENCE_FINAL };
    const struct psbt_field *sequence = psbt_get(map, PSBT_IN_SEQUENCE);
    memcpy(in.prevout.txid.b, psbt_get(map, PSBT_IN_PREVIOUS_TXID)->value.ptr, 32);
    in.prevout.index = psbt_u32(psbt_get(map, PSBT_IN_OUTPUT_INDEX));
    if (sequence != NULL)
        in.sequence = psbt_u32(sequence);
    return in;
}

static struct tx_out output_of(const struct psbt_map *map)
{
    struct tx_out out = { .script = psbt_get(map, PSBT_OUT_SCRIPT)->value };
    struct reader amount = reader_of(psbt_get(map, PSBT_OUT_AMOUNT)->value);
    REQUIRE(reader_i64le(&amount, &out.value));
    return out;
}

bool psbt_tx_build(struct psbt *p, struct arena *arena, struct err *err)
{
    size_t scripts = 0;
    struct tx *tx = &p->tx;
    tx->n_in = p->n_in;
    tx->n_out = p->n_out;
    tx->in = arena_array(arena, p->n_in, sizeof *tx->in);
    tx->out = arena_array(arena, p->n_out, sizeof *tx->out);
    if (tx->in == NULL || tx->out == NULL)
        return psbt_too_complex(err);
    tx->version = (int32_t)psbt_u32(psbt_get(&p->global, PSBT_GLOBAL_TX_VERSION));
    for (size_t i = 0; i < p->n_in; i++)
        tx->in[i] = input_of(&p->in[i]);
    for (size_t i = 0; i < p->n_out; i++) {
        tx->out[i] = output_of(&p->out[i]);
        scripts += tx->out[i].script.len;
    }
    if (scripts + p->n_in * TX_IN_SIZE + p->n_out * TX_OUT_SIZE > TX_SIZE_MAX)
        return psbt_unreadable(err, "transaction longer than %d bytes", TX_SIZE_MAX);
    return locktime_of(p, &tx->locktime, err);
}
