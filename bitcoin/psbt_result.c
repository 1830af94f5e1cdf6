// bitcoin/psbt_result.c -- the PSBT that goes back: what came in, and what we add.
//
// Source: psbt-signing.md 14.4, 15.
#include "bitcoin/field_order.h"
#include "bitcoin/psbt_err.h"
#include "bitcoin/psbt_path.h"
#include "bitcoin/psbt_sign.h"

enum { MODIFIABLE_INPUTS = 1, MODIFIABLE_OUTPUTS = 2, HAS_SINGLE = 4 };

// The order of types in each map; what is not named comes last, in file order.
static const uint8_t global_v0[] = { PSBT_GLOBAL_UNSIGNED_TX, PSBT_GLOBAL_XPUB,
                                     PSBT_GLOBAL_MESSAGE };
static const uint8_t global_v2[] = {
    PSBT_GLOBAL_TX_VERSION,   PSBT_GLOBAL_FALLBACK_LOCKTIME, PSBT_GLOBAL_INPUT_COUNT,
    PSBT_GLOBAL_OUTPUT_COUNT, PSBT_GLOBAL_TX_MODIFIABLE,     PSBT_GLOBAL_VERSION,
    PSBT_GLOBAL_XPUB,         PSBT_GLOBAL_MESSAGE,
};
static const uint8_t input_order[] = {
    PSBT_IN_NON_WITNESS_UTXO, PSBT_IN_WITNESS_UTXO,  PSBT_IN_PARTIAL_SIG,
    PSBT_IN_SIGHASH_TYPE,     PSBT_IN_KEY_PATH,      PSBT_IN_REDEEM_SCRIPT,
    PSBT_IN_WITNESS_SCRIPT,   PSBT_IN_PREVIOUS_TXID, PSBT_IN_OUTPUT_INDEX,
    PSBT_IN_SEQUENCE,         PSBT_IN_TIME_LOCKTIME, PSBT_IN_HEIGHT_LOCKTIME,
};
static const uint8_t output_order[] = {
    PSBT_OUT_KEY_PATH, // first, below
    PSBT_OUT_REDEEM_SCRIPT, PSBT_OUT_WITNESS_SCRIPT, PSBT_OUT_SCRIPT, PSBT_OUT_AMOUNT,
};

struct result {
    struct writer *w;
    const struct psbt_facts *facts;
    const struct psbt_signed *sigs;
};

static bool is_named(uint8_t type, struct bytes order)
{
    return memchr(order.ptr, type, order.len) != NULL;
}

static void put_field(struct writer *w, struct bytes key, struct bytes value)
{
    writer_counted(w, key);
    writer_counted(w, value);
}

// A fingerprint of 00000000 is replaced by ours.
static void put_key_path(const struct result *r, const struct psbt_field *f)
{
    const struct xfp xfp = psbt_path_xfp(f, r->facts->xfp);
    const struct bytes leaves = psbt_path_leaves(f);
    writer_counted(r->w, f->key);
    writer_compact_size(r->w, f->value.len);
    writer_put(r->w, leaves);
    writer_put(r->w, BYTES_OF(xfp.b));
    writer_put(r->w, bytes_slice(f->value, leaves.len + sizeof xfp.b, f->value.len));
}

// What is not copied in file order behind the rest.
struct apart {
    struct bytes order;           // types that have a place of their own
    const struct psbt_field *but; // was put before, or is dropped; may be NULL
    int tap_path;                 // type of taproot key paths; NO_TYPE: they are copied
};
#define NO_TYPE (-1)

static void put_rest(const struct result *r, const struct psbt_map *map, const struct apart *apart)
{
    for (size_t i = 0; i < map->n_fields; i++) {
        const struct psbt_field *f = &map->fields[i];
        if (is_named(f->key.ptr[0], apart->order) || f == apart->but)
            continue;
        if (f->key.ptr[0] == apart->tap_path)
            put_key_path(r, f);
        else
            put_field(r->w, f->key, f->value);
    }
    writer_u8(r->w, 0);
}

