#include "base/file.h"
#include "coordinator/fleet.h"
#include "tests/support/team.h"
#include "tests/support/test.h"

// --- Asking ---

TEST(coordinator_D8_answers)
{
    struct team t;
    prepare(&t);
    start(&t);
    wait_until_ready(&t);
    struct fleet_answer a = ask(&t, 0, NULL);
    assert_int_equal(a.outcome, FLEET_SIGNED);
    assert_bytes_text(a.psbt, "psbt");
    assert_string_equal(a.tag, "");
    assert_int_equal(view_of(&t, 0).approvals, 1);
    fake_lock();
    t.device[0]->outcome = PORT_REFUSED;
    t.device[0]->refusal = "Rejected: rule #1: amount exceeded\n";
    fake_unlock();
    a = ask(&t, 0, NULL);
    assert_int_equal(a.outcome, FLEET_REFUSED);
    assert_string_equal(a.tag, "amount");
    assert_string_equal(a.text, "Rejected: rule #1: amount exceeded\\x0a");
    assert_int_equal(view_of(&t, 0).refusals, 1);
    static const struct {
        enum port_outcome port;
        enum fleet_outcome fleet;
    } rows[] = { { PORT_GONE, FLEET_GONE },
                 { PORT_TIMEOUT, FLEET_TIMEOUT },
                 { PORT_BUSY, FLEET_BUSY },
                 { PORT_UNSENT, FLEET_UNSENT } };
    for (size_t i = 0; i < COUNT(rows); i++) {
        fake_lock();
        t.device[1]->outcome = rows[i].port;
        fake_unlock();
        assert_int_equal(ask(&t, 1, NULL).outcome, rows[i].fleet);
    }
    drop(&t);
}

// Inv. 25 and 27: between the look and the request it was restarted, or has refused too often.
TEST(coordinator_inv_25_inv_27_looked_at_before_asked)
{
    struct team t;
    prepare(&t);
    start(&t);
    wait_until_ready(&t);
    fake_lock();
    fake_device_restart(t.device[0]);
    t.device[1]->refusals = 80;
    fake_unlock();
    assert_int_equal(ask(&t, 0, NULL).outcome, FLEET_UNSENT);
    const struct fleet_answer a = ask(&t, 1, NULL);
    assert_int_equal(a.outcome, FLEET_UNSENT);
    assert_string_equal(a.text, "not ready: 80 refusals");
    assert_int_equal(t.device[0]->n_sign + t.device[1]->n_sign, 0);
    drop(&t);
}

// The code goes to the signer right before the PSBT, and nowhere else.
TEST(coordinator_F40_code_is_relayed_and_never_stored)
{
    struct team t;
    struct bytes store;
    struct err err;
    const struct fleet_auth six = { .user = "", .code = "847291", .counter = 77, .given = true };
    const struct fleet_auth token = { .user = "alice",
                                      .code = "000102030405060708090a0b0c0d0e0f1011121314151617"
                                              "18191a1b1c1d1e1f",
                                      .given = true };
    const struct fleet_auth bad = { .code = "12345", .given = true };
    prepare(&t);
    start(&t);
    wait_until_ready(&t);
    t.device[0]->calls[0] = '\0';
    assert_int_equal(ask(&t, 0, &six).outcome, FLEET_SIGNED);
    assert_string_equal(t.device[0]->calls, "auth sign ");
    assert_string_equal(t.device[0]->user, "owner");
    assert_memory_equal(t.device[0]->token, "847291", 6);
    assert_int_equal(t.device[0]->counter, 77);
    assert_int_equal(ask(&t, 0, &token).outcome, FLEET_SIGNED);
    assert_string_equal(t.device[0]->user, "alice");
    assert_int_equal(t.device[0]->token_len, 32);
    assert_int_equal(t.device[0]->token[31], 0x1f);
    assert_int_equal(t.device[0]->counter, 0);
    const unsigned n_sign = t.device[0]->n_sign;
    assert_int_not_equal(ask(&t, 0, &bad).outcome, FLEET_SIGNED);
    assert_int_equal(t.device[0]->n_sign, n_sign);
    fleet_free(t.fleet);
    t.fleet = NULL;
    static const char *const ends[] = { "", "-wal" };
    for (size_t i = 0; i < COUNT(ends); i++) {
        char path[400];
        (void)snprintf(path, sizeof path, "%s%s", t.rig.place, ends[i]);
        if (!file_read(&store, path, 64 << 20, test_arena(), &err))
            continue;
        assert_null(memmem(store.ptr, store.len, "847291", 6));
        assert_null(memmem(store.ptr, store.len, token.code, 64));
    }
    drop(&t);
}

