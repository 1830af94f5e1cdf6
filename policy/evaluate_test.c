#include "policy/evaluate.h"
#include "bitcoin/address.h"
#include "tests/support/policy_fixture.h"

// The fixture's transaction sends 2,000,000 sat to STRANGER and has change of 7,999,000.

static void set_amount(struct fixture *f, size_t output, uint64_t n)
{
    f->out[output].amount.n = n;
    fixture_sum(f);
}

// --- Before the rules ---

TEST(policy_24_42_must_log_without_a_card)
{
    static const char policy[] = "{\"must_log\":true,\"rules\":[{\"users\":[\"alice\"],"
                                 "\"local_conf\":true}]}";
    struct fixture f;
    fixture_init(&f);
    fixture_authorise(&f, "alice", 58000000);
    fixture_confirm(&f);
    f.auth.card_usable = false;
    struct decision d = assert_decision(&f, policy, "Could not log details, and must_log is set");
    assert_false(d.consumed || d.log);
    assert_int_equal(d.n_verified, 0);
    fixture_commit(&f, &d);
    f.auth.card_usable = true; // the same authorisations and local code still count
    d = assert_decision(&f, policy, "Acceptable by rule #1");
    assert_true(d.consumed && d.log);
}

TEST(policy_24_42_log_modes)
{
    static const struct {
        const char *policy;
        bool card, log, signs;
    } modes[] = {
        { "{\"rules\":[{}]}", true, true, true },
        { "{\"rules\":[{}]}", false, false, true }, // the request goes on
        { "{\"must_log\":1,\"rules\":[{}]}", true, true, true },
        { "{\"must_log\":1,\"rules\":[{}]}", false, false, false },
        { "{\"never_log\":1,\"rules\":[{}]}", true, false, true },
        { "{\"never_log\":1,\"rules\":[{}]}", false, false, true },
    };
    struct fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < COUNT(modes); i++) {
        const struct policy p = parsed(modes[i].policy);
        f.auth.card_usable = modes[i].card;
        const struct decision d = fixture_decide(&f, &p);
        assert_int_equal(d.log, modes[i].log);
        assert_int_equal(d.verdict == VERDICT_SIGN, modes[i].signs);
    }
}

TEST(policy_24_43_warnings)
{
    struct fixture f;
    fixture_init(&f);
    f.tx.n_warnings = 2;
    const struct decision d = assert_decision(&f, "{\"rules\":[{}]}", "Rejected: has 2 warning(s)");
    assert_true(d.consumed);
    (void)assert_decision(&f, "{\"warnings_ok\":true,\"rules\":[{}]}", "Acceptable by rule #1");
    f.tx.n_warnings = 1;
    (void)assert_decision(&f, "{\"rules\":[{}]}", "Rejected: has 1 warning(s)");
}

TEST(policy_24_44_no_rules)
{
    struct fixture f;
    fixture_init(&f);
    fixture_send(&f, "alice", "000000", 58000000); // nobody is verified
    const struct decision d = assert_decision(&f, "{}", "Rejected: no txn signing allowed");
    assert_true(d.consumed);
    f.tx.n_warnings = 3; // warnings are reported before that
    (void)assert_decision(&f, "{}", "Rejected: has 3 warning(s)");
}

// --- BIP-322: item 45 ---

static void make_message(struct fixture *f, const char *path)
{
    struct err err;
    f->tx.is_message = true;
    f->tx.n_out = 1;
    f->out[0] = (struct output_facts){ .script = BYTES("\x6a") };
    assert_true(keypath_parse(&f->in[0].path, bytes_of_text(path), &err));
    fixture_sum(f);
}

TEST(policy_24_45_bip322)
{
    static const char wrong_path[] = "Rejected: Message signing not enabled for that path";
    struct fixture f;
    fixture_init(&f);
    make_message(&f, "m/84h/1h/0h/0/7");
    fixture_authorise(&f, "alice", 58000000);
    struct decision d =
        assert_decision(&f, "{\"rules\":[{}]}", "Rejected: Message signing not permitted");
    assert_true(d.consumed && d.is_message && !d.is_text);
    d = assert_decision(&f, "{\"msg_paths\":[\"m/84h/1h/0h/0/*\"]}",
                        "BIP-322 message signing allowed"); // no rules are needed
    assert_true(d.consumed && d.log && !d.charged);
    assert_int_equal(d.n_verified, 0); // taken unverified
    (void)assert_decision(&f, "{\"msg_paths\":[\"any\"]}", "BIP-322 message signing allowed");
    (void)assert_decision(&f, "{\"msg_paths\":[\"m/84h/1h/0h/1/*\"]}", wrong_path);
    f.tx.n_warnings = 1; // of a foreign input
    (void)assert_decision(&f, "{\"msg_paths\":[\"any\"]}", "Rejected: has 1 warning(s)");
    (void)assert_decision(&f, "{\"warnings_ok\":1,\"msg_paths\":[\"any\"]}",
                          "BIP-322 message signing allowed");
}

TEST(policy_24_45_every_input_that_is_signed_must_match)
{
    static const char policy[] = "{\"msg_paths\":[\"m/84h/1h/0h/0/*\"]}";
    struct fixture f;
    fixture_init(&f);
    make_message(&f, "m/84h/1h/0h/0/7");
    f.tx.n_in = 2;
    f.in[1].path.depth = 0;
    (void)assert_decision(&f, policy, "Rejected: Message signing not enabled for that path");
    f.in[1].will_sign = false; // foreign inputs are skipped
    (void)assert_decision(&f, policy, "BIP-322 message signing allowed");
    f.in[0].will_sign = false; // nothing of ours: nothing to allow
    (void)assert_decision(&f, policy, "Rejected: Message signing not enabled for that path");
}

