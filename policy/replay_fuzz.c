#include "policy/replay.h"
#include "fuzz/fuzz.h"

// A line is counted once or not at all, and a policy without rules signs nothing that was refused.
FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new(64u << 20);
    static const struct policy nothing; // zeroed: signs nothing
    struct replay replay = { .policy = &nothing };
    struct replay_outcome o;
    struct err err;
    const bool ok = replay_line(&o, &replay, data, arena, &err);
    const uint64_t n = replay.n_same + replay.n_different + replay.n_unknown;
    REQUIRE(n == (ok && o.result != REPLAY_NO_DECISION));
    if (ok && o.result == REPLAY_DIFFERENT)
        REQUIRE(o.was_signed);
}
