// coordinator/build.c -- the PSBT of a spend.
#include "coordinator/build.h"
#include "base/require.h"
#include "bitcoin/tx_scan.h"
#include "coordinator/coins.h"

#define SEQUENCE 0xfffffffdu // replaceable, and the locktime counts

enum { TX_VERSION = 2, REDEEM_LEN = 34, PATH_VALUE_MAX = 4 + 4 * KEYPATH_DEPTH_MAX };

// All that a PSBT says of a script of the wallet's.
struct place_scripts {
    struct pubkey keys[MS_KEYS_MAX]; // of every cosigner
    uint8_t witness_mem[MS_SCRIPT_MAX], redeem_mem[REDEEM_LEN], output_mem[REDEEM_LEN];
    struct bytes witness, redeem, output; // redeem: the witness program; output: of the coin
    struct bytes script_sig;              // nested: the push of redeem; else none
    uint8_t script_sig_mem[1 + REDEEM_LEN];
};

struct psbt_build {
    const struct build_request *request;
    const struct ms_wallet *keys;
    struct keytable *derived; // while keys are looked up; or NULL
    const struct coins_choice *choice;
    struct tx tx;
    struct place_scripts *in, *change; // of change: one for each place, which two outputs may share
};

static bool read_place(struct place_scripts *out, const struct psbt_build *b,
                       struct wallet_place place, struct err *err)
{
    const struct ms_wallet *keys = b->keys;
    struct writer witness = writer_of(out->witness_mem, sizeof out->witness_mem);
    struct writer redeem = writer_of(out->redeem_mem, sizeof out->redeem_mem);
    struct writer output = writer_of(out->output_mem, sizeof out->output_mem);
    struct writer sig = writer_of(out->script_sig_mem, sizeof out->script_sig_mem);
    if (!ms_wallet_pubkeys(out->keys, keys, place.branch, place.index, b->derived, err))
        return false;
    ms_wallet_script_of(&witness, keys, out->keys);
    out->witness = writer_bytes(&witness);
    script_write_p2wsh(&redeem, sha256(out->witness));
    out->redeem = writer_bytes(&redeem);
    if (keys->format == ADDR_P2SH_P2WSH) {
        script_write_p2sh(&output, hash160(out->redeem));
        script_write_push(&sig, out->redeem);
    } else {
        writer_put(&output, out->redeem);
    }
    out->output = writer_bytes(&output);
    out->script_sig = writer_bytes(&sig);
    return true;
}

// --- The transaction ---

static struct wallet_place change_place(const struct build_request *r, size_t i)
{
    return (struct wallet_place){ MS_CHANGE, i == 0 ? r->change_index : r->second_change_index };
}

static const struct place_scripts *change_scripts(const struct psbt_build *b, size_t i)
{
    return &b->change[change_place(b->request, i).index == b->request->change_index ? 0 : i];
}

// What a node says of a coin is a claim: the transaction before it decides, as it does on the devices.
static bool check_coin(const struct coin *coin, const struct place_scripts *scripts,
                       struct err *err)
{
    struct tx_scan scan;
    struct tx_out spent;
    struct err why;
    if (!tx_scan(&scan, coin->previous, &why) ||
        !tx_scan_output(&scan, coin->outpoint.index, &spent))
        return code_fail(err, CODE_NODE_UNAVAILABLE, "a coin's previous transaction is malformed");
    const struct hash256 txid = tx_scan_txid(&scan);
    if (memcmp(txid.b, coin->outpoint.txid.b, sizeof txid.b) != 0 || spent.value < 0 ||
        (uint64_t)spent.value != coin->amount.n || !bytes_equal(spent.script, scripts->output))
        return code_fail(err, CODE_NODE_UNAVAILABLE,
                         "a coin is not what its previous transaction says");
    return true;
}

