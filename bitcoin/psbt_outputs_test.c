#include "bitcoin/psbt_err.h"
#include "tests/support/psbt_rig.h"

#define COIN   100000000u
#define CHANGE "m/84h/1h/0h/1/0"
#define FRAUD  "Output#1: Change output is fraudulent"
static const struct bytes none = { 0 };

// Input m/84h/1h/0h/0/0 of one coin, a payment, and at place 1 what the test adds.
static struct draft *begin(const struct rig *rig)
{
    struct draft *d = draft_new();
    (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", COIN);
    (void)draft_pay(d, draft_foreign_script(0), 30000000);
    return d;
}

enum { CHANGE_SATS = 69990000 };

static struct draft *with_script(const struct rig *rig, struct bytes script)
{
    struct draft *d = begin(rig);
    struct psbt_map *out = draft_pay(d, script, CHANGE_SATS);
    draft_put_path(out, PSBT_OUT_KEY_PATH, rig, rig->view.xfp, CHANGE);
    return d;
}

static void assert_change(struct rig *rig, struct bytes raw, bool is_change)
{
    rig_accepts(rig, raw);
    assert_int_equal(rig->facts.tx.out[1].change, is_change);
    assert_int_equal(rig->facts.tx.out[1].own, is_change);
    assert_int_equal(rig->facts.tx.change_total.n, is_change ? CHANGE_SATS : 0);
    assert_int_equal(rig->facts.tx.total_out.n, 99990000);
    assert_int_equal(facts_spent(&rig->facts.tx).n, is_change ? 30000000 : 99990000);
}

static struct bytes p2sh_of(struct bytes redeem)
{
    struct writer w = writer_growing(test_arena(), 64);
    script_write_p2sh(&w, hash160(redeem));
    return writer_bytes(&w);
}

// --- 11.2 ---

TEST(psbt_signing_27_68_single_key_change)
{
    for (int kind = DRAFT_P2PK; kind <= DRAFT_P2SH_P2WPKH; kind++) {
        struct rig *rig = rig_new();
        struct draft *d = begin(rig);
        (void)draft_change(d, rig, (enum draft_kind)kind, CHANGE, CHANGE_SATS);
        assert_change(rig, draft_v0(d), true);
        rig_warnings_are(rig, "");
        assert_change(rig, draft_write(d, 2), true);
    }
}

TEST(psbt_signing_27_68_key_hash_change_rows)
{
    struct rig *rig = rig_new();
    static const enum draft_kind kinds[] = { DRAFT_P2PKH, DRAFT_P2WPKH };
    for (size_t k = 0; k < COUNT(kinds); k++) {
        // Another key of ours than the script's.
        struct draft *d = with_script(rig, psbt_rig_script(rig, kinds[k], "m/84h/1h/0h/1/1"));
        rig_refuses(rig, draft_v0(d), FRAUD, "Change Fraud");
        // Two key paths, one of them right.
        draft_put_path(&d->out[1], PSBT_OUT_KEY_PATH, rig, rig->view.xfp, "m/84h/1h/0h/1/1");
        rig_refuses(rig, draft_v0(d), PSBT_INVALID, "output 1: 2 key paths");
        // None that claims to be ours: a plain output.
        draft_drop(&d->out[1], PSBT_OUT_KEY_PATH);
        assert_change(rig, draft_v0(d), false);
        draft_put_path(&d->out[1], PSBT_OUT_KEY_PATH, rig, (struct xfp){ { 1 } }, CHANGE);
        assert_change(rig, draft_v0(d), false);
    }
}

TEST(psbt_signing_27_68_p2pk_change_rows)
{
    static const char lie[] = "Output#1: P2PK change output is fraudulent";
    struct rig *rig = rig_new();
    struct draft *d = with_script(rig, psbt_rig_script(rig, DRAFT_P2PK, "m/84h/1h/0h/1/1"));
    rig_refuses(rig, draft_v0(d), lie, "Change Fraud");
    // The right key, and a second one.
    draft_put_path(&d->out[1], PSBT_OUT_KEY_PATH, rig, rig->view.xfp, "m/84h/1h/0h/1/1");
    rig_refuses(rig, draft_v0(d), lie, "Change Fraud");
    d = with_script(rig, psbt_rig_script(rig, DRAFT_P2PK, CHANGE)); // and behind it
    draft_put_path(&d->out[1], PSBT_OUT_KEY_PATH, rig, rig->view.xfp, "m/84h/1h/0h/1/1");
    rig_refuses(rig, draft_v0(d), lie, "Change Fraud");
    // The compressed form for an uncompressed script.
    d = with_script(rig, psbt_rig_script(rig, DRAFT_P2PK65, CHANGE));
    rig_refuses(rig, draft_v0(d), lie, "Change Fraud");
}

TEST(psbt_signing_27_68_p2sh_change_rows)
{
    struct rig *rig = rig_new();
    const struct bytes right = psbt_rig_script(rig, DRAFT_P2WPKH, CHANGE);
    const struct bytes other = psbt_rig_script(rig, DRAFT_P2WPKH, "m/84h/1h/0h/1/1");
    struct draft *d = with_script(rig, p2sh_of(right));
    rig_refuses(rig, draft_v0(d), "Missing redeem script for output #1", "");
    draft_put(&d->out[1], PSBT_OUT_REDEEM_SCRIPT, none, right);
    assert_change(rig, draft_v0(d), true);
    draft_put(&d->out[1], PSBT_OUT_REDEEM_SCRIPT, none, other);
    rig_refuses(rig, draft_v0(d), FRAUD, "Change Fraud");
    // Hashes to the output, but is of another key.
    d = with_script(rig, p2sh_of(other));
    draft_put(&d->out[1], PSBT_OUT_REDEEM_SCRIPT, none, other);
    rig_refuses(rig, draft_v0(d), FRAUD, "Change Fraud");
    // P2SH of the P2PKH script of our key: spendable, but not by a form that we sign.
    const struct bytes p2pkh = psbt_rig_script(rig, DRAFT_P2PKH, CHANGE);
    d = with_script(rig, p2sh_of(p2pkh));
    draft_put(&d->out[1], PSBT_OUT_REDEEM_SCRIPT, none, p2pkh);
    rig_refuses(rig, draft_v0(d), FRAUD, "Change Fraud");
    draft_put(&d->out[1], PSBT_OUT_REDEEM_SCRIPT, none, BYTES(""));
    rig_refuses(rig, draft_v0(d), FRAUD, "Change Fraud");
}

TEST(psbt_signing_27_68_p2wsh_with_one_key_path)
{
    struct rig *rig = rig_new();
    struct writer script = writer_growing(test_arena(), 64);
    script_write_p2wsh(&script, sha256(BYTES("\x51")));
    struct draft *d = with_script(rig, writer_bytes(&script));
    rig_refuses(rig, draft_v0(d), "Missing redeem script for output #1", "");
    draft_put(&d->out[1], PSBT_OUT_REDEEM_SCRIPT, none, psbt_rig_script(rig, DRAFT_P2WPKH, CHANGE));
    rig_refuses(rig, draft_v0(d), FRAUD, "Change Fraud");
}

TEST(psbt_signing_27_68_multisig_outputs_without_a_wallet)
{
    struct rig *rig = rig_new();
    struct writer script = writer_growing(test_arena(), 64);
    script_write_p2wsh(&script, sha256(BYTES("\x51")));
    struct draft *d = with_script(rig, writer_bytes(&script));
    draft_put_path(&d->out[1], PSBT_OUT_KEY_PATH, rig, (struct xfp){ { 1 } }, "m/7");
    rig_refuses(rig, draft_v0(d), "Missing redeem/witness script for multisig output #1", "");
    draft_put(&d->out[1], PSBT_OUT_WITNESS_SCRIPT, none, BYTES("\x51"));
    assert_change(rig, draft_v0(d), false);
}

TEST(psbt_signing_27_68_uncompressed_key_is_no_change)
{
    struct rig *rig = rig_new();
    const struct hdkey key = rig_key(rig, CHANGE);
    const struct pubkey64 xy = pubkey_to64(&key.pub.key);
    const struct bytes long_key = test_concat(BYTES("\x04"), BYTES_OF(xy.b));
    struct writer p2pkh = writer_growing(test_arena(), 64);
    script_write_p2pkh(&p2pkh, hash160(long_key));
    struct draft *d = with_script(rig, writer_bytes(&p2pkh));
    const struct bytes value = psbt_next(&d->out[1], PSBT_OUT_KEY_PATH, NULL)->value;
    draft_drop(&d->out[1], PSBT_OUT_KEY_PATH);
    draft_put(&d->out[1], PSBT_OUT_KEY_PATH, long_key, value);
    rig_refuses(rig, draft_v0(d), FRAUD, "Change Fraud");
}

TEST(psbt_signing_27_69_wrong_path_is_deception_before_the_policy)
{
    struct rig *rig = rig_new();
    struct draft *d = begin(rig);
    struct psbt_map *out = draft_change(d, rig, DRAFT_P2WPKH, CHANGE, CHANGE_SATS);
    const struct bytes key = psbt_key_data(&out->fields[0]);
    draft_put(out, PSBT_OUT_KEY_PATH, key, test_concat(BYTES_OF(rig->view.xfp.b), test_u32le(5)));
    // The shape is that of change; the derivation tells.
    assert_true(rig_analyse(rig, draft_v0(d)));
    assert_true(rig->facts.tx.out[1].change && !rig->facts.tx.out[1].own);
    assert_false(rig_prove(rig));
    assert_err(&rig->err, ERR_INVALID,
               "Output#1: Deception regarding change output. BIP-32 path doesn't match actual "
               "address.");
    assert_string_equal(rig->err.detail, "Change Fraud");
    assert_false(rig->facts.proved);
}

TEST(psbt_signing_27_70_claims_on_scripts_that_are_never_change)
{
    static const char *const scripts[] = {
        "5120"
        "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
        "6020"
        "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
        "6a0461626364",
        "51024e73",
        "76a914",
    };
    struct rig *rig = rig_new();
    for (size_t i = 0; i < COUNT(scripts); i++)
        assert_change(rig, draft_v0(with_script(rig, test_hex(scripts[i]))), false);
}

TEST(psbt_signing_8_6_output_script_above_10000_bytes)
{
    struct rig *rig = rig_new();
    uint8_t *long_script = arena_alloc(test_arena(), SCRIPT_MAX + 1);
    struct draft *d = begin(rig);
    (void)draft_pay(d, bytes_of(long_script, SCRIPT_MAX), CHANGE_SATS);
    rig_accepts(rig, draft_v0(d));
    d->tx.out[1].script.len++;
    rig_refuses(rig, draft_v0(d), PSBT_INVALID, "output 1: script of 10001 bytes");
}

// --- 12.2 ---

struct troublesome {
    const char *inputs[3];
    const char *change;
    const char *issue; // NULL: no warning; else behind "Output#1: "
};

static void check_troublesome(const struct troublesome *c)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_new();
    size_t n = 0;
    for (; n < COUNT(c->inputs) && c->inputs[n] != NULL; n++)
        (void)draft_in(d, rig, DRAFT_P2WPKH, c->inputs[n], COIN);
    (void)draft_pay(d, draft_foreign_script(0), n * COIN - CHANGE_SATS - 1000);
    (void)draft_change(d, rig, DRAFT_P2WPKH, c->change, CHANGE_SATS);
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, c->issue == NULL ? "" : "Troublesome Change Outs");
    if (c->issue != NULL)
        assert_bytes_equal(rig_warning(rig, "Troublesome Change Outs"),
                           test_concat(BYTES("Output#1: "), bytes_of_text(c->issue)));
}