static void put_type(const struct result *r, const struct psbt_map *map, uint8_t type)
{
    for (const struct psbt_field *f = NULL; (f = psbt_next(map, type, f)) != NULL;)
        put_field(r->w, f->key, f->value);
}

static void put_in_order(const struct result *r, const struct psbt_map *map, uint8_t type)
{
    for (const struct psbt_field *f = NULL; (f = psbt_next(map, type, f)) != NULL;)
        put_key_path(r, f);
}

// "The reference device orders keys of one type by hash": field_order.h.
static void put_by_hash(const struct result *r, const struct psbt_map *map, uint8_t type)
{
    const struct psbt_field *fields[FIELD_ORDER_MAX], *f = NULL;
    struct bytes keys[FIELD_ORDER_MAX];
    size_t order[FIELD_ORDER_MAX], n = 0;
    while (n < FIELD_ORDER_MAX && (f = psbt_next(map, type, f)) != NULL) {
        fields[n] = f;
        keys[n++] = bytes_slice(f->key, 1, f->key.len);
    }
    if (n == FIELD_ORDER_MAX && psbt_next(map, type, f) != NULL) { // no wallet has so many
        put_in_order(r, map, type);
        return;
    }
    field_order(order, keys, n);
    for (size_t i = 0; i < n; i++)
        put_key_path(r, fields[order[i]]);
}

static void put_key_paths(const struct result *r, const struct psbt_map *map, uint8_t type)
{
    if (r->facts->device_order)
        put_by_hash(r, map, type);
    else
        put_in_order(r, map, type);
}

// --- Global ---

// BIP-370, "Signer": each signature takes away what it commits to.
static uint8_t modifiable_after(const struct result *r, uint8_t flags)
{
    for (size_t i = 0; i < r->sigs->n_sigs; i++) {
        const uint32_t type = r->sigs->sigs[i].sighash;
        const uint32_t base = type & ~(uint32_t)SIGHASH_ANYONECANPAY;
        if ((type & SIGHASH_ANYONECANPAY) == 0)
            flags &= (uint8_t)~MODIFIABLE_INPUTS;
        if (base != SIGHASH_NONE)
            flags &= (uint8_t)~MODIFIABLE_OUTPUTS;
        if (base == SIGHASH_SINGLE)
            flags |= HAS_SINGLE;
    }
    return flags;
}

static void put_modifiable(const struct result *r, const struct psbt_map *global)
{
    static const uint8_t key[] = { PSBT_GLOBAL_TX_MODIFIABLE };
    const struct psbt_field *f = psbt_get(global, PSBT_GLOBAL_TX_MODIFIABLE);
    const uint8_t before = f == NULL ? MODIFIABLE_INPUTS | MODIFIABLE_OUTPUTS : f->value.ptr[0];
    const uint8_t after = modifiable_after(r, before);
    if (f != NULL || r->sigs->n_sigs > 0)
        put_field(r->w, BYTES_OF(key), bytes_of(&after, 1));
}

static void put_global(const struct result *r)
{
    const struct psbt *p = r->facts->psbt;
    const struct bytes order = p->version == 0 ? BYTES_OF(global_v0) : BYTES_OF(global_v2);
    for (size_t i = 0; i < order.len; i++) {
        if (order.ptr[i] == PSBT_GLOBAL_TX_MODIFIABLE)
            put_modifiable(r, &p->global);
        else
            put_type(r, &p->global, order.ptr[i]);
    }
    // Version 0: "the global version field, if it was there, is dropped"
    const struct apart apart = { order, psbt_get(&p->global, PSBT_GLOBAL_VERSION), NO_TYPE };
    put_rest(r, &p->global, &apart);
}

// --- Inputs and outputs ---

static bool is_taproot(const struct psbt_new_sig *sig)
{
    return sig->key.len == 0;
}

