#include "policy/evaluate.h"
#include "bitcoin/address.h"
#include "fuzz/fuzz.h"
#include "policy/canonical.h"
#include "tests/support/policy_random.h"

// The oracle: every clause written once more, each in the plainest way, from the sentences of
// policy.md 10.3. No list is sorted, no address is rendered, no sum is kept.

struct facts {
    const struct policy *policy;
    const struct drawn_request *request;
    const struct rule *rule;
    uint64_t spent_before; // in the running period
    uint32_t signed_before;
    uint32_t height; // of the last that was signed
};

static bool pays_to(const struct output_facts *out, struct bytes address)
{
    uint8_t mem[42];
    struct writer script = writer_of(mem, sizeof mem);
    struct err err;
    return address_to_script(&script, address, chain_by_id(CHAIN_XTN), &err) &&
           bytes_equal(writer_bytes(&script), out->script);
}

static bool destination_is_fine(const struct rule *rule, const struct output_facts *out)
{
    if (out->change || (out->amount.n == 0 && rule->allow_zeroval_outs))
        return true;
    for (size_t i = 0; i < rule->n_whitelist; i++) {
        if (rule->mode == WHITELIST_BASIC && pays_to(out, rule->whitelist[i]))
            return true;
        if (rule->mode == WHITELIST_ATTEST && drawn_is_attested(out) &&
            bytes_equal(rule->whitelist[i], drawn_address(DRAWN_ADDRESSES - 1)))
            return true;
    }
    for (size_t i = 0; i < rule->own.n_scripts && rule->mode == WHITELIST_BASIC; i++)
        if (bytes_equal(rule->own.scripts[i], out->script))
            return true;
    return rule->n_whitelist + rule->own.n_scripts == 0;
}

static uint64_t total_out(const struct drawn_request *r)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < r->tx.n_out; i++)
        sum += r->out[i].change ? 0 : r->out[i].amount.n;
    return sum;
}

static bool wallet_holds(const struct facts *f)
{
    const struct tx_facts *tx = &f->request->tx;
    size_t multisig = 0, single = 0;
    for (size_t i = 0; i < tx->n_in; i++) {
        multisig += tx->in[i].multisig;
        single += tx->in[i].will_sign && !tx->in[i].multisig;
    }
    if (f->rule->wallet.len == 0)
        return true;
    if (bytes_equal_text(f->rule->wallet, "1"))
        return multisig == 0;
    return multisig > 0 && single == 0 && bytes_equal(f->rule->wallet, tx->wallet_name);
}

static bool users_hold(const struct facts *f)
{
    size_t n = 0;
    for (size_t k = 0; k < f->rule->n_users; k++)
        for (size_t i = 0; i < DRAWN_USERS; i++)
            n += f->request->codes[i] == CODE_RIGHT &&
                 bytes_equal(f->rule->users[k], user_name(&f->request->users[i]));
    return f->rule->n_users == 0 || (n > 0 && n >= f->rule->min_users);
}

// Drawn percentages have one decimal, and drawn amounts are small.
static bool self_transfer_holds(const struct facts *f)
{
    const struct tx_facts *tx = &f->request->tx;
    const struct percent pct = f->rule->min_pct;
    uint64_t in = 0, out = 0;
    if (!pct.is_set || (pct.whole == 0 && pct.fraction == 0))
        return true;
    REQUIRE(pct.scale <= 1);
    for (size_t i = 0; i < tx->n_in; i++) {
        if (tx->in[i].own && (!tx->in[i].has_amount || !tx->in[i].verified))
            return false;
        in += tx->in[i].own ? tx->in[i].amount.n : 0;
    }
    for (size_t i = 0; i < tx->n_out; i++)
        out += tx->out[i].own ? tx->out[i].amount.n : 0;
    const uint64_t tenths = pct.whole * UINT64_C(10) + (pct.scale == 1 ? pct.fraction : 0);
    return in > 0 && out * 1000 >= tenths * in;
}

static bool shape_holds(const struct facts *f, enum shape shape)
{
    const struct tx_facts *tx = &f->request->tx;
    size_t own_in = 0, own_out = 0, different = 0;
    for (size_t i = 0; i < tx->n_in; i++)
        own_in += tx->in[i].own;
    for (size_t i = 0; i < tx->n_out; i++) {
        own_out += tx->out[i].own;
        different += tx->out[i].amount.n != tx->out[0].amount.n;
    }
    if (shape == SHAPE_EQ_NUM_INS_OUTS)
        return tx->n_in == tx->n_out;
    return shape == SHAPE_EQ_NUM_OWN_INS_OUTS ? own_in == own_out : different == 0;
}

// What counts in the rule's limits; unknown with a fee that is: more than any.
static uint64_t counted(const struct policy *policy, const struct rule *rule,
                        const struct drawn_request *r)
{
    if (!policy->extension.count_fees && !rule->extension.count_fees)
        return total_out(r);
    return r->tx.fee_known ? total_out(r) + r->tx.fee.n : UINT64_MAX / 2;
}

static bool fee_is_below(const struct tx_facts *tx, struct sats_limit limit)
{
    return !limit.is_set || (tx->fee_known && tx->fee.n <= limit.max.n);
}

static bool height_is_reached(const struct facts *f)
{
    const struct tx_facts *tx = &f->request->tx;
    return tx->locktime_counts && tx->locktime >= f->height + f->rule->own.not_before_height;
}

