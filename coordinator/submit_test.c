// Which of a person's payments count against what that person may ask for.
#include "coordinator/submit.h"
#include "tests/support/ledger_rig.h"
#include "tests/support/test.h"
#include <stdio.h>
#include <string.h>

#define PER_WINDOW 30000

static enum code ask(struct ledger_rig *rig, const char *request_id, uint64_t sat)
{
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
    assert_true(people_load(rig->db, &person, rig->principal, test_arena(), &err));
    return submit(rig->db, &s, &person, &spend, &is_new, test_arena(), &err) ? CODE_NONE
                                                                             : code_of(&err);
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
