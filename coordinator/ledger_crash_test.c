// Processes that end in the middle: at each commit, and at random under load.
//
// LOAD_SECONDS in the environment: how long the load lasts; `./check --long` asks for more.
#include "base/require.h"
#include "coordinator/invariants.h"
#include "coordinator/ledger.h"
#include "crypto/random.h"
#include "tests/support/ledger_rig.h"
#include "tests/support/test.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STEPS_MAX = 200, PROCESSES = 3, CAP = 500 };

// --- A coordinator that follows D3; chance: devices refuse, people cancel ---

struct driver {
    struct ledger_rig rig; // with a connection of this process
    bool chance;
    unsigned pid;
    uint64_t n_sent, n_ended;
};

static bool one_in(const struct driver *d, uint32_t n)
{
    return d->chance && random_below(n) == 0;
}

static bool submit(struct driver *d, const char *id, uint64_t amount, struct err *err)
{
    struct spend_output output = { .script = BYTES("hot"),
                                   .address = BYTES("a"),
                                   .amount = { amount } };
    struct spend s;
    bool is_new;
    memcpy(output.destination_id, d->rig.destination, ID_SIZE);
    const struct spend_request request = { .wallet_id = d->rig.wallet,
                                           .request_id = bytes_of_text(id),
                                           .body_hash = sha256(bytes_of_text(id)),
                                           .outputs = &output,
                                           .n_outputs = 1 };
    return ledger_submit(d->rig.db, &s, &is_new, &request, err);
}

static bool reserve(struct driver *d, struct spend *s, struct err *err)
{
    if (ledger_reserve(d->rig.db, s, (struct sats){ 1 }, err))
        return true;
    if (code_of(err) != CODE_VELOCITY_EXCEEDED)
        return false;
    return ledger_end(d->rig.db, s, SPEND_REJECTED, code_of(err), "", err);
}

static bool build(struct driver *d, struct spend *s, struct err *err)
{
    // A coin that nobody else takes, and transactions that no other process makes.
    struct outpoint coin = rig_coin(0);
    random_bytes(coin.txid.b, sizeof coin.txid.b);
    struct attempt a = rig_attempt_of(&d->rig, ATTEMPT_PAY, &coin, 1, 1);
    a.psbt = a.raw;
    return ledger_attempt_add(d->rig.db, s, &a, err);
}

// As spends are driven: an answer is stored with what comes next.
static bool gather_quickly(struct driver *d, struct spend *s, struct attempt *a, struct err *err)
{
    struct sign_request r[2];
    const struct sign_answer first = { &r[0], SIGN_SIGNED, "", "", BYTES("sig") },
                             last = { &r[1], SIGN_SIGNED, "", "", BYTES("sig") };
    return ledger_sign_ask(d->rig.db, s, a, d->rig.signers[0], &r[0], err) &&
           ledger_sign_ask_next(d->rig.db, s, a, &first, d->rig.signers[1], &r[1], err) &&
           ledger_signed_at_last(d->rig.db, s, a, &last, a->psbt, err);
}

static bool gather(struct driver *d, struct spend *s, struct attempt *a, struct err *err)
{
    struct sign_requests all;
    struct sign_request r;
    unsigned n_signed = 0, signer = 0;
    if (!ledger_sign_requests(d->rig.db, &all, a->id, test_arena(), err))
        return false;
    for (size_t i = 0; i < all.n; i++)
        n_signed += all.items[i].state == SIGN_SIGNED;
    if (n_signed >= 2)
        return ledger_signed(d->rig.db, s, a, a->psbt, err);
    if (n_signed == 0 && one_in(d, 2))
        return gather_quickly(d, s, a, err);
    while (signer < n_signed) // in order: the first that has not signed
        signer++;
    if (!ledger_sign_ask(d->rig.db, s, a, d->rig.signers[signer], &r, err))
        return false;
    if (one_in(d, 8))
        return ledger_sign_answer(d->rig.db, s, &r, SIGN_REFUSED, "velocity", "",
                                  (struct bytes){ 0 }, err) &&
               ledger_end(d->rig.db, s, SPEND_REFUSED, CODE_SIGNER_REFUSED, "", err);
    return ledger_sign_answer(d->rig.db, s, &r, SIGN_SIGNED, "", "", BYTES("sig"), err);
}

static bool confirm(struct driver *d, struct spend *s, const struct attempt *a, struct err *err)
{
    const struct sighting sight = { SIGHT_BLOCK, { { 1 } }, 100, 6 };
    bool ours;
    return ledger_sighted(d->rig.db, s->wallet_id, &a->txid, &sight, &ours, err) &&
           ledger_spend(d->rig.db, s, s->id, err);
}