TEST(psbt_signing_27_75_troublesome_change)
{
    static const struct troublesome cases[] = {
        { { "m/84h/1h/0h/0/3" }, "m/84h/1h/0h/1/203", NULL }, // gap of 200
        { { "m/84h/1h/0h/0/3" },
          "m/84h/1h/0h/1/204",
          "last component beyond reasonable gap: m/84h/1h/0h/1/204 not "
          "m/84h/1h/0h/{0~1}/{0~203} expected" },
        { { "m/84h/1h/0h/0/3", "m/84h/1h/0h/0/9" }, "m/84h/1h/0h/1/209", NULL }, // of the highest
        { { "m/84h/1h/0h/0/3" }, "m/84h/1h/0h/0/3", NULL }, // the receive branch
        { { "m/84h/1h/0h/0/3" },
          "m/84h/1h/0h/2/3",
          "2nd last component not 0 or 1: m/84h/1h/0h/2/3 not m/84h/1h/0h/{0~1}/{0~203} expected" },
        { { "m/84h/1h/0h/7/3" },
          "m/84h/1h/0h/7/3", // the inputs' own branch is no excuse
          "2nd last component not 0 or 1: m/84h/1h/0h/7/3 not m/84h/1h/0h/{0~1}/{0~203} expected" },
        { { "m/84h/1h/0h/0/3" },
          "m/84h/1h/1h/1/3",
          "goes to diff path prefix: m/84h/1h/1h/1/3 not m/84h/1h/0h/{0~1}/{0~203} expected" },
        { { "m/84h/1h/0h/0/3" },
          "m/84h/1h/0/1/3", // two issues: the first is named
          "has different hardening pattern: m/84h/1h/0/1/3 not m/84h/1h/0h/{0~1}/{0~203} "
          "expected" },
        { { "m/84h/1h/0h/0/3" },
          "m/84h/1h/0h/1/3h",
          "has different hardening pattern: m/84h/1h/0h/1/3h not m/84h/1h/0h/{0~1}/{0~203} "
          "expected" },
        { { "m/84h/1h/0h/0/3" },
          "m/84h/1h/0h/1",
          "has wrong path length (4 not 5): m/84h/1h/0h/1 not m/84h/1h/0h/{0~1}/{0~203} expected" },
        { { "m/84h/1h/0h/0/3" },
          "m",
          "has wrong path length (0 not 5): m not m/84h/1h/0h/{0~1}/{0~203} expected" },
        // Hardened last steps in the inputs.
        { { "m/0h/1h/7h" }, "m/0h/0h/207h", NULL },
        { { "m/0h/1h/7h" },
          "m/0h/0h/208h",
          "last component beyond reasonable gap: m/0h/0h/208h not m/0h/{0~1}'/{0~207}' expected" },
        { { "m/0h/1/7h" },
          "m/0h/2/1h",
          "2nd last component not 0 or 1: m/0h/2/1h not m/0h/{0~1}/{0~207}' expected" },
        { { "m/0h/1h/7" },
          "m/0h/2h/1",
          "2nd last component not 0 or 1: m/0h/2h/1 not m/0h/{0~1}'/{0~207} expected" },
        // Indices up to the last do not wrap.
        { { "m/1/0/2147483647" }, "m/1/1/2147483647", NULL },
        // Only short paths: nothing to compare with.
        { { "m/0/1" }, "m/84h/1h/0h/9/9999", NULL },
        { { "m/0/1", "m/5", "m" }, "m/84h/1h/0h/9/9999", NULL },
        // D-CHANGE: short paths beside others do not turn the check off, nor do other lengths.
        { { "m/0/1", "m/84h/1h/0h/0/3" },
          "m/84h/1h/0h/9/3",
          "2nd last component not 0 or 1: m/84h/1h/0h/9/3 not m/84h/1h/0h/{0~1}/{0~203} expected" },
        { { "m/1/2/3", "m/84h/1h/0h/0/3" }, "m/84h/1h/0h/1/3", NULL },
        { { "m/1/2/3", "m/84h/1h/0h/0/3" }, "m/1/1/203", NULL },
        { { "m/1/2/3", "m/84h/1h/0h/0/3" },
          "m/1/1/204",
          "last component beyond reasonable gap: m/1/1/204 not m/1/{0~1}/{0~203} expected" },
        { { "m/1/2/3", "m/84h/1h/0h/0/3" },
          "m/1/1/1/1", // the first group's length
          "has wrong path length (4 not 3): m/1/1/1/1 not m/1/{0~1}/{0~203} expected" },
        { { "m/5", "m/84h/1h/0h/0/3" },
          "m/5",
          "has wrong path length (1 not 5): m/5 not m/84h/1h/0h/{0~1}/{0~203} expected" },
        // The highest index of the inputs counts, wherever it stands.
        { { "m/84h/1h/0h/0/9", "m/84h/1h/0h/0/3" }, "m/84h/1h/0h/1/209", NULL },
        { { "m/84h/1h/0h/0/1000", "m/84h/1h/0h/0/1100" }, "m/84h/1h/0h/1/1300", NULL },
        // The hardness of the very first step.
        { { "m/84h/1h/0h/0/3" },
          "m/84/1h/0h/1/3",
          "has different hardening pattern: m/84/1h/0h/1/3 not m/84h/1h/0h/{0~1}/{0~203} "
          "expected" },
        // What is expected is of the same length, not of the first input.
        { { "m/1/2/3", "m/84h/1h/0h/0/3" },
          "m/84h/1h/0h/9/3",
          "2nd last component not 0 or 1: m/84h/1h/0h/9/3 not m/84h/1h/0h/{0~1}/{0~203} expected" },
        // The first input sets the prefix of its length.
        { { "m/84h/1h/0h/0/3", "m/84h/1h/1h/0/3" },
          "m/84h/1h/1h/1/0",
          "goes to diff path prefix: m/84h/1h/1h/1/0 not m/84h/1h/0h/{0~1}/{0~203} expected" },
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        check_troublesome(&cases[i]);
}

#define LONGEST                                                                                    \
    "m/2147483647h/2147483647h/2147483647h/2147483647h/2147483647h/2147483647h/2147483647h/"       \
    "2147483647h/"

TEST(psbt_signing_27_75_the_longest_paths_that_there_are)
{
    static const struct troublesome longest = { { LONGEST "2147483647h/1h/2147483647h" },
                                                LONGEST "2147483646h/1h/2147483647h",
                                                "goes to diff path prefix: " LONGEST
                                                "2147483646h/1h/2147483647h not " LONGEST
                                                "2147483647h/{0~1}'/{0~2147483847}' expected" };
    check_troublesome(&longest);
}

TEST(psbt_signing_27_75_one_entry_per_output)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    (void)draft_change(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/5/0", 1000);
    (void)draft_change(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/6/9999", 1000);
    d->tx.out[0].value -= 2000;
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Troublesome Change Outs, Troublesome Change Outs");
}

// Inputs that are not signed now teach nothing.
TEST(psbt_signing_27_75_paths_of_inputs_that_we_sign)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    struct psbt_map *in = draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/9000", 1000);
    const struct hdkey key = rig_key(rig, "m/84h/1h/0h/0/9000");
    draft_put(in, PSBT_IN_PARTIAL_SIG, BYTES_OF(key.pub.key.b), BYTES("123456789"));
    (void)draft_change(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/1/9000", 1000);
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Partly Signed Already, Troublesome Change Outs");
}

// A claim that nobody proves teaches nothing: the host would write the path that it needs into an
// input, before or behind the one of the key that signs, or give that one a stranger's fingerprint.
TEST(psbt_signing_27_75_paths_that_are_only_claimed)
{
    static const struct {
        const char *claimed, *change, *issue;
        bool first, foreign_xfp;
    } cases[] = {
        { "m/84h/1h/0h/0/2000000000", "m/84h/1h/0h/1/2000000000",
          "last component beyond reasonable gap: m/84h/1h/0h/1/2000000000 not "
          "m/84h/1h/0h/{0~1}/{0~200} expected",
          false, false },
        { "m/84h/1h/7654321h/0/3", "m/84h/1h/7654321h/1/3",
          "goes to diff path prefix: m/84h/1h/7654321h/1/3 not m/84h/1h/0h/{0~1}/{0~200} expected",
          true, false },
        { "m/1/2/3/4", "m/1/2/1/4",
          "has wrong path length (4 not 5): m/1/2/1/4 not m/84h/1h/0h/{0~1}/{0~200} expected", true,
          false },
        { "m/1", "m/84h/1h/7654321h/1/3",
          "goes to diff path prefix: m/84h/1h/7654321h/1/3 not m/84h/1h/0h/{0~1}/{0~200} expected",
          true, true },
    };
    struct rig *other = rig_new();
    rig_load_seed(other, BYTES("abandon abandon abandon abandon abandon abandon abandon abandon "
                               "abandon abandon abandon about"));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig *rig = rig_new();
        struct draft *d = draft_new();
        struct psbt_map *in = draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", COIN);
        const struct xfp stranger = { { 1, 2, 3, 4 } };
        if (cases[i].first) {
            draft_drop(in, PSBT_IN_KEY_PATH);
            draft_put_path(in, PSBT_IN_KEY_PATH, other, rig->view.xfp, cases[i].claimed);
            draft_put_path(in, PSBT_IN_KEY_PATH, rig,
                           cases[i].foreign_xfp ? stranger : rig->view.xfp, "m/84h/1h/0h/0/0");
        } else {
            draft_put_path(in, PSBT_IN_KEY_PATH, other, rig->view.xfp, cases[i].claimed);
        }
        (void)draft_pay(d, draft_foreign_script(0), COIN - CHANGE_SATS - 1000);
        (void)draft_change(d, rig, DRAFT_P2WPKH, cases[i].change, CHANGE_SATS);
        rig_accepts(rig, draft_v0(d));
        rig_warnings_are(rig, "Troublesome Change Outs");
        assert_bytes_equal(rig_warning(rig, "Troublesome Change Outs"),
                           test_concat(BYTES("Output#1: "), bytes_of_text(cases[i].issue)));
    }
}

// --- Properties 76 and 77 ---

// What no list of key paths may do: make more change by leaving one out.
TEST(psbt_signing_27_76_77_removing_a_key_path_makes_no_change)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_new();
    static const enum draft_kind kinds[] = { DRAFT_P2PKH, DRAFT_P2WPKH, DRAFT_P2SH_P2WPKH,
                                             DRAFT_P2PK };
    for (size_t i = 0; i < 4; i++)
        (void)draft_in(d, rig, kinds[i], "m/84h/1h/0h/0/4", COIN);
    for (size_t i = 0; i < 4; i++)
        (void)draft_change(d, rig, kinds[i], CHANGE, COIN - 1000);
    struct psbt p;
    rig_accepts(rig, draft_v0(d));
    const uint64_t all = rig->facts.tx.change_total.n;
    assert_int_equal(all, 4 * (COIN - 1000));
    for (size_t i = 0; i < 8; i++) {
        assert_true(psbt_parse(&p, draft_v0(d), test_arena(), &rig->err));
        if (i < 4)
            draft_drop(&p.in[i], PSBT_IN_KEY_PATH);
        else
            draft_drop(&p.out[i - 4], PSBT_OUT_KEY_PATH);
        struct writer w = writer_growing(test_arena(), 1 << 16);
        psbt_write(&w, &p);
        rig_accepts(rig, writer_bytes(&w));
        assert_true(rig->facts.tx.change_total.n <= all);
        for (size_t k = 0; k < 4; k++)
            assert_int_equal(rig->facts.tx.out[k].change, rig->facts.tx.out[k].own);
    }
}

