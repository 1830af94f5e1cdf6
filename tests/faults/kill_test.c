// SIGKILL at moments that nobody chose, from the first start to the end of a life: unlocking,
// activation, signing, locking, shutting down.
//
// After each death: the store opens, its journal verifies and leads on from the one before, and what
// hosts have signatures for is charged. FAULT_COUNT deaths a test.
#include "base/file.h"
#include "base/require.h"
#include "crypto/random.h"
#include "policy/journal_verify.h"
#include "tests/faults/rig.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAMPLE = 6, CLIENTS = 3, SATS = 1000 };

#define POLICY "{\"period\":600,\"rules\":[{\"per_period\":2000000000}]}"

static long moment(uint32_t below_ms)
{
    return (long)random_below(below_ms);
}

// What clients tell, whatever becomes of them.
struct told {
    int ends[2];
};

// As it asks who sees its signer die: there will be no reply.
static struct rig impatient(const struct rig *rig)
{
    struct rig mine = *rig;
    mine.reply_ms = 1000;
    return mine;
}

static NORETURN void sign_until_it_goes(const struct rig *rig, const struct told *told)
{
    AUTO(connection_closep) struct connection *c = NULL;
    AUTO(arena_freep) struct arena *arena = arena_new(1u << 20);
    const struct bytes psbt = rig_payment(SATS, (uint32_t)getpid());
    const struct rig mine = impatient(rig);
    struct err err;
    bool ok = rig_try_connect(&mine, &c, &err);
    while (ok) {
        arena_reset(arena);
        ok = rig_sign(c, psbt, arena, &err) == RIG_SIGNED;
        if (ok)
            REQUIRE(write(told->ends[1], "s", 1) == 1);
    }
    _exit(0);
}

static unsigned signatures_told(const struct told *told)
{
    uint8_t all[65536];
    const ssize_t n = read(told->ends[0], all, sizeof all);
    return n > 0 ? (unsigned)n : 0;
}

static struct told open_told(void)
{
    struct told told;
    assert_int_equal(pipe2(told.ends, O_CLOEXEC | O_NONBLOCK), 0);
    return told;
}

// --- What must hold after a death ---

struct life {
    struct rig rig;
    uint64_t n_signed, spent;
    unsigned deaths, n_armed;
};

// Up to its wire socket; a stored policy that is offered is answered with the key.
static struct connection *come_up(struct rig *rig, const char *key)
{
    struct connection *c = NULL;
    struct err err;
    rig_start_offering(rig);
    for (int ms = 0; !rig_try_connect(rig, &c, &err); ms += 20) {
        if (ms > 20000 || !rig_runs(rig))
            fail_msg("%s: %.*s", err.text, BYTES_ARG(rig_said(rig)));
        rig_pause_ms(20);
        (void)rig_keys(rig, key);
    }
    return c;
}

// It comes up, and is armed again if it was; what was signed is charged.
static void look_at_it(struct life *life)
{
    AUTO(connection_closep) struct connection *c = come_up(&life->rig, "y");
    const struct hsm_status status = rig_status(c);
    life->n_armed += status.active;
    if (status.active) {
        life->spent = rig_spent(&status);
        assert_true(life->spent >= life->n_signed * SATS);
    } else {
        assert_true(life->n_signed == 0); // no signature without a policy
    }
}

static void die(struct life *life)
{
    const int status = rig_signal(&life->rig, SIGKILL);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail_msg("wait status %x: %.*s", (unsigned)status, BYTES_ARG(rig_said(&life->rig)));
    (void)unlink(life->rig.socket);
    (void)unlink(life->rig.panel);
    life->deaths++;
}

static struct life begin_life(void)
{
    return (struct life){ .rig = rig_prepare() };
}

// After a clean end the file has every line that the store ever had.
static void check_journal(const struct life *life)
{
    char path[RIG_PATH + 32];
    uint8_t key[32];
    AUTO(seckey_wipe) struct seckey secret = { 0 };
    struct journal_verifier verifier;
    struct bytes text;
    struct err err;
    (void)snprintf(path, sizeof path, "%s/journal.jsonl", life->rig.store);
    if (!file_read(&text, path, 64u << 20, test_arena(), &err))
        fail_msg("%s", err.text);
    assert_true(journal_key(&secret, &rig_master()->key, &err));
    journal_public_key(key, &secret);
    if (!journal_verify(&verifier, text, key, NULL)) {
        struct writer w = writer_growing(test_arena(), 4096);
        journal_fault_write(&w, &verifier.faults[0]);
        fail_msg("%.*s", BYTES_ARG(writer_bytes(&w)));
    }
    assert_int_equal(verifier.n_good, verifier.n_lines);
}

