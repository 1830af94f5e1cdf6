// bitcoin/sighash.c
#include "bitcoin/sighash.h"
#include "base/require.h"
#include <string.h>

#define BLANKED_LEN 41 // outpoint, length 0, sequence

void sighash_cache_init(struct sighash_cache *cache, const struct tx *tx, struct arena *arena)
{
    *cache = (struct sighash_cache){ .tx = tx, .arena = arena };
}

// Consensus takes the low five bits. Types with other bits set are not "known" ones and are refused
// before signing (psbt-signing 12.3).
static uint32_t base_type(uint32_t type)
{
    return type & 0x1f;
}

static bool is_acp(uint32_t type)
{
    return (type & SIGHASH_ANYONECANPAY) != 0;
}

static bool is_none_or_single(uint32_t type)
{
    return base_type(type) == SIGHASH_NONE || base_type(type) == SIGHASH_SINGLE;
}

static void add_outpoint(struct sha256 *h, const struct outpoint *prevout)
{
    sha256_update(h, BYTES_OF(prevout->txid.b));
    sha256_u32le(h, prevout->index);
}

static void add_script(struct sha256 *h, struct bytes script)
{
    sha256_compact_size(h, script.len);
    sha256_update(h, script);
}

static void add_output(struct sha256 *h, const struct tx_out *out)
{
    sha256_u64le(h, (uint64_t)out->value);
    add_script(h, out->script);
}

// --- Legacy ---

static bool write_outputs(struct sighash_cache *cache, struct writer *w)
{
    const struct tx *tx = cache->tx;
    const size_t start = w->len;
    writer_compact_size(w, tx->n_out);
    for (size_t i = 0; i < tx->n_out; i++)
        tx_write_output(w, &tx->out[i]);
    writer_u32le(w, tx->locktime);
    cache->outputs_locktime = bytes_slice(writer_bytes(w), start, w->len);
    return !w->failed;
}

static size_t outputs_len(const struct tx *tx)
{
    size_t len = 9 + 4; // count and locktime
    for (size_t i = 0; i < tx->n_out; i++)
        len += 8 + 9 + tx->out[i].script.len;
    return len;
}

