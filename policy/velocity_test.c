#include "policy/velocity.h"
#include "tests/support/policy_fixture.h"

#define T0 INT64_C(1764000000)

static const char two_rules[] = "{\"period\":60,\"rules\":[{\"per_period\":1000},"
                                "{\"per_period\":500},{\"per_period\":0},{}]}";

static struct velocity charged(const struct policy *p, size_t rule, uint64_t n, int64_t at)
{
    struct velocity v = { 0 };
    assert_true(velocity_charge(&v, p, rule, (struct sats){ n }, at));
    return v;
}

TEST(policy_24_63_expires_to_the_second)
{
    const struct policy p = parsed(two_rules);
    struct velocity v = charged(&p, 0, 700, T0);
    assert_true(v.running);
    assert_int_equal(velocity_left_s(&v, &p, T0), 3600);
    velocity_advance(&v, &p, T0 + 3599);
    assert_true(v.running);
    assert_int_equal(v.spent[0].n, 700);
    assert_int_equal(velocity_left_s(&v, &p, T0 + 3599), 1);
    assert_int_equal(velocity_left_s(&v, &p, T0 + 3600), 0);
    velocity_advance(&v, &p, T0 + 3600);
    assert_false(v.running);
    assert_int_equal(v.spent[0].n, 0);
}

TEST(policy_24_63_a_charge_of_nothing_starts_the_period)
{
    const struct policy p = parsed(two_rules);
    const struct velocity v = charged(&p, 1, 0, T0);
    assert_true(v.running);
    assert_int_equal(v.start_s, T0);
}

TEST(policy_24_64_two_totals_one_period)
{
    const struct policy p = parsed(two_rules);
    struct velocity v = charged(&p, 0, 700, T0);
    assert_true(velocity_charge(&v, &p, 1, (struct sats){ 500 }, T0 + 1800));
    assert_int_equal(v.start_s, T0); // the first charge started it
    assert_int_equal(v.spent[0].n, 700);
    assert_int_equal(v.spent[1].n, 500);
    velocity_advance(&v, &p, T0 + 3600);
    assert_int_equal(v.spent[0].n + v.spent[1].n, 0);
}

TEST(policy_24_65_clock_set_back)
{
    const struct policy p = parsed(two_rules);
    struct velocity v = charged(&p, 0, 700, T0);
    velocity_advance(&v, &p, T0 - 86400);
    assert_true(v.running);
    assert_int_equal(v.start_s, T0 - 86400); // the period starts now
    assert_int_equal(v.spent[0].n, 700);     // totals are kept
    assert_int_equal(velocity_left_s(&v, &p, T0 - 86400), 3600);
    velocity_advance(&v, &p, T0 - 86400 + 3600);
    assert_false(v.running);
}

TEST(policy_24_65_times_at_the_ends_of_their_range)
{
    const struct policy p = parsed(two_rules);
    struct velocity v = charged(&p, 0, 1, INT64_MIN);
    assert_int_equal(velocity_left_s(&v, &p, INT64_MIN), 3600);
    velocity_advance(&v, &p, INT64_MAX);
    assert_false(v.running);
    v = charged(&p, 0, 1, INT64_MAX);
    velocity_advance(&v, &p, INT64_MIN);
    assert_true(v.running && v.start_s == INT64_MIN);
}

TEST(policy_24_37_start_with_boot_to_hsm)
{
    const struct policy p = parsed(two_rules);
    const struct velocity v = velocity_all_spent(&p, &(struct velocity){ 0 }, T0);
    assert_true(v.running);
    assert_int_equal(v.start_s, T0);
    assert_int_equal(v.spent[0].n, 1000);
    assert_int_equal(v.spent[1].n, 500);
    assert_int_equal(v.spent[2].n, 0);
    assert_int_equal(v.spent[3].n, 0);
    const struct policy zero = parsed("{\"period\":60,\"rules\":[{\"per_period\":0},{}]}");
    assert_false(velocity_all_spent(&zero, &(struct velocity){ 0 }, T0).running);
}

TEST(policy_24_62_more_than_can_exist_is_not_charged)
{
    const struct policy p = parsed(two_rules);
    struct velocity v = charged(&p, 0, SATS_MAX, T0);
    assert_false(velocity_charge(&v, &p, 0, (struct sats){ 1 }, T0));
    assert_int_equal(v.spent[0].n, SATS_MAX);
}

