// The bounds of clauses and of a decision: on either side of each, and what stands beside it.
#include "policy/clauses.h"
#include "policy/simulate.h"
#include "tests/support/policy_fixture.h"

#define MINUTE   INT64_C(60)
#define APPROVED "Acceptable by rule #1"

// Decides, compares the text, and stores what the decision says.
static struct decision ask(struct fixture *f, const char *policy, const char *expected)
{
    const struct decision d = assert_decision(f, policy, expected);
    fixture_commit(f, &d);
    return d;
}

// --- 1: wallet ---

TEST(policy_24_54_any_input_makes_it_a_wallets)
{
    static const char policy[] = "{\"rules\":[{\"wallet\":\"1\"}]}";
    struct fixture f;
    fixture_init(&f);
    f.in[1].multisig = true; // not an input of this transaction
    (void)assert_decision(&f, policy, APPROVED);
    f.tx.n_in = 2;
    fixture_sum(&f);
    (void)assert_decision(&f, policy, "Rejected: rule #1: wrong wallet");
}

// --- 3: whitelist ---

TEST(policy_24_85_a_script_of_one_byte)
{
    struct fixture f;
    fixture_init(&f);
    f.out[0].script = BYTES("\x51");
    (void)assert_decision(&f, "{\"rules\":[{\"casemate\":{\"scripts\":[\"51\"]}}]}", APPROVED);
    f.out[0].script.len = 0; // an output that anybody may spend is on no list
    (void)assert_decision(&f, "{\"rules\":[{\"casemate\":{\"scripts\":[\"51\"]}}]}",
                          "Rejected: rule #1: non-whitelisted address: ");
}

// --- 6: users ---

TEST(policy_24_57_what_a_refusal_says_of_users)
{
    struct fixture f;
    fixture_init(&f);
    struct decision d =
        assert_decision(&f, "{\"rules\":[{\"users\":[\"alice\",\"bob\"],\"min_users\":2}]}",
                        "Rejected: rule #1: need user(s) confirmation");
    assert_true(d.tried[0].actual == 0 && d.tried[0].limit == 2);
}

// --- 7: periods, and what is charged once ---

// Without money to limit only approvals are counted: nothing is charged, whatever the fee is.
TEST(policy_24_85_a_rule_that_counts_approvals_alone)
{
    static const char policy[] =
        "{\"period\":60,\"rules\":[{\"casemate\":{\"max_txns\":1,\"count_fees\":true}}]}";
    struct fixture f;
    fixture_init(&f);
    f.tx.fee_known = false;
    const struct decision d = ask(&f, policy, APPROVED);
    assert_true(d.charged);
    assert_int_equal(d.charge.n, 0);
    assert_int_equal(d.velocity.spent[0].n, 0);
    assert_int_equal(d.velocity.n_repeats, 0); // nor remembered, without dedupe
    (void)ask(&f, policy, "Rejected: rule #1: would exceed transactions per period");
}

TEST(policy_24_85_dedupe_of_approvals_alone)
{
    static const char policy[] = "{\"period\":60,\"casemate\":{\"dedupe\":true,\"count_fees\":true}"
                                 ",\"rules\":[{\"casemate\":{\"max_txns\":1}}]}";
    struct fixture f;
    fixture_init(&f);
    assert_true(ask(&f, policy, APPROVED).charged);
    f.tx.fee_known = false;
    f.out[0].amount.n++; // what moves plays no part where no money is limited
    assert_true(ask(&f, policy, APPROVED).repeated);
    (void)assert_decision(&f, "{\"period\":60,\"rules\":[{\"casemate\":{\"max_txns\":1}}]}",
                          "Rejected: rule #1: would exceed transactions per period");
    f.tx.txid.b[0] ^= 1;
    (void)ask(&f, policy, "Rejected: rule #1: would exceed transactions per period");
}

