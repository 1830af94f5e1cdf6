// tests/regtest/sign_psbt.c -- signs PSBTs for the judges of this folder: an independent
// implementation, and a node.
//
// One JSON object a line on standard input, one on standard output.
//   {"words": "...", "chain": "XRT", "wallets": ["registration text"...], "psbt": "hex"}
//   {"ok": true, "n_sigs": 1, "signed": "hex", "tx": "hex" or null, "txid": "..." or null,
//    "why": "" or what finalizing said, "change": 0, "warnings": ["label"...]}
//   {"ok": false, "error": "reply", "detail": "..."}
// Option `taproot` is on, the fee limit off, unusual hash types allowed; auxiliary bytes are zero.
#include "base/hex.h"
#include "base/require.h"
#include "base/secret.h"
#include "bitcoin/mnemonic.h"
#include "bitcoin/multisig_register.h"
#include "bitcoin/psbt_sign.h"
#include <stdio.h>
#include <stdlib.h>

enum { WALLETS_MAX = 8, ROOM = 64 << 20 };

struct request {
    struct bytes words, psbt;
    struct hdkey master;
    struct ms_wallet wallet[WALLETS_MAX];
    const struct ms_wallet *wallets[WALLETS_MAX];
    struct signer_view view;
    struct psbt parsed;
    struct psbt_facts facts;
    struct psbt_signed sigs;
};

static bool derive(const void *context, struct hdpub *out, const struct keypath *path,
                   struct err *err)
{
    struct hdkey key;
    if (!hdkey_derive(&key, context, path, err))
        return false;
    *out = key.pub;
    return true;
}

static bool register_wallets(struct request *r, const struct json *texts, struct arena *arena,
                             struct err *err)
{
    r->view.wallets.list = r->wallets;
    for (const struct json *t = texts != NULL ? texts->items : NULL; t != NULL; t = t->next) {
        const size_t n = r->view.wallets.n;
        const struct ms_register against = {
            .chain = r->view.chain,
            .ours = { r->view.xfp, derive, &r->master },
            .unsort_ms = true,
            .wallets = r->view.wallets,
        };
        REQUIRE(n < WALLETS_MAX);
        if (!ms_register(&r->wallet[n], t->text, &against, arena, err))
            return false;
        r->wallets[n] = &r->wallet[n];
        r->view.wallets.n++;
    }
    return true;
}

static struct bytes text_of(const struct json *line, const char *key)
{
    const struct json *value = json_get(line, key);
    REQUIRE(value != NULL && value->type == JSON_STRING);
    return value->text;
}

static bool load(struct request *r, const struct json *line, struct arena *arena, struct err *err)
{
    uint8_t seed[MNEMONIC_SEED_LEN];
    const struct bytes hex = text_of(line, "psbt"), chain = text_of(line, "chain");
    uint8_t *raw = arena_alloc(arena, hex.len / 2 + 1);
    REQUIRE(raw != NULL && hex_decode(raw, hex.len / 2, hex));
    r->psbt = bytes_of(raw, hex.len / 2);
    if (!mnemonic_to_seed(seed, text_of(line, "words"), (struct bytes){ 0 }, err) ||
        !hdkey_from_seed(&r->master, BYTES_OF(seed), err))
        return false;
    r->view = (struct signer_view){
        .xfp = hdpub_xfp(&r->master.pub),
        .chain = chain_by_code(chain),
        .unit = UNIT_COIN,
        .fee_limit_pct = -1,
        .sighash_allow = true,
        .taproot = true,
        .pms = -1,
    };
    REQUIRE(r->view.chain != NULL);
    return register_wallets(r, json_get(line, "wallets"), arena, err);
}

static void no_random(void *context, uint8_t out[32])
{
    (void)context;
    memset(out, 0, 32);
}

static bool sign(struct request *r, struct writer *w, struct arena *arena, struct err *err)
{
    const struct entropy aux = { no_random, NULL };
    AUTO(keycache_freep) struct keycache *keys = keycache_new(&r->master);
    return psbt_parse(&r->parsed, r->psbt, arena, err) &&
           psbt_analyse(&r->facts, &r->parsed, &r->view, arena, err) &&
           psbt_prove(&r->facts, keys, err) &&
           psbt_sign(&r->sigs, &r->facts, keys, &aux, arena, err) &&
           psbt_write_signed(w, &r->facts, &r->sigs, err);
}

static void write_final(struct json_writer *j, struct request *r, struct arena *arena)
{
    struct writer w = writer_growing(arena, ROOM);
    struct hash256 txid;
    struct err err = { 0 };
    const bool is_final =
        !r->facts.tx.is_message && psbt_finalize(&w, &txid, &r->facts, &r->sigs, arena, &err);
    json_key(j, "tx");
    if (is_final)
        json_hex(j, writer_bytes(&w));
    else
        json_null(j);
    json_key(j, "txid");
    if (is_final) {
        char text[TXID_TEXT_SIZE];
        txid_to_text(text, &txid);
        json_text(j, text);
    } else {
        json_null(j);
    }
    json_key(j, "why");
    json_text(j, is_final ? "" : err.detail);
}

static void write_result(struct json_writer *j, struct request *r, struct bytes result,
                         struct arena *arena)
{
    const struct tx_facts *tx = &r->facts.tx;
    json_key(j, "n_sigs");
    json_u64(j, r->sigs.n_sigs);
    json_key(j, "signed");
    json_hex(j, result);
    write_final(j, r, arena);
    json_key(j, "change");
    json_u64(j, tx->change_total.n);
    json_key(j, "warnings");
    json_begin_array(j);
    for (size_t i = 0; i < tx->n_warnings; i++)
        json_text(j, tx->warnings[i].label);
    json_end_array(j);
}

static void answer(const char *line, struct arena *arena)
{
    struct request *r = arena_alloc(arena, sizeof *r);
    struct writer signed_psbt = writer_growing(arena, ROOM), out = writer_growing(arena, ROOM);
    struct json_writer j = json_writer_of(&out);
    const struct json *object;
    struct err err = { 0 };
    REQUIRE(r != NULL && json_parse(&object, bytes_of_text(line), arena, &err));
    const bool ok = load(r, object, arena, &err) && sign(r, &signed_psbt, arena, &err);
    json_begin_object(&j);
    json_key(&j, "ok");
    json_bool(&j, ok);
    if (ok) {
        write_result(&j, r, writer_bytes(&signed_psbt), arena);
    } else {
        json_key(&j, "error");
        json_text(&j, err.text);
        json_key(&j, "detail");
        json_text(&j, err.detail);
    }
    json_end_object(&j);
    REQUIRE(!out.failed);
    printf("%.*s\n", BYTES_ARG(writer_bytes(&out)));
    (void)fflush(stdout);
}

int main(void)
{
    char *line = NULL;
    size_t size = 0;
    REQUIRE(secret_init());
    crypto_init();
    while (getline(&line, &size, stdin) > 0) {
        struct arena *arena = arena_new((size_t)4 * ROOM);
        answer(line, arena);
        arena_free(arena);
    }
    free(line);
    return 0;
}
