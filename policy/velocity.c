#include "policy/velocity.h"
#include "base/require.h"
#include <stddef.h>

static uint64_t elapsed_s(int64_t since_s, int64_t now_s)
{
    // Exact for any two times with now_s >= since_s, also where int64_t would overflow.
    return (uint64_t)now_s - (uint64_t)since_s;
}

static uint64_t period_s(const struct policy *policy)
{
    return (uint64_t)policy->period_min * 60;
}

// How long something stays counted under a rule, or as a message; 0 for what nobody counts any more.
static uint64_t window_s(const struct policy *policy, size_t rule)
{
    if (rule == VELOCITY_MESSAGES)
        return policy->own.msg_per_period > 0 ? period_s(policy) : 0;
    if (rule >= policy->n_rules)
        return 0;
    return (uint64_t)rule_period_min(policy, &policy->rules[rule]) * 60;
}

// --- The end of periods ---

// Policy 11: "a wall clock behind the stored start makes the period start now, totals kept". "It is
// over when now - start >= period x 60 s, in whole seconds."
static bool is_over(int64_t *since_s, uint64_t window, int64_t now_s)
{
    if (now_s < *since_s)
        *since_s = now_s;
    return elapsed_s(*since_s, now_s) >= window;
}

static void end_period(struct velocity *v, const struct policy *policy)
{
    v->running = false;
    v->start_s = 0;
    for (size_t i = 0; i < POLICY_RULES_MAX; i++) {
        if (i < policy->n_rules && rule_has_own_window(&policy->rules[i]))
            continue;
        v->spent[i].n = 0;
        v->n[i] = 0;
    }
}

