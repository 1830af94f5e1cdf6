#include "policy/rules.h"
#include "policy/canonical.h"
#include "tests/support/policy_fixture.h"

#define OK NULL // the text is accepted

struct example {
    const char *text;
    const char *error; // behind "HSM Policy invalid: "
};

static void check_all(const struct example *examples, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (examples[i].error != OK)
            assert_policy_error(examples[i].text, examples[i].error);
        else
            (void)parsed(examples[i].text);
    }
}
#define CHECK(examples) check_all((examples), COUNT(examples))

#define JSON_FAIL "policy: JSON parse fail"

// Policy 2.2, row by row: what the reference accepts and we must not.
static const struct example dialect[] = {
    { " \t\r\n{ } \n", OK },
    { "[]", "policy: policy must be a JSON object" },
    { "\"x\"", "policy: policy must be a JSON object" },
    { "12", "policy: policy must be a JSON object" },
    { "null", "policy: policy must be a JSON object" },
    { "{\"period\" 1}", JSON_FAIL }, // colons are no blanks
    { "{\"period\":1,}", JSON_FAIL },
    { "{,,\"period\"::1}", JSON_FAIL },
    { "{\"period\":1", JSON_FAIL }, // a truncated file
    { "{\"period\":1]", JSON_FAIL },
    { "{\"period\"}", JSON_FAIL },
    { "{\"period\":1,\"period\":2}", "policy: duplicate item: period" },
    { "{\"rules\":[{\"users\":[],\"users\":[]}]}", "policy: duplicate item: users" },
    { "{}\f", JSON_FAIL },
    { "{}\v", JSON_FAIL },
    { "\xef\xbb\xbf{}", JSON_FAIL }, // byte-order mark
    { "{}//", JSON_FAIL },
    { "{'period':1}", JSON_FAIL },
    { "{\"period\":NaN}", JSON_FAIL },
    { "{\"must_log\":True}", JSON_FAIL },
    { "{\"period\":.5}", JSON_FAIL },
    { "{\"period\":+1}", JSON_FAIL },
    { "{\"period\":0x10}", JSON_FAIL },
    { "{\"period\":01}", JSON_FAIL },
    { "{\"period\":5.}", JSON_FAIL },
    { "{1:2}", JSON_FAIL },
    { "{\"notes\":\"a\nb\"}", JSON_FAIL }, // raw control character
    { "{\"notes\":\"\\/ \\\" \\\\ \\u0041\"}", OK },
    { "{\"notes\":\"\\q\"}", JSON_FAIL },
    { "{\"notes\":\"\\u00zz\"}", JSON_FAIL },
    { "{\"notes\":\"\\ud83d\\ude00\"}", OK },
    { "{\"notes\":\"\\ud83d\"}", JSON_FAIL }, // half a pair
    { "{\"notes\":\"\\u0000\"}", JSON_FAIL },
    { "{\"notes\":\"\xff\"}", JSON_FAIL },
    { "{\"notes\":\"\xc0\x80\"}", JSON_FAIL }, // overlong
    { "{\"rules\":[{\"max_amount\":9223372036854775808}]}",
      "rule #1: max_amount: must be in range: [0..2100000000000000]" },
    { "{\"period\":1e999}", "policy: period: must be integer" },
};

TEST(policy_24_1_json_dialect)
{
    CHECK(dialect);
    // A NUL byte ends the file for the reference, which then ignores what follows.
    struct policy policy;
    struct err err;
    assert_false(policy_parse(&policy, BYTES("{}\0x"), &policy_world_of_24, test_arena(), &err));
    assert_err(&err, ERR_MALFORMED, "HSM Policy invalid: policy: JSON parse fail");
}

TEST(policy_24_1_escapes_are_decoded)
{
    const struct policy p = parsed("{\"notes\":\"\\/\\\"\\\\\\u0041\\ud83d\\ude00\"}");
    assert_bytes_text(p.notes, "/\"\\A\xf0\x9f\x98\x80");
}

TEST(policy_24_2_size_of_the_file)
{
    char *text = arena_alloc(test_arena(), POLICY_FILE_MAX + 1);
    struct policy policy;
    struct err err;
    memset(text, ' ', POLICY_FILE_MAX + 1);
    text[0] = '{';
    text[1] = '}';
    assert_true(policy_parse(&policy, bytes_of(text, POLICY_FILE_MAX), &policy_world_of_24,
                             test_arena(), &err));
    assert_false(policy_parse(&policy, bytes_of(text, POLICY_FILE_MAX + 1), &policy_world_of_24,
                              test_arena(), &err));
    assert_err(&err, ERR_LIMIT, "badlen");
    assert_false(policy_parse(&policy, bytes_of(text, 1), &policy_world_of_24, test_arena(), &err));
    assert_err(&err, ERR_LIMIT, "badlen");
}

TEST(policy_24_3_empty_policy)
{
    const struct policy p = parsed("{}");
    const struct hash256 hash = policy_hash(&p);
    assert_bytes_text(canonical_of(&p), "{\"rules\": []}");
    assert_bytes_text(hex_of(&hash),
                      "af4fc1e3a66777e55c55972accbc027937a8a5cdb88591254bec551bd74b8ac7");
}

TEST(policy_24_4_booleans)
{
    static const char *const yes[] = { "true", "1", "2.5", "-1", "1e-400" };
    static const char *const no[] = {
        "false", "0", "0.0", "-0", "0e5", "null", "\"\"", "[]", "{}"
    };
    static const char *const bad[] = { "\"false\"", "\"true\"", "\"x\"", "[0]", "{\"a\":0}" };
    char text[64];
    for (size_t i = 0; i < COUNT(yes); i++) {
        (void)snprintf(text, sizeof text, "{\"must_log\":%s}", yes[i]);
        assert_true(parsed(text).must_log);
    }
    for (size_t i = 0; i < COUNT(no); i++) {
        (void)snprintf(text, sizeof text, "{\"must_log\":%s}", no[i]);
        assert_false(parsed(text).must_log);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        (void)snprintf(text, sizeof text, "{\"must_log\":%s}", bad[i]);
        assert_policy_error(text, "policy: must_log: must be boolean");
    }
    assert_false(parsed("{}").must_log);
}

