#include "coordinator/refill.h"
#include "base/hex.h"
#include "crypto/ec.h"
#include "crypto/hash.h"
#include "tests/support/test.h"
#include <stdio.h>
#include <string.h>

#define ARENA ((size_t)1 << 18)
#define NODE  "{\"kind\": \"wallet\", \"node\": \"main\", \"wallet\": \"hot\"}"

static bool parse(struct refill_rules *out, const char *text, struct arena *arena, struct err *err)
{
    return refill_rules_parse(out, bytes_of_text(text), arena, err);
}

// Every mistake in a refill policy is named before it can cost anything.
TEST(coordinator_F46_refill_rules_that_are_wrong)
{
    static const struct {
        const char *text, *error;
    } CASES[] = {
        { "[]", "refill: not a JSON object" },
        { "{}", "refill: destinations: one to 16 names" },
        { "{\"floor\": 1}", "refill: unknown member 'floor'" },
        { "{\"destinations\": [\"hot\"]}", "refill: sources: one to 4" },
        { "{\"destinations\": [7], \"sources\": [" NODE "]}", "refill: destinations: names" },
        { "{\"destinations\": [\"hot\"], \"sources\": [{}]}",
          "refill: sources: kind: descriptor, wallet or https" },
        { "{\"destinations\": [\"hot\"], \"sources\": [{\"kind\": \"wallet\", \"node\": \"a\"}]}",
          "refill: sources: wallet: a text is missing" },
        { "{\"destinations\": [\"hot\"], \"sources\": [{\"kind\": \"https\", \"url\": "
          "\"http://a/\", \"key\": \"00\"}]}",
          "refill: sources: url: an https:// address" },
        { "{\"destinations\": [\"hot\"], \"sources\": [" NODE "]}",
          "refill: floor_sat is missing" },
        { "{\"destinations\": [\"hot\"], \"sources\": [" NODE "], \"floor_sat\": 100000}",
          "refill: either target_sat or amount_sat" },
        { "{\"destinations\": [\"hot\"], \"sources\": [" NODE
          "], \"floor_sat\": 100000, \"target_sat\": 100000}",
          "refill: target_sat is not above floor_sat" },
        { "{\"destinations\": [\"hot\"], \"sources\": [" NODE
          "], \"floor_sat\": 100000, \"target_sat\": 200000, \"quorum\": 2}",
          "refill: quorum: there are 1 sources" },
        { "{\"destinations\": [\"hot\"], \"sources\": [" NODE
          "], \"floor_sat\": 100000, \"amount_sat\": 9000, \"least_sat\": 10000}",
          "refill: amount_sat is not between least_sat and most_sat" },
        { "{\"destinations\": [\"hot\"], \"sources\": [" NODE
          "], \"floor_sat\": 1.5, \"amount_sat\": 9000}",
          "refill: floor_sat: a whole number from 1 to 2100000000000000" },
        { "{\"destinations\": [\"hot\"], \"sources\": [" NODE
          "], \"floor_sat\": 100000, \"target_sat\": 200000, \"drain_s\": 60}",
          "refill: drain_count and drain_s go together" },
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        AUTO(arena_freep) struct arena *arena = arena_new(ARENA);
        struct refill_rules r;
        struct err err;
        assert_false(parse(&r, CASES[i].text, arena, &err));
        assert_string_equal(err.text, CASES[i].error);
    }
}

static struct refill_rules rules(void)
{
    return (struct refill_rules){ .n_sources = 2,
                                  .quorum = 2,
                                  .floor = { 100000 },
                                  .target = { 300000 },
                                  .least = { 5000 },
                                  .most = { 250000 },
                                  .interval_s = 600,
                                  .per_day = 10,
                                  .stale_s = 3600,
                                  .tolerance = { 1000 },
                                  .drain_count = 5,
                                  .drain_s = 7200,
                                  .drain_factor = 300 };
}

#define NOW 1000000

