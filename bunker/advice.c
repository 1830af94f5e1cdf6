#include "bunker/advice.h"
#include "base/hex.h"
#include "policy/canonical.h"
#include "policy/exposure.h"
#include "policy/lint.h"
#include "policy/named.h"
#include "policy/payees.h"
#include "policy/simulate.h"
#include "policy/summary.h"

#define TEXT_MAX     ((size_t)4 << 20)
#define PAYEES_SHOWN 2000 // scripts that are derived for a forecast, on the loop

// --- What it means ---

static void put_text(struct json_writer *j, const char *key, const struct writer *w)
{
    json_key(j, key);
    json_string(j, writer_bytes(w));
}

static bool put_findings(struct json_writer *j, const struct policy *policy, struct bytes text,
                         const struct chain *chain, struct arena *arena, struct err *err)
{
    const struct lint_world world = { .chain = chain };
    struct lint lint;
    if (!policy_lint(&lint, policy, text, &world, arena, err))
        return false;
    json_key(j, "findings");
    json_begin_array(j);
    for (size_t i = 0; i < lint.n && i < LINT_FINDINGS_MAX; i++) {
        json_begin_object(j);
        json_key(j, "code");
        json_text(j, lint_code_name(lint.findings[i].code));
        json_key(j, "rule");
        json_u64(j, lint.findings[i].rule);
        json_key(j, "meaning");
        json_text(j, lint_explanation(lint.findings[i].code));
        json_key(j, "text");
        json_string(j, lint.findings[i].text);
        json_end_object(j);
    }
    json_end_array(j);
    return true;
}

bool advice_on_policy(struct json_writer *j, struct bytes text, const struct chain *chain,
                      struct arena *arena, struct err *err)
{
    struct policy policy;
    if (!policy_parse_named(&policy, text, arena, err))
        return false;
    struct writer summary = writer_growing(arena, TEXT_MAX),
                  worst = writer_growing(arena, TEXT_MAX);
    const struct hash256 hash = policy_hash(&policy);
    policy_summary(&summary, &policy, chain, UNIT_COIN);
    if (!exposure_write_all(&worst, &policy, chain, UNIT_COIN, arena))
        return err_set(err, ERR_NO_MEMORY, "no memory for the worst case");
    json_begin_object(j);
    put_text(j, "summary", &summary);
    put_text(j, "worst_case", &worst);
    json_key(j, "hash");
    json_hex(j, BYTES_OF(hash.b));
    if (!put_findings(j, &policy, text, chain, arena, err))
        return false;
    json_end_object(j);
    return true;
}

// --- What it would say ---

static bool read_facts(struct psbt_facts *out, const struct advice_case *c, struct arena *arena,
                       struct err *err)
{
    struct xfp xfp;
    if (!hex_decode(xfp.b, sizeof xfp.b, c->xfp))
        return err_set(err, ERR_STATE, "the device's fingerprint is not known");
    return policy_claimed_facts(out, c->psbt, xfp, c->chain, arena, err) ||
           err_within(err, "the device would answer with an error");
}

