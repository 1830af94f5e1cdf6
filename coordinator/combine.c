// coordinator/combine.c -- what signers returned: verified, cut down, put together, final.
//
// (1) Of a returned PSBT only signatures are used, and none that does not verify against the digest that we
//     compute of what we sent: a signer cannot change amounts, scripts or outputs.
// (2) SIGHASH_ALL, strict DER and low s, or it is no signature.
// (3) The final transaction is made here, and its witnesses are checked again as a node would.
// Source: coordinator.md D6 "Combination".
#include "base/reader.h"
#include "bitcoin/final_scripts.h"
#include "coordinator/build.h"

enum {
    SIG_MAX = ECDSA_DER_MAX + 1,
    WITNESS_MAX = 2 + SIG_MAX * (MS_KEYS_MAX + 1) + 3 + MS_SCRIPT_MAX
};

// The PSBT that was sent, with what its digests need.
struct sent {
    const struct wallet *wallet;
    const struct ms_wallet *keys;
    struct psbt psbt;
    struct sighash_cache digests;
    struct tx_out *spent;
    struct wallet_place *places;
    struct bytes *scripts; // witness scripts
};

static bool invalid(struct err *err, const char *what)
{
    return err_set(err, ERR_INVALID, "%s", what);
}

// --- What was sent ---

static bool read_input(struct sent *s, size_t i, struct err *err)
{
    const struct psbt_field *utxo = psbt_get(&s->psbt.in[i], PSBT_IN_WITNESS_UTXO);
    const struct psbt_field *script = psbt_get(&s->psbt.in[i], PSBT_IN_WITNESS_SCRIPT);
    struct reader r = reader_of(utxo == NULL ? (struct bytes){ 0 } : utxo->value);
    uint64_t value;
    if (script == NULL || !reader_u64le(&r, &value) || !reader_counted(&r, &s->spent[i].script) ||
        value > SATS_MAX || !wallet_owns(s->wallet, s->spent[i].script, &s->places[i]))
        return err_set(err, ERR_INVALID, "input %zu is no coin of the wallet", i);
    s->spent[i].value = (int64_t)value;
    s->scripts[i] = script->value;
    return true;
}

static bool read_sent(struct sent *s, const struct wallet *wallet, struct bytes psbt,
                      struct arena *arena, struct err *err)
{
    *s = (struct sent){ .wallet = wallet, .keys = wallet_keys(wallet) };
    if (!psbt_parse(&s->psbt, psbt, arena, err))
        return false;
    s->spent = arena_array(arena, s->psbt.n_in, sizeof s->spent[0]);
    s->places = arena_array(arena, s->psbt.n_in, sizeof s->places[0]);
    s->scripts = arena_array(arena, s->psbt.n_in, sizeof s->scripts[0]);
    if (s->spent == NULL || s->places == NULL || s->scripts == NULL)
        return err_set(err, ERR_NO_MEMORY, "too many inputs");
    sighash_cache_init(&s->digests, &s->psbt.tx, arena);
    for (size_t i = 0; i < s->psbt.n_in; i++)
        if (!read_input(s, i, err))
            return false;
    return true;
}

// --- One signature ---

// Of half the group's order: nodes relay no s above it (BIP-146).
static const uint8_t HALF_ORDER[32] = {
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
};

static bool check_signature(struct sent *s, size_t i, const struct pubkey *key, struct bytes value,
                            struct err *err)
{
    struct signature sig;
    if (value.len == 0 || value.ptr[value.len - 1] != SIGHASH_ALL)
        return err_set(err, ERR_INVALID, "input %zu: the hash type is not ALL", i);
    if (!ecdsa_from_der(&sig, bytes_slice(value, 0, value.len - 1)))
        return err_set(err, ERR_INVALID, "input %zu: the signature is malformed", i);
    if (memcmp(sig.b + 32, HALF_ORDER, sizeof HALF_ORDER) > 0)
        return err_set(err, ERR_INVALID, "input %zu: the signature has a high s", i);
    const struct hash256 digest = sighash_segwit0(
        &s->digests, i, s->scripts[i], (struct sats){ (uint64_t)s->spent[i].value }, SIGHASH_ALL);
    return ecdsa_verify(&sig, key, &digest) ||
           err_set(err, ERR_INVALID, "input %zu: a bad signature", i);
}

