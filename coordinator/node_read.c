#include "coordinator/node_read.h"
#include "base/hex.h"
#include <inttypes.h>

enum { TIP_OLD_S = 3 * 3600 };

static bool no_form(struct err *err, const char *what)
{
    return code_fail(err, CODE_NODE_UNAVAILABLE, "%s: a reply of no known form", what);
}

// --- Members ---

static bool need_u32(const struct json *object, const char *key, uint32_t *out)
{
    const struct json *value = json_get(object, key);
    int64_t n;
    if (value == NULL || value->type != JSON_NUMBER || !json_integer(value, &n, NULL) || n < 0 ||
        n > UINT32_MAX)
        return false;
    *out = (uint32_t)n;
    return true;
}

static bool need_bool(const struct json *object, const char *key, bool *out)
{
    const struct json *value = json_get(object, key);
    if (value == NULL || (value->type != JSON_TRUE && value->type != JSON_FALSE))
        return false;
    *out = value->type == JSON_TRUE;
    return true;
}

static bool need_text(const struct json *object, const char *key, struct bytes *out)
{
    const struct json *value = json_get(object, key);
    if (value == NULL || value->type != JSON_STRING)
        return false;
    *out = value->text;
    return true;
}

// A rate in coins per 1000 vB, as sat.
static bool need_rate(const struct json *object, const char *key, uint64_t *out)
{
    struct sats rate;
    if (!rpc_sats(json_get(object, key), &rate))
        return false;
    *out = rate.n;
    return true;
}

bool node_read_txid(struct hash256 *out, const struct json *text)
{
    uint8_t shown[sizeof out->b];
    if (text == NULL || text->type != JSON_STRING || !hex_decode(shown, sizeof shown, text->text))
        return false;
    for (size_t i = 0; i < sizeof shown; i++)
        out->b[i] = shown[sizeof shown - 1 - i];
    return true;
}

static bool need_txid(const struct json *object, const char *key, struct hash256 *out)
{
    return node_read_txid(out, json_get(object, key));
}

static bool hex_value(struct bytes *out, const struct json *text, struct arena *arena)
{
    if (text == NULL || text->type != JSON_STRING)
        return false;
    uint8_t *mem = arena_alloc(arena, text->text.len / 2);
    *out = bytes_of(mem, text->text.len / 2);
    return mem != NULL && hex_decode(mem, text->text.len / 2, text->text);
}

// --- The node ---

bool node_read_chain(struct node_state *out, const struct json *chain, const char *network,
                     int64_t now_s, struct err *err)
{
    struct bytes name;
    uint32_t headers, time_s;
    bool downloading;
    if (!need_text(chain, "chain", &name) || !need_u32(chain, "blocks", &out->height) ||
        !need_u32(chain, "headers", &headers) || !need_u32(chain, "time", &time_s) ||
        !need_bool(chain, "initialblockdownload", &downloading) ||
        !need_txid(chain, "bestblockhash", &out->tip))
        return no_form(err, "getblockchaininfo");
    if (!bytes_equal_text(name, network))
        return bytes_is_printable_ascii(name) && name.len < 20
                   ? code_fail(err, CODE_NODE_UNAVAILABLE, "on chain %.*s, not %s", BYTES_ARG(name),
                               network)
                   : no_form(err, "getblockchaininfo");
    // One block of headers ahead is a block on its way.
    const bool on_time = strcmp(network, "main") == 0;
    out->behind = downloading || headers > (uint64_t)out->height + 1 ||
                  (on_time && now_s - (int64_t)time_s > TIP_OLD_S);
    return true;
}

bool node_read_mempool(struct node_state *out, const struct json *mempool, struct err *err)
{
    bool loaded;
    if (!need_rate(mempool, "minrelaytxfee", &out->relay_rate) ||
        !need_rate(mempool, "mempoolminfee", &out->mempool_rate) ||
        !need_bool(mempool, "loaded", &loaded))
        return no_form(err, "getmempoolinfo");
    // A mempool that is not read from disk yet has forgotten what was sent.
    out->behind |= !loaded;
    return true;
}

bool node_read_estimate(uint64_t *out, bool *known, const struct json *reply, struct err *err)
{
    *known = json_get(reply, "feerate") != NULL;
    if (reply->type != JSON_OBJECT || (*known && !need_rate(reply, "feerate", out)))
        return no_form(err, "estimatesmartfee");
    return true;
}

// --- Coins ---

