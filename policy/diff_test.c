#include "policy/diff.h"
#include "bitcoin/address.h"
#include "crypto/ec.h"
#include "policy/payees.h"
#include "tests/support/policy_fixture.h"
#include "tests/support/policy_random.h"

#define DRAW_BYTES 512
#define PAIRS      12   // DRAWS in the environment: how many
#define REQUESTS   60   // per pair
#define BEFORE_MAX 3000 // requests before an example that are decided one by one

static struct policy_diff diff_of(const struct policy *old, const struct policy *new,
                                  struct arena *arena)
{
    struct policy_diff diff;
    struct err err;
    crypto_init();
    if (!policy_diff(&diff, old, new, chain_by_id(CHAIN_XTN), arena, &err))
        fail_msg("%s", err.text);
    return diff;
}

static struct policy_diff diff_of_texts(const char *old, const char *new)
{
    struct policy a = parsed(old), b = parsed(new);
    struct err err;
    assert_true(policy_derive_payees(&a, test_arena(), &err));
    assert_true(policy_derive_payees(&b, test_arena(), &err));
    return diff_of(&a, &b, test_arena());
}

// --- Each kind of clause and setting ---

#define A "tb1qq5zs2pg9q5zs2pg9q5zs2pg9q5zs2pg9lm9x7g"
#define B "tb1qqcrqvpsxqcrqvpsxqcrqvpsxqcrqvpsxwlrr47"
#define C "tb1q49n66nhqj3sm8efw3wj23gpnwsn0vzqgezq2da"

#define PAYEE                                                                                      \
    "pkh([d34db33f/44'/0'/"                                                                        \
    "0']xpub6ERApfZwUNrhLCkDtcHTcxd75RbzS1ed54G1LkBUHQVHQKqhMkhgbmJbZRkrgZw4ko"                    \
    "xb5JaHWkY4ALHY2grBGRjaDMzQLcgJvLJuZZvRcEL/1/*)#ml40v0wf"

static bool has_text(const struct policy_diff *diff, bool is_allowed, const char *wanted)
{
    for (size_t i = 0; i < diff->n; i++)
        if (diff->items[i].is_allowed == is_allowed &&
            strstr(arena_text(test_arena(), diff->items[i].text), wanted) != NULL)
            return true;
    return false;
}

static size_t count_side(const struct policy_diff *diff, bool is_allowed)
{
    size_t n = 0;
    for (size_t i = 0; i < diff->n; i++)
        n += diff->items[i].is_allowed == is_allowed;
    return n;
}

// Decides by the evaluation alone, one after the other.
static bool is_signed_after(struct velocity *v, const struct policy *policy,
                            const struct diff_request *request, int64_t after_s,
                            struct arena *arena)
{
    arena_reset(arena);
    struct simulation *s = arena_alloc(arena, sizeof *s);
    struct assumptions *a = arena_alloc(arena, sizeof *a);
    struct err err;
    assert_true(s != NULL && a != NULL);
    *a = *request->assumed;
    a->velocity = *v;
    a->now_s += after_s;
    assert_true(policy_simulate(s, policy, request->tx, a, arena, &err));
    *v = s->decision.velocity;
    return s->decision.verdict == VERDICT_SIGN;
}

static bool example_is_signed(const struct difference *d, const struct policy *policy, unsigned n,
                              struct arena *arena)
{
    const struct diff_example *e = &d->example;
    struct velocity v = { 0 };
    for (uint64_t i = 0; i < e->times_before; i++)
        if (!is_signed_after(&v, policy, &e->before, i > 0 ? e->pause_s : 0, arena))
            fail_msg("pair or case %u: request %ju of the %ju before the example is refused", n,
                     (uintmax_t)i + 1, (uintmax_t)e->times_before);
    return is_signed_after(&v, policy, &e->request, e->pause_s + e->wait_s, arena);
}

static void check_examples(const struct policy_diff *diff, unsigned n)
{
    AUTO(arena_freep) struct arena *arena = arena_new((size_t)1 << 30);
    for (size_t i = 0; i < diff->n; i++) {
        const struct difference *d = &diff->items[i];
        bool by_old, by_new;
        struct bytes text;
        struct err err;
        arena_reset(arena);
        assert_true(diff_example_decide(&by_old, &text, d, &diff->old, arena, &err));
        assert_bytes_equal(text, d->old_says);
        assert_true(diff_example_decide(&by_new, &text, d, &diff->new, arena, &err));
        assert_bytes_equal(text, d->new_says);
        if (by_new != d->is_allowed || by_old == by_new)
            fail_msg("pair or case %u: example %zu is no example", n, i);
        if (d->example.request.tx == NULL || d->example.times_before > BEFORE_MAX)
            continue;
        assert_int_equal(example_is_signed(d, &diff->old, n, arena), by_old);
        assert_int_equal(example_is_signed(d, &diff->new, n, arena), by_new);
    }
}

