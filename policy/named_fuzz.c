#include "policy/named.h"
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

// No policy is refused for want of a user or a wallet that it names.
FUZZ_TARGET(data)
{
    struct arena *arena = arena_new(64u << 20);
    struct policy_world world;
    struct policy policy;
    struct err err = { 0 };
    if (policy_names(&world, data, arena, &err)) {
        check_names(world.users, world.n_users);
        check_names(world.wallets, world.n_wallets);
        if (!policy_parse_named(&policy, data, arena, &err) && world.n_users < POLICY_NAMED_MAX &&
            world.n_wallets < POLICY_NAMED_MAX)
            REQUIRE(!misses(err.text, "Unknown user: ") &&
                    !misses(err.text, "unknown MS wallet: "));
    } else {
        REQUIRE(err.code == ERR_NO_MEMORY);
    }
    arena_free(arena);
}
