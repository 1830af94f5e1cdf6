// coordinator/spend_test.c -- spends carried through the real ledger, in the small world of
// tests/support/treasury_world.h. Those that are stuck: stuck_test.c.
#include "coordinator/spend.h"
#include "base/hex.h"
#include "coordinator/dryrun.h"
#include "tests/support/spend_rig.h"
#include <stdio.h>
#include <string.h>

// --- The way through ---

// "received" to "settled", told in the seed's frames.
TEST(coordinator_F3_inv_8_a_spend_is_told_step_by_step)
{
    struct spend_rig r = spend_rig(5);
    struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
    assert_state(s, SPEND_RECEIVED);
    s = spend_rig_drive(&r, &s, 1);
    assert_state(s, SPEND_SENT);
    const struct bytes text = spend_rig_story(&r, s.id);
    static const char *const FRAMES[] = {
        "{\"step\": 1}\n",
        "{\"done_step\": 1}\n{\"step\": 2}\n{\"done_step\": 2}\n{\"step\": 3}\n",
        "{\"log\": \"Signer 1 (A) signed.\", \"cls\": \"g\"}\n",
        "{\"log\": \"Signer 2 (B) signed.\", \"cls\": \"g\"}\n{\"done_step\": 3}\n",
        "{\"done_step\": 3}\n{\"step\": 4}\n{\"done_step\": 4}\n",
        "{\"done_step\": 4}\n{\"step\": 5}\n{\"done_step\": 5}\n",
        "{\"end\": true}\n",
    };
    for (size_t i = 0; i < COUNT(FRAMES); i++)
        if (!spend_rig_tells(text, FRAMES[i]))
            fail_msg("no frame %s in\n%.*s", FRAMES[i], BYTES_ARG(text));
    assert_int_equal(world_paid(r.world, r.ledger, true).n, 100000);
    assert_int_equal(spend_rig_velocity(&r).spent.n, 100000);
    assert_int_equal(spend_rig_velocity(&r).open.n, 0);
    assert_int_equal(r.world->signers[0].asked, 1);
    assert_int_equal(r.world->signers[1].asked, 1);
    assert_int_equal(r.world->signers[2].asked, 0);
    // Nothing but the payment and the wallet's own change was put before them.
    assert_int_equal(r.world->signers[0].charged.n, 100000);
    world_mine(r.world, 1);
    world_reconcile(r.world, r.ledger, r.db);
    s = world_spend(r.db, s.id);
    assert_state(s, SPEND_CONFIRMED);
    world_mine(r.world, 5);
    world_reconcile(r.world, r.ledger, r.db);
    s = world_spend(r.db, s.id);
    assert_state(s, SPEND_SETTLED);
    spend_rig_done(&r);
}

// "A refused spend costs nothing": each ending before a signer is asked, with its code.
TEST(coordinator_F12_inv_26_what_is_refused_or_fails_consumes_no_cap)
{
    static const struct {
        uint64_t sat;
        const char *settings;
        size_t n_ready;
        enum spend_state state;
        enum code code;
        const char *frame;
    } CASES[] = {
        { 1000001, NULL, 3, SPEND_REJECTED, CODE_VELOCITY_EXCEEDED,
          "{\"refused\": true, \"end\": true, \"code\": \"velocity_exceeded\"}" },
        { 100000, NULL, 1, SPEND_REJECTED, CODE_QUORUM_LOST,
          "{\"end\": true, \"code\": \"quorum_lost\"}" },
        { 100000, "{\"amount_max_sat\": 99999}", 3, SPEND_REJECTED, CODE_AMOUNT_OUT_OF_RANGE,
          "\"code\": \"amount_out_of_range\"}" },
        { 900000, NULL, 3, SPEND_FAILED, CODE_INSUFFICIENT_FUNDS,
          "{\"end\": true, \"code\": \"insufficient_funds\"}" },
        { 100000, "{\"max_fee_sat\": 200}", 3, SPEND_REJECTED, CODE_FEE_TOO_HIGH,
          "\"code\": \"fee_too_high\"}" },
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct spend_rig r = spend_rig(2);
        if (CASES[i].settings != NULL)
            world_setting(r.ledger, CASES[i].settings);
        for (size_t k = CASES[i].n_ready; k < WORLD_SIGNERS; k++)
            r.world->signers[k].ready = false;
        struct spend s = world_submit(r.ledger, r.db, "one", CASES[i].sat, TIER_AUTO);
        s = spend_rig_drive(&r, &s, 3);
        if (s.state != CASES[i].state || s.code != CASES[i].code)
            fail_msg("case %zu: %s %s", i, spend_state_name(s.state), code_name(s.code));
        if (!spend_rig_tells(spend_rig_story(&r, s.id), CASES[i].frame))
            fail_msg("case %zu: %.*s", i, BYTES_ARG(spend_rig_story(&r, s.id)));
        assert_int_equal(spend_rig_velocity(&r).spent.n, 0);
        for (size_t k = 0; k < WORLD_SIGNERS; k++)
            assert_int_equal(r.world->signers[k].asked, 0);
        spend_rig_done(&r);
        r = (struct spend_rig){ 0 };
    }
}

