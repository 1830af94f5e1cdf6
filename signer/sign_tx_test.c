// Transactions from accepted bytes to result, as one device does it: policy.md 10, 14.
#include "signer/sign_tx.h"
#include "base/reader.h"
#include "bitcoin/message.h"
#include "tests/support/device_checks.h"
#include <sys/stat.h>

// --- What fails before the policy: policy.md 10.1, A to D ---

TEST(policy_24_40_wire_69_a_malformed_psbt_costs_nothing)
{
    WITH_RIG(rig, host);
    rig_add_users(host);
    rig_activate(host, "{\"rules\":[{\"users\":[\"alice\"],\"local_conf\":true}]}");
    const struct bytes good = rig_payment(rig, 1000);
    char code[7];
    assert_int_equal(rig_sign_text(host, "hello", "m").result, RIG_REFUSED); // leaves a text
    rig_local_code(host, good, code);
    rig_keys(rig, code);
    rig_alice(host, 57000000);
    uint8_t *cut = arena_alloc(test_arena(), good.len);
    memcpy(cut, good.ptr, good.len);
    assert_fails(host, bytes_of(cut, good.len - 1), "PSBT parse failed");
    memset(cut + 5, 0xff, 60);
    assert_fails(host, bytes_of(cut, good.len), "PSBT parse failed");
    struct psbt_maker *maker = rig_maker(rig, 9000000); // worth more than the input
    maker->out[1].amount.n = 2000000;
    assert_fails(host, rig_make(rig, maker), "Outputs worth more than inputs!");
    maker = rig_maker(rig, 1000);
    maker->out[1].amount.n = 5000000;
    assert_fails(host, rig_make(rig, maker),
                 "Network fee bigger than 10% of total amount (it is 100%).");
    struct stat st;
    assert_int_equal(fstatat(store_dir_fd(rig->store), "card/psbt", &st, 0), -1); // no record

    // Codes, authorisations and the last refusal survive all that, and serve now.
    assert_status(host, "last_refusal", "\"Message signing not permitted\"");
    assert_status(host, "refusals", "1");
    assert_status(host, "pending_auth", "1");
    assert_signs(host, good);
    assert_status(host, "pending_auth", "0");
}

// F2 before E1: "a change lie is never approved".
TEST(policy_24_55_a_forged_change_is_never_approved)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"period\":10,\"rules\":[{\"per_period\":100000000}]}");
    const struct bytes honest = rig_payment(rig, 1000);
    // The change output's key path names key 1/1, its script and key are those of 1/0.
    uint8_t *forged = arena_alloc(test_arena(), honest.len);
    memcpy(forged, honest.ptr, honest.len);
    forged[honest.len - 2 - 3] = 1; // last step of the path, before the end of the last map
    assert_fails(host, bytes_of(forged, honest.len),
                 "Output#1: Deception regarding change output. BIP-32 path doesn't match actual "
                 "address.");
    assert_status(host, "has_spent", "absent");
    assert_status(host, "approvals", "0");
}

// The PSBT with a field that nobody knows, so that it is exactly `len` bytes long.
static struct bytes padded(struct bytes psbt, size_t len)
{
    struct reader r = reader_of(psbt);
    struct bytes magic, key, tx;
    assert_true(reader_take(&r, 5, &magic) && reader_counted(&r, &key) && reader_counted(&r, &tx));
    const size_t value_len = len - psbt.len - 2 - 5; // key length, key, value length
    struct writer w = writer_growing(test_arena(), len);
    writer_put(&w, bytes_slice(psbt, 0, r.offset));
    writer_counted(&w, BYTES("\xf0"));
    writer_compact_size(&w, value_len);
    for (size_t i = 0; i < value_len; i++)
        writer_u8(&w, 0);
    writer_put(&w, r.rest);
    assert_int_equal(w.len, len);
    return writer_bytes(&w);
}

// "dwld" reads no further than 2 MiB, so a longer result could be charged and never be fetched.
TEST(wire_6_2_a_result_that_could_not_be_fetched_is_not_charged)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"period\":10,\"rules\":[{\"per_period\":100000000}]}");
    assert_fails(host, padded(rig_payment(rig, 1000), PSBT_MAX), "Transaction is too complex");
    assert_status(host, "has_spent", "absent");
    assert_status(host, "approvals", "0");
    assert_signs(host, padded(rig_payment(rig, 1000), PSBT_MAX - 144));
    assert_status(host, "has_spent", "[1000]");
}

