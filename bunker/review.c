#include "bunker/review.h"
#include "base/hex.h"
#include "base/reader.h"
#include "bitcoin/address.h"
#include "bitcoin/sats.h"
#include "bitcoin/script.h"

// --- Uploads ---

bool review_upload(struct bytes *out, struct bytes file, struct arena *arena, struct err *err)
{
    static const char magic[] = "File does not have PSBT magic number at start.";
    enum psbt_encoding encoding;
    struct psbt psbt;
    struct err why;
    if (!psbt_decode_file(out, &encoding, file, arena, &why))
        return err_set(err, why.code == ERR_NO_MEMORY ? ERR_LIMIT : ERR_MALFORMED, "%s", magic);
    if (!bytes_starts_with(*out, BYTES(PSBT_MAGIC)))
        return err_set(err, ERR_MALFORMED, "%s", magic);
    if (out->len > PSBT_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "PSBT is too large (limit %d bytes).", PSBT_SIZE_MAX);
    if (!psbt_parse(&psbt, *out, arena, &why))
        return err_set(err, ERR_INVALID, why.detail[0] != '\0' ? "%s: %s" : "%s", why.text,
                       why.detail);
    return true;
}

// --- What an input still lacks ---

static size_t count_fields(const struct psbt_map *map, uint8_t type)
{
    size_t n = 0;
    for (const struct psbt_field *f = NULL; (f = psbt_next(map, type, f)) != NULL;)
        n++;
    return n;
}

static size_t count_signatures(const struct psbt_map *in)
{
    static const uint8_t types[] = { PSBT_IN_PARTIAL_SIG, PSBT_IN_TAP_KEY_SIG,
                                     PSBT_IN_TAP_SCRIPT_SIG, PSBT_IN_FINAL_SCRIPT_SIG,
                                     PSBT_IN_FINAL_WITNESS };
    size_t n = 0;
    for (size_t i = 0; i < COUNT(types); i++)
        n += count_fields(in, types[i]);
    return n;
}

static bool is_final(const struct psbt_map *in)
{
    return psbt_get(in, PSBT_IN_FINAL_SCRIPT_SIG) != NULL ||
           psbt_get(in, PSBT_IN_FINAL_WITNESS) != NULL;
}

// Key path values begin with the fingerprint; of taproot ones, after the leaf hashes.
static bool claims_key(const struct psbt_map *map, uint8_t type, uint8_t tap_type,
                       const uint8_t xfp[4])
{
    const struct psbt_field *f = NULL;
    while ((f = psbt_next(map, type, f)) != NULL)
        if (f->value.len >= 4 && memcmp(f->value.ptr, xfp, 4) == 0)
            return true;
    while ((f = psbt_next(map, tap_type, f)) != NULL) {
        struct reader r = reader_of(f->value);
        uint64_t n_leaves;
        struct bytes leaves, found;
        if (reader_compact_size(&r, &n_leaves) && n_leaves < 1000 &&
            reader_take(&r, n_leaves * 32, &leaves) && reader_take(&r, 4, &found) &&
            memcmp(found.ptr, xfp, 4) == 0)
            return true;
    }
    return false;
}

static bool has_xfp(const struct psbt_map *in, const uint8_t xfp[4])
{
    return claims_key(in, PSBT_IN_KEY_PATH, PSBT_IN_TAP_KEY_PATH, xfp);
}

// How many signatures the input's script wants: m of "m ... n CHECKMULTISIG", else 1.
static size_t needed(const struct psbt_map *in)
{
    const struct psbt_field *f = psbt_get(in, PSBT_IN_WITNESS_SCRIPT);
    if (f == NULL)
        f = psbt_get(in, PSBT_IN_REDEEM_SCRIPT);
    if (f == NULL || f->value.len < 3 || f->value.ptr[f->value.len - 1] != 0xae)
        return 1;
    return f->value.ptr[0] >= 0x51 && f->value.ptr[0] <= 0x60 ? f->value.ptr[0] - 0x50u : SIZE_MAX;
}

// Whether the device has a key of this input that has not signed yet: it adds one signature.
static bool adds_signature(const struct psbt_map *in, const uint8_t xfp[4])
{
    const struct psbt_field *f = NULL;
    while ((f = psbt_next(in, PSBT_IN_KEY_PATH, f)) != NULL)
        if (f->value.len >= 4 && memcmp(f->value.ptr, xfp, 4) == 0 &&
            psbt_find_keyed(in, PSBT_IN_PARTIAL_SIG, bytes_slice(f->key, 1, SIZE_MAX)) == NULL)
            return true;
    return psbt_get(in, PSBT_IN_TAP_KEY_PATH) != NULL && psbt_get(in, PSBT_IN_TAP_KEY_SIG) == NULL;
}

