#include "bitcoin/psbt.h"
#include "bitcoin/psbt_err.h"
#include "fuzz/fuzz.h"

// Fields take 32 bytes for 3 of the input at least, maps 24 for 1, and both are bounded before.
#define MEMORY_PER_BYTE 64

static void check_refusal(const struct err *err)
{
    REQUIRE(strcmp(err->text, PSBT_PARSE_FAILED) == 0 || strcmp(err->text, PSBT_INVALID) == 0);
    REQUIRE(err->detail[0] != '\0');
}

// What parses is written as it was.
static void check_parsed(const struct psbt *p, struct bytes raw, struct arena *arena)
{
    struct writer w = writer_growing(arena, raw.len);
    psbt_write(&w, p);
    REQUIRE(bytes_equal(writer_bytes(&w), raw));
    REQUIRE(p->tx.n_in == p->n_in && p->tx.n_out == p->n_out);
    REQUIRE(p->version == 0 || p->version == 2);
}

FUZZ_TARGET(data)
{
    struct arena *arena = arena_new(64 << 20);
    struct bytes binary;
    enum psbt_encoding encoding;
    struct psbt p;
    struct err err = { 0 };
    const bool parsed = psbt_parse(&p, data, arena, &err);
    REQUIRE(arena_used(arena) <= MEMORY_PER_BYTE * data.len + 4096);
    if (parsed)
        check_parsed(&p, data, arena);
    else
        check_refusal(&err);
    // The same bytes as a file: binary is returned as it is.
    if (psbt_decode_file(&binary, &encoding, data, arena, &err) && encoding == PSBT_BINARY)
        REQUIRE(bytes_equal(binary, data));
    arena_free(arena);
}
