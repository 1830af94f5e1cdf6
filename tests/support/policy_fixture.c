#include "tests/support/policy_fixture.h"
#include "base/base64.h"
#include "base/hex.h"
#include "base/require.h"
#include "crypto/otp.h"
#include "policy/canonical.h"
#include "policy/summary.h"

#define TEXT_MAX (8u << 20)

static const uint8_t local_secret[15] = "fifteen bytes!!";

static const struct bytes users_of_24[] = { { (const uint8_t *)"alice", 5 },
                                            { (const uint8_t *)"bob", 3 },
                                            { (const uint8_t *)"carol", 5 } };
static const struct bytes wallets_of_24[] = { { (const uint8_t *)"Treasury", 8 } };
const struct policy_world policy_world_of_24 = { COUNT(users_of_24), users_of_24,
                                                 COUNT(wallets_of_24), wallets_of_24 };

// --- Policies ---

struct policy parsed_bytes(struct bytes text, const struct policy_world *world)
{
    struct policy policy;
    struct err err;
    if (!policy_parse(&policy, text, world, test_arena(), &err))
        fail_msg("%s (%s)\n%.*s", err.text, err.detail, BYTES_ARG(text));
    return policy;
}

struct policy parsed(const char *text)
{
    return parsed_bytes(bytes_of_text(text), &policy_world_of_24);
}

void check_policy_error(const char *text, const char *expected, const struct policy_world *world,
                        const char *file, int line)
{
    struct policy policy;
    struct err err = { 0 };
    char whole[ERR_TEXT_MAX];
    (void)snprintf(whole, sizeof whole, "HSM Policy invalid: %s", expected);
    if (policy_parse(&policy, bytes_of_text(text), world, test_arena(), &err)) {
        print_error("# accepted: %s\n# expected: %s\n", text, whole);
        _fail(file, line);
    }
    if (strcmp(err.text, whole) != 0) {
        print_error("# %s\n# got:      %s\n# expected: %s\n", text, err.text, whole);
        _fail(file, line);
    }
}

// --- Texts ---

struct writer text_writer(void)
{
    return writer_growing(test_arena(), TEXT_MAX);
}

struct bytes written(const struct writer *w)
{
    struct bytes text;
    assert_true(writer_finish(w, &text));
    return text;
}

struct bytes summary_of(const struct policy *policy, const char *chain, enum unit unit)
{
    struct writer w = text_writer();
    policy_summary(&w, policy, chain_by_code(bytes_of_text(chain)), unit);
    return written(&w);
}

struct bytes canonical_of(const struct policy *policy)
{
    struct writer w = text_writer();
    policy_canonical_write(&w, policy);
    return written(&w);
}

struct bytes stored_of(const struct policy *policy)
{
    struct writer w = text_writer();
    policy_store_write(&w, policy);
    return written(&w);
}

struct bytes hex_of(const struct hash256 *hash)
{
    struct writer w = text_writer();
    writer_hex(&w, BYTES_OF(hash->b));
    return written(&w);
}

// --- A request ---

static void set_user(struct user *user, const char *name, enum user_mode mode, const char *base32)
{
    struct writer w = writer_of(user->secret, sizeof user->secret);
    *user = (struct user){ .name_len = strlen(name), .mode = mode };
    memcpy(user->name, name, strlen(name));
    if (mode == USER_PASSWORD) {
        user_password_secret(user->secret, bytes_of_text(base32), BYTES("F1F1F1F1F1F1"), false);
        user->secret_len = 32;
        return;
    }
    assert_true(base32_read(&w, bytes_of_text(base32)));
    user->secret_len = w.len;
}

static struct bytes script_of(uint8_t fill)
{
    uint8_t *script = arena_alloc(test_arena(), 22);
    assert_non_null(script);
    memset(script, fill, 22);
    script[0] = 0;
    script[1] = 20;
    return bytes_of(script, 22);
}

void fixture_sum(struct fixture *f)
{
    struct tx_facts *tx = &f->tx;
    tx->total_in = tx->total_out = tx->change_total = (struct sats){ 0 };
    for (size_t i = 0; i < tx->n_in; i++)
        assert_true(sats_add(&tx->total_in, f->in[i].amount));
    for (size_t i = 0; i < tx->n_out; i++) {
        assert_true(sats_add(&tx->total_out, f->out[i].amount));
        if (f->out[i].change)
            assert_true(sats_add(&tx->change_total, f->out[i].amount));
    }
    tx->fee.n = tx->total_in.n >= tx->total_out.n ? tx->total_in.n - tx->total_out.n : 0;
}

