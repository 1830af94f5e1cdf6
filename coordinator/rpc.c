#include "coordinator/rpc.h"
#include "base/file.h"
#include "base/require.h"
#include "base/secret.h"
#include "coordinator/rpc_internal.h"
#include <curl/curl.h>
#include <poll.h>

enum { REQUEST_MAX = 8 << 20, KEPT_MAX = 1 << 20, URL_MAX = 512, WALLET_MAX = 64 };

struct rpc {
    CURL *curl;
    struct curl_slist *headers;
    char url[URL_MAX];
    char *credential_file;
    int cancel_fd;
    bool has_credential; // given to curl
    uint64_t id;         // of the last request
    char why[CURL_ERROR_SIZE];
    // The reply that is coming in.
    uint8_t *reply;
    size_t len, cap;
    bool too_large;
};

void rpc_init(void)
{
    REQUIRE(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

// --- The connection ---

static bool make_room(struct rpc *rpc, size_t more)
{
    if (more > RPC_REPLY_MAX - rpc->len)
        return false;
    if (rpc->len + more <= rpc->cap)
        return true;
    size_t cap = rpc->cap < 4096 ? 4096 : rpc->cap;
    while (cap < rpc->len + more)
        cap *= 2;
    rpc->reply = realloc(rpc->reply, cap);
    REQUIRE(rpc->reply != NULL);
    rpc->cap = cap;
    return true;
}

static size_t take_reply(char *data, size_t size, size_t count, void *context)
{
    struct rpc *rpc = context;
    const size_t len = size * count;
    if (!make_room(rpc, len)) {
        rpc->too_large = true;
        return 0; // ends the transfer
    }
    memcpy(rpc->reply + rpc->len, data, len);
    rpc->len += len;
    return len;
}

// Asked about once a second, and whenever something comes in.
static int is_cancelled(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct pollfd fd = { .fd = ((const struct rpc *)context)->cancel_fd, .events = POLLIN };
    (void)a, (void)b, (void)c, (void)d;
    return fd.fd >= 0 && poll(&fd, 1, 0) > 0;
}

void rpc_set_cancel(struct rpc *rpc, int fd)
{
    rpc->cancel_fd = fd;
}

// A node is asked directly, whatever proxy the environment names, and sends nobody elsewhere.
static void set_options(struct rpc *rpc, unsigned timeout_s)
{
    CURL *curl = rpc->curl;
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)RPC_CONNECT_S);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT,
                           timeout_s > 0 ? (long)timeout_s : (long)RPC_TIMEOUT_S);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    (void)curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, rpc->headers);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_reply);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, rpc);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, rpc->why);
    (void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, is_cancelled);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, rpc);
}

struct rpc *rpc_new(const struct rpc_server *server)
{
    struct rpc *rpc = calloc(1, sizeof *rpc);
    REQUIRE(rpc != NULL && strlen(server->url) < URL_MAX - 3 * WALLET_MAX - 16);
    (void)snprintf(rpc->url, sizeof rpc->url, "%s", server->url);
    if (server->credential_file != NULL) {
        rpc->credential_file = strdup(server->credential_file);
        REQUIRE(rpc->credential_file != NULL);
    }
    rpc->curl = curl_easy_init();
    rpc->headers = curl_slist_append(NULL, "Content-Type: application/json");
    REQUIRE(rpc->curl != NULL && rpc->headers != NULL);
    // A request above 1 KiB would otherwise wait for "100 Continue".
    REQUIRE(curl_slist_append(rpc->headers, "Expect:") != NULL);
    rpc->cancel_fd = -1;
    set_options(rpc, server->timeout_s);
    return rpc;
}

void rpc_free(struct rpc *rpc)
{
    if (rpc == NULL)
        return;
    curl_easy_cleanup(rpc->curl);
    curl_slist_free_all(rpc->headers);
    free(rpc->credential_file);
    free(rpc->reply);
    free(rpc);
}

void rpc_freep(struct rpc **rpc)
{
    rpc_free(*rpc);
}

// --- One call ---

// Again after a 401: a node that was started anew has another cookie.
static bool read_credential(struct rpc *rpc, struct rpc_fault *fault, struct err *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 16);
    struct bytes content;
    if (rpc->credential_file == NULL)
        return true;
    if (!file_read(&content, rpc->credential_file, RPC_CREDENTIAL_MAX, arena, err))
        // A node that does not run has no cookie.
        return rpc_fail(fault, RPC_FAULT_UNREACHABLE, 0, bytes_of_text(err->text), err);
    const char *pair = arena_text(arena, bytes_trim(content));
    if (pair == NULL || strchr(pair, ':') == NULL)
        return rpc_fail(fault, RPC_FAULT_UNAUTHORIZED, 0,
                        BYTES("the credential file is not \"user:password\""), err);
    rpc->has_credential = curl_easy_setopt(rpc->curl, CURLOPT_USERPWD, pair) == CURLE_OK; // copied
    wipe_stack();
    return true;
}

