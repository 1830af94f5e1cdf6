#include "bitcoin/bip322.h"
#include "base/base64.h"
#include "bitcoin/address.h"
#include "bitcoin/psbt_err.h"
#include "tests/support/psbt_rig.h"

static const struct bytes none = { 0 };

static const struct json *vectors(const char *list)
{
    return json_need(test_vectors("bip322.json"), list);
}

static struct bytes message_of(const struct json *row)
{
    const struct json *message = json_get(row, "message");
    return message == NULL ? BYTES("") : message->text;
}

static bool verify(struct bip322_proof *out, const struct json *row, struct bytes signature,
                   struct err *err)
{
    return bip322_verify(out, message_of(row), json_need_text(row, "address"), signature,
                         test_arena(), err);
}

// --- Published ---

TEST(psbt_signing_27_122_published_transactions)
{
    const struct json *rows = vectors("tx_hashes");
    assert_int_equal(rows->n_items, 3);
    for (const struct json *row = rows->items; row != NULL; row = row->next) {
        struct writer challenge = writer_growing(test_arena(), 64);
        struct writer to_spend = writer_growing(test_arena(), 256);
        struct tx_in in = { .sequence = 0 };
        struct tx_out out = { 0, BYTES("\x6a") };
        const struct tx to_sign = { .n_in = 1, .n_out = 1, .in = &in, .out = &out };
        char text[TXID_TEXT_SIZE];
        struct err err;
        const struct hash256 hash = bip322_message_hash(message_of(row));
        assert_bytes_equal(BYTES_OF(hash.b), json_need_hex(row, "message_hash"));
        assert_true(address_to_script(&challenge, json_need_text(row, "address"),
                                      chain_by_id(CHAIN_BTC), &err));
        bip322_write_to_spend(&to_spend, message_of(row), writer_bytes(&challenge));
        in.prevout.txid = sha256d(writer_bytes(&to_spend));
        txid_to_text(text, &in.prevout.txid);
        assert_bytes_text(json_need_text(row, "to_spend_tx_hash"), text);
        const struct hash256 txid = tx_txid(&to_sign);
        txid_to_text(text, &txid);
        assert_bytes_text(json_need_text(row, "to_sign_tx_hash"), text);
        assert_true(bip322_is_to_sign(&to_sign));
    }
}

// The inputs beside the challenge, by the transactions that they are of.
static size_t n_funds(const struct json *transactions)
{
    size_t n = 0;
    if (transactions != NULL)
        for (const struct json *tx = transactions->items; tx != NULL; tx = tx->next)
            n += tx->n_items;
    return n;
}

static size_t verify_all(const char *list, enum bip322_form form)
{
    size_t n = 0;
    for (const struct json *row = vectors(list)->items; row != NULL; row = row->next) {
        const struct json *signatures = json_need(row, "bip322_signatures");
        for (size_t i = 0; i < signatures->n_items; i++, n++) {
            struct bip322_proof proof;
            struct err err;
            if (!verify(&proof, row, json_item_text(signatures, i), &err))
                fail_msg("%s, %.*s: %s", list, BYTES_ARG(json_need_text(row, "address")), err.text);
            assert_int_equal(proof.form, form);
            assert_int_equal(proof.n_funds, n_funds(json_get(row, "additional_inputs")));
            assert_int_equal(proof.funds.n, 345678 * proof.n_funds); // of each
        }
    }
    return n;
}

TEST(psbt_signing_27_122_published_signatures_verify)
{
    assert_true(verify_all("simple", BIP322_SIMPLE) >= 8);
    assert_true(verify_all("full", BIP322_FULL) >= 8);
    assert_true(verify_all("proof_of_funds", BIP322_PROOF) >= 3);
}

TEST(psbt_signing_27_122_published_signatures_that_must_fail)
{
    const struct json *rows = vectors("must_fail");
    assert_int_equal(rows->n_items, 36);
    for (const struct json *row = rows->items; row != NULL; row = row->next) {
        struct bip322_proof proof;
        struct err err;
        if (verify(&proof, row, json_need_text(row, "signature"), &err))
            fail_msg("verified: %.*s", BYTES_ARG(json_need_text(row, "description")));
        assert_true(err.text[0] != '\0');
    }
}