TEST(policy_24_5_log_conflict)
{
    assert_policy_error("{\"must_log\":true,\"never_log\":1}", "policy: log conflict");
    assert_policy_error("{\"rules\":[5],\"must_log\":true,\"never_log\":true}",
                        "policy: log conflict");
}

static const struct example lists[] = {
    { "{\"msg_paths\":\"any\"}", "policy: need a list for: msg_paths" },
    { "{\"msg_paths\":1}", "policy: need a list for: msg_paths" },
    { "{\"msg_paths\":true}", "policy: need a list for: msg_paths" },
    { "{\"msg_paths\":{\"a\":1}}", "policy: need a list for: msg_paths" },
    { "{\"msg_paths\":\"\"}", OK },
    { "{\"msg_paths\":0}", OK },
    { "{\"msg_paths\":{}}", OK },
    { "{\"msg_paths\":null}", OK },
    { "{\"msg_paths\":[5]}", "policy: msg_paths: invalid path (5)" },
    { "{\"msg_paths\":[null]}", "policy: msg_paths: invalid path (null)" },
    { "{\"share_xpubs\":[{\"a\": 1}]}", "policy: share_xpubs: invalid path ({\"a\": 1})" },
    { "{\"share_addrs\":[\"m\",[]]}", "policy: share_addrs: invalid path ([])" },
};

TEST(policy_24_6_lists)
{
    CHECK(lists);
    assert_int_equal(parsed("{\"msg_paths\":\"\"}").msg_paths.n, 0);
}

// Policy 3.1: the path as cleaned, or NULL for the one error text.
static const struct {
    const char *given, *cleaned;
} paths[] = {
    { "", "m" },
    { "m", "m" },
    { "M", "m" },
    { "m/", NULL },
    { "/", NULL },
    { "m//1", NULL },
    { "m/1/", NULL },
    { "0", "m/0" },
    { "m/0", "m/0" },
    { "84/0", "m/84/0" },
    { "m/84'/0'/0'/0/*", "m/84h/0h/0h/0/*" },
    { "m/84p/0P/0H/*'", "m/84h/0h/0h/*h" },
    { "*", "m/*" },
    { "m/*", "m/*" },
    { "m/*'", "m/*h" },
    { "m/*h", "m/*h" },
    { "m/*p", "m/*h" },
    { "m*", NULL },
    { "m/1*", NULL },
    { "m/*/0", NULL },
    { "m/**", NULL },
    { "m/*hh", NULL },
    { "mm/1", NULL },
    { "m/-1", NULL },
    { "m/0x1", NULL },
    { "m/any", NULL },
    { "m/1 /2", NULL },
    { "m/1hh", NULL },
    { "m/1h2", NULL },
    { "m/01", NULL },
    { "m/00", NULL },
    { "m1/2", NULL },
    { "m/2147483648", NULL },
    { "m/h", NULL },
    { "m/2147483647h", "m/2147483647h" },
    { " m/1 ", "m/1" },
    { "\\tm/1\\n", "m/1" },
    { "1/2/3/4/5/6/7/8/9/10/11/12", "m/1/2/3/4/5/6/7/8/9/10/11/12" },
    { "1/2/3/4/5/6/7/8/9/10/11/12/13", NULL },
    { "ANY", "any" },
    { "Any", "any" },
    { " any", NULL },
    { "p2sh", NULL }, // cleaned to h2sh
    { "caf\\u00e9", NULL },
};

TEST(policy_24_7_policy_paths)
{
    char text[128], expected[128];
    for (size_t i = 0; i < COUNT(paths); i++) {
        (void)snprintf(text, sizeof text, "{\"msg_paths\":[\"%s\"]}", paths[i].given);
        if (paths[i].cleaned == NULL) {
            struct policy policy;
            struct err err;
            assert_false(policy_parse(&policy, bytes_of_text(text), &policy_world_of_24,
                                      test_arena(), &err));
            assert_non_null(strstr(err.text, "policy: msg_paths: invalid path ("));
            continue;
        }
        const struct policy p = parsed(text);
        (void)snprintf(expected, sizeof expected, "{\"msg_paths\": [\"%s\"], \"rules\": []}",
                       paths[i].cleaned);
        assert_bytes_text(canonical_of(&p), expected);
    }
    assert_policy_error("{\"msg_paths\":[\"m/84h/q\"]}",
                        "policy: msg_paths: invalid path (m/84h/q)");
}

TEST(policy_24_7_keywords)
{
    const struct policy p = parsed("{\"share_addrs\":[\"P2SH\",\"any\",\"m/1\"]}");
    assert_int_equal(p.share_addrs.n, 3);
    assert_int_equal(p.share_addrs.entries[0].kind, PATH_P2SH);
    assert_int_equal(p.share_addrs.entries[1].kind, PATH_ANY);
    assert_int_equal(p.share_addrs.entries[2].kind, PATH_PATTERN);
    assert_policy_error("{\"share_xpubs\":[\"p2sh\"]}", "policy: share_xpubs: invalid path (p2sh)");
    assert_policy_error("{\"share_addrs\":[\" p2sh\"]}",
                        "policy: share_addrs: invalid path ( p2sh)");
}

#define TEN    "0123456789"
#define EIGHTY TEN TEN TEN TEN TEN TEN TEN TEN

static const struct example notes[] = {
    { "{\"notes\":\"\"}", "policy: notes: length must be 1..80" },
    { "{\"notes\":\"x\"}", OK },
    { "{\"notes\":\"" EIGHTY "\"}", OK },
    { "{\"notes\":\"" EIGHTY "1\"}", "policy: notes: length must be 1..80" },
    { "{\"notes\":\"\\u20bf" TEN TEN TEN TEN TEN TEN TEN "012345678\"}", OK }, // code points
    { "{\"notes\":null}", OK },
    { "{\"notes\":5}", "policy: notes: must be string" },
    { "{\"notes\":true}", "policy: notes: must be string" },
    { "{\"notes\":[]}", "policy: notes: must be string" },
    { "{\"notes\":\"a\\nb\"}", "policy: notes: must be printable" },
    { "{\"notes\":\"a\\u0003b\"}", "policy: notes: must be printable" },
    { "{\"notes\":\"a\\u001f\"}", "policy: notes: must be printable" },
    { "{\"notes\":\"a\\u007f\"}", "policy: notes: must be printable" },
    { "{\"notes\":\"caf\\u00e9\"}", OK },
};

