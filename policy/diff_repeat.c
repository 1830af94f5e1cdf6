// policy/diff_repeat.c -- differences that show only after something was signed before.
#include "policy/diff_search.h"

#define POOL_MAX    24 // requests that are tried after each other
#define RULES_MAX   6  // of each policy that give them
#define STEPS_MAX   64 // decisions in a row on one request: two or three of each rule that signs it
#define PERIODS_MAX 8

struct pool {
    size_t n;
    struct diff_request items[POOL_MAX];
};

// Signing it once more would leave all as it is, so it is signed for ever: nothing counts it, or it is
// a repetition that is not counted again.
static bool changes_nothing(const struct decision *d, const struct policy *policy)
{
    if (d->cause == CAUSE_MSG_ALLOWED)
        return policy->own.msg_per_period == 0;
    return d->cause == CAUSE_RULE && !d->charged &&
           policy->rules[d->rule].own.not_before_height == 0;
}

static uint64_t lower(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

// How often the same request is still signed at the same time, in the state after it was: what is left
// of the limits of what signs. Where more changes than what is counted there, 0: one by one.
static uint64_t signings_left(const struct decision *d, const struct policy *policy)
{
    const struct velocity *v = &d->velocity;
    uint64_t left = UINT64_MAX;
    if (changes_nothing(d, policy))
        return UINT64_MAX;
    if (d->cause == CAUSE_MSG_ALLOWED)
        return policy->own.msg_per_period - v->n[VELOCITY_MESSAGES];
    const struct rule *rule = &policy->rules[d->rule];
    if (policy->own.dedupe || rule->own.not_before_height > 0)
        return 0;
    if (d->charge.n > 0)
        left = (rule->per_period.max.n - v->spent[d->rule].n) / d->charge.n;
    if (rule->own.max_txns > 0)
        left = lower(left, rule->own.max_txns - v->n[d->rule]);
    return left;
}

// What so many more signings at the time of the last, which `d` decided, add to what is counted.
static void count_again(struct velocity *v, const struct decision *d, const struct policy *policy,
                        uint64_t more)
{
    const bool is_message = d->cause == CAUSE_MSG_ALLOWED;
    const size_t rule = is_message ? VELOCITY_MESSAGES : d->rule;
    const struct sats sum = { more * d->charge.n };
    const uint32_t n = is_message || policy->rules[rule].own.max_txns > 0 ? (uint32_t)more : 0;
    v->n[rule] += n;
    if (!is_message)
        v->spent[rule].n += sum.n;
    // In a window of its own the last outlay has the last signing, so it has these.
    for (size_t i = v->n_outlays; i-- > 0;)
        if (v->outlays[i].rule == rule) {
            v->outlays[i].n += n;
            v->outlays[i].sats.n += sum.n;
            return;
        }
}

// Signs it up to `most` times, and at least until it is refused; UINT64_MAX: nothing seems to end it.
static uint64_t sign_again(struct velocity *v, struct diff_world *world,
                           const struct policy *policy, const struct diff_request *request,
                           uint64_t most, int64_t pause_s)
{
    uint64_t times = 0;
    for (unsigned step = 0; step < STEPS_MAX && times < most; step++) {
        arena_reset(world->scratch);
        struct simulation *s = arena_alloc(world->scratch, sizeof *s);
        if (s == NULL ||
            !diff_decide(s, world, policy, request, v, world->now_s + (times > 0 ? pause_s : 0)) ||
            s->decision.verdict != VERDICT_SIGN)
            return times;
        *v = s->decision.velocity;
        times++;
        uint64_t more = signings_left(&s->decision, policy);
        if (more == UINT64_MAX)
            return most;
        // The last is decided, and the second may be at another time than the first.
        if (more > 1 && times < most && (pause_s == 0 || times > 1)) {
            more = lower(more - 1, most - times);
            count_again(v, &s->decision, policy, more);
            times += more;
        }
    }
    return times == most ? times : UINT64_MAX;
}

bool diff_spend(struct velocity *velocity, struct diff_world *world, const struct policy *policy,
                const struct diff_example *example)
{
    const uint64_t times = example->times_before;
    *velocity = (struct velocity){ 0 };
    return times == 0 ||
           sign_again(velocity, world, policy, &example->before, times, example->pause_s) == times;
}

// --- One after others ---

// Decides `e` under both, and keeps it if they differ.
static void try_example(struct diff_world *world, const struct diff_example *e)
{
    const struct policy *policies[2] = { &world->out->old, &world->out->new };
    struct simulation *s[2];
    struct velocity *v = world->velocities;
    if (!diff_spend(&v[0], world, policies[0], e) || !diff_spend(&v[1], world, policies[1], e))
        return;
    arena_reset(world->scratch);
    for (size_t i = 0; i < 2; i++) {
        s[i] = arena_alloc(world->scratch, sizeof *s[i]);
        if (s[i] == NULL || !diff_decide(s[i], world, policies[i], &e->request, &v[i],
                                         world->now_s + e->pause_s + e->wait_s))
            return;
    }
    const bool by_new = s[1]->decision.verdict == VERDICT_SIGN;
    if (by_new == (s[0]->decision.verdict == VERDICT_SIGN))
        return;
    const struct diff_side side = { world, policies[by_new], policies[!by_new], by_new };
    struct diff_key key = diff_key_of(&side, s[by_new], s[!by_new]);
    key.is_again = true;
    if (diff_is_news(world, &key))
        diff_add(&side, &key, e, s[by_new], s[!by_new]);
}

static uint64_t times_signed(struct diff_world *world, const struct policy *policy,
                             const struct diff_request *request)
{
    struct velocity *v = &world->velocities[0];
    *v = (struct velocity){ 0 };
    return sign_again(v, world, policy, request, UINT64_MAX, 0);
}

// How long what is counted stays counted, in either policy.
static size_t list_periods(int64_t out[static PERIODS_MAX], const struct diff_world *world)
{
    const struct policy *policies[2] = { &world->out->old, &world->out->new };
    size_t n = 0;
    for (size_t p = 0; p < 2; p++) {
        if (policies[p]->period_min > 0 && n < PERIODS_MAX)
            out[n++] = 60 * (int64_t)policies[p]->period_min;
        for (size_t i = 0; i < policies[p]->n_rules; i++) {
            const int64_t s = 60 * (int64_t)rule_period_min(policies[p], &policies[p]->rules[i]);
            size_t k = 0;
            while (k < n && out[k] != s)
                k++;
            if (k == n && n < PERIODS_MAX && s > 0)
                out[n++] = s;
        }
    }
    return n;
}

static void try_again(struct diff_world *world, const struct pool *pool, const int64_t *periods,
                      size_t n_periods)
{
    for (size_t i = 0; i < pool->n; i++) {
        const struct diff_request *r = &pool->items[i];
        const uint64_t by_old = times_signed(world, &world->out->old, r);
        const uint64_t by_new = times_signed(world, &world->out->new, r);
        struct diff_example e = { .request = *r, .before = *r };
        e.times_before = by_old < by_new ? by_old : by_new;
        if (e.times_before == 0 || e.times_before == UINT64_MAX)
            continue;
        if (by_old != by_new)
            try_example(world, &e);
        for (size_t p = 0; p < n_periods; p++) {
            e.wait_s = periods[p];
            try_example(world, &e);
        }
        // The first begins a period, the others are signed at its very end: what a sliding window
        // does not forget.
        for (size_t p = 0; p < n_periods && e.times_before > 1; p++) {
            e.pause_s = periods[p] - 60;
            e.wait_s = 60;
            for (size_t k = 0; k < pool->n; k++) {
                e.request = pool->items[k];
                try_example(world, &e);
            }
        }
        e.pause_s = e.wait_s = 0;
        for (size_t k = 0; k < pool->n; k++) {
            e.request = pool->items[k];
            try_example(world, &e);
        }
    }
}

// --- What is tried ---

static void add_to_pool(struct pool *pool, const struct diff_world *world,
                        const struct diff_plan *plan)
{
    if (pool->n < POOL_MAX && diff_request_make(&pool->items[pool->n], world, plan, world->arena))
        pool->n++;
}

static void fill_pool(struct pool *pool, const struct diff_side *side, struct arena *arena)
{
    size_t used = 0;
    for (size_t i = 0; i < side->signs->n_rules && used < RULES_MAX; i++) {
        struct diff_plan easy, largest;
        if (!rule_counts(&side->signs->rules[i]) ||
            !diff_rule_plans(&easy, &largest, side, i, arena))
            continue;
        add_to_pool(pool, side->world, &largest);
        add_to_pool(pool, side->world, &easy);
        used++;
    }
}

// A message by all whom either policy asks, at a path that both allow.
static void add_message(struct pool *pool, struct diff_world *world)
{
    const struct policy *old = &world->out->old, *new = &world->out->new;
    struct keypath path;
    if (!policy_limits_messages(old) && !policy_limits_messages(new))
        return;
    if (diff_common_path(&path, &old->msg_paths, &new->msg_paths, world->arena) &&
        diff_message_request(&pool->items[pool->n], &path, world, DIFF_MESSAGE_EASY, world->arena))
        pool->n++;
}

void diff_search_repeated(struct diff_world *world)
{
    AUTO(arena_freep) struct arena *arena = arena_new(DIFF_ARENA);
    struct policy_diff *out = world->out;
    struct pool *pool = arena_alloc(arena, sizeof *pool);
    int64_t periods[PERIODS_MAX];
    const struct diff_side new = { world, &out->new, &out->old, true };
    const struct diff_side old = { world, &out->old, &out->new, false };
    if (pool == NULL)
        return;
    add_message(pool, world);
    fill_pool(pool, &new, arena);
    fill_pool(pool, &old, arena);
    try_again(world, pool, periods, list_periods(periods, world));
}
