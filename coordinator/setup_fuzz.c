#include "coordinator/setup.h"
#include "fuzz/fuzz.h"

// A setup file that can be described can be described again, in the same words, from its own JSON.
FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new((size_t)32 << 20);
    struct writer first = writer_growing(arena, 65536), second = writer_growing(arena, 65536),
                  json = writer_growing(arena, (size_t)4 << 20);
    struct json_writer j = json_writer_of(&json);
    const struct json *file, *again;
    struct err err;
    if (data.len > 65536 || !json_parse(&file, data, arena, &err) ||
        !setup_describe(&first, file, arena, &err))
        return;
    json_value(&j, file);
    REQUIRE(json_parse(&again, writer_bytes(&json), arena, &err));
    REQUIRE(setup_describe(&second, again, arena, &err));
    REQUIRE(bytes_equal(writer_bytes(&first), writer_bytes(&second)));
}
