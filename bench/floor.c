// bench/floor.c
#include "bench/floor.h"
#include "base/require.h"
#include "bitcoin/psbt_path.h"
#include "bitcoin/taproot.h"
// As in crypto/hash.c: the cheapest calls there are.
#define OPENSSL_API_COMPAT 0x10100000L
#include <openssl/sha.h>
#include <secp256k1.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_schnorrsig.h>

struct own_input {
    struct hash256 digest;
    struct seckey key; // of taproot: of the output
    secp256k1_pubkey pubkey;
    secp256k1_xonly_pubkey xonly;
    bool taproot;
    size_t calls; // of signing
};
struct floor {
    secp256k1_context *context;
    struct own_input *inputs;
    size_t n_inputs, n_taproot;
    size_t n_derivations, n_output_keys;
    secp256k1_pubkey parent; // of any derivation: they all take the same time
    uint8_t tweak[32];
};

static void low_r(const struct floor *f, const struct own_input *in, secp256k1_ecdsa_signature *sig,
                  size_t *calls)
{
    uint8_t extra[32] = { 0 }, compact[64];
    for (*calls = 1;; ++*calls) {
        REQUIRE(secp256k1_ecdsa_sign(f->context, sig, in->digest.b, in->key.b, NULL,
                                     *calls == 1 ? NULL : extra) == 1);
        REQUIRE(secp256k1_ecdsa_signature_serialize_compact(f->context, compact, sig) == 1);
        if (compact[0] < 0x80)
            return;
        extra[0] = (uint8_t)*calls;
        extra[1] = (uint8_t)(*calls >> 8);
    }
}

static void sign_and_verify(const struct floor *f, const struct own_input *in)
{
    secp256k1_ecdsa_signature sig;
    size_t calls;
    low_r(f, in, &sig, &calls);
    REQUIRE(secp256k1_ecdsa_verify(f->context, &sig, in->digest.b, &in->pubkey) == 1);
}

static void sign_and_verify_schnorr(const struct floor *f, const struct own_input *in)
{
    static const uint8_t aux[32];
    secp256k1_keypair pair;
    uint8_t sig[64];
    REQUIRE(secp256k1_keypair_create(f->context, &pair, in->key.b) == 1);
    REQUIRE(secp256k1_schnorrsig_sign32(f->context, sig, in->digest.b, &pair, aux) == 1);
    REQUIRE(secp256k1_schnorrsig_verify(f->context, sig, in->digest.b, 32, &in->xonly) == 1);
}

void floor_warm(const struct floor *f)
{
    for (size_t i = 0; i < f->n_inputs; i++)
        if (f->inputs[i].taproot)
            sign_and_verify_schnorr(f, &f->inputs[i]);
        else
            sign_and_verify(f, &f->inputs[i]);
}

// RFC 2104 with a key of 32 bytes and a message of 37: four blocks.
static void hmac(uint8_t out[static 64], const uint8_t key[static 32], const uint8_t message[37])
{
    uint8_t pad[128];
    SHA512_CTX ctx;
    for (unsigned round = 0; round < 2; round++) {
        memset(pad, round == 0 ? 0x36 : 0x5c, sizeof pad);
        for (size_t i = 0; i < 32; i++)
            pad[i] ^= key[i];
        REQUIRE(SHA512_Init(&ctx) == 1 && SHA512_Update(&ctx, pad, sizeof pad) == 1);
        REQUIRE(SHA512_Update(&ctx, round == 0 ? message : out, round == 0 ? 37 : 64) == 1);
        REQUIRE(SHA512_Final(out, &ctx) == 1);
    }
}

