// tests/chain/regtest.c
#include "tests/chain/regtest.h"
#include "base/file.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define WAIT_MS       60000
#define CANNOT_BE_HAD 3
#define MATURITY      100

// The one of the program: it ends with it.
static struct regtest running;

static void pause_ms(long ms)
{
    const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
    (void)nanosleep(&t, NULL);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void end_process(struct regtest *r)
{
    int status;
    if (r->pid == 0)
        return;
    (void)kill(r->pid, SIGTERM);
    for (int i = 0; i < 300 && waitpid(r->pid, &status, WNOHANG) == 0; i++) {
        if (i == 299)
            (void)kill(r->pid, SIGKILL);
        pause_ms(100);
    }
    r->pid = 0;
}

static void clean_up(void)
{
    end_process(&running);
    rpc_free(running.rpc);
    if (running.dir[0] != 0)
        (void)nftw(running.dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

// --- Having one ---

static int status_of(const char *script, const char *dir)
{
    const char *argv[] = { script, dir, NULL };
    posix_spawn_file_actions_t actions;
    int status = -1;
    pid_t pid;
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    // Its words are not TAP's.
    assert_int_equal(posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0), 0);
    assert_int_equal(posix_spawn(&pid, script, &actions, NULL, (char **)(uintptr_t)argv, environ),
                     0);
    (void)posix_spawn_file_actions_destroy(&actions);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// As tests/sockets.py: below what the kernel gives to connections, and claimed by an abstract socket of its name.
static bool claim_port(uint16_t port)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons(port),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const int len =
        snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "casemate-test-port-%u", port);
    const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
    const int claim = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool is_ours = bind(claim, (const struct sockaddr *)&name, size) == 0 &&
                         bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    if (!is_ours)
        close(claim); // else it stays open while the process lives
    return is_ours;
}

// Ours also between a node's end and its start again.
static uint16_t free_port(void)
{
    uint16_t n, port;
    do {
        assert_int_equal(getrandom(&n, sizeof n, 0), sizeof n);
        port = (uint16_t)(10000 + n % 22768);
    } while (!claim_port(port));
    return port;
}

static void spawn_node(struct regtest *r, bool keep_mempool)
{
    char datadir[96], port[32], program[512];
    const bool signet = strcmp(r->network, "signet") == 0;
    const char *argv[] = { program, signet ? "-signet" : "-regtest", datadir, port, "-server",
                           "-listen=0", "-listenonion=0", "-dnsseed=0", "-fixedseeds=0",
                           "-discover=0", "-natpmp=0", "-connect=0", "-rpcbind=127.0.0.1",
                           "-rpcallowip=127.0.0.1", "-printtoconsole=0", "-fallbackfee=0.00001",
                           // A wallet that is loaded would put back what the mempool has lost.
                           "-walletbroadcast=0", "-softwareexpiry=0", "-dbcache=4", "-rpcthreads=2",
                           "-par=1", keep_mempool ? "-persistmempool=1" : "-persistmempool=0",
                           signet ? "-signetchallenge=51" : "-dbcache=4", NULL };
    (void)snprintf(datadir, sizeof datadir, "-datadir=%s", r->dir);
    (void)snprintf(port, sizeof port, "-rpcport=%u", r->port);
    (void)snprintf(program, sizeof program, "%s/bin/bitcoind", getenv("CASEMATE_BITCOIND"));
    r->pid = fork();
    assert_true(r->pid >= 0);
    if (r->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM); // also when the test is killed
        const int null = open("/dev/null", O_RDWR);
        (void)dup2(null, 0), (void)dup2(null, 1), (void)dup2(null, 2);
        (void)execv(program, (char **)(uintptr_t)argv);
        _exit(127);
    }
}

static bool answers(struct regtest *r)
{
    const struct json *result;
    struct rpc_fault fault;
    struct err err;
    return rpc_call(&result, r->rpc, NULL, "getblockcount", BYTES("[]"), test_arena(), &fault,
                    &err);
}

static void wait_for(struct regtest *r)
{
    int status;
    for (int ms = 0; !answers(r); ms += 100) {
        if (waitpid(r->pid, &status, WNOHANG) != 0 || ms > WAIT_MS)
            fail_msg("the node does not answer");
        pause_ms(100);
    }
}

static void first_blocks(struct regtest *r)
{
    const struct json *address;
    (void)regtest_call(r, NULL, "createwallet", "[\"%s\"]", MINER);
    address = regtest_call(r, MINER, "getnewaddress", "[]");
    (void)snprintf(r->mine_to, sizeof r->mine_to, "%.*s", BYTES_ARG(address->text));
    (void)regtest_mine(r, MATURITY + 1);
}