// --- Authorisations: items 46, 57, 59 ---

TEST(policy_24_46_one_bad_authorisation_refuses_everything)
{
    static const char policy[] = "{\"rules\":[{\"users\":[\"alice\"]}]}";
    struct fixture f;
    fixture_init(&f);
    fixture_authorise(&f, "alice", 58000000);
    fixture_send(&f, "bob", "000000", 0);
    const struct decision d =
        assert_decision(&f, policy, "User 'bob' gave wrong auth value: mismatch");
    assert_int_equal(d.n_verified, 0); // the good user's counter is unchanged
    assert_true(d.consumed);
    auth_queue_clear(&f.queue);
    fixture_authorise(&f, "alice", 58000000);
    fixture_send(&f, "mallory", "000000", 0);
    (void)assert_decision(&f, policy, "User 'mallory' gave wrong auth value: unknown user");
}

TEST(policy_24_46_problems_in_order_of_submission)
{
    struct fixture f;
    fixture_init(&f);
    f.users[3].progress.last = 58000000;
    fixture_send(&f, "dave", "000000", 57000000);
    fixture_send(&f, "alice", "000000", 5);
    (void)assert_decision(&f, "{\"rules\":[{}]}", "User 'dave' gave wrong auth value: replay");
    auth_queue_clear(&f.queue);
    fixture_send(&f, "alice", "000000", 5);
    fixture_send(&f, "dave", "000000", 57000000);
    (void)assert_decision(&f, "{\"rules\":[{}]}", "User 'alice' gave wrong auth value: range");
    auth_queue_clear(&f.queue);
    fixture_send(&f, "bob", "12345", 0);
    (void)assert_decision(&f, "{\"rules\":[{}]}", "User 'bob' gave wrong auth value: expect otp");
}

// D15: a name that the host makes up cannot write lines into the log.
TEST(policy_d15_names_of_nobody)
{
    struct fixture f;
    fixture_init(&f);
    fixture_send(&f, "a\n\nAPPROVED: \xc3\xa9", "000000", 0);
    (void)assert_decision(&f, "{\"rules\":[{}]}",
                          "User 'a??APPROVED: ?' gave wrong auth value: unknown user");
}

#define TWO_OF_THREE "{\"rules\":[{\"users\":[\"alice\",\"bob\",\"carol\"],\"min_users\":2}]}"

TEST(policy_24_57_numbers_of_users)
{
    struct fixture f;
    fixture_init(&f);
    (void)assert_decision(&f, TWO_OF_THREE, "Rejected: rule #1: need user(s) confirmation");
    fixture_authorise(&f, "dave", 58000000); // good, but no user of the rule
    (void)assert_decision(&f, TWO_OF_THREE, "Rejected: rule #1: need user(s) confirmation");
    fixture_authorise(&f, "alice", 58000000);
    struct decision d = assert_decision(
        &f, TWO_OF_THREE, "Rejected: rule #1: need more users to confirm (got 1 of 2)");
    // Codes are used up also when no rule matches then.
    assert_int_equal(d.n_verified, 2);
    assert_int_equal(d.verified[0].user, 3);
    assert_int_equal(d.verified[0].after.last, 58000000);
    fixture_authorise(&f, "carol", 0);
    d = assert_decision(&f, TWO_OF_THREE, "Acceptable by rule #1");
    assert_int_equal(d.n_verified, 3);
    fixture_authorise(&f, "bob", 4);
    (void)assert_decision(&f, TWO_OF_THREE, "Acceptable by rule #1"); // one more does no harm
}

TEST(policy_24_59_codes_and_another_psbt)
{
    static const char by_alice[] = "{\"rules\":[{\"users\":[\"alice\"]}]}";
    static const char by_carol[] = "{\"rules\":[{\"users\":[\"carol\"]}]}";
    struct fixture f;
    fixture_init(&f);
    fixture_authorise(&f, "alice", 58000000);
    f.tx.psbt_hash = sha256(BYTES("another PSBT"));
    (void)assert_decision(&f, by_alice, "Acceptable by rule #1"); // a code is bound to nothing
    auth_queue_clear(&f.queue);
    fixture_init(&f);
    fixture_authorise(&f, "carol", 0);
    (void)assert_decision(&f, by_carol, "Acceptable by rule #1");
    f.tx.psbt_hash = sha256(BYTES("another PSBT"));
    (void)assert_decision(&f, by_carol, "User 'carol' gave wrong auth value: mismatch");
}

TEST(policy_24_58_a_code_is_good_once)
{
    static const char policy[] = "{\"rules\":[{\"users\":[\"alice\",\"bob\"]}]}";
    struct fixture f;
    fixture_init(&f);
    fixture_authorise(&f, "alice", 58000000);
    fixture_authorise(&f, "bob", 0);
    struct decision d = assert_decision(&f, policy, "Acceptable by rule #1");
    fixture_commit(&f, &d);
    fixture_authorise(&f, "bob", 0);
    d = assert_decision(&f, policy, "User 'bob' gave wrong auth value: mismatch");
    fixture_commit(&f, &d);
    fixture_authorise(&f, "alice", 58000000);
    (void)assert_decision(&f, policy, "User 'alice' gave wrong auth value: replay");
}

// --- The local code: item 60 ---

