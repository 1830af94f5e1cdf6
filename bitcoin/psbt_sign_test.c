#include "bitcoin/psbt_sign.h"
#include "bitcoin/psbt_err.h"
#include "tests/support/psbt_rig.h"

static const struct bytes none = { 0 };

// --- 92: the signing workloads ---

static struct rig *perf_rig(void)
{
    struct rig *rig = rig_new();
    const struct json *manifest = test_vectors("perf/manifest.json");
    const struct json *descriptors = json_need(manifest, "descriptors");
    rig_load_seed(rig, json_item_text(json_need(manifest, "mnemonics"), 0));
    rig->view.taproot = true;
    (void)rig_register(rig, json_need_text(descriptors, "wsh"));
    return rig;
}

// "<input> <key> <signature>" a line, in input order.
static void assert_signatures_are(const struct rig *rig, struct bytes lines)
{
    struct writer got = writer_growing(test_arena(), 1 << 20);
    for (size_t i = 0; i < rig->sigs.n_sigs; i++) {
        writer_printf(&got, "%u ", rig->sigs.sigs[i].input);
        writer_hex(&got, rig->sigs.sigs[i].key);
        writer_text(&got, rig->sigs.sigs[i].key.len > 0 ? " " : "- ");
        writer_hex(&got, rig->sigs.sigs[i].value);
        writer_text(&got, "\n");
    }
    assert_bytes_equal(writer_bytes(&got), lines);
}

static void check_workload(const char *name, const char *signatures)
{
    const struct json *files = json_need(test_vectors("perf/manifest.json"), "files");
    const char *file = arena_text(
        test_arena(), test_concat(bytes_of_text(name), test_concat(BYTES(".psbt"), none)));
    const struct json *about = json_need(files, file);
    struct rig *rig = perf_rig();
    char path[64], txid[TXID_TEXT_SIZE];
    (void)snprintf(path, sizeof path, "perf/%s", file);
    rig_accepts(rig, test_vector_bytes(path));
    rig_warnings_are(rig, "");
    assert_int_equal(rig->facts.tx.n_in, json_need_integer(about, "inputs"));
    assert_int_equal(rig->facts.tx.n_out, json_need_integer(about, "outputs"));
    assert_int_equal(rig->facts.tx.fee.n, json_need_integer(about, "fee"));
    assert_int_equal(rig->facts.tx.change_total.n, json_need_integer(about, "change"));
    (void)snprintf(path, sizeof path, "perf/%s", signatures);
    assert_signatures_are(rig, test_vector_bytes(path));
    if (rig->facts.tx.signs_multisig)
        return; // another signature is missing
    assert_true(rig_finalize(rig));
    txid_to_text(txid, &rig->txid);
    // The recorded id of a P2PKH transaction is of the unsigned one.
    const struct hash256 unsigned_txid = tx_txid(&rig->psbt.tx);
    if (json_need_text(about, "script").ptr[0] == 'p')
        txid_to_text(txid, &unsigned_txid);
    assert_bytes_text(json_need_text(about, "txid"), txid);
}

TEST(psbt_signing_27_92_workload_signatures)
{
    check_workload("W1", "W1.lowr.txt");
    check_workload("W1f", "W1.lowr.txt");
    check_workload("W2", "W2.lowr.txt");
    check_workload("W2f", "W2.lowr.txt");
    check_workload("W3", "W3.lowr.txt");
    check_workload("W3f", "W3.lowr.txt");
    check_workload("W4", "W4.lowr.txt");
    check_workload("W4f", "W4.lowr.txt");
    check_workload("W5", "W5.lowr.txt");
    check_workload("W6", "W6.lowr.txt");
    check_workload("W7", "W7.schnorr-aux0.txt"); // zero bytes in place of random ones
    check_workload("W8", "W8.lowr.txt");
    check_workload("W8f", "W8.lowr.txt");
}

// --- 91, 25.4 (5) ---

