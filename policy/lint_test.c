#include "policy/lint.h"
#include "policy/exposure.h"
#include "tests/support/policy_fixture.h"
#include "tests/support/policy_random.h"

#define ADDRESS "tb1qq5zs2pg9q5zs2pg9q5zs2pg9q5zs2pg9lm9x7g"
#define OTHER   "tb1qqcrqvpsxqcrqvpsxqcrqvpsxqcrqvpsxwlrr47"

static const struct lint_user users[] = {
    { { (const uint8_t *)"alice", 5 }, USER_TOTP },
    { { (const uint8_t *)"bob", 3 }, USER_HOTP },
    { { (const uint8_t *)"carol", 5 }, USER_PASSWORD },
    { { (const uint8_t *)"dave", 4 }, USER_PASSWORD },
};
static const struct bytes names[] = { { (const uint8_t *)"alice", 5 },
                                      { (const uint8_t *)"bob", 3 },
                                      { (const uint8_t *)"carol", 5 },
                                      { (const uint8_t *)"dave", 4 } };
static const struct bytes wallets[] = { { (const uint8_t *)"Treasury", 8 } };
static const struct bytes wallet_1[] = { { (const uint8_t *)"1", 1 } };
static const struct policy_world world = { COUNT(names), names, COUNT(wallets), wallets };

static struct lint lint_of(const char *text, const struct lint_world *given)
{
    struct lint lint;
    struct policy policy;
    struct err err;
    const struct bytes file = bytes_of_text(text);
    const bool good = policy_parse(&policy, file, &world, test_arena(), &err);
    assert_true(policy_lint(&lint, good ? &policy : NULL, file, given, test_arena(), &err));
    return lint;
}

static struct lint_world lint_world(void)
{
    return (struct lint_world){ .chain = chain_by_code(BYTES("XTN")),
                                .n_users = COUNT(users),
                                .users = users,
                                .n_wallets = COUNT(wallets),
                                .wallets = wallets,
                                .password_serial = BYTES("F1F1F1F1F1F1"),
                                .serial = BYTES("F1F1F1F1F1F1") };
}

static bool raises(const char *text, const struct lint_world *given, enum lint_code code)
{
    const struct lint lint = lint_of(text, given);
    for (size_t i = 0; i < lint.n; i++)
        if (lint.findings[i].code == code)
            return true;
    return false;
}

