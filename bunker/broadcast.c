#include "bunker/broadcast.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/require.h"
#include "base/utf8.h"
#include "crypto/random.h"
#include <curl/curl.h>

void broadcast_init(void)
{
    REQUIRE(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

void broadcast_job_init(struct broadcast_job *job, const struct bunker_config *config,
                        struct bytes transaction, const char *txid, bool mainnet)
{
    *job = (struct broadcast_job){ .config = config, .mainnet = mainnet };
    job->hex = malloc(2 * transaction.len + 1);
    REQUIRE(job->hex != NULL);
    hex_encode(job->hex, transaction);
    (void)snprintf(job->expected, sizeof job->expected, "%s", txid);
}

void broadcast_job_wipe(struct broadcast_job *job)
{
    free(job->hex);
    *job = (struct broadcast_job){ 0 };
}

// --- What a server says ---

bool broadcast_is_known(struct bytes reply)
{
    static const char *const marks[] = { "already in block chain", "already in utxo set",
                                         "txn-already-in-mempool", "txn-already-known",
                                         "already in mempool" };
    for (size_t i = 0; i < COUNT(marks); i++)
        if (reply.len > 0 && memmem(reply.ptr, reply.len, marks[i], strlen(marks[i])) != NULL)
            return true;
    return false;
}

static struct bytes message_of(struct bytes reply, struct arena *arena)
{
    const uint8_t *at = reply.len > 0 ? memchr(reply.ptr, '{', reply.len) : NULL;
    const struct json *object, *message;
    struct err unimportant;
    if (at == NULL ||
        !json_parse(&object, bytes_trim(bytes_slice(reply, (size_t)(at - reply.ptr), SIZE_MAX)),
                    arena, &unimportant))
        return reply;
    const struct json *inner = json_get(object, "error");
    message = json_get(inner != NULL ? inner : object, "message");
    return message != NULL && message->type == JSON_STRING ? message->text : reply;
}

void broadcast_reason(struct writer *w, struct bytes reply)
{
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 20);
    const struct bytes text = bytes_trim(message_of(reply, arena));
    if (!utf8_is_valid(text)) {
        writer_text(w, "the server's answer is no text");
        return;
    }
    const struct bytes shown = utf8_cut(text, 200);
    for (size_t i = 0; i < shown.len; i++)
        writer_u8(w, shown.ptr[i] < 0x20 || shown.ptr[i] == 0x7f ? ' ' : shown.ptr[i]);
    if (shown.len == 0)
        writer_text(w, "the server gave no reason");
}

// --- One attempt ---

struct attempt {
    char body[BROADCAST_REPLY_MAX];
    size_t len;
};

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct attempt *a = context;
    const size_t len = size * count;
    if (len > sizeof a->body - a->len)
        return 0; // too much: the transfer ends with an error
    memcpy(a->body + a->len, data, len);
    a->len += len;
    return len;
}

static bool is_loopback_url(const char *url)
{
    return strncmp(url, "http://127.0.0.1", 16) == 0 || strncmp(url, "http://localhost", 16) == 0 ||
           strncmp(url, "http://[::1]", 12) == 0 || strncmp(url, "https://127.0.0.1", 17) == 0 ||
           strncmp(url, "https://localhost", 17) == 0;
}

static void set_common(CURL *curl, struct attempt *a, char *error)
{
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)BROADCAST_TIMEOUT_S);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_NOPROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, a);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
}

// "fresh SOCKS username per attempt for a new circuit"
static void set_proxy(CURL *curl, const char *socks)
{
    char user[40];
    (void)snprintf(user, sizeof user, "%08x%08x:x", random_below(UINT32_MAX),
                   random_below(UINT32_MAX));
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, socks);
    (void)curl_easy_setopt(curl, CURLOPT_PROXYUSERPWD, user);
}

static bool perform(CURL *curl, struct attempt *a, long *status, char *error, struct err *err)
{
    const CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK)
        return err_set(err, ERR_IO, "%s", error[0] != '\0' ? error : curl_easy_strerror(code));
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
    (void)a;
    return true;
}

