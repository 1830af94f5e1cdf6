// policy/evaluate.c -- steps E1 to E14 of policy.md 10.1.
#include "policy/evaluate.h"
#include "base/require.h"
#include "base/secret.h"
#include "crypto/otp.h"
#include "policy/clauses.h"

struct request {
    const struct policy *policy;
    const struct tx_facts *tx;  // NULL: a text message
    const struct hash256 *hash; // of the PSBT or message
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
    velocity_copy(&d->velocity, stored);
    velocity_advance(&d->velocity, r->policy, r->now_s);
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

// Extension [EXT, D12]: "t must be within that distance of the signer's own clock".
static struct totp_window totp_window_of(const struct request *r)
{
    const uint64_t skew = r->policy->own.totp_skew;
    const uint64_t step = r->now_s < 0 ? 0 : (uint64_t)r->now_s / 30;
    if (!r->policy->own.has_totp_skew)
        return totp_any_time;
    return (struct totp_window){ step > skew ? step - skew : 0, step + skew };
}

// E9. "[FIX] Casemate walks them in order of submission, and advances counters only when all are
// good"
static bool codes_are_good(struct decision *d, const struct request *r)
{
    const struct auth_queue *queue = r->auth->queue;
    const struct totp_window window = totp_window_of(r);
    struct verified_user verified[USERS_MAX];
    REQUIRE(queue->n <= USERS_MAX);
    for (size_t i = 0; i < queue->n; i++) {
        const struct bytes name = authorisation_name(&queue->items[i]);
        const struct user *user = user_find(r->auth->users, r->auth->n_users, name);
        d->problem = user_verify(&verified[i].after, user, &queue->items[i], r->hash, &window);
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

// --- Messages ---

// Extension [EXT, D29]: all of msg_users, and at most msg_per_period.
static bool message_users_agree(struct decision *d, const struct request *r)
{
    const struct policy *p = r->policy;
    if (p->own.n_msg_users == 0)
        return true;
    if (!codes_are_good(d, r))
        return false;
    d->msg_needed = p->own.n_msg_users;
    for (size_t i = 0; i < p->own.n_msg_users; i++)
        for (size_t k = 0; k < d->n_verified; k++)
            d->msg_given +=
                bytes_equal(user_name(&r->auth->users[d->verified[k].user]), p->own.msg_users[i]);
    return d->msg_given == d->msg_needed || refuse(d, CAUSE_MSG_USERS);
}

static bool message_is_counted(struct decision *d, const struct request *r)
{
    const unsigned limit = r->policy->own.msg_per_period;
    if (limit == 0)
        return true;
    if (d->velocity.n[VELOCITY_MESSAGES] >= limit)
        return refuse(d, CAUSE_MSG_COUNT);
    velocity_count_message(&d->velocity, r->now_s);
    return true;
}

static void decide_message(struct decision *d, const struct request *r, bool path_matches)
{
    if (r->policy->msg_paths.n == 0)
        (void)refuse(d, CAUSE_MSG_NONE);
    else if (!path_matches)
        (void)refuse(d, CAUSE_MSG_PATH);
    else if (message_users_agree(d, r) && message_is_counted(d, r))
        accept(d, CAUSE_MSG_ALLOWED);
}

// --- Transactions ---

// E12. "try each rule in order"; "The first rule whose clauses all pass is applied".
static bool find_rule(struct decision *d, const struct request *r)
{
    AUTO(arena_freep) struct arena *scratch = arena_new(evidence_scratch_size(r->tx));
    struct evidence evidence = evidence_of(r->policy, r->tx, r->auth, d, scratch);
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
    const struct rule *rule = &r->policy->rules[d->rule];
    if (rule->own.not_before_height > 0) // its clause held: the height is above the last
        d->velocity.heights[d->rule] = r->tx->locktime;
    if (!rule_counts(rule))
        return;
    d->repeated = rule_was_charged(rule, d->rule, r->policy, r->tx, d->spent, &d->velocity);
    if (d->repeated)
        return;
    // Clause 7 held. What no per_period limits is only counted.
    if (rule->per_period.is_set)
        REQUIRE(rule_charge(&d->charge, rule, r->tx, d->spent));
    REQUIRE(velocity_charge(&d->velocity, r->policy, d->rule, d->charge, r->now_s));
    if (r->policy->own.dedupe) {
        const struct hash256 id = rule_repeat_id(r->tx, d->charge);
        velocity_remember(&d->velocity, r->policy, d->rule, &id, r->now_s);
    }
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

void policy_decide(struct decision *d, const struct policy *policy, const struct tx_facts *tx,
                   const struct auth_facts *auth, const struct velocity *velocity, int64_t now_s)
{
    const struct request r = { policy, tx, &tx->psbt_hash, auth, now_s };
    memset(d, 0, sizeof *d);
    d->is_message = tx->is_message;
    take_velocity(d, &r, velocity);
    if (!open_log(d, policy, auth->card_usable))
        return;
    take_codes(d, &r);
    if (!warnings_are_accepted(d, &r))
        return;
    if (tx->is_message)
        decide_message(d, &r, signing_paths_match(&r));
    else
        decide_transaction(d, &r);
}

struct decision policy_evaluate(const struct policy *policy, const struct tx_facts *tx,
                                const struct auth_facts *auth, const struct velocity *velocity,
                                int64_t now_s)
{
    struct decision d;
    policy_decide(&d, policy, tx, auth, velocity, now_s);
    return d;
}

struct decision policy_evaluate_message(const struct policy *policy,
                                        const struct message_facts *message,
                                        const struct auth_facts *auth,
                                        const struct velocity *velocity, int64_t now_s)
{
    const struct request r = { policy, NULL, &message->hash, auth, now_s };
    struct decision d = { .is_message = true, .is_text = true };
    if (policy_limits_messages(policy))
        take_velocity(&d, &r, velocity);
    if (!open_log(&d, policy, auth->card_usable))
        return d;
    d.queue_consumed = policy->own.n_msg_users > 0;
    decide_message(&d, &r, path_list_matches(&policy->msg_paths, &message->path));
    return d;
}
