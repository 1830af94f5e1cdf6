// tests/chain/node_test.c -- coordinator/node.h on a real node: what the Annex says of it, and the way of a spend.
#include "coordinator/node.h"
#include "base/hex.h"
#include "tests/chain/regtest.h"
#include "tests/support/coffer.h"

#define COIN 100000000u

static struct node *node_of(const struct regtest *r)
{
    const struct node_options options = regtest_options(r);
    struct node *node;
    struct err err;
    if (!node_new(&node, &options, &err))
        fail_msg("%s", err.text);
    return node;
}

#define good(call) assert_good((call), &err, #call)
static void assert_good(bool ok, const struct err *err, const char *what)
{
    if (!ok)
        fail_msg("%s: %s", what, err->text);
}

static struct bytes address_at(const struct coffer *t, enum ms_branch branch, uint32_t index)
{
    struct writer w = writer_growing(test_arena(), 128);
    struct err err;
    good(wallet_address(&w, t->wallet, (struct wallet_place){ branch, index }, &err));
    return writer_bytes(&w);
}

static struct hash256 txid_from(struct bytes text)
{
    struct hash256 shown, out;
    assert_true(hex_decode(shown.b, 32, text));
    for (size_t i = 0; i < 32; i++)
        out.b[i] = shown.b[31 - i];
    return out;
}

// What a spend is until it is sent: coins of the node, a PSBT of ours, two signers, a final transaction.
static struct bytes made(struct coffer *t, struct node *node)
{
    struct bytes raw;
    struct err err;
    t->request.coins = &t->coins;
    good(node_coins(node, t->wallet, &t->coins, test_arena(), &err));
    coffer_builds(t);
    const struct bytes parts[] = { coffer_part(t, 1), coffer_part(t, 2) };
    good(combine_finalize(&raw, t->wallet, t->build.psbt, parts, 2, test_arena(), &err));
    return raw;
}

// A payment to that address, instead of what was there.
static void pays(struct coffer *t, struct bytes address, uint64_t sats)
{
    struct writer script = writer_growing(test_arena(), 64);
    struct err err;
    good(address_to_script(&script, address, wallet_chain(t->wallet), &err));
    t->outputs.n = 1;
    t->output[0] = (struct spend_output){ .script = writer_bytes(&script),
                                          .address = address,
                                          .amount = { sats } };
}

static enum node_sent sent(struct node *node, struct bytes raw, char reason[static 200])
{
    enum node_sent how;
    struct err err;
    good(node_send(node, raw, (struct bytes){ 0 }, 100000, &how, reason, &err));
    return how;
}

#define sends(node, raw) assert_int_equal(sent((node), (raw), (char[200]){ 0 }), NODE_SENT)

static struct node_tx found(struct node *node, const struct coffer *t, const struct hash256 *txid)
{
    struct node_tx tx;
    struct err err;
    good(node_find(node, t->wallet, txid, &tx, &err));
    return tx;
}

// A wallet of its own for each test: the node has one history for all of them.
static struct coffer *watched(struct regtest *r, struct node *node, const char *form, size_t which)
{
    struct coffer *t = coffer_new_of(r->network, form, which);
    struct err err;
    good(node_watch(node, t->wallet, 0, &err));
    return t;
}

// --- Wallets ---

// The node derives what we derive; its importing the descriptors is the comparison of two programs.
TEST(coordinator_A2_node_and_wallet_agree_on_addresses)
{
    struct regtest *r = regtest("regtest");
    AUTO(node_freep) struct node *node = node_of(r);
    static const char *const forms[] = { "wsh", "sh(wsh" };
    for (size_t f = 0; f < COUNT(forms); f++) {
        AUTO(coffer_end) struct coffer *t = watched(r, node, forms[f], 3 + f);
        for (enum ms_branch branch = 0; branch < MS_BRANCHES; branch++) {
            const struct json *list =
                regtest_call(r, NULL, "deriveaddresses", "[\"%.*s\", [0, 20]]",
                             BYTES_ARG(wallet_descriptor(t->wallet, branch)));
            for (uint32_t i = 0; i <= 20; i++)
                assert_bytes_equal(json_item_text(list, i), address_at(t, branch, i));
        }
    }
}

