#include "coordinator/choose.h"
#include "tests/support/test.h"

#define NO_LIMIT                                                                                   \
    {                                                                                              \
        SATS_MAX                                                                                   \
    }

static struct candidate ready(unsigned number)
{
    return (struct candidate){ .number = number,
                               .domain = "",
                               .enabled = true,
                               .ready = true,
                               .max_amount = NO_LIMIT,
                               .budget = NO_LIMIT };
}

// "Eligible: enabled, ready, not leased elsewhere, not cooling, refusals below 80, budget for the amount"
TEST(coordinator_F37_eligible)
{
    const struct sats amount = { 1000 };
    struct candidate c = ready(1);
    assert_int_equal(choose_judge(&c, amount), CHOOSE_ELIGIBLE);
    c = ready(1), c.enabled = false;
    assert_int_equal(choose_judge(&c, amount), CHOOSE_NOT_READY);
    c = ready(1), c.ready = false;
    assert_int_equal(choose_judge(&c, amount), CHOOSE_NOT_READY);
    c = ready(1), c.leased = true;
    assert_int_equal(choose_judge(&c, amount), CHOOSE_NOT_READY);
    c = ready(1), c.cooling = true;
    assert_int_equal(choose_judge(&c, amount), CHOOSE_NOT_READY);
    c = ready(1), c.excluded = true;
    assert_int_equal(choose_judge(&c, amount), CHOOSE_NOT_READY);
    c = ready(1), c.budget.n = 1000;
    assert_int_equal(choose_judge(&c, amount), CHOOSE_ELIGIBLE);
    c.budget.n = 999;
    assert_int_equal(choose_judge(&c, amount), CHOOSE_BUDGET);
    c.max_amount.n = 1000;
    assert_int_equal(choose_judge(&c, amount), CHOOSE_BUDGET);
    c.max_amount.n = 999;
    assert_int_equal(choose_judge(&c, amount), CHOOSE_AMOUNT);
    const struct candidate none = { .domain = "" }; // zeroed memory is never asked
    assert_int_equal(choose_judge(&none, (struct sats){ 0 }), CHOOSE_NOT_READY);
}

TEST(coordinator_F37_inv_27_refusal_budget)
{
    struct candidate c = ready(1);
    c.refusals = 79;
    assert_int_equal(choose_judge(&c, (struct sats){ 1 }), CHOOSE_ELIGIBLE);
    c.refusals = 80;
    assert_int_equal(choose_judge(&c, (struct sats){ 1 }), CHOOSE_NOT_READY);
    c.refusals = 99;
    assert_int_equal(choose_judge(&c, (struct sats){ 1 }), CHOOSE_NOT_READY);
}

TEST(coordinator_F37_order_of_the_score)
{
    struct candidate all[5];
    struct choice choice;
    for (unsigned i = 0; i < 5; i++)
        all[i] = ready(i + 1);
    all[0].value.n = 500;
    all[1].last_us = 20;
    all[2].last_us = 10;
    all[3].last_us = 20; // as the second: by number
    all[4].value.n = 499;
    assert_true(choose_signers(&choice, all, 5, 2, (struct sats){ 1 }));
    static const size_t expected[] = { 2, 1, 3, 4, 0 };
    assert_int_equal(choice.n, 5);
    assert_memory_equal(choice.order, expected, sizeof expected);
}

