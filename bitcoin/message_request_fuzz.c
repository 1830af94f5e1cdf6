#include "bitcoin/message_request.h"
#include "bitcoin/message.h"
#include "fuzz/fuzz.h"

// What is read can be signed, and says the same as lines.
FUZZ_TARGET(data)
{
    struct arena *arena = arena_new(1 << 20);
    struct message_request got, again;
    struct err err = { 0 };
    const struct chain *chain = chain_by_id(CHAIN_XTN);
    if (message_request_read(&got, data, chain, arena, &err)) {
        struct writer w = writer_growing(arena, 4096);
        REQUIRE(message_check(got.text, MESSAGE_MAX, true, &err));
        writer_put(&w, got.text);
        writer_text(&w, "\n");
        keypath_write(&w, &got.path);
        writer_printf(&w, "\n%s\n", addr_format_name(got.format));
        if (message_check(got.text, MESSAGE_MAX, false, &err) && got.text.ptr[0] != '{' &&
            !bytes_starts_with(got.text, BYTES("signmessage "))) {
            REQUIRE(message_request_read(&again, writer_bytes(&w), chain, arena, &err));
            REQUIRE(bytes_equal(again.text, got.text) && again.format == got.format);
            REQUIRE(keypath_equal(&again.path, &got.path));
        }
    } else {
        REQUIRE(err.code != ERR_NONE && err.text[0] != '\0');
    }
    arena_free(arena);
}