// --- What signers do ---

// D9: what ends a spend, and what another signer may mend.
TEST(coordinator_F37_substitution_follows_the_tag)
{
    static const struct {
        enum world_mood mood;
        const char *tag;
        enum spend_state state;
        uint64_t asked[WORLD_SIGNERS];
    } CASES[] = {
        { MOOD_REFUSES, "amount", SPEND_REFUSED, { 1, 0, 0 } },
        { MOOD_REFUSES, "address", SPEND_REFUSED, { 1, 0, 0 } },
        { MOOD_REFUSES, "wallet", SPEND_REFUSED, { 1, 0, 0 } },
        { MOOD_REFUSES, "warning", SPEND_REFUSED, { 1, 0, 0 } },
        { MOOD_REFUSES, "user", SPEND_REFUSED, { 1, 0, 0 } },
        { MOOD_REFUSES, "velocity", SPEND_SENT, { 1, 1, 1 } },
        { MOOD_REFUSES, "log", SPEND_SENT, { 1, 1, 1 } },
        { MOOD_BUSY, "", SPEND_SENT, { 1, 1, 1 } },
        { MOOD_AWAY, "", SPEND_SENT, { 1, 1, 1 } },
        { MOOD_SILENT, "", SPEND_SENT, { 1, 1, 1 } },
        { MOOD_BAD_SIGNATURE, "", SPEND_SENT, { 1, 1, 1 } },
        { MOOD_UNSIGNED, "", SPEND_SENT, { 1, 1, 1 } },
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct spend_rig r = spend_rig(5);
        struct world_signer *first = &r.world->signers[0];
        first->mood = CASES[i].mood;
        (void)snprintf(first->tag, sizeof first->tag, "%s", CASES[i].tag);
        (void)snprintf(first->text, sizeof first->text, "rule #1: no");
        struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
        s = spend_rig_drive(&r, &s, 1);
        if (s.state != CASES[i].state)
            fail_msg("case %zu: %s", i, spend_state_name(s.state));
        for (size_t k = 0; k < WORLD_SIGNERS; k++)
            if (r.world->signers[k].asked != CASES[i].asked[k])
                fail_msg("case %zu: signer %zu was asked %llu times", i, k + 1,
                         (unsigned long long)r.world->signers[k].asked);
        assert_int_equal(spend_rig_velocity(&r).spent.n, s.state == SPEND_SENT ? 100000 : 0);
        spend_rig_done(&r);
    }
}

// A substitute is looked at like those that were chosen first: a doomed request is never sent.
TEST(coordinator_F27_inv_26_a_substitute_that_would_refuse_is_not_asked)
{
    struct spend_rig r = spend_rig(5);
    r.world->signers[0].mood = MOOD_AWAY;
    r.world->signers[2].max_psbt = 100;
    struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
    s = spend_rig_drive(&r, &s, 1);
    assert_int_equal(r.world->signers[2].asked, 0);
    assert_true(
        spend_rig_tells(spend_rig_story(&r, s.id),
                        "Signer 3 (C) is not asked: signer signer would refuse: the PSBT is "
                        "larger than it takes"));
    r.world->signers[0].mood = MOOD_SIGNS; // who comes back is asked, as before
    world_pass(r.ledger, 30);
    s = spend_rig_drive(&r, &s, 2);
    assert_state(s, SPEND_SENT);
    spend_rig_done(&r);
}

