#include "policy/diff_values.h"
#include "policy/percent.h"

#define SMALL 10000u // sat
#define FEE   1000u  // sat

// --- Amounts and fees ---

static int by_size(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

// The smallest and the largest of many.
static size_t thin_out(uint64_t *numbers, size_t n)
{
    size_t kept = 0;
    qsort(numbers, n, sizeof *numbers, by_size);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || numbers[kept - 1] != numbers[i])
            numbers[kept++] = numbers[i];
    if (kept <= VALUES_MAX - 2)
        return kept;
    const size_t half = VALUES_MAX / 2 - 1;
    memmove(numbers + half, numbers + kept - half, half * sizeof *numbers);
    return 2 * half;
}

static uint64_t lower(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

// What just passes each limit of the other policy, up to what this rule allows, and that.
static size_t critical(uint64_t *out, const uint64_t *limits, size_t n, struct sats_limit own,
                       uint64_t small)
{
    uint64_t top = own.is_set ? own.max.n : small;
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        if (limits[i] > 0)
            small = lower(small, limits[i]);
        if (!own.is_set && limits[i] < SATS_MAX / 4 && limits[i] + 1 > top)
            top = limits[i] + 1;
    }
    out[used++] = lower(small, top);
    for (size_t i = 0; i < n; i++)
        if (limits[i] < top)
            out[used++] = limits[i] + 1;
    out[used++] = top;
    return used;
}

static struct sats_limit smaller_limit(struct sats_limit a, struct sats_limit b)
{
    if (!a.is_set || !b.is_set)
        return a.is_set ? a : b;
    return a.max.n < b.max.n ? a : b;
}

static bool fill_amounts(struct values *v, const struct policy *other, struct arena *arena)
{
    uint64_t *limits = arena_array(arena, 2 * other->n_rules + 1, sizeof *limits);
    uint64_t *all = arena_array(arena, 2 * other->n_rules + 3, sizeof *all);
    size_t n = 0;
    if (limits == NULL || all == NULL)
        return false;
    for (size_t i = 0; i < other->n_rules; i++) {
        const struct rule *r = &other->rules[i];
        const struct sats_limit both[] = { r->max_amount, r->per_period };
        for (size_t k = 0; k < COUNT(both); k++)
            if (both[k].is_set)
                limits[n++] = both[k].max.n;
    }
    n = critical(all, limits, n, smaller_limit(v->rule->max_amount, v->rule->per_period), SMALL);
    v->n_amounts = thin_out(all, n);
    memcpy(v->amounts, all, v->n_amounts * sizeof *all);
    return true;
}

static bool fee_must_be_known(const struct rule *rule)
{
    return rule->terms.max_fee.is_set ||
           (rule->terms.count_fees && (rule->max_amount.is_set || rule->per_period.is_set));
}

// Where no rule asks for the fee, none at all is the hardest: nothing but amounts is lost then.
static bool fill_fees(struct values *v, const struct diff_side *side, struct arena *arena)
{
    const struct policy *other = side->refuses;
    uint64_t *limits = arena_array(arena, other->n_rules + 1, sizeof *limits);
    uint64_t *all = arena_array(arena, other->n_rules + 3, sizeof *all);
    size_t n = 0;
    if (limits == NULL || all == NULL)
        return false;
    for (size_t i = 0; i < other->n_rules; i++)
        if (other->rules[i].terms.max_fee.is_set)
            limits[n++] = other->rules[i].terms.max_fee.max.n;
    n = thin_out(all, critical(all, limits, n, v->rule->terms.max_fee, FEE));
    for (size_t i = 0; i < n; i++)
        v->fees[v->n_fees++] = (int64_t)all[i];
    if (!v->world->use_fee || v->n_fees == 1)
        v->fees[v->n_fees++] = 0;
    if (side->signs->warnings_ok && !fee_must_be_known(v->rule))
        v->fees[v->n_fees++] = FEE_UNKNOWN;
    return true;
}

// --- Users: all there are, then each way to be as few as the rule needs ---

static void add_users(struct values *v, const struct bytes *items, size_t n)
{
    if (v->n_users < SETS_MAX)
        v->users[v->n_users++] = (struct user_set){ items, n };
}

// The next choice of k of n, in order; false after the last.
static bool next_choice(size_t *at, size_t k, size_t n)
{
    size_t i = k;
    while (i > 0 && at[i - 1] == n - k + i - 1)
        i--;
    if (i == 0)
        return false;
    at[i - 1]++;
    for (; i < k; i++)
        at[i] = at[i - 1] + 1;
    return true;
}

