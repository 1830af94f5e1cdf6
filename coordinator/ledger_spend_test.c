// A spend's life: transactions, signatures, the release rules, and what the chain does; on both stores.
#include "coordinator/invariants.h"
#include "coordinator/ledger.h"
#include "tests/support/ledger_rig.h"
#include "tests/support/test.h"
#include <string.h>

static void assert_sound(struct ledger_rig *rig)
{
    struct err err;
    if (!invariants_check(rig->db, &err))
        fail_msg("%s", err.text);
}

static struct attempt add(struct ledger_rig *rig, struct spend *s, enum attempt_kind kind,
                          unsigned coin)
{
    struct attempt a = rig_attempt(rig, kind, coin);
    struct err err;
    if (!ledger_attempt_add(rig->db, s, &a, &err))
        fail_msg("%s", err.text);
    return a;
}

static struct sign_request ask(struct ledger_rig *rig, struct spend *s, struct attempt *a,
                               unsigned signer)
{
    struct sign_request r;
    struct err err;
    if (!ledger_sign_ask(rig->db, s, a, rig->signers[signer], &r, &err))
        fail_msg("%s", err.text);
    return r;
}

static void answer(struct ledger_rig *rig, struct spend *s, struct sign_request *r,
                   enum sign_state outcome)
{
    struct err err;
    if (!ledger_sign_answer(rig->db, s, r, outcome, "tag", "detail", BYTES("sig"), &err))
        fail_msg("%s", err.text);
}

static void see(struct ledger_rig *rig, const struct attempt *a, enum sight where, uint32_t depth)
{
    const struct sighting s = { where, { { (uint8_t)depth, 9 } }, 100, depth };
    struct err err;
    bool ours;
    if (!ledger_sighted(rig->db, rig->wallet, &a->txid, &s, &ours, &err))
        fail_msg("%s", err.text);
    assert_true(ours);
}

static struct velocity_view velocity(struct ledger_rig *rig)
{
    struct velocity_view v;
    struct err err;
    if (!ledger_velocity(rig->db, &v, rig->wallet, &err))
        fail_msg("%s", err.text);
    return v;
}

// --- The table ---

// D3, letter for letter.
TEST(coordinator_F21_inv_14_state_table)
{
    static const char *const arrows =
        "received: awaiting_approval reserved rejected expired cancelled;"
        "awaiting_approval: reserved rejected expired cancelled;"
        "reserved: built failed cancelled;"
        "built: signing failed cancelled;"
        "signing: signed refused parked;"
        "signed: sent parked;"
        "parked: signing signed sent voiding;"
        "sent: confirmed parked voiding void;"
        "voiding: void confirmed;"
        "confirmed: settled sent;"
        "settled: sent;" // "reorg deeper"
        "rejected:;expired:;failed:;cancelled:;refused:;"
        "void: parked;"; // "reorg"
    // The order of the enum is not that of the document: compared as sets.
    for (enum spend_state from = 0; from < SPEND_STATES; from++) {
        for (enum spend_state to = 0; to < SPEND_STATES; to++) {
            char line[128], word[32];
            (void)snprintf(line, sizeof line, "%s:", spend_state_name(from));
            (void)snprintf(word, sizeof word, " %s", spend_state_name(to));
            const char *start = strstr(arrows, line);
            while (start != arrows && start[-1] != ';')
                start = strstr(start + 1, line);
            const char *end = strchr(start, ';'), *at = strstr(start, word);
            while (at && at < end && at[strlen(word)] != ' ' && at[strlen(word)] != ';')
                at = strstr(at + 1, word);
            assert_int_equal(spend_state_may(from, to), at && at < end);
        }
    }
}