// Release by R2: one refusal after one signature leaves fewer than k.
TEST(coordinator_F24_one_signature_and_a_refusal_release_the_amount)
{
    struct spend_rig r = spend_rig(5);
    r.world->signers[1].mood = MOOD_REFUSES;
    (void)snprintf(r.world->signers[1].tag, 16, "warning");
    (void)snprintf(r.world->signers[1].text, 64, "has 1 warning(s)");
    struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
    s = spend_rig_drive(&r, &s, 1);
    assert_state(s, SPEND_REFUSED);
    assert_int_equal(spend_rig_velocity(&r).spent.n, 0);
    assert_int_equal(r.world->broadcasts, 0);
    spend_rig_done(&r);
}

// "A device that timed out may have signed and counts as one in R2 until it has definitely answered."
TEST(coordinator_F24_a_silent_signer_keeps_the_amount_charged)
{
    struct spend_rig r = spend_rig(5);
    r.world->signers[0].mood = MOOD_SIGNS_SILENT;
    r.world->signers[1].mood = MOOD_REFUSES;
    r.world->signers[2].mood = MOOD_SILENT;
    (void)snprintf(r.world->signers[1].tag, 16, "velocity");
    (void)snprintf(r.world->signers[1].text, 64, "would exceed period spending");
    struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
    s = spend_rig_drive(&r, &s, 1);
    assert_state(s, SPEND_PARKED);
    assert_int_equal(spend_rig_velocity(&r).open.n, 100000);
    // It answers again: the same PSBT is asked for, and the spend goes on.
    r.world->signers[0].mood = MOOD_SIGNS;
    r.world->signers[2].mood = MOOD_SIGNS;
    world_pass(r.ledger, 60);
    s = spend_rig_drive(&r, &s, 2);
    assert_state(s, SPEND_SENT);
    assert_int_equal(world_paid(r.world, r.ledger, true).n, 100000);
    spend_rig_done(&r);
}

// The same payment after one that was released: not the same transaction, of which a signature exists.
TEST(coordinator_D3_a_new_spend_is_never_an_old_transaction)
{
    struct spend_rig r = spend_rig(1);
    struct hash256 last = { { 0 } };
    for (unsigned i = 0; i < 4; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "r%u", i);
        r.world->signers[1].mood = i < 3 ? MOOD_REFUSES : MOOD_SIGNS;
        (void)snprintf(r.world->signers[1].tag, 16, "warning");
        struct spend s = world_submit(r.ledger, r.db, id, 100000, TIER_AUTO);
        s = spend_rig_drive(&r, &s, 1);
        assert_state(s, i < 3 ? SPEND_REFUSED : SPEND_SENT);
        struct attempts all;
        struct err err;
        assert_true(ledger_attempts(r.db, &all, s.id, test_arena(), &err));
        assert_int_equal(all.n, 1);
        assert_memory_not_equal(&all.items[0].txid, &last, sizeof last);
        last = all.items[0].txid;
    }
    spend_rig_done(&r);
}

// Signers that cannot be reached are waited for, and given up in the end.
TEST(coordinator_D4_signers_that_are_away_are_waited_for)
{
    struct spend_rig r = spend_rig(5);
    for (size_t i = 0; i < WORLD_SIGNERS; i++)
        r.world->signers[i].mood = MOOD_AWAY;
    struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
    s = spend_rig_drive(&r, &s, 1);
    assert_state(s, SPEND_SIGNING);
    assert_int_equal(spend_rig_velocity(&r).open.n, 100000);
    world_pass(r.ledger, 60);
    for (size_t i = 0; i < WORLD_SIGNERS; i++)
        r.world->signers[i].mood = MOOD_SIGNS;
    s = spend_rig_drive(&r, &s, 1);
    assert_state(s, SPEND_SENT);
    struct spend t = world_submit(r.ledger, r.db, "two", 100000, TIER_AUTO);
    for (size_t i = 0; i < WORLD_SIGNERS; i++)
        r.world->signers[i].mood = MOOD_AWAY;
    t = spend_rig_drive(&r, &t, 1);
    world_pass(r.ledger, 700);
    t = spend_rig_drive(&r, &t, 2);
    assert_state(t, SPEND_REFUSED);
    assert_int_equal(t.code, CODE_QUORUM_LOST);
    assert_int_equal(spend_rig_velocity(&r).open.n, 0);
    spend_rig_done(&r);
}

