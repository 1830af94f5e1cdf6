#include "bitcoin/spend.h"
#include "tests/support/psbt_rig.h"

static const struct bytes none = { 0 };

static struct bytes p2sh_of(struct bytes redeem)
{
    struct writer w = writer_growing(test_arena(), 64);
    script_write_p2sh(&w, hash160(redeem));
    return writer_bytes(&w);
}

TEST(psbt_signing_10_1_kinds)
{
    struct rig *rig = rig_new();
    const struct bytes p2wpkh = psbt_rig_script(rig, DRAFT_P2WPKH, "m/1");
    const struct bytes p2wpkh_2 = psbt_rig_script(rig, DRAFT_P2WPKH, "m/2");
    const struct bytes p2pkh = psbt_rig_script(rig, DRAFT_P2PKH, "m/1");
    const struct bytes taproot =
        test_concat(BYTES("\x51\x20"), BYTES("0123456789abcdef0123456789abcdef"));
    const struct bytes version_2 =
        test_concat(BYTES("\x52\x20"), BYTES("0123456789abcdef0123456789abcdef"));
    const struct {
        struct bytes script, redeem;
        enum spend_kind kind;
    } cases[] = {
        { psbt_rig_script(rig, DRAFT_P2PK, "m/1"), none, SPEND_P2PK },
        { psbt_rig_script(rig, DRAFT_P2PK65, "m/1"), none, SPEND_P2PK },
        { p2pkh, none, SPEND_P2PKH },
        { p2pkh, p2wpkh, SPEND_P2PKH }, // a redeem script means nothing here
        { p2wpkh, none, SPEND_P2WPKH },
        { p2sh_of(p2wpkh), p2wpkh, SPEND_P2SH_P2WPKH },
        { p2sh_of(p2wpkh), p2wpkh_2, SPEND_UNKNOWN }, // another one's
        { p2sh_of(p2wpkh), none, SPEND_UNKNOWN },
        { p2sh_of(p2pkh), p2pkh, SPEND_UNKNOWN },
        { taproot, none, SPEND_P2TR },
        { version_2, none, SPEND_UNKNOWN },
        { BYTES("\x6a"), none, SPEND_UNKNOWN },
        { none, none, SPEND_UNKNOWN },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct spend_scripts given = { .redeem = cases[i].redeem };
        const struct spend_way s = spend_of(cases[i].script, &given);
        if (s.kind != cases[i].kind)
            fail_msg("row %zu: kind %d", i, (int)s.kind);
        assert_int_equal(s.inner.len, s.kind == SPEND_P2SH_P2WPKH ? 22 : 0);
        assert_int_equal(spend_is_segwit(s.kind), s.kind == SPEND_P2WPKH || s.kind == SPEND_P2TR ||
                                                      s.kind == SPEND_P2SH_P2WPKH);
        assert_int_equal(spend_is_taproot(s.kind), s.kind == SPEND_P2TR);
        assert_false(spend_is_multisig(s.kind));
    }
}

TEST(psbt_signing_10_2_keys_of_a_kind)
{
    struct rig *rig = rig_new();
    const struct hdkey one = rig_key(rig, "m/1"), two = rig_key(rig, "m/2");
    const struct pubkey64 xy = pubkey_to64(&one.pub.key);
    const struct bytes key = BYTES_OF(one.pub.key.b), other = BYTES_OF(two.pub.key.b),
                       uncompressed = test_concat(BYTES("\x04"), BYTES_OF(xy.b));
    for (int kind = DRAFT_P2PK; kind <= DRAFT_P2SH_P2WPKH; kind++) {
        const struct bytes redeem = psbt_rig_script(rig, DRAFT_P2WPKH, "m/1");
        const struct spend_scripts given = { .redeem = redeem };
        const struct spend_way s =
            spend_of(psbt_rig_script(rig, (enum draft_kind)kind, "m/1"), &given);
        assert_int_equal(spend_is_of_key(&s, key), kind != DRAFT_P2PK65);
        assert_int_equal(spend_is_of_key(&s, uncompressed), kind == DRAFT_P2PK65);
        assert_false(spend_is_of_key(&s, other));
        assert_false(spend_is_of_key(&s, none));
    }
    const struct spend_scripts nothing = { .redeem = none };
    const struct spend_way unknown = spend_of(BYTES("\x6a"), &nothing);
    assert_false(spend_is_of_key(&unknown, none));
}

// The digest of each kind is the one of its script code.
TEST(psbt_signing_14_2_digests)
{
    struct rig *rig = rig_new();
    const struct draft *d = draft_usual(rig);
    const struct bytes p2pkh = psbt_rig_script(rig, DRAFT_P2PKH, "m/1");
    const struct bytes redeem = psbt_rig_script(rig, DRAFT_P2WPKH, "m/1");
    const struct sats amount = { 100000000 };
    for (int kind = DRAFT_P2PK; kind <= DRAFT_P2SH_P2WPKH; kind++) {
        const struct bytes script = psbt_rig_script(rig, (enum draft_kind)kind, "m/1");
        const struct spend_scripts given = { .redeem = redeem };
        const struct spend_way s = spend_of(script, &given);
        struct sighash_cache cache;
        struct hash256 digest, expected;
        sighash_cache_init(&cache, &d->tx, test_arena());
        const struct spend_at at = { &cache, 0, amount, NULL };
        assert_true(spend_digest(&digest, &s, &at, SIGHASH_ALL, &rig->err));
        if (spend_is_segwit(s.kind))
            expected = sighash_segwit0(&cache, 0, p2pkh, amount, SIGHASH_ALL);
        else
            assert_true(sighash_legacy(&expected, &cache, 0, script, SIGHASH_ALL, &rig->err));
        assert_memory_equal(digest.b, expected.b, sizeof digest.b);
    }
    const struct spend_scripts nothing = { .redeem = none };
    const struct spend_way unknown = spend_of(BYTES("\x6a"), &nothing);
    struct sighash_cache cache;
    struct hash256 digest;
    sighash_cache_init(&cache, &d->tx, test_arena());
    const struct spend_at at = { &cache, 0, amount, NULL };
    assert_false(spend_digest(&digest, &unknown, &at, SIGHASH_ALL, &rig->err));
    assert_int_equal(rig->err.code, ERR_UNSUPPORTED);
}
