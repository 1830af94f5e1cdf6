#include "policy/summary.h"
#include "policy/canonical.h"
#include "tests/support/policy_fixture.h"

// Item 27: tests/vectors/policy_examples.json holds the 17 examples of policy.md 6.2.
TEST(policy_24_27_examples)
{
    const struct json *examples = test_vectors("policy_examples.json");
    assert_int_equal(examples->n_items, 17);
    for (const struct json *e = examples->items; e != NULL; e = e->next) {
        const struct policy p = parsed_bytes(json_need_text(e, "policy"), &policy_world_of_24);
        const struct chain *chain = chain_by_code(json_need_text(e, "chain"));
        const struct hash256 hash = policy_hash(&p);
        struct writer w = text_writer();
        policy_summary(&w, &p, chain, (enum unit)json_need_integer(e, "decimals"));
        assert_bytes_equal(written(&w), json_need_text(e, "summary"));
        assert_bytes_equal(canonical_of(&p), json_need_text(e, "stored"));
        assert_bytes_equal(hex_of(&hash), json_need_text(e, "policy_hash"));
        assert_int_equal(p.has_sl_hash, json_get(e, "sl_hash") != NULL);
        if (p.has_sl_hash)
            assert_bytes_equal(hex_of(&p.sl_hash), json_need_text(e, "sl_hash"));
    }
}

// Item 28: policy.md 4.2, in the words of a rule.
static const struct {
    uint64_t sats;
    const char *coin, *milli, *bits, *sat;
} amounts[] = {
    { 0, "0 BTC", "0 mBTC", "0 bits", "0 sats" },
    { 1, "0.00000001 BTC", "0.00001 mBTC", "0.01 bits", "1 sats" },
    { 150000, "0.0015 BTC", "1.5 mBTC", "1500 bits", "150000 sats" },
    { 100000000, "1 BTC", "1000 mBTC", "1000000 bits", "100000000 sats" },
    { 123456789, "1.23456789 BTC", "1234.56789 mBTC", "1234567.89 bits", "123456789 sats" },
    { 2100000000000000, "21000000 BTC", "21000000000 mBTC", "21000000000000 bits",
      "2100000000000000 sats" },
};

static void check_amount(uint64_t sats, enum unit unit, const char *expected)
{
    char text[128];
    (void)snprintf(text, sizeof text, "{\"rules\":[{\"max_amount\":%llu}]}",
                   (unsigned long long)sats);
    const struct policy p = parsed(text);
    (void)snprintf(text, sizeof text,
                   "\nTransactions:\n- Rule #1: Up to %s per txn will be approved\n", expected);
    assert_true(bytes_starts_with(summary_of(&p, "BTC", unit), bytes_of_text(text)));
}

TEST(policy_24_28_amounts)
{
    for (size_t i = 0; i < COUNT(amounts); i++) {
        check_amount(amounts[i].sats, UNIT_COIN, amounts[i].coin);
        check_amount(amounts[i].sats, UNIT_MILLI, amounts[i].milli);
        check_amount(amounts[i].sats, UNIT_BITS, amounts[i].bits);
        check_amount(amounts[i].sats, UNIT_SATS, amounts[i].sat);
    }
}

// D15: names of old backups cannot forge a line.
TEST(policy_d15_odd_names_are_shown_with_question_marks)
{
    static const struct bytes users[] = { { (const uint8_t *)"a\nb\x01", 4 },
                                          { (const uint8_t *)"caf\xc3\xa9", 5 } };
    static const struct bytes wallets[] = { { (const uint8_t *)"\xe2\x82\xbf W", 5 } };
    const struct policy_world world = { 2, users, 1, wallets };
    const struct policy p = parsed_bytes(
        BYTES(
            "{\"rules\":[{\"users\":[\"a\\nb\\u0001\",\"caf\\u00e9\"],\"wallet\":\"\\u20bf W\"}]}"),
        &world);
    static const char expected[] =
        "\nTransactions:\n- Rule #1: Any amount from multisig wallet \"? W\" may be authorized by "
        "all users: a?b?, caf?\n";
    assert_true(bytes_starts_with(summary_of(&p, "BTC", UNIT_COIN), bytes_of_text(expected)));
}

TEST(policy_24_34_screens)
{
    const struct policy p = parsed("{\"rules\":[{}]}");
    struct writer w = text_writer();
    approval_first_write(&w, &p, chain_by_id(CHAIN_BTC), UNIT_COIN);
    assert_bytes_text(written(&w), "\nTransactions:\n"
                                   "- Rule #1: Any amount will be approved\n"
                                   "\nMessage signing:\n- Not allowed.\n"
                                   "\nOther policy:\n- MicroSD card will receive log entries.\n"
                                   "\n\nPress OK to enable HSM mode.");
    w = text_writer();
    approval_second_write(&w, &p, '4');
    assert_bytes_text(
        written(&w),
        "Last chance. You are defining a new policy which allows the Coldcard to sign specific "
        "transactions without any further user approval.\n"
        "\nPolicy hash:\n749244609f78462859eb6ac326a7dc9825b5bd9fb512ed3b9a9b79bd2df3ceba\n"
        "\n\nPress (4) to save policy and enable HSM mode.");
    assert_string_equal(APPROVAL_TITLE, "Start HSM?");
    assert_string_equal(APPROVAL_DIGITS, "12346");
}

// D24.
TEST(policy_24_34_a_policy_that_cannot_be_left_says_so)
{
    const struct policy never = parsed("{\"boot_to_hsm\":\"xyzzy\"}");
    const struct policy leaves = parsed("{\"boot_to_hsm\":\"246810\"}");
    struct writer w = text_writer();
    approval_second_write(&w, &never, '1');
    assert_non_null(strstr((const char *)arena_text(test_arena(), written(&w)),
                           "\n\n\nThis policy can never be left.\nPress (1) to save policy"));
    w = text_writer();
    approval_second_write(&w, &leaves, '1');
    assert_null(strstr((const char *)arena_text(test_arena(), written(&w)), "never be left"));
}

TEST(policy_2_3_what_stands_on_the_screen_when_a_start_fails)
{
    struct policy policy;
    struct err err;
    struct writer w = text_writer();
    assert_false(
        policy_parse(&policy, BYTES("{\"a\":1}"), &policy_world_of_24, test_arena(), &err));
    approval_failed_write(&w, &err);
    assert_bytes_text(written(&w),
                      "Cannot start HSM.\n\nHSM Policy invalid: policy: Unknown item: a");
    assert_false(policy_parse(&policy, BYTES("{\"a\\n\\u0003b\":1}"), &policy_world_of_24,
                              test_arena(), &err));
    w = text_writer();
    approval_failed_write(&w, &err);
    assert_bytes_text(written(&w),
                      "Cannot start HSM.\n\nHSM Policy invalid: policy: Unknown item: a??b");
}
