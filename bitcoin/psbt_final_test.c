#include "bitcoin/base58.h"
#include "bitcoin/psbt_err.h"
#include "bitcoin/taproot.h"
#include "tests/support/psbt_rig.h"

static const struct bytes none = { 0 };

static struct rig *other_rig(void)
{
    struct rig *rig = rig_new();
    rig_load_seed(rig, BYTES(TEST_SEED_WORDS " + passphrase other"));
    return rig;
}

static void refuse_final(struct rig *rig, const char *detail)
{
    assert_false(rig_finalize(rig));
    assert_err(&rig->err, ERR_INVALID, PSBT_OUTPUT_FAILED);
    assert_string_equal(rig->err.detail, detail);
}

// One input of ours, one of somebody else's.
static struct draft *shared(const struct rig *ours, const struct rig *theirs, enum draft_kind kind)
{
    struct draft *d = draft_new();
    (void)draft_in(d, ours, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", 10000);
    (void)draft_in(d, theirs, kind, "m/84h/1h/0h/0/3", 10000);
    (void)draft_pay(d, draft_foreign_script(0), 19900);
    return d;
}

TEST(psbt_signing_27_103_incomplete)
{
    struct rig *ours = rig_new(), *theirs = other_rig();
    rig_accepts(ours, draft_v0(shared(ours, theirs, DRAFT_P2WPKH)));
    refuse_final(ours, "No signature on input #1");
    rig_accepts(theirs, draft_v0(shared(ours, theirs, DRAFT_P2WPKH)));
    refuse_final(theirs, "No signature on input #0");
}

// Every kind signed by the other first: what comes out is what they would have made of ours.
TEST(psbt_signing_27_104_foreign_inputs_of_each_kind)
{
    for (int kind = DRAFT_P2PK; kind <= DRAFT_P2SH_P2WPKH; kind++)
        for (uint32_t version = 0; version <= 2; version += 2) {
            struct rig *ours = rig_new(), *theirs = other_rig();
            const struct draft *d = shared(ours, theirs, (enum draft_kind)kind);
            rig_accepts(theirs, draft_write(d, version));
            rig_accepts(ours, theirs->result);
            assert_int_equal(ours->sigs.n_sigs, 1);
            rig_warnings_are(ours, "Partly Signed Already");
            assert_true(rig_finalize(ours));
            rig_accepts(ours, draft_write(d, version));
            rig_accepts(theirs, ours->result);
            assert_true(rig_finalize(theirs));
            // Deterministic signatures: the order of signing leaves no trace.
            const struct bytes tx = theirs->tx;
            rig_accepts(theirs, draft_write(d, version));
            rig_accepts(ours, theirs->result);
            assert_true(rig_finalize(ours));
            assert_bytes_equal(ours->tx, tx);
        }
}

TEST(psbt_signing_27_108_both_versions_give_the_same_transaction)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    (void)draft_in(d, rig, DRAFT_P2SH_P2WPKH, "m/49h/1h/0h/0/0", 1000);
    (void)draft_in(d, rig, DRAFT_P2PKH, "m/44h/1h/0h/0/0", 1000);
    d->tx.locktime = 700000;
    rig_accepts(rig, draft_v0(d));
    assert_true(rig_finalize(rig));
    const struct bytes tx = rig->tx;
    const struct hash256 txid = rig->txid;
    rig_accepts(rig, draft_write(d, 2));
    assert_true(rig_finalize(rig));
    assert_bytes_equal(rig->tx, tx);
    assert_memory_equal(rig->txid.b, txid.b, 32);
    struct tx parsed;
    assert_true(tx_parse(&parsed, tx, test_arena(), &rig->err));
    const struct hash256 parsed_txid = tx_txid(&parsed);
    assert_memory_equal(parsed_txid.b, txid.b, 32);
}

// --- 105: signatures of others are verified ---

static struct bytes flip(struct bytes value, size_t at, uint8_t mask)
{
    struct bytes copy;
    assert_true(arena_copy(test_arena(), value, &copy));
    uint8_t *mem = arena_alloc(test_arena(), copy.len);
    memcpy(mem, copy.ptr, copy.len);
    mem[at] ^= mask;
    return bytes_of(mem, copy.len);
}

