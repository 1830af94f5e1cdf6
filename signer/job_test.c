// Requests that take their time: wire-protocol.md 7, checklist items 43 to 50.
#include "signer/job.h"
#include "tests/support/device_checks.h"

static const enum request_id polls[] = { REQUEST_STOK, REQUEST_SMOK, REQUEST_BKOK, REQUEST_PWOK };

static void expect_nothing(struct rig_host *host)
{
    for (size_t i = 0; i < COUNT(polls); i++)
        assert_error(rig_ask(host, polls[i]), "No active request");
}

static void expect_waiting(struct rig_host *host)
{
    for (size_t i = 0; i < COUNT(polls); i++)
        assert_okay(rig_ask(host, polls[i]));
}

// What can be pending in normal mode; each puts a question or an address on the screen.
static void pend_transaction(struct rig_host *host)
{
    assert_okay(rig_stxn(host, rig_payment(host->rig, 1000), 0));
    rig_run(host->rig);
}

static void pend_message(struct rig_host *host)
{
    assert_okay(rig_smsg(host, "hello", "m", ADDR_P2PKH));
    rig_run(host->rig);
}

static void pend_address(struct rig_host *host)
{
    const struct reply reply =
        rig_call(host, &(struct request){ .id = REQUEST_SHOW, .show = { ADDR_P2PKH, BYTES("m") } });
    assert_asci(reply, "mgtNuuaT8RzRJDQjnzYiLbK3A4McGqEnad");
}

static void pend_policy(struct rig_host *host)
{
    assert_okay(rig_offer(host, "{}"));
}

TEST(wire_43_nothing_is_pending)
{
    WITH_RIG(rig, host);
    expect_nothing(host);
    rig_activate(host, "{}");
    assert_error(rig_ask(host, REQUEST_STOK), "No active request");
    assert_error(rig_ask(host, REQUEST_SMOK), "No active request");
}

TEST(wire_44_pending_then_refused_once)
{
    void (*const pend[])(struct rig_host *) = { pend_transaction, pend_message };
    WITH_RIG(rig, host);
    for (size_t i = 0; i < COUNT(pend); i++) {
        for (size_t p = 0; p < COUNT(polls); p++) {
            pend[i](host);
            expect_waiting(host);
            rig_keys(rig, "01234567890"); // no digit decides
            expect_waiting(host);
            rig_keys(rig, "x");
            assert_int_equal(rig_ask(host, polls[p]).id, REPLY_REFU);
            expect_nothing(host);
        }
    }
}

TEST(wire_15_45_50_a_result_is_delivered_once_and_to_its_own_poll)
{
    WITH_RIG(rig, host);
    pend_transaction(host);
    rig_keys(rig, "y");
    assert_error(rig_ask(host, REQUEST_SMOK), "No active request");
    assert_error(rig_ask(host, REQUEST_BKOK), "No active request");
    assert_error(rig_ask(host, REQUEST_PWOK), "No active request");
    assert_int_equal(rig_ask(host, REQUEST_STOK).id, REPLY_STRX);
    expect_nothing(host);
    pend_message(host);
    rig_keys(rig, "y");
    assert_error(rig_ask(host, REQUEST_STOK), "No active request");
    assert_error(rig_ask(host, REQUEST_PWOK), "No active request");
    const struct reply signed_message = rig_ask(host, REQUEST_SMOK);
    assert_int_equal(signed_message.id, REPLY_SMRX);
    assert_bytes_text(signed_message.smrx.address, "mgtNuuaT8RzRJDQjnzYiLbK3A4McGqEnad");
    expect_nothing(host);
}

TEST(wire_7_1_a_failure_is_told_once_and_whole)
{
    WITH_RIG(rig, host);
    struct psbt_maker *maker = rig_maker(rig, 1000);
    maker->out[1].amount.n = 8000000; // the fee is 20 %
    const struct bytes psbt = rig_make(rig, maker);
    assert_okay(rig_stxn(host, psbt, 0));
    rig_run(rig);
    const struct reply failed = rig_ask(host, REQUEST_SMOK); // whatever the poll
    assert_error(failed, "Network fee bigger than 10% of total amount (it is 25%).");
    expect_nothing(host);
}

// --- 7.3: who yields to whom ---

enum { OKAY, BUSY, REPLACES };

static struct reply start_transaction(struct rig_host *host, struct bytes psbt)
{
    return rig_call(
        host, &(struct request){ .id = REQUEST_STXN,
                                 .stxn = { .length = (uint32_t)psbt.len, .sha = sha256(psbt) } });
}

