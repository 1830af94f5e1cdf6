// What is counted, member by member: the end of windows, room for outlays, what is remembered, and a
// charge that is taken back.
#include "policy/velocity.h"
#include "tests/support/policy_fixture.h"

#define T0     INT64_C(1764000000)
#define MINUTE INT64_C(60)

static const struct hash256 txid = { { 1 } }, other = { { 2 } };

static void charge(struct velocity *v, const struct policy *p, size_t rule, uint64_t n, int64_t at)
{
    assert_true(velocity_charge(v, p, rule, (struct sats){ n }, at));
}

static void assert_same(const struct velocity *a, const struct velocity *b)
{
    assert_true(a->running == b->running && a->start_s == b->start_s);
    assert_memory_equal(a->spent, b->spent, sizeof a->spent);
    assert_memory_equal(a->n, b->n, sizeof a->n);
    assert_memory_equal(a->heights, b->heights, sizeof a->heights);
    assert_int_equal(a->n_outlays, b->n_outlays);
    for (size_t i = 0; i < a->n_outlays; i++) {
        const struct outlay *x = &a->outlays[i], *y = &b->outlays[i];
        assert_true(x->rule == y->rule && x->n == y->n && x->since_s == y->since_s &&
                    x->sats.n == y->sats.n);
    }
    assert_int_equal(a->n_repeats, b->n_repeats);
    for (size_t i = 0; i < a->n_repeats; i++) {
        const struct repeat *x = &a->repeats[i], *y = &b->repeats[i];
        assert_true(x->rule == y->rule && x->since_s == y->since_s);
        assert_memory_equal(x->txid.b, y->txid.b, sizeof x->txid.b);
    }
}

// --- The end of windows ---

// The policy's period is over: a rule with a window of its own keeps what it has, and so do messages.
TEST(policy_24_85_the_end_of_the_policys_period_is_no_other)
{
    const struct policy p =
        parsed("{\"period\":60,\"casemate\":{\"msg_per_period\":9},\"rules\":[{"
               "\"per_period\":9,\"casemate\":{\"max_txns\":9}},{\"per_period\":"
               "9,\"casemate\":{\"period\":120,\"max_txns\":9}}]}");
    struct velocity v = { 0 };
    charge(&v, &p, 0, 3, T0);
    charge(&v, &p, 1, 4, T0);
    velocity_count_message(&v, T0 + MINUTE);
    velocity_count_message(&v, T0 + 2 * MINUTE);
    assert_int_equal(v.n_outlays, 2);
    assert_int_equal(v.outlays[1].n, 2); // since the first
    velocity_advance(&v, &p, T0 + 60 * MINUTE);
    assert_true(!v.running && v.start_s == 0);
    assert_true(v.spent[0].n == 0 && v.n[0] == 0);
    assert_true(v.spent[1].n == 4 && v.n[1] == 1 && v.n[VELOCITY_MESSAGES] == 2);
    velocity_advance(&v, &p, T0 + 61 * MINUTE);
    assert_int_equal(v.n[VELOCITY_MESSAGES], 0);
    velocity_advance(&v, &p, T0 + 120 * MINUTE);
    assert_true(v.spent[1].n == 0 && v.n[1] == 0 && v.n_outlays == 0);
}

// What a policy that is loaded now does not count any more is forgotten at once.
TEST(policy_24_85_rules_and_messages_that_nobody_counts)
{
    const struct policy two = parsed("{\"period\":60,\"casemate\":{\"msg_per_period\":9,\"dedupe\":"
                                     "true},\"rules\":[{\"per_period\":9},{\"per_period\":9,"
                                     "\"casemate\":{\"period\":120}}]}");
    const struct policy one = parsed("{\"period\":60,\"rules\":[{\"per_period\":9}]}");
    struct velocity v = { 0 };
    charge(&v, &two, 1, 4, T0);
    velocity_remember(&v, &two, 1, &txid, T0);
    velocity_count_message(&v, T0);
    velocity_advance(&v, &one, T0);
    assert_true(v.spent[1].n == 0 && v.n[VELOCITY_MESSAGES] == 0 && v.n_outlays == 0);
    assert_true(v.n_repeats == 0 && !velocity_was_charged(&v, 1, &txid));
    // Whatever stands behind the last rule.
    struct policy shorter = two;
    shorter.n_rules = 1;
    charge(&v, &two, 1, 4, T0);
    velocity_advance(&v, &shorter, T0);
    assert_true(v.spent[1].n == 0 && v.n_outlays == 0);
}

