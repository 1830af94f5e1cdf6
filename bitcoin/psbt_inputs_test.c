#include "bitcoin/psbt_err.h"
#include "tests/support/psbt_rig.h"

#define COIN 100000000u
static const struct bytes none = { 0 };

// One input made by the test, and a payment of nearly all of it.
static struct draft *paying(struct draft *d, uint64_t sats)
{
    (void)draft_pay(d, draft_foreign_script(0), sats);
    return d;
}

static struct draft *one_input(const struct rig *rig, enum draft_kind kind, enum draft_utxo utxo)
{
    struct draft *d = draft_new();
    (void)draft_in_utxo(d, rig, kind, "m/84h/1h/0h/0/0", COIN, utxo);
    return paying(d, COIN - 1000);
}

static struct bytes prev_tx_of(struct bytes script, uint64_t sats, size_t n_outs, bool witness)
{
    struct writer w = writer_growing(test_arena(), 1 << 16);
    struct tx_in in = { .sequence = 7, .witness = witness ? BYTES("\x01\x02hi") : none };
    struct tx_out *outs = arena_array(test_arena(), n_outs, sizeof *outs);
    for (size_t i = 0; i < n_outs; i++)
        outs[i] = (struct tx_out){ (int64_t)sats, script };
    const struct tx tx = { .version = 1, .n_in = 1, .n_out = n_outs, .in = &in, .out = outs };
    tx_write(&w, &tx);
    return writer_bytes(&w);
}

// Gives input 0 this previous transaction, and its txid.
static void put_prev(struct draft *d, struct bytes prev, struct hash256 txid)
{
    d->tx.in[0].prevout.txid = txid;
    draft_put(&d->in[0], PSBT_IN_NON_WITNESS_UTXO, none, prev);
}

// --- UTXOs ---

TEST(psbt_signing_27_52_53_kinds_and_utxo_forms)
{
    static const struct {
        enum draft_kind kind;
        enum draft_utxo utxo;
        const char *reply; // NULL: signed
    } cases[] = {
        { DRAFT_P2PK, DRAFT_UTXO_PREV, NULL },
        { DRAFT_P2PK65, DRAFT_UTXO_PREV, NULL },
        { DRAFT_P2PKH, DRAFT_UTXO_PREV, NULL },
        { DRAFT_P2WPKH, DRAFT_UTXO_PREV, NULL },
        { DRAFT_P2SH_P2WPKH, DRAFT_UTXO_PREV, NULL },
        { DRAFT_P2PK, DRAFT_UTXO_BOTH, NULL },
        { DRAFT_P2PKH, DRAFT_UTXO_BOTH, NULL },
        { DRAFT_P2WPKH, DRAFT_UTXO_BOTH, NULL },
        { DRAFT_P2SH_P2WPKH, DRAFT_UTXO_BOTH, NULL },
        { DRAFT_P2WPKH, DRAFT_UTXO_WITNESS, NULL },
        { DRAFT_P2SH_P2WPKH, DRAFT_UTXO_WITNESS, NULL },
        // 55: the amount of a legacy input is proved by its previous transaction alone.
        { DRAFT_P2PK, DRAFT_UTXO_WITNESS, "Legacy input #0 requires non-witness UTXO" },
        { DRAFT_P2PK65, DRAFT_UTXO_WITNESS, "Legacy input #0 requires non-witness UTXO" },
        { DRAFT_P2PKH, DRAFT_UTXO_WITNESS, "Legacy input #0 requires non-witness UTXO" },
        { DRAFT_P2PKH, DRAFT_UTXO_NONE,
          "Missing own UTXO(s). Cannot determine value being signed" },
        { DRAFT_P2WPKH, DRAFT_UTXO_NONE,
          "Missing own UTXO(s). Cannot determine value being signed" },
    };
    struct rig *rig = rig_new();
    for (size_t i = 0; i < COUNT(cases); i++)
        for (uint32_t version = 0; version <= 2; version += 2) {
            struct draft *d = one_input(rig, cases[i].kind, cases[i].utxo);
            if (cases[i].reply != NULL) {
                rig_refuses(rig, draft_write(d, version), cases[i].reply, "");
                continue;
            }
            rig_accepts(rig, draft_write(d, version));
            rig_warnings_are(rig, "");
            assert_int_equal(rig->sigs.n_sigs, 1);
            assert_true(rig->facts.tx.in[0].own && rig->facts.tx.in[0].verified);
            assert_true(rig_finalize(rig));
        }
}

TEST(psbt_signing_27_52_all_kinds_in_one_transaction)
{
    struct rig *rig = rig_new();
    for (uint32_t version = 0; version <= 2; version += 2) {
        struct draft *d = draft_new();
        for (int kind = DRAFT_P2PK; kind <= DRAFT_P2SH_P2WPKH; kind++)
            (void)draft_in(d, rig, (enum draft_kind)kind, "m/44h/1h/3h/0/9", COIN);
        rig_accepts(rig, draft_write(paying(d, 5 * COIN - 1000), version));
        assert_int_equal(rig->sigs.n_sigs, 5);
        assert_true(rig->facts.tx.signs_single_key && !rig->facts.tx.signs_multisig);
        assert_true(rig_finalize(rig));
    }
}