static bool rule_holds(const struct facts *f)
{
    const struct rule *rule = f->rule;
    const uint64_t out = counted(f->policy, rule, f->request);
    bool holds = wallet_holds(f) && users_hold(f) && self_transfer_holds(f);
    holds &= !rule->max_amount.is_set || out <= rule->max_amount.max.n;
    holds &= fee_is_below(&f->request->tx, rule->extension.max_fee);
    holds &= fee_is_below(&f->request->tx, f->policy->extension.max_fee);
    holds &= !rule->local_conf || f->request->local == CODE_RIGHT;
    holds &= !rule->per_period.is_set || f->spent_before + out <= rule->per_period.max.n;
    holds &= rule->own.max_txns == 0 || f->signed_before < rule->own.max_txns;
    holds &= rule->own.not_before_height == 0 || height_is_reached(f);
    for (size_t i = 0; i < f->request->tx.n_out; i++)
        holds &= destination_is_fine(rule, &f->request->out[i]);
    for (size_t i = 0; i < rule->n_patterns; i++)
        holds &= shape_holds(f, rule->patterns[i]);
    return holds;
}

static bool period_runs(const struct policy *policy, const struct drawn_request *r)
{
    return r->velocity.running &&
           (r->velocity.start_s > r->now_s ||
            r->now_s - r->velocity.start_s < (int64_t)policy->period_min * 60);
}

// The index of the first rule that holds, or n_rules.
static size_t first_rule(const struct policy *policy, const struct drawn_request *r)
{
    size_t i = 0;
    for (; i < policy->n_rules; i++) {
        const bool runs = period_runs(policy, r);
        const struct facts f = { .policy = policy,
                                 .request = r,
                                 .rule = &policy->rules[i],
                                 .spent_before = runs ? r->velocity.spent[i].n : 0,
                                 .signed_before = runs ? r->velocity.n[i] : 0,
                                 .height = r->velocity.heights[i] };
        if (rule_holds(&f))
            break;
    }
    return i;
}

static bool message_is_allowed(const struct policy *policy, const struct drawn_request *r)
{
    size_t n = 0, allowed = 0;
    for (size_t i = 0; i < r->tx.n_in; i++) {
        n += r->in[i].will_sign;
        allowed += r->in[i].will_sign && path_list_matches(&policy->msg_paths, &r->in[i].path);
    }
    return n > 0 && n == allowed;
}

static bool has_wrong_code(const struct drawn_request *r)
{
    size_t n = 0;
    for (size_t i = 0; i < DRAWN_USERS; i++)
        n += r->codes[i] == CODE_WRONG;
    return n > 0;
}

static bool should_sign(const struct policy *policy, const struct drawn_request *r)
{
    if (policy->must_log && !r->auth.card_usable)
        return false;
    if (r->tx.n_warnings > 0 && !policy->warnings_ok)
        return false;
    if (r->tx.is_message)
        return message_is_allowed(policy, r);
    return !has_wrong_code(r) && first_rule(policy, r) < policy->n_rules;
}

static void check_velocity(const struct decision *d, const struct policy *policy,
                           const struct drawn_request *r)
{
    const bool runs = period_runs(policy, r);
    for (size_t i = 0; i < policy->n_rules; i++) {
        const struct rule *rule = &policy->rules[i];
        const bool is_charged = d->charged && d->rule == i;
        uint64_t spent = runs ? r->velocity.spent[i].n : 0;
        uint32_t n = runs ? r->velocity.n[i] : 0, height = r->velocity.heights[i];
        if (is_charged && rule->per_period.is_set)
            spent += counted(policy, rule, r);
        if (d->cause == CAUSE_RULE && d->rule == i && rule->own.not_before_height > 0)
            height = r->tx.locktime;
        REQUIRE(d->velocity.spent[i].n == spent);
        REQUIRE(d->velocity.n[i] == n + (is_charged && rule->own.max_txns > 0));
        REQUIRE(d->velocity.heights[i] == height);
    }
    REQUIRE(d->velocity.running == (runs || d->charged));
    REQUIRE(!d->velocity.running || d->velocity.start_s <= r->now_s);
}

FUZZ_TARGET(data)
{
    struct draw draw = { reader_of(data) };
    struct drawn_policy drawn;
    struct drawn_request request;
    draw_policy(&drawn, &draw);
    draw_request(&request, &draw, &drawn.policy);
    const struct policy *policy = &drawn.policy;
    const struct decision d =
        policy_evaluate(policy, &request.tx, &request.auth, &request.velocity, request.now_s);
    const bool by_rule = d.cause == CAUSE_RULE;
    REQUIRE((d.verdict == VERDICT_SIGN) == should_sign(policy, &request));
    REQUIRE((d.verdict == VERDICT_SIGN) == (by_rule || d.cause == CAUSE_MSG_ALLOWED));
    REQUIRE(!by_rule || d.rule == first_rule(policy, &request));
    REQUIRE(d.charged == (by_rule && (policy->rules[d.rule].per_period.is_set ||
                                      policy->rules[d.rule].own.max_txns > 0)));
    REQUIRE(d.consumed == (d.cause != CAUSE_NO_LOG));
    REQUIRE(d.log == (request.auth.card_usable && !policy->never_log));
    REQUIRE(d.n_verified == 0 || d.n_verified == request.queue.n);
    check_velocity(&d, policy, &request);

    char mem[4096];
    struct writer text = writer_of(mem, sizeof mem);
    decision_write(&text, &d, policy, &request.tx);
    REQUIRE(!text.failed && text.len > 0);
}