// --- Visualisation ---

TEST(policy_24_41_wire_70_psbt_signing_27_89_visualisation_consumes_nothing)
{
    WITH_RIG(rig, host);
    rig_add_users(host);
    rig_activate(host, "{\"period\":5,\"rules\":[{\"users\":[\"alice\"],\"local_conf\":true,"
                       "\"per_period\":5000}]}");
    const struct bytes psbt = rig_payment(rig, 5000);
    char code[7];
    assert_int_equal(rig_sign_text(host, "hello", "m").result, RIG_REFUSED); // leaves a text
    rig_local_code(host, psbt, code);
    rig_keys(rig, code);
    rig_alice(host, 57000000);
    struct hsm before = *rig->device.hsm;
    const struct rig_outcome story = rig_sign(host, psbt, STXN_VISUALIZE);
    assert_int_equal(story.result, RIG_SIGNED);
    assert_bytes_text(story.data, "Sending 0.00005000 XTN\nNetwork fee 0.00001000 XTN\n\n 1 input\n"
                                  " 2 outputs\n\n0.00005000 XTN\n - to address -\n " RIG_STRANGER
                                  "\n\nChange back:\n0.09994000 XTN\n - to address -\n "
                                  "tb1qhvr7drg3mlxp03l97ecz5tzvczve6rsmsvf99e\n\n");
    before.dry_run = rig->device.hsm->dry_run; // but it tells what would come of it
    before.dry_run_peer = rig->device.hsm->dry_run_peer;
    assert_memory_equal(&before, rig->device.hsm, sizeof before);
    assert_status(host, "last_refusal", "\"Message signing not permitted\"");
    assert_status(host, "refusals", "1");
    assert_status(host, "approvals", "0");
    struct stat st;
    assert_int_equal(fstatat(store_dir_fd(rig->store), "card/psbt", &st, 0), -1);
    assert_signs(host, psbt);
}

// Wire 58: the signature line is by the master key over the bytes before it.
static void expect_story_signature(struct device_rig *rig, struct bytes text)
{
    const char *all = arena_text(test_arena(), text);
    const char *line = strrchr(arena_text(test_arena(), bytes_slice(text, 0, text.len - 1)), '\n');
    assert_non_null(line);
    const size_t len = strlen(line + 1);
    const struct bytes story = bytes_slice(text, 0, text.len - 1 - len);
    assert_int_equal(all[text.len - 1], '\n');
    const struct bytes signature = test_base64(bytes_of(line + 1, len));
    assert_int_equal(signature.len, MESSAGE_SIGNATURE_LEN);
    uint8_t expected[MESSAGE_SIGNATURE_LEN];
    struct err err;
    assert_true(message_sign(expected, &rig->master.key, ADDR_P2PKH, story, &err));
    assert_bytes_equal(signature, BYTES_OF(expected));
}