TEST(policy_24_85_counts_end_at_the_greatest_there_is)
{
    const struct policy p = parsed("{\"period\":9,\"rules\":[{\"casemate\":{\"max_txns\":9}}]}");
    struct velocity v = { .running = true, .start_s = T0, .n = { UINT32_MAX } };
    charge(&v, &p, 0, 7, T0);
    assert_int_equal(v.n[0], UINT32_MAX);
    assert_int_equal(v.spent[0].n, 0); // no money is limited
}

// A sum that is less than its outlays, which no charge makes, ends at zero.
TEST(policy_24_85_an_outlay_takes_no_more_than_there_is)
{
    const struct policy p = parsed("{\"rules\":[{\"per_period\":99,\"casemate\":{\"period\":9,"
                                   "\"max_txns\":9}},{}]}");
    struct velocity v = { 0 };
    charge(&v, &p, 0, 50, T0);
    v.outlays[0].n = 3;
    v.spent[0].n = 7;
    velocity_advance(&v, &p, T0 + 9 * MINUTE);
    assert_true(v.spent[0].n == 0 && v.n[0] == 0);
    // Those of messages have no money in them, whatever they say.
    v = (struct velocity){ .n = { 5 }, .n_outlays = 1 };
    v.outlays[0] = (struct outlay){ VELOCITY_MESSAGES, 1, T0, { 1 } };
    velocity_advance(&v, &p, T0);
    assert_true(v.n[0] == 5 && v.n_outlays == 0);
}

TEST(policy_24_63_nothing_is_left_of_what_does_not_run)
{
    const struct policy p = parsed("{\"period\":60,\"rules\":[{\"per_period\":9}]}");
    struct velocity v = { 0 };
    assert_int_equal(velocity_left_s(&v, &p, 100), 0);
    charge(&v, &p, 0, 1, T0);
    assert_int_equal(velocity_left_s(&v, &p, T0 + 3601), 0);
}

TEST(policy_24_65_a_shift_moves_each_time_by_as_much)
{
    const struct policy p = parsed("{\"period\":60,\"rules\":[{\"per_period\":9},{\"per_period\":9,"
                                   "\"casemate\":{\"period\":9,\"window\":\"sliding\"}}]}");
    struct velocity v = { 0 };
    charge(&v, &p, 1, 1, T0);
    charge(&v, &p, 1, 1, T0 + 1);
    velocity_remember(&v, &p, 1, &txid, T0 + 2);
    velocity_remember(&v, &p, 1, &other, T0 + 3);
    velocity_shift(&v, 100);
    assert_true(!v.running && v.start_s == 0);
    assert_true(v.outlays[0].since_s == T0 + 100 && v.outlays[1].since_s == T0 + 101);
    assert_true(v.repeats[0].since_s == T0 + 102 && v.repeats[1].since_s == T0 + 103);
    assert_true(v.outlays[2].since_s == 0 && v.repeats[2].since_s == 0);
    charge(&v, &p, 0, 1, T0);
    velocity_shift(&v, 7);
    assert_int_equal(v.start_s, T0 + 7);
    velocity_shift(&v, INT64_MAX - T0 - 7); // exactly to the end of time
    assert_int_equal(v.start_s, INT64_MAX);
    velocity_shift(&v, 1);
    assert_true(v.start_s == INT64_MAX && v.outlays[0].since_s == INT64_MAX);
}

// --- Room for outlays ---

static const char sliding_pair[] =
    "{\"rules\":[{\"per_period\":2100000000000000,\"casemate\":{\"period\":9999,\"window\":"
    "\"sliding\",\"max_txns\":1000000}},{\"per_period\":2100000000000000,\"casemate\":{\"period\":"
    "9999,\"window\":\"sliding\"}}]}";

// All rule 0's, a minute apart; but the one at `close` comes 10 s after the one before it, and the one
// at `closer`, if there is one, 5 s.
static struct velocity *filled(const struct policy *p, size_t close, size_t closer)
{
    struct velocity *v = arena_alloc(test_arena(), sizeof *v);
    int64_t at = T0;
    for (size_t i = 0; i < VELOCITY_OUTLAYS_MAX; i++) {
        at += i == 0 ? 0 : i == closer ? 5 : i == close ? 10 : MINUTE;
        charge(v, p, 0, 1000 + i, at);
    }
    assert_int_equal(v->n_outlays, VELOCITY_OUTLAYS_MAX);
    return v;
}