TEST(policy_24_8_notes)
{
    CHECK(notes);
}

#define PERIOD_RANGE "policy: period: must be in range: [1..4320]"

static const struct example periods[] = {
    { "{\"period\":0}", PERIOD_RANGE },
    { "{\"period\":1}", OK },
    { "{\"period\":4320}", OK },
    { "{\"period\":4321}", PERIOD_RANGE },
    { "{\"period\":-1}", PERIOD_RANGE },
    { "{\"period\":1.5}", "policy: period: must be integer" },
    { "{\"period\":\"60\"}", "policy: period: must be integer" },
    { "{\"period\":[60]}", "policy: period: must be integer" },
    { "{\"period\":{}}", "policy: period: must be integer" },
    { "{\"period\":60.0}", OK },
    { "{\"period\":6e1}", OK },
    { "{\"period\":600e-1}", OK },
    { "{\"period\":true}", OK }, // 1
    { "{\"period\":false}", PERIOD_RANGE },
    { "{\"period\":null}", OK },
    { "{\"period\":99999999999999999999999999}", PERIOD_RANGE },
};

TEST(policy_24_9_period)
{
    CHECK(periods);
    assert_int_equal(parsed("{\"period\":6e1}").period_min, 60);
    assert_int_equal(parsed("{\"period\":true}").period_min, 1);
    assert_int_equal(parsed("{\"period\":null}").period_min, 0);
}

static const struct example locker_reads[] = {
    { "{\"allow_sl\":0}", "policy: allow_sl: must be in range: [1..100]" },
    { "{\"allow_sl\":101}", "policy: allow_sl: must be in range: [1..100]" },
    { "{\"allow_sl\":100}", OK },
    { "{\"allow_sl\":2.5}", "policy: allow_sl: must be integer" },
};

TEST(policy_24_10_allow_sl)
{
    CHECK(locker_reads);
}

#define HUNDRED      TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define FOUR_HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED

static const struct example lockers[] = {
    { "{\"allow_sl\":1,\"set_sl\":\"012345678901234\"}", "policy: set_sl: length must be 16..414" },
    { "{\"allow_sl\":1,\"set_sl\":\"0123456789012345\"}", OK },
    { "{\"allow_sl\":1,\"set_sl\":\"" FOUR_HUNDRED "01234567890123\"}", OK },
    { "{\"allow_sl\":1,\"set_sl\":\"" FOUR_HUNDRED "012345678901234\"}",
      "policy: set_sl: length must be 16..414" },
    { "{\"set_sl\":\"0123456789012345\"}", "policy: need allow_sl>=1" },
    // The sample of the rules page does not load.
    { "{\"allow_sl\":13,\"set_sl\":\"my secret here\"}", "policy: set_sl: length must be 16..414" },
    { "{\"allow_sl\":1,\"set_sl\":\"\\u20bf123456789012345\"}",
      "policy: set_sl: must be ascii printable" },
    { "{\"allow_sl\":1,\"set_sl\":\"0123456789\\n12345\"}",
      "policy: set_sl: must be ascii printable" },
    { "{\"allow_sl\":1,\"set_sl\":1234567890123456}", "policy: set_sl: must be string" },
};

TEST(policy_24_11_set_sl)
{
    CHECK(lockers);
}

static const struct example boot[] = {
    { "{\"boot_to_hsm\":123456}", "policy: boot_to_hsm: must be string" },
    { "{\"boot_to_hsm\":true}", "policy: boot_to_hsm: must be string" },
    { "{\"boot_to_hsm\":\"\"}", "policy: boot_to_hsm: length must be 1..6" },
    { "{\"boot_to_hsm\":\"1234567\"}", "policy: boot_to_hsm: length must be 1..6" },
    { "{\"boot_to_hsm\":\"a\"}", OK },
    { "{\"boot_to_hsm\":\"12345\"}", OK },
    { "{\"boot_to_hsm\":\"123456\"}", OK },
};

TEST(policy_24_12_boot_to_hsm)
{
    CHECK(boot);
    assert_true(parsed("{}").boot_to_hsm.len == 0);
    assert_true(policy_can_be_left(&(struct policy){ 0 }));
    struct policy p = parsed("{\"boot_to_hsm\":\"123456\"}");
    assert_true(policy_can_be_left(&p));
    p = parsed("{\"boot_to_hsm\":\"12345\"}");
    assert_false(policy_can_be_left(&p));
    p = parsed("{\"boot_to_hsm\":\"xyzzy1\"}");
    assert_false(policy_can_be_left(&p));
}

static const struct example unknown[] = {
    { "{\"zzz\":1}", "policy: Unknown item: zzz" },
    { "{\"zzz\":1,\"period\":5,\"aaa\":null}", "policy: Unknown item: zzz, aaa" },
    { "{\"Period\":1}", "policy: Unknown item: Period" },
    { "{\"sl_hash\":\"00\"}", "policy: Unknown item: sl_hash" },
    { "{\"\":1}", "policy: Unknown item: " },
    { "{\"casemate\":{}}", OK }, // an empty extension is the same as none
    { "{\"casemate\":{\"max_feee\":1}}", "policy: Unknown item: max_feee" },
    { "{\"casemate\":1}", "policy: casemate: must be dict" },
    { "{\"rules\":[{\"casemate\":{}}]}", OK },
    { "{\"rules\":[{},{\"casemate\":{\"max_feee\":1}}]}", "rule #2: Unknown item: max_feee" },
    { "{\"rules\":[{\"max_amout\":5}]}", "rule #1: Unknown item: max_amout" },
    { "{\"rules\":[{\"index\":1,\"zzz\":2}]}", "rule #1: Unknown item: index, zzz" },
};