TEST_BOTH(a_whole_life)
{
    struct spend s = rig_reserved(rig, 100);
    struct err err;
    assert_true(s.has_change);
    assert_int_equal(s.change_index, 0);
    struct attempt a = add(rig, &s, ATTEMPT_PAY, 1);
    assert_int_equal(s.state, SPEND_BUILT);
    assert_true(s.has_anchor);
    const struct bytes raw = a.raw;
    struct sign_request r = ask(rig, &s, &a, 0);
    assert_int_equal(s.state, SPEND_SIGNING);
    assert_int_equal(a.state, ATTEMPT_SIGNING);
    answer(rig, &s, &r, SIGN_SIGNED);
    // One signature is not enough for a final transaction.
    assert_false(ledger_signed(rig->db, &s, &a, raw, &err));
    assert_int_equal(code_of(&err), CODE_CONFLICT);
    r = ask(rig, &s, &a, 2);
    answer(rig, &s, &r, SIGN_SIGNED);
    // Another transaction is not this one's final form.
    const struct attempt other = rig_attempt(rig, ATTEMPT_PAY, 1);
    assert_false(ledger_signed(rig->db, &s, &a, other.raw, &err));
    assert_true(ledger_signed(rig->db, &s, &a, raw, &err));
    assert_int_equal(s.state, SPEND_SIGNED);
    assert_int_equal(velocity(rig).open.n, 100);
    assert_true(ledger_sent(rig->db, &s, &a, &err));
    assert_int_equal(s.state, SPEND_SENT);
    assert_true(ledger_sent(rig->db, &s, &a, &err)); // sent again: fine
    assert_int_equal(velocity(rig).open.n, 0);
    assert_int_equal(velocity(rig).sent.n, 100);
    assert_sound(rig);
    see(rig, &a, SIGHT_BLOCK, 1);
    assert_spend_state(rig, s.id, "confirmed");
    see(rig, &a, SIGHT_BLOCK, 5);
    assert_spend_state(rig, s.id, "confirmed");
    see(rig, &a, SIGHT_BLOCK, 6);
    assert_spend_state(rig, s.id, "settled");
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM input_lock"), 0);
    assert_int_equal(velocity(rig).sent.n, 100);
    assert_sound(rig);
}

// An answer is there with what comes next, or neither is.
TEST_BOTH(coordinator_D4_an_answer_is_stored_with_the_next_act)
{
    struct spend s = rig_reserved(rig, 100);
    struct attempt a = add(rig, &s, ATTEMPT_PAY, 1);
    const struct bytes raw = a.raw;
    const struct attempt other = rig_attempt(rig, ATTEMPT_PAY, 1);
    struct sign_request first = ask(rig, &s, &a, 0), second;
    const struct sign_answer one = { &first, SIGN_SIGNED, "", "", BYTES("sig") },
                             two = { &second, SIGN_SIGNED, "", "", BYTES("sig") };
    struct err err;
    // Who has signed is not asked again, and then has not answered either.
    assert_false(ledger_sign_ask_next(rig->db, &s, &a, &one, rig->signers[0], &second, &err));
    assert_int_equal(first.state, SIGN_ASKED);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM sign_request WHERE state = 'asked'"), 1);
    assert_true(ledger_sign_ask_next(rig->db, &s, &a, &one, rig->signers[1], &second, &err));
    assert_int_equal(first.state, SIGN_SIGNED);
    assert_int_equal(second.state, SIGN_ASKED);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM sign_request WHERE state = 'signed'"),
                     1);
    assert_false(ledger_signed_at_last(rig->db, &s, &a, &two, other.raw, &err));
    assert_int_equal(second.state, SIGN_ASKED);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM sign_request WHERE state = 'signed'"),
                     1);
    assert_true(ledger_signed_at_last(rig->db, &s, &a, &two, raw, &err));
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM sign_request WHERE state = 'signed'"),
                     2);
    assert_int_equal(s.state, SPEND_SIGNED);
    assert_sound(rig);
    // Sent, and nobody's; due when it was to be, or when somebody woke it meanwhile.
    assert_true(ledger_wake(rig->db, s.id, &err));
    assert_true(ledger_sent_and_let_go(rig->db, &s, &a, INT64_MAX - 1, &err));
    assert_spend_state(rig, s.id, "sent");
    assert_string_equal(rig_read(rig, s.id).owner, "");
    assert_true(rig_read(rig, s.id).next_us < INT64_MAX - 1);
    assert_false(ledger_sent_and_let_go(rig->db, &s, &a, INT64_MAX - 1, &err)); // not ours any more
    assert_sound(rig);
}

