#include "coordinator/node.h"
#include "base/clock.h"
#include "base/require.h"
#include "bitcoin/descriptor.h"
#include "coordinator/node_internal.h"

enum {
    BIRTH_S = 4 * 3600, // A2: "timestamp four hours back"
    PARAMS_MAX = 8 << 20,
};

// --- Calls ---

void node_params_begin(struct node_params *p, struct arena *arena)
{
    p->w = writer_growing(arena, PARAMS_MAX);
    p->j = json_writer_of(&p->w);
    json_begin_array(&p->j);
}

struct bytes node_params_end(struct node_params *p)
{
    struct bytes out;
    json_end_array(&p->j);
    return writer_finish(&p->w, &out) ? out : (struct bytes){ 0 };
}

void node_put_txid(struct json_writer *j, const struct hash256 *txid)
{
    char text[TXID_TEXT_SIZE];
    txid_to_text(text, txid);
    json_text(j, text);
}

void node_put_decimal(struct json_writer *j, uint64_t sats)
{
    char text[RPC_DECIMAL_SIZE];
    rpc_decimal(text, sats);
    json_raw(j, bytes_of_text(text));
}

static bool failed(struct node *node, const struct rpc_fault *fault, struct err *err)
{
    if (fault->kind == RPC_FAULT_UNREACHABLE || fault->kind == RPC_FAULT_UNAUTHORIZED ||
        fault->kind == RPC_FAULT_WARMING_UP)
        node->checked = node->watches = false; // it may be another when it is back
    return err_within(err, "node %s", node->name);
}

static bool call(struct node *node, const char *wallet, const char *method, struct bytes params,
                 const struct json **result, struct arena *arena, struct rpc_fault *fault,
                 struct err *err)
{
    return rpc_call(result, node->rpc, wallet, method, params, arena, fault, err) ||
           failed(node, fault, err);
}

static bool ask_chain(struct node *node, struct node_state *out, struct arena *arena,
                      struct err *err)
{
    const struct clock clock = clock_system();
    const struct json *chain;
    struct rpc_fault fault;
    if (!call(node, NULL, "getblockchaininfo", BYTES("[]"), &chain, arena, &fault, err))
        return false;
    node->checked = node_read_chain(out, chain, node->network, clock.wall_s(&clock), err);
    return node->checked || err_within(err, "node %s", node->name);
}

static bool check_network(struct node *node, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(NODE_ARENA);
    struct node_state state;
    return node->checked || ask_chain(node, &state, arena, err);
}

static bool load(struct node *node, const char *wallet, struct arena *arena,
                 struct rpc_fault *fault, struct err *err)
{
    struct node_params p;
    const struct json *result;
    node_params_begin(&p, arena);
    json_text(&p.j, wallet);
    json_bool(&p.j, true); // at every start of the node from now on
    return call(node, NULL, "loadwallet", node_params_end(&p), &result, arena, fault, err) ||
           fault->kind == RPC_FAULT_WALLET_LOADED;
}

bool node_ask(struct node *node, const struct wallet *wallet, const char *method,
              struct bytes params, const struct json **result, struct arena *arena,
              struct rpc_fault *fault, struct err *err)
{
    char name[NODE_WALLET_SIZE];
    struct rpc_fault loading;
    struct err why;
    *fault = (struct rpc_fault){ 0 };
    if (!check_network(node, err))
        return false;
    if (wallet == NULL)
        return call(node, NULL, method, params, result, arena, fault, err);
    node_wallet_name(name, node, wallet);
    if (call(node, name, method, params, result, arena, fault, err))
        return true;
    if (fault->kind != RPC_FAULT_WALLET_ABSENT || !load(node, name, arena, &loading, &why))
        return false;
    return call(node, name, method, params, result, arena, fault, err);
}

// --- The node ---

static const char *chars_of_names(void)
{
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
}