TEST(coordinator_F37_failure_domains)
{
    struct candidate all[4];
    struct choice choice;
    static const struct {
        const char *domains[4];
        size_t k;
        size_t order[4];
    } rows[] = {
        { { "", "", "", "" }, 2, { 0, 1, 2, 3 } },     // each its own
        { { "x", "x", "y", "z" }, 2, { 0, 2, 1, 3 } }, // the second best shares: the third
        { { "x", "x", "y", "z" }, 3, { 0, 2, 3, 1 } },
        { { "x", "x", "x", "z" }, 2, { 0, 3, 1, 2 } },
        { { "x", "x", "y", "y" }, 3, { 0, 2, 1, 3 } }, // no set without a pair
        { { "x", "x", "x", "x" }, 2, { 0, 1, 2, 3 } }, // none at all
        { { "x", "", "x", "" }, 3, { 0, 1, 3, 2 } },
    };
    for (size_t r = 0; r < COUNT(rows); r++) {
        for (unsigned i = 0; i < 4; i++) {
            all[i] = ready(i + 1);
            all[i].domain = rows[r].domains[i];
        }
        assert_true(choose_signers(&choice, all, 4, rows[r].k, (struct sats){ 1 }));
        if (memcmp(choice.order, rows[r].order, sizeof rows[r].order) != 0)
            fail_msg("row %zu: %zu %zu %zu %zu", r, choice.order[0], choice.order[1],
                     choice.order[2], choice.order[3]);
    }
}

TEST(coordinator_F37_counts_tell_why_not)
{
    struct candidate all[3] = { ready(1), ready(2), ready(3) };
    struct choice choice;
    all[0].ready = false;
    all[1].max_amount.n = 10;
    all[2].budget.n = 10;
    assert_false(choose_signers(&choice, all, 3, 2, (struct sats){ 11 }));
    assert_int_equal(choice.n, 0);
    assert_int_equal(choice.n_ready, 2);
    assert_int_equal(choice.n_amount, 1);
    assert_true(choose_signers(&choice, all, 3, 2, (struct sats){ 10 }));
}

TEST(coordinator_F37_substitution_by_tag)
{
    static const enum refusal_tag substitute[] = { REFUSAL_VELOCITY, REFUSAL_BUSY, REFUSAL_TIMEOUT,
                                                   REFUSAL_UNREACHABLE, REFUSAL_LOG };
    for (size_t tag = 0; tag < REFUSAL_TAGS; tag++) {
        bool expected = false;
        for (size_t i = 0; i < COUNT(substitute); i++)
            expected |= substitute[i] == tag;
        assert_int_equal(choose_after((enum refusal_tag)tag),
                         expected ? CHOOSE_SUBSTITUTE : CHOOSE_END);
    }
}

// --- Properties, over many made-up histories ---

static uint64_t next(uint64_t *state) // xorshift: the same histories each time
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// "rotation must be even in value": no signer is ever ahead of another by more than the largest spend, so each
// has signed at most k/n of everything and one spend more.
TEST(coordinator_F37_property_rotation_is_even_in_value)
{
    uint64_t random = 88172645463325252;
    for (size_t n = 1; n <= CHOOSE_MAX; n++) {
        for (size_t k = 1; k <= n; k++) {
            struct candidate all[CHOOSE_MAX];
            struct choice choice;
            uint64_t sum = 0, largest = 0;
            for (unsigned i = 0; i < n; i++)
                all[i] = ready(i + 1);
            for (int64_t spend = 1; spend <= 200; spend++) {
                const uint64_t amount = 546 + next(&random) % (spend % 7 == 0 ? 10000000 : 50000);
                assert_true(choose_signers(&choice, all, n, k, (struct sats){ amount }));
                for (size_t i = 0; i < k; i++) {
                    all[choice.order[i]].value.n += amount;
                    all[choice.order[i]].last_us = spend;
                }
                sum += amount;
                largest = amount > largest ? amount : largest;
                uint64_t least = UINT64_MAX, most = 0;
                for (size_t i = 0; i < n; i++) {
                    least = all[i].value.n < least ? all[i].value.n : least;
                    most = all[i].value.n > most ? all[i].value.n : most;
                }
                assert_true(most - least <= largest);
                assert_true(most <= sum * k / n + largest);
            }
        }
    }
}