// Item 67: the reference's clock wraps after 12.43 days, and a period across that never ends.
TEST(policy_24_67_thirty_days)
{
    const struct policy p = parsed("{\"period\":4320,\"rules\":[{\"per_period\":1000}]}");
    struct velocity v = { 0 };
    unsigned periods = 0;
    for (int64_t t = 0; t < INT64_C(30) * 86400; t += 599) {
        velocity_advance(&v, &p, T0 + t);
        periods += !v.running;
        if (!v.running)
            assert_true(velocity_charge(&v, &p, 0, (struct sats){ 1000 }, T0 + t));
        assert_int_equal(v.spent[0].n, 1000);
        assert_in_range(velocity_left_s(&v, &p, T0 + t), 1, 4320 * 60);
    }
    assert_int_equal(periods, 10); // of three days each
}

// --- Windows of their own [EXT] ---

#define CHARGES 4000

// Item 85: thousands of transactions in a window that has room for fewer: what is counted is never less
// than what there is, and all of it is over in the end.
TEST(policy_24_85_a_sliding_window_never_counts_less)
{
    const struct policy p = parsed(
        "{\"rules\":[{\"per_period\":2100000000000000,\"casemate\":{\"period\":50,\"window\":"
        "\"sliding\",\"max_txns\":1000000}},{\"per_period\":1000000,\"casemate\":{\"period\":2,"
        "\"window\":\"sliding\"}}]}");
    struct velocity *v = arena_alloc(test_arena(), sizeof *v);
    int64_t *times = arena_array(test_arena(), CHARGES, sizeof *times);
    uint64_t sats[CHARGES];
    int64_t now = T0;
    for (size_t i = 0; i < CHARGES; i++) {
        now += (int64_t)(i * 7919 % 3);
        velocity_advance(v, &p, now);
        times[i] = now;
        sats[i] = i * 104729 % 1000;
        assert_true(velocity_charge(v, &p, 0, (struct sats){ sats[i] }, now));
        assert_true(velocity_charge(v, &p, 1, (struct sats){ 1 }, now));
        uint64_t exact = 0, n = 0;
        for (size_t k = i + 1; k-- > 0 && now - times[k] < 50 * 60;) {
            exact += sats[k];
            n++;
        }
        assert_true(v->spent[0].n >= exact && v->n[0] >= n);
        assert_true(v->n_outlays <= VELOCITY_OUTLAYS_MAX);
        if (i < 500) // while there is room, it is exact
            assert_true(v->spent[0].n == exact && v->n[0] == n);
    }
    velocity_advance(v, &p, now + 50 * 60 - 1);
    assert_true(v->spent[0].n >= sats[CHARGES - 1] && v->spent[1].n == 0);
    velocity_advance(v, &p, now + 50 * 60);
    assert_int_equal(v->spent[0].n + v->n[0] + v->n_outlays, 0);
}

// The pool is everybody's: a thousand rules with windows of their own find room.
TEST(policy_24_85_a_thousand_windows)
{
    struct writer w = text_writer();
    writer_text(&w, "{\"rules\":[");
    for (size_t i = 0; i < POLICY_RULES_MAX; i++)
        writer_printf(&w, "%s{\"per_period\":9,\"casemate\":{\"period\":9,\"window\":\"sliding\"}}",
                      i == 0 ? "" : ",");
    writer_text(&w, "]}");
    const struct policy p = parsed_bytes(written(&w), &policy_world_of_24);
    struct velocity *v = arena_alloc(test_arena(), sizeof *v);
    for (size_t round = 0; round < 3; round++)
        for (size_t i = 0; i < POLICY_RULES_MAX; i++)
            assert_true(velocity_charge(v, &p, i, (struct sats){ 3 }, T0 + (int64_t)round));
    for (size_t i = 0; i < POLICY_RULES_MAX; i++)
        assert_int_equal(v->spent[i].n, 9);
    velocity_advance(v, &p, T0 + 9 * 60 + 2);
    assert_int_equal(v->n_outlays, 0);
}

TEST(policy_24_65_clock_set_back_in_a_window)
{
    const struct policy p = parsed(
        "{\"rules\":[{\"per_period\":9,\"casemate\":{\"period\":1,\"window\":\"sliding\"}}]}");
    struct velocity v = charged(&p, 0, 5, T0);
    velocity_advance(&v, &p, T0 - 1000000);
    assert_int_equal(v.spent[0].n, 5);
    velocity_advance(&v, &p, T0 - 1000000 + 59);
    assert_int_equal(v.spent[0].n, 5);
    velocity_advance(&v, &p, T0 - 1000000 + 60);
    assert_int_equal(v.spent[0].n, 0);
}

