// policy/diff_search.c -- a request that a rule signs and the other policy refuses.
//
// Where no request made of the hardest values is refused, no other is; so these are tried, and, for
// examples that show one thing, each value alone beside easy ones.
#include "policy/diff_search.h"
#include "base/require.h"
#include "policy/diff_values.h"
#include "policy/lint.h"

#define TRIES_MAX 3000

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
    values_plan(&plan, s->values, at);
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

bool diff_search_hardest(const struct diff_side *side, size_t rule)
{
    AUTO(arena_freep) struct arena *arena = arena_new(DIFF_ARENA);
    struct search s = { .side = side, .values = arena_alloc(arena, sizeof *s.values) };
    size_t at[PROPERTIES];
    if (is_covered(side, rule) || s.values == NULL || !values_fill(s.values, side, rule, arena) ||
        s.values->n_targets == 0)
        return false;
    values_count(s.n, s.values);
    for (size_t i = 0; i < PROPERTIES; i++)
        at[i] = s.n[i] - 1;
    // Known fees, and nothing that is refused before any rule.
    at[WARNING] = at[CARD] = at[ZERO] = 0;
    at[FEES] -= s.values->fees[at[FEES]] == FEE_UNKNOWN;
    return try_at(&s, at, 1);
}

void diff_search_rule(const struct diff_side *side, size_t rule)
{
    AUTO(arena_freep) struct arena *arena = arena_new(DIFF_ARENA);
    struct search s = { .side = side, .values = arena_alloc(arena, sizeof *s.values) };
    if (s.values == NULL || !values_fill(s.values, side, rule, arena) || s.values->n_targets == 0) {
        side->world->out->is_complete &= s.values != NULL;
        return;
    }
    values_count(s.n, s.values);
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
    if (v == NULL || !values_fill(v, side, rule, arena) || v->n_targets == 0)
        return false;
    // No more people than it takes: with all of them another rule may sign without end.
    at[USERS] = v->n_users - 1;
    at[LOCAL] = v->can_lack_local ? 1 : 0;
    values_plan(easy, v, at);
    at[AMOUNT] = v->n_amounts - 1;
    values_plan(largest, v, at);
    return true;
}