// A looser clause is found as such, in its words, and nothing the other way round; and the reverse.
TEST(policy_d18_diff_of_each_clause)
{
    static const struct {
        const char *strict, *loose, *words;
    } cases[] = {
        { "{\"rules\":[{\"max_amount\":5}]}", "{\"rules\":[{\"max_amount\":6}]}",
          "a larger amount in one transaction" },
        { "{\"rules\":[{\"max_amount\":0}]}", "{\"rules\":[{}]}",
          "a larger amount in one transaction" }, // 0 is a limit, though the hashes are equal
        { "{\"period\":5,\"rules\":[{\"per_period\":5}]}",
          "{\"period\":5,\"rules\":[{\"per_period\":6}]}", "more in one period" },
        { "{\"period\":5,\"rules\":[{\"per_period\":5000000,\"max_amount\":1}]}",
          "{\"period\":5,\"rules\":[{\"per_period\":6000000,\"max_amount\":1}]}",
          "more in one period, after what was signed before" }, // after five million of them
        // No limit any more: after as many as there were, however many.
        { "{\"period\":5,\"rules\":[{\"per_period\":100000000,\"max_amount\":1000000}]}",
          "{\"period\":5,\"rules\":[{\"max_amount\":1000000}]}",
          "more in one period, after what was signed before" },
        { "{\"period\":5,\"rules\":[{\"per_period\":5000000,\"max_amount\":1}]}",
          "{\"period\":5,\"casemate\":{\"dedupe\":true},\"rules\":[{\"per_period\":5000000,"
          "\"max_amount\":1}]}",
          "more in one period, after what was signed before" },
        { "{\"period\":5,\"rules\":[{\"casemate\":{\"max_txns\":100}}]}",
          "{\"period\":5,\"rules\":[{}]}",
          "more transactions in one period, after what was signed before" },
        { "{\"period\":5,\"rules\":[{\"casemate\":{\"max_txns\":2500}}]}",
          "{\"period\":5,\"rules\":[{\"casemate\":{\"max_txns\":2501}}]}",
          "more transactions in one period, after what was signed before" },
        { "{\"rules\":[{\"casemate\":{\"max_txns\":999999,\"period\":60}}]}",
          "{\"rules\":[{\"casemate\":{\"max_txns\":1000000,\"period\":60}}]}",
          "more transactions in one period, after what was signed before" },
        { "{\"rules\":[{\"per_period\":100000000,\"max_amount\":40000,\"casemate\":{\"period\":60,"
          "\"window\":\"sliding\"}}]}",
          "{\"rules\":[{\"per_period\":100000000,\"max_amount\":40000,\"casemate\":{\"period\":60,"
          "\"window\":\"fixed\"}}]}",
          "more in one period, after what was signed before" },
        { "{\"period\":6,\"rules\":[{\"per_period\":5}]}",
          "{\"period\":5,\"rules\":[{\"per_period\":5}]}",
          "more in one period, after what was signed before" },
        { "{\"period\":5,\"rules\":[{\"per_period\":5}]}",
          "{\"period\":5,\"rules\":[{\"per_period\":5},{\"per_period\":5}]}",
          "more in one period, after what was signed before" },
        { "{\"rules\":[{\"whitelist\":[\"" A "\"]}]}",
          "{\"rules\":[{\"whitelist\":[\"" A "\",\"" B "\"]}]}",
          "a destination that is not listed or not attested" },
        { "{\"rules\":[{\"whitelist\":[\"" A "\"]},{\"whitelist\":[\"" B "\"]}]}",
          "{\"rules\":[{\"whitelist\":[\"" A "\",\"" B "\"]}]}",
          "a destination that is not listed or not attested" }, // both at once
        { "{\"rules\":[{\"whitelist\":[\"" A "\"]}]}",
          "{\"rules\":[{\"whitelist\":[\"" A "\"],\"whitelist_opts\":{\"allow_zeroval_outs\":"
          "true}}]}",
          "a destination that is not listed or not attested" },
        { "{\"rules\":[{\"whitelist\":[\"" A "\"],\"whitelist_opts\":{\"mode\":\"ATTEST\"}}]}",
          "{\"rules\":[{\"whitelist\":[\"" A "\",\"" C "\"],\"whitelist_opts\":{\"mode\":"
          "\"ATTEST\"}}]}",
          "a destination that is not listed or not attested" },
        { "{\"rules\":[{\"local_conf\":true}]}", "{\"rules\":[{}]}",
          "no code of the local operator" },
        { "{\"rules\":[{\"users\":[\"alice\",\"bob\"]}]}",
          "{\"rules\":[{\"users\":[\"alice\",\"bob\"],\"min_users\":1}]}",
          "fewer users who approve" },
        { "{\"rules\":[{\"users\":[\"alice\"]}]}",
          "{\"rules\":[{\"users\":[\"alice\",\"bob\"],\"min_users\":1}]}",
          "fewer users who approve" },
        { "{\"rules\":[{\"wallet\":\"Treasury\"}]}",
          "{\"rules\":[{\"wallet\":\"Treasury\"},{\"wallet\":\"1\"}]}", "coins of another wallet" },
        { "{\"rules\":[{\"min_pct_self_transfer\":50.01}]}",
          "{\"rules\":[{\"min_pct_self_transfer\":50}]}", "less that comes back" },
        { "{\"rules\":[{\"min_pct_self_transfer\":100}]}",
          "{\"rules\":[{\"min_pct_self_transfer\":99.9}]}", "less that comes back" },
        { "{\"rules\":[{\"patterns\":[\"EQ_NUM_INS_OUTS\"]}]}", "{\"rules\":[{}]}",
          "unequal numbers of inputs and outputs" },
        { "{\"rules\":[{\"patterns\":[\"EQ_NUM_OWN_INS_OUTS\"]}]}", "{\"rules\":[{}]}",
          "unequal numbers of own inputs and outputs" },
        { "{\"rules\":[{\"patterns\":[\"EQ_OUT_AMOUNTS\"]}]}", "{\"rules\":[{}]}",
          "outputs of unequal amounts" },
        { "{\"rules\":[{\"casemate\":{\"max_fee\":5000}}]}",
          "{\"rules\":[{\"casemate\":{\"max_fee\":5001}}]}", "a larger network fee" },
        { "{\"casemate\":{\"count_fees\":true},\"rules\":[{\"max_amount\":5000}]}",
          "{\"rules\":[{\"max_amount\":5000}]}", "a larger amount in one transaction" },
        { "{\"period\":5,\"rules\":[{\"casemate\":{\"max_txns\":2}}]}",
          "{\"period\":5,\"rules\":[{\"casemate\":{\"max_txns\":3}}]}",
          "more transactions in one period, after what was signed before" },
        { "{\"rules\":[{\"per_period\":5,\"casemate\":{\"period\":60}}]}",
          "{\"rules\":[{\"per_period\":5,\"casemate\":{\"period\":30}}]}",
          "more in one period, after what was signed before" },
        { "{\"rules\":[{\"per_period\":50000,\"casemate\":{\"period\":60,\"window\":\"sliding\"}}]"
          "}",
          "{\"rules\":[{\"per_period\":50000,\"casemate\":{\"period\":60,\"window\":\"fixed\"}}]}",
          "more in one period, after what was signed before" },
        { "{\"rules\":[{\"casemate\":{\"scripts\":[\"51\"]}}]}",
          "{\"rules\":[{\"casemate\":{\"scripts\":[\"51\",\"52\"]}}]}",
          "a destination that is not listed or not attested" },
        { "{\"rules\":[{\"casemate\":{\"destinations\":[{\"desc\":\"" PAYEE
          "\",\"range\":[0,1]}]}}]}",
          "{\"rules\":[{\"casemate\":{\"destinations\":[{\"desc\":\"" PAYEE
          "\",\"range\":[0,9]}]}}]}",
          "a destination that is not listed or not attested" },
        { "{\"rules\":[{\"whitelist\":[\"" C
          "\"],\"whitelist_opts\":{\"mode\":\"ATTEST\"},\"casemate\":{\"attest_bound\":true}}]}",
          "{\"rules\":[{\"whitelist\":[\"" C
          "\"],\"whitelist_opts\":{\"mode\":\"ATTEST\"}},{\"whitelist\":[\"" C
          "\"],\"whitelist_opts\":{\"mode\":\"ATTEST\"},\"casemate\":{\"attest_bound\":true}}]}",
          "a destination that is not listed or not attested" },
        { "{\"rules\":[{\"casemate\":{\"not_before_height\":20}}]}",
          "{\"rules\":[{\"casemate\":{\"not_before_height\":10}}]}", "a locktime that is too low" },
        // The height ends what per_period would let through four times more.
        { "{\"period\":5,\"rules\":[{\"per_period\":5000000,\"max_amount\":1000000,"
          "\"casemate\":{\"not_before_height\":1}}]}",
          "{\"period\":5,\"rules\":[{\"per_period\":5000000,\"max_amount\":1000000}]}",
          "a locktime that is too low, after what was signed before" },
        { "{\"period\":5,\"rules\":[{\"per_period\":5}]}",
          "{\"period\":5,\"casemate\":{\"dedupe\":true},\"rules\":[{\"per_period\":5}]}",
          "more in one period, after what was signed before" },
        { "{\"msg_paths\":[\"any\"],\"casemate\":{\"msg_users\":[\"alice\"]}}",
          "{\"msg_paths\":[\"any\"]}", "fewer users who approve" },
        { "{\"msg_paths\":[\"any\"],\"casemate\":{\"msg_users\":[\"alice\"]}}",
          "{\"msg_paths\":[\"any\"]}", ", approved by nobody, is now" },
        { "{\"period\":5,\"msg_paths\":[\"any\"],\"casemate\":{\"msg_per_period\":100}}",
          "{\"period\":5,\"msg_paths\":[\"any\"],\"casemate\":{\"msg_per_period\":101}}",
          "more messages in one period, after what was signed before" },
        { "{\"period\":5,\"msg_paths\":[\"any\"],\"casemate\":{\"msg_per_period\":999999}}",
          "{\"period\":5,\"msg_paths\":[\"any\"],\"casemate\":{\"msg_per_period\":1000000}}",
          "more messages in one period, after what was signed before" },
        { "{\"period\":5,\"msg_paths\":[\"any\"],\"casemate\":{\"msg_per_period\":100}}",
          "{\"period\":5,\"msg_paths\":[\"any\"]}",
          "more messages in one period, after what was signed before" },
        { "{\"rules\":[{}]}", "{\"warnings_ok\":true,\"rules\":[{}]}", "a warning" },
        { "{\"must_log\":true,\"rules\":[{}]}", "{\"rules\":[{}]}", "no card to log on" },
        { "{}", "{\"rules\":[{}]}", "it signs no transactions" },
        { "{\"msg_paths\":[\"m/1\"]}", "{\"msg_paths\":[\"m/1\",\"m/2/*\"]}",
          "A text message signed by the key at m/2/3" },
        { "{\"msg_paths\":[\"m/1\"]}", "{\"msg_paths\":[\"m/1\",\"m/2/*\"]}",
          "a path that is not allowed for messages" }, // BIP-322
        { "{\"msg_paths\":[\"m/*\",\"m/*h\"]}", "{\"msg_paths\":[\"any\"]}",
          "A text message signed by the key at m is now" },
        { "{}", "{\"share_xpubs\":[\"m/84h\"]}", "The extended key at m/84h" },
        { "{}", "{\"share_addrs\":[\"m/84h/*h\"]}", "The address at m/84h/85h" },
        { "{\"share_addrs\":[\"any\"]}", "{\"share_addrs\":[\"any\",\"p2sh\"]}",
          "Showing multisig addresses" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct policy_diff loosened = diff_of_texts(cases[i].strict, cases[i].loose);
        const struct policy_diff tightened = diff_of_texts(cases[i].loose, cases[i].strict);
        if (!has_text(&loosened, true, cases[i].words) || count_side(&loosened, false) > 0)
            fail_msg("case %zu: %zu allowed, %zu refused, not: %s", i, count_side(&loosened, true),
                     count_side(&loosened, false), cases[i].words);
        const char *now = strstr(cases[i].words, " is now");
        const size_t len = now == NULL ? strlen(cases[i].words) : (size_t)(now - cases[i].words);
        const char *words = arena_text(test_arena(), bytes_of(cases[i].words, len));
        if (!has_text(&tightened, false, words) || count_side(&tightened, true) > 0)
            fail_msg("case %zu, the other way round", i);
        check_examples(&loosened, (unsigned)i);
        check_examples(&tightened, (unsigned)i);
        assert_true(loosened.is_complete && !loosened.is_same);
    }
}

TEST(policy_d18_diff_of_settings)
{
    static const struct {
        const char *old, *new, *setting;
    } cases[] = {
        { "{\"period\":60}", "{\"period\":61}", "period: 61, was 60" },
        { "{\"allow_sl\":1}", "{\"allow_sl\":2}", "allow_sl: 2, was 1" },
        { "{\"allow_sl\":1}", "{\"allow_sl\":1,\"set_sl\":\"0123456789abcdef\"}",
          "set_sl: the storage locker gets another value" },
        { "{\"boot_to_hsm\":\"123456\"}", "{\"boot_to_hsm\":\"654321\"}",
          "boot_to_hsm: another code" }, // which is nobody's business
        { "{}", "{\"boot_to_hsm\":\"xyzzy\"}", "This policy can never be left." },
        { "{}", "{\"boot_to_hsm\":\"xyzzy\"}", "boot_to_hsm: a code, was not set" },
        { "{\"notes\":\"a\"}", "{}", "notes: not set, was \"a\"" },
        { "{}", "{\"priv_over_ux\":true}", "priv_over_ux: true, was not set" },
        { "{}", "{\"never_log\":true}", "never_log: true, was not set" },
        { "{}", "{\"casemate\":{\"max_fee\":7}}", "casemate: max_fee: 7, was not set" },
        { "{\"share_xpubs\":[\"any\"]}", "{}", "share_xpubs: not set, was [\"any\"]" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct policy_diff diff = diff_of_texts(cases[i].old, cases[i].new);
        bool found = false;
        for (size_t k = 0; k < diff.n_settings; k++)
            found |= bytes_equal_text(diff.settings[k], cases[i].setting);
        if (!found)
            fail_msg("case %zu: %s", i, cases[i].setting);
    }
}

// "The same policy" is one thing, "no difference found" another, and equal hashes a third.
TEST(policy_d18_diff_of_what_is_the_same)
{
    struct policy_diff d =
        diff_of_texts("{\"rules\":[{\"whitelist\":[\"" A "\",\"" B "\"]}]}",
                      "{ \"rules\": [ {\"whitelist\":[\"" A "\",\"" B "\"]} ] }");
    assert_true(d.is_same && d.hash_is_equal && d.n == 0 && d.n_settings == 0);
    d = diff_of_texts("{\"rules\":[{\"whitelist\":[\"" A "\",\"" B "\"]}]}",
                      "{\"rules\":[{\"whitelist\":[\"" B "\",\"" A "\"]}]}");
    assert_true(!d.is_same && !d.hash_is_equal && d.n == 0);
    d = diff_of_texts("{\"rules\":[{\"max_amount\":0}]}", "{\"rules\":[{}]}");
    assert_true(!d.is_same && d.hash_is_equal && d.n > 0);
}

TEST(policy_d18_diff_example_in_words)
{
    const struct policy_diff d =
        diff_of_texts("{\"rules\":[{\"max_amount\":1000000,\"users\":[\"alice\"]}]}",
                      "{\"rules\":[{\"max_amount\":2000000,\"users\":[\"alice\"]}]}");
    struct writer w = text_writer();
    assert_int_equal(d.n, 1);
    assert_bytes_text(d.items[0].text,
                      "Rule #1 of the new policy signs what the old one refuses (its rule #1 comes "
                      "nearest): a larger amount in one transaction");
    assert_bytes_text(d.items[0].old_says, "Rejected: rule #1: amount exceeded");
    assert_bytes_text(d.items[0].new_says, "Acceptable by rule #1");
    diff_example_write(&w, &d.items[0], chain_by_id(CHAIN_XTN));
    assert_bytes_text(
        written(&w),
        "0.01000001 XTN to tb1qwdhk6etzdaj8jgr9d3ek2ueqvdhkjmnnyqqrrj, 0.5015005 XTN of 0.51151051 "
        "XTN "
        "come back, network fee 0.00001 XTN; 1 input, 2 outputs; single-key wallet; approved by "
        "alice; without a local code");
}

// A policy of many rules of which one is other.
TEST(policy_d18_diff_of_large_policies)
{
    struct writer old = text_writer(), new = text_writer();
    struct writer *both[] = { &old, &new };
    for (size_t k = 0; k < 2; k++) {
        writer_text(both[k], "{\"rules\":[");
        for (unsigned i = 0; i < 300; i++)
            writer_printf(both[k], "%s{\"max_amount\":%u,\"users\":[\"alice\"]}", i > 0 ? "," : "",
                          i + (k == 1 && i == 299));
        writer_text(both[k], "]}");
    }
    const struct policy a = parsed_bytes(written(&old), &policy_world_of_24);
    const struct policy b = parsed_bytes(written(&new), &policy_world_of_24);
    const struct policy_diff d = diff_of(&a, &b, test_arena());
    assert_true(has_text(&d, true, "a larger amount"));
    assert_int_equal(count_side(&d, false), 0);
}

// --- Against random requests ---

static struct draw draw_number(uint8_t bytes[static DRAW_BYTES], unsigned n, unsigned salt)
{
    for (unsigned block = 0; block < DRAW_BYTES / 32; block++) {
        const unsigned seed[] = { n, block, salt };
        const struct hash256 hash = sha256(BYTES_OF(seed));
        memcpy(bytes + (size_t)block * 32, hash.b, 32);
    }
    return (struct draw){ reader_of(bytes_of(bytes, DRAW_BYTES)) };
}

static bool signs(const struct policy *policy, const struct drawn_request *r)
{
    const struct velocity fresh = { 0 };
    return policy_evaluate(policy, &r->tx, &r->auth, &fresh, r->now_s).verdict == VERDICT_SIGN;
}

// Another policy, or the same with one rule of the other.
static void draw_other(struct drawn_policy *out, const struct drawn_policy *like, struct draw *d)
{
    draw_policy(out, d);
    if (draw_below(d, 2) == 0 || like->policy.n_rules == 0)
        return;
    struct drawn_policy drawn = *out;
    *out = *like; // its lists stay where they are, in `like`
    out->policy.rules = out->rules;
    out->rules[draw_below(d, (uint32_t)like->policy.n_rules)] = drawn.rules[0];
    const struct rule *changed = &drawn.rules[0];
    for (size_t i = 0; i < like->policy.n_rules; i++)
        if (out->rules[i].users == changed->users) {
            // What the rule lists was in `drawn`, which goes: it moves to where there is room.
            memcpy(out->users[i], drawn.users[0], sizeof out->users[i]);
            memcpy(out->whitelist[i], drawn.whitelist[0], sizeof out->whitelist[i]);
            memcpy(out->sorted[i], drawn.sorted[0], sizeof out->sorted[i]);
            memcpy(out->patterns[i], drawn.patterns[0], sizeof out->patterns[i]);
            out->rules[i].users = out->users[i];
            out->rules[i].whitelist = out->whitelist[i];
            out->rules[i].whitelist_sorted = out->sorted[i];
            out->rules[i].patterns = out->patterns[i];
        }
}

// Whenever a drawn request is decided otherwise, a difference in that direction was found; and every
// example that was found is one.
TEST(policy_d18_diff_finds_what_random_requests_find)
{
    const char *draws = getenv("DRAWS");
    const unsigned n_pairs = draws != NULL ? (unsigned)strtoul(draws, NULL, 10) : PAIRS;
    unsigned n_allowed = 0, n_refused = 0, n_examples = 0;
    for (unsigned n = 0; n < n_pairs; n++) {
        AUTO(arena_freep) struct arena *arena = arena_new(DIFF_ARENA);
        uint8_t bytes[DRAW_BYTES];
        struct drawn_policy old, new;
        struct draw d = draw_number(bytes, n, 1);
        draw_policy(&old, &d);
        d = draw_number(bytes, n, 2);
        draw_other(&new, &old, &d);
        const struct policy_diff diff = diff_of(&old.policy, &new.policy, arena);
        const bool found[2] = { count_side(&diff, false) > 0, count_side(&diff, true) > 0 };
        check_examples(&diff, n);
        n_examples += (unsigned)diff.n;
        for (unsigned k = 0; k < REQUESTS; k++) {
            struct drawn_request r;
            d = draw_number(bytes, n * REQUESTS + k, 3);
            draw_request(&r, &d, &new.policy);
            const bool by_old = signs(&old.policy, &r), by_new = signs(&new.policy, &r);
            n_allowed += by_new && !by_old;
            n_refused += by_old && !by_new;
            if (by_old != by_new && !found[by_new])
                fail_msg("pair %u, request %u: %s, and no such difference was found", n, k,
                         by_new ? "allowed now" : "refused now");
        }
    }
    print_message("# counted: %u pairs of policies, %u requests allowed, %u refused, %u examples\n",
                  n_pairs, n_allowed, n_refused, n_examples);
    // The draw is worth something only if all of that happens often.
    assert_in_range(n_allowed, n_pairs, n_pairs * REQUESTS);
    assert_in_range(n_refused, n_pairs, n_pairs * REQUESTS);
    assert_in_range(n_examples, n_pairs, n_pairs * DIFF_ITEMS_MAX);
}