// What was charged under one policy is asked for under another with the same velocity.
TEST(policy_24_85_dedupe_is_the_policys_and_the_rules)
{
    static const char on[] = "{\"period\":60,\"casemate\":{\"dedupe\":true},\"rules\":[{"
                             "\"per_period\":9000000}]}";
    static const char off[] = "{\"period\":60,\"rules\":[{\"per_period\":9000000}]}";
    static const char counts_nothing[] =
        "{\"period\":60,\"casemate\":{\"dedupe\":true},\"rules\":[{},{\"per_period\":1}]}";
    struct fixture f;
    fixture_init(&f);
    assert_true(ask(&f, on, APPROVED).charged);
    struct decision d = assert_decision(&f, off, APPROVED);
    assert_true(d.charged && !d.repeated);
    assert_int_equal(d.velocity.spent[0].n, 4000000);
    d = assert_decision(&f, counts_nothing, APPROVED);
    assert_true(!d.charged && !d.repeated);
}

// --- not_before_height: of the rule that has it ---

TEST(policy_24_85_heights_of_rules_that_ask_for_them)
{
    struct fixture f;
    fixture_init(&f);
    f.tx.locktime = 1;
    f.tx.locktime_counts = true;
    struct decision d = ask(&f, "{\"rules\":[{}]}", APPROVED);
    assert_int_equal(d.velocity.heights[0], 0);
    d = ask(&f, "{\"rules\":[{\"casemate\":{\"not_before_height\":1}}]}", APPROVED);
    assert_int_equal(d.velocity.heights[0], 1);
}

TEST(policy_24_85_the_least_height_there_is)
{
    static const char policy[] = "{\"rules\":[{\"casemate\":{\"not_before_height\":1}}]}";
    struct fixture f;
    fixture_init(&f);
    f.tx.locktime_counts = true;
    (void)assert_decision(&f, policy, "Rejected: rule #1: locktime");
    f.tx.locktime = 500000001; // a time is no height
    (void)assert_decision(&f, policy, "Rejected: rule #1: locktime");
    f.velocity.heights[0] = 1; // kept for a rule that no longer asks
    (void)assert_decision(&f, "{\"rules\":[{}]}", APPROVED);
}

// --- Every clause by itself ---

static const struct {
    const char *clause, *members;
    enum reason reason; // of the fixture's transaction
    uint64_t actual, limit;
} alone[] = {
    { "wallet", "\"wallet\":\"1\"", REASON_NONE, 0, 0 },
    { "wallet", "\"wallet\":\"Treasury\"", REASON_NOT_MULTISIG, 0, 0 },
    { "max_amount", "\"max_amount\":0", REASON_AMOUNT, 2000000, 0 },
    { "max_fee", "\"casemate\":{\"max_fee\":0}", REASON_FEE, 1000, 0 },
    { "whitelist", "\"whitelist\":[\"" STRANGER "\"]", REASON_NONE, 0, 0 },
    { "whitelist", "\"whitelist\":[\"" OUR_CHANGE "\"]", REASON_NOT_WHITELISTED, 0, 0 },
    { "local_conf", "\"local_conf\":true", REASON_LOCAL_CODE, 0, 0 },
    { "users", "\"users\":[\"bob\"]", REASON_NO_USER, 0, 1 },
    { "per_period", "\"per_period\":0", REASON_PERIOD, 2000000, 0 },
    { "max_txns", "\"casemate\":{\"max_txns\":1}", REASON_NONE, 0, 0 },
    { "not_before_height", "\"casemate\":{\"not_before_height\":1}", REASON_LOCKTIME, 0, 1 },
    { "min_pct_self_transfer", "\"min_pct_self_transfer\":80", REASON_SELF_TRANSFER, 7999, 8000 },
    { "EQ_NUM_INS_OUTS", "\"patterns\":[\"EQ_NUM_INS_OUTS\"]", REASON_NUM_INS_OUTS, 1, 2 },
    { "EQ_NUM_OWN_INS_OUTS", "\"patterns\":[\"EQ_NUM_OWN_INS_OUTS\"]", REASON_NONE, 0, 0 },
    { "EQ_OUT_AMOUNTS", "\"patterns\":[\"EQ_OUT_AMOUNTS\"]", REASON_OUT_AMOUNTS, 0, 0 },
};

