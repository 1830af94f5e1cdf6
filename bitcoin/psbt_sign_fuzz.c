#include "bitcoin/psbt_sign.h"
#include "fuzz/fuzz.h"
#include "tests/support/fuzz_signer.h"

// Zeros, so that the same bytes give the same signatures.
static void aux_bytes(void *context, uint8_t out[32])
{
    (void)context;
    memset(out, 0, 32);
}

static bool verifies(const struct spend_way *spend, const struct psbt_new_sig *s,
                     const struct hash256 *digest)
{
    struct pubkey key;
    struct signature sig;
    struct err err;
    if (spend_is_taproot(spend->kind))
        return schnorr_verify(s->value.ptr, script_payload(spend->script, SCRIPT_P2TR).ptr,
                              BYTES_OF(digest->b));
    return pubkey_parse(&key, s->key, &err) &&
           ecdsa_from_der(&sig, bytes_slice(s->value, 0, s->value.len - 1)) &&
           ecdsa_verify(&sig, &key, digest);
}

// A flipped bit never verifies: one of the digest, one of the signature (its hash type left out),
// one of the key; which ones the digest says.
static void check_flips(const struct spend_way *spend, const struct psbt_new_sig *s,
                        const struct hash256 *digest, struct arena *arena)
{
    const uint8_t which = digest->b[0], bit = (uint8_t)(1u << which % 8);
    const bool is_taproot = spend_is_taproot(spend->kind);
    const size_t sig_len = is_taproot ? SCHNORR_LEN : s->value.len - 1;
    struct hash256 other = *digest;
    struct bytes copy;
    struct psbt_new_sig flipped = *s;
    other.b[which % 32] ^= bit;
    REQUIRE(!verifies(spend, s, &other));
    REQUIRE(arena_copy(arena, s->value, &copy));
    ((uint8_t *)(uintptr_t)copy.ptr)[which % sig_len] ^= bit;
    flipped.value = copy;
    REQUIRE(!verifies(spend, &flipped, digest));
    if (is_taproot)
        return;
    flipped.value = s->value;
    REQUIRE(arena_copy(arena, s->key, &copy));
    // In an uncompressed key a bit moves the point off the curve.
    ((uint8_t *)(uintptr_t)copy.ptr)[which % copy.len] ^= bit;
    flipped.key = copy;
    REQUIRE(!verifies(spend, &flipped, digest));
}

// Each signature is good for what the facts say, and for nothing else.
static void check_signatures(const struct psbt_facts *facts, const struct psbt_signed *sigs,
                             struct arena *arena)
{
    const struct tx_out *spent;
    struct err err;
    REQUIRE(sigs->n_sigs == facts->tx.n_signatures);
    REQUIRE(psbt_spent_outputs(&spent, facts, arena, &err));
    for (size_t i = 0; i < sigs->n_sigs; i++) {
        const struct psbt_new_sig *s = &sigs->sigs[i];
        const struct input_plan *plan = &facts->plans[s->input];
        struct sighash_cache fresh;
        struct hash256 digest;
        sighash_cache_init(&fresh, &facts->psbt->tx, arena);
        const struct spend_at at = { &fresh, s->input, facts->tx.in[s->input].amount, spent };
        REQUIRE(spend_digest(&digest, &plan->spend, &at, plan->sighash, &err));
        REQUIRE(verifies(&plan->spend, s, &digest) && facts->tx.in[s->input].own);
        if (!spend_is_taproot(plan->spend.kind)) {
            struct signature sig;
            REQUIRE(spend_has_key(&plan->spend, s->key));
            REQUIRE(s->value.ptr[s->value.len - 1] == plan->sighash);
            REQUIRE(ecdsa_from_der(&sig, bytes_slice(s->value, 0, s->value.len - 1)) &&
                    sig.b[0] < 0x80);
        }
        if (i == 0)
            check_flips(&plan->spend, s, &digest, arena);
    }
}

// Psbt-signing 15: what may differ in a field that was there.
static bool may_differ(uint8_t type, bool in_global, bool in_output)
{
    if (in_global)
        return type == PSBT_GLOBAL_VERSION || type == PSBT_GLOBAL_TX_MODIFIABLE;
    if (in_output)
        return type == PSBT_OUT_KEY_PATH;
    return type == PSBT_IN_KEY_PATH || type == PSBT_IN_SIGHASH_TYPE;
}