// One policy that raises each code, and near misses that do not.
TEST(policy_24_86_each_code_and_a_near_miss)
{
    static const struct {
        enum lint_code code;
        const char *raises, *does_not;
    } cases[] = {
        { LINT_SHADOWED, "{\"rules\":[{\"max_amount\":5},{\"max_amount\":5}]}",
          "{\"rules\":[{\"max_amount\":5},{\"max_amount\":6}]}" },
        { LINT_APPROVE_ALL, "{\"rules\":[{\"min_pct_self_transfer\":0}]}",
          "{\"rules\":[{\"local_conf\":true}]}" },
        { LINT_ZERO_LIMIT, "{\"rules\":[{\"max_amount\":0}]}", "{\"rules\":[{\"max_amount\":1}]}" },
        { LINT_ZERO_LIMIT, "{\"period\":5,\"rules\":[{\"per_period\":0}]}",
          "{\"period\":5,\"rules\":[{\"per_period\":null}]}" },
        { LINT_FEES_UNLIMITED, "{\"rules\":[{\"max_amount\":5}]}",
          "{\"rules\":[{\"local_conf\":true}]}" },
        { LINT_EMPTY_LIST, "{\"rules\":[{\"whitelist\":[]}]}",
          "{\"rules\":[{\"whitelist\":null}]}" },
        { LINT_EMPTY_LIST, "{\"rules\":[{\"users\":[]}]}", "{\"rules\":[{}]}" },
        { LINT_WRONG_NETWORK,
          "{\"rules\":[{\"whitelist\":[\"bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq\"]}]}",
          "{\"rules\":[{\"whitelist\":[\"" ADDRESS "\"]}]}" },
        { LINT_DUPLICATE_ADDRESS,
          "{\"rules\":[{\"whitelist\":[\"" ADDRESS "\",\"" OTHER "\",\"" ADDRESS "\"]}]}",
          "{\"rules\":[{\"whitelist\":[\"" ADDRESS "\"]},{\"whitelist\":[\"" ADDRESS "\"]}]}" },
        { LINT_NO_ESCAPE, "{\"boot_to_hsm\":\"12345\"}", "{\"boot_to_hsm\":\"123456\"}" },
        { LINT_WEAK_ESCAPE, "{\"boot_to_hsm\":\"234567\"}", "{\"boot_to_hsm\":\"234566\"}" },
        { LINT_WEAK_ESCAPE, "{\"boot_to_hsm\":\"654321\"}", "{\"boot_to_hsm\":\"604321\"}" },
        { LINT_WEAK_ESCAPE, "{\"boot_to_hsm\":\"777777\"}", "{\"boot_to_hsm\":\"777778\"}" },
        { LINT_WEAK_ESCAPE, "{\"boot_to_hsm\":\"151515\"}", "{\"boot_to_hsm\":\"151516\"}" },
        { LINT_WARNINGS_OK, "{\"warnings_ok\":true}", "{\"warnings_ok\":false}" },
        { LINT_NO_LOG, "{\"never_log\":true}", "{}" },
        { LINT_LOG_OPTIONAL, "{}", "{\"must_log\":true}" },
        { LINT_ANY_PATH, "{\"msg_paths\":[\"any\"]}", "{\"msg_paths\":[\"m/*\"]}" },
        { LINT_ANY_PATH, "{\"share_addrs\":[\"p2sh\",\"any\"]}", "{\"share_addrs\":[\"p2sh\"]}" },
        { LINT_FLOAT_AMOUNT, "{\"rules\":[{\"max_amount\":1e8}]}",
          "{\"rules\":[{\"max_amount\":100000000}]}" },
        { LINT_FLOAT_HASH, "{\"rules\":[{\"min_pct_self_transfer\":84}]}",
          "{\"rules\":[{\"min_pct_self_transfer\":85}]}" },
        { LINT_FLOAT_HASH, "{\"rules\":[{\"min_pct_self_transfer\":41}]}",
          "{\"rules\":[{\"min_pct_self_transfer\":42}]}" },
        { LINT_STRING_NUMBER, "{\"period\":\"60\"}", "{\"period\":60,\"notes\":\"60\"}" },
        { LINT_STRING_NUMBER, "{\"rules\":[{\"max_amount\":\"5\"}]}",
          "{\"rules\":[{\"max_amount\":5}]}" },
        { LINT_ODD_BOOL, "{\"must_log\":\"false\"}", "{\"must_log\":null}" },
        { LINT_ODD_BOOL, "{\"rules\":[{\"local_conf\":1}]}",
          "{\"rules\":[{\"local_conf\":true}]}" },
        { LINT_UNUSED_PERIOD, "{\"period\":5,\"rules\":[{\"max_amount\":5}]}",
          "{\"period\":5,\"rules\":[{\"per_period\":5}]}" },
        { LINT_UNBOUND_CODE, "{\"rules\":[{\"users\":[\"alice\",\"bob\"]}]}",
          "{\"rules\":[{\"users\":[\"alice\",\"carol\"]}]}" },
        { LINT_MIN_ONE,
          "{\"rules\":[{\"users\":[\"alice\",\"bob\",\"carol\",\"dave\"],"
          "\"min_users\":1}]}",
          "{\"rules\":[{\"users\":[\"alice\",\"bob\",\"carol\"],\"min_users\":1}]}" },
        { LINT_ZEROVAL_WARNING,
          "{\"rules\":[{\"whitelist\":[\"" ADDRESS "\"],"
          "\"whitelist_opts\":{\"allow_zeroval_outs\":true}}]}",
          "{\"warnings_ok\":true,\"rules\":[{\"whitelist\":[\"" ADDRESS "\"],"
          "\"whitelist_opts\":{\"allow_zeroval_outs\":true}}]}" },
        { LINT_LOCKER_WEAK, "{\"allow_sl\":1,\"set_sl\":\"0123456789abcdef\"}",
          "{\"allow_sl\":1,\"set_sl\":\"QnVua8k3Zp0xVb7rTq2LwYh6\"}" },
        { LINT_LOCKER_WEAK, "{\"allow_sl\":1,\"set_sl\":\"my secret here!!\"}",
          "{\"allow_sl\":1,\"set_sl\":\"seven words of a dice list: gravel onion tulip basin\"}" },
        { LINT_FRESH_HEIGHT, "{\"rules\":[{\"casemate\":{\"not_before_height\":1}}]}",
          "{\"rules\":[{\"casemate\":{\"max_fee\":1}}]}" },
    };
    const struct lint_world given = lint_world();
    bool seen[LINT_CODES] = { false };
    for (size_t i = 0; i < COUNT(cases); i++) {
        seen[cases[i].code] = true;
        if (!raises(cases[i].raises, &given, cases[i].code))
            fail_msg("case %zu: %s is not raised", i, lint_code_name(cases[i].code));
        if (raises(cases[i].does_not, &given, cases[i].code))
            fail_msg("case %zu: %s is raised", i, lint_code_name(cases[i].code));
    }
    // The two that depend on the world alone are below.
    seen[LINT_HMAC_SERIAL] = seen[LINT_WALLET_NAMED_1] = true;
    for (size_t code = 0; code < LINT_CODES; code++)
        if (!seen[code])
            fail_msg("no case for %s", lint_code_name((enum lint_code)code));
}

