// Item 85: each member of `casemate`, off by default, and on: what passes and what fails. (max_fee and
// count_fees are in extension_test.c, attest_bound in attest_test.c, destinations in payees_test.c, what only the signer does in
// signer/extension_test.c.)
#include "policy/extension_members.h"
#include "policy/canonical.h"
#include "policy/extension.h"
#include "policy/summary.h"
#include "tests/support/policy_fixture.h"

#define MINUTE INT64_C(60)

// Decides, compares the text, and stores what the decision says.
static struct decision ask(struct fixture *f, const char *policy, const char *expected)
{
    const struct decision d = assert_decision(f, policy, expected);
    fixture_commit(f, &d);
    return d;
}

// Every request is of another transaction unless a test says otherwise.
static void set_txid(struct fixture *f, uint8_t fill)
{
    memset(f->tx.txid.b, fill, sizeof f->tx.txid.b);
}

#define APPROVED "Acceptable by rule #1"
#define PERIOD   "Rejected: rule #1: would exceed period spending"
#define TXNS     "Rejected: rule #1: would exceed transactions per period"

// --- Texts, forms and errors ---

TEST(policy_24_84_every_member_is_in_form_and_summary)
{
    static const char text[] =
        "{\"period\":60,\"msg_paths\":[\"m\"],\"casemate\":{\"totp_skew\":0,\"msg_per_period\":4,"
        "\"msg_users\":[\"bob\",\"alice\"],\"max_refusals\":20,\"local_conf_ttl\":300,"
        "\"hide_refusals\":true,\"escape_tries\":3,\"dedupe\":true,\"acknowledge_refusals\":true},"
        "\"rules\":[{\"per_period\":5,\"casemate\":{\"window\":\"sliding\",\"period\":1440,"
        "\"scripts\":[\"6A0141\"],\"not_before_height\":144,\"max_txns\":2}},{\"casemate\":{"
        "\"window\":\"fixed\"},\"whitelist\":[\"" STRANGER
        "\"]},{\"casemate\":{\"attest_bound\":1},"
        "\"whitelist\":[\"" STRANGER "\"],\"whitelist_opts\":{\"mode\":\"attest\"}}]}";
    const struct policy p = parsed(text);
    assert_bytes_text(
        canonical_of(&p),
        "{\"msg_paths\": [\"m\"], \"period\": 60, \"rules\": [{\"per_period\": 5, \"casemate\": "
        "{\"max_txns\": 2, \"not_before_height\": 144, \"period\": 1440, \"scripts\": "
        "[\"6a0141\"], "
        "\"window\": \"sliding\"}}, {\"whitelist\": [\"" STRANGER "\"], \"casemate\": "
        "{\"window\": \"fixed\"}}, {\"whitelist\": [\"" STRANGER "\"], \"whitelist_opts\": "
        "{\"mode\": \"ATTEST\"}, \"casemate\": {\"attest_bound\": true}}], \"casemate\": "
        "{\"acknowledge_refusals\": true, \"dedupe\": true, \"escape_tries\": 3, "
        "\"hide_refusals\": true, \"local_conf_ttl\": 300, \"max_refusals\": 20, "
        "\"msg_per_period\": 4, \"msg_users\": [\"bob\", \"alice\"], \"totp_skew\": 0}}");
    assert_bytes_text(
        summary_of(&p, "XTN", UNIT_COIN),
        "\nTransactions:\n"
        "- Rule #1: Up to 0.00000005 XTN per period will be approved\n"
        "- Casemate: Rule #1: txns per period: 2\n"
        "- Casemate: Rule #1: locked until 144 blocks after its last txn\n"
        "- Casemate: Rule #1: a period of its own: 1440 minutes\n"
        "- Casemate: Rule #1: provided it goes to: script 6a0141\n"
        "- Casemate: Rule #1: its period is at any time the one just past\n"
        "- Rule #2: Any amount will be approved provided it goes to: " STRANGER "\n"
        "- Casemate: Rule #2: its period begins with the first txn\n"
        "- Rule #3: Any amount will be approved if outputs attested by one of: " STRANGER "\n"
        "- Casemate: Rule #3: an attestation is good for one output of one transaction\n"
        "- Casemate: Every rule: the same transaction counts once in a period\n"
        "- Casemate: Every rule: the local user's code is good for 300 seconds\n"
        "- Casemate: Every rule: TOTP codes must be of the signer's own time, give or take 0 steps "
        "of 30 seconds\n"
        "\nVelocity Period:\n 60 minutes\n = 1 hrs\n"
        "\nMessage signing:\n- Allowed if path matches: m\n"
        "- Casemate: messages per period: 4\n"
        "- Casemate: must be authorized by all users: bob, alice\n"
        "\nOther policy:\n- MicroSD card will receive log entries.\n"
        "- Casemate: the last refusal blocks signing until the operator acknowledges it\n"
        "- Casemate: wrong codes that end the escape window: 3\n"
        "- Casemate: status responses optimized for privacy hide approvals and refusals\n"
        "- Casemate: the last refusal is number 20\n");
    struct policy again;
    struct err err;
    assert_true(policy_store_read(&again, stored_of(&p), &policy_world_of_24, test_arena(), &err));
    assert_bytes_equal(stored_of(&again), stored_of(&p));
}

