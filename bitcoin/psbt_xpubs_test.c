#include "bitcoin/psbt_err.h"
#include "tests/support/psbt_rig.h"

static const struct bytes none = { 0 };

// A global xpub of depth 0 under a fingerprint; `n` makes keys differ.
static void put_xpub(struct draft *d, struct xfp xfp, uint8_t n)
{
    const uint8_t key[78] = { 0x04, 0x35, 0x87, 0xcf, [45] = 2, [46] = n };
    draft_put(&d->global, PSBT_GLOBAL_XPUB, BYTES_OF(key), BYTES_OF(xfp.b));
}

static const struct xfp theirs = { { 1, 2, 3, 4 } };

// An input with key paths and a script of `n` keys, as its second byte from the end tells.
static struct draft *multisig_draft(const struct rig *rig, uint8_t n)
{
    uint8_t *script = arena_alloc(test_arena(), 40);
    struct draft *d = draft_usual(rig);
    script[0] = 0x51;
    script[38] = (uint8_t)(80 + n);
    script[39] = 0xae;
    draft_put(&d->in[0], PSBT_IN_WITNESS_SCRIPT, none, bytes_of(script, 40));
    return d;
}

TEST(psbt_signing_27_32_single_key_xpubs_are_ignored)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    rig->view.pms = 0;
    put_xpub(d, rig->view.xfp, 1);
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "");
    // A script with another number of keys makes them no wallet either.
    d = multisig_draft(rig, 3);
    put_xpub(d, rig->view.xfp, 1);
    put_xpub(d, theirs, 2);
    rig_accepts(rig, draft_v0(d));
}

TEST(psbt_signing_27_32_not_ours)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    put_xpub(d, theirs, 1);
    rig_refuses(rig, draft_v0(d), "My XFP not involved", "");
}

TEST(psbt_signing_27_32_unknown_wallet)
{
    static const struct {
        int pms;
        bool hsm;
        const char *reply;
    } cases[] = {
        { 0, false, "XPUBs in PSBT do not match any existing wallet" },
        { 0, true, "XPUBs in PSBT do not match any existing wallet" },
        { 1, false, "Refused to import new wallet" },
        { 1, true, "MS enroll not allowed in HSM mode" },
        { 2, true, "MS enroll not allowed in HSM mode" },  // D-WALLET
        { -1, true, "MS enroll not allowed in HSM mode" }, // no wallet registered: as 1
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig *rig = rig_new();
        struct draft *d = multisig_draft(rig, 2);
        put_xpub(d, theirs, 1);
        put_xpub(d, rig->view.xfp, 2);
        rig->view.pms = cases[i].pms;
        rig->view.hsm_mode = cases[i].hsm;
        rig_refuses(rig, draft_v0(d), cases[i].reply, "");
    }
}

// Which form a wallet has is asked before any input must have its UTXO.
TEST(psbt_signing_27_32_input_without_utxo)
{
    struct rig *rig = rig_new();
    struct draft *d = multisig_draft(rig, 2);
    draft_drop(&d->in[0], PSBT_IN_WITNESS_UTXO);
    put_xpub(d, rig->view.xfp, 1);
    put_xpub(d, theirs, 2);
    rig->view.pms = 0;
    rig_refuses(rig, draft_v0(d), "XPUBs in PSBT do not match any existing wallet", "");
}

TEST(psbt_signing_27_32_sixteen_xpubs)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    for (uint8_t i = 0; i < 15; i++)
        put_xpub(d, rig->view.xfp, i);
    rig_accepts(rig, draft_v0(d));
    put_xpub(d, rig->view.xfp, 15);
    rig_refuses(rig, draft_v0(d), PSBT_PARSE_FAILED, "more than 15 global xpubs");
}