static bool read_coin(struct coin *out, bool *own, const struct json *item,
                      const struct wallet *wallet)
{
    uint8_t mem[34];
    struct bytes script;
    bool safe;
    *out = (struct coin){ 0 };
    *own = false;
    if (!need_txid(item, "txid", &out->outpoint.txid) ||
        !need_u32(item, "vout", &out->outpoint.index) ||
        !rpc_sats(json_get(item, "amount"), &out->amount) ||
        !need_u32(item, "confirmations", &out->confirmations) || !need_bool(item, "safe", &safe) ||
        !need_text(item, "scriptPubKey", &script))
        return false;
    out->is_own_change = out->confirmations == 0 && safe;
    if (out->confirmations == 0) {
        uint32_t ancestors = 1;
        // Absent where the mempool does not have it: then its chain is unknown, and it is not spent.
        out->is_own_change &= need_u32(item, "ancestorcount", &ancestors);
        out->ancestors = ancestors;
        out->descendants = 1;
    }
    *own = script.len / 2 <= sizeof mem && hex_decode(mem, script.len / 2, script) &&
           wallet_owns(wallet, bytes_of(mem, script.len / 2), &out->place);
    return true;
}

bool node_read_coins(struct coins *out, const struct json *list, const struct wallet *wallet,
                     struct arena *arena, struct err *err)
{
    if (list->type != JSON_ARRAY)
        return no_form(err, "listunspent");
    out->n = 0;
    out->items = arena_array(arena, list->n_items + 1, sizeof out->items[0]);
    if (out->items == NULL)
        return err_set(err, ERR_NO_MEMORY, "too many coins");
    for (const struct json *item = list->items; item != NULL; item = item->next) {
        bool own;
        if (!read_coin(&out->items[out->n], &own, item, wallet))
            return no_form(err, "listunspent");
        if (own)
            wallet_note_used(wallet, out->items[out->n++].place);
    }
    return true;
}

// --- History ---

static int by_txid(const void *a, const void *b)
{
    return memcmp(&((const struct node_event *)a)->txid, &((const struct node_event *)b)->txid,
                  sizeof(struct hash256));
}

static bool add_events(struct node_events *out, const struct json *list, bool removed)
{
    for (const struct json *item = list->items; item != NULL; item = item->next) {
        struct node_event *e = &out->items[out->n];
        struct bytes category;
        *e = (struct node_event){ .is_removed = removed };
        if (!need_txid(item, "txid", &e->txid) || !need_text(item, "category", &category))
            return false;
        e->is_outgoing = bytes_equal_text(category, "send");
        out->n++;
    }
    return true;
}

// Each txid once, with what any of its entries says.
static void merge(struct node_events *events)
{
    size_t kept = 0;
    qsort(events->items, events->n, sizeof events->items[0], by_txid);
    for (size_t i = 0; i < events->n; i++) {
        if (kept == 0 || by_txid(&events->items[kept - 1], &events->items[i]) != 0) {
            events->items[kept++] = events->items[i];
            continue;
        }
        events->items[kept - 1].is_outgoing |= events->items[i].is_outgoing;
        events->items[kept - 1].is_removed |= events->items[i].is_removed;
    }
    events->n = kept;
}

bool node_read_events(struct node_events *out, const struct json *reply, struct arena *arena,
                      struct err *err)
{
    const struct json *list = json_get(reply, "transactions");
    const struct json *removed = json_get(reply, "removed");
    out->n = 0;
    if (list == NULL || list->type != JSON_ARRAY || removed == NULL ||
        removed->type != JSON_ARRAY || !need_txid(reply, "lastblock", &out->block))
        return no_form(err, "listsinceblock");
    out->items = arena_array(arena, list->n_items + removed->n_items + 1, sizeof out->items[0]);
    if (out->items == NULL)
        return err_set(err, ERR_NO_MEMORY, "too many transactions");
    if (!add_events(out, list, false) || !add_events(out, removed, true))
        return no_form(err, "listsinceblock");
    merge(out);
    return true;
}

// --- One transaction ---

static bool read_raw(struct bytes *raw, const struct json *hex, const struct hash256 *txid,
                     struct arena *arena)
{
    struct tx tx;
    struct err no;
    if (!hex_value(raw, hex, arena) || !tx_parse(&tx, *raw, arena, &no))
        return false;
    const struct hash256 computed = tx_txid(&tx);
    return memcmp(&computed, txid, sizeof computed) == 0;
}

// Written below zero; only where the wallet's coins were spent.
static struct sats fee_of(const struct json *fee)
{
    int64_t sats;
    return fee != NULL && rpc_signed_sats(fee, &sats) && sats < 0 ? (struct sats){ (uint64_t)-sats }
                                                                  : (struct sats){ 0 };
}

