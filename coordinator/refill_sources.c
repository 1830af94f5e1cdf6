#include "coordinator/refill_sources.h"
#include "base/hex.h"
#include "coordinator/gate.h"
#include "crypto/hash.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SOURCE_ARENA     ((size_t)4 << 20)
#define ANSWER_MAX       ((size_t)65536)
#define ANSWER_WAIT_S    15L
#define SIGNATURE_HEADER "Casemate-Signature:"

// --- Nodes ---

static struct rpc *find_node(const struct named_rpcs *nodes, struct bytes name)
{
    for (size_t i = 0; i < nodes->n; i++)
        if (bytes_equal_text(name, nodes->items[i].name))
            return nodes->items[i].rpc;
    return NULL;
}

static bool tip(struct rpc *rpc, struct refill_balance *out, struct arena *arena, struct err *err)
{
    const struct json *info;
    struct rpc_fault fault;
    int64_t height = 0, headers = 0, time = 0;
    bool big;
    if (!rpc_call(&info, rpc, NULL, "getblockchaininfo", (struct bytes){ 0 }, arena, &fault, err))
        return false;
    const struct json *h = json_get(info, "blocks"), *k = json_get(info, "headers"),
                      *t = json_get(info, "time"), *ibd = json_get(info, "initialblockdownload");
    if (h == NULL || k == NULL || t == NULL || !json_integer(h, &height, &big) ||
        !json_integer(k, &headers, &big) || !json_integer(t, &time, &big) || height < 0)
        return err_set(err, ERR_MALFORMED, "getblockchaininfo: no height and time");
    if ((ibd != NULL && ibd->type == JSON_TRUE) || headers > height)
        return err_set(err, ERR_STATE, "the node is behind");
    out->height = (uint32_t)height;
    out->time_s = time;
    return true;
}

static bool call_with(const struct json **out, struct rpc *rpc, const char *wallet,
                      const char *method, struct writer *params, struct arena *arena,
                      struct rpc_fault *fault, struct err *err)
{
    struct bytes text;
    if (!writer_finish(params, &text))
        return err_set(err, ERR_LIMIT, "%s: its arguments are too long", method);
    return rpc_call(out, rpc, wallet, method, text, arena, fault, err);
}

static bool balance_of(struct rpc *rpc, const char *wallet, struct refill_balance *out,
                       struct rpc_fault *fault, struct arena *arena, struct err *err)
{
    const struct json *number;
    if (!rpc_call(&number, rpc, wallet, "getbalance", BYTES("[\"*\", 1]"), arena, fault, err))
        return false;
    return rpc_sats(number, &out->balance) ||
           err_set(err, ERR_MALFORMED, "getbalance: no amount of coins");
}

static bool load(struct rpc *rpc, const char *wallet, struct arena *arena, struct err *err)
{
    struct writer w = writer_growing(arena, 1024);
    struct json_writer j = json_writer_of(&w);
    const struct json *ignored;
    struct rpc_fault fault = { .kind = RPC_FAULT_NONE };
    json_begin_array(&j);
    json_text(&j, wallet);
    json_end_array(&j);
    return call_with(&ignored, rpc, NULL, "loadwallet", &w, arena, &fault, err) ||
           fault.kind == RPC_FAULT_WALLET_LOADED;
}

static bool ask_wallet(struct rpc *rpc, const char *wallet, struct refill_balance *out,
                       struct arena *arena, struct err *err)
{
    struct rpc_fault fault;
    if (balance_of(rpc, wallet, out, &fault, arena, err))
        return tip(rpc, out, arena, err);
    // A node that was started again has forgotten which wallets were loaded.
    return fault.kind == RPC_FAULT_WALLET_ABSENT && load(rpc, wallet, arena, err) &&
           balance_of(rpc, wallet, out, &fault, arena, err) && tip(rpc, out, arena, err);
}

// A wallet of the node that watches the descriptor, from the first block on.
static bool watch(struct rpc *rpc, const char *wallet, struct bytes descriptor, struct arena *arena,
                  struct err *err)
{
    struct writer w = writer_growing(arena, 8192);
    struct json_writer j = json_writer_of(&w);
    const struct json *ignored;
    struct rpc_fault fault = { .kind = RPC_FAULT_NONE };
    writer_text(&w, "[\"");
    writer_text(&w, wallet);
    writer_text(&w, "\", true, true, \"\", false, true, true]");
    if (!call_with(&ignored, rpc, NULL, "createwallet", &w, arena, &fault, err))
        return false;
    w = writer_growing(arena, 8192);
    j = json_writer_of(&w);
    json_begin_array(&j);
    json_begin_array(&j);
    json_begin_object(&j);
    json_key(&j, "desc");
    json_string(&j, descriptor);
    json_key(&j, "timestamp");
    json_u64(&j, 0);
    json_end_object(&j);
    json_end_array(&j);
    json_end_array(&j);
    return call_with(&ignored, rpc, wallet, "importdescriptors", &w, arena, &fault, err);
}