static bool read_assumptions(struct assumptions *out, const struct policy *policy,
                             const struct advice_case *c, struct arena *arena, struct err *err)
{
    struct bytes *users = arena_array(arena, USERS_MAX, sizeof *users);
    size_t rule = 0;
    if (users == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for the users");
    for (const struct json *u = c->users != NULL ? c->users->items : NULL; u != NULL; u = u->next)
        if (u->type == JSON_STRING && out->n_users < USERS_MAX)
            users[out->n_users++] = u->text;
    out->users = users;
    out->local_code = c->local_code;
    out->has_card = true;
    out->now_s = c->now_s;
    for (const struct json *v = c->spent != NULL ? c->spent->items : NULL;
         v != NULL && rule < policy->n_rules; v = v->next, rule++) {
        int64_t sats;
        if (v->type == JSON_NUMBER && json_integer(v, &sats, NULL) && sats > 0 &&
            policy->rules[rule].per_period.is_set &&
            !velocity_charge(&out->velocity, policy, rule, (struct sats){ (uint64_t)sats },
                             c->now_s))
            return err_set(err, ERR_INVALID, "more is spent than can exist");
    }
    return true;
}

struct forecast {
    const struct policy *policy;
    const struct tx_facts *tx;
    const struct simulation *simulation;
    struct arena *arena;
};

static bool rule_holds(const struct rule_verdict *verdict)
{
    for (size_t c = 0; c < RULE_CLAUSES; c++)
        if (verdict->clauses[c].outcome.reason != REASON_NONE)
            return false;
    return true;
}

static void put_clause(struct json_writer *j, const struct forecast *f, size_t rule, size_t clause)
{
    const struct rule_outcome *o = &f->simulation->rules[rule].clauses[clause].outcome;
    struct writer w = writer_growing(f->arena, TEXT_MAX);
    rule_outcome_write(&w, o, &f->policy->rules[rule], f->tx);
    json_begin_object(j);
    json_key(j, "clause");
    json_text(j, rule_clause_name(clause));
    json_key(j, "holds");
    json_bool(j, o->reason == REASON_NONE);
    put_text(j, "text", &w);
    json_end_object(j);
}

static void put_rules(struct json_writer *j, const struct forecast *f)
{
    json_key(j, "rules");
    json_begin_array(j);
    for (size_t i = 0; i < f->simulation->n_rules; i++) {
        json_begin_object(j);
        json_key(j, "rule");
        json_u64(j, i + 1);
        json_key(j, "holds");
        json_bool(j, rule_holds(&f->simulation->rules[i]));
        json_key(j, "clauses");
        json_begin_array(j);
        for (size_t c = 0; c < RULE_CLAUSES; c++)
            if (f->simulation->rules[i].clauses[c].is_set)
                put_clause(j, f, i, c);
        json_end_array(j);
        json_end_object(j);
    }
    json_end_array(j);
}

static void put_forecast(struct json_writer *j, const struct forecast *f)
{
    struct writer w = writer_growing(f->arena, TEXT_MAX);
    const struct decision *d = &f->simulation->decision;
    decision_write(&w, d, f->policy, f->tx);
    json_begin_object(j);
    json_key(j, "signed");
    json_bool(j, d->verdict == VERDICT_SIGN);
    put_text(j, "text", &w);
    json_key(j, "rule");
    if (d->cause == CAUSE_RULE)
        json_u64(j, d->rule + 1);
    else
        json_null(j);
    json_key(j, "warnings");
    json_begin_array(j);
    for (size_t i = 0; i < f->tx->n_warnings; i++)
        json_string(j, f->tx->warnings[i].text);
    json_end_array(j);
    put_rules(j, f);
    json_end_object(j);
}

bool advice_on_transaction(struct json_writer *j, struct bytes text,
                           const struct advice_case *assumed, struct arena *arena, struct err *err)
{
    struct policy *policy = arena_alloc(arena, sizeof *policy);
    struct psbt_facts *facts = arena_alloc(arena, sizeof *facts);
    struct assumptions *assumptions = arena_alloc(arena, sizeof *assumptions);
    struct simulation *simulation = arena_alloc(arena, sizeof *simulation);
    if (policy == NULL || facts == NULL || assumptions == NULL || simulation == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for a forecast");
    if (!policy_parse_named(policy, text, arena, err))
        return false;
    if (policy_count_payees(policy) > PAYEES_SHOWN)
        return err_set(err, ERR_LIMIT, "more destinations than a forecast works out");
    if (!policy_derive_payees(policy, arena, err) || !read_facts(facts, assumed, arena, err) ||
        !read_assumptions(assumptions, policy, assumed, arena, err) ||
        !policy_simulate(simulation, policy, &facts->tx, assumptions, arena, err))
        return false;
    const struct forecast f = { policy, &facts->tx, simulation, arena };
    put_forecast(j, &f);
    return true;
}