static void check_joined(size_t close, size_t closer, size_t joined)
{
    const struct policy p = parsed(sliding_pair);
    struct velocity *v = filled(&p, close, closer);
    const size_t last = VELOCITY_OUTLAYS_MAX - 1;
    struct outlay *expected = arena_array(test_arena(), VELOCITY_OUTLAYS_MAX, sizeof *expected);
    const uint64_t sum = v->spent[0].n;
    memcpy(expected, v->outlays, sizeof v->outlays);
    expected[joined].sats.n += expected[joined - 1].sats.n; // the later time stays
    expected[joined].n = 2;
    memmove(&expected[joined - 1], &expected[joined], (last + 1 - joined) * sizeof *expected);
    expected[last] = (struct outlay){ 0, 1, T0 + 9000000, { 7 } };
    charge(v, &p, 0, 7, T0 + 9000000);
    assert_int_equal(v->n_outlays, VELOCITY_OUTLAYS_MAX);
    assert_int_equal(v->spent[0].n, sum + 7);
    for (size_t i = 0; i <= last; i++)
        if (v->outlays[i].since_s != expected[i].since_s || v->outlays[i].n != expected[i].n ||
            v->outlays[i].sats.n != expected[i].sats.n)
            fail_msg("joined at %zu: outlay %zu", joined, i);
}

TEST(policy_24_85_the_closest_two_become_one)
{
    const size_t last = VELOCITY_OUTLAYS_MAX - 1;
    check_joined(1, 0, 1);
    check_joined(2, 0, 2);
    check_joined(700, 0, 700);
    check_joined(last, 0, last);
    check_joined(3, 900, 900);
    check_joined(900, 3, 3);
    check_joined(0, 0, 1); // all are as close: the first
}

// Only outlays of one rule can become one: the closest of all are of two.
TEST(policy_24_85_the_closest_two_of_one_rule)
{
    const struct policy p = parsed(sliding_pair);
    struct velocity *v = arena_alloc(test_arena(), sizeof *v);
    for (size_t i = 0; i < VELOCITY_OUTLAYS_MAX; i++)
        charge(v, &p, i % 2, 1, T0 + (int64_t)i * MINUTE - (i == 501 ? 20 : 0));
    charge(v, &p, 0, 1, T0 + 9000000);
    assert_int_equal(v->outlays[498].rule, 0);
    assert_true(v->outlays[499].rule == 0 && v->outlays[500].rule == 1);
    assert_int_equal(v->outlays[500].since_s, T0 + 501 * MINUTE - 20);
    assert_int_equal(v->outlays[500].sats.n, 2);
}

TEST(policy_24_85_one_second_is_one_outlay)
{
    const struct policy p = parsed(sliding_pair);
    struct velocity v = { 0 };
    charge(&v, &p, 0, 1, T0);
    charge(&v, &p, 0, 2, T0);
    assert_true(v.n_outlays == 1 && v.outlays[0].sats.n == 3 && v.outlays[0].n == 2);
    charge(&v, &p, 0, 4, T0 + 1);
    assert_true(v.n_outlays == 2 && v.outlays[1].sats.n == 4);
}

// --- What is remembered ---

TEST(policy_24_85_remembered_for_as_long_as_the_charge_counts)
{
    const struct policy p =
        parsed("{\"period\":60,\"casemate\":{\"dedupe\":true},\"rules\":[{\"per_period\":99},{"
               "\"per_period\":99,\"casemate\":{\"period\":60}},{\"per_period\":99,\"casemate\":{"
               "\"period\":60,\"window\":\"sliding\"}}]}");
    const int64_t later = T0 + 30 * MINUTE;
    for (size_t rule = 0; rule < p.n_rules; rule++) {
        struct velocity v = { 0 };
        charge(&v, &p, rule, 1, T0);
        charge(&v, &p, rule, 1, later);
        velocity_remember(&v, &p, rule, &txid, later);
        velocity_advance(&v, &p, T0 + 60 * MINUTE - 1);
        assert_true(velocity_was_charged(&v, rule, &txid));
        assert_false(velocity_was_charged(&v, rule + 1, &txid));
        velocity_advance(&v, &p, T0 + 60 * MINUTE);
        assert_int_equal(velocity_was_charged(&v, rule, &txid), rule == 2);
        velocity_advance(&v, &p, later + 60 * MINUTE);
        assert_false(velocity_was_charged(&v, rule, &txid));
        assert_int_equal(v.n_repeats, 0);
        // Without a charge before it, from then on.
        v = (struct velocity){ 0 };
        velocity_remember(&v, &p, rule, &txid, later);
        velocity_advance(&v, &p, later + 60 * MINUTE - 1);
        assert_true(velocity_was_charged(&v, rule, &txid));
    }
}