static void check_map(const struct psbt_map *before, const struct psbt_map *after, bool in_global,
                      bool in_output, size_t n_new)
{
    for (size_t i = 0; i < before->n_fields; i++) {
        const struct psbt_field *was = &before->fields[i], *is = psbt_find(after, was->key);
        REQUIRE((is != NULL && bytes_equal(is->value, was->value)) ||
                may_differ(was->key.ptr[0], in_global, in_output));
    }
    REQUIRE(after->n_fields <= before->n_fields + n_new);
}

static void check_result(const struct psbt_facts *facts, const struct psbt_signed *sigs,
                         struct bytes result, struct arena *arena)
{
    const struct psbt *before = facts->psbt;
    struct psbt after;
    struct err err;
    size_t next = 0;
    REQUIRE(psbt_parse(&after, result, arena, &err));
    REQUIRE(after.n_in == before->n_in && after.n_out == before->n_out);
    check_map(&before->global, &after.global, true, false, 1);
    for (size_t i = 0; i < before->n_in; i++) {
        const bool is_new = next < sigs->n_sigs && sigs->sigs[next].input == i;
        next += is_new;
        check_map(&before->in[i], &after.in[i], false, false, is_new);
    }
    for (size_t i = 0; i < before->n_out; i++)
        check_map(&before->out[i], &after.out[i], false, true, 0);
    const struct hash256 a = tx_txid(&before->tx), b = tx_txid(&after.tx);
    REQUIRE(bytes_equal(BYTES_OF(a.b), BYTES_OF(b.b)));
}

static void check_final(const struct psbt_facts *facts, const struct psbt_signed *sigs,
                        struct arena *arena)
{
    struct writer w = writer_growing(arena, 8 << 20);
    struct hash256 txid;
    struct tx tx;
    struct err err;
    if (facts->tx.is_message || !psbt_finalize(&w, &txid, facts, sigs, arena, &err))
        return;
    REQUIRE(tx_parse(&tx, writer_bytes(&w), arena, &err));
    const struct hash256 parsed = tx_txid(&tx);
    REQUIRE(bytes_equal(BYTES_OF(parsed.b), BYTES_OF(txid.b)));
    // Without its scripts it is the transaction that was shown.
    for (size_t i = 0; i < tx.n_in; i++)
        tx.in[i].script_sig = (struct bytes){ 0 };
    const struct hash256 bare = tx_txid(&tx), shown = tx_txid(&facts->psbt->tx);
    REQUIRE(bytes_equal(BYTES_OF(bare.b), BYTES_OF(shown.b)));
}

// Everything that can be signed; multisig checks are skipped for every other length, where key paths
// of multisig scripts are mere claims.
static struct signer_view sign_view(const struct fuzz_signer *signer, struct bytes data)
{
    struct signer_view view = fuzz_view(signer, FUZZ_LENIENT | FUZZ_EXTENDED);
    view.skip_multisig_checks = data.len % 2 == 1;
    return view;
}

FUZZ_TARGET(data)
{
    const struct fuzz_signer *signer = fuzz_signer();
    const struct signer_view view = sign_view(signer, data);
    const struct entropy aux = { aux_bytes, NULL };
    struct arena *arena = arena_new(64 << 20);
    struct psbt p;
    struct psbt_facts facts;
    struct psbt_signed sigs;
    struct writer w = writer_growing(arena, 8 << 20);
    struct err err;
    if (psbt_parse(&p, data, arena, &err) && psbt_analyse(&facts, &p, &view, arena, &err) &&
        psbt_prove(&facts, signer->keys, &err)) {
        REQUIRE(psbt_sign(&sigs, &facts, signer->keys, &aux, arena, &err));
        REQUIRE(psbt_write_signed(&w, &facts, &sigs, &err));
        for (size_t i = 0; i < p.n_out; i++)
            REQUIRE(!facts.tx.out[i].change || facts.tx.out[i].own);
        check_signatures(&facts, &sigs, arena);
        check_result(&facts, &sigs, writer_bytes(&w), arena);
        check_final(&facts, &sigs, arena);
    }
    arena_free(arena);
}