TEST(coordinator_F29_C16_coins_and_balance)
{
    struct regtest *r = regtest("regtest");
    AUTO(node_freep) struct node *node = node_of(r);
    AUTO(coffer_end) struct coffer *t = watched(r, node, "wsh", 3);
    struct node_balance balance;
    struct err err;
    (void)regtest_pay(r, address_at(t, MS_RECEIVE, 4), 3 * COIN);
    (void)regtest_mine(r, 1);
    (void)regtest_pay(r, address_at(t, MS_RECEIVE, 5), 5 * COIN); // unconfirmed, another party's
    good(node_balance(node, t->wallet, &balance, &err));
    assert_int_equal(balance.confirmed.n, 3 * COIN);
    assert_int_equal(balance.unconfirmed.n, 5 * COIN);
    assert_int_equal(balance.n_coins, 2);
    pays(t, regtest_address(r), COIN);
    const struct bytes raw = made(t, node);
    assert_int_equal(t->coins.n, 2);
    assert_int_equal(t->coins.items[0].amount.n, 3 * COIN);
    assert_int_equal(t->coins.items[0].place.index, 4);
    assert_false(t->coins.items[1].is_own_change);
    // Own change is safe once it is sent, with its chain counted.
    good(node_test_accept(node, raw, &err));
    sends(node, raw);
    good(node_coins(node, t->wallet, &t->coins, test_arena(), &err));
    assert_int_equal(t->coins.n, 2);
    assert_true(t->coins.items[0].is_own_change);
    assert_int_equal(t->coins.items[0].confirmations, 0);
    assert_int_equal(t->coins.items[0].ancestors, 1);
    assert_int_equal(t->coins.items[0].descendants, 1);
    assert_int_equal(t->coins.items[0].place.branch, MS_CHANGE);
    assert_true(t->coins.items[0].previous.len > 0);
    (void)regtest_mine(r, 1);
    struct node_tx tx = found(node, t, &t->build.txid);
    assert_true(tx.in_block && !tx.in_mempool);
    assert_int_equal(tx.depth, 1);
    // Nested wallets pay as well.
    AUTO(coffer_end) struct coffer *nested = watched(r, node, "sh(wsh", 4);
    (void)regtest_pay(r, address_at(nested, MS_RECEIVE, 0), COIN);
    (void)regtest_mine(r, 1);
    pays(nested, regtest_address(r), COIN / 2);
    sends(node, made(nested, node));
    (void)regtest_mine(r, 1);
    assert_true(found(node, nested, &nested->build.txid).in_block);
}

// --- What a node says to a transaction ---

TEST(coordinator_annex_refusals_of_a_real_node)
{
    struct regtest *r = regtest("regtest");
    AUTO(node_freep) struct node *node = node_of(r);
    AUTO(coffer_end) struct coffer *t = watched(r, node, "wsh", 5);
    struct err err;
    enum node_sent how;
    char reason[200];
    (void)regtest_pay(r, address_at(t, MS_RECEIVE, 0), 2 * COIN);
    (void)regtest_mine(r, 1);
    pays(t, regtest_address(r), COIN);
    const struct bytes raw = made(t, node);
    // Above the maximum that was given with it: 189 sat for 189 vB.
    good(node_send(node, raw, (struct bytes){ 0 }, 500, &how, reason, &err));
    assert_int_equal(how, NODE_REFUSED);
    assert_non_null(strstr(reason, "Fee exceeds maximum configured by user"));
    sends(node, raw);
    sends(node, raw); // "send, already in mempool: succeeds, same txid"
    const struct hash256 first = t->build.txid;
    good(node_coins(node, t->wallet, &t->coins, test_arena(), &err));
    struct hash256 by;
    bool is_spent;
    good(node_spender(node, &t->build.inputs[0].outpoint, &by, &is_spent, &err));
    assert_true(is_spent);
    assert_memory_equal(&by, &first, 32);
    const struct outpoint free_one = { .txid = first, .index = 1 };
    good(node_spender(node, &free_one, &by, &is_spent, &err));
    assert_false(is_spent);
    (void)regtest_mine(r, 1);
    assert_int_equal(sent(node, raw, reason), NODE_CONFIRMED); // -27
    // Nothing that a node would take: refused, rather than sent again for ever.
    struct tx tx;
    struct writer w = writer_growing(test_arena(), 4096);
    good(tx_parse(&tx, raw, test_arena(), &err));
    tx.out[0].value = -1;
    tx_write(&w, &tx);
    assert_int_equal(sent(node, writer_bytes(&w), reason), NODE_REFUSED);
}

