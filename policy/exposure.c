#include "policy/exposure.h"
#include "policy/percent.h"
#include "policy/users.h"

#define DAY_MIN 1440u

static const struct most all_there_is = { false, { 0 } };

static struct most at_most(uint64_t sats)
{
    return (struct most){ true, { sats < SATS_MAX ? sats : SATS_MAX } };
}

static struct most smaller(struct most a, struct most b)
{
    if (!a.is_limited || !b.is_limited)
        return a.is_limited ? a : b;
    return a.max.n < b.max.n ? a : b;
}

static struct most larger(struct most a, struct most b)
{
    if (!a.is_limited || !b.is_limited)
        return all_there_is;
    return a.max.n > b.max.n ? a : b;
}

static struct most sum(struct most a, struct most b)
{
    if (!a.is_limited || !b.is_limited)
        return all_there_is;
    return at_most(a.max.n + b.max.n); // both at most SATS_MAX
}

static struct most times(struct most a, unsigned n)
{
    if (!a.is_limited)
        return all_there_is;
    return at_most(a.max.n > SATS_MAX / n ? SATS_MAX : a.max.n * n);
}

static struct most limit(struct sats_limit l)
{
    return l.is_set ? at_most(l.max.n) : all_there_is;
}

// The most periods that a day can touch: one that ends as the day begins, spent at its very end, and as
// many as begin in it. Of a sliding window no part of its length holds more than the limit, so that a
// day holds as many as cover it.
static unsigned periods_a_day(unsigned period_min, enum window window)
{
    if (period_min == 0)
        return 1;
    return (DAY_MIN + period_min - 1) / period_min + (window == WINDOW_SLIDING ? 0 : 1);
}

struct exposure exposure_of_rule(const struct policy *policy, size_t index)
{
    const struct rule *rule = &policy->rules[index];
    struct exposure e = { .is_possible = true };
    e.per_period = limit(rule->per_period);
    e.per_tx = smaller(limit(rule->max_amount), e.per_period);
    if (rule->own.max_txns > 0)
        e.per_period = smaller(e.per_period, times(e.per_tx, rule->own.max_txns));
    // Nothing else counts the transactions: a limit on one is none on many, unless it is 0.
    if (e.per_tx.is_limited && e.per_tx.max.n == 0)
        e.per_period = at_most(0);
    e.per_day = times(e.per_period, periods_a_day(rule_period_min(policy, rule), rule->own.window));
    return e;
}

bool helpers_are_enough(const struct rule *rule, const struct helpers *helpers)
{
    if (helpers->everybody)
        return true;
    if (rule->local_conf && !helpers->operator)
        return false;
    size_t n = 0;
    for (size_t i = 0; i < rule->n_users; i++)
        n += helpers->user.len > 0 && bytes_equal(rule->users[i], helpers->user);
    return n >= rule->min_users;
}

struct exposure exposure_of(const struct policy *policy, const struct helpers *helpers)
{
    struct exposure all = { .per_tx = at_most(0), .per_period = at_most(0), .per_day = at_most(0) };
    for (size_t i = 0; i < policy->n_rules; i++) {
        if (!helpers_are_enough(&policy->rules[i], helpers))
            continue;
        const struct exposure e = exposure_of_rule(policy, i);
        all.is_possible = true;
        all.per_tx = larger(all.per_tx, e.per_tx);
        all.per_period = sum(all.per_period, e.per_period);
        all.per_day = sum(all.per_day, e.per_day);
    }
    return all;
}

bool exposure_users(const struct policy *policy, const struct bytes **out, size_t *n,
                    struct arena *arena)
{
    struct bytes *names = arena_array(arena, USERS_MAX * (policy->n_rules + 1), sizeof *names);
    if (names == NULL)
        return false;
    *n = 0;
    for (size_t r = 0; r < policy->n_rules; r++)
        for (size_t i = 0; i < policy->rules[r].n_users && i < USERS_MAX; i++) {
            size_t k = 0;
            while (k < *n && !bytes_equal(names[k], policy->rules[r].users[i]))
                k++;
            if (k == *n)
                names[(*n)++] = policy->rules[r].users[i];
        }
    *out = names;
    return true;
}

// --- In words ---

static void write_most(struct writer *w, struct most most, const struct chain *chain,
                       enum unit unit)
{
    if (most.is_limited)
        sats_write_short(w, most.max, chain, unit);
    else
        writer_text(w, "everything");
}

void exposure_write(struct writer *w, const struct exposure *e, const struct chain *chain,
                    enum unit unit)
{
    if (!e->is_possible) {
        writer_text(w, "nothing");
        return;
    }
    if (!e->per_tx.is_limited) {
        writer_text(w, "everything, at once");
        return;
    }
    writer_text(w, "at most ");
    write_most(w, e->per_tx, chain, unit);
    writer_text(w, " per transaction, ");
    write_most(w, e->per_period, chain, unit);
    writer_text(w, " per period, ");
    write_most(w, e->per_day, chain, unit);
    writer_text(w, " per day");
}

