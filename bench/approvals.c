// bench/approvals.c -- velocity-limited approvals a second, beside what the disk can make durable.
//
// usage: approvals SIGNER FOLDER [--clients N] [--seconds S] [--card]
//
// Starts SIGNER, a build with the simulator, with its store in FOLDER, and has N clients sign payments
// under a rule with `per_period` as fast as they can. Every approval is charged durably before its
// signature leaves, so that one client alone cannot be faster than the disk; several share a commit.
// In turn with that, in FOLDER: how often a second 4 KiB of a file that is there can be made durable, as
// a write-ahead log does it. Prints one line a round.
// --card: the audit log is written as well, to a folder of the same disk.
#include "base/require.h"
#include "base/secret.h"
#include "bench/host.h"
#include "bitcoin/mnemonic.h"
#include "tests/support/psbt_maker.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

enum {
    CLIENTS_MAX = 24,
    PSBTS = 4,
    ROUNDS = 3,
    DISK_S = 1,
    DISK_PAGES = 256,
    PATH_LEN = 256,
    ARENA = 16 << 20
};

static const char policy[] =
    "{\"period\": 1440, \"rules\": [{\"per_period\": 2000000000000000, \"max_amount\": 100000}]}";

struct options {
    unsigned clients, seconds;
};

// What the clients share with who started them.
struct shared {
    bool stop;
    unsigned ready, approvals;
};

struct bench {
    struct options options;
    struct host host;
    char file[PATH_LEN];
    struct shared *shared;
};

static NORETURN void stop(const char *what, const struct err *err)
{
    (void)fprintf(stderr, "%s: %s\n", what, err == NULL ? strerror(errno) : err->text);
    exit(1);
}