bool review_is_completed_by(const struct psbt *psbt, struct bytes xfp)
{
    uint8_t own[4];
    if (!hex_decode(own, sizeof own, xfp))
        return false;
    for (size_t i = 0; i < psbt->n_in; i++) {
        const struct psbt_map *in = &psbt->in[i];
        if (is_final(in))
            continue;
        if (!has_xfp(in, own) ||
            needed(in) > count_fields(in, PSBT_IN_PARTIAL_SIG) + adds_signature(in, own))
            return false;
    }
    return psbt_get(&psbt->global, PSBT_GLOBAL_MESSAGE) == NULL; // BIP-322 comes back as a PSBT
}

// --- Results ---

static bool same_outputs(const struct tx *a, const struct tx *b)
{
    for (size_t i = 0; i < a->n_out; i++)
        if (a->out[i].value != b->out[i].value || !bytes_equal(a->out[i].script, b->out[i].script))
            return false;
    return true;
}

static bool same_inputs(const struct tx *a, const struct tx *b)
{
    for (size_t i = 0; i < a->n_in; i++)
        if (memcmp(&a->in[i].prevout.txid, &b->in[i].prevout.txid, sizeof a->in[i].prevout.txid) !=
                0 ||
            a->in[i].prevout.index != b->in[i].prevout.index ||
            a->in[i].sequence != b->in[i].sequence)
            return false;
    return true;
}

static bool same_tx(const struct tx *a, const struct tx *b)
{
    return a->n_in == b->n_in && a->n_out == b->n_out && a->version == b->version &&
           a->locktime == b->locktime && same_inputs(a, b) && same_outputs(a, b);
}

static size_t all_signatures(const struct psbt *psbt)
{
    size_t n = 0;
    for (size_t i = 0; i < psbt->n_in; i++)
        n += count_signatures(&psbt->in[i]);
    return n;
}

static bool review_signed_psbt(struct bytes result, const struct psbt *submitted,
                               struct arena *arena, struct err *err)
{
    struct psbt psbt;
    struct err why;
    if (!psbt_parse(&psbt, result, arena, &why))
        return err_set(err, ERR_MALFORMED, "The device returned neither PSBT nor transaction.");
    if (!same_tx(&psbt.tx, &submitted->tx))
        return err_set(err, ERR_INVALID, "The device returned another transaction.");
    if (all_signatures(&psbt) <= all_signatures(submitted))
        return err_set(err, ERR_INVALID, "The device added no signature.");
    return true;
}

bool review_result(enum result_kind *kind, char txid[static 65], struct bytes result,
                   struct bytes submitted, struct arena *arena, struct err *err)
{
    struct psbt before;
    struct tx tx;
    struct err why;
    txid[0] = '\0';
    if (!psbt_parse(&before, submitted, arena, err))
        return false;
    *kind = RESULT_PSBT;
    if (bytes_starts_with(result, BYTES(PSBT_MAGIC)))
        return review_signed_psbt(result, &before, arena, err);
    *kind = RESULT_TRANSACTION;
    if (!tx_parse(&tx, result, arena, &why))
        return err_set(err, ERR_MALFORMED, "The device returned neither PSBT nor transaction.");
    if (!same_tx(&tx, &before.tx))
        return err_set(err, ERR_INVALID, "The device returned another transaction.");
    const struct hash256 id = tx_txid(&tx);
    txid_to_text(txid, &id);
    return true;
}

// --- The picture ---

// The amount that an input spends, as the PSBT says it.
static bool input_amount(const struct psbt *psbt, size_t i, struct tx_out *out, struct arena *arena)
{
    const struct psbt_map *in = &psbt->in[i];
    const struct psbt_field *f = psbt_get(in, PSBT_IN_NON_WITNESS_UTXO);
    struct tx tx;
    struct err err;
    if (f != NULL && tx_parse(&tx, f->value, arena, &err) &&
        psbt->tx.in[i].prevout.index < tx.n_out) {
        *out = tx.out[psbt->tx.in[i].prevout.index];
        return true;
    }
    f = psbt_get(in, PSBT_IN_WITNESS_UTXO);
    if (f == NULL)
        return false;
    struct reader r = reader_of(f->value);
    return reader_i64le(&r, &out->value) && reader_counted(&r, &out->script);
}

static const char *type_name(enum script_kind kind)
{
    static const char *const names[] = {
        [SCRIPT_UNKNOWN] = "unknown", [SCRIPT_P2TR] = "p2tr",           [SCRIPT_P2WPKH] = "p2wpkh",
        [SCRIPT_P2WSH] = "p2wsh",     [SCRIPT_P2PKH] = "p2pkh",         [SCRIPT_P2SH] = "p2sh",
        [SCRIPT_P2PK] = "p2pk",       [SCRIPT_OP_RETURN] = "op_return",
    };
    return names[kind];
}