// Two transactions of one coin; the second as a replacement and as a plain conflict.
struct rivals {
    struct bytes first, same_fee, more;
    struct hash256 first_txid, more_txid;
    struct coin anchor;
};

static struct bytes signed_again(struct coffer *t)
{
    struct bytes raw;
    struct err err;
    coffer_builds(t);
    const struct bytes parts[] = { coffer_part(t, 0), coffer_part(t, 1) };
    good(combine_finalize(&raw, t->wallet, t->build.psbt, parts, 2, test_arena(), &err));
    return raw;
}

static struct rivals rivals_of(struct coffer *t, struct node *node)
{
    struct rivals out;
    out.first = made(t, node);
    out.first_txid = t->build.txid;
    out.anchor = t->coins.items[0];
    t->request.anchor = &out.anchor.outpoint;
    t->request.locktime = 1;
    out.same_fee = signed_again(t);
    t->request.least_fee = t->build.fee;
    out.more = signed_again(t);
    out.more_txid = t->build.txid;
    t->request.anchor = NULL;
    t->request.least_fee.n = 0;
    return out;
}

TEST(coordinator_F23_F31_attempts_with_one_anchor_cannot_both_confirm)
{
    struct regtest *r = regtest("regtest");
    AUTO(node_freep) struct node *node = node_of(r);
    AUTO(coffer_end) struct coffer *t = watched(r, node, "wsh", 6);
    char reason[200];
    (void)regtest_pay(r, address_at(t, MS_RECEIVE, 0), 2 * COIN);
    (void)regtest_mine(r, 1);
    pays(t, regtest_address(r), COIN);
    const struct rivals two = rivals_of(t, node);
    sends(node, two.first);
    assert_int_equal(sent(node, two.same_fee, reason), NODE_CONFLICT); // -26
    assert_non_null(strstr(reason, "insufficient fee"));
    sends(node, two.more);
    assert_false(found(node, t, &two.first_txid).in_mempool);
    assert_true(found(node, t, &two.more_txid).in_mempool);
    assert_int_equal(sent(node, two.first, reason), NODE_CONFLICT);
    const struct bytes block = regtest_mine(r, 1);
    assert_int_equal(sent(node, two.first, reason), NODE_CONFLICT); // -25: missing or spent
    assert_true(found(node, t, &two.more_txid).in_block);
    assert_false(found(node, t, &two.first_txid).in_block);
    // "same, new one confirmed: old -1; after the block is invalidated: 0 again". Neither is in a mempool twice.
    regtest_take_back(r, block);
    const struct node_tx old = found(node, t, &two.first_txid);
    const struct node_tx new = found(node, t, &two.more_txid);
    assert_false(old.in_mempool || old.in_block || new.in_block);
    assert_true(new.in_mempool);
    (void)regtest_mine(r, 1);
}

// CPFP through own change: no outflow, no entry in the usual listing, and a package where the parent alone is
// too cheap for the mempool.
TEST(coordinator_F31_child_pays_for_parent)
{
    struct regtest *r = regtest("regtest");
    AUTO(node_freep) struct node *node = node_of(r);
    AUTO(coffer_end) struct coffer *t = watched(r, node, "wsh", 7);
    struct err err;
    enum node_sent how;
    char reason[200];
    (void)regtest_pay(r, address_at(t, MS_RECEIVE, 0), 2 * COIN);
    (void)regtest_mine(r, 1);
    pays(t, regtest_address(r), COIN);
    t->request.fee_rate = 500; // below what is relayed
    const struct bytes cheap = made(t, node);
    assert_int_equal(sent(node, cheap, reason), NODE_FEE_TOO_LOW);
    assert_non_null(strstr(reason, "min relay fee not met"));
    assert_false(node_test_accept(node, cheap, &err));
    assert_int_equal(code_of(&err), CODE_CONFLICT);
    assert_string_equal(err.text, "the node would refuse it");
    assert_non_null(strstr(err.detail, "min relay fee not met"));
    t->request.fee_rate = 1000; // below the relay minimum no child helps; this one could go alone
    const struct bytes parent = made(t, node);
    const struct hash256 parent_txid = t->build.txid;
    // The child spends the change output of a parent that no node has.
    struct coin change = { .outpoint = { parent_txid, 1 },
                           .amount = t->build.change,
                           .place = { MS_CHANGE, 0 },
                           .is_own_change = true,
                           .ancestors = 1,
                           .descendants = 1 };
    struct tx tx;
    good(tx_parse(&tx, parent, test_arena(), &err));
    change.previous = parent;
    const struct coins coins = { &change, 1 };
    t->request.coins = &coins;
    t->request.anchor = &change.outpoint;
    t->request.everything_to_change = true;
    t->request.outputs = NULL;
    t->request.fee_rate = 4000;
    t->request.change_index = 1;
    const struct bytes child = signed_again(t);
    good(node_send(node, parent, child, 100000, &how, reason, &err));
    assert_int_equal(how, NODE_SENT);
    assert_true(found(node, t, &parent_txid).in_mempool);
    const struct node_tx where = found(node, t, &t->build.txid);
    assert_int_equal(where.ancestors, 2);
    good(node_send(node, parent, child, 100000, &how, reason, &err)); // again: it is there
    assert_int_equal(how, NODE_SENT);
    (void)regtest_mine(r, 1);
    assert_true(found(node, t, &t->build.txid).in_block);
}

