// Admission, holding and requests, on both stores.
#include "coordinator/ledger.h"
#include "coordinator/audit.h"
#include "tests/support/ledger_rig.h"
#include "tests/support/test.h"
#include <stdio.h>
#include <string.h>

// --- Requests ---

static bool submit(struct ledger_rig *rig, struct spend *out, bool *is_new, const char *id,
                   const char *body, uint64_t amount, struct err *err)
{
    struct spend_output output = { .script = BYTES("hot"),
                                   .address = BYTES("a"),
                                   .amount = { amount } };
    memcpy(output.destination_id, rig->destination, ID_SIZE);
    const struct spend_request request = { .wallet_id = rig->wallet,
                                           .request_id = bytes_of_text(id),
                                           .body_hash = sha256(bytes_of_text(body)),
                                           .outputs = &output,
                                           .n_outputs = 1 };
    return ledger_submit(rig->db, out, is_new, &request, err);
}

// The key is unique forever: also after the spend has ended, and after another window.
TEST_BOTH(coordinator_F25_inv_17_same_id_and_body_is_one_spend)
{
    struct spend first, again;
    struct err err;
    bool is_new;
    assert_true(submit(rig, &first, &is_new, "a.b:c-d_e", "body", 7, &err));
    assert_true(is_new);
    assert_true(submit(rig, &again, &is_new, "a.b:c-d_e", "body", 7, &err));
    assert_false(is_new);
    assert_string_equal(first.id, again.id);
    assert_false(submit(rig, &again, &is_new, "a.b:c-d_e", "other", 7, &err));
    assert_int_equal(code_of(&err), CODE_IDEMPOTENCY_MISMATCH);
    rig_hold(rig, &first, "me");
    assert_true(ledger_end(rig->db, &first, SPEND_REJECTED, CODE_FORBIDDEN, "no", &err));
    rig_sleep(rig, 400 * 86400);
    assert_true(submit(rig, &again, &is_new, "a.b:c-d_e", "body", 7, &err));
    assert_false(is_new);
    assert_int_equal(again.state, SPEND_REJECTED);
    assert_int_equal(again.code, CODE_FORBIDDEN);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM spend"), 1);
}

TEST_BOTH(requests_that_are_none)
{
    struct spend s;
    struct err err;
    bool is_new;
    char long_id[REQUEST_ID_SIZE + 1];
    memset(long_id, 'x', sizeof long_id);
    long_id[REQUEST_ID_SIZE] = 0;
    const char *const ids[] = { "", "a b", "a\n", long_id };
    for (size_t i = 0; i < COUNT(ids); i++) {
        assert_false(submit(rig, &s, &is_new, ids[i], "b", 1, &err));
        assert_int_equal(code_of(&err), CODE_BAD_REQUEST);
    }
    assert_false(submit(rig, &s, &is_new, "x", "b", SATS_MAX + 1, &err));
    assert_int_equal(code_of(&err), CODE_AMOUNT_OUT_OF_RANGE);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM spend"), 0);
}

// --- Holding ---

TEST_BOTH(inv_15_an_old_fence_writes_nothing)
{
    struct spend s = rig_submit(rig, 100), a, b;
    struct err err;
    bool found;
    assert_true(ledger_claim(rig->db, &a, &found, "a", 1000000, &err));
    assert_true(found);
    assert_string_equal(a.id, s.id);
    assert_int_equal(a.fence, 1);
    // Held: nobody else gets it.
    assert_true(ledger_claim(rig->db, &b, &found, "b", 1000000, &err));
    assert_false(found);
    // Its lease runs out: the next one takes it over, though nobody woke it.
    rig_sleep(rig, 2);
    assert_true(ledger_claim(rig->db, &b, &found, "b", 1000000, &err));
    assert_true(found);
    assert_int_equal(b.fence, 2);
    const int64_t events = rig_number(rig, "SELECT count(*) FROM event");
    assert_false(ledger_reserve(rig->db, &a, (struct sats){ 1 }, &err));
    assert_int_equal(code_of(&err), CODE_CONFLICT);
    assert_int_equal(err.code, ERR_STATE);
    assert_false(ledger_renew(rig->db, &a, 1000000, &err));
    assert_false(ledger_let_go(rig->db, &a, 0, &err));
    assert_false(ledger_end(rig->db, &a, SPEND_REJECTED, CODE_NONE, "", &err));
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM event"), events);
    assert_true(ledger_reserve(rig->db, &b, (struct sats){ 1 }, &err));
    // Back to the first: same name, higher fence.
    rig_sleep(rig, 2);
    assert_true(ledger_claim(rig->db, &a, &found, "b", 1000000, &err));
    assert_true(found);
    assert_int_equal(a.fence, 3);
    assert_false(ledger_renew(rig->db, &b, 1000000, &err));
}