TEST(policy_24_86_serial_and_wallet_names)
{
    static const char with_password[] = "{\"rules\":[{\"users\":[\"carol\"]}]}";
    static const char without[] = "{\"rules\":[{\"users\":[\"alice\"]}]}";
    struct lint_world given = lint_world();
    assert_false(raises(with_password, &given, LINT_HMAC_SERIAL));
    given.serial = BYTES("0123456789AB");
    assert_true(raises(with_password, &given, LINT_HMAC_SERIAL));
    assert_false(raises(without, &given, LINT_HMAC_SERIAL));
    assert_false(raises("{}", &given, LINT_WALLET_NAMED_1));
    given.wallets = wallet_1;
    assert_true(raises("{}", &given, LINT_WALLET_NAMED_1));
}

// The codes are what programs compare with: spelled as in the specification; the last is ours.
TEST(policy_23_names_of_codes)
{
    static const char *const expected[LINT_CODES] = {
        "shadowed",      "approve-all",       "zero-limit",    "fees-unlimited", "empty-list",
        "wrong-network", "duplicate-address", "no-escape",     "weak-escape",    "warnings-ok",
        "no-log",        "log-optional",      "any-path",      "float-amount",   "float-hash",
        "string-number", "odd-bool",          "unused-period", "unbound-code",   "hmac-serial",
        "min-one",       "zeroval-warning",   "locker-weak",   "wallet-named-1", "fresh-height",
    };
    for (size_t i = 0; i < LINT_CODES; i++) {
        assert_string_equal(lint_code_name((enum lint_code)i), expected[i]);
        assert_true(strlen(lint_explanation((enum lint_code)i)) > 20);
    }
}

// A rule that goes by heights says so, in these words: what is to be done is no part of the policy.
TEST(policy_23_a_height_begins_anywhere)
{
    const struct lint_world given = lint_world();
    const struct lint lint = lint_of("{\"must_log\":true,\"rules\":[{\"local_conf\":true},"
                                     "{\"local_conf\":true,\"max_amount\":5,\"casemate\":"
                                     "{\"not_before_height\":1008,\"max_fee\":1}}]}",
                                     &given);
    const struct lint_finding *last = &lint.findings[lint.n - 1];
    assert_int_equal(last->code, LINT_FRESH_HEIGHT);
    assert_int_equal(last->rule, 2);
    assert_bytes_text(last->text, "locktime 1008 will do for its first transaction");
    assert_string_equal(
        lint_explanation(LINT_FRESH_HEIGHT),
        "A fresh policy remembers no height, so heights long past will do, one after "
        "the other: sign one with the height of today before a host may ask.");
}