static double now_s(void)
{
    struct timespec t;
    REQUIRE(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pause_ms(long ms)
{
    const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
    (void)nanosleep(&t, NULL);
}

// --- The disk alone ---

static void write_page(int fd, unsigned n)
{
    static const uint8_t page[4096] = { 1 };
    if (pwrite(fd, page, sizeof page, n % DISK_PAGES * (off_t)sizeof page) != (ssize_t)sizeof page)
        stop("disk", NULL);
}

static double syncs_a_second(const struct bench *b)
{
    const int fd = open(b->file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    unsigned n = 0;
    if (fd < 0)
        stop(b->file, NULL);
    for (unsigned i = 0; i < DISK_PAGES; i++)
        write_page(fd, i);
    if (fsync(fd) != 0)
        stop(b->file, NULL);
    const double begin = now_s();
    for (; now_s() - begin < DISK_S; n++) {
        write_page(fd, n);
        if (fdatasync(fd) != 0)
            stop(b->file, NULL);
    }
    const double rate = n / (now_s() - begin);
    (void)close(fd);
    (void)unlink(b->file);
    return rate;
}

// --- Clients ---

static void make_psbts(struct bytes out[static PSBTS], unsigned client, struct arena *arena)
{
    AUTO(hdkey_wipe) struct hdkey master = { 0 };
    struct psbt_maker *m = arena_alloc(arena, sizeof *m);
    uint8_t seed[MNEMONIC_SEED_LEN];
    struct err err;
    REQUIRE(m != NULL);
    REQUIRE(mnemonic_to_seed(seed, BYTES(TEST_SEED_WORDS), BYTES(""), &err));
    REQUIRE(hdkey_from_seed(&master, BYTES_OF(seed), &err));
    struct writer script = writer_growing(arena, 64);
    REQUIRE(address_to_script(&script, BYTES("tb1qq5zs2pg9q5zs2pg9q5zs2pg9q5zs2pg9lm9x7g"),
                              chain_by_id(CHAIN_XTN), &err));
    m->n_in = 1;
    m->in[0].amount.n = 10000000;
    REQUIRE(keypath_parse(&m->in[0].path, BYTES("m/84h/1h/0h/0/0"), &err));
    m->n_out = 2;
    m->out[0] = (struct maker_output){ .amount = { 1000 }, .script = writer_bytes(&script) };
    m->out[1] = (struct maker_output){ .amount = { 9998000 }, .is_ours = true };
    REQUIRE(keypath_parse(&m->out[1].path, BYTES("m/84h/1h/0h/1/0"), &err));
    for (unsigned i = 0; i < PSBTS; i++) {
        struct writer w = writer_growing(arena, 65536);
        m->salt = client * PSBTS + i;
        REQUIRE(psbt_make(&w, m, &master, arena, &err));
        out[i] = writer_bytes(&w);
    }
}

static NORETURN void run_client(const struct bench *b, unsigned number)
{
    struct shared *shared = b->shared;
    struct bytes psbts[PSBTS];
    struct arena *kept = arena_new(ARENA), *arena = arena_new(ARENA);
    make_psbts(psbts, number, kept);
    struct connection *c = host_connect(&b->host);
    struct bytes result;
    host_sign(c, &result, psbts[0], 0, arena);
    (void)__atomic_add_fetch(&shared->ready, 1, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; !__atomic_load_n(&shared->stop, __ATOMIC_SEQ_CST); i++) {
        arena_reset(arena);
        host_sign(c, &result, psbts[i % PSBTS], 0, arena);
        (void)__atomic_add_fetch(&shared->approvals, 1, __ATOMIC_SEQ_CST);
    }
    connection_close(c);
    _exit(0);
}

static double approvals_a_second(struct bench *b)
{
    const struct shared *shared = b->shared;
    pid_t clients[CLIENTS_MAX];
    *b->shared = (struct shared){ .stop = false };
    for (unsigned i = 0; i < b->options.clients; i++) {
        clients[i] = fork();
        if (clients[i] == 0)
            run_client(b, i);
    }
    while (__atomic_load_n(&shared->ready, __ATOMIC_SEQ_CST) < b->options.clients) {
        if (waitpid(-1, NULL, WNOHANG) > 0)
            stop("a client has ended", NULL);
        pause_ms(5);
    }
    const unsigned before = __atomic_load_n(&shared->approvals, __ATOMIC_SEQ_CST);
    const double begin = now_s();
    pause_ms((long)b->options.seconds * 1000);
    const unsigned after = __atomic_load_n(&shared->approvals, __ATOMIC_SEQ_CST);
    const double rate = (after - before) / (now_s() - begin);
    __atomic_store_n(&b->shared->stop, true, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < b->options.clients; i++) {
        int status;
        if (waitpid(clients[i], &status, 0) < 0 || status != 0)
            stop("a client failed", NULL);
    }
    return rate;
}

static void measure(struct bench *b)
{
    host_start(&b->host);
    host_arm(&b->host, policy);
    for (unsigned i = 0; i < ROUNDS; i++) {
        const double disk = syncs_a_second(b), rate = approvals_a_second(b);
        const double floor = disk < 500 ? disk : 500;
        printf("%7u %6s %12.0f %12.0f %8.2f %8.2f\n", b->options.clients,
               b->host.with_card ? "yes" : "no", rate, disk, rate / disk, rate / floor);
    }
}

static bool parse(struct bench *b, int argc, char **argv)
{
    struct options *o = &b->options;
    *o = (struct options){ .clients = 8, .seconds = 3 };
    if (argc < 3)
        return false;
    b->host.signer = argv[1];
    b->host.folder = argv[2];
    for (int i = 3; i < argc; i++) {
        if (strcmp(argv[i], "--card") == 0)
            b->host.with_card = true;
        else if (strcmp(argv[i], "--clients") == 0 && i + 1 < argc)
            o->clients = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            o->seconds = (unsigned)strtoul(argv[++i], NULL, 10);
        else
            return false;
    }
    return o->clients > 0 && o->clients <= CLIENTS_MAX && o->seconds > 0;
}

int main(int argc, char **argv)
{
    struct bench b = { 0 };
    if (!parse(&b, argc, argv)) {
        fputs("usage: approvals SIGNER FOLDER [--clients N] [--seconds S] [--card]\n", stderr);
        return 2;
    }
    if (!secret_init())
        return 1;
    connection_init();
    (void)snprintf(b.file, sizeof b.file, "%s/disk", b.host.folder);
    b.shared =
        mmap(NULL, sizeof *b.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (b.shared == MAP_FAILED)
        stop("memory", NULL);
    measure(&b);
    host_end(&b.host);
    return 0;
}
