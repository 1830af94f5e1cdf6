#include "coordinator/wallet.h"
#include "tests/support/ms_rig.h"
#include <pthread.h>

// wsh(sortedmulti(2, cosigners 0 to 2)) of ms_rig.h.
static struct wallet_text usual(void)
{
    return (struct wallet_text){
        .name = BYTES("treasury"),
        .network = BYTES("regtest"),
        .desc_receive = ms_rig_descriptor("sortedmulti", 2, 3, "/0/*"),
        .desc_change = ms_rig_descriptor("sortedmulti", 2, 3, "/1/*"),
    };
}

static struct wallet *made(const struct wallet_text *text)
{
    struct wallet *wallet;
    struct err err;
    if (!wallet_new(&wallet, text, &err))
        fail_msg("%s", err.text);
    return wallet;
}

static struct bytes script_at(const struct wallet *wallet, enum ms_branch branch, uint32_t index)
{
    struct writer w = writer_growing(test_arena(), 64);
    struct err err;
    assert_true(wallet_output_script(&w, wallet, (struct wallet_place){ branch, index }, &err));
    return writer_bytes(&w);
}

static struct bytes address_at(const struct wallet *wallet, enum ms_branch branch, uint32_t index)
{
    struct writer w = writer_growing(test_arena(), 128);
    struct err err;
    assert_true(wallet_address(&w, wallet, (struct wallet_place){ branch, index }, &err));
    return writer_bytes(&w);
}

static struct bytes wrapped(struct bytes wsh)
{
    struct writer w = writer_growing(test_arena(), 4096);
    writer_text(&w, "sh(");
    writer_put(&w, wsh);
    writer_text(&w, ")");
    return writer_bytes(&w);
}