// A policy that warns of nothing: what section 23 asks for can be had.
TEST(policy_23_nothing_to_warn_of)
{
    const struct lint_world given = lint_world();
    const struct lint lint = lint_of("{\"must_log\":true,\"rules\":[{\"whitelist\":[\"" ADDRESS
                                     "\"],\"users\":[\"carol\"]}]}",
                                     &given);
    assert_int_equal(lint.n, 0);
}

// Thousands of findings are counted, and do not end anything.
TEST(policy_23_more_findings_than_are_kept)
{
    struct writer w = writer_growing(test_arena(), 200000);
    writer_text(&w, "{\"rules\":[");
    for (int i = 0; i < 1000; i++)
        writer_printf(&w,
                      "%s{\"per_period\":\"1\",\"max_amount\":\"1\",\"min_users\":\"1\","
                      "\"users\":[],\"whitelist\":[],\"local_conf\":1}",
                      i == 0 ? "" : ",");
    writer_text(&w, "]}");
    const struct lint_world given = lint_world();
    const struct lint lint = lint_of(arena_text(test_arena(), written(&w)), &given);
    assert_int_equal(lint.n, 6000);
}

// --- Shadowed, against brute force ---

#define DRAW_BYTES 512

static struct draw draw_number(uint8_t bytes[static DRAW_BYTES], unsigned n)
{
    for (unsigned block = 0; block < DRAW_BYTES / 32; block++) {
        const unsigned seed[] = { n, block, 77 };
        const struct hash256 hash = sha256(BYTES_OF(seed));
        memcpy(bytes + (size_t)block * 32, hash.b, 32);
    }
    return (struct draw){ reader_of(bytes_of(bytes, DRAW_BYTES)) };
}

static bool rule_signs(const struct rule *rule, const struct drawn_request *r)
{
    struct policy policy = { .n_rules = 1, .rules = rule, .warnings_ok = true, .period_min = 5 };
    const struct velocity fresh = { 0 };
    const struct decision d = policy_evaluate(&policy, &r->tx, &r->auth, &fresh, r->now_s);
    return d.verdict == VERDICT_SIGN && !r->tx.is_message;
}

// No transaction that the later rule would approve is refused by the earlier one; and of pairs that are
// not called shadowed, many have such a transaction.
TEST(policy_24_86_shadowed_against_brute_force)
{
    unsigned n_shadowed = 0, n_apart = 0, n_witnessed = 0;
    for (unsigned n = 0; n < 900; n++) {
        uint8_t bytes[DRAW_BYTES];
        struct draw d = draw_number(bytes, n);
        struct drawn_policy p;
        draw_policy(&p, &d);
        for (size_t later = 1; later < p.policy.n_rules; later++) {
            const struct rule *earlier = &p.rules[later - 1];
            const bool shadowed = rule_is_shadowed(&p.rules[later], earlier);
            bool witnessed = false;
            for (unsigned k = 0; k < 100; k++) {
                uint8_t more[DRAW_BYTES];
                struct draw dk = draw_number(more, 100000 + n * 100 + k);
                struct drawn_request r;
                draw_request(&r, &dk, &p.policy);
                r.auth.card_usable = true;
                if (!rule_signs(&p.rules[later], &r) || rule_signs(earlier, &r))
                    continue;
                witnessed = true;
                if (shadowed)
                    fail_msg("draw %u, rule %zu: request %u reaches it", n, later, k);
            }
            n_shadowed += shadowed;
            n_apart += !shadowed;
            n_witnessed += witnessed;
        }
    }
    assert_in_range(n_shadowed, 20, 100000);
    assert_in_range(n_witnessed, n_apart / 4, n_apart);
}

