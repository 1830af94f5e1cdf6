#include "coordinator/port_device.h"
#include "fuzz/fuzz.h"

static bool is_text(const char *text, size_t size)
{
    return memchr(text, 0, size) != NULL;
}

// Every text ends, every list has its bound, and a budget is told only where each number of the report is one.
FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new((size_t)64 << 20);
    struct hsm_status hsts;
    struct port_status s;
    struct err err;
    if (!hsm_status_parse(&hsts, data, arena, &err))
        return;
    device_read_status(&s, &hsts);
    REQUIRE(s.tells && s.active == hsts.active && s.refusals == hsts.refusals);
    REQUIRE(is_text(s.policy_hash, sizeof s.policy_hash) &&
            is_text(s.last_refusal, sizeof s.last_refusal));
    REQUIRE(s.n_spent <= PORT_RULES_MAX && s.n_users <= PORT_NAMES_MAX &&
            s.n_wallets <= PORT_NAMES_MAX && s.uptime_ms >= -1);
    REQUIRE(s.active || (!s.tells_velocity && s.n_spent == 0 && s.policy_hash[0] == 0));
    for (size_t i = 0; i < s.n_users; i++)
        REQUIRE(is_text(s.users[i], PORT_NAME_SIZE) && port_status_has_user(&s, s.users[i]));
    const struct json *spent = json_get(hsts.object, "has_spent");
    const struct json *item = spent != NULL && spent->type == JSON_ARRAY ? spent->items : NULL;
    for (size_t i = 0; i < s.n_spent; i++, item = item->next) {
        int64_t n;
        const bool is_amount = item->type == JSON_NUMBER && json_integer(item, &n, NULL) && n >= 0;
        REQUIRE(is_amount ? s.spent[i].n == (uint64_t)n : !s.tells_velocity && s.spent[i].n == 0);
    }
}