bool node_read_transaction(struct node_tx *where, struct bytes *raw, const struct json *reply,
                           const struct hash256 *txid, struct arena *arena, struct err *err)
{
    const struct json *confirmations = json_get(reply, "confirmations");
    int64_t depth;
    *where = (struct node_tx){ 0 };
    where->fee = fee_of(json_get(reply, "fee"));
    // Below zero: a conflict of it is that deep.
    if (confirmations == NULL || !json_integer(confirmations, &depth, NULL) || depth > UINT32_MAX)
        return no_form(err, "gettransaction");
    if (depth > 0) {
        uint32_t block_s;
        where->in_block = true;
        where->depth = (uint32_t)depth;
        if (!need_txid(reply, "blockhash", &where->block_hash) ||
            !need_u32(reply, "blockheight", &where->height) ||
            !need_u32(reply, "blocktime", &block_s))
            return no_form(err, "gettransaction");
        where->block_s = block_s;
    }
    return raw == NULL || read_raw(raw, json_get(reply, "hex"), txid, arena) ||
           no_form(err, "gettransaction");
}

bool node_read_entry(struct node_tx *out, const struct json *entry, struct err *err)
{
    uint32_t ancestors, descendants;
    if (!need_u32(entry, "ancestorcount", &ancestors) ||
        !need_u32(entry, "descendantcount", &descendants))
        return no_form(err, "getmempoolentry");
    out->in_mempool = true;
    out->ancestors = ancestors;
    out->descendants = descendants;
    return true;
}

bool node_read_spender(struct hash256 *out, bool *found, const struct json *reply, struct err *err)
{
    const struct json *item = reply->type == JSON_ARRAY ? reply->items : NULL;
    if (item == NULL || item->next != NULL || item->type != JSON_OBJECT)
        return no_form(err, "gettxspendingprevout");
    *found = json_get(item, "spendingtxid") != NULL;
    if (*found && !need_txid(item, "spendingtxid", out))
        return no_form(err, "gettxspendingprevout");
    return true;
}

// --- Sending ---

bool node_read_accept(bool *allowed, struct bytes *reason, const struct json *reply,
                      const struct hash256 *txid, struct err *err)
{
    const struct json *item = reply->type == JSON_ARRAY ? reply->items : NULL;
    struct hash256 of;
    *reason = (struct bytes){ 0 };
    if (item == NULL || item->next != NULL || !need_txid(item, "txid", &of) ||
        memcmp(&of, txid, sizeof of) != 0 || !need_bool(item, "allowed", allowed) ||
        (!*allowed && !need_text(item, "reject-reason", reason)))
        return no_form(err, "testmempoolaccept");
    return true;
}

bool node_read_package(bool *allowed, struct bytes *reason, const struct json *reply,
                       struct err *err)
{
    const struct json *results = json_get(reply, "tx-results");
    struct bytes message;
    if (!need_text(reply, "package_msg", &message) || results == NULL ||
        results->type != JSON_OBJECT)
        return no_form(err, "submitpackage");
    *allowed = bytes_equal_text(message, "success");
    *reason = *allowed ? (struct bytes){ 0 } : message;
    for (const struct json *item = results->items; !*allowed && item != NULL; item = item->next)
        if (json_get(item, "error") != NULL) {
            if (!need_text(item, "error", reason))
                return no_form(err, "submitpackage");
            break;
        }
    return true;
}

// --- Descriptors ---

// The same but for the spelling of hardened steps and the checksum that depends on it.
static bool same_descriptor(struct bytes a, struct bytes b)
{
    size_t i = 0;
    for (; i < a.len && i < b.len && a.ptr[i] != '#' && b.ptr[i] != '#'; i++) {
        const uint8_t x = a.ptr[i] == '\'' ? 'h' : a.ptr[i];
        const uint8_t y = b.ptr[i] == '\'' ? 'h' : b.ptr[i];
        if (x != y)
            return false;
    }
    return i < a.len && i < b.len && a.ptr[i] == '#' && b.ptr[i] == '#';
}

static bool read_descriptor(bool *ours, enum ms_branch *branch, uint32_t *next,
                            const struct json *item, const struct wallet *wallet)
{
    struct bytes text;
    bool active;
    *ours = false;
    if (!need_text(item, "desc", &text) || !need_bool(item, "active", &active))
        return false;
    for (*branch = 0; *branch < MS_BRANCHES; (*branch)++)
        if (same_descriptor(text, wallet_descriptor(wallet, *branch))) {
            *ours = active;
            return need_u32(item, "next_index", next);
        }
    return true;
}

bool node_read_descriptors(bool *complete, uint32_t next[static MS_BRANCHES],
                           const struct json *reply, const struct wallet *wallet, struct err *err)
{
    const struct json *list = json_get(reply, "descriptors");
    bool found[MS_BRANCHES] = { 0 };
    if (list == NULL || list->type != JSON_ARRAY)
        return no_form(err, "listdescriptors");
    for (const struct json *item = list->items; item != NULL; item = item->next) {
        enum ms_branch branch;
        bool ours;
        uint32_t index;
        if (!read_descriptor(&ours, &branch, &index, item, wallet))
            return no_form(err, "listdescriptors");
        if (!ours)
            continue;
        found[branch] = true;
        next[branch] = index;
    }
    *complete = found[MS_RECEIVE] && found[MS_CHANGE];
    return true;
}