static const struct {
    const char *secret;  // next_local_code
    const char *psbt;    // its SHA-256, or
    const char *psbt_of; // the text that it is the SHA-256 of
    const char *code;
} local_codes[] = {
    { "BrstN9qZ28pEaBdrUs3K", NULL, "casemate worked example", "160472" },
    { "BrstN9qZ28pEaBdrUs3K", NULL, "example psbt", "112936" },
    { "BrstN9qZ28pEaBdrUs3K", NULL, "psbt\xff", "617842" },
    { "YWFhYWFhYWFhYWFhYWFh", "6262626262626262626262626262626262626262626262626262626262626262",
      NULL, "998170" },
    { "YWFhYWFhYWFhYWFaYWFh", "0000000000000000000000000000000000000000000000000000000000000000",
      NULL, "816912" },
};

static const char confirmed[] = "{\"rules\":[{\"local_conf\":true}]}";

TEST(policy_24_60_local_code_vectors)
{
    struct fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < COUNT(local_codes); i++) {
        f.auth.local_secret = test_base64(bytes_of_text(local_codes[i].secret));
        assert_int_equal(f.auth.local_secret.len, 15);
        if (local_codes[i].psbt != NULL)
            memcpy(f.tx.psbt_hash.b, test_hex(local_codes[i].psbt).ptr, 32);
        else
            f.tx.psbt_hash = sha256(bytes_of_text(local_codes[i].psbt_of));
        f.auth.has_local_code = true;
        memcpy(f.auth.local_code, local_codes[i].code, LOCAL_CODE_DIGITS);
        const struct decision d = assert_decision(&f, confirmed, "Acceptable by rule #1");
        assert_true(d.local_code_good && d.consumed);
        f.auth.local_code[5] ^= 1;
        (void)assert_decision(&f, confirmed, "Rejected: rule #1: local operator didn't confirm");
    }
}

TEST(policy_24_60_no_code_and_consumption)
{
    struct fixture f;
    fixture_init(&f);
    (void)assert_decision(&f, confirmed, "Rejected: rule #1: local operator didn't confirm");
    fixture_confirm(&f);
    // Used up by any transaction that reaches E5, needed or not.
    struct decision d = assert_decision(&f, "{\"rules\":[{}]}", "Acceptable by rule #1");
    fixture_commit(&f, &d);
    (void)assert_decision(&f, confirmed, "Rejected: rule #1: local operator didn't confirm");
}

// --- Rules: items 47 to 51 ---

TEST(policy_24_47_reasons_joined_and_first_rule_wins)
{
    struct fixture f;
    fixture_init(&f);
    struct decision d = assert_decision(
        &f,
        "{\"rules\":[{\"max_amount\":1},{\"local_conf\":1},{\"whitelist\":[\"" OUR_CHANGE "\"]}]}",
        "Rejected: rule #1: amount exceeded, rule #2: local operator didn't confirm, "
        "rule #3: non-whitelisted address: " STRANGER);
    assert_int_equal(d.n_tried, 3);
    d = assert_decision(&f, "{\"rules\":[{\"max_amount\":1},{},{\"max_amount\":5000000}]}",
                        "Acceptable by rule #2");
    assert_int_equal(d.n_tried, 2);
    assert_int_equal(d.rule, 1);
    assert_int_equal(d.tried[0].reason, REASON_AMOUNT);
    assert_int_equal(d.tried[0].actual, 2000000);
    assert_int_equal(d.tried[0].limit, 1);
    assert_int_equal(d.tried[1].reason, REASON_NONE);
    assert_int_equal(d.tried[2].reason, REASON_NOT_TRIED);
}

// Item 48: each clause just passing and just failing, on the fixture's transaction.
static const struct {
    const char *clause, *reason; // NULL: passes
} clauses[] = {
    { "\"wallet\":\"1\"", NULL },
    { "\"wallet\":\"Treasury\"", "not multisig" },
    { "\"max_amount\":2000000", NULL },
    { "\"max_amount\":1999999", "amount exceeded" },
    { "\"max_amount\":0", "amount exceeded" },
    { "\"max_amount\":null", NULL },
    { "\"whitelist\":[\"" OUR_CHANGE "\",\"" STRANGER "\"]", NULL },
    { "\"whitelist\":[\"" OUR_CHANGE "\"]", "non-whitelisted address: " STRANGER },
    { "\"whitelist\":[\"" STRANGER "\"],\"whitelist_opts\":{\"mode\":\"ATTEST\"}",
      "missing attestation for output 0" },
    { "\"local_conf\":false", NULL },
    { "\"local_conf\":true", "local operator didn't confirm" },
    { "\"users\":[]", NULL },
    { "\"users\":[\"bob\"]", "need user(s) confirmation" },
    { "\"per_period\":2000000", NULL },
    { "\"per_period\":1999999", "would exceed period spending" },
    { "\"per_period\":0", "would exceed period spending" },
    { "\"min_pct_self_transfer\":79.99", NULL },
    { "\"min_pct_self_transfer\":79.990000000000000001",
      "does not meet self transfer threshold, expected: 79.99, actual: 79.99" },
    { "\"min_pct_self_transfer\":80",
      "does not meet self transfer threshold, expected: 80.00, actual: 79.99" },
    { "\"min_pct_self_transfer\":0", NULL },
    { "\"patterns\":[\"EQ_NUM_INS_OUTS\"]", "unequal number of inputs and outputs" },
    { "\"patterns\":[\"EQ_NUM_OWN_INS_OUTS\"]", NULL },
    { "\"patterns\":[\"EQ_OUT_AMOUNTS\"]", "not all output amounts are equal" },
    // The order of the table, not of the file.
    { "\"patterns\":[\"EQ_OUT_AMOUNTS\",\"EQ_NUM_INS_OUTS\"]",
      "unequal number of inputs and outputs" },
};

