#include "bitcoin/psbt_err.h"
#include "tests/support/psbt_rig.h"

static const struct bytes none = { 0 };
#define TEXT   "A text"
#define BAD(x) "i0: invalid BIP-322 'to_spend': " x

static struct bytes to_spend(struct bytes message, struct bytes challenge, bool with_witness)
{
    struct writer w = writer_growing(test_arena(), 1 << 12), sig = writer_growing(test_arena(), 64);
    struct sha256 h;
    sha256_init_tagged(&h, "BIP0322-signed-message");
    sha256_update(&h, message);
    const struct hash256 hash = sha256_final(&h);
    writer_put(&sig, BYTES("\x00\x20"));
    writer_put(&sig, BYTES_OF(hash.b));
    struct tx_in in = { .prevout.index = UINT32_MAX, .script_sig = writer_bytes(&sig) };
    struct tx_out out = { 0, challenge };
    if (with_witness)
        in.witness = BYTES("\x01\x01w");
    const struct tx tx = { .n_in = 1, .n_out = 1, .in = &in, .out = &out };
    tx_write(&w, &tx);
    return writer_bytes(&w);
}

// A message of ours, as wallets make it: one input, the output of an empty OP_RETURN.
static struct draft *message_draft(const struct rig *rig, struct bytes text)
{
    struct draft *d = draft_new();
    const struct bytes script = psbt_rig_script(rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0");
    (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", 0);
    d->tx.version = 0;
    d->tx.in[0].prevout.txid = sha256d(to_spend(text, script, false));
    d->tx.in[0].sequence = 0;
    (void)draft_pay(d, BYTES("\x6a"), 0);
    draft_put(&d->global, PSBT_GLOBAL_MESSAGE, none, text);
    return d;
}

TEST(psbt_signing_27_119_message)
{
    struct rig *rig = rig_new();
    for (uint32_t version = 0; version <= 2; version += 2) {
        struct draft *d = message_draft(rig, BYTES(TEXT));
        rig_accepts(rig, draft_write(d, version));
        assert_true(rig->facts.tx.is_message && rig->sigs.n_sigs == 1);
        assert_bytes_text(rig->facts.tx.message, TEXT);
        assert_bytes_equal(rig->facts.tx.message_challenge, rig->facts.plans[0].spend.script);
        d->tx.version = 2;
        rig_accepts(rig, draft_write(d, version));
        d->tx.version = 1;
        rig_refuses(rig, draft_write(d, version), PSBT_INVALID, "bad txn version");
    }
}

TEST(psbt_signing_27_119_text_rules)
{
    static const struct {
        const char *text, *detail; // NULL: signed
    } cases[] = {
        { "ab", NULL },
        { "tab\tand\nnewline", NULL },
        { "a", "msg too short (min. 2)" },
        { "", "msg too short (min. 2)" },
        { "na\xc3\xafve", "must be ascii printable, tab, or newline" },
        { " ab", "leading space(s) in msg" },
        { "ab ", "trailing space(s) in msg" },
        { "a   b", "too many spaces together in msg(max. 3)" },
    };
    struct rig *rig = rig_new();
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct bytes raw = draft_v0(message_draft(rig, bytes_of_text(cases[i].text)));
        if (cases[i].detail == NULL)
            rig_accepts(rig, raw);
        else
            rig_refuses(rig, raw, PSBT_INVALID, cases[i].detail);
    }
    uint8_t text[331];
    memset(text, 'x', sizeof text);
    rig_accepts(rig, draft_v0(message_draft(rig, bytes_of(text, 330))));
    rig_refuses(rig, draft_v0(message_draft(rig, bytes_of(text, 331))), PSBT_INVALID,
                "msg too long (max. 330)");
}

TEST(psbt_signing_27_119_to_spend_rules)
{
    struct rig *rig = rig_new();
    struct rig *other = rig_new();
    rig_load_seed(other, BYTES(TEST_SEED_WORDS " + passphrase other"));
    const struct bytes script = psbt_rig_script(rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0");

    // The text is another than what the outpoint commits to.
    struct draft *d = message_draft(rig, BYTES(TEXT));
    draft_put(&d->global, PSBT_GLOBAL_MESSAGE, none, BYTES("Another"));
    rig_refuses(rig, draft_v0(d), BAD("to_spend hash"), "");

    d = message_draft(rig, BYTES(TEXT));
    d->tx.in[0].prevout.index = 1;
    rig_refuses(rig, draft_v0(d), BAD("prevout n"), "");

    d = message_draft(rig, BYTES(TEXT));
    draft_put(&d->in[0], PSBT_IN_WITNESS_UTXO, none,
              test_concat(test_hex("0100000000000000 16"), script));
    rig_refuses(rig, draft_v0(d), BAD("input0 value"), "");

    // A previous transaction with that id is not enough: witnesses are not in it.
    d = message_draft(rig, BYTES(TEXT));
    draft_put(&d->in[0], PSBT_IN_NON_WITNESS_UTXO, none, to_spend(BYTES(TEXT), script, false));
    rig_accepts(rig, draft_v0(d));
    draft_put(&d->in[0], PSBT_IN_NON_WITNESS_UTXO, none, to_spend(BYTES(TEXT), script, true));
    rig_refuses(rig, draft_v0(d), BAD("utxo"), "");

    // Input 0 is somebody else's, another one ours.
    d = message_draft(other, BYTES(TEXT));
    (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", 5000);
    rig_refuses(rig, draft_v0(d), BAD("not our key"), "");

    // Its field is missing.
    d = message_draft(rig, BYTES(TEXT));
    draft_drop(&d->global, PSBT_GLOBAL_MESSAGE);
    rig_refuses(rig, draft_v0(d), PSBT_INVALID, "msg");
}

TEST(psbt_signing_27_119_proof_of_reserves)
{
    struct rig *rig = rig_new();
    struct draft *d = message_draft(rig, BYTES(TEXT));
    (void)draft_in(d, rig, DRAFT_P2PKH, "m/44h/1h/0h/0/0", 5000);
    (void)draft_in_script(d, draft_foreign_script(1), 600, DRAFT_UTXO_WITNESS);
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Limited Signing"); // no fee, no zero value, no OP_RETURN
    assert_int_equal(rig->facts.tx.total_in.n, 5600);
    assert_int_equal(rig->sigs.n_sigs, 2);

    // An amount that nothing proves, or none at all.
    (void)draft_in_script(d, psbt_rig_script(rig, DRAFT_P2PKH, "m/1"), 7, DRAFT_UTXO_WITNESS);
    rig_refuses(rig, draft_v0(d), PSBT_INVALID, "");
    d->in[3] = (struct psbt_map){ 0 };
    rig_refuses(rig, draft_v0(d), PSBT_INVALID, "");
}

TEST(psbt_signing_27_119_hash_types)
{
    struct rig *rig = rig_new();
    rig->view.sighash_allow = true;
    struct draft *d = message_draft(rig, BYTES(TEXT));
    draft_put_u32(&d->in[0], PSBT_IN_SIGHASH_TYPE, 1);
    rig_accepts(rig, draft_v0(d));
    draft_put_u32(&d->in[0], PSBT_IN_SIGHASH_TYPE, 0x81);
    rig_refuses(rig, draft_v0(d), "POR not SIGHASH_ALL", "");
}

TEST(psbt_signing_27_113_messages_do_not_read_the_amount_memory)
{
    struct rig *rig = rig_new();
    struct draft *d = message_draft(rig, BYTES(TEXT));
    (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/1", 5000);
    rig_accepts(rig, draft_v0(d));
    rig_remember(rig);
    rig->seen_amount[1].n = 4999;
    rig_accepts(rig, draft_v0(d));
}

// 120: what looks like a message, and is a transaction.
TEST(psbt_signing_27_120_not_messages)
{
    static const struct {
        const char *script;
        uint64_t sats;
        bool one_more;
    } cases[] = {
        { "6a", 0, true },
        { "6a", 1, false },
        { "6a00", 0, false },
        { "6a", 0, true },
    };
    struct rig *rig = rig_new();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct draft *d = draft_new();
        (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", 10000);
        (void)draft_pay(d, test_hex(cases[i].script), cases[i].sats);
        if (cases[i].one_more)
            (void)draft_pay(d, draft_foreign_script(0), 9900);
        draft_put(&d->global, PSBT_GLOBAL_MESSAGE, none, BYTES("x")); // too short, were it one
        rig->view.fee_limit_pct = -1;
        rig_accepts(rig, draft_v0(d));
        assert_false(rig->facts.tx.is_message);
        assert_int_equal(rig->facts.tx.message.len, 0);
    }
}

// "A PSBT with field 09 but other outputs is an ordinary transaction; the field is returned untouched."
TEST(psbt_signing_27_121_the_field_in_an_ordinary_psbt)
{
    static const char *const texts[] = { "", "x", "a text\nof lines", "\xff\xfe" };
    for (size_t i = 0; i < COUNT(texts); i++)
        for (uint32_t version = 0; version <= 2; version += 2) {
            struct rig *rig = rig_new();
            struct draft *d = draft_usual(rig);
            struct psbt p;
            draft_put(&d->global, PSBT_GLOBAL_MESSAGE, none, bytes_of_text(texts[i]));
            rig_accepts(rig, draft_write(d, version));
            assert_false(rig->facts.tx.is_message);
            assert_true(rig_finalize(rig));
            assert_true(psbt_parse(&p, rig->result, test_arena(), &rig->err));
            assert_bytes_text(psbt_get(&p.global, PSBT_GLOBAL_MESSAGE)->value, texts[i]);
        }
}
