#include "http/listener.h"
#include "fuzz/fuzz.h"

// No file makes a listener without authentication on anything but loopback, unless it says so in words.
FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new(16 << 20);
    struct listeners all = { 0 };
    struct conf conf;
    struct err err;
    if (!conf_parse(&conf, "f", data, arena, &err) || !listeners_read(&all, &conf, arena, &err) ||
        !listeners_check(&all, &err))
        return;
    for (size_t i = 0; i < all.n; i++) {
        const struct listener *l = &all.items[i];
        REQUIRE(l->auth != 0 || l->loopback || l->allow_unauthenticated_remote);
        REQUIRE(l->path != NULL || l->address != NULL);
        REQUIRE(!listener_has_host(l, (struct bytes){ 0 }));
    }
}
