// coordinator/stuck_test.c -- spends that do not confirm, are taken back, or wait for signers, in the small world of
// tests/support/treasury_world.h.
#include "coordinator/spend.h"
#include "tests/support/spend_rig.h"
#include <string.h>

// --- Stuck ---

// F31: a child pays for its parent; devices are charged nothing for it.
TEST(coordinator_F31_a_stuck_spend_gets_a_child)
{
    struct spend_rig r = spend_rig(5);
    struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
    s = spend_rig_drive(&r, &s, 1);
    const uint64_t charged = r.world->signers[0].charged.n + r.world->signers[1].charged.n;
    world_setting(r.ledger, "{\"stuck_s\": 600}");
    r.world->fee_rate = 20000;
    world_pass(r.ledger, 601);
    s = spend_rig_drive(&r, &s, 4);
    assert_state(s, SPEND_SENT);
    assert_int_equal(s.bumps, 1);
    assert_int_equal(r.world->broadcasts, 2);
    assert_int_equal(r.world->signers[0].charged.n + r.world->signers[1].charged.n, charged);
    assert_int_equal(world_paid(r.world, r.ledger, true).n, 100000);
    s = spend_rig_settle(&r, &s);
    assert_state(s, SPEND_SETTLED);
    assert_int_equal(spend_rig_velocity(&r).spent.n, 100000);
    spend_rig_done(&r);
}

// What was just done is not done again: a child is given its time, too.
TEST(coordinator_D7_a_remedy_is_given_time)
{
    struct spend_rig r = spend_rig(5);
    struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
    s = spend_rig_drive(&r, &s, 1);
    world_setting(r.ledger, "{\"stuck_s\": 600}");
    r.world->fee_rate = 20000;
    world_pass(r.ledger, 601);
    s = spend_rig_drive(&r, &s, 4);
    assert_int_equal(s.bumps, 1);
    for (unsigned i = 0; i < 5; i++) {
        world_pass(r.ledger, 400);
        s = spend_rig_drive(&r, &s, 4);
    }
    assert_int_equal(s.bumps, 1); // it pays what the estimate says
    spend_rig_done(&r);
}

// D10 "bump": a person names a rate, and it is paid now.
TEST(coordinator_D7_a_person_may_pay_more_at_once)
{
    struct spend_rig r = spend_rig(5);
    struct err err;
    struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
    s = spend_rig_drive(&r, &s, 1);
    assert_true(db_exec(r.db, NULL,
                        "UPDATE spend SET bumps = 0, next_at = 0, fee_rate = 9000 WHERE id = $1",
                        DB_ARGS(db_text(s.id)), &err));
    s = spend_rig_drive(&r, &s, 4);
    assert_int_equal(s.bumps, 1);
    assert_int_equal(r.world->broadcasts, 2);
    world_pass(r.ledger, 60);
    s = spend_rig_drive(&r, &s, 4);
    assert_int_equal(s.bumps, 1);
    spend_rig_done(&r);
}

// F23: a replacement shares the anchor; one of both confirms, and is counted once.
TEST(coordinator_F31_a_spend_without_change_is_replaced)
{
    struct spend_rig r = spend_rig(5);
    struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
    s = spend_rig_drive(&r, &s, 1);
    // The change is gone with a first child: the second time it is replaced.
    world_setting(r.ledger, "{\"stuck_s\": 10}");
    r.world->fee_rate = 10000;
    world_pass(r.ledger, 60);
    s = spend_rig_drive(&r, &s, 4);
    r.world->fee_rate = 60000;
    world_pass(r.ledger, 400);
    s = spend_rig_drive(&r, &s, 4);
    assert_state(s, SPEND_SENT);
    assert_int_equal(s.bumps, 2);
    assert_int_equal(world_paid(r.world, r.ledger, true).n, 100000);
    s = spend_rig_settle(&r, &s);
    assert_state(s, SPEND_SETTLED);
    assert_int_equal(world_paid(r.world, r.ledger, false).n, 100000);
    assert_int_equal(spend_rig_velocity(&r).spent.n, 100000);
    spend_rig_done(&r);
}

// D10 "cancel": after signing it means void.
TEST(coordinator_D7_a_sent_spend_can_be_taken_back)
{
    struct spend_rig r = spend_rig(5);
    struct err err;
    struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
    s = spend_rig_drive(&r, &s, 1);
    assert_state(s, SPEND_SENT);
    assert_true(db_exec(r.db, NULL, "UPDATE spend SET cancel_asked = 1 WHERE id = $1",
                        DB_ARGS(db_text(s.id)), &err));
    assert_true(ledger_wake(r.db, s.id, &err));
    s = spend_rig_drive(&r, &s, 3);
    assert_state(s, SPEND_VOIDING);
    assert_int_equal(world_paid(r.world, r.ledger, true).n, 0);
    assert_int_equal(spend_rig_velocity(&r).spent.n, 100000); // until it is settled
    s = spend_rig_settle(&r, &s);
    assert_state(s, SPEND_VOID);
    spend_rig_done(&r);
}