TEST(psbt_signing_27_105_bad_foreign_signatures)
{
    struct rig *ours = rig_new(), *theirs = other_rig();
    struct draft *d = shared(ours, theirs, DRAFT_P2PKH);
    rig_accepts(theirs, draft_v0(d));
    const struct psbt_new_sig good = theirs->sigs.sigs[0];
    const struct {
        struct bytes value;
        const char *why;
    } bad[] = {
        { flip(good.value, good.value.len - 5, 1), "another number" },
        { flip(good.value, 0, 1), "not DER" },
        { flip(good.value, good.value.len - 1, 2), "another hash type" },
        { flip(good.value, good.value.len - 1, 0x80), "another hash type" },
        { bytes_slice(good.value, 0, good.value.len - 1), "no hash type" },
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        draft_put(&d->in[1], PSBT_IN_PARTIAL_SIG, good.key, bad[i].value);
        rig_accepts(ours, draft_v0(d));
        refuse_final(ours, "Bad signature on input #1");
    }
    draft_put(&d->in[1], PSBT_IN_PARTIAL_SIG, good.key, good.value);
    rig_accepts(ours, draft_v0(d));
    assert_true(rig_finalize(ours));
    // A good signature for another transaction.
    d->tx.out[0].value--;
    rig_accepts(ours, draft_v0(d));
    refuse_final(ours, "Bad signature on input #1");
}

// Signatures of keys that are not in the script do not count, wherever they stand.
TEST(psbt_signing_27_107_junk_signatures)
{
    struct rig *ours = rig_new(), *theirs = other_rig();
    struct draft *d = shared(ours, theirs, DRAFT_P2WPKH);
    const struct hdkey junk = rig_key(theirs, "m/99");
    rig_accepts(theirs, draft_v0(d));
    const struct psbt_new_sig good = theirs->sigs.sigs[0];
    draft_put(&d->in[1], PSBT_IN_PARTIAL_SIG, BYTES_OF(junk.pub.key.b), good.value);
    rig_accepts(ours, draft_v0(d));
    refuse_final(ours, "No signature on input #1");
    draft_put(&d->in[1], PSBT_IN_PARTIAL_SIG, good.key, good.value);
    rig_accepts(ours, draft_v0(d));
    assert_true(rig_finalize(ours));
}

// A segwit signature commits to an amount that only the UTXO tells.
TEST(psbt_signing_27_104_foreign_signature_without_utxo)
{
    struct rig *ours = rig_new(), *theirs = other_rig();
    struct draft *d = shared(ours, theirs, DRAFT_P2WPKH);
    rig_accepts(theirs, draft_v0(d));
    const struct psbt_new_sig good = theirs->sigs.sigs[0];
    draft_put(&d->in[1], PSBT_IN_PARTIAL_SIG, good.key, good.value);
    draft_drop(&d->in[1], PSBT_IN_WITNESS_UTXO);
    rig_accepts(ours, draft_v0(d));
    refuse_final(ours, "No signature on input #1");
}

// --- Inputs that others have finalised ---

TEST(psbt_signing_16_final_fields_are_taken_over)
{
    struct rig *ours = rig_new(), *theirs = other_rig();
    struct draft *d = shared(ours, theirs, DRAFT_P2SH_P2WPKH);
    struct tx tx;
    draft_put(&d->in[1], PSBT_IN_FINAL_SCRIPT_SIG, none, BYTES("\x01\x51"));
    draft_put(&d->in[1], PSBT_IN_FINAL_WITNESS, none,
              BYTES("\x02\x01"
                    "a\x00"));
    rig_accepts(ours, draft_v0(d));
    assert_true(rig_finalize(ours));
    assert_true(tx_parse(&tx, ours->tx, test_arena(), &ours->err));
    assert_bytes_equal(tx.in[1].script_sig, BYTES("\x01\x51"));
    assert_bytes_equal(tx.in[1].witness, BYTES("\x02\x01"
                                               "a\x00"));
    assert_int_equal(tx.in[0].script_sig.len, 0);
    // One of both is enough, and a witness of no items is none.
    draft_drop(&d->in[1], PSBT_IN_FINAL_SCRIPT_SIG);
    rig_accepts(ours, draft_v0(d));
    assert_true(rig_finalize(ours));
    draft_put(&d->in[1], PSBT_IN_FINAL_WITNESS, none, BYTES("\x00"));
    rig_accepts(ours, draft_v0(d));
    assert_true(rig_finalize(ours));
    assert_true(tx_parse(&tx, ours->tx, test_arena(), &ours->err));
    assert_int_equal(tx.in[1].witness.len, 0);
    // On an input of ours that is signed now, our signature counts.
    draft_put(&d->in[0], PSBT_IN_FINAL_WITNESS, none, BYTES("\x01\x01x"));
    rig_accepts(ours, draft_v0(d));
    assert_true(rig_finalize(ours));
    assert_true(tx_parse(&tx, ours->tx, test_arena(), &ours->err));
    assert_true(tx.in[0].witness.len > 100);
}

// --- 109: finalizer vectors of another library ---

