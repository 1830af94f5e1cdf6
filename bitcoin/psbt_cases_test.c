// Every case of reference_psbt_cases.json: reply, detail, warnings, story, signed PSBT, transaction.
#include "bitcoin/psbt_err.h"
#include "tests/support/psbt_rig.h"

// --- The signer of a case ---

static int64_t setting(const struct json *c, const char *key, int64_t otherwise)
{
    const struct json *settings = json_get(c, "settings");
    if (settings == NULL || json_get(settings, key) == NULL)
        return otherwise;
    return json_need_integer(settings, key);
}

static struct rig *set_up(const struct json *c)
{
    const struct json *chain = json_get(c, "chain"), *hsm = json_get(c, "hsm");
    struct rig *rig = rig_new();
    if (json_get(c, "seed") != NULL)
        rig_load_seed(rig, json_need_text(c, "seed"));
    if (chain != NULL)
        rig->view.chain = chain_by_code(chain->text);
    rig->view.unit = (enum unit)setting(c, "rz", UNIT_COIN);
    rig->view.fee_limit_pct = (int)setting(c, "fee_limit", 10);
    rig->view.sighash_allow = setting(c, "sighshchk", 0) == 1;
    rig->view.hsm_mode = hsm != NULL && hsm->type == JSON_TRUE;
    rig->view.pms = (int)setting(c, "pms", -1);
    rig->view.unsort_ms = setting(c, "unsort_ms", 0) == 1;
    rig->view.skip_multisig_checks = json_get(c, "multisig_checks") != NULL;
    const struct json *wallets = json_get(c, "wallets");
    for (const struct json *text = wallets ? wallets->items : NULL; text != NULL; text = text->next)
        (void)rig_register(rig, text->text);
    return rig;
}

static void run_before(struct rig *rig, const struct json *c, const char *key, bool and_sign)
{
    const struct json *list = json_get(c, key);
    for (const struct json *row = list ? list->items : NULL; row != NULL; row = row->next) {
        assert_true(rig_analyse(rig, test_base64(row->text)));
        if (and_sign) {
            assert_true(psbt_rig_sign(rig));
            rig_remember(rig);
        }
    }
}

// --- Comparing ---

// Casemate's value where it differs on purpose, else the reference's; NULL if there is none.
static const struct json *expected(const struct json *c, const char *key)
{
    const struct json *own = json_get(c, "casemate");
    if (own != NULL && json_get(own, key) != NULL)
        return json_get(own, key);
    return json_get(c, key);
}

static bool is_structural(struct bytes reply)
{
    return bytes_equal_text(reply, PSBT_PARSE_FAILED) || bytes_equal_text(reply, PSBT_INVALID);
}

static bool flag(const struct json *c, const char *key)
{
    const struct json *value = expected(c, key);
    return value != NULL && value->type == JSON_TRUE;
}

struct check {
    const char *id;
    size_t failed;
};

static void differs(struct check *check, const char *what, struct bytes got, struct bytes want)
{
    print_error("# %s: %s\n#   got  %.*s\n#   want %.*s\n", check->id, what, BYTES_ARG(got),
                BYTES_ARG(want));
    check->failed++;
}

static void compare(struct check *check, const char *what, struct bytes got, struct bytes want)
{
    if (!bytes_equal(got, want))
        differs(check, what, got, want);
}

static void compare_hex(struct check *check, const char *what, struct bytes got, struct bytes want)
{
    struct writer g = writer_growing(test_arena(), 1 << 20),
                  x = writer_growing(test_arena(), 1 << 20);
    if (bytes_equal(got, want))
        return;
    writer_hex(&g, got);
    writer_hex(&x, want);
    differs(check, what, writer_bytes(&g), writer_bytes(&x));
}

static void compare_error(struct check *check, const struct json *c, const struct rig *a,
                          bool refused, const struct json *error)
{
    const struct json *own = json_get(c, "casemate");
    const struct json *detail = expected(c, "detail"), *title = json_get(c, "title");
    const struct bytes got = bytes_of_text(refused ? a->err.text : "(no error)");
    if (refused && is_structural(got) && is_structural(error->text)) {
        if (detail != NULL && !(own != NULL && json_get(own, "error") != NULL))
            compare(check, "detail", bytes_of_text(a->err.detail), detail->text);
        return;
    }
    compare(check, "reply", got, error->text);
    if (title != NULL)
        compare(check, "title", bytes_of_text(a->err.detail), title->text);
    else if (detail != NULL)
        compare(check, "detail", bytes_of_text(a->err.detail), detail->text);
}

static void compare_warnings(struct check *check, const struct rig *a, const struct json *list)
{
    const struct tx_facts *tx = &a->facts.tx;
    const struct json *row = list->items;
    struct writer got = writer_growing(test_arena(), 1 << 20);
    struct writer want = writer_growing(test_arena(), 1 << 20);
    for (; row != NULL; row = row->next)
        writer_printf(&want, "[%.*s] %.*s\n", BYTES_ARG(json_item(row, 0)->text),
                      BYTES_ARG(json_item(row, 1)->text));
    for (size_t i = 0; i < tx->n_warnings; i++)
        writer_printf(&got, "[%s] %.*s\n", tx->warnings[i].label, BYTES_ARG(tx->warnings[i].text));
    compare(check, "warnings", writer_bytes(&got), writer_bytes(&want));
}

