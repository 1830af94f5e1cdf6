#include "bitcoin/address.h"
#include "bitcoin/psbt_err.h"
#include "bitcoin/taproot.h"
#include "tests/support/psbt_rig.h"

static const struct bytes none = { 0 };

#define IN     "m/86h/1h/0h/0/0"
#define CHANGE "m/86h/1h/0h/1/0"
#define WRONG  "Input #0: pubkey vs. address wrong"
#define FRAUD  "Output#1: Change output is fraudulent"

static struct rig *taproot_rig(void)
{
    struct rig *rig = rig_new();
    rig->view.taproot = true;
    return rig;
}

// One input of 1 XTN, a payment of 0.3, change of 0.6999.
static struct draft *usual(const struct rig *rig)
{
    struct draft *d = draft_new();
    (void)draft_in(d, rig, DRAFT_P2TR, IN, 100000000);
    (void)draft_pay(d, draft_foreign_script(0), 30000000);
    (void)draft_change(d, rig, DRAFT_P2TR, CHANGE, 69990000);
    return d;
}

static struct bytes key_of(const struct rig *rig, const char *path)
{
    const struct hdkey key = rig_key(rig, path);
    return test_concat(bytes_of(key.pub.key.b + 1, 32), none);
}

// --- Off ---

TEST(psbt_signing_27_123_off)
{
    struct rig *rig = rig_new();
    // Taproot key paths alone are no key paths.
    rig_refuses(rig, draft_v0(usual(rig)), "PSBT does not contain any key path information.", "");
    struct draft *d = usual(rig);
    draft_put_path(&d->in[0], PSBT_IN_KEY_PATH, rig, rig->view.xfp, IN);
    rig_refuses(rig, draft_v0(d), "Install EDGE firmware to spend taproot.", "");
    // Every taproot output is a payment, whatever it claims.
    d = draft_usual(rig);
    (void)draft_change(d, rig, DRAFT_P2TR, CHANGE, 1000);
    draft_put_path(&d->out[2], PSBT_OUT_KEY_PATH, rig, rig->view.xfp, CHANGE);
    rig_accepts(rig, draft_v0(d));
    assert_false(rig->facts.tx.out[2].change || rig->facts.tx.out[2].own);
    // Its taproot key paths are not looked at: this one's fingerprint is zero.
    const struct psbt_field *path = psbt_next(&d->out[2], PSBT_OUT_TAP_KEY_PATH, NULL);
    draft_put(&d->out[2], PSBT_OUT_TAP_KEY_PATH, psbt_key_data(path),
              test_concat(BYTES("\0\0\0\0\0"), bytes_slice(path->value, 5, path->value.len)));
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "");
}

// --- Signing ---

static void verify(const struct rig *rig, size_t i, struct bytes value, uint32_t type)
{
    const struct spend_way *spend = &rig->facts.plans[i].spend;
    const struct tx_out *spent;
    struct sighash_cache cache;
    struct hash256 digest;
    struct err err;
    sighash_cache_init(&cache, &rig->psbt.tx, test_arena());
    assert_true(psbt_spent_outputs(&spent, &rig->facts, test_arena(), &err));
    const struct spend_at at = { &cache, i, rig->facts.tx.in[i].amount, spent };
    assert_true(spend_digest(&digest, spend, &at, type, &err));
    assert_true(schnorr_verify(value.ptr, spend->script.ptr + 2, BYTES_OF(digest.b)));
}