TEST(psbt_signing_27_53_previous_transactions)
{
    struct rig *rig = rig_new();
    const struct bytes script = psbt_rig_script(rig, DRAFT_P2PKH, "m/84h/1h/0h/0/0");
    struct draft *d = one_input(rig, DRAFT_P2PKH, DRAFT_UTXO_NONE);
    struct bytes prev = prev_tx_of(script, COIN, 3, false);

    put_prev(d, prev, sha256d(prev));
    d->tx.in[0].prevout.index = 2;
    rig_accepts(rig, draft_v0(d));
    d->tx.in[0].prevout.index = 3;
    rig_refuses(rig, draft_v0(d), PSBT_INVALID, "not enuf outs");

    // The witness form has the txid of the form without it.
    const struct hash256 txid = sha256d(prev_tx_of(script, COIN, 1, false));
    d->tx.in[0].prevout.index = 0;
    put_prev(d, prev_tx_of(script, COIN, 1, true), txid);
    rig_accepts(rig, draft_v0(d));

    put_prev(d, prev_tx_of(script, COIN, 1, false), (struct hash256){ { 1 } });
    rig_refuses(rig, draft_v0(d), PSBT_INVALID, "utxo hash mismatch for input #0");

    // D-UTXO: read to the last byte.
    prev = test_concat(prev_tx_of(script, COIN, 1, false), BYTES("\x00"));
    put_prev(d, prev, sha256d(prev));
    rig_refuses(rig, draft_v0(d), PSBT_INVALID, "Trouble parsing UTXO given for input #0");
    prev = bytes_slice(prev, 0, prev.len - 2);
    put_prev(d, prev, sha256d(prev));
    rig_refuses(rig, draft_v0(d), PSBT_INVALID, "Trouble parsing UTXO given for input #0");
    static const char *const hollow[] = {
        "02000000 00 01 e803000000000000 00 00000000", // no inputs: read as the witness form
        "02000000 00 02 e803000000000000 00 e803000000000000 00 00000000", // and not so read
    };
    for (size_t i = 0; i < COUNT(hollow); i++) {
        prev = test_hex(hollow[i]);
        put_prev(d, prev, sha256d(prev));
        rig_refuses(rig, draft_v0(d), PSBT_INVALID, "Trouble parsing UTXO given for input #0");
    }
    prev = prev_tx_of(script, COIN, 0, false); // no outputs
    put_prev(d, prev, sha256d(prev));
    rig_refuses(rig, draft_v0(d), PSBT_INVALID, "Trouble parsing UTXO given for input #0");
}

