// coordinator/reconcile.h -- the ledger is compared with the chain, again and again, by every node.
//
// (1) A pass reads from a cursor that is settle_depth deep, and moves it only when all that it read is in the
//     ledger: what a crash or a reorg leaves undone is read again.
// (2) A transaction is ours if the ledger has its txid, whatever a node calls it; what pays the wallet itself is
//     no outflow, by descriptor. Whatever else spends the wallet's coins is a foreign outflow.
// (3) The stamp that admission asks for (D2) is written at the end of a pass that was whole, of a node that is
//     not behind.
// (4) A wallet whose coins were spent before this ledger knew it begins in amnesia: D5.
// Source: coordinator.md A10, C6, C8, C30, D5; inv 16, 35 to 39.
#ifndef CASEMATE_COORDINATOR_RECONCILE_H
#define CASEMATE_COORDINATOR_RECONCILE_H
#include "base/log.h"
#include "coordinator/board.h"
#include "coordinator/node.h"
#include "coordinator/sights.h"
#include "coordinator/treasury.h"

#define RECONCILE_EVERY_MS 10000

// --- One pass ---

struct reconcile_context {
    struct db *db;
    struct node *node;
    size_t node_number; // among the nodes that share `sights`
    struct sights *sights;
    const struct clock *clock;
    const struct log *log;
};
struct reconcile_result {
    bool changed;     // a spend of ours moved, or has to be looked at
    bool forgot;      // amnesia began
    unsigned foreign; // outflows that were not known before
    unsigned removed; // transactions of ours whose block was taken back
};
// One wallet, by one node. Fails: CODE_NODE_UNAVAILABLE, CODE_LEDGER_UNAVAILABLE; what was seen until then is in
// the ledger, cursor and stamp are as they were.
MUST_CHECK bool reconcile_wallet(const struct reconcile_context *context,
                                 const struct treasury_wallet *wallet, struct reconcile_result *out,
                                 struct err *err);

// --- The threads ---

struct reconcile;
struct reconcile_options {
    const struct db_options *db;      // each thread opens its own connection
    const struct node_options *nodes; // a thread for each; cancel_fd is set here
    size_t n_nodes;
    struct treasury *treasury;
    struct board *board; // told what was seen; NULL: nobody
    const struct log *log;
    unsigned every_ms; // 0: RECONCILE_EVERY_MS
    // Something changed: called by the threads. NULL: nobody.
    void (*changed)(void *context);
    void *context;
};
// All that is given is borrowed until reconcile_free. Fails: as db_open and node_new.
MUST_CHECK bool reconcile_new(struct reconcile **out, const struct reconcile_options *options,
                              struct err *err);
// Look now: a transaction was sent, a node told of a block. Any thread.
void reconcile_wake(struct reconcile *reconcile);
void reconcile_free(struct reconcile *reconcile); // ends the threads, calls included; NULL is fine

// When each thread last came round, in milliseconds of the monotonic clock: the oldest of them.
int64_t reconcile_alive_ms(const struct reconcile *reconcile);

#endif
