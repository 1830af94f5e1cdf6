// tests/chain/reconcile_test.c -- the ledger against a real chain: coordinator/reconcile.h.
#include "coordinator/reconcile.h"
#include "tests/chain/scene.h"

// --- Our own spends ---

// D4: "broadcast done, not noted: chain reader matches the txid"; then block by block to the end, and back
// once. The cap sees it once, whatever happens.
TEST(coordinator_F32_inv_35_36_a_spend_through_a_reorg)
{
    AUTO(scene_end) struct scene *s = scene_new("wsh", 3, 5 * (uint64_t)COIN);
    pass(s);
    const struct known_spend k = signed_spend(s, COIN);
    sends(s, k.attempt.raw); // and died
    state_is(s, k, "signed");
    pass(s);
    state_is(s, k, "sent");
    assert_int_equal(velocity(s).spent.n, COIN);
    const struct bytes block = regtest_mine(s->r, 1);
    pass(s);
    state_is(s, k, "confirmed");
    regtest_take_back(s->r, block);
    pass(s);
    state_is(s, k, "sent");
    assert_true(s->last.changed && s->last.removed > 0);
    assert_int_equal(velocity(s).spent.n, COIN);
    assert_int_equal(velocity(s).foreign.n, 0);
    (void)regtest_mine(s->r, 5);
    pass(s);
    state_is(s, k, "confirmed");
    (void)regtest_mine(s->r, 1);
    pass(s);
    state_is(s, k, "settled");
    pass(s); // nothing new
    assert_false(s->last.changed);
    assert_int_equal(velocity(s).spent.n, COIN);
}

// Evicted, or lost with the node's mempool: neither abandoned nor in conflict by the listing. The spend is due at
// once, and stays what it is.
TEST(coordinator_F33_inv_39_what_fell_out_of_the_mempool_is_due_again)
{
    AUTO(scene_end) struct scene *s = scene_new("wsh", 4, 5 * (uint64_t)COIN);
    struct err err;
    pass(s);
    struct known_spend k = signed_spend(s, COIN);
    sends(s, k.attempt.raw);
    pass(s);
    k.spend = rig_read(&s->ledger, k.spend.id);
    rig_hold(&s->ledger, &k.spend, "me");
    good(ledger_let_go(s->ledger.db, &k.spend, INT64_MAX / 2, &err));
    pass(s);
    assert_false(s->last.changed);
    const int64_t stamp = velocity(s).reconciled_us;
    regtest_stop(s->r);
    assert_false(passes(s));
    assert_int_equal(code_of(&s->err), CODE_NODE_UNAVAILABLE);
    assert_int_equal(velocity(s).reconciled_us, stamp); // D17 23: stale, so nothing is admitted
    regtest_restart(s->r, false);
    pass(s);
    assert_true(s->last.changed);
    state_is(s, k, "sent");
    assert_true(velocity(s).reconciled_us > stamp);
    assert_true(rig_read(&s->ledger, k.spend.id).next_us <= velocity(s).now_us);
    assert_int_equal(velocity(s).spent.n, COIN);
    sends(s, k.attempt.raw);
    pass(s);
    (void)regtest_mine(s->r, 1);
    pass(s);
    state_is(s, k, "confirmed");
}

// --- What is not ours ---

TEST(coordinator_F16_foreign_outflow_is_counted_once_and_told)
{
    AUTO(scene_end) struct scene *s = scene_new("wsh", 5, 5 * (uint64_t)COIN);
    pass(s);
    assert_int_equal(velocity(s).foreign.n, 0);
    pays(s, regtest_address(s->r), 2 * COIN);
    sends(s, built(s)); // two signers, and no coordinator
    pass(s);
    assert_int_equal(s->last.foreign, 1);
    assert_int_equal(velocity(s).foreign.n, 2 * COIN);
    assert_int_equal(velocity(s).spent.n, 2 * COIN);
    assert_int_equal(
        rig_number(&s->ledger, "SELECT count(*) FROM event WHERE kind = 'outflow.foreign'"), 1);
    for (int i = 0; i < 8; i++) {
        (void)regtest_mine(s->r, 1);
        pass(s);
        assert_int_equal(s->last.foreign, 0);
        assert_int_equal(velocity(s).foreign.n, 2 * COIN);
    }
    assert_int_equal(
        rig_number(&s->ledger, "SELECT count(*) FROM event WHERE kind = 'outflow.foreign'"), 1);
    assert_int_equal(
        rig_number(&s->ledger,
                   "SELECT count(*) FROM foreign_outflow WHERE state = 'settled' AND fee > 0"),
        1);
}