// --- What our signer returns ---

static struct bytes to_spend(struct bytes message, struct bytes challenge)
{
    struct writer w = writer_growing(test_arena(), 1024);
    bip322_write_to_spend(&w, message, challenge);
    return writer_bytes(&w);
}

// A message PSBT for a key of the rig's, of version 0 or 2.
static struct draft *message_draft(const struct rig *rig, enum draft_kind kind, const char *path)
{
    struct draft *d = draft_new();
    struct psbt_map *in = draft_in(d, rig, kind, path, 0);
    const struct bytes prev = to_spend(BYTES("proof"), psbt_rig_script(rig, kind, path));
    d->tx.version = 0;
    d->tx.in[0].prevout.txid = sha256d(prev);
    d->tx.in[0].sequence = 0;
    if (psbt_get(in, PSBT_IN_WITNESS_UTXO) == NULL)
        draft_put(in, PSBT_IN_NON_WITNESS_UTXO, none, prev);
    draft_put(&d->global, PSBT_GLOBAL_MESSAGE, none, BYTES("proof"));
    (void)draft_pay(d, BYTES("\x6a"), 0);
    return d;
}

static struct bytes address_of(const struct rig *rig, struct bytes script)
{
    struct writer w = writer_growing(test_arena(), 128);
    assert_true(address_from_script(&w, script, rig->view.chain));
    return writer_bytes(&w);
}

static struct bytes string_of(enum bip322_form form, const struct psbt *psbt)
{
    struct writer w = writer_growing(test_arena(), 1 << 16);
    struct err err;
    if (!bip322_write(&w, form, psbt, test_arena(), &err))
        fail_msg("%s (%s)", err.text, err.detail);
    return writer_bytes(&w);
}

// The next letter, so that only bits that count change.
static struct bytes changed(struct bytes text, size_t at)
{
    uint8_t *copy = arena_alloc(test_arena(), text.len);
    memcpy(copy, text.ptr, text.len);
    copy[at] = copy[at] == 'A' ? 'B' : 'A';
    return bytes_of(copy, text.len);
}

static void check_string(const struct rig *rig, const struct psbt *psbt, enum bip322_form form,
                         struct bytes script, size_t n_funds)
{
    const struct bytes text = string_of(form, psbt), address = address_of(rig, script);
    struct bip322_proof proof;
    struct err err;
    assert_bytes_text(bytes_slice(text, 0, 3), bip322_prefix(form));
    if (!bip322_verify(&proof, BYTES("proof"), address, text, test_arena(), &err))
        fail_msg("%s", err.text);
    assert_int_equal(proof.form, form);
    assert_int_equal(proof.n_funds, n_funds);
    assert_false(bip322_verify(&proof, BYTES("Proof"), address, text, test_arena(), &err));
    for (size_t at = 3; at + 4 < text.len; at += 7)
        assert_false(
            bip322_verify(&proof, BYTES("proof"), address, changed(text, at), test_arena(), &err));
}