TEST(policy_24_85_the_oldest_alone_is_forgotten)
{
    const struct policy p = parsed("{\"period\":60,\"rules\":[{\"per_period\":99}]}");
    struct velocity v = { 0 };
    struct hash256 id = { { 0 } };
    for (size_t i = 0; i <= VELOCITY_REPEATS_MAX; i++) {
        id.b[0] = (uint8_t)i;
        id.b[1] = (uint8_t)(i >> 8);
        velocity_remember(&v, &p, 0, &id, T0);
    }
    for (size_t i = 0; i <= VELOCITY_REPEATS_MAX; i++) {
        id.b[0] = (uint8_t)i;
        id.b[1] = (uint8_t)(i >> 8);
        assert_int_equal(velocity_was_charged(&v, 0, &id), i > 0);
    }
    v.n_repeats--; // what stands behind is not remembered
    assert_false(velocity_was_charged(&v, 0, &id));
}

// --- Taking back ---

// One rule for each kind of window, and one of approvals alone.
static const char of_windows[] =
    "{\"period\":60,\"casemate\":{\"dedupe\":true},\"rules\":[{\"per_period\":100,\"casemate\":{"
    "\"max_txns\":1}},{\"per_period\":100,\"casemate\":{\"period\":9,\"window\":\"sliding\","
    "\"max_txns\":1}},{\"per_period\":100,\"casemate\":{\"period\":9,\"max_txns\":1}},{"
    "\"casemate\":{\"max_txns\":1}}]}";

// Two of every rule, then the charge of 7 to one of them that is taken back.
static void charge_last(const struct policy *p, size_t rule, struct velocity *before,
                        struct velocity *after)
{
    memset(before, 0, sizeof *before);
    for (size_t i = 0; i < p->n_rules; i++)
        for (int64_t k = 0; k < 2; k++) {
            charge(before, p, i, 20, T0 - 5 + k);
            velocity_remember(before, p, i, k == 0 ? &other : &txid, T0 - 5 + k);
        }
    *after = *before;
    charge(after, p, rule, 7, T0);
    velocity_remember(after, p, rule, &(struct hash256){ { 3 } }, T0);
    after->heights[rule] = 840000;
}

TEST(policy_24_66_taken_back_at_once_all_is_as_before)
{
    const struct policy p = parsed(of_windows);
    for (size_t rule = 0; rule < p.n_rules; rule++) {
        struct velocity before, after, now;
        charge_last(&p, rule, &before, &after);
        now = after;
        // What stands behind the last is no difference.
        now.outlays[now.n_outlays].n = 9;
        now.repeats[now.n_repeats].rule = 9;
        velocity_take_back(&now, &before, &after, &p, rule, (struct sats){ rule < 3 ? 7 : 0 });
        assert_same(&now, &before);
    }
}

// Each changes one member of what is there now: then it is not all as it was after the charge, and
// only the charge is taken back.
static void change_spent(struct velocity *v)
{
    v->spent[9].n += 3;
}
static void change_n(struct velocity *v)
{
    v->n[9] += 1;
}
static void change_height(struct velocity *v)
{
    v->heights[9] = 5;
}
static void change_outlay_rule(struct velocity *v)
{
    v->outlays[0].rule = 9;
}
static void change_outlay_n(struct velocity *v)
{
    v->outlays[0].n++;
}
static void change_outlay_time(struct velocity *v)
{
    v->outlays[0].since_s++;
}
static void change_outlay_sats(struct velocity *v)
{
    v->outlays[0].sats.n++;
}
static void change_last_outlay(struct velocity *v)
{
    v->outlays[v->n_outlays - 1].sats.n++;
}
static void add_outlay(struct velocity *v)
{
    v->outlays[v->n_outlays++] = (struct outlay){ 9, 1, T0, { 1 } };
}
static void change_repeat_rule(struct velocity *v)
{
    v->repeats[0].rule = 9;
}
static void change_repeat_txid(struct velocity *v)
{
    v->repeats[0].txid.b[31] ^= 1;
}
static void change_middle_repeat(struct velocity *v)
{
    v->repeats[3].txid.b[31] ^= 1;
}