TEST(coordinator_F10_message_of_a_liar)
{
    struct team t;
    struct fleet_message m;
    prepare(&t);
    start(&t);
    wait_until_ready(&t);
    fleet_sign_message(t.fleet, t.rig.signers[0], BYTES("two of three"), "m/48h/1h/0h/2h/0/0", &m);
    assert_false(m.ok);
    assert_string_equal(m.tag, "protocol");
    drop(&t);
}

// Inv. 22: one signer hangs in every call; the others are asked as if it were not there.
TEST(coordinator_inv_22_one_hangs)
{
    struct team t;
    struct fleet_signer chosen[SIGNERS_MAX];
    size_t n;
    struct err err;
    prepare(&t);
    start(&t);
    wait_until_ready(&t);
    fake_lock();
    t.device[0]->hang_ms = 9000;
    fake_unlock();
    const int64_t start_ms = wait_now_ms();
    for (int i = 0; i < 20; i++) {
        assert_int_equal(ask(&t, 1, NULL).outcome, FLEET_SIGNED);
        assert_int_equal(ask(&t, 2, NULL).outcome, FLEET_SIGNED);
    }
    assert_true(wait_now_ms() - start_ms < 8000);
    // And soon it is not chosen any more: two are left.
    wait_for_state(&t, 0, "new");
    assert_true(fleet_choose(t.fleet, t.rig.wallet, 2, (struct sats){ 1 }, TIER_AUTO, NULL, 0,
                             chosen, &n, &err));
    assert_int_equal(n, 2);
    assert_int_not_equal(chosen[0].number, 1);
    assert_int_not_equal(chosen[1].number, 1);
    const int64_t stop_ms = wait_now_ms();
    drop(&t); // does not wait for it either
    assert_true(wait_now_ms() - stop_ms < FLEET_STOP_MS);
}

struct asker {
    struct team *t;
    unsigned n_signed;
};

static void *ask_all(void *argument)
{
    struct asker *a = argument;
    for (size_t i = 0; i < 30; i++) {
        AUTO(arena_freep) struct arena *arena = arena_new(4096);
        struct fleet_answer answer;
        fleet_sign(a->t->fleet, a->t->rig.signers[i % RIG_SIGNERS], BYTES("psbt"), NULL, NULL,
                   &answer, arena);
        a->n_signed += answer.outcome == FLEET_SIGNED;
    }
    return NULL;
}

// Inv. 16: many ask, each signer has one conversation at a time (see drop).
TEST(coordinator_inv_16_one_conversation)
{
    struct team t;
    struct asker askers[6];
    pthread_t threads[6];
    prepare(&t);
    start(&t);
    wait_until_ready(&t);
    for (size_t i = 0; i < COUNT(askers); i++) {
        askers[i] = (struct asker){ &t, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, ask_all, &askers[i]), 0);
    }
    for (size_t i = 0; i < COUNT(askers); i++) {
        (void)pthread_join(threads[i], NULL);
        assert_int_equal(askers[i].n_signed, 30);
    }
    drop(&t);
}

static void use_postgres(struct team *t)
{
    rig_close(&t->rig);
    rig_postgres(&t->rig, rig_server());
    fake_devices_reset();
    fill(t);
    t->options.db = &t->rig.options;
}

// Two replicas on one PostgreSQL, the same signers: the lease keeps their conversations apart.
TEST(coordinator_F36_lease_between_replicas)
{
    struct team t, other;
    struct asker askers[2];
    pthread_t threads[2];
    if (rig_server() == NULL)
        skip();
    prepare(&t);
    use_postgres(&t);
    start(&t);
    wait_until_ready(&t);
    other = t;
    other.options.holder = "other";
    other.options.health_fd = -1;
    start(&other);
    wait_until_ready(&other);
    askers[0] = (struct asker){ &t, 0 };
    askers[1] = (struct asker){ &other, 0 };
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_all, &askers[i]), 0);
    for (size_t i = 0; i < 2; i++)
        (void)pthread_join(threads[i], NULL);
    assert_int_equal(askers[0].n_signed + askers[1].n_signed, 60);
    fleet_free(other.fleet);
    drop(&t);
}

// --- A lease that is kept, or is not ---