// --- Worst case ---

static const char *exposure_text(const char *policy_text)
{
    struct policy policy = parsed_bytes(bytes_of_text(policy_text), &world);
    struct writer w = text_writer();
    assert_true(
        exposure_write_all(&w, &policy, chain_by_code(BYTES("XTN")), UNIT_COIN, test_arena()));
    return arena_text(test_arena(), written(&w));
}

TEST(policy_23_worst_case_in_words)
{
    assert_string_equal(
        exposure_text("{\"period\":240,\"rules\":["
                      "{\"max_amount\":1000000,\"per_period\":3000000},"
                      "{\"max_amount\":5000000,\"users\":[\"alice\"],\"local_conf\":true},"
                      "{\"per_period\":200000000,\"users\":[\"bob\",\"carol\"],\"min_users\":1},"
                      "{\"users\":[\"alice\",\"bob\"],\"whitelist\":[\"" ADDRESS "\"]}]}"),
        "The most that can leave, network fees on top:\n"
        "- Rule #1: at most 0.01 XTN per transaction, 0.03 XTN per period, 0.21 XTN per day\n"
        "- Rule #2: at most 0.05 XTN per transaction, everything per period, everything per day; "
        "needs 1 of 1 users and the local operator\n"
        "- Rule #3: at most 2 XTN per transaction, 2 XTN per period, 14 XTN per day; needs 1 of 2 "
        "users\n"
        "- Rule #4: everything, at once; needs 2 of 2 users; to 1 address only\n"
        "In all:\n"
        "- With nobody's help: at most 0.01 XTN per transaction, 0.03 XTN per period, 0.21 XTN per "
        "day\n"
        "- With the local operator's help: at most 0.01 XTN per transaction, 0.03 XTN per period, "
        "0.21 XTN per day\n"
        "- With the help of alice: at most 0.01 XTN per transaction, 0.03 XTN per period, 0.21 XTN "
        "per day\n"
        "- With the help of bob: at most 2 XTN per transaction, 2.03 XTN per period, 14.21 XTN per "
        "day\n"
        "- With the help of carol: at most 2 XTN per transaction, 2.03 XTN per period, 14.21 XTN "
        "per day\n"
        "- With everybody's help: everything, at once\n");
    assert_string_equal(exposure_text("{}"), "The most that can leave, network fees on top:\n"
                                             "In all:\n"
                                             "- With nobody's help: nothing\n"
                                             "- With everybody's help: nothing\n");
}

// What leaves in any 24 hours, when a host asks at every minute: never more than is said, and for
// some choice of when to ask all of it.
TEST(policy_23_worst_case_of_a_day_is_reached_and_not_passed)
{
    static const unsigned periods[] = { 60, 240, 1000, 1439, 1440, 1441, 2880, 4320 };
    for (size_t i = 0; i < COUNT(periods); i++) {
        char text[80];
        snprintf(text, sizeof text, "{\"period\":%u,\"rules\":[{\"per_period\":10}]}", periods[i]);
        const struct policy policy = parsed_bytes(bytes_of_text(text), &world);
        const uint64_t said = exposure_of_rule(&policy, 0).per_day.max.n;
        // One satoshi opens a period; the rest goes in its last second, then all of the next at once.
        struct velocity v = { 0 };
        const int64_t period_s = (int64_t)periods[i] * 60, day_s = 86400;
        uint64_t left = 0;
        const int64_t begin_s = 1000000, end_s = begin_s + period_s - 1 + day_s;
        assert_true(velocity_charge(&v, &policy, 0, (struct sats){ 0 }, begin_s));
        for (int64_t t = begin_s + period_s - 1; t < end_s; t++) {
            velocity_advance(&v, &policy, t);
            const struct sats rest = { 10 - v.spent[0].n };
            if (rest.n == 0)
                continue;
            assert_true(velocity_charge(&v, &policy, 0, rest, t));
            left += rest.n;
        }
        assert_int_equal(left, said);
    }
}

