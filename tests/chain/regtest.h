// tests/chain/regtest.h -- a node of the test's own that speaks to this machine only, and ends with it.
//
// One node per program, started by whoever needs it first; its folder goes when the program ends. Whatever
// goes wrong inside stops the test. The miner's wallet is the node's own; what is tested has another.
#ifndef CASEMATE_TESTS_CHAIN_REGTEST_H
#define CASEMATE_TESTS_CHAIN_REGTEST_H
#include "coordinator/node.h"
#include "coordinator/rpc.h"
#include "tests/support/test.h"

struct regtest {
    int pid; // 0: not running
    uint16_t port;
    char dir[64], cookie[128];
    const char *network;
    struct rpc *rpc;
    char mine_to[ADDRESS_TEXT_MAX];
};
// The running node, with 101 blocks and the miner's coins, of which one can be spent; skips the test where no
// node can be had. network: "regtest" or "signet" (a private one that anybody may mine).
struct regtest *regtest(const char *network);

// Waits until it answers again. keep_mempool: what was in it comes back.
void regtest_restart(struct regtest *r, bool keep_mempool);
void regtest_stop(struct regtest *r); // until regtest_restart

// A call that must succeed; params: JSON with %s and the like. wallet: NULL for none.
const struct json *regtest_call(struct regtest *r, const char *wallet, const char *method,
                                const char *params, ...) PRINTF_LIKE(4, 5);
// What a call that must fail was refused for.
struct rpc_fault regtest_refusal(struct regtest *r, const char *wallet, const char *method,
                                 const char *params, ...) PRINTF_LIKE(4, 5);

// Blocks to the miner. Returns the last one's hash, as text.
struct bytes regtest_mine(struct regtest *r, unsigned n);
// The chain without that block and what is on it; blocks that are mined then are others.
void regtest_take_back(struct regtest *r, struct bytes block);
// An empty block, whatever the mempool has.
void regtest_mine_empty(struct regtest *r, unsigned n);
// From the miner's wallet; returns the txid, as text.
struct bytes regtest_pay(struct regtest *r, struct bytes address, uint64_t sats);
// 1000 sat to each, in one transaction.
void regtest_dust(struct regtest *r, const struct bytes *addresses, size_t n);
// An address of the miner's.
struct bytes regtest_address(struct regtest *r);

// Options for a struct node to it.
struct node_options regtest_options(const struct regtest *r);

#define MINER "miner"

#endif
