#include "bunker/settings.h"
#include "fuzz/fuzz.h"

// What is read and written again is read as the same.
FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new(64 << 20);
    struct settings s;
    struct err err;
    settings_init(&s, "/");
    if (settings_read(&s, bytes_slice(data, 0, 65536), arena, &err)) {
        struct writer first = writer_growing(arena, 1 << 22),
                      second = writer_growing(arena, 1 << 22);
        settings_write(&first, &s);
        REQUIRE(settings_read(&s, writer_bytes(&first), arena, &err));
        settings_write(&second, &s);
        REQUIRE(bytes_equal(writer_bytes(&first), writer_bytes(&second)));
    }
    settings_free(&s);
}