TEST(policy_24_84_values_out_of_range)
{
    static const struct {
        const char *policy, *error;
    } cases[] = {
        { "{\"casemate\":{\"totp_skew\":2881}}", "policy: totp_skew: must be in range: [0..2880]" },
        { "{\"casemate\":{\"escape_tries\":0}}",
          "policy: escape_tries: must be in range: [1..1000000]" },
        { "{\"casemate\":{\"local_conf_ttl\":86401}}",
          "policy: local_conf_ttl: must be in range: [1..86400]" },
        { "{\"casemate\":{\"max_refusals\":\"9\"}}", "policy: max_refusals: must be integer" },
        { "{\"casemate\":{\"dedupe\":\"no\"}}", "policy: dedupe: must be boolean" },
        { "{\"casemate\":{\"msg_per_period\":1}}", "policy: Needs period to be specified" },
        { "{\"casemate\":{\"msg_users\":[\"dave\"]}}", "policy: Unknown user: dave" },
        { "{\"casemate\":{\"msg_users\":[\"bob\",\"bob\"]}}", "policy: dup users" },
        { "{\"casemate\":{\"msg_users\":\"bob\"}}", "policy: need a list for: msg_users" },
        { "{\"rules\":[{\"casemate\":{\"period\":525601}}]}",
          "rule #1: period: must be in range: [1..525600]" },
        { "{\"rules\":[{\"casemate\":{\"window\":\"hourly\"}}]}",
          "rule #1: window: must be fixed or sliding" },
        { "{\"rules\":[{\"casemate\":{\"window\":1}}]}", "rule #1: window: must be string" },
        { "{\"rules\":[{\"casemate\":{\"max_txns\":0}}]}",
          "rule #1: max_txns: must be in range: [1..1000000]" },
        { "{\"rules\":[{\"casemate\":{\"max_txns\":5}}]}", "policy: Needs period to be specified" },
        { "{\"rules\":[{\"casemate\":{\"not_before_height\":210001}}]}",
          "rule #1: not_before_height: must be in range: [1..210000]" },
        { "{\"rules\":[{\"casemate\":{\"scripts\":[\"6a\",\"6\"]}}]}",
          "rule #1: bad script value: 6" },
        { "{\"rules\":[{\"casemate\":{\"scripts\":[\"\"]}}]}", "rule #1: bad script value: " },
        { "{\"rules\":[{\"casemate\":{\"scripts\":[106]}}]}", "rule #1: bad script value: 106" },
        { "{\"rules\":[{\"casemate\":{\"attest_bound\":true}}]}",
          "rule #1: attest_bound: needs whitelist mode ATTEST" },
        { "{\"rules\":[{\"whitelist\":[\"" STRANGER "\"],\"whitelist_opts\":{\"mode\":\"ATTEST\"},"
          "\"casemate\":{\"scripts\":[\"6a\"]}}]}",
          "rule #1: scripts: not with whitelist mode ATTEST" },
        { "{\"rules\":[{\"whitelist_opts\":{},\"casemate\":{\"scripts\":[]}}]}",
          "rule #1: whitelist options present with no whitelist" },
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_policy_error(cases[i].policy, cases[i].error);
    // A period of its own is a period; options go with scripts, too.
    (void)parsed("{\"rules\":[{\"per_period\":5,\"casemate\":{\"period\":1,\"max_txns\":5}}]}");
    (void)parsed("{\"rules\":[{\"whitelist_opts\":{},\"casemate\":{\"scripts\":[\"6a\"]}}]}");
}

// --- period, window, max_txns. The fixture's transaction moves 2,000,000. ---

TEST(policy_24_85_own_period)
{
    static const char policy[] =
        "{\"period\":60,\"rules\":[{\"per_period\":3000000,\"casemate\":{\"period\":120}}]}";
    struct fixture f;
    fixture_init(&f);
    const struct decision d = ask(&f, policy, APPROVED);
    assert_true(d.charged && !d.velocity.running); // it starts no period of the others
    assert_int_equal(f.velocity.spent[0].n, 2000000);
    f.now_s += 60 * MINUTE; // the policy's period would be over
    (void)ask(&f, policy, PERIOD);
    f.now_s += 60 * MINUTE - 1;
    (void)ask(&f, policy, PERIOD);
    f.now_s += 1; // "in whole seconds"
    (void)ask(&f, policy, APPROVED);
    assert_int_equal(f.velocity.n_outlays, 1);
}

TEST(policy_24_85_window_fixed_and_sliding)
{
    static const char fixed[] = "{\"rules\":[{\"per_period\":4000000,\"casemate\":{\"period\":60,"
                                "\"window\":\"fixed\"}}]}";
    static const char sliding[] = "{\"rules\":[{\"per_period\":4000000,\"casemate\":{\"period\":60,"
                                  "\"window\":\"sliding\"}}]}";
    const char *const policies[] = { fixed, sliding };
    for (size_t i = 0; i < COUNT(policies); i++) {
        struct fixture f;
        fixture_init(&f);
        (void)ask(&f, policies[i], APPROVED);
        f.now_s += 59 * MINUTE;
        (void)ask(&f, policies[i], APPROVED);
        (void)ask(&f, policies[i], PERIOD);
        f.now_s += MINUTE; // all of a fixed period is over, of a sliding one the first transaction
        (void)ask(&f, policies[i], APPROVED);
        (void)ask(&f, policies[i], i == 0 ? APPROVED : PERIOD);
        f.now_s += 59 * MINUTE;
        (void)ask(&f, policies[i], i == 0 ? PERIOD : APPROVED);
    }
}

// Without a period of its own a rule slides over the policy's.
TEST(policy_24_85_window_sliding_over_the_policys_period)
{
    static const char policy[] = "{\"period\":10,\"rules\":[{\"per_period\":2000000,\"casemate\":{"
                                 "\"window\":\"sliding\"}},{\"per_period\":2000000}]}";
    struct fixture f;
    fixture_init(&f);
    (void)ask(&f, policy, APPROVED);
    f.now_s += MINUTE;
    (void)ask(&f, policy, "Acceptable by rule #2");
    f.now_s += 9 * MINUTE;
    (void)ask(&f, policy, APPROVED);
    (void)ask(&f, policy,
              "Rejected: rule #1: would exceed period spending, rule #2: would exceed "
              "period spending");
}

TEST(policy_24_85_max_txns)
{
    static const struct {
        const char *policy;
        bool is_shared;
    } cases[] = {
        { "{\"period\":60,\"rules\":[{\"casemate\":{\"max_txns\":2}}]}", true },
        { "{\"rules\":[{\"casemate\":{\"max_txns\":2,\"period\":60}}]}", false },
        { "{\"rules\":[{\"casemate\":{\"max_txns\":2,\"period\":60,\"window\":\"sliding\"}}]}",
          false },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture f;
        fixture_init(&f);
        (void)ask(&f, cases[i].policy, APPROVED);
        (void)ask(&f, cases[i].policy, APPROVED);
        assert_int_equal(f.velocity.running, cases[i].is_shared);
        assert_int_equal(f.velocity.n[0], 2);
        assert_int_equal(f.velocity.spent[0].n, 0); // money is not limited
        const struct decision d = ask(&f, cases[i].policy, TXNS);
        assert_int_equal(d.tried[0].actual, 3);
        assert_int_equal(d.tried[0].limit, 2);
        assert_string_equal(reason_code(d.tried[0].reason), "transactions");
        f.now_s += 60 * MINUTE;
        (void)ask(&f, cases[i].policy, APPROVED);
        assert_int_equal(f.velocity.n[0], 1);
    }
}

// A start with boot_to_hsm leaves nothing of any window.
TEST(policy_24_85_windows_are_spent_with_boot_to_hsm)
{
    const struct policy p =
        parsed("{\"period\":60,\"casemate\":{\"msg_per_period\":3},\"rules\":[{\"per_period\":7,"
               "\"casemate\":{\"period\":5,\"window\":\"sliding\",\"max_txns\":9}},{\"casemate\":{"
               "\"max_txns\":4}},{\"casemate\":{\"not_before_height\":2}}]}");
    struct velocity before = { 0 };
    before.heights[2] = 840000;
    struct velocity v = velocity_all_spent(&p, &before, 1000);
    assert_int_equal(v.spent[0].n, 7);
    assert_int_equal(v.n[0], 9);
    assert_int_equal(v.n[1], 4);
    assert_int_equal(v.n[VELOCITY_MESSAGES], 3);
    assert_int_equal(v.heights[2], 840000);
    assert_true(v.running);
    velocity_advance(&v, &p, 1000 + 5 * MINUTE);
    assert_int_equal(v.spent[0].n + v.n[0], 0);
    assert_int_equal(v.n[1], 4);
    velocity_advance(&v, &p, 1000 + 60 * MINUTE);
    assert_int_equal(v.n[1] + v.n[VELOCITY_MESSAGES], 0);
    assert_int_equal(v.heights[2], 840000); // no period ends it
}

// --- not_before_height ---

TEST(policy_24_85_not_before_height)
{
    static const char policy[] = "{\"rules\":[{\"casemate\":{\"not_before_height\":144}}]}";
    static const struct {
        uint32_t locktime;
        bool counts, good;
    } cases[] = {
        { 0, true, false },         { 143, true, false },
        { 144, false, false },      // every input is final: consensus ignores it
        { 500000000, true, false }, // a time
        { 144, true, true },        { 287, true, false },
        { 840000, true, true },     { 840143, true, false },
        { 840144, true, true },     { 499999999, true, true },
        { 499999999, true, false },
    };
    struct fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < COUNT(cases); i++) {
        f.tx.locktime = cases[i].locktime;
        f.tx.locktime_counts = cases[i].counts;
        const struct decision d =
            ask(&f, policy, cases[i].good ? APPROVED : "Rejected: rule #1: locktime");
        assert_true(!d.charged && !d.velocity.running);
    }
    assert_int_equal(f.velocity.heights[0], 499999999);
}