static void check_clause(const struct fixture *f, const char *clause, const char *reason)
{
    char policy[512], expected[256];
    (void)snprintf(policy, sizeof policy, "{\"period\":60,\"rules\":[{%s}]}", clause);
    (void)snprintf(expected, sizeof expected, "Rejected: rule #1: %s",
                   reason != NULL ? reason : "");
    (void)assert_decision(f, policy, reason != NULL ? expected : "Acceptable by rule #1");
}

TEST(policy_24_48_each_clause)
{
    struct fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < COUNT(clauses); i++)
        check_clause(&f, clauses[i].clause, clauses[i].reason);
}

TEST(policy_24_48_patterns_that_pass)
{
    struct fixture f;
    fixture_init(&f);
    set_amount(&f, 1, 2000000);
    check_clause(&f, "\"patterns\":[\"EQ_OUT_AMOUNTS\"]", NULL);
    f.tx.n_in = 2;
    check_clause(&f, "\"patterns\":[\"EQ_NUM_INS_OUTS\"]", NULL);
    check_clause(&f, "\"patterns\":[\"EQ_NUM_OWN_INS_OUTS\"]",
                 "unequal number of own inputs and outputs");
    f.out[0].own = true;
    check_clause(&f, "\"patterns\":[\"EQ_NUM_OWN_INS_OUTS\"]", NULL);
}

// Item 49: clauses of one rule, in the order in which they must be reported.
TEST(policy_24_49_the_earlier_clause_is_reported)
{
    static const struct {
        const char *clause, *reason;
    } in_order[] = {
        { "\"wallet\":\"Treasury\"", "not multisig" },
        { "\"max_amount\":1", "amount exceeded" },
        { "\"whitelist\":[\"" OUR_CHANGE "\"]", "non-whitelisted address: " STRANGER },
        { "\"local_conf\":1", "local operator didn't confirm" },
        { "\"users\":[\"bob\"]", "need user(s) confirmation" },
        { "\"per_period\":1", "would exceed period spending" },
        { "\"min_pct_self_transfer\":100",
          "does not meet self transfer threshold, expected: 100.00, actual: 79.99" },
        { "\"patterns\":[\"EQ_OUT_AMOUNTS\"]", "not all output amounts are equal" },
    };
    struct fixture f;
    char both[512];
    fixture_init(&f);
    for (size_t i = 0; i < COUNT(in_order); i++)
        for (size_t k = i + 1; k < COUNT(in_order); k++) {
            (void)snprintf(both, sizeof both, "%s,%s", in_order[k].clause, in_order[i].clause);
            check_clause(&f, both, in_order[i].reason);
        }
}

TEST(policy_24_50_total_out)
{
    struct fixture f;
    fixture_init(&f);
    f.tx.n_out = 3;
    set_amount(&f, 2, 400000);
    check_clause(&f, "\"max_amount\":2400000", NULL); // neither change nor fee is in it
    check_clause(&f, "\"max_amount\":2399999", "amount exceeded");
    f.out[0].change = f.out[2].change = true;
    fixture_sum(&f);
    check_clause(&f, "\"max_amount\":0", NULL); // change only
}

// No transaction can have such sums; if the facts had, no rule would allow it.
TEST(policy_24_50_more_than_can_exist)
{
    struct fixture f;
    fixture_init(&f);
    f.out[0].amount.n = SATS_MAX;
    f.tx.n_out = 3;
    (void)assert_decision(&f, "{\"rules\":[{}]}", "Rejected: rule #1: amount exceeded");
    f.tx.n_out = 2;
    f.out[1].amount.n = 1; // own outputs count too
    f.out[0].own = true;
    (void)assert_decision(&f, "{\"rules\":[{}]}", "Rejected: rule #1: amount exceeded");
    f.out[0].own = false;
    check_clause(&f, "\"per_period\":2100000000000000", NULL);
    const struct policy limited = parsed("{\"period\":1,\"rules\":[{\"per_period\":1}]}");
    assert_true(velocity_charge(&f.velocity, &limited, 0, (struct sats){ 1 }, f.now_s));
    check_clause(&f, "\"per_period\":2100000000000000", "would exceed period spending");
}

#define ANY_LIST "\"whitelist\":[\"" OUR_CHANGE "\"]"

TEST(policy_24_51_whitelists)
{
    struct fixture f;
    fixture_init(&f);
    check_clause(&f, "\"whitelist\":[]", NULL);
    f.tx.n_out = 4;
    f.out[2].script = f.out[1].script; // pays to the listed address, not as change
    fixture_sum(&f);
    check_clause(&f, ANY_LIST, "non-whitelisted address: " STRANGER); // the first of two
    f.out[0].script = f.out[1].script;
    check_clause(&f, ANY_LIST,
                 "non-whitelisted address: "
                 "tb1qpqyqszqgpqyqszqgpqyqszqgpqyqszqgqhskmx");
    // An address of the other network never matches.
    check_clause(&f, "\"whitelist\":[\"bc1qqcrqvpsxqcrqvpsxqcrqvpsxqcrqvpsxyecswd\"]",
                 "non-whitelisted address: " OUR_CHANGE);
}

