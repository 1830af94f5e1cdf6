// bench/signing.c -- how long signing takes, beside the library calls that it cannot do without.
//
// usage: signing [--rounds N] [--threads] [--memory] [--midstate] [--once PART] FOLDER [WORKLOAD]...
//
// FOLDER is tests/vectors/perf. Prints a table; bench/run explains its columns. Every run's
// signatures are compared with the recorded ones first. --once runs one part of a workload once, cold,
// warm, floor-cold or floor-warm, for a profiler that looks at the function `measured`; --threads
// compares two threads with one, --midstate legacy digests with what they must hash; --memory measures
// this process.
#include "base/require.h"
#include "base/secret.h"
#include "bench/big.h"
#include "bench/floor.h"
#include "bench/pipeline.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { ARENA = 64 << 20, ROUNDS = 40, SAMPLE_US = 4000, NAME_MAX_LEN = 32, TABLE_MAX = 16 };

struct options {
    const char *folder, *once;
    unsigned rounds;
    bool threads, memory, midstate;
    const char *names[TABLE_MAX];
    size_t n_names;
};

static double us_of(clockid_t clock)
{
    struct timespec t;
    REQUIRE(clock_gettime(clock, &t) == 0);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

// --- One workload ---

struct workload {
    const char *name;
    struct bench_signer *signer;
    struct bytes psbt;
    struct arena *kept; // of psbt, result and floor
    struct bench_result result;
    struct floor *floor;
};

static void run_once(struct workload *w)
{
    struct arena *arena = arena_new(ARENA);
    struct bench_result result;
    bench_run(&result, w->signer, w->psbt, arena);
    arena_free(arena);
}

static void forget(struct workload *w)
{
    keytable_forget(keycache_table(w->signer->keys));
}

static void run_decide(struct workload *w)
{
    struct arena *arena = arena_new(ARENA);
    struct bench_result result;
    bench_decide(&result, w->signer, w->psbt, arena);
    arena_free(arena);
}

static void run_floor_warm(struct workload *w)
{
    floor_warm(w->floor);
}

static void run_floor_derive(struct workload *w)
{
    floor_derive(w->floor);
}

static bool is_as_recorded(struct workload *w, const char *folder)
{
    static const char *const endings[] = { "lowr.txt", "schnorr-aux0.txt" };
    for (size_t i = 0; i < COUNT(endings); i++) {
        char file[2 * NAME_MAX_LEN];
        const size_t letters = strcspn(w->name + 1, "f") + 1; // W2f has the signatures of W2
        (void)snprintf(file, sizeof file, "%.*s.%s", (int)letters, w->name, endings[i]);
        const struct bytes recorded = bench_file(folder, file, w->kept);
        if (recorded.len > 0)
            return bytes_equal(recorded, bench_signatures(&w->result, w->kept));
    }
    return false;
}

static void open_workload(struct workload *w, const char *name, const struct options *o)
{
    char file[NAME_MAX_LEN + 8];
    *w = (struct workload){ .name = name, .signer = bench_signer_new(o->folder) };
    w->kept = arena_new(2u * ARENA);
    (void)snprintf(file, sizeof file, "%.*s.psbt", NAME_MAX_LEN, name);
    w->psbt = big_psbt(name, w->signer, w->kept);
    if (w->psbt.len == 0)
        w->psbt = bench_file(o->folder, file, w->kept);
    if (w->psbt.len == 0) {
        (void)fprintf(stderr, "%s/%s: cannot be read\n", o->folder, file);
        exit(1);
    }
}

static void prepare(struct workload *w, const struct options *o)
{
    w->signer->keep_inputs = true;
    bench_run(&w->result, w->signer, w->psbt, w->kept);
    w->signer->keep_inputs = false;
    if (w->name[0] == 'W' && !is_as_recorded(w, o->folder)) {
        (void)fprintf(stderr, "%s: the signatures are not the recorded ones\n", w->name);
        exit(1);
    }
    w->floor = floor_new(&w->result, w->signer, w->kept);
}

static void close_workload(struct workload *w)
{
    arena_free(w->kept);
    bench_signer_free(w->signer);
}

// --- Time ---

struct series {
    void (*before)(struct workload *w); // not timed; NULL: nothing
    void (*run)(struct workload *w);
    unsigned repeat; // runs of one sample
    double best;     // us of one run
};

// The processor's time of this thread: what others do on the machine is not ours.
static double sample(struct workload *w, const struct series *s)
{
    double sum = 0;
    for (unsigned i = 0; i < s->repeat; i++) {
        if (s->before != NULL)
            s->before(w);
        const double begin = us_of(CLOCK_THREAD_CPUTIME_ID);
        s->run(w);
        sum += us_of(CLOCK_THREAD_CPUTIME_ID) - begin;
    }
    return sum / s->repeat;
}

static void calibrate(struct workload *w, struct series *s)
{
    s->repeat = 1;
    const double once = sample(w, s);
    s->best = once;
    s->repeat = once >= SAMPLE_US ? 1 : (unsigned)(SAMPLE_US / (once + 1)) + 1;
}

// What is compared is measured in turn, so that a busy machine is busy for all; the best of each is
// what the machine can do.
static void measure(struct workload *w, struct series *list, size_t n, unsigned rounds)
{
    for (size_t k = 0; k < n; k++)
        calibrate(w, &list[k]);
    for (unsigned round = 0; round < rounds; round++)
        for (size_t k = 0; k < n; k++) {
            const double us = sample(w, &list[k]);
            if (us < list[k].best)
                list[k].best = us;
        }
}

static void print_times(struct workload *w, unsigned rounds)
{
    enum { WARM, FLOOR_WARM, COLD, FLOOR_DERIVE, DECIDE, N };
    struct series list[N] = {
        [WARM] = { .run = run_once },
        [FLOOR_WARM] = { .run = run_floor_warm },
        [COLD] = { .before = forget, .run = run_once },
        [FLOOR_DERIVE] = { .run = run_floor_derive },
        [DECIDE] = { .run = run_decide },
    };
    measure(w, list, N, rounds);
    const double floor_cold = list[FLOOR_WARM].best + list[FLOOR_DERIVE].best;
    printf("%-4s %5zu %5zu %5zu %9.1f %9.1f %5.1f%% %9.1f %9.1f %5.1f%% %8.1f\n", w->name,
           w->result.sigs.n_sigs, floor_sign_calls(w->floor), floor_derivations(w->floor),
           list[WARM].best, list[FLOOR_WARM].best, 100 * list[FLOOR_WARM].best / list[WARM].best,
           list[COLD].best, floor_cold, 100 * floor_cold / list[COLD].best, list[DECIDE].best);
    (void)fflush(stdout);
}

static void times(const struct options *o)
{
    printf("%-4s %5s %5s %5s %9s %9s %6s %9s %9s %6s %8s\n", "", "sigs", "calls", "keys", "warm us",
           "floor us", "", "cold us", "floor us", "", "decide");
    for (size_t i = 0; i < o->n_names; i++) {
        struct workload w;
        open_workload(&w, o->names[i], o);
        prepare(&w, o);
        print_times(&w, o->rounds);
        close_workload(&w);
    }
}

// --- Two threads, as signer/sign_work.c has them sign one request ---

enum { ONE_CLOCK, TWO_CLOCK, ONE_CPU, TWO_CPU, N_TIMES };

static void keep_best(double *best, double us)
{
    if (us < *best)
        *best = us;
}

// Of two threads the processor's time that nothing shortens: this thread's, the longer slice, the rest.
static void take_times(struct workload *w, double best[static N_TIMES], bool two)
{
    const struct bench_signer *s = w->signer;
    const double clock = us_of(CLOCK_MONOTONIC), cpu = us_of(CLOCK_THREAD_CPUTIME_ID);
    run_once(w);
    keep_best(&best[two ? TWO_CLOCK : ONE_CLOCK], us_of(CLOCK_MONOTONIC) - clock);
    double us = us_of(CLOCK_THREAD_CPUTIME_ID) - cpu;
    if (two)
        us += s->last_us + (s->slice_us[0] > s->slice_us[1] ? s->slice_us[0] : s->slice_us[1]);
    keep_best(&best[two ? TWO_CPU : ONE_CPU], us);
}

static void two_threads_of(struct workload *w, struct worker *worker, unsigned rounds, bool cold)
{
    double best[N_TIMES] = { 1e18, 1e18, 1e18, 1e18 };
    for (unsigned i = 0; i < 2 * rounds; i++) {
        w->signer->worker = i % 2 == 0 ? NULL : worker;
        if (cold)
            forget(w);
        take_times(w, best, i % 2 != 0);
    }
    w->signer->worker = NULL;
    printf("%-4s %s %10.1f %10.1f %6.2f %12.1f %10.1f %6.2f\n", w->name, cold ? "cold" : "warm",
           best[ONE_CPU], best[TWO_CPU], best[ONE_CPU] / best[TWO_CPU], best[ONE_CLOCK],
           best[TWO_CLOCK], best[ONE_CLOCK] / best[TWO_CLOCK]);
}

static void threads(const struct options *o)
{
    struct clock clock = clock_system();
    struct loop *loop = loop_new(&clock);
    struct worker *worker;
    struct err err;
    REQUIRE(worker_new(&worker, loop, &err));
    printf("two threads %9s %10s %6s %12s %10s %6s\n", "path one", "path two", "", "clock one",
           "clock two", "");
    for (size_t i = 0; i < o->n_names; i++) {
        struct workload w;
        open_workload(&w, o->names[i], o);
        prepare(&w, o);
        two_threads_of(&w, worker, 2 * o->rounds, false);
        two_threads_of(&w, worker, 2 * o->rounds, true);
        close_workload(&w);
    }
    worker_free(worker);
    loop_free(loop);
}

// --- Legacy digests: what stands before the input being signed is hashed once for all ---

static double digests_us(const struct workload *w, bool upwards)
{
    const struct psbt_facts *facts = &w->result.facts;
    AUTO(arena_freep) struct arena *arena = arena_new(ARENA);
    struct sighash_cache digests;
    struct hash256 digest;
    struct err err;
    sighash_cache_init(&digests, &w->result.psbt.tx, arena);
    const double begin = us_of(CLOCK_THREAD_CPUTIME_ID);
    for (size_t n = 0; n < facts->tx.n_in; n++) {
        const size_t i = upwards ? n : facts->tx.n_in - 1 - n;
        const struct spend_at at = { &digests, i, facts->tx.in[i].amount, NULL };
        REQUIRE(spend_digest(&digest, &facts->plans[i].spend, &at, facts->plans[i].sighash, &err));
    }
    return us_of(CLOCK_THREAD_CPUTIME_ID) - begin;
}

// SHA-256 of the bytes alone that nothing can share: the input being signed, all that follow it, the
// outputs, and the second hash.
static double forced_us(const struct workload *w)
{
    const struct tx *tx = &w->result.psbt.tx;
    AUTO(arena_freep) struct arena *arena = arena_new(ARENA);
    size_t outputs = 0;
    for (size_t i = 0; i < tx->n_out; i++)
        outputs += 9 + tx->out[i].script.len;
    const size_t longest = tx->n_in * 41 + 25 + outputs + 9;
    const uint8_t *zero = arena_alloc(arena, longest);
    REQUIRE(zero != NULL);
    const double begin = us_of(CLOCK_THREAD_CPUTIME_ID);
    for (size_t i = 0; i < tx->n_in; i++) {
        const struct hash256 once = sha256(bytes_of(zero, longest - i * 41));
        (void)sha256(BYTES_OF(once.b));
    }
    return us_of(CLOCK_THREAD_CPUTIME_ID) - begin;
}

static void midstate(const struct options *o)
{
    printf("legacy digests  upwards  downwards  bytes that cannot be shared\n");
    for (size_t i = 0; i < o->n_names; i++) {
        struct workload w;
        double up = 1e18, down = 1e18, forced = 1e18;
        open_workload(&w, o->names[i], o);
        prepare(&w, o);
        for (unsigned round = 0; round < 5; round++) {
            keep_best(&up, digests_us(&w, true));
            keep_best(&down, digests_us(&w, false));
            keep_best(&forced, forced_us(&w));
        }
        printf("%-4s %5zu in %10.0f %10.0f %10.0f: %.2f times what is forced, %.2f without\n",
               w.name, w.result.facts.tx.n_in, up, down, forced, up / forced, down / forced);
        close_workload(&w);
    }
}

// --- Memory: in a fresh process, whose peak is that of the request ---

static long status_kib(const char *key)
{
    char line[256];
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    REQUIRE(f != NULL);
    while (fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, key, strlen(key)) == 0)
            kib = strtol(line + strlen(key), NULL, 10);
    (void)fclose(f);
    return kib;
}