// Facts of a PSBT that is none of ours: how each output is spent, as the PSBT tells.
static void foreign_facts(struct psbt_facts *facts, struct rig *rig, const struct psbt *p)
{
    rig->psbt = *p;
    *facts = (struct psbt_facts){ .psbt = &rig->psbt };
    facts->tx.n_in = p->n_in;
    facts->tx.in = arena_array(test_arena(), p->n_in, sizeof *facts->tx.in);
    facts->plans = arena_array(test_arena(), p->n_in, sizeof *facts->plans);
    for (size_t i = 0; i < p->n_in; i++) {
        const struct psbt_field *prev = psbt_get(&p->in[i], PSBT_IN_NON_WITNESS_UTXO);
        const struct psbt_field *utxo = psbt_get(&p->in[i], PSBT_IN_WITNESS_UTXO);
        const struct psbt_field *redeem = psbt_get(&p->in[i], PSBT_IN_REDEEM_SCRIPT);
        const struct psbt_field *witness = psbt_get(&p->in[i], PSBT_IN_WITNESS_SCRIPT);
        const struct spend_scripts scripts = { redeem ? redeem->value : none,
                                               witness ? witness->value : none };
        struct tx tx;
        struct tx_out spent = { 0 };
        if (utxo != NULL) {
            // 8-byte amount, one-byte length
            memcpy(&spent.value, utxo->value.ptr, 8);
            spent.script = bytes_slice(utxo->value, 9, utxo->value.len);
        } else {
            assert_true(tx_parse(&tx, prev->value, test_arena(), &rig->err));
            spent = tx.out[p->tx.in[i].prevout.index];
        }
        facts->tx.in[i].amount.n = (uint64_t)spent.value;
        facts->tx.in[i].has_amount = true;
        facts->plans[i].spend = spend_of(spent.script, &scripts);
    }
}

TEST(psbt_signing_27_109_finalizer_vectors)
{
    const struct json *rows = json_need(test_vectors("psbt_extra.json"), "finalizer");
    const struct psbt_signed no_new = { 0 };
    size_t n_done = 0;
    for (const struct json *row = rows->items; row != NULL; row = row->next) {
        struct rig *rig = rig_new();
        struct psbt p, final;
        struct tx tx;
        struct writer w = writer_growing(test_arena(), 1 << 20);
        if (!psbt_parse(&p, test_base64(json_need_text(row, "psbt")), test_arena(), &rig->err))
            fail_msg("%.*s: %s", BYTES_ARG(json_need_text(row, "comment")), rig->err.detail);
        assert_true(psbt_parse(&final, test_base64(json_need_text(row, "result")), test_arena(),
                               &rig->err));
        foreign_facts(&rig->facts, rig, &p);
        if (!psbt_finalize(&w, NULL, &rig->facts, &no_new, test_arena(), &rig->err))
            fail_msg("row %zu: %s", n_done, rig->err.detail);
        assert_true(tx_parse(&tx, writer_bytes(&w), test_arena(), &rig->err));
        for (size_t i = 0; i < p.n_in; i++) {
            const struct psbt_field *sig = psbt_get(&final.in[i], PSBT_IN_FINAL_SCRIPT_SIG);
            const struct psbt_field *wit = psbt_get(&final.in[i], PSBT_IN_FINAL_WITNESS);
            assert_bytes_equal(tx.in[i].script_sig, sig ? sig->value : none);
            assert_bytes_equal(tx.in[i].witness, wit ? wit->value : none);
        }
        n_done++;
    }
    assert_int_equal(n_done, 11);
}

// --- 109: signer vectors of another library, whose keys are given and whose wallets are unknown ---

static struct hdkey wif_key(struct bytes wif)
{
    struct writer w = writer_growing(test_arena(), 64);
    struct hdkey key = { .key = { { 0 } } };
    struct err err;
    assert_true(base58check_read(&w, wif));
    const struct bytes payload = writer_bytes(&w);
    assert_int_equal(payload.len, 34); // version, key, and 01: its public key is compressed
    assert_true(payload.ptr[0] == 0xef && payload.ptr[33] == 0x01);
    assert_true(seckey_from_bytes(&key.key, bytes_slice(payload, 1, 32), &err));
    key.pub.key = seckey_pubkey(&key.key);
    return key;
}

static struct bytes sign_ecdsa(const struct hdkey *key, const struct hash256 *digest, uint32_t type)
{
    uint8_t der[ECDSA_DER_MAX + 1];
    struct bytes out;
    struct signature sig;
    struct err err;
    assert_true(ecdsa_sign(&sig, &key->key, &key->pub.key, digest, true, &err));
    const size_t len = ecdsa_to_der(der, &sig);
    der[len] = (uint8_t)type;
    assert_true(arena_copy(test_arena(), bytes_of(der, len + 1), &out));
    return out;
}

