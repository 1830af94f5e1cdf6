#include "signer/device.h"
#include "signer/master.h"
#include "tests/support/device_checks.h"

static struct device_rig *locked_rig(void)
{
    struct device_rig *rig = device_rig_prepare(test_dir());
    rig->asks_pin = true;
    device_rig_start(rig);
    return rig;
}

// Everything that knows a secret or belongs to a host.
static void expect_nothing_left(const struct device_rig *rig)
{
    const struct device *d = &rig->device;
    assert_null(d->container);
    assert_null(d->master);
    assert_null(d->users);
    assert_false(d->has_seed);
    assert_null(d->hsm);
    assert_int_equal(d->job.kind, JOB_NONE);
    assert_null(d->job.psbt.ptr);
    assert_null(d->job.result.ptr);
    for (size_t i = 0; i < PEERS_MAX; i++)
        assert_null(d->peers.items[i]);
    assert_null(device_open_master(d));
    assert_false(store_is_unlocked(rig->store));
    assert_false(rig->wire_is_open);
    assert_false(d->bound);
    for (size_t i = 0; i < sizeof d->master_pub; i++)
        assert_int_equal(((const uint8_t *)&d->master_pub)[i], 0);
}

// --- The PIN ---

TEST(wire_15_7_no_wire_before_the_pin)
{
    struct err err;
    AUTO(device_rig_freep) struct device_rig *rig = locked_rig();
    expect_nothing_left(rig);
    assert_screen(rig, "Locked", "Enter the PIN.");
    assert_int_equal(rig_screen(rig).ask, PANEL_ASK_TEXT);
    assert_int_equal(rig_screen(rig).state, PANEL_LOCKED);
    rig_keys(rig, "123456y");
    assert_true(rig_text(rig, BYTES("wrong one"), &err)); // taken; the screen says the rest
    assert_screen(rig, "Locked", "wrong PIN\n\nEnter the PIN.");
    expect_nothing_left(rig);
    // "After the n-th wrong one in a row: a pause of 2^(n-1) s"
    assert_true(rig_text(rig, RIG_PIN, &err));
    assert_screen(rig, "Locked", "wait 1 s\n\nEnter the PIN.");
    rig_pass(rig, 1000);
    assert_true(rig_text(rig, RIG_PIN, &err));
    assert_int_equal(rig->device.state, DEVICE_NORMAL);
    assert_true(rig->wire_is_open);
    assert_false(rig_text(rig, RIG_PIN, &err));
    assert_err(&err, ERR_STATE, "nothing is being asked for");
}

TEST(pin_tries_destroy_the_keys)
{
    struct err err;
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_prepare(test_dir());
    rig->asks_pin = true;
    rig->config.pin_tries = 3;
    device_rig_start(rig);
    for (int i = 0; i < 3; i++) {
        rig_pass(rig, 10000);
        assert_true(rig_text(rig, BYTES("wrong one"), &err));
    }
    assert_screen(rig, "Locked",
                  "the keys were destroyed after too many wrong PINs\n\nThe keys were destroyed.");
    rig_pass(rig, 3600000);
    assert_true(rig_text(rig, RIG_PIN, &err));
    expect_nothing_left(rig);
    device_rig_restart(rig);
    assert_screen(rig, "Locked", "The keys were destroyed.");
}

// --- Locking ---

static struct reply ask(struct rig_host *host, const char *code)
{
    return rig_message(host, bytes_of_text(code), false);
}