TEST(policy_24_13_unknown_items)
{
    CHECK(unknown);
}

TEST(policy_24_13_very_many_unknown_items_are_named_in_part)
{
    struct writer w = text_writer();
    struct policy policy;
    struct err err;
    writer_text(&w, "{\"a\":1");
    for (int i = 0; i < 1000; i++)
        writer_printf(&w, ",\"unknown%d\":1", i);
    writer_text(&w, "}");
    assert_false(policy_parse(&policy, written(&w), &policy_world_of_24, test_arena(), &err));
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
    assert_non_null(strstr(err.text, "policy: Unknown item: a, unknown0, unknown1, unknown2, "));
}

static const struct example rule_lists[] = {
    { "{\"rules\":{}}", OK },
    { "{\"rules\":{\"a\":1}}", "policy: need a list for: rules" },
    { "{\"rules\":[5]}", "rule #1: rules: must be dict" },
    { "{\"rules\":[{},null]}", "rule #2: rules: must be dict" },
    { "{\"rules\":[{},{},[]]}", "rule #3: rules: must be dict" },
    { "{\"rules\":[\"x\"]}", "rule #1: rules: must be dict" },
};

TEST(policy_24_14_rules)
{
    CHECK(rule_lists);
}

#define AMOUNT_RANGE "must be in range: [0..2100000000000000]"

static const struct example amounts[] = {
    { "{\"rules\":[{\"max_amount\":-1}]}", "rule #1: max_amount: " AMOUNT_RANGE },
    { "{\"rules\":[{\"max_amount\":0}]}", OK },
    { "{\"rules\":[{\"max_amount\":2100000000000000}]}", OK },
    { "{\"rules\":[{\"max_amount\":2100000000000001}]}", "rule #1: max_amount: " AMOUNT_RANGE },
    { "{\"rules\":[{\"max_amount\":1e8}]}", OK },
    { "{\"rules\":[{\"max_amount\":1.5}]}", "rule #1: max_amount: must be integer" },
    { "{\"rules\":[{\"max_amount\":\"1\"}]}", "rule #1: max_amount: must be integer" },
    { "{\"period\":1,\"rules\":[{\"per_period\":-1}]}", "rule #1: per_period: " AMOUNT_RANGE },
    { "{\"period\":1,\"rules\":[{\"per_period\":2100000000000000}]}", OK },
    { "{\"period\":1,\"rules\":[{\"per_period\":1.5}]}", "rule #1: per_period: must be integer" },
};

TEST(policy_24_15_amounts)
{
    CHECK(amounts);
    // 2.2: a float in single precision would make it 123456792.
    const struct policy p = parsed("{\"rules\":[{\"max_amount\":1.23456789e8}]}");
    assert_int_equal(p.rules[0].max_amount.max.n, 123456789);
}

// Invariant (1) of rules.h.
TEST(policy_24_15_zero_is_not_unset)
{
    const struct policy p = parsed(
        "{\"period\":1,\"rules\":[{\"max_amount\":0,\"per_period\":0},{\"max_amount\":null}]}");
    assert_true(p.rules[0].max_amount.is_set && p.rules[0].per_period.is_set);
    assert_int_equal(p.rules[0].max_amount.max.n, 0);
    assert_false(p.rules[1].max_amount.is_set || p.rules[1].per_period.is_set);
}

TEST(policy_24_16_period_is_needed)
{
    assert_policy_error("{\"rules\":[{},{\"per_period\":0}]}",
                        "policy: Needs period to be specified");
}

static const struct example users[] = {
    { "{\"rules\":[{\"users\":[\"alice\",\"mallory\"]}]}", "rule #1: Unknown user: mallory" },
    { "{\"rules\":[{\"users\":[\"Alice\"]}]}", "rule #1: Unknown user: Alice" },
    { "{\"rules\":[{\"users\":[5]}]}", "rule #1: Unknown user: 5" },
    { "{\"rules\":[{\"users\":[null]}]}", "rule #1: Unknown user: null" },
    { "{\"rules\":[{\"users\":\"alice\"}]}", "rule #1: need a list for: users" },
    { "{\"rules\":[{\"users\":[\"alice\",\"bob\",\"alice\"]}]}", "rule #1: dup users" },
    // Consequences of the order, policy 2.6.
    { "{\"rules\":[{\"users\":[\"bob\",\"bob\",\"bob\"],\"min_users\":3}]}", "rule #1: dup users" },
    { "{\"rules\":[{\"users\":[\"bob\",\"bob\"],\"min_users\":3}]}",
      "rule #1: min_users: must be in range: [1..2]" },
    { "{\"rules\":[{\"users\":[\"alice\",\"bob\",\"carol\"]}]}", OK },
};

TEST(policy_24_17_users)
{
    CHECK(users);
}

TEST(policy_24_17_thousands_of_repeated_users_are_refused_quickly)
{
    struct writer w = text_writer();
    struct policy policy;
    struct err err;
    writer_text(&w, "{\"rules\":[{\"users\":[\"alice\"");
    for (int i = 0; i < 20000; i++)
        writer_text(&w, ",\"carol\"");
    writer_text(&w, "]}]}");
    assert_false(policy_parse(&policy, written(&w), &policy_world_of_24, test_arena(), &err));
    assert_err(&err, ERR_INVALID, "HSM Policy invalid: rule #1: dup users");
}