static void put_signature(const struct result *r, const struct psbt_new_sig *sig)
{
    writer_compact_size(r->w, 1 + sig->key.len);
    writer_u8(r->w, PSBT_IN_PARTIAL_SIG);
    writer_put(r->w, sig->key);
    writer_counted(r->w, sig->value);
}

static void put_input(const struct result *r, size_t i, const struct psbt_new_sig *sig)
{
    static const uint8_t tap_key_sig[] = { PSBT_IN_TAP_KEY_SIG };
    const struct psbt_map *map = &r->facts->psbt->in[i];
    for (size_t k = 0; k < COUNT(input_order); k++) {
        const uint8_t type = input_order[k];
        // 14.4: "Field 03 equal to ALL ... is removed on inputs that were signed in this pass"
        if (type == PSBT_IN_SIGHASH_TYPE && sig != NULL && sig->sighash == SIGHASH_ALL)
            continue;
        if (type == PSBT_IN_KEY_PATH)
            put_key_paths(r, map, type);
        else
            put_type(r, map, type);
        if (type == PSBT_IN_PARTIAL_SIG && sig != NULL && !is_taproot(sig))
            put_signature(r, sig);
    }
    if (sig != NULL && is_taproot(sig))
        put_field(r->w, BYTES_OF(tap_key_sig), sig->value);
    const struct apart apart = { BYTES_OF(input_order), NULL,
                                 r->facts->taproot ? PSBT_IN_TAP_KEY_PATH : NO_TYPE };
    put_rest(r, map, &apart);
}

static void put_output(const struct result *r, const struct psbt_map *map)
{
    const struct psbt_field *attestation = psbt_find(map, BYTES(PSBT_OUT_ATTESTATION_KEY));
    put_key_paths(r, map, PSBT_OUT_KEY_PATH);
    for (size_t k = 1; k < COUNT(output_order); k++)
        put_type(r, map, output_order[k]);
    if (attestation != NULL)
        put_field(r->w, attestation->key, attestation->value);
    const struct apart apart = { BYTES_OF(output_order), attestation,
                                 r->facts->taproot ? PSBT_OUT_TAP_KEY_PATH : NO_TYPE };
    put_rest(r, map, &apart);
}

// What comes in comes out, but for what we add: signatures, each with the lengths and the type of its
// field, and the field of 4 bytes that tells what may be modified.
static size_t size_at_most(const struct psbt_facts *facts, const struct psbt_signed *sigs)
{
    size_t size = facts->psbt->raw.len + 4;
    for (size_t i = 0; i < sigs->n_sigs; i++)
        size += 3 + sigs->sigs[i].key.len + sigs->sigs[i].value.len;
    return size;
}

void psbt_forget_inputs(struct psbt_facts *facts, struct psbt *psbt, struct arena *arena)
{
    arena_give_back(arena, facts->tx.in);
    arena_give_back(arena, facts->plans);
    arena_give_back(arena, psbt->tx.in);
    facts->tx.in = NULL;
    facts->plans = NULL;
    psbt->tx.in = NULL;
}

bool psbt_write_signed(struct writer *w, const struct psbt_facts *facts,
                       const struct psbt_signed *sigs, struct err *err)
{
    const struct result r = { w, facts, sigs };
    const struct psbt *p = facts->psbt;
    size_t next = 0;
    writer_reserve(w, size_at_most(facts, sigs));
    writer_put(w, BYTES(PSBT_MAGIC));
    put_global(&r);
    for (size_t i = 0; i < p->n_in; i++) {
        const bool is_signed = next < sigs->n_sigs && sigs->sigs[next].input == i;
        put_input(&r, i, is_signed ? &sigs->sigs[next++] : NULL);
    }
    for (size_t i = 0; i < p->n_out; i++)
        put_output(&r, &p->out[i]);
    return !w->failed || psbt_too_complex(err);
}
