// bitcoin/psbt_final.c -- the network transaction.
//
// Source: psbt-signing.md 16 (with D-FINAL).
#include "base/require.h"
#include "bitcoin/multisig.h"
#include "bitcoin/psbt_err.h"
#include "bitcoin/psbt_sign.h"

// The longest are those of 15 signatures: an empty element, each signature of at most 73 bytes with
// its length, and the script behind PUSHDATA2 or a compact size of 3 bytes; and their count.
enum {
    SIG_MAX = 73,
    SCRIPTS_MAX = 1 + 1 + MS_KEYS_MAX * (1 + SIG_MAX) + 3 + MS_SCRIPT_MAX,
    REDEEM_MAX = 34
};

struct final {
    const struct psbt_facts *facts;
    struct sighash_cache *digests;
    const struct tx_out *spent; // of all inputs; NULL: not all are known
    struct arena *arena;
};

// A signature and its key as they go into the scripts.
struct key_sig {
    struct bytes key, value;
};
struct key_sigs {
    struct key_sig list[MS_KEYS_MAX]; // in the order of the script
    size_t n;
};

// --- Verifying ---

static bool verify_ecdsa(const struct key_sig *s, const struct hash256 *digest)
{
    const struct bytes der = bytes_slice(s->value, 0, s->value.len - 1);
    struct signature sig;
    struct pubkey key;
    struct err no;
    return pubkey_parse(&key, s->key, &no) && ecdsa_from_der(&sig, der) &&
           ecdsa_verify(&sig, &key, digest);
}

// The hash type that a signature carries. BIP-341: 64 bytes stand for DEFAULT, and 65 with that
// type are invalid.
static bool type_of(uint32_t *out, const struct spend_way *spend, struct bytes value)
{
    const bool implied = spend_is_taproot(spend->kind) && value.len == SCHNORR_LEN;
    *out = implied ? SIGHASH_DEFAULT : value.ptr[value.len - 1];
    return implied || !spend_is_taproot(spend->kind) || *out != SIGHASH_DEFAULT;
}

// "Every signature used is verified against its own hash type byte and this transaction"
static bool verify(const struct final *f, size_t i, const struct key_sig *s, struct err *err)
{
    const struct spend_way *spend = &f->facts->plans[i].spend;
    const struct spend_at at = { f->digests, i, f->facts->tx.in[i].amount, f->spent };
    struct hash256 digest;
    struct err why;
    uint32_t type;
    if (!type_of(&type, spend, s->value) || !spend_digest(&digest, spend, &at, type, &why) ||
        !(spend_is_taproot(spend->kind)
              ? schnorr_verify(s->value.ptr, s->key.ptr, BYTES_OF(digest.b))
              : verify_ecdsa(s, &digest)))
        return psbt_no_output(err, "Bad signature on input #%zu", i);
    return true;
}

// --- Finding signatures ---

static bool no_signature(size_t i, struct err *err)
{
    return psbt_no_output(err, "No signature on input #%zu", i);
}

// Ours of this pass, else the one that the PSBT has for a key that can spend the output.
static bool find_single(struct key_sigs *out, const struct final *f, size_t i,
                        const struct psbt_new_sig *ours, struct err *err)
{
    const struct psbt_field *p = NULL;
    out->n = 1;
    if (ours != NULL) {
        out->list[0] = (struct key_sig){ ours->key, ours->value };
        return true;
    }
    while ((p = psbt_next(&f->facts->psbt->in[i], PSBT_IN_PARTIAL_SIG, p)) != NULL)
        if (spend_is_of_key(&f->facts->plans[i].spend, psbt_key_data(p))) {
            out->list[0] = (struct key_sig){ psbt_key_data(p), p->value };
            return verify(f, i, &out->list[0], err);
        }
    return no_signature(i, err);
}

static bool find_taproot(struct key_sigs *out, const struct final *f, size_t i,
                         const struct psbt_new_sig *ours, struct err *err)
{
    const struct psbt_field *p = psbt_get(&f->facts->psbt->in[i], PSBT_IN_TAP_KEY_SIG);
    if (ours != NULL)
        return find_single(out, f, i, ours, err);
    if (p == NULL || f->spent == NULL) // which could not be verified
        return no_signature(i, err);
    out->n = 1;
    out->list[0].key = script_payload(f->facts->plans[i].spend.script, SCRIPT_P2TR);
    out->list[0].value = p->value;
    return verify(f, i, &out->list[0], err);
}

// "Signatures stand in the order of their keys in the script, the first M of those present."
static bool find_multisig(struct key_sigs *out, const struct final *f, size_t i,
                          const struct psbt_new_sig *ours, struct err *err)
{
    const struct psbt_map *map = &f->facts->psbt->in[i];
    struct ms_script script;
    REQUIRE(ms_script_parse(&script, f->facts->plans[i].spend.inner, err));
    out->n = 0;
    for (size_t k = 0; k < script.n && out->n < script.m; k++) {
        const struct psbt_field *p = psbt_find_keyed(map, PSBT_IN_PARTIAL_SIG, script.key[k]);
        struct key_sig *s = &out->list[out->n];
        s->key = script.key[k];
        if (ours != NULL && bytes_equal(ours->key, script.key[k])) {
            s->value = ours->value;
        } else if (p != NULL) {
            s->value = p->value;
            if (!verify(f, i, s, err))
                return false;
        } else {
            continue;
        }
        out->n++;
    }
    return out->n == script.m || psbt_no_output(err, "Incomplete signature set on input #%zu", i);
}