// A surge spend's code went with its first signatures: it cannot be replaced. What stands in the mempool must never
// be called refused, or somebody pays it a second time.
TEST(coordinator_F40_a_sent_surge_spend_is_not_refused_for_its_code)
{
    struct spend_rig r = spend_rig(8);
    struct clock clock = clock_system();
    r.ledger->codes = surge_codes_new(&clock);
    const struct fleet_auth auth = { .user = "owner", .code = "123456", .given = true };
    struct spend s = world_submit(r.ledger, r.db, "one", 1200000, TIER_SURGE);
    assert_true(surge_codes_put(r.ledger->codes, s.id, &auth));
    s = spend_rig_drive(&r, &s, 1);
    assert_state(s, SPEND_SENT);
    world_setting(r.ledger, "{\"stuck_s\": 10}");
    for (unsigned i = 0; i < 6; i++) {
        r.world->fee_rate = 10000 + 20000 * i;
        world_pass(r.ledger, 400);
        s = spend_rig_drive(&r, &s, 4);
        assert_state(s, SPEND_SENT);
    }
    const struct bytes text = spend_rig_story(&r, s.id);
    assert_false(spend_rig_tells(text, "\"refused\": true"));
    assert_false(spend_rig_tells(text, "Nothing was sent"));
    assert_false(spend_rig_tells(text, "Parked"));
    assert_int_equal(r.world->signers[0].asked + r.world->signers[1].asked +
                         r.world->signers[2].asked,
                     4); // for the payment and its child
    s = spend_rig_settle(&r, &s);
    assert_state(s, SPEND_SETTLED);
    surge_codes_free(r.ledger->codes);
    spend_rig_done(&r);
}

// Before a signer is asked, cancelling ends it at once, in whatever state it is, and no error is told.
TEST(coordinator_D3_a_spend_is_cancelled_before_it_is_signed)
{
    static const char *const PLACES[] = { NULL, "reserved", "built" };
    for (size_t i = 0; i < COUNT(PLACES); i++) {
        struct spend_rig r = spend_rig(5);
        struct err err;
        struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
        db_close(&r.db);
        if (PLACES[i] != NULL)
            assert_true(world_drive_until(r.world, r.ledger, PLACES[i]));
        r.db = world_db(r.ledger);
        world_pass(r.ledger, 241);
        assert_true(ledger_ask_cancel(r.db, s.id, "host", &err));
        s = spend_rig_drive(&r, &s, 1);
        assert_state(s, SPEND_CANCELLED);
        assert_int_equal(s.code, CODE_NONE);
        assert_true(spend_rig_tells(spend_rig_story(&r, s.id), "Cancelled before"));
        assert_int_equal(spend_rig_velocity(&r).spent.n, 0);
        spend_rig_done(&r);
    }
}

// What is parked for a refusal is told once, and let go of: it waits for a person, and its story does not grow.
TEST(coordinator_F24_a_parked_spend_is_told_once)
{
    struct spend_rig r = spend_rig(5);
    r.world->signers[0].mood = MOOD_SIGNS_SILENT;
    r.world->signers[1].mood = MOOD_SIGNS_SILENT;
    r.world->signers[2].mood = MOOD_REFUSES;
    (void)snprintf(r.world->signers[2].tag, 16, "warning");
    (void)snprintf(r.world->signers[2].text, 64, "has 1 warning(s)");
    struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
    s = spend_rig_drive(&r, &s, 1);
    assert_state(s, SPEND_PARKED);
    // It can still be sent: who is told that nothing was would pay it again.
    assert_false(spend_rig_tells(spend_rig_story(&r, s.id), "Nothing was sent"));
    assert_false(spend_rig_tells(spend_rig_story(&r, s.id), "\"refused\": true"));
    assert_true(spend_rig_tells(spend_rig_story(&r, s.id), "has 1 warning(s)"));
    assert_true(spend_rig_tells(spend_rig_story(&r, s.id), "do not ask for it again"));
    assert_true(spend_rig_tells(spend_rig_story(&r, s.id),
                                "{\"end\": true, \"code\": \"signer_refused\"}"));
    const size_t len = spend_rig_story(&r, s.id).len;
    for (unsigned i = 0; i < 5; i++) {
        world_pass(r.ledger, 1000);
        s = spend_rig_drive(&r, &s, 2);
        assert_state(s, SPEND_PARKED);
        assert_string_equal(s.owner, "");
    }
    assert_int_equal(spend_rig_story(&r, s.id).len, len);
    assert_int_equal(spend_rig_velocity(&r).open.n, 100000);
    spend_rig_done(&r);
}

