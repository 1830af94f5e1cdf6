// tests/chain/reconcile_test.c -- the ledger against a real chain: coordinator/reconcile.h.
#include "coordinator/reconcile.h"
#include "base/hex.h"
#include "tests/chain/regtest.h"
#include "tests/support/coffer.h"
#include "tests/support/ledger_rig.h"

#define COIN 100000000u

struct scene {
    struct regtest *r;
    struct ledger_rig ledger;
    struct coffer *t;
    struct node *node;
    struct sights *sights;
    struct clock clock;
    struct log log;
    struct treasury_wallet wallet;
    struct reconcile_result last;
    struct err err;
};

#define good(call) assert_good((call), &err, #call)
static void assert_good(bool ok, const struct err *err, const char *what)
{
    if (!ok)
        fail_msg("%s: %s", what, err->text);
}

static struct bytes address_at(const struct scene *s, enum ms_branch branch, uint32_t index)
{
    struct writer w = writer_growing(test_arena(), 128);
    struct err err;
    good(wallet_address(&w, s->t->wallet, (struct wallet_place){ branch, index }, &err));
    return writer_bytes(&w);
}

// n: how many cosigners; a wallet of its own for each test, as the node keeps them all.
static struct scene *scene_new(const char *form, size_t n, uint64_t funds)
{
    struct scene *s = arena_alloc(test_arena(), sizeof *s);
    struct wallet_rows rows;
    struct err err;
    s->r = regtest("regtest");
    const struct node_options options = regtest_options(s->r);
    rig_sqlite(&s->ledger);
    rig_caps(&s->ledger, 50 * (uint64_t)COIN, 50 * (uint64_t)COIN, COIN);
    s->t = coffer_new_on("regtest", form, 2, n);
    good(node_new(&s->node, &options, &err));
    s->sights = sights_new();
    s->clock = clock_system();
    s->log = (struct log){ .fd = -1 };
    good(ledger_wallets(s->ledger.db, &rows, test_arena(), &err));
    s->wallet = (struct treasury_wallet){ .wallet = s->t->wallet, .row = rows.items[0] };
    good(node_watch(s->node, s->t->wallet, 0, &err));
    if (funds > 0) {
        (void)regtest_pay(s->r, address_at(s, MS_RECEIVE, 0), funds);
        (void)regtest_mine(s->r, 1);
    }
    return s;
}

static void scene_end(struct scene **s)
{
    sights_free((*s)->sights);
    node_free((*s)->node);
    rig_close(&(*s)->ledger);
    coffer_end(&(*s)->t);
}

static bool passes(struct scene *s)
{
    const struct reconcile_context context = { s->ledger.db, s->node,   0,
                                               s->sights,    &s->clock, &s->log };
    return reconcile_wallet(&context, &s->wallet, &s->last, &s->err);
}

#define pass(s)                                                                                    \
    do {                                                                                           \
        if (!passes(s))                                                                            \
            fail_msg("line %d: %s", __LINE__, (s)->err.text);                                      \
    } while (0)

static struct velocity_view velocity(struct scene *s)
{
    struct velocity_view view;
    struct err err;
    good(ledger_velocity(s->ledger.db, &view, s->ledger.wallet, &err));
    return view;
}

static void pays(struct scene *s, struct bytes address, uint64_t sats)
{
    struct writer script = writer_growing(test_arena(), 64);
    struct err err;
    good(address_to_script(&script, address, wallet_chain(s->t->wallet), &err));
    s->t->outputs.n = 1;
    s->t->output[0] = (struct spend_output){ .script = writer_bytes(&script),
                                             .address = address,
                                             .amount = { sats } };
}

static struct bytes built(struct scene *s)
{
    struct coffer *t = s->t;
    struct bytes raw;
    struct err err;
    t->request.coins = &t->coins;
    good(node_coins(s->node, t->wallet, &t->coins, test_arena(), &err));
    coffer_builds(t);
    const struct bytes parts[] = { coffer_part(t, 0), coffer_part(t, 1) };
    good(combine_finalize(&raw, t->wallet, t->build.psbt, parts, 2, test_arena(), &err));
    return raw;
}

static void sends(struct scene *s, struct bytes raw)
{
    enum node_sent how;
    char reason[200];
    struct err err;
    good(node_send(s->node, raw, (struct bytes){ 0 }, 100000, &how, reason, &err));
    if (how != NODE_SENT)
        fail_msg("not sent: %s", reason);
}

// A spend that the ledger knows, up to its final transaction: signed, not sent.
struct known_spend {
    struct spend spend;
    struct attempt attempt;
};
static struct known_spend signed_spend(struct scene *s, uint64_t sats)
{
    struct known_spend k = { .spend = rig_reserved(&s->ledger, sats) };
    struct err err;
    s->t->request.change_index = k.spend.change_index;
    pays(s, regtest_address(s->r), sats);
    const struct bytes raw = built(s);
    const struct build *b = &s->t->build;
    k.attempt = (struct attempt){ .kind = ATTEMPT_PAY,
                                  .psbt = b->psbt,
                                  .txid = b->txid,
                                  .raw = raw,
                                  .fee = b->fee,
                                  .vsize = b->vsize,
                                  .inputs = b->inputs,
                                  .n_inputs = b->n_inputs };
    good(ledger_attempt_add(s->ledger.db, &k.spend, &k.attempt, &err));
    k.attempt.raw = raw;
    rig_sign(&s->ledger, &k.spend, &k.attempt);
    k.attempt.raw = raw;
    return k;
}

#define state_is(s, k, name) assert_spend_state(&(s)->ledger, (k).spend.id, name)

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
    struct writer w = writer_growing(test_arena(), 1 << 20);
    pass(s);
    const struct known_spend k = signed_spend(s, COIN);
    sends(s, k.attempt.raw);
    pass(s);
    pays(s, regtest_address(s->r), COIN / 2);
    s->t->request.change_index = 9;
    sends(s, built(s)); // one that the ledger does not know
    for (uint32_t i = 0; i < 320; i++) {
        const struct bytes address = address_at(s, MS_RECEIVE, 100 + i);
        writer_printf(&w, "%s\"%.*s\": 0.00001000", i == 0 ? "{" : ", ", BYTES_ARG(address));
    }
    writer_text(&w, "}");
    const struct json *txid =
        regtest_call(s->r, MINER, "sendmany", "[\"\", %.*s]", BYTES_ARG(writer_bytes(&w)));
    const struct json *tx =
        regtest_call(s->r, MINER, "gettransaction", "[\"%.*s\"]", BYTES_ARG(txid->text));
    (void)regtest_call(s->r, NULL, "sendrawtransaction", "[\"%.*s\"]",
                       BYTES_ARG(json_need_text(tx, "hex")));
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
