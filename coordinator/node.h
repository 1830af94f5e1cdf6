// coordinator/node.h -- one Bitcoin node: what it knows of a wallet, and how it gets a transaction.
//
// A struct node belongs to one thread. Calls wait up to their timeout. Bitcoin Core or Knots, version 24 or newer
// (listsinceblock with change, gettxspendingprevout); packages want 28 or newer on main.
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
    int cancel_fd;                             // readable: calls that wait end; -1: none
};
MUST_CHECK bool node_new(struct node **out, const struct node_options *options, struct err *err);
void node_free(struct node *node); // NULL is fine
void node_freep(struct node **node);
const char *node_name(const struct node *node);

struct node_state {
    struct hash256 tip;
    uint32_t height;
    bool behind; // initial download, headers whose blocks are not there, or on main an old tip
    uint64_t relay_rate, mempool_rate; // sat per 1000 vB: least that it takes
};
MUST_CHECK bool node_state(struct node *node, struct node_state *out, struct err *err);

// Makes sure that the node watches the wallet: loads it, or makes it and imports both branches, and tells the
// wallet how far the node has seen it used. Cheap where all is well: to be called again and again.
// birth_s: how far back to look when it is made; 0: four hours. Looking may take hours: for that long it fails,
// and so do the calls below.
// Fails: CODE_NODE_UNAVAILABLE also while the node still looks for the wallet's transactions.
MUST_CHECK bool node_watch(struct node *node, const struct wallet *wallet, int64_t birth_s,
                           struct err *err);

// What our own transactions spend is not among them: coordinator/coins_psbt.h reads it from their PSBT.
// Unspent outputs of the wallet, each with what a PSBT needs. Previous transactions are there for the
// NODE_PREVIOUS_MAX largest coins that may be spent; the others have none, and are not chosen.
#define NODE_PREVIOUS_MAX 500
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

// What the node would say to it, without sending. Fails: CODE_CONFLICT, CODE_COINS_BUSY, CODE_FEE_TOO_HIGH ...; the
// node's own words are in the detail alone, for the log.
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
    int64_t block_s;                 // the block's own time
    uint64_t ancestors, descendants; // in the mempool, itself included
    struct sats fee;                 // where the wallet paid it, as the node says; else 0
};
MUST_CHECK bool node_find(struct node *node, const struct wallet *wallet,
                          const struct hash256 *txid, struct node_tx *out, struct err *err);

// A transaction of the wallet, and where it is. CODE_NOT_FOUND: the wallet does not have it.
MUST_CHECK bool node_transaction(struct node *node, const struct wallet *wallet,
                                 const struct hash256 *txid, struct node_tx *where,
                                 struct bytes *raw, struct arena *arena, struct err *err);

// What the wallet's transactions did after a block, and in the mempool.
struct node_event {
    struct hash256 txid;
    bool is_outgoing; // it spends coins of the wallet, to whomever
    bool is_removed;  // its block was taken back; the same txid may come again as unconfirmed
};
struct node_events {
    struct node_event *items; // each txid once
    size_t n;
    struct hash256 block; // `depth` deep: where to go on from next time
    uint32_t height;
};
// since: NULL for the wallet's whole history. Waits until the node's wallet has seen what its chain has.
// Fails: CODE_NOT_FOUND for a block that the node does not know.
MUST_CHECK bool node_since(struct node *node, const struct wallet *wallet,
                           const struct hash256 *since, uint32_t depth, struct node_events *out,
                           struct arena *arena, struct err *err);

// The mempool transaction that spends it. *found false: none.
MUST_CHECK bool node_spender(struct node *node, const struct outpoint *outpoint,
                             struct hash256 *out, bool *found, struct err *err);

#endif