// Linux: "5" sets the peak to what is resident now.
static void clear_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    REQUIRE(f != NULL && fputs("5", f) >= 0 && fclose(f) == 0);
}

static void memory_here(const struct options *o)
{
    struct workload w, small;
    open_workload(&small, "W1", o);
    open_workload(&w, o->names[0], o);
    if (w.psbt.len != small.psbt.len)
        run_once(&small); // what the first request takes, the second does not
    const long before = status_kib("VmRSS:");
    clear_peak();
    run_once(&w);
    const long peak = status_kib("VmHWM:");
    const double psbt_kib = (double)w.psbt.len / 1024;
    printf("%-4s %9.1f KiB PSBT, growth %6ld KiB (%.1f times), peak resident %6ld KiB\n", w.name,
           psbt_kib, peak - before, (double)(peak - before) / psbt_kib, peak);
    close_workload(&w);
    close_workload(&small);
}

// --- Command line ---

// What a profiler looks at: nothing else happens between this function's call and its return.
void measured(void (*run)(struct workload *w), struct workload *w);
__attribute__((noinline)) void measured(void (*run)(struct workload *w), struct workload *w)
{
    run(w);
}

static void run_floor_cold(struct workload *w)
{
    floor_warm(w->floor);
    floor_derive(w->floor);
}

