// bitcoin/psbt_sign.c
#include "bitcoin/psbt_sign.h"
#include "base/require.h"
#include "bitcoin/psbt_err.h"
#include "bitcoin/psbt_path.h"
#include "bitcoin/taproot.h"

struct signing {
    const struct psbt_facts *facts;
    struct keycache *keys;
    struct sighash_cache *digests;
    const struct tx_out *spent; // of all inputs, for taproot
    const struct entropy *aux_random;
    struct arena *arena;
};

static bool fault(size_t i, struct err *err)
{
    const struct err why = *err;
    return psbt_reply(err, ERR_INTERNAL, PSBT_SIGNING_LATE, "input %zu: %s", i, why.text);
}

// DER and hash type, as it stands in a PSBT and in scripts.
static bool signature_value(struct bytes *out, const struct signature *sig, uint32_t type,
                            struct arena *arena)
{
    uint8_t mem[ECDSA_DER_MAX + 1];
    const size_t len = ecdsa_to_der(mem, sig);
    mem[len] = (uint8_t)type;
    return arena_copy(arena, bytes_of(mem, len + 1), out);
}

// D-SIG: the signature is verified with the key in the script, whatever was derived now.
static bool owner_of(struct point *out, const struct signing *s, const struct psbt_field *f,
                     const struct keypath *path, struct err *err)
{
    const struct bytes in_script = psbt_key_data(f);
    const struct known_key *known;
    struct pubkey key;
    if (keycache_public(&known, s->keys, path, err) &&
        bytes_equal(in_script, BYTES_OF(known->key.b))) {
        *out = known->point; // of the same bytes, and spares reading them
        return true;
    }
    return pubkey_parse(&key, in_script, err) &&
           (point_of(out, &key) || err_set(err, ERR_INVALID, "public key is not on the curve"));
}

static bool sign_ecdsa(struct psbt_new_sig *out, const struct signing *s, size_t i,
                       const struct hash256 *digest, struct err *err)
{
    const struct input_plan *plan = &s->facts->plans[i];
    const struct key_origin path = psbt_path_read(plan->key);
    AUTO(seckey_wipe) struct seckey key = { { 0 } };
    struct point owner;
    struct signature sig;
    if (!owner_of(&owner, s, plan->key, &path.path, err) ||
        !keycache_seckey(&key, s->keys, &path.path, err) ||
        !ecdsa_sign_as(&sig, &key, &owner, digest, true, err))
        return fault(i, err);
    *out = (struct psbt_new_sig){ .input = i, .key = psbt_key_data(plan->key) };
    return signature_value(&out->value, &sig, plan->sighash, s->arena) || psbt_too_complex(err);
}

// BIP-341: 64 bytes for DEFAULT, else with the hash type behind them.
static bool sign_taproot(struct psbt_new_sig *out, const struct signing *s, size_t i,
                         const struct hash256 *digest, struct err *err)
{
    const struct input_plan *plan = &s->facts->plans[i];
    const struct key_origin path = psbt_path_read(plan->key);
    const struct hash256 tweak = taproot_tweak(psbt_key_data(plan->key).ptr);
    AUTO(seckey_wipe) struct seckey key = { { 0 } };
    const struct known_key *known;
    uint8_t aux[32], value[SCHNORR_LEN + 1];
    REQUIRE(s->aux_random != NULL);
    s->aux_random->bytes(s->aux_random->context, aux);
    const uint8_t *output_key = script_payload(plan->spend.script, SCRIPT_P2TR).ptr;
    if (!keycache_public(&known, s->keys, &path.path, err) ||
        !keycache_seckey(&key, s->keys, &path.path, err) ||
        !seckey_taproot_tweak(&key, &known->key, tweak.b) ||
        !schnorr_sign_as(value, &key, output_key, digest, aux, err))
        return fault(i, err);
    value[SCHNORR_LEN] = (uint8_t)plan->sighash;
    *out = (struct psbt_new_sig){ .input = i };
    const size_t len = plan->sighash == SIGHASH_DEFAULT ? SCHNORR_LEN : sizeof value;
    return arena_copy(s->arena, bytes_of(value, len), &out->value) || psbt_too_complex(err);
}

static bool sign_input(struct psbt_new_sig *out, const struct signing *s, size_t i, struct err *err)
{
    const struct input_plan *plan = &s->facts->plans[i];
    const struct spend_at at = { s->digests, i, s->facts->tx.in[i].amount, s->spent };
    struct hash256 digest;
    if (!spend_digest(&digest, &plan->spend, &at, plan->sighash, err))
        return err->code == ERR_NO_MEMORY ? psbt_too_complex(err) : fault(i, err);
    return spend_is_taproot(plan->spend.kind) ? sign_taproot(out, s, i, &digest, err)
                                              : sign_ecdsa(out, s, i, &digest, err);
}

static bool is_needed(const struct psbt_facts *facts)
{
    bool taproot = false;
    for (size_t i = 0; i < facts->tx.n_in; i++) {
        taproot = taproot || spend_is_taproot(facts->plans[i].spend.kind);
        if (!facts->tx.in[i].has_amount)
            return false;
    }
    return taproot;
}

bool psbt_spent_outputs(const struct tx_out **out, const struct psbt_facts *facts,
                        struct arena *arena, struct err *err)
{
    *out = NULL;
    if (!is_needed(facts))
        return true;
    struct tx_out *spent = arena_array(arena, facts->tx.n_in, sizeof *spent);
    if (spent == NULL)
        return psbt_too_complex(err);
    for (size_t i = 0; i < facts->tx.n_in; i++)
        spent[i] =
            (struct tx_out){ (int64_t)facts->tx.in[i].amount.n, facts->plans[i].spend.script };
    *out = spent;
    return true;
}

static bool sign_all(struct psbt_signed *out, const struct signing *s, struct err *err)
{
    const struct tx_facts *tx = &s->facts->tx;
    struct psbt_signed all = { .sigs = arena_array(s->arena, tx->n_signatures, sizeof *all.sigs) };
    if (all.sigs == NULL)
        return psbt_too_complex(err);
    for (size_t i = 0; i < tx->n_in; i++) {
        if (!tx->in[i].will_sign)
            continue;
        REQUIRE(all.n_sigs < tx->n_signatures);
        if (!sign_input(&all.sigs[all.n_sigs++], s, i, err))
            return false;
    }
    *out = all;
    return true;
}

bool psbt_sign(struct psbt_signed *out, const struct psbt_facts *facts, struct keycache *keys,
               const struct entropy *aux_random, struct arena *arena, struct err *err)
{
    struct sighash_cache digests;
    struct signing s = {
        .facts = facts, .keys = keys, .digests = &digests, .aux_random = aux_random, .arena = arena
    };
    REQUIRE(facts->proved);
    if (!psbt_spent_outputs(&s.spent, facts, arena, err))
        return false;
    sighash_cache_init(&digests, &facts->psbt->tx, arena);
    keycache_open(keys);
    const bool good = sign_all(out, &s, err);
    keycache_close(keys);
    wipe_stack();
    return good;
}
