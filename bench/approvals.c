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
#include "bitcoin/mnemonic.h"
#include "client/hsm_status.h"
#include "client/transfer.h"
#include "tests/support/psbt_maker.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
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
    const char *signer, *folder;
    unsigned clients, seconds;
    bool card;
};

// What the clients share with who started them.
struct shared {
    bool stop;
    unsigned ready, approvals;
};

struct bench {
    struct options options;
    char socket[PATH_LEN], store[PATH_LEN], card[PATH_LEN], file[PATH_LEN];
    pid_t signer;
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

// --- The signer ---

static void start_signer(struct bench *b)
{
    b->signer = fork();
    if (b->signer == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        execl(b->options.signer, b->options.signer, "--simulator", "--quiet", "--socket", b->socket,
              "--dir", b->store, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; access(b->socket, F_OK) != 0; i++) {
        if (i == 200 || waitpid(b->signer, NULL, WNOHANG) != 0)
            stop("the signer does not start", NULL);
        pause_ms(50);
    }
}

static struct connection *connect_to(const struct bench *b)
{
    const struct connection_options options = { .socket_path = b->socket };
    struct connection *c;
    struct err err;
    if (!connection_open(&c, &options, &err))
        stop("connect", &err);
    return c;
}

static void arm(const struct bench *b)
{
    AUTO(connection_closep) struct connection *c = connect_to(b);
    AUTO(arena_freep) struct arena *arena = arena_new(HSM_STATUS_ARENA);
    struct request start = { .id = REQUEST_HSMS, .hsms = { .has_file = true } };
    // OK, then whichever digit the second screen asks for: the others it ignores.
    const struct request keys = { .id = REQUEST_XKEY, .data = BYTES("y0123456789") };
    struct hsm_status status = { 0 };
    struct reply reply;
    struct err err;
    if (!transfer_start(c, bytes_of_text(policy), &start, NULL, &err))
        stop("hsms", &err);
    if (!connection_call(c, &reply, REPLY_OKAY, &keys, arena, &err) ||
        !hsm_status_fetch(&status, c, arena, &err))
        stop("hsm mode", &err);
    if (!status.active)
        stop("hsm mode", &(struct err){ .text = "was not entered" });
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

// One payment: upload, start, ask until there is the result, download.
static void sign(struct connection *c, struct bytes psbt, struct arena *arena)
{
    struct request start = { .id = REQUEST_STXN, .stxn = { .flags = 0 } };
    const struct request ask = { .id = REQUEST_STOK };
    struct reply reply = { .id = REPLY_OKAY };
    struct bytes result;
    struct err err;
    if (!transfer_start(c, psbt, &start, NULL, &err))
        stop("stxn", &err);
    while (reply.id == REPLY_OKAY) {
        if (!connection_exchange(c, &reply, &ask, arena, &err))
            stop("stok", &err);
    }
    if (reply.id != REPLY_STRX)
        stop("stok", &(struct err){ .text = "not approved" });
    if (!transfer_download(c, &result, 1, &reply, arena, NULL, &err))
        stop("dwld", &err);
}

static NORETURN void run_client(const struct bench *b, unsigned number)
{
    struct shared *shared = b->shared;
    struct bytes psbts[PSBTS];
    struct arena *kept = arena_new(ARENA), *arena = arena_new(ARENA);
    make_psbts(psbts, number, kept);
    struct connection *c = connect_to(b);
    sign(c, psbts[0], arena);
    (void)__atomic_add_fetch(&shared->ready, 1, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; !__atomic_load_n(&shared->stop, __ATOMIC_SEQ_CST); i++) {
        arena_reset(arena);
        sign(c, psbts[i % PSBTS], arena);
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
    start_signer(b);
    if (!b->options.card && rename(b->card, b->file) != 0)
        stop(b->card, NULL);
    if (!b->options.card)
        (void)rmdir(b->file);
    arm(b);
    for (unsigned i = 0; i < ROUNDS; i++) {
        const double disk = syncs_a_second(b), rate = approvals_a_second(b);
        const double floor = disk < 500 ? disk : 500;
        printf("%7u %6s %12.0f %12.0f %8.2f %8.2f\n", b->options.clients,
               b->options.card ? "yes" : "no", rate, disk, rate / disk, rate / floor);
    }
}

static void end_signer(const struct bench *b)
{
    if (b->signer > 0)
        (void)kill(b->signer, SIGTERM);
    (void)waitpid(b->signer, NULL, 0);
}

static bool parse(struct options *o, int argc, char **argv)
{
    *o = (struct options){ .clients = 8, .seconds = 3 };
    if (argc < 3)
        return false;
    o->signer = argv[1];
    o->folder = argv[2];
    for (int i = 3; i < argc; i++) {
        if (strcmp(argv[i], "--card") == 0)
            o->card = true;
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
    struct bench b = { .signer = 0 };
    if (!parse(&b.options, argc, argv)) {
        fputs("usage: approvals SIGNER FOLDER [--clients N] [--seconds S] [--card]\n", stderr);
        return 2;
    }
    if (!secret_init())
        return 1;
    connection_init();
    (void)snprintf(b.socket, sizeof b.socket, "%s/cm-0.sock", b.options.folder);
    (void)snprintf(b.store, sizeof b.store, "%s/store", b.options.folder);
    (void)snprintf(b.card, sizeof b.card, "%s/store/card", b.options.folder);
    (void)snprintf(b.file, sizeof b.file, "%s/disk", b.options.folder);
    b.shared =
        mmap(NULL, sizeof *b.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (b.shared == MAP_FAILED || mkdir(b.store, 0700) != 0)
        stop(b.store, NULL);
    measure(&b);
    end_signer(&b);
    return 0;
}
