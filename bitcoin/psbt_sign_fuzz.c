#include "bitcoin/psbt_sign.h"
#include "fuzz/fuzz.h"

// The public test seed's master key, 0F056943.
#define MASTER                                                                                     \
    "tprv8ZgxMBicQKsPeXJHL3vPPgTAEqQ5P2FD9qDeCQT4Cp1EMY5QkwMPWFxHdxHrxZhhcVRJ2m7BNWTz9Xre68y7mX5v" \
    "CdMJ5qXMUfnrZ2si2X4"

static const struct signer_view view = {
    .xfp = { { 0x0f, 0x05, 0x69, 0x43 } },
    .unit = UNIT_COIN,
    .fee_limit_pct = -1,
    .sighash_allow = true,
    .pms = -1,
};

// Each signature is good for what the facts say.
static void check_signatures(const struct psbt_facts *facts, const struct psbt_signed *sigs,
                             struct arena *arena)
{
    struct err err;
    REQUIRE(sigs->n_sigs == facts->tx.n_signatures);
    for (size_t i = 0; i < sigs->n_sigs; i++) {
        const struct psbt_new_sig *s = &sigs->sigs[i];
        const struct input_plan *plan = &facts->plans[s->input];
        struct sighash_cache fresh;
        struct hash256 digest;
        struct pubkey key;
        struct signature sig;
        sighash_cache_init(&fresh, &facts->psbt->tx, arena);
        const struct spend_at at = { &fresh, s->input, facts->tx.in[s->input].amount, NULL };
        REQUIRE(spend_digest(&digest, &plan->spend, &at, s->value.ptr[s->value.len - 1], &err));
        REQUIRE(pubkey_parse(&key, s->key, &err));
        REQUIRE(spend_has_key(&plan->spend, s->key));
        REQUIRE(ecdsa_from_der(&sig, bytes_slice(s->value, 0, s->value.len - 1)));
        REQUIRE(ecdsa_verify(&sig, &key, &digest) && sig.b[0] < 0x80);
        REQUIRE(facts->tx.in[s->input].own);
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

FUZZ_TARGET(data)
{
    struct arena *arena = arena_new(64 << 20);
    struct signer_view xtn = view;
    struct hdkey master;
    struct psbt p;
    struct psbt_facts facts;
    struct psbt_signed sigs;
    struct writer w = writer_growing(arena, 8 << 20);
    struct err err;
    bool is_main;
    REQUIRE(hdkey_from_text(&master, &is_main, BYTES(MASTER), &err));
    AUTO(keycache_freep) struct keycache *keys = keycache_new(&master);
    xtn.chain = chain_by_id(CHAIN_XTN);
    if (psbt_parse(&p, data, arena, &err) && psbt_analyse(&facts, &p, &xtn, arena, &err) &&
        psbt_prove(&facts, keys, &err)) {
        REQUIRE(psbt_sign(&sigs, &facts, keys, NULL, arena, &err));
        REQUIRE(psbt_write_signed(&w, &facts, &sigs, &err));
        for (size_t i = 0; i < p.n_out; i++)
            REQUIRE(facts.tx.out[i].change == facts.tx.out[i].own);
        check_signatures(&facts, &sigs, arena);
        check_result(&facts, &sigs, writer_bytes(&w), arena);
        check_final(&facts, &sigs, arena);
    }
    hdkey_wipe(&master);
    arena_free(arena);
}