static const struct example min_users[] = {
    { "{\"rules\":[{\"min_users\":1}]}", "rule #1: min_users: cannot be specified" },
    { "{\"rules\":[{\"min_users\":0}]}", "rule #1: min_users: cannot be specified" },
    { "{\"rules\":[{\"min_users\":1.5}]}", "rule #1: min_users: must be integer" },
    { "{\"rules\":[{\"users\":[\"bob\"],\"min_users\":0}]}",
      "rule #1: min_users: must be in range: [1..1]" },
    { "{\"rules\":[{\"users\":[\"bob\",\"alice\"],\"min_users\":3}]}",
      "rule #1: min_users: must be in range: [1..2]" },
    { "{\"rules\":[{\"users\":[\"bob\"],\"min_users\":1.0}]}", OK },
    { "{\"rules\":[{\"users\":[\"bob\"],\"min_users\":null}]}", OK },
    { "{\"rules\":[{\"users\":[\"bob\"],\"min_users\":\"all\"}]}",
      "rule #1: min_users: must be integer" },
};

TEST(policy_24_18_min_users)
{
    CHECK(min_users);
    assert_int_equal(parsed("{\"rules\":[{}]}").rules[0].min_users, 0);
    assert_int_equal(parsed("{\"rules\":[{\"users\":[\"bob\",\"alice\"]}]}").rules[0].min_users, 2);
}

// Policy 4.1. What is kept, or NULL for "bad address value".
static const struct {
    const char *given, *kept;
} addresses[] = {
    { "mrVwhWw4GEBcHFttjEiawL77DaqZWNDm75", "mrVwhWw4GEBcHFttjEiawL77DaqZWNDm75" },
    { "2Mw2zsZpqXEQQyNoSEBBjwfFHTYvZ4zN3X6", "2Mw2zsZpqXEQQyNoSEBBjwfFHTYvZ4zN3X6" },
    { STRANGER, STRANGER },
    { "TB1QQ5ZS2PG9Q5ZS2PG9Q5ZS2PG9Q5ZS2PG9LM9X7G", STRANGER }, // kept in lower case
    { "1HuVJqD6Avva4DsreBKeFSHqdwUmuofzhn", "1HuVJqD6Avva4DsreBKeFSHqdwUmuofzhn" },
    { "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq" },
    { "tb1psjhz7h2zqz4aw78z2uv3cksvvul4sl6xrvtmtsqa708llua46ucs44xv5l",
      "tb1psjhz7h2zqz4aw78z2uv3cksvvul4sl6xrvtmtsqa708llua46ucs44xv5l" },
    { "tb1Qq5zs2pg9q5zs2pg9q5zs2pg9q5zs2pg9lm9x7g", NULL }, // two cases
    { " " STRANGER, NULL },
    { STRANGER " ", NULL },
    { "", NULL },
    { "tb1qq5zs2pg9q5zs2pg9q5zs2pg9q5zs2pg9lm9x7q", NULL }, // checksum
    { "tpubD6NzVbkrYhZ4XzL5Dhayo67Gorv1YMS7j8pRUvVMd5odC2LBPLAygka9p7748JtSq82FNGPppFEz5xxZUdasBRCq"
      "JqXvUHq6xpnsMcYJzeh",
      NULL },
    { "0014050505", NULL }, // hex
};

TEST(policy_24_19_whitelist)
{
    char text[256], error[256];
    for (size_t i = 0; i < COUNT(addresses); i++) {
        (void)snprintf(text, sizeof text, "{\"rules\":[{\"whitelist\":[\"%s\"]}]}",
                       addresses[i].given);
        if (addresses[i].kept != NULL) {
            assert_bytes_text(parsed(text).rules[0].whitelist[0], addresses[i].kept);
            continue;
        }
        (void)snprintf(error, sizeof error, "rule #1: bad address value: %s", addresses[i].given);
        assert_policy_error(text, error);
    }
    assert_policy_error("{\"rules\":[{\"whitelist\":[5]}]}", "rule #1: bad address value: 5");
}

#define LIST "\"whitelist\":[\"" STRANGER "\"]"

static const struct example options[] = {
    { "{\"rules\":[{\"whitelist_opts\":{}}]}",
      "rule #1: whitelist options present with no whitelist" },
    { "{\"rules\":[{\"whitelist\":[],\"whitelist_opts\":{\"mode\":\"BASIC\"}}]}",
      "rule #1: whitelist options present with no whitelist" },
    { "{\"rules\":[{\"whitelist_opts\":null}]}", OK },
    { "{\"rules\":[{" LIST ",\"whitelist_opts\":5}]}", "rule #1: whitelist_opts: must be dict" },
    { "{\"rules\":[{" LIST ",\"whitelist_opts\":0}]}", "rule #1: whitelist_opts: must be dict" },
    { "{\"rules\":[{" LIST ",\"whitelist_opts\":false}]}",
      "rule #1: whitelist_opts: must be dict" },
    { "{\"rules\":[{" LIST ",\"whitelist_opts\":{}}]}", OK },
    { "{\"rules\":[{" LIST ",\"whitelist_opts\":{\"mode\":\"attest\"}}]}", OK },
    { "{\"rules\":[{" LIST ",\"whitelist_opts\":{\"mode\":\"\"}}]}", OK },
    { "{\"rules\":[{" LIST ",\"whitelist_opts\":{\"mode\":null}}]}", OK },
    { "{\"rules\":[{" LIST ",\"whitelist_opts\":{\"mode\":\"xx\"}}]}",
      "rule #1: invalid whitelist mode: XX" },
    { "{\"rules\":[{" LIST ",\"whitelist_opts\":{\"mode\":5}}]}", "rule #1: mode: must be string" },
    { "{\"rules\":[{" LIST ",\"whitelist_opts\":{\"mode\":\"" EIGHTY "1\"}}]}",
      "rule #1: mode: length must be 0..80" },
    { "{\"rules\":[{" LIST ",\"whitelist_opts\":{\"mod\":\"ATTEST\"}}]}",
      "rule #1: Unknown item: mod" },
    { "{\"rules\":[{" LIST ",\"whitelist_opts\":{\"allow_zeroval_outs\":\"no\"}}]}",
      "rule #1: allow_zeroval_outs: must be boolean" },
};