// --- One signer ---

// What a transaction is without its scripts: enough to compare two of them.
static bool same_tx(const struct tx *a, const struct tx *b, struct arena *arena)
{
    struct writer x = writer_growing(arena, TX_SIZE_MAX), y = writer_growing(arena, TX_SIZE_MAX);
    struct bytes xs, ys;
    tx_write(&x, a);
    tx_write(&y, b);
    return writer_finish(&x, &xs) && writer_finish(&y, &ys) && bytes_equal(xs, ys);
}

static bool signer_key(struct pubkey *out, const struct sent *s, size_t i, size_t signer,
                       struct err *err)
{
    struct keytable *derived = wallet_take_derived(s->wallet);
    const bool ok = ms_wallet_pubkey(out, s->keys, signer, s->places[i].branch, s->places[i].index,
                                     derived, err);
    wallet_give_derived(s->wallet, derived);
    return ok;
}

// The one signature of the input, by that key and no other.
static bool find_signature(struct bytes *out, struct sent *s, const struct psbt_map *map, size_t i,
                           const struct pubkey *key, struct err *err)
{
    const struct psbt_field *f = psbt_next(map, PSBT_IN_PARTIAL_SIG, NULL);
    if (f == NULL)
        return err_set(err, ERR_INVALID, "input %zu: no signature", i);
    if (!bytes_equal(psbt_key_data(f), BYTES_OF(key->b)) ||
        psbt_next(map, PSBT_IN_PARTIAL_SIG, f) != NULL)
        return err_set(err, ERR_INVALID, "input %zu: a signature by another key", i);
    *out = f->value;
    return check_signature(s, i, key, f->value, err);
}

static void put_signature(struct writer *w, const struct pubkey *key, struct bytes value)
{
    writer_compact_size(w, 1 + sizeof key->b);
    writer_u8(w, PSBT_IN_PARTIAL_SIG);
    writer_put(w, BYTES_OF(key->b));
    writer_counted(w, value);
}

// The unsigned transaction as version 0 has it, and no field besides.
static void put_global(struct writer *w, const struct tx *tx, struct arena *arena)
{
    struct writer raw = writer_growing(arena, TX_SIZE_MAX);
    tx_write(&raw, tx);
    writer_put(w, BYTES(PSBT_MAGIC));
    writer_counted(w, BYTES("\x00"));
    writer_counted(w, writer_bytes(&raw));
    writer_u8(w, 0);
}

bool combine_check(struct bytes *out, const struct wallet *wallet, struct bytes sent,
                   struct bytes returned, struct xfp signer, struct arena *arena, struct err *err)
{
    struct sent s;
    struct psbt got;
    const size_t at = ms_wallet_position(wallet_keys(wallet), signer);
    struct writer w = writer_growing(arena, PSBT_SIZE_MAX);
    if (at == wallet_keys(wallet)->n)
        return invalid(err, "the signer is no cosigner of the wallet");
    if (!read_sent(&s, wallet, sent, arena, err))
        return err_within(err, "the PSBT that was sent");
    if (!psbt_parse(&got, returned, arena, err))
        return false;
    if (!same_tx(&s.psbt.tx, &got.tx, arena))
        return invalid(err, "another transaction");
    put_global(&w, &s.psbt.tx, arena);
    for (size_t i = 0; i < s.psbt.n_in; i++) {
        struct pubkey key;
        struct bytes value;
        if (!signer_key(&key, &s, i, at, err) ||
            !find_signature(&value, &s, &got.in[i], i, &key, err))
            return false;
        put_signature(&w, &key, value);
        writer_u8(&w, 0);
    }
    for (size_t i = 0; i < s.psbt.n_out; i++)
        writer_u8(&w, 0);
    return writer_finish(&w, out) || err_set(err, ERR_NO_MEMORY, "too many inputs");
}

// --- The final transaction ---

// Any of the PSBTs' signature by that key.
static const struct psbt_field *signature_of(const struct psbt *parts, size_t n, size_t i,
                                             struct bytes key)
{
    for (size_t k = 0; k < n; k++) {
        const struct psbt_field *f = psbt_find_keyed(&parts[k].in[i], PSBT_IN_PARTIAL_SIG, key);
        if (f != NULL)
            return f;
    }
    return NULL;
}

