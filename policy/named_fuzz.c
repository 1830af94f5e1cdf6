#include "policy/named.h"
#include "base/json.h"
#include "fuzz/fuzz.h"

static void check_names(const struct bytes *items, size_t n)
{
    REQUIRE(n <= POLICY_NAMED_MAX);
    for (size_t i = 0; i < n; i++) {
        REQUIRE(items[i].len > 0);
        for (size_t k = 0; k < i; k++)
            REQUIRE(!bytes_equal(items[i], items[k]));
    }
}

// "HSM Policy invalid: <origin>: <what><name>" of a name that could stand in a list.
static bool misses(const char *text, const char *what)
{
    const char *rest = strchr(text, ':');
    rest = rest != NULL ? strchr(rest + 1, ':') : NULL;
    return rest != NULL && strncmp(rest + 2, what, strlen(what)) == 0 &&
           rest[2 + strlen(what)] != '\0';
}

// Whether all that stands where names do is a text: what is none is nobody's name, and refused as such.
static bool all_texts(const struct json *list)
{
    for (const struct json *v = list != NULL ? list->items : NULL; v != NULL; v = v->next)
        if (v->type != JSON_STRING || v->text.len == 0)
            return false;
    return true;
}

static bool has_texts_for_names(const struct json *policy)
{
    const struct json *rules = json_get(policy, "rules");
    for (const struct json *r = rules != NULL ? rules->items : NULL; r != NULL; r = r->next) {
        const struct json *wallet = json_get(r, "wallet");
        if (!all_texts(json_get(r, "users")) || (wallet != NULL && wallet->type != JSON_STRING))
            return false;
    }
    return all_texts(json_get(json_get(policy, "casemate"), "msg_users"));
}

// No policy is refused for want of a user or a wallet that it names.
FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new(64u << 20);
    const struct json *file;
    struct policy_world world;
    struct policy policy;
    struct err err = { 0 };
    if (!policy_names(&world, data, arena, &err)) {
        REQUIRE(err.code == ERR_NO_MEMORY);
        return;
    }
    check_names(world.users, world.n_users);
    check_names(world.wallets, world.n_wallets);
    if (policy_parse_named(&policy, data, arena, &err) || !json_parse(&file, data, arena, &err) ||
        !has_texts_for_names(file))
        return;
    REQUIRE(!policy_parse_named(&policy, data, arena, &err)); // as before; its text is in err again
    if (world.n_users < POLICY_NAMED_MAX && world.n_wallets < POLICY_NAMED_MAX)
        REQUIRE(!misses(err.text, "Unknown user: ") && !misses(err.text, "unknown MS wallet: "));
}
