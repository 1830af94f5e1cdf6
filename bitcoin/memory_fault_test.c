// Memory that ends at any one allocation: each reader, check and signer says so, and gives nothing.
#include "base/base64.h"
#include "bitcoin/bip322.h"
#include "bitcoin/descriptor.h"
#include "bitcoin/message_request.h"
#include "bitcoin/story.h"
#include "tests/support/fault.h"
#include "tests/support/ms_rig.h"
#include "tests/support/psbt_rig.h"

struct work {
    struct rig *rig;
    struct bytes raw; // what is read
    struct bytes message, address;
    const struct ms_register *against;
    struct hash256 made; // of the last that succeeded
    bool says_invalid;   // may call what there was no memory to read a bad proof
};

static void ones(void *context, uint8_t out[32])
{
    (void)context;
    memset(out, 1, 32);
}

// --- Each with an arena of its own ---

static bool sign_psbt(struct work *w, struct arena *arena, struct err *err)
{
    struct psbt psbt;
    struct psbt_facts facts;
    struct psbt_signed sigs;
    struct hash256 txid;
    const struct entropy aux = { ones, NULL };
    AUTO(keycache_freep) struct keycache *keys = keycache_new(&w->rig->master);
    struct writer file = writer_growing(arena, 1 << 20), tx = writer_growing(arena, 1 << 20),
                  story = writer_growing(arena, 1 << 16);
    if (!psbt_parse(&psbt, w->raw, arena, err) ||
        !psbt_analyse(&facts, &psbt, &w->rig->view, arena, err))
        return false;
    story_write(&story, &facts.tx, w->rig->view.unit, STORY_TEXT);
    if (story.failed)
        return err_set(err, ERR_NO_MEMORY, "no memory for the story");
    if (!psbt_prove(&facts, keys, err) || !psbt_sign(&sigs, &facts, keys, &aux, arena, err) ||
        !psbt_write_signed(&file, &facts, &sigs, err))
        return false;
    if (!facts.tx.signs_multisig && !psbt_finalize(&tx, &txid, &facts, &sigs, arena, err))
        return false;
    if (file.failed || tx.failed)
        return err_set(err, ERR_NO_MEMORY, "no memory for the result");
    w->made = sha256(writer_bytes(&file));
    return true;
}

static bool decode_file(struct work *w, struct arena *arena, struct err *err)
{
    struct bytes raw;
    enum psbt_encoding encoding;
    if (!psbt_decode_file(&raw, &encoding, w->raw, arena, err))
        return false;
    w->made = sha256(raw);
    return true;
}

static bool register_wallet(struct work *w, struct arena *arena, struct err *err)
{
    struct ms_wallet wallet, loaded;
    struct bytes form;
    struct writer stored = writer_growing(arena, MS_EXPORT_MAX);
    if (!ms_register(&wallet, w->raw, w->against, arena, err))
        return false;
    ms_wallet_store(&stored, &wallet);
    if (!writer_finish(&stored, &form))
        return err_set(err, ERR_NO_MEMORY, "no memory for the record");
    w->made = sha256(form);
    return ms_wallet_load(&loaded, form, arena, err);
}

static bool read_foreign_wallet(struct work *w, struct arena *arena, struct err *err)
{
    struct ms_wallet wallet;
    return ms_read_foreign(&wallet, w->raw, chain_by_id(CHAIN_XTN), arena, err);
}

static bool verify_message(struct work *w, struct arena *arena, struct err *err)
{
    struct bip322_proof proof;
    return bip322_verify(&proof, w->message, w->address, w->raw, arena, err);
}

static bool read_request(struct work *w, struct arena *arena, struct err *err)
{
    struct message_request request;
    return message_request_read(&request, w->raw, chain_by_id(CHAIN_XTN), arena, err);
}

// --- Sweeping ---

struct sweep {
    struct work *work;
    bool (*run)(struct work *w, struct arena *arena, struct err *err);
    struct hash256 expected; // what it makes
};

static bool run_armed(void *context, struct err *err)
{
    const struct sweep *s = context;
    AUTO(arena_freep) struct arena *arena = arena_new(64 << 20);
    fault_arm();
    const bool ok = s->run(s->work, arena, err);
    fault_disarm();
    if (ok)
        FAULT_CHECK(bytes_equal(BYTES_OF(s->work->made.b), BYTES_OF(s->expected.b)));
    else if (fault_has_struck() && !s->work->says_invalid)
        FAULT_CHECK(err->code == ERR_NO_MEMORY);
    return ok;
}