// The chain tells of a transaction whose sending was never noted: each arrow is made up for.
TEST_BOTH(what_the_chain_shows_is_made_up_for)
{
    struct spend s = rig_reserved(rig, 100);
    struct err err;
    struct attempt a = add(rig, &s, ATTEMPT_PAY, 1);
    ledger_rig_sign(rig, &s, &a);
    see(rig, &a, SIGHT_BLOCK, 6);
    assert_spend_state(rig, s.id, "settled");
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM event WHERE kind = 'spend.state'"), 8);
    assert_int_equal(velocity(rig).sent.n, 100);
    assert_sound(rig);
    // The holder that slept meanwhile cannot write.
    assert_false(ledger_sent(rig->db, &s, &a, &err));
    assert_int_equal(code_of(&err), CODE_CONFLICT);
}

// --- Inputs and the anchor ---

TEST_BOTH(inv_7_two_spends_never_hold_one_input)
{
    struct spend s = rig_reserved(rig, 100), t = rig_reserved(rig, 100);
    struct err err;
    (void)add(rig, &s, ATTEMPT_PAY, 1);
    struct attempt b = rig_attempt(rig, ATTEMPT_PAY, 1);
    assert_false(ledger_attempt_add(rig->db, &t, &b, &err));
    assert_int_equal(code_of(&err), CODE_COINS_BUSY);
    assert_int_equal(t.state, SPEND_RESERVED);
    assert_false(t.has_anchor);
    assert_true(ledger_end(rig->db, &s, SPEND_CANCELLED, CODE_NONE, "", &err));
    assert_true(ledger_attempt_add(rig->db, &t, &b, &err));
    assert_sound(rig);
}

TEST_BOTH(coordinator_F23_inv_4_every_attempt_has_the_anchor)
{
    struct attempt a;
    struct spend s = rig_sent(rig, 100, &a);
    struct err err;
    struct attempt other = rig_attempt(rig, ATTEMPT_REPLACE, 77);
    assert_false(ledger_attempt_add(rig->db, &s, &other, &err));
    assert_int_equal(code_of(&err), CODE_CONFLICT);
    assert_string_equal(err.text, "the anchor is not among its inputs");
    other.kind = ATTEMPT_VOID;
    assert_false(ledger_attempt_add(rig->db, &s, &other, &err));
    other.kind = ATTEMPT_PAY;
    assert_false(ledger_attempt_add(rig->db, &s, &other, &err));
    // A child spends an output of the spend's own transaction, and nothing else will do.
    other.kind = ATTEMPT_CHILD;
    assert_false(ledger_attempt_add(rig->db, &s, &other, &err));
    const struct outpoint change = { a.txid, 1 };
    struct attempt child = rig_attempt_of(rig, ATTEMPT_CHILD, &change, 1, 5);
    assert_true(ledger_attempt_add(rig->db, &s, &child, &err));
    assert_int_equal(s.bumps, 1);
    const struct outpoint two[] = { rig_coin(78), s.anchor };
    struct attempt better = rig_attempt_of(rig, ATTEMPT_REPLACE, two, 2, 9);
    assert_true(ledger_attempt_add(rig->db, &s, &better, &err));
    assert_int_equal(better.number, 3);
    assert_int_equal(velocity(rig).fees.n, 9 + 5);
    assert_int_equal(velocity(rig).sent.n, 100); // inv 36: counted once
    assert_sound(rig);
}

// D6: failing spends use up no change address, and no two live ones share one.
TEST_BOTH(coordinator_F28_change_addresses_return)
{
    struct err err;
    for (unsigned i = 0; i < 5; i++) {
        struct spend s = rig_reserved(rig, 1);
        assert_int_equal(s.change_index, 0);
        assert_true(ledger_end(rig->db, &s, SPEND_FAILED, CODE_INSUFFICIENT_FUNDS, "", &err));
    }
    struct spend a = rig_reserved(rig, 1), b = rig_reserved(rig, 1), c = rig_reserved(rig, 1);
    assert_int_equal(a.change_index, 0);
    assert_int_equal(b.change_index, 1);
    assert_int_equal(c.change_index, 2);
    assert_true(ledger_end(rig->db, &b, SPEND_FAILED, CODE_NONE, "", &err));
    b = rig_reserved(rig, 1);
    assert_int_equal(b.change_index, 1);
}

