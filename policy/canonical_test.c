#include "policy/canonical.h"
#include "policy/users.h"
#include "tests/support/policy_fixture.h"

static struct bytes hash_text(const struct policy *p)
{
    const struct hash256 hash = policy_hash(p);
    return hex_of(&hash);
}

TEST(policy_24_30_text_outside_ascii_is_hashed_as_utf8)
{
    const struct policy p = parsed("{\"notes\":\"caf\\u00e9 \\u20bf\"}");
    assert_bytes_text(canonical_of(&p), "{\"notes\": \"caf\xc3\xa9 \xe2\x82\xbf\", \"rules\": []}");
    assert_bytes_text(hash_text(&p),
                      "98a5619115495173bf51652a84f65ecf5bb64dfebb06a3200dcef50bb0403017");
}

// 7.2: what is escaped and what is not.
TEST(policy_7_2_escapes)
{
    const struct policy p = parsed("{\"notes\":\"a\\\"b\\\\c\\/d\"}");
    assert_bytes_text(canonical_of(&p), "{\"notes\": \"a\\\"b\\\\c/d\", \"rules\": []}");
}

// The vectors of wire-protocol.md 9.1.
TEST(policy_7_3_hashes_of_the_wire_specification)
{
    struct policy p = parsed("{\"never_log\":true}");
    assert_bytes_text(hash_text(&p),
                      "69dcddfc8c59628adc1dffd2a510f9006c5c90df64d854933532e8ddf14b7af6");
    p = parsed("{\"rules\":[{\"per_period\":1000}],\"boot_to_hsm\":\"123456\",\"period\":10}");
    assert_bytes_text(hash_text(&p),
                      "03ce733a40f33c68c969b98394639af7918f16cd24fa462ceba6eae1a3471d01");
}

TEST(policy_7_3_locker)
{
    const struct policy p =
        parsed("{\"set_sl\":\"0123456789abcdef\",\"allow_sl\":1,\"notes\":\"line one\"}");
    const struct hash256 sl_hash = policy_sl_hash(BYTES("0123456789abcdef"));
    const struct hash256 without = policy_hash_without_locker(&p);
    const struct policy plain = parsed("{\"allow_sl\":1,\"notes\":\"line one\"}");
    assert_bytes_text(hex_of(&sl_hash),
                      "295608d935e254f9c61c7aa06614f8776f6e05eaa7bcb0c29cebee91038c9af1");
    assert_bytes_text(hash_text(&p),
                      "0879a232fa66ee1e99b347de36c351d089cbcf46f176979a97a4e76c935b6258");
    assert_bytes_equal(hex_of(&without), hash_text(&plain));
}

// --- The stored form ---

static struct policy stored_and_read(const struct policy *p)
{
    struct policy again;
    struct err err;
    if (!policy_store_read(&again, stored_of(p), &policy_world_of_24, test_arena(), &err))
        fail_msg("%s\n%.*s", err.text, BYTES_ARG(stored_of(p)));
    return again;
}

static const char *const kept[] = {
    "{}",
    "{\"rules\":[{},{}]}",
    "{\"period\":1,\"rules\":[{\"per_period\":0,\"max_amount\":0}]}",
    "{\"allow_sl\":3,\"set_sl\":\"0123456789abcdef\"}",
    "{\"rules\":[{\"min_pct_self_transfer\":84.000000000000000001}]}",
    "{\"rules\":[{\"min_pct_self_transfer\":0}]}",
    "{\"rules\":[{\"min_pct_self_transfer\":0.05}]}",
    ("{\"rules\":[{\"whitelist\":[\"" STRANGER "\"],\"whitelist_opts\":{}}]}"),
    ("{\"rules\":[{\"whitelist\":[\"" STRANGER "\",\"" STRANGER "\"],\"whitelist_opts\":{\"mode\":"
     "\"attest\",\"allow_zeroval_outs\":1}}]}"),
    ("{\"must_log\":1,\"priv_over_ux\":1,\"warnings_ok\":1,\"msg_paths\":[\"any\",\"m/1/*'\"],"
     "\"share_xpubs\":[\"\"],\"share_addrs\":[\"p2sh\",\"ANY\"],\"notes\":\"\\\"n\\\"\","
     "\"period\":4320,\"allow_sl\":100,\"boot_to_hsm\":\"xyzzy\",\"rules\":[{\"per_period\":1,"
     "\"max_amount\":2,\"users\":[\"carol\",\"bob\",\"alice\"],\"min_users\":2,\"local_conf\":1,"
     "\"wallet\":\"Treasury\",\"min_pct_self_transfer\":12.5,\"patterns\":[\"EQ_OUT_AMOUNTS\","
     "\"EQ_NUM_OWN_INS_OUTS\",\"EQ_OUT_AMOUNTS\"]},{\"wallet\":\"1\"}]}"),
};

