// policy/diff_search.c -- a request that a rule signs and the other policy refuses.
//
// A rule's clauses are bounds. A request has one property for each: how much, where to, who approves,
// ... The values of a property that the rule allows stand in order, the easiest for any rule first, the
// hardest last. Where no request made of the hardest values is refused, no other is; so these are tried,
// and, for examples that show one thing, each value alone beside easy ones.
#include "policy/diff_search.h"
#include "base/require.h"
#include "bitcoin/address.h"
#include "policy/lint.h"
#include "policy/payees.h"
#include "policy/percent.h"

#define VALUES_MAX   64  // of an amount, a fee, an origin
#define SETS_MAX     300 // of targets, of users
#define TRIES_MAX    3000
#define SMALL        10000u // sat
#define FEE          1000u  // sat
#define ATTESTED_MAX 64     // attestors in one example

struct target_set {
    const struct diff_target *items;
    size_t n;
};
struct user_set {
    const struct bytes *items;
    size_t n;
};
struct origin_value {
    enum diff_origin origin;
    struct bytes wallet;
};

enum { FEE_UNKNOWN = -1 };

struct values {
    const struct rule *rule;
    size_t n_amounts, n_fees, n_targets, n_users, n_origins;
    uint64_t amounts[VALUES_MAX];
    int64_t fees[VALUES_MAX];
    struct target_set targets[SETS_MAX];
    struct user_set users[SETS_MAX];
    struct origin_value origins[VALUES_MAX];
    size_t n_zero;
    unsigned zero[3]; // kinds of outputs without value
    size_t n_locktimes;
    uint32_t locktimes[3];
    bool can_lack_attestation, can_warn, can_lack_card, can_lack_local;
    const struct diff_world *world;
};

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

// --- Targets ---

static const uint8_t stranger[] = { 0,    20,   0x73, 0x6f, 0x6d, 0x65, 0x62, 0x6f,
                                    0x64, 0x79, 0x20, 0x65, 0x6c, 0x73, 0x65, 0x73,
                                    0x20, 0x63, 0x6f, 0x69, 0x6e, 0x73 };

static bool script_of(struct bytes *out, struct bytes address, const struct diff_world *world,
                      struct arena *arena)
{
    struct writer w = writer_growing(arena, 64);
    struct err ignored;
    return address_to_script(&w, address, world->chain, &ignored) && writer_finish(&w, out);
}

static bool lists(const struct rule *rule, enum whitelist_mode mode, struct bytes address)
{
    for (size_t i = 0; i < rule->n_whitelist && rule->mode == mode; i++)
        if (bytes_equal(rule->whitelist[i], address))
            return true;
    return false;
}

static bool policy_lists(const struct policy *policy, enum whitelist_mode mode,
                         struct bytes address)
{
    for (size_t i = 0; i < policy->n_rules; i++)
        if (lists(&policy->rules[i], mode, address))
            return true;
    return false;
}

static void add_targets(struct values *v, const struct diff_target *items, size_t n)
{
    if (n > 0 && v->n_targets < SETS_MAX)
        v->targets[v->n_targets++] = (struct target_set){ items, n };
}

static void add_target(struct values *v, struct bytes script, const struct stand_in *attestor,
                       struct arena *arena)
{
    struct diff_target *one = arena_alloc(arena, sizeof *one);
    if (one == NULL)
        return;
    *one = (struct diff_target){ script, attestor };
    add_targets(v, one, 1);
}

static bool payee_script_of(struct bytes *out, const struct payee *payee, uint32_t index,
                            struct arena *arena)
{
    struct writer w = writer_growing(arena, 128);
    struct err ignored;
    return payee_script(&w, payee, index, &ignored) && writer_finish(&w, out);
}

// The first script that the rule lists.
static bool listed_script(struct bytes *out, const struct rule *rule,
                          const struct diff_world *world, struct arena *arena)
{
    for (size_t i = 0; i < rule->n_whitelist && i < 100; i++)
        if (script_of(out, rule->whitelist[i], world, arena))
            return true;
    if (rule->own.n_scripts > 0)
        *out = rule->own.scripts[0];
    return rule->own.n_scripts > 0 ||
           (rule->own.n_payees > 0 &&
            payee_script_of(out, &rule->own.payees[0], rule->own.payees[0].first, arena));
}