// Where Casemate only adds warnings, its story is the reference's with them around it.
static struct bytes with_warnings(struct bytes story, const struct json *list)
{
    struct writer w = writer_growing(test_arena(), 1 << 20);
    if (list->n_items == 1)
        writer_text(&w, "(1 warning below)\n\n");
    else
        writer_printf(&w, "(%zu warnings below)\n\n", list->n_items);
    writer_put(&w, story);
    writer_text(&w, "---WARNING---\n\n");
    for (const struct json *row = list->items; row != NULL; row = row->next)
        writer_printf(&w, "- %.*s: %.*s\n\n", BYTES_ARG(json_item(row, 0)->text),
                      BYTES_ARG(json_item(row, 1)->text));
    return writer_bytes(&w);
}

static void compare_story(struct check *check, const struct json *c, const struct rig *a)
{
    const struct json *own = json_get(c, "casemate"), *story = expected(c, "story");
    const bool adds =
        own != NULL && json_get(own, "warnings") != NULL && json_get(own, "story") == NULL;
    compare(check, "story", rig_story(a, STORY_SCREEN),
            adds ? with_warnings(story->text, json_get(own, "warnings")) : story->text);
}

static size_t count_sigs(struct bytes raw)
{
    struct psbt p;
    struct err err;
    size_t n = 0;
    assert_true(psbt_parse(&p, raw, test_arena(), &err));
    for (size_t i = 0; i < p.n_in; i++)
        for (const struct psbt_field *f = NULL;
             (f = psbt_next(&p.in[i], PSBT_IN_PARTIAL_SIG, f)) != NULL;)
            n++;
    return n;
}

// D-PROP: the reference's result, whose last map is an empty output, with the key that was there.
static struct bytes with_kept_key(const struct rig *a, struct bytes without)
{
    struct writer w = writer_growing(test_arena(), PSBT_SIZE_MAX);
    writer_put(&w, bytes_slice(without, 0, without.len - 1));
    psbt_write_map(&w, &a->psbt.out[a->psbt.n_out - 1]);
    return writer_bytes(&w);
}

static void compare_signed(struct check *check, const struct json *c, const struct rig *a)
{
    const struct json *own = json_get(c, "casemate"), *psbt = expected(c, "signed");
    const bool kept = own != NULL && bytes_equal_text(json_need_text(own, "rule"), "D-PROP");
    if (flag(c, "unverified") || psbt == NULL)
        return;
    const struct bytes want = test_base64(psbt->text);
    compare_hex(check, "signed", a->result, kept ? with_kept_key(a, want) : want);
    if (json_get(c, "nsigs") != NULL)
        assert_int_equal(count_sigs(a->result), json_need_integer(c, "nsigs"));
}

static void compare_tx(struct check *check, const struct json *c, struct rig *a)
{
    const struct json *own = json_get(c, "casemate"), *tx = expected(c, "tx"),
                      *txid = expected(c, "txid");
    // A message is returned as it is, and counts as complete if it needed one signature each.
    const bool is_message = a->facts.tx.is_message;
    const bool complete = is_message ? !a->facts.tx.signs_multisig : rig_finalize(a);
    if (!complete && !is_message)
        assert_err(&a->err, ERR_INVALID, PSBT_OUTPUT_FAILED);
    if (expected(c, "complete") != NULL && complete != flag(c, "complete"))
        differs(check, "complete", bytes_of_text(complete ? "yes" : "no"), BYTES("otherwise"));
    if (tx == NULL || (flag(c, "unverified") && !(own != NULL && json_get(own, "tx") != NULL)))
        return;
    compare_hex(check, "tx", a->tx, test_hex(arena_text(test_arena(), tx->text)));
    if (txid != NULL) {
        char text[TXID_TEXT_SIZE];
        txid_to_text(text, &a->txid);
        compare(check, "txid", bytes_of_text(text), txid->text);
    }
}

// D-LOCKTIME gives a lock time, a signature of it, and the note.
static void compare_own(struct check *check, const struct json *own, const struct rig *a)
{
    const struct tx_facts *tx = &a->facts.tx;
    if (json_get(own, "lock_time") != NULL)
        assert_int_equal(a->psbt.tx.locktime, json_need_integer(own, "lock_time"));
    if (json_get(own, "notes_text") != NULL) {
        struct writer w = writer_growing(test_arena(), 1 << 10);
        assert_int_equal(tx->n_notes, 1);
        writer_printf(&w, "%s: %.*s", tx->notes[0].label, BYTES_ARG(bytes_trim(tx->notes[0].text)));
        compare(check, "notes", writer_bytes(&w), json_need_text(own, "notes_text"));
    }
    const struct json *sig = json_get(own, "partial_sig");
    if (sig != NULL) {
        assert_int_equal(a->sigs.n_sigs, 1);
        compare_hex(check, "key", a->sigs.sigs[0].key,
                    test_hex(arena_text(test_arena(), json_item(sig, 0)->text)));
        compare_hex(check, "signature", a->sigs.sigs[0].value,
                    test_hex(arena_text(test_arena(), json_item(sig, 1)->text)));
    }
}