// --- Crashes ---

// D4 row by row: the process dies at each place, another goes on, and the money is paid exactly once.
TEST(coordinator_F22_inv_2_11_19_whatever_dies_is_finished_by_the_next)
{
    // The first answer is stored with the second request, the second with the final transaction.
    static const char *const PLACES[] = {
        "reserve",  "reserved",      "build",     "built",   "ask",         "asked",
        "answered", "answer-stored", "ask:2",     "asked:2", "answered:2",  "answer-stored:2",
        "final",    "final-stored",  "broadcast", "sent",    "sent-stored",
    };
    for (size_t i = 0; i < COUNT(PLACES); i++) {
        struct spend_rig r = spend_rig(5);
        struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
        db_close(&r.db); // a connection does not go through a fork
        if (!world_drive_until(r.world, r.ledger, PLACES[i]))
            fail_msg("nobody came to %s", PLACES[i]);
        r.db = world_db(r.ledger);
        spend_rig_check(&r);
        world_reconcile(r.world, r.ledger, r.db);
        world_pass(r.ledger, 241); // the lease of the dead one
        s = spend_rig_drive(&r, &s, 3);
        if (s.state != SPEND_SENT)
            fail_msg("after %s: %s", PLACES[i], spend_state_name(s.state));
        s = spend_rig_settle(&r, &s);
        assert_state(s, SPEND_SETTLED);
        assert_int_equal(world_paid(r.world, r.ledger, false).n, 100000);
        assert_int_equal(spend_rig_velocity(&r).spent.n, 100000);
        // A signature that was lost on the way is charged all the same: never less than k times what left.
        uint64_t charged = 0;
        for (size_t k = 0; k < WORLD_SIGNERS; k++)
            charged += r.world->signers[k].charged.n;
        assert_true(charged >= 2 * world_paid(r.world, r.ledger, false).n);
        spend_rig_done(&r);
    }
}

// Claimed, reserved, built, the first asked, the second asked, whole, sent: seven commits, and the power may fail before
// and behind each of them.
TEST(coordinator_F22_inv_13_it_dies_at_each_commit)
{
    static const char *const SIDES[] = { "commit", "committed" };
    for (unsigned i = 0; i <= 2 * 7; i++) {
        struct spend_rig r = spend_rig(5);
        struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
        char place[16];
        (void)snprintf(place, sizeof place, "%s:%u", SIDES[i % 2], i / 2 + 1);
        db_close(&r.db);
        if (world_drive_claimed_until(r.world, r.ledger, place) != (i < 2 * 7))
            fail_msg("%s: %s", place, i < 2 * 7 ? "nobody came there" : "one commit more");
        r.db = world_db(r.ledger);
        spend_rig_check(&r);
        world_reconcile(r.world, r.ledger, r.db);
        world_pass(r.ledger, 241);
        s = spend_rig_drive(&r, &s, 3);
        if (s.state != SPEND_SENT)
            fail_msg("after %s: %s", place, spend_state_name(s.state));
        assert_int_equal(world_paid(r.world, r.ledger, true).n, 100000);
        spend_rig_done(&r);
    }
}

// D4, "k signatures stored": from where earlier versions stored them by themselves.
TEST(coordinator_F22_k_stored_signatures_become_the_transaction)
{
    struct spend_rig r = spend_rig(5);
    struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
    struct err err;
    db_close(&r.db);
    assert_true(world_drive_until(r.world, r.ledger, "final-stored"));
    r.db = world_db(r.ledger);
    assert_true(db_script(r.db,
                          BYTES("UPDATE attempt SET raw = NULL, wtxid = NULL, state = 'signing'; "
                                "UPDATE spend SET state = 'signing'"),
                          &err));
    world_pass(r.ledger, 241);
    s = spend_rig_drive(&r, &s, 1);
    assert_state(s, SPEND_SENT);
    assert_int_equal(world_paid(r.world, r.ledger, true).n, 100000);
    for (size_t i = 0; i < WORLD_SIGNERS; i++)
        assert_in_range(r.world->signers[i].asked, 0, 1); // by the one that died
    db_close(&r.db); // its story has one arrow twice: no ledger that could be
}

