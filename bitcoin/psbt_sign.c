// bitcoin/psbt_sign.c
#include "bitcoin/psbt_sign.h"
#include "base/require.h"
#include "bitcoin/psbt_err.h"
#include "bitcoin/psbt_path.h"
#include "bitcoin/taproot.h"

// DER and hash type, as it stands in a PSBT and in scripts. SCHNORR_LEN + 1 is less.
typedef uint8_t sig_room[ECDSA_DER_MAX + 1];

// What one thread writes, besides signatures of its own.
struct slice {
    struct sighash_cache digests;
    struct keyview keys;
    struct err err; // ERR_NONE: all is well
};
struct psbt_signing {
    const struct psbt_facts *facts;
    struct keycache *keys;
    const struct tx_out *spent; // of all inputs, for taproot
    struct psbt_signed all;     // inputs are named from the start
    sig_room *rooms;            // of each of them; for taproot first the random bytes
    size_t n_slices;
    struct slice *slices;
    _Atomic bool cancelled;
};

static bool fault(size_t i, struct err *err)
{
    const struct err why = *err;
    return psbt_reply(err, ERR_INTERNAL, PSBT_SIGNING_LATE, "input %zu: %s", i, why.text);
}

// D-SIG: the signature is verified with the key in the script, whatever was derived now.
static bool owner_of(struct point *out, struct slice *slice, const struct psbt_field *f,
                     const struct keypath *path, struct err *err)
{
    const struct bytes in_script = psbt_key_data(f);
    const struct known_key *known = keyview_public(&slice->keys, path);
    struct pubkey key;
    if (known != NULL && bytes_equal(in_script, BYTES_OF(known->key.b))) {
        *out = known->point; // of the same bytes, and spares reading them
        return true;
    }
    return pubkey_parse(&key, in_script, err) &&
           (point_of(out, &key) || err_set(err, ERR_INVALID, "public key is not on the curve"));
}

static bool sign_ecdsa(struct psbt_new_sig *out, sig_room room, const struct input_plan *plan,
                       struct slice *slice, const struct hash256 *digest)
{
    const struct key_origin path = psbt_path_read(plan->key);
    AUTO(seckey_wipe) struct seckey key = { { 0 } };
    struct point owner;
    struct signature sig;
    if (!owner_of(&owner, slice, plan->key, &path.path, &slice->err) ||
        !keyview_seckey(&key, &slice->keys, &path.path, &slice->err) ||
        !ecdsa_sign_as(&sig, &key, &owner, digest, true, &slice->err))
        return fault(out->input, &slice->err);
    const size_t len = ecdsa_to_der(room, &sig);
    room[len] = (uint8_t)plan->sighash;
    out->key = psbt_key_data(plan->key);
    out->value = bytes_of(room, len + 1);
    return true;
}

// BIP-341: 64 bytes for DEFAULT, else with the hash type behind them.
static bool sign_taproot(struct psbt_new_sig *out, sig_room room, const struct input_plan *plan,
                         struct slice *slice, const struct hash256 *digest)
{
    const struct key_origin path = psbt_path_read(plan->key);
    const struct hash256 tweak = taproot_tweak(psbt_key_data(plan->key).ptr);
    const uint8_t *output_key = script_payload(plan->spend.script, SCRIPT_P2TR).ptr;
    const struct known_key *known = keyview_public(&slice->keys, &path.path);
    AUTO(seckey_wipe) struct seckey key = { { 0 } };
    uint8_t aux[32];
    memcpy(aux, room, sizeof aux);
    if (!keyview_seckey(&key, &slice->keys, &path.path, &slice->err))
        return fault(out->input, &slice->err);
    const struct pubkey pub = known != NULL ? known->key : seckey_pubkey(&key);
    if (!seckey_taproot_tweak(&key, &pub, tweak.b) ||
        !schnorr_sign_as(room, &key, output_key, digest, aux, &slice->err))
        return fault(out->input, &slice->err);
    room[SCHNORR_LEN] = (uint8_t)plan->sighash;
    out->value = bytes_of(room, plan->sighash == SIGHASH_DEFAULT ? SCHNORR_LEN : SCHNORR_LEN + 1);
    return true;
}

static struct spend_at place_of(const struct psbt_signing *s, struct sighash_cache *digests,
                                size_t input)
{
    return (struct spend_at){ digests, input, s->facts->tx.in[input].amount, s->spent };
}