// --- Scripts, by kind ---

struct scripts {
    struct writer script_sig, witness; // over memory that is copied when they are done
};

static void final_p2pk(struct scripts *s, const struct spend_way *spend, const struct key_sigs *k)
{
    (void)spend;
    script_write_push(&s->script_sig, k->list[0].value);
}

static void final_p2pkh(struct scripts *s, const struct spend_way *spend, const struct key_sigs *k)
{
    (void)spend;
    script_write_push(&s->script_sig, k->list[0].value);
    script_write_push(&s->script_sig, k->list[0].key);
}

static void final_p2wpkh(struct scripts *s, const struct spend_way *spend, const struct key_sigs *k)
{
    (void)spend;
    writer_compact_size(&s->witness, 2);
    writer_counted(&s->witness, k->list[0].value);
    writer_counted(&s->witness, k->list[0].key);
}

static void final_p2sh_p2wpkh(struct scripts *s, const struct spend_way *spend,
                              const struct key_sigs *k)
{
    script_write_push(&s->script_sig, spend->inner);
    final_p2wpkh(s, spend, k);
}

static void final_p2sh_multisig(struct scripts *s, const struct spend_way *spend,
                                const struct key_sigs *k)
{
    writer_u8(&s->script_sig, 0); // CHECKMULTISIG takes one element more than it needs
    for (size_t i = 0; i < k->n; i++)
        script_write_push(&s->script_sig, k->list[i].value);
    script_write_push(&s->script_sig, spend->inner);
}

static void final_p2wsh_multisig(struct scripts *s, const struct spend_way *spend,
                                 const struct key_sigs *k)
{
    writer_compact_size(&s->witness, k->n + 2);
    writer_u8(&s->witness, 0); // an empty element, as above
    for (size_t i = 0; i < k->n; i++)
        writer_counted(&s->witness, k->list[i].value);
    writer_counted(&s->witness, spend->inner);
}

static void final_p2sh_p2wsh_multisig(struct scripts *s, const struct spend_way *spend,
                                      const struct key_sigs *k)
{
    uint8_t mem[REDEEM_MAX];
    struct writer redeem = writer_of(mem, sizeof mem);
    script_write_p2wsh(&redeem, sha256(spend->inner)); // D-FINAL: whether or not the PSBT has it
    script_write_push(&s->script_sig, writer_bytes(&redeem));
    final_p2wsh_multisig(s, spend, k);
}

static void final_p2tr(struct scripts *s, const struct spend_way *spend, const struct key_sigs *k)
{
    (void)spend;
    writer_compact_size(&s->witness, 1);
    writer_counted(&s->witness, k->list[0].value);
}

static const struct {
    bool (*find)(struct key_sigs *out, const struct final *f, size_t i,
                 const struct psbt_new_sig *ours, struct err *err);
    void (*write)(struct scripts *s, const struct spend_way *spend, const struct key_sigs *k);
} forms[] = {
    [SPEND_UNKNOWN] = { NULL, NULL },
    [SPEND_P2PK] = { find_single, final_p2pk },
    [SPEND_P2PKH] = { find_single, final_p2pkh },
    [SPEND_P2WPKH] = { find_single, final_p2wpkh },
    [SPEND_P2SH_P2WPKH] = { find_single, final_p2sh_p2wpkh },
    [SPEND_P2SH_MULTISIG] = { find_multisig, final_p2sh_multisig },
    [SPEND_P2WSH_MULTISIG] = { find_multisig, final_p2wsh_multisig },
    [SPEND_P2SH_P2WSH_MULTISIG] = { find_multisig, final_p2sh_p2wsh_multisig },
    [SPEND_P2TR] = { find_taproot, final_p2tr },
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
    uint8_t script_sig[SCRIPTS_MAX], witness[SCRIPTS_MAX];
    const struct spend_way *spend = &f->facts->plans[i].spend;
    struct scripts s = { writer_of(script_sig, sizeof script_sig),
                         writer_of(witness, sizeof witness) };
    struct key_sigs sigs;
    if (ours == NULL && take_over(in, &f->facts->psbt->in[i]))
        return true;
    if (forms[spend->kind].find == NULL)
        return no_signature(i, err);
    if (!forms[spend->kind].find(&sigs, f, i, ours, err))
        return false;
    forms[spend->kind].write(&s, spend, &sigs);
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
    const struct tx_out *spent = NULL;
    struct tx tx = facts->psbt->tx;
    REQUIRE(!facts->tx.is_message);
    if (!psbt_spent_outputs(&spent, facts, arena, err))
        return false;
    const struct final f = { facts, &digests, spent, arena };
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
