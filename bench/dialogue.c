// bench/dialogue.c -- how long a client waits for a signature, beside what cannot be done without.
//
// usage: dialogue SIGNER FOLDER VECTORS [--rounds N]
//
// Starts SIGNER, a build with the simulator, with its store in FOLDER and the seed of VECTORS
// (tests/vectors/perf), and has one client sign W1 and W2 under a rule with `per_period`: upload, hash,
// start, ask, download. In turn with each dialogue:
//   datagrams  as many, of the same sizes and directions, echoed between two processes
//   signing    the library calls (bench/floor.h)
//   durable    one page of 4 KiB of a file in FOLDER, as the one commit of a decision needs
//   journal    what the curve library does for the decision besides: the signature of its line in the
//              journal, verified, and the fresh blinding before each request
// Prints the ratio of the dialogue to the sum of the first three, and of all.
#include "base/require.h"
#include "base/secret.h"
#include "bench/floor.h"
#include "bench/host.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

enum {
    ROUNDS_MAX = 1000,
    LEGS_MAX = 512, // messages of a dialogue
    PATH_LEN = 256,
    ARENA = 64 << 20,
    DATAGRAM = 64,
    PAYLOAD = DATAGRAM - 1,
    DISK_PAGES = 256,
    ASK_MS = 1
};

static const char policy[] = "{\"period\": 1440, \"rules\": [{\"per_period\": 2000000000000000}]}";

static NORETURN void stop(const char *what, const struct err *err)
{
    (void)fprintf(stderr, "%s: %s\n", what, err == NULL ? strerror(errno) : err->text);
    exit(1);
}

static double us_of(clockid_t clock)
{
    struct timespec t;
    REQUIRE(clock_gettime(clock, &t) == 0);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

// The processor's time of this process and of another.
static double cpu_us(pid_t other)
{
    clockid_t clock;
    REQUIRE(clock_getcpuclockid(other, &clock) == 0);
    return us_of(CLOCK_PROCESS_CPUTIME_ID) + us_of(clock);
}

// --- What is said: the messages of one dialogue, in datagrams ---

struct script {
    struct leg {
        bool sent; // by the client
        unsigned datagrams;
    } legs[LEGS_MAX];
    size_t n, question; // where the question for the result is; 0: it was not asked yet
    bool recording;
};

static void record(void *context, bool sent, struct bytes message, size_t masked, bool encrypted)
{
    struct script *s = context;
    (void)encrypted;
    if (!s->recording)
        return;
    if (sent && bytes_starts_with(message, BYTES("stok"))) {
        // Of all questions the last is kept.
        s->n = s->question != 0 ? s->question : s->n;
        s->question = s->n;
    }
    REQUIRE(s->n < LEGS_MAX);
    s->legs[s->n++] =
        (struct leg){ sent, (unsigned)((message.len + masked + PAYLOAD - 1) / PAYLOAD) };
}

// --- The signer ---

struct bench {
    const char *vectors;
    unsigned rounds;
    char file[PATH_LEN];
    int disk;
    struct script script;
    struct host host;
    struct bench_signer *model;
};

// The script is of this dialogue, with the last question alone.
static void converse(struct bench *b, struct bytes psbt, struct arena *arena)
{
    struct bytes result;
    b->script.n = b->script.question = 0;
    b->script.recording = true;
    host_sign(b->host.c, &result, psbt, ASK_MS, arena);
    b->script.recording = false;
}

// --- Floors ---

static int bound_socket(const char *path)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    (void)unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof name) != 0)
        stop(path, NULL);
    return fd;
}

static void send_all(int fd, const char *path, unsigned n)
{
    static const uint8_t datagram[DATAGRAM];
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    (void)snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    for (; n > 0; n--)
        if (sendto(fd, datagram, sizeof datagram, 0, (struct sockaddr *)&name, sizeof name) < 0)
            stop("echo", NULL);
}

static void receive_all(int fd, unsigned n)
{
    uint8_t datagram[DATAGRAM];
    for (; n > 0; n--)
        if (recv(fd, datagram, sizeof datagram, 0) != sizeof datagram)
            stop("echo", NULL);
}

static void play(const struct script *s, bool as_client, int fd, const char *other)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->legs[i].sent == as_client)
            send_all(fd, other, s->legs[i].datagrams);
        else
            receive_all(fd, s->legs[i].datagrams);
}

// The other process plays the script once for each datagram that tells it to begin.
struct echo {
    pid_t pid;
    int fd;
    char here[PATH_LEN], there[PATH_LEN];
};

