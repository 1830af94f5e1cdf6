#include "coordinator/stream.h"
#include "base/json.h"
#include "fuzz/fuzz.h"

// Whatever is stored as a frame goes out as one line of one event, which is JSON again.
FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new((size_t)16 << 20);
    struct writer w = writer_growing(arena, 65536);
    const struct json *object;
    struct err err;
    bool ends;
    if (!frame_copy(&w, data, &ends, arena) || w.len == 0)
        return;
    const struct bytes all = writer_bytes(&w);
    REQUIRE(all.len > 8 && bytes_starts_with(all, BYTES("data: ")));
    for (size_t i = 0; i + 2 < all.len; i++)
        REQUIRE(all.ptr[i] >= 0x20 && all.ptr[i] < 0x80);
    REQUIRE(json_parse(&object, bytes_slice(all, 6, all.len - 8), arena, &err));
}