// --- History ---

static struct node_event event_of(const struct node_events *events, const struct hash256 *txid)
{
    for (size_t i = 0; i < events->n; i++)
        if (memcmp(&events->items[i].txid, txid, 32) == 0)
            return events->items[i];
    fail_msg("it is not listed");
}

// Annex: "self-payment to a receive address: a send and a receive entry; to change: no entry".
TEST(coordinator_D5_history_names_every_transaction_that_spends_our_coins)
{
    struct regtest *r = regtest("regtest");
    AUTO(node_freep) struct node *node = node_of(r);
    AUTO(coffer_end) struct coffer *t = watched(r, node, "wsh", 8);
    struct node_events events;
    struct err err;
    const struct hash256 paid = txid_from(regtest_pay(r, address_at(t, MS_RECEIVE, 0), 2 * COIN));
    (void)regtest_mine(r, 1);
    struct hash256 txids[3];
    for (size_t i = 0; i < 3; i++) {
        // Outwards; to an own receive address; to change alone.
        pays(t, i == 0 ? regtest_address(r) : address_at(t, i == 1 ? MS_RECEIVE : MS_CHANGE, 9),
             COIN / 4);
        t->request.change_index = (uint32_t)i;
        sends(node, made(t, node));
        txids[i] = t->build.txid;
    }
    good(node_since(node, t->wallet, NULL, 6, &events, test_arena(), &err));
    assert_int_equal(events.n, 4);
    for (size_t i = 0; i < 3; i++)
        assert_true(event_of(&events, &txids[i]).is_outgoing);
    assert_false(event_of(&events, &paid).is_outgoing);
    // The block that they are all in is taken back.
    const struct bytes last = regtest_mine(r, 1);
    const struct hash256 cursor = txid_from(last);
    regtest_take_back(r, last);
    good(node_since(node, t->wallet, &cursor, 6, &events, test_arena(), &err));
    for (size_t i = 0; i < 3; i++) {
        assert_true(event_of(&events, &txids[i]).is_removed);
        assert_true(event_of(&events, &txids[i]).is_outgoing);
    }
    (void)regtest_mine(r, 2);
    // A cursor in a block that this node never saw.
    struct hash256 unknown = { { 1, 2, 3 } };
    assert_false(node_since(node, t->wallet, &unknown, 6, &events, test_arena(), &err));
    assert_int_equal(code_of(&err), CODE_NOT_FOUND);
    // `depth` deep, not the tip.
    struct node_state state;
    good(node_state(node, &state, &err));
    good(node_since(node, t->wallet, NULL, 6, &events, test_arena(), &err));
    assert_int_equal(events.height + 5, state.height);
}

// --- The node comes and goes ---