// The first device hangs from now on, in a conversation that has begun.
static void hang(struct team *t)
{
    fake_lock();
    t->device[0]->hang_ms = PATIENCE_MS;
    fake_unlock();
    for (int ms = 0;; ms += 5) {
        fake_lock();
        const bool talks = t->device[0]->n_talking > 0;
        fake_unlock();
        if (talks)
            return;
        assert_true(ms < PATIENCE_MS);
        (void)usleep(5000);
    }
}

static bool talks(struct team *t)
{
    fake_lock();
    const bool talks = t->device[0]->n_talking > 0;
    fake_unlock();
    return talks;
}

// How long the first signer's lease lasts yet.
static int64_t lease_left_ms(struct team *t)
{
    struct db_rows rows;
    int64_t now_us;
    struct err err;
    assert_true(db_query(t->rig.db, &rows, "SELECT until FROM signer_lease WHERE signer_id = $1",
                         DB_ARGS(db_text(t->rig.signers[0])), test_arena(), &err));
    assert_true(db_now_us(t->rig.db, &now_us, &err));
    return (db_cell_int(&rows, 0, 0) - now_us) / 1000;
}

#define START_ON_POSTGRES(t, hold_ms)                                                              \
    do {                                                                                           \
        if (rig_server() == NULL)                                                                  \
            skip();                                                                                \
        prepare(t);                                                                                \
        use_postgres(t);                                                                           \
        (t)->options.lease_ms = (hold_ms);                                                         \
        start(t);                                                                                  \
        wait_until_ready(t);                                                                       \
    } while (0)

static void *ask_first(void *context)
{
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 16);
    struct team *t = context;
    struct fleet_answer answer;
    fleet_sign(t->fleet, t->rig.signers[0], BYTES("psbt"), NULL, NULL, &answer, arena);
    return NULL;
}

// D4: what a replica that died talked to is free as soon as a spend that it held.
TEST(coordinator_F36_leases_are_short)
{
    struct team t;
    pthread_t thread;
    int64_t most_ms = 0;
    START_ON_POSTGRES(&t, 0);
    fake_lock();
    t.device[0]->hang_ms = 1000;
    fake_unlock();
    assert_int_equal(pthread_create(&thread, NULL, ask_first, &t), 0);
    for (int64_t end_ms = wait_now_ms() + PATIENCE_MS; most_ms < 20000 && wait_now_ms() < end_ms;
         (void)usleep(20000)) {
        const int64_t left_ms = lease_left_ms(&t);
        most_ms = left_ms > most_ms ? left_ms : most_ms;
    }
    (void)pthread_join(thread, NULL);
    assert_in_range(most_ms, 20000, 30000);
    drop(&t);
}

// However long a conversation takes, nobody else gets in.
TEST(coordinator_F36_inv_16_a_lease_is_kept_while_they_talk)
{
    struct team t;
    struct err err;
    bool taken;
    START_ON_POSTGRES(&t, 3000);
    hang(&t);
    for (int64_t end_ms = wait_now_ms() + 4000; wait_now_ms() < end_ms; (void)usleep(50000)) {
        assert_in_range(lease_left_ms(&t), 1, 3000);
        assert_true(ledger_lease_signer(t.rig.db, t.rig.signers[0], "other", 1, &taken, &err));
        assert_false(taken);
        assert_true(talks(&t));
    }
    drop(&t);
}

// A replica that slept finds that another has the device: it stops at once, and does not get it back.
TEST(coordinator_F36_inv_16_who_was_overtaken_stops)
{
    struct team t;
    bool kept;
    struct err err;
    START_ON_POSTGRES(&t, 3000);
    hang(&t);
    rig_exec(&t.rig, "UPDATE signer_lease SET holder = 'other', until = 9000000000000000");
    const int64_t start_ms = wait_now_ms();
    while (talks(&t))
        assert_true(wait_now_ms() - start_ms < PATIENCE_MS / 2);
    assert_true(wait_now_ms() - start_ms < 2000); // before the lease that it thinks it has is over
    assert_true(ledger_keep_signer(t.rig.db, t.rig.signers[0], "me", 1000, &kept, &err));
    assert_false(kept);
    assert_int_equal(
        rig_number(&t.rig, "SELECT count(*) FROM signer_lease WHERE holder <> 'other'"), 0);
    drop(&t);
}