// D5: "foreign_outflow, alarm, optional freeze".
TEST(coordinator_D5_a_foreign_outflow_freezes_where_it_shall)
{
    AUTO(scene_end) struct scene *s = scene_new("wsh", 11, 5 * (uint64_t)COIN);
    struct err err;
    pass(s);
    s->wallet.rules.freeze_on_foreign = true;
    pays(s, regtest_address(s->r), COIN);
    sends(s, built(s));
    pass(s);
    assert_int_equal(velocity(s).foreign.n, COIN);
    struct spend spend = rig_claimed(&s->ledger, 1000);
    assert_false(ledger_reserve(s->ledger.db, &spend, (struct sats){ 1 }, &err));
    assert_int_equal(code_of(&err), CODE_FROZEN);
    // A person has looked at it: it is known now, and freezes no second time.
    good(ledger_freeze(s->ledger.db, s->ledger.wallet, false, "officer", &err));
    (void)regtest_mine(s->r, 1);
    pass(s);
    good(ledger_reserve(s->ledger.db, &spend, (struct sats){ 1 }, &err));
}

// Annex: "self-payment to a receive address: a send and a receive entry; to change: no entry".
TEST(inv_37_payments_to_oneself_are_no_outflow)
{
    AUTO(scene_end) struct scene *s = scene_new("sh(wsh", 3, 5 * (uint64_t)COIN);
    pass(s);
    for (uint32_t i = 0; i < 2; i++) {
        pays(s, address_at(s, i == 0 ? MS_RECEIVE : MS_CHANGE, 20 + i), COIN);
        sends(s, built(s));
        pass(s);
        (void)regtest_mine(s->r, 1);
        pass(s);
    }
    assert_int_equal(velocity(s).spent.n, 0);
    assert_int_equal(rig_number(&s->ledger, "SELECT count(*) FROM foreign_outflow"), 0);
}

// R3: an input of the only attempt is spent by another, and that is settled.
TEST(coordinator_F24_R3_a_conflict_ends_a_spend_when_it_is_settled)
{
    AUTO(scene_end) struct scene *s = scene_new("wsh", 6, 5 * (uint64_t)COIN);
    pass(s);
    const struct known_spend k = signed_spend(s, COIN); // signed, and never sent
    s->t->request.locktime = 1;
    pays(s, regtest_address(s->r), 2 * COIN);
    sends(s, built(s)); // the same coin: there is only one
    pass(s);
    assert_int_equal(s->last.foreign, 1);
    assert_int_equal(velocity(s).spent.n, 3 * COIN); // both: the other may yet be the one
    const struct bytes block = regtest_mine(s->r, 1);
    (void)regtest_mine(s->r, 4);
    pass(s);
    assert_string_not_equal(spend_state_name(rig_read(&s->ledger, k.spend.id).state), "void");
    (void)regtest_mine(s->r, 1);
    pass(s);
    state_is(s, k, "void");
    assert_int_equal(velocity(s).spent.n, 2 * COIN);
    // The conflict goes with its block, deeper than anybody expects: the claim is there again.
    regtest_take_back(s->r, block);
    (void)regtest_mine_empty(s->r, 1);
    pass(s);
    assert_string_not_equal(spend_state_name(rig_read(&s->ledger, k.spend.id).state), "void");
    assert_int_equal(velocity(s).spent.n, 3 * COIN);
    (void)regtest_mine(s->r, 6);
}

// C6: "320 dust payments to the wallet push all sends out of sight (0 of 6 visible, spent reads 0)".
TEST(coordinator_C6_inv_38_dust_blinds_nobody)
{
    AUTO(scene_end) struct scene *s = scene_new("wsh", 7, 5 * (uint64_t)COIN);
    struct bytes dust[320];
    pass(s);
    const struct known_spend k = signed_spend(s, COIN);
    sends(s, k.attempt.raw);
    pass(s);
    pays(s, regtest_address(s->r), COIN / 2);
    s->t->request.change_index = 9;
    sends(s, built(s)); // one that the ledger does not know
    for (uint32_t i = 0; i < COUNT(dust); i++)
        dust[i] = address_at(s, MS_RECEIVE, 100 + i);
    regtest_dust(s->r, dust, COUNT(dust));
    pass(s);
    assert_int_equal(velocity(s).sent.n, COIN);
    assert_int_equal(velocity(s).foreign.n, COIN / 2);
    (void)regtest_mine(s->r, 1);
    pass(s);
    assert_int_equal(velocity(s).spent.n, COIN + COIN / 2);
    state_is(s, k, "confirmed");
}

// --- Memory ---