static bool ask_esplora(CURL *curl, struct broadcast_job *job, struct err *err)
{
    const struct bunker_config *c = job->config;
    char url[1024];
    const bool needs_proxy = !is_loopback_url(c->esplora_url);
    if (needs_proxy && c->socks == NULL)
        return err_set(err, ERR_USAGE, "no SOCKS proxy is configured for %s", c->esplora_url);
    (void)snprintf(url, sizeof url, "%s%s/tx", c->esplora_url,
                   job->mainnet ? c->esplora_main : c->esplora_test);
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, job->hex);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(job->hex));
    if (needs_proxy)
        set_proxy(curl, c->socks);
    return true;
}

static bool ask_node(CURL *curl, struct broadcast_job *job, char **body, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(65536);
    const struct bunker_config *c = job->config;
    const size_t size = strlen(job->hex) + 128;
    struct bytes cookie = { 0 };
    *body = malloc(size);
    REQUIRE(*body != NULL);
    (void)snprintf(
        *body, size,
        "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"sendrawtransaction\",\"params\":[\"%s\"]}",
        job->hex);
    if (c->node_cookie != NULL && !file_read(&cookie, c->node_cookie, 1024, arena, err))
        return false;
    const char *user = cookie.len > 0 ? arena_text(arena, bytes_trim(cookie)) : NULL;
    if (user != NULL)
        (void)curl_easy_setopt(curl, CURLOPT_USERPWD, user); // copied
    (void)curl_easy_setopt(curl, CURLOPT_URL, c->node_url);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, *body);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(*body));
    return true;
}

// The id in a good answer: all of Esplora's, `result` of a node's.
static bool take_txid(struct broadcast_job *job, struct bytes reply, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 20);
    const struct json *object, *result;
    struct err unimportant;
    struct bytes id = bytes_trim(reply);
    uint8_t raw[32];
    if (job->config->broadcast == BROADCAST_BITCOIND &&
        json_parse(&object, id, arena, &unimportant) &&
        (result = json_get(object, "result")) != NULL)
        id = result->text;
    if (!hex_decode(raw, sizeof raw, id))
        return err_set(err, ERR_MALFORMED, "the server's answer is no transaction id");
    if (!bytes_equal_text(id, job->expected))
        return err_set(err, ERR_INVALID, "the server names another transaction");
    (void)snprintf(job->txid, sizeof job->txid, "%s", job->expected);
    return true;
}

static bool judge(struct broadcast_job *job, const struct attempt *a, long status, struct err *err)
{
    const struct bytes reply = bytes_of(a->body, a->len);
    if (status == 200)
        return take_txid(job, reply, err);
    if (broadcast_is_known(reply)) {
        (void)snprintf(job->txid, sizeof job->txid, "%s", job->expected);
        return true;
    }
    char text[256];
    struct writer w = writer_of(text, sizeof text - 1);
    broadcast_reason(&w, reply);
    return err_set(err, ERR_REFUSED, "%.*s", BYTES_ARG(writer_bytes(&w)));
}

static bool try_once(struct broadcast_job *job, struct err *err)
{
    char error[CURL_ERROR_SIZE] = "";
    struct attempt *a = calloc(1, sizeof *a);
    CURL *curl = curl_easy_init();
    // None of the headers that curl would add tells anybody anything.
    struct curl_slist *headers = curl_slist_append(NULL, "Accept:");
    char *body = NULL;
    long status = 0;
    REQUIRE(a != NULL && curl != NULL && headers != NULL);
    headers = curl_slist_append(headers, "Content-Type: text/plain");
    set_common(curl, a, error);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    const bool asked = job->config->broadcast == BROADCAST_BITCOIND
                           ? ask_node(curl, job, &body, err)
                           : ask_esplora(curl, job, err);
    const bool ok = asked && perform(curl, a, &status, error, err) && judge(job, a, status, err);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    free(body);
    free(a);
    return ok;
}

void broadcast_run(struct broadcast_job *job)
{
    struct err err;
    if (job->config->broadcast == BROADCAST_NONE) {
        (void)snprintf(job->reason, sizeof job->reason, "no broadcasting is configured");
        return;
    }
    for (int i = 0; i < BROADCAST_TRIES && !job->ok; i++) {
        job->ok = try_once(job, &err);
        // What was understood and refused is refused again.
        if (!job->ok && err.code != ERR_IO)
            break;
    }
    if (!job->ok)
        (void)snprintf(job->reason, sizeof job->reason, "%.299s", err.text);
}
