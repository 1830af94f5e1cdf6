#include "coordinator/command_reply.h"
#include "base/base64.h"
#include "fuzz/fuzz.h"

// A device that is found has the fingerprint somewhere in the text. A PSBT that is read is one that, written
// as it should be, reads back as the same bytes; a text cannot be both a list and a result.
FUZZ_TARGET(data)
{
    const struct xfp xfp = { { 0x0f, 0x05, 0x69, 0x43 } };
    AUTO(arena_freep) struct arena *arena = arena_new((size_t)64 << 20);
    char model[COMMAND_MODEL_SIZE];
    struct bytes psbt, again;
    struct err err;
    const bool found = command_find(model, data, xfp, arena, &err);
    REQUIRE(found || err.code == ERR_FRAMING || err.code == ERR_NOT_FOUND);
    REQUIRE(!found || (strlen(model) < sizeof model &&
                       data.len >= sizeof "[{\"fingerprint\":\"0f056943\"}]" - 1));
    if (!command_signed(&psbt, data, arena, &err)) {
        REQUIRE(err.code == ERR_FRAMING || err.code == ERR_INVALID);
        REQUIRE(err.code != ERR_INVALID || strlen(err.text) < REFUSAL_TEXT_SIZE);
        return;
    }
    REQUIRE(!found && psbt.len > 0);
    struct writer w = writer_growing(arena, 2 * data.len + 100);
    writer_text(&w, "{\"psbt\": \"");
    base64_write(&w, psbt);
    writer_text(&w, "\"}");
    REQUIRE(command_signed(&again, writer_bytes(&w), arena, &err) && bytes_equal(psbt, again));
}