static void start(struct regtest *r, const char *network)
{
    char url[64];
    const struct rpc_server server = { .url = url, .credential_file = r->cookie, .timeout_s = 600 };
    rpc_init();
    r->network = network;
    (void)snprintf(r->dir, sizeof r->dir, "/tmp/casemate-chain-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    (void)snprintf(r->cookie, sizeof r->cookie, "%s/%s/.cookie", r->dir, network);
    r->port = free_port();
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", r->port);
    r->rpc = rpc_new(&server);
    (void)atexit(clean_up);
    spawn_node(r, true);
    wait_for(r);
    first_blocks(r);
}

struct regtest *regtest(const char *network)
{
    const char *script = getenv("CASEMATE_GET_BITCOIND"), *dir = getenv("CASEMATE_BITCOIND");
    if (running.pid != 0) {
        assert_string_equal(running.network, network);
        return &running;
    }
    const int status = script == NULL || dir == NULL ? CANNOT_BE_HAD : status_of(script, dir);
    if (status == CANNOT_BE_HAD) {
        print_message("# no node can be had here\n");
        skip();
    }
    if (status != 0)
        fail_msg("%s: status %d", script, status);
    start(&running, network);
    return &running;
}

void regtest_stop(struct regtest *r)
{
    end_process(r);
}

void regtest_restart(struct regtest *r, bool keep_mempool)
{
    end_process(r);
    spawn_node(r, keep_mempool);
    wait_for(r);
    // The miner's wallet is the test's business, not that of whom it tests.
    const struct json *loaded = regtest_call(r, NULL, "listwallets", "[]");
    for (const struct json *item = loaded->items; item != NULL; item = item->next)
        if (json_is_text(item, MINER))
            return;
    (void)regtest_call(r, NULL, "loadwallet", "[\"%s\"]", MINER);
}

// --- Calls ---

PRINTF_LIKE(1, 0)
static struct bytes formatted(const char *fmt, va_list args)
{
    const size_t size = 1 << 20;
    char *text = arena_alloc(test_arena(), size);
    assert_non_null(text);
    const int len = vsnprintf(text, size, fmt, args);
    assert_in_range(len, 0, size - 1);
    return bytes_of(text, (size_t)len);
}

const struct json *regtest_call(struct regtest *r, const char *wallet, const char *method,
                                const char *params, ...)
{
    const struct json *result;
    struct rpc_fault fault;
    struct err err;
    va_list args;
    va_start(args, params);
    const struct bytes text = formatted(params, args);
    va_end(args);
    if (!rpc_call(&result, r->rpc, wallet, method, text, test_arena(), &fault, &err))
        fail_msg("%s %.*s: %s (%s)", method, (int)(text.len < 300 ? text.len : 300),
                 (const char *)text.ptr, err.text, fault.text);
    return result;
}

struct rpc_fault regtest_refusal(struct regtest *r, const char *wallet, const char *method,
                                 const char *params, ...)
{
    const struct json *result;
    struct rpc_fault fault;
    struct err err;
    va_list args;
    va_start(args, params);
    const struct bytes text = formatted(params, args);
    va_end(args);
    if (rpc_call(&result, r->rpc, wallet, method, text, test_arena(), &fault, &err))
        fail_msg("%s: not refused", method);
    return fault;
}

struct bytes regtest_mine(struct regtest *r, unsigned n)
{
    struct bytes last = { 0 };
    // A block of a signet takes some millions of tries, and the number is for all of them together.
    while (n > 0) {
        const struct json *blocks =
            regtest_call(r, NULL, "generatetoaddress", "[%u, \"%s\", 100000000]", n, r->mine_to);
        assert_in_range(blocks->n_items, 1, n);
        n -= (unsigned)blocks->n_items;
        last = json_item_text(blocks, blocks->n_items - 1);
    }
    return last;
}

void regtest_take_back(struct regtest *r, struct bytes block)
{
    (void)regtest_call(r, NULL, "invalidateblock", "[\"%.*s\"]", BYTES_ARG(block));
    // The same transactions to the same miner would be the same block again, which stays invalid.
    const struct json *address = regtest_call(r, MINER, "getnewaddress", "[]");
    (void)snprintf(r->mine_to, sizeof r->mine_to, "%.*s", BYTES_ARG(address->text));
}

void regtest_mine_empty(struct regtest *r, unsigned n)
{
    while (n-- > 0)
        (void)regtest_call(r, NULL, "generateblock", "[\"%s\", []]", r->mine_to);
}

struct bytes regtest_pay(struct regtest *r, struct bytes address, uint64_t sats)
{
    char amount[RPC_DECIMAL_SIZE];
    rpc_decimal(amount, sats);
    const struct bytes txid =
        regtest_call(r, MINER, "sendtoaddress", "[\"%.*s\", %s]", BYTES_ARG(address), amount)->text;
    const struct json *tx = regtest_call(r, MINER, "gettransaction", "[\"%.*s\"]", BYTES_ARG(txid));
    (void)regtest_call(r, NULL, "sendrawtransaction", "[\"%.*s\"]",
                       BYTES_ARG(json_need_text(tx, "hex")));
    return txid;
}

void regtest_dust(struct regtest *r, const struct bytes *addresses, size_t n)
{
    struct writer w = writer_growing(test_arena(), 1 << 20);
    for (size_t i = 0; i < n; i++)
        writer_printf(&w, "%s\"%.*s\": 0.00001000", i == 0 ? "{" : ", ", BYTES_ARG(addresses[i]));
    writer_text(&w, "}");
    const struct json *txid =
        regtest_call(r, MINER, "sendmany", "[\"\", %.*s]", BYTES_ARG(writer_bytes(&w)));
    const struct json *tx =
        regtest_call(r, MINER, "gettransaction", "[\"%.*s\"]", BYTES_ARG(txid->text));
    (void)regtest_call(r, NULL, "sendrawtransaction", "[\"%.*s\"]",
                       BYTES_ARG(json_need_text(tx, "hex")));
}

struct bytes regtest_address(struct regtest *r)
{
    return regtest_call(r, MINER, "getnewaddress", "[]")->text;
}

struct node_options regtest_options(const struct regtest *r)
{
    return (struct node_options){ .name = "here",
                                  .host = "127.0.0.1",
                                  .port = r->port,
                                  .cookie_file = r->cookie,
                                  .network = r->network,
                                  .wallet_prefix = "casemate-",
                                  .cancel_fd = -1 };
}