// A replacement that a signer refuses does not keep the payment itself from the network.
TEST(coordinator_F33_a_refused_replacement_does_not_hold_the_payment_up)
{
    struct spend_rig r = spend_rig(5);
    struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
    s = spend_rig_drive(&r, &s, 1);
    world_setting(r.ledger, "{\"stuck_s\": 10}");
    r.world->fee_rate = 10000;
    world_pass(r.ledger, 60);
    s = spend_rig_drive(&r, &s, 4); // the child
    for (size_t i = 0; i < WORLD_SIGNERS; i++) {
        r.world->signers[i].mood = MOOD_REFUSES;
        (void)snprintf(r.world->signers[i].tag, 16, "warning");
    }
    r.world->fee_rate = 60000;
    world_pass(r.ledger, 400);
    s = spend_rig_drive(&r, &s, 4);
    assert_int_equal(s.bumps, 2);
    assert_state(s, SPEND_SENT);
    struct attempts all;
    struct err err;
    assert_true(ledger_attempts(r.db, &all, s.id, test_arena(), &err));
    const struct hash256 txid = all.items[0].txid;
    assert_non_null(world_find(r.world, &txid));
    world_evict(r.world, &txid);
    world_pass(r.ledger, 60);
    s = spend_rig_drive(&r, &s, 4);
    assert_state(s, SPEND_SENT);
    assert_int_equal(world_find(r.world, &txid)->where, WORLD_MEMPOOL);
    spend_rig_done(&r);
}

// Taking it back was refused: it stays what it is, and is nobody's while it waits.
TEST(coordinator_D7_a_refused_void_is_let_go_of)
{
    struct spend_rig r = spend_rig(5);
    struct err err;
    struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
    s = spend_rig_drive(&r, &s, 1);
    for (size_t i = 0; i < WORLD_SIGNERS; i++) {
        r.world->signers[i].mood = MOOD_REFUSES;
        (void)snprintf(r.world->signers[i].tag, 16, "warning");
    }
    assert_true(ledger_ask_cancel(r.db, s.id, "host", &err));
    s = spend_rig_drive(&r, &s, 3);
    assert_state(s, SPEND_VOIDING);
    const size_t len = spend_rig_story(&r, s.id).len;
    world_pass(r.ledger, 1000);
    s = spend_rig_drive(&r, &s, 3);
    assert_state(s, SPEND_VOIDING);
    assert_string_equal(s.owner, "");
    assert_int_equal(spend_rig_story(&r, s.id).len, len);
    spend_rig_done(&r);
}

// D4: no other worker may take the spend while a signer is asked: it would ask again, a device would charge its
// budget twice, and the first answer would be lost. A device that reports progress may take 120 s, and the queue, the
// looks before and after it, and another replica's conversation come on top.
TEST(coordinator_F36_a_slow_signer_does_not_cost_the_lease)
{
    struct spend_rig r = spend_rig(5);
    r.world->signers[0].takes_s = 100;
    r.world->signers[1].takes_s = 150;
    struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
    s = spend_rig_drive(&r, &s, 1);
    assert_state(s, SPEND_SENT);
    assert_int_equal(r.world->taken_over, 0);
    assert_int_equal(r.world->signers[0].asked, 1);
    assert_int_equal(r.world->signers[1].asked, 1);
    spend_rig_done(&r);
}

// What a process that died held is another's soon; whoever wakes up after that changes nothing.
TEST(coordinator_F23_inv_15_what_a_dead_one_held_is_soon_taken_over)
{
    struct spend_rig r = spend_rig(5);
    r.world->keeper_died = true;
    r.world->signers[0].takes_s = 35;
    struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
    assert_true(world_drive_claimed(r.world, r.ledger, r.db));
    assert_int_equal(r.world->taken_over, 1);
    assert_string_equal(world_spend(r.db, s.id).owner, "another");
    assert_state(world_spend(r.db, s.id), SPEND_SIGNING);
    r.world->signers[0].takes_s = 0;
    world_pass(r.ledger, 31);
    s = spend_rig_drive(&r, &s, 1);
    assert_state(s, SPEND_SENT);
    assert_int_equal(world_paid(r.world, r.ledger, true).n, 100000);
    spend_rig_done(&r);
}

// Invariant 26: "A failed preflight asks no signer" -- nor does a child that k signers would not take get into the
// ledger.
TEST(coordinator_F27_inv_26_a_remedy_is_looked_at_before_a_signer_is_asked)
{
    struct spend_rig r = spend_rig(5);
    struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
    s = spend_rig_drive(&r, &s, 1);
    const uint64_t asked = r.world->signers[0].asked + r.world->signers[1].asked;
    world_setting(r.ledger, "{\"stuck_s\": 600}");
    r.world->fee_rate = 20000;
    for (size_t i = 0; i < WORLD_SIGNERS; i++)
        r.world->signers[i].max_psbt = 100;
    world_pass(r.ledger, 601);
    s = spend_rig_drive(&r, &s, 4);
    assert_state(s, SPEND_SENT);
    assert_int_equal(s.bumps, 0);
    assert_int_equal(r.world->signers[0].asked + r.world->signers[1].asked, asked);
    assert_int_equal(r.world->signers[2].asked, 0);
    assert_true(spend_rig_tells(spend_rig_story(&r, s.id),
                                "That is not possible now: signer signer would refuse: the PSBT is "
                                "larger than it takes"));
    spend_rig_done(&r);
}