TEST(policy_24_20_whitelist_opts)
{
    CHECK(options);
    const struct policy p =
        parsed("{\"rules\":[{" LIST ",\"whitelist_opts\":{\"mode\":\"aTTest\"}},{" LIST
               ",\"whitelist_opts\":{\"mode\":\"\",\"allow_zeroval_outs\":1}}]}");
    assert_int_equal(p.rules[0].mode, WHITELIST_ATTEST);
    assert_int_equal(p.rules[1].mode, WHITELIST_BASIC);
    assert_true(p.rules[1].allow_zeroval_outs && !p.rules[0].allow_zeroval_outs);
}

static const struct example wallets[] = {
    { "{\"rules\":[{\"wallet\":\"1\"}]}", OK },
    { "{\"rules\":[{\"wallet\":\"Treasury\"}]}", OK },
    { "{\"rules\":[{\"wallet\":1}]}", "rule #1: wallet: must be string" },
    { "{\"rules\":[{\"wallet\":\"\"}]}", "rule #1: wallet: length must be 1..20" },
    { "{\"rules\":[{\"wallet\":\"" TEN TEN "1\"}]}", "rule #1: wallet: length must be 1..20" },
    { "{\"rules\":[{\"wallet\":\"Vault\"}]}", "rule #1: unknown or ambiguous MS wallet: Vault" },
    { "{\"rules\":[{\"wallet\":\"treasury\"}]}",
      "rule #1: unknown or ambiguous MS wallet: treasury" },
};

TEST(policy_24_21_wallet)
{
    static const struct bytes twice[] = { { (const uint8_t *)"Twin", 4 },
                                          { (const uint8_t *)"Twin", 4 } };
    const struct policy_world world = { .n_wallets = COUNT(twice), .wallets = twice };
    CHECK(wallets);
    check_policy_error("{\"rules\":[{\"wallet\":\"Twin\"}]}",
                       "rule #1: unknown or ambiguous MS wallet: Twin", &world, __FILE__, __LINE__);
}

#define PCT(value) "{\"rules\":[{\"min_pct_self_transfer\":" value "}]}"
#define PCT_RANGE  "rule #1: min_pct_self_transfer: must be in range: [0..100]"
#define PCT_FLOAT  "rule #1: min_pct_self_transfer: must be float"

static const struct example percentages[] = {
    { PCT("0"), OK },
    { PCT("100"), OK },
    { PCT("100.0"), OK },
    { PCT("1e2"), OK },
    { PCT("100.5"), PCT_RANGE },
    { PCT("100.000000000000000001"), PCT_RANGE },
    { PCT("101"), PCT_RANGE },
    { PCT("-1"), PCT_RANGE },
    { PCT("-0.5"), PCT_RANGE },
    { PCT("-0"), OK },
    { PCT("1e999"), PCT_RANGE },
    { PCT("\"50\""), PCT_FLOAT },
    { PCT("[]"), PCT_FLOAT },
    { PCT("true"), OK },
    { PCT("null"), OK },
    { PCT("99.123456789012345678"), OK },         // 18 fraction digits
    { PCT("99.1234567890123456789"), PCT_FLOAT }, // 19
    { PCT("0.0001"), OK },
    { PCT("0.00001"), "rule #1: min_pct_self_transfer: must be 0 or at least 0.0001" },
};

TEST(policy_24_22_min_pct_self_transfer)
{
    CHECK(percentages);
    const struct policy p = parsed(PCT("3.330e1"));
    const struct percent pct = p.rules[0].min_pct;
    assert_true(pct.is_set);
    assert_int_equal(pct.whole, 33);
    assert_int_equal(pct.fraction, 3);
    assert_int_equal(pct.scale, 1);
    assert_int_equal(parsed(PCT("true")).rules[0].min_pct.whole, 1);
    assert_int_equal(parsed(PCT("12.034")).rules[0].min_pct.fraction, 34);
    assert_int_equal(parsed(PCT("12.034")).rules[0].min_pct.scale, 3);
    assert_int_equal(parsed(PCT("0.05")).rules[0].min_pct.scale, 2);
    assert_false(parsed(PCT("null")).rules[0].min_pct.is_set);
}

static const struct example patterns[] = {
    { "{\"rules\":[{\"patterns\":[\"EQ_OUT_AMOUNTS\",\"BAR\"]}]}",
      "rule #1: unknown pattern: BAR" },
    { "{\"rules\":[{\"patterns\":[\"eq_out_amounts\"]}]}",
      "rule #1: unknown pattern: eq_out_amounts" },
    { "{\"rules\":[{\"patterns\":[1]}]}", "rule #1: unknown pattern: 1" },
    { "{\"rules\":[{\"patterns\":\"EQ_OUT_AMOUNTS\"}]}", "rule #1: need a list for: patterns" },
};

TEST(policy_24_23_patterns)
{
    CHECK(patterns);
    const struct policy p =
        parsed("{\"rules\":[{\"patterns\":[\"EQ_OUT_AMOUNTS\",\"EQ_OUT_AMOUNTS\","
               "\"EQ_NUM_INS_OUTS\"]}]}");
    assert_bytes_text(canonical_of(&p),
                      "{\"rules\": [{\"patterns\": [\"EQ_OUT_AMOUNTS\", \"EQ_OUT_AMOUNTS\", "
                      "\"EQ_NUM_INS_OUTS\"]}]}");
}