TEST(policy_24_51_op_return)
{
    struct fixture f;
    fixture_init(&f);
    f.out[0] = (struct output_facts){ .script = BYTES("\x6a\x04test") };
    fixture_sum(&f);
    check_clause(&f, ANY_LIST, "non-whitelisted address: 6a0474657374");
    check_clause(&f, ANY_LIST ",\"whitelist_opts\":{\"allow_zeroval_outs\":true}", NULL);
    check_clause(
        &f, ANY_LIST ",\"whitelist_opts\":{\"mode\":\"ATTEST\",\"allow_zeroval_outs\":true}", NULL);
    set_amount(&f, 0, 1);
    check_clause(&f, ANY_LIST ",\"whitelist_opts\":{\"allow_zeroval_outs\":true}",
                 "non-whitelisted address: 6a0474657374");
}

// A listed address with a zero output beside one with value to a stranger, and the reverse.
TEST(policy_24_51_zero_and_other_values_to_one_address)
{
    struct fixture f;
    fixture_init(&f);
    f.tx.n_out = 3;
    f.out[2].script = f.out[0].script;
    set_amount(&f, 0, 0);
    check_clause(&f, ANY_LIST ",\"whitelist_opts\":{\"allow_zeroval_outs\":true}",
                 "non-whitelisted address: " STRANGER);
    set_amount(&f, 2, 0);
    check_clause(&f, ANY_LIST ",\"whitelist_opts\":{\"allow_zeroval_outs\":true}", NULL);
    check_clause(&f, ANY_LIST, "non-whitelisted address: " STRANGER);
}

TEST(policy_24_51_a_very_long_script_is_shown_in_part)
{
    struct fixture f;
    fixture_init(&f);
    uint8_t *script = arena_alloc(test_arena(), DECISION_SCRIPT_SHOWN + 1);
    memset(script, 0x6a, DECISION_SCRIPT_SHOWN + 1);
    f.out[0].script = bytes_of(script, DECISION_SCRIPT_SHOWN + 1);
    const struct policy p = parsed("{\"rules\":[{" ANY_LIST "}]}");
    const struct decision d = fixture_decide(&f, &p);
    const struct bytes text = decision_text(&d, &p, &f);
    const size_t before = strlen("Rejected: rule #1: non-whitelisted address: ");
    assert_int_equal(text.len, before + (size_t)2 * DECISION_SCRIPT_SHOWN + 3);
    assert_bytes_text(bytes_slice(text, text.len - 5, 5), "6a...");
}

// A thousand rules that each name such a script would make a status report that no client takes.
TEST(policy_24_47_a_very_long_text_is_cut_between_rules)
{
    struct fixture f;
    fixture_init(&f);
    uint8_t *script = arena_alloc(test_arena(), DECISION_SCRIPT_SHOWN);
    struct writer rules = writer_growing(test_arena(), 1u << 20);
    memset(script, 0x6a, DECISION_SCRIPT_SHOWN);
    f.out[0].script = bytes_of(script, DECISION_SCRIPT_SHOWN);
    for (size_t i = 0; i < POLICY_RULES_MAX; i++)
        writer_printf(&rules, "%s{" ANY_LIST "}", i == 0 ? "{\"rules\":[" : ",");
    writer_text(&rules, "]}");
    const struct policy p = parsed(arena_text(test_arena(), writer_bytes(&rules)));
    const struct decision d = fixture_decide(&f, &p);
    const struct bytes text = decision_text(&d, &p, &f);
    const size_t each = strlen("rule #11: non-whitelisted address: ") + 2 * DECISION_SCRIPT_SHOWN;
    assert_int_equal(d.verdict, VERDICT_REFUSE);
    assert_in_range(text.len, DECISION_TEXT_SHOWN, DECISION_TEXT_SHOWN + each + 5);
    assert_bytes_text(bytes_slice(text, text.len - 9, 9), "6a6a, ...");
}

// --- Wallets: item 54 ---

static void make_multisig(struct fixture *f, size_t input)
{
    f->in[input].multisig = true;
    f->tx.signs_multisig = true;
    f->tx.signs_single_key = false;
    f->tx.wallet_name = BYTES("Treasury");
}

TEST(policy_24_54_wallets)
{
    struct fixture f;
    fixture_init(&f);
    make_multisig(&f, 0);
    check_clause(&f, "\"wallet\":\"Treasury\"", NULL);
    check_clause(&f, "\"wallet\":\"1\"", "wrong wallet");
    f.tx.wallet_name = BYTES("Other");
    check_clause(&f, "\"wallet\":\"Treasury\"", "wrong wallet");
    f.in[0].multisig = false; // either fact is enough to keep a wallet's money from rule "1"
    check_clause(&f, "\"wallet\":\"1\"", "wrong wallet");
}

// D3: a dust input of the wallet beside single-key inputs.
TEST(policy_24_54_mixed_inputs)
{
    struct fixture f;
    fixture_init(&f);
    make_multisig(&f, 0);
    f.tx.n_in = 2;
    f.tx.signs_single_key = true;
    fixture_sum(&f);
    check_clause(&f, "\"wallet\":\"Treasury\"", "wrong wallet");
    check_clause(&f, "\"wallet\":\"1\"", "wrong wallet");
    check_clause(&f, "\"max_amount\":2000000", NULL); // a rule without wallet
}

// D3: global xpubs of the wallet alone change no fact, so the inputs decide.
TEST(policy_24_54_only_single_key_inputs)
{
    struct fixture f;
    fixture_init(&f);
    f.tx.wallet_name = BYTES("Treasury");
    check_clause(&f, "\"wallet\":\"Treasury\"", "not multisig");
    check_clause(&f, "\"wallet\":\"1\"", NULL);
}