// D5: "finds wallet history but no ledger imports all outflows of the last window as foreign, enters
// `recovering`, and admits nothing".
TEST(coordinator_F19_inv_24_amnesia)
{
    AUTO(scene_end) struct scene *s = scene_new("wsh", 8, 5 * (uint64_t)COIN);
    struct err err;
    rig_exec(&s->ledger, "UPDATE velocity_guard SET reconciled_at = NULL");
    pass(s); // paid to, and nothing spent: a new wallet
    assert_false(s->last.forgot);
    pays(s, regtest_address(s->r), COIN);
    sends(s, built(s));
    (void)regtest_mine(s->r, 1);
    rig_exec(&s->ledger, "UPDATE velocity_guard SET reconciled_at = NULL");
    rig_exec(&s->ledger, "DELETE FROM chain_cursor");
    pass(s); // a new ledger, an old wallet
    assert_true(s->last.forgot);
    assert_int_equal(velocity(s).foreign.n, COIN);
    struct spend spend = rig_claimed(&s->ledger, 1000);
    assert_false(ledger_reserve(s->ledger.db, &spend, (struct sats){ 1 }, &err));
    assert_int_equal(code_of(&err), CODE_RECOVERING);
    pass(s);
    assert_false(s->last.forgot); // once
    good(ledger_end_amnesia(s->ledger.db, s->ledger.wallet, "host", &err));
    good(ledger_reserve(s->ledger.db, &spend, (struct sats){ 1 }, &err));
}

// A cursor of a chain that this node never had: everything again, and nothing twice.
TEST(coordinator_D5_a_node_that_was_replaced)
{
    AUTO(scene_end) struct scene *s = scene_new("wsh", 9, 5 * (uint64_t)COIN);
    pays(s, regtest_address(s->r), COIN);
    sends(s, built(s));
    (void)regtest_mine(s->r, 1);
    pass(s);
    assert_int_equal(velocity(s).foreign.n, COIN);
    rig_exec(&s->ledger, "UPDATE chain_cursor SET block_hash = "
                         "x'0102030405060708010203040506070801020304050607080102030405060708'");
    pass(s);
    assert_int_equal(s->last.foreign, 0);
    assert_int_equal(velocity(s).foreign.n, COIN);
    assert_int_equal(rig_number(&s->ledger, "SELECT count(*) FROM chain_cursor"), 1);
}

// --- The threads ---

static void note(void *context)
{
    (*(_Atomic unsigned *)context)++;
}

static bool waits_for_foreign(struct scene *s, uint64_t sats)
{
    for (int i = 0; i < 200; i++) {
        if (velocity(s).foreign.n == sats)
            return true;
        scene_pause_ms(50);
    }
    return false;
}

TEST(coordinator_D5_threads_look_when_woken_and_end_at_once)
{
    AUTO(scene_end) struct scene *s = scene_new("wsh", 10, 5 * (uint64_t)COIN);
    const struct node_options node = regtest_options(s->r);
    _Atomic unsigned changes = 0;
    struct treasury *treasury = treasury_new();
    struct board *board = board_new();
    struct board_node shown[BOARD_NODES];
    struct board_wallet wallet;
    struct reconcile *threads;
    struct err err;
    scene_write_descriptors(s);
    const struct reconcile_options options = { .db = &s->ledger.options,
                                               .nodes = &node,
                                               .n_nodes = 1,
                                               .treasury = treasury,
                                               .board = board,
                                               .log = &s->log,
                                               .every_ms = 3600000,
                                               .changed = note,
                                               .context = &changes };
    good(reconcile_new(&threads, &options, &err));
    pays(s, regtest_address(s->r), COIN);
    sends(s, built(s));
    reconcile_wake(threads);
    assert_true(waits_for_foreign(s, COIN));
    for (int i = 0; i < 200 && changes == 0; i++)
        scene_pause_ms(50); // told when the pass is over
    assert_true(changes > 0);
    // A node that is gone is shown as such, and nobody waits for it at the end.
    regtest_stop(s->r);
    reconcile_wake(threads);
    for (int i = 0; i < 100 && (board_nodes(board, shown) != 1 || shown[0].up); i++)
        scene_pause_ms(50);
    assert_false(shown[0].up);
    assert_true(board_wallet(board, s->ledger.wallet, &wallet));
    assert_int_equal(board_counted(board, BOARD_FOREIGN), 1);
    const int64_t before = s->clock.monotonic_ms(&s->clock);
    assert_true(reconcile_alive_ms(threads) <= before);
    reconcile_free(threads);
    assert_true(s->clock.monotonic_ms(&s->clock) - before < 5000);
    regtest_restart(s->r, true);
    board_free(board);
    treasury_free(treasury);
}