static bool ask_descriptor(struct rpc *rpc, struct bytes descriptor, struct refill_balance *out,
                           struct arena *arena, struct err *err)
{
    const struct hash256 hash = sha256(descriptor);
    char hex[17], wallet[40];
    struct err first;
    hex_encode(hex, bytes_of(hash.b, 8));
    (void)snprintf(wallet, sizeof wallet, "casemate-hot-%s", hex);
    return ask_wallet(rpc, wallet, out, arena, &first) ||
           (watch(rpc, wallet, descriptor, arena, err) && ask_wallet(rpc, wallet, out, arena, err));
}

// --- HTTPS ---

struct answer {
    char body[ANSWER_MAX];
    size_t len;
    char signature[129];
};

static size_t on_body(char *data, size_t one, size_t n, void *context)
{
    struct answer *a = context;
    if (n > sizeof a->body - a->len)
        return 0; // an answer of a few numbers is not that long
    memcpy(a->body + a->len, data, one * n);
    a->len += n;
    return n;
}

static size_t on_header(char *data, size_t one, size_t n, void *context)
{
    struct answer *a = context;
    const size_t name = sizeof SIGNATURE_HEADER - 1;
    if (one == 1 && n > name && strncasecmp(data, SIGNATURE_HEADER, name) == 0) {
        const struct bytes value = bytes_trim(bytes_of(data + name, n - name));
        if (value.len == sizeof a->signature - 1)
            memcpy(a->signature, value.ptr, value.len);
    }
    return n;
}

static bool ask_https(const struct refill_source *source, bool allow_private,
                      struct refill_balance *out, struct arena *arena, struct err *err)
{
    struct gate gate = { .allow_private = allow_private };
    struct answer *a = arena_alloc(arena, sizeof *a);
    const char *url = arena_text(arena, source->url);
    CURL *curl = curl_easy_init();
    long status = 0;
    if (a == NULL || url == NULL || curl == NULL) {
        curl_easy_cleanup(curl);
        return err_set(err, ERR_NO_MEMORY, "no memory for a request");
    }
    gate_guard(&gate, curl);
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, ANSWER_WAIT_S);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, a);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, a);
    const CURLcode code = curl_easy_perform(curl);
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    if (gate.refused)
        return err_set(err, ERR_REFUSED, "the address is a private one");
    if (code != CURLE_OK)
        return err_set(err, ERR_IO, "%s", curl_easy_strerror(code));
    if (status != 200)
        return err_set(err, ERR_REFUSED, "status %ld", status);
    return refill_read_answer(out, bytes_of(a->body, a->len), bytes_of_text(a->signature),
                              source->key, arena, err);
}

// --- All ---

static bool ask(const struct refill_source *source, const struct refill_ways *ways,
                struct refill_balance *out, struct arena *arena, struct err *err)
{
    if (source->kind == SOURCE_HTTPS)
        return ask_https(source, ways->allow_private, out, arena, err);
    struct rpc *rpc = find_node(&ways->nodes, source->node);
    const char *wallet = arena_text(arena, source->wallet);
    if (rpc == NULL || wallet == NULL)
        return err_set(err, ERR_NOT_FOUND, "this replica has no node '%.*s'",
                       BYTES_ARG(source->node));
    return source->kind == SOURCE_WALLET ? ask_wallet(rpc, wallet, out, arena, err)
                                         : ask_descriptor(rpc, source->descriptor, out, arena, err);
}

void refill_ask_sources(const struct refill_rules *rules, const struct refill_ways *ways,
                        struct refill_balance out[static REFILL_SOURCES],
                        char why[static REFILL_SOURCES][160])
{
    for (size_t i = 0; i < rules->n_sources; i++) {
        AUTO(arena_freep) struct arena *arena = arena_new(SOURCE_ARENA);
        struct err err;
        out[i] = (struct refill_balance){ .ok = false };
        why[i][0] = '\0';
        out[i].ok = ask(&rules->sources[i], ways, &out[i], arena, &err);
        if (!out[i].ok)
            (void)snprintf(why[i], 160, "source %zu: %.120s", i + 1, err.text);
    }
}