// --- scripts ---

TEST(policy_24_85_scripts)
{
    static const char policy[] = "{\"warnings_ok\":true,\"rules\":[{\"whitelist\":[\"" STRANGER
                                 "\"],\"casemate\":{\"scripts\":[\"6a0141\",\"51024e73\"]}}]}";
    static const char alone[] = "{\"rules\":[{\"casemate\":{\"scripts\":[\"6a0141\"]}}]}";
    struct fixture f;
    fixture_init(&f);
    f.tx.n_out = 4;
    f.out[2].amount.n = f.out[3].amount.n = 0;
    f.out[2].script = test_hex("6a0141");
    f.out[3].script = test_hex("51024e73"); // a 2-byte anchor has no address of 32 bytes
    (void)ask(&f, policy, APPROVED);
    (void)ask(&f, alone, "Rejected: rule #1: non-whitelisted address: " STRANGER);
    f.out[0].script = test_hex("6a0141");
    (void)ask(&f, alone, "Rejected: rule #1: non-whitelisted address: 51024e73");
    // Two scripts that have no address are two targets.
    f.out[3].script = test_hex("6a0142");
    (void)ask(&f, alone, "Rejected: rule #1: non-whitelisted address: 6a0142");
    f.tx.n_out = 3;
    (void)ask(&f, alone, APPROVED);
}