// --- Fee, 12.5 ---

static void check_fee(uint64_t out, uint64_t fee, int limit, const char *reply, const char *warning)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_new();
    (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", out + fee);
    (void)draft_pay(d, draft_foreign_script(0), out);
    rig->view.fee_limit_pct = limit;
    if (reply != NULL) {
        rig_refuses(rig, draft_v0(d), reply, "");
        return;
    }
    rig_accepts(rig, draft_v0(d));
    assert_int_equal(rig->facts.tx.fee.n, fee);
    if (warning == NULL)
        rig_warnings_are(rig, "");
    else
        assert_bytes_text(rig_warning(rig, "Big Fee"), warning);
}

#define BIG(percent) "Network fee is more than 5% of total value (" percent "%)."
#define OVER(limit, percent)                                                                       \
    "Network fee bigger than " limit "% of total amount (it is " percent "%)."

TEST(psbt_signing_27_78_fees)
{
    static const struct {
        uint64_t out, fee;
        int limit;
        const char *reply, *warning;
    } cases[] = {
        { 1000000, 0, 10, NULL, NULL },
        { 1000000, 49999, 10, NULL, NULL },
        { 1000000, 50000, 10, NULL, BIG("5.0") },
        { 1000000, 99900, 10, NULL, BIG("10.0") }, // 9.99 prints as 10.0
        { 1000000, 100000, 10, OVER("10", "10"), NULL },
        { 1000000, 104000, 10, OVER("10", "10"), NULL },
        { 1000000, 105000, 10, OVER("10", "10"), NULL }, // ties to even
        { 1000000, 115000, 10, OVER("10", "12"), NULL },
        { 1000000, 105001, 10, OVER("10", "11"), NULL },
        { 1000000, 249999, 25, NULL, BIG("25.0") },
        { 1000000, 250000, 25, OVER("25", "25"), NULL },
        { 1000000, 499999, 50, NULL, BIG("50.0") },
        { 1000000, 500000, 50, OVER("50", "50"), NULL },
        { 1000000, 600000, -1, NULL, BIG("60.0") },
        { 1000000, 60500, -1, NULL, BIG("6.0") }, // ties to even, one decimal
        { 1000000, 61500, -1, NULL, BIG("6.2") },
        { 1, SATS_MAX - 1, -1, NULL, BIG("209999999999999900.0") },
        { 1, SATS_MAX - 1, 10, OVER("10", "209999999999999900"), NULL },
        { 0, 1000, 10, OVER("10", "100"), NULL },
        { SATS_MAX, 0, 10, NULL, NULL },
        { 1000000, 0, 0, OVER("0", "0"), NULL }, // no setting, but a limit like any other
        { 1000000, 1000, 0, OVER("0", "0"), NULL },
        { 1000000, 9999, 1, NULL, NULL },
        { 1000000, 10000, 1, OVER("1", "1"), NULL },
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        check_fee(cases[i].out, cases[i].fee, cases[i].limit, cases[i].reply, cases[i].warning);
}

TEST(psbt_signing_27_78_no_value_out_without_a_limit)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_new();
    (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", 1000);
    (void)draft_pay(d, draft_foreign_script(0), 0);
    rig->view.fee_limit_pct = -1;
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Big Fee, Zero Value");
    assert_bytes_text(rig_warning(rig, "Big Fee"), BIG("100.0"));
    d->tx.out[0].value = 1001;
    rig_refuses(rig, draft_v0(d), "Outputs worth more than inputs!", "");
}

// --- Warnings ---

TEST(psbt_signing_27_81_op_return)
{
    struct rig *rig = rig_new();
    uint8_t script[90] = { 0x6a, 0x4c };
    struct draft *d = draft_usual(rig);
    (void)draft_pay(d, bytes_of(script, 83), 0);
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "");
    d->tx.out[2].script.len = 84;
    rig_accepts(rig, draft_v0(d));
    assert_bytes_text(rig_warning(rig, "OP_RETURN"),
                      "TX may not be relayed by some nodes.\nOP_RETURN > 80 bytes");
    (void)draft_pay(d, BYTES("\x6a"), 5);
    rig_accepts(rig, draft_v0(d));
    assert_bytes_text(rig_warning(rig, "OP_RETURN"),
                      "TX may not be relayed by some nodes.\nMultiple OP_RETURN outputs: 2\n"
                      "OP_RETURN > 80 bytes");
    d->tx.out[2].script.len = 1;
    rig_accepts(rig, draft_v0(d));
    assert_bytes_text(rig_warning(rig, "OP_RETURN"),
                      "TX may not be relayed by some nodes.\nMultiple OP_RETURN outputs: 2");
    rig_warnings_are(rig, "OP_RETURN");
}

