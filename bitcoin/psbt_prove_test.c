// What is a fact only once a key was derived: which inputs and outputs are ours.
#include "bitcoin/psbt_err.h"
#include "tests/support/psbt_rig.h"

#define IN "m/84h/1h/0h/0/5"
#define DECEPTION                                                                                  \
    "Output#1: Deception regarding change output. BIP-32 path doesn't match actual address."

static const struct xfp stranger = { { 1, 2, 3, 4 } };

// A key under a fingerprint and one step, whatever its true path is.
static void put_claim(struct psbt_map *map, uint8_t type, struct bytes key, struct xfp xfp,
                      uint32_t step)
{
    const struct bytes path = test_concat(BYTES_OF(xfp.b), test_u32le(step));
    draft_put(map, type, key, path);
}

static struct bytes key_at(const struct rig *owner, const char *path)
{
    const struct hdkey key = rig_key(owner, path);
    uint8_t *mem = arena_alloc(test_arena(), sizeof key.pub.key.b);
    memcpy(mem, key.pub.key.b, sizeof key.pub.key.b);
    return bytes_of(mem, sizeof key.pub.key.b);
}

static struct rig *other_rig(void)
{
    struct rig *other = rig_new();
    rig_load_seed(other, BYTES("abandon abandon abandon abandon abandon abandon abandon abandon "
                               "abandon abandon abandon about"));
    return other;
}

// --- Inputs that are signed already: own only if a key in the script is derived where it says ---

static struct psbt_map *add_signed(struct draft *d, const struct rig *owner)
{
    struct psbt_map *in = draft_in(d, owner, DRAFT_P2WPKH, IN, 1000);
    draft_drop(in, PSBT_IN_KEY_PATH);
    draft_put(in, PSBT_IN_PARTIAL_SIG, key_at(owner, IN),
              BYTES("0\x06\x02\x01\x01\x02\x01\x01\x01"));
    return in;
}

static void assert_own(struct rig *rig, const struct draft *d, bool is_own)
{
    rig_accepts(rig, draft_v0(d));
    assert_int_equal(rig->facts.tx.in[1].own, is_own);
    assert_false(rig->facts.tx.in[1].will_sign);
}

TEST(policy_24_53_signed_inputs_that_are_ours)
{
    struct rig *rig = rig_new(), *other = other_rig();

    struct draft *d = draft_usual(rig); // the right path
    struct psbt_map *in = add_signed(d, rig);
    draft_put_path(in, PSBT_IN_KEY_PATH, rig, rig->view.xfp, IN);
    assert_own(rig, d, true);

    d = draft_usual(rig); // our key, at another path
    in = add_signed(d, rig);
    put_claim(in, PSBT_IN_KEY_PATH, key_at(rig, IN), rig->view.xfp, 7);
    assert_own(rig, d, false);

    d = draft_usual(rig); // somebody else's key under our fingerprint
    in = add_signed(d, other);
    put_claim(in, PSBT_IN_KEY_PATH, key_at(other, IN), rig->view.xfp, 7);
    assert_own(rig, d, false);

    d = draft_usual(rig); // a key of ours that is not in the script
    in = add_signed(d, other);
    draft_put_path(in, PSBT_IN_KEY_PATH, rig, rig->view.xfp, IN);
    assert_own(rig, d, false);

    d = draft_usual(rig); // nobody claims it
    (void)add_signed(d, rig);
    assert_own(rig, d, false);

    d = draft_usual(rig); // the key's own path has a stranger's fingerprint
    in = add_signed(d, rig);
    draft_put_path(in, PSBT_IN_KEY_PATH, rig, stranger, IN);
    assert_own(rig, d, false);

    d = draft_usual(rig); // and beside it stands a claim that is none
    in = add_signed(d, rig);
    draft_put_path(in, PSBT_IN_KEY_PATH, rig, stranger, IN);
    draft_put_path(in, PSBT_IN_KEY_PATH, other, rig->view.xfp, IN);
    draft_put(in, PSBT_IN_PARTIAL_SIG, key_at(other, IN),
              BYTES("0\x06\x02\x01\x01\x02\x01\x01\x01"));
    assert_own(rig, d, false);
}

// An uncompressed key is compared in its own form.
TEST(psbt_signing_27_59_an_uncompressed_key_at_another_path)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    struct psbt_map *in = draft_in(d, rig, DRAFT_P2PK65, IN, 1000);
    rig_accepts(rig, draft_v0(d));
    for (size_t i = 0; i < in->n_fields; i++)
        if (in->fields[i].key.ptr[0] == PSBT_IN_KEY_PATH)
            in->fields[i].value = test_concat(BYTES_OF(rig->view.xfp.b), test_u32le(7));
    rig_refuses(rig, draft_v0(d), PSBT_SIGNING_LATE, "Path (m/7) led to wrong pubkey for input#1");
}