static void fill_users(struct values *v, struct arena *arena)
{
    const struct rule *rule = v->rule;
    size_t at[USERS_MAX];
    if (v->world->n_users > 0)
        add_users(v, v->world->users, v->world->n_users);
    if (rule->n_users == 0 || rule->min_users > USERS_MAX) {
        add_users(v, NULL, 0);
        return;
    }
    for (size_t i = 0; i < rule->min_users; i++)
        at[i] = i;
    do {
        struct bytes *set = arena_array(arena, rule->min_users, sizeof *set);
        if (set == NULL)
            return;
        for (size_t i = 0; i < rule->min_users; i++)
            set[i] = rule->users[at[i]];
        add_users(v, set, rule->min_users);
    } while (v->n_users < SETS_MAX && next_choice(at, rule->min_users, rule->n_users));
}

// --- Wallets ---

static void add_origin(struct values *v, enum diff_origin origin, struct bytes wallet)
{
    for (size_t i = 0; i < v->n_origins; i++)
        if (v->origins[i].origin == origin && bytes_equal(v->origins[i].wallet, wallet))
            return;
    if (v->n_origins < VALUES_MAX)
        v->origins[v->n_origins++] = (struct origin_value){ origin, wallet };
}

static void fill_origins(struct values *v, const struct policy *other)
{
    const struct bytes wallet = v->rule->wallet;
    if (wallet.len > 0 && !bytes_equal_text(wallet, "1")) {
        add_origin(v, FROM_WALLET, wallet);
        return;
    }
    add_origin(v, FROM_SINGLE_KEY, BYTES(""));
    if (wallet.len > 0 || !v->world->use_wallet)
        return;
    for (size_t i = 0; i < other->n_rules && v->n_origins < VALUES_MAX - 2; i++)
        if (other->rules[i].wallet.len > 0 && !bytes_equal_text(other->rules[i].wallet, "1"))
            add_origin(v, FROM_WALLET, other->rules[i].wallet);
    add_origin(v, FROM_WALLET, BYTES("another wallet"));
    add_origin(v, FROM_BOTH, BYTES("another wallet"));
}

// --- Locktimes: the highest that any rule asks for, what this one needs, none ---

static void fill_locktimes(struct values *v, const struct policy *other)
{
    uint32_t high = v->rule->own.not_before_height;
    for (size_t i = 0; i < other->n_rules; i++)
        if (other->rules[i].own.not_before_height > high)
            high = other->rules[i].own.not_before_height;
    v->locktimes[v->n_locktimes++] = high;
    if (v->rule->own.not_before_height < high)
        v->locktimes[v->n_locktimes++] = v->rule->own.not_before_height;
}

bool values_fill(struct values *v, const struct diff_side *side, size_t rule, struct arena *arena)
{
    const struct policy *p = side->signs, *other = side->refuses;
    v->world = side->world;
    v->rule = &p->rules[rule];
    v->zero[v->n_zero++] = ZERO_NONE;
    if (v->world->use_lists && (v->rule->allow_zeroval_outs || !rule_lists_destinations(v->rule)))
        v->zero[v->n_zero++] = ZERO_OP_RETURN;
    if (v->world->use_lists && p->warnings_ok)
        v->zero[v->n_zero++] = ZERO_TO_TARGETS;
    v->can_lack_attestation = v->world->stand_ins.n > 0;
    fill_locktimes(v, other);
    v->can_warn = p->warnings_ok && !other->warnings_ok;
    v->can_lack_card = !p->must_log && other->must_log;
    v->can_lack_local = !v->rule->local_conf && v->world->use_local;
    values_fill_targets(v, other, arena);
    fill_users(v, arena);
    fill_origins(v, other);
    return fill_amounts(v, other, arena) && fill_fees(v, side, arena);
}

// --- Properties: how many values each has, and what a value does to a plan ---

static void set_amount(struct diff_plan *plan, const struct values *v, size_t at)
{
    plan->spend.n = v->amounts[at];
}

static void set_fee(struct diff_plan *plan, const struct values *v, size_t at)
{
    plan->fee_known = v->fees[at] != FEE_UNKNOWN;
    plan->fee.n = plan->fee_known ? (uint64_t)v->fees[at] : 0;
    plan->has_warning |= !plan->fee_known;
}

static void set_targets(struct diff_plan *plan, const struct values *v, size_t at)
{
    plan->targets = v->targets[at].items;
    plan->n_targets = v->targets[at].n;
}

static void set_users(struct diff_plan *plan, const struct values *v, size_t at)
{
    plan->users = v->users[at].items;
    plan->n_users = v->users[at].n;
}

static void set_origin(struct diff_plan *plan, const struct values *v, size_t at)
{
    plan->origin = v->origins[at].origin;
    plan->wallet = v->origins[at].wallet;
}

static void set_share(struct diff_plan *plan, const struct values *v, size_t at)
{
    plan->share_counts = v->world->use_pct;
    plan->is_lean = at == 1;
    plan->share = v->rule->min_pct;
}

