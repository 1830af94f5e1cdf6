// policy/evaluate.c -- steps E1 to E14 of policy.md 10.1.
#include "policy/evaluate.h"
#include "base/require.h"
#include "base/secret.h"
#include "crypto/otp.h"
#include "policy/clauses.h"

struct request {
    const struct policy *policy;
    const struct tx_facts *tx;
    const struct auth_facts *auth;
    int64_t now_s;
};

static bool refuse(struct decision *d, enum cause cause)
{
    d->verdict = VERDICT_REFUSE;
    d->cause = cause;
    return false;
}

static void accept(struct decision *d, enum cause cause)
{
    d->verdict = VERDICT_SIGN;
    d->cause = cause;
}

// E1. "expire the velocity period if it is over"
static void take_velocity(struct decision *d, const struct request *r,
                          const struct velocity *stored)
{
    d->velocity = *stored;
    velocity_advance(&d->velocity, r->policy, r->now_s);
    d->expired = stored->running && !d->velocity.running;
}

// E2. "`never_log`: none. No usable card and `must_log`: refuse [...] pending authorisations and
// local code stay untouched"
static bool open_log(struct decision *d, const struct policy *policy, bool card_usable)
{
    d->log = card_usable && !policy->never_log;
    return !policy->must_log || d->log || refuse(d, CAUSE_NO_LOG);
}

// E4 and E5. What is taken here is used up whatever follows.
static void take_codes(struct decision *d, const struct request *r)
{
    const struct auth_facts *auth = r->auth;
    char expected[OTP_TEXT_SIZE];
    d->consumed = true;
    if (!auth->has_local_code)
        return;
    REQUIRE(auth->local_secret.len > 0);
    local_code(expected, auth->local_secret, BYTES_OF(r->tx->psbt_hash.b));
    d->local_code_good =
        ct_equal(BYTES_OF(auth->local_code), bytes_of(expected, LOCAL_CODE_DIGITS));
    wipe(expected, sizeof expected);
}

// E6. "warnings present: with `warnings_ok` log [...]; else refuse"
static bool warnings_are_accepted(struct decision *d, const struct request *r)
{
    d->n_warnings = r->tx->n_warnings;
    return d->n_warnings == 0 || r->policy->warnings_ok || refuse(d, CAUSE_WARNINGS);
}

// E7, policy.md 10.5: "For every input that we would sign: the path(s) of our key(s); at least one
// must match `msg_paths`". A message that we would not sign at all is not allowed either.
static bool signing_paths_match(const struct request *r)
{
    bool signs = false;
    for (size_t i = 0; i < r->tx->n_in; i++) {
        const struct input_facts *in = &r->tx->in[i];
        if (!in->will_sign)
            continue;
        if (!path_list_matches(&r->policy->msg_paths, &in->path))
            return false;
        signs = true;
    }
    return signs;
}

static void decide_bip322(struct decision *d, const struct request *r)
{
    if (r->policy->msg_paths.n == 0)
        (void)refuse(d, CAUSE_MSG_NONE);
    else if (!signing_paths_match(r))
        (void)refuse(d, CAUSE_MSG_PATH);
    else
        accept(d, CAUSE_MSG_ALLOWED);
}

// E9. "[FIX] Casemate walks them in order of submission, and advances counters only when all are
// good"
static bool codes_are_good(struct decision *d, const struct request *r)
{
    const struct auth_queue *queue = r->auth->queue;
    struct verified_user verified[USERS_MAX];
    REQUIRE(queue->n <= USERS_MAX);
    for (size_t i = 0; i < queue->n; i++) {
        const struct bytes name = authorisation_name(&queue->items[i]);
        const struct user *user = user_find(r->auth->users, r->auth->n_users, name);
        d->problem = user_verify(&verified[i].after, user, &queue->items[i], &r->tx->psbt_hash);
        if (d->problem != AUTH_GOOD) {
            d->bad_auth = name;
            return refuse(d, CAUSE_BAD_AUTH);
        }
        verified[i].user = (size_t)(user - r->auth->users);
    }
    d->n_verified = queue->n;
    for (size_t i = 0; i < queue->n; i++)
        d->verified[i] = verified[i];
    return true;
}

// E12. "try each rule in order"; "The first rule whose clauses all pass is applied".
static bool find_rule(struct decision *d, const struct request *r)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(evidence_scratch_size(r->tx));
    struct evidence evidence = evidence_of(r->tx, r->auth, d, scratch);
    d->spent = evidence.spent;
    for (size_t i = 0; i < r->policy->n_rules; i++) {
        d->tried[i] = rule_try(&r->policy->rules[i], i, &evidence);
        d->n_tried = i + 1;
        if (d->tried[i].reason == REASON_NONE) {
            d->rule = i;
            return true;
        }
    }
    return refuse(d, CAUSE_NO_RULE_PASSES);
}

// E14. "if that rule has `per_period`: add total_out to its spent amount; start the period if none
// is running"
static void charge(struct decision *d, const struct request *r)
{
    if (!r->policy->rules[d->rule].per_period.is_set)
        return;
    // Clause 7 held.
    REQUIRE(rule_charge(&d->charge, &r->policy->rules[d->rule], r->tx, d->spent));
    REQUIRE(velocity_charge(&d->velocity, d->rule, d->charge, r->now_s));
    d->charged = true;
}

static void decide_transaction(struct decision *d, const struct request *r)
{
    // E8 stands before E9: nobody is verified for a policy that signs no transaction.
    if (r->policy->n_rules == 0) {
        (void)refuse(d, CAUSE_NO_RULES);
        return;
    }
    if (!codes_are_good(d, r) || !find_rule(d, r))
        return;
    accept(d, CAUSE_RULE);
    charge(d, r);
}

struct decision policy_evaluate(const struct policy *policy, const struct tx_facts *tx,
                                const struct auth_facts *auth, const struct velocity *velocity,
                                int64_t now_s)
{
    const struct request r = { policy, tx, auth, now_s };
    struct decision d = { .is_message = tx->is_message };
    take_velocity(&d, &r, velocity);
    if (!open_log(&d, policy, auth->card_usable))
        return d;
    take_codes(&d, &r);
    if (!warnings_are_accepted(&d, &r))
        return d;
    if (tx->is_message)
        decide_bip322(&d, &r);
    else
        decide_transaction(&d, &r);
    return d;
}

struct decision policy_evaluate_message(const struct policy *policy, const struct keypath *path,
                                        bool card_usable)
{
    struct decision d = { .is_message = true, .is_text = true };
    if (!open_log(&d, policy, card_usable))
        return d;
    if (policy->msg_paths.n == 0)
        (void)refuse(&d, CAUSE_MSG_NONE);
    else if (!path_list_matches(&policy->msg_paths, path))
        (void)refuse(&d, CAUSE_MSG_PATH);
    else
        accept(&d, CAUSE_MSG_ALLOWED);
    return d;
}
