#include "cli/signed_text.h"
#include "fuzz/fuzz.h"

static bool lies_in(struct bytes part, struct bytes all)
{
    return part.len == 0 || (part.ptr >= all.ptr && part.ptr + part.len <= all.ptr + all.len);
}

// The parts lie in the text, one behind the other, and what was read as parts reads so again.
FUZZ_TARGET(data)
{
    struct signed_text first, second;
    struct pubkey key;
    struct err err;
    uint8_t mem[1 << 13];
    if (data.len > sizeof mem / 2 || !signed_text_read(&first, data, &err))
        return;
    REQUIRE(lies_in(first.parts.text, data) && lies_in(first.parts.address, data) &&
            lies_in(first.parts.signature, data));
    if (first.is_story) {
        REQUIRE(first.parts.address.len == 0 && !first.is_bip322);
        if (!signed_text_key(&key, &first.parts, &err))
            REQUIRE(err.code == ERR_INVALID || err.code == ERR_MALFORMED);
    }
    if (bytes_starts_with(bytes_trim(data), BYTES("-----BEGIN")))
        return; // what stands in an armour need not be of one line
    struct writer w = writer_of(mem, sizeof mem);
    writer_put(&w, first.parts.text);
    if (!first.is_story) {
        writer_u8(&w, '\n');
        writer_put(&w, first.parts.address);
        writer_u8(&w, '\n');
    }
    writer_put(&w, first.parts.signature);
    REQUIRE(!w.failed && signed_text_read(&second, writer_bytes(&w), &err));
    REQUIRE(bytes_equal(first.parts.signature, second.parts.signature));
    REQUIRE(first.is_story == second.is_story && first.is_bip322 == second.is_bip322);
    REQUIRE(bytes_equal(first.parts.address, second.parts.address));
}