TEST(psbt_signing_27_123_signs_and_finalises)
{
    for (uint32_t version = 0; version <= 2; version += 2) {
        struct rig *rig = taproot_rig();
        rig_accepts(rig, draft_write(usual(rig), version));
        rig_warnings_are(rig, "");
        assert_int_equal(rig->facts.tx.n_signatures, 1);
        assert_true(rig->facts.tx.in[0].own && rig->facts.tx.signs_single_key);
        assert_true(rig->facts.tx.out[1].change && rig->facts.tx.out[1].own);
        assert_int_equal(rig->facts.tx.change_total.n, 69990000);
        const struct psbt_new_sig *sig = &rig->sigs.sigs[0];
        assert_int_equal(sig->value.len, 64);
        assert_int_equal(sig->key.len, 0);
        verify(rig, 0, sig->value, SIGHASH_DEFAULT);
        struct psbt p;
        assert_true(psbt_parse(&p, rig->result, test_arena(), &rig->err));
        assert_bytes_equal(psbt_get(&p.in[0], PSBT_IN_TAP_KEY_SIG)->value, sig->value);
        assert_null(psbt_next(&p.in[0], PSBT_IN_PARTIAL_SIG, NULL));
        assert_int_equal(p.in[0].n_fields, rig->psbt.in[0].n_fields + 1);
        struct tx tx;
        assert_true(rig_finalize(rig));
        assert_true(tx_parse(&tx, rig->tx, test_arena(), &rig->err));
        assert_bytes_equal(tx.in[0].witness, test_concat(BYTES("\x01\x40"), sig->value));
        assert_int_equal(tx.in[0].script_sig.len, 0);
    }
}

// Its signature commits to the amounts: no previous transaction is asked for.
TEST(psbt_signing_27_124_taproot_needs_no_previous_transaction)
{
    struct rig *rig = taproot_rig();
    rig->view.require_prev_tx = true;
    rig_accepts(rig, draft_v0(usual(rig)));
}

// The random bytes are in the signature, and nowhere else.
TEST(psbt_signing_27_123_auxiliary_bytes)
{
    struct rig *a = taproot_rig(), *b = taproot_rig();
    rig_accepts(a, draft_v0(usual(a)));
    b->aux[31] = 1;
    rig_accepts(b, draft_v0(usual(b)));
    assert_true(!bytes_equal(a->sigs.sigs[0].value, b->sigs.sigs[0].value));
    verify(b, 0, b->sigs.sigs[0].value, SIGHASH_DEFAULT);
}

// Keys whose point has an odd y are negated before they are tweaked.
TEST(psbt_signing_27_123_odd_and_even_keys)
{
    struct rig *rig = taproot_rig();
    struct draft *d = draft_new();
    size_t n_odd = 0;
    enum { N = 12 };
    for (unsigned i = 0; i < N; i++) {
        char path[32];
        (void)snprintf(path, sizeof path, "m/86h/1h/0h/0/%u", i);
        (void)draft_in(d, rig, DRAFT_P2TR, path, 10000);
        const struct hdkey key = rig_key(rig, path);
        n_odd += key.pub.key.b[0] == 3;
    }
    assert_true(n_odd > 0 && n_odd < N);
    (void)draft_pay(d, draft_foreign_script(0), N * 10000 - 1000);
    rig_accepts(rig, draft_v0(d));
    for (size_t i = 0; i < N; i++)
        verify(rig, i, rig->sigs.sigs[i].value, SIGHASH_DEFAULT);
    assert_true(rig_finalize(rig));
}

// --- Hash types ---