// Deaths one after the other, at whatever comes next.
TEST(coordinator_F22_it_may_die_again_and_again)
{
    static const char *const PLACES[] = { "reserved", "built", "asked", "answered",
                                          "asked:2",  "final", "sent" };
    struct spend_rig r = spend_rig(5);
    struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
    db_close(&r.db);
    for (size_t i = 0; i < COUNT(PLACES); i++) {
        (void)world_drive_until(r.world, r.ledger, PLACES[i]);
        world_pass(r.ledger, 241);
    }
    r.db = world_db(r.ledger);
    s = spend_rig_drive(&r, &s, 3);
    s = spend_rig_settle(&r, &s);
    assert_state(s, SPEND_SETTLED);
    assert_int_equal(world_paid(r.world, r.ledger, false).n, 100000);
    spend_rig_done(&r);
}

// --- The chain ---

// F33: evicted from the mempool, it is sent again.
TEST(coordinator_F33_what_left_the_mempool_is_sent_again)
{
    struct spend_rig r = spend_rig(5);
    struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
    s = spend_rig_drive(&r, &s, 1);
    assert_state(s, SPEND_SENT);
    const struct hash256 txid = r.world->txs[r.world->n_txs - 1].txid;
    world_evict(r.world, &txid);
    world_pass(r.ledger, 60);
    s = spend_rig_drive(&r, &s, 1);
    assert_state(s, SPEND_SENT);
    assert_int_equal(world_find(r.world, &txid)->where, WORLD_MEMPOOL);
    assert_int_equal(spend_rig_velocity(&r).spent.n, 100000);
    spend_rig_done(&r);
}

// F32: a block goes; back to sent, counted once, confirmed again.
TEST(coordinator_F32_a_reorg_brings_it_back_to_sent)
{
    struct spend_rig r = spend_rig(5);
    struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
    s = spend_rig_drive(&r, &s, 1);
    world_mine(r.world, 1);
    world_reconcile(r.world, r.ledger, r.db);
    s = world_spend(r.db, s.id);
    assert_state(s, SPEND_CONFIRMED);
    world_unmine(r.world);
    world_reconcile(r.world, r.ledger, r.db);
    s = world_spend(r.db, s.id);
    assert_state(s, SPEND_SENT);
    assert_int_equal(spend_rig_velocity(&r).spent.n, 100000);
    s = spend_rig_settle(&r, &s);
    assert_state(s, SPEND_SETTLED);
    assert_int_equal(spend_rig_velocity(&r).spent.n, 100000);
    spend_rig_done(&r);
}

// The node is away between signing and broadcast: nothing is lost.
TEST(coordinator_D4_a_signed_spend_waits_for_the_node)
{
    struct spend_rig r = spend_rig(5);
    struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
    db_close(&r.db);
    assert_true(world_drive_until(r.world, r.ledger, "broadcast"));
    r.db = world_db(r.ledger);
    r.world->node_up = false;
    world_pass(r.ledger, 241);
    s = spend_rig_drive(&r, &s, 1);
    assert_state(s, SPEND_SIGNED);
    assert_true(
        spend_rig_tells(spend_rig_story(&r, s.id), "No node answers. The transaction is stored"));
    r.world->node_up = true;
    world_pass(r.ledger, 10);
    s = spend_rig_drive(&r, &s, 1);
    assert_state(s, SPEND_SENT);
    spend_rig_done(&r);
}

// R3: somebody else spent the anchor, deep enough; the amount is free again.
TEST(coordinator_F24_a_settled_conflict_makes_it_void)
{
    struct spend_rig r = spend_rig(5);
    struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
    db_close(&r.db);
    assert_true(world_drive_until(r.world, r.ledger, "broadcast"));
    r.db = world_db(r.ledger);
    s = world_spend(r.db, s.id);
    assert_true(s.has_anchor);
    world_steal(r.world, r.ledger, &s.anchor);
    world_mine(r.world, 1);
    world_pass(r.ledger, 241);
    s = spend_rig_drive(&r, &s, 1);
    assert_state(s, SPEND_PARKED);
    // C24: in our own words.
    assert_true(spend_rig_tells(spend_rig_story(&r, s.id),
                                "Parked: another transaction spends one of its coins"));
    assert_false(spend_rig_tells(spend_rig_story(&r, s.id), "missingorspent"));
    assert_int_equal(spend_rig_velocity(&r).open.n, 100000);
    world_mine(r.world, 5);
    world_reconcile(r.world, r.ledger, r.db);
    s = world_spend(r.db, s.id);
    assert_state(s, SPEND_VOID);
    assert_int_equal(spend_rig_velocity(&r).open.n, 0);
    spend_rig_done(&r);
}