// --- Outputs: with taproot on, an output has key paths of two kinds, and each that claims must hold ---

static struct draft *with_taproot_path(struct rig *rig, struct bytes key, struct xfp xfp,
                                       uint32_t step)
{
    const struct bytes no_leaves = BYTES("\0");
    const struct bytes path = test_concat(BYTES_OF(xfp.b), test_u32le(step));
    struct draft *d = draft_usual(rig);
    rig->view.taproot = true;
    draft_put(&d->out[1], PSBT_OUT_TAP_KEY_PATH, key, test_concat(no_leaves, path));
    return d;
}

static struct bytes xonly_at(const struct rig *owner, const char *path)
{
    return bytes_slice(key_at(owner, path), 1, 33);
}

TEST(psbt_signing_27_69_every_claim_of_a_change_output_holds)
{
    struct rig *rig = rig_new();
    struct draft *d = with_taproot_path(rig, xonly_at(rig, "m/7"), rig->view.xfp, 7);
    rig_accepts(rig, draft_v0(d));
    assert_true(rig->facts.tx.out[1].change && rig->facts.tx.out[1].own);
    d = with_taproot_path(rig, xonly_at(rig, "m/7"), rig->view.xfp, 8);
    rig_refuses(rig, draft_v0(d), DECEPTION, PSBT_CHANGE_FRAUD);
    d = with_taproot_path(rig, xonly_at(rig, "m/7"), stranger, 8); // is no claim
    rig_accepts(rig, draft_v0(d));
    assert_true(rig->facts.tx.out[1].change);
}

// The internal key's path has a stranger's fingerprint; that another claims makes it no change.
TEST(psbt_signing_27_123_whose_internal_key)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_new();
    rig->view.taproot = true;
    (void)draft_in(d, rig, DRAFT_P2WPKH, IN, 100000);
    (void)draft_pay(d, draft_foreign_script(0), 50000);
    struct psbt_map *out = draft_change(d, rig, DRAFT_P2TR, "m/7", 49900);
    rig_accepts(rig, draft_v0(d));
    assert_true(rig->facts.tx.out[1].change);
    const struct bytes no_leaves = BYTES("\0");
    draft_put(out, PSBT_OUT_TAP_KEY_PATH, xonly_at(rig, "m/7"),
              test_concat(no_leaves, test_concat(BYTES_OF(stranger.b), test_u32le(7))));
    draft_put(out, PSBT_OUT_TAP_KEY_PATH, xonly_at(rig, "m/8"),
              test_concat(no_leaves, test_concat(BYTES_OF(rig->view.xfp.b), test_u32le(8))));
    rig_refuses(rig, draft_v0(d), "Output#1: Change output is fraudulent", PSBT_CHANGE_FRAUD);
}

// Warning 13 looks at each of ours, names the first that it finds, and leaves strangers' alone.
TEST(psbt_signing_27_75_paths_of_both_kinds)
{
    static const char trouble[] = "Output#1: has wrong path length (1 not 5): m/7 not "
                                  "m/84h/1h/0h/{0~1}/{0~200} expected";
    struct rig *rig = rig_new();
    struct draft *d = with_taproot_path(rig, xonly_at(rig, "m/7"), rig->view.xfp, 7);
    rig_accepts(rig, draft_v0(d));
    assert_bytes_text(rig_warning(rig, "Troublesome Change Outs"), trouble);
    put_claim(&d->out[1], PSBT_OUT_TAP_KEY_PATH, xonly_at(rig, "m/8"), rig->view.xfp, 8);
    d->out[1].fields[d->out[1].n_fields - 1].value =
        test_concat(BYTES("\0"), d->out[1].fields[d->out[1].n_fields - 1].value);
    rig_accepts(rig, draft_v0(d));
    assert_int_equal(rig_warning(rig, "Troublesome Change Outs").len, sizeof trouble - 1);
    d = with_taproot_path(rig, xonly_at(rig, "m/7"), stranger, 7);
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "");
}

// Wherever the change stands.
TEST(psbt_signing_27_75_troublesome_change_in_the_first_place)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_new();
    (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/3", 100000);
    (void)draft_change(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/2/3", 50000);
    (void)draft_pay(d, draft_foreign_script(0), 49900);
    rig_accepts(rig, draft_v0(d));
    assert_bytes_text(rig_warning(rig, "Troublesome Change Outs"),
                      "Output#0: 2nd last component not 0 or 1: m/84h/1h/0h/2/3 not "
                      "m/84h/1h/0h/{0~1}/{0~203} expected");
}