// --- Release ---

TEST_BOTH(coordinator_F24_inv_6_release_rules)
{
    struct err err;
    // R1: nobody was asked.
    struct spend s = rig_reserved(rig, 100);
    struct attempt a = add(rig, &s, ATTEMPT_PAY, 1);
    assert_true(ledger_end(rig->db, &s, SPEND_FAILED, CODE_PREFLIGHT_FAILED, "", &err));
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM reservation WHERE release_rule = 'R1'"),
                     1);
    // R2: one asked, one refused, with k = 2.
    s = rig_reserved(rig, 100);
    a = add(rig, &s, ATTEMPT_PAY, 2);
    struct sign_request r = ask(rig, &s, &a, 0);
    answer(rig, &s, &r, SIGN_SIGNED);
    r = ask(rig, &s, &a, 1);
    // The silent signer may have signed: two may exist.
    assert_false(ledger_end(rig->db, &s, SPEND_REFUSED, CODE_SIGNER_REFUSED, "", &err));
    assert_int_equal(code_of(&err), CODE_CONFLICT);
    answer(rig, &s, &r, SIGN_UNKNOWN);
    assert_false(ledger_end(rig->db, &s, SPEND_REFUSED, CODE_SIGNER_REFUSED, "", &err));
    // Asked again, the same signer still has one signature to give; now it says no.
    r = ask(rig, &s, &a, 1);
    assert_int_equal(r.seq, 2);
    answer(rig, &s, &r, SIGN_REFUSED);
    assert_false(ledger_end(rig->db, &s, SPEND_REFUSED, CODE_SIGNER_REFUSED, "", &err));
    assert_int_equal(velocity(rig).open.n, 100);
    assert_true(ledger_park(rig->db, &s, CODE_SIGNER_REFUSED, "", &err));
    assert_sound(rig);
    // All refused: nobody has signed.
    s = rig_reserved(rig, 100);
    a = add(rig, &s, ATTEMPT_PAY, 3);
    r = ask(rig, &s, &a, 0);
    answer(rig, &s, &r, SIGN_SIGNED);
    r = ask(rig, &s, &a, 1);
    answer(rig, &s, &r, SIGN_REFUSED);
    assert_true(ledger_end(rig->db, &s, SPEND_REFUSED, CODE_SIGNER_REFUSED, "", &err));
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM reservation WHERE release_rule = 'R2'"),
                     1);
    assert_int_equal(velocity(rig).open.n, 100);
    assert_sound(rig);
}

// An unknown answer of a signer leaves k - 1 others: a definite no of the request itself is what counts.
TEST_BOTH(a_request_that_was_never_begun_counts_nothing)
{
    struct spend s = rig_reserved(rig, 100);
    struct err err;
    struct attempt a = add(rig, &s, ATTEMPT_PAY, 2);
    struct sign_request r = ask(rig, &s, &a, 0);
    answer(rig, &s, &r, SIGN_PLANNED);
    // Planned again: the next request is the same row.
    r = ask(rig, &s, &a, 0);
    assert_int_equal(r.seq, 1);
    answer(rig, &s, &r, SIGN_PLANNED);
    assert_true(ledger_end(rig->db, &s, SPEND_REFUSED, CODE_QUORUM_LOST, "", &err));
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM reservation WHERE release_rule = 'R1'"),
                     1);
    assert_sound(rig);
}

TEST_BOTH(inv_5_no_signer_without_a_reservation)
{
    struct spend s = rig_reserved(rig, 100);
    struct attempt a = add(rig, &s, ATTEMPT_PAY, 1);
    struct sign_request r;
    struct err err;
    rig_exec(rig,
             "UPDATE reservation SET status = 'released', release_rule = 'R1', released_at = 1");
    assert_false(ledger_sign_ask(rig->db, &s, &a, rig->signers[0], &r, &err));
    assert_int_equal(code_of(&err), CODE_CONFLICT);
    assert_string_equal(err.text, "nothing is reserved for it");
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM sign_request"), 0);
}