// Each text has two errors or more, written so that the later field of 2.5 or 2.6 stands first.
static const struct example order[] = {
    { "{\"zzz\":1,\"rules\":[5]}", "rule #1: rules: must be dict" },
    { "{\"zzz\":1,\"rules\":[{\"per_period\":1}]}", "policy: Needs period to be specified" },
    { "{\"rules\":[5],\"boot_to_hsm\":1}", "policy: boot_to_hsm: must be string" },
    { "{\"boot_to_hsm\":1,\"set_sl\":\"0123456789012345\"}", "policy: need allow_sl>=1" },
    { "{\"set_sl\":1,\"allow_sl\":0}", "policy: allow_sl: must be in range: [1..100]" },
    { "{\"allow_sl\":0,\"period\":0}", PERIOD_RANGE },
    { "{\"period\":0,\"notes\":\"\"}", "policy: notes: length must be 1..80" },
    { "{\"notes\":\"\",\"share_addrs\":[1]}", "policy: share_addrs: invalid path (1)" },
    { "{\"share_addrs\":[1],\"share_xpubs\":1}", "policy: need a list for: share_xpubs" },
    { "{\"share_xpubs\":1,\"msg_paths\":[\"q\"]}", "policy: msg_paths: invalid path (q)" },
    { "{\"msg_paths\":1,\"warnings_ok\":\"x\"}", "policy: warnings_ok: must be boolean" },
    { "{\"warnings_ok\":\"x\",\"priv_over_ux\":\"x\"}", "policy: priv_over_ux: must be boolean" },
    { "{\"priv_over_ux\":\"x\",\"must_log\":1,\"never_log\":1}", "policy: log conflict" },
    { "{\"never_log\":\"x\",\"must_log\":\"x\"}", "policy: must_log: must be boolean" },
    { "{\"rules\":[{\"max_amount\":-1,\"per_period\":-1}]}", "rule #1: per_period: " AMOUNT_RANGE },
    { "{\"rules\":[{\"users\":1,\"max_amount\":-1}]}", "rule #1: max_amount: " AMOUNT_RANGE },
    { "{\"rules\":[{\"whitelist\":[1],\"users\":[1]}]}", "rule #1: Unknown user: 1" },
    { "{\"rules\":[{\"whitelist_opts\":1,\"whitelist\":[1]}]}", "rule #1: bad address value: 1" },
    { "{\"rules\":[{\"min_users\":1,\"whitelist_opts\":{\"mode\":\"x\"}}]}",
      "rule #1: invalid whitelist mode: X" },
    { "{\"rules\":[{\"local_conf\":\"x\",\"min_users\":1}]}",
      "rule #1: min_users: cannot be specified" },
    { "{\"rules\":[{\"wallet\":1,\"local_conf\":\"x\"}]}", "rule #1: local_conf: must be boolean" },
    { "{\"rules\":[{\"min_pct_self_transfer\":-1,\"wallet\":1}]}",
      "rule #1: wallet: must be string" },
    { "{\"rules\":[{\"patterns\":1,\"min_pct_self_transfer\":-1}]}", PCT_RANGE },
    { "{\"rules\":[{\"users\":[\"bob\",\"bob\"],\"patterns\":1}]}",
      "rule #1: need a list for: patterns" },
    { "{\"rules\":[{\"whitelist_opts\":{},\"users\":[\"bob\",\"bob\"]}]}", "rule #1: dup users" },
    { "{\"rules\":[{\"wallet\":\"x\",\"whitelist_opts\":{}}]}",
      "rule #1: whitelist options present with no whitelist" },
    { "{\"rules\":[{\"patterns\":[\"x\"],\"wallet\":\"x\"}]}",
      "rule #1: unknown or ambiguous MS wallet: x" },
    { "{\"rules\":[{\"zzz\":1,\"patterns\":[\"x\"]}]}", "rule #1: unknown pattern: x" },
    { "{\"rules\":[{},{\"zzz\":1},{\"max_amount\":-1}]}", "rule #2: Unknown item: zzz" },
};

TEST(policy_24_24_the_earlier_of_two_errors)
{
    CHECK(order);
}

TEST(policy_24_25_the_text_is_whole)
{
    // The wire cuts it to 80 bytes; here nothing is cut.
    assert_policy_error(
        "{\"rules\":[{\"whitelist\":[\"tb1qru4cdye8ajm4mgwa63wdgy45n36rdq7gexc3zq\"]}]}",
        "rule #1: bad address value: tb1qru4cdye8ajm4mgwa63wdgy45n36rdq7gexc3zq");
}

static struct bytes repeated(const char *before, const char *item, size_t n, const char *after)
{
    struct writer w = text_writer();
    writer_text(&w, before);
    for (size_t i = 0; i < n; i++)
        writer_printf(&w, "%s%s", i == 0 ? "" : ",", item);
    writer_text(&w, after);
    return written(&w);
}

TEST(policy_24_26_counts)
{
    static const struct {
        const char *before, *item, *after, *error;
    } lists_of[] = {
        { "{\"rules\":[", "{}", "]}", "HSM Policy invalid: policy: rules: too many" },
        { "{\"msg_paths\":[", "\"m\"", "]}", "HSM Policy invalid: policy: msg_paths: too many" },
        { "{\"share_xpubs\":[", "\"m\"", "]}",
          "HSM Policy invalid: policy: share_xpubs: too many" },
        { "{\"share_addrs\":[", "\"m\"", "]}",
          "HSM Policy invalid: policy: share_addrs: too many" },
    };
    for (size_t i = 0; i < COUNT(lists_of); i++) {
        struct policy policy;
        struct err err;
        (void)parsed_bytes(repeated(lists_of[i].before, lists_of[i].item, 1000, lists_of[i].after),
                           &policy_world_of_24);
        assert_false(policy_parse(
            &policy, repeated(lists_of[i].before, lists_of[i].item, 1001, lists_of[i].after),
            &policy_world_of_24, test_arena(), &err));
        assert_err(&err, ERR_INVALID, lists_of[i].error);
    }
}

// Any file of the greatest size fits into POLICY_ARENA, or is refused for another reason.
TEST(policy_24_26_greatest_files)
{
    static const char *const items[] = { "\"m\"",      "\"\"", "{}", "5", "\"EQ_OUT_AMOUNTS\"",
                                         "\"3QJmnh\"", "[]" };
    static const char *const lists_of[] = { "{\"rules\":[{\"whitelist\":[",
                                            "{\"rules\":[{\"patterns\":[", "{\"msg_paths\":[",
                                            "{\"rules\":[" };
    for (size_t k = 0; k < COUNT(lists_of); k++) {
        for (size_t i = 0; i < COUNT(items); i++) {
            struct arena *arena = arena_new(POLICY_ARENA);
            struct policy policy;
            struct err err = { 0 };
            const size_t n = (POLICY_FILE_MAX - 40) / (strlen(items[i]) + 1);
            const struct bytes text = repeated(lists_of[k], items[i], n, k < 2 ? "]}]}" : "]}");
            assert_true(text.len <= POLICY_FILE_MAX);
            if (!policy_parse(&policy, text, &policy_world_of_24, arena, &err))
                assert_int_not_equal(err.code, ERR_NO_MEMORY);
            arena_free(arena);
        }
    }
}