static void assert_runs_out(bool (*run)(struct work *w, struct arena *arena, struct err *err),
                            struct work *work, unsigned at_least)
{
    static const enum fault_kind kinds[] = { FAULT_MEMORY, FAULT_FULL };
    struct sweep s = { work, run, { { 0 } } };
    struct err err;
    unsigned refused = 0;
    if (!run(work, test_arena(), &err))
        fail_msg("%s", err.text);
    s.expected = work->made;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        const struct fault_counts counts = fault_sweep(kinds[i], run_armed, &s);
        refused += counts.refused;
        assert_int_equal(counts.stopped, 0);
    }
    if (refused < at_least)
        fail_msg("%u refused", refused);
}

static struct draft *two_of_each(const struct rig *rig)
{
    struct draft *d = draft_new();
    (void)draft_in(d, rig, DRAFT_P2PKH, "m/44h/1h/0h/0/0", 100000000);
    (void)draft_in(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/0/0", 100000000);
    (void)draft_in(d, rig, DRAFT_P2SH_P2WPKH, "m/49h/1h/0h/0/0", 100000000);
    (void)draft_in(d, rig, DRAFT_P2TR, "m/86h/1h/0h/0/0", 100000000);
    (void)draft_pay(d, draft_foreign_script(1), 350000000);
    (void)draft_change(d, rig, DRAFT_P2WPKH, "m/84h/1h/0h/1/0", 49990000);
    return d;
}

TEST(a_psbt_is_signed_whole_or_not)
{
    struct rig *rig = rig_new();
    rig->view.taproot = true;
    struct draft *d = two_of_each(rig);
    for (uint32_t version = 0; version <= 2; version += 2) {
        struct work w = { .rig = rig, .raw = draft_write(d, version) };
        assert_runs_out(sign_psbt, &w, 15);
    }
}

TEST(a_multisig_psbt_is_understood_whole_or_not)
{
    struct rig *rig = rig_new();
    const struct json *manifest = test_vectors("perf/manifest.json");
    rig_load_seed(rig, json_item_text(json_need(manifest, "mnemonics"), 0));
    (void)rig_register(rig, json_need_text(json_need(manifest, "descriptors"), "wsh"));
    struct work w = { .rig = rig, .raw = test_vector_bytes("perf/W3f.psbt") };
    assert_runs_out(sign_psbt, &w, 8);
    w.raw = test_vector_bytes("perf/W3.psbt");
    assert_runs_out(sign_psbt, &w, 8);
}

TEST(a_file_is_decoded_whole_or_not)
{
    struct rig *rig = rig_new();
    const struct bytes raw = draft_v0(draft_usual(rig));
    struct writer hex = writer_growing(test_arena(), 1 << 20),
                  base64 = writer_growing(test_arena(), 1 << 20);
    writer_hex(&hex, raw);
    base64_write(&base64, raw);
    struct work w = { .raw = writer_bytes(&hex) };
    assert_runs_out(decode_file, &w, 1);
    w.raw = writer_bytes(&base64);
    assert_runs_out(decode_file, &w, 1);
}

TEST(a_wallet_is_registered_whole_or_not)
{
    const struct ms_register against = ms_rig();
    struct work w = { .raw = ms_rig_text("Name: Vault\nPolicy: 2 of 3\nFormat: p2wsh\n", 3),
                      .against = &against };
    w.says_invalid = true;
    assert_runs_out(register_wallet, &w, 3);
    assert_runs_out(read_foreign_wallet, &w, 1);
    w.raw = ms_rig_descriptor("sortedmulti", 2, 3, "/<0;1>/*");
    assert_runs_out(read_foreign_wallet, &w, 1);
}

TEST(a_proof_of_a_message_is_read_whole_or_not)
{
    const struct json *rows = json_need(test_vectors("bip322.json"), "simple");
    for (const struct json *row = rows->items; row != NULL; row = row->next) {
        const struct json *list = json_get(row, "bip322_signatures");
        struct work w = { .message = json_get(row, "message") == NULL
                                         ? BYTES("")
                                         : json_need_text(row, "message"),
                          .address = json_need_text(row, "address") };
        if (list == NULL || list->n_items == 0)
            continue;
        w.raw = list->items->text;
        w.says_invalid = true;
        assert_runs_out(verify_message, &w, 1);
    }
}

TEST(a_request_is_read_whole_or_not)
{
    struct work w = { .raw = BYTES("a message\nm/84h/1h/0h/0/0\np2wpkh\n") };
    assert_runs_out(read_request, &w, 1);
    w.raw = BYTES("{\"msg\": \"a message\", \"subpath\": \"m/84h/1h/0h/0/0\"}");
    assert_runs_out(read_request, &w, 1);
}