static void start_echo(struct echo *e, const struct bench *b)
{
    (void)snprintf(e->here, sizeof e->here, "%s/echo.a", b->host.folder);
    (void)snprintf(e->there, sizeof e->there, "%s/echo.b", b->host.folder);
    e->fd = bound_socket(e->here);
    const int other = bound_socket(e->there);
    e->pid = fork();
    if (e->pid != 0) {
        close(other);
        return;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    for (;;)
        play(&b->script, false, other, e->here);
}

static void end_echo(struct echo *e)
{
    (void)kill(e->pid, SIGTERM);
    (void)waitpid(e->pid, NULL, 0);
    close(e->fd);
    (void)unlink(e->here);
    (void)unlink(e->there);
}

static void make_durable(const struct bench *b, unsigned n)
{
    static const uint8_t page[4096] = { 1 };
    if (pwrite(b->disk, page, sizeof page, n % DISK_PAGES * (off_t)sizeof page) != sizeof page ||
        fdatasync(b->disk) != 0)
        stop(b->file, NULL);
}

static void open_disk(struct bench *b)
{
    b->disk = open(b->file, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (b->disk < 0)
        stop(b->file, NULL);
    for (unsigned i = 0; i < DISK_PAGES; i++)
        make_durable(b, i);
}

// --- Measuring ---

enum { DIALOGUE, DATAGRAMS, SIGNING, DURABLE, JOURNAL, N_SERIES };
struct series {
    double wall_us[ROUNDS_MAX], cpu_us[ROUNDS_MAX]; // the second of both processes
};
struct samples {
    struct series series[N_SERIES];
    unsigned n;
};
struct moment {
    double wall_us, cpu_us;
};

static struct moment now_of(pid_t other)
{
    return (struct moment){ us_of(CLOCK_MONOTONIC), cpu_us(other) };
}

static void keep(struct samples *s, size_t which, struct moment begin, struct moment end)
{
    s->series[which].wall_us[s->n] = end.wall_us - begin.wall_us;
    s->series[which].cpu_us[s->n] = end.cpu_us - begin.cpu_us;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

// part: 0.5 is the median.
static double quantile(double *list, unsigned n, double part)
{
    qsort(list, n, sizeof *list, compare);
    return list[(unsigned)(part * (n - 1))];
}

static void sign_line(void)
{
    static const struct seckey secret = { { 7 } };
    static const struct hash256 digest = { { 9 } };
    static const uint8_t aux[32];
    uint8_t signature[SCHNORR_LEN];
    static struct schnorr_key key; // made once, as the signer's
    struct err err;
    if (key.b[0] == 0)
        schnorr_key_of(&key, &secret);
    crypto_randomize();
    REQUIRE(schnorr_sign_with(signature, &key, &digest, aux, &err)); // verifies
}

static void measure_round(struct samples *s, struct bench *b, const struct echo *echo,
                          const struct floor *floor, struct bytes psbt, struct arena *arena)
{
    arena_reset(arena);
    struct moment begin = now_of(b->host.pid);
    converse(b, psbt, arena);
    keep(s, DIALOGUE, begin, now_of(b->host.pid));
    begin = now_of(echo->pid);
    play(&b->script, true, echo->fd, echo->there);
    keep(s, DATAGRAMS, begin, now_of(echo->pid));
    begin = now_of(echo->pid);
    floor_warm(floor);
    struct moment end = now_of(echo->pid);
    keep(s, SIGNING, begin, end);
    make_durable(b, s->n);
    begin = now_of(echo->pid);
    keep(s, DURABLE, end, begin);
    sign_line();
    keep(s, JOURNAL, begin, now_of(echo->pid));
    s->n++;
}

static void print_line(const char *name, const char *what, struct samples *s, bool cpu, double part)
{
    double us[N_SERIES];
    for (size_t k = 0; k < N_SERIES; k++)
        us[k] = quantile(cpu ? s->series[k].cpu_us : s->series[k].wall_us, s->n, part);
    const double floor = us[DATAGRAMS] + us[SIGNING] + us[DURABLE];
    printf("%-4s %-17s %9.0f %9.0f %9.0f %9.0f %9.0f %6.2f %6.2f\n", name, what, us[DIALOGUE],
           us[DATAGRAMS], us[SIGNING], us[DURABLE], us[JOURNAL], us[DIALOGUE] / floor,
           us[DIALOGUE] / (floor + us[JOURNAL]));
}

static void print(const char *name, struct samples *s)
{
    print_line(name, "clock, median", s, false, 0.5);
    print_line(name, "clock, best 10 %", s, false, 0.1);
    print_line(name, "processors' time", s, true, 0.5);
}

static void measure(struct bench *b, const char *name)
{
    AUTO(arena_freep) struct arena *kept = arena_new(ARENA), *arena = arena_new(ARENA);
    struct samples *s = arena_alloc(kept, sizeof *s);
    struct bench_result result;
    struct echo echo;
    char file[32];
    (void)snprintf(file, sizeof file, "%s.psbt", name);
    const struct bytes psbt = bench_file(b->vectors, file, kept);
    REQUIRE(s != NULL && psbt.len > 0);
    b->model->keep_inputs = true;
    bench_run(&result, b->model, psbt, kept);
    const struct floor *floor = floor_new(&result, b->model, kept);
    for (unsigned i = 0; i < 3; i++)
        converse(b, psbt, arena); // what comes first takes longer
    start_echo(&echo, b);
    while (s->n < b->rounds)
        measure_round(s, b, &echo, floor, psbt, arena);
    end_echo(&echo);
    print(name, s);
}

static bool parse(struct bench *b, int argc, char **argv)
{
    *b = (struct bench){ .rounds = 200 };
    if (argc == 6 && strcmp(argv[4], "--rounds") == 0)
        b->rounds = (unsigned)strtoul(argv[5], NULL, 10);
    else if (argc != 4)
        return false;
    b->host.signer = argv[1];
    b->host.folder = argv[2];
    b->host.words = HOST_PERF_WORDS;
    b->vectors = argv[3];
    b->host.trace = (struct connection_trace){ record, &b->script };
    (void)snprintf(b->file, sizeof b->file, "%s/disk", b->host.folder);
    return b->rounds > 0 && b->rounds <= ROUNDS_MAX;
}

int main(int argc, char **argv)
{
    struct bench b;
    if (!parse(&b, argc, argv)) {
        fputs("usage: dialogue SIGNER FOLDER VECTORS [--rounds N]\n", stderr);
        return 2;
    }
    if (!secret_init())
        return 1;
    connection_init();
    b.model = bench_signer_new(b.vectors);
    open_disk(&b);
    host_start(&b.host);
    host_arm(&b.host, policy);
    measure(&b, "W1");
    measure(&b, "W2");
    host_end(&b.host);
    bench_signer_free(b.model);
    return 0;
}
