// coordinator/node_internal.h -- shared by node_*.c only.
#ifndef CASEMATE_COORDINATOR_NODE_INTERNAL_H
#define CASEMATE_COORDINATOR_NODE_INTERNAL_H
#include "coordinator/node_read.h"

#define NODE_ARENA ((size_t)1 << 20) // for small replies

struct node {
    struct rpc *rpc;
    char name[65], network[16], prefix[33];
    bool checked; // since the connection was lost last: it is of the right network
    bool watches; // some wallet was found complete since then
};

// A call of the node, or of its wallet for ours (NULL: none). Sees to the network first, and loads a wallet that
// the node has lost in a restart (C30).
MUST_CHECK bool node_ask(struct node *node, const struct wallet *wallet, const char *method,
                         struct bytes params, const struct json **result, struct arena *arena,
                         struct rpc_fault *fault, struct err *err);

// Parameters: begin, write with `j`, then node_params.
struct node_params {
    struct writer w;
    struct json_writer j;
};
void node_params_begin(struct node_params *p, struct arena *arena); // "["
struct bytes node_params_end(struct node_params *p);                // "]"; no bytes: too large
void node_put_txid(struct json_writer *j, const struct hash256 *txid);
void node_put_decimal(struct json_writer *j, uint64_t sats);

// The wallet's name on the node: prefix, name, and what tells its descriptors from others'.
#define NODE_WALLET_SIZE 128
void node_wallet_name(char out[static NODE_WALLET_SIZE], const struct node *node,
                      const struct wallet *wallet);

#endif