// Cut off from the store, it stops while the device is still its own.
TEST(coordinator_F36_inv_16_who_cannot_keep_it_stops_in_time)
{
    struct team t;
    struct db_rows rows;
    struct err err;
    START_ON_POSTGRES(&t, 3000);
    hang(&t);
    struct db *other = rig_connect(&t.rig);
    assert_true(db_begin(other, &err)); // whoever writes the row waits
    assert_true(db_query(other, &rows, "SELECT 1 FROM signer_lease FOR UPDATE", DB_NONE,
                         test_arena(), &err));
    const int64_t start_ms = wait_now_ms();
    for (; talks(&t); (void)usleep(2000))
        assert_true(wait_now_ms() - start_ms < PATIENCE_MS / 2);
    assert_in_range(lease_left_ms(&t), 1, 3000);
    db_rollback(other);
    db_close(&other);
    drop(&t);
}

// A replica slept between its word that it asks and the device: another has the spend by now, and may have asked. Nothing
// goes to the device, and no code either.
TEST(coordinator_F36_inv_15_a_spend_that_is_anothers_is_not_asked_for)
{
    const struct fleet_auth six = { .user = "", .code = "847291", .counter = 77, .given = true };
    struct fleet_answer answer;
    struct team t;
    START_ON_POSTGRES(&t, 0);
    struct spend s = rig_claimed(&t.rig, 100);
    fake_lock();
    t.device[0]->calls[0] = '\0';
    fake_unlock();
    fleet_sign(t.fleet, t.rig.signers[0], BYTES("psbt"), &s, NULL, &answer, test_arena());
    assert_int_equal(answer.outcome, FLEET_SIGNED);
    assert_true(did(t.device[0], "sign"));
    fake_lock();
    t.device[0]->calls[0] = '\0';
    fake_unlock();
    struct spend taken = s;
    rig_hold(&t.rig, &taken, "other");
    fleet_sign(t.fleet, t.rig.signers[0], BYTES("psbt"), &s, &six, &answer, test_arena());
    assert_int_equal(answer.outcome, FLEET_UNSENT);
    assert_string_equal(answer.text, "another replica has the spend");
    rig_hold(&t.rig, &s, "me");
    rig_exec(&t.rig, "UPDATE spend SET lease_until = 1"); // whoever wants it takes it
    fleet_sign(t.fleet, t.rig.signers[0], BYTES("psbt"), &s, &six, &answer, test_arena());
    assert_int_equal(answer.outcome, FLEET_UNSENT);
    assert_false(did(t.device[0], "auth") || did(t.device[0], "sign"));
    drop(&t);
}

// A lease that ended is not kept, also by who had it last.
TEST_BOTH(coordinator_F36_inv_15_a_lease_that_ended_is_not_kept)
{
    bool taken, kept;
    struct err err;
    const char *id = rig->signers[0];
    assert_true(ledger_lease_signer(rig->db, id, "me", 1000000, &taken, &err) && taken);
    assert_true(ledger_keep_signer(rig->db, id, "me", 5000000, &kept, &err) && kept);
    assert_true(ledger_keep_signer(rig->db, id, "other", 5000000, &kept, &err) && !kept);
    assert_true(ledger_end_lease(rig->db, id, "me", &err));
    assert_true(ledger_keep_signer(rig->db, id, "me", 5000000, &kept, &err) && !kept);
    assert_true(ledger_lease_signer(rig->db, id, "me", 1000000, &taken, &err) && taken);
    rig->offset_us += 2000000;
    assert_true(ledger_keep_signer(rig->db, id, "me", 5000000, &kept, &err) && !kept);
    assert_int_equal(rig_number(rig, "SELECT fence FROM signer_lease"), 1);
}

// --- Choosing and budgets ---

static enum code choice_code(struct team *t, uint64_t amount, enum tier tier, size_t *n)
{
    struct fleet_signer chosen[SIGNERS_MAX];
    struct err err;
    return fleet_choose(t->fleet, t->rig.wallet, 2, (struct sats){ amount }, tier, NULL, 0, chosen,
                        n, &err)
               ? CODE_NONE
               : code_of(&err);
}