// Item 31: load, store, load.
TEST(policy_24_31_stored_and_read_again)
{
    for (size_t i = 0; i < COUNT(kept); i++) {
        struct policy p = parsed(kept[i]);
        struct policy again = stored_and_read(&p);
        assert_bytes_equal(hash_text(&again), hash_text(&p)); // D7: also with set_sl
        assert_bytes_equal(stored_of(&again), stored_of(&p));
        assert_int_equal(again.set_sl.len, 0); // the value itself is forgotten
        p.set_sl.len = 0;
        assert_bytes_equal(summary_of(&again, "XTN", UNIT_COIN), summary_of(&p, "XTN", UNIT_COIN));
    }
}

// D1: the reference forgets limits of 0 when it saves.
TEST(policy_24_31_zero_survives)
{
    const struct policy p =
        parsed("{\"period\":1,\"rules\":[{\"per_period\":0},{\"max_amount\":0}]}");
    const struct policy again = stored_and_read(&p);
    assert_true(again.rules[0].per_period.is_set && !again.rules[0].max_amount.is_set);
    assert_true(again.rules[1].max_amount.is_set && again.rules[1].max_amount.max.n == 0);
    assert_bytes_text(stored_of(&p), "{\"period\": 1, \"rules\": [{\"per_period\": 0}, "
                                     "{\"max_amount\": 0}]}");
    assert_bytes_text(canonical_of(&p), "{\"period\": 1, \"rules\": [{}, {}]}");
}

TEST(policy_24_31_percentages_survive_exactly)
{
    const struct policy p = parsed("{\"rules\":[{\"min_pct_self_transfer\":84}]}");
    assert_bytes_text(stored_of(&p), "{\"rules\": [{\"min_pct_self_transfer\": 84}]}");
    const struct policy again = stored_and_read(&p);
    assert_int_equal(again.rules[0].min_pct.whole, 84);
    assert_int_equal(again.rules[0].min_pct.fraction, 0);
}

#define NOT_OURS "HSM Policy invalid: policy: not our stored form"

static const struct {
    const char *text, *error;
} bad_stored[] = {
    { "{\"rules\": []} ", NOT_OURS },
    { "{\"rules\":[]}", NOT_OURS },
    { "{}", NOT_OURS },
    { "{\"rules\": [], \"period\": 5}", NOT_OURS },
    { "{\"period\": 5.0, \"rules\": []}", NOT_OURS },
    { "{\"must_log\": 1, \"rules\": []}", NOT_OURS },
    { "{\"rules\": [{\"min_pct_self_transfer\": 84.0}]}", NOT_OURS },
    { "{\"allow_sl\": 1, \"rules\": [], \"set_sl\": \"0123456789abcdef\"}",
      "HSM Policy invalid: policy: Unknown item: set_sl" },
    { "{\"rules\": [], \"sl_hash\": \"00\"}",
      "HSM Policy invalid: policy: sl_hash: must be 64 hex digits" },
    { "{\"rules\": [{\"users\": [\"dave\"], \"min_users\": 1}]}",
      "HSM Policy invalid: rule #1: Unknown user: dave" }, // deleted since
    { "{\"rules\": [", "HSM Policy invalid: policy: JSON parse fail" },
};