static void write_address(struct json_writer *j, struct bytes script, const struct chain *chain,
                          struct arena *arena)
{
    struct writer w = writer_growing(arena, 2 * SCRIPT_MAX + 200);
    address_or_hex(&w, bytes_slice(script, 0, SCRIPT_MAX), chain);
    json_key(j, "address");
    json_string(j, writer_bytes(&w));
    json_key(j, "type");
    json_text(j, type_name(script_classify(script)));
    json_key(j, "script_len");
    json_u64(j, script.len);
}

// The hash type that an input asks for, if that is neither "all" nor the default.
static void write_sighash(struct json_writer *j, const struct psbt_map *in)
{
    const struct psbt_field *f = psbt_get(in, PSBT_IN_SIGHASH_TYPE);
    uint32_t type;
    if (f == NULL)
        return;
    struct reader r = reader_of(f->value);
    if (!reader_u32le(&r, &type) || type <= 1)
        return;
    json_key(j, "sighash");
    json_u64(j, type);
}

static bool write_input(struct json_writer *j, const struct psbt *psbt, size_t i,
                        const uint8_t xfp[4], const struct chain *chain, struct arena *arena,
                        struct sats *total)
{
    const struct psbt_map *in = &psbt->in[i];
    struct tx_out spent;
    const bool known = input_amount(psbt, i, &spent, arena) && spent.value >= 0;
    json_begin_object(j);
    json_key(j, "own");
    json_bool(j, has_xfp(in, xfp));
    json_key(j, "signatures");
    json_u64(j, count_fields(in, PSBT_IN_PARTIAL_SIG) + count_fields(in, PSBT_IN_TAP_KEY_SIG));
    json_key(j, "needed");
    json_u64(j, needed(in) == SIZE_MAX ? 0 : needed(in));
    json_key(j, "final");
    json_bool(j, is_final(in));
    write_sighash(j, in);
    if (known) {
        json_key(j, "sats");
        json_i64(j, spent.value);
        write_address(j, spent.script, chain, arena);
    }
    json_end_object(j);
    return known && sats_add(total, (struct sats){ (uint64_t)spent.value });
}

static bool output_claims_change(const struct psbt_map *out, const uint8_t xfp[4])
{
    return claims_key(out, PSBT_OUT_KEY_PATH, PSBT_OUT_TAP_KEY_PATH, xfp);
}

bool review_paid(struct sats *paid, size_t *n, const struct psbt *psbt, struct bytes xfp)
{
    uint8_t own[4] = { 0 };
    *paid = (struct sats){ 0 };
    *n = 0;
    if (!hex_decode(own, sizeof own, xfp))
        return false;
    for (size_t i = 0; i < psbt->n_out; i++) {
        const int64_t value = psbt->tx.out[i].value;
        if (output_claims_change(&psbt->out[i], own))
            continue;
        if (value < 0 || !sats_add(paid, (struct sats){ (uint64_t)value }))
            return false;
        ++*n;
    }
    return true;
}

static void write_output(struct json_writer *j, const struct psbt *psbt, size_t i,
                         const uint8_t xfp[4], const struct chain *chain, struct arena *arena)
{
    json_begin_object(j);
    json_key(j, "sats");
    json_i64(j, psbt->tx.out[i].value);
    write_address(j, psbt->tx.out[i].script, chain, arena);
    // The bunker derives nothing: only the device can prove it.
    json_key(j, "claimed_change");
    json_bool(j, output_claims_change(&psbt->out[i], xfp));
    json_end_object(j);
}

static bool is_replaceable(const struct tx *tx)
{
    for (size_t i = 0; i < tx->n_in; i++)
        if (tx->in[i].sequence < 0xfffffffe)
            return true;
    return false;
}

void review_write(struct json_writer *j, const struct psbt *psbt, struct bytes xfp,
                  const struct chain *chain, struct arena *arena)
{
    uint8_t own[4] = { 0 };
    struct sats in = { 0 }, out = { 0 };
    bool known = hex_decode(own, sizeof own, xfp) || xfp.len == 0;
    json_begin_object(j);
    json_key(j, "chain");
    json_text(j, chain->code);
    json_key(j, "inputs");
    json_begin_array(j);
    for (size_t i = 0; i < psbt->n_in; i++)
        known = write_input(j, psbt, i, own, chain, arena, &in) && known;
    json_end_array(j);
    json_key(j, "outputs");
    json_begin_array(j);
    for (size_t i = 0; i < psbt->n_out; i++) {
        write_output(j, psbt, i, own, chain, arena);
        known = psbt->tx.out[i].value >= 0 &&
                sats_add(&out, (struct sats){ (uint64_t)psbt->tx.out[i].value }) && known;
    }
    json_end_array(j);
    json_key(j, "rbf"); // BIP-125: may be replaced by another that pays more
    json_bool(j, is_replaceable(&psbt->tx));
    json_key(j, "locktime");
    json_u64(j, psbt->tx.locktime);
    if (known && in.n >= out.n) {
        json_key(j, "fee");
        json_u64(j, in.n - out.n);
    }
    json_end_object(j);
}