// Other long scripts are none.
TEST(psbt_signing_27_81_long_scripts_of_other_kinds)
{
    struct rig *rig = rig_new();
    uint8_t script[90] = { 0x51, 0x4c };
    struct draft *d = draft_usual(rig);
    (void)draft_pay(d, bytes_of(script, sizeof script), 1000);
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Output?");
}

TEST(psbt_signing_27_79_unknown_scripts_and_zero_values)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    (void)draft_pay(d, test_hex("51024e73"), 1);
    (void)draft_pay(d, BYTES(""), 1);
    (void)draft_pay(d, psbt_rig_script(rig, DRAFT_P2PK, "m/9"), 1); // understood
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Output?");
    assert_bytes_text(rig_warning(rig, "Output?"), "Sending to 2 not well understood script(s).");
    d->tx.out[2].value = 0;
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Output?, Zero Value");
    assert_bytes_text(rig_warning(rig, "Zero Value"), "Non-standard zero value output(s).");
}

// Everything that can go wrong at once, in order.
static struct draft *all_warnings(const struct rig *rig)
{
    struct draft *d = draft_usual(rig);
    const struct hdkey key = rig_key(rig, "m/7");
    for (unsigned i = 0; i < 2; i++)
        (void)draft_in_script(d, draft_foreign_script(i + 1), 1000, DRAFT_UTXO_WITNESS);
    draft_put(&d->in[2], PSBT_IN_PARTIAL_SIG, BYTES_OF(key.pub.key.b), BYTES("123456789"));
    draft_put_path(&d->in[0], PSBT_IN_KEY_PATH, rig, (struct xfp){ { 0 } }, "m/84h/1h/0h/0/0");
    draft_put_u32(&d->in[0], PSBT_IN_SIGHASH_TYPE, 0x81);
    (void)draft_pay(d, BYTES("\x6a"), 0);
    (void)draft_pay(d, BYTES("\x6a"), 0);
    (void)draft_pay(d, BYTES("\x51"), 0);
    (void)draft_change(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/1/9999", 1000);
    for (size_t i = 0; i < d->tx.n_in; i++)
        d->tx.in[i].sequence = UINT32_MAX;
    d->tx.locktime = 7;
    d->tx.out[0].value = 24000000; // a fee of six percent
    return d;
}

TEST(psbt_signing_27_79_all_warnings_in_order)
{
    struct rig *rig = rig_new();
    rig->view.skip_multisig_checks = true;
    struct draft *d = all_warnings(rig);
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Zero XFP, Bad Locktime, Limited Signing, Partly Signed Already, Danger, "
                          "Big Fee, OP_RETURN, Output?, Zero Value, Troublesome Change Outs, "
                          "Caution");
    assert_bytes_text(rig_warning(rig, "Limited Signing"),
                      "We are not signing these inputs, because we do not know the key: 1");
    assert_bytes_text(rig_warning(rig, "Partly Signed Already"),
                      "Some input(s) provided were already completely signed by other parties: 2");
    assert_true(bytes_starts_with(rig_story(rig, STORY_SCREEN), BYTES("(11 warnings below)\n\n")));
}