void fixture_init(struct fixture *f)
{
    *f = (struct fixture){ .now_s = 1764000000 };
    f->tx = (struct tx_facts){
        .psbt_hash = sha256(BYTES("casemate worked example")),
        .chain = chain_by_id(CHAIN_XTN),
        .n_in = 1,
        .n_out = 2,
        .in = f->in,
        .out = f->out,
        .fee_known = true,
        .signs_single_key = true,
        .n_signatures = 1,
    };
    for (size_t i = 0; i < FIXTURE_MAX; i++) {
        f->in[i] = (struct input_facts){ .has_amount = true,
                                         .verified = true,
                                         .amount = { 10000000 },
                                         .claims = true,
                                         .own = true,
                                         .will_sign = true };
        f->out[i] =
            (struct output_facts){ .amount = { 2000000 }, .script = script_of((uint8_t)(5 + i)) };
    }
    f->out[1].amount.n = 7999000;
    f->out[1].change = f->out[1].own = true;
    set_user(&f->users[0], "alice", USER_TOTP, "UR4LAZMTSJOF52FE");
    set_user(&f->users[1], "bob", USER_HOTP, "DBDCOKLQKM6BAKXD");
    set_user(&f->users[2], "carol", USER_PASSWORD, CAROLS_PASSWORD);
    set_user(&f->users[3], "dave", USER_TOTP, "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U");
    f->auth = (struct auth_facts){ .users = f->users,
                                   .n_users = COUNT(f->users),
                                   .queue = &f->queue,
                                   .local_secret = BYTES_OF(local_secret),
                                   .card_usable = true };
    fixture_sum(f);
}

void fixture_send(struct fixture *f, const char *name, const char *token, uint32_t step)
{
    struct err err;
    assert_true(auth_queue_put(&f->queue, bytes_of_text(name), bytes_of_text(token), step, &err));
}

void fixture_authorise(struct fixture *f, const char *name, uint32_t step)
{
    const struct user *user = user_find(f->users, COUNT(f->users), bytes_of_text(name));
    uint8_t token[32];
    char code[OTP_TEXT_SIZE];
    struct err err;
    assert_non_null(user);
    if (user->mode == USER_PASSWORD) {
        user_password_token(token, user->secret, &f->tx.psbt_hash);
        assert_true(auth_queue_put(&f->queue, user_name(user), BYTES_OF(token), 0, &err));
        return;
    }
    otp_code(code, bytes_of(user->secret, user->secret_len), step);
    fixture_send(f, name, code, step);
}

void fixture_confirm(struct fixture *f)
{
    char code[OTP_TEXT_SIZE];
    local_code(code, f->auth.local_secret, BYTES_OF(f->tx.psbt_hash.b));
    memcpy(f->auth.local_code, code, sizeof f->auth.local_code);
    f->auth.has_local_code = true;
}

struct decision fixture_decide(const struct fixture *f, const struct policy *policy)
{
    return policy_evaluate(policy, &f->tx, &f->auth, &f->velocity, f->now_s);
}

struct bytes decision_text(const struct decision *d, const struct policy *policy,
                           const struct fixture *f)
{
    struct writer w = text_writer();
    decision_write(&w, d, policy, f != NULL ? &f->tx : NULL);
    return written(&w);
}

struct decision check_decision(const struct fixture *f, const char *policy_text,
                               const char *expected, const char *file, int line)
{
    const struct policy policy = parsed(policy_text);
    const struct decision d = fixture_decide(f, &policy);
    const struct bytes text = decision_text(&d, &policy, f);
    const bool signs = d.cause == CAUSE_RULE || d.cause == CAUSE_MSG_ALLOWED;
    if (!bytes_equal_text(text, expected) || signs != (d.verdict == VERDICT_SIGN)) {
        print_error("# %s\n# got:      %.*s\n# expected: %s\n", policy_text, BYTES_ARG(text),
                    expected);
        _fail(file, line);
    }
    return d;
}

void fixture_commit(struct fixture *f, const struct decision *d)
{
    f->velocity = d->velocity;
    for (size_t i = 0; i < d->n_verified; i++)
        f->users[d->verified[i].user].progress = d->verified[i].after;
    if (d->consumed) {
        auth_queue_clear(&f->queue);
        f->auth.has_local_code = false;
    }
}