TEST(policy_21_d22_signed_visualisation_obeys_msg_paths)
{
    static const struct {
        const char *policy;
        bool allowed;
    } cases[] = {
        { "{\"rules\":[{}]}", false },
        { "{\"rules\":[{}],\"msg_paths\":[\"m/1\"]}", false },
        { "{\"rules\":[{}],\"msg_paths\":[\"m/*\"]}", false },
        { "{\"rules\":[{}],\"msg_paths\":[\"m\"]}", true },
        { "{\"rules\":[{}],\"msg_paths\":[\"any\"]}", true },
    };
    for (size_t i = 0; i < COUNT(cases) + 1; i++) {
        AUTO(device_rig_freep) struct device_rig *rig = device_rig_prepare(test_dir());
        const bool is_free = i == COUNT(cases); // [EXT] signed_viz_free restores the old behaviour
        rig->config.signed_viz_free = is_free;
        device_rig_start(rig);
        if (i > 0)
            rig_keys(rig, "x");
        struct rig_host *host = rig_host_linked(rig);
        rig_activate(host, cases[is_free ? 0 : i].policy);
        const struct bytes psbt = rig_payment(rig, 1000);
        const struct reply reply = rig_stxn(host, psbt, STXN_VISUALIZE | STXN_SIGNED);
        if (!is_free && !cases[i].allowed) {
            assert_error(reply, "Not allowed in HSM mode"); // at once
            assert_error(rig_ask(host, REQUEST_STOK), "No active request");
        } else {
            assert_okay(reply);
            expect_story_signature(rig, rig_fetch(host).data);
        }
        assert_status(host, "refusals", "0"); // uncounted
        assert_status(host, "approvals", "0");
        // Unsigned visualisation stays free, and the flag without VISUALIZE has no effect.
        assert_int_equal(rig_sign(host, psbt, STXN_VISUALIZE).result, RIG_SIGNED);
        assert_int_equal(rig_sign(host, psbt, STXN_SIGNED).result, RIG_SIGNED);
        // After A1: a wrong hash is found first.
        struct request stxn = { .id = REQUEST_STXN,
                                .stxn = { .length = (uint32_t)psbt.len,
                                          .flags = STXN_VISUALIZE | STXN_SIGNED } };
        assert_error(rig_call(host, &stxn), "Checksum");
    }
}

TEST(wire_56_flags)
{
    static const struct {
        uint32_t flags;
        enum { PSBT, TRANSACTION, TEXT, SIGNED_TEXT } result;
    } cases[] = {
        { 0, PSBT },          { 4, PSBT },
        { 1, TRANSACTION },   { 5, TRANSACTION },
        { 2, TEXT },          { 3, TEXT },
        { 6, SIGNED_TEXT },   { 7, SIGNED_TEXT },
        { 0xfffffff8, PSBT }, { 0xfffffff9, TRANSACTION },
    };
    WITH_RIG(rig, host);
    rig_activate(host, "{\"rules\":[{}],\"msg_paths\":[\"m\"]}");
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct bytes psbt = rig_payment(rig, 1000);
        const struct rig_outcome got = rig_sign(host, psbt, cases[i].flags);
        assert_int_equal(got.result, RIG_SIGNED);
        const bool is_psbt = bytes_starts_with(got.data, BYTES("psbt\xff"));
        const bool is_text = bytes_starts_with(got.data, BYTES("Sending "));
        const bool is_tx = bytes_starts_with(got.data, BYTES("\2\0\0\0\0\1\1")); // a witness
        assert_int_equal(is_psbt, cases[i].result == PSBT);
        assert_int_equal(is_tx, cases[i].result == TRANSACTION);
        assert_int_equal(is_text, cases[i].result == TEXT || cases[i].result == SIGNED_TEXT);
        if (cases[i].result == SIGNED_TEXT)
            expect_story_signature(rig, got.data);
    }
}

// --- What is remembered of amounts: psbt-signing.md 17 ---

// The same coin as rig_maker's, told with another amount.
static struct bytes lie(struct device_rig *rig, uint32_t salt, uint64_t sats)
{
    struct psbt_maker *maker = rig_maker(rig, 1000);
    maker->salt = salt;
    const struct bytes honest = rig_make(rig, maker);
    // The witness UTXO field: 01 01, compact size 31, amount, script.
    uint8_t *psbt = arena_alloc(test_arena(), honest.len);
    memcpy(psbt, honest.ptr, honest.len);
    static const uint8_t amount[] = { 0x80, 0x96, 0x98, 0, 0, 0, 0, 0 };
    uint8_t *at = memmem(psbt, honest.len, amount, sizeof amount);
    assert_non_null(at);
    for (size_t i = 0; i < 8; i++)
        at[i] = (uint8_t)(sats >> 8 * i);
    return bytes_of(psbt, honest.len);
}

#define EXPECTED_LIE "Input#0: Expected 0.1 but PSBT claims 0.101 XTN"