TEST(psbt_signing_27_91_every_signature_has_a_low_r)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_new();
    for (size_t i = 0; i < 60; i++)
        (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", 10000);
    (void)draft_pay(d, draft_foreign_script(0), 599000);
    const struct bytes raw = draft_v0(d);
    rig_accepts(rig, raw);
    const struct bytes first = rig->result;
    for (size_t i = 0; i < rig->sigs.n_sigs; i++) {
        const struct bytes sig = rig->sigs.sigs[i].value;
        assert_true(sig.len <= 71 && sig.ptr[3] <= 32); // no zero byte before a high R
        struct signature parsed;
        assert_true(ecdsa_from_der(&parsed, bytes_slice(sig, 0, sig.len - 1)));
        assert_true(parsed.b[0] < 0x80 && parsed.b[32] < 0x80);
    }
    rig_accepts(rig, raw);
    assert_bytes_equal(rig->result, first);
}

// --- 93, 94 ---

TEST(psbt_signing_27_94_wrong_path_is_found_before_the_policy)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    const struct bytes key = psbt_key_data(psbt_next(&d->in[0], PSBT_IN_KEY_PATH, NULL));
    draft_put(&d->in[0], PSBT_IN_KEY_PATH, key,
              test_concat(BYTES_OF(rig->view.xfp.b), test_u32le(7)));
    assert_true(rig_analyse(rig, draft_v0(d)));
    assert_false(rig_prove(rig));
    assert_err(&rig->err, ERR_INVALID, PSBT_SIGNING_LATE);
    assert_string_equal(rig->err.detail, "Path (m/7) led to wrong pubkey for input#0");
    assert_false(rig->facts.proved || rig->facts.tx.in[0].own);
}

// The key path of the right key may be under another fingerprint: it is derived all the same, and
// the claim that made us look may be of a key that has nothing to do with the script.
TEST(psbt_signing_10_2_key_path_of_the_right_key_need_not_claim)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    draft_put_path(&d->in[0], PSBT_IN_KEY_PATH, rig, (struct xfp){ { 9 } }, "m/84h/1h/0h/0/0");
    draft_put_path(&d->in[0], PSBT_IN_KEY_PATH, rig, rig->view.xfp, "m/1");
    rig_accepts(rig, draft_v0(d));
    assert_int_equal(rig->sigs.n_sigs, 1);
}

// A key that was proved and is another when it signs: a fault, and nothing leaves.
TEST(psbt_signing_27_93_signature_that_does_not_verify)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    assert_true(rig_analyse(rig, draft_v0(d)));
    assert_true(rig_prove(rig));
    const struct psbt_field *right = rig->facts.plans[0].key;
    const struct psbt_field wrong = { right->key,
                                      test_concat(BYTES_OF(rig->view.xfp.b), test_u32le(7)) };
    rig->facts.plans[0].key = &wrong;
    struct psbt_signed sigs = { 0 };
    AUTO(keycache_freep) struct keycache *keys = keycache_new(&rig->master);
    assert_false(psbt_sign(&sigs, &rig->facts, keys, NULL, test_arena(), &rig->err));
    assert_err(&rig->err, ERR_INTERNAL, PSBT_SIGNING_LATE);
    assert_int_equal(sigs.n_sigs, 0);
    assert_null(sigs.sigs);
}

// --- 99 ---

TEST(psbt_signing_27_99_many_accounts_in_one_transaction)
{
    struct rig *rig = rig_new(), *one = rig_new();
    struct draft *d = draft_new();
    enum { N = 100 };
    for (unsigned i = 0; i < N; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "m/84h/1h/%uh/%u/%u", i, i % 2, i);
        (void)draft_in(d, rig, i % 2 ? DRAFT_P2PKH : DRAFT_P2WPKH, path, 10000);
    }
    (void)draft_pay(d, draft_foreign_script(0), N * 10000 - 1000);
    rig_accepts(rig, draft_v0(d));
    assert_int_equal(rig->sigs.n_sigs, N);
    // Each is what signing that input alone gives.
    for (size_t i = 0; i < N; i += 9) {
        struct psbt p;
        struct writer w = writer_growing(test_arena(), 1 << 20);
        assert_true(psbt_parse(&p, draft_v0(d), test_arena(), &rig->err));
        for (size_t k = 0; k < N; k++)
            if (k != i)
                draft_drop(&p.in[k], PSBT_IN_KEY_PATH);
        psbt_write(&w, &p);
        rig_accepts(one, writer_bytes(&w));
        assert_int_equal(one->sigs.n_sigs, 1);
        assert_bytes_equal(one->sigs.sigs[0].value, rig->sigs.sigs[i].value);
    }
}