static bool once(const struct options *o)
{
    static const struct {
        const char *name;
        void (*before)(struct workload *w), (*run)(struct workload *w);
    } parts[] = {
        { "cold", forget, run_once },
        { "warm", run_once, run_once },
        { "floor-cold", run_once, run_floor_cold },
        { "floor-warm", run_once, run_floor_warm },
    };
    for (size_t i = 0; i < COUNT(parts); i++) {
        struct workload w;
        if (strcmp(o->once, parts[i].name) != 0)
            continue;
        open_workload(&w, o->names[0], o);
        prepare(&w, o);
        parts[i].before(&w);
        measured(parts[i].run, &w);
        close_workload(&w);
        return true;
    }
    return false;
}

static bool read_options(struct options *o, int argc, char **argv)
{
    static const char *const all[] = { "W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8" };
    *o = (struct options){ .rounds = ROUNDS };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
            o->rounds = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--once") == 0 && i + 1 < argc)
            o->once = argv[++i];
        else if (strcmp(argv[i], "--threads") == 0)
            o->threads = true;
        else if (strcmp(argv[i], "--memory") == 0)
            o->memory = true;
        else if (strcmp(argv[i], "--midstate") == 0)
            o->midstate = true;
        else if (argv[i][0] == '-')
            return false;
        else if (o->folder == NULL)
            o->folder = argv[i];
        else if (o->n_names < COUNT(o->names))
            o->names[o->n_names++] = argv[i];
    }
    if (o->n_names == 0)
        while (o->n_names < COUNT(all)) {
            o->names[o->n_names] = all[o->n_names];
            o->n_names++;
        }
    return o->folder != NULL;
}

int main(int argc, char **argv)
{
    struct options o;
    if (!read_options(&o, argc, argv)) {
        (void)fprintf(
            stderr,
            "usage: %s [--rounds N] [--threads] [--memory] [--midstate] [--once PART] FOLDER "
            "[WORKLOAD]...\n",
            argv[0]);
        return 2;
    }
    REQUIRE(secret_init());
    crypto_init();
    if (o.once != NULL)
        return once(&o) ? 0 : 2;
    if (o.threads)
        threads(&o);
    else if (o.memory)
        memory_here(&o);
    else if (o.midstate)
        midstate(&o);
    else
        times(&o);
    return 0;
}