// An input of the wallet that we have signed before gets no signature now; it is the wallet's still.
TEST(policy_24_54_already_signed_by_us)
{
    struct fixture f;
    fixture_init(&f);
    make_multisig(&f, 0);
    f.tx.signs_multisig = f.in[0].will_sign = false;
    check_clause(&f, "\"wallet\":\"Treasury\"", NULL);
    check_clause(&f, "\"wallet\":\"1\"", "wrong wallet");
}

// --- Self transfers: items 53 and 56 ---

TEST(policy_24_53_a_claim_is_not_own)
{
    struct fixture f;
    fixture_init(&f);
    f.tx.n_out = 1; // all to the stranger; that the output claims our key is no fact
    set_amount(&f, 0, 9900000);
    check_clause(&f, "\"min_pct_self_transfer\":95",
                 "does not meet self transfer threshold, expected: 95.00, actual: 0.00");
}

TEST(policy_24_56_own_inputs)
{
    struct fixture f;
    fixture_init(&f);
    f.tx.n_in = 2;
    f.in[1].own = false; // somebody else's input does not count
    f.in[1].amount.n = 90000000;
    fixture_sum(&f);
    check_clause(&f, "\"min_pct_self_transfer\":79.99", NULL);
    f.in[1].own = true;
    check_clause(&f, "\"min_pct_self_transfer\":79.99",
                 "does not meet self transfer threshold, expected: 79.99, actual: 8.00");
    f.in[1].has_amount = false;
    check_clause(&f, "\"min_pct_self_transfer\":1", "own input value unknown");
    f.in[1].has_amount = true;
    f.in[1].verified = false; // a claimed amount is none
    check_clause(&f, "\"min_pct_self_transfer\":1", "own input value unknown");
    check_clause(&f, "\"min_pct_self_transfer\":0", NULL);
    f.in[0].own = f.in[1].own = false;
    check_clause(&f, "\"min_pct_self_transfer\":1", "divide by zero");
}

// An output of ours that is not change: own, but spent.
TEST(policy_24_56_own_outputs)
{
    struct fixture f;
    fixture_init(&f);
    f.out[0].own = true;
    check_clause(&f, "\"min_pct_self_transfer\":99.99", NULL);
    check_clause(&f, "\"max_amount\":1999999", "amount exceeded");
}

// --- Attestations: item 52 ---

// The output of 10.4's vector is the fixture's first: 2,000,000 sat to STRANGER.
static const struct {
    const char *attestation, *address; // whitelisted
    const char *reason;
} attestations[] = {
    { "2760a3595ff85796ada5e377484a9864ab3f9c2d9a1a14e8c88ca82c9cb201ef5f4ce3e1d9669d85ce675b989c2e"
      "3"
      "127aa11fa9837ba2ceb92343a3faba9c58256",
      "tb1q49n66nhqj3sm8efw3wj23gpnwsn0vzqgezq2da", NULL },
    { "1f60a3595ff85796ada5e377484a9864ab3f9c2d9a1a14e8c88ca82c9cb201ef5f4ce3e1d9669d85ce675b989c2e"
      "3"
      "127aa11fa9837ba2ceb92343a3faba9c58256",
      "mvxgh5PnTZTmSAoNCupPe5dsb83e2Mjhuc", NULL },
    { "2360a3595ff85796ada5e377484a9864ab3f9c2d9a1a14e8c88ca82c9cb201ef5f4ce3e1d9669d85ce675b989c2e"
      "3"
      "127aa11fa9837ba2ceb92343a3faba9c58256",
      "2Mw2zsZpqXEQQyNoSEBBjwfFHTYvZ4zN3X6", NULL },
    // The same key, listed in another form.
    { "2360a3595ff85796ada5e377484a9864ab3f9c2d9a1a14e8c88ca82c9cb201ef5f4ce3e1d9669d85ce675b989c2e"
      "3"
      "127aa11fa9837ba2ceb92343a3faba9c58256",
      "mvxgh5PnTZTmSAoNCupPe5dsb83e2Mjhuc", "non-whitelisted attestation key for output 0" },
    { NULL, STRANGER, "missing attestation for output 0" },
    { "", STRANGER, "signature length" },
    { "2760a3595ff85796ada5e377484a9864ab3f9c2d9a1a14e8c88ca82c9cb201ef5f4ce3e1d9669d85ce675b989c2e"
      "3"
      "127aa11fa9837ba2ceb92343a3faba9c582",
      STRANGER, "signature length" },
    { "1a60a3595ff85796ada5e377484a9864ab3f9c2d9a1a14e8c88ca82c9cb201ef5f4ce3e1d9669d85ce675b989c2e"
      "3"
      "127aa11fa9837ba2ceb92343a3faba9c58256",
      STRANGER, "unsupported recovery id: 26" },
    { "2b60a3595ff85796ada5e377484a9864ab3f9c2d9a1a14e8c88ca82c9cb201ef5f4ce3e1d9669d85ce675b989c2e"
      "3"
      "127aa11fa9837ba2ceb92343a3faba9c58256",
      STRANGER, "unsupported recovery id: 43" },
    { "27000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
      "0"
      "0000000000000000000000000000000000000",
      STRANGER, "invalid signature" },
    // Signed over other bytes, here without the compact size: another key comes out.
    { "2060a3595ff85796ada5e377484a9864ab3f9c2d9a1a14e8c88ca82c9cb201ef5f4ce3e1d9669d85ce675b989c2e"
      "3"
      "127aa11fa9837ba2ceb92343a3faba9c58256",
      "mvxgh5PnTZTmSAoNCupPe5dsb83e2Mjhuc", "non-whitelisted attestation key for output 0" },
};

