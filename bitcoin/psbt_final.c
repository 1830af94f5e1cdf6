// bitcoin/psbt_final.c -- the network transaction.
//
// Source: psbt-signing.md 16 (with D-FINAL).
#include "base/require.h"
#include "bitcoin/psbt_err.h"
#include "bitcoin/psbt_sign.h"

// Of the kinds below: a signature of at most 73 bytes and a key of at most 65, each with its length.
enum { SCRIPT_SIG_MAX = 1 + 73 + 1 + 65, WITNESS_MAX = 1 + 1 + 73 + 1 + 65 };

struct final {
    const struct psbt_facts *facts;
    struct sighash_cache *digests;
    struct arena *arena;
};

// A signature and its key as they go into the scripts.
struct key_sig {
    struct bytes key, value;
};

// "Every signature used is verified against its own hash type byte and this transaction"
static bool verify(const struct final *f, size_t i, const struct key_sig *s, struct err *err)
{
    const struct spend *spend = &f->facts->plans[i].spend;
    const struct sats amount = f->facts->tx.in[i].amount;
    const struct bytes der = bytes_slice(s->value, 0, s->value.len - 1);
    const uint32_t type = s->value.ptr[s->value.len - 1];
    struct signature sig;
    struct pubkey key;
    struct hash256 digest;
    struct err why;
    if (!pubkey_parse(&key, s->key, &why) || !ecdsa_from_der(&sig, der) ||
        !spend_digest(&digest, spend, f->digests, i, amount, type, &why) ||
        !ecdsa_verify(&sig, &key, &digest))
        return psbt_no_output(err, "Bad signature on input #%zu", i);
    return true;
}

// Ours of this pass, else the one that the PSBT has for a key that can spend the output.
static bool find_signature(struct key_sig *out, const struct final *f, size_t i,
                           const struct psbt_new_sig *ours, struct err *err)
{
    const struct psbt_field *p = NULL;
    if (ours != NULL) {
        *out = (struct key_sig){ ours->key, ours->value };
        return true;
    }
    while ((p = psbt_next(&f->facts->psbt->in[i], PSBT_IN_PARTIAL_SIG, p)) != NULL)
        if (spend_is_of_key(&f->facts->plans[i].spend, psbt_key_data(p))) {
            *out = (struct key_sig){ psbt_key_data(p), p->value };
            return verify(f, i, out, err);
        }
    return psbt_no_output(err, "No signature on input #%zu", i);
}

// --- Scripts, by kind ---

struct scripts {
    struct writer script_sig, witness; // over memory that is copied when they are done
};

static void final_p2pk(struct scripts *s, const struct spend *spend, const struct key_sig *k)
{
    (void)spend;
    script_write_push(&s->script_sig, k->value);
}

static void final_p2pkh(struct scripts *s, const struct spend *spend, const struct key_sig *k)
{
    (void)spend;
    script_write_push(&s->script_sig, k->value);
    script_write_push(&s->script_sig, k->key);
}

static void final_p2wpkh(struct scripts *s, const struct spend *spend, const struct key_sig *k)
{
    (void)spend;
    writer_compact_size(&s->witness, 2);
    writer_counted(&s->witness, k->value);
    writer_counted(&s->witness, k->key);
}

static void final_p2sh_p2wpkh(struct scripts *s, const struct spend *spend, const struct key_sig *k)
{
    script_write_push(&s->script_sig, spend->inner);
    final_p2wpkh(s, spend, k);
}

static void (*const forms[])(struct scripts *s, const struct spend *spend,
                             const struct key_sig *k) = {
    [SPEND_UNKNOWN] = NULL,
    [SPEND_P2PK] = final_p2pk,
    [SPEND_P2PKH] = final_p2pkh,
    [SPEND_P2WPKH] = final_p2wpkh,
    [SPEND_P2SH_P2WPKH] = final_p2sh_p2wpkh,
};

// --- Inputs ---

// "An input that others have finalised (fields 07, 08) is taken over as it is"
static bool take_over(struct tx_in *in, const struct psbt_map *map)
{
    const struct psbt_field *script_sig = psbt_get(map, PSBT_IN_FINAL_SCRIPT_SIG);
    const struct psbt_field *witness = psbt_get(map, PSBT_IN_FINAL_WITNESS);
    if (script_sig != NULL)
        in->script_sig = script_sig->value;
    if (witness != NULL && witness->value.ptr[0] != 0) // a count of 0 is no witness
        in->witness = witness->value;
    return script_sig != NULL || witness != NULL;
}

static bool keep(struct bytes *out, const struct writer *w, struct arena *arena, struct err *err)
{
    struct bytes content;
    REQUIRE(writer_finish(w, &content)); // the memory is made for the longest
    return arena_copy(arena, content, out) || psbt_too_complex(err);
}

static bool finalize_input(struct tx_in *in, const struct final *f, size_t i,
                           const struct psbt_new_sig *ours, struct err *err)
{
    uint8_t script_sig[SCRIPT_SIG_MAX], witness[WITNESS_MAX];
    const struct spend *spend = &f->facts->plans[i].spend;
    struct scripts s = { writer_of(script_sig, sizeof script_sig),
                         writer_of(witness, sizeof witness) };
    struct key_sig key_sig;
    if (ours == NULL && take_over(in, &f->facts->psbt->in[i]))
        return true;
    if (forms[spend->kind] == NULL)
        return psbt_no_output(err, "No signature on input #%zu", i);
    if (!find_signature(&key_sig, f, i, ours, err))
        return false;
    forms[spend->kind](&s, spend, &key_sig);
    return keep(&in->script_sig, &s.script_sig, f->arena, err) &&
           keep(&in->witness, &s.witness, f->arena, err);
}

static bool finalize_inputs(struct tx *tx, const struct final *f, const struct psbt_signed *sigs,
                            struct err *err)
{
    size_t next = 0;
    for (size_t i = 0; i < tx->n_in; i++) {
        const bool is_ours = next < sigs->n_sigs && sigs->sigs[next].input == i;
        if (!finalize_input(&tx->in[i], f, i, is_ours ? &sigs->sigs[next++] : NULL, err))
            return false;
    }
    return true;
}

bool psbt_finalize(struct writer *w, struct hash256 *txid, const struct psbt_facts *facts,
                   const struct psbt_signed *sigs, struct arena *arena, struct err *err)
{
    struct sighash_cache digests;
    const struct final f = { facts, &digests, arena };
    struct tx tx = facts->psbt->tx;
    REQUIRE(!facts->tx.is_message);
    sighash_cache_init(&digests, &facts->psbt->tx, arena);
    tx.in = arena_array(arena, tx.n_in, sizeof *tx.in);
    if (tx.in == NULL)
        return psbt_too_complex(err);
    memcpy(tx.in, facts->psbt->tx.in, tx.n_in * sizeof *tx.in);
    if (!finalize_inputs(&tx, &f, sigs, err))
        return false;
    if (txid != NULL)
        *txid = tx_txid(&tx);
    tx_write(w, &tx);
    return !w->failed || psbt_too_complex(err);
}