static void write_listed(struct writer *w, const struct rule *rule)
{
    const struct {
        size_t n;
        const char *one, *many;
    } kinds[] = { { rule->n_whitelist, "address", "addresses" },
                  { rule->own.n_scripts, "script", "scripts" },
                  { rule->own.n_payees, "destination", "destinations" } };
    const char *before = "; to ";
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (kinds[i].n == 0)
            continue;
        writer_printf(w, "%s%zu %s", before, kinds[i].n,
                      kinds[i].n == 1 ? kinds[i].one : kinds[i].many);
        before = " and ";
    }
    writer_text(w, " only");
}

// What a limit of money says of the fee: `count_fees` puts it into the limits that there are.
static bool fees_are_counted(const struct rule *rule)
{
    return rule->terms.count_fees && (rule->max_amount.is_set || rule->per_period.is_set);
}

static void write_fees(struct writer *w, const struct rule *rule, const struct chain *chain,
                       enum unit unit)
{
    if (fees_are_counted(rule)) {
        writer_text(w, ", network fees included");
    } else if (rule->terms.max_fee.is_set) {
        writer_text(w, ", and up to ");
        sats_write_short(w, rule->terms.max_fee.max, chain, unit);
        writer_text(w, " of network fee each time");
    }
}

// What else the rule asks for, that no amount shows.
static void write_needs(struct writer *w, const struct rule *rule)
{
    if (rule->n_users > 0)
        writer_printf(w, "; needs %zu of %zu users", rule->min_users, rule->n_users);
    if (rule->local_conf)
        writer_printf(w, "%s the local operator", rule->n_users > 0 ? " and" : "; needs");
    if (rule->n_whitelist > 0 && rule->mode == WHITELIST_ATTEST)
        writer_printf(w, "; attested by one of %zu", rule->n_whitelist);
    else if (rule_lists_destinations(rule))
        write_listed(w, rule);
    if (rule->wallet.len > 0 && bytes_equal_text(rule->wallet, "1"))
        writer_text(w, "; from single-key addresses only");
    else if (rule->wallet.len > 0) {
        writer_text(w, "; from wallet \"");
        name_write(w, rule->wallet);
        writer_text(w, "\" only");
    }
    if (rule->own.not_before_height > 0)
        writer_printf(w, "; each locked for %u blocks more", rule->own.not_before_height);
    if (!percent_is_zero(rule->min_pct)) {
        writer_text(w, "; ");
        hundredths_write(w, percent_hundredths(rule->min_pct));
        writer_text(w, " % of each transaction's own money must come back");
    }
    writer_u8(w, '\n');
}

static void write_help(struct writer *w, const struct policy *policy, const struct chain *chain,
                       enum unit unit, const struct helpers *helpers)
{
    const struct exposure e = exposure_of(policy, helpers);
    writer_text(w, ": ");
    exposure_write(w, &e, chain, unit);
    writer_u8(w, '\n');
}

// Of all rules that limit money.
static const char *fees_in_all(const struct policy *policy)
{
    size_t n = 0, n_counted = 0;
    for (size_t i = 0; i < policy->n_rules; i++) {
        const struct rule *rule = &policy->rules[i];
        n += rule->max_amount.is_set || rule->per_period.is_set;
        n_counted += fees_are_counted(rule);
    }
    return n_counted == 0 ? "on top" : n_counted == n ? "included" : "on top where not included";
}

bool exposure_write_all(struct writer *w, const struct policy *policy, const struct chain *chain,
                        enum unit unit, struct arena *arena)
{
    const struct bytes *users;
    size_t n;
    if (!exposure_users(policy, &users, &n, arena))
        return false;
    writer_printf(w, "The most that can leave, network fees %s:\n", fees_in_all(policy));
    for (size_t i = 0; i < policy->n_rules; i++) {
        const struct exposure e = exposure_of_rule(policy, i);
        writer_printf(w, "- Rule #%zu: ", i + 1);
        exposure_write(w, &e, chain, unit);
        if (e.per_tx.is_limited)
            write_fees(w, &policy->rules[i], chain, unit);
        write_needs(w, &policy->rules[i]);
    }
    writer_text(w, "In all:\n- With nobody's help");
    write_help(w, policy, chain, unit, &(struct helpers){ 0 });
    if (policy_wants_local_code(policy)) {
        writer_text(w, "- With the local operator's help");
        write_help(w, policy, chain, unit, &(struct helpers){ .operator = true });
    }
    for (size_t i = 0; i < n; i++) {
        writer_text(w, "- With the help of ");
        name_write(w, users[i]);
        write_help(w, policy, chain, unit, &(struct helpers){ .user = users[i] });
    }
    writer_text(w, "- With everybody's help");
    write_help(w, policy, chain, unit, &(struct helpers){ .everybody = true });
    return true;
}