TEST(wire_15_46_47_who_yields_to_whom)
{
    static const struct {
        void (*pending)(struct rig_host *host);
        bool stxn_busy, smsg_busy, upld_busy;
    } cases[] = {
        { pend_transaction, false, true, false },
        { pend_message, true, true, true },
        { pend_address, true, true, true },
        { pend_policy, true, true, true },
    };
    WITH_RIG(rig, host);
    struct rig_host *other = rig_host_linked(rig); // one screen, so one request for all
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct bytes psbt = rig_payment(rig, 5000);
        rig_upload(other, psbt);
        cases[i].pending(host);
        const struct reply smsg = rig_smsg(other, "hello", "m", ADDR_P2PKH);
        assert_int_equal(smsg.id, cases[i].smsg_busy ? REPLY_BUSY : REPLY_OKAY);
        const struct reply stxn = start_transaction(other, psbt);
        assert_int_equal(stxn.id, cases[i].stxn_busy ? REPLY_BUSY : REPLY_OKAY);
        const struct reply upld = rig_upld(other, 0, 1, BYTES("x"));
        assert_int_equal(upld.id, cases[i].upld_busy ? REPLY_BUSY : REPLY_INT1);
        // A `busy` from upld forgets what was there (6.1).
        const struct hash256 hash = sha256(cases[i].upld_busy ? BYTES("") : BYTES("x"));
        assert_bytes_equal(rig_ask(other, REQUEST_SHA2).data, BYTES_OF(hash.b));
        rig_run(rig);
        rig_keys(rig, "x");
        (void)rig_ask(host, REQUEST_STOK);
        expect_nothing(host);
    }
}

TEST(wire_7_3_show_and_hsms_discard)
{
    void (*const pending[])(struct rig_host *) = { pend_transaction, pend_message, pend_address,
                                                   pend_policy };
    WITH_RIG(rig, host);
    struct rig_host *other = rig_host_linked(rig);
    for (size_t i = 0; i < COUNT(pending); i++) {
        pending[i](host);
        pend_address(other);
        assert_status(host, "approval_wait", "absent");
        expect_waiting(host); // the address, until a key dismisses it
        rig_keys(rig, "0");
        expect_waiting(host);
        rig_keys(rig, i % 2 == 0 ? "x" : "y");
        expect_nothing(host);

        rig_upload(other, BYTES("{}"));
        pending[i](host);
        assert_okay(rig_hsms(other, "{}"));
        assert_status(host, "approval_wait", "true");
        expect_waiting(host); // [D] 49: `okay`, and the question stays
        assert_bytes_text(rig_screen(rig).title, "Start HSM?");
        rig_keys(rig, "x");
        expect_nothing(host);
    }
}

TEST(wire_47_a_second_transaction_replaces_the_first)
{
    WITH_RIG(rig, host);
    pend_transaction(host);
    const struct bytes second = rig_payment(rig, 7777);
    assert_okay(rig_stxn(host, second, 0));
    rig_run(rig);
    assert_non_null(strstr(arena_text(test_arena(), rig_screen(rig).text), "0.00007777 XTN"));
    rig_keys(rig, "y");
    assert_int_equal(rig_fetch(host).result, RIG_SIGNED);
    expect_nothing(host);
}

// "or, as Casemate does, the accepted copy signed"
TEST(wire_48_psbt_signing_27_50_what_was_shown_is_what_is_signed)
{
    WITH_RIG(rig, host);
    const struct bytes first = rig_payment(rig, 1111), second = rig_payment(rig, 9999999 - 1000);
    const struct rig_outcome expected = rig_sign(host, first, STXN_FINALIZE);
    assert_int_equal(expected.result, RIG_WAITING);
    rig_upload(host, second);
    rig_keys(rig, "y");
    const struct rig_outcome got = rig_fetch(host);
    assert_int_equal(got.result, RIG_SIGNED);
    // The amount of the payment stands in the transaction, little-endian.
    assert_non_null(memmem(got.data.ptr, got.data.len, "\x57\x04\0\0\0\0\0\0", 8));
}

// It survives disconnects and belongs to no connection: somebody else may fetch it.
TEST(wire_7_2_outside_hsm_mode_there_is_one_request)
{
    WITH_RIG(rig, host);
    struct rig_host *other = rig_host_linked(rig);
    const struct bytes psbt = rig_payment(rig, 1000);
    assert_int_equal(rig_sign(host, psbt, 0).result, RIG_WAITING);
    expect_waiting(other);
    rig_keys(rig, "y");
    assert_int_equal(rig_fetch(other).result, RIG_SIGNED);
    expect_nothing(host);
}

// --- HSM mode: each peer has its own ---