// D9 "not cooling", D16 `cool_until`: who did not answer one replica is not chosen by another, nor by the next
// process.
TEST(coordinator_D9_a_cooling_signer_is_known_to_all)
{
    struct team t;
    size_t n;
    prepare(&t);
    start(&t);
    wait_until_ready(&t);
    fake_lock();
    t.device[0]->outcome = PORT_TIMEOUT;
    fake_unlock();
    assert_int_equal(ask(&t, 0, NULL).outcome, FLEET_TIMEOUT);
    assert_int_equal(rig_number(&t.rig, "SELECT count(*) FROM signer WHERE cool_until IS NOT NULL"),
                     1);
    assert_int_equal(choice_code(&t, 1, TIER_AUTO, &n), CODE_NONE);
    assert_int_equal(n, 2);
    fleet_free(t.fleet);
    start(&t);
    wait_until_ready(&t);
    assert_int_equal(choice_code(&t, 1, TIER_AUTO, &n), CODE_NONE);
    assert_int_equal(n, 2);
    drop(&t);
}

TEST(coordinator_F37_choosing_and_why_not)
{
    struct team t;
    struct fleet_signer chosen[SIGNERS_MAX];
    char exclude[1][ID_SIZE];
    size_t n;
    struct err err;
    prepare(&t);
    start(&t);
    wait_until_ready(&t);
    assert_int_equal(choice_code(&t, 1000, TIER_AUTO, &n), CODE_NONE);
    assert_int_equal(n, 3); // two, and one that can stand in
    assert_int_equal(choice_code(&t, 1001, TIER_AUTO, &n), CODE_SURGE_REQUIRED);
    assert_int_equal(choice_code(&t, 10000, TIER_SURGE, &n), CODE_NONE);
    assert_int_equal(choice_code(&t, 10001, TIER_SURGE, &n), CODE_VELOCITY_EXCEEDED);
    assert_int_equal(choice_code(&t, 10001, TIER_AUTO, &n), CODE_VELOCITY_EXCEEDED);
    memcpy(exclude[0], t.rig.signers[0], ID_SIZE);
    assert_true(fleet_choose(t.fleet, t.rig.wallet, 1, (struct sats){ 1 }, TIER_AUTO,
                             (const char(*)[ID_SIZE])exclude, 1, chosen, &n, &err));
    assert_int_equal(n, 2);
    assert_int_equal(chosen[0].number, 2);
    fake_lock();
    t.device[0]->absent = t.device[1]->absent = true;
    fake_unlock();
    wait_for_state(&t, 0, "new");
    wait_for_state(&t, 1, "new");
    assert_int_equal(choice_code(&t, 1, TIER_AUTO, &n), CODE_QUORUM_LOST);
    struct signer_limits limits;
    assert_true(
        fleet_limits(t.fleet, t.rig.signers[2], t.rig.wallet, TIER_SURGE, &limits, test_arena()));
    assert_string_equal(limits.name, "C");
    assert_int_equal(limits.max_amount.n, 10000);
    assert_int_equal(limits.n_whitelist, 1);
    assert_bytes_text(limits.whitelist[0], SINK);
    assert_false(fleet_limits(t.fleet, t.rig.signers[2], "another wallet", TIER_AUTO, &limits,
                              test_arena()));
    drop(&t);
}

// What a device reports is what counts, before a restart and after; a fresh period is noticed.
TEST(coordinator_F38_budget_over_restarts)
{
    struct team t;
    prepare(&t);
    t.section[1].boots_to_hsm = true;
    start(&t);
    wait_until_ready(&t);
    fake_lock();
    t.device[0]->spent[0].n = 2500;
    t.device[0]->period_left_s = 600;
    fake_unlock();
    for (int ms = 0; view_of(&t, 0).budget_auto.n != 500; ms += 10) {
        assert_true(ms < PATIENCE_MS);
        (void)usleep(10000);
    }
    assert_int_equal(view_of(&t, 0).budget_surge.n, 30000);
    assert_true(view_of(&t, 0).window_ends_us > 0);
    fake_lock(); // a restart of a signer whose velocity is durable: it says the same
    t.device[0]->active_ms = wait_now_ms();
    t.device[0]->period_left_s = 500;
    fake_unlock();
    (void)usleep(400000); // it was looked at
    assert_int_equal(view_of(&t, 0).budget_auto.n, 500);
    // One that tells nothing, and boots to HSM: after a restart all of it may be spent.
    fake_lock();
    t.device[1]->shows_nothing = true;
    t.device[1]->active_ms = wait_now_ms();
    fake_unlock();
    for (int ms = 0; view_of(&t, 1).budget_auto.n != 0; ms += 10) {
        assert_true(ms < PATIENCE_MS);
        (void)usleep(10000);
    }
    drop(&t);
}
