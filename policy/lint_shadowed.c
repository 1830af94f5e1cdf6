// policy/lint_shadowed.c -- whether a rule stands in the shadow of an earlier one: each clause of the
// earlier rule is absent, or implied by the later one's.
#include "policy/lint.h"
#include "policy/percent.h"

static bool limit_is_implied(struct sats_limit earlier, struct sats_limit later)
{
    return !earlier.is_set || (later.is_set && later.max.n <= earlier.max.n);
}

static bool names_are_among(const struct bytes *names, size_t n, const struct bytes *all,
                            size_t n_all)
{
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < n_all && !bytes_equal(names[i], all[k]))
            k++;
        if (k == n_all)
            return false;
    }
    return true;
}

// Both lists are sorted.
static bool list_is_among(const struct rule *some, const struct rule *all)
{
    size_t k = 0;
    for (size_t i = 0; i < some->n_whitelist; i++) {
        while (k < all->n_whitelist &&
               bytes_compare(all->whitelist_sorted[k], some->whitelist_sorted[i]) < 0)
            k++;
        if (k == all->n_whitelist ||
            !bytes_equal(all->whitelist_sorted[k], some->whitelist_sorted[i]))
            return false;
    }
    return true;
}

static bool scripts_are_among(const struct rule *some, const struct rule *all)
{
    for (size_t i = 0; i < some->own.n_scripts; i++) {
        size_t k = 0;
        while (k < all->own.n_scripts && !bytes_equal(some->own.scripts[i], all->own.scripts[k]))
            k++;
        if (k == all->own.n_scripts)
            return false;
    }
    return true;
}

static bool payees_are_among(const struct rule *some, const struct rule *all)
{
    for (size_t i = 0; i < some->own.n_payees; i++) {
        const struct payee *p = &some->own.payees[i];
        size_t k = 0;
        while (k < all->own.n_payees &&
               !(bytes_equal(all->own.payees[k].descriptor, p->descriptor) &&
                 all->own.payees[k].first <= p->first && all->own.payees[k].last >= p->last))
            k++;
        if (k == all->own.n_payees)
            return false;
    }
    return true;
}

static bool whitelist_is_implied(const struct rule *earlier, const struct rule *later)
{
    if (!rule_lists_destinations(earlier))
        return true;
    return rule_lists_destinations(later) && later->mode == earlier->mode &&
           (earlier->allow_zeroval_outs || !later->allow_zeroval_outs) &&
           (!earlier->own.attest_bound || later->own.attest_bound) &&
           list_is_among(later, earlier) && scripts_are_among(later, earlier) &&
           payees_are_among(later, earlier);
}

static bool users_are_implied(const struct rule *earlier, const struct rule *later)
{
    if (earlier->n_users == 0)
        return true;
    return later->n_users > 0 && earlier->min_users <= later->min_users &&
           names_are_among(later->users, later->n_users, earlier->users, earlier->n_users);
}

// a >= b
static bool percent_is_at_least(struct percent a, struct percent b)
{
    if (a.whole != b.whole)
        return a.whole > b.whole;
    // Fractions below 10^18, brought to the same scale.
    uint64_t x = a.fraction, y = b.fraction;
    for (unsigned s = a.scale; s < b.scale; s++)
        x *= 10;
    for (unsigned s = b.scale; s < a.scale; s++)
        y *= 10;
    return x >= y;
}

static bool percent_is_implied(struct percent earlier, struct percent later)
{
    return percent_is_zero(earlier) ||
           (!percent_is_zero(later) && percent_is_at_least(later, earlier));
}

static bool shapes_are_implied(const struct rule *earlier, const struct rule *later)
{
    for (size_t i = 0; i < earlier->n_patterns; i++) {
        size_t k = 0;
        while (k < later->n_patterns && later->patterns[k] != earlier->patterns[i])
            k++;
        if (k == later->n_patterns)
            return false;
    }
    return true;
}

// A limit that counts the fee is not implied by one that does not.
static bool fees_are_implied(const struct rule *earlier, const struct rule *later)
{
    return limit_is_implied(earlier->terms.max_fee, later->terms.max_fee) &&
           (!earlier->terms.count_fees || !earlier->max_amount.is_set || later->terms.count_fees);
}

bool rule_is_shadowed(const struct rule *later, const struct rule *earlier)
{
    // What counts, or remembers a height, may have had enough before the later one has.
    return !rule_counts(earlier) && earlier->own.not_before_height == 0 &&
           (earlier->wallet.len == 0 || bytes_equal(earlier->wallet, later->wallet)) &&
           limit_is_implied(earlier->max_amount, later->max_amount) &&
           whitelist_is_implied(earlier, later) && (!earlier->local_conf || later->local_conf) &&
           users_are_implied(earlier, later) &&
           percent_is_implied(earlier->min_pct, later->min_pct) &&
           shapes_are_implied(earlier, later) && fees_are_implied(earlier, later);
}
