#include "coordinator/rpc.h"
#include "base/clock.h"
#include "base/file.h"
#include "tests/support/test.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

// --- Faults: the Annex, as observed ---

static const struct {
    int64_t number;
    const char *message;
    enum rpc_fault_kind kind;
    enum code code;
} faults[] = {
    { -4, "Insufficient funds", RPC_FAULT_INSUFFICIENT, CODE_INSUFFICIENT_FUNDS },
    { -6, "Insufficient funds", RPC_FAULT_INSUFFICIENT, CODE_INSUFFICIENT_FUNDS },
    { -4, "possibly too many unconfirmed ancestors [limit: 25]", RPC_FAULT_CHAIN_LIMIT,
      CODE_COINS_BUSY },
    { -26, "too-long-mempool-chain, too many unconfirmed ancestors [limit: 25]",
      RPC_FAULT_CHAIN_LIMIT, CODE_COINS_BUSY },
    { -4,
      "Unconfirmed UTXOs are available, but spending them creates a chain of transactions "
      "that will be rejected by the mempool: too-long-mempool-chain",
      RPC_FAULT_CHAIN_LIMIT, CODE_COINS_BUSY },
    { -4, "Transaction amount too small", RPC_FAULT_DUST, CODE_AMOUNT_OUT_OF_RANGE },
    { -26, "dust", RPC_FAULT_DUST, CODE_AMOUNT_OUT_OF_RANGE },
    { -5, "Invalid Bitcoin address: bc1qnothing", RPC_FAULT_BAD_ADDRESS, CODE_BAD_REQUEST },
    { -5, "Transaction not in mempool", RPC_FAULT_NOT_FOUND, CODE_NOT_FOUND },
    { -27, "Transaction outputs already in utxo set", RPC_FAULT_IN_UTXO_SET, CODE_CONFLICT },
    { -26, "insufficient fee, rejecting replacement 00; new feerate 0.00001 <= old feerate",
      RPC_FAULT_NOT_MORE, CODE_CONFLICT },
    { -26, "mempool min fee not met, 100 < 400", RPC_FAULT_MEMPOOL_MIN, CODE_CONFLICT },
    { -26, "min relay fee not met, 0 < 190", RPC_FAULT_MEMPOOL_MIN, CODE_CONFLICT },
    { -25, "bad-txns-inputs-missingorspent", RPC_FAULT_MISSING, CODE_CONFLICT },
    { -25, "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)", RPC_FAULT_MAX_FEE,
      CODE_FEE_TOO_HIGH },
    { -26, "txn-mempool-conflict", RPC_FAULT_CONFLICT, CODE_CONFLICT },
    { -25, "something new", RPC_FAULT_REJECTED, CODE_CONFLICT },
    { -26, "something new", RPC_FAULT_REJECTED, CODE_CONFLICT },
    { -18, "Requested wallet does not exist or is not loaded", RPC_FAULT_WALLET_ABSENT,
      CODE_NODE_UNAVAILABLE },
    { -35, "Wallet \"w\" is already loaded.", RPC_FAULT_WALLET_LOADED, CODE_INTERNAL },
    { -4,
      "Wallet file verification failed. Failed to create database path '/x'. Database already "
      "exists.",
      RPC_FAULT_WALLET_EXISTS, CODE_INTERNAL },
    { -28, "Loading block index…", RPC_FAULT_WARMING_UP, CODE_NODE_UNAVAILABLE },
    { -32601, "Method not found", RPC_FAULT_UNKNOWN_CALL, CODE_INTERNAL },
    { -1, "something else", RPC_FAULT_OTHER, CODE_INTERNAL },
};

TEST(coordinator_annex_each_refusal_of_a_node_has_its_kind_and_code)
{
    for (size_t i = 0; i < COUNT(faults); i++) {
        struct rpc_fault fault;
        struct err err;
        const struct json *result;
        uint8_t mem[512];
        struct writer w = writer_of(mem, sizeof mem);
        struct json_writer j = json_writer_of(&w);
        json_begin_object(&j);
        json_key(&j, "result");
        json_null(&j);
        json_key(&j, "error");
        json_begin_object(&j);
        json_key(&j, "code");
        json_i64(&j, faults[i].number);
        json_key(&j, "message");
        json_text(&j, faults[i].message);
        json_end_object(&j);
        json_key(&j, "id");
        json_u64(&j, 7);
        json_end_object(&j);
        assert_false(rpc_read_reply(&result, writer_bytes(&w), 7, test_arena(), &fault, &err));
        if (fault.kind != faults[i].kind || code_of(&err) != faults[i].code ||
            fault.number != faults[i].number)
            fail_msg("%s: %s, %s", faults[i].message, rpc_fault_name(fault.kind),
                     code_name(code_of(&err)));
        // C24: none of the node's words in what a caller may see.
        char expected[64];
        (void)snprintf(expected, sizeof expected, "the node: %s", rpc_fault_name(fault.kind));
        assert_string_equal(err.text, expected);
    }
}