TEST(psbt_signing_27_111_114_an_amount_lie_after_a_signature)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"rules\":[{\"max_amount\":1000}],\"warnings_ok\":true}");
    struct psbt_maker *maker = rig_maker(rig, 2000);
    maker->salt = 77;
    // "So a host cannot poison the memory with visualisations or refused requests."
    const struct bytes poison = lie(rig, 77, 9999999);
    assert_int_equal(rig_sign(host, poison, STXN_VISUALIZE).result, RIG_SIGNED);
    assert_refuses(host, rig_make(rig, maker), "Rejected: rule #1: amount exceeded");
    assert_int_equal(rig_user(host, "zed", BYTES("000000"), 0).id, REPLY_ASCI);
    assert_refuses(host, poison, "User 'zed' gave wrong auth value: unknown user");
    assert_signs(host, lie(rig, 77, 10000000));
    assert_fails(host, lie(rig, 77, 10100000), EXPECTED_LIE);
    // It outlives the process.
    device_rig_restart(rig);
    rig_keys(rig, "y");
    host = rig_host_linked(rig);
    assert_fails(host, lie(rig, 77, 10100000), EXPECTED_LIE);
    assert_signs(host, lie(rig, 77, 10000000));
    // Also the change that was signed for: it is spent next.
    const struct bytes first = lie(rig, 78, 10000000);
    assert_signs(host, first);
}

// Two coins of ours. `lied`: the second is told with a satoshi less, and as signed already.
static struct bytes two_coins(struct device_rig *rig, bool lied)
{
    static const uint8_t amount[] = { 0x40, 0x4b, 0x4c, 0, 0, 0, 0, 0 }; // 5,000,000
    struct psbt_maker *maker = rig_maker(rig, 1000);
    struct psbt psbt;
    struct err err;
    maker->salt = 79;
    maker->in[maker->n_in++] =
        (struct maker_input){ rig_path("m/84h/1h/0h/0/1"), { 5000000 }, false };
    maker->out[1].amount.n += 5000000;
    const struct bytes honest = rig_make(rig, maker);
    if (!lied)
        return honest;
    assert_true(psbt_parse(&psbt, honest, test_arena(), &err));
    struct psbt_map *map = &psbt.in[1];
    struct psbt_field *fields = arena_array(test_arena(), map->n_fields + 1, sizeof *fields);
    memcpy(fields, map->fields, map->n_fields * sizeof *fields);
    const struct psbt_field *path = psbt_next(map, PSBT_IN_KEY_PATH, NULL);
    uint8_t *key = arena_alloc(test_arena(), path->key.len);
    memcpy(key, path->key.ptr, path->key.len);
    key[0] = PSBT_IN_PARTIAL_SIG;
    fields[map->n_fields++] =
        (struct psbt_field){ .key = bytes_of(key, path->key.len), .value = BYTES("123456789") };
    map->fields = fields;
    struct writer w = writer_growing(test_arena(), 100000);
    psbt_write(&w, &psbt);
    uint8_t *at = memmem(w.ptr, w.len, amount, sizeof amount);
    assert_non_null(at);
    at[0]--;
    return writer_bytes(&w);
}

// What is not signed proves nothing: a host could make a coin of ours unspendable by a lie about it,
// or push the truth about others out of the memory.
TEST(psbt_17_amounts_of_inputs_that_are_not_signed)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"rules\":[{\"max_amount\":1000}],\"warnings_ok\":true}");
    assert_signs(host, two_coins(rig, true));
    assert_signs(host, two_coins(rig, false));
}

// The same where a person decides.
TEST(psbt_17_an_amount_lie_after_a_signature_in_normal_mode)
{
    WITH_RIG(rig, host);
    assert_int_equal(rig_sign(host, lie(rig, 77, 10000000), 0).result, RIG_WAITING);
    rig_keys(rig, "x"); // no signature, nothing remembered
    assert_int_equal(rig_sign(host, lie(rig, 77, 10100000), 0).result, RIG_WAITING);
    rig_keys(rig, "x");
    assert_int_equal(rig_sign(host, lie(rig, 77, 10000000), 0).result, RIG_WAITING);
    rig_keys(rig, "y");
    assert_int_equal(rig_fetch(host).result, RIG_SIGNED);
    const struct rig_outcome lied = rig_sign(host, lie(rig, 77, 10100000), 0);
    assert_int_equal(lied.result, RIG_FAILED);
    assert_bytes_text(lied.data, EXPECTED_LIE);
}