// Something that the other policy would let through, so that it is not this that it refuses.
static void easy_target(struct diff_target *out, const struct policy *other,
                        const struct diff_world *world, struct arena *arena)
{
    bool has_script = false;
    *out = (struct diff_target){ BYTES_OF(stranger), NULL };
    for (size_t i = 0; i < other->n_rules; i++) {
        const struct rule *rule = &other->rules[i];
        if (rule->mode == WHITELIST_BASIC && !has_script)
            has_script = listed_script(&out->script, rule, world, arena);
        for (size_t k = 0; k < rule->n_whitelist && out->attestor == NULL; k++)
            if (rule->mode == WHITELIST_ATTEST)
                out->attestor = stand_in_of_address(&world->stand_ins, rule->whitelist[k]);
    }
}

// Of each payee the first and the last child, and those beside the bounds of the other policy.
static void fill_payee(struct values *v, const struct payee *payee, const struct policy *other,
                       struct arena *arena)
{
    uint32_t children[2 + 2 * VALUES_MAX] = { payee->first, payee->last };
    size_t n = payee->first < payee->last ? 2 : 1;
    for (size_t i = 0; i < other->n_rules; i++)
        for (size_t k = 0; k < other->rules[i].own.n_payees; k++) {
            const struct payee *theirs = &other->rules[i].own.payees[k];
            if (n + 2 > COUNT(children))
                break;
            if (theirs->first > payee->first && theirs->first <= payee->last)
                children[n++] = theirs->first - 1;
            if (theirs->last >= payee->first && theirs->last < payee->last)
                children[n++] = theirs->last + 1;
        }
    for (size_t i = 0; i < n; i++) {
        struct bytes script;
        if (payee_script_of(&script, payee, children[i], arena))
            add_target(v, script, NULL, arena);
    }
}

static void fill_addresses(struct values *v, const struct policy *other, bool listed_there,
                           struct arena *arena)
{
    const struct rule *rule = v->rule;
    size_t n = 0;
    for (size_t i = 0; i < rule->n_whitelist && n < SETS_MAX / 4; i++) {
        struct bytes script;
        if (policy_lists(other, WHITELIST_BASIC, rule->whitelist[i]) != listed_there ||
            !script_of(&script, rule->whitelist[i], v->world, arena))
            continue;
        add_target(v, script, NULL, arena);
        n++;
    }
}

// A rule that says where to: each alone, those that the other policy lists too first, then all.
static void fill_listed(struct values *v, const struct policy *other, struct arena *arena)
{
    const struct rule *rule = v->rule;
    const size_t most = rule->n_whitelist + SETS_MAX;
    struct diff_target *all = arena_array(arena, most, sizeof *all);
    size_t n = 0;
    if (all == NULL)
        return;
    fill_addresses(v, other, true, arena);
    fill_addresses(v, other, false, arena);
    for (size_t i = 0; i < rule->own.n_scripts && i < SETS_MAX / 4; i++)
        add_target(v, rule->own.scripts[i], NULL, arena);
    for (size_t i = 0; i < rule->own.n_payees && i < SETS_MAX / 8; i++)
        fill_payee(v, &rule->own.payees[i], other, arena);
    for (size_t i = 0; i < rule->n_whitelist; i++)
        n += script_of(&all[n].script, rule->whitelist[i], v->world, arena);
    for (size_t i = 0; i < v->n_targets && rule->own.n_scripts + rule->own.n_payees > 0; i++)
        all[n++] = v->targets[i].items[0];
    if (n > 1)
        add_targets(v, all, n);
}

// A rule that asks for attestations.
static void fill_attested(struct values *v, const struct diff_target *easy, struct arena *arena)
{
    const struct rule *rule = v->rule;
    struct diff_target *all = arena_array(arena, ATTESTED_MAX, sizeof *all);
    size_t n = 0;
    if (all == NULL)
        return;
    for (size_t i = 0; i < rule->n_whitelist && n < ATTESTED_MAX; i++) {
        const struct stand_in *s = stand_in_of_address(&v->world->stand_ins, rule->whitelist[i]);
        if (s == NULL)
            continue;
        all[n++] = (struct diff_target){ BYTES_OF(stranger), s };
        if (easy->attestor == s || easy->attestor == NULL)
            add_target(v, easy->script, s, arena);
        add_target(v, BYTES_OF(stranger), s, arena);
    }
    if (n > 1)
        add_targets(v, all, n);
}