TEST(a_lock_leaves_nothing_behind)
{
    struct err err;
    WITH_RIG(rig, host);
    rig->asks_pin = true;
    rig_add_users(host);
    // In the middle of everything: an upload, a result, a question, a bound link.
    assert_int_equal(rig_sign(host, rig_payment(rig, 1000), STXN_VISUALIZE).result, RIG_SIGNED);
    rig_upload(host, BYTES("half an upload"));
    assert_int_equal(rig_sign(host, rig_payment(rig, 1000), 0).result, RIG_WAITING);
    assert_int_equal(rig_ncry(host, LINK_V2).id, REPLY_MYPB);
    device_lock(&rig->device);
    expect_nothing_left(rig);
    assert_screen(rig, "Locked", "Enter the PIN.");
    rig_run(rig);
    assert_true(rig_text(rig, RIG_PIN, &err));
    assert_error(rig_ask(rig_host_linked(rig), REQUEST_STOK), "No active request");

    // In HSM mode, with a request that waits for its turn.
    host = rig_host_linked(rig);
    rig_activate(host, "{\"rules\":[{}]}");
    rig_alice(host, 57000000);
    assert_okay(rig_stxn(host, rig_payment(rig, 1000), 0));
    device_lock(&rig->device);
    expect_nothing_left(rig);
    rig_run(rig);
    expect_nothing_left(rig);
    // A secret that was on the screen is not kept for panels.
    assert_true(rig_text(rig, RIG_PIN, &err));
    rig_keys(rig, "x");
    host = rig_host_linked(rig);
    assert_asci(rig_nwur(host, 0x81, BYTES("dave"), BYTES("")), "");
    assert_non_null(strstr(arena_text(test_arena(), rig_screen(rig).text), "secret="));
    device_lock(&rig->device);
    assert_null(rig->device.panel_text.ptr);
    rig->device.state = DEVICE_LOCKED;
}

TEST(wire_8_1_logo_ends_it_after_the_reply)
{
    for (int hsm = 0; hsm < 2; hsm++) {
        AUTO(device_rig_freep) struct device_rig *rig = device_rig_new(test_dir());
        struct rig_host *host = rig_host_linked(rig);
        if (hsm)
            rig_activate(host, "{\"rules\":[{}]}");
        assert_okay(rig_ask(host, REQUEST_LOGO));
        rig_pass(rig, 499);
        assert_asci(ask(host, "blkc"), "XTN");
        rig_pass(rig, 1);
        assert_true(rig->has_stopped);
        assert_int_equal(rig->device.state, DEVICE_STOPPED);
        expect_nothing_left(rig);
    }
}

TEST(wire_8_1_rebo_locks_it)
{
    struct err err;
    AUTO(device_rig_freep) struct device_rig *rig = locked_rig();
    assert_true(rig_text(rig, RIG_PIN, &err));
    assert_okay(rig_ask(rig_host_linked(rig), REQUEST_REBO));
    rig_pass(rig, 499);
    assert_int_equal(rig->device.state, DEVICE_NORMAL);
    rig_pass(rig, 1);
    assert_int_equal(rig->device.state, DEVICE_LOCKED);
    assert_false(rig->has_stopped);
    expect_nothing_left(rig);
    assert_true(rig_text(rig, RIG_PIN, &err));
    assert_int_equal(rig->device.state, DEVICE_NORMAL);
    // Where it unlocks by itself it is back at once, with the stored policy's offer.
    rig->asks_pin = false;
    rig_activate(rig_host_linked(rig), "{\"boot_to_hsm\":\"123456\"}");
    rig_keys(rig, "123456");
    assert_okay(rig_ask(rig_host_linked(rig), REQUEST_REBO));
    rig_pass(rig, 500);
    assert_int_equal(rig->device.state, DEVICE_HSM);
}

// What ends the process may not be turned into a restart by a host that asked for one before.
TEST(an_end_goes_before_a_restart)
{
    WITH_RIG(rig, host);
    assert_okay(rig_ask(host, REQUEST_REBO));
    device_stop_in(&rig->device, 0, false);
    rig_run(rig);
    assert_true(rig->has_stopped);

    device_rig_restart(rig);
    host = rig_host_linked(rig);
    assert_okay(rig_ask(host, REQUEST_LOGO));
    assert_okay(rig_ask(host, REQUEST_REBO));
    rig_pass(rig, 500);
    assert_true(rig->has_stopped);
}

// --- Idling: design.md, wire-protocol.md 5.1 ---

TEST(wire_5_1_idling_locks_it)
{
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_prepare(test_dir());
    rig->config.idle_min = 2;
    device_rig_start(rig);
    rig->asks_pin = true;
    struct rig_host *host = rig_host_linked(rig);
    for (int i = 0; i < 10; i++) {
        rig_pass(rig, 100000);
        assert_asci(ask(host, "blkc"), "XTN"); // each request counts
    }
    for (int i = 0; i < 10; i++) {
        rig_pass(rig, 100000);
        rig_keys(rig, "x"); // and each key: a person is there
    }
    rig_pass(rig, 119000);
    assert_int_equal(rig->device.state, DEVICE_NORMAL);
    rig_pass(rig, 6000); // "checked every 5 s"
    assert_int_equal(rig->device.state, DEVICE_LOCKED);
    expect_nothing_left(rig);
}