TEST_BOTH(who_is_woken_while_held_stays_due)
{
    struct spend s = rig_submit(rig, 100), again;
    struct err err;
    bool found;
    assert_true(ledger_claim(rig->db, &s, &found, "a", 60000000, &err));
    assert_true(found);
    assert_true(ledger_let_go(rig->db, &s, INT64_MAX, &err));
    assert_true(ledger_claim(rig->db, &again, &found, "a", 60000000, &err));
    assert_false(found);
    assert_true(ledger_wake(rig->db, s.id, &err));
    assert_true(ledger_claim(rig->db, &s, &found, "a", 60000000, &err));
    assert_true(found);
    assert_true(ledger_wake(rig->db, s.id, &err));
    assert_true(ledger_let_go(rig->db, &s, INT64_MAX, &err));
    assert_true(ledger_claim(rig->db, &s, &found, "a", 60000000, &err));
    assert_true(found);
}

TEST_BOTH(a_cancel_is_due_at_once)
{
    struct spend s = rig_submit(rig, 100);
    struct err err;
    bool found;
    assert_true(ledger_claim(rig->db, &s, &found, "a", 60000000, &err));
    assert_true(ledger_let_go(rig->db, &s, INT64_MAX, &err));
    assert_true(ledger_ask_cancel(rig->db, s.id, rig->principal, &err));
    assert_true(ledger_claim(rig->db, &s, &found, "a", 60000000, &err));
    assert_true(found && s.cancel_asked);
    assert_true(ledger_end(rig->db, &s, SPEND_CANCELLED, CODE_NONE, "", &err));
    assert_false(ledger_ask_cancel(rig->db, s.id, rig->principal, &err));
    assert_int_equal(code_of(&err), CODE_CONFLICT);
}

// Another connection keeps what a holder waits with; nobody else's, and nothing that was taken over meanwhile.
TEST_BOTH(coordinator_F23_inv_15_a_lease_is_kept_by_whoever_knows_holder_and_fence)
{
    AUTO(db_close) struct db *keeper = rig_connect(rig);
    struct spend s, other;
    struct err err;
    bool found, kept;
    (void)rig_submit(rig, 100);
    assert_true(ledger_claim(rig->db, &s, &found, "a", 10000000, &err));
    for (unsigned i = 0; i < 4; i++) {
        rig->offset_us += 9000000;
        assert_true(ledger_keep(keeper, s.id, "a", s.fence, 10000000, &kept, &err));
        assert_true(kept);
        assert_true(ledger_claim(rig->db, &other, &found, "b", 10000000, &err));
        assert_false(found);
    }
    assert_true(ledger_keep(keeper, s.id, "b", s.fence, 99000000, &kept, &err));
    assert_false(kept);
    assert_true(ledger_keep(keeper, s.id, "a", s.fence + 1, 99000000, &kept, &err));
    assert_false(kept);
    // It moves on by its own connection as before.
    rig_sleep(rig, 0);
    assert_true(ledger_reserve(rig->db, &s, (struct sats){ 1 }, &err));
    rig->offset_us += 11000000;
    assert_true(ledger_claim(rig->db, &other, &found, "b", 10000000, &err));
    assert_true(found);
    assert_true(ledger_keep(keeper, s.id, "a", s.fence, 99000000, &kept, &err));
    assert_false(kept);
    assert_int_equal(rig_read(rig, s.id).lease_until_us, other.lease_until_us);
}

// --- Admission ---

static void assert_refused(struct ledger_rig *rig, uint64_t amount, uint64_t fee, enum code code)
{
    struct spend s = rig_claimed(rig, amount);
    struct err err;
    const int64_t version = rig_number(rig, "SELECT version FROM velocity_guard");
    assert_false(ledger_reserve(rig->db, &s, (struct sats){ fee }, &err));
    assert_string_equal(code_name(code_of(&err)), code_name(code));
    // Nothing was written.
    assert_spend_state(rig, s.id, "received");
    assert_int_equal(rig_number(rig, "SELECT version FROM velocity_guard"), version);
}