// Whatever there is no memory for: the transaction is refused, and nothing is left out of what is said.
static void check_full_arena(struct rig *rig, const struct draft *d)
{
    enum { STEP = 16, PLENTY = 256 << 10 };
    rig_accepts(rig, draft_v0(d));
    const size_t n_warnings = rig->facts.tx.n_warnings, n_notes = rig->facts.tx.n_notes;
    size_t room = 0;
    bool fits = false;
    for (; !fits && room < PLENTY; room += STEP) {
        AUTO(arena_freep) struct arena *arena = arena_new(room);
        fits = psbt_analyse(&rig->facts, &rig->psbt, &rig->view, arena, &rig->err);
        if (fits)
            assert_true(rig->facts.tx.n_warnings == n_warnings && rig->facts.tx.n_notes == n_notes);
        else
            assert_err(&rig->err, ERR_NO_MEMORY, PSBT_TOO_COMPLEX);
    }
    assert_true(fits && room > (size_t)10 * STEP);
}

TEST(psbt_signing_27_79_a_full_arena_silences_nothing)
{
    struct rig *rig = rig_new();
    struct draft *d = all_warnings(rig);
    check_full_arena(rig, d);
    draft_drop(&d->in[0], PSBT_IN_SIGHASH_TYPE); // the change is warned of last
    check_full_arena(rig, d);
    rig->view.skip_multisig_checks = true;
    check_full_arena(rig, d);
}

