// policy/clauses.c -- one function for each row of the table of policy.md 10.3.
#include "policy/clauses.h"
#include "policy/payees.h"
#include "policy/percent.h"
#include "policy/simulate.h"

#define LOCKTIME_TIMES 500000000u // from here on nLockTime is a time. Source: consensus

struct trial {
    const struct rule *rule;
    size_t index;
    struct evidence *evidence;
    struct rule_outcome *outcome;
};

static bool fails(const struct trial *t, enum reason reason)
{
    t->outcome->reason = reason;
    return false;
}

static bool fails_by(const struct trial *t, enum reason reason, uint64_t actual, uint64_t limit)
{
    t->outcome->actual = actual;
    t->outcome->limit = limit;
    return fails(t, reason);
}

static bool fails_at(const struct trial *t, enum reason reason, size_t output)
{
    t->outcome->output = output;
    return fails(t, reason);
}

// 1. Note 1: "Casemate requires every input that it would sign to belong to that wallet, and with
// "1" that none of them is multisig; no input of a multisig wallet: `not multisig`, otherwise `wrong
// wallet`."
static bool has_multisig_input(const struct tx_facts *tx)
{
    bool found = tx->signs_multisig;
    for (size_t i = 0; i < tx->n_in && !found; i++)
        found = tx->in[i].multisig;
    return found;
}

static bool wallet_holds(const struct trial *t)
{
    const struct tx_facts *tx = t->evidence->tx;
    const struct bytes wallet = t->rule->wallet;
    if (wallet.len == 0)
        return true;
    const bool is_multisig = has_multisig_input(tx);
    if (bytes_equal_text(wallet, "1"))
        return !is_multisig || fails(t, REASON_WRONG_WALLET);
    if (!is_multisig)
        return fails(t, REASON_NOT_MULTISIG);
    return (!tx->signs_single_key && bytes_equal(tx->wallet_name, wallet)) ||
           fails(t, REASON_WRONG_WALLET);
}

// Extension [EXT, D8]: "total_out includes the fee in clauses 2 and 7 and when charging".
bool rule_charge(struct sats *out, const struct rule *rule, const struct tx_facts *tx,
                 struct sats spent)
{
    *out = spent;
    return !rule->terms.count_fees || (tx->fee_known && sats_add(out, tx->fee));
}

// 2. "total_out <= max_amount"
static bool max_amount_holds(const struct trial *t)
{
    const struct evidence *e = t->evidence;
    const struct sats_limit limit = t->rule->max_amount;
    struct sats moved = { 0 };
    if (!e->spent_is_known)
        return fails_by(t, REASON_AMOUNT, UINT64_MAX, SATS_MAX);
    if (!limit.is_set)
        return true;
    if (!rule_charge(&moved, t->rule, e->tx, e->spent))
        return fails_by(t, REASON_AMOUNT, UINT64_MAX, limit.max.n);
    return moved.n <= limit.max.n || fails_by(t, REASON_AMOUNT, moved.n, limit.max.n);
}

static int by_bytes(const void *a, const void *b)
{
    const struct bytes *x = a, *y = b;
    return bytes_compare(*x, *y);
}

// Extension [EXT, D8]: "fee <= value, fee known".
static bool max_fee_holds(const struct trial *t)
{
    const struct tx_facts *tx = t->evidence->tx;
    const struct sats_limit limit = t->rule->terms.max_fee;
    if (!limit.is_set)
        return true;
    const uint64_t fee = tx->fee_known ? tx->fee.n : UINT64_MAX;
    return fee <= limit.max.n || fails_by(t, REASON_FEE, fee, limit.max.n);
}

static bool is_among(struct bytes text, const struct bytes *sorted, size_t n)
{
    return n > 0 && text.len > 0 && bsearch(&text, sorted, n, sizeof text, by_bytes) != NULL;
}

static bool is_listed(const struct rule *rule, struct bytes address)
{
    return is_among(address, rule->whitelist_sorted, rule->n_whitelist);
}