void floor_derive(const struct floor *f)
{
    uint8_t message[37] = { 2 }, mac[64];
    for (size_t i = 0; i < f->n_derivations; i++) {
        secp256k1_pubkey child = f->parent;
        message[36] = (uint8_t)i;
        hmac(mac, f->tweak, message);
        mac[0] = 0; // below the group order
        REQUIRE(secp256k1_ec_pubkey_tweak_add(f->context, &child, mac) == 1);
    }
    for (size_t i = 0; i < f->n_output_keys; i++) {
        secp256k1_xonly_pubkey inside;
        secp256k1_pubkey output;
        REQUIRE(secp256k1_xonly_pubkey_from_pubkey(f->context, &inside, NULL, &f->parent) == 1);
        REQUIRE(secp256k1_xonly_pubkey_tweak_add(f->context, &output, &inside, f->tweak) == 1);
    }
}

// --- Made of a request ---

static void take_input(struct floor *f, const struct bench_result *r, struct bench_signer *s,
                       struct sighash_cache *cache, const struct tx_out *spent, size_t i)
{
    const struct input_plan *plan = &r->facts.plans[i];
    const struct spend_at at = { cache, i, r->facts.tx.in[i].amount, spent };
    struct own_input *in = &f->inputs[f->n_inputs++];
    struct hdkey node;
    struct err err;
    REQUIRE(spend_digest(&in->digest, &plan->spend, &at, plan->sighash, &err));
    REQUIRE(keycache_derive(&node, s->keys, &r->facts.tx.in[i].path, &err));
    in->taproot = spend_is_taproot(plan->spend.kind);
    if (in->taproot) {
        const struct hash256 tweak = taproot_tweak(node.pub.key.b + 1);
        REQUIRE(seckey_taproot_tweak(&node.key, &node.pub.key, tweak.b));
        REQUIRE(secp256k1_xonly_pubkey_parse(f->context, &in->xonly, plan->spend.script.ptr + 2) ==
                1);
    }
    in->key = node.key;
    REQUIRE(secp256k1_ec_pubkey_parse(f->context, &in->pubkey, node.pub.key.b, 33) == 1);
    if (!in->taproot) {
        secp256k1_ecdsa_signature sig;
        low_r(f, in, &sig, &in->calls);
    }
}

static size_t count_paths(const struct psbt_map *map, bool in_input)
{
    size_t n = 0;
    const struct psbt_field *f = NULL;
    while ((f = in_input ? psbt_next_in_path(map, true, f) : psbt_next_out_path(map, true, f)))
        n++;
    return n;
}

struct floor *floor_new(const struct bench_result *r, struct bench_signer *s, struct arena *arena)
{
    struct floor *f = arena_alloc(arena, sizeof *f);
    struct sighash_cache cache;
    const struct tx_out *spent;
    struct err err;
    REQUIRE(f != NULL);
    f->context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    f->inputs = arena_array(arena, r->facts.tx.n_in, sizeof *f->inputs);
    REQUIRE(f->context != NULL && f->inputs != NULL);
    REQUIRE(psbt_spent_outputs(&spent, &r->facts, arena, &err));
    sighash_cache_init(&cache, &r->psbt.tx, arena);
    keycache_open(s->keys);
    for (size_t i = 0; i < r->facts.tx.n_in; i++)
        if (r->facts.tx.in[i].will_sign) {
            take_input(f, r, s, &cache, spent, i);
            f->n_derivations += count_paths(&r->psbt.in[i], true);
            f->n_output_keys += f->inputs[f->n_inputs - 1].taproot;
        }
    keycache_close(s->keys);
    for (size_t i = 0; i < r->facts.tx.n_out; i++)
        if (r->facts.tx.out[i].change) {
            f->n_derivations += count_paths(&r->psbt.out[i], false);
            f->n_output_keys += script_classify(r->facts.tx.out[i].script) == SCRIPT_P2TR;
        }
    REQUIRE(secp256k1_ec_pubkey_parse(f->context, &f->parent, s->master.pub.key.b, 33) == 1);
    memset(f->tweak, 0x55, sizeof f->tweak);
    return f;
}

size_t floor_sign_calls(const struct floor *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n_inputs; i++)
        n += f->inputs[i].taproot ? 1 : f->inputs[i].calls;
    return n;
}

size_t floor_derivations(const struct floor *f)
{
    return f->n_derivations;
}
