// coordinator/node_tx.c -- where a transaction is, and how a node gets one.
#include "coordinator/node_internal.h"

enum { HISTORY_ARENA = 1 << 30, REASON_SIZE = 200 };

static bool txid_of(struct hash256 *out, struct bytes raw, struct arena *arena, struct err *err)
{
    struct tx tx;
    if (!tx_parse(&tx, raw, arena, err))
        return err_within(err, "what is to be sent");
    *out = tx_txid(&tx);
    return true;
}

// --- Where it is ---

static bool in_mempool(struct node *node, const struct hash256 *txid, struct node_tx *out,
                       struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(NODE_ARENA);
    struct node_params p;
    const struct json *entry;
    struct rpc_fault fault;
    node_params_begin(&p, arena);
    node_put_txid(&p.j, txid);
    if (node_ask(node, NULL, "getmempoolentry", node_params_end(&p), &entry, arena, &fault, err))
        return node_read_entry(out, entry, err);
    return fault.kind == RPC_FAULT_NOT_FOUND;
}

static bool ask_transaction(struct node *node, const struct wallet *wallet,
                            const struct hash256 *txid, struct node_tx *where, struct bytes *raw,
                            struct arena *arena, struct rpc_fault *fault, struct err *err)
{
    struct node_params p;
    const struct json *reply;
    node_params_begin(&p, arena);
    node_put_txid(&p.j, txid);
    return node_ask(node, wallet, "gettransaction", node_params_end(&p), &reply, arena, fault,
                    err) &&
           node_read_transaction(where, raw, reply, txid, arena, err);
}

bool node_transaction(struct node *node, const struct wallet *wallet, const struct hash256 *txid,
                      struct node_tx *where, struct bytes *raw, struct arena *arena,
                      struct err *err)
{
    struct rpc_fault fault;
    return ask_transaction(node, wallet, txid, where, raw, arena, &fault, err) &&
           (where->in_block || in_mempool(node, txid, where, err));
}

// "An unconfirmed transaction that fell out of the mempool is neither abandoned nor conflicted in the node's
// listing; presence must be asked for explicitly."
bool node_find(struct node *node, const struct wallet *wallet, const struct hash256 *txid,
               struct node_tx *out, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(64 * NODE_ARENA);
    struct rpc_fault fault;
    *out = (struct node_tx){ 0 };
    if (!ask_transaction(node, wallet, txid, out, NULL, arena, &fault, err) &&
        fault.kind != RPC_FAULT_NOT_FOUND)
        return false;
    return out->in_block || in_mempool(node, txid, out, err);
}

bool node_spender(struct node *node, const struct outpoint *outpoint, struct hash256 *out,
                  bool *found, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(NODE_ARENA);
    struct node_params p;
    const struct json *reply;
    struct rpc_fault fault;
    node_params_begin(&p, arena);
    json_begin_array(&p.j);
    json_begin_object(&p.j);
    json_key(&p.j, "txid");
    node_put_txid(&p.j, &outpoint->txid);
    json_key(&p.j, "vout");
    json_u64(&p.j, outpoint->index);
    json_end_object(&p.j);
    json_end_array(&p.j);
    return node_ask(node, NULL, "gettxspendingprevout", node_params_end(&p), &reply, arena, &fault,
                    err) &&
           node_read_spender(out, found, reply, err);
}

// --- History ---

static bool height_of(struct node *node, const struct hash256 *block, uint32_t *out,
                      struct arena *arena, struct err *err)
{
    struct node_params p;
    const struct json *header, *height;
    struct rpc_fault fault;
    int64_t n;
    node_params_begin(&p, arena);
    node_put_txid(&p.j, block); // written as txids are
    if (!node_ask(node, NULL, "getblockheader", node_params_end(&p), &header, arena, &fault, err))
        return false;
    height = json_get(header, "height");
    if (height == NULL || !json_integer(height, &n, NULL) || n < 0 || n > UINT32_MAX)
        return code_fail(err, CODE_NODE_UNAVAILABLE, "getblockheader: a reply of no known form");
    *out = (uint32_t)n;
    return true;
}

bool node_since(struct node *node, const struct wallet *wallet, const struct hash256 *since,
                uint32_t depth, struct node_events *out, struct arena *arena, struct err *err)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(HISTORY_ARENA);
    struct node_params p;
    const struct json *reply;
    struct rpc_fault fault;
    // "a wallet may lag the mempool by moments"
    if (!node_ask(node, NULL, "syncwithvalidationinterfacequeue", BYTES("[]"), &reply, scratch,
                  &fault, err))
        return false;
    node_params_begin(&p, scratch);
    if (since != NULL)
        node_put_txid(&p.j, since);
    else
        json_text(&p.j, "");
    json_u64(&p.j, depth);
    json_bool(&p.j, true); // include_watchonly
    json_bool(&p.j, true); // include_removed
    json_bool(&p.j, true); // include_change: a payment to nothing but change is listed, too
    return node_ask(node, wallet, "listsinceblock", node_params_end(&p), &reply, scratch, &fault,
                    err) &&
           node_read_events(out, reply, arena, err) &&
           height_of(node, &out->block, &out->height, scratch, err);
}

