#include "client/websocket.h"
#include "fuzz/fuzz.h"

#define LIMIT 3000

// Events of a stream, as one text: kinds and contents.
static void record(struct writer *out, struct bytes data, size_t step)
{
    AUTO(websocket_wipe) struct websocket ws = { .limit = LIMIT };
    for (size_t at = 0; at < data.len; at += step) {
        struct bytes content;
        struct err err;
        enum websocket_event event;
        websocket_feed(&ws, bytes_slice(data, at, step));
        while ((event = websocket_next(&ws, &content, &err)) != WEBSOCKET_MORE) {
            writer_u8(out, (uint8_t)event);
            if (event == WEBSOCKET_BAD)
                return;
            REQUIRE(content.len <= LIMIT);
            writer_put(out, content);
        }
    }
}

// How a stream is cut by the network changes nothing of what it says; an answer to the upgrade is read
// without harm.
FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new((size_t)8 << 20);
    struct writer whole = writer_growing(arena, (size_t)1 << 20),
                  cut = writer_growing(arena, (size_t)1 << 20);
    struct err err;
    record(&whole, data, data.len + 1);
    record(&cut, data, 3);
    REQUIRE(!whole.failed && bytes_equal(writer_bytes(&whole), writer_bytes(&cut)));
    if (websocket_head_len(data) > 0 && websocket_check_answer(data, "p", "k", &err))
        REQUIRE(bytes_starts_with(data, BYTES("HTTP/1.")));
}