TEST_BOTH(coordinator_F41_a_frozen_wallet_asks_for_nothing_new)
{
    struct spend s = rig_reserved(rig, 100), t = rig_reserved(rig, 100);
    struct attempt a = add(rig, &s, ATTEMPT_PAY, 1), b = add(rig, &t, ATTEMPT_PAY, 2);
    struct sign_request r = ask(rig, &s, &a, 0);
    struct err err;
    assert_true(ledger_freeze(rig->db, rig->wallet, true, "operator", &err));
    assert_false(ledger_sign_ask(rig->db, &t, &b, rig->signers[0], &r, &err));
    assert_int_equal(code_of(&err), CODE_FROZEN);
    assert_true(ledger_sign_ask(rig->db, &s, &a, rig->signers[1], &r, &err));
}

// --- Conflicts, voids, reorgs ---

static void conflict(struct ledger_rig *rig, const struct outpoint *coin, uint32_t depth)
{
    const struct hash256 by = { { 0xbb } };
    struct err err;
    if (!ledger_conflicted(rig->db, rig->wallet, coin, &by, depth, &err))
        fail_msg("%s", err.text);
}

TEST_BOTH(coordinator_F24_R3_a_settled_conflict_voids_and_a_reorg_reopens)
{
    struct attempt a;
    const struct spend s = rig_sent(rig, 100, &a);
    conflict(rig, &s.anchor, 0);
    assert_spend_state(rig, s.id, "sent");
    conflict(rig, &s.anchor, 5);
    assert_spend_state(rig, s.id, "sent");
    conflict(rig, &s.anchor, 6);
    assert_spend_state(rig, s.id, "void");
    assert_int_equal(velocity(rig).spent.n, 0);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM reservation WHERE release_rule = 'R3'"),
                     1);
    assert_sound(rig);
    conflict(rig, &s.anchor, 0);
    assert_spend_state(rig, s.id, "parked");
    assert_int_equal(velocity(rig).spent.n, 100);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM input_lock"), 1);
    assert_sound(rig);
    // And it wins in the end.
    see(rig, &a, SIGHT_BLOCK, 1);
    assert_spend_state(rig, s.id, "confirmed");
    assert_sound(rig);
}

// What left unconfirmed counts, without its change; what another transaction or our own took the coins from, not.
TEST_BOTH(coordinator_F11_what_the_cap_counts)
{
    struct attempt a, b, c;
    struct err err;
    rig_caps(rig, 100, 100, 1000);
    const struct spend unconfirmed = rig_sent(rig, 60, &a);
    assert_spend_state(rig, unconfirmed.id, "sent");
    assert_int_equal(a.inputs[0].amount.n, 2000); // most of it comes back as change
    assert_int_equal(velocity(rig).sent.n, 60);
    const struct spend conflicted = rig_sent(rig, 40, &b);
    assert_int_equal(velocity(rig).spent.n, 100);
    struct spend over = rig_claimed(rig, 1);
    assert_false(ledger_reserve(rig->db, &over, (struct sats){ 1 }, &err));
    assert_int_equal(code_of(&err), CODE_VELOCITY_EXCEEDED);
    conflict(rig, &conflicted.anchor, 6);
    assert_spend_state(rig, conflicted.id, "void");
    assert_int_equal(velocity(rig).spent.n, 60);
    // Its room is there again, to the satoshi.
    struct spend taken_back = rig_sent(rig, 40, &c);
    over = rig_claimed(rig, 1);
    assert_false(ledger_reserve(rig->db, &over, (struct sats){ 1 }, &err));
    assert_int_equal(code_of(&err), CODE_VELOCITY_EXCEEDED);
    struct attempt back = add(rig, &taken_back, ATTEMPT_VOID, c.inputs[0].outpoint.index);
    ledger_rig_sign(rig, &taken_back, &back);
    assert_true(ledger_sent(rig->db, &taken_back, &back, &err));
    assert_int_equal(velocity(rig).spent.n, 100); // the payment may still confirm
    see(rig, &back, SIGHT_BLOCK, 6);
    assert_spend_state(rig, taken_back.id, "void");
    assert_int_equal(velocity(rig).spent.n, 60);
    (void)rig_reserved(rig, 40);
    assert_int_equal(velocity(rig).spent.n, 100);
    assert_sound(rig);
}

