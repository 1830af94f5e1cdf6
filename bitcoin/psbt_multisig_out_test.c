// Outputs that claim to be a multisig wallet's: psbt-signing.md 11.3, 11.5, 12.2, 20.
#include "bitcoin/psbt_err.h"
#include "tests/support/ms_draft.h"

enum { COIN = 100000000, PAID = 30000000, CHANGE_SATS = 69990000 };
#define SCRIPT_LIE  "Output#1: P2WSH or P2SH change output script: "
#define FRAUD_TITLE "Change Fraud"

static const struct bytes none = { 0 };

// A coin of the wallet, a payment; the change is put at place 1 by the test.
static struct draft *begin(const struct ms_wallet *wallet)
{
    struct draft *d = draft_new();
    const struct ms_place at = { wallet, MS_RECEIVE, 0 };
    (void)draft_in_ms(d, &at, COIN);
    (void)draft_pay(d, draft_foreign_script(0), PAID);
    return d;
}

static struct draft *with_change(const struct ms_wallet *wallet)
{
    struct draft *d = begin(wallet);
    const struct ms_place at = { wallet, MS_CHANGE, 0 };
    (void)draft_change_ms(d, &at, CHANGE_SATS);
    return d;
}

static void assert_out1(struct rig *rig, struct bytes raw, bool change, bool own)
{
    rig_accepts(rig, raw);
    const struct output_facts *out = &rig->facts.tx.out[1];
    assert_int_equal(out->change, change);
    assert_int_equal(out->own, own);
    assert_int_equal(rig->facts.tx.change_total.n, change ? out->amount.n : 0);
    assert_int_equal(facts_spent(&rig->facts.tx).n,
                     rig->facts.tx.total_out.n - (change ? out->amount.n : 0));
}

static struct bytes p2sh_of(struct bytes redeem)
{
    struct writer w = writer_growing(test_arena(), 64);
    script_write_p2sh(&w, hash160(redeem));
    return writer_bytes(&w);
}

// --- 11.3 ---

TEST(psbt_signing_27_68_multisig_change_of_each_format)
{
    for (size_t kind = 0; kind <= COUNT(ms_draft_heads); kind++)
        for (uint32_t version = 0; version <= 2; version += 2) {
            struct rig *rig = rig_new();
            const struct ms_wallet *wallet = kind < COUNT(ms_draft_heads)
                                                 ? ms_draft_wallet(rig, ms_draft_heads[kind], 3)
                                                 : ms_draft_unsorted(rig, 2, 3);
            struct draft *d = with_change(wallet);
            assert_out1(rig, draft_write(d, version), true, true);
            rig_warnings_are(rig, "");
            // Without a claim of ours it is an address like any other.
            draft_drop(&d->out[1], PSBT_OUT_KEY_PATH);
            draft_put_ms_path(&d->out[1], PSBT_OUT_KEY_PATH, 1, "/1/0");
            draft_put_ms_path(&d->out[1], PSBT_OUT_KEY_PATH, 2, "/1/0");
            assert_out1(rig, draft_write(d, version), false, false);
        }
}

// Row 1.
TEST(psbt_signing_27_68_multisig_change_without_a_script)
{
    for (size_t kind = 0; kind < COUNT(ms_draft_heads); kind++) {
        struct rig *rig = rig_new();
        struct draft *d = with_change(ms_draft_wallet(rig, ms_draft_heads[kind], 3));
        draft_drop(&d->out[1], PSBT_OUT_REDEEM_SCRIPT);
        draft_drop(&d->out[1], PSBT_OUT_WITNESS_SCRIPT);
        rig_refuses(rig, draft_v0(d), "Missing redeem/witness script for multisig output #1", "");
    }
}