static void fill_targets(struct values *v, const struct policy *other, struct arena *arena)
{
    struct diff_target easy;
    easy_target(&easy, other, v->world, arena);
    if (v->rule->n_whitelist > 0 && v->rule->mode == WHITELIST_ATTEST) {
        fill_attested(v, &easy, arena);
    } else if (rule_lists_destinations(v->rule)) {
        fill_listed(v, other, arena);
    } else {
        add_target(v, easy.script, easy.attestor, arena);
        if (easy.attestor != NULL) {
            add_target(v, BYTES_OF(stranger), easy.attestor, arena);
            add_target(v, easy.script, NULL, arena);
        }
        add_target(v, BYTES_OF(stranger), NULL, arena);
    }
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

static bool fill_values(struct values *v, const struct diff_side *side, size_t rule,
                        struct arena *arena)
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
    fill_targets(v, other, arena);
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

enum property {
    AMOUNT,
    FEES,
    TARGETS,
    USERS,
    ZERO,
    SHARE,
    OUT_AMOUNTS,
    OWN_INS_OUTS,
    INS_OUTS,
    ORIGIN,
    LOCAL,
    LOCKTIME,
    ATTESTATION,
    WARNING,
    CARD
};
#define PROPERTIES 15

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

static void count_values(size_t out[static PROPERTIES], const struct values *v)
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

static void make_plan(struct diff_plan *out, const struct values *v,
                      const size_t at[static PROPERTIES])
{
    *out = (struct diff_plan){ 0 };
    for (size_t i = 0; i < PROPERTIES; i++)
        setters[i](out, v, at[i]);
    // The fee counts in this rule's limits: the amount makes room for it.
    const struct sats_limit limit = smaller_limit(v->rule->max_amount, v->rule->per_period);
    if (v->rule->terms.count_fees && limit.is_set && out->spend.n + out->fee.n > limit.max.n)
        out->spend.n = limit.max.n > out->fee.n ? limit.max.n - out->fee.n : 0;
}

// --- Trying ---

struct search {
    const struct diff_side *side;
    struct values *values;
    size_t n[PROPERTIES];
    unsigned tries;
};

// Whether one side signs this and the other refuses; then the finding is in *key and *example.
static bool differs(struct search *s, const size_t at[static PROPERTIES], struct diff_key *key,
                    bool keep)
{
    struct diff_world *world = s->side->world;
    struct diff_plan plan;
    struct diff_example example = { .times_before = 0 };
    struct velocity *fresh = world->velocities;
    *fresh = (struct velocity){ 0 };
    make_plan(&plan, s->values, at);
    arena_reset(world->scratch);
    struct simulation *yes = arena_alloc(world->scratch, sizeof *yes);
    struct simulation *no = arena_alloc(world->scratch, sizeof *no);
    if (yes == NULL || no == NULL ||
        !diff_request_make(&example.request, world, &plan, keep ? world->arena : world->scratch))
        return false;
    s->tries++;
    if (!diff_decide(yes, world, s->side->signs, &example.request, fresh, world->now_s) ||
        yes->decision.verdict != VERDICT_SIGN ||
        !diff_decide(no, world, s->side->refuses, &example.request, fresh, world->now_s) ||
        no->decision.verdict == VERDICT_SIGN)
        return false;
    *key = diff_key_of(s->side, yes, no);
    if (keep)
        diff_add(s->side, key, &example, yes, no);
    return true;
}

// Takes back whatever the difference does not need, so that the example shows one thing. What is left
// depends on where one begins.
static void soften(struct search *s, size_t at[static PROPERTIES], size_t begin)
{
    for (size_t k = 0; k < PROPERTIES; k++) {
        const size_t i = (begin + k) % PROPERTIES;
        for (size_t easier = 0; easier < at[i]; easier++) {
            const size_t before = at[i];
            struct diff_key key;
            at[i] = easier;
            if (differs(s, at, &key, false))
                break;
            at[i] = before;
        }
    }
}

static bool try_at(struct search *s, const size_t at[static PROPERTIES], size_t ways)
{
    struct diff_key key;
    if (!differs(s, at, &key, false))
        return false;
    for (size_t begin = 0; begin < ways; begin++) {
        size_t best[PROPERTIES];
        memcpy(best, at, sizeof best);
        soften(s, best, begin);
        if (differs(s, best, &key, false) && diff_is_news(s->side->world, &key))
            REQUIRE(differs(s, best, &key, true));
    }
    return true;
}

static bool may_go_on(const struct search *s)
{
    if (s->side->world->budget > 0 && s->tries < TRIES_MAX)
        return true;
    s->side->world->out->is_complete = false;
    return false;
}

// Each value alone beside easy ones. `only_last`: those that are no clause of a rule.
static void try_singles(struct search *s, bool only_last)
{
    const size_t easy[PROPERTIES] = { 0 };
    (void)try_at(s, easy, 1);
    for (size_t i = only_last ? WARNING : 0; i < PROPERTIES; i++)
        for (size_t value = 1; value < s->n[i] && may_go_on(s); value++) {
            size_t at[PROPERTIES] = { 0 };
            at[i] = value;
            (void)try_at(s, at, 1);
        }
}

// All of the hardest, then less and less hard in the properties that have no single hardest value.
static void try_hardest(struct search *s, const size_t n[static PROPERTIES])
{
    size_t at[PROPERTIES];
    for (size_t i = 0; i < PROPERTIES; i++)
        at[i] = n[i] - 1;
    while (may_go_on(s)) {
        if (try_at(s, at, PROPERTIES))
            return;
        size_t i = 0;
        while (i <= INS_OUTS && at[i] == 0) {
            at[i] = n[i] - 1;
            i++;
        }
        if (i > INS_OUTS)
            return;
        at[i]--;
    }
}

// First without what is refused before any rule is tried: it would hide what the rules do.
static void try_combined(struct search *s)
{
    size_t n[PROPERTIES];
    memcpy(n, s->n, sizeof n);
    n[WARNING] = n[CARD] = 1;
    if (!s->side->refuses->warnings_ok && s->values->fees[n[FEES] - 1] == FEE_UNKNOWN)
        n[FEES]--;
    if (!s->side->refuses->warnings_ok && s->values->zero[n[ZERO] - 1] == ZERO_TO_TARGETS)
        n[ZERO]--;
    s->tries = 0;
    try_hardest(s, n);
    if (memcmp(n, s->n, sizeof n) == 0)
        return;
    s->tries = 0;
    try_hardest(s, s->n);
}

// Whatever the rule signs, one rule of the other policy does.
static bool is_covered(const struct diff_side *side, size_t rule)
{
    const struct rule *mine = &side->signs->rules[rule];
    for (size_t i = 0; i < side->refuses->n_rules; i++) {
        struct rule other = side->refuses->rules[i];
        // What both count alike is no difference for the first request.
        if (other.per_period.is_set && mine->per_period.is_set &&
            mine->per_period.max.n <= other.per_period.max.n &&
            mine->terms.count_fees == other.terms.count_fees)
            other.per_period.is_set = false;
        if (rule_is_shadowed(mine, &other))
            return true;
    }
    return false;
}

void diff_search_rule(const struct diff_side *side, size_t rule)
{
    AUTO(arena_freep) struct arena *arena = arena_new(DIFF_ARENA);
    struct search s = { .side = side, .values = arena_alloc(arena, sizeof *s.values) };
    if (s.values == NULL || !fill_values(s.values, side, rule, arena) || s.values->n_targets == 0) {
        side->world->out->is_complete &= s.values != NULL;
        return;
    }
    count_values(s.n, s.values);
    const bool covered = is_covered(side, rule);
    try_singles(&s, covered);
    if (!covered)
        try_combined(&s);
}

bool diff_rule_plans(struct diff_plan *easy, struct diff_plan *largest,
                     const struct diff_side *side, size_t rule, struct arena *arena)
{
    struct values *v = arena_alloc(arena, sizeof *v);
    size_t at[PROPERTIES] = { 0 };
    if (v == NULL || !fill_values(v, side, rule, arena) || v->n_targets == 0)
        return false;
    // No more people than it takes: with all of them another rule may sign without end.
    at[USERS] = v->n_users - 1;
    at[LOCAL] = v->can_lack_local ? 1 : 0;
    make_plan(easy, v, at);
    at[AMOUNT] = v->n_amounts - 1;
    make_plan(largest, v, at);
    return true;
}
