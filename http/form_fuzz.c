#include "http/form.h"
#include "fuzz/fuzz.h"

static bool lies_within(struct bytes part, struct bytes all)
{
    return part.len == 0 || (part.ptr >= all.ptr && part.ptr + part.len <= all.ptr + all.len);
}

// What is found in a body lies within it; a decoded text is never longer than its source.
FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 20);
    const struct bytes body = bytes_slice(data, 0, 4096);
    struct bytes value;
    struct err err;
    struct http_parts parts;
    if (http_form_get(body, "a", &value, arena))
        REQUIRE(value.len <= body.len);
    if (http_cookie_get(body, "X", &value))
        REQUIRE(lies_within(value, body));
    if (http_parts_read(&parts, BYTES("multipart/form-data; boundary=b"), body, &err)) {
        REQUIRE(parts.n <= HTTP_PARTS_MAX);
        for (size_t i = 0; i < parts.n; i++)
            REQUIRE(lies_within(parts.items[i].content, body) &&
                    lies_within(parts.items[i].name, body));
    }
}