TEST(psbt_signing_27_123_hash_types)
{
    static const struct {
        uint32_t field;
        bool allow;
        const char *reply; // NULL: signed
        size_t len;
    } cases[] = {
        { 0x00, false, NULL, 64 },
        { 0x01, false, NULL, 65 },
        { 0x81, false, NULL, 65 },
        { 0x02, false, "Sighash NONE is not allowed as funds could be going anywhere.", 0 },
        { 0x03, true, NULL, 65 },
        { 0x83, true, NULL, 65 },
        { 0x02, true, NULL, 65 },
        { 0x80, true, "Unsupported sighash flag 0x80", 0 },
        { 0x04, true, "Unsupported sighash flag 0x4", 0 },
        { 0x100, true, "Unsupported sighash flag 0x100", 0 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig *rig = taproot_rig();
        struct draft *d = usual(rig);
        struct psbt p;
        rig->view.sighash_allow = cases[i].allow;
        draft_put_u32(&d->in[0], PSBT_IN_SIGHASH_TYPE, cases[i].field);
        if (cases[i].reply != NULL) {
            rig_refuses(rig, draft_v0(d), cases[i].reply, "");
            continue;
        }
        rig_accepts(rig, draft_v0(d));
        const struct bytes value = rig->sigs.sigs[0].value;
        assert_int_equal(value.len, cases[i].len);
        if (value.len == 65)
            assert_int_equal(value.ptr[64], cases[i].field);
        verify(rig, 0, value, cases[i].field);
        // 14.4: ALL is removed, other values stay.
        assert_true(psbt_parse(&p, rig->result, test_arena(), &rig->err));
        assert_int_equal(psbt_get(&p.in[0], PSBT_IN_SIGHASH_TYPE) != NULL, cases[i].field != 1);
        assert_true(rig_finalize(rig));
    }
    // 00 is a type of taproot inputs only.
    struct rig *rig = taproot_rig();
    struct draft *d = draft_usual(rig);
    draft_put_u32(&d->in[0], PSBT_IN_SIGHASH_TYPE, 0);
    rig_refuses(rig, draft_v0(d), "Unsupported sighash flag 0x0", "");
}

TEST(psbt_signing_27_95_taproot_single_without_output)
{
    struct rig *rig = taproot_rig();
    struct draft *d = draft_new();
    rig->view.sighash_allow = true;
    (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", 1000);
    (void)draft_in(d, rig, DRAFT_P2TR, IN, 100000);
    draft_put_u32(&d->in[1], PSBT_IN_SIGHASH_TYPE, SIGHASH_SINGLE);
    (void)draft_pay(d, draft_foreign_script(0), 100900);
    rig_refuses(rig, draft_v0(d), PSBT_SIGNING_LATE, "SINGLE corresponding output (1) missing");
}

// --- What is needed of an input ---

TEST(psbt_signing_27_123_inputs_that_are_not_ours_by_the_key_path)
{
    struct rig *rig = taproot_rig();
    const struct bytes ours = key_of(rig, IN), path = test_hex("00 0f056943 56000080");

    struct draft *d = usual(rig);
    draft_drop(&d->in[0], PSBT_IN_TAP_INTERNAL_KEY);
    rig_refuses(rig, draft_v0(d), WRONG, "");
    d = usual(rig); // another key inside, with our path
    draft_put(&d->in[0], PSBT_IN_TAP_INTERNAL_KEY, none, key_of(rig, CHANGE));
    draft_put(&d->in[0], PSBT_IN_TAP_KEY_PATH, key_of(rig, CHANGE), path);
    rig_refuses(rig, draft_v0(d), WRONG, "");
    d = usual(rig); // the internal key has no path
    draft_put(&d->in[0], PSBT_IN_TAP_INTERNAL_KEY, none, key_of(rig, CHANGE));
    rig_refuses(rig, draft_v0(d), WRONG, "");
    d = usual(rig); // a script tree
    draft_put(&d->in[0], PSBT_IN_TAP_MERKLE_ROOT, none, ours);
    rig_refuses(rig, draft_v0(d), WRONG, "");
    d = usual(rig); // our key in a script
    draft_put(&d->in[0], PSBT_IN_TAP_KEY_PATH, ours,
              test_concat(BYTES("\x01"), test_concat(ours, bytes_slice(path, 1, path.len))));
    rig_refuses(rig, draft_v0(d), WRONG, "");
    d = usual(rig); // a path that leads elsewhere
    draft_put(&d->in[0], PSBT_IN_TAP_KEY_PATH, ours, path);
    rig_refuses(rig, draft_v0(d), PSBT_SIGNING_LATE,
                "Path (m/86h) led to wrong pubkey for input#0");
    d = usual(rig); // an ECDSA key path
    draft_drop(&d->in[0], PSBT_IN_TAP_KEY_PATH);
    draft_put_path(&d->in[0], PSBT_IN_KEY_PATH, rig, rig->view.xfp, IN);
    rig_refuses(rig, draft_v0(d), WRONG, "");
}

TEST(psbt_signing_27_123_version_2_program)
{
    struct rig *rig = taproot_rig();
    struct draft *d = draft_new();
    const struct bytes script = psbt_rig_script(rig, DRAFT_P2TR, IN);
    struct psbt_map *in = draft_in_script(d, test_concat(BYTES("\x52"), bytes_slice(script, 1, 33)),
                                          100000, DRAFT_UTXO_WITNESS);
    const struct draft *from = usual(rig);
    for (size_t i = 0; i < from->in[0].n_fields; i++)
        if (from->in[0].fields[i].key.ptr[0] != PSBT_IN_WITNESS_UTXO)
            draft_put(in, from->in[0].fields[i].key.ptr[0], psbt_key_data(&from->in[0].fields[i]),
                      from->in[0].fields[i].value);
    (void)draft_pay(d, draft_foreign_script(0), 99000);
    rig_refuses(rig, draft_v0(d), WRONG, "");
}

// "every input of the PSBT needs a UTXO"
TEST(psbt_signing_27_123_missing_utxo_of_another_input)
{
    struct rig *rig = taproot_rig();
    struct draft *d = usual(rig);
    (void)draft_in_script(d, draft_foreign_script(1), 5000, DRAFT_UTXO_NONE);
    rig_refuses(rig, draft_v0(d), "Missing own UTXO(s). Cannot determine value being signed", "");
    // Wherever it stands.
    d = draft_new();
    (void)draft_in_script(d, draft_foreign_script(1), 5000, DRAFT_UTXO_NONE);
    (void)draft_in(d, rig, DRAFT_P2TR, IN, 100000000);
    (void)draft_pay(d, draft_foreign_script(0), 99990000);
    rig_refuses(rig, draft_v0(d), "Missing own UTXO(s). Cannot determine value being signed", "");
    // Without a taproot input to sign the other one only hides the fee.
    d = draft_usual(rig);
    (void)draft_in_script(d, draft_foreign_script(1), 5000, DRAFT_UTXO_NONE);
    rig_accepts(rig, draft_v0(d));
    // One that others sign is none.
    const struct bytes theirs = test_concat(BYTES("\x51\x20"), key_of(rig, "m/86h/1h/0h/0/7"));
    (void)draft_in_script(d, theirs, 5000, DRAFT_UTXO_WITNESS);
    rig_accepts(rig, draft_v0(d));
}

TEST(psbt_signing_27_66_taproot_paths)
{
    struct rig *rig = taproot_rig();
    struct draft *d = usual(rig);
    struct writer deep = writer_growing(test_arena(), 64);
    writer_put(&deep, test_hex("00 01020304"));
    for (uint32_t i = 0; i < 12; i++)
        writer_u32le(&deep, i);
    draft_put(&d->in[0], PSBT_IN_TAP_KEY_PATH, key_of(rig, CHANGE), writer_bytes(&deep));
    rig_refuses(rig, draft_v0(d), PSBT_INVALID, "too deep");
    rig->view.taproot = false; // then it is not looked at
    (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", 5000);
    rig_accepts(rig, draft_v0(d));
}

TEST(psbt_signing_27_64_foreign_taproot_keys)
{
    struct rig *rig = taproot_rig(), *other = taproot_rig();
    rig_load_seed(other, BYTES(TEST_SEED_WORDS " + passphrase other"));
    char reply[160], xfp[XFP_TEXT_SIZE];
    xfp_to_text(xfp, other->view.xfp);
    (void)snprintf(reply, sizeof reply,
                   "None of the keys involved in this transaction belong to this Coldcard (need "
                   "0F056943, found %s)",
                   xfp);
    rig_refuses(rig, draft_v0(usual(other)), reply, "");
}

// A fingerprint of zero means ours, and comes back as ours.
TEST(psbt_signing_27_65_zero_fingerprint_in_taproot_paths)
{
    struct rig *rig = taproot_rig();
    struct draft *d = usual(rig);
    const struct psbt_field *in = psbt_next(&d->in[0], PSBT_IN_TAP_KEY_PATH, NULL);
    const struct psbt_field *out = psbt_next(&d->out[1], PSBT_OUT_TAP_KEY_PATH, NULL);
    const struct bytes in_value = in->value, out_value = out->value;
    draft_put(&d->in[0], PSBT_IN_TAP_KEY_PATH, psbt_key_data(in),
              test_concat(test_hex("00 00000000"), bytes_slice(in_value, 5, in_value.len)));
    draft_put(&d->out[1], PSBT_OUT_TAP_KEY_PATH, psbt_key_data(out),
              test_concat(test_hex("00 00000000"), bytes_slice(out_value, 5, out_value.len)));
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Zero XFP");
    assert_true(rig->facts.tx.out[1].change);
    struct psbt p;
    assert_true(psbt_parse(&p, rig->result, test_arena(), &rig->err));
    assert_bytes_equal(psbt_next(&p.in[0], PSBT_IN_TAP_KEY_PATH, NULL)->value, in_value);
    assert_bytes_equal(psbt_next(&p.out[1], PSBT_OUT_TAP_KEY_PATH, NULL)->value, out_value);
}

// --- Signed by others ---

TEST(psbt_signing_27_104_taproot_inputs_of_others)
{
    struct rig *ours = taproot_rig(), *theirs = taproot_rig();
    rig_load_seed(theirs, BYTES(TEST_SEED_WORDS " + passphrase other"));
    struct draft *d = usual(ours);
    (void)draft_in(d, theirs, DRAFT_P2TR, IN, 5000);
    rig_accepts(theirs, draft_v0(d));
    const struct bytes by_them = theirs->result;
    rig_accepts(ours, by_them);
    assert_int_equal(ours->sigs.n_sigs, 1);
    assert_true(rig_finalize(ours));
    // Also where the option is off: the kind of the script decides (D-FINAL).
    struct draft *mixed = draft_usual(ours);
    (void)draft_in(mixed, theirs, DRAFT_P2TR, IN, 5000);
    rig_accepts(theirs, draft_v0(mixed));
    ours->view.taproot = false;
    rig_accepts(ours, theirs->result);
    assert_true(rig_finalize(ours));
    // A signature for another transaction, and one that says DEFAULT in its 65th byte.
    const struct bytes good = theirs->sigs.sigs[0].value;
    const struct bytes bad[] = { test_concat(bytes_slice(good, 0, 63), BYTES("\x01")),
                                 test_concat(good, BYTES("\x00")),
                                 test_concat(good, BYTES("\x01")) };
    for (size_t i = 0; i < COUNT(bad); i++) {
        draft_put(&mixed->in[1], PSBT_IN_TAP_KEY_SIG, none, bad[i]);
        rig_accepts(ours, draft_v0(mixed));
        assert_false(rig_finalize(ours));
        assert_string_equal(ours->err.detail, "Bad signature on input #1");
    }
}

TEST(psbt_signing_27_63_signed_taproot_input)
{
    struct rig *rig = taproot_rig();
    struct draft *d = usual(rig);
    rig_accepts(rig, draft_v0(d));
    rig_refuses(rig, rig->result, "Transaction looks completely signed already?", "");
    const struct bytes sig = test_concat(rig->sigs.sigs[0].value, none);
    (void)draft_in(d, rig, DRAFT_P2TR, "m/86h/1h/0h/0/5", 1000);
    draft_put(&d->in[0], PSBT_IN_TAP_KEY_SIG, none, sig); // good or bad
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Partly Signed Already");
    assert_int_equal(rig->sigs.n_sigs, 1);
    assert_true(rig->facts.tx.in[0].own && !rig->facts.tx.in[0].will_sign);
}

// --- Change ---

TEST(psbt_signing_27_123_change)
{
    struct rig *rig = taproot_rig();
    const struct bytes ours = key_of(rig, CHANGE), path = test_hex("00 0f056943 56000080");

    struct draft *d = usual(rig); // another script
    d->tx.out[1].script = psbt_rig_script(rig, DRAFT_P2TR, IN);
    rig_refuses(rig, draft_v0(d), FRAUD, PSBT_CHANGE_FRAUD);
    d = usual(rig); // a script tree
    draft_put(&d->out[1], PSBT_OUT_TAP_TREE, none, BYTES("\x00\xc0\x01\x51"));
    rig_refuses(rig, draft_v0(d), FRAUD, PSBT_CHANGE_FRAUD);
    d = usual(rig); // our key in a script
    draft_put(&d->out[1], PSBT_OUT_TAP_KEY_PATH, ours,
              test_concat(BYTES("\x01"), test_concat(ours, bytes_slice(path, 1, path.len))));
    rig_refuses(rig, draft_v0(d), FRAUD, PSBT_CHANGE_FRAUD);
    d = usual(rig); // our path of another key than the internal one
    draft_put(&d->out[1], PSBT_OUT_TAP_INTERNAL_KEY, none, key_of(rig, IN));
    rig_refuses(rig, draft_v0(d), FRAUD, PSBT_CHANGE_FRAUD);
    d = usual(rig); // shaped as change, at a path of another key
    draft_put(&d->out[1], PSBT_OUT_TAP_KEY_PATH, ours, path);
    rig_refuses(rig, draft_v0(d),
                "Output#1: Deception regarding change output. BIP-32 path doesn't match actual "
                "address.",
                PSBT_CHANGE_FRAUD);
    // Without the internal key nothing is claimed.
    d = usual(rig);
    draft_drop(&d->out[1], PSBT_OUT_TAP_INTERNAL_KEY);
    rig_accepts(rig, draft_v0(d));
    assert_false(rig->facts.tx.out[1].change || rig->facts.tx.out[1].own);
    // ECDSA key paths do not count for a taproot output.
    draft_drop(&d->out[1], PSBT_OUT_TAP_KEY_PATH);
    draft_put_path(&d->out[1], PSBT_OUT_KEY_PATH, rig, rig->view.xfp, CHANGE);
    rig_accepts(rig, draft_v0(d));
    assert_false(rig->facts.tx.out[1].change);
}

// A taproot key path on another output, or another key path on a taproot output, claims nothing: the
// output is a payment, not a lie.
TEST(psbt_signing_27_123_paths_of_the_other_sort)
{
    struct rig *rig = taproot_rig();
    struct draft *d = usual(rig);
    const struct psbt_field *path = psbt_next(&d->out[1], PSBT_OUT_TAP_KEY_PATH, NULL);
    draft_put(&d->out[0], PSBT_OUT_TAP_KEY_PATH, psbt_key_data(path), path->value);
    rig_accepts(rig, draft_v0(d));
    assert_false(rig->facts.tx.out[0].change || rig->facts.tx.out[0].own);
    assert_true(rig->facts.tx.out[1].change && rig->facts.tx.out[1].own);
    draft_drop(&d->out[1], PSBT_OUT_TAP_KEY_PATH);
    draft_put_path(&d->out[1], PSBT_OUT_KEY_PATH, rig, rig->view.xfp, CHANGE);
    rig_accepts(rig, draft_v0(d));
    assert_false(rig->facts.tx.out[1].change || rig->facts.tx.out[1].own);
    assert_int_equal(facts_spent(&rig->facts.tx).n, 99990000);
}

// Taproot key paths do not count where partial signatures are counted.
TEST(psbt_signing_27_63_signed_input_with_a_taproot_path)
{
    struct rig *rig = taproot_rig();
    struct draft *d = draft_usual(rig);
    const struct draft *taproot = usual(rig);
    const struct hdkey key = rig_key(rig, "m/84h/1h/0h/0/0");
    const struct psbt_field *path = psbt_next(&taproot->in[0], PSBT_IN_TAP_KEY_PATH, NULL);
    draft_put(&d->in[0], PSBT_IN_TAP_KEY_PATH, psbt_key_data(path), path->value);
    rig_accepts(rig, draft_v0(d));
    draft_put(&d->in[0], PSBT_IN_PARTIAL_SIG, BYTES_OF(key.pub.key.b),
              BYTES("0\x06\x02\x01\x01\x02\x01\x01\x01"));
    rig_refuses(rig, draft_v0(d), "Transaction looks completely signed already?", "");
}

TEST(psbt_signing_27_75_taproot_change_paths)
{
    struct rig *rig = taproot_rig();
    struct draft *d = draft_new();
    (void)draft_in(d, rig, DRAFT_P2TR, IN, 100000);
    (void)draft_pay(d, draft_foreign_script(0), 50000);
    (void)draft_change(d, rig, DRAFT_P2TR, "m/86h/1h/0h/1/201", 49900);
    rig_accepts(rig, draft_v0(d));
    assert_bytes_text(rig_warning(rig, "Troublesome Change Outs"),
                      "Output#1: last component beyond reasonable gap: m/86h/1h/0h/1/201 not "
                      "m/86h/1h/0h/{0~1}/{0~200} expected");
}

// --- Published vectors ---

TEST(psbt_signing_27_123_published_output_keys)
{
    const struct json *rows = json_need(test_vectors("bip341.json"), "scriptPubKey");
    size_t n = 0;
    for (const struct json *row = rows->items; row != NULL; row = row->next) {
        const struct json *given = json_need(row, "given"), *expected = json_need(row, "expected");
        uint8_t key[XONLY_LEN];
        if (json_get(given, "scriptTree") != NULL &&
            json_get(given, "scriptTree")->type != JSON_NULL)
            continue;
        const struct bytes internal =
            test_hex(arena_text(test_arena(), json_need_text(given, "internalPubkey")));
        assert_true(taproot_output_key(key, internal.ptr));
        const struct bytes script =
            test_hex(arena_text(test_arena(), json_need_text(expected, "scriptPubKey")));
        assert_bytes_equal(BYTES_OF(key), bytes_slice(script, 2, 32));
        n++;
    }
    assert_int_equal(n, 1);
}

// BIP-341's key path spends, each input that has no script tree, through digest and signature.
TEST(psbt_signing_27_123_published_key_path_spends)
{
    const struct json *all =
        json_item(json_need(test_vectors("bip341.json"), "keyPathSpending"), 0);
    const struct json *spent_rows = json_need(json_need(all, "given"), "utxosSpent");
    struct tx_out spent[16];
    struct tx tx;
    struct err err;
    struct sighash_cache cache;
    assert_true(tx_parse_legacy(
        &tx,
        test_hex(
            arena_text(test_arena(), json_need_text(json_need(all, "given"), "rawUnsignedTx"))),
        test_arena(), &err));
    assert_int_equal(tx.n_in, spent_rows->n_items);
    for (size_t i = 0; i < tx.n_in; i++) {
        const struct json *row = json_item(spent_rows, i);
        spent[i].script = test_hex(arena_text(test_arena(), json_need_text(row, "scriptPubKey")));
        spent[i].value = json_need_integer(row, "amountSats");
    }
    sighash_cache_init(&cache, &tx, test_arena());
    const struct json *rows = json_need(all, "inputSpending");
    for (const struct json *row = rows->items; row != NULL; row = row->next) {
        const struct json *given = json_need(row, "given"), *expected = json_need(row, "expected");
        const size_t i = (size_t)json_need_integer(given, "txinIndex");
        const uint32_t type = (uint32_t)json_need_integer(given, "hashType");
        const uint8_t aux[32] = { 0 };
        const struct spend_scripts scripts = { .redeem = none };
        const struct spend_way spend = spend_of(spent[i].script, &scripts);
        const struct spend_at at = { &cache, i, { (uint64_t)spent[i].value }, spent };
        struct hash256 digest;
        struct seckey key;
        uint8_t value[65];
        assert_true(seckey_from_bytes(
            &key, test_hex(arena_text(test_arena(), json_need_text(given, "internalPrivkey"))),
            &err));
        const struct pubkey pubkey = seckey_pubkey(&key);
        assert_bytes_equal(
            bytes_of(pubkey.b + 1, 32),
            test_hex(arena_text(test_arena(),
                                json_need_text(json_need(row, "intermediary"), "internalPubkey"))));
        assert_int_equal(spend.kind, SPEND_P2TR);
        assert_true(spend_digest(&digest, &spend, &at, type, &err));
        const struct bytes tweak = test_hex(
            arena_text(test_arena(), json_need_text(json_need(row, "intermediary"), "tweak")));
        assert_true(seckey_taproot_tweak(&key, &pubkey, tweak.ptr));
        assert_true(schnorr_sign_as(value, &key, spent[i].script.ptr + 2, &digest, aux, &err));
        value[64] = (uint8_t)type;
        const struct bytes witness =
            test_hex(arena_text(test_arena(), json_item(json_need(expected, "witness"), 0)->text));
        assert_bytes_equal(bytes_of(value, type == 0 ? 64 : 65), witness);
    }
    assert_int_equal(rows->n_items, 7);
}