static bool sign_input(const struct psbt_signing *s, struct slice *slice, size_t number)
{
    struct psbt_new_sig *out = &s->all.sigs[number];
    const struct input_plan *plan = &s->facts->plans[out->input];
    const struct spend_at at = place_of(s, &slice->digests, out->input);
    struct hash256 digest;
    if (!spend_digest(&digest, &plan->spend, &at, plan->sighash, &slice->err))
        return slice->err.code == ERR_NO_MEMORY ? psbt_too_complex(&slice->err)
                                                : fault(out->input, &slice->err);
    return spend_is_taproot(plan->spend.kind)
               ? sign_taproot(out, s->rooms[number], plan, slice, &digest)
               : sign_ecdsa(out, s->rooms[number], plan, slice, &digest);
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

// --- Slices ---

static bool take_room(struct psbt_signing *s, size_t n_slices, struct arena *arena)
{
    const size_t n = s->facts->tx.n_signatures;
    s->n_slices = n_slices;
    s->slices = arena_array(arena, n_slices, sizeof *s->slices);
    s->all.sigs = arena_array(arena, n, sizeof *s->all.sigs);
    s->rooms = arena_array(arena, n, sizeof *s->rooms);
    return s->slices != NULL && s->all.sigs != NULL && s->rooms != NULL;
}

// Which inputs are signed, and the random bytes of each, in their order.
static void name_inputs(struct psbt_signing *s, const struct entropy *aux_random)
{
    const struct tx_facts *tx = &s->facts->tx;
    for (size_t i = 0; i < tx->n_in; i++) {
        if (!tx->in[i].will_sign)
            continue;
        REQUIRE(s->all.n_sigs < tx->n_signatures);
        if (spend_is_taproot(s->facts->plans[i].spend.kind)) {
            REQUIRE(aux_random != NULL);
            aux_random->bytes(aux_random->context, s->rooms[s->all.n_sigs]);
        }
        s->all.sigs[s->all.n_sigs].sighash = s->facts->plans[i].sighash;
        s->all.sigs[s->all.n_sigs++].input = (uint32_t)i;
    }
}

// One slice computes what its digests share as it goes; several are given it.
static bool prepare_slices(struct psbt_signing *s, struct arena *arena, struct err *err)
{
    struct sighash_cache digests;
    sighash_cache_init(&digests, &s->facts->psbt->tx, arena);
    for (size_t i = 0; s->n_slices > 1 && i < s->all.n_sigs; i++) {
        const size_t input = s->all.sigs[i].input;
        const struct input_plan *plan = &s->facts->plans[input];
        const struct spend_at at = place_of(s, &digests, input);
        if (!spend_prepare(&plan->spend, &at, plan->sighash, err))
            return psbt_too_complex(err);
    }
    for (size_t i = 0; i < s->n_slices; i++) {
        s->slices[i].digests = digests;
        s->slices[i].keys = (struct keyview){ .cache = s->keys };
    }
    return true;
}

bool psbt_sign_begin(struct psbt_signing **out, const struct psbt_facts *facts,
                     struct keycache *keys, const struct entropy *aux_random, size_t n_slices,
                     struct arena *arena, struct err *err)
{
    struct psbt_signing *s = arena_alloc(arena, sizeof *s);
    REQUIRE(facts->proved && n_slices >= 1 && n_slices <= PSBT_SLICES_MAX);
    if (s == NULL)
        return psbt_too_complex(err);
    s->facts = facts;
    s->keys = keys;
    s->cancelled = false;
    if (!take_room(s, n_slices, arena))
        return psbt_too_complex(err);
    name_inputs(s, aux_random);
    if (!psbt_spent_outputs(&s->spent, facts, arena, err) || !prepare_slices(s, arena, err))
        return false;
    keycache_open(keys);
    *out = s;
    return true;
}

// Every n-th input: what legacy digests hash grows less with each, so halves would not be equal.
void psbt_sign_slice(struct psbt_signing *s, size_t number)
{
    struct slice *slice = &s->slices[number];
    for (size_t i = number; i < s->all.n_sigs; i += s->n_slices) {
        if (s->cancelled) {
            (void)err_set(&slice->err, ERR_INTERRUPTED, "%s", PSBT_SIGNING_LATE);
            break;
        }
        if (!sign_input(s, slice, i))
            break;
    }
    wipe_stack();
}

void psbt_sign_cancel(struct psbt_signing *s)
{
    s->cancelled = true;
}

// NULL: all is well. A fault counts more than that another slice was stopped.
static const struct err *first_error(const struct psbt_signing *s)
{
    const struct err *found = NULL;
    for (size_t i = 0; i < s->n_slices; i++) {
        const struct err *err = &s->slices[i].err;
        if (err->code != ERR_NONE && (found == NULL || found->code == ERR_INTERRUPTED))
            found = err;
    }
    return found;
}

bool psbt_sign_end(struct psbt_signed *out, struct psbt_signing *s, struct err *err)
{
    const struct err *why = first_error(s);
    keycache_close(s->keys);
    if (why == NULL) {
        *out = s->all;
        return true;
    }
    *err = *why;
    wipe(s->rooms, s->all.n_sigs * sizeof *s->rooms);
    return false;
}

bool psbt_sign(struct psbt_signed *out, const struct psbt_facts *facts, struct keycache *keys,
               const struct entropy *aux_random, struct arena *arena, struct err *err)
{
    struct psbt_signing *signing;
    if (!psbt_sign_begin(&signing, facts, keys, aux_random, 1, arena, err))
        return false;
    psbt_sign_slice(signing, 0);
    return psbt_sign_end(out, signing, err);
}
