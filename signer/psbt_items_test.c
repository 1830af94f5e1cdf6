// Items of psbt-signing.md 27 that need a whole device: what leaves it, when it stops, what it
// remembers.
#include "bitcoin/message.h"
#include "bitcoin/psbt_path.h"
#include "tests/support/device_checks.h"

static struct bytes case_psbt(const char *id)
{
    const struct json *cases = json_need(test_vectors("reference_psbt_cases.json"), "cases");
    for (const struct json *c = cases->items; c != NULL; c = c->next)
        if (json_is_text(json_need(c, "id"), id))
            return test_base64(json_need_text(c, "psbt"));
    fail_msg("no case %s", id);
}

// --- 88: the length that is signed is that of bytes ---

TEST(psbt_signing_27_88_signature_over_a_story_that_is_not_ascii)
{
    WITH_RIG(rig, host);
    const struct rig_outcome shown =
        rig_sign(host, case_psbt("ss-opret-161"), STXN_VISUALIZE | STXN_SIGNED);
    assert_int_equal(shown.result, RIG_SIGNED);
    const size_t story_len = shown.data.len - 89; // base64 of 65 bytes, and LF
    const struct bytes story = bytes_slice(shown.data, 0, story_len);
    assert_non_null(memmem(story.ptr, story.len, "\xe2\x8b\xaf", 3)); // U+22EF
    const struct bytes signature = test_base64(bytes_slice(shown.data, story_len, 88));
    const struct hash256 digest = message_digest(story);
    enum addr_format format;
    struct pubkey key;
    assert_true(message_recover(&key, &format, signature, &digest));
    assert_int_equal(format, ADDR_P2PKH);
    assert_true(pubkey_equal(&key, &rig->master.pub.key));
}

// --- 93: hardware that computes wrongly ---

// The key path that was proved is exchanged behind the device's back: what it derives then is another
// key, and the signature not good for the one in the script.
static void break_plan(struct device_rig *rig)
{
    struct input_plan *plan = &rig->device.job.facts->plans[0];
    struct psbt_field *wrong = arena_alloc(test_arena(), sizeof *wrong);
    uint8_t *value = arena_alloc(test_arena(), plan->key->value.len);
    memcpy(value, plan->key->value.ptr, plan->key->value.len);
    value[plan->key->value.len - 4] ^= 1; // of the last step
    *wrong = (struct psbt_field){ plan->key->key, bytes_of(value, plan->key->value.len) };
    plan->key = wrong;
}

TEST(psbt_signing_27_93_nothing_leaves_and_the_process_stops)
{
    WITH_RIG(rig, host);
    assert_int_equal(rig_sign(host, rig_payment(rig, 5000), 0).result, RIG_WAITING);
    break_plan(rig);
    rig_keys(rig, "y");
    rig_run(rig);
    assert_true(rig->has_stopped);
    assert_int_equal(rig->device.job.kind, JOB_NONE); // nothing that could be fetched
    assert_false(rig->wire_is_open);
}

// --- 113: messages and the memory of amounts ---

static bool remembers(struct device_rig *rig, const struct outpoint *outpoint)
{
    struct sats amount;
    return store_known_amount(rig->store, outpoint, &amount);
}

TEST(psbt_signing_27_113_messages_do_not_write_the_amount_memory)
{
    WITH_RIG(rig, host);
    static const char *const ids[] = { "b322-msg-p2wpkh", "b322-por" };
    for (size_t i = 0; i < COUNT(ids); i++) {
        const struct bytes psbt = case_psbt(ids[i]);
        struct psbt p;
        struct err err;
        assert_int_equal(rig_sign(host, psbt, 0).result, RIG_WAITING);
        rig_keys(rig, "y");
        assert_int_equal(rig_fetch(host).result, RIG_SIGNED);
        assert_true(psbt_parse(&p, psbt, test_arena(), &err));
        for (size_t k = 0; k < p.n_in; k++)
            assert_false(remembers(rig, &p.tx.in[k].prevout));
    }
    // A transaction does.
    const struct bytes psbt = rig_payment(rig, 5000);
    struct psbt p;
    struct err err;
    assert_int_equal(rig_sign(host, psbt, 0).result, RIG_WAITING);
    assert_true(psbt_parse(&p, psbt, test_arena(), &err));
    assert_false(remembers(rig, &p.tx.in[0].prevout));
    rig_keys(rig, "y");
    assert_int_equal(rig_fetch(host).result, RIG_SIGNED);
    assert_true(remembers(rig, &p.tx.in[0].prevout));
}

// --- 103: "Message PSBTs are never finalised, whatever the flag." ---

TEST(psbt_signing_27_103_a_message_is_not_finalised)
{
    WITH_RIG(rig, host);
    static const char *const ids[] = { "b322-msg-p2wpkh", "b322-por" };
    for (size_t i = 0; i < COUNT(ids); i++) {
        assert_int_equal(rig_sign(host, case_psbt(ids[i]), STXN_FINALIZE).result, RIG_WAITING);
        rig_keys(rig, "y");
        const struct rig_outcome outcome = rig_fetch(host);
        assert_int_equal(outcome.result, RIG_SIGNED);
        assert_true(bytes_starts_with(outcome.data, BYTES("psbt\xff")));
    }
}