// --- dedupe ---

TEST(policy_24_85_dedupe)
{
    static const char on[] =
        "{\"period\":60,\"casemate\":{\"dedupe\":true},\"rules\":[{\"per_period\":3000000}]}";
    static const char off[] = "{\"period\":60,\"rules\":[{\"per_period\":3000000}]}";
    struct fixture f;
    fixture_init(&f);
    set_txid(&f, 1);
    (void)ask(&f, off, APPROVED);
    (void)ask(&f, off, PERIOD); // D10: "The same PSBT signed twice charges twice"
    fixture_init(&f);
    set_txid(&f, 1);
    struct decision d = ask(&f, on, APPROVED);
    assert_true(d.charged && !d.repeated);
    d = ask(&f, on, APPROVED);
    assert_true(!d.charged && d.repeated);
    assert_int_equal(d.velocity.spent[0].n, 2000000);
    set_txid(&f, 2);
    (void)ask(&f, on, PERIOD);
    f.now_s += 60 * MINUTE; // "within a period"
    set_txid(&f, 1);
    d = ask(&f, on, APPROVED);
    assert_true(d.charged);
}

// A PSBT of other inputs of the same transaction may show less change: it moves more, and is charged.
TEST(policy_24_85_dedupe_of_more_than_was_charged)
{
    static const char policy[] =
        "{\"period\":60,\"casemate\":{\"dedupe\":true},\"rules\":[{\"per_period\":2000000}]}";
    struct fixture f;
    fixture_init(&f);
    set_txid(&f, 1);
    f.out[0].change = true;
    assert_true(ask(&f, policy, APPROVED).charged);
    assert_int_equal(f.velocity.spent[0].n, 0);
    f.out[0].change = false;
    assert_true(ask(&f, policy, APPROVED).charged);
    assert_int_equal(f.velocity.spent[0].n, 2000000);
    assert_true(ask(&f, policy, APPROVED).repeated);
    f.tx.fee_known = false;
    assert_true(ask(&f, policy, APPROVED).repeated); // the fee is not counted
    f.out[0].amount.n++;
    (void)ask(&f, policy, PERIOD);
}