void node_wallet_name(char out[static NODE_WALLET_SIZE], const struct node *node,
                      const struct wallet *wallet)
{
    const struct bytes descriptor = wallet_descriptor(wallet, MS_RECEIVE);
    const struct bytes checksum =
        bytes_slice(descriptor, descriptor.len - DESCRIPTOR_CHECKSUM_LEN, DESCRIPTOR_CHECKSUM_LEN);
    // It is the name of a folder there. Other descriptors under the same name are another wallet.
    const int len = snprintf(out, NODE_WALLET_SIZE, "%s%s-%.*s", node->prefix, wallet_name(wallet),
                             BYTES_ARG(checksum));
    REQUIRE(len > 0 && len < NODE_WALLET_SIZE);
    for (char *c = out; *c != 0; c++)
        if (strchr(chars_of_names(), *c) == NULL)
            *c = '_';
}

bool node_new(struct node **out, const struct node_options *options, struct err *err)
{
    char url[300];
    const struct rpc_server server = {
        .url = url,
        .credential_file =
            options->cookie_file != NULL ? options->cookie_file : options->credential_file,
    };
    const char *prefix = options->wallet_prefix != NULL ? options->wallet_prefix : "";
    if (strlen(options->host) > 255 || strlen(options->name) > 64 || strlen(prefix) > 32 ||
        wallet_chain_of(bytes_of_text(options->network)) == NULL)
        return err_set(err, ERR_USAGE, "node %.64s: name, host, prefix or network", options->name);
    const bool v6 = strchr(options->host, ':') != NULL;
    (void)snprintf(url, sizeof url, "http://%s%s%s:%u", v6 ? "[" : "", options->host, v6 ? "]" : "",
                   options->port);
    struct node *node = calloc(1, sizeof *node);
    REQUIRE(node != NULL);
    (void)snprintf(node->name, sizeof node->name, "%s", options->name);
    (void)snprintf(node->network, sizeof node->network, "%s", options->network);
    (void)snprintf(node->prefix, sizeof node->prefix, "%s", prefix);
    node->rpc = rpc_new(&server);
    rpc_set_cancel(node->rpc, options->cancel_fd);
    *out = node;
    return true;
}

void node_free(struct node *node)
{
    if (node == NULL)
        return;
    rpc_free(node->rpc);
    free(node);
}

void node_freep(struct node **node)
{
    node_free(*node);
}

const char *node_name(const struct node *node)
{
    return node->name;
}

bool node_state(struct node *node, struct node_state *out, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(NODE_ARENA);
    const struct json *mempool;
    struct rpc_fault fault;
    return ask_chain(node, out, arena, err) &&
           node_ask(node, NULL, "getmempoolinfo", BYTES("[]"), &mempool, arena, &fault, err) &&
           node_read_mempool(out, mempool, err);
}

bool node_fee_rate(struct node *node, unsigned blocks, uint64_t *out, bool *known, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(NODE_ARENA);
    struct node_params p;
    const struct json *reply;
    struct rpc_fault fault;
    node_params_begin(&p, arena);
    json_u64(&p.j, blocks);
    return node_ask(node, NULL, "estimatesmartfee", node_params_end(&p), &reply, arena, &fault,
                    err) &&
           node_read_estimate(out, known, reply, err);
}

// --- Watching a wallet ---

static bool create(struct node *node, const char *name, struct arena *arena, struct err *err)
{
    struct writer w = writer_growing(arena, 1024);
    struct json_writer j = json_writer_of(&w);
    const struct json *result;
    struct rpc_fault fault;
    json_begin_object(&j);
    json_key(&j, "wallet_name");
    json_text(&j, name);
    json_key(&j, "disable_private_keys");
    json_bool(&j, true);
    json_key(&j, "blank");
    json_bool(&j, true);
    json_key(&j, "descriptors");
    json_bool(&j, true);
    json_key(&j, "load_on_startup"); // a restarted node then has it at once
    json_bool(&j, true);
    json_end_object(&j);
    return call(node, NULL, "createwallet", writer_bytes(&w), &result, arena, &fault, err);
}

static void put_import(struct json_writer *j, const struct wallet *wallet, enum ms_branch branch,
                       int64_t timestamp)
{
    json_begin_object(j);
    json_key(j, "desc");
    json_string(j, wallet_descriptor(wallet, branch));
    json_key(j, "active");
    json_bool(j, true);
    json_key(j, "internal");
    json_bool(j, branch == MS_CHANGE);
    json_key(j, "range");
    json_begin_array(j);
    json_u64(j, 0);
    json_u64(j, wallet_known(wallet, branch) - 1);
    json_end_array(j);
    json_key(j, "timestamp");
    json_i64(j, timestamp);
    json_end_object(j);
}