static void set_shape(struct diff_plan *plan, const struct values *v, enum shape shape, size_t at)
{
    if (v->world->use_shape[shape])
        plan->shapes[shape] = at == 0 ? WANT_EQUAL : WANT_UNEQUAL;
}

static void set_ins_outs(struct diff_plan *plan, const struct values *v, size_t at)
{
    set_shape(plan, v, SHAPE_EQ_NUM_INS_OUTS, at);
}

static void set_own_ins_outs(struct diff_plan *plan, const struct values *v, size_t at)
{
    set_shape(plan, v, SHAPE_EQ_NUM_OWN_INS_OUTS, at);
}

static void set_out_amounts(struct diff_plan *plan, const struct values *v, size_t at)
{
    set_shape(plan, v, SHAPE_EQ_OUT_AMOUNTS, at);
}

static void set_zero(struct diff_plan *plan, const struct values *v, size_t at)
{
    plan->zero = v->zero[at];
    plan->has_warning |= plan->zero == ZERO_TO_TARGETS;
}

static void set_locktime(struct diff_plan *plan, const struct values *v, size_t at)
{
    plan->locktime = v->locktimes[at];
}

// Both kinds, or the one that the rule asks for.
static void set_attestation(struct diff_plan *plan, const struct values *v, size_t at)
{
    plan->no_plain = at == 1 && v->rule->own.attest_bound;
    plan->no_bound = at == 1 && !v->rule->own.attest_bound;
}

static void set_warning(struct diff_plan *plan, const struct values *v, size_t at)
{
    (void)v;
    plan->has_warning |= at == 1;
}

static void set_card(struct diff_plan *plan, const struct values *v, size_t at)
{
    (void)v;
    plan->no_card = at == 1;
}

static void set_local(struct diff_plan *plan, const struct values *v, size_t at)
{
    plan->local_code = v->world->use_local && at == 0;
}

static bool rule_wants(const struct rule *rule, enum shape shape)
{
    for (size_t i = 0; i < rule->n_patterns; i++)
        if (rule->patterns[i] == shape)
            return true;
    return false;
}

static size_t count_shape(const struct values *v, enum shape shape)
{
    return v->world->use_shape[shape] && !rule_wants(v->rule, shape) ? 2 : 1;
}

static void (*const setters[PROPERTIES])(struct diff_plan *, const struct values *, size_t) = {
    [AMOUNT] = set_amount,
    [FEES] = set_fee,
    [TARGETS] = set_targets,
    [USERS] = set_users,
    [ZERO] = set_zero,
    [SHARE] = set_share,
    [OUT_AMOUNTS] = set_out_amounts,
    [ORIGIN] = set_origin,
    [OWN_INS_OUTS] = set_own_ins_outs,
    [INS_OUTS] = set_ins_outs,
    [LOCAL] = set_local,
    [WARNING] = set_warning,
    [CARD] = set_card,
    [LOCKTIME] = set_locktime,
    [ATTESTATION] = set_attestation,
};

void values_count(size_t out[static PROPERTIES], const struct values *v)
{
    out[AMOUNT] = v->n_amounts;
    out[FEES] = v->n_fees;
    out[TARGETS] = v->n_targets;
    out[USERS] = v->n_users;
    out[ZERO] = v->n_zero;
    out[SHARE] = v->world->use_pct ? 2 : 1;
    out[OUT_AMOUNTS] = count_shape(v, SHAPE_EQ_OUT_AMOUNTS);
    out[OWN_INS_OUTS] = count_shape(v, SHAPE_EQ_NUM_OWN_INS_OUTS);
    out[INS_OUTS] = count_shape(v, SHAPE_EQ_NUM_INS_OUTS);
    out[ORIGIN] = v->n_origins;
    out[LOCAL] = v->can_lack_local ? 2 : 1;
    out[LOCKTIME] = v->n_locktimes;
    out[ATTESTATION] = v->can_lack_attestation ? 2 : 1;
    out[WARNING] = v->can_warn ? 2 : 1;
    out[CARD] = v->can_lack_card ? 2 : 1;
}

void values_plan(struct diff_plan *out, const struct values *v, const size_t at[static PROPERTIES])
{
    *out = (struct diff_plan){ 0 };
    for (size_t i = 0; i < PROPERTIES; i++)
        setters[i](out, v, at[i]);
    // The fee counts in this rule's limits: the amount makes room for it.
    const struct sats_limit limit = smaller_limit(v->rule->max_amount, v->rule->per_period);
    if (v->rule->terms.count_fees && limit.is_set && out->spend.n + out->fee.n > limit.max.n)
        out->spend.n = limit.max.n > out->fee.n ? limit.max.n - out->fee.n : 0;
}