// Each warning of outputs as the last thing that there is to say.
TEST(psbt_signing_27_79_a_full_arena_silences_no_single_warning)
{
    struct rig *rig = rig_new();
    static const struct {
        const char *script;
        int64_t fee, value;
        const char *label;
    } cases[] = {
        { "0014000102030405060708090a0b0c0d0e0f10111213", 6000000, 1, "Big Fee" },
        { "51024e73", 1000, 1, "Output?" },
        { "0014000102030405060708090a0b0c0d0e0f10111213", 1000, 0, "Zero Value" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct draft *d = draft_new();
        (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", COIN);
        (void)draft_pay(d, draft_foreign_script(0), (uint64_t)(COIN - cases[i].fee));
        (void)draft_pay(d, test_hex(cases[i].script), (uint64_t)cases[i].value);
        d->tx.out[0].value -= cases[i].value;
        check_full_arena(rig, d);
        rig_accepts(rig, draft_v0(d));
        rig_warnings_are(rig, cases[i].label);
    }
    struct draft *d = draft_usual(rig);
    (void)draft_pay(d, BYTES("\x6a"), 0);
    (void)draft_pay(d, BYTES("\x6a"), 0);
    check_full_arena(rig, d);
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "OP_RETURN");
    // And one of inputs.
    d = draft_usual(rig);
    (void)draft_in_script(d, draft_foreign_script(1), 1000, DRAFT_UTXO_WITNESS);
    check_full_arena(rig, d);
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Limited Signing");
    rig->view.skip_multisig_checks = true;
    d = draft_usual(rig);
    check_full_arena(rig, d);
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Danger");
}

TEST(psbt_signing_27_80_unknown_fee_silences_nothing)
{
    struct rig *rig = rig_new();
    struct draft *d = all_warnings(rig);
    (void)draft_in_script(d, draft_foreign_script(8), 1000, DRAFT_UTXO_NONE);
    (void)draft_in_script(d, psbt_rig_script(rig, DRAFT_P2PKH, "m/3"), 1000, DRAFT_UTXO_WITNESS);
    (void)draft_in_script(d, draft_foreign_script(9), 1000, DRAFT_UTXO_NONE);
    d->tx.in[3].sequence = d->tx.in[4].sequence = d->tx.in[5].sequence = UINT32_MAX;
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Zero XFP, Bad Locktime, Unable to calculate fee, Unable to calculate "
                          "fee, Limited Signing, Partly Signed Already, OP_RETURN, Output?, "
                          "Zero Value, Troublesome Change Outs, Caution");
    assert_bytes_text(rig_warning(rig, "Unable to calculate fee"),
                      "Some input(s) haven't provided UTXO(s): 3, 5");
    assert_bytes_text(
        rig_warning(rig, "Limited Signing"),
        "We are not signing these inputs, because we do not know the key: 1, 3, 4, 5");
    assert_false(rig->facts.tx.fee_known);
}