static bool all_imported(const struct json *results)
{
    size_t n = 0;
    for (const struct json *item = results->items; item != NULL; item = item->next, n++)
        if (json_get(item, "success") == NULL || json_get(item, "success")->type != JSON_TRUE)
            return false;
    return n == MS_BRANCHES;
}

static bool import(struct node *node, const char *name, const struct wallet *wallet,
                   int64_t birth_s, struct arena *arena, struct err *err)
{
    const struct clock clock = clock_system();
    const int64_t timestamp = birth_s > 0 ? birth_s : clock.wall_s(&clock) - BIRTH_S;
    struct node_params p;
    const struct json *results;
    struct rpc_fault fault;
    node_params_begin(&p, arena);
    json_begin_array(&p.j);
    for (enum ms_branch branch = 0; branch < MS_BRANCHES; branch++)
        put_import(&p.j, wallet, branch, timestamp);
    json_end_array(&p.j);
    // Where it takes longer than a call may, the node goes on alone: check_scan waits for its end.
    return call(node, name, "importdescriptors", node_params_end(&p), &results, arena, &fault,
                err) &&
           (all_imported(results) ||
            code_fail(err, CODE_NODE_UNAVAILABLE, "node %s: it did not import the wallet",
                      node->name));
}

// Whether both branches are there; the wallet learns how far it was used.
static bool look(bool *complete, struct node *node, const char *name, const struct wallet *wallet,
                 struct arena *arena, struct err *err)
{
    const struct json *reply;
    struct rpc_fault fault;
    uint32_t next[MS_BRANCHES] = { 0 };
    if (!call(node, name, "listdescriptors", BYTES("[]"), &reply, arena, &fault, err) ||
        !node_read_descriptors(complete, next, reply, wallet, err))
        return false;
    for (enum ms_branch branch = 0; branch < MS_BRANCHES; branch++)
        if (next[branch] > 0)
            wallet_note_used(wallet, (struct wallet_place){ branch, next[branch] - 1 });
    return true;
}

static bool load_or_create(struct node *node, const char *name, struct arena *arena,
                           struct err *err)
{
    struct rpc_fault fault;
    if (load(node, name, arena, &fault, err))
        return true;
    return fault.kind == RPC_FAULT_WALLET_ABSENT && create(node, name, arena, err);
}

// While it still looks through old blocks its listings leave out what it has not come to.
static bool check_scan(struct node *node, const char *name, struct arena *arena, struct err *err)
{
    const struct json *info;
    struct rpc_fault fault;
    if (!call(node, name, "getwalletinfo", BYTES("[]"), &info, arena, &fault, err))
        return false;
    const struct json *scanning = json_get(info, "scanning");
    return (scanning != NULL && scanning->type == JSON_FALSE) ||
           code_fail(err, CODE_NODE_UNAVAILABLE, "node %s: it still looks for the wallet's history",
                     node->name);
}

bool node_watch(struct node *node, const struct wallet *wallet, int64_t birth_s, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(16 * NODE_ARENA);
    char name[NODE_WALLET_SIZE];
    const struct json *info;
    struct rpc_fault fault;
    bool complete = false;
    node_wallet_name(name, node, wallet);
    if (!check_network(node, err))
        return false;
    if (!call(node, name, "getwalletinfo", BYTES("[]"), &info, arena, &fault, err) &&
        (fault.kind != RPC_FAULT_WALLET_ABSENT || !load_or_create(node, name, arena, err)))
        return false;
    if (!check_scan(node, name, arena, err) || !look(&complete, node, name, wallet, arena, err))
        return false;
    if (complete)
        return true;
    return import(node, name, wallet, birth_s, arena, err) &&
           look(&complete, node, name, wallet, arena, err) &&
           (complete ||
            code_fail(err, CODE_NODE_UNAVAILABLE,
                      "node %s: the wallet is there with other descriptors", node->name));
}