TEST(policy_24_52_psbt_signing_27_118_attestations)
{
    struct fixture f;
    char clause[512];
    fixture_init(&f);
    for (size_t i = 0; i < COUNT(attestations); i++) {
        f.out[0].has_attestation = attestations[i].attestation != NULL;
        if (f.out[0].has_attestation)
            f.out[0].attestation = test_hex(attestations[i].attestation);
        (void)snprintf(clause, sizeof clause,
                       "\"whitelist\":[\"%s\"],\"whitelist_opts\":{\"mode\":\"ATTEST\"}",
                       attestations[i].address);
        check_clause(&f, clause, attestations[i].reason);
    }
}

// tests/vectors/message_signing.json, section `attestation`.
TEST(policy_24_52_psbt_signing_27_118_attestation_vectors)
{
    const struct json *vectors = json_need(test_vectors("message_signing.json"), "attestation");
    struct fixture f;
    char clause[512];
    fixture_init(&f);
    assert_int_equal(vectors->n_items, 3);
    for (const struct json *v = vectors->items; v != NULL; v = v->next) {
        f.out[0].amount.n = (uint64_t)json_need_integer(v, "amount");
        f.out[0].script = json_need_hex(v, "script");
        f.out[0].has_attestation = true;
        f.out[0].attestation = json_need_hex(v, "signature");
        (void)snprintf(clause, sizeof clause,
                       "\"whitelist\":[\"%.*s\"],\"whitelist_opts\":{\"mode\":\"ATTEST\"}",
                       BYTES_ARG(json_need_text(v, "attestor_address")));
        check_clause(&f, clause, NULL);
        f.out[0].amount.n++; // it binds the amount
        check_clause(&f, clause, "non-whitelisted attestation key for output 0");
    }
}

// --- Velocity in decisions: items 62 to 65 ---

static const char limited[] = "{\"period\":60,\"rules\":[{\"per_period\":3000000},"
                              "{\"per_period\":2000000},{\"max_amount\":1}]}";

static void spend(struct fixture *f, const char *expected)
{
    const struct decision d = assert_decision(f, limited, expected);
    fixture_commit(f, &d);
}

TEST(policy_24_62_limit_reached_exactly)
{
    struct fixture f;
    fixture_init(&f);
    set_amount(&f, 0, 1500000);
    spend(&f, "Acceptable by rule #1");
    spend(&f, "Acceptable by rule #1");
    assert_int_equal(f.velocity.spent[0].n, 3000000);
    set_amount(&f, 0, 1); // one satoshi more
    spend(&f, "Acceptable by rule #2");
    set_amount(&f, 0, 2000000);
    spend(&f, "Rejected: rule #1: would exceed period spending, rule #2: would exceed period "
              "spending, rule #3: amount exceeded");
    assert_int_equal(f.velocity.spent[1].n, 1); // a refusal charges nothing
}

TEST(policy_24_62_a_rule_without_limit_starts_no_period)
{
    struct fixture f;
    fixture_init(&f);
    set_amount(&f, 0, 1);
    struct decision d =
        assert_decision(&f, "{\"period\":60,\"rules\":[{\"max_amount\":1},{\"per_period\":5}]}",
                        "Acceptable by rule #1");
    assert_false(d.charged || d.velocity.running);
    assert_int_equal(d.velocity.spent[0].n, 0);
}

TEST(policy_24_63_expiry_in_a_decision)
{
    struct fixture f;
    fixture_init(&f);
    set_amount(&f, 0, 0); // a charge of 0 starts the period as well
    spend(&f, "Acceptable by rule #1");
    assert_true(f.velocity.running);
    set_amount(&f, 0, 3000000);
    spend(&f, "Acceptable by rule #1");
    f.now_s += 3599;
    set_amount(&f, 0, 2000001);
    spend(&f, "Rejected: rule #1: would exceed period spending, rule #2: would exceed period "
              "spending, rule #3: amount exceeded");
    f.now_s += 1;
    const struct decision d = assert_decision(&f, limited, "Acceptable by rule #1");
    assert_true(d.charged);
    assert_int_equal(d.velocity.start_s, f.now_s);
    assert_int_equal(d.velocity.spent[0].n, 2000001);
}

// E1 stands before E2: also a refusal for the log notices that the period is over.
TEST(policy_24_63_expiry_in_a_refusal)
{
    const struct policy p = parsed("{\"must_log\":1,\"period\":60,\"rules\":[{\"per_period\":5}]}");
    struct fixture f;
    fixture_init(&f);
    assert_true(velocity_charge(&f.velocity, &p, 0, (struct sats){ 5 }, f.now_s - 3600));
    f.auth.card_usable = false;
    const struct decision d = fixture_decide(&f, &p);
    assert_int_equal(d.cause, CAUSE_NO_LOG);
    assert_false(d.velocity.running);
}

TEST(policy_24_65_clock_set_back_in_a_decision)
{
    struct fixture f;
    fixture_init(&f);
    set_amount(&f, 0, 3000000);
    spend(&f, "Acceptable by rule #1");
    f.now_s -= 1000000;
    set_amount(&f, 0, 2000001);
    spend(&f, "Rejected: rule #1: would exceed period spending, rule #2: would exceed period "
              "spending, rule #3: amount exceeded");
    assert_int_equal(f.velocity.start_s, f.now_s);
    assert_int_equal(f.velocity.spent[0].n, 3000000);
}

