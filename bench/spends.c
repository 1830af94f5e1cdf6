// bench/spends.c -- what the coordinator itself takes for a spend, beside node and signers.
//
// usage: bench-spends FOLDER [SPENDS]
//
// Spends from request to broadcast through the real ledger in FOLDER, one after the other, with a chain and
// signers in memory (tests/support/treasury_world.h) whose time is taken off. In turn with that: how long the
// folder's disk takes to make one page durable.
//   total     a spend, in ms (medians)
//   outside   of that in signing and in the chain
//   overhead  the rest: ledger, building, preflight, verifying, combining
//   sync      one page made durable; syncs: the overhead in units of that
//   ledger    KiB by which a spend makes the ledger grow, until it is broadcast; of 20 spends or more
#include "base/require.h"
#include "tests/support/treasury_world.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SPENDS_MAX 1000
#define SAT        10000

static double now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1000 + (double)t.tv_nsec / 1000000;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, by_size);
    return values[n / 2];
}

static double sync_ms(int fd)
{
    static const uint8_t page[4096];
    const double began = now_ms();
    REQUIRE(pwrite(fd, page, sizeof page, 0) == (ssize_t)sizeof page && fdatasync(fd) == 0);
    return now_ms() - began;
}

static uint64_t ledger_kib(struct db *db)
{
    struct db_rows rows;
    struct err err;
    AUTO(arena_freep) struct arena *arena = arena_new(65536);
    REQUIRE(db_query(
        db, &rows,
        "SELECT page_count * page_size / 1024 FROM pragma_page_count(), pragma_page_size()",
        DB_NONE, arena, &err));
    return db_cell_u64(&rows, 0, 0);
}

// The folder is named in the environment, as a test program takes no arguments of its own.
TEST(bench_spends)
{
    static double total[SPENDS_MAX], outside[SPENDS_MAX], overhead[SPENDS_MAX], syncs[SPENDS_MAX];
    const char *folder = getenv("BENCH_FOLDER"), *count = getenv("BENCH_SPENDS");
    const size_t n = count != NULL ? strtoul(count, NULL, 10) : 100;
    uint64_t first_kib = 0, grown_kib = 0, n_grown = 0; // after the first spend of a world
    char path[256];
    REQUIRE(folder != NULL && n >= 1 && n <= SPENDS_MAX);
    (void)snprintf(path, sizeof path, "%s/page", folder);
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0);
    for (size_t i = 0; i < n; i++) {
        // A new world for each few: the one of a test forgets nothing.
        static struct world *world;
        static struct world_ledger *ledger;
        static struct db *db;
        char id[16];
        if (i % 20 == 0) {
            if (db != NULL)
                db_close(&db);
            world = world_new();
            ledger = world_ledger(world, folder);
            db = world_db(ledger);
            for (unsigned k = 0; k < 40; k++)
                world_fund(world, ledger, 400000);
            world_reconcile(world, ledger, db);
        }
        (void)snprintf(id, sizeof id, "spend-%zu", i);
        world->outside_ns = 0;
        const double began = now_ms();
        const struct spend s = world_submit(ledger, db, id, SAT, TIER_AUTO);
        (void)world_drive_claimed(world, ledger, db);
        total[i] = now_ms() - began;
        assert_state(world_spend(db, s.id), SPEND_SENT);
        outside[i] = (double)world->outside_ns / 1000000;
        overhead[i] = total[i] - outside[i];
        syncs[i] = sync_ms(fd);
        if (i % 20 == 0)
            first_kib = ledger_kib(db);
        if (i % 20 == 19) {
            grown_kib += ledger_kib(db) - first_kib;
            n_grown += 19;
        }
    }
    const double all = median(total, n), out = median(outside, n), rest = median(overhead, n),
                 one = median(syncs, n);
    printf("%8.2f %8.2f %8.2f %8.3f %8.1f %8.1f\n", all, out, rest, one, rest / one,
           n_grown > 0 ? (double)grown_kib / (double)n_grown : 0);
    (void)close(fd);
    (void)unlink(path);
}
