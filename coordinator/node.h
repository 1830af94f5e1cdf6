// coordinator/node.h -- one Bitcoin node: what it knows of a wallet, and how it gets a transaction.
//
// A struct node belongs to one thread. Calls wait up to their timeout.
// All fail with CODE_NODE_UNAVAILABLE when there is no answer, or not from the network that is expected.
// Source: coordinator.md A2, A10, D5 to D7, Annex.
#ifndef CASEMATE_COORDINATOR_NODE_H
#define CASEMATE_COORDINATOR_NODE_H
#include "coordinator/build.h"
#include "coordinator/wallet.h"

struct node;
struct node_options {
    const char *name; // of the section
    const char *host;
    uint16_t port;
    const char *cookie_file, *credential_file; // "user:password"; one of the two
    const char *network;                       // main, test, testnet4, signet, regtest
    const char *wallet_prefix;                 // of the watch-only wallets' names on the node
    int cancel_fd;
};
MUST_CHECK bool node_new(struct node **out, const struct node_options *options, struct err *err);
void node_free(struct node *node);

struct node_state {
    struct hash256 tip;
    uint32_t height;
    bool behind; // initial download, or the tip is old where blocks come on time
    uint64_t relay_rate, mempool_rate; // sat per 1000 vB: least that it takes
};
MUST_CHECK bool node_state(struct node *node, struct node_state *out, struct err *err);

// Makes sure that the node watches the wallet: loads it, or makes it and imports both branches.
// birth_s: how far back to look when it is made; 0: four hours.
MUST_CHECK bool node_watch(struct node *node, const struct wallet *wallet, int64_t birth_s,
                           struct err *err);

// Unspent outputs of the wallet, each with what a PSBT needs (previous transaction included).
MUST_CHECK bool node_coins(struct node *node, const struct wallet *wallet, struct coins *out,
                           struct arena *arena, struct err *err);
struct node_balance {
    struct sats confirmed, unconfirmed;
    uint64_t n_coins;
};
MUST_CHECK bool node_balance(struct node *node, const struct wallet *wallet,
                             struct node_balance *out, struct err *err);

// sat per 1000 vB for that many blocks, as estimated; *known false: the node has no estimate.
MUST_CHECK bool node_fee_rate(struct node *node, unsigned blocks, uint64_t *out, bool *known,
                              struct err *err);

// What the node would say to it, without sending. Fails: CODE_CONFLICT, CODE_COINS_BUSY, CODE_FEE_TOO_HIGH ... with
// the node's reason in the text.
MUST_CHECK bool node_test_accept(struct node *node, struct bytes raw, struct err *err);

enum node_sent {
    NODE_SENT,      // it is in the mempool now, or was already
    NODE_CONFIRMED, // it is in a block already (-27)
    NODE_CONFLICT, // an input is spent by another: missing or spent (-25), or a conflict paying no more (-26)
    NODE_FEE_TOO_LOW, // below the mempool's minimum
    NODE_REFUSED,     // otherwise; the text says why
};
// raw2 not empty: parent and child go together (submitpackage).
MUST_CHECK bool node_send(struct node *node, struct bytes raw, struct bytes raw2,
                          uint64_t max_fee_rate, enum node_sent *out, char reason[static 200],
                          struct err *err);

// Where a transaction is now.
struct node_tx {
    bool in_mempool;
    bool in_block;
    struct hash256 block_hash;
    uint32_t height, depth;
    uint64_t ancestors, descendants; // in the mempool, itself included
};
MUST_CHECK bool node_find(struct node *node, const struct wallet *wallet,
                          const struct hash256 *txid, struct node_tx *out, struct err *err);

// The mempool transaction that spends it. *found false: none.
MUST_CHECK bool node_spender(struct node *node, const struct outpoint *outpoint,
                             struct hash256 *out, bool *found, struct err *err);

#endif