static void check_alone(size_t row, const struct rule_verdict *verdict)
{
    for (size_t i = 0; i < RULE_CLAUSES; i++) {
        const struct rule_outcome *o = &verdict->clauses[i].outcome;
        const bool is_it = strcmp(rule_clause_name(i), alone[row].clause) == 0;
        const enum reason reason = is_it ? alone[row].reason : REASON_NONE;
        if (verdict->clauses[i].is_set != is_it || o->reason != reason ||
            (is_it && (o->actual != alone[row].actual || o->limit != alone[row].limit)))
            fail_msg("%s, clause %s", alone[row].members, rule_clause_name(i));
    }
}

TEST(policy_24_87_each_clause_by_itself)
{
    const struct assumptions assumed = { .has_card = true, .now_s = 1764000000 };
    struct fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < COUNT(alone); i++) {
        char text[200];
        struct simulation s;
        struct err err;
        (void)snprintf(text, sizeof text, "{\"period\":60,\"rules\":[{%s}]}", alone[i].members);
        const struct policy p = parsed(text);
        assert_true(policy_simulate(&s, &p, &f.tx, &assumed, test_arena(), &err));
        check_alone(i, &s.rules[0]);
    }
}

// --- Messages ---

static void make_message(struct fixture *f, size_t n_in)
{
    f->tx.is_message = true;
    f->tx.n_in = n_in;
    f->tx.n_out = 1;
    f->out[0] = (struct output_facts){ .script = BYTES("\x6a") };
    for (size_t i = 0; i < n_in; i++)
        f->in[i].path = (struct keypath){ { 1, 2 }, 2 };
    fixture_sum(f);
}

TEST(policy_24_45_inputs_that_are_not_signed_hide_nothing)
{
    static const char policy[] = "{\"msg_paths\":[\"m/1/*\"]}";
    struct fixture f;
    fixture_init(&f);
    make_message(&f, 3);
    f.in[0].will_sign = false;
    (void)assert_decision(&f, policy, "BIP-322 message signing allowed");
    f.in[0].will_sign = true;
    f.in[1].will_sign = false;
    f.in[2].path.step[0] = 2;
    (void)assert_decision(&f, policy, "Rejected: Message signing not enabled for that path");
}

static struct decision text_message(const struct fixture *f, const char *policy)
{
    const struct policy p = parsed(policy);
    const struct message_facts message = { .hash = f->tx.psbt_hash };
    return policy_evaluate_message(&p, &message, &f->auth, &f->velocity, f->now_s);
}

TEST(policy_24_77_what_is_decided_of_a_text_message)
{
    struct fixture f;
    fixture_init(&f);
    f.velocity.n[VELOCITY_MESSAGES] = 7;
    struct decision d = text_message(&f, "{\"msg_paths\":[\"any\"]}");
    assert_true(d.is_message && d.is_text && d.verdict == VERDICT_SIGN);
    assert_int_equal(d.velocity.n[VELOCITY_MESSAGES], 0); // velocity plays no part
    fixture_authorise(&f, "carol", 0);
    d = text_message(&f, "{\"msg_paths\":[\"any\"],\"casemate\":{\"msg_users\":[\"carol\"]}}");
    assert_true(d.queue_consumed && d.verdict == VERDICT_SIGN);
}

// A clock before 1970 is none that a code could be near to.
TEST(policy_24_85_totp_skew_and_a_clock_that_was_never_set)
{
    static const int64_t clocks[] = { INT64_MIN, -1, 0, 1, 2880 * 30 };
    struct fixture f;
    for (size_t i = 0; i < COUNT(clocks); i++) {
        fixture_init(&f);
        f.now_s = clocks[i];
        fixture_authorise(&f, "alice", 58000000);
        (void)assert_decision(
            &f, "{\"casemate\":{\"totp_skew\":2880},\"rules\":[{\"users\":[\"alice\"]}]}",
            "User 'alice' gave wrong auth value: range");
    }
}