// Extensions [EXT]: `scripts` are "further whitelisted scripts", and an output of `destinations`
// "passes the whitelist clause as if listed".
static bool is_allowed(const struct trial *t, struct destination *d)
{
    const struct rule *rule = t->rule;
    struct payee_hit ignored;
    return is_listed(rule, d->address) ||
           is_among(d->script, rule->own.scripts_sorted, rule->own.n_scripts) ||
           (rule->own.n_payees > 0 &&
            payee_find(t->evidence->policy->payee_table, t->index, destination_hash(d), &ignored));
}

// 3. "every destination is in the list"; note 3: "Casemate names the first in output order"
static bool every_destination_is_listed(const struct trial *t)
{
    const struct evidence *e = t->evidence;
    evidence_need_destinations(t->evidence);
    for (size_t i = 0; i < e->n_destinations; i++) {
        struct destination *d = &e->destinations[i];
        if (d->is_zero && t->rule->allow_zeroval_outs)
            continue;
        if (!is_allowed(t, d))
            return fails_at(t, REASON_NOT_WHITELISTED, d->output);
    }
    return true;
}

// 4. "every destination carries a good attestation"
static bool output_is_attested(const struct trial *t, size_t output)
{
    const struct attestor *a = attestor_of(t->evidence, output, t->rule->own.attest_bound);
    t->outcome->actual = a->header;
    if (a->reason != REASON_NONE)
        return fails_at(t, a->reason, output);
    return is_listed(t->rule, a->address) || fails_at(t, REASON_ATTEST_KEY, output);
}

static bool needs_attestation(const struct trial *t, size_t output)
{
    const struct output_facts *out = &t->evidence->tx->out[output];
    return !out->change && !(out->amount.n == 0 && t->rule->allow_zeroval_outs);
}

// Extension [EXT, D26]: "a number of uses of 1". Another signature for the same output is the same use.
static bool is_first_use(const struct trial *t, size_t output)
{
    const struct output_facts *out = t->evidence->tx->out;
    for (size_t i = 0; i < output && t->rule->own.attest_bound; i++)
        if (needs_attestation(t, i) && out[i].amount.n == out[output].amount.n &&
            bytes_equal(out[i].script, out[output].script))
            return fails_at(t, REASON_ATTEST_TWICE, output);
    return true;
}

static bool every_destination_is_attested(const struct trial *t)
{
    for (size_t i = 0; i < t->evidence->tx->n_out; i++)
        if (needs_attestation(t, i) && (!output_is_attested(t, i) || !is_first_use(t, i)))
            return false;
    return true;
}

// "`[]` means no restriction, not "nothing allowed""
static bool whitelist_holds(const struct trial *t)
{
    if (!rule_lists_destinations(t->rule))
        return true;
    return t->rule->mode == WHITELIST_ATTEST ? every_destination_is_attested(t)
                                             : every_destination_is_listed(t);
}

// 5.
static bool local_conf_holds(const struct trial *t)
{
    return !t->rule->local_conf || t->evidence->decision->local_code_good ||
           fails(t, REASON_LOCAL_CODE);
}

// 6. "at least one of the rule's users is among the verified ones", "and at least `min_users` of
// them". Note: "verified users that the rule does not list do no harm".
static bool is_verified(const struct evidence *e, struct bytes name)
{
    for (size_t i = 0; i < e->decision->n_verified; i++)
        if (bytes_equal(user_name(&e->auth->users[e->decision->verified[i].user]), name))
            return true;
    return false;
}

static bool users_hold(const struct trial *t)
{
    const struct rule *rule = t->rule;
    size_t n = 0;
    for (size_t i = 0; i < rule->n_users; i++)
        n += is_verified(t->evidence, rule->users[i]);
    if (rule->n_users > 0 && n == 0)
        return fails_by(t, REASON_NO_USER, 0, rule->min_users);
    return n >= rule->min_users || fails_by(t, REASON_FEW_USERS, n, rule->min_users);
}

// Extension [EXT, D10]: "within a period, a transaction whose unsigned txid was already charged is not
// charged again". To the same rule: in another it is the first.
struct hash256 rule_repeat_id(const struct tx_facts *tx, struct sats charge)
{
    uint8_t mem[sizeof tx->txid.b + sizeof charge.n];
    struct writer w = writer_of(mem, sizeof mem);
    writer_put(&w, BYTES_OF(tx->txid.b));
    writer_u64le(&w, charge.n);
    return sha256(writer_bytes(&w));
}

