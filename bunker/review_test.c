#include "bunker/review.h"
#include "base/base64.h"
#include "tests/support/test.h"

#define XFP BYTES("d90c6a4f") // of all keys in BIP-174's workflow

// A stage of BIP-174's workflow: two inputs, each 2 of 2.
static struct bytes stage(const char *name)
{
    const struct json *workflow = json_need(test_vectors("bip174.json"), "workflow");
    return test_base64(json_need_text(workflow, name));
}

static struct psbt parsed(struct bytes content)
{
    struct psbt psbt;
    struct err err;
    assert_true(psbt_parse(&psbt, content, test_arena(), &err));
    return psbt;
}

// Finalising is asked for only where this device's signature is the last one that is missing.
TEST(bunker_21_31_an_incomplete_multisig_is_not_finalised)
{
    static const struct {
        const char *stage, *xfp;
        bool completes;
    } cases[] = {
        { "updater_sighash", "d90c6a4f", false }, // two are missing
        { "signer1", "d90c6a4f", true },          // one, and it is ours
        { "signer1", "0f056943", false },         // one, and it is not
        { "combiner", "d90c6a4f", true },         // none is
        { "signer1", "no xfp", false },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct psbt psbt = parsed(stage(cases[i].stage));
        if (review_is_completed_by(&psbt, bytes_of_text(cases[i].xfp)) != cases[i].completes)
            fail_msg("case %zu: %s", i, cases[i].stage);
    }
}

// A signature of ours that is there already is not one more: 1 of 2 stays 1 of 2.
TEST(bunker_21_31_our_own_signature_counts_once)
{
    struct psbt psbt = parsed(stage("signer1"));
    for (size_t i = 0; i < psbt.n_in; i++)
        for (size_t k = 0; k < psbt.in[i].n_fields; k++) {
            struct psbt_field *f = &psbt.in[i].fields[k];
            if (f->key.ptr[0] == PSBT_IN_KEY_PATH &&
                psbt_find_keyed(&psbt.in[i], PSBT_IN_PARTIAL_SIG,
                                bytes_slice(f->key, 1, SIZE_MAX)) == NULL)
                f->value = test_hex("00000000"); // the other key is another device's
        }
    assert_false(review_is_completed_by(&psbt, XFP));
}

TEST(bunker_21_31_results_go_by_their_first_bytes)
{
    enum result_kind kind;
    char txid[65];
    struct err err;
    const struct bytes before = stage("updater_sighash"), after = stage("signer1");
    const struct bytes tx =
        json_need_hex(json_need(test_vectors("bip174.json"), "workflow"), "extracted_tx");
    assert_true(review_result(&kind, txid, after, before, test_arena(), &err));
    assert_int_equal(kind, RESULT_PSBT);
    assert_string_equal(txid, "");
    assert_true(review_result(&kind, txid, tx, before, test_arena(), &err));
    assert_int_equal(kind, RESULT_TRANSACTION);
    assert_int_equal(strlen(txid), 64);
    assert_false(review_result(&kind, txid, before, before, test_arena(), &err));
    assert_err(&err, ERR_INVALID, "The device added no signature.");
    assert_false(review_result(&kind, txid, BYTES("hello"), before, test_arena(), &err));
    assert_err(&err, ERR_MALFORMED, "The device returned neither PSBT nor transaction.");
    uint8_t *other = arena_alloc(test_arena(), tx.len);
    memcpy(other, tx.ptr, tx.len);
    other[tx.len - 1] ^= 1; // the locktime
    assert_false(review_result(&kind, txid, bytes_of(other, tx.len), before, test_arena(), &err));
    assert_err(&err, ERR_INVALID, "The device returned another transaction.");
}

TEST(bunker_21_20_uploads_in_every_form)
{
    static const char base64_start[] = "cHNidP8";
    const struct bytes psbt = stage("signer1");
    struct writer hex = writer_growing(test_arena(), 1 << 20),
                  base64 = writer_growing(test_arena(), 1 << 20);
    struct bytes out;
    struct err err;
    writer_hex(&hex, psbt);
    base64_write(&base64, psbt);
    assert_true(bytes_starts_with(writer_bytes(&base64), bytes_of_text(base64_start)));
    const struct bytes forms[] = { psbt, writer_bytes(&hex), writer_bytes(&base64) };
    for (size_t i = 0; i < COUNT(forms); i++) {
        assert_true(review_upload(&out, forms[i], test_arena(), &err));
        assert_bytes_equal(out, psbt);
    }
    assert_false(review_upload(&out, BYTES("hello"), test_arena(), &err));
    assert_err(&err, ERR_MALFORMED, "File does not have PSBT magic number at start.");
    struct writer trailing = writer_growing(test_arena(), 1 << 20);
    writer_put(&trailing, psbt);
    writer_u8(&trailing, 0);
    assert_false(review_upload(&out, writer_bytes(&trailing), test_arena(), &err)); // 9.1
    assert_int_equal(err.code, ERR_INVALID);
}