TEST(coordinator_A2_each_network_has_its_address_form)
{
    static const struct {
        const char *network, *wsh, *sh;
    } cases[] = {
        { "test", "tb1q", "2" },
        { "testnet4", "tb1q", "2" },
        { "signet", "tb1q", "2" },
        { "regtest", "bcrt1q", "2" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct wallet_text text = usual();
        text.network = bytes_of_text(cases[i].network);
        AUTO(wallet_freep) struct wallet *wsh = made(&text);
        assert_true(bytes_starts_with(address_at(wsh, MS_RECEIVE, 0), bytes_of_text(cases[i].wsh)));
        assert_string_equal(wallet_network(wsh), cases[i].network);
        text.desc_receive = wrapped(text.desc_receive);
        text.desc_change = wrapped(text.desc_change);
        AUTO(wallet_freep) struct wallet *sh = made(&text);
        assert_true(bytes_starts_with(address_at(sh, MS_RECEIVE, 0), bytes_of_text(cases[i].sh)));
        assert_int_equal(script_at(sh, MS_CHANGE, 7).len, 23);
    }
}

TEST(coordinator_D1_addresses_and_scripts_are_one)
{
    const struct wallet_text text = usual();
    AUTO(wallet_freep) struct wallet *wallet = made(&text);
    for (uint32_t i = 0; i < 50; i++)
        for (enum ms_branch branch = 0; branch < MS_BRANCHES; branch++) {
            uint8_t mem[64];
            struct writer w = writer_of(mem, sizeof mem);
            struct err err;
            assert_true(
                address_to_script(&w, address_at(wallet, branch, i), wallet_chain(wallet), &err));
            assert_bytes_equal(writer_bytes(&w), script_at(wallet, branch, i));
        }
}

TEST(coordinator_D1_own_scripts_up_to_the_gap_and_no_others)
{
    const struct wallet_text text = usual();
    AUTO(wallet_freep) struct wallet *wallet = made(&text);
    struct wallet_place place;
    static const uint32_t known[] = { 0, 1, 500, WALLET_GAP - 1 };
    for (size_t i = 0; i < COUNT(known); i++)
        for (enum ms_branch branch = 0; branch < MS_BRANCHES; branch++) {
            assert_true(wallet_owns(wallet, script_at(wallet, branch, known[i]), &place));
            assert_int_equal(place.branch, branch);
            assert_int_equal(place.index, known[i]);
        }
    assert_false(wallet_owns(wallet, script_at(wallet, MS_CHANGE, WALLET_GAP), &place));
    // Extended on use, of that branch alone.
    wallet_note_used(wallet, (struct wallet_place){ MS_CHANGE, 3 });
    assert_true(wallet_owns(wallet, script_at(wallet, MS_CHANGE, WALLET_GAP + 3), &place));
    assert_false(wallet_owns(wallet, script_at(wallet, MS_CHANGE, WALLET_GAP + 4), &place));
    assert_false(wallet_owns(wallet, script_at(wallet, MS_RECEIVE, WALLET_GAP), &place));
    assert_int_equal(wallet_known(wallet, MS_RECEIVE), WALLET_GAP);
    wallet_note_used(wallet, (struct wallet_place){ MS_CHANGE, 1 }); // never less
    assert_int_equal(wallet_known(wallet, MS_CHANGE), WALLET_GAP + 4);
    // A flipped bit, a cut and a longer script are somebody else's.
    uint8_t mem[35] = { 0 };
    const struct bytes own = script_at(wallet, MS_RECEIVE, 9);
    memcpy(mem, own.ptr, own.len);
    assert_false(wallet_owns(wallet, bytes_of(mem, 33), &place));
    assert_false(wallet_owns(wallet, bytes_of(mem, 35), &place));
    assert_false(wallet_owns(wallet, (struct bytes){ 0 }, &place));
    mem[33] ^= 1;
    assert_false(wallet_owns(wallet, bytes_of(mem, 34), &place));
}

// Spellings of descriptors that mean the same: ' for h, a checksum, another order of keys, "<0;1>".
TEST(coordinator_D1_spellings_of_one_pair_are_one_wallet)
{
    struct wallet_text text = usual();
    AUTO(wallet_freep) struct wallet *wallet = made(&text);
    text.desc_receive = wallet_descriptor(wallet, MS_RECEIVE);
    text.desc_change = wallet_descriptor(wallet, MS_CHANGE);
    AUTO(wallet_freep) struct wallet *again = made(&text);
    text.desc_receive = ms_rig_descriptor("sortedmulti", 2, 3, "/<0;1>/*");
    text.desc_change = (struct bytes){ 0 };
    AUTO(wallet_freep) struct wallet *pair = made(&text);
    for (enum ms_branch branch = 0; branch < MS_BRANCHES; branch++) {
        assert_bytes_equal(script_at(again, branch, 5), script_at(wallet, branch, 5));
        assert_bytes_equal(script_at(pair, branch, 5), script_at(wallet, branch, 5));
        assert_bytes_equal(wallet_descriptor(pair, branch), wallet_descriptor(wallet, branch));
    }
    assert_true(wallet_owns(pair, script_at(wallet, MS_CHANGE, 5), &(struct wallet_place){ 0 }));
}

static struct bytes replaced(struct bytes text, const char *old, const char *new)
{
    const uint8_t *at = memmem(text.ptr, text.len, old, strlen(old));
    struct writer w = writer_growing(test_arena(), 8192);
    assert_non_null(at);
    const size_t start = (size_t)(at - text.ptr);
    writer_put(&w, bytes_slice(text, 0, start));
    writer_text(&w, new);
    writer_put(&w, bytes_slice(text, start + strlen(old), SIZE_MAX));
    return writer_bytes(&w);
}

#define refuses(text, why) expect_refusal((text), (why), __LINE__)
static void expect_refusal(const struct wallet_text *text, const char *why, int line)
{
    struct wallet *wallet = NULL;
    struct err err;
    char expected[256];
    (void)snprintf(expected, sizeof expected, "wallet treasury: %s", why);
    if (wallet_new(&wallet, text, &err) || strcmp(err.text, expected) != 0 ||
        code_of(&err) != CODE_BAD_REQUEST)
        fail_msg("line %d: %s", line, wallet != NULL ? "accepted" : err.text);
}

TEST(coordinator_D1_what_is_no_pair_of_one_wallet_is_refused)
{
    struct wallet_text text = usual();
    const struct wallet_text good = text;
    text.network = BYTES("mainnet");
    refuses(&text, "the network is not main, test, testnet4, signet or regtest");
    text.network = BYTES("main");
    refuses(&text, "wrong chain"); // a tpub
    text = good;
    text.desc_change = good.desc_receive;
    refuses(&text, "the change descriptor's keys do not end in /1/*");
    text.desc_receive = good.desc_change;
    refuses(&text, "Invalid subderivation path - only 0/* or <0;1>/* allowed");
    text = good;
    text.desc_change = (struct bytes){ 0 };
    refuses(&text, "there is no change descriptor");
    text.desc_change = ms_rig_descriptor("sortedmulti", 3, 3, "/1/*");
    refuses(&text, "receive and change descriptor are not of one form");
    text.desc_change = wrapped(good.desc_change);
    refuses(&text, "receive and change descriptor are not of one form");
    text.desc_change = ms_rig_descriptor("sortedmulti", 2, 2, "/1/*");
    refuses(&text, "receive and change descriptor are not of one form");
    text.desc_change =
        replaced(good.desc_change, ms_rig_xpub(1, MS_RIG_PATH), ms_rig_xpub(2, MS_RIG_PATH));
    refuses(&text, "the change descriptor has other keys than the receive descriptor");
    text.desc_change = replaced(good.desc_change, "/48h/", "/49h/");
    refuses(&text, "the change descriptor has other keys than the receive descriptor");
    text.desc_change = replaced(good.desc_change, "/1/*", "/1/*h");
    refuses(&text, "the change descriptor's keys do not end in /1/*");
    text = good;
    text.desc_receive = ms_rig_descriptor("sortedmulti", 2, 3, "/<0;1>/*");
    refuses(&text, "the receive descriptor's keys do not end in /0/*");
    text.desc_receive = ms_rig_descriptor("multi", 2, 3, "/0/*");
    text.desc_change = ms_rig_descriptor("multi", 2, 3, "/1/*");
    refuses(&text, "only wsh(sortedmulti()) and sh(wsh(sortedmulti())) are supported");
    text = good;
    text.registered_name = "a name of twenty-one!";
    refuses(&text, "the name on the devices is not 1 to 20 printable characters");
    text.registered_name = "";
    refuses(&text, "the name on the devices is not 1 to 20 printable characters");
    text = good;
    text.desc_receive = ms_rig_descriptor("sortedmulti", 1, 1, "/0/*");
    text.desc_change = ms_rig_descriptor("sortedmulti", 1, 1, "/1/*");
    refuses(&text, "a wallet has two keys or more");
    text = good;
    text.desc_receive = ms_rig_text("Policy: 2 of 3\nFormat: P2WSH\n", 3); // no descriptor
    struct wallet *wallet = NULL;
    struct err err;
    assert_false(wallet_new(&wallet, &text, &err));
}

// --- Outflow ---

TEST(inv_37_own_receive_and_change_outputs_are_never_outflow)
{
    const struct wallet_text text = usual();
    AUTO(wallet_freep) struct wallet *wallet = made(&text);
    struct tx_out outs[] = {
        { 1000, BYTES("\x00\x14paid to nobody here") },
        { 20000, script_at(wallet, MS_RECEIVE, 3) },
        { 300000, script_at(wallet, MS_CHANGE, WALLET_GAP - 1) },
        { 4000000, script_at(wallet, MS_CHANGE, WALLET_GAP + 10) }, // known since the one before
        { 0, BYTES("\x6a\x01x") },
        { 546, BYTES("") },
    };
    const struct tx tx = { .n_out = COUNT(outs), .out = outs };
    struct sats outflow;
    assert_true(wallet_outflow(wallet, &tx, &outflow));
    assert_int_equal(outflow.n, 1546);
    outs[0].value = -1;
    assert_false(wallet_outflow(wallet, &tx, &outflow));
    outs[0].value = (int64_t)SATS_MAX;
    assert_false(wallet_outflow(wallet, &tx, &outflow)); // with 546 more
}

// What registers it on a device is what the device reads as this wallet.
TEST(coordinator_A2_registration_text_is_read_as_the_same_wallet)
{
    struct wallet_text text = usual();
    text.network = BYTES("test");
    text.registered_name = "cold";
    AUTO(wallet_freep) struct wallet *wallet = made(&text);
    struct writer w = writer_growing(test_arena(), MS_EXPORT_MAX);
    struct err err;
    assert_true(wallet_registration(&w, wallet, &err));
    const struct ms_register device = ms_rig();
    const struct ms_wallet *read = ms_rig_wallet(&device, writer_bytes(&w));
    assert_wallets_equal(read, wallet_keys(wallet));
    assert_string_equal(read->name, "cold");
}

TEST(coordinator_D1_a_long_name_is_cut_for_devices)
{
    struct wallet_text text = usual();
    text.name = BYTES("the treasury of the northern branch");
    AUTO(wallet_freep) struct wallet *wallet = made(&text);
    assert_string_equal(wallet_name(wallet), "the treasury of the northern branch");
    assert_string_equal(wallet_keys(wallet)->name, "the treasury of the ");
}

TEST(coordinator_D1_up_to_15_of_15)
{
    struct wallet_text text = usual();
    text.desc_receive = ms_rig_descriptor("sortedmulti", 15, 15, "/0/*");
    text.desc_change = ms_rig_descriptor("sortedmulti", 15, 15, "/1/*");
    AUTO(wallet_freep) struct wallet *wallet = made(&text);
    assert_int_equal(wallet_keys(wallet)->n, 15);
    text.desc_receive = ms_rig_descriptor("sortedmulti", 15, 16, "/0/*");
    text.desc_change = ms_rig_descriptor("sortedmulti", 15, 16, "/1/*");
    struct wallet *none = NULL;
    struct err err;
    assert_false(wallet_new(&none, &text, &err));
}

// "Any thread": the API, workers and reconcilers ask while one of them learns of a use.
static void *asks_and_notes(void *context)
{
    const struct wallet *wallet = context;
    for (uint32_t i = 0; i < 50; i++) {
        uint8_t mem[64];
        struct writer w = writer_of(mem, sizeof mem);
        struct wallet_place place = { MS_RECEIVE, i }, found = { MS_CHANGE, 0 };
        struct err err;
        if (!wallet_output_script(&w, wallet, place, &err) ||
            !wallet_owns(wallet, writer_bytes(&w), &found) || found.index != i)
            return context;
        wallet_note_used(wallet, found);
    }
    return NULL;
}

TEST(coordinator_D1_several_threads_ask_one_wallet)
{
    const struct wallet_text text = usual();
    AUTO(wallet_freep) struct wallet *wallet = made(&text);
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, asks_and_notes, wallet), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(wallet_known(wallet, MS_RECEIVE), WALLET_GAP + 50);
}

// What was derived before says the same as deriving it, and a thread that comes meanwhile does without.
TEST(coordinator_D6_derived_keys_are_for_one_thread_at_a_time)
{
    const struct wallet_text text = usual();
    AUTO(wallet_freep) struct wallet *wallet = made(&text);
    struct keytable *derived = wallet_take_derived(wallet);
    assert_non_null(derived);
    assert_null(wallet_take_derived(wallet));
    wallet_give_derived(wallet, NULL); // of who did without: it stays taken
    assert_null(wallet_take_derived(wallet));
    for (size_t round = 0; round < 2; round++)
        for (uint32_t index = 0; index < 3; index++) {
            struct pubkey known[MS_KEYS_MAX], keys[MS_KEYS_MAX];
            struct err err;
            assert_true(
                ms_wallet_pubkeys(known, wallet_keys(wallet), MS_CHANGE, index, derived, &err));
            assert_true(ms_wallet_pubkeys(keys, wallet_keys(wallet), MS_CHANGE, index, NULL, &err));
            assert_memory_equal(known, keys, 3 * sizeof keys[0]);
        }
    wallet_give_derived(wallet, derived);
    assert_ptr_equal(wallet_take_derived(wallet), derived);
    wallet_give_derived(wallet, derived);
}
