// coordinator/node_read.h -- what a node's replies mean. Pure: JSON in, values out.
//
// A member that is absent, of another type or out of range makes the whole reply one that cannot be used:
// CODE_NODE_UNAVAILABLE "<what>: a reply of no known form". Lists are bounded by the reply that is there.
// Source: coordinator.md Annex.
#ifndef CASEMATE_COORDINATOR_NODE_READ_H
#define CASEMATE_COORDINATOR_NODE_READ_H
#include "coordinator/node.h"
#include "coordinator/rpc.h"

// getblockchaininfo and getmempoolinfo. now_s: the wall clock, for `behind` on main.
// Fails: CODE_NODE_UNAVAILABLE "on chain <name>, not <network>".
MUST_CHECK bool node_read_chain(struct node_state *out, const struct json *chain,
                                const char *network, int64_t now_s, struct err *err);
MUST_CHECK bool node_read_mempool(struct node_state *out, const struct json *mempool,
                                  struct err *err);

// listunspent: coins of the wallet; what is not its own is left out. Without previous transactions.
MUST_CHECK bool node_read_coins(struct coins *out, const struct json *list,
                                const struct wallet *wallet, struct arena *arena, struct err *err);

// listsinceblock: items and block, not the height.
MUST_CHECK bool node_read_events(struct node_events *out, const struct json *reply,
                                 struct arena *arena, struct err *err);

// gettransaction: where it is but for the mempool; raw (may be NULL) is checked to be of that txid.
MUST_CHECK bool node_read_transaction(struct node_tx *where, struct bytes *raw,
                                      const struct json *reply, const struct hash256 *txid,
                                      struct arena *arena, struct err *err);
// getmempoolentry: ancestors, descendants.
MUST_CHECK bool node_read_entry(struct node_tx *out, const struct json *entry, struct err *err);

// estimatesmartfee. *known false: no estimate.
MUST_CHECK bool node_read_estimate(uint64_t *out, bool *known, const struct json *reply,
                                   struct err *err);

// testmempoolaccept of one transaction. reason: empty where it is allowed; printable.
MUST_CHECK bool node_read_accept(bool *allowed, struct bytes *reason, const struct json *reply,
                                 const struct hash256 *txid, struct err *err);
// submitpackage: likewise, the first complaint of its transactions, or of the whole.
MUST_CHECK bool node_read_package(bool *allowed, struct bytes *reason, const struct json *reply,
                                  struct err *err);

// gettxspendingprevout of one outpoint. *found false: nothing in the mempool spends it.
MUST_CHECK bool node_read_spender(struct hash256 *out, bool *found, const struct json *reply,
                                  struct err *err);

// listdescriptors: whether both branches are there, active, and looked at to their ends. *next: of each branch
// the first index that was not used.
MUST_CHECK bool node_read_descriptors(bool *complete, uint32_t next[static MS_BRANCHES],
                                      const struct json *reply, const struct wallet *wallet,
                                      struct err *err);

// A transaction id as it is displayed.
MUST_CHECK bool node_read_txid(struct hash256 *out, const struct json *text);

#endif
