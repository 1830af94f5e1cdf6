// policy/velocity.c
#include "policy/velocity.h"
#include "base/require.h"

static uint64_t elapsed_s(const struct velocity *v, int64_t now_s)
{
    // Exact for any two times with now_s >= start_s, also where int64_t would overflow.
    return (uint64_t)now_s - (uint64_t)v->start_s;
}

static uint64_t period_s(const struct policy *policy)
{
    return (uint64_t)policy->period_min * 60;
}

void velocity_advance(struct velocity *v, const struct policy *policy, int64_t now_s)
{
    if (!v->running)
        return;
    // Policy 11: "a wall clock behind the stored start makes the period start now, totals kept"
    if (now_s < v->start_s)
        v->start_s = now_s;
    // "It is over when now - start >= period x 60 s, in whole seconds."
    if (elapsed_s(v, now_s) >= period_s(policy))
        *v = (struct velocity){ 0 };
}

bool velocity_charge(struct velocity *v, size_t rule, struct sats spent, int64_t now_s)
{
    REQUIRE(rule < POLICY_RULES_MAX);
    if (!sats_add(&v->spent[rule], spent))
        return false;
    if (!v->running)
        v->start_s = now_s;
    v->running = true;
    return true;
}

struct velocity velocity_all_spent(const struct policy *policy, int64_t now_s)
{
    struct velocity v = { 0 };
    for (size_t i = 0; i < policy->n_rules; i++) {
        const struct sats_limit limit = policy->rules[i].per_period;
        if (limit.is_set && limit.max.n > 0)
            REQUIRE(velocity_charge(&v, i, limit.max, now_s));
    }
    return v;
}

int64_t velocity_left_s(const struct velocity *v, const struct policy *policy, int64_t now_s)
{
    struct velocity now = *v;
    velocity_advance(&now, policy, now_s);
    if (!now.running)
        return 0;
    return (int64_t)(period_s(policy) - elapsed_s(&now, now_s));
}