static bool put_inputs(struct psbt_build *b, struct err *err)
{
    for (size_t i = 0; i < b->choice->n; i++) {
        const struct coin *coin = b->choice->coins[i];
        if (!read_place(&b->in[i], b, coin->place, err) || !check_coin(coin, &b->in[i], err))
            return false;
        b->tx.in[b->tx.n_in++] = (struct tx_in){ .prevout = coin->outpoint, .sequence = SEQUENCE };
    }
    return true;
}

// The outputs in the order of the request, change behind them.
static bool put_outputs(struct psbt_build *b, struct err *err)
{
    const struct build_request *r = b->request;
    for (size_t i = 0; i < coins_n_outputs(r); i++)
        b->tx.out[b->tx.n_out++] =
            (struct tx_out){ (int64_t)r->outputs->items[i].amount.n, r->outputs->items[i].script };
    for (size_t i = 0; i < b->choice->n_change; i++) {
        const struct place_scripts *scripts = change_scripts(b, i);
        if (scripts == &b->change[i] && !read_place(&b->change[i], b, change_place(r, i), err))
            return false;
        b->tx.out[b->tx.n_out++] =
            (struct tx_out){ (int64_t)b->choice->change[i].n, scripts->output };
    }
    return true;
}

static bool make_tx(struct psbt_build *b, struct arena *arena, struct err *err)
{
    const size_t n_out = coins_n_outputs(b->request);
    b->tx = (struct tx){ .version = TX_VERSION, .locktime = b->request->locktime };
    b->tx.in = arena_array(arena, b->choice->n, sizeof b->tx.in[0]);
    b->tx.out = arena_array(arena, n_out + b->choice->n_change, sizeof b->tx.out[0]);
    b->in = arena_array(arena, b->choice->n, sizeof b->in[0]);
    b->change = arena_array(arena, b->choice->n_change, sizeof b->change[0]);
    if (b->tx.in == NULL || b->tx.out == NULL || b->in == NULL || b->change == NULL)
        return err_set(err, ERR_NO_MEMORY, "too many coins");
    b->derived = wallet_take_derived(b->request->wallet);
    const bool ok = put_inputs(b, err) && put_outputs(b, err);
    wallet_give_derived(b->request->wallet, b->derived);
    return ok;
}

// Known before anybody signs: of a nested script the one push that its scriptSig will be.
static struct hash256 final_txid(const struct psbt_build *b)
{
    struct hash256 txid;
    for (size_t i = 0; i < b->tx.n_in; i++)
        b->tx.in[i].script_sig = b->in[i].script_sig;
    txid = tx_txid(&b->tx);
    for (size_t i = 0; i < b->tx.n_in; i++)
        b->tx.in[i].script_sig = (struct bytes){ 0 };
    return txid;
}

// --- The PSBT ---

static void put_field(struct writer *w, uint8_t type, struct bytes value)
{
    writer_counted(w, bytes_of(&type, 1));
    writer_counted(w, value);
}

// A key of the script, and where it comes from: of every cosigner, each signs by the same PSBT.
static void put_path(struct writer *w, uint8_t type, const struct ms_cosigner *cosigner,
                     const struct pubkey *key, struct wallet_place place)
{
    uint8_t mem[PATH_VALUE_MAX + 8];
    struct writer value = writer_of(mem, sizeof mem);
    writer_compact_size(w, 1 + sizeof key->b);
    writer_u8(w, type);
    writer_put(w, BYTES_OF(key->b));
    writer_put(&value, BYTES_OF(cosigner->origin.xfp.b));
    for (size_t i = 0; i < cosigner->origin.path.depth; i++)
        writer_u32le(&value, cosigner->origin.path.step[i]);
    writer_u32le(&value, place.branch);
    writer_u32le(&value, place.index);
    writer_counted(w, writer_bytes(&value));
}

struct place_fields {
    uint8_t redeem, witness, path; // types
};
static const struct place_fields IN = { PSBT_IN_REDEEM_SCRIPT, PSBT_IN_WITNESS_SCRIPT,
                                        PSBT_IN_KEY_PATH },
                                 OUT = { PSBT_OUT_REDEEM_SCRIPT, PSBT_OUT_WITNESS_SCRIPT,
                                         PSBT_OUT_KEY_PATH };