TEST(wire_7_2_in_hsm_mode_each_peer_has_its_own)
{
    WITH_RIG(rig, a);
    struct rig_host *b = rig_host_linked(rig);
    rig_activate(a, "{\"rules\":[{\"max_amount\":5000}],\"msg_paths\":[\"any\"]}");
    const struct bytes good = rig_payment(rig, 5000), bad = rig_payment(rig, 5001);
    rig_upload(a, good);
    rig_upload(b, bad);
    assert_okay(start_transaction(a, good));
    assert_okay(start_transaction(b, bad));
    assert_okay(rig_ask(a, REQUEST_STOK)); // neither has begun
    assert_okay(rig_ask(b, REQUEST_STOK));
    rig_run(rig);
    assert_int_equal(rig_fetch(b).result, RIG_REFUSED);
    assert_error(rig_ask(b, REQUEST_STOK), "No active request");
    assert_int_equal(rig_fetch(a).result, RIG_SIGNED);
    assert_error(rig_ask(a, REQUEST_STOK), "No active request");
    assert_status(a, "approvals", "1");
    assert_status(a, "refusals", "1");

    // A message of one beside a transaction of the other.
    rig_upload(a, good);
    assert_okay(start_transaction(a, good));
    assert_okay(rig_smsg(b, "hello", "m", ADDR_P2WPKH));
    assert_busy(rig_smsg(b, "again", "m", ADDR_P2WPKH));
    assert_busy(rig_smsg(a, "hello", "m", ADDR_P2WPKH));
    rig_run(rig);
    assert_int_equal(rig_ask(b, REQUEST_SMOK).id, REPLY_SMRX);
    assert_int_equal(rig_fetch(a).result, RIG_SIGNED);
}

TEST(wire_7_2_decisions_are_made_in_order_of_arrival)
{
    enum { HOSTS = 8 };
    struct rig_host *hosts[HOSTS];
    struct bytes psbts[HOSTS];
    WITH_RIG(rig, first);
    hosts[0] = first;
    // There is budget for five: the first five to come get it.
    rig_activate(first, "{\"period\":10,\"rules\":[{\"per_period\":5000}]}");
    for (size_t i = 0; i < HOSTS; i++) {
        hosts[i] = i == 0 ? first : rig_host_linked(rig);
        psbts[i] = rig_payment(rig, 1000);
        rig_upload(hosts[i], psbts[i]);
    }
    for (size_t i = 0; i < HOSTS; i++)
        assert_okay(start_transaction(hosts[(3 * i + 5) % HOSTS], psbts[(3 * i + 5) % HOSTS]));
    rig_run(rig);
    for (size_t i = 0; i < HOSTS; i++) {
        const enum rig_result expected = i < 5 ? RIG_SIGNED : RIG_REFUSED;
        assert_int_equal(rig_fetch(hosts[(3 * i + 5) % HOSTS]).result, expected);
    }
}

// A second one of the same peer replaces the first that has not begun.
TEST(wire_47_in_hsm_mode_a_second_transaction_replaces_the_first)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"rules\":[{}]}");
    const struct bytes first = rig_payment(rig, 1), second = rig_payment(rig, 2);
    assert_okay(rig_stxn(host, first, 0));
    assert_okay(rig_stxn(host, second, 0));
    assert_int_equal(rig_fetch(host).result, RIG_SIGNED);
    assert_status(host, "approvals", "1");
}

// "A refused, unread request does not block the next one."
TEST(wire_9_5_unread_ends_block_nothing)
{
    WITH_RIG(rig, host);
    rig_activate(host, "{\"rules\":[{\"max_amount\":5}]}");
    assert_okay(rig_stxn(host, rig_payment(rig, 6), 0));
    rig_run(rig);
    assert_int_equal(rig_sign(host, rig_payment(rig, 5), 0).result, RIG_SIGNED);
    assert_okay(rig_stxn(host, rig_payment(rig, 5), 0));
    rig_run(rig);
    assert_int_equal(rig_sign_text(host, "hello", "m").result, RIG_REFUSED);
    assert_okay(rig_smsg(host, "hello", "m", ADDR_P2WPKH));
    rig_run(rig);
    assert_int_equal(rig_sign(host, rig_payment(rig, 5), 0).result, RIG_SIGNED);
}

// What was begun in one mode is not to be had in the other.
TEST(wire_5_1_no_request_lasts_over_a_change_of_mode)
{
    WITH_RIG(rig, host);
    struct rig_host *other = rig_host_linked(rig);
    rig_upload(other, BYTES("{}"));
    assert_int_equal(rig_sign(host, rig_payment(rig, 1000), 0).result, RIG_WAITING);
    rig_keys(rig, "y");
    rig_activate(other, "{\"boot_to_hsm\":\"123456\",\"rules\":[{}]}");
    assert_error(rig_ask(host, REQUEST_STOK), "No active request");
    assert_okay(rig_stxn(host, rig_payment(rig, 1000), 0));
    rig_run(rig);
    assert_okay(rig_stxn(other, rig_payment(rig, 1000), 0)); // waits for its turn
    rig_keys(rig, "123456");
    assert_int_equal(rig->device.state, DEVICE_NORMAL);
    expect_nothing(host);
    expect_nothing(other);
    assert_screen(rig, "Ready To Sign",
                  "Signer rig, Bitcoin Testnet 4\nFingerprint 0F056943\n"
                  "Journal key 061997f769891e58e9c938923f419e706f8bdc14b9d6384edea7759f874d6829\n"
                  "HSM commands enabled\n");
}
