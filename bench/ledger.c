// bench-ledger -- what the coordinator's ledger costs on SQLite when it has grown. See bench/ledger.
//
// usage: bench-ledger FOLDER [ROWS]
//
// Makes a ledger of ROWS spends (1,000,000) in FOLDER, which has to lie on the disk that is meant, and prints
// the time of a status query, with few and with many of them in the window, and how many spends a second
// can be reserved, signed and noted as sent, beside bare commits of one row on the same disk. Removes the ledger.
#include "coordinator/ledger.h"
#include "base/require.h"
#include "coordinator/migrate.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LOOKS = 400, CYCLES = 200, K = 2 };

struct bench {
    struct db *db;
    struct arena *arena;
    char wallet[ID_SIZE], destination[ID_SIZE], signers[K][ID_SIZE];
};

static double now_us(void)
{
    struct timespec t;
    REQUIRE(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void must(bool ok, const struct err *err)
{
    if (ok)
        return;
    (void)fprintf(stderr, "%s\n", err->text);
    exit(1);
}

#define RUN(b, sql, ...)                                                                           \
    do {                                                                                           \
        struct err run_err;                                                                        \
        must(db_exec((b)->db, NULL, (sql), DB_ARGS(__VA_ARGS__), &run_err), &run_err);             \
    } while (0)

// --- The ledger ---

static void fill(struct bench *b)
{
    static const uint8_t hash[32] = { 1 }, xfp[4] = { 1 };
    struct err err;
    must(migrate_apply(b->db, migrate_steps(), &err), &err);
    db_new_id(b->wallet, 1000);
    db_new_id(b->destination, 2000);
    RUN(b,
        "INSERT INTO wallet(id, name, network, k, n, kind, desc_receive, desc_change, desc_hash, "
        "status, settle_depth) VALUES($1, 'w', 'regtest', 2, 2, 'wsh', 'r', 'c', $2, 'active', 6)",
        db_text(b->wallet), db_blob(BYTES_OF(hash)));
    RUN(b,
        "INSERT INTO velocity_guard(wallet_id, window_s, cap_auto, cap_surge, fee_cap) "
        "VALUES($1, 86400, $2, $2, $2)",
        db_text(b->wallet), db_u64(SATS_MAX));
    RUN(b,
        "INSERT INTO destination(id, wallet_id, name, address, script, state) "
        "VALUES($1, $2, 'hot', 'hot', $3, 'active')",
        db_text(b->destination), db_text(b->wallet), db_blob(BYTES("hot")));
    for (int i = 0; i < K; i++) {
        char name[8];
        (void)snprintf(name, sizeof name, "s%d", i);
        db_new_id(b->signers[i], 3000 + i);
        RUN(b,
            "INSERT INTO signer(id, name, number, kind, fingerprint) VALUES($1, $2, $3, 'unix', "
            "$4)",
            db_text(b->signers[i]), db_text(name), db_int(i + 1), db_blob(BYTES_OF(xfp)));
    }
    must(ledger_reconciled(b->db, b->wallet, &err), &err);
}

// Settled spends, one every 1000 s into the past from the end of the window, as years of refills leave them.
static void age(struct bench *b, int64_t rows)
{
    struct err err;
    int64_t now;
    must(db_now_us(b->db, &now, &err), &err);
    must(db_begin(b->db, &err), &err);
    RUN(b,
        "INSERT INTO spend(id, wallet_id, request_id, body_hash, tier, amount, state, state_at, "
        "next_at) "
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < $1) "
        "SELECT printf('old-%032d', n), $2, printf('r%d', n), zeroblob(32), 'auto', 1000, "
        "'settled', "
        "$3, $4 FROM c",
        db_int(rows), db_text(b->wallet), db_int(now), db_int(INT64_MAX));
    RUN(b,
        "INSERT INTO reservation(spend_id, wallet_id, sat, fee, fee_at, status, reserved_at, "
        "first_sent_at, window_s, cap, spent_before) WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL "
        "SELECT n + 1 FROM c WHERE n < $1) SELECT printf('old-%032d', n), $2, 1000, 10, "
        "$3 - n * 1000000000, 'sent', $3 - n * 1000000000, $3 - n * 1000000000, 86400, $4, 0 FROM "
        "c",
        db_int(rows), db_text(b->wallet), db_int(now), db_int(INT64_MAX));
    must(db_commit(b->db, &err), &err);
}

// --- Looking ---

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

// As the program does it: the reconciler comes round every ten seconds, and moves the running sums.
static void look(struct bench *b, const char *what)
{
    static double times[LOOKS];
    struct velocity_view v;
    struct err err;
    must(ledger_reconciled(b->db, b->wallet, &err), &err);
    for (int i = 0; i < LOOKS; i++) {
        const double start = now_us();
        must(ledger_velocity(b->db, &v, b->wallet, &err), &err);
        times[i] = now_us() - start;
    }
    qsort(times, LOOKS, sizeof times[0], compare);
    printf("status, %-28s %8.1f us median, %8.1f us best (%llu sat spent)\n", what,
           times[LOOKS / 2], times[0], (unsigned long long)v.spent.n);
}

// --- Spending ---

static void spend_once(struct bench *b, unsigned number)
{
    if (number % 16 == 0) { // as the reconciler does meanwhile
        struct err stale;
        must(ledger_reconciled(b->db, b->wallet, &stale), &stale);
    }
    struct tx_out out = { .value = 1000, .script = BYTES("hot") };
    struct tx_in in = { .prevout = { { { (uint8_t)number, (uint8_t)(number >> 8) } }, number } };
    const struct tx tx = { .version = 2, .n_in = 1, .n_out = 1, .in = &in, .out = &out };
    struct spend_output output = { .script = BYTES("hot"),
                                   .address = BYTES("hot"),
                                   .amount = { 1000 } };
    const struct attempt_input input = { .outpoint = in.prevout, .amount = { 2000 } };
    struct attempt a = { .psbt = BYTES("psbt"),
                         .txid = tx_txid(&tx),
                         .fee = { 10 },
                         .vsize = 190,
                         .inputs = &input,
                         .n_inputs = 1 };
    struct writer w = writer_growing(b->arena, 4096);
    struct sign_request r[K];
    struct spend s;
    struct err err;
    char id[32];
    bool flag;
    (void)snprintf(id, sizeof id, "bench-%u", number);
    memcpy(output.destination_id, b->destination, ID_SIZE);
    tx_write(&w, &tx);
    const struct spend_request request = {
        .wallet_id = b->wallet, .request_id = bytes_of_text(id), .outputs = &output, .n_outputs = 1
    };
    must(ledger_submit(b->db, &s, &flag, &request, &err), &err);
    must(ledger_claim(b->db, &s, &flag, "bench", 60000000, &err) && flag, &err);
    must(ledger_reserve(b->db, &s, (struct sats){ 10 }, &err), &err);
    must(ledger_attempt_add(b->db, &s, &a, &err), &err);
    struct sign_answer answers[K];
    for (int i = 0; i < K; i++) {
        answers[i] = (struct sign_answer){ &r[i], SIGN_SIGNED, "", "", BYTES("sig") };
        must(ledger_sign_ask_next(b->db, &s, &a, i > 0 ? &answers[i - 1] : NULL, b->signers[i],
                                  &r[i], &err),
             &err);
    }
    must(ledger_signed_at_last(b->db, &s, &a, &answers[K - 1], writer_bytes(&w), &err), &err);
    must(ledger_sent_and_let_go(b->db, &s, &a, INT64_MAX, &err), &err);
    arena_reset(b->arena);
}

// What the disk asks for: a commit of one row, as often as a spend commits.
static double bare_commits(struct bench *b, int n)
{
    struct err err;
    const double start = now_us();
    for (int i = 0; i < n; i++) {
        must(db_begin(b->db, &err), &err);
        RUN(b, "UPDATE velocity_guard SET version = version + $1", db_int(1));
        must(db_commit(b->db, &err), &err);
    }
    return (now_us() - start) / n;
}

static void spend_many(struct bench *b)
{
    enum { COMMITS = 8 }; // of spend_once
    struct err err;
    const double bare = bare_commits(b, CYCLES);
    double start = now_us();
    for (unsigned i = 0; i < CYCLES; i++)
        spend_once(b, i);
    const double each = (now_us() - start) / CYCLES;
    printf("spends, from request to sent:  %8.1f a second; %.0f us each, %d commits; a bare commit "
           "%.0f us: "
           "%.2f of the disk's own time\n",
           1e6 / each, each, COMMITS, bare, each / (COMMITS * bare));
    must(db_script(b->db, BYTES("PRAGMA synchronous = OFF"), &err), &err);
    start = now_us();
    for (unsigned i = 0; i < CYCLES; i++)
        spend_once(b, CYCLES + i + 8);
    printf("the same without the disk:     %8.1f a second, %.0f us each\n",
           1e6 / ((now_us() - start) / CYCLES), (now_us() - start) / CYCLES);
}

int main(int argc, char **argv)
{
    char path[4096], side[4110];
    struct err err;
    if (argc < 2 || argc > 3) {
        (void)fprintf(stderr, "usage: bench-ledger FOLDER [ROWS]\n");
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    const int64_t rows = argc == 3 ? strtoll(argv[2], NULL, 10) : 1000000;
    (void)snprintf(path, sizeof path, "%s/bench-ledger.db", argv[1]);
    (void)unlink(path);
    const struct db_options options = { .path = path };
    struct bench b = { .arena = arena_new(1 << 20) };
    must(db_open(&b.db, &options, &err), &err);
    fill(&b);
    look(&b, "an empty ledger");
    age(&b, rows);
    printf("%lld spends:\n", (long long)rows);
    look(&b, "86 of them in the window");
    RUN(&b, "UPDATE velocity_guard SET window_s = $1", db_int(10000000));
    look(&b, "10,000 of them in the window");
    RUN(&b, "UPDATE velocity_guard SET window_s = $1", db_int(86400));
    spend_many(&b);
    db_close(&b.db);
    (void)unlink(path);
    (void)snprintf(side, sizeof side, "%s-wal", path);
    (void)unlink(side);
    arena_free(b.arena);
    return 0;
}