TEST(coordinator_annex_what_is_no_answer_is_told_from_one)
{
    static const struct {
        const char *reply, *says;
    } cases[] = {
        { "", "not JSON" },
        { "<html>", "not JSON" },
        { "[]", "an answer to something else" },
        { "{\"result\":1,\"error\":null}", "an answer to something else" },
        { "{\"result\":1,\"error\":null,\"id\":8}", "an answer to something else" },
        { "{\"result\":1,\"error\":null,\"id\":\"7\"}", "an answer to something else" },
        { "{\"error\":null,\"id\":7}", "neither result nor error" },
        { "{\"error\":{\"code\":\"x\"},\"id\":7}", "an error of no known form" },
        { "{\"error\":true,\"result\":1,\"id\":7}", "an error of no known form" },
        // Duplicate keys: which of them would count?
        { "{\"result\":1,\"result\":2,\"error\":null,\"id\":7}", "not JSON" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rpc_fault fault;
        struct err err;
        const struct json *result;
        assert_false(
            rpc_read_reply(&result, bytes_of_text(cases[i].reply), 7, test_arena(), &fault, &err));
        assert_int_equal(fault.kind, RPC_FAULT_NONSENSE);
        assert_string_equal(fault.text, cases[i].says);
        assert_int_equal(code_of(&err), CODE_NODE_UNAVAILABLE);
    }
}

// --- Amounts ---

TEST(coordinator_C23_amounts_are_exact_decimals)
{
    static const struct {
        const char *text;
        bool good;
        int64_t sats;
    } cases[] = {
        { "0.00000001", true, 1 },
        { "0.1", true, 10000000 }, // no binary fraction
        { "0.29", true, 29000000 },
        { "1.10000000", true, 110000000 },
        { "21000000", true, INT64_C(2100000000000000) },
        { "21000000.00000000", true, INT64_C(2100000000000000) },
        { "21000000.00000001", false, 0 }, // more than there is
        { "-0.00000546", true, -546 },
        { "0", true, 0 },
        { "-0.0", true, 0 },
        { "1e-8", true, 1 },
        { "1e-9", false, 0 }, // no whole satoshi
        { "0.000000001", false, 0 },
        { "1e30", false, 0 },
        { "\"1\"", false, 0 },
        { "null", false, 0 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct json *number;
        struct err err;
        int64_t value = 0;
        struct sats sats = { 0 };
        assert_true(json_parse(&number, bytes_of_text(cases[i].text), test_arena(), &err));
        if (rpc_signed_sats(number, &value) != cases[i].good ||
            (cases[i].good && value != cases[i].sats))
            fail_msg("%s", cases[i].text);
        assert_int_equal(rpc_sats(number, &sats), cases[i].good && cases[i].sats >= 0);
        assert_false(rpc_sats(NULL, &sats));
    }
    static const uint64_t written[] = { 0, 1, 1000, 99999999, 100000000, SATS_MAX };
    for (size_t i = 0; i < COUNT(written); i++) {
        char text[RPC_DECIMAL_SIZE];
        const struct json *number;
        struct err err;
        struct sats back;
        rpc_decimal(text, written[i]);
        assert_true(json_parse(&number, bytes_of_text(text), test_arena(), &err));
        assert_true(rpc_sats(number, &back) && back.n == written[i]);
    }
}

// --- The connection: a server that says what a test tells it to ---

struct server {
    int listener;
    uint16_t port;
    pthread_t thread;
    const char *const *replies; // one for each request; NULL ends
    unsigned n_connections;
    char requests[4][1024];
    size_t n_requests;
};

static bool read_request(struct server *s, int fd)
{
    char *at = s->requests[s->n_requests];
    size_t len = 0;
    for (;;) {
        const ssize_t n = recv(fd, at + len, sizeof s->requests[0] - 1 - len, 0);
        if (n <= 0)
            return false;
        len += (size_t)n;
        at[len] = 0;
        if (strchr(at, '}') != NULL) { // our requests are one object without another inside
            s->n_requests++;
            return true;
        }
    }
}

static void *serve(void *context)
{
    struct server *s = context;
    while (s->replies[s->n_requests] != NULL) {
        const int fd = accept(s->listener, NULL, NULL);
        s->n_connections++;
        while (s->replies[s->n_requests] != NULL) {
            const char *reply = s->replies[s->n_requests];
            if (!read_request(s, fd) || send(fd, reply, strlen(reply), MSG_NOSIGNAL) < 0)
                break;
            if (strstr(reply, "Connection: close") != NULL)
                break;
        }
        close(fd);
    }
    return NULL;
}

static struct server *server_start(const char *const *replies)
{
    struct server *s = arena_alloc(test_arena(), sizeof *s);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    s->replies = replies;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(s->listener, 4), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &size), 0);
    s->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
    return s;
}