TEST(policy_a_small_arena_is_an_error)
{
    struct arena *arena = arena_new(64);
    struct policy policy;
    struct err err;
    assert_false(
        policy_parse(&policy, BYTES("{\"rules\":[{},{},{}]}"), &policy_world_of_24, arena, &err));
    assert_int_equal(err.code, ERR_NO_MEMORY);
    arena_free(arena);
}

// Whatever the arena lacks is an error: each size up to one that is enough.
TEST(policy_every_allocation_may_fail)
{
    static const char text[] =
        "{\"notes\":\"n\",\"boot_to_hsm\":\"b\",\"msg_paths\":[\"m/1\"],\"allow_sl\":1,"
        "\"set_sl\":\"0123456789abcdef\",\"rules\":[{\"users\":[\"alice\"],"
        "\"wallet\":\"Treasury\",\"whitelist\":[\"" STRANGER "\"],"
        "\"whitelist_opts\":{\"mode\":\"attest\"},\"patterns\":[\"EQ_OUT_AMOUNTS\"]}]}";
    bool ok = false;
    for (size_t size = 0; !ok; size += 8) {
        struct arena *arena = arena_new(size);
        struct policy policy;
        struct err err;
        ok = policy_parse(&policy, bytes_of_text(text), &policy_world_of_24, arena, &err);
        if (!ok)
            assert_err(&err, ERR_NO_MEMORY, "no memory left for the policy");
        arena_free(arena);
    }
}

// Invariant (2) of rules.h: a policy outlives the text that it was read from.
TEST(policy_borrows_nothing_from_its_text)
{
    char text[] = "{\"notes\":\"abc\",\"boot_to_hsm\":\"xyz\",\"allow_sl\":1,"
                  "\"set_sl\":\"0123456789abcdef\",\"rules\":[{\"users\":[\"alice\"],"
                  "\"wallet\":\"Treasury\",\"whitelist\":[\"" STRANGER "\"]}]}";
    struct policy p = parsed_bytes(bytes_of_text(text), &policy_world_of_24);
    const struct bytes before = stored_of(&p);
    memset(text, 'x', sizeof text);
    assert_bytes_equal(stored_of(&p), before);
    assert_bytes_text(p.set_sl, "0123456789abcdef");
}

// --- Sharing: items 78 and 79 ---

static const struct {
    const char *list, *request;
    bool matches;
} matching[] = {
    { "[\"m/*\"]", "m", false },
    { "[\"m/*\"]", "m/5", true },
    { "[\"m/*\"]", "m/5h", false },
    { "[\"m/*h\"]", "m/5h", true },
    { "[\"m/*h\"]", "m/5", false },
    { "[\"m/84h/0h/0h/0/*\"]", "m/84h/0h/0h/0/7", true },
    { "[\"m/84h/0h/0h/0/*\"]", "m/84h/0h/0h/1/7", false },
    { "[\"m/84h/0h/0h/*\"]", "m/84h/0h/0h/9", true },
    { "[\"m/84h/0h/0h/*\"]", "m/84h/0h/0h/0/7", false },
    { "[\"m/1\"]", "m/1h", false },
    { "[\"m/1\"]", "m", false },
    { "[\"m/1\"]", "m/1", true },
    { "[\"m/1/2\"]", "m/1/2/3", false },
    { "[\"any\"]", "m", true },
    { "[\"any\"]", "m/1/2", true },
    { "[]", "m", false },
};

TEST(policy_24_78_paths_that_are_shared)
{
    char text[128];
    for (size_t i = 0; i < COUNT(matching); i++) {
        struct keypath path;
        struct err err;
        assert_true(keypath_parse(&path, bytes_of_text(matching[i].request), &err));
        (void)snprintf(text, sizeof text,
                       "{\"msg_paths\":%s,\"share_xpubs\":%s,\"share_addrs\":%s}", matching[i].list,
                       matching[i].list, matching[i].list);
        const struct policy p = parsed(text);
        assert_int_equal(path_list_matches(&p.msg_paths, &path), matching[i].matches);
        assert_int_equal(policy_shares_address(&p, &path), matching[i].matches);
        // "`m` always"
        assert_int_equal(policy_shares_xpub(&p, &path), matching[i].matches || path.depth == 0);
    }
}

TEST(policy_24_79_p2sh_needs_its_keyword)
{
    struct keypath path;
    struct err err;
    assert_true(keypath_parse(&path, BYTES("m/3"), &err));
    struct policy p = parsed("{\"share_addrs\":[\"any\"]}");
    assert_false(policy_shares_multisig_address(&p));
    assert_true(policy_shares_address(&p, &path));
    p = parsed("{\"share_addrs\":[\"p2sh\"]}");
    assert_true(policy_shares_multisig_address(&p));
    assert_false(policy_shares_address(&p, &path));
    p = parsed("{\"share_addrs\":[\"p2sh\",\"any\"]}");
    assert_true(policy_shares_multisig_address(&p) && policy_shares_address(&p, &path));
}

TEST(policy_names_what_it_needs)
{
    const struct policy p = parsed("{\"rules\":[{\"wallet\":\"1\"},{\"users\":[\"bob\"]},"
                                   "{\"wallet\":\"Treasury\",\"local_conf\":true}]}");
    assert_true(policy_names_user(&p, BYTES("bob")));
    assert_false(policy_names_user(&p, BYTES("alice")));
    assert_true(policy_names_wallet(&p, BYTES("Treasury")));
    assert_false(policy_names_wallet(&p, BYTES("1")));
    assert_false(policy_names_wallet(&p, BYTES("")));
    assert_true(policy_wants_local_code(&p));
    const struct policy none = parsed("{\"rules\":[{}]}");
    assert_false(policy_wants_local_code(&none));
}