// To another rule it is the first time; in a sliding window it is forgotten with its charge.
TEST(policy_24_85_dedupe_by_rule_and_window)
{
    static const char policy[] =
        "{\"period\":60,\"casemate\":{\"dedupe\":true},\"rules\":[{\"per_period\":2000000,"
        "\"users\":[\"carol\"]},{\"per_period\":2000000,\"casemate\":{\"window\":\"sliding\","
        "\"max_txns\":1}}]}";
    struct fixture f;
    fixture_init(&f);
    set_txid(&f, 1);
    fixture_authorise(&f, "carol", 0);
    assert_true(ask(&f, policy, APPROVED).charged);
    assert_true(ask(&f, policy, "Acceptable by rule #2").charged);
    assert_true(ask(&f, policy, "Acceptable by rule #2").repeated);
    set_txid(&f, 2);
    (void)ask(&f, policy,
              "Rejected: rule #1: need user(s) confirmation, rule #2: would exceed "
              "period spending");
    f.now_s += 60 * MINUTE;
    set_txid(&f, 1);
    assert_true(ask(&f, policy, "Acceptable by rule #2").charged);
}

TEST(policy_24_85_dedupe_remembers_so_many)
{
    static const char policy[] = "{\"period\":60,\"casemate\":{\"dedupe\":true},\"rules\":[{"
                                 "\"per_period\":2100000000000000}]}";
    struct fixture f;
    fixture_init(&f);
    for (size_t i = 0; i <= VELOCITY_REPEATS_MAX; i++) {
        f.tx.txid.b[0] = (uint8_t)i;
        f.tx.txid.b[1] = (uint8_t)(i >> 8);
        assert_true(ask(&f, policy, APPROVED).charged);
    }
    assert_true(ask(&f, policy, APPROVED).repeated); // the last
    memset(f.tx.txid.b, 0, 2);                       // the first is forgotten, and charged again
    assert_true(ask(&f, policy, APPROVED).charged);
}

// --- totp_skew: the signer's own step is 1764000000 / 30 = 58800000 ---

TEST(policy_24_85_totp_skew)
{
    static const char off[] = "{\"rules\":[{\"users\":[\"alice\"]}]}";
    static const char zero[] =
        "{\"casemate\":{\"totp_skew\":0},\"rules\":[{\"users\":[\"alice\"]}]}";
    static const char two[] =
        "{\"casemate\":{\"totp_skew\":2},\"rules\":[{\"users\":[\"alice\"]}]}";
    static const char range[] = "User 'alice' gave wrong auth value: range";
    static const struct {
        const char *policy;
        uint32_t step;
        const char *expected;
    } cases[] = {
        { off, 59000000, APPROVED }, { off, 58000000, APPROVED }, { zero, 58800000, APPROVED },
        { zero, 58800001, range },   { zero, 58799999, range },   { two, 58800002, APPROVED },
        { two, 58799998, APPROVED }, { two, 58800003, range },    { two, 58799997, range },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture f;
        fixture_init(&f);
        fixture_authorise(&f, "alice", cases[i].step);
        (void)ask(&f, cases[i].policy, cases[i].expected);
    }
    struct fixture f;
    fixture_init(&f); // bob's HOTP has no time
    fixture_authorise(&f, "bob", 1);
    (void)ask(&f, "{\"casemate\":{\"totp_skew\":0},\"rules\":[{\"users\":[\"bob\"]}]}", APPROVED);
}

