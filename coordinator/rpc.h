// coordinator/rpc.h -- one connection to a Bitcoin node's JSON-RPC server.
//
// (1) A reply is bounded before it is kept and read strictly; amounts are exact decimals.
// (2) Who may ask is read from a file (cookie, or "user:password"), again when the node says 401: a node
//     makes a new cookie at each start. It is never part of an error, a log line or an argument.
// (3) What a node says in prose stays in `struct rpc_fault`; programs go by its kind.
// Not for two threads at once.
// Source: coordinator.md C23 to C25, Annex.
#ifndef CASEMATE_COORDINATOR_RPC_H
#define CASEMATE_COORDINATOR_RPC_H
#include "base/json.h"
#include "bitcoin/sats.h"
#include "coordinator/code.h"

#define RPC_REPLY_MAX      ((size_t)192 << 20) // bytes: 200 000 entries of a wallet's listing
#define RPC_TIMEOUT_S      60
#define RPC_CONNECT_S      5
#define RPC_CREDENTIAL_MAX 512

// Where a node is. All borrowed.
struct rpc_server {
    const char *url;             // "http://127.0.0.1:8332", without a path
    const char *credential_file; // one line "user:password", as the node's .cookie is
    unsigned timeout_s;          // of a call; 0: RPC_TIMEOUT_S
};

// Once in main, before any thread. Stops the process if the library cannot be started.
void rpc_init(void);

struct rpc;
struct rpc *rpc_new(const struct rpc_server *server); // copies; connects when first asked
void rpc_free(struct rpc *rpc);                       // NULL is fine
void rpc_freep(struct rpc **rpc);                     // for AUTO

// A call ends early, as RPC_FAULT_UNREACHABLE, when this descriptor becomes readable; -1: never, as at first.
void rpc_set_cancel(struct rpc *rpc, int fd);
void rpc_set_timeout(struct rpc *rpc,
                     unsigned timeout_s); // of the calls that follow; 0: RPC_TIMEOUT_S

// What a node's refusal means, by its number and the words that the Annex lists.
enum rpc_fault_kind {
    RPC_FAULT_NONE,
    RPC_FAULT_UNREACHABLE,   // no connection, or no answer in time
    RPC_FAULT_NONSENSE,      // an answer that is none, or too large
    RPC_FAULT_UNAUTHORIZED,  // 401 or 403, with the file's newest content
    RPC_FAULT_WARMING_UP,    // -28
    RPC_FAULT_BUSY,          // 503: its work queue is full
    RPC_FAULT_WALLET_ABSENT, // -18
    RPC_FAULT_WALLET_LOADED, // -35, or -4 "already loaded"
    RPC_FAULT_WALLET_EXISTS, // -4 "Database already exists"
    RPC_FAULT_INSUFFICIENT,  // -4 or -6 "Insufficient funds"
    RPC_FAULT_CHAIN_LIMIT,   // "too many unconfirmed ancestors", "too-long-mempool-chain"
    RPC_FAULT_DUST,          // -4 "Transaction amount too small", -26 "dust"
    RPC_FAULT_BAD_ADDRESS,   // -5 "Invalid Bitcoin address"
    RPC_FAULT_NOT_FOUND,     // -5 of transactions and blocks: not in the mempool, not known
    RPC_FAULT_IN_UTXO_SET,   // -27: confirmed already
    RPC_FAULT_NOT_MORE,      // -26 "insufficient fee": a conflict that does not pay more
    RPC_FAULT_MEMPOOL_MIN,   // -26 "mempool min fee not met", "min relay fee not met"
    RPC_FAULT_MISSING,       // -25, -26 "missing inputs": an input is spent, or was never there
    RPC_FAULT_CONFLICT,      // -26 "txn-mempool-conflict": not replaceable
    RPC_FAULT_MAX_FEE,       // -25 "Fee exceeds maximum configured by user"
    RPC_FAULT_REJECTED,      // -25 and -26, any other words
    RPC_FAULT_UNKNOWN_CALL,  // -32601
    RPC_FAULT_OTHER,
};
struct rpc_fault {
    enum rpc_fault_kind kind;
    int64_t number; // the node's; 0: it did not say
    char text[256]; // its words, printable; for log and tests
};
// By number and words, as in the table above.
enum rpc_fault_kind rpc_fault_of(int64_t number, struct bytes message);
const char *rpc_fault_name(enum rpc_fault_kind kind); // "wallet_absent": for logs
enum code rpc_fault_code(enum rpc_fault_kind kind);   // what it is towards a caller

// Calls `method`. wallet: its name, or NULL for what needs none. params: a JSON array or object; no bytes
// for none. *result and all it points to live in the arena. `fault` is always set.
// Fails: with the code of the fault's kind (code.h): CODE_NODE_UNAVAILABLE where it did not answer or does
//        not work yet; CODE_INSUFFICIENT_FUNDS, CODE_COINS_BUSY, CODE_FEE_TOO_HIGH, CODE_CONFLICT,
//        CODE_NOT_FOUND, CODE_BAD_REQUEST, CODE_INTERNAL. The text names method and kind, never the node's
//        words: those are in `fault`.
MUST_CHECK bool rpc_call(const struct json **result, struct rpc *rpc, const char *wallet,
                         const char *method, struct bytes params, struct arena *arena,
                         struct rpc_fault *fault, struct err *err);

// The answer to the request of that number, from the bytes of a reply. As rpc_call.
MUST_CHECK bool rpc_read_reply(const struct json **result, struct bytes reply, uint64_t id,
                               struct arena *arena, struct rpc_fault *fault, struct err *err);

// Bitcoin's decimals, exactly: "0.00001000" is 1000. False unless whole satoshis from 0 to SATS_MAX (of
// the second: from -SATS_MAX).
MUST_CHECK bool rpc_sats(const struct json *number, struct sats *out);
MUST_CHECK bool rpc_signed_sats(const struct json *number, int64_t *out);
// "0.00001000": what a node takes as an amount, or as a rate in coins per 1000 vB.
#define RPC_DECIMAL_SIZE 24
void rpc_decimal(char out[static RPC_DECIMAL_SIZE], uint64_t sats);

#endif