bool rule_was_charged(const struct rule *rule, size_t index, const struct policy *policy,
                      const struct tx_facts *tx, struct sats spent, const struct velocity *velocity)
{
    struct sats charge = { 0 };
    if (!policy->own.dedupe || !rule_counts(rule) ||
        (rule->per_period.is_set && !rule_charge(&charge, rule, tx, spent)))
        return false;
    const struct hash256 id = rule_repeat_id(tx, charge);
    return velocity_was_charged(velocity, index, &id);
}

static bool is_repeated(const struct trial *t)
{
    const struct evidence *e = t->evidence;
    return rule_was_charged(t->rule, t->index, e->policy, e->tx, e->spent, &e->decision->velocity);
}

// 7. "spent + total_out <= per_period"
static bool per_period_holds(const struct trial *t)
{
    const struct evidence *e = t->evidence;
    const struct sats_limit limit = t->rule->per_period;
    struct sats sum = e->decision->velocity.spent[t->index], moved = { 0 };
    if (!limit.is_set || is_repeated(t))
        return true;
    if (!rule_charge(&moved, t->rule, e->tx, e->spent) || !sats_add(&sum, moved))
        return fails_by(t, REASON_PERIOD, UINT64_MAX, limit.max.n);
    return sum.n <= limit.max.n || fails_by(t, REASON_PERIOD, sum.n, limit.max.n);
}

// Extension [EXT, D17]: "approvals per period".
static bool max_txns_holds(const struct trial *t)
{
    const uint64_t limit = t->rule->own.max_txns;
    const uint64_t n = (uint64_t)t->evidence->decision->velocity.n[t->index] + 1;
    return limit == 0 || n <= limit || is_repeated(t) || fails_by(t, REASON_TXNS, n, limit);
}

// Extension [EXT]: "nLockTime must be a height >= value of the last signed + this". One that consensus
// does not enforce limits nothing.
static bool locktime_holds(const struct trial *t)
{
    const struct tx_facts *tx = t->evidence->tx;
    const uint64_t step = t->rule->own.not_before_height;
    const uint64_t least = t->evidence->decision->velocity.heights[t->index] + step;
    const bool is_height = tx->locktime_counts && tx->locktime < LOCKTIME_TIMES;
    const uint64_t height = is_height ? tx->locktime : 0;
    return step == 0 || height >= least || fails_by(t, REASON_LOCKTIME, height, least);
}

// 8. "own outputs / own inputs x 100 >= the value"; "`min_pct_self_transfer` (not 0)"
static bool min_pct_holds(const struct trial *t)
{
    const struct evidence *e = t->evidence;
    const struct percent pct = t->rule->min_pct;
    if (percent_is_zero(pct))
        return true;
    if (!e->own_in_is_known)
        return fails(t, REASON_OWN_INPUT_UNKNOWN);
    if (e->own_in.n == 0)
        return fails(t, REASON_NO_OWN_INPUT);
    return percent_is_reached(pct, e->own_out, e->own_in) ||
           fails_by(t, REASON_SELF_TRANSFER, share_hundredths(e->own_out, e->own_in),
                    percent_hundredths(pct));
}

// 9 to 11, in this order, whatever the order in the file.
static bool has_shape(const struct rule *rule, enum shape shape)
{
    for (size_t i = 0; i < rule->n_patterns; i++)
        if (rule->patterns[i] == shape)
            return true;
    return false;
}

static bool num_ins_outs_holds(const struct trial *t)
{
    const struct tx_facts *tx = t->evidence->tx;
    return !has_shape(t->rule, SHAPE_EQ_NUM_INS_OUTS) || tx->n_in == tx->n_out ||
           fails_by(t, REASON_NUM_INS_OUTS, tx->n_in, tx->n_out);
}