TEST_BOTH(a_conflict_with_one_of_two_attempts_voids_nothing)
{
    struct attempt a;
    struct spend s = rig_sent(rig, 100, &a);
    struct err err;
    const struct outpoint two[] = { s.anchor, rig_coin(78) };
    struct attempt b = rig_attempt_of(rig, ATTEMPT_REPLACE, two, 2, 9);
    assert_true(ledger_attempt_add(rig->db, &s, &b, &err));
    conflict(rig, &two[1], 100);
    assert_spend_state(rig, s.id, "sent");
    conflict(rig, &two[0], 6);
    assert_spend_state(rig, s.id, "void");
    assert_sound(rig);
}

TEST_BOTH(parked_and_signing_spends_become_void_by_way_of_the_table)
{
    struct spend s = rig_reserved(rig, 100);
    struct attempt a = add(rig, &s, ATTEMPT_PAY, 1);
    (void)ask(rig, &s, &a, 0);
    conflict(rig, &s.anchor, 6);
    assert_spend_state(rig, s.id, "void");
    assert_int_equal(velocity(rig).spent.n, 0);
    assert_sound(rig);
}

TEST_BOTH(coordinator_F31_void_by_a_self_transfer)
{
    struct attempt a;
    struct spend s = rig_sent(rig, 100, &a);
    struct err err;
    struct attempt v = add(rig, &s, ATTEMPT_VOID, a.inputs[0].outpoint.index);
    assert_int_equal(s.state, SPEND_VOIDING);
    ledger_rig_sign(rig, &s, &v);
    assert_int_equal(s.state, SPEND_VOIDING);
    assert_true(ledger_sent(rig->db, &s, &v, &err));
    assert_int_equal(s.state, SPEND_VOIDING);
    // What devices charged for it: nothing.
    assert_int_equal(rig_number(rig, "SELECT CAST(sum(value) AS bigint) FROM sign_request"), 200);
    see(rig, &v, SIGHT_BLOCK, 1);
    assert_spend_state(rig, s.id, "voiding");
    assert_int_equal(velocity(rig).spent.n, 100);
    see(rig, &v, SIGHT_BLOCK, 6);
    assert_spend_state(rig, s.id, "void");
    assert_int_equal(velocity(rig).spent.n, 0);
    assert_sound(rig);
    // The block goes: the payment may confirm after all.
    see(rig, &v, SIGHT_GONE, 0);
    assert_spend_state(rig, s.id, "parked");
    assert_int_equal(velocity(rig).spent.n, 100);
    see(rig, &v, SIGHT_BLOCK, 7);
    assert_spend_state(rig, s.id, "void");
    assert_sound(rig);
}

TEST_BOTH(a_payment_that_confirms_while_it_is_taken_back)
{
    struct attempt a;
    struct spend s = rig_sent(rig, 100, &a);
    struct attempt v = add(rig, &s, ATTEMPT_VOID, a.inputs[0].outpoint.index);
    ledger_rig_sign(rig, &s, &v);
    see(rig, &a, SIGHT_BLOCK, 1);
    assert_spend_state(rig, s.id, "confirmed");
    see(rig, &v, SIGHT_GONE, 0);
    assert_spend_state(rig, s.id, "confirmed");
    see(rig, &a, SIGHT_BLOCK, 6);
    assert_spend_state(rig, s.id, "settled");
    assert_sound(rig);
}