TEST(policy_24_31_the_stored_form_is_read_strictly)
{
    for (size_t i = 0; i < COUNT(bad_stored); i++) {
        struct policy p;
        struct err err;
        assert_false(policy_store_read(&p, bytes_of_text(bad_stored[i].text), &policy_world_of_24,
                                       test_arena(), &err));
        assert_string_equal(err.text, bad_stored[i].error);
    }
}

TEST(policy_24_31_a_stored_form_of_any_length_is_refused)
{
    char *text = arena_alloc(test_arena(), POLICY_STORED_MAX + 1);
    struct policy p;
    struct err err;
    memset(text, ' ', POLICY_STORED_MAX + 1);
    assert_false(policy_store_read(&p, bytes_of(text, POLICY_STORED_MAX + 1), &policy_world_of_24,
                                   test_arena(), &err));
    assert_err(&err, ERR_LIMIT, NOT_OURS);
}

// --- What the hash depends on: item 32 ---

#define RULES_ONE "{\"max_amount\":1000},{\"users\":[\"bob\"]}"
#define RULES_TWO "{\"users\":[\"bob\"]},{\"max_amount\":1000}"

TEST(policy_24_32_spelling_does_not_change_the_hash)
{
    static const char *const same[] = {
        "{\"period\":60,\"share_xpubs\":[\"m/84'/0'\",\"any\"],\"rules\":[" RULES_ONE "]}",
        "{ \"rules\" : [" RULES_ONE "] ,\n\"share_xpubs\":[\"84h/0P\",\"ANY\"],\"period\":6e1}",
        ("{\"must_log\":0,\"period\":60.0,\"notes\":null,\"share_xpubs\":[\" M/84h/0h\",\"any\"],"
         "\"rules\":[{\"users\":[],\"max_amount\":1e3},{\"min_users\":1,\"users\":[\"bob\"]}]}"),
    };
    const struct policy first = parsed(same[0]);
    for (size_t i = 1; i < COUNT(same); i++) {
        const struct policy p = parsed(same[i]);
        assert_bytes_equal(hash_text(&p), hash_text(&first));
    }
    const struct policy one = parsed("{\"rules\":[" RULES_ONE "]}");
    const struct policy two = parsed("{\"rules\":[" RULES_TWO "]}");
    assert_false(bytes_equal(hash_text(&one), hash_text(&two)));
}

// --- policy_hash_full ---

static struct hash256 full(const struct policy *p, const struct policy_bindings *b)
{
    struct hash256 hash;
    struct err err;
    if (!policy_hash_full(&hash, p, b, &err))
        fail_msg("%s", err.text);
    return hash;
}

