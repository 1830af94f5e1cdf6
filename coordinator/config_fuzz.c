#include "coordinator/config.h"
#include "fuzz/fuzz.h"

#define ROOM ((size_t)1 << 20)

// A configuration that is taken is printed as one that is taken, and that prints the same.
FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new(8 * ROOM);
    struct coordinator_config *first = arena_alloc(arena, sizeof *first),
                              *second = arena_alloc(arena, sizeof *second);
    struct writer a = writer_growing(arena, ROOM), b = writer_growing(arena, ROOM);
    struct err err;
    REQUIRE(first != NULL && second != NULL);
    if (data.len > 16384 || !config_parse(first, "f", data, arena, &err))
        return;
    config_write(&a, first);
    REQUIRE(config_parse(second, "g", writer_bytes(&a), arena, &err));
    config_write(&b, second);
    REQUIRE(bytes_equal(writer_bytes(&a), writer_bytes(&b)));
    REQUIRE((first->sqlite == NULL) != (first->postgres == NULL));
}
