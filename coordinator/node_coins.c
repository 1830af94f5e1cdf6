// coordinator/node_coins.c -- a wallet's coins and its balance, as a node has them.
#include "coordinator/node_internal.h"

enum { LIST_ARENA = 512 << 20 }; // a hundred thousand coins

static bool list(struct node *node, const struct wallet *wallet, struct coins *out,
                 struct arena *arena, struct err *err)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(LIST_ARENA);
    const struct json *reply;
    struct rpc_fault fault;
    // "a wallet may lag the mempool by moments"
    if (!node_ask(node, NULL, "syncwithvalidationinterfacequeue", BYTES("[]"), &reply, scratch,
                  &fault, err))
        return false;
    // From 0 confirmations on, other parties' unconfirmed ones included: they count as what might be.
    return node_ask(node, wallet, "listunspent", BYTES("[0, 9999999, [], true]"), &reply, scratch,
                    &fault, err) &&
           node_read_coins(out, reply, wallet, arena, err);
}

static bool is_spendable(const struct coin *coin)
{
    return coin->confirmations > 0 || coin->is_own_change;
}

static int larger_first(const void *a, const void *b)
{
    const struct coin *x = a, *y = b;
    if (is_spendable(x) != is_spendable(y))
        return is_spendable(x) ? -1 : 1;
    return x->amount.n > y->amount.n ? -1 : x->amount.n < y->amount.n ? 1 : 0;
}

// What hangs on an unconfirmed coin's transaction: nothing of it is in the listing of coins.
static bool count_chain(struct node *node, struct coin *coin, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(NODE_ARENA);
    struct node_params p;
    struct node_tx tx = { 0 };
    const struct json *entry;
    struct rpc_fault fault;
    node_params_begin(&p, arena);
    node_put_txid(&p.j, &coin->outpoint.txid);
    if (!node_ask(node, NULL, "getmempoolentry", node_params_end(&p), &entry, arena, &fault, err)) {
        // Confirmed or gone since: the next look tells.
        coin->is_own_change = false;
        return fault.kind == RPC_FAULT_NOT_FOUND;
    }
    if (!node_read_entry(&tx, entry, err))
        return false;
    coin->ancestors = tx.ancestors;
    coin->descendants = tx.descendants;
    return true;
}

// The raw transaction of a coin; coins of one transaction share it.
static bool fetch(struct node *node, const struct wallet *wallet, struct coins *coins, size_t i,
                  struct arena *arena, struct err *err)
{
    struct coin *coin = &coins->items[i];
    struct node_tx where;
    for (size_t k = 0; k < i; k++)
        if (coins->items[k].previous.len > 0 &&
            memcmp(&coins->items[k].outpoint.txid, &coin->outpoint.txid, 32) == 0) {
            coin->previous = coins->items[k].previous;
            return true;
        }
    return node_transaction(node, wallet, &coin->outpoint.txid, &where, &coin->previous, arena,
                            err);
}

bool node_coins(struct node *node, const struct wallet *wallet, struct coins *out,
                struct arena *arena, struct err *err)
{
    if (!list(node, wallet, out, arena, err))
        return false;
    qsort(out->items, out->n, sizeof out->items[0], larger_first);
    for (size_t i = 0; i < out->n && i < NODE_PREVIOUS_MAX && is_spendable(&out->items[i]); i++) {
        if (out->items[i].confirmations == 0 && !count_chain(node, &out->items[i], err))
            return false;
        if (is_spendable(&out->items[i]) && !fetch(node, wallet, out, i, arena, err))
            return false;
    }
    return true;
}

bool node_balance(struct node *node, const struct wallet *wallet, struct node_balance *out,
                  struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(LIST_ARENA);
    struct coins coins;
    *out = (struct node_balance){ 0 };
    if (!list(node, wallet, &coins, arena, err))
        return false;
    for (size_t i = 0; i < coins.n; i++) {
        const struct coin *coin = &coins.items[i];
        if (!sats_add(coin->confirmations > 0 ? &out->confirmed : &out->unconfirmed, coin->amount))
            return code_fail(err, CODE_NODE_UNAVAILABLE, "listunspent: more than there can be");
    }
    out->n_coins = coins.n;
    return true;
}