static void put_place(struct writer *w, const struct ms_wallet *keys, const struct place_fields *f,
                      const struct place_scripts *scripts, struct wallet_place place)
{
    if (keys->format == ADDR_P2SH_P2WSH)
        put_field(w, f->redeem, scripts->redeem);
    put_field(w, f->witness, scripts->witness);
    for (size_t i = 0; i < keys->n; i++)
        put_path(w, f->path, &keys->cosigner[i], &scripts->keys[i], place);
}

static void put_in(struct writer *w, const struct psbt_build *b, size_t i)
{
    const struct coin *coin = b->choice->coins[i];
    uint8_t mem[8 + 1 + REDEEM_LEN];
    struct writer utxo = writer_of(mem, sizeof mem);
    const struct tx_out spent = { (int64_t)coin->amount.n, b->in[i].output };
    tx_write_output(&utxo, &spent);
    put_field(w, PSBT_IN_NON_WITNESS_UTXO, coin->previous);
    put_field(w, PSBT_IN_WITNESS_UTXO, writer_bytes(&utxo));
    put_place(w, b->keys, &IN, &b->in[i], coin->place);
    writer_u8(w, 0);
}

static void put_maps(struct writer *w, const struct psbt_build *b)
{
    const size_t first_change = b->tx.n_out - b->choice->n_change;
    for (size_t i = 0; i < b->tx.n_in; i++)
        put_in(w, b, i);
    for (size_t i = 0; i < b->tx.n_out; i++) {
        const size_t change = i - first_change;
        if (i >= first_change)
            put_place(w, b->keys, &OUT, change_scripts(b, change),
                      change_place(b->request, change));
        writer_u8(w, 0);
    }
}

static bool write_psbt(struct bytes *out, const struct psbt_build *b, struct arena *arena,
                       struct err *err)
{
    struct writer unsigned_tx = writer_growing(arena, TX_SIZE_MAX);
    struct writer w = writer_growing(arena, PSBT_SIZE_MAX);
    struct bytes tx;
    tx_write(&unsigned_tx, &b->tx);
    writer_put(&w, BYTES(PSBT_MAGIC));
    if (!writer_finish(&unsigned_tx, &tx))
        return code_fail(err, CODE_COINS_BUSY, "the transaction would be too large");
    put_field(&w, PSBT_GLOBAL_UNSIGNED_TX, tx);
    writer_u8(&w, 0);
    put_maps(&w, b);
    return writer_finish(&w, out) ||
           code_fail(err, CODE_COINS_BUSY,
                     "the PSBT would be too large for the devices: previous transactions are long");
}

static bool copy_inputs(struct build *out, const struct coins_choice *choice, struct arena *arena,
                        struct err *err)
{
    out->inputs = arena_array(arena, choice->n, sizeof out->inputs[0]);
    if (out->inputs == NULL)
        return err_set(err, ERR_NO_MEMORY, "too many coins");
    for (out->n_inputs = 0; out->n_inputs < choice->n; out->n_inputs++) {
        const struct coin *coin = choice->coins[out->n_inputs];
        out->inputs[out->n_inputs] =
            (struct attempt_input){ coin->outpoint, coin->amount, coin->place.branch,
                                    coin->place.index };
    }
    return true;
}

bool build_spend(struct build *out, const struct build_request *request, struct arena *arena,
                 struct err *err)
{
    struct coins_choice choice;
    struct psbt_build b = { .request = request,
                            .keys = wallet_keys(request->wallet),
                            .choice = &choice };
    *out = (struct build){ 0 };
    if (!coins_choose(&choice, request, arena, err) || !make_tx(&b, arena, err) ||
        !write_psbt(&out->psbt, &b, arena, err) || !copy_inputs(out, &choice, arena, err))
        return false;
    out->txid = final_txid(&b);
    out->fee = choice.fee;
    out->vsize = choice.vsize;
    out->change.n = choice.change[0].n + choice.change[1].n;
    out->n_change = choice.n_change;
    return true;
}