static uint32_t add_count(uint32_t a, uint32_t b)
{
    return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

// Rules without per_period count no money, so that this never meets a sum above all that exists.
static void add(struct sats *sum, uint32_t *n, const struct outlay *outlay)
{
    REQUIRE(sats_add(sum, outlay->sats));
    *n = add_count(*n, outlay->n);
}

// Its part of the sums goes with it.
static void forget(struct velocity *v, const struct outlay *outlay)
{
    uint32_t *n = &v->n[outlay->rule];
    *n -= outlay->n < *n ? outlay->n : *n;
    if (outlay->rule >= POLICY_RULES_MAX)
        return;
    struct sats *spent = &v->spent[outlay->rule];
    spent->n -= outlay->sats.n < spent->n ? outlay->sats.n : spent->n;
}

static void drop_old_outlays(struct velocity *v, const struct policy *policy, int64_t now_s)
{
    size_t n = 0;
    for (size_t i = 0; i < v->n_outlays; i++) {
        struct outlay *outlay = &v->outlays[i];
        if (is_over(&outlay->since_s, window_s(policy, outlay->rule), now_s))
            forget(v, outlay);
        else
            v->outlays[n++] = *outlay;
    }
    v->n_outlays = n;
}

static void drop_old_repeats(struct velocity *v, const struct policy *policy, int64_t now_s)
{
    size_t n = 0;
    for (size_t i = 0; i < v->n_repeats; i++)
        if (!is_over(&v->repeats[i].since_s, window_s(policy, v->repeats[i].rule), now_s))
            v->repeats[n++] = v->repeats[i];
    v->n_repeats = n;
}

void velocity_copy(struct velocity *out, const struct velocity *v)
{
    REQUIRE(v->n_outlays <= VELOCITY_OUTLAYS_MAX && v->n_repeats <= VELOCITY_REPEATS_MAX);
    memcpy(out, v, offsetof(struct velocity, outlays));
    memcpy(out->outlays, v->outlays, v->n_outlays * sizeof v->outlays[0]);
    out->n_repeats = v->n_repeats;
    memcpy(out->repeats, v->repeats, v->n_repeats * sizeof v->repeats[0]);
}

void velocity_advance(struct velocity *v, const struct policy *policy, int64_t now_s)
{
    if (v->running && is_over(&v->start_s, period_s(policy), now_s))
        end_period(v, policy);
    drop_old_outlays(v, policy, now_s);
    drop_old_repeats(v, policy, now_s);
}

static int64_t later_by(int64_t time_s, int64_t by_s)
{
    return time_s > INT64_MAX - by_s ? INT64_MAX : time_s + by_s;
}

void velocity_shift(struct velocity *v, int64_t by_s)
{
    REQUIRE(by_s >= 0);
    if (v->running)
        v->start_s = later_by(v->start_s, by_s);
    for (size_t i = 0; i < v->n_outlays; i++)
        v->outlays[i].since_s = later_by(v->outlays[i].since_s, by_s);
    for (size_t i = 0; i < v->n_repeats; i++)
        v->repeats[i].since_s = later_by(v->repeats[i].since_s, by_s);
}

// --- Windows of their own ---

// The outlay that another of the same rule follows after the shortest time, and that other. There are
// more outlays than rules, so there is a pair.
static void closest_pair(const struct velocity *v, size_t *first, size_t *second)
{
    size_t last[POLICY_RULES_MAX + 1]; // of each rule so far: index + 1
    uint64_t best = UINT64_MAX;
    memset(last, 0, sizeof last);
    *first = *second = 0;
    for (size_t i = 0; i < v->n_outlays; i++) {
        const uint32_t rule = v->outlays[i].rule;
        if (last[rule] > 0) {
            const size_t before = last[rule] - 1;
            const uint64_t gap = elapsed_s(v->outlays[before].since_s, v->outlays[i].since_s);
            if (*second == 0 || gap < best) {
                best = gap;
                *first = before;
                *second = i;
            }
        }
        last[rule] = i + 1;
    }
    REQUIRE(*second > 0);
}

static void make_room(struct velocity *v)
{
    size_t first, second;
    if (v->n_outlays < VELOCITY_OUTLAYS_MAX)
        return;
    closest_pair(v, &first, &second);
    add(&v->outlays[second].sats, &v->outlays[second].n,
        &v->outlays[first]); // the later time stays
    v->n_outlays--;
    memmove(&v->outlays[first], &v->outlays[first + 1],
            (v->n_outlays - first) * sizeof v->outlays[0]);
}

static struct outlay *last_outlay_of(struct velocity *v, size_t rule)
{
    for (size_t i = v->n_outlays; i-- > 0;)
        if (v->outlays[i].rule == rule)
            return &v->outlays[i];
    return NULL;
}

// In a fixed window all that is spent is one outlay, of the time of the first.
static void count_apart(struct velocity *v, size_t rule, bool is_sliding,
                        const struct outlay *outlay)
{
    struct outlay *last = last_outlay_of(v, rule);
    if (last != NULL && (!is_sliding || last->since_s == outlay->since_s)) {
        add(&last->sats, &last->n, outlay);
        return;
    }
    make_room(v);
    v->outlays[v->n_outlays++] = *outlay;
}

// --- Charging ---

bool velocity_charge(struct velocity *v, const struct policy *policy, size_t rule,
                     struct sats spent, int64_t now_s)
{
    REQUIRE(rule < policy->n_rules);
    const struct rule *r = &policy->rules[rule];
    const struct outlay outlay = { .rule = (uint32_t)rule,
                                   .n = r->own.max_txns > 0,
                                   .since_s = now_s,
                                   .sats = { r->per_period.is_set ? spent.n : 0 } };
    if (!sats_add(&v->spent[rule], outlay.sats))
        return false;
    v->n[rule] = add_count(v->n[rule], outlay.n);
    if (rule_has_own_window(r)) {
        count_apart(v, rule, r->own.window == WINDOW_SLIDING, &outlay);
        return true;
    }
    if (!v->running)
        v->start_s = now_s;
    v->running = true;
    return true;
}

void velocity_count_message(struct velocity *v, int64_t now_s)
{
    v->n[VELOCITY_MESSAGES] = add_count(v->n[VELOCITY_MESSAGES], 1);
    count_apart(v, VELOCITY_MESSAGES, false,
                &(struct outlay){ .rule = VELOCITY_MESSAGES, .n = 1, .since_s = now_s });
}

// When what is charged to a rule now begins to count.
static int64_t counted_since(struct velocity *v, const struct policy *policy, size_t rule,
                             int64_t now_s)
{
    const struct rule *r = &policy->rules[rule];
    if (!rule_has_own_window(r))
        return v->running ? v->start_s : now_s;
    const struct outlay *last = last_outlay_of(v, rule);
    return last != NULL && r->own.window != WINDOW_SLIDING ? last->since_s : now_s;
}

void velocity_remember(struct velocity *v, const struct policy *policy, size_t rule,
                       const struct hash256 *txid, int64_t now_s)
{
    if (v->n_repeats == VELOCITY_REPEATS_MAX) {
        v->n_repeats--;
        memmove(&v->repeats[0], &v->repeats[1], v->n_repeats * sizeof v->repeats[0]);
    }
    v->repeats[v->n_repeats++] =
        (struct repeat){ (uint32_t)rule, counted_since(v, policy, rule, now_s), *txid };
}

bool velocity_was_charged(const struct velocity *v, size_t rule, const struct hash256 *txid)
{
    for (size_t i = 0; i < v->n_repeats; i++)
        if (v->repeats[i].rule == rule &&
            bytes_equal(BYTES_OF(v->repeats[i].txid.b), BYTES_OF(txid->b)))
            return true;
    return false;
}

// --- Taking back ---

static bool same_outlays(const struct velocity *a, const struct velocity *b)
{
    bool same = a->n_outlays == b->n_outlays && a->n_repeats == b->n_repeats;
    for (size_t i = 0; same && i < a->n_outlays; i++)
        same = a->outlays[i].rule == b->outlays[i].rule && a->outlays[i].n == b->outlays[i].n &&
               a->outlays[i].since_s == b->outlays[i].since_s &&
               a->outlays[i].sats.n == b->outlays[i].sats.n;
    for (size_t i = 0; same && i < a->n_repeats; i++)
        same = a->repeats[i].rule == b->repeats[i].rule &&
               bytes_equal(BYTES_OF(a->repeats[i].txid.b), BYTES_OF(b->repeats[i].txid.b));
    return same;
}

static bool is_same(const struct velocity *a, const struct velocity *b)
{
    return a->running == b->running && a->start_s == b->start_s &&
           memcmp(a->spent, b->spent, sizeof a->spent) == 0 &&
           memcmp(a->n, b->n, sizeof a->n) == 0 &&
           memcmp(a->heights, b->heights, sizeof a->heights) == 0 && same_outlays(a, b);
}

// The outlay that has the last charge of `after`: it keeps its time when others are added to it.
static struct outlay *outlay_of(struct velocity *now, const struct velocity *after, size_t rule)
{
    const struct outlay *charged = NULL;
    for (size_t i = 0; i < after->n_outlays; i++)
        if (after->outlays[i].rule == rule)
            charged = &after->outlays[i];
    for (size_t i = now->n_outlays; charged != NULL && i-- > 0;)
        if (now->outlays[i].rule == rule && now->outlays[i].since_s == charged->since_s)
            return &now->outlays[i];
    return NULL;
}

static bool uncharge(struct velocity *now, const struct velocity *after,
                     const struct policy *policy, size_t rule, struct sats charge)
{
    const uint32_t n = policy->rules[rule].own.max_txns > 0;
    if (now->spent[rule].n < charge.n || now->n[rule] < n)
        return false;
    if (rule_has_own_window(&policy->rules[rule])) {
        struct outlay *outlay = outlay_of(now, after, rule);
        if (outlay == NULL || outlay->sats.n < charge.n || outlay->n < n)
            return false;
        outlay->sats.n -= charge.n;
        outlay->n -= n;
    } else if (!now->running || now->start_s != after->start_s) {
        return false;
    }
    now->spent[rule].n -= charge.n;
    now->n[rule] -= n;
    return true;
}

static void forget_repeat(struct velocity *v, const struct repeat *repeat)
{
    size_t i = 0;
    while (i < v->n_repeats &&
           (v->repeats[i].rule != repeat->rule ||
            !bytes_equal(BYTES_OF(v->repeats[i].txid.b), BYTES_OF(repeat->txid.b))))
        i++;
    if (i == v->n_repeats)
        return;
    v->n_repeats--;
    memmove(&v->repeats[i], &v->repeats[i + 1], (v->n_repeats - i) * sizeof v->repeats[0]);
}

void velocity_take_back(struct velocity *now, const struct velocity *before,
                        const struct velocity *after, const struct policy *policy, size_t rule,
                        struct sats charge)
{
    if (is_same(now, after)) {
        *now = *before;
        return;
    }
    // What is taken back is charged when it is asked for again.
    if (uncharge(now, after, policy, rule, charge) && policy->own.dedupe && after->n_repeats > 0)
        forget_repeat(now, &after->repeats[after->n_repeats - 1]);
}

// --- All at once ---

static void spend_all_of(struct velocity *v, const struct policy *policy, size_t rule,
                         int64_t now_s)
{
    const struct rule *r = &policy->rules[rule];
    const struct sats all = { r->per_period.is_set ? r->per_period.max.n : 0 };
    if (all.n == 0 && r->own.max_txns == 0)
        return;
    REQUIRE(velocity_charge(v, policy, rule, all, now_s));
    v->n[rule] = r->own.max_txns;
    if (rule_has_own_window(r)) // its only outlay, and the last of all
        v->outlays[v->n_outlays - 1].n = r->own.max_txns;
}

struct velocity velocity_all_spent(const struct policy *policy, const struct velocity *before,
                                   int64_t now_s)
{
    struct velocity v = { 0 };
    memcpy(v.heights, before->heights, sizeof v.heights);
    for (size_t i = 0; i < policy->n_rules; i++)
        spend_all_of(&v, policy, i, now_s);
    if (policy->own.msg_per_period > 0) {
        velocity_count_message(&v, now_s);
        v.n[VELOCITY_MESSAGES] = policy->own.msg_per_period;
        v.outlays[v.n_outlays - 1].n = policy->own.msg_per_period;
    }
    return v;
}

int64_t velocity_left_s(const struct velocity *v, const struct policy *policy, int64_t now_s)
{
    int64_t since_s = v->start_s;
    if (!v->running || is_over(&since_s, period_s(policy), now_s))
        return 0;
    return (int64_t)(period_s(policy) - elapsed_s(since_s, now_s));
}
