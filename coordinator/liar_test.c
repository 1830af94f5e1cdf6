// Whatever a signer returns in place of its signature over what it was asked for counts for nothing.
#include "tests/support/liar.h"
#include "coordinator/build.h"
#include "tests/support/coffer.h"
#include "tests/support/world_signer.h"

static struct coffer *coffer_paying(uint64_t sats, bool extra)
{
    struct coffer *t = coffer_new("wsh", 2, 3);
    (void)coffer_coin(t, MS_RECEIVE, 0, 10000000);
    (void)coffer_pay(t, 1, sats);
    if (extra)
        (void)coffer_pay(t, 2, 20000);
    assert_true(coffer_build(t));
    return t;
}

static struct bytes signed_by(const struct coffer *t, size_t who)
{
    struct bytes out;
    struct err err;
    if (!world_sign(&out, who, wallet_keys(t->wallet), t->build.psbt, test_arena(), &err))
        fail_msg("%s", err.text);
    return out;
}

TEST(coordinator_F30_liar_suite)
{
    AUTO(coffer_end) struct coffer *t = coffer_paying(1000000, false);
    AUTO(coffer_end) struct coffer *other = coffer_paying(2000000, false);
    AUTO(coffer_end) struct coffer *extra = coffer_paying(1000000, true);
    for (size_t who = 0; who < 3; who++) {
        const struct liar liar = { t->build.psbt, signed_by(t, who), signed_by(other, who),
                                   signed_by(extra, who) };
        for (size_t lie = 0; lie < LIES; lie++) {
            const struct bytes answer = liar_returns(&liar, (enum lie)lie, test_arena());
            struct bytes checked;
            struct err err = { .text = "" };
            const bool taken = combine_check(&checked, t->wallet, t->build.psbt, answer,
                                             ms_rig_xfp(who), test_arena(), &err);
            if (taken != (lie == LIE_NONE))
                fail_msg("%s: %s", lie_name((enum lie)lie), err.text);
        }
    }
}

// One liar among three: the two others finish the transaction, and nothing of the liar's is in it.
TEST(coordinator_F30_a_liar_is_routed_around)
{
    AUTO(coffer_end) struct coffer *t = coffer_paying(1000000, false);
    AUTO(coffer_end) struct coffer *other = coffer_paying(2000000, false);
    const struct liar liar = { t->build.psbt, signed_by(t, 0), signed_by(other, 0),
                               signed_by(other, 0) };
    struct bytes parts[2], raw, checked;
    struct tx tx;
    struct err err;
    assert_false(combine_check(&checked, t->wallet, t->build.psbt,
                               liar_returns(&liar, LIE_OTHER_SIGNATURE, test_arena()),
                               ms_rig_xfp(0), test_arena(), &err));
    for (size_t i = 0; i < 2; i++)
        assert_true(combine_check(&parts[i], t->wallet, t->build.psbt, signed_by(t, i + 1),
                                  ms_rig_xfp(i + 1), test_arena(), &err));
    assert_true(combine_finalize(&raw, t->wallet, t->build.psbt, parts, 2, test_arena(), &err));
    assert_true(tx_parse(&tx, raw, test_arena(), &err));
    const struct hash256 txid = tx_txid(&tx);
    assert_memory_equal(txid.b, t->build.txid.b, sizeof txid.b);
    // The same part twice is one signature.
    parts[1] = parts[0];
    assert_false(combine_finalize(&raw, t->wallet, t->build.psbt, parts, 2, test_arena(), &err));
}