TEST(coordinator_F33_C30_a_node_that_was_restarted_has_wallet_and_cookie_again)
{
    struct regtest *r = regtest("regtest");
    AUTO(node_freep) struct node *node = node_of(r);
    AUTO(coffer_end) struct coffer *t = watched(r, node, "wsh", 9);
    struct node_balance balance;
    struct node_state state;
    struct err err;
    char name[128];
    (void)regtest_pay(r, address_at(t, MS_RECEIVE, 0), 2 * COIN);
    (void)regtest_mine(r, 1);
    pays(t, regtest_address(r), COIN);
    const struct bytes raw = made(t, node);
    sends(node, raw);
    regtest_stop(r);
    assert_false(node_state(node, &state, &err));
    assert_int_equal(code_of(&err), CODE_NODE_UNAVAILABLE);
    assert_false(node_balance(node, t->wallet, &balance, &err));
    assert_int_equal(code_of(&err), CODE_NODE_UNAVAILABLE);
    regtest_restart(r, false);
    good(node_balance(node, t->wallet, &balance, &err));
    // What was in the mempool only is nowhere: neither abandoned nor in conflict, and not found.
    const struct node_tx tx = found(node, t, &t->build.txid);
    assert_false(tx.in_mempool || tx.in_block);
    // Nor does it matter that somebody has the node's wallet give it up.
    const struct bytes descriptor = wallet_descriptor(t->wallet, MS_RECEIVE);
    char own[128], txid[TXID_TEXT_SIZE];
    (void)snprintf(own, sizeof own, "casemate-treasury-%.*s",
                   BYTES_ARG(bytes_slice(descriptor, descriptor.len - 8, 8)));
    txid_to_text(txid, &t->build.txid);
    (void)regtest_call(r, own, "abandontransaction", "[\"%s\"]", txid);
    sends(node, raw);
    assert_true(found(node, t, &t->build.txid).in_mempool);
    // A wallet that somebody unloads is loaded again.
    const struct json *wallets = regtest_call(r, NULL, "listwallets", "[]");
    for (const struct json *item = wallets->items; item != NULL; item = item->next) {
        (void)snprintf(name, sizeof name, "%.*s", BYTES_ARG(item->text));
        if (strcmp(name, MINER) != 0)
            (void)regtest_call(r, NULL, "unloadwallet", "[\"%s\", false]", name);
    }
    good(node_balance(node, t->wallet, &balance, &err));
    good(node_watch(node, t->wallet, 0, &err));
    (void)regtest_mine(r, 1);
}

TEST(coordinator_D18_a_node_of_another_network_is_no_node)
{
    struct regtest *r = regtest("regtest");
    struct node_options options = regtest_options(r);
    struct node *node;
    struct node_state state;
    struct err err;
    options.network = "signet";
    good(node_new(&node, &options, &err));
    assert_false(node_state(node, &state, &err));
    assert_string_equal(err.text, "node here: on chain regtest, not signet");
    assert_int_equal(code_of(&err), CODE_NODE_UNAVAILABLE);
    AUTO(coffer_end) struct coffer *t = coffer_new_on("regtest", "wsh", 2, 3);
    assert_false(node_watch(node, t->wallet, 0, &err));
    node_free(node);
}

TEST(coordinator_D6_no_estimate_on_a_young_chain)
{
    struct regtest *r = regtest("regtest");
    AUTO(node_freep) struct node *node = node_of(r);
    struct node_state state;
    struct err err;
    uint64_t rate;
    bool known;
    good(node_fee_rate(node, 6, &rate, &known, &err));
    assert_false(known);
    good(node_state(node, &state, &err));
    assert_int_equal(state.relay_rate, 1000);
    assert_true(state.mempool_rate >= 1000);
    assert_false(state.behind);
}

// The node's limit of 25 comes after ours of 20.
TEST(coordinator_F29_chain_of_own_change_ends_before_the_nodes_limit)
{
    struct regtest *r = regtest("regtest");
    AUTO(node_freep) struct node *node = node_of(r);
    AUTO(coffer_end) struct coffer *t = watched(r, node, "wsh", 10);
    struct err err;
    (void)regtest_pay(r, address_at(t, MS_RECEIVE, 0), 2 * COIN);
    (void)regtest_mine(r, 1);
    unsigned n = 0;
    for (; n < 30; n++) {
        t->request.change_index = n;
        pays(t, regtest_address(r), 100000);
        good(node_coins(node, t->wallet, &t->coins, test_arena(), &err));
        if (!coffer_build(t))
            break;
        sends(node, made(t, node));
    }
    assert_int_equal(n, 20);
    assert_int_equal(code_of(&t->err), CODE_COINS_BUSY);
    (void)regtest_mine(r, 1);
    coffer_refuses(t, CODE_COINS_BUSY); // of the listing before
    sends(node, made(t, node));
    (void)regtest_mine(r, 1);
}