// --- Extensions ---

#define SCRIPTS(...) "\"casemate\":{\"scripts\":[" __VA_ARGS__ "]}"

TEST(policy_24_86_extensions_in_shadowed)
{
    static const struct {
        const char *earlier, *later;
        bool shadowed;
    } cases[] = {
        // What counts, or remembers a height, may be used up before the later rule is.
        { "\"casemate\":{\"max_txns\":5}", "\"max_amount\":1", false },
        { "\"casemate\":{\"not_before_height\":1}", "\"casemate\":{\"not_before_height\":2}",
          false },
        { "\"max_amount\":5", "\"max_amount\":1,\"casemate\":{\"max_txns\":5}", true },
        { "", "\"casemate\":{\"not_before_height\":2}", true },
        // Lists of scripts and descriptors are lists.
        { SCRIPTS("\"6a\""), "\"max_amount\":1", false },
        { SCRIPTS("\"6a\",\"6b\""), SCRIPTS("\"6B\""), true },
        { SCRIPTS("\"6a\""), SCRIPTS("\"6b\""), false },
        { SCRIPTS("\"6a\""), "\"whitelist\":[\"" ADDRESS "\"]", false },
        { "\"whitelist\":[\"" ADDRESS "\"]", SCRIPTS("\"6a\""), false },
        { "\"whitelist\":[\"" ADDRESS "\"]," SCRIPTS("\"6a\""), "\"whitelist\":[\"" ADDRESS "\"]",
          true },
        { "\"max_amount\":9", SCRIPTS("\"6a\"") ",\"max_amount\":9", true },
        // A bound attestation is not one that is good for ever, nor the other way round.
        { "\"whitelist\":[\"" ADDRESS "\"],\"whitelist_opts\":{\"mode\":\"ATTEST\"},\"casemate\":{"
          "\"attest_bound\":true}",
          "\"whitelist\":[\"" ADDRESS "\"],\"whitelist_opts\":{\"mode\":\"ATTEST\"}", false },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[600];
        snprintf(text, sizeof text, "{\"period\":5,\"rules\":[{%s},{%s}]}", cases[i].earlier,
                 cases[i].later);
        const struct policy policy = parsed_bytes(bytes_of_text(text), &world);
        if (rule_is_shadowed(&policy.rules[1], &policy.rules[0]) != cases[i].shadowed)
            fail_msg("case %zu", i);
    }
}

TEST(policy_24_86_extensions_in_other_codes)
{
    static const struct {
        enum lint_code code;
        const char *raises, *does_not;
    } cases[] = {
        { LINT_APPROVE_ALL, "{\"rules\":[{\"casemate\":{\"period\":5}}]}",
          "{\"rules\":[{\"casemate\":{\"not_before_height\":5}}]}" },
        { LINT_APPROVE_ALL, "{\"rules\":[{}]}", "{\"rules\":[{" SCRIPTS("\"6a\"") "}]}" },
        { LINT_UNUSED_PERIOD,
          "{\"period\":5,\"rules\":[{\"per_period\":1,\"casemate\":{"
          "\"period\":9}}]}",
          "{\"period\":5,\"rules\":[{\"casemate\":{\"max_txns\":9}}]}" },
        { LINT_UNUSED_PERIOD, "{\"rules\":[{\"max_amount\":1,\"casemate\":{\"period\":9}}]}",
          "{\"rules\":[{\"per_period\":1,\"casemate\":{\"period\":9}}]}" },
        { LINT_UNUSED_PERIOD, "{\"period\":5,\"msg_paths\":[\"m\"]}",
          "{\"period\":5,\"msg_paths\":[\"m\"],\"casemate\":{\"msg_per_period\":2}}" },
        { LINT_STRING_NUMBER, "{\"casemate\":{\"max_refusals\":\"5\"}}",
          "{\"casemate\":{\"max_refusals\":5}}" },
        { LINT_STRING_NUMBER, "{\"rules\":[{\"casemate\":{\"max_txns\":\"5\"}}]}",
          "{\"rules\":[{\"casemate\":{\"max_txns\":5}}]}" },
        { LINT_ODD_BOOL, "{\"casemate\":{\"dedupe\":1}}", "{\"casemate\":{\"dedupe\":true}}" },
        { LINT_EMPTY_LIST, "{\"rules\":[{\"casemate\":{\"scripts\":[]}}]}",
          "{\"rules\":[{\"casemate\":{\"scripts\":[\"6a\"]}}]}" },
    };
    const struct lint_world given = lint_world();
    for (size_t i = 0; i < COUNT(cases); i++)
        if (!raises(cases[i].raises, &given, cases[i].code) ||
            raises(cases[i].does_not, &given, cases[i].code))
            fail_msg("case %zu", i);
}