TEST(policy_9_no_idling_in_hsm_mode_and_without_a_limit)
{
    WITH_RIG(rig, host); // idle_min 240
    rig_activate(host, "{\"boot_to_hsm\":\"123456\"}");
    rig->asks_pin = true; // a lock would last
    for (int i = 0; i < 100; i++)
        rig_pass(rig, INT64_C(3600000));
    assert_int_equal(rig->device.state, DEVICE_HSM);
    rig->asks_pin = false;
    device_rig_stop(rig);
    rig->config.idle_min = 0;
    device_rig_start(rig);
    rig_keys(rig, "123456");
    assert_int_equal(rig->device.state, DEVICE_NORMAL);
    rig->asks_pin = true;
    for (int i = 0; i < 100; i++)
        rig_pass(rig, INT64_C(3600000));
    assert_int_equal(rig->device.state, DEVICE_NORMAL);
}

// Back from HSM mode by the escape code, the idle time starts anew.
TEST(wire_5_1_idling_after_hsm_mode)
{
    WITH_RIG(rig, host);
    rig->asks_pin = true;
    rig_activate(host, "{\"boot_to_hsm\":\"123456\"}");
    rig_keys(rig, "123456");
    rig_pass(rig, INT64_C(239) * 60000);
    assert_int_equal(rig->device.state, DEVICE_NORMAL);
    rig_pass(rig, 65000);
    assert_int_equal(rig->device.state, DEVICE_LOCKED);
}

// --- A signer without a seed: wire-protocol.md 5.1, "Blank" ---

static void make_blank(void)
{
    struct store *store;
    struct err err;
    struct secret *nothing = master_of_nothing();
    assert_true(store_create(&store, test_dir(), &err));
    assert_true(vault_create(store, RIG_PIN, secret_open(nothing), vault_cost_weak(), &err));
    secret_close(nothing);
    secret_free(nothing);
    store_close(store);
}

TEST(wire_5_1_a_blank_signer)
{
    make_blank();
    AUTO(device_rig_freep) struct device_rig *rig = device_rig_new(test_dir());
    struct rig_host *host = rig_host_new(rig);
    const struct reply reply = rig_ncry(host, LINK_V1);
    assert_int_equal(reply.id, REPLY_MYPB);
    assert_int_equal(reply.mypb.xpub.len, 0);
    assert_bytes_equal(BYTES_OF(reply.mypb.xfp), test_hex("00000000"));
    assert_asci(ask(host, "blkc"), "XTN");
    assert_asci(rig_nwur(host, 1, BYTES("alice"), BYTES("0123456789")), "");
    assert_status(host, "users", "[\"alice\"]");
    static const char *const need_a_seed[] = { "xpubm", "mitm", "show\1\0\0\0m",
                                               "smsg\1\0\0\0\1\0\0\0\2\0\0\0mhi" };
    static const size_t lens[] = { 5, 4, 9, 19 };
    for (size_t i = 0; i < COUNT(need_a_seed); i++) {
        const struct reply answer = rig_message(host, bytes_of(need_a_seed[i], lens[i]), true);
        assert_int_equal(answer.id, REPLY_ERR_);
        assert_true(bytes_starts_with(answer.data, BYTES("Assertion")));
    }
    // No transaction is signed, shown or takes the process down.
    const uint32_t flags[] = { 0, STXN_VISUALIZE, STXN_VISUALIZE | STXN_SIGNED, STXN_FINALIZE };
    for (size_t i = 0; i < COUNT(flags); i++) {
        struct psbt_maker *maker = rig_maker(rig, 1000);
        const struct rig_outcome got = rig_sign(host, rig_make(rig, maker), flags[i]);
        assert_int_equal(got.result, RIG_FAILED);
        assert_true(got.data.len > 0 && bytes_is_printable_ascii(got.data));
    }
    assert_screen(rig, "Ready To Sign",
                  "Signer rig, Bitcoin Testnet 4\nNo seed\nHSM commands enabled\n");
}
