#include "policy/simulate.h"
#include "crypto/otp.h"
#include "policy/clauses.h"

#define SECRET_LEN    15 // of a local code
#define FEE_LIMIT_PCT 10 // a signer's default

// --- A PSBT's claims ---

bool policy_claimed_facts(struct psbt_facts *out, struct bytes raw, struct xfp signer,
                          const struct chain *chain, struct arena *arena, struct err *err)
{
    struct psbt *psbt = arena_alloc(arena, sizeof *psbt);
    const struct signer_view view = { .chain = chain,
                                      .xfp = signer,
                                      .unit = UNIT_COIN,
                                      .fee_limit_pct = FEE_LIMIT_PCT,
                                      .hsm_mode = true,
                                      .pms = -1,
                                      .taproot = true };
    if (psbt == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for the PSBT");
    if (!psbt_parse(psbt, raw, arena, err) || !psbt_analyse(out, psbt, &view, arena, err))
        return false;
    struct tx_facts *tx = &out->tx;
    tx->psbt_hash = sha256(raw);
    for (size_t i = 0; i < tx->n_in; i++)
        tx->in[i].own = tx->in[i].claims;
    for (size_t i = 0; i < tx->n_out; i++)
        tx->out[i].own |= tx->out[i].change;
    return true;
}

// --- Its people ---

// The people of a simulation: password users with a secret that stands for whatever they know, so that
// their codes are checked as any others.
struct people {
    struct user users[USERS_MAX];
    struct auth_queue queue;
    uint8_t local_secret[SECRET_LEN];
};

static bool add_user(struct people *people, struct bytes name, const struct hash256 *psbt_hash,
                     struct err *err)
{
    uint8_t token[32];
    if (people->queue.n == USERS_MAX || name.len > USER_NAME_SIZE)
        return err_set(err, ERR_LIMIT, "too many users, or too long a name");
    struct user *user = &people->users[people->queue.n];
    *user = (struct user){ .mode = USER_PASSWORD, .name_len = name.len, .secret_len = 32 };
    memcpy(user->name, name.ptr, name.len);
    user_password_token(token, user->secret, psbt_hash);
    return auth_queue_put(&people->queue, name, BYTES_OF(token), 0, err);
}

static bool gather(struct auth_facts *out, struct people *people, const struct hash256 *hash,
                   const struct assumptions *assumed, struct err *err)
{
    char code[OTP_TEXT_SIZE];
    for (size_t i = 0; i < assumed->n_users; i++)
        if (user_find(people->users, people->queue.n, assumed->users[i]) == NULL &&
            !add_user(people, assumed->users[i], hash, err))
            return false;
    local_code(code, BYTES_OF(people->local_secret), BYTES_OF(hash->b));
    *out = (struct auth_facts){ .users = people->users,
                                .n_users = people->queue.n,
                                .queue = &people->queue,
                                .has_local_code = assumed->local_code,
                                .local_secret = BYTES_OF(people->local_secret),
                                .card_usable = assumed->has_card };
    memcpy(out->local_code, code, LOCAL_CODE_DIGITS);
    return true;
}

// Each clause of each rule on the same evidence, with the velocity as it was before the decision.
static bool try_every_rule(struct simulation *out, const struct policy *policy,
                           const struct tx_facts *tx, const struct auth_facts *auth,
                           const struct assumptions *assumed, struct arena *arena, struct err *err)
{
    struct decision *before = arena_alloc(arena, sizeof *before);
    out->rules = arena_array(arena, policy->n_rules, sizeof *out->rules);
    if (before == NULL || out->rules == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for the rules");
    *before = out->decision;
    before->velocity = assumed->velocity;
    velocity_advance(&before->velocity, policy, assumed->now_s);
    AUTO(arena_freep) struct arena *scratch = arena_new(evidence_scratch_size(tx));
    struct evidence evidence = evidence_of(policy, tx, auth, before, scratch);
    for (size_t i = 0; i < policy->n_rules; i++)
        rule_try_clauses(&out->rules[i], &policy->rules[i], i, &evidence);
    out->n_rules = policy->n_rules;
    return true;
}

bool policy_simulate(struct simulation *out, const struct policy *policy, const struct tx_facts *tx,
                     const struct assumptions *assumed, struct arena *arena, struct err *err)
{
    struct people *people = arena_alloc(arena, sizeof *people);
    struct auth_facts auth;
    *out = (struct simulation){ .n_rules = 0 };
    if (people == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for the users");
    if (!gather(&auth, people, &tx->psbt_hash, assumed, err))
        return false;
    out->decision = policy_evaluate(policy, tx, &auth, &assumed->velocity, assumed->now_s);
    return tx->is_message || try_every_rule(out, policy, tx, &auth, assumed, arena, err);
}

bool policy_simulate_message(struct decision *out, const struct policy *policy,
                             const struct message_facts *message, const struct assumptions *assumed,
                             struct arena *arena, struct err *err)
{
    struct people *people = arena_alloc(arena, sizeof *people);
    struct auth_facts auth;
    if (people == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for the users");
    if (!gather(&auth, people, &message->hash, assumed, err))
        return false;
    *out = policy_evaluate_message(policy, message, &auth, &assumed->velocity, assumed->now_s);
    return true;
}
