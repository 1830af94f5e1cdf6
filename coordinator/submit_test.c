// Which of a person's payments count against what that person may ask for.
#include "coordinator/submit.h"
#include "tests/support/ledger_rig.h"
#include "tests/support/test.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define PER_WINDOW 30000

// By a connection of its own, as another replica has.
static enum code ask_by(const struct ledger_rig *rig, struct db *db, const char *request_id,
                        uint64_t sat)
{
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct person person;
    struct spend spend;
    struct err err;
    bool is_new;
    struct treasury_wallet wallet = { .rules.amount_max = { SATS_MAX } };
    memcpy(wallet.row.id, rig->wallet, ID_SIZE);
    struct submission s = { .wallet = &wallet, .request_id = bytes_of_text(request_id) };
    s.outputs[s.n_outputs++] = (struct spend_output){ .script = BYTES("hot"),
                                                      .address = BYTES("bcrt1hot"),
                                                      .amount = { sat } };
    memcpy(s.outputs[0].destination_id, rig->destination, ID_SIZE);
    return people_load(db, &person, rig->principal, arena, &err) &&
                   submit(db, &s, &person, &spend, &is_new, arena, &err)
               ? CODE_NONE
               : code_of(&err);
}

static enum code ask(struct ledger_rig *rig, const char *request_id, uint64_t sat)
{
    return ask_by(rig, rig->db, request_id, sat);
}

static void limit(struct ledger_rig *rig)
{
    const struct actor host = { "host", NULL };
    char limits[64];
    struct err err;
    (void)snprintf(limits, sizeof limits, "{\"per_window_sat\": %d}", PER_WINDOW);
    assert_true(people_grant(rig->db, &host, rig->principal, rig->wallet, ROLE_SPENDER,
                             bytes_of_text(limits), &err));
    rig_caps(rig, 1000000, 1000000, 1000000);
}

// D11 "Per-principal limits: ... per window": counted as the cap is (D2), from when it was first sent. What waited
// for long before that is not forgotten when it is.
TEST_BOTH(coordinator_F41_inv_1_a_persons_window_counts_as_the_cap_does)
{
    struct spend s;
    struct attempt a;
    limit(rig);
    assert_int_equal(ask(rig, "big", PER_WINDOW + 1), CODE_FORBIDDEN);
    s = rig_claimed(rig, 20000); // of this person, too
    rig_sleep(rig, 10 * RIG_WINDOW_S);
    assert_int_equal(ask(rig, "open", 10001), CODE_FORBIDDEN); // open ones never age
    struct err err;
    rig_hold(rig, &s, "me");
    assert_true(ledger_reserve(rig->db, &s, (struct sats){ 1 }, &err));
    a = rig_attempt(rig, ATTEMPT_PAY, 7);
    assert_true(ledger_attempt_add(rig->db, &s, &a, &err));
    ledger_rig_sign(rig, &s, &a);
    assert_true(ledger_sent(rig->db, &s, &a, &err));
    assert_int_equal(ask(rig, "sent", 10001), CODE_FORBIDDEN); // made long ago, sent just now
    rig_sleep(rig, RIG_WINDOW_S - 1);
    assert_int_equal(ask(rig, "still", 10001), CODE_FORBIDDEN);
    rig_sleep(rig, 2);
    assert_int_equal(ask(rig, "all", PER_WINDOW), CODE_NONE);
    assert_int_equal(ask(rig, "more", 546), CODE_FORBIDDEN);
}

// --- Several at once ---

enum { ASKERS = 12 };

struct askers {
    const struct ledger_rig *rig;
    pthread_barrier_t ready;
    atomic_int next, admitted, refused, failed;
};

static void *ask_once(void *context)
{
    struct askers *a = context;
    struct db *db = rig_connect(a->rig);
    char id[32];
    (void)snprintf(id, sizeof id, "racer-%d", atomic_fetch_add(&a->next, 1));
    (void)pthread_barrier_wait(&a->ready);
    const enum code code = ask_by(a->rig, db, id, 10000);
    atomic_fetch_add(code == CODE_NONE        ? &a->admitted
                     : code == CODE_FORBIDDEN ? &a->refused
                                              : &a->failed,
                     1);
    db_close(&db);
    return NULL;
}

// Twelve replicas are asked at once by one person, of whose limit three are left: three come in, none fails. A check
// outside the transaction that makes the spend lets more pass.
TEST_BOTH(coordinator_F41_F14_inv_1_a_persons_limit_holds_over_all_replicas)
{
    struct askers a = { .rig = rig };
    pthread_t threads[ASKERS];
    limit(rig);
    (void)pthread_barrier_init(&a.ready, NULL, ASKERS);
    for (size_t i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_once, &a), 0);
    for (size_t i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    (void)pthread_barrier_destroy(&a.ready);
    assert_int_equal(a.admitted, 3);
    assert_int_equal(a.refused, ASKERS - 3);
    assert_int_equal(a.failed, 0);
    assert_int_equal(rig_number(rig, "SELECT CAST(sum(amount) AS bigint) FROM spend"), PER_WINDOW);
}

// As somebody who was looked up when these were the limits.
static enum code ask_with(struct ledger_rig *rig, const char *limits, uint64_t per_window)
{
    const struct spend_output output = { .script = BYTES("hot"), .amount = { 1000 } };
    const struct spend_request request = { .wallet_id = rig->wallet,
                                           .principal_id = rig->principal,
                                           .request_id = BYTES("late"),
                                           .outputs = &output,
                                           .n_outputs = 1,
                                           .is_granted = true,
                                           .limits = bytes_of_text(limits),
                                           .has_per_window = per_window > 0,
                                           .per_window = { per_window } };
    struct spend spend;
    struct err err;
    bool is_new;
    return ledger_submit(rig->db, &spend, &is_new, &request, &err) ? CODE_NONE : code_of(&err);
}

// What was granted then may be gone when the spend is made, or be another limit: who waited for a publication is not
// measured with what it has replaced.
TEST_BOTH(coordinator_F41_a_limit_that_is_gone_admits_nothing)
{
    assert_int_equal(ask_with(rig, "{}", 0), CODE_FORBIDDEN);
    assert_int_equal(ask_with(rig, "{\"per_window_sat\": 30000}", PER_WINDOW), CODE_FORBIDDEN);
    limit(rig);
    assert_int_equal(ask_with(rig, "{}", 0), CODE_CONFLICT);
    assert_int_equal(ask_with(rig, "{\"per_window_sat\": 1000000}", 1000000), CODE_CONFLICT);
    assert_int_equal(rig_number(rig, "SELECT count(*) FROM spend"), 0);
    assert_int_equal(ask_with(rig, "{\"per_window_sat\": 30000}", PER_WINDOW), CODE_NONE);
}