static bool write_request(struct bytes *out, struct rpc *rpc, const char *method,
                          struct bytes params, struct arena *arena)
{
    struct writer w = writer_growing(arena, REQUEST_MAX);
    struct json_writer j = json_writer_of(&w);
    writer_reserve(&w, params.len + 128);
    json_begin_object(&j);
    json_key(&j, "jsonrpc");
    json_text(&j, "1.0");
    json_key(&j, "id");
    json_u64(&j, ++rpc->id);
    json_key(&j, "method");
    json_text(&j, method);
    json_key(&j, "params");
    json_raw(&j, params.len > 0 ? params : BYTES("[]"));
    json_end_object(&j);
    return writer_finish(&w, out);
}

static void write_url(char out[static URL_MAX], const struct rpc *rpc, const char *wallet)
{
    struct writer w = writer_of(out, URL_MAX - 1);
    writer_printf(&w, "%s/", rpc->url);
    if (wallet != NULL) {
        writer_text(&w, "wallet/");
        for (const char *c = wallet; *c != 0; c++)
            writer_printf(&w, "%%%02x", (unsigned)(uint8_t)*c);
    }
    out[w.len] = 0;
}

// One exchange over HTTP.
static bool exchange(struct rpc *rpc, struct bytes request, long *status, struct rpc_fault *fault,
                     struct err *err)
{
    rpc->len = 0;
    rpc->too_large = false;
    rpc->why[0] = 0;
    (void)curl_easy_setopt(rpc->curl, CURLOPT_POSTFIELDS, (const char *)request.ptr);
    (void)curl_easy_setopt(rpc->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request.len);
    const CURLcode code = curl_easy_perform(rpc->curl);
    if (rpc->too_large)
        return rpc_fail(fault, RPC_FAULT_NONSENSE, 0, BYTES("larger than we take"), err);
    if (code != CURLE_OK)
        return rpc_fail(fault, RPC_FAULT_UNREACHABLE, 0,
                        bytes_of_text(rpc->why[0] != 0 ? rpc->why : curl_easy_strerror(code)), err);
    (void)curl_easy_getinfo(rpc->curl, CURLINFO_RESPONSE_CODE, status);
    return true;
}

static bool is_unauthorized(long status)
{
    return status == 401 || status == 403;
}

static bool ask(struct rpc *rpc, struct bytes request, struct rpc_fault *fault, struct err *err)
{
    long status = 0;
    if (!rpc->has_credential && !read_credential(rpc, fault, err))
        return false;
    if (!exchange(rpc, request, &status, fault, err))
        return false;
    if (is_unauthorized(status) &&
        (!read_credential(rpc, fault, err) || !exchange(rpc, request, &status, fault, err)))
        return false;
    if (is_unauthorized(status))
        return rpc_fail(fault, RPC_FAULT_UNAUTHORIZED, status, BYTES("not authorized"), err);
    if (status == 503)
        return rpc_fail(fault, RPC_FAULT_BUSY, status, bytes_of(rpc->reply, rpc->len), err);
    return true;
}

// What was needed for one large reply is not kept for the next small ones.
static void forget_reply(struct rpc *rpc)
{
    if (rpc->cap > KEPT_MAX) {
        free(rpc->reply);
        rpc->reply = NULL;
        rpc->cap = 0;
    }
    rpc->len = 0;
}

bool rpc_call(const struct json **result, struct rpc *rpc, const char *wallet, const char *method,
              struct bytes params, struct arena *arena, struct rpc_fault *fault, struct err *err)
{
    char url[URL_MAX];
    struct bytes request, reply;
    *fault = (struct rpc_fault){ 0 };
    if (!write_request(&request, rpc, method, params, arena) ||
        (wallet != NULL && strlen(wallet) > WALLET_MAX))
        return code_fail(err, CODE_INTERNAL, "%s: a request that is too large", method);
    write_url(url, rpc, wallet);
    (void)curl_easy_setopt(rpc->curl, CURLOPT_URL, url);
    if (!ask(rpc, request, fault, err))
        return err_within(err, "%s", method);
    const bool fits = arena_copy(arena, bytes_of(rpc->reply, rpc->len), &reply);
    forget_reply(rpc);
    if (!fits)
        return rpc_fail(fault, RPC_FAULT_NONSENSE, 0, BYTES("larger than we take"), err);
    return rpc_read_reply(result, reply, rpc->id, arena, fault, err) ||
           err_within(err, "%s", method);
}