TEST(policy_23_worst_case_of_extensions_in_words)
{
    assert_string_equal(
        exposure_text(
            "{\"period\":60,\"rules\":["
            "{\"max_amount\":1000000,\"casemate\":{\"max_txns\":3,\"period\":1440,\"window\":"
            "\"sliding\",\"count_fees\":true}},"
            "{\"per_period\":5000000,\"casemate\":{\"max_fee\":2000,\"scripts\":[\"6a\",\"6b\"]},"
            "\"whitelist\":[\"" ADDRESS "\"]},"
            "{\"max_amount\":0,\"casemate\":{\"not_before_height\":144}}]}"),
        "The most that can leave, network fees on top where not included:\n"
        "- Rule #1: at most 0.01 XTN per transaction, 0.03 XTN per period, 0.03 XTN per day, "
        "network "
        "fees included\n"
        "- Rule #2: at most 0.05 XTN per transaction, 0.05 XTN per period, 1.25 XTN per day, and "
        "up "
        "to 0.00002 XTN of network fee each time; to 1 address and 2 scripts only\n"
        "- Rule #3: at most 0 XTN per transaction, 0 XTN per period, 0 XTN per day; each locked "
        "for "
        "144 blocks more\n"
        "In all:\n"
        "- With nobody's help: at most 0.05 XTN per transaction, 0.08 XTN per period, 1.28 XTN per "
        "day\n"
        "- With everybody's help: at most 0.05 XTN per transaction, 0.08 XTN per period, 1.28 XTN "
        "per day\n");
    const char *included =
        exposure_text("{\"casemate\":{\"count_fees\":true},\"rules\":[{\"max_amount\":1}]}");
    assert_non_null(strstr(included, "leave, network fees included:\n"));
    // Without a limit there is nothing that they could be included in.
    const char *unlimited = exposure_text("{\"casemate\":{\"count_fees\":true},\"rules\":[{}]}");
    assert_non_null(
        strstr(unlimited, "leave, network fees on top:\n- Rule #1: everything, at once\n"));
}

// A sliding window against the greediest that there can be: all of it as soon as there is room.
TEST(policy_23_worst_case_of_sliding_windows_is_reached)
{
    static const unsigned periods[] = { 60, 240, 1000, 1439, 1440, 1441, 5000 };
    for (size_t i = 0; i < COUNT(periods); i++) {
        char text[120];
        snprintf(text, sizeof text,
                 "{\"rules\":[{\"per_period\":10,\"casemate\":{\"period\":%u,\"window\":"
                 "\"sliding\"}}]}",
                 periods[i]);
        const struct policy policy = parsed_bytes(bytes_of_text(text), &world);
        const uint64_t said = exposure_of_rule(&policy, 0).per_day.max.n;
        struct velocity *v = arena_alloc(test_arena(), sizeof *v);
        uint64_t left = 0;
        for (int64_t t = 0; t < 86400; t++) {
            velocity_advance(v, &policy, t);
            const struct sats rest = { 10 - v->spent[0].n };
            if (rest.n == 0)
                continue;
            assert_true(velocity_charge(v, &policy, 0, rest, t));
            left += rest.n;
        }
        assert_int_equal(left, said);
    }
}
