// tests/chain/signet_test.c -- a private signet: its chain name, its address forms, and a spend on it.
#include "coordinator/node.h"
#include "tests/chain/regtest.h"
#include "tests/support/coffer.h"

#define good(call)                                                                                 \
    do {                                                                                           \
        if (!(call))                                                                               \
            fail_msg("%s: %s", #call, err.text);                                                   \
    } while (0)

TEST(coordinator_D18_a_spend_on_a_private_signet)
{
    struct regtest *r = regtest("signet");
    const struct node_options options = regtest_options(r);
    AUTO(node_freep) struct node *node = NULL;
    AUTO(coffer_end) struct coffer *t = coffer_new_on("signet", "wsh", 2, 3);
    struct writer address = writer_growing(test_arena(), 128);
    struct writer script = writer_growing(test_arena(), 64);
    struct node_state state;
    struct node_tx tx;
    enum node_sent how;
    char reason[200];
    struct bytes raw;
    struct err err;
    good(node_new(&node, &options, &err));
    good(node_state(node, &state, &err));
    good(node_watch(node, t->wallet, 0, &err));
    good(wallet_address(&address, t->wallet, (struct wallet_place){ MS_RECEIVE, 0 }, &err));
    assert_true(bytes_starts_with(writer_bytes(&address), BYTES("tb1q")));
    const struct json *list = regtest_call(r, NULL, "deriveaddresses", "[\"%.*s\", [0, 0]]",
                                           BYTES_ARG(wallet_descriptor(t->wallet, MS_RECEIVE)));
    assert_bytes_equal(json_item_text(list, 0), writer_bytes(&address));
    (void)regtest_pay(r, writer_bytes(&address), 100000000);
    (void)regtest_mine(r, 1);
    const struct bytes to = regtest_address(r);
    good(address_to_script(&script, to, wallet_chain(t->wallet), &err));
    t->output[t->outputs.n++] = (struct spend_output){ .script = writer_bytes(&script),
                                                       .address = to,
                                                       .amount = { 1000000 } };
    good(node_coins(node, t->wallet, &t->coins, test_arena(), &err));
    coffer_builds(t);
    const struct bytes parts[] = { coffer_part(t, 0), coffer_part(t, 2) };
    good(combine_finalize(&raw, t->wallet, t->build.psbt, parts, 2, test_arena(), &err));
    good(node_send(node, raw, (struct bytes){ 0 }, 100000, &how, reason, &err));
    assert_int_equal(how, NODE_SENT);
    (void)regtest_mine(r, 1);
    good(node_find(node, t->wallet, &t->build.txid, &tx, &err));
    assert_true(tx.in_block);
}