TEST(policy_d7_full_hash)
{
    struct bound_user users[] = { { BYTES("bob"), 2, sha256(BYTES("bobsecret")) },
                                  { BYTES("alice"), 1, sha256(BYTES("alicesecret")) },
                                  { BYTES("carol"), 3, sha256(BYTES("carolsecret")) } };
    struct bound_wallet wallets[] = { { BYTES("Other"), BYTES("x") },
                                      { BYTES("Treasury"),
                                        BYTES("wsh(sortedmulti(2,A/<0;1>/*))") } };
    struct policy_bindings b = { chain_by_id(CHAIN_XTN), COUNT(users), users, COUNT(wallets),
                                 wallets };
    const struct policy p =
        parsed("{\"period\":1,\"allow_sl\":1,\"set_sl\":\"0123456789abcdef\","
               "\"rules\":[{\"per_period\":0,\"users\":[\"bob\",\"alice\"],"
               "\"wallet\":\"Treasury\"},{\"wallet\":\"1\",\"users\":[\"bob\"]}]}");
    struct writer w = text_writer();
    writer_text(&w, "{\"period\": 1, \"allow_sl\": 1, \"rules\": [{\"per_period\": 0, \"users\": "
                    "[\"bob\", \"alice\"], \"min_users\": 2, \"wallet\": \"Treasury\"}, "
                    "{\"users\": [\"bob\"], \"min_users\": 1, \"wallet\": \"1\"}], \"sl_hash\": "
                    "\"295608d935e254f9c61c7aa06614f8776f6e05eaa7bcb0c29cebee91038c9af1\", "
                    "\"chain\": \"XTN\", \"users\": {\"alice\": [1, \"");
    writer_put(&w, hex_of(&users[1].secret_hash));
    writer_text(&w, "\"], \"bob\": [2, \"");
    writer_put(&w, hex_of(&users[0].secret_hash));
    writer_text(&w, "\"]}, \"wallets\": {\"Treasury\": \"wsh(sortedmulti(2,A/<0;1>/*))\"}}");
    const struct hash256 expected = sha256(written(&w));
    const struct hash256 before = full(&p, &b);
    assert_bytes_equal(BYTES_OF(before.b), BYTES_OF(expected.b));

    // A limit of 0 is none for the plain hash; chain, secrets and keys are nothing to it at all.
    const struct policy unlimited =
        parsed("{\"period\":1,\"allow_sl\":1,\"set_sl\":\"0123456789abcdef\","
               "\"rules\":[{\"users\":[\"bob\",\"alice\"],\"wallet\":\"Treasury\"},"
               "{\"wallet\":\"1\",\"users\":[\"bob\"]}]}");
    const struct hash256 other = full(&unlimited, &b);
    assert_bytes_equal(hash_text(&unlimited), hash_text(&p));
    assert_false(bytes_equal(BYTES_OF(other.b), BYTES_OF(before.b)));
    users[1].secret_hash.b[0] ^= 1;
    const struct hash256 resecret = full(&p, &b);
    assert_false(bytes_equal(BYTES_OF(resecret.b), BYTES_OF(before.b)));
    users[1].secret_hash.b[0] ^= 1;
    users[2].secret_hash.b[0] ^= 1; // carol is not named
    const struct hash256 same = full(&p, &b);
    assert_bytes_equal(BYTES_OF(same.b), BYTES_OF(before.b));
    b.chain = chain_by_id(CHAIN_BTC);
    const struct hash256 on_mainnet = full(&p, &b);
    assert_false(bytes_equal(BYTES_OF(on_mainnet.b), BYTES_OF(before.b)));
}

TEST(policy_d7_full_hash_needs_what_the_policy_names)
{
    const struct policy_bindings none = { .chain = chain_by_id(CHAIN_XTN) };
    const struct policy by_user = parsed("{\"rules\":[{\"users\":[\"bob\"]}]}");
    const struct policy by_message = parsed("{\"casemate\":{\"msg_users\":[\"bob\"]}}");
    const struct policy by_wallet = parsed("{\"rules\":[{\"wallet\":\"Treasury\"}]}");
    struct hash256 hash;
    struct err err;
    assert_false(policy_hash_full(&hash, &by_user, &none, &err));
    assert_err(&err, ERR_NOT_FOUND, "Unknown user: bob");
    assert_false(policy_hash_full(&hash, &by_message, &none, &err));
    assert_err(&err, ERR_NOT_FOUND, "Unknown user: bob");
    assert_false(policy_hash_full(&hash, &by_wallet, &none, &err));
    assert_err(&err, ERR_NOT_FOUND, "unknown MS wallet: Treasury");
}

// The largest canonical forms stay below POLICY_STORED_MAX: what grows most is a short path.
TEST(policy_7_greatest_forms_fit)
{
    struct writer w = text_writer();
    writer_text(&w, "{\"msg_paths\":[\"\"");
    for (int i = 1; i < 1000; i++)
        writer_text(&w, ",\"\"");
    writer_text(&w, "],\"rules\":[{\"patterns\":[\"EQ_OUT_AMOUNTS\"");
    while (w.len < POLICY_FILE_MAX - 100)
        writer_text(&w, ",\"EQ_OUT_AMOUNTS\"");
    writer_text(&w, "]}]}");
    const struct policy p = parsed_bytes(written(&w), &policy_world_of_24);
    assert_true(stored_of(&p).len < POLICY_STORED_MAX / 2);
    (void)hash_text(&p);
}