// "Signatures stand in the order of their keys", m of them.
static bool put_witness(struct writer *w, const struct sent *s, const struct psbt *parts, size_t n,
                        size_t i, struct err *err)
{
    struct ms_script script;
    size_t taken = 0;
    if (!ms_script_parse(&script, s->scripts[i], err))
        return false;
    writer_compact_size(w, script.m + 2);
    writer_counted(w, (struct bytes){ 0 });
    for (size_t k = 0; k < script.n && taken < script.m; k++) {
        const struct psbt_field *sig = signature_of(parts, n, i, script.key[k]);
        if (sig == NULL)
            continue;
        writer_counted(w, sig->value);
        taken++;
    }
    writer_counted(w, s->scripts[i]);
    return taken == script.m ||
           err_set(err, ERR_INVALID, "input %zu: %zu of %zu signatures", i, taken, script.m);
}

static bool put_script_sig(struct writer *w, const struct sent *s, size_t i)
{
    const struct psbt_field *redeem = psbt_get(&s->psbt.in[i], PSBT_IN_REDEEM_SCRIPT);
    if (s->keys->format == ADDR_P2SH_P2WSH && redeem != NULL)
        script_write_push(w, redeem->value);
    return true;
}

static bool parse_parts(struct psbt **out, const struct sent *s, const struct bytes *checked,
                        size_t n, struct arena *arena, struct err *err)
{
    struct psbt *parts = arena_array(arena, n, sizeof parts[0]);
    if (parts == NULL)
        return err_set(err, ERR_NO_MEMORY, "too many inputs");
    for (size_t k = 0; k < n; k++)
        if (!psbt_parse(&parts[k], checked[k], arena, err))
            return false;
        else if (!same_tx(&s->psbt.tx, &parts[k].tx, arena))
            return invalid(err, "another transaction");
    *out = parts;
    return true;
}

static bool make_scripts(struct final_input *out, struct sent *s, const struct psbt *parts,
                         size_t n, struct arena *arena, struct err *err)
{
    for (size_t i = 0; i < s->psbt.n_in; i++) {
        struct writer witness = writer_growing(arena, WITNESS_MAX);
        struct writer sig = writer_growing(arena, SCRIPT_REDEEM_MAX);
        if (!put_witness(&witness, s, parts, n, i, err) || !put_script_sig(&sig, s, i))
            return false;
        if (!writer_finish(&witness, &out[i].witness) || !writer_finish(&sig, &out[i].script_sig))
            return err_set(err, ERR_NO_MEMORY, "too many inputs");
    }
    return true;
}

static bool write_final(struct bytes *raw, const struct sent *s, const struct final_input *inputs,
                        struct arena *arena, struct err *err)
{
    struct tx tx = s->psbt.tx;
    struct writer w = writer_growing(arena, 4 * TX_SIZE_MAX);
    tx.in = arena_array(arena, tx.n_in, sizeof tx.in[0]);
    if (tx.in == NULL)
        return err_set(err, ERR_NO_MEMORY, "too many inputs");
    for (size_t i = 0; i < tx.n_in; i++) {
        tx.in[i] = s->psbt.tx.in[i];
        tx.in[i].script_sig = inputs[i].script_sig;
        tx.in[i].witness = inputs[i].witness;
    }
    tx.has_witness = true;
    tx_write(&w, &tx);
    return writer_finish(&w, raw) || err_set(err, ERR_NO_MEMORY, "too many inputs");
}

bool combine_finalize(struct bytes *raw, const struct wallet *wallet, struct bytes sent,
                      const struct bytes *checked, size_t n, struct arena *arena, struct err *err)
{
    struct sent s;
    struct psbt *parts = NULL;
    if (!read_sent(&s, wallet, sent, arena, err) ||
        !parse_parts(&parts, &s, checked, n, arena, err))
        return false;
    struct final_input *inputs = arena_array(arena, s.psbt.n_in, sizeof inputs[0]);
    if (inputs == NULL)
        return err_set(err, ERR_NO_MEMORY, "too many inputs");
    if (!make_scripts(inputs, &s, parts, n, arena, err))
        return false;
    const struct final_tx final = { &s.digests, s.spent, inputs };
    for (size_t i = 0; i < s.psbt.n_in; i++)
        if (!final_scripts_check(&final, i, err))
            return false;
    return write_final(raw, &s, inputs, arena, err);
}