TEST(psbt_signing_27_53_both_utxo_forms_must_agree)
{
    struct rig *rig = rig_new();
    struct draft *d = one_input(rig, DRAFT_P2WPKH, DRAFT_UTXO_BOTH);
    const struct bytes script = psbt_rig_script(rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0");
    const struct bytes other = psbt_rig_script(rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/1");
    const struct bytes right = test_concat(test_hex("00e1f50500000000 16"), script);
    draft_put(&d->in[0], PSBT_IN_WITNESS_UTXO, none, right);
    rig_accepts(rig, draft_v0(d));
    draft_put(&d->in[0], PSBT_IN_WITNESS_UTXO, none,
              test_concat(test_hex("01e1f50500000000 16"), script));
    rig_refuses(rig, draft_v0(d), PSBT_INVALID, "utxo mismatch for input #0");
    draft_put(&d->in[0], PSBT_IN_WITNESS_UTXO, none,
              test_concat(test_hex("00e1f50500000000 16"), other));
    rig_refuses(rig, draft_v0(d), PSBT_INVALID, "utxo mismatch for input #0");
}

// What the previous transaction lacks is not taken from the other form, which nothing proves.
TEST(psbt_signing_27_53_output_that_the_previous_transaction_lacks)
{
    struct rig *rig = rig_new();
    struct draft *d = one_input(rig, DRAFT_P2WPKH, DRAFT_UTXO_BOTH);
    rig_accepts(rig, draft_v0(d));
    d->tx.in[0].prevout.index = 1;
    rig_refuses(rig, draft_v0(d), PSBT_INVALID, "not enuf outs");
}

// A foreign input's previous transaction is hashed, too.
TEST(psbt_signing_27_53_foreign_previous_transaction_is_checked)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    (void)draft_in_script(d, draft_foreign_script(1), 5, DRAFT_UTXO_PREV);
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Limited Signing");
    d->tx.in[1].prevout.txid.b[31] ^= 1;
    rig_refuses(rig, draft_v0(d), PSBT_INVALID, "utxo hash mismatch for input #1");
}

TEST(psbt_signing_27_54_amounts)
{
    static const struct {
        int64_t in, out;
        const char *reply, *detail; // NULL: accepted
    } cases[] = {
        { -1, 1, PSBT_INVALID, "negative input value: i0" },
        { INT64_MIN, 1, PSBT_INVALID, "negative input value: i0" },
        { 0, 0, PSBT_INVALID, "zero value txn" },
        { 2100000000000000, 2100000000000000, NULL, NULL },
        { 2100000000000001, 2100000000000000, PSBT_INVALID, "input value out of range: i0" },
        { INT64_MAX, 1, PSBT_INVALID, "input value out of range: i0" },
        { 2100000000000000, 2100000000000001, PSBT_INVALID, "output value out of range: o0" },
        { 2100000000000000, INT64_MAX, PSBT_INVALID, "output value out of range: o0" },
        { 2100000000000000, -1, PSBT_INVALID, "negative output value: o0" },
    };
    struct rig *rig = rig_new();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct draft *d = draft_new();
        (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", (uint64_t)cases[i].in);
        (void)paying(d, (uint64_t)cases[i].out);
        if (cases[i].reply != NULL)
            rig_refuses(rig, draft_v0(d), cases[i].reply, cases[i].detail);
        else
            rig_accepts(rig, draft_v0(d));
    }
}

TEST(psbt_signing_27_54_sums_of_amounts)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_new();
    (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", SATS_MAX);
    (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/1", 1);
    rig_refuses(rig, draft_v0(paying(d, 1)), PSBT_INVALID, "sum of input values out of range: i1");

    d = draft_new();
    (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", SATS_MAX);
    (void)paying(paying(d, SATS_MAX), 1);
    rig_refuses(rig, draft_v0(d), PSBT_INVALID, "sum of output values out of range: o1");
}

TEST(psbt_signing_27_55_unverified_amount_of_a_foreign_input)
{
    struct rig *rig = rig_new();
    struct rig *other = rig_new();
    rig_load_seed(other, BYTES(TEST_SEED_WORDS " + passphrase other"));
    struct draft *d = draft_usual(rig);
    (void)draft_in_utxo(d, other, DRAFT_P2PKH, "m/44h/1h/0h/0/0", COIN, DRAFT_UTXO_WITNESS);
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Unable to calculate fee, Limited Signing");
    assert_bytes_text(rig_warning(rig, "Unable to calculate fee"),
                      "Some input(s) provided unverified witness UTXO(s): 1");
    assert_false(rig->facts.tx.fee_known || rig->facts.tx.in[1].verified);
}

// As many inputs without a UTXO as with an unverified one; and no value at all among what is known.
TEST(psbt_signing_27_54_55_unknown_amounts)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    (void)draft_in_script(d, draft_foreign_script(1), COIN, DRAFT_UTXO_NONE);
    (void)draft_in_script(d, psbt_rig_script(rig, DRAFT_P2PKH, "m/9"), COIN, DRAFT_UTXO_WITNESS);
    rig_accepts(rig, draft_v0(d));
    assert_false(rig->facts.tx.fee_known);
    rig_warnings_are(rig, "Unable to calculate fee, Unable to calculate fee, Limited Signing");

    d = draft_new();
    (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", 0);
    (void)draft_in_script(d, draft_foreign_script(1), COIN, DRAFT_UTXO_NONE);
    rig_accepts(rig, draft_v0(paying(d, 1000)));
    rig_warnings_are(rig, "Unable to calculate fee, Limited Signing");
}

// 56: a P2SH amount counts as verified if the redeem script shows that it is segwit.
TEST(psbt_signing_27_56_p2sh_witness_utxo)
{
    struct rig *rig = rig_new();
    struct rig *other = rig_new();
    rig_load_seed(other, BYTES(TEST_SEED_WORDS " + passphrase other"));
    const struct bytes wrong = psbt_rig_script(other, DRAFT_P2WPKH, "m/84h/1h/0h/0/77");
    struct draft *d = draft_usual(rig);
    struct psbt_map *in = draft_in(d, other, DRAFT_P2SH_P2WPKH, "m/49h/1h/0h/0/0", 1000);
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Limited Signing");
    draft_put(in, PSBT_IN_REDEEM_SCRIPT, none, wrong);
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Unable to calculate fee, Limited Signing");
    draft_drop(in, PSBT_IN_REDEEM_SCRIPT);
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Unable to calculate fee, Limited Signing");
    // The right redeem script shows that it is not.
    const struct bytes legacy = psbt_rig_script(other, DRAFT_P2PKH, "m/49h/1h/0h/0/0");
    struct writer p2sh = writer_growing(test_arena(), 64);
    script_write_p2sh(&p2sh, hash160(legacy));
    d = draft_usual(rig);
    in = draft_in_script(d, writer_bytes(&p2sh), 1000, DRAFT_UTXO_WITNESS);
    draft_put(in, PSBT_IN_REDEEM_SCRIPT, none, legacy);
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Unable to calculate fee, Limited Signing");
    assert_false(rig->facts.tx.in[1].verified);
}

// --- Inputs among themselves ---

static void refuse_duplicate(size_t n, size_t first, size_t second)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_new();
    for (size_t i = 0; i < n; i++)
        (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", 10000);
    (void)paying(d, 10000 * n - 1000);
    rig_accepts(rig, draft_v0(d));
    d->tx.in[second].prevout = d->tx.in[first].prevout;
    rig_refuses(rig, draft_v0(d), "Duplicate inputs", "");
}

TEST(psbt_signing_27_57_duplicate_outpoints)
{
    refuse_duplicate(2, 0, 1);
    refuse_duplicate(3, 2, 1);
    refuse_duplicate(151, 1, 150); // the reference remembers a hundred
}

TEST(psbt_signing_27_57_same_txid_other_index_is_no_duplicate)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_new();
    for (uint32_t i = 0; i < 40; i++) {
        (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", 10000);
        d->tx.in[i].prevout = (struct outpoint){ { { 9 } }, 256 * (i % 5) + i };
    }
    rig_accepts(rig, draft_v0(paying(d, 399000)));
}

// Wherever two stand that differ in nothing, among forty that differ in the number alone.
TEST(psbt_signing_27_57_duplicates_among_outputs_of_one_transaction)
{
    static const size_t pairs[][2] = { { 0, 39 }, { 5, 6 }, { 20, 3 }, { 39, 1 }, { 17, 34 } };
    struct rig *rig = rig_new();
    for (size_t k = 0; k < COUNT(pairs); k++) {
        struct draft *d = draft_new();
        for (uint32_t i = 0; i < 40; i++) {
            (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", 10000);
            d->tx.in[i].prevout = (struct outpoint){ { { 9 } }, 256 * (i * 7 % 5) + i * 11 % 40 };
        }
        d->tx.in[pairs[k][0]].prevout = d->tx.in[pairs[k][1]].prevout;
        rig_refuses(rig, draft_v0(paying(d, 399000)), "Duplicate inputs", "");
    }
}

// The later one is the duplicate: what is wrong with the earlier is said first.
TEST(psbt_signing_27_57_which_of_two_is_the_duplicate)
{
    struct rig *rig = rig_new();
    for (unsigned wrong = 0; wrong < 2; wrong++) {
        struct draft *d = draft_new();
        for (unsigned i = 0; i < 2; i++)
            (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0",
                           i == wrong ? UINT64_MAX : 10000);
        d->tx.in[1].prevout = d->tx.in[0].prevout;
        (void)paying(d, 9000);
        if (wrong == 0)
            rig_refuses(rig, draft_v0(d), PSBT_INVALID, "negative input value: i0");
        else
            rig_refuses(rig, draft_v0(d), "Duplicate inputs", "");
    }
}

// --- Scripts and keys ---

TEST(psbt_signing_27_58_p2sh_p2wpkh)
{
    struct rig *rig = rig_new();
    const char *path = "m/84h/1h/0h/0/0", *wrong = "Input #0: pubkey vs. address wrong";
    struct draft *d = one_input(rig, DRAFT_P2SH_P2WPKH, DRAFT_UTXO_WITNESS);
    rig_accepts(rig, draft_v0(d));
    draft_put_path(&d->in[0], PSBT_IN_KEY_PATH, rig, rig->view.xfp, "m/84h/1h/0h/0/1");
    rig_refuses(rig, draft_v0(d), PSBT_INVALID, "p2sh-p2wpkh needs one key");

    d = one_input(rig, DRAFT_P2SH_P2WPKH, DRAFT_UTXO_WITNESS);
    draft_drop(&d->in[0], PSBT_IN_REDEEM_SCRIPT);
    rig_refuses(rig, draft_v0(d), "Missing redeem/witness script for input #0", "");

    // The redeem script of another key of ours, with that key or with the right one.
    d = one_input(rig, DRAFT_P2SH_P2WPKH, DRAFT_UTXO_WITNESS);
    draft_put(&d->in[0], PSBT_IN_REDEEM_SCRIPT, none, psbt_rig_script(rig, DRAFT_P2WPKH, "m/1"));
    rig_refuses(rig, draft_v0(d), wrong, "");
    draft_drop(&d->in[0], PSBT_IN_KEY_PATH);
    draft_put_path(&d->in[0], PSBT_IN_KEY_PATH, rig, rig->view.xfp, "m/1");
    rig_refuses(rig, draft_v0(d), wrong, "");
    // The right one, with another key.
    draft_put(&d->in[0], PSBT_IN_REDEEM_SCRIPT, none, psbt_rig_script(rig, DRAFT_P2WPKH, path));
    rig_refuses(rig, draft_v0(d), wrong, "");
}

// The 65-byte form of our key in place of the compressed one.
static struct draft *with_long_key(const struct rig *rig, enum draft_kind kind)
{
    struct draft *d = one_input(rig, kind, DRAFT_UTXO_PREV);
    const struct hdkey key = rig_key(rig, "m/84h/1h/0h/0/0");
    const struct pubkey64 xy = pubkey_to64(&key.pub.key);
    const struct bytes value = d->in[0].fields[d->in[0].n_fields - 1].value;
    draft_drop(&d->in[0], PSBT_IN_KEY_PATH);
    draft_put(&d->in[0], PSBT_IN_KEY_PATH, test_concat(BYTES("\x04"), BYTES_OF(xy.b)), value);
    return d;
}

TEST(psbt_signing_27_59_uncompressed_keys)
{
    struct rig *rig = rig_new();
    rig_refuses(rig, draft_v0(with_long_key(rig, DRAFT_P2WPKH)),
                "Input #0: pubkey vs. address wrong", "");
    rig_refuses(rig, draft_v0(with_long_key(rig, DRAFT_P2SH_P2WPKH)),
                "Input #0: pubkey vs. address wrong", "");
    rig_refuses(rig, draft_v0(with_long_key(rig, DRAFT_P2PKH)),
                "Input #0: pubkey vs. address wrong", "");
    rig_refuses(rig, draft_v0(with_long_key(rig, DRAFT_P2PK)), "Input #0: pubkey wrong", "");
    rig_accepts(rig, draft_v0(with_long_key(rig, DRAFT_P2PK65)));
}

// A segwit address made of the hash of the long form of our key.
TEST(psbt_signing_27_59_segwit_of_an_uncompressed_key_is_refused)
{
    struct rig *rig = rig_new();
    struct draft *d = with_long_key(rig, DRAFT_P2WPKH);
    struct writer script = writer_growing(test_arena(), 64);
    const struct bytes key = psbt_key_data(psbt_next(&d->in[0], PSBT_IN_KEY_PATH, NULL));
    script_write_p2wpkh(&script, hash160(key));
    const struct bytes prev = prev_tx_of(writer_bytes(&script), COIN, 1, false);
    put_prev(d, prev, sha256d(prev));
    rig_refuses(rig, draft_v0(d), "Input #0: pubkey vs. address wrong", "");
}

// The same in P2PKH is well formed; but we derive compressed keys alone.
TEST(psbt_signing_27_59_p2pkh_of_an_uncompressed_key_is_not_signed)
{
    struct rig *rig = rig_new();
    struct draft *d = with_long_key(rig, DRAFT_P2PKH);
    struct writer script = writer_growing(test_arena(), 64);
    const struct bytes key = psbt_key_data(psbt_next(&d->in[0], PSBT_IN_KEY_PATH, NULL));
    script_write_p2pkh(&script, hash160(key));
    const struct bytes prev = prev_tx_of(writer_bytes(&script), COIN, 1, false);
    put_prev(d, prev, sha256d(prev));
    rig_refuses(rig, draft_v0(d), PSBT_SIGNING_LATE,
                "Path (m/84h/1h/0h/0/0) led to wrong pubkey for input#0");
}

static struct bytes claim_script(struct rig *rig, struct bytes script, enum draft_utxo utxo)
{
    struct draft *d = draft_usual(rig);
    struct psbt_map *in = draft_in_script(d, script, 1000, utxo);
    draft_put_path(in, PSBT_IN_KEY_PATH, rig, rig->view.xfp, "m/84h/1h/0h/0/0");
    return draft_v0(d);
}

TEST(psbt_signing_27_60_kinds_that_are_not_signed)
{
    struct rig *rig = rig_new();
    const struct bytes program =
        test_hex("4142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60");
    const struct bytes taproot = test_concat(BYTES("\x51\x20"), program);
    rig_refuses(rig, claim_script(rig, taproot, DRAFT_UTXO_WITNESS),
                "Install EDGE firmware to spend taproot.", "");
    rig->view.taproot = true; // nothing to sign it with
    rig_refuses(rig, claim_script(rig, taproot, DRAFT_UTXO_WITNESS),
                "Input #1: pubkey vs. address wrong", "");
    rig->view.taproot = false;
    rig_refuses(rig, claim_script(rig, test_hex("51024e73"), DRAFT_UTXO_PREV),
                "Unhandled scriptPubKey: 51024e73", "");
    rig_refuses(rig, claim_script(rig, BYTES(""), DRAFT_UTXO_PREV), "Unhandled scriptPubKey: ", "");
    rig_refuses(rig, claim_script(rig, test_concat(BYTES("\x00\x20"), program), DRAFT_UTXO_WITNESS),
                "Missing redeem/witness script for input #1", "");
}

// Without the memory to say what it is, it is refused all the same.
TEST(psbt_signing_27_60_unknown_kind_in_a_full_arena)
{
    enum { LEN = 3000, STEP = 512, PLENTY = 64 << 10 };
    static const char text[] = "Unhandled scriptPubKey: 515151";
    struct rig *rig = rig_new();
    uint8_t script[LEN];
    bool said = false;
    memset(script, 0x51, sizeof script);
    const struct bytes raw = claim_script(rig, bytes_of(script, LEN), DRAFT_UTXO_PREV);
    struct psbt p;
    assert_true(psbt_parse(&p, raw, test_arena(), &rig->err));
    for (size_t room = 0; room < PLENTY; room += STEP) {
        AUTO(arena_freep) struct arena *arena = arena_new(room);
        assert_false(psbt_analyse(&rig->facts, &p, &rig->view, arena, &rig->err));
        said = memcmp(rig->err.text, text, sizeof text - 1) == 0;
        if (!said)
            assert_err(&rig->err, ERR_NO_MEMORY, PSBT_TOO_COMPLEX);
    }
    assert_true(said);
}

TEST(psbt_signing_27_61_claim_on_op_return_is_never_signed)
{
    struct rig *rig = rig_new();
    assert_true(rig_analyse(rig, claim_script(rig, test_hex("6a0161"), DRAFT_UTXO_PREV)));
    assert_true(psbt_rig_sign(rig));
    assert_int_equal(rig->sigs.n_sigs, 1);
    rig_warnings_are(rig, "Limited Signing");
    assert_false(rig->facts.tx.in[1].will_sign || rig->facts.tx.in[1].own);
    // Alone, it leaves nothing to sign.
    struct draft *d = draft_new();
    struct psbt_map *in = draft_in_script(d, test_hex("6a0161"), 5000, DRAFT_UTXO_PREV);
    draft_put_path(in, PSBT_IN_KEY_PATH, rig, rig->view.xfp, "m/84h/1h/0h/0/0");
    rig_refuses(rig, draft_v0(paying(d, 4900)),
                "None of the keys involved in this transaction belong to this Coldcard", "");
}

// Multisig scripts that no wallet of ours explains.
TEST(psbt_signing_27_62_multisig_inputs_without_a_wallet)
{
    struct rig *rig = rig_new();
    struct writer script = writer_growing(test_arena(), 256),
                  spk = writer_growing(test_arena(), 64);
    const struct hdkey key = rig_key(rig, "m/84h/1h/0h/0/0");
    writer_u8(&script, 0x51);
    writer_counted(&script, BYTES_OF(key.pub.key.b));
    writer_put(&script, BYTES("\x51\xae"));
    script_write_p2wsh(&spk, sha256(writer_bytes(&script)));
    struct draft *d = draft_usual(rig);
    struct psbt_map *in = draft_in_script(d, writer_bytes(&spk), 1000, DRAFT_UTXO_WITNESS);
    draft_put_path(in, PSBT_IN_KEY_PATH, rig, rig->view.xfp, "m/84h/1h/0h/0/0");
    draft_put(in, PSBT_IN_WITNESS_SCRIPT, none, writer_bytes(&script));
    rig_refuses(rig, draft_v0(d), "Unknown multisig wallet", "");
    draft_put(in, PSBT_IN_WITNESS_SCRIPT, none, test_concat(writer_bytes(&script), BYTES("\x51")));
    rig_refuses(rig, draft_v0(d), PSBT_INVALID, "need CHECKMULTISIG");
}

// --- Already signed ---

static void put_signature(struct psbt_map *in, const struct rig *owner, const char *path)
{
    const struct hdkey key = rig_key(owner, path);
    draft_put(in, PSBT_IN_PARTIAL_SIG, BYTES_OF(key.pub.key.b),
              BYTES("0\x06\x02\x01\x01\x02\x01\x01\x01"));
}

TEST(psbt_signing_27_63_already_signed_inputs)
{
    struct rig *rig = rig_new();
    struct rig *other = rig_new();
    rig_load_seed(other, BYTES(TEST_SEED_WORDS " + passphrase other"));

    // Single key, one signature, good or bad: not signed again.
    struct draft *d = draft_usual(rig);
    put_signature(&d->in[0], rig, "m/84h/1h/0h/0/0");
    rig_refuses(rig, draft_v0(d), "Transaction looks completely signed already?", "");
    (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/5", 1000);
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Partly Signed Already");
    assert_int_equal(rig->sigs.n_sigs, 1);
    assert_int_equal(rig->sigs.sigs[0].input, 1);
    assert_true(rig->facts.tx.in[0].own); // signed before, but ours: its key was derived
    assert_false(rig->facts.tx.in[0].will_sign);

    // By somebody else, without key paths.
    d = draft_usual(rig);
    put_signature(
        draft_in_script(d, psbt_rig_script(other, DRAFT_P2WPKH, "m/0"), 1000, DRAFT_UTXO_WITNESS),
        other, "m/0");
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Partly Signed Already");

    // Final fields alone do not make an input signed (8.3).
    d = draft_usual(rig);
    draft_put(&d->in[0], PSBT_IN_FINAL_WITNESS, none, BYTES("\x00"));
    rig_accepts(rig, draft_v0(d));
    assert_int_equal(rig->sigs.n_sigs, 1);
}

// A signed input that lacks its UTXO makes the fee unknown, even when it claims to be ours.
TEST(psbt_signing_27_63_signed_input_without_utxo)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    struct psbt_map *in =
        draft_in_utxo(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/5", 1000, DRAFT_UTXO_NONE);
    put_signature(in, rig, "m/84h/1h/0h/0/5");
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Unable to calculate fee, Partly Signed Already");
    assert_false(rig->facts.tx.in[1].own); // nothing shows what it spends
}

// --- Whose keys ---

TEST(psbt_signing_27_64_no_key_of_ours)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    draft_drop(&d->in[0], PSBT_IN_KEY_PATH);
    rig_refuses(rig, draft_v0(d), "PSBT does not contain any key path information.", "");

    const struct xfp abc = { { 0xab, 0xcd, 0xef, 0x01 } }, one = { { 0, 0, 0, 1 } };
    draft_put_path(&d->in[0], PSBT_IN_KEY_PATH, rig, one, "m/1");
    draft_put_path(&d->in[0], PSBT_IN_KEY_PATH, rig, abc, "m/2");
    (void)draft_in_script(d, draft_foreign_script(4), 1, DRAFT_UTXO_WITNESS);
    draft_put_path(&d->in[1], PSBT_IN_KEY_PATH, rig, abc, "m/3");
    draft_put_path(&d->in[1], PSBT_IN_KEY_PATH, rig, (struct xfp){ { 2, 0, 0, 0 } }, "m/4");
    rig_refuses(rig, draft_v0(d),
                "None of the keys involved in this transaction belong to this Coldcard (need "
                "0F056943, found 00000001, ABCDEF01, 02000000)",
                "");
}

// Thousands of them neither take long nor leave the error text.
TEST(psbt_signing_27_64_many_foreign_fingerprints)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    draft_drop(&d->in[0], PSBT_IN_KEY_PATH);
    for (uint32_t i = 1; i < 500; i++) {
        struct xfp xfp;
        uint8_t key[33] = { 2 };
        memcpy(xfp.b, &i, sizeof xfp.b);
        memcpy(key + 1, &i, sizeof i);
        draft_put(&d->in[0], PSBT_IN_KEY_PATH, bytes_slice(test_concat(BYTES_OF(key), none), 0, 33),
                  test_u32le(i));
    }
    assert_false(rig_analyse(rig, draft_v0(d)));
    assert_non_null(strstr(rig->err.text, "found 01000000, 02000000, 03000000, "));
    assert_true(strlen(rig->err.text) >= ERR_TEXT_MAX - 5);
}

TEST(psbt_signing_27_65_zero_fingerprint)
{
    const struct xfp zero = { { 0 } };
    for (unsigned where = 1; where <= 3; where++) {
        struct rig *rig = rig_new();
        struct draft *d = draft_usual(rig);
        struct psbt p;
        if ((where & 1) != 0)
            draft_put_path(&d->in[0], PSBT_IN_KEY_PATH, rig, zero, "m/84h/1h/0h/0/0");
        if ((where & 2) != 0)
            draft_put_path(&d->out[1], PSBT_OUT_KEY_PATH, rig, zero, "m/84h/1h/0h/1/0");
        rig_accepts(rig, draft_v0(d));
        rig_warnings_are(rig, "Zero XFP");
        assert_true(rig->facts.tx.in[0].own && rig->facts.tx.out[1].change);
        assert_true(psbt_parse(&p, rig->result, test_arena(), &rig->err));
        const struct psbt_field *in = psbt_next(&p.in[0], PSBT_IN_KEY_PATH, NULL);
        const struct psbt_field *out = psbt_next(&p.out[1], PSBT_OUT_KEY_PATH, NULL);
        assert_bytes_equal(bytes_slice(in->value, 0, 4), BYTES_OF(rig->view.xfp.b));
        assert_bytes_equal(bytes_slice(out->value, 0, 4), BYTES_OF(rig->view.xfp.b));
    }
}

// First met in an output, it stands after what the inputs gave.
TEST(psbt_signing_27_65_place_of_the_zero_fingerprint_warning)
{
    const struct xfp zero = { { 0 } };
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    (void)draft_in_script(d, draft_foreign_script(3), 1000, DRAFT_UTXO_WITNESS);
    draft_put_path(&d->out[1], PSBT_OUT_KEY_PATH, rig, zero, "m/84h/1h/0h/1/0");
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Limited Signing, Zero XFP");
    draft_put_path(&d->in[0], PSBT_IN_KEY_PATH, rig, zero, "m/84h/1h/0h/0/0");
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Zero XFP, Limited Signing");
}

TEST(psbt_signing_27_14_66_key_path_values)
{
    static const struct {
        const char *key, *value, *detail; // NULL: read
    } cases[] = {
        { "02"
          "11223344556677889900112233445566778899001122334455667788990011aa",
          "0f056944", NULL },
        { "02"
          "11223344556677889900112233445566778899001122334455667788990011aa",
          "", "corrupt key path" },
        { "02"
          "11223344556677889900112233445566778899001122334455667788990011aa",
          "0f0569", "corrupt key path" },
        { "02"
          "11223344556677889900112233445566778899001122334455667788990011aa",
          "0f05694400", "corrupt key path" },
        { "03"
          "11223344556677889900112233445566778899001122334455667788990011aa",
          "0f056944 01000000 02000000 03000000 04000000 05000000 06000000 07000000 08000000 "
          "09000000 0a000000 0b000000",
          NULL },
        { "03"
          "11223344556677889900112233445566778899001122334455667788990011aa",
          "0f056944 01000000 02000000 03000000 04000000 05000000 06000000 07000000 08000000 "
          "09000000 0a000000 0b000000 0c000000",
          "too deep" },
        { "04"
          "11223344556677889900112233445566778899001122334455667788990011aa",
          "0f056944", "uncompressed pubkey" },
        { "05"
          "11223344556677889900112233445566778899001122334455667788990011aa",
          "0f056944", "uncompressed pubkey" },
        { "02"
          "112233445566778899001122334455667788990011223344556677889900",
          "0f056944", "hdpath pubkey len" },
        { "04"
          "11223344556677889900112233445566778899001122334455667788990011aa"
          "11223344556677889900112233445566778899001122334455667788990011aa",
          "0f056944", NULL },
        { "02"
          "11223344556677889900112233445566778899001122334455667788990011aa"
          "11223344556677889900112233445566778899001122334455667788990011aa",
          "0f056944", "hdpath pubkey len" },
    };
    struct rig *rig = rig_new();
    for (size_t i = 0; i < COUNT(cases); i++)
        for (unsigned in_output = 0; in_output < 2; in_output++) {
            struct draft *d = draft_usual(rig);
            draft_put(in_output ? &d->out[0] : &d->in[0],
                      in_output ? PSBT_OUT_KEY_PATH : PSBT_IN_KEY_PATH, test_hex(cases[i].key),
                      test_hex(cases[i].value));
            const bool good = rig_analyse(rig, draft_v0(d));
            if (good != (cases[i].detail == NULL))
                fail_msg("row %zu: %s", i, good ? "read" : rig->err.detail);
            if (good)
                continue;
            assert_err(&rig->err, ERR_INVALID, PSBT_INVALID);
            assert_string_equal(rig->err.detail, cases[i].detail);
        }
}

// --- Amount memory, 17 ---

TEST(psbt_signing_27_111_112_amount_memory)
{
    struct rig *rig = rig_new();
    struct draft *d = one_input(rig, DRAFT_P2WPKH, DRAFT_UTXO_WITNESS);
    rig_accepts(rig, draft_v0(d));
    rig_remember(rig);
    rig_accepts(rig, draft_v0(d)); // the same amount again
    rig->seen_amount[0].n = COIN + 1000000;
    rig_refuses(rig, draft_v0(d), "Input#0: Expected 1.01 but PSBT claims 1 XTN", "");
    rig->view.unit = UNIT_SATS;
    rig_refuses(rig, draft_v0(d), "Input#0: Expected 101000000 but PSBT claims 100000000 sats", "");

    // A signer without a memory compares nothing.
    struct signer_view forgetful = rig->view;
    forgetful.known_amount = NULL;
    struct psbt p;
    assert_true(psbt_parse(&p, draft_v0(d), test_arena(), &rig->err));
    assert_true(psbt_analyse(&rig->facts, &p, &forgetful, test_arena(), &rig->err));

    // Proved by its previous transaction, an amount is not compared.
    rig_accepts(rig, draft_v0(one_input(rig, DRAFT_P2WPKH, DRAFT_UTXO_BOTH)));
    assert_bytes_equal(BYTES_OF(rig->seen[0].txid.b), BYTES_OF(rig->facts.tx.in[0].prevout.txid.b));
    // Nor is one of an input that does not claim to be ours.
    struct draft *foreign = draft_new();
    (void)draft_in_script(foreign, psbt_rig_script(rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0"), COIN,
                          DRAFT_UTXO_WITNESS);
    (void)draft_in(foreign, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/1", COIN);
    rig_accepts(rig, draft_v0(paying(foreign, 2 * COIN - 1000)));
}

// Of inputs that are signed already, those are compared that are provably segwit, even if nothing tells
// what they need to be spent.
TEST(psbt_signing_27_112_amounts_of_signed_inputs)
{
    struct rig *rig = rig_new();
    struct writer p2wsh = writer_growing(test_arena(), 64);
    script_write_p2wsh(&p2wsh, sha256(BYTES("\x51")));
    const struct {
        struct bytes script;
        const char *reply; // NULL: not compared
    } cases[] = {
        { writer_bytes(&p2wsh), "Input#1: Expected 0.00002 but PSBT claims 0.00001 XTN" },
        { psbt_rig_script(rig, DRAFT_P2PKH, "m/84h/1h/0h/0/0"), NULL },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct draft *d = draft_usual(rig);
        struct psbt_map *in = draft_in_script(d, cases[i].script, 1000, DRAFT_UTXO_WITNESS);
        draft_put_path(in, PSBT_IN_KEY_PATH, rig, rig->view.xfp, "m/84h/1h/0h/0/0");
        put_signature(in, rig, "m/84h/1h/0h/0/0");
        rig->n_seen = 1;
        rig->seen[0] = d->tx.in[1].prevout;
        rig->seen_amount[0].n = 2000;
        if (cases[i].reply != NULL)
            rig_refuses(rig, draft_v0(d), cases[i].reply, "");
        else
            rig_accepts(rig, draft_v0(d));
    }
}

// --- Options ---

TEST(psbt_signing_27_124_require_prev_tx)
{
    struct rig *rig = rig_new();
    rig->view.require_prev_tx = true;
    rig_refuses(rig, draft_v0(one_input(rig, DRAFT_P2WPKH, DRAFT_UTXO_WITNESS)),
                "Input #0 requires non-witness UTXO", "");
    rig_refuses(rig, draft_v0(one_input(rig, DRAFT_P2SH_P2WPKH, DRAFT_UTXO_WITNESS)),
                "Input #0 requires non-witness UTXO", "");
    rig_accepts(rig, draft_v0(one_input(rig, DRAFT_P2WPKH, DRAFT_UTXO_PREV)));
    rig_accepts(rig, draft_v0(one_input(rig, DRAFT_P2WPKH, DRAFT_UTXO_BOTH)));
    // Not of inputs that others sign.
    struct draft *d = one_input(rig, DRAFT_P2WPKH, DRAFT_UTXO_BOTH);
    (void)draft_in_script(d, draft_foreign_script(9), 1, DRAFT_UTXO_WITNESS);
    rig_accepts(rig, draft_v0(d));
}

// The setting concerns multisig wallets; it is said in any case.
TEST(psbt_signing_27_79_multisig_checks_disabled_is_said)
{
    struct rig *rig = rig_new();
    rig->view.skip_multisig_checks = true;
    rig_accepts(rig, draft_v0(draft_usual(rig)));
    rig_warnings_are(rig, "Danger");
    assert_bytes_text(rig_warning(rig, "Danger"), "Some multisig checks are disabled.");
}