static bool step(struct driver *d, struct spend *s, struct err *err)
{
    struct attempts all;
    if (s->state == SPEND_RECEIVED)
        return reserve(d, s, err);
    if (s->state == SPEND_RESERVED || s->state == SPEND_BUILT) {
        if (one_in(d, 6))
            return ledger_end(d->rig.db, s, SPEND_CANCELLED, CODE_NONE, "", err);
        if (s->state == SPEND_RESERVED)
            return build(d, s, err);
    }
    if (!ledger_attempts(d->rig.db, &all, s->id, test_arena(), err))
        return false;
    if (s->state == SPEND_BUILT || s->state == SPEND_SIGNING || s->state == SPEND_PARKED)
        return gather(d, s, &all.items[0], err);
    if (s->state == SPEND_SIGNED)
        return one_in(d, 2) ? ledger_sent(d->rig.db, s, &all.items[0], err)
                            : ledger_sent_and_let_go(d->rig.db, s, &all.items[0], INT64_MAX, err);
    return confirm(d, s, &all.items[0], err);
}

// Takes what is due, and goes on with it to its end. False: nothing was due, or the ledger was away.
static bool work(struct driver *d, struct err *err)
{
    struct spend s;
    bool found;
    if (!ledger_claim(d->rig.db, &s, &found, "me", 500000, err) || !found)
        return false;
    for (unsigned i = 0; i < STEPS_MAX && !spend_state_is_final(s.state); i++) {
        arena_reset(test_arena());
        if (!step(d, &s, err))
            return false;
    }
    if (s.state == SPEND_SETTLED)
        d->n_sent++;
    else
        d->n_ended++;
    return true;
}

// The reconciler: what was sent is six blocks deep.
static void see_all(struct ledger_rig *rig)
{
    const struct sighting sight = { SIGHT_BLOCK, { { 1 } }, 100, 6 };
    struct live_attempts all;
    struct err err;
    bool ours;
    if (!ledger_live_attempts(rig->db, &all, rig->wallet, test_arena(), &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < all.n; i++)
        if (all.items[i].spend_state == SPEND_SENT || all.items[i].spend_state == SPEND_CONFIRMED)
            if (!ledger_sighted(rig->db, rig->wallet, &all.items[i].txid, &sight, &ours, &err))
                fail_msg("%s", err.text);
}

static void assert_sound(struct ledger_rig *rig)
{
    struct err err;
    if (!invariants_check(rig->db, &err))
        fail_msg("%s", err.text);
}

// --- At each commit ---

static void live(const struct ledger_rig *rig, const char *stop)
{
    struct driver d = { .rig = *rig };
    struct err err;
    REQUIRE(setenv("CASEMATE_STOP", stop, 1) == 0);
    d.rig.db = NULL;
    REQUIRE(db_open(&d.rig.db, &d.rig.options, &err));
    REQUIRE(submit(&d, "the-request", 100, &err));
    (void)work(&d, &err);
    _exit(0);
}

// D4: whatever it was killed at, the next one finishes it, and pays once.
static bool dies_at(struct ledger_rig *rig, const char *stop)
{
    struct driver d;
    struct err err;
    int status;
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        live(rig, stop);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!killed && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        fail_msg("%s: the process ended with %d", stop, status);
    assert_sound(rig);
    rig_sleep(rig, 1); // its lease is over
    d = (struct driver){ .rig = *rig };
    if (!submit(&d, "the-request", 100, &err))
        fail_msg("%s", err.text);
    (void)work(&d, &err);
    see_all(rig);
    assert_sound(rig);
    if (rig_number(rig, "SELECT count(*) FROM spend WHERE state = 'settled'") != 1 ||
        rig_number(rig, "SELECT count(*) FROM spend") != 1)
        fail_msg("%s: not finished: %s", stop, err.text);
    assert_int_equal(
        rig_number(rig, "SELECT CAST(sum(sat) AS bigint) FROM reservation WHERE status = 'sent'"),
        100);
    return killed;
}

static void kill_everywhere(void (*open)(struct ledger_rig *), const char *place)
{
    unsigned n = 0;
    for (bool killed = true; killed; n++) {
        struct ledger_rig rig;
        char stop[32];
        (void)snprintf(stop, sizeof stop, "%s:%u", place, n + 1);
        open(&rig);
        killed = dies_at(&rig, stop);
        rig_close(&rig);
        if (open == rig_sqlite) {
            (void)unlink(rig.place);
        }
    }
    print_message("# killed at %u of them\n", n - 1);
#ifdef CASEMATE_SIMULATOR
    assert_true(n > 10);
#endif
}

static void open_postgres(struct ledger_rig *rig)
{
    rig_postgres(rig, rig_server());
}

TEST(coordinator_F22_killed_before_each_commit_on_sqlite)
{
    kill_everywhere(rig_sqlite, "commit");
}

TEST(coordinator_F22_killed_after_each_commit_on_sqlite)
{
    kill_everywhere(rig_sqlite, "committed");
}

TEST(coordinator_F22_killed_after_each_commit_on_postgresql)
{
    if (!rig_server())
        skip();
    kill_everywhere(open_postgres, "committed");
}

// --- Under load ---

static NORETURN void load(const struct ledger_rig *rig)
{
    struct driver d = { .rig = *rig, .chance = true };
    struct err err = { .code = ERR_NONE };
    char id[64];
    // Of its own numbers: children of one parent begin alike.
    d.rig.n_txs = random_below(UINT32_MAX);
    d.rig.db = NULL;
    while (!db_open(&d.rig.db, &d.rig.options, &err))
        (void)usleep(10000);
    for (unsigned i = 0;; i++) {
        (void)snprintf(id, sizeof id, "%ld-%u-%u", (long)getpid(), random_below(UINT32_MAX), i);
        // Whatever fails is another's by now, or waits for the killed one's lease; the rest goes on.
        if (submit(&d, id, 1 + random_below(150), &err) &&
            ledger_reconciled(d.rig.db, d.rig.wallet, &err))
            (void)work(&d, &err);
        REQUIRE(err.code != ERR_INTERNAL && err.code != ERR_INVALID);
    }
}

static pid_t start(const struct ledger_rig *rig)
{
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        load(rig);
    return pid;
}

static void end(pid_t pid)
{
    int status;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); // and not of an error before
}

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