TEST_BOTH(coordinator_F13_inv_1_the_cap_holds_to_the_satoshi)
{
    struct velocity_view v;
    struct err err;
    (void)rig_reserved(rig, 300);
    assert_refused(rig, 201, 1, CODE_VELOCITY_EXCEEDED);
    const struct spend s = rig_reserved(rig, 200);
    assert_refused(rig, 1, 1, CODE_VELOCITY_EXCEEDED);
    assert_int_equal(s.state, SPEND_RESERVED);
    assert_true(ledger_velocity(rig->db, &v, rig->wallet, &err));
    assert_int_equal(v.spent.n, 500);
    assert_int_equal(v.open.n, 500);
    assert_int_equal(v.n_open, 2);
    assert_int_equal(v.fees.n, 2);
    assert_int_equal(rig_number(rig, "SELECT reserved_open FROM velocity_guard"), 500);
    // The surge tier has its own cap, of the same sum.
    rig_exec(rig, "UPDATE spend SET tier = 'surge' WHERE state = 'received'");
    struct spend surge = rig_claimed(rig, 500);
    rig_exec(rig, "UPDATE spend SET tier = 'surge' WHERE state = 'received'");
    rig_hold(rig, &surge, "me");
    assert_true(ledger_reserve(rig->db, &surge, (struct sats){ 1 }, &err));
    assert_refused(rig, 1, 0, CODE_VELOCITY_EXCEEDED);
}

// "An entry exactly W old still counts"; open ones never age.
TEST_BOTH(coordinator_F15_open_never_ages_and_sent_leaves_after_the_window)
{
    struct attempt a;
    struct velocity_view v;
    struct err err;
    (void)rig_reserved(rig, 100);
    const struct spend sent = rig_sent(rig, 300, &a);
    rig_sleep(rig, 10 * RIG_WINDOW_S);
    assert_true(ledger_velocity(rig->db, &v, rig->wallet, &err));
    assert_int_equal(v.open.n, 100);
    assert_int_equal(v.sent.n, 0);
    // To the microsecond: the entry is moved, as the clock cannot be stopped.
    int64_t now_us;
    for (int64_t slack_us = 0; slack_us < 2; slack_us++) {
        assert_true(db_begin(rig->db, &err));
        assert_true(db_now_us(rig->db, &now_us, &err));
        db_rollback(rig->db);
        // A second of room in which the view is taken.
        const int64_t at = now_us - RIG_WINDOW_S * INT64_C(1000000) + (slack_us ? -1 : 1000000);
        assert_true(db_exec(rig->db, NULL,
                            "UPDATE reservation SET first_sent_at = $2 WHERE spend_id = $1",
                            DB_ARGS(db_text(sent.id), db_int(at)), &err));
        assert_true(ledger_velocity(rig->db, &v, rig->wallet, &err));
        assert_int_equal(v.sent.n, slack_us ? 0 : 300);
        if (!slack_us)
            assert_int_equal(v.oldest_ends_us, at + RIG_WINDOW_S * INT64_C(1000000) + 1);
    }
}

TEST_BOTH(coordinator_F16_foreign_outflow_counts_once_and_is_told)
{
    const struct hash256 txid = { { 7 } };
    struct sighting s = { .where = SIGHT_MEMPOOL };
    struct velocity_view v;
    struct err err;
    bool is_new;
    assert_true(ledger_foreign(rig->db, rig->wallet, &txid, (struct sats){ 450 },
                               (struct sats){ 3 }, &s, false, &is_new, &err));
    assert_true(is_new);
    s = (struct sighting){ .where = SIGHT_BLOCK, .height = 100, .depth = 1 };
    assert_true(ledger_foreign(rig->db, rig->wallet, &txid, (struct sats){ 450 },
                               (struct sats){ 3 }, &s, false, &is_new, &err));
    assert_false(is_new);
    assert_true(ledger_velocity(rig->db, &v, rig->wallet, &err));
    assert_int_equal(v.foreign.n, 450);
    assert_int_equal(v.fees.n, 3);
    assert_refused(rig, 51, 1, CODE_VELOCITY_EXCEEDED);
    (void)rig_reserved(rig, 50);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM event WHERE kind = 'outflow.foreign'"),
                     1);
    rig_sleep(rig, RIG_WINDOW_S + 1);
    assert_true(ledger_velocity(rig->db, &v, rig->wallet, &err));
    assert_int_equal(v.foreign.n, 0);
}