static bool num_own_ins_outs_holds(const struct trial *t)
{
    const struct evidence *e = t->evidence;
    return !has_shape(t->rule, SHAPE_EQ_NUM_OWN_INS_OUTS) || e->n_own_in == e->n_own_out ||
           fails_by(t, REASON_NUM_OWN_INS_OUTS, e->n_own_in, e->n_own_out);
}

static bool out_amounts_hold(const struct trial *t)
{
    return !has_shape(t->rule, SHAPE_EQ_OUT_AMOUNTS) || t->evidence->amounts_are_equal ||
           fails(t, REASON_OUT_AMOUNTS);
}

// The table of policy.md 10.3, row by row.
static bool has_wallet(const struct rule *rule)
{
    return rule->wallet.len > 0;
}

static bool has_max_amount(const struct rule *rule)
{
    return rule->max_amount.is_set;
}

static bool has_max_fee(const struct rule *rule)
{
    return rule->terms.max_fee.is_set;
}

static bool has_max_txns(const struct rule *rule)
{
    return rule->own.max_txns > 0;
}

static bool has_height(const struct rule *rule)
{
    return rule->own.not_before_height > 0;
}

static bool has_local_conf(const struct rule *rule)
{
    return rule->local_conf;
}

static bool has_users(const struct rule *rule)
{
    return rule->n_users > 0;
}

static bool has_per_period(const struct rule *rule)
{
    return rule->per_period.is_set;
}

static bool has_min_pct(const struct rule *rule)
{
    return !percent_is_zero(rule->min_pct);
}

static bool has_num_ins_outs(const struct rule *rule)
{
    return has_shape(rule, SHAPE_EQ_NUM_INS_OUTS);
}

static bool has_num_own_ins_outs(const struct rule *rule)
{
    return has_shape(rule, SHAPE_EQ_NUM_OWN_INS_OUTS);
}

static bool has_out_amounts(const struct rule *rule)
{
    return has_shape(rule, SHAPE_EQ_OUT_AMOUNTS);
}

static const struct {
    const char *name;
    bool (*is_set)(const struct rule *);
    bool (*holds)(const struct trial *);
} clauses[RULE_CLAUSES] = {
    { "wallet", has_wallet, wallet_holds },
    { "max_amount", has_max_amount, max_amount_holds },
    { "max_fee", has_max_fee, max_fee_holds },
    { "whitelist", rule_lists_destinations, whitelist_holds },
    { "local_conf", has_local_conf, local_conf_holds },
    { "users", has_users, users_hold },
    { "per_period", has_per_period, per_period_holds },
    { "max_txns", has_max_txns, max_txns_holds },
    { "not_before_height", has_height, locktime_holds },
    { "min_pct_self_transfer", has_min_pct, min_pct_holds },
    { "EQ_NUM_INS_OUTS", has_num_ins_outs, num_ins_outs_holds },
    { "EQ_NUM_OWN_INS_OUTS", has_num_own_ins_outs, num_own_ins_outs_holds },
    { "EQ_OUT_AMOUNTS", has_out_amounts, out_amounts_hold },
};

const char *rule_clause_name(size_t clause)
{
    return clauses[clause].name;
}

// A clause that does not hold and gives no reason refuses, too: the outcome begins as "not tried".
struct rule_outcome rule_try(const struct rule *rule, size_t index, struct evidence *evidence)
{
    struct rule_outcome outcome = { .reason = REASON_NOT_TRIED };
    const struct trial trial = { rule, index, evidence, &outcome };
    for (size_t i = 0; i < COUNT(clauses); i++)
        if (!clauses[i].holds(&trial))
            return outcome;
    return (struct rule_outcome){ .reason = REASON_NONE };
}

void rule_try_clauses(struct rule_verdict *out, const struct rule *rule, size_t index,
                      struct evidence *evidence)
{
    for (size_t i = 0; i < COUNT(clauses); i++) {
        struct rule_outcome outcome = { .reason = REASON_NOT_TRIED };
        const struct trial trial = { rule, index, evidence, &outcome };
        out->clauses[i].is_set = clauses[i].is_set(rule);
        const bool holds = clauses[i].holds(&trial);
        out->clauses[i].outcome = holds ? (struct rule_outcome){ .reason = REASON_NONE } : outcome;
    }
}