// --- Several spends ---

// Inv 7, and the cap: many at once, each with its own coins.
TEST(coordinator_F14_inv_7_40_spends_beside_each_other_share_the_cap)
{
    struct spend_rig r = spend_rig(8);
    struct spend all[8];
    size_t n_sent = 0;
    for (size_t i = 0; i < COUNT(all); i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "r%zu", i);
        all[i] = world_submit(r.ledger, r.db, id, 150000, TIER_AUTO);
    }
    (void)world_drive(r.world, r.ledger, r.db, 20);
    for (size_t i = 0; i < COUNT(all); i++) {
        all[i] = world_spend(r.db, all[i].id);
        n_sent += all[i].state == SPEND_SENT;
        if (all[i].state != SPEND_SENT)
            assert_int_equal(all[i].code, CODE_VELOCITY_EXCEEDED);
    }
    assert_int_equal(n_sent, 6); // of 1 000 000
    assert_int_equal(world_paid(r.world, r.ledger, true).n, 900000);
    spend_rig_done(&r);
}

// "A dry run changes no row but its own audit row and asks no signer": the row is the API's; here, none.
TEST(coordinator_F34_inv_12_a_dry_run_leaves_no_trace)
{
    struct spend_rig r = spend_rig(5);
    struct dry_run d;
    struct err err;
    const struct hash256 before = world_store_hash(r.ledger, r.db);
    if (!world_dry_run(r.world, r.ledger, r.db, 100000, &d, &err))
        fail_msg("%s", err.text);
    assert_int_equal(d.n_signers, 2);
    assert_int_equal(d.velocity.spent.n, 0);
    assert_true(d.build.fee.n > 0);
    assert_false(world_dry_run(r.world, r.ledger, r.db, 1000001, &d, &err));
    assert_int_equal(code_of(&err), CODE_VELOCITY_EXCEEDED);
    const struct hash256 after = world_store_hash(r.ledger, r.db);
    assert_memory_equal(&before, &after, sizeof after);
    for (size_t k = 0; k < WORLD_SIGNERS; k++)
        assert_int_equal(r.world->signers[k].asked, 0);
    // The spend that follows is the one that was foreseen.
    struct spend s = world_submit(r.ledger, r.db, "one", 100000, TIER_AUTO);
    struct attempts all;
    assert_true(world_dry_run(r.world, r.ledger, r.db, 100000, &d, &err));
    s = spend_rig_drive(&r, &s, 1);
    assert_true(ledger_attempts(r.db, &all, s.id, test_arena(), &err));
    assert_memory_equal(&all.items[0].txid, &d.build.txid, sizeof d.build.txid);
    spend_rig_done(&r);
}

// --- The surge tier ---

TEST(coordinator_F40_a_surge_spend_needs_its_code)
{
    struct spend_rig r = spend_rig(8);
    struct clock clock = clock_system();
    r.ledger->codes = surge_codes_new(&clock);
    struct spend s = world_submit(r.ledger, r.db, "one", 1200000, TIER_SURGE);
    s = spend_rig_drive(&r, &s, 1);
    assert_state(s, SPEND_RECEIVED); // another replica may have the code
    const struct fleet_auth auth = { .user = "owner", .code = "123456", .given = true };
    assert_true(surge_codes_put(r.ledger->codes, s.id, &auth));
    world_pass(r.ledger, 2);
    s = spend_rig_drive(&r, &s, 1);
    assert_state(s, SPEND_SENT);
    struct fleet_auth out;
    assert_false(surge_codes_get(r.ledger->codes, s.id, &out)); // used, so gone
    struct spend t = world_submit(r.ledger, r.db, "two", 1200000, TIER_SURGE);
    world_pass(r.ledger, 40);
    t = spend_rig_drive(&r, &t, 1);
    assert_state(t, SPEND_AWAITING_APPROVAL);
    surge_codes_free(r.ledger->codes);
    spend_rig_done(&r);
}