static void server_end(struct server *s)
{
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    close(s->listener);
}

static const char *url_of(const struct server *s)
{
    char *url = arena_alloc(test_arena(), 64);
    (void)snprintf(url, 64, "http://127.0.0.1:%u", s->port);
    return url;
}

static const char *cookie(const char *content)
{
    char *path = arena_alloc(test_arena(), 256);
    struct err err;
    (void)snprintf(path, 256, "%s/cookie", test_dir());
    assert_true(file_replace(path, bytes_of_text(content), 0600, &err));
    return path;
}

#define OK_1                                                                                       \
    "HTTP/1.1 200 OK\r\nContent-Length: 36\r\n\r\n{\"result\":\"one\",\"error\":null,\"id\":1}"
#define OK_2                                                                                       \
    "HTTP/1.1 200 OK\r\nContent-Length: 36\r\n\r\n{\"result\":\"two\",\"error\":null,\"id\":2}"
#define NO "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
#define NOT_FOUND                                                                                  \
    "HTTP/1.1 500 Internal\r\nContent-Length: 62\r\n\r\n"                                          \
    "{\"result\":null,\"error\":{\"code\":-18,\"message\":\"none\"},\"id\":1}  "

TEST(coordinator_C25_connection_is_kept_and_credentials_go_in_a_header)
{
    rpc_init();
    static const char *const replies[] = { OK_1, OK_2, NULL };
    struct server *s = server_start(replies);
    const struct rpc_server at = { url_of(s), cookie("user:pass\n"), 5 };
    AUTO(rpc_freep) struct rpc *rpc = rpc_new(&at);
    const struct json *result;
    struct rpc_fault fault;
    struct err err;
    assert_true(rpc_call(&result, rpc, NULL, "first", BYTES("[1, 2]"), test_arena(), &fault, &err));
    assert_bytes_text(result->text, "one");
    assert_true(
        rpc_call(&result, rpc, "w/1", "second", (struct bytes){ 0 }, test_arena(), &fault, &err));
    assert_bytes_text(result->text, "two");
    assert_int_equal(fault.kind, RPC_FAULT_NONE);
    server_end(s);
    assert_int_equal(s->n_connections, 1);
    assert_non_null(strstr(s->requests[0], "POST / HTTP/1.1\r\n"));
    assert_non_null(strstr(s->requests[0], "Authorization: Basic dXNlcjpwYXNz\r\n"));
    assert_non_null(strstr(s->requests[0], "{\"jsonrpc\": \"1.0\", \"id\": 1, \"method\": "
                                           "\"first\", \"params\": [1, 2]}"));
    assert_non_null(strstr(s->requests[1], "POST /wallet/%77%2f%31 HTTP/1.1\r\n"));
}

TEST(coordinator_C25_a_new_cookie_is_read_when_the_old_one_is_refused)
{
    rpc_init();
    static const char *const replies[] = { OK_1, NO, OK_2, NULL };
    struct server *s = server_start(replies);
    const struct rpc_server at = { url_of(s), cookie("__cookie__:old"), 5 };
    AUTO(rpc_freep) struct rpc *rpc = rpc_new(&at);
    const struct json *result;
    struct rpc_fault fault;
    struct err err;
    assert_true(rpc_call(&result, rpc, NULL, "a", BYTES("[]"), test_arena(), &fault, &err));
    (void)cookie("__cookie__:new"); // the node was started again
    assert_true(rpc_call(&result, rpc, NULL, "a", BYTES("[]"), test_arena(), &fault, &err));
    server_end(s);
    assert_non_null(strstr(s->requests[1], "Basic X19jb29raWVfXzpvbGQ=")); // old
    assert_non_null(strstr(s->requests[2], "Basic X19jb29raWVfXzpuZXc=")); // new
}