// Never two of one domain while another set exists; only eligible ones; each once; the best is always in.
TEST(coordinator_F37_property_choices_are_sound)
{
    static const char *const domains[] = { "", "a", "b", "c" };
    uint64_t random = 1234567;
    for (int round = 0; round < 20000; round++) {
        const size_t n = 1 + next(&random) % CHOOSE_MAX, k = 1 + next(&random) % n;
        const struct sats amount = { next(&random) % 100 };
        struct candidate all[CHOOSE_MAX];
        struct choice choice;
        bool seen[4] = { false };
        size_t n_domains = 0, eligible = 0;
        for (size_t i = 0; i < n; i++) {
            all[i] = ready((unsigned)i + 1);
            all[i].domain = domains[next(&random) % 4];
            all[i].ready = next(&random) % 8 != 0;
            all[i].refusals = next(&random) % 85;
            all[i].value.n = next(&random) % 50;
            all[i].budget.n = next(&random) % 200;
            if (choose_judge(&all[i], amount) != CHOOSE_ELIGIBLE)
                continue;
            eligible++;
            for (size_t d = 0; d < 4; d++)
                if (strcmp(all[i].domain, domains[d]) == 0) {
                    n_domains += d == 0 || !seen[d];
                    seen[d] = true;
                }
        }
        const bool ok = choose_signers(&choice, all, n, k, amount);
        assert_int_equal(ok, eligible >= k);
        assert_int_equal(choice.n, eligible);
        size_t pairs = 0, best = 0;
        for (size_t i = 0; i < choice.n; i++) {
            assert_int_equal(choose_judge(&all[choice.order[i]], amount), CHOOSE_ELIGIBLE);
            for (size_t j = 0; j < i; j++) {
                assert_int_not_equal(choice.order[i], choice.order[j]);
                pairs += ok && i < k && all[choice.order[i]].domain[0] != 0 &&
                         strcmp(all[choice.order[i]].domain, all[choice.order[j]].domain) == 0;
            }
            if (all[choice.order[i]].value.n < all[choice.order[best]].value.n)
                best = i;
        }
        assert_true(pairs == 0 || n_domains < k);
        if (choice.n > 0)
            assert_int_equal(all[choice.order[0]].value.n, all[choice.order[best]].value.n);
    }
}

// --- Budgets ---

TEST(coordinator_F38_budgets)
{
    static const struct {
        struct budget b;
        int64_t now_us;
        uint64_t left;
    } rows[] = {
        { { .per_period = { 1000 },
            .is_reported = true,
            .reported = { 300 },
            .window_ends_us = 50 },
          10,
          700 },
        // The period is over: what was spent in it is free again, what we asked since is not.
        { { .per_period = { 1000 },
            .is_reported = true,
            .reported = { 300 },
            .window_ends_us = 50 },
          50,
          1000 },
        { { .per_period = { 1000 },
            .is_reported = true,
            .reported = { 300 },
            .counted = { 200 },
            .window_ends_us = 50 },
          50,
          800 },
        { { .per_period = { 1000 },
            .is_reported = true,
            .reported = { 300 },
            .counted = { 200 },
            .window_ends_us = 50 },
          49,
          500 },
        // After a restart with boot-to-HSM the device says so itself.
        { { .per_period = { 1000 },
            .is_reported = true,
            .reported = { 1000 },
            .window_ends_us = 50 },
          10,
          0 },
        { { .per_period = { 1000 },
            .is_reported = true,
            .reported = { 2000 },
            .window_ends_us = 50 },
          10,
          0 },
        // Not told: our own count, and nothing after a restart that may have spent it all.
        { { .per_period = { 1000 }, .counted = { 400 } }, 10, 600 },
        { { .per_period = { 1000 }, .counted = { 1400 } }, 10, 0 },
        { { .per_period = { 1000 }, .counted = { 400 }, .assumed_spent = true }, 10, 0 },
        { { .per_period = { 1000 }, .is_reported = true, .assumed_spent = true }, 10, 1000 },
        { { .per_period = { SATS_MAX }, .counted = { 400 } }, 10, SATS_MAX },
        { { .per_period = { 0 } }, 10, 0 }, // a limit of nothing
        { { .per_period = { 1000 },
            .is_reported = true,
            .reported = { SATS_MAX },
            .counted = { SATS_MAX } },
          10,
          0 },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (budget_left(&rows[i].b, rows[i].now_us).n != rows[i].left)
            fail_msg("row %zu: %llu", i,
                     (unsigned long long)budget_left(&rows[i].b, rows[i].now_us).n);
}
