#include "coordinator/nostr.h"
#include "base/hex.h"
#include "fuzz/fuzz.h"

// An event that is taken has the id that it claims, and a key that is written as it was read.
FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new((size_t)1 << 20);
    struct nostr_event e;
    struct bytes challenge;
    uint8_t id[32], key[32];
    struct err err;
    if (!nostr_event_read(&e, data, arena, &err))
        return;
    REQUIRE(nostr_event_id(id, &e, arena, &err));
    REQUIRE(hex_decode(key, sizeof key, bytes_of_text(e.pubkey_text)));
    REQUIRE(memcmp(key, e.pubkey, sizeof key) == 0);
    const struct nostr_want strict = { "https://h", e.created_at, false },
                            loose = { "https://h", e.created_at, true };
    // What is taken strictly is taken loosely.
    if (nostr_event_check(&e, &strict, &challenge, &err))
        REQUIRE(nostr_event_check(&e, &loose, &challenge, &err));
}