// D5 3 "alarm, optional freeze": what froze it and the freeze are one transaction, so no crash comes between.
TEST_BOTH(coordinator_F16_a_foreign_outflow_freezes_in_its_transaction)
{
    const struct hash256 txid = { { 7 } };
    const struct sighting s = { .where = SIGHT_MEMPOOL };
    static const char *const frozen = "SELECT count(*) FROM wallet WHERE status = 'frozen'";
    struct err err;
    bool is_new;
    assert_true(ledger_foreign(rig->db, rig->wallet, &txid, (struct sats){ 1 }, (struct sats){ 1 },
                               &s, true, &is_new, &err));
    assert_int_equal(rig_number(rig, frozen), 1);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM event WHERE kind = 'freeze'"), 1);
    assert_refused(rig, 1, 1, CODE_FROZEN);
    // Told again, it does not undo what people decided since.
    assert_true(ledger_freeze(rig->db, rig->wallet, false, "officer", &err));
    assert_true(ledger_foreign(rig->db, rig->wallet, &txid, (struct sats){ 1 }, (struct sats){ 1 },
                               &s, true, &is_new, &err));
    assert_int_equal(rig_number(rig, frozen), 0);
}

TEST_BOTH(coordinator_F17_the_fee_window_is_enforced)
{
    struct spend s = rig_claimed(rig, 1);
    struct err err;
    assert_true(ledger_reserve(rig->db, &s, (struct sats){ 60 }, &err));
    assert_refused(rig, 1, 41, CODE_FEE_VELOCITY_EXCEEDED);
    struct spend t = rig_claimed(rig, 1);
    assert_true(ledger_reserve(rig->db, &t, (struct sats){ 40 }, &err));
    // The real fee is lower: the rest is free again.
    const struct outpoint coin = rig_coin(1);
    struct attempt a = rig_attempt_of(rig, ATTEMPT_PAY, &coin, 1, 10);
    assert_true(ledger_attempt_add(rig->db, &s, &a, &err));
    assert_refused(rig, 1, 51, CODE_FEE_VELOCITY_EXCEEDED);
    struct spend u = rig_claimed(rig, 1);
    assert_true(ledger_reserve(rig->db, &u, (struct sats){ 50 }, &err));
    // Dearer than what was charged, and no room left.
    const struct outpoint other = rig_coin(2);
    a = rig_attempt_of(rig, ATTEMPT_PAY, &other, 1, 41);
    assert_false(ledger_attempt_add(rig->db, &t, &a, &err));
    assert_int_equal(code_of(&err), CODE_FEE_VELOCITY_EXCEEDED);
}

TEST_BOTH(coordinator_F18_inv_23_a_stale_ledger_admits_nothing)
{
    struct err err;
    (void)rig_reserved(rig, 1);
    rig->offset_us += 31 * 1000000;
    assert_refused(rig, 1, 1, CODE_LEDGER_STALE);
    assert_true(ledger_reconciled(rig->db, rig->wallet, &err));
    (void)rig_reserved(rig, 1);
    rig->offset_us -= 40 * 1000000; // the clock was set back
    assert_refused(rig, 1, 1, CODE_LEDGER_STALE);
    rig->offset_us += 40 * 1000000;
    rig_exec(rig, "UPDATE velocity_guard SET reconciled_at = NULL");
    assert_refused(rig, 1, 1, CODE_LEDGER_STALE);
}

TEST_BOTH(coordinator_F19_inv_24_amnesia_admits_nothing_for_one_window)
{
    struct err err;
    assert_true(ledger_amnesia(rig->db, rig->wallet, &err));
    assert_refused(rig, 1, 1, CODE_RECOVERING);
    rig_sleep(rig, RIG_WINDOW_S - 1);
    assert_refused(rig, 1, 1, CODE_RECOVERING);
    rig_sleep(rig, 2);
    (void)rig_reserved(rig, 1);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM wallet WHERE status = 'active'"), 1);
    // Thawed while it recovers, it recovers on.
    assert_true(ledger_amnesia(rig->db, rig->wallet, &err));
    assert_true(ledger_freeze(rig->db, rig->wallet, true, "op", &err));
    assert_refused(rig, 1, 1, CODE_FROZEN);
    assert_true(ledger_freeze(rig->db, rig->wallet, false, "op", &err));
    assert_refused(rig, 1, 1, CODE_RECOVERING);
    assert_true(ledger_end_amnesia(rig->db, rig->wallet, "op", &err));
    (void)rig_reserved(rig, 1);
}

