#include "coordinator/surge_codes.h"
#include "tests/support/test.h"
#include <stdio.h>
#include <string.h>

static int64_t no_wall(const struct clock *clock)
{
    (void)clock;
    return 0;
}
static int64_t steps_ms(const struct clock *clock)
{
    return clock->offset_s * 1000;
}

static struct fleet_auth auth_of(const char *code)
{
    struct fleet_auth auth = { .given = true };
    (void)snprintf(auth.code, sizeof auth.code, "%s", code);
    return auth;
}

// A code is found by its spend only, and by nobody once it was used.
TEST(coordinator_F40_a_code_is_kept_for_its_spend_only)
{
    struct clock clock = { .wall_s = no_wall, .monotonic_ms = steps_ms, .offset_s = 1 };
    struct surge_codes *codes = surge_codes_new(&clock);
    struct fleet_auth out, first = auth_of("123456"), second = auth_of("654321");
    assert_true(surge_codes_put(codes, "a", &first));
    assert_false(surge_codes_get(codes, "b", &out));
    assert_false(surge_codes_get(codes, "", &out));
    assert_true(surge_codes_put(codes, "a", &second));
    assert_true(surge_codes_get(codes, "a", &out));
    assert_string_equal(out.code, "654321");
    surge_codes_drop(codes, "a");
    assert_false(surge_codes_get(codes, "a", &out));
    surge_codes_drop(codes, "a");
    surge_codes_free(codes);
}

// Nobody can fill the box for good.
TEST(coordinator_F40_codes_are_bounded)
{
    struct clock clock = { .wall_s = no_wall, .monotonic_ms = steps_ms, .offset_s = 1 };
    struct surge_codes *codes = surge_codes_new(&clock);
    const struct fleet_auth auth = auth_of("123456");
    char id[8];
    for (unsigned i = 0; i < SURGE_CODES_MAX; i++) {
        (void)snprintf(id, sizeof id, "%u", i);
        assert_true(surge_codes_put(codes, id, &auth));
    }
    assert_false(surge_codes_put(codes, "more", &auth));
    surge_codes_drop(codes, "3");
    assert_true(surge_codes_put(codes, "more", &auth));
    // After 90 seconds all are gone by themselves.
    clock.offset_s += SURGE_CODES_LIFE_MS / 1000;
    struct fleet_auth out;
    assert_false(surge_codes_get(codes, "more", &out));
    assert_true(surge_codes_put(codes, "3", &auth));
    surge_codes_free(codes);
}