// Serializes what the inputs have in common, once. The outputs follow the inputs that have their
// sequence, so that type ALL hashes one piece of memory after the input being signed.
static bool run_start(struct sighash_run *run, struct sighash_cache *cache, bool sequence_0,
                      struct err *err)
{
    const struct tx *tx = cache->tx;
    const size_t cap = tx->n_in * BLANKED_LEN + (sequence_0 ? 0 : outputs_len(tx));
    uint8_t *mem = arena_alloc(cache->arena, cap);
    if (mem == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for the digest of %zu inputs", tx->n_in);
    struct writer w = writer_of(mem, cap);
    for (size_t i = 0; i < tx->n_in; i++) {
        const struct tx_in blanked = { .prevout = tx->in[i].prevout,
                                       .sequence = sequence_0 ? 0 : tx->in[i].sequence };
        tx_write_input(&w, &blanked);
    }
    run->blanked = writer_bytes(&w);
    REQUIRE(sequence_0 || write_outputs(cache, &w));
    REQUIRE(!w.failed);
    return true;
}

static void run_rewind(struct sighash_run *run, const struct tx *tx)
{
    sha256_init(&run->state);
    sha256_u32le(&run->state, (uint32_t)tx->version);
    sha256_compact_size(&run->state, tx->n_in);
    run->n_done = 0;
}

static void run_to(struct sighash_run *run, const struct tx *tx, size_t input)
{
    if (input < run->n_done)
        run_rewind(run, tx);
    sha256_update(&run->state, bytes_slice(run->blanked, run->n_done * BLANKED_LEN,
                                           (input - run->n_done) * BLANKED_LEN));
    run->n_done = input;
}

static bool run_get(struct sighash_run **out, struct sighash_cache *cache, bool sequence_0,
                    struct err *err)
{
    *out = sequence_0 ? &cache->run_sequence_0 : &cache->run;
    if ((*out)->blanked.ptr != NULL)
        return true;
    if (!run_start(*out, cache, sequence_0, err))
        return false;
    run_rewind(*out, cache->tx);
    return true;
}

static void add_signed_input(struct sha256 *h, const struct tx_in *in, struct bytes script_code)
{
    add_outpoint(h, &in->prevout);
    add_script(h, script_code);
    sha256_u32le(h, in->sequence);
}

bool sighash_prepare_legacy(struct sighash_cache *cache, uint32_t type, struct err *err)
{
    struct sighash_run *run;
    return run_get(&run, cache, is_none_or_single(type), err);
}

// "before it outputs of amount -1 and empty script"
static void add_blank_outputs(struct sha256 *h, size_t n)
{
    uint8_t blank[64][9];
    memset(blank, 0xff, sizeof blank);
    for (size_t i = 0; i < COUNT(blank); i++)
        blank[i][8] = 0;
    for (; n > COUNT(blank); n -= COUNT(blank))
        sha256_update(h, BYTES_OF(blank));
    sha256_update(h, bytes_of(blank, n * sizeof blank[0]));
}

static void add_none_or_single(struct sha256 *h, const struct tx *tx, size_t input, uint32_t type)
{
    if (base_type(type) == SIGHASH_NONE) {
        sha256_compact_size(h, 0);
    } else {
        sha256_compact_size(h, input + 1);
        add_blank_outputs(h, input);
        add_output(h, &tx->out[input]);
    }
    sha256_u32le(h, tx->locktime);
}

bool sighash_legacy(struct hash256 *out, struct sighash_cache *cache, size_t input,
                    struct bytes script_code, uint32_t type, struct err *err)
{
    const struct tx *tx = cache->tx;
    const bool few_outputs = is_none_or_single(type);
    struct sighash_run *run;
    struct sha256 h;
    REQUIRE(input < tx->n_in);
    if (base_type(type) == SIGHASH_SINGLE && input >= tx->n_out) {
        *out = (struct hash256){ { 1 } };
        return true;
    }
    // The first run brings the serialized outputs along, which ALL needs even with ANYONECANPAY.
    if (!run_get(&run, cache, few_outputs, err))
        return false;
    if (is_acp(type)) {
        sha256_init(&h);
        sha256_u32le(&h, (uint32_t)tx->version);
        sha256_compact_size(&h, 1);
        add_signed_input(&h, &tx->in[input], script_code);
    } else {
        run_to(run, tx, input);
        h = run->state;
        add_signed_input(&h, &tx->in[input], script_code);
        sha256_update(&h, bytes_slice(run->blanked, (input + 1) * BLANKED_LEN, run->blanked.len));
    }
    if (few_outputs)
        add_none_or_single(&h, tx, input, type);
    else
        sha256_update(&h, cache->outputs_locktime);
    sha256_u32le(&h, type);
    *out = sha256d_final(&h);
    return true;
}

// --- BIP-143 and BIP-341: components once per transaction ---

static void add_written(struct sha256 *h, struct writer *w)
{
    sha256_update(h, writer_bytes(w));
    w->len = 0;
}

// Many at once: a call for each number would cost more than the hash.
static void add_outputs(struct sha256 *h, const struct tx *tx)
{
    uint8_t mem[1024];
    struct writer w = writer_of(mem, sizeof mem);
    for (size_t i = 0; i < tx->n_out; i++) {
        const struct tx_out *out = &tx->out[i];
        const bool fits = out->script.len < sizeof mem / 2;
        if (!fits || w.len + 8 + 9 + out->script.len > sizeof mem)
            add_written(h, &w);
        if (fits)
            tx_write_output(&w, out);
        else
            add_output(h, out);
    }
    add_written(h, &w);
}

static void cache_parts(struct sighash_cache *cache)
{
    const struct tx *tx = cache->tx;
    struct sha256 prevouts, sequences, outputs;
    if (cache->has_parts)
        return;
    sha256_init(&prevouts);
    sha256_init(&sequences);
    sha256_init(&outputs);
    for (size_t i = 0; i < tx->n_in; i++) {
        add_outpoint(&prevouts, &tx->in[i].prevout);
        sha256_u32le(&sequences, tx->in[i].sequence);
    }
    add_outputs(&outputs, tx);
    cache->prevouts = sha256_final(&prevouts);
    cache->sequences = sha256_final(&sequences);
    cache->outputs = sha256_final(&outputs);
    cache->prevouts_twice = sha256(BYTES_OF(cache->prevouts.b));
    cache->sequences_twice = sha256(BYTES_OF(cache->sequences.b));
    cache->outputs_twice = sha256(BYTES_OF(cache->outputs.b));
    cache->has_parts = true;
}

void sighash_prepare_segwit0(struct sighash_cache *cache)
{
    cache_parts(cache);
}

// BIP-143: "hashOutputs": all; SINGLE: the one of the same number; else 32 zero bytes.
static struct hash256 segwit0_outputs(const struct sighash_cache *cache, size_t input,
                                      uint32_t type)
{
    struct sha256 h;
    if (!is_none_or_single(type))
        return cache->outputs_twice;
    if (base_type(type) == SIGHASH_NONE || input >= cache->tx->n_out)
        return (struct hash256){ { 0 } };
    sha256_init(&h);
    add_output(&h, &cache->tx->out[input]);
    return sha256d_final(&h);
}

struct hash256 sighash_segwit0(struct sighash_cache *cache, size_t input, struct bytes script_code,
                               struct sats amount, uint32_t type)
{
    const struct hash256 zero = { { 0 } };
    const struct tx *tx = cache->tx;
    struct sha256 h;
    REQUIRE(input < tx->n_in);
    cache_parts(cache);
    const bool no_sequences = is_acp(type) || is_none_or_single(type);
    const struct hash256 outputs = segwit0_outputs(cache, input, type);
    sha256_init(&h);
    sha256_u32le(&h, (uint32_t)tx->version);
    sha256_update(&h, BYTES_OF((is_acp(type) ? &zero : &cache->prevouts_twice)->b));
    sha256_update(&h, BYTES_OF((no_sequences ? &zero : &cache->sequences_twice)->b));
    add_outpoint(&h, &tx->in[input].prevout);
    add_script(&h, script_code);
    sha256_u64le(&h, amount.n);
    sha256_u32le(&h, tx->in[input].sequence);
    sha256_update(&h, BYTES_OF(outputs.b));
    sha256_u32le(&h, tx->locktime);
    sha256_u32le(&h, type);
    return sha256d_final(&h);
}

static void cache_spent(struct sighash_cache *cache, const struct tx_out *spent)
{
    struct sha256 amounts, scripts;
    if (cache->has_spent)
        return;
    sha256_init(&amounts);
    sha256_init(&scripts);
    for (size_t i = 0; i < cache->tx->n_in; i++) {
        sha256_u64le(&amounts, (uint64_t)spent[i].value);
        add_script(&scripts, spent[i].script);
    }
    cache->amounts = sha256_final(&amounts);
    cache->scripts = sha256_final(&scripts);
    sha256_init_tagged(&cache->taproot, "TapSighash");
    sha256_u8(&cache->taproot, 0); // epoch
    cache->has_spent = true;
}

void sighash_prepare_taproot(struct sighash_cache *cache, const struct tx_out *spent)
{
    cache_parts(cache);
    cache_spent(cache, spent);
}

// BIP-341: "The hash_type is ... 0x00, 0x01, 0x02, 0x03, 0x81, 0x82, or 0x83".
static bool is_taproot_type(uint32_t type)
{
    return type <= SIGHASH_SINGLE || (type >= (SIGHASH_ANYONECANPAY | SIGHASH_ALL) &&
                                      type <= (SIGHASH_ANYONECANPAY | SIGHASH_SINGLE));
}

// BIP-341: "Transaction data" of Common signature message.
static void add_taproot_transaction(struct sha256 *h, const struct sighash_cache *cache,
                                    uint32_t type)
{
    sha256_u32le(h, (uint32_t)cache->tx->version);
    sha256_u32le(h, cache->tx->locktime);
    if (!is_acp(type)) {
        sha256_update(h, BYTES_OF(cache->prevouts.b));
        sha256_update(h, BYTES_OF(cache->amounts.b));
        sha256_update(h, BYTES_OF(cache->scripts.b));
        sha256_update(h, BYTES_OF(cache->sequences.b));
    }
    if (!is_none_or_single(type))
        sha256_update(h, BYTES_OF(cache->outputs.b));
}

// BIP-341: "Data about this input" and "Data about this output".
static void add_taproot_input(struct sha256 *h, const struct tx *tx, size_t input,
                              const struct tx_out *spent, uint32_t type)
{
    sha256_u8(h, 0); // spend_type: key path, no annex
    if (is_acp(type)) {
        add_outpoint(h, &tx->in[input].prevout);
        add_output(h, &spent[input]);
        sha256_u32le(h, tx->in[input].sequence);
    } else {
        sha256_u32le(h, (uint32_t)input);
    }
    if (base_type(type) == SIGHASH_SINGLE) {
        struct sha256 output;
        sha256_init(&output);
        add_output(&output, &tx->out[input]);
        const struct hash256 hash = sha256_final(&output);
        sha256_update(h, BYTES_OF(hash.b));
    }
}

bool sighash_taproot(struct hash256 *out, struct sighash_cache *cache, size_t input,
                     const struct tx_out *spent, uint32_t type, struct err *err)
{
    const struct tx *tx = cache->tx;
    struct sha256 h;
    REQUIRE(input < tx->n_in);
    if (!is_taproot_type(type))
        return err_set(err, ERR_INVALID, "hash type %u is not defined for taproot", type);
    // BIP-341: "Using SIGHASH_SINGLE without a 'corresponding output' ... cause validation failure"
    if (base_type(type) == SIGHASH_SINGLE && input >= tx->n_out)
        return err_set(err, ERR_INVALID, "no output for SINGLE of input %zu", input);
    sighash_prepare_taproot(cache, spent);
    h = cache->taproot;
    sha256_u8(&h, (uint8_t)type);
    add_taproot_transaction(&h, cache, type);
    add_taproot_input(&h, tx, input, spent, type);
    *out = sha256_final(&h);
    return true;
}