TEST_BOTH(inv_9_only_listed_destinations_in_force)
{
    struct spend s = rig_claimed(rig, 1);
    struct err err;
    rig_exec(rig, "UPDATE destination SET state = 'retired'");
    assert_refused(rig, 1, 1, CODE_DESTINATION_NOT_ALLOWED);
    rig_exec(rig, "UPDATE destination SET state = 'active'");
    rig_exec(rig, "UPDATE spend_output SET destination_id = NULL");
    assert_false(ledger_reserve(rig->db, &s, (struct sats){ 1 }, &err));
    assert_int_equal(code_of(&err), CODE_DESTINATION_NOT_ALLOWED);
    assert_string_equal(err.text, "bcrt1hot is not on the list of destinations");
}

TEST_BOTH(too_late_is_not_admitted)
{
    struct spend s = rig_claimed(rig, 1);
    struct err err;
    rig_exec(rig, "UPDATE spend SET not_after = 1");
    s = rig_read(rig, s.id);
    assert_false(ledger_reserve(rig->db, &s, (struct sats){ 1 }, &err));
    assert_int_equal(code_of(&err), CODE_EXPIRED);
}

// Each frame comes before the move that follows it, and only with it.
TEST_BOTH(stories_are_written_with_the_next_move)
{
    struct spend s = rig_claimed(rig, 1);
    struct audit_events all;
    struct err err;
    assert_true(ledger_story(rig->db, s.id, BYTES("{\"step\": 1}"), &err));
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM event WHERE kind = 'spend.frame'"), 0);
    assert_true(ledger_reserve(rig->db, &s, (struct sats){ 1 }, &err));
    assert_true(ledger_story(rig->db, s.id, BYTES("{\"step\": 2}"), &err));
    assert_true(ledger_tell(rig->db, &err));
    assert_true(ledger_tell(rig->db, &err));
    assert_true(audit_read(rig->db, &all, 0, 100, s.id, NULL, test_arena(), &err));
    assert_int_equal(all.n, 4);
    assert_bytes_text(all.items[0].after,
                      "{\"state\": \"received\", \"amount_sat\": 1, \"tier\": \"auto\"}");
    assert_bytes_text(all.items[1].after, "{\"step\": 1}");
    assert_bytes_text(all.items[2].before, "{\"state\": \"received\"}");
    assert_bytes_text(all.items[2].after, "{\"state\": \"reserved\"}");
    assert_bytes_text(all.items[3].after, "{\"step\": 2}");
}

// --- Devices ---

TEST_BOTH(inv_16_one_conversation_with_a_device)
{
    const char *signer = rig->signers[0];
    struct err err;
    bool taken;
    assert_true(ledger_lease_signer(rig->db, signer, "a", 5000000, &taken, &err) && taken);
    assert_true(ledger_lease_signer(rig->db, signer, "b", 5000000, &taken, &err) && !taken);
    assert_true(ledger_lease_signer(rig->db, signer, "a", 5000000, &taken, &err) && taken);
    assert_int_equal(rig_number(rig, "SELECT fence FROM signer_lease"), 1);
    assert_true(ledger_end_lease(rig->db, signer, "b", &err)); // not its own: nothing
    assert_true(ledger_lease_signer(rig->db, signer, "b", 5000000, &taken, &err) && !taken);
    assert_true(ledger_end_lease(rig->db, signer, "a", &err));
    assert_true(ledger_lease_signer(rig->db, signer, "b", 5000000, &taken, &err) && taken);
    assert_int_equal(rig_number(rig, "SELECT fence FROM signer_lease"), 2);
    rig_sleep(rig, 6);
    assert_true(ledger_lease_signer(rig->db, signer, "a", 5000000, &taken, &err) && taken);
    assert_int_equal(rig_number(rig, "SELECT fence FROM signer_lease"), 3);
}

TEST_BOTH(coordinator_F37_rotation_counts_what_may_have_been_signed)
{
    struct attempt a;
    struct sats sum;
    struct err err;
    int64_t last_us;
    (void)rig_sent(rig, 100, &a);
    assert_true(ledger_signed_by(rig->db, rig->wallet, rig->signers[0], 0, &sum, &last_us, &err));
    assert_int_equal(sum.n, 100);
    assert_true(last_us > 0);
    assert_true(ledger_signed_by(rig->db, rig->wallet, rig->signers[2], 0, &sum, &last_us, &err));
    assert_int_equal(sum.n, 0);
    assert_int_equal(last_us, 0);
}
