// Properties of decisions and forms over many drawn policies and requests.
#include "policy/canonical.h"
#include "policy/summary.h"
#include "tests/support/policy_fixture.h"
#include "tests/support/policy_random.h"

#define DRAWS      4000
#define DRAW_BYTES 512

// The n-th sequence of bytes: the same in every run.
static struct draw draw_number(uint8_t bytes[static DRAW_BYTES], unsigned n)
{
    for (unsigned block = 0; block < DRAW_BYTES / 32; block++) {
        const unsigned seed[] = { n, block };
        const struct hash256 hash = sha256(BYTES_OF(seed));
        memcpy(bytes + (size_t)block * 32, hash.b, 32);
    }
    return (struct draw){ reader_of(bytes_of(bytes, DRAW_BYTES)) };
}

static struct decision decide(const struct drawn_request *r, const struct policy *policy)
{
    return policy_evaluate(policy, &r->tx, &r->auth, &r->velocity, r->now_s);
}

static bool signs(const struct policy *policy, const struct drawn_request *r)
{
    return decide(r, policy).verdict == VERDICT_SIGN;
}

static int by_bytes(const void *a, const void *b)
{
    const struct bytes *x = a, *y = b;
    return bytes_compare(*x, *y);
}

// Makes one thing of the policy stricter; false if there was nothing to tighten in that way.
static bool tighten(struct drawn_policy *p, struct draw *d)
{
    struct rule *rule = &p->rules[draw_below(d, DRAWN_RULES)];
    const struct sats_limit half = { true, { rule->max_amount.max.n / 2 } };
    switch (draw_below(d, 17)) {
    case 0:
        p->policy.warnings_ok = false;
        return true;
    case 1: // log or refuse
        p->policy.must_log = true;
        p->policy.never_log = false;
        return true;
    case 2: // one path less
        p->policy.msg_paths.n /= 2;
        return true;
    case 3: // one rule less
        p->policy.n_rules -= p->policy.n_rules > 0;
        return true;
    case 4:
        rule->max_amount = half;
        return true;
    case 5:
        rule->per_period = (struct sats_limit){ true, { rule->per_period.max.n / 2 } };
        return true;
    case 6:
        rule->local_conf = true;
        return true;
    case 7: // more users of those that are there
        rule->min_users = rule->n_users;
        return rule->n_users > 0;
    case 8:
        rule->allow_zeroval_outs = false;
        return true;
    case 9:
        rule->min_pct = (struct percent){ true, rule->min_pct.is_set ? 100 : 50, 0, 0 };
        return true;
    case 10: // a pattern more
        if (rule->n_patterns == SHAPES)
            return false;
        p->patterns[rule - p->rules][rule->n_patterns++] = (enum shape)draw_below(d, SHAPES);
        return true;
    case 12: // a lower limit on the fee
        rule->terms.max_fee = (struct sats_limit){
            true, { rule->terms.max_fee.is_set ? rule->terms.max_fee.max.n / 2 : 20000 }
        };
        return true;
    case 14: // fewer approvals
        rule->own.max_txns = rule->own.max_txns > 1 ? rule->own.max_txns / 2 : 1;
        return true;
    case 15: // more blocks between them
        rule->own.not_before_height++;
        return true;
    case 13: // the fee counts
        rule->terms.count_fees = true;
        return true;
    case 11: // a wallet where there was none
        if (rule->wallet.len == 0)
            rule->wallet = BYTES("1");
        return true;
    default: // an empty whitelist allows everything, so only a longer one can be cut
        if (rule->n_whitelist < 2)
            return false;
        rule->n_whitelist--;
        memcpy(p->sorted[rule - p->rules], rule->whitelist + 1,
               rule->n_whitelist * sizeof *rule->whitelist);
        qsort(p->sorted[rule - p->rules], rule->n_whitelist, sizeof *rule->whitelist, by_bytes);
        rule->whitelist++;
        return true;
    }
}

TEST(policy_a_stricter_policy_never_signs_more)
{
    unsigned n_signed = 0, n_stopped = 0;
    for (unsigned n = 0; n < DRAWS; n++) {
        uint8_t bytes[DRAW_BYTES];
        struct draw d = draw_number(bytes, n);
        struct drawn_policy p;
        struct drawn_request r;
        draw_policy(&p, &d);
        draw_request(&r, &d, &p.policy);
        bool before = signs(&p.policy, &r);
        n_signed += before;
        for (int steps = 0; steps < 4; steps++) {
            if (!tighten(&p, &d))
                continue;
            const bool after = signs(&p.policy, &r);
            if (after && !before)
                fail_msg("draw %u, step %d: a stricter policy signs", n, steps);
            n_stopped += before && !after;
            before = after;
        }
    }
    // The draw is worth something only if both happen often.
    assert_in_range(n_signed, DRAWS / 20, DRAWS);
    assert_in_range(n_stopped, DRAWS / 50, DRAWS);
}