// --- msg_users, msg_per_period ---

static struct decision ask_message(struct fixture *f, const char *policy, const char *path,
                                   const char *expected)
{
    const struct policy p = parsed(policy);
    struct message_facts message = { .hash = f->tx.psbt_hash };
    struct err err;
    assert_true(keypath_parse(&message.path, bytes_of_text(path), &err));
    const struct decision d =
        policy_evaluate_message(&p, &message, &f->auth, &f->velocity, f->now_s);
    assert_bytes_text(decision_text(&d, &p, NULL), expected);
    fixture_commit(f, &d);
    if (d.queue_consumed)
        auth_queue_clear(&f->queue);
    return d;
}

#define ALLOWED "Message signing allowed"

TEST(policy_24_85_msg_users)
{
    static const char policy[] = "{\"msg_paths\":[\"m/1\"],\"casemate\":{\"msg_users\":[\"alice\","
                                 "\"carol\"]}}";
    struct fixture f;
    fixture_init(&f);
    (void)ask_message(&f, policy, "m/1", "need user(s) confirmation");
    fixture_authorise(&f, "carol", 0);
    struct decision d = ask_message(&f, policy, "m/1", "need more users to confirm (got 1 of 2)");
    assert_true(d.queue_consumed && !d.consumed); // the local code is none of its business
    fixture_authorise(&f, "alice", 58000000);
    fixture_authorise(&f, "carol", 0);
    d = ask_message(&f, policy, "m/1", ALLOWED);
    assert_int_equal(d.n_verified, 2);
    fixture_authorise(&f, "carol", 0);
    fixture_authorise(&f, "alice", 58000000); // used up
    (void)ask_message(&f, policy, "m/1", "User 'alice' gave wrong auth value: replay");
    fixture_authorise(&f, "carol", 0); // the path comes first, and takes what was sent
    (void)ask_message(&f, policy, "m/2", "Message signing not enabled for that path");
    assert_int_equal(f.queue.n, 0);
    // Without the member nothing is taken.
    fixture_authorise(&f, "carol", 0);
    d = ask_message(&f, "{\"msg_paths\":[\"m/1\"]}", "m/1", ALLOWED);
    assert_true(!d.queue_consumed && f.queue.n == 1);
}

TEST(policy_24_85_msg_per_period)
{
    static const char policy[] = "{\"period\":60,\"msg_paths\":[\"m/1\"],\"casemate\":{"
                                 "\"msg_per_period\":2},\"rules\":[{\"per_period\":5000000}]}";
    struct fixture f;
    fixture_init(&f);
    (void)ask_message(&f, policy, "m/2", "Message signing not enabled for that path");
    (void)ask_message(&f, policy, "m/1", ALLOWED);
    assert_false(f.velocity.running); // money has its own
    f.now_s += 30 * MINUTE;
    (void)ask_message(&f, policy, "m/1", ALLOWED);
    (void)ask_message(&f, policy, "m/1", "would exceed messages per period");
    (void)ask(&f, policy, APPROVED); // a transaction is not a message
    f.now_s += 30 * MINUTE;
    (void)ask_message(&f, policy, "m/1", ALLOWED);
    assert_int_equal(f.velocity.n[VELOCITY_MESSAGES], 1);
    assert_int_equal(f.velocity.spent[0].n, 2000000);
}

TEST(policy_24_85_messages_as_psbt)
{
    static const char policy[] = "{\"period\":60,\"msg_paths\":[\"m\"],\"casemate\":{"
                                 "\"msg_per_period\":1,\"msg_users\":[\"carol\"]}}";
    struct fixture f;
    fixture_init(&f);
    f.tx.is_message = true;
    (void)ask(&f, policy, "Rejected: need user(s) confirmation");
    fixture_authorise(&f, "carol", 0);
    (void)ask(&f, policy, "BIP-322 message signing allowed");
    fixture_authorise(&f, "carol", 0);
    (void)ask(&f, policy, "Rejected: would exceed messages per period");
}
