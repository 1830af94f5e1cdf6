// What is seen of the cap against what it is: running sums and rows, through whatever happens to a ledger.
#include "coordinator/invariants.h"
#include "tests/support/ledger_rig.h"
#include "tests/support/test.h"
#include <inttypes.h>
#include <stdio.h>

#define EVER "9000000000000000000" // open ones never age

enum { STEPS = 70 };

struct story {
    struct ledger_rig *rig;
    uint32_t draw;
    struct attempt attempts[STEPS]; // sent ones
    size_t n;
    uint8_t n_foreign;
};

static uint32_t draw(struct story *s, uint32_t below)
{
    s->draw = s->draw * 1664525u + 1013904223u;
    return (s->draw >> 8) % below;
}

// The sum of a column over the rows that count in a window.
static uint64_t rows_sum(struct ledger_rig *rig, const char *column, const char *rows,
                         const char *since, const struct velocity_view *v)
{
    char sql[300];
    (void)snprintf(sql, sizeof sql,
                   "SELECT CAST(coalesce(sum(%s), 0) AS bigint) FROM %s AND %s >= %" PRId64, column,
                   rows, since, v->now_us - v->window_us);
    return (uint64_t)rig_number(rig, sql);
}

static void assert_seen_as_it_is(struct ledger_rig *rig)
{
    static const char *const sent = "reservation WHERE status = 'sent'",
                             *const open = "reservation WHERE status = 'open'",
                             *const foreign = "foreign_outflow WHERE state <> 'void'";
    struct velocity_view v;
    struct err err;
    if (!ledger_velocity(rig->db, &v, rig->wallet, &err))
        fail_msg("%s", err.text);
    const uint64_t opened = rows_sum(rig, "sat", open, EVER, &v);
    assert_int_equal(v.sent.n, rows_sum(rig, "sat", sent, "first_sent_at", &v));
    assert_int_equal(v.foreign.n, rows_sum(rig, "sat", foreign, "first_seen_at", &v));
    assert_int_equal(v.open.n, opened);
    assert_int_equal(v.spent.n, v.sent.n + v.foreign.n + opened);
    assert_int_equal(v.fees.n, rows_sum(rig, "fee", sent, "fee_at", &v) +
                                   rows_sum(rig, "fee", foreign, "first_seen_at", &v) +
                                   rows_sum(rig, "fee", open, EVER, &v));
    if (!invariants_check(rig->db, &err))
        fail_msg("%s", err.text);
}

// --- What happens ---

static void pay(struct story *s)
{
    (void)rig_sent(s->rig, 1 + draw(s, 1000), &s->attempts[s->n++]);
}

static void reserve_or_give_back(struct story *s)
{
    struct spend spend = rig_reserved(s->rig, 1 + draw(s, 1000));
    struct err err;
    if (draw(s, 2) == 0)
        assert_true(ledger_end(s->rig->db, &spend, SPEND_FAILED, CODE_NONE, "", &err));
}

static void see_foreign(struct story *s)
{
    const struct hash256 txid = { { 9, ++s->n_foreign } };
    const struct sighting seen = { .where = SIGHT_MEMPOOL };
    struct err err;
    bool is_new;
    assert_true(ledger_foreign(s->rig->db, s->rig->wallet, &txid, (struct sats){ draw(s, 1000) },
                               (struct sats){ draw(s, 9) }, &seen, false, &is_new, &err));
}

// Somebody else's transaction takes the coin, for good, or (a reorg) not any more.
static void conflict(struct story *s)
{
    const struct hash256 by = { { 8, (uint8_t)s->n } };
    struct err err;
    if (s->n == 0)
        return;
    const struct attempt *a = &s->attempts[draw(s, (uint32_t)s->n)];
    assert_true(ledger_conflicted(s->rig->db, s->rig->wallet, &a->inputs[0].outpoint, &by,
                                  draw(s, 3) ? SETTLE_DEPTH : 0, &err));
}

