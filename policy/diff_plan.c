#include "policy/diff_plan.h"
#include "base/require.h"
#include "bitcoin/message.h"
#include "policy/percent.h"

#define CHANGE_MIN   100000u // sat that come back, where nothing says how much
#define CHANGE_TIMES 50u     // ... or so many times what leaves, so that no fee is large beside it
#define LOOSE_IN     1000000000000u // own money, where the fee is unknown and so is the rest

// Values and numbers of a transaction to be.
struct shape_of_tx {
    uint64_t spend, change, own_in, foreign_in;
    size_t n_targets, n_change, n_zero, n_own, n_foreign;
    bool uneven; // the first change output, or the first target, has a satoshi of the last
};

// --- Values ---

// The number of satoshis below which every share of the form n/unit is exact.
static uint64_t share_unit(struct percent share)
{
    uint64_t unit = 100;
    for (unsigned i = 0; i < share.scale && unit < 10000000000000; i++)
        unit *= 10;
    return unit;
}

// The least that reaches the share of own_in.
static uint64_t least_back(struct percent share, uint64_t own_in)
{
    uint64_t low = 0, high = own_in;
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        if (percent_is_reached(share, (struct sats){ middle }, (struct sats){ own_in }))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

// As much own money that no more than `share` of it comes back: what does not is spent, or the fee.
static void balance_lean(struct shape_of_tx *s, const struct diff_plan *plan)
{
    const uint64_t leaves = s->spend + plan->fee.n, unit = share_unit(plan->share);
    const uint64_t lost = 10000 - percent_hundredths(plan->share); // of 10000
    s->own_in = leaves;
    if (!percent_is_zero(plan->share) && lost == 0)
        s->own_in = leaves * 20 + CHANGE_MIN; // all of it comes back
    else if (!percent_is_zero(plan->share) && leaves < SATS_MAX / 10000)
        s->own_in = leaves * 10000 / lost;
    if (!plan->fee_known)
        s->own_in = LOOSE_IN;
    if (s->own_in >= unit)
        s->own_in -= s->own_in % unit;
    s->change = least_back(plan->share, s->own_in);
    // Nothing leaves: something must come back, or there is no transaction.
    if (s->own_in == 0)
        s->own_in = s->change = CHANGE_MIN;
}

// "Network fee bigger than 10% of total amount" is no question for a policy, and from 5 % on there is a
// warning: psbt-signing.md 16.
static uint64_t outputs_for_fee(uint64_t fee)
{
    return fee * 20 + 1;
}

static bool balance(struct shape_of_tx *s, const struct diff_plan *plan)
{
    s->spend = plan->spend.n;
    if (plan->is_lean) {
        balance_lean(s, plan);
    } else {
        s->change = CHANGE_TIMES * (s->spend < SATS_MAX / 100 ? s->spend : 0) +
                    CHANGE_TIMES * plan->fee.n + CHANGE_MIN;
        s->own_in = s->change + (plan->share_counts ? 0 : s->spend + plan->fee.n);
    }
    if (plan->fee_known && s->spend + s->change < outputs_for_fee(plan->fee.n)) {
        const uint64_t more = outputs_for_fee(plan->fee.n) - s->spend - s->change;
        s->change += more;
        s->own_in += more;
    }
    const uint64_t out = s->spend + s->change + (plan->fee_known ? plan->fee.n : 0);
    if (out > SATS_MAX || s->own_in > SATS_MAX || (plan->fee_known && out < s->own_in))
        return false;
    s->foreign_in = plan->fee_known ? out - s->own_in : 0;
    return true;
}

// --- Numbers ---

// All outputs of one value: what comes back takes that of a target.
static bool make_even(struct shape_of_tx *s, const struct diff_plan *plan)
{
    if (s->n_zero > 0)
        return false;
    if (s->n_targets == 0)
        return true;
    const uint64_t each = s->spend / s->n_targets;
    if (each == 0)
        return false;
    s->spend = each * s->n_targets;
    s->change = s->n_change > 0 ? each : 0;
    const uint64_t out = s->spend + s->change + plan->fee.n;
    if (plan->is_lean && !percent_is_zero(plan->share)) {
        const uint64_t whole = percent_hundredths(plan->share);
        s->own_in = whole > 0 && each < SATS_MAX / 10000 ? each * 10000 / whole : each;
        while (s->own_in > 0 &&
               !percent_is_reached(plan->share, (struct sats){ each }, (struct sats){ s->own_in }))
            s->own_in--;
    } else {
        s->own_in = plan->is_lean || !plan->share_counts ? out : s->change;
    }
    if (s->own_in > out)
        s->own_in = out;
    s->foreign_in = out - s->own_in;
    return plan->fee_known && s->own_in > 0;
}

// At least two outputs, of two values.
static void make_uneven(struct shape_of_tx *s)
{
    if (s->n_targets + s->n_change + s->n_zero < 2 && s->n_change == 1)
        s->n_change = 2;
    else if (s->n_targets + s->n_change + s->n_zero < 2)
        s->n_targets = 2;
    s->uneven = true;
}

static bool count(struct shape_of_tx *s, const struct diff_plan *plan)
{
    const enum wanted *want = plan->shapes;
    s->n_targets = s->spend == 0 ? 0 : plan->n_targets < s->spend ? plan->n_targets : s->spend;
    if (s->spend > 0 && s->n_targets == 0)
        return false;
    s->n_zero = plan->zero == ZERO_TO_TARGETS ? plan->n_targets : plan->zero == ZERO_OP_RETURN;
    s->n_own = plan->origin == FROM_BOTH ? 2 : 1;
    if (s->change == 0 && want[SHAPE_EQ_NUM_OWN_INS_OUTS] == WANT_EQUAL)
        s->change = ++s->foreign_in;
    s->n_change = s->change > 0;
    if (want[SHAPE_EQ_OUT_AMOUNTS] == WANT_EQUAL && !make_even(s, plan))
        return false;
    if (want[SHAPE_EQ_OUT_AMOUNTS] == WANT_UNEQUAL)
        make_uneven(s);
    if (want[SHAPE_EQ_NUM_OWN_INS_OUTS] == WANT_EQUAL && s->n_change < s->n_own)
        s->n_change = s->n_own;
    if (want[SHAPE_EQ_NUM_OWN_INS_OUTS] == WANT_EQUAL)
        s->n_own = s->n_change;
    if (want[SHAPE_EQ_NUM_OWN_INS_OUTS] == WANT_UNEQUAL && s->n_own == s->n_change)
        s->n_own++;
    s->n_foreign = s->foreign_in > 0 || !plan->fee_known;
    const size_t n_out = s->n_targets + s->n_change + s->n_zero;
    if (want[SHAPE_EQ_NUM_INS_OUTS] == WANT_EQUAL && s->n_own + s->n_foreign < n_out)
        s->n_foreign = n_out - s->n_own;
    if (want[SHAPE_EQ_NUM_INS_OUTS] == WANT_UNEQUAL && s->n_own + s->n_foreign == n_out)
        s->n_foreign++;
    return n_out > 0;
}

// --- Facts ---

// Shares of a sum, the last with what is left over. `uneven`: the first gives a satoshi to the last.
static uint64_t part(uint64_t sum, size_t i, size_t n, bool uneven)
{
    const uint64_t each = sum / n, lent = uneven && n > 1 && each > 0;
    if (i == 0 && n > 1)
        return each - lent;
    return i + 1 == n ? sum - each * (n - 1) + lent : each;
}

static void put_inputs(struct tx_facts *tx, const struct shape_of_tx *s,
                       const struct diff_plan *plan)
{
    for (size_t i = 0; i < tx->n_in; i++) {
        struct input_facts *in = &tx->in[i];
        in->prevout.index = (uint32_t)i;
        in->has_amount = in->verified = i < s->n_own || plan->fee_known;
        if (i >= s->n_own) {
            in->amount.n = part(s->foreign_in, i - s->n_own, s->n_foreign, false);
            continue;
        }
        in->claims = in->own = in->will_sign = true;
        in->amount.n = part(s->own_in, i, s->n_own, false);
        in->multisig = plan->origin == FROM_WALLET || (plan->origin == FROM_BOTH && i == 0);
        tx->signs_multisig |= in->multisig;
        tx->signs_single_key |= !in->multisig;
    }
    tx->n_signatures = s->n_own;
}

// The signature that the attestor would give: of subtype 1 it "also covers the transaction's first input
// outpoint and a number of uses of 1". Source: policy.md 10.4, D26.
static bool attest(struct bytes *signature, const struct output_facts *out,
                   const struct stand_in *attestor, const struct outpoint *first,
                   struct arena *arena)
{
    struct writer w = writer_growing(arena, 128 + out->script.len);
    uint8_t *mem = arena_alloc(arena, MESSAGE_SIGNATURE_LEN);
    struct bytes text;
    struct err ignored;
    writer_u64le(&w, out->amount.n);
    writer_counted(&w, out->script);
    if (first != NULL) {
        writer_put(&w, BYTES_OF(first->txid.b));
        writer_u32le(&w, first->index);
        writer_u32le(&w, 1);
    }
    *signature = bytes_of(mem, MESSAGE_SIGNATURE_LEN);
    return mem != NULL && writer_finish(&w, &text) &&
           message_sign(mem, &attestor->key, attestor->format, text, &ignored);
}

static bool attest_both(struct output_facts *out, const struct stand_in *attestor,
                        const struct outpoint *first, const struct diff_plan *plan,
                        struct arena *arena)
{
    out->has_attestation = !plan->no_plain;
    out->has_bound_attestation = !plan->no_bound;
    return (plan->no_plain || attest(&out->attestation, out, attestor, NULL, arena)) &&
           (plan->no_bound || attest(&out->bound_attestation, out, attestor, first, arena));
}

static bool put_target(struct output_facts *out, const struct tx_facts *tx,
                       const struct diff_plan *plan, size_t i, uint64_t amount, struct arena *arena)
{
    const struct diff_target *target = &plan->targets[i % plan->n_targets];
    out->amount.n = amount;
    return arena_copy(arena, target->script, &out->script) &&
           (target->attestor == NULL ||
            attest_both(out, target->attestor, &tx->in[0].prevout, plan, arena));
}

static bool put_targets(struct tx_facts *tx, const struct shape_of_tx *s,
                        const struct diff_plan *plan, struct arena *arena)
{
    // Two of the only target, where there is none other.
    const bool lends = s->uneven && s->n_change < 2;
    for (size_t i = 0; i < s->n_targets; i++)
        if (!put_target(&tx->out[i], tx, plan, i, part(s->spend, i, s->n_targets, lends), arena))
            return false;
    for (size_t i = 0; i < s->n_zero && plan->zero == ZERO_TO_TARGETS; i++)
        if (!put_target(&tx->out[s->n_targets + s->n_change + i], tx, plan, i, 0, arena))
            return false;
    return true;
}

static bool put_outputs(struct tx_facts *tx, const struct shape_of_tx *s,
                        const struct diff_plan *plan, struct arena *arena)
{
    static const uint8_t op_return[] = { 0x6a, 0x01, 0x00 };
    static const uint8_t ours[] = { 0,    20,   0x63, 0x68, 0x61, 0x6e, 0x67, 0x65,
                                    0x20, 0x6f, 0x66, 0x20, 0x6f, 0x75, 0x72, 0x20,
                                    0x6f, 0x77, 0x6e, 0x2e, 0x2e, 0x2e };
    struct output_facts *out = tx->out + s->n_targets;
    if (!put_targets(tx, s, plan, arena))
        return false;
    for (size_t i = 0; i < s->n_change; i++, out++)
        *out = (struct output_facts){ .amount = { part(s->change, i, s->n_change, s->uneven) },
                                      .script = BYTES_OF(ours),
                                      .change = true,
                                      .own = true };
    if (plan->zero == ZERO_OP_RETURN)
        out->script = BYTES_OF(op_return);
    return true;
}

// Another transaction has another, which is all that a policy asks of it.
static struct hash256 txid_of(const struct tx_facts *tx)
{
    struct sha256 h;
    sha256_init(&h);
    sha256_update(&h, bytes_of(&tx->n_in, sizeof tx->n_in));
    sha256_update(&h, bytes_of(&tx->locktime, sizeof tx->locktime));
    for (size_t i = 0; i < tx->n_out; i++) {
        sha256_update(&h, bytes_of(&tx->out[i].amount.n, sizeof tx->out[i].amount.n));
        sha256_update(&h, tx->out[i].script);
    }
    return sha256d_final(&h);
}

static void sum_up(struct tx_facts *tx, const struct diff_plan *plan)
{
    for (size_t i = 0; i < tx->n_out; i++) {
        tx->total_out.n += tx->out[i].amount.n;
        tx->change_total.n += tx->out[i].change ? tx->out[i].amount.n : 0;
    }
    tx->fee_known = plan->fee_known;
    tx->locktime = plan->locktime;
    tx->locktime_counts = plan->locktime > 0;
    for (size_t i = 0; i < tx->n_in && tx->fee_known; i++)
        tx->total_in.n += tx->in[i].amount.n;
    if (tx->fee_known)
        tx->fee.n = tx->total_in.n - tx->total_out.n;
}

// What was wanted may be out of reach for amounts as small as these.
static bool is_plausible(const struct tx_facts *tx, const struct diff_plan *plan)
{
    if (plan->zero == ZERO_TO_TARGETS && !plan->has_warning)
        return false; // "Zero Value"
    if (!tx->fee_known)
        return plan->has_warning; // "Unable to calculate fee"
    if (tx->total_in.n < tx->total_out.n || tx->total_in.n > SATS_MAX)
        return false;
    return tx->fee.n == 0 || tx->fee.n * 20 < tx->total_out.n;
}

bool diff_plan_facts(struct tx_facts *out, const struct diff_plan *plan, const struct chain *chain,
                     struct arena *arena)
{
    struct shape_of_tx s = { 0 };
    *out = (struct tx_facts){ .chain = chain, .psbt_hash = sha256(BYTES("an example")) };
    if (!balance(&s, plan) || !count(&s, plan))
        return false;
    out->n_in = s.n_own + s.n_foreign;
    out->n_out = s.n_targets + s.n_change + s.n_zero;
    out->in = arena_array(arena, out->n_in, sizeof *out->in);
    out->out = arena_array(arena, out->n_out, sizeof *out->out);
    if (out->in == NULL || out->out == NULL)
        return false;
    if (plan->origin != FROM_SINGLE_KEY)
        out->wallet_name = plan->wallet;
    out->n_warnings = plan->has_warning;
    put_inputs(out, &s, plan);
    if (!put_outputs(out, &s, plan, arena))
        return false;
    sum_up(out, plan);
    out->txid = txid_of(out);
    return is_plausible(out, plan);
}