// --- Sending ---

static void put_reason(char out[static REASON_SIZE], const char *text)
{
    (void)snprintf(out, REASON_SIZE, "%.*s", REASON_SIZE - 1, text);
}

// Printable, and cut.
static void copy_reason(char out[static REASON_SIZE], struct bytes text)
{
    size_t len = 0;
    for (; len < text.len && len + 1 < REASON_SIZE; len++)
        out[len] = text.ptr[len] < 0x20 || text.ptr[len] > 0x7e ? '?' : (char)text.ptr[len];
    out[len] = 0;
}

static enum node_sent sent_of(enum rpc_fault_kind kind)
{
    switch (kind) {
    case RPC_FAULT_NONE:
        return NODE_SENT;
    case RPC_FAULT_IN_UTXO_SET:
        return NODE_CONFIRMED;
    case RPC_FAULT_NOT_MORE:
    case RPC_FAULT_MISSING:
    case RPC_FAULT_CONFLICT:
        return NODE_CONFLICT;
    case RPC_FAULT_MEMPOOL_MIN:
        return NODE_FEE_TOO_LOW;
    default:
        return NODE_REFUSED;
    }
}

// Whether the node has looked at it at all: what it says in words that nobody knows is a refusal, too.
static bool was_decided(enum rpc_fault_kind kind)
{
    return kind >= RPC_FAULT_WALLET_LOADED && kind != RPC_FAULT_UNKNOWN_CALL;
}

static bool send_one(struct node *node, struct bytes raw, uint64_t max_fee_rate,
                     enum node_sent *out, char reason[static REASON_SIZE], struct arena *arena,
                     struct err *err)
{
    struct node_params p;
    const struct json *reply;
    struct rpc_fault fault;
    struct hash256 txid, taken;
    if (!txid_of(&txid, raw, arena, err))
        return false;
    node_params_begin(&p, arena);
    json_hex(&p.j, raw);
    node_put_decimal(&p.j, max_fee_rate);
    const bool answered =
        node_ask(node, NULL, "sendrawtransaction", node_params_end(&p), &reply, arena, &fault, err);
    if (!answered && !was_decided(fault.kind))
        return false;
    if (answered && (!node_read_txid(&taken, reply) || memcmp(&taken, &txid, sizeof txid) != 0))
        return code_fail(err, CODE_NODE_UNAVAILABLE, "node %s: it names another transaction",
                         node->name);
    *out = sent_of(fault.kind);
    put_reason(reason, answered ? "" : fault.text);
    return true;
}

static bool send_package(struct node *node, struct bytes parent, struct bytes child,
                         uint64_t max_fee_rate, enum node_sent *out,
                         char reason[static REASON_SIZE], struct arena *arena, struct err *err)
{
    struct node_params p;
    const struct json *reply;
    struct rpc_fault fault;
    struct bytes why;
    bool allowed;
    node_params_begin(&p, arena);
    json_begin_array(&p.j);
    json_hex(&p.j, parent);
    json_hex(&p.j, child);
    json_end_array(&p.j);
    node_put_decimal(&p.j, max_fee_rate);
    if (!node_ask(node, NULL, "submitpackage", node_params_end(&p), &reply, arena, &fault, err)) {
        if (!was_decided(fault.kind))
            return false;
        *out = sent_of(fault.kind);
        put_reason(reason, fault.text);
        return true;
    }
    if (!node_read_package(&allowed, &why, reply, err))
        return false;
    *out = allowed ? NODE_SENT : sent_of(rpc_fault_of(-26, why));
    copy_reason(reason, why);
    return true;
}

bool node_send(struct node *node, struct bytes raw, struct bytes raw2, uint64_t max_fee_rate,
               enum node_sent *out, char reason[static 200], struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(64 * NODE_ARENA);
    *reason = 0;
    return raw2.len > 0 ? send_package(node, raw, raw2, max_fee_rate, out, reason, arena, err)
                        : send_one(node, raw, max_fee_rate, out, reason, arena, err);
}

static bool judge(bool allowed, struct bytes why, struct err *err)
{
    char reason[REASON_SIZE];
    if (allowed)
        return true;
    copy_reason(reason, why);
    (void)code_fail(err, rpc_fault_code(rpc_fault_of(-26, why)), "the node would refuse it");
    return code_words(err, reason); // its own words are for the log (C24)
}

bool node_test_accept(struct node *node, struct bytes raw, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(64 * NODE_ARENA);
    struct node_params p;
    const struct json *reply;
    struct rpc_fault fault;
    struct hash256 txid;
    struct bytes why;
    bool allowed;
    if (!txid_of(&txid, raw, arena, err))
        return false;
    node_params_begin(&p, arena);
    json_begin_array(&p.j);
    json_hex(&p.j, raw);
    json_end_array(&p.j);
    return node_ask(node, NULL, "testmempoolaccept", node_params_end(&p), &reply, arena, &fault,
                    err) &&
           node_read_accept(&allowed, &why, reply, &txid, err) && judge(allowed, why, err);
}