static void sight(struct story *s)
{
    const struct sighting seen = { .where = SIGHT_BLOCK, .height = 100, .depth = 1 + draw(s, 9) };
    struct err err;
    bool ours;
    if (s->n == 0)
        return;
    assert_true(ledger_sighted(s->rig->db, s->rig->wallet,
                               &s->attempts[draw(s, (uint32_t)s->n)].txid, &seen, &ours, &err));
}

// So that payments are admitted, while the running sums stay where they are.
static void seem_reconciled(struct ledger_rig *rig)
{
    struct err err;
    int64_t now_us;
    assert_true(db_now_us(rig->db, &now_us, &err));
    assert_true(db_exec(rig->db, NULL, "UPDATE velocity_guard SET reconciled_at = $1",
                        DB_ARGS(db_int(now_us)), &err));
}

static void time_goes_on(struct story *s)
{
    const int64_t by_s = draw(s, RIG_WINDOW_S);
    if (draw(s, 2) == 0)
        rig_sleep(s->rig, by_s);
    else
        s->rig->offset_us += by_s * 1000000; // not compared with the chain
}

static void window_changes(struct story *s)
{
    char sql[100];
    (void)snprintf(sql, sizeof sql, "UPDATE velocity_guard SET window_s = %u",
                   1 + draw(s, 2 * RIG_WINDOW_S));
    rig_exec(s->rig, sql);
}

// What only a person with SQL does.
static void rewrite(struct story *s)
{
    static const char *const statements[] = {
        "UPDATE foreign_outflow SET state = 'void' WHERE sat % 3 = 0",
        "UPDATE foreign_outflow SET state = 'seen', sat = sat + 1",
        "UPDATE reservation SET first_sent_at = first_sent_at - 1000000000 WHERE sat % 4 = 0",
        "UPDATE reservation SET fee = fee + 1, fee_at = fee_at + 100000000 WHERE sat % 5 = 0",
    };
    rig_exec(s->rig, statements[draw(s, COUNT(statements))]);
}

TEST_BOTH(coordinator_F13_F16_what_is_seen_is_what_counts)
{
    static void (*const acts[])(struct story * s) = {
        pay,   pay,          pay,          reserve_or_give_back, see_foreign, conflict,
        sight, time_goes_on, time_goes_on, window_changes,       rewrite,
    };
    struct story s = { .rig = rig, .draw = 7 };
    rig_caps(rig, SATS_MAX, SATS_MAX, SATS_MAX);
    for (unsigned i = 0; i < STEPS; i++) {
        seem_reconciled(rig);
        acts[draw(&s, COUNT(acts))](&s);
        assert_seen_as_it_is(rig);
    }
    assert_in_range(s.n, 10, STEPS);
}

// Between two comparisons with the chain the running sums begin where the window began at the last.
TEST_BOTH(the_sums_move_with_the_window)
{
    struct attempt a;
    (void)rig_sent(rig, 100, &a);
    const int64_t from = rig_number(rig, "SELECT sum_from FROM velocity_guard");
    assert_int_equal(rig_number(rig, "SELECT sum_sent FROM velocity_guard"), 100);
    rig->offset_us += (RIG_WINDOW_S + 5) * INT64_C(1000000);
    assert_seen_as_it_is(rig);
    assert_int_equal(rig_number(rig, "SELECT sum_sent FROM velocity_guard"), 100);
    rig_sleep(rig, 0);
    assert_int_equal(rig_number(rig, "SELECT sum_sent FROM velocity_guard"), 0);
    assert_true(rig_number(rig, "SELECT sum_from FROM velocity_guard") > from);
    rig_exec(rig, "UPDATE velocity_guard SET window_s = 2 * window_s");
    assert_seen_as_it_is(rig);
    rig_sleep(rig, 0);
    assert_int_equal(rig_number(rig, "SELECT sum_sent FROM velocity_guard"), 100);
    assert_seen_as_it_is(rig);
}