TEST_BOTH(coordinator_F32_inv_35_36_reorg_back_to_sent_and_counted_once)
{
    struct attempt a;
    const struct spend s = rig_sent(rig, 100, &a);
    see(rig, &a, SIGHT_BLOCK, 3);
    assert_spend_state(rig, s.id, "confirmed");
    see(rig, &a, SIGHT_GONE, 0);
    assert_spend_state(rig, s.id, "sent");
    assert_int_equal(velocity(rig).spent.n, 100);
    // It is due: somebody sends it again.
    struct spend claimed;
    struct err err;
    bool found;
    rig_exec(rig, "UPDATE spend SET owner = NULL, lease_until = NULL");
    assert_true(ledger_claim(rig->db, &claimed, &found, "b", 1000000, &err));
    assert_true(found);
    see(rig, &a, SIGHT_MEMPOOL, 0);
    assert_spend_state(rig, s.id, "sent");
    see(rig, &a, SIGHT_BLOCK, 6);
    assert_spend_state(rig, s.id, "settled");
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM event WHERE kind = 'reorg'"), 1);
    // Deeper than it ought to be: back to sent, with an alarm.
    see(rig, &a, SIGHT_GONE, 0);
    assert_spend_state(rig, s.id, "sent");
    assert_int_equal(rig_number(rig,
                                "SELECT count(*) FROM event WHERE kind = 'reorg' AND after LIKE "
                                "'%\"critical\": true%'"),
                     1);
    assert_int_equal(velocity(rig).spent.n, 100);
    assert_sound(rig);
}

// Sent as *a, then as *b, which replaces it.
static struct spend replaced(struct ledger_rig *rig, struct attempt *a, struct attempt *b)
{
    struct spend s = rig_sent(rig, 100, a);
    struct err err;
    *b = rig_attempt_of(rig, ATTEMPT_REPLACE, &s.anchor, 1, 9);
    assert_true(ledger_attempt_add(rig->db, &s, b, &err));
    ledger_rig_sign(rig, &s, b);
    assert_true(ledger_sent(rig->db, &s, b, &err));
    return s;
}

// After a reorg the new branch may have the replacement, and be told of it before the old block is told gone.
TEST_BOTH(coordinator_F32_inv_3_one_attempt_is_in_the_chain_at_a_time)
{
    struct attempt a, b;
    const struct spend s = replaced(rig, &a, &b);
    see(rig, &a, SIGHT_BLOCK, 1);
    assert_spend_state(rig, s.id, "confirmed");
    assert_sound(rig);
    see(rig, &b, SIGHT_BLOCK, 1);
    assert_spend_state(rig, s.id, "confirmed");
    assert_int_equal(
        rig_number(rig, "SELECT number FROM attempt WHERE state = 'confirmed' AND height > 0"), 2);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM attempt WHERE height > 0"), 1);
    assert_sound(rig);
    see(rig, &a, SIGHT_GONE, 0);
    assert_spend_state(rig, s.id, "confirmed");
    see(rig, &b, SIGHT_BLOCK, 6);
    assert_spend_state(rig, s.id, "settled");
    assert_int_equal(velocity(rig).spent.n, 100);
    assert_sound(rig);
}

// A replaced transaction that vanishes says nothing about the one that replaced it.
TEST_BOTH(coordinator_C8_a_replaced_transaction_is_counted_once)
{
    struct attempt a, b;
    const struct spend s = replaced(rig, &a, &b);
    assert_int_equal(velocity(rig).spent.n, 100);
    see(rig, &b, SIGHT_BLOCK, 1);
    see(rig, &a, SIGHT_GONE, 0);
    assert_spend_state(rig, s.id, "confirmed");
    // The block goes, the old one is in the mempool again.
    see(rig, &b, SIGHT_GONE, 0);
    assert_spend_state(rig, s.id, "sent");
    see(rig, &a, SIGHT_MEMPOOL, 0);
    see(rig, &a, SIGHT_BLOCK, 6);
    assert_spend_state(rig, s.id, "settled");
    assert_int_equal(velocity(rig).spent.n, 100);
    assert_sound(rig);
}

