#include "wire/panel.h"
#include "fuzz/fuzz.h"

enum { LIMIT = 1 << 22 };

// What is read, written, read and written again has not changed the second time.
static void request_is_stable(struct bytes line, struct arena *arena)
{
    struct panel_request request;
    struct bytes one, two;
    struct err err;
    if (!panel_request_unpack(&request, line, arena, &err)) {
        REQUIRE(err.code == ERR_MALFORMED);
        return;
    }
    struct writer w = writer_growing(arena, LIMIT), again = writer_growing(arena, LIMIT);
    panel_request_pack(&w, &request);
    if (!writer_finish(&w, &one)) // longer in our spelling than a line may be
        return;
    REQUIRE(panel_request_unpack(&request, one, arena, &err));
    panel_request_pack(&again, &request);
    REQUIRE(writer_finish(&again, &two) && bytes_equal(one, two));
}

static void reply_is_stable(struct bytes line, struct arena *arena)
{
    struct panel_reply reply;
    struct bytes one, two;
    struct err err;
    if (!panel_reply_unpack(&reply, line, arena, &err)) {
        REQUIRE(err.code == ERR_MALFORMED);
        return;
    }
    struct writer w = writer_growing(arena, LIMIT), again = writer_growing(arena, LIMIT);
    panel_reply_pack(&w, &reply);
    if (!writer_finish(&w, &one))
        return;
    REQUIRE(panel_reply_unpack(&reply, one, arena, &err));
    panel_reply_pack(&again, &reply);
    REQUIRE(writer_finish(&again, &two) && bytes_equal(one, two));
}

static void hello_is_stable(struct bytes line, struct arena *arena)
{
    struct panel_hello hello;
    struct bytes one, two;
    struct err err;
    if (!panel_hello_unpack(&hello, line, arena, &err))
        return;
    struct writer w = writer_growing(arena, LIMIT), again = writer_growing(arena, LIMIT);
    panel_hello_pack(&w, &hello);
    if (!writer_finish(&w, &one))
        return;
    REQUIRE(panel_hello_unpack(&hello, one, arena, &err));
    panel_hello_pack(&again, &hello);
    REQUIRE(writer_finish(&again, &two) && bytes_equal(one, two));
}

// First byte: how many bytes arrive at a time. However they arrive, the lines are those between the
// line feeds.
FUZZ_TARGET(data)
{
    static struct panel_lines lines;
    if (data.len == 0 || data.len > PANEL_LINE_MAX / 2)
        return;
    const size_t step = (size_t)data.ptr[0] + 1;
    const struct bytes stream = bytes_slice(data, 1, SIZE_MAX);
    struct arena *arena = arena_new(1 << 24);
    size_t start = 0; // of the line that is expected next
    for (size_t at = 0; at < stream.len; at += step) {
        struct bytes line, in = bytes_slice(stream, at, step);
        while (panel_lines_feed(&lines, &in, &line) == PANEL_LINE_COMPLETE) {
            REQUIRE(bytes_equal(line, bytes_slice(stream, start, line.len)));
            REQUIRE(stream.ptr[start + line.len] == '\n');
            REQUIRE(line.len == 0 || memchr(line.ptr, '\n', line.len) == NULL);
            start += line.len + 1;
            request_is_stable(line, arena);
            reply_is_stable(line, arena);
            hello_is_stable(line, arena);
        }
        REQUIRE(in.len == 0);
    }
    REQUIRE(lines.complete || lines.len == stream.len - start);
    panel_lines_wipe(&lines);
    arena_free(arena);
}
