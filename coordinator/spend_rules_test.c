#include "coordinator/spend_rules.h"
#include "tests/support/test.h"

#define ARENA ((size_t)1 << 16)

static struct build_limits parsed(const char *text, struct spend_rules *out)
{
    AUTO(arena_freep) struct arena *arena = arena_new(ARENA);
    struct err err;
    assert_true(spend_rules_parse(out, bytes_of_text(text), arena, &err));
    return out->limits;
}

// Nothing said, everything by default; what is said stays said when it is written and read again.
TEST(coordinator_settings_are_read_and_written)
{
    struct spend_rules r, again;
    assert_int_equal(parsed("", &r).max_fee_percent, 4);
    assert_int_equal(parsed("{}", &r).min_change.n, 5000);
    const struct build_limits limits =
        parsed("{\"max_fee_sat\": 12345, \"spend_own_change\": true, \"max_bumps\": 0, "
               "\"stuck_s\": 60, \"amount_max_sat\": 700000}",
               &r);
    assert_int_equal(limits.max_fee.n, 12345);
    assert_true(limits.spend_own_change);
    assert_int_equal(r.max_bumps, 0);
    uint8_t mem[2048];
    struct writer w = writer_of(mem, sizeof mem);
    struct json_writer j = json_writer_of(&w);
    struct bytes text;
    spend_rules_write(&j, &r);
    assert_true(writer_finish(&w, &text));
    AUTO(arena_freep) struct arena *arena = arena_new(ARENA);
    struct err err;
    assert_true(spend_rules_parse(&again, text, arena, &err));
    assert_int_equal(again.stuck_s, 60);
    assert_int_equal(again.amount_max.n, 700000);
    assert_int_equal(again.limits.max_fee.n, 12345);
    assert_true(again.limits.spend_own_change);
}

// A limit that is not understood is not silently none.
TEST(coordinator_settings_refuse_what_they_do_not_know)
{
    static const struct {
        const char *text, *error;
    } CASES[] = {
        { "[]", "settings: not a JSON object" },
        { "{\"max_fee\": 5}", "settings: unknown member 'max_fee'" },
        { "{\"max_fee_sat\": \"5\"}",
          "settings: max_fee_sat: a whole number from 200 to 100000000" },
        { "{\"max_fee_percent\": 5}", "settings: max_fee_percent: a whole number from 1 to 4" },
        { "{\"max_fee_percent\": 0.5}", "settings: max_fee_percent: a whole number from 1 to 4" },
        { "{\"spend_own_change\": 1}", "settings: spend_own_change: true or false" },
        { "{\"fee_floor\": 5000, \"fee_ceiling\": 2000}",
          "settings: fee_floor is above fee_ceiling" },
        { "{\"stuck_s\": -1}", "settings: stuck_s: a whole number from 1 to 604800" },
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        AUTO(arena_freep) struct arena *arena = arena_new(ARENA);
        struct spend_rules r;
        struct err err;
        assert_false(spend_rules_parse(&r, bytes_of_text(CASES[i].text), arena, &err));
        assert_string_equal(err.text, CASES[i].error);
        assert_int_equal(code_of(&err), CODE_BAD_REQUEST);
    }
}

// "rate = clamp(estimate for the tier's target, floor, ceiling); no estimate -> configured fallback; never
// below the node's relay and mempool minimum"
TEST(coordinator_D6_the_rate_is_held_between_its_bounds)
{
    const struct spend_rules r = spend_rules_default(); // 1000, 200000, fallback 2000
    assert_int_equal(spend_rules_rate(&r, 0, 0, 1000), 2000);
    assert_int_equal(spend_rules_rate(&r, 0, 7000, 1000), 7000);
    assert_int_equal(spend_rules_rate(&r, 0, 10, 1000), 1000);
    assert_int_equal(spend_rules_rate(&r, 0, 900000, 1000), 200000);
    assert_int_equal(spend_rules_rate(&r, 3000, 7000, 1000), 3000);
    assert_int_equal(spend_rules_rate(&r, 0, 7000, 9000), 9000);
    assert_int_equal(spend_rules_rate(&r, 0, 0, 300000), 300000);
}