static void end_life(struct life *life)
{
    rig_stop(&life->rig);
    check_journal(life);
    print_message("# counted: %u deaths, armed after %u of them, %u signatures\n", life->deaths,
                  life->n_armed, (unsigned)life->n_signed);
}

// --- Lives ---

// Made, unlocked and opened again and again, dying on the way.
TEST(death_while_it_starts)
{
    struct life life = begin_life();
    const unsigned n = (unsigned)rig_count(SAMPLE);
    for (unsigned i = 0; i < n; i++) {
        rig_spawn(&life.rig, false);
        rig_pause_ms(moment(60));
        die(&life);
    }
    look_at_it(&life);
    end_life(&life);
}

static NORETURN void arm_and_exit(const struct rig *rig)
{
    const struct rig mine = impatient(rig);
    (void)rig_try_arm(&mine, POLICY);
    _exit(0);
}

// The policy is stored whole and active, or not at all.
TEST(death_while_it_arms)
{
    struct life life = begin_life();
    const unsigned n = (unsigned)rig_count(SAMPLE);
    for (unsigned i = 0; i < n; i++) {
        connection_close(come_up(&life.rig, "x")); // from normal mode each time
        const pid_t person = fork();
        if (person == 0)
            arm_and_exit(&life.rig);
        rig_pause_ms(moment(80));
        die(&life);
        (void)waitpid(person, NULL, 0);
    }
    look_at_it(&life);
    assert_int_equal(rig_state(&life.rig), life.n_armed > 0 ? PANEL_HSM : PANEL_NORMAL);
    end_life(&life);
}

static void sign_and_die(struct life *life, const struct told *told, bool told_to_end)
{
    pid_t clients[CLIENTS];
    for (int k = 0; k < CLIENTS; k++) {
        clients[k] = fork();
        if (clients[k] == 0)
            sign_until_it_goes(&life->rig, told);
    }
    rig_pause_ms(20 + moment(250));
    if (told_to_end) { // it dies while it shuts down
        (void)kill(life->rig.pid, SIGTERM);
        rig_pause_ms(moment(8));
        (void)kill(life->rig.pid, SIGKILL);
        (void)rig_wait(&life->rig);
        (void)unlink(life->rig.socket);
        (void)unlink(life->rig.panel);
        life->deaths++;
    } else {
        die(life);
    }
    for (int k = 0; k < CLIENTS; k++)
        (void)waitpid(clients[k], NULL, 0);
    life->n_signed += signatures_told(told);
}

// Never a signature without its charge; what was charged and not signed is what was under way.
TEST(death_while_it_signs)
{
    struct life life = begin_life();
    const struct told told = open_told();
    const unsigned n = (unsigned)rig_count(SAMPLE);
    rig_start(&life.rig);
    rig_arm(&life.rig, POLICY);
    for (unsigned i = 0; i < n; i++) {
        sign_and_die(&life, &told, i % 3 == 2);
        look_at_it(&life);
        assert_int_equal(life.n_armed, i + 1); // the policy is there whatever happens
        assert_true(life.spent <= (life.n_signed + (uint64_t)(i + 1) * CLIENTS) * SATS);
    }
    end_life(&life);
}

// Locked and unlocked by an operator, with a real PIN.
TEST(death_while_it_locks_and_unlocks)
{
    struct life life = begin_life();
    struct rig *rig = &life.rig;
    const unsigned n = (unsigned)rig_count(SAMPLE);
    rig_init(rig);
    for (unsigned i = 0; i < n; i++) {
        rig_start_locked(rig);
        if (i % 2 == 0) {
            rig_unlock(rig);
            const pid_t person = fork();
            if (person == 0) {
                (void)(rig_menu(rig, PANEL_LOCK) && rig_keys(rig, "y"));
                _exit(0);
            }
            rig_pause_ms(moment(30));
            die(&life);
            (void)waitpid(person, NULL, 0);
        } else {
            const pid_t person = fork();
            if (person == 0) {
                (void)rig_text(rig, RIG_PIN);
                _exit(0);
            }
            rig_pause_ms(moment(1200)); // what Argon2id takes
            die(&life);
            (void)waitpid(person, NULL, 0);
        }
    }
    rig_start_locked(rig);
    rig_unlock(rig);
    rig_stop(rig);
    check_journal(&life);
    print_message("# counted: %u deaths\n", life.deaths);
}
