#include "bunker/review.h"
#include "fuzz/fuzz.h"

// What is taken is a PSBT; what is said of it is JSON; and it is no signed form of itself.
FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new(REVIEW_ARENA);
    const struct json *again;
    struct bytes psbt_bytes;
    struct psbt psbt;
    enum result_kind kind;
    char txid[65];
    struct err err;
    if (!review_upload(&psbt_bytes, data, arena, &err))
        return;
    REQUIRE(psbt_parse(&psbt, psbt_bytes, arena, &err));
    struct writer w = writer_growing(arena, 1 << 24);
    struct json_writer j = json_writer_of(&w);
    review_write(&j, &psbt, BYTES("0F056943"), chain_by_id(CHAIN_XTN), arena);
    (void)review_is_completed_by(&psbt, BYTES("0F056943"));
    if (!w.failed)
        REQUIRE(json_parse(&again, writer_bytes(&w), arena, &err));
    REQUIRE(!review_result(&kind, txid, psbt_bytes, psbt_bytes, arena, &err));
}