// One row, one reason.
TEST(coordinator_F46_refill_decisions)
{
    static const struct {
        uint64_t balance[2];
        int64_t age_s[2];
        bool silent; // the second source
        struct refill_past past;
        uint64_t room;
        enum refill_verdict verdict;
        uint64_t amount;
        const char *why;
    } CASES[] = {
        // Below the floor: up to the target.
        { { 90000, 90000 },
          { 0, 0 },
          false,
          { 0 },
          1000000,
          REFILL_PAY,
          210000,
          "90000 sat, floor 100000" },
        // Sources may differ within the tolerance; the higher counts.
        { { 90000, 90900 },
          { 0, 0 },
          false,
          { 0 },
          1000000,
          REFILL_PAY,
          209100,
          "90900 sat, floor 100000" },
        { { 100000, 100000 },
          { 0, 0 },
          false,
          { 0 },
          1000000,
          REFILL_ENOUGH,
          0,
          "100000 sat, floor 100000" },
        // Never more than the largest, nor than the cap allows.
        { { 1000, 1000 },
          { 0, 0 },
          false,
          { 0 },
          1000000,
          REFILL_PAY,
          250000,
          "1000 sat, floor 100000" },
        { { 1000, 1000 },
          { 0, 0 },
          false,
          { 0 },
          70000,
          REFILL_PAY,
          70000,
          "1000 sat, floor 100000" },
        { { 1000, 1000 },
          { 0, 0 },
          false,
          { 0 },
          4999,
          REFILL_NO_ROOM,
          0,
          "the cap has room for 4999 sat" },
        // Contradictory, stale, or silent balances stop it.
        { { 1000, 2001 },
          { 0, 0 },
          false,
          { 0 },
          1000000,
          REFILL_UNKNOWN,
          0,
          "sources contradict: 1000 and 2001 sat" },
        { { 1000, 1000 },
          { 0, 3601 },
          false,
          { 0 },
          1000000,
          REFILL_UNKNOWN,
          0,
          "source 2 is 3601 s old" },
        { { 1000, 1000 },
          { 0, 0 },
          true,
          { 0 },
          1000000,
          REFILL_UNKNOWN,
          0,
          "1 of 2 balance sources answer" },
        // One at a time; what is on its way counts as there.
        { { 1000, 1000 },
          { 0, 0 },
          false,
          { .live = true },
          1000000,
          REFILL_WAITS,
          0,
          "the refill before is under way" },
        { { 1000, 1000 },
          { 0, 0 },
          false,
          { .unsettled = { 99000 } },
          1000000,
          REFILL_ENOUGH,
          0,
          "100000 sat, floor 100000" },
        { { 1000, 1000 },
          { 0, 0 },
          false,
          { .last_s = NOW - 599 },
          1000000,
          REFILL_WAITS,
          0,
          "the least interval has not passed" },
        { { 90000, 90000 },
          { 0, 0 },
          false,
          { .last_s = NOW - 600 },
          1000000,
          REFILL_PAY,
          210000,
          "90000 sat, floor 100000" },
        { { 1000, 1000 },
          { 0, 0 },
          false,
          { .today = 10 },
          1000000,
          REFILL_WAITS,
          0,
          "10 refills in the last 24 hours" },
        // A thief in the hot wallet asks for refills, too.
        { { 1000, 1000 },
          { 0, 0 },
          false,
          { .recent = 5 },
          1000000,
          REFILL_DRAINING,
          0,
          "5 refills within 7200 s" },
        { { 1000, 1000 },
          { 0, 0 },
          false,
          { .rate_last = 300400, .rate_usual = 100000 },
          1000000,
          REFILL_DRAINING,
          0,
          "it empties at 300400 sat a day, usual are 100000" },
        { { 90000, 90000 },
          { 0, 0 },
          false,
          { .rate_last = 300000, .rate_usual = 100000 },
          1000000,
          REFILL_PAY,
          210000,
          "90000 sat, floor 100000" },
        // An answer that is fresh enough for the rules may be from before the last refill: that would be paid twice.
        { { 90000, 90000 },
          { 3000, 3000 },
          false,
          { .height = 8 },
          1000000,
          REFILL_UNKNOWN,
          0,
          "source 1 has not seen the last refill" },
        { { 90000, 90000 },
          { 0, 0 },
          false,
          { .height = 7 },
          1000000,
          REFILL_PAY,
          210000,
          "90000 sat, floor 100000" },
    };
    const struct refill_rules r = rules();
    for (size_t i = 0; i < COUNT(CASES); i++) {
        const struct refill_balance b[REFILL_SOURCES] = {
            { true, { CASES[i].balance[0] }, NOW - CASES[i].age_s[0], 7 },
            { !CASES[i].silent, { CASES[i].balance[1] }, NOW - CASES[i].age_s[1], 7 },
        };
        const struct refill_decision d =
            refill_decide(&r, b, &CASES[i].past, (struct sats){ CASES[i].room }, NOW);
        assert_int_equal(d.verdict, CASES[i].verdict);
        assert_int_equal(d.amount.n, CASES[i].amount);
        assert_string_equal(d.why, CASES[i].why);
    }
}

// A fixed amount instead of a target.
TEST(coordinator_F46_refill_of_a_fixed_amount)
{
    struct refill_rules r = rules();
    r.target.n = 0;
    r.amount.n = 50000;
    const struct refill_balance b[REFILL_SOURCES] = { { true, { 5 }, NOW, 1 },
                                                      { true, { 5 }, NOW, 1 } };
    const struct refill_past none = { .live = false };
    assert_int_equal(refill_decide(&r, b, &none, (struct sats){ 60000 }, NOW).amount.n, 50000);
    assert_int_equal(refill_decide(&r, b, &none, (struct sats){ 40000 }, NOW).amount.n, 40000);
}

// An answer counts if the key that the policy names has signed exactly these bytes.
TEST(coordinator_F46_signed_balances)
{
    static const char BODY[] = "{\"sat\": 12345, \"height\": 800000, \"time\": 1700000000}";
    AUTO(arena_freep) struct arena *arena = arena_new(ARENA);
    AUTO(seckey_wipe) struct seckey key = { 0 };
    struct refill_balance b;
    struct err err;
    uint8_t seed[32] = { [31] = 7 }, sig[64], xonly[32];
    char hex[129];
    assert_true(seckey_from_bytes(&key, BYTES_OF(seed), &err));
    const struct pubkey pub = seckey_pubkey(&key);
    memcpy(xonly, pub.b + 1, 32);
    const struct hash256 digest = sha256(bytes_of_text(BODY));
    assert_true(schnorr_sign(sig, &key, &digest, seed, &err));
    hex_encode(hex, bytes_of(sig, sizeof sig));
    assert_true(
        refill_read_answer(&b, bytes_of_text(BODY), bytes_of_text(hex), xonly, arena, &err));
    assert_int_equal(b.balance.n, 12345);
    assert_int_equal(b.height, 800000);
    assert_int_equal(b.time_s, 1700000000);
    assert_false(
        refill_read_answer(&b, BYTES("{\"sat\": 12346, \"height\": 800000, \"time\": 1700000000}"),
                           bytes_of_text(hex), xonly, arena, &err));
    assert_string_equal(err.text, "the answer's signature is wrong");
    assert_false(b.ok);
    assert_false(refill_read_answer(&b, bytes_of_text(BODY), BYTES("00"), xonly, arena, &err));
    assert_string_equal(err.text, "the answer is not signed");
}