TEST(coordinator_C25_a_refused_credential_is_said_and_not_shown)
{
    rpc_init();
    static const char *const replies[] = { NO, NO, NULL };
    struct server *s = server_start(replies);
    const struct rpc_server at = { url_of(s), cookie("user:hunter2"), 5 };
    AUTO(rpc_freep) struct rpc *rpc = rpc_new(&at);
    const struct json *result;
    struct rpc_fault fault;
    struct err err;
    assert_false(rpc_call(&result, rpc, NULL, "a", BYTES("[]"), test_arena(), &fault, &err));
    server_end(s);
    assert_int_equal(fault.kind, RPC_FAULT_UNAUTHORIZED);
    assert_int_equal(code_of(&err), CODE_NODE_UNAVAILABLE);
    assert_null(strstr(err.text, "hunter2"));
    assert_null(strstr(fault.text, "hunter2"));
}

TEST(coordinator_annex_a_node_that_is_not_there_is_unavailable)
{
    rpc_init();
    static const char *const none[] = { NULL };
    struct server *s = server_start(none);
    server_end(s); // nobody listens there any more
    const struct rpc_server at = { url_of(s), NULL, 1 };
    AUTO(rpc_freep) struct rpc *rpc = rpc_new(&at);
    const struct json *result;
    struct rpc_fault fault;
    struct err err;
    assert_false(rpc_call(&result, rpc, NULL, "a", BYTES("[]"), test_arena(), &fault, &err));
    assert_int_equal(fault.kind, RPC_FAULT_UNREACHABLE);
    assert_int_equal(code_of(&err), CODE_NODE_UNAVAILABLE);
    // No cookie: the node does not run.
    const struct rpc_server later = { url_of(s), "/nowhere/.cookie", 1 };
    AUTO(rpc_freep) struct rpc *other = rpc_new(&later);
    assert_false(rpc_call(&result, other, NULL, "a", BYTES("[]"), test_arena(), &fault, &err));
    assert_int_equal(fault.kind, RPC_FAULT_UNREACHABLE);
}

static void *readable_soon(void *fd)
{
    const uint64_t one = 1;
    const struct timespec soon = { 0, 200000000 };
    (void)nanosleep(&soon, NULL);
    assert_int_equal(write(*(int *)fd, &one, sizeof one), sizeof one);
    return NULL;
}

// A node that hangs holds nobody up who has to stop.
TEST(coordinator_D14_a_call_ends_when_it_is_cancelled)
{
    rpc_init();
    static const char *const replies[] = { "", "nothing", NULL }; // the first: for ever
    struct server *s = server_start(replies);
    const struct rpc_server at = { url_of(s), NULL, 30 };
    AUTO(rpc_freep) struct rpc *rpc = rpc_new(&at);
    const struct clock clock = clock_system();
    const struct json *result;
    struct rpc_fault fault;
    struct err err;
    pthread_t other;
    int fd = eventfd(0, EFD_CLOEXEC);
    rpc_set_cancel(rpc, fd);
    assert_int_equal(pthread_create(&other, NULL, readable_soon, &fd), 0);
    const int64_t before = clock.monotonic_ms(&clock);
    assert_false(rpc_call(&result, rpc, NULL, "a", BYTES("[]"), test_arena(), &fault, &err));
    assert_int_equal(fault.kind, RPC_FAULT_UNREACHABLE);
    assert_true(clock.monotonic_ms(&clock) - before < 10000);
    assert_int_equal(pthread_join(other, NULL), 0);
    rpc_set_cancel(rpc, -1);
    assert_false(rpc_call(&result, rpc, NULL, "a", BYTES("[]"), test_arena(), &fault, &err));
    server_end(s);
    close(fd);
}

TEST(coordinator_annex_a_refusal_over_http_and_one_that_stops_halfway)
{
    rpc_init();
    static const char *const replies[] = {
        NOT_FOUND, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 99\r\n\r\n{\"resul",
        NULL
    };
    struct server *s = server_start(replies);
    const struct rpc_server at = { url_of(s), NULL, 5 };
    AUTO(rpc_freep) struct rpc *rpc = rpc_new(&at);
    const struct json *result;
    struct rpc_fault fault;
    struct err err;
    assert_false(rpc_call(&result, rpc, NULL, "a", BYTES("[]"), test_arena(), &fault, &err));
    assert_int_equal(fault.kind, RPC_FAULT_WALLET_ABSENT);
    assert_string_equal(err.text, "a: the node: wallet_absent");
    assert_false(rpc_call(&result, rpc, NULL, "a", BYTES("[]"), test_arena(), &fault, &err));
    assert_int_equal(fault.kind, RPC_FAULT_UNREACHABLE);
    server_end(s);
}