// Rows 2 and 74: single-key inputs make no wallet active, so the wallet's address is no change; it is
// our own all the same, having been re-made from a registered wallet.
TEST(psbt_signing_27_68_74_wallet_that_no_input_is_of)
{
    struct rig *rig = rig_new();
    const struct ms_place at = { ms_draft_wallet(rig, NATIVE, 3), MS_CHANGE, 0 };
    struct draft *d = draft_new();
    (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", COIN);
    (void)draft_pay(d, draft_foreign_script(0), PAID);
    (void)draft_change_ms(d, &at, CHANGE_SATS);
    assert_out1(rig, draft_v0(d), false, true);
    // The wallet's script, which the output does not pay to.
    const struct ms_place next = { at.wallet, MS_CHANGE, 1 };
    const struct bytes right = d->tx.out[1].script;
    d->tx.out[1].script = ms_output_script_of(&next);
    assert_out1(rig, draft_v0(d), false, false);
    assert_false(rig->facts.tx.out[1].multisig);
    d->tx.out[1].script = right;
    // Another key in it: still no error, and not ours.
    draft_put(&d->out[1], PSBT_OUT_WITNESS_SCRIPT, none, BYTES("\x52\x53\xae"));
    assert_out1(rig, draft_v0(d), false, false);
    // What registered xpubs do not make is nobody's, whatever key of ours is in it.
    struct rig *stranger = rig_new();
    (void)ms_draft_wallet(stranger, "Name: four\nPolicy: 2 of 4\nFormat: P2WSH\n", 4);
    d->tx.n_out--;
    d->out[1] = (struct psbt_map){ 0 };
    (void)draft_change_ms(d, &at, CHANGE_SATS);
    assert_out1(stranger, draft_v0(d), false, false);
}

// Row 74 with an active wallet: of another format, the inputs' wallet does not explain the output.
TEST(psbt_signing_27_68_74_change_of_another_wallet)
{
    for (size_t kind = 1; kind < COUNT(ms_draft_heads); kind++) {
        struct rig *rig = rig_new();
        struct draft *d = begin(ms_draft_wallet(rig, NATIVE, 3));
        const struct ms_place at = { ms_draft_wallet(rig, ms_draft_heads[kind], 3), MS_CHANGE, 0 };
        (void)draft_change_ms(d, &at, CHANGE_SATS);
        assert_out1(rig, draft_v0(d), false, true);
    }
    // Of the same format the output must be of the inputs' wallet: row 5.
    struct rig *rig = rig_new();
    struct draft *d = begin(ms_draft_wallet(rig, NATIVE, 3));
    const struct ms_wallet *other =
        ms_draft_wallet(rig, "Name: four\nPolicy: 2 of 4\nFormat: P2WSH\n", 4);
    const struct ms_place at = { other, MS_CHANGE, 0 };
    (void)draft_change_ms(d, &at, CHANGE_SATS);
    rig_refuses(rig, draft_v0(d), SCRIPT_LIE "wrong M/N in script", FRAUD_TITLE);
}

// Row 3: with checks off nothing of a wallet's is change; in HSM mode they are on.
TEST(psbt_signing_27_68_checks_off_make_no_change)
{
    struct rig *rig = rig_new();
    struct draft *d = with_change(ms_draft_wallet(rig, NATIVE, 3));
    rig->view.skip_multisig_checks = true;
    assert_out1(rig, draft_v0(d), false, true);
    rig_warnings_are(rig, "Danger");
    rig->view.hsm_mode = true;
    assert_out1(rig, draft_v0(d), true, true);
}

// Row 5: the texts of 7.6 behind the output's.
TEST(psbt_signing_27_68_multisig_change_scripts)
{
    struct rig *rig = rig_new();
    const struct ms_wallet *wallet = ms_draft_wallet(rig, NATIVE, 3);
    const struct ms_place at = { wallet, MS_CHANGE, 0 };
    const struct bytes good = ms_inner_script(&at);
    struct bytes keys[3] = { ms_rig_key(0, "/1/0"), ms_rig_key(1, "/1/0"), ms_rig_key(2, "/1/0") };
    struct writer reversed = writer_growing(test_arena(), 256);
    struct writer evil = writer_growing(test_arena(), 256);
    script_sort_keys(keys, 3);
    const struct bytes last_first[] = { keys[2], keys[1], keys[0] };
    script_write_multisig(&reversed, 2, last_first, 3);
    struct bytes two_and_evil[] = { ms_rig_key(0, "/1/0"), ms_rig_key(1, "/1/0"),
                                    ms_rig_key(9, "/1/0") };
    script_sort_keys(two_and_evil, 3);
    script_write_multisig(&evil, 2, two_and_evil, 3);
    const struct {
        struct bytes script;
        const char *text;
    } rows[] = {
        { bytes_slice(good, 0, good.len - 1), "need CHECKMULTISIG" },
        { test_concat(BYTES("\x50"), bytes_slice(good, 1, good.len)), "M/N range" },
        { test_concat(bytes_slice(good, 0, good.len - 2), BYTES("\x00\x53\xae")), "bad len" },
        { test_concat(BYTES("\x51"), bytes_slice(good, 1, good.len)), "wrong M/N in script" },
        { writer_bytes(&reversed), "BIP-67 violation" },
        { writer_bytes(&evil), "unexpected pubkey" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct draft *d = with_change(wallet);
        d->tx.out[1].script = ms_redeem_of_witness(rows[i].script);
        draft_put(&d->out[1], PSBT_OUT_WITNESS_SCRIPT, none, rows[i].script);
        const char *text =
            arena_text(test_arena(), test_concat(BYTES(SCRIPT_LIE), bytes_of_text(rows[i].text)));
        rig_refuses(rig, draft_v0(d), text, FRAUD_TITLE);
    }
}

// Row 6, and the P2WSH script that stands in the redeem script's field only.
TEST(psbt_signing_27_68_p2wsh_hash)
{
    struct rig *rig = rig_new();
    const struct ms_wallet *wallet = ms_draft_wallet(rig, NATIVE, 3);
    const struct ms_place at = { wallet, MS_CHANGE, 0 }, next = { wallet, MS_CHANGE, 1 };
    struct draft *d = with_change(wallet);
    d->tx.out[1].script = ms_output_script_of(&next);
    rig_refuses(rig, draft_v0(d), "Output#1: P2WSH witness script has wrong hash", FRAUD_TITLE);
    d = with_change(wallet);
    draft_drop(&d->out[1], PSBT_OUT_WITNESS_SCRIPT);
    draft_put(&d->out[1], PSBT_OUT_REDEEM_SCRIPT, none, ms_inner_script(&at));
    rig_refuses(rig, draft_v0(d), "Output#1: P2WSH witness script has wrong hash", FRAUD_TITLE);
}

// Row 7.
TEST(psbt_signing_27_68_p2sh_hashes)
{
    struct rig *rig = rig_new();
    const struct ms_wallet *legacy = ms_draft_wallet(rig, LEGACY, 3);
    const struct ms_place next = { legacy, MS_CHANGE, 1 };
    struct draft *d = with_change(legacy);
    d->tx.out[1].script = ms_output_script_of(&next);
    rig_refuses(rig, draft_v0(d), "Output#1: Change output is fraudulent", FRAUD_TITLE);

    rig = rig_new();
    const struct ms_wallet *nested = ms_draft_wallet(rig, NESTED, 3);
    const struct ms_place after = { nested, MS_CHANGE, 1 };
    d = with_change(nested);
    draft_put(&d->out[1], PSBT_OUT_REDEEM_SCRIPT, none,
              ms_redeem_of_witness(ms_inner_script(&after)));
    rig_refuses(rig, draft_v0(d), "Output#1: P2SH-P2WSH redeem script provided, and doesn't match",
                FRAUD_TITLE);
    d = with_change(nested);
    d->tx.out[1].script = ms_output_script_of(&after);
    rig_refuses(rig, draft_v0(d), "Output#1: Change output is fraudulent", FRAUD_TITLE);
    // Row 4: without the redeem script the kind is P2SH, not this wallet's; our own all the same only
    // if some wallet's format says so, and none does.
    d = with_change(nested);
    draft_drop(&d->out[1], PSBT_OUT_REDEEM_SCRIPT);
    assert_out1(rig, draft_v0(d), false, false);
    // Nor is it this wallet's without the witness script; with a wrong one it is a lie.
    d = with_change(nested);
    draft_drop(&d->out[1], PSBT_OUT_WITNESS_SCRIPT);
    assert_out1(rig, draft_v0(d), false, false);
    draft_put(&d->out[1], PSBT_OUT_WITNESS_SCRIPT, none, BYTES("\xae"));
    rig_refuses(rig, draft_v0(d), SCRIPT_LIE "M/N range", FRAUD_TITLE);
    // A P2SH wallet takes its script inside P2WSH: still its keys alone can spend it (11.6).
    rig = rig_new();
    const struct ms_place wrapped = { ms_draft_wallet(rig, LEGACY, 3), MS_CHANGE, 0 };
    const struct bytes inner = ms_inner_script(&wrapped);
    d = with_change(wrapped.wallet);
    d->tx.out[1].script = p2sh_of(ms_redeem_of_witness(inner));
    draft_drop(&d->out[1], PSBT_OUT_REDEEM_SCRIPT);
    draft_put(&d->out[1], PSBT_OUT_WITNESS_SCRIPT, none, inner);
    assert_out1(rig, draft_v0(d), true, true);
    // If there is a redeem script, it must be that program.
    draft_put(&d->out[1], PSBT_OUT_REDEEM_SCRIPT, none, BYTES("\x51"));
    rig_refuses(rig, draft_v0(d), "Output#1: P2SH-P2WSH redeem script provided, and doesn't match",
                FRAUD_TITLE);
}

// --- 11.4, 11.5 ---

TEST(psbt_signing_27_71_multisig_spend_with_a_single_key_output_of_ours)
{
    for (int kind = DRAFT_P2PK; kind <= DRAFT_P2SH_P2WPKH; kind++) {
        struct rig *rig = rig_new();
        struct draft *d = begin(ms_draft_wallet(rig, NATIVE, 3));
        (void)draft_change(d, rig, (enum draft_kind)kind, "m/84h/1h/0h/1/0", CHANGE_SATS);
        assert_out1(rig, draft_v0(d), false, false);
        // Also if single-key inputs are there as well: the wallet's money could leave by it.
        (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", COIN);
        d->tx.out[0].value += COIN;
        assert_out1(rig, draft_v0(d), false, false);
    }
}

// W is the sum of the wallet's inputs: single-key money must not become the cosigners'.
TEST(psbt_signing_27_72_multisig_change_above_the_multisig_inputs)
{
    static const struct {
        uint64_t change, more; // of two change outputs
        bool is_change;
    } rows[] = {
        { COIN, 0, true },
        { COIN + 1, 0, false },
        { COIN - 5000, 5000, true },
        { COIN - 5000, 5001, false },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rig *rig = rig_new();
        const struct ms_wallet *wallet = ms_draft_wallet(rig, NATIVE, 3);
        const struct ms_place at = { wallet, MS_CHANGE, 0 }, next = { wallet, MS_CHANGE, 1 };
        struct draft *d = begin(wallet);
        (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", COIN);
        (void)draft_change_ms(d, &at, rows[i].change);
        if (rows[i].more > 0)
            (void)draft_change_ms(d, &next, rows[i].more);
        d->tx.out[0].value = COIN - 50000;
        rig_accepts(rig, draft_v0(d));
        for (size_t k = 1; k < d->tx.n_out; k++) {
            assert_int_equal(rig->facts.tx.out[k].change, rows[i].is_change);
            assert_true(rig->facts.tx.out[k].own);
        }
        assert_int_equal(rig->facts.tx.change_total.n,
                         rows[i].is_change ? rows[i].change + rows[i].more : 0);
    }
}

// Coins of the wallet: to sign, and signed by us before; then single-key ones. To output 0 goes change
// of the wallet.
static struct draft *coins_of(const struct rig *rig, size_t n_new, size_t n_old, size_t n_single,
                              uint64_t change)
{
    struct draft *d = draft_new();
    const struct ms_place from = { rig->view.wallets.list[0], MS_RECEIVE, 0 },
                          to = { rig->view.wallets.list[0], MS_CHANGE, 0 };
    for (size_t i = 0; i < n_new; i++)
        (void)draft_in_ms(d, &from, COIN);
    for (size_t i = 0; i < n_old; i++)
        draft_put(draft_in_ms(d, &from, COIN), PSBT_IN_PARTIAL_SIG, ms_rig_key(0, "/0/0"),
                  BYTES("0\x06\x02\x01\x01\x02\x01\x01\x01"));
    for (size_t i = 0; i < n_single; i++)
        (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", COIN);
    (void)draft_change_ms(d, &to, change);
    return d;
}

TEST(psbt_signing_27_72_which_inputs_count)
{
    static const struct {
        size_t n_new, n_old, n_single;
        uint64_t change;
        bool is_change;
    } rows[] = {
        { 1, 0, 1, COIN, true },
        { 1, 0, 1, COIN + 1, false },
        { 2, 0, 1, 2 * COIN, true }, // all of the wallet's
        { 2, 0, 1, 2 * COIN + 1, false },
        { 1, 1, 1, COIN, true }, // not what only carries our signature
        { 1, 1, 1, COIN + 1, false },
        { 1, 1, 0, COIN + 1, true }, // without single keys nothing is compared
    };
    struct rig *rig = rig_new();
    (void)ms_draft_wallet(rig, NATIVE, 3);
    rig->view.fee_limit_pct = -1;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct draft *d =
            coins_of(rig, rows[i].n_new, rows[i].n_old, rows[i].n_single, rows[i].change);
        rig_accepts(rig, draft_v0(d));
        if (rig->facts.tx.out[0].change != rows[i].is_change)
            fail_msg("row %zu", i);
    }
}

// What others sign, or have signed, makes a spend neither of single keys nor of a wallet.
TEST(psbt_signing_27_71_72_inputs_that_are_not_signed_now)
{
    struct rig *rig = rig_new();
    (void)ms_draft_wallet(rig, NATIVE, 3);
    rig->view.fee_limit_pct = -1;
    struct draft *d = coins_of(rig, 1, 0, 0, COIN + 1);
    (void)draft_in_script(d, draft_foreign_script(1), COIN, DRAFT_UTXO_WITNESS);
    rig_accepts(rig, draft_v0(d));
    assert_true(rig->facts.tx.signs_multisig && !rig->facts.tx.signs_single_key);
    assert_true(rig->facts.tx.out[0].change);

    d = coins_of(rig, 0, 1, 1, COIN);
    (void)draft_change(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/1/0", COIN / 2);
    rig_accepts(rig, draft_v0(d));
    assert_true(rig->facts.tx.signs_single_key && !rig->facts.tx.signs_multisig);
    assert_true(rig->facts.tx.out[1].change && !rig->facts.tx.out[0].change);
}

// What is not the wallet's change does not count: another wallet's address, a single key's.
TEST(psbt_signing_27_72_which_outputs_count)
{
    struct rig *rig = rig_new();
    (void)ms_draft_wallet(rig, NATIVE, 3);
    const struct ms_place other = { ms_draft_wallet(rig, NESTED, 3), MS_CHANGE, 0 };
    rig->view.fee_limit_pct = -1;
    for (unsigned single = 0; single < 2; single++) {
        struct draft *d = coins_of(rig, 1, 0, 1, COIN);
        if (single)
            (void)draft_change(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/1/0", COIN / 2);
        else
            (void)draft_change_ms(d, &other, COIN / 2);
        rig_accepts(rig, draft_v0(d));
        assert_true(rig->facts.tx.out[0].change && !rig->facts.tx.out[1].change);
        assert_int_equal(rig->facts.tx.out[1].multisig, !single);
        assert_int_equal(rig->facts.tx.change_total.n, COIN);
    }
}

// A wallet that was registered with a key that is not ours: 7.6 holds, the seed does not.
TEST(psbt_signing_27_69_wallet_with_a_wrong_own_key)
{
    struct rig *rig = rig_new(), *other = rig_new();
    struct draft *d = begin(ms_draft_wallet(rig, NATIVE, 3));
    const struct ms_place at = { rig->view.wallets.list[0], MS_CHANGE, 0 };
    (void)draft_change_ms(d, &at, CHANGE_SATS);
    rig_load_seed(other, BYTES(TEST_SEED_WORDS " + passphrase other"));
    other->view.xfp = rig->view.xfp; // claims to be ours, and the wallet says so
    other->view.wallets = rig->view.wallets;
    rig_refuses(other, draft_v0(d),
                "Output#1: Deception regarding change output. BIP-32 path doesn't match actual "
                "address.",
                FRAUD_TITLE);
    // Where it is no change in any case, it is nobody's.
    d = draft_new();
    (void)draft_in(d, other, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", COIN);
    (void)draft_pay(d, draft_foreign_script(0), PAID);
    (void)draft_change_ms(d, &at, CHANGE_SATS);
    assert_out1(other, draft_v0(d), false, false);
    assert_true(other->facts.tx.out[1].multisig);
}

// --- 12.2: a cosigner's key where only the host finds it ---

// Change whose keys stand at the given places below each cosigner's xpub.
static struct draft *scattered(const struct ms_wallet *wallet, const char *const suffixes[3])
{
    struct bytes keys[3];
    struct writer w = writer_growing(test_arena(), 256);
    struct draft *d = begin(wallet);
    for (size_t who = 0; who < 3; who++)
        keys[who] = ms_rig_key(who, suffixes[who]);
    script_sort_keys(keys, 3);
    script_write_multisig(&w, 2, keys, 3);
    struct psbt_map *out = draft_pay(d, ms_redeem_of_witness(writer_bytes(&w)), CHANGE_SATS);
    draft_put(out, PSBT_OUT_WITNESS_SCRIPT, none, writer_bytes(&w));
    for (size_t who = 0; who < 3; who++)
        draft_put_ms_path(out, PSBT_OUT_KEY_PATH, who, suffixes[who]);
    return d;
}

TEST(psbt_signing_27_73_another_cosigners_path)
{
#define EXPECTED " not " MS_RIG_PATH "/{0~1}/{0~200} expected"
    static const struct {
        const char *suffix[3];
        const char *text; // NULL: no warning
    } rows[] = {
        { { "/1/0", "/1/0", "/1/0" }, NULL },
        { { "/1/0", "/1/200", "/0/7" }, NULL },
        { { "/1/0", "/1/5000", "/1/0" },
          "Output#1: last component beyond reasonable gap: " MS_RIG_PATH "/1/5000" EXPECTED },
        { { "/1/0", "/1/0", "/7/0" },
          "Output#1: 2nd last component not 0 or 1: " MS_RIG_PATH "/7/0" EXPECTED },
        { { "/1/0", "/1/0", "/1/0/0" },
          "Output#1: has wrong path length (7 not 6): " MS_RIG_PATH "/1/0/0" EXPECTED },
        // Ours is looked at first, whatever the others do; one entry per output.
        { { "/1/201", "/1/5000", "/7/0" },
          "Output#1: last component beyond reasonable gap: " MS_RIG_PATH "/1/201" EXPECTED },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rig *rig = rig_new();
        struct draft *d = scattered(ms_draft_wallet(rig, NATIVE, 3), rows[i].suffix);
        assert_out1(rig, draft_v0(d), true, true);
        rig_warnings_are(rig, rows[i].text ? "Troublesome Change Outs" : "");
        if (rows[i].text != NULL)
            assert_bytes_text(rig_warning(rig, "Troublesome Change Outs"), rows[i].text);
    }
}

// Two strangers at fault: the one that stands first in the script is told.
TEST(psbt_signing_27_73_the_first_in_script_order)
{
    static const char *const suffixes[3] = { "/1/0", "/1/5000", "/1/6000" };
    struct rig *rig = rig_new();
    const struct bytes a = ms_rig_key(1, suffixes[1]), b = ms_rig_key(2, suffixes[2]);
    struct draft *d = scattered(ms_draft_wallet(rig, NATIVE, 3), suffixes);
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Troublesome Change Outs");
    assert_bytes_text(
        rig_warning(rig, "Troublesome Change Outs"),
        bytes_compare(a, b) < 0
            ? "Output#1: last component beyond reasonable gap: " MS_RIG_PATH "/1/5000" EXPECTED
            : "Output#1: last component beyond reasonable gap: " MS_RIG_PATH "/1/6000" EXPECTED);
}

// Wherever the one at fault stands in the script.
TEST(psbt_signing_27_73_every_place_in_the_script)
{
    bool is_first = false, is_last = false;
    for (unsigned index = 5000; index < 5012; index++) {
        char suffix[16], expected[128];
        struct rig *rig = rig_new();
        (void)snprintf(suffix, sizeof suffix, "/1/%u", index);
        (void)snprintf(
            expected, sizeof expected,
            "Output#1: last component beyond reasonable gap: " MS_RIG_PATH "/1/%u" EXPECTED, index);
        struct draft *d = scattered(ms_draft_wallet(rig, NATIVE, 3),
                                    (const char *const[3]){ "/1/0", "/1/0", suffix });
        const struct bytes key = ms_rig_key(2, suffix),
                           others[2] = { ms_rig_key(0, "/1/0"), ms_rig_key(1, "/1/0") };
        const bool below_0 = bytes_compare(key, others[0]) < 0;
        const bool below_1 = bytes_compare(key, others[1]) < 0;
        is_first = is_first || (below_0 && below_1);
        is_last = is_last || (!below_0 && !below_1);
        rig_accepts(rig, draft_v0(d));
        assert_bytes_text(rig_warning(rig, "Troublesome Change Outs"), expected);
    }
    assert_true(is_first && is_last);
}

// --- Properties 76 and 77 over random transactions ---

struct random {
    uint64_t state;
};

static size_t below(struct random *r, size_t bound)
{
    r->state = r->state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(r->state >> 33) % bound;
}

static const char *random_path(struct random *r)
{
    static const char *const paths[] = {
        "m/84h/1h/0h/0/3", "m/84h/1h/0h/1/3", "m/84h/1h/0h/1/700", "m/44h/1h/1h/1/3", "m/7",
        "m/84h/1h/0h/5/3"
    };
    return paths[below(r, COUNT(paths))];
}

// What the property holds for. It cannot where the rules themselves take a path as a reason against
// change: a second path of a single-key P2SH output (11.3 row 2), and a multisig input beside
// single-key change (11.5). So inputs are of one sort, and only multisig outputs have a path more.
static struct draft *random_draft(struct random *r, const struct rig *rig, bool multisig)
{
    struct draft *d = draft_new();
    const size_t n_in = 1 + below(r, 3), n_out = 1 + below(r, 4);
    const struct ms_place from = { rig->view.wallets.list[0], MS_RECEIVE, 3 };
    for (size_t i = 0; i < n_in; i++)
        if (multisig)
            (void)draft_in_ms(d, &from, COIN);
        else
            (void)draft_in(d, rig, (enum draft_kind)below(r, DRAFT_P2TR), random_path(r), COIN);
    for (size_t i = 0; i < n_out; i++) {
        const uint64_t sats = COIN / 4 - below(r, 1000);
        const struct ms_place to = { rig->view.wallets.list[below(r, 2)], MS_CHANGE,
                                     (uint32_t)below(r, 300) };
        const size_t kind = below(r, 4);
        if (kind == 0)
            (void)draft_pay(d, draft_foreign_script((unsigned)below(r, 9)), sats);
        else if (kind == 1)
            (void)draft_change(d, rig, (enum draft_kind)below(r, DRAFT_P2TR), random_path(r), sats);
        else
            (void)draft_change_ms(d, &to, sats);
        // A path of nobody's beside those that count, or one of ours that is not in the script.
        if (kind > 1 && below(r, 6) == 0)
            draft_put_path(&d->out[i], PSBT_OUT_KEY_PATH, rig,
                           below(r, 2) == 0 ? rig->view.xfp : (struct xfp){ { 1, 2, 3, 4 } },
                           "m/1/2/3");
    }
    return d;
}

// Whether some key path of the output is a key of ours, derived here anew.
static bool has_our_key(const struct rig *rig, const struct psbt_map *map)
{
    for (size_t i = 0; i < map->n_fields; i++) {
        const struct psbt_field *f = &map->fields[i];
        struct keypath path = { .depth = 0 };
        struct hdkey key;
        struct err err;
        if (f->key.ptr[0] != PSBT_OUT_KEY_PATH ||
            memcmp(f->value.ptr, rig->view.xfp.b, sizeof rig->view.xfp.b) != 0)
            continue;
        for (size_t at = 4; at < f->value.len; at += 4)
            path.step[path.depth++] =
                (uint32_t)f->value.ptr[at] | (uint32_t)f->value.ptr[at + 1] << 8 |
                (uint32_t)f->value.ptr[at + 2] << 16 | (uint32_t)f->value.ptr[at + 3] << 24;
        assert_true(hdkey_derive(&key, &rig->master, &path, &err));
        const struct pubkey64 xy = pubkey_to64(&key.pub.key);
        if (bytes_equal(psbt_key_data(f), BYTES_OF(key.pub.key.b)) ||
            bytes_equal(bytes_slice(psbt_key_data(f), 1, f->key.len), BYTES_OF(xy.b)))
            return true;
    }
    return false;
}

static void without_field(struct draft *d, size_t map, size_t field)
{
    struct psbt_map *m = map < d->tx.n_in ? &d->in[map] : &d->out[map - d->tx.n_in];
    struct psbt_map shorter = { arena_array(test_arena(), m->n_fields, sizeof *m->fields), 0 };
    for (size_t i = 0; i < m->n_fields; i++)
        if (i != field)
            shorter.fields[shorter.n_fields++] = m->fields[i];
    *m = shorter;
}

// Returns in how many ways a path could be left out of an accepted transaction.
static size_t check_removals(struct rig *rig, struct draft *d)
{
    size_t n = 0;
    rig->view.fee_limit_pct = -1;
    if (!rig_analyse(rig, draft_v0(d)) || !rig_prove(rig))
        return 0;
    const uint64_t before = rig->facts.tx.change_total.n;
    for (size_t i = 0; i < d->tx.n_out; i++)
        if (rig->facts.tx.out[i].change)
            assert_true(has_our_key(rig, &d->out[i]));
    for (size_t map = 0; map < d->tx.n_in + d->tx.n_out; map++) {
        const bool is_in = map < d->tx.n_in;
        struct psbt_map *m = is_in ? &d->in[map] : &d->out[map - d->tx.n_in];
        const struct psbt_map whole = *m;
        for (size_t field = 0; field < whole.n_fields; field++) {
            if (whole.fields[field].key.ptr[0] != (is_in ? PSBT_IN_KEY_PATH : PSBT_OUT_KEY_PATH))
                continue;
            without_field(d, map, field);
            n++;
            if (rig_analyse(rig, draft_v0(d)) && rig_prove(rig))
                assert_true(rig->facts.tx.change_total.n <= before);
            *m = whole;
        }
    }
    return n;
}

TEST(psbt_signing_27_76_77_random_transactions)
{
    struct random r = { 1 };
    struct rig *rig = rig_new();
    size_t n = 0;
    (void)ms_draft_wallet(rig, NATIVE, 3);
    (void)ms_draft_wallet(rig, NESTED, 3);
    for (size_t i = 0; i < 60; i++)
        n += check_removals(rig, random_draft(&r, rig, i % 2 == 0));
    assert_true(n > 300);
}