// --- What policies with extensions look at ---

TEST(policy_22_locktime_and_txid_are_facts)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    d->tx.locktime = 840000;
    d->tx.in[0].sequence = 0xfffffffe;
    rig_accepts(rig, draft_v0(d));
    assert_int_equal(rig->facts.tx.locktime, 840000);
    assert_true(rig->facts.tx.locktime_counts);
    struct psbt p;
    assert_true(psbt_parse(&p, draft_v0(d), test_arena(), &rig->err));
    const struct hash256 txid = tx_txid(&p.tx);
    assert_memory_equal(rig->facts.tx.txid.b, txid.b, sizeof txid.b);
    for (size_t i = 0; i < d->tx.n_in; i++)
        d->tx.in[i].sequence = 0xffffffff;
    rig_accepts(rig, draft_v0(d));
    assert_false(rig->facts.tx.locktime_counts);
}

// --- Attestations ---

TEST(psbt_signing_20_attestation_is_handed_on_and_returned)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    struct psbt p;
    draft_put(&d->out[0], 0xfc, test_hex("08434f494e4b49544500"), BYTES("attested"));
    draft_put(&d->out[1], 0xfc, test_hex("08434f494e4b49544501"), BYTES("other subtype"));
    rig_accepts(rig, draft_v0(d));
    assert_true(rig->facts.tx.out[0].has_attestation);
    assert_bytes_text(rig->facts.tx.out[0].attestation, "attested");
    assert_false(rig->facts.tx.out[1].has_attestation);
    assert_true(rig->facts.tx.out[1].has_bound_attestation);
    assert_bytes_text(rig->facts.tx.out[1].bound_attestation, "other subtype");
    assert_false(rig->facts.tx.out[0].has_bound_attestation);
    assert_true(psbt_parse(&p, rig->result, test_arena(), &rig->err));
    assert_bytes_text(psbt_find(&p.out[0], test_hex("fc08434f494e4b49544500"))->value, "attested");
    assert_bytes_text(psbt_find(&p.out[1], test_hex("fc08434f494e4b49544501"))->value,
                      "other subtype");
}
