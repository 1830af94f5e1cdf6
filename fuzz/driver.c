// fuzz/driver.c -- runs a fuzz target as an ordinary test: its corpus, then mutations of it.
//
// usage: <target> [file or folder]...
//
// Always the same inputs in the same order: a failure here is a failure everywhere. The input that
// stops the process is left in the file crash-<target> of the current folder; run the target with
// that file to see it again. FUZZ_RUNS in the environment is the number of mutations.
#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "base/secret.h"
#include "fuzz/fuzz.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

enum { SEEDS_MAX = 4096, INPUT_MAX = 64 << 10, SEED_MAX = 4 << 20, RUNS = 1000 };

struct corpus {
    struct arena *arena;
    struct bytes seed[SEEDS_MAX];
    size_t n_seeds;
};

// What a signal handler needs to save the input.
static struct bytes current;
static char crash_file[256];

__attribute__((weak)) void crypto_init(void);

static NORETURN void give_up(const char *what, const char *why)
{
    printf("Bail out! %s: %s\n", what, why);
    exit(1);
}

static void say(const char *text)
{
    (void)!write(STDOUT_FILENO, text, strlen(text));
}

static void save_input(int signal_number)
{
    const int fd = open(crash_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd >= 0 && write(fd, current.ptr, current.len) == (ssize_t)current.len) {
        say("# the input that stopped it is in ");
        say(crash_file);
        say("\n");
    }
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

static void run_one(struct bytes input)
{
    // An allocation of just its size: reading past the end is then an error that ASan sees.
    uint8_t *copy = malloc(input.len > 0 ? input.len : 1);
    REQUIRE(copy);
    if (input.len > 0)
        memcpy(copy, input.ptr, input.len);
    current = bytes_of(copy, input.len);
    fuzz_target(current);
    free(copy);
}

// --- Seeds ---

static void add_file(struct corpus *corpus, const char *path)
{
    struct err err;
    if (corpus->n_seeds == SEEDS_MAX)
        give_up(path, "too many corpus files");
    if (!file_read(&corpus->seed[corpus->n_seeds], path, SEED_MAX, corpus->arena, &err))
        give_up(path, err.text);
    corpus->n_seeds++;
}

static void add_folder(struct corpus *corpus, const char *path)
{
    struct dirent **entry;
    char file[4096];
    const int n = scandir(path, &entry, NULL, alphasort);
    if (n < 0)
        give_up(path, strerror(errno));
    for (int i = 0; i < n; i++) {
        if (entry[i]->d_name[0] != '.') {
            (void)snprintf(file, sizeof file, "%s/%s", path, entry[i]->d_name);
            add_file(corpus, file);
        }
        free(entry[i]);
    }
    free(entry);
}

static void add_path(struct corpus *corpus, const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        give_up(path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        add_folder(corpus, path);
    else
        add_file(corpus, path);
}

// --- Mutations ---

// xorshift64: the same numbers on every machine.
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static size_t below(uint64_t *state, size_t bound)
{
    return bound == 0 ? 0 : (size_t)(next_random(state) >> 11) % bound;
}

struct input {
    uint8_t b[INPUT_MAX];
    size_t len;
};

// Puts `part` at `at`, moving what is behind it; what no longer fits falls off the end.
static void insert(struct input *in, size_t at, struct bytes part)
{
    if (part.len > INPUT_MAX - at)
        part.len = INPUT_MAX - at;
    const size_t moved_to = at + part.len;
    size_t tail = in->len - at;
    if (tail > INPUT_MAX - moved_to)
        tail = INPUT_MAX - moved_to;
    memmove(in->b + moved_to, in->b + at, tail);
    memcpy(in->b + at, part.ptr, part.len);
    in->len = moved_to + tail;
}

static void delete (struct input *in, size_t at, size_t len)
{
    if (len > in->len - at)
        len = in->len - at;
    memmove(in->b + at, in->b + at + len, in->len - at - len);
    in->len -= len;
}

// Bytes at which parsers err: ends of ranges, lengths, quotes and separators.
static const uint8_t edge_byte[] = { 0x00, 0x01, 0x7f, 0x80, 0xfc, 0xfd, 0xfe, 0xff,
                                     '0',  '9',  '-',  '.',  '"',  '\\', '{',  '[',
                                     ',',  ':',  '/',  '*',  '\'', 'h',  ' ',  '\n' };

static void mutate(struct input *in, const struct corpus *corpus, uint64_t *state)
{
    const size_t at = below(state, in->len + 1);
    const uint8_t edge[] = { edge_byte[below(state, COUNT(edge_byte))] };
    enum { FLIP, SET, INSERT, DELETE, CUT, REPEAT, SPLICE, N_KINDS };
    const size_t kind = below(state, N_KINDS);
    if (kind == FLIP && at < in->len)
        in->b[at] ^= (uint8_t)(1u << below(state, 8));
    else if (kind == SET && at < in->len)
        in->b[at] = edge[0];
    else if (kind == INSERT)
        insert(in, at, BYTES_OF(edge));
    else if (kind == DELETE)
        delete (in, at, 1 + below(state, 8));
    else if (kind == CUT && below(state, 4) == 0) // rarely: it leaves little for the others
        in->len = at;
    else if (kind == REPEAT) {
        uint8_t part[64];
        const size_t len = below(state, in->len - at < sizeof part ? in->len - at : sizeof part);
        memcpy(part, in->b + at, len);
        insert(in, at, bytes_of(part, len));
    } else if (kind == SPLICE && corpus->n_seeds > 0) {
        const struct bytes other = corpus->seed[below(state, corpus->n_seeds)];
        insert(in, at, bytes_slice(other, below(state, other.len + 1), 1 + below(state, 64)));
    }
}

static void run_mutations(const struct corpus *corpus, unsigned long runs)
{
    static struct input in;
    uint64_t state = 0x9e3779b97f4a7c15;
    for (unsigned long i = 0; i < runs; i++) {
        in.len = 0;
        if (corpus->n_seeds > 0)
            insert(&in, 0, corpus->seed[i % corpus->n_seeds]);
        for (size_t n = 1 + below(&state, 8); n > 0; n--)
            mutate(&in, corpus, &state);
        run_one(bytes_of(in.b, in.len));
    }
}

static unsigned long runs_wanted(void)
{
    const char *text = getenv("FUZZ_RUNS");
    return text ? strtoul(text, NULL, 10) : RUNS;
}

int main(int argc, char **argv)
{
    static struct corpus corpus;
    const char *slash = strrchr(argv[0], '/');
    (void)snprintf(crash_file, sizeof crash_file, "crash-%s", slash ? slash + 1 : argv[0]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!secret_init())
        give_up(argv[0], "secret_init failed");
    if (crypto_init)
        crypto_init();
    (void)signal(SIGABRT, save_input);
    (void)signal(SIGSEGV, save_input);

    corpus.arena = arena_new((size_t)1 << 30);
    for (int i = 1; i < argc; i++)
        add_path(&corpus, argv[i]);
    printf("1..2\n");
    for (size_t i = 0; i < corpus.n_seeds; i++)
        run_one(corpus.seed[i]);
    printf("ok 1 - %zu corpus files\n", corpus.n_seeds);
    run_mutations(&corpus, runs_wanted());
    printf("ok 2 - %lu mutated inputs\n", runs_wanted());
    arena_free(corpus.arena);
    return 0;
}