TEST(policy_24_65_a_clock_set_forward_shifts_what_is_counted)
{
    const struct policy p =
        parsed("{\"period\":60,\"casemate\":{\"dedupe\":true},\"rules\":[{\"per_period\":9},{"
               "\"per_period\":9,\"casemate\":{\"period\":5,\"window\":\"sliding\"}}]}");
    const struct hash256 txid = { { 1 } };
    struct velocity v = charged(&p, 0, 5, T0);
    assert_true(velocity_charge(&v, &p, 1, (struct sats){ 7 }, T0));
    velocity_remember(&v, &p, 0, &txid, T0);
    velocity_shift(&v, 86400);
    velocity_advance(&v, &p, T0 + 86400 + 299);
    assert_int_equal(v.spent[0].n, 5);
    assert_int_equal(v.spent[1].n, 7);
    assert_true(velocity_was_charged(&v, 0, &txid));
    assert_int_equal(velocity_left_s(&v, &p, T0 + 86400), 3600);
    velocity_shift(&v, INT64_MAX); // no overflow
    velocity_advance(&v, &p, INT64_MAX);
    assert_true(v.running);
}

// --- Taking back: of a charge without a signature, and never more ---

static const char of_windows[] =
    "{\"period\":60,\"casemate\":{\"dedupe\":true},\"rules\":[{\"per_period\":100,\"casemate\":{"
    "\"max_txns\":5}},{\"per_period\":100,\"casemate\":{\"period\":9,\"window\":\"sliding\"}},"
    "{\"per_period\":100,\"casemate\":{\"period\":9}}]}";

TEST(policy_24_66_a_charge_is_taken_back_alone)
{
    const struct policy p = parsed(of_windows);
    const struct hash256 txid = { { 1 } }, other = { { 2 } };
    for (size_t rule = 0; rule < p.n_rules; rule++) {
        const struct velocity before = charged(&p, rule, 10, T0 - 5);
        struct velocity after = before;
        assert_true(velocity_charge(&after, &p, rule, (struct sats){ 7 }, T0));
        velocity_remember(&after, &p, rule, &txid, T0);
        struct velocity now = after;
        velocity_take_back(&now, &before, &after, &p, rule, (struct sats){ 7 });
        assert_int_equal(now.spent[rule].n, 10);
        assert_false(velocity_was_charged(&now, rule, &txid));
        // Another came in between: that one stays.
        now = after;
        assert_true(velocity_charge(&now, &p, rule, (struct sats){ 20 }, T0 + 1));
        velocity_remember(&now, &p, rule, &other, T0 + 1);
        velocity_take_back(&now, &before, &after, &p, rule, (struct sats){ 7 });
        assert_int_equal(now.spent[rule].n, 30);
        assert_int_equal(now.n[rule], rule == 0 ? 2 : 0);
        assert_false(velocity_was_charged(&now, rule, &txid));
        assert_true(velocity_was_charged(&now, rule, &other));
        velocity_advance(&now, &p, T0 + 3601);
        assert_int_equal(now.spent[rule].n, 0);
    }
}

// Two rules whose windows began in the same second: what is taken back of one is not taken from the other.
TEST(policy_24_66_another_rules_window_stays)
{
    const struct policy p = parsed(of_windows);
    const struct velocity before = { 0 }, after = charged(&p, 1, 7, T0);
    struct velocity now = after;
    assert_true(velocity_charge(&now, &p, 2, (struct sats){ 20 }, T0));
    velocity_take_back(&now, &before, &after, &p, 1, (struct sats){ 7 });
    assert_int_equal(now.spent[1].n, 0);
    assert_int_equal(now.spent[2].n, 20);
    for (size_t i = 0; i < now.n_outlays; i++)
        assert_int_equal(now.outlays[i].sats.n, now.outlays[i].rule == 2 ? 20 : 0);
    velocity_advance(&now, &p, T0 + 9 * 60);
    assert_int_equal(now.spent[2].n, 0);
}

// What cannot be told from other charges any more stays charged, and is not free when asked again.
TEST(policy_24_66_a_charge_that_cannot_be_found_stays)
{
    const struct policy p = parsed(of_windows);
    const struct velocity before = { 0 };
    struct velocity after = charged(&p, 1, 7, T0);
    struct velocity now = after;
    velocity_shift(&now, 100);
    assert_true(velocity_charge(&now, &p, 1, (struct sats){ 20 }, T0 + 200));
    velocity_take_back(&now, &before, &after, &p, 1, (struct sats){ 7 });
    assert_int_equal(now.spent[1].n, 27);
}