static struct bytes sign_schnorr(const struct hdkey *key, const struct hash256 *digest,
                                 uint32_t type)
{
    static const uint8_t aux[32];
    uint8_t *value = arena_alloc(test_arena(), SCHNORR_LEN + 1);
    const struct hash256 tweak = taproot_tweak(key->pub.key.b + 1);
    struct seckey tweaked = key->key;
    struct err err;
    assert_true(seckey_taproot_tweak(&tweaked, &key->pub.key, tweak.b));
    assert_true(schnorr_sign(value, &tweaked, digest, aux, &err));
    value[SCHNORR_LEN] = (uint8_t)type;
    return bytes_of(value, type == SIGHASH_DEFAULT ? SCHNORR_LEN : SCHNORR_LEN + 1);
}

// Adds what one key signs of one input.
static void add_signature(struct psbt_facts *facts, size_t i, const struct hdkey *key)
{
    struct psbt_map *map = &facts->psbt->in[i];
    const struct psbt_field *type_field = psbt_get(map, PSBT_IN_SIGHASH_TYPE);
    const struct spend_way *spend = &facts->plans[i].spend;
    const bool taproot = spend_is_taproot(spend->kind);
    const uint32_t usual = taproot ? SIGHASH_DEFAULT : SIGHASH_ALL;
    const uint32_t type = type_field != NULL ? psbt_u32(type_field) : usual;
    const struct bytes full = BYTES_OF(key->pub.key.b), xonly = bytes_slice(full, 1, full.len);
    struct sighash_cache digests;
    const struct tx_out *spent;
    struct hash256 digest;
    struct err err;
    const struct bytes name = taproot ? xonly : full;
    const uint8_t path = taproot ? PSBT_IN_TAP_KEY_PATH : PSBT_IN_KEY_PATH;
    // A key without a path in the PSBT is nobody's.
    if (psbt_find_keyed(map, path, name) == NULL || !spend_has_key(spend, name))
        return;
    sighash_cache_init(&digests, &facts->psbt->tx, test_arena());
    assert_true(psbt_spent_outputs(&spent, facts, test_arena(), &err));
    const struct spend_at at = { &digests, i, facts->tx.in[i].amount, spent };
    assert_true(spend_digest(&digest, spend, &at, type, &err));
    if (taproot)
        draft_put(map, PSBT_IN_TAP_KEY_SIG, none, sign_schnorr(key, &digest, type));
    else
        draft_put(map, PSBT_IN_PARTIAL_SIG, full, sign_ecdsa(key, &digest, type));
}

static size_t check_signatures_of(const struct psbt_map *got, const struct psbt_map *want,
                                  uint8_t type)
{
    const struct psbt_field *f = NULL;
    size_t n_got = 0, n_want = 0;
    while ((f = psbt_next(got, type, f)) != NULL)
        n_got++;
    for (f = NULL; (f = psbt_next(want, type, f)) != NULL; n_want++) {
        assert_non_null(psbt_find(got, f->key));
        assert_bytes_equal(psbt_find(got, f->key)->value, f->value);
    }
    assert_int_equal(n_got, n_want);
    return n_want;
}

TEST(psbt_signing_27_109_signer_vectors)
{
    const struct json *rows = json_need(test_vectors("psbt_extra.json"), "signer");
    size_t n_rows = 0, n_ecdsa = 0, n_schnorr = 0;
    for (const struct json *row = rows->items; row != NULL; row = row->next, n_rows++) {
        const struct json *keys = json_need(row, "keys");
        struct rig *rig = rig_new();
        struct psbt p, want;
        assert_true(
            psbt_parse(&p, test_base64(json_need_text(row, "psbt")), test_arena(), &rig->err));
        assert_true(
            psbt_parse(&want, test_base64(json_need_text(row, "result")), test_arena(), &rig->err));
        foreign_facts(&rig->facts, rig, &p);
        for (size_t k = 0; k < keys->n_items; k++) {
            const struct hdkey key = wif_key(json_item_text(keys, k));
            for (size_t i = 0; i < p.n_in; i++)
                add_signature(&rig->facts, i, &key);
        }
        for (size_t i = 0; i < p.n_in; i++) {
            n_ecdsa += check_signatures_of(&p.in[i], &want.in[i], PSBT_IN_PARTIAL_SIG);
            n_schnorr += check_signatures_of(&p.in[i], &want.in[i], PSBT_IN_TAP_KEY_SIG);
        }
    }
    assert_int_equal(n_rows, 11);
    assert_int_equal(n_ecdsa, 10);
    assert_int_equal(n_schnorr, 4);
}
