#include "bitcoin/psbt_err.h"
#include "tests/support/psbt_rig.h"

#define NONE_TEXT   "Sighash NONE is not allowed as funds could be going anywhere."
#define SINGLE_TEXT "Sighash SINGLE is not allowed as some outputs could be changed."
#define PURE_TEXT   "Only sighash ALL is allowed for pure consolidation transactions."
#define DANGER      "Destination address can be changed after signing (sighash NONE)."
#define CAUTION     "Some inputs have unusual SIGHASH values not used in typical cases."

static struct draft *typed(const struct rig *rig, uint32_t type)
{
    struct draft *d = draft_usual(rig);
    draft_put_u32(&d->in[0], PSBT_IN_SIGHASH_TYPE, type);
    return d;
}

TEST(psbt_signing_27_82_hash_types)
{
    static const struct {
        uint32_t type;
        const char *strict;  // NULL: signed, with `warning`
        const char *warning; // with the setting; NULL: none
        const char *label;
    } cases[] = {
        { 0x01, NULL, NULL, NULL },
        { 0x02, NONE_TEXT, DANGER, "Danger" },
        { 0x03, SINGLE_TEXT, CAUTION, "Caution" },
        { 0x81, NULL, CAUTION, "Caution" },
        { 0x82, NONE_TEXT, DANGER, "Danger" },
        { 0x83, SINGLE_TEXT, CAUTION, "Caution" },
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (unsigned allow = 0; allow < 2; allow++) {
            struct rig *rig = rig_new();
            const struct bytes raw = draft_v0(typed(rig, cases[i].type));
            rig->view.sighash_allow = allow != 0;
            if (!allow && cases[i].strict != NULL) {
                rig_refuses(rig, raw, cases[i].strict, "");
                continue;
            }
            rig_accepts(rig, raw);
            rig_warnings_are(rig, cases[i].label == NULL ? "" : cases[i].label);
            if (cases[i].label != NULL)
                assert_bytes_text(rig_warning(rig, cases[i].label), cases[i].warning);
            const struct bytes sig = rig->sigs.sigs[0].value;
            assert_int_equal(sig.ptr[sig.len - 1], cases[i].type);
        }
}

TEST(psbt_signing_27_82_unknown_types)
{
    static const struct {
        uint32_t type;
        const char *reply;
    } cases[] = {
        { 0x00, "Unsupported sighash flag 0x0" },
        { 0x04, "Unsupported sighash flag 0x4" },
        { 0x41, "Unsupported sighash flag 0x41" },
        { 0xe2, "Unsupported sighash flag 0xe2" },
        { 0x80, "Unsupported sighash flag 0x80" },
        { 0x84, "Unsupported sighash flag 0x84" },
        { 0x101, "Unsupported sighash flag 0x101" }, // 1 in its low byte
        { 0xffffffff, "Unsupported sighash flag 0xffffffff" },
    };
    struct rig *rig = rig_new();
    for (unsigned allow = 0; allow < 2; allow++)
        for (size_t i = 0; i < COUNT(cases); i++) {
            rig->view.sighash_allow = allow != 0;
            rig_refuses(rig, draft_v0(typed(rig, cases[i].type)), cases[i].reply, "");
        }
}

TEST(psbt_signing_27_82_foreign_values_are_ignored)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    struct psbt p;
    struct psbt_map *in = draft_in_script(d, draft_foreign_script(5), 1000, DRAFT_UTXO_WITNESS);
    draft_put_u32(in, PSBT_IN_SIGHASH_TYPE, 0xe2);
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Limited Signing");
    assert_true(psbt_parse(&p, rig->result, test_arena(), &rig->err));
    assert_int_equal(psbt_u32(psbt_get(&p.in[1], PSBT_IN_SIGHASH_TYPE)), 0xe2);
}

// An input that claims to be ours counts although it will not be signed again.
TEST(psbt_signing_27_82_signed_inputs_count)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    const struct hdkey key = rig_key(rig, "m/84h/1h/0h/0/7");
    struct psbt_map *in = draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/7", 1000);
    draft_put_u32(in, PSBT_IN_SIGHASH_TYPE, 2);
    draft_put(in, PSBT_IN_PARTIAL_SIG, BYTES_OF(key.pub.key.b), BYTES("123456789"));
    rig_refuses(rig, draft_v0(d), NONE_TEXT, "");
}

TEST(psbt_signing_27_82_consolidation)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_new();
    (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", 10000);
    (void)draft_change(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/1/0", 9900);
    for (uint32_t type = 0x02; type <= 0x83; type = type == 0x03 ? 0x81 : type + 1) {
        draft_put_u32(&d->in[0], PSBT_IN_SIGHASH_TYPE, type);
        rig_refuses(rig, draft_v0(d), PURE_TEXT, "");
    }
    // Known only when the fee is: 81 passes then, and NONE has its own text.
    (void)draft_in_script(d, draft_foreign_script(5), 1, DRAFT_UTXO_NONE);
    draft_put_u32(&d->in[0], PSBT_IN_SIGHASH_TYPE, 0x81);
    rig_accepts(rig, draft_v0(d));
    draft_put_u32(&d->in[0], PSBT_IN_SIGHASH_TYPE, 2);
    rig_refuses(rig, draft_v0(d), NONE_TEXT, "");
}

TEST(psbt_signing_27_95_single_without_its_output)
{
    struct rig *rig = rig_new();
    rig->view.sighash_allow = true;
    for (uint32_t type = 0x03; type <= 0x83; type += 0x80) {
        struct draft *d = draft_new();
        for (size_t i = 0; i < 2; i++) {
            (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", 10000);
            draft_put_u32(&d->in[i], PSBT_IN_SIGHASH_TYPE, type);
        }
        (void)draft_pay(d, draft_foreign_script(0), 19900);
        rig_refuses(rig, draft_v0(d), PSBT_SIGNING_LATE, "SINGLE corresponding output (1) missing");
        (void)draft_pay(d, draft_foreign_script(1), 10);
        rig_accepts(rig, draft_v0(d));
    }
}

TEST(psbt_signing_27_124_sighash_all_only)
{
    static const struct {
        uint32_t type;
        const char *reply;
    } cases[] = {
        { 1, NULL },         { 2, NONE_TEXT },
        { 3, SINGLE_TEXT },  { 0x81, "Unsupported sighash flag 0x81" },
        { 0x82, NONE_TEXT }, { 0x83, SINGLE_TEXT },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig *rig = rig_new();
        const struct bytes raw = draft_v0(typed(rig, cases[i].type));
        rig->view.sighash_allow = true;
        rig->view.sighash_all_only = true;
        rig_accepts(rig, raw); // outside of HSM mode the option means nothing
        rig->view.hsm_mode = true;
        if (cases[i].reply == NULL)
            rig_accepts(rig, raw);
        else
            rig_refuses(rig, raw, cases[i].reply, "");
    }
}