static void (*const changes[])(struct velocity *) = {
    change_spent,       change_n,           change_height,        change_outlay_rule,
    change_outlay_n,    change_outlay_time, change_outlay_sats,   change_last_outlay,
    change_repeat_rule, change_repeat_txid, change_middle_repeat,
};

// Of the policy's period, in which a charge leaves no outlay.
TEST(policy_24_66_what_changed_since_stays)
{
    const struct policy p = parsed(of_windows);
    for (size_t i = 0; i < COUNT(changes); i++) {
        struct velocity before, after, now, expected;
        charge_last(&p, 0, &before, &after);
        now = after;
        changes[i](&now);
        expected = before;
        changes[i](&expected);
        expected.heights[0] = after.heights[0]; // a height that was seen stays seen
        velocity_take_back(&now, &before, &after, &p, 0, (struct sats){ 7 });
        assert_same(&now, &expected);
    }
    struct velocity before, after, now;
    charge_last(&p, 0, &before, &after);
    now = after;
    add_outlay(&now);
    velocity_take_back(&now, &before, &after, &p, 0, (struct sats){ 7 });
    assert_true(now.spent[0].n == 40 && now.n_outlays == before.n_outlays + 1);
    now = after;
    velocity_remember(&now, &p, 1, &(struct hash256){ { 8 } }, T0);
    velocity_take_back(&now, &before, &after, &p, 0, (struct sats){ 7 });
    assert_true(velocity_was_charged(&now, 1, &(struct hash256){ { 8 } }));
    assert_false(velocity_was_charged(&now, 0, &(struct hash256){ { 3 } }));
    assert_int_equal(now.n_repeats, before.n_repeats + 1);
    now = after;
    now.n_repeats--;
    velocity_take_back(&now, &before, &after, &p, 0, (struct sats){ 7 });
    assert_true(now.spent[0].n == 40 && now.heights[0] == after.heights[0]);
}

// What cannot be told from other charges any more: all stays, and is remembered.
static void end_and_start(struct velocity *v)
{
    v->start_s = T0 + 9;
}
static void end_all(struct velocity *v)
{
    v->running = false;
}
static void have_less(struct velocity *v)
{
    v->spent[0].n = v->spent[1].n = 6;
}
static void have_none(struct velocity *v)
{
    v->n[0] = v->n[1] = 0;
}
static void have_less_in_outlays(struct velocity *v)
{
    for (size_t i = 0; i < v->n_outlays; i++)
        v->outlays[i].sats.n = 6;
}
static void have_none_in_outlays(struct velocity *v)
{
    for (size_t i = 0; i < v->n_outlays; i++)
        v->outlays[i].n = 0;
}
static void have_no_outlays(struct velocity *v)
{
    v->n_outlays = 0;
}
static void have_other_times(struct velocity *v)
{
    for (size_t i = 0; i < v->n_outlays; i++)
        v->outlays[i].since_s = T0 + 50;
}

static const struct {
    size_t rule;
    void (*change)(struct velocity *);
} lost[] = {
    { 0, end_and_start },
    { 0, end_all },
    { 0, have_less },
    { 0, have_none },
    { 1, have_less },
    { 1, have_none },
    { 1, have_less_in_outlays },
    { 1, have_none_in_outlays },
    { 1, have_no_outlays },
    { 1, have_other_times },
};

TEST(policy_24_66_what_is_not_found_stays_charged)
{
    const struct policy p = parsed(of_windows);
    for (size_t i = 0; i < COUNT(lost); i++) {
        struct velocity before, after, now, expected;
        charge_last(&p, lost[i].rule, &before, &after);
        now = after;
        lost[i].change(&now);
        expected = now;
        velocity_take_back(&now, &before, &after, &p, lost[i].rule, (struct sats){ 7 });
        assert_same(&now, &expected);
    }
    struct velocity before, after, now, expected;
    charge_last(&p, 1, &before, &after);
    expected = now = after;
    after.n_outlays = 0;
    velocity_take_back(&now, &before, &after, &p, 1, (struct sats){ 7 });
    assert_same(&now, &expected);
}

TEST(policy_24_66_all_that_is_left_may_be_taken_back)
{
    const struct policy p = parsed(of_windows);
    struct velocity before = { 0 }, after, now;
    after = before;
    charge(&after, &p, 0, 7, T0);
    velocity_remember(&after, &p, 0, &txid, T0);
    now = after;
    now.heights[9] = 5;
    velocity_take_back(&now, &before, &after, &p, 0, (struct sats){ 7 });
    assert_true(now.spent[0].n == 0 && now.n[0] == 0 && now.n_repeats == 0);
}