// --- The returned PSBT ---

TEST(psbt_signing_27_96_sighash_field)
{
    struct rig *rig = rig_new();
    rig->view.sighash_allow = true;
    struct draft *d = draft_usual(rig);
    struct psbt p;
    static const uint32_t types[] = { 1, 2, 3, 0x81, 0x82, 0x83 };
    for (size_t i = 0; i < COUNT(types); i++)
        (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/1", 10);
    for (size_t i = 0; i < 6; i++)
        (void)draft_pay(d, draft_foreign_script(1), 1);
    for (size_t i = 0; i < COUNT(types); i++)
        draft_put_u32(&d->in[i + 1], PSBT_IN_SIGHASH_TYPE, types[i]);
    (void)draft_in_script(d, draft_foreign_script(2), 1, DRAFT_UTXO_WITNESS);
    draft_put_u32(&d->in[7], PSBT_IN_SIGHASH_TYPE, 1);
    rig_accepts(rig, draft_v0(d));
    assert_true(psbt_parse(&p, rig->result, test_arena(), &rig->err));
    assert_null(psbt_get(&p.in[0], PSBT_IN_SIGHASH_TYPE));
    assert_null(psbt_get(&p.in[1], PSBT_IN_SIGHASH_TYPE)); // ALL: removed
    for (size_t i = 1; i < COUNT(types); i++)
        assert_int_equal(psbt_u32(psbt_get(&p.in[i + 1], PSBT_IN_SIGHASH_TYPE)), types[i]);
    assert_int_equal(psbt_u32(psbt_get(&p.in[7], PSBT_IN_SIGHASH_TYPE)), 1); // not signed: kept
}

static uint8_t modifiable_of(struct rig *rig)
{
    struct psbt p;
    assert_true(psbt_parse(&p, rig->result, test_arena(), &rig->err));
    const struct psbt_field *f = psbt_get(&p.global, PSBT_GLOBAL_TX_MODIFIABLE);
    assert_non_null(f);
    return f->value.ptr[0];
}

TEST(psbt_signing_27_97_tx_modifiable)
{
    static const struct {
        uint32_t type;
        uint8_t cleared, set;
    } cases[] = {
        { 0x01, 3, 0 }, { 0x02, 1, 0 }, { 0x03, 3, 4 },
        { 0x81, 2, 0 }, { 0x82, 0, 0 }, { 0x83, 2, 4 },
    };
    struct rig *rig = rig_new();
    rig->view.sighash_allow = true;
    for (size_t i = 0; i < COUNT(cases); i++)
        for (unsigned before = 0; before <= 8; before++) {
            struct draft *d = draft_usual(rig);
            const uint8_t flags = (uint8_t)before;
            const uint8_t start = before == 8 ? 3 : flags; // 8: absent
            draft_put_u32(&d->in[0], PSBT_IN_SIGHASH_TYPE, cases[i].type);
            if (before < 8)
                draft_put(&d->global, PSBT_GLOBAL_TX_MODIFIABLE, none, bytes_of(&flags, 1));
            rig_accepts(rig, draft_write(d, 2));
            assert_int_equal(modifiable_of(rig), (start & ~cases[i].cleared) | cases[i].set);
        }
}

// Two inputs with different types: each takes away what it commits to.
TEST(psbt_signing_27_97_tx_modifiable_of_several_types)
{
    struct rig *rig = rig_new();
    rig->view.sighash_allow = true;
    struct draft *d = draft_usual(rig);
    (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/1", 10);
    draft_put_u32(&d->in[0], PSBT_IN_SIGHASH_TYPE, 0x82);
    draft_put_u32(&d->in[1], PSBT_IN_SIGHASH_TYPE, 0x83);
    rig_accepts(rig, draft_write(d, 2));
    assert_int_equal(modifiable_of(rig), 1 | 4);
    draft_put_u32(&d->in[0], PSBT_IN_SIGHASH_TYPE, 0x02);
    rig_accepts(rig, draft_write(d, 2));
    assert_int_equal(modifiable_of(rig), 0 | 4);
}

static bool is_kept(const struct psbt_map *before, const struct psbt_field *f)
{
    const struct psbt_field *same = psbt_find(before, f->key);
    return same != NULL && bytes_equal(same->value, f->value);
}

static void assert_same_map(const struct psbt_map *before, const struct psbt_map *after,
                            size_t n_new)
{
    size_t n_kept = 0;
    assert_int_equal(after->n_fields, before->n_fields + n_new);
    for (size_t i = 0; i < after->n_fields; i++)
        n_kept += is_kept(before, &after->fields[i]);
    assert_int_equal(n_kept, before->n_fields);
}

TEST(psbt_signing_27_101_nothing_else_changes)
{
    for (uint32_t version = 0; version <= 2; version += 2) {
        struct rig *rig = rig_new();
        struct draft *d = draft_usual(rig);
        struct psbt before, after;
        (void)draft_in(d, rig, DRAFT_P2SH_P2WPKH, "m/49h/1h/0h/0/0", 1000);
        (void)draft_in(d, rig, DRAFT_P2PKH, "m/44h/1h/0h/0/0", 1000);
        (void)draft_in_script(d, draft_foreign_script(2), 1000, DRAFT_UTXO_BOTH);
        draft_put(&d->in[3], PSBT_IN_FINAL_SCRIPT_SIG, none, BYTES("abc"));
        draft_put(&d->in[0], PSBT_IN_TAP_MERKLE_ROOT, none,
                  BYTES("0123456789abcdef0123456789abcdef"));
        draft_put(&d->out[0], PSBT_OUT_TAP_TREE, none, BYTES("\x00\xc0\x01\x51"));
        draft_put(&d->out[0], PSBT_OUT_WITNESS_SCRIPT, none, BYTES("x"));
        draft_put(&d->global, PSBT_GLOBAL_MESSAGE, none, BYTES("kept: 121"));
        if (version == 2)
            draft_put(&d->global, PSBT_GLOBAL_TX_MODIFIABLE, none, BYTES("\x00"));
        rig_accepts(rig, draft_write(d, version));
        assert_int_equal(rig->facts.tx.is_message, false);
        assert_true(psbt_parse(&before, draft_write(d, version), test_arena(), &rig->err));
        assert_true(psbt_parse(&after, rig->result, test_arena(), &rig->err));
        assert_same_map(&before.global, &after.global, 0);
        for (size_t i = 0; i < before.n_in; i++)
            assert_same_map(&before.in[i], &after.in[i], i < 3 ? 1 : 0);
        for (size_t i = 0; i < before.n_out; i++)
            assert_same_map(&before.out[i], &after.out[i], 0);
    }
}

// A PSBT in which nothing is signed keeps its flags and hash types.
TEST(psbt_signing_27_97_nothing_signed)
{
    struct rig *rig = rig_new();
    struct draft *d = draft_usual(rig);
    const struct psbt_signed nothing = { 0 };
    struct writer w = writer_growing(test_arena(), 1 << 16);
    draft_put(&d->global, PSBT_GLOBAL_TX_MODIFIABLE, none, BYTES("\x07"));
    draft_put_u32(&d->in[0], PSBT_IN_SIGHASH_TYPE, 1);
    assert_true(rig_analyse(rig, draft_write(d, 2)));
    assert_true(psbt_write_signed(&w, &rig->facts, &nothing, &rig->err));
    rig->result = writer_bytes(&w);
    assert_int_equal(modifiable_of(rig), 7);
    struct psbt p;
    assert_true(psbt_parse(&p, rig->result, test_arena(), &rig->err));
    assert_non_null(psbt_get(&p.in[0], PSBT_IN_SIGHASH_TYPE));
}