// "released by mistake: impossible": if it happens all the same, it counts, and is told.
TEST_BOTH(a_released_spend_on_the_chain_counts_as_foreign)
{
    struct spend s = rig_reserved(rig, 100);
    struct attempt a = add(rig, &s, ATTEMPT_PAY, 1);
    struct err err;
    assert_true(ledger_end(rig->db, &s, SPEND_FAILED, CODE_NONE, "", &err));
    see(rig, &a, SIGHT_BLOCK, 1);
    see(rig, &a, SIGHT_BLOCK, 2);
    assert_spend_state(rig, s.id, "failed");
    assert_int_equal(velocity(rig).foreign.n, 100);
    assert_false(invariants_check(rig->db, &err));
    assert_memory_equal(err.text, "invariant 6: a released spend is on the chain", 45);
}

TEST_BOTH(unknown_transactions_are_not_ours)
{
    const struct hash256 txid = { { 3 } };
    const struct sighting s = { .where = SIGHT_MEMPOOL };
    struct err err;
    bool ours;
    assert_true(ledger_sighted(rig->db, rig->wallet, &txid, &s, &ours, &err));
    assert_false(ours);
}

// --- The checker itself ---

// Each statement finds what it is for: a store that is broken by hand.
TEST(coordinator_F53_the_checker_finds_what_is_broken)
{
    static const struct {
        const char *sql, *expected;
    } cases[] = {
        { "UPDATE velocity_guard SET reserved_open = 99", "invariant 1: the running sum of open" },
        { "UPDATE velocity_guard SET sum_sent = 1",
          "invariant 1: the running sum of what was sent" },
        { "UPDATE velocity_guard SET sum_foreign = 1", "invariant 1: the running sum of foreign" },
        { "UPDATE velocity_guard SET sum_fees = 1", "invariant 1: the running sum of fees" },
        { "UPDATE reservation SET cap = 100, spent_before = 0; UPDATE reservation SET "
          "first_sent_at = 5 "
          "WHERE status = 'sent'",
          "invariant 1: more was sent" },
        { "UPDATE attempt_input SET vout = 55", "invariant 4" },
        { "UPDATE sign_request SET asked_at = 1", "invariant 5" },
        { "UPDATE reservation SET status = 'released', release_rule = 'R1', released_at = "
          "9000000000000000",
          "invariant 6: released by R1" },
        { "UPDATE reservation SET status = 'released', release_rule = 'R2', released_at = "
          "9000000000000000",
          "invariant 6: released by R2" },
        { "UPDATE reservation SET status = 'released', release_rule = 'R3', released_at = "
          "9000000000000000",
          "invariant 6: released by R3" },
        { "DELETE FROM input_lock", "invariant 7: a live spend does not" },
        { "UPDATE spend_output SET destination_id = NULL", "invariant 9: an amount" },
        { "UPDATE spend_output SET sat = 1", "invariant 9: a spend's amount" },
        { "UPDATE sign_request SET state = 'unknown'", "invariant 13: a transaction counts" },
        { "UPDATE spend SET state = 'built'; UPDATE reservation SET status = 'open'; UPDATE "
          "velocity_guard "
          "SET reserved_open = 200",
          "invariant 13: a signer was asked" },
        { "UPDATE spend SET state = 'failed'", "invariant 20: an ended spend" },
        { "UPDATE spend SET state = 'parked'", "invariant 14" },
        { "DROP TRIGGER event_stays; UPDATE event SET after = '{}' WHERE seq = 2", "invariant 14" },
        { "DROP TRIGGER event_stays; UPDATE event SET actor = 'x' WHERE seq = 2",
          "invariant 34: event 2: was changed" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ledger_rig rig;
        struct attempt a, b;
        struct err err;
        rig_memory(&rig);
        (void)rig_sent(&rig, 100, &a);
        (void)rig_sent(&rig, 100, &b);
        assert_sound(&rig);
        rig_exec(&rig, cases[i].sql);
        const bool ok = invariants_check(rig.db, &err);
        if (ok != (cases[i].expected[0] == 0) ||
            (!ok && strncmp(err.text, cases[i].expected, strlen(cases[i].expected)) != 0))
            fail_msg("case %zu: %s", i, ok ? "found nothing" : err.text);
        rig_close(&rig);
    }
}
