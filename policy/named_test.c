#include "policy/named.h"
#include "tests/support/policy_fixture.h"

static const char *list_of(const struct bytes *items, size_t n)
{
    struct writer w = text_writer();
    for (size_t i = 0; i < n; i++)
        writer_printf(&w, "%s%.*s", i == 0 ? "" : " ", BYTES_ARG(items[i]));
    return arena_text(test_arena(), written(&w));
}

static const struct {
    const char *text, *users, *wallets;
} named[] = {
    { "{\"rules\": []}", "", "" },
    // each once, in order
    { "{\"rules\": [{\"users\": [\"bob\", \"al\"], \"wallet\": \"W\"}, {\"users\": [\"al\", "
      "\"cy\"], \"wallet\": \"W\"}]}",
      "bob al cy", "W" },
    // "1" is a word of its own, and no wallet
    { "{\"rules\": [{\"wallet\": \"1\"}, {\"wallet\": \"V\"}]}", "", "V" },
    // who may approve messages is in no rule
    { "{\"casemate\": {\"msg_users\": [\"dora\"]}, \"rules\": [{\"users\": [\"bob\"]}]}",
      "bob dora", "" },
    // what has the wrong type names nobody
    { "{\"casemate\": [], \"rules\": [{\"users\": \"bob\", \"wallet\": 1}, {\"users\": [7, \"\"]}, "
      "3]}",
      "", "" },
    { "{\"casemate\": {\"msg_users\": \"eve\"}, \"rules\": {\"users\": [\"eve\"]}}", "", "" },
    { "[\"eve\"]", "", "" },
    { "{\"rules\": [{\"users\": [\"eve\"]}", "", "" }, // is cut off
    { "", "", "" },
};

TEST(policy_names_of_a_text)
{
    for (size_t i = 0; i < COUNT(named); i++) {
        struct policy_world world;
        struct err err;
        assert_true(policy_names(&world, bytes_of_text(named[i].text), test_arena(), &err));
        assert_string_equal(list_of(world.users, world.n_users), named[i].users);
        assert_string_equal(list_of(world.wallets, world.n_wallets), named[i].wallets);
    }
}

TEST(policy_names_are_taken_to_exist)
{
    struct policy policy;
    struct err err;
    assert_true(policy_parse_named(
        &policy,
        BYTES("{\"casemate\": {\"msg_users\": [\"dora\"]}, \"msg_paths\": [\"any\"], "
              "\"rules\": [{\"users\": [\"zed\"], \"wallet\": \"Nowhere\"}]}"),
        test_arena(), &err));
    assert_int_equal(policy.n_rules, 1);
    assert_int_equal(policy.own.n_msg_users, 1);
    assert_false(policy_parse_named(&policy, BYTES("{\"rulez\": []}"), test_arena(), &err));
    assert_string_equal(err.text, "HSM Policy invalid: policy: Unknown item: rulez");
}

// So many names that not all are kept: the first that is left out is the parser's to refuse.
TEST(policy_names_are_bounded)
{
    struct writer w = text_writer();
    struct policy_world world;
    struct err err;
    writer_text(&w, "{\"rules\": [{\"users\": [");
    for (unsigned i = 0; i <= POLICY_NAMED_MAX; i++)
        writer_printf(&w, "%s\"u%u\"", i == 0 ? "" : ",", i);
    writer_text(&w, "]}]}");
    assert_true(policy_names(&world, written(&w), test_arena(), &err));
    assert_int_equal(world.n_users, POLICY_NAMED_MAX);
}