TEST(psbt_signing_27_122_from_psbt_to_string_and_back)
{
    static const struct {
        enum draft_kind kind;
        enum bip322_form form; // the shortest
    } rows[] = {
        { DRAFT_P2PKH, BIP322_FULL },
        { DRAFT_P2WPKH, BIP322_SIMPLE },
        { DRAFT_P2SH_P2WPKH, BIP322_FULL },
        { DRAFT_P2TR, BIP322_SIMPLE },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        for (uint32_t version = 0; version <= 2; version += 2) {
            struct rig *rig = rig_new();
            struct psbt p;
            rig->view.taproot = true;
            const struct draft *d = message_draft(rig, rows[i].kind, "m/84h/1h/0h/0/0");
            const struct bytes script = psbt_rig_script(rig, rows[i].kind, "m/84h/1h/0h/0/0");
            rig_accepts(rig, draft_write(d, version));
            assert_true(rig->facts.tx.is_message);
            assert_true(psbt_parse(&p, rig->result, test_arena(), &rig->err));
            assert_int_equal(bip322_form_of(&p, test_arena()), rows[i].form);
            check_string(rig, &p, rows[i].form, script, 0);
            if (rows[i].form == BIP322_SIMPLE)
                check_string(rig, &p, BIP322_FULL, script, 0);
        }
}

TEST(psbt_signing_27_122_proof_of_reserves)
{
    for (uint32_t version = 0; version <= 2; version += 2) {
        struct rig *rig = rig_new();
        struct draft *d = message_draft(rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0");
        struct bip322_proof proof;
        struct psbt p;
        (void)draft_in(d, rig, DRAFT_P2PKH, "m/44h/1h/0h/0/1", 70000);
        (void)draft_in(d, rig, DRAFT_P2SH_P2WPKH, "m/49h/1h/0h/0/1", 5000);
        const struct bytes script = psbt_rig_script(rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0");
        rig_accepts(rig, draft_write(d, version));
        assert_true(psbt_parse(&p, rig->result, test_arena(), &rig->err));
        assert_int_equal(bip322_form_of(&p, test_arena()), BIP322_PROOF);
        const struct bytes text = string_of(BIP322_PROOF, &p);
        assert_true(bip322_verify(&proof, BYTES("proof"), address_of(rig, script), text,
                                  test_arena(), &rig->err));
        assert_int_equal(proof.n_funds, 2);
        assert_int_equal(proof.funds.n, 75000);
        // The string is a finalised PSBT: nothing of the signing is left in it.
        struct writer w = writer_growing(test_arena(), 1 << 16);
        struct psbt finalised;
        assert_true(base64_read(&w, bytes_slice(text, 3, text.len)));
        assert_true(psbt_parse(&finalised, writer_bytes(&w), test_arena(), &rig->err));
        for (size_t i = 0; i < finalised.n_in; i++) {
            assert_null(psbt_next(&finalised.in[i], PSBT_IN_PARTIAL_SIG, NULL));
            assert_null(psbt_next(&finalised.in[i], PSBT_IN_KEY_PATH, NULL));
        }
    }
}

// What is not signed to the end, or is no message, makes no string.
TEST(psbt_signing_27_122_what_makes_no_string)
{
    struct rig *rig = rig_new();
    struct writer w = writer_growing(test_arena(), 1 << 16);
    struct draft *d = message_draft(rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0");
    struct psbt p;
    assert_true(psbt_parse(&p, draft_v0(d), test_arena(), &rig->err));
    assert_false(bip322_write(&w, BIP322_SIMPLE, &p, test_arena(), &rig->err));
    assert_err(&rig->err, ERR_INVALID, PSBT_OUTPUT_FAILED);
    assert_string_equal(rig->err.detail, "No signature on input #0");
    // A lock time does not follow from text and address.
    d->tx.locktime = 7;
    rig_accepts(rig, draft_v0(d));
    assert_true(psbt_parse(&p, rig->result, test_arena(), &rig->err));
    assert_int_equal(bip322_form_of(&p, test_arena()), BIP322_FULL);
    assert_false(bip322_write(&w, BIP322_SIMPLE, &p, test_arena(), &rig->err));
    assert_err(&rig->err, ERR_INVALID, "the simple form has no place for this transaction");
    d = draft_usual(rig);
    assert_true(psbt_parse(&p, draft_v0(d), test_arena(), &rig->err));
    assert_false(bip322_write(&w, BIP322_FULL, &p, test_arena(), &rig->err));
    assert_err(&rig->err, ERR_INVALID, "no message PSBT");
    d = message_draft(rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0");
    (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/1", 1000);
    rig_accepts(rig, draft_v0(d));
    assert_true(psbt_parse(&p, rig->result, test_arena(), &rig->err));
    assert_false(bip322_write(&w, BIP322_FULL, &p, test_arena(), &rig->err));
    assert_err(&rig->err, ERR_INVALID, "the full form has no place for further inputs' amounts");
}
