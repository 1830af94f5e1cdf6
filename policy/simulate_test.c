#include "policy/simulate.h"
#include "tests/support/policy_fixture.h"
#include "tests/support/policy_random.h"

#define PAIRS      10000
#define DRAW_BYTES 512

static struct simulation simulate(const struct policy *policy, const struct tx_facts *tx,
                                  const struct assumptions *assumed, struct arena *arena)
{
    struct simulation s;
    struct err err;
    assert_true(policy_simulate(&s, policy, tx, assumed, arena, &err));
    return s;
}

static struct bytes text_of(const struct decision *d, const struct policy *policy,
                            const struct tx_facts *tx, struct arena *arena)
{
    struct writer w = writer_growing(arena, 1u << 20);
    decision_write(&w, d, policy, tx);
    return writer_bytes(&w);
}

// A wrong code is nothing that can be assumed: those requests send none instead.
static void leave_out_wrong_codes(struct drawn_request *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->queue.n; i++)
        for (size_t k = 0; k < DRAWN_USERS; k++)
            if (r->codes[k] == CODE_RIGHT &&
                bytes_equal(authorisation_name(&r->queue.items[i]), user_name(&r->users[k]))) {
                r->queue.items[n++] = r->queue.items[i];
                break;
            }
    r->queue.n = n;
    if (r->local == CODE_WRONG)
        r->auth.has_local_code = false;
}

TEST(policy_24_87_try_and_the_signer_agree)
{
    unsigned n_signed = 0;
    for (unsigned n = 0; n < PAIRS; n++) {
        uint8_t bytes[DRAW_BYTES];
        for (unsigned block = 0; block < DRAW_BYTES / 32; block++) {
            const unsigned seed[] = { n, block, 87 };
            const struct hash256 hash = sha256(BYTES_OF(seed));
            memcpy(bytes + (size_t)block * 32, hash.b, 32);
        }
        struct draw draw = { reader_of(BYTES_OF(bytes)) };
        struct drawn_policy p;
        struct drawn_request r;
        draw_policy(&p, &draw);
        draw_request(&r, &draw, &p.policy);
        leave_out_wrong_codes(&r);
        AUTO(arena_freep) struct arena *arena = arena_new(4u << 20);
        const struct decision d = policy_evaluate(&p.policy, &r.tx, &r.auth, &r.velocity, r.now_s);

        struct bytes users[DRAWN_USERS];
        struct assumptions assumed = { .users = users,
                                       .local_code = r.auth.has_local_code,
                                       .has_card = r.auth.card_usable,
                                       .velocity = r.velocity,
                                       .now_s = r.now_s };
        for (size_t i = 0; i < r.queue.n; i++)
            users[assumed.n_users++] = authorisation_name(&r.queue.items[i]);
        const struct assumptions kept = assumed;
        const struct simulation s = simulate(&p.policy, &r.tx, &assumed, arena);
        assert_int_equal(d.verdict, s.decision.verdict);
        assert_bytes_equal(text_of(&d, &p.policy, &r.tx, arena),
                           text_of(&s.decision, &p.policy, &r.tx, arena));
        assert_int_equal(d.charged, s.decision.charged);
        assert_memory_equal(&d.velocity, &s.decision.velocity, sizeof d.velocity);
        // "and `try` consumes nothing"
        assert_memory_equal(&kept, &assumed, sizeof kept);
        n_signed += d.verdict == VERDICT_SIGN;

        // Each rule's first clause that does not hold is the reason that the decision gives.
        for (size_t i = 0; i < d.n_tried; i++) {
            enum reason first = REASON_NONE;
            for (size_t c = 0; c < RULE_CLAUSES && first == REASON_NONE; c++)
                first = s.rules[i].clauses[c].outcome.reason;
            assert_int_equal(first, d.tried[i].reason);
        }
    }
    assert_in_range(n_signed, PAIRS / 20, PAIRS);
}

TEST(policy_21_d18_clause_by_clause)
{
    const struct policy policy =
        parsed("{\"period\":60,\"rules\":[{\"max_amount\":1000000,\"local_conf\":true},"
               "{\"per_period\":3000000,\"users\":[\"alice\",\"bob\"],\"min_users\":1},{}]}");
    struct fixture f;
    fixture_init(&f);
    const struct bytes users[] = { BYTES("bob") };
    struct assumptions assumed = { .users = users, .n_users = 1, .now_s = f.now_s };
    assumed.velocity.running = true;
    assumed.velocity.start_s = f.now_s - 60;
    assumed.velocity.spent[1].n = 1500000;
    const struct simulation s = simulate(&policy, &f.tx, &assumed, test_arena());
    assert_bytes_text(text_of(&s.decision, &policy, &f.tx, test_arena()), "Acceptable by rule #3");
    assert_int_equal(s.n_rules, 3);
    static const struct {
        size_t rule;
        const char *clause;
        bool is_set;
        enum reason reason;
    } expected[] = {
        { 0, "max_amount", true, REASON_AMOUNT }, { 0, "local_conf", true, REASON_LOCAL_CODE },
        { 0, "users", false, REASON_NONE },       { 1, "users", true, REASON_NONE },
        { 1, "per_period", true, REASON_PERIOD }, { 2, "max_amount", false, REASON_NONE },
    };
    for (size_t i = 0; i < COUNT(expected); i++) {
        size_t c = 0;
        while (strcmp(rule_clause_name(c), expected[i].clause) != 0)
            c++;
        const struct clause_outcome *o = &s.rules[expected[i].rule].clauses[c];
        assert_int_equal(o->is_set, expected[i].is_set);
        assert_int_equal(o->outcome.reason, expected[i].reason);
    }
    size_t per_period = 0;
    while (strcmp(rule_clause_name(per_period), "per_period") != 0)
        per_period++;
    assert_int_equal(s.rules[1].clauses[per_period].outcome.actual, 3500000);
}

TEST(policy_21_d18_what_cannot_be_assumed)
{
    struct fixture f;
    struct simulation s;
    struct err err;
    fixture_init(&f);
    const struct policy policy = parsed("{\"rules\":[{}]}");
    const struct bytes long_name[] = { BYTES("a name of more than sixteen characters") };
    const struct assumptions assumed = { .users = long_name, .n_users = 1 };
    assert_false(policy_simulate(&s, &policy, &f.tx, &assumed, test_arena(), &err));
    assert_int_equal(err.code, ERR_INVALID);
}