// Less proof never signs more: no code, no local code, a warning, another wallet's input.
TEST(policy_less_proof_never_signs_more)
{
    for (unsigned n = 0; n < DRAWS; n++) {
        uint8_t bytes[DRAW_BYTES];
        struct draw d = draw_number(bytes, n);
        struct drawn_policy p;
        struct drawn_request r;
        draw_policy(&p, &d);
        draw_request(&r, &d, &p.policy);
        const bool before = signs(&p.policy, &r);
        struct drawn_request less = r;
        less.auth.queue = &less.queue;
        less.tx.in = less.in;
        less.tx.out = less.out;
        switch (draw_below(&d, 5)) {
        case 0:
            less.auth.has_local_code = false;
            break;
        case 1:
            less.tx.n_warnings++;
            break;
        case 2:
            less.auth.card_usable = false;
            break;
        case 3: // change that is not proved is spent
            less.out[0].own &= !less.out[0].change;
            less.out[0].change = false;
            break;
        default: // more was spent already
            for (size_t i = 0; i < p.policy.n_rules && less.velocity.running; i++)
                less.velocity.spent[i].n += 500000;
            break;
        }
        const struct rule *rules = p.policy.rules;
        bool counts_own = false; // one output less that is own may make numbers equal
        for (size_t i = 0; i < p.policy.n_rules; i++)
            counts_own |= rules[i].n_patterns > 0;
        if (!before && !counts_own && signs(&p.policy, &less))
            fail_msg("draw %u: less proof signs", n);
    }
}

// A policy of one of its rules alone, with what was spent under it.
static bool signs_alone(const struct policy *policy, const struct drawn_request *r, size_t rule)
{
    struct policy alone = *policy;
    struct velocity velocity = r->velocity;
    alone.rules = &policy->rules[rule];
    alone.n_rules = 1;
    velocity.spent[0] = velocity.spent[rule];
    velocity.n[0] = velocity.n[rule];
    velocity.heights[0] = velocity.heights[rule];
    const struct decision d = policy_evaluate(&alone, &r->tx, &r->auth, &velocity, r->now_s);
    return d.verdict == VERDICT_SIGN;
}

// "The first rule whose clauses all pass is applied": the one that decides is the first that signs
// alone, and in another order the others' first; whether it is signed is the same in every order.
TEST(policy_24_47_order_matters_as_first_match_only)
{
    unsigned n_signed = 0, n_later = 0;
    for (unsigned n = 0; n < DRAWS; n++) {
        uint8_t bytes[DRAW_BYTES];
        struct draw d = draw_number(bytes, n);
        struct drawn_policy p;
        struct drawn_request r;
        draw_policy(&p, &d);
        draw_request(&r, &d, &p.policy);
        if (p.policy.n_rules < 2 || r.tx.is_message)
            continue;
        for (unsigned turn = 0; turn < 3; turn++) {
            size_t first = 0;
            while (first < p.policy.n_rules && !signs_alone(&p.policy, &r, first))
                first++;
            const struct decision whole = decide(&r, &p.policy);
            if ((whole.verdict == VERDICT_SIGN) != (first < p.policy.n_rules) ||
                (whole.verdict == VERDICT_SIGN && whole.rule != first))
                fail_msg("draw %u, turn %u: rule %zu decides, %zu is the first", n, turn,
                         whole.rule, first);
            n_signed += whole.verdict == VERDICT_SIGN;
            n_later += whole.verdict == VERDICT_SIGN && first > 0;
            // Another order: two of them change places, with what was spent under them.
            const size_t a = draw_below(&d, (uint32_t)p.policy.n_rules);
            const size_t b = draw_below(&d, (uint32_t)p.policy.n_rules);
            const struct rule rule = p.rules[a];
            const struct velocity v = r.velocity;
            p.rules[a] = p.rules[b];
            p.rules[b] = rule;
            r.velocity.spent[a] = v.spent[b];
            r.velocity.spent[b] = v.spent[a];
            r.velocity.n[a] = v.n[b];
            r.velocity.n[b] = v.n[a];
            r.velocity.heights[a] = v.heights[b];
            r.velocity.heights[b] = v.heights[a];
        }
    }
    assert_in_range(n_signed, DRAWS / 20, 3 * DRAWS);
    assert_in_range(n_later, DRAWS / 100, 3 * DRAWS);
}

TEST(policy_24_31_stored_forms_of_drawn_policies)
{
    for (unsigned n = 0; n < DRAWS / 4; n++) {
        uint8_t bytes[DRAW_BYTES];
        struct draw d = draw_number(bytes, n);
        struct drawn_policy p;
        struct policy again;
        struct err err;
        draw_policy(&p, &d);
        const struct bytes stored = stored_of(&p.policy);
        if (!policy_store_read(&again, stored, &drawn_world, test_arena(), &err))
            fail_msg("draw %u: %s\n%.*s", n, err.text, BYTES_ARG(stored));
        const struct hash256 before = policy_hash(&p.policy), after = policy_hash(&again);
        assert_bytes_equal(BYTES_OF(before.b), BYTES_OF(after.b));
        assert_bytes_equal(summary_of(&again, "XTN", UNIT_COIN),
                           summary_of(&p.policy, "XTN", UNIT_COIN));
        // And it decides alike.
        struct drawn_request r;
        draw_request(&r, &d, &p.policy);
        const struct decision a = decide(&r, &p.policy);
        const struct decision b = decide(&r, &again);
        assert_int_equal(a.cause, b.cause);
        assert_int_equal(a.rule, b.rule);
    }
}