// Three replicas on one ledger, one killed every second: the cap is never passed, and nothing is lost.
TEST(coordinator_F14_C7_three_replicas_one_killed_each_second)
{
    const char *text = getenv("LOAD_SECONDS");
    const int64_t ends_ms = now_ms() + 1000 * (text ? strtoll(text, NULL, 10) : 3);
    struct ledger_rig rig;
    struct velocity_view v;
    struct err err;
    pid_t pids[PROCESSES];
    uint64_t n_looks = 0, most = 0, n_kills = 0;
    if (!rig_server())
        skip();
    rig_postgres(&rig, rig_server());
    rig_caps(&rig, CAP, CAP, 1000000);
    rig_exec(&rig, "UPDATE velocity_guard SET window_s = 2");
    for (unsigned i = 0; i < PROCESSES; i++)
        pids[i] = start(&rig);
    for (int64_t next_kill_ms = now_ms() + 1000; now_ms() < ends_ms; n_looks++) {
        if (!ledger_velocity(rig.db, &v, rig.wallet, &err))
            fail_msg("%s", err.text);
        most = v.spent.n > most ? v.spent.n : most;
        assert_in_range(v.spent.n, 0, CAP);
        (void)usleep(20000);
        if (now_ms() >= next_kill_ms) {
            const unsigned which = random_below(PROCESSES);
            end(pids[which]);
            pids[which] = start(&rig);
            next_kill_ms += 1000;
            n_kills++;
        }
    }
    for (unsigned i = 0; i < PROCESSES; i++)
        end(pids[i]);
    assert_sound(&rig);
    print_message(
        "# counted: %lld spends, %lld settled, %lld rejected, %llu kills, at most %llu of %d, %llu "
        "looks\n",
        (long long)rig_number(&rig, "SELECT count(*) FROM spend"),
        (long long)rig_number(&rig, "SELECT count(*) FROM spend WHERE state = 'settled'"),
        (long long)rig_number(&rig, "SELECT count(*) FROM spend WHERE state = 'rejected'"),
        (unsigned long long)n_kills, (unsigned long long)most, CAP, (unsigned long long)n_looks);
    // What the killed ones left behind is finished by one that remains.
    struct driver d = { .rig = rig };
    rig_sleep(&rig, 1);
    d.rig = rig;
    while (work(&d, &err))
        continue;
    see_all(&rig);
    assert_sound(&rig);
    assert_int_equal(rig_number(&rig, "SELECT count(*) FROM reservation WHERE status = 'open'"), 0);
    rig_close(&rig);
}