static size_t run_case(const struct json *c)
{
    struct rig *a = set_up(c);
    struct check check = { .id = arena_text(test_arena(), json_need_text(c, "id")) };
    const struct json *error = expected(c, "error"), *own = json_get(c, "casemate");
    run_before(a, c, "analyse_first", true);
    run_before(a, c, "visualise_first", false);
    bool refused = !rig_analyse(a, test_base64(json_need_text(c, "psbt")));
    if (!refused && expected(c, "warnings") != NULL)
        compare_warnings(&check, a, expected(c, "warnings"));
    if (!refused && expected(c, "story") != NULL && !flag(c, "unverified"))
        compare_story(&check, c, a);
    refused = refused || !psbt_rig_sign(a);
    // D-CACHE: the reference refuses where `casemate` has a signed result.
    if (error != NULL && !(own != NULL && json_get(own, "signed") != NULL)) {
        compare_error(&check, c, a, refused, error);
    } else if (refused) {
        compare(&check, "reply", bytes_of_text(a->err.text), BYTES("(no error)"));
    } else {
        compare_signed(&check, c, a);
        compare_tx(&check, c, a);
        if (own != NULL)
            compare_own(&check, own, a);
    }
    return check.failed;
}

TEST(psbt_signing_27_51_67_85_100_102_reference_cases)
{
    const struct json *cases = json_need(test_vectors("reference_psbt_cases.json"), "cases");
    size_t failed = 0;
    assert_int_equal(cases->n_items, 217);
    for (const struct json *c = cases->items; c != NULL; c = c->next)
        failed += run_case(c);
    assert_int_equal(failed, 0);
}

// --- 129: what errors, warnings and stories say ---

static bool has(struct bytes text, struct bytes part)
{
    return memmem(text.ptr, text.len, part.ptr, part.len) != NULL;
}

static struct bytes in_hex(struct bytes content)
{
    struct writer w = writer_growing(test_arena(), 256);
    writer_hex(&w, content);
    return writer_bytes(&w);
}

// The master's secrets as they are, in hex, and as an extended key; those of a key that signs.
static void expect_no_secret(const struct rig *a, struct bytes text)
{
    static const char *const paths[] = { "m", "m/84h/1h/0h", "m/84h/1h/0h/0/0", "m/44h/1h/0h/0/0",
                                         "m/48h/1h/0h/2h" };
    for (size_t i = 0; i < COUNT(paths); i++) {
        const struct hdkey key = rig_key(a, paths[i]);
        const struct bytes secret[] = { BYTES_OF(key.key.b), BYTES_OF(key.pub.chain_code) };
        for (size_t k = 0; k < COUNT(secret); k++)
            assert_false(has(text, secret[k]) || has(text, in_hex(secret[k])));
    }
    assert_false(has(text, BYTES("prv")) || has(text, BYTES("wife shiver")));
}

TEST(psbt_signing_27_129_no_secret_in_any_text)
{
    const struct json *cases = json_need(test_vectors("reference_psbt_cases.json"), "cases");
    size_t n_refused = 0;
    for (const struct json *c = cases->items; c != NULL; c = c->next) {
        struct rig *a = set_up(c);
        run_before(a, c, "analyse_first", true);
        if (!rig_analyse(a, test_base64(json_need_text(c, "psbt"))) || !psbt_rig_sign(a)) {
            n_refused++;
        } else {
            expect_no_secret(a, rig_story(a, STORY_SCREEN));
            for (size_t i = 0; i < a->facts.tx.n_warnings; i++)
                expect_no_secret(a, a->facts.tx.warnings[i].text);
            if (!a->facts.tx.is_message)
                (void)rig_finalize(a);
        }
        expect_no_secret(a, bytes_of_text(a->err.text));
        expect_no_secret(a, bytes_of_text(a->err.detail));
    }
    assert_true(n_refused > 60);
}

// --- 125: there is no store of single keys ---

// "leaving it out is conforming: `WIF Store` then never occurs"
TEST(psbt_signing_27_125_no_wif_store)
{
    const struct json *cases = json_need(test_vectors("reference_psbt_cases.json"), "cases");
    for (const struct json *c = cases->items; c != NULL; c = c->next) {
        struct rig *a = set_up(c);
        if (!rig_analyse(a, test_base64(json_need_text(c, "psbt"))))
            continue;
        for (size_t i = 0; i < a->facts.tx.n_warnings; i++)
            assert_string_not_equal(a->facts.tx.warnings[i].label, "WIF Store");
    }
    // A key of ours that no path tells of is a stranger's.
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    (void)draft_in_script(d, psbt_rig_script(rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/9"), 1000,
                          DRAFT_UTXO_WITNESS);
    rig_accepts(rig, draft_v0(d));
    rig_warnings_are(rig, "Limited Signing");
    assert_int_equal(rig->sigs.n_sigs, 1);
}