// The outlay is that of the charge: of its rule, and of its time.
TEST(policy_24_66_the_outlay_of_the_charge)
{
    const struct policy p = parsed(of_windows);
    struct velocity before, after, now;
    charge_last(&p, 1, &before, &after);
    after.outlays[after.n_outlays++] = (struct outlay){ 2, 1, T0 + 3, { 50 } };
    after.outlays[after.n_outlays] = (struct outlay){ 1, 1, T0 - 5, { 50 } }; // none: it is behind
    now = after;
    charge(&now, &p, 1, 11, T0 + 1);
    velocity_take_back(&now, &before, &after, &p, 1, (struct sats){ 7 });
    assert_true(now.spent[1].n == 51 && now.n[1] == 3);
    assert_true(now.outlays[0].sats.n == 20 && now.outlays[1].sats.n == 20);
    velocity_advance(&now, &p, T0 + 9 * MINUTE); // until the charge itself would be over
    assert_true(now.spent[1].n == 11 && now.n[1] == 1);
    velocity_advance(&now, &p, T0 + 9 * MINUTE + 1);
    assert_true(now.spent[1].n == 0 && now.n[1] == 0);
}

// One that is remembered for another rule, or was pushed out by others, is not touched.
TEST(policy_24_66_what_is_remembered_of_others_stays)
{
    const struct policy p = parsed(of_windows);
    struct velocity before = { 0 }, after, now;
    charge(&before, &p, 1, 1, T0);
    velocity_remember(&before, &p, 1, &txid, T0);
    velocity_remember(&before, &p, 0, &other, T0);
    after = before;
    charge(&after, &p, 0, 7, T0);
    velocity_remember(&after, &p, 0, &txid, T0);
    now = after;
    now.heights[9] = 5;
    velocity_take_back(&now, &before, &after, &p, 0, (struct sats){ 7 });
    assert_true(velocity_was_charged(&now, 1, &txid) && velocity_was_charged(&now, 0, &other));
    assert_true(!velocity_was_charged(&now, 0, &txid) && now.n_repeats == 2);
    now = after;
    now.n_repeats = 2; // forgotten already
    now.repeats[2].rule = 9;
    velocity_take_back(&now, &before, &after, &p, 0, (struct sats){ 7 });
    assert_true(now.n_repeats == 2 && velocity_was_charged(&now, 1, &txid));
    // A policy that does not dedupe remembers nothing, and forgets nothing that an earlier one did.
    const struct policy plain = parsed("{\"period\":60,\"rules\":[{\"per_period\":100}]}");
    now = after;
    now.heights[9] = 5;
    velocity_take_back(&now, &before, &after, &plain, 0, (struct sats){ 7 });
    assert_true(now.spent[0].n == 0 && now.n_repeats == 3);
}

TEST(policy_24_66_the_last_of_all_that_can_be_remembered)
{
    const struct policy p = parsed(of_windows);
    const struct hash256 last = { { 0, 0, 1 } };
    struct velocity before = { 0 }, after, now, expected;
    for (size_t i = 0; i + 1 < VELOCITY_REPEATS_MAX; i++)
        velocity_remember(&before, &p, 0, &(struct hash256){ { (uint8_t)i, 1 } }, T0);
    charge(&before, &p, 0, 1, T0);
    after = before;
    charge(&after, &p, 0, 7, T0);
    velocity_remember(&after, &p, 0, &last, T0);
    now = after;
    now.heights[9] = 5;
    velocity_take_back(&now, &before, &after, &p, 0, (struct sats){ 7 });
    expected = before;
    expected.heights[9] = 5;
    assert_same(&now, &expected);
}

// --- All at once ---

TEST(policy_24_37_what_is_all_of_messages)
{
    const struct policy none = parsed("{\"period\":60,\"rules\":[{}]}");
    const struct policy one =
        parsed("{\"period\":60,\"casemate\":{\"msg_per_period\":1},\"rules\":[{}]}");
    const struct velocity before = { .heights = { 5 } };
    struct velocity v = velocity_all_spent(&none, &before, T0);
    assert_true(v.n_outlays == 0 && !v.running && v.heights[0] == 5);
    v = velocity_all_spent(&one, &before, T0);
    assert_true(v.n[VELOCITY_MESSAGES] == 1 && v.n_outlays == 1 && v.outlays[0].n == 1);
}