// --- Text messages: item 77 ---

static struct bytes message_text(const char *policy, const char *path, bool card, bool *signs)
{
    const struct policy p = parsed(policy);
    struct message_facts message = { .hash = sha256(BYTES("text")) };
    struct fixture f;
    struct err err;
    assert_true(keypath_parse(&message.path, bytes_of_text(path), &err));
    fixture_init(&f);
    f.auth.card_usable = card;
    const struct decision d = policy_evaluate_message(&p, &message, &f.auth, &f.velocity, f.now_s);
    *signs = d.verdict == VERDICT_SIGN;
    assert_true(d.is_text && !d.consumed && !d.charged);
    assert_int_equal(d.log, card && !p.never_log);
    return decision_text(&d, &p, NULL);
}

static const struct {
    const char *policy, *path;
    bool card, signs;
    const char *text;
} messages[] = {
    { "{}", "m", true, false, "Message signing not permitted" },
    { "{\"rules\":[{}]}", "m/1", true, false, "Message signing not permitted" },
    { "{\"msg_paths\":[\"m/1/*\"]}", "m/1/2", true, true, "Message signing allowed" },
    { "{\"msg_paths\":[\"m/1/*\"]}", "m/2/2", true, false,
      "Message signing not enabled for that path" },
    { "{\"msg_paths\":[\"any\"]}", "m/2/2", false, true, "Message signing allowed" },
    { "{\"must_log\":1,\"msg_paths\":[\"any\"]}", "m", false, false,
      "Could not log details, and must_log is set" },
    { "{\"must_log\":1,\"msg_paths\":[\"any\"]}", "m", true, true, "Message signing allowed" },
    { "{\"never_log\":1,\"msg_paths\":[\"any\"]}", "m", false, true, "Message signing allowed" },
};

TEST(policy_24_77_text_messages)
{
    for (size_t i = 0; i < COUNT(messages); i++) {
        bool signs;
        const struct bytes text =
            message_text(messages[i].policy, messages[i].path, messages[i].card, &signs);
        assert_bytes_text(text, messages[i].text);
        assert_int_equal(signs, messages[i].signs);
    }
}

// --- Invariants of evaluate.h ---

TEST(policy_evaluate_4_zeroed_memory_refuses)
{
    const struct decision d = { 0 };
    assert_int_equal(d.verdict, VERDICT_REFUSE);
    assert_int_equal(d.cause, CAUSE_NOT_EVALUATED);
    assert_int_equal(d.tried[0].reason, REASON_NOT_TRIED);
}

TEST(policy_evaluate_2_the_same_arguments_decide_the_same)
{
    const struct policy p =
        parsed("{\"period\":5,\"rules\":[{\"users\":[\"alice\"],\"local_conf\":1,"
               "\"per_period\":2000000}]}");
    struct fixture f;
    fixture_init(&f);
    fixture_authorise(&f, "alice", 58000000);
    fixture_confirm(&f);
    const struct fixture before = f;
    for (int i = 0; i < 2; i++) {
        const struct decision d = fixture_decide(&f, &p);
        assert_int_equal(d.cause, CAUSE_RULE);
        assert_int_equal(d.velocity.spent[0].n, 2000000);
        assert_memory_equal(&f, &before, sizeof f);
    }
}

TEST(policy_reason_codes_are_distinct)
{
    for (enum reason a = REASON_NOT_TRIED; a <= REASON_OUT_AMOUNTS; a++) {
        assert_non_null(reason_code(a));
        for (enum reason b = a + 1; b <= REASON_OUT_AMOUNTS; b++)
            assert_string_not_equal(reason_code(a), reason_code(b));
    }
}

// 4,000 addresses in the list, 8,000 outputs that all pay to listed ones: well below a second even
// under sanitizers, where asking the list linearly would take minutes.
TEST(policy_evaluate_is_quick_for_long_lists)
{
    enum { LISTED = 4000, OUTPUTS = 8000 };
    const struct chain *chain = chain_by_id(CHAIN_XTN);
    struct output_facts *out = arena_array(test_arena(), OUTPUTS, sizeof *out);
    struct writer w = text_writer();
    struct fixture f;
    fixture_init(&f);
    writer_text(&w, "{\"rules\":[{\"whitelist\":[");
    for (unsigned i = 0; i < OUTPUTS; i++) {
        uint8_t *script = arena_alloc(test_arena(), 22);
        char text[ADDRESS_TEXT_MAX];
        struct writer address = writer_of(text, sizeof text);
        script[1] = 20;
        script[5] = (uint8_t)(i % LISTED);
        script[6] = (uint8_t)(i % LISTED >> 8);
        out[i] = (struct output_facts){ .amount = { 1 }, .script = bytes_of(script, 22) };
        assert_true(address_from_script(&address, out[i].script, chain));
        if (i < LISTED)
            writer_printf(&w, "%s\"%.*s\"", i == 0 ? "" : ",", BYTES_ARG(writer_bytes(&address)));
    }
    writer_text(&w, "]}]}");
    const struct policy p = parsed_bytes(written(&w), &policy_world_of_24);
    f.tx.out = out;
    f.tx.n_out = OUTPUTS;
    struct decision d = fixture_decide(&f, &p);
    assert_int_equal(d.cause, CAUSE_RULE);
    out[OUTPUTS - 1].script = f.out[0].script;
    d = fixture_decide(&f, &p);
    assert_int_equal(d.tried[0].reason, REASON_NOT_WHITELISTED);
    assert_int_equal(d.tried[0].output, OUTPUTS - 1);
}
