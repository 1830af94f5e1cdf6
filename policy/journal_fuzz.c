#include "policy/journal.h"
#include "fuzz/fuzz.h"
#include "policy/journal_verify.h"

// A frame that is read is made of the parts that it was taken apart into, and a file of lines that
// nobody signed has no good one. What reads as facts writes and reads as the same again.
static void check_frame(struct bytes line)
{
    struct journal_record r;
    struct err err;
    if (!journal_record_read(&r, line, &err))
        return;
    REQUIRE(bytes_starts_with(line, r.signed_part));
    REQUIRE(line.len == r.signed_part.len + sizeof ", \"sig\": \"\"}" - 1 + 128);
    static const uint8_t generator_x[32] = {
        0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac, 0x55, 0xa0, 0x62,
        0x95, 0xce, 0x87, 0x0b, 0x07, 0x02, 0x9b, 0xfc, 0xdb, 0x2d, 0xce,
        0x28, 0xd9, 0x59, 0xf2, 0x81, 0x5b, 0x16, 0xf8, 0x17, 0x98,
    };
    (void)journal_record_verifies(&r, generator_x);
}

static void check_facts(struct bytes text)
{
    AUTO(arena_freep) struct arena *arena = arena_new(16u << 20);
    const struct json *json;
    struct tx_facts tx;
    struct err err;
    struct bytes first, second;
    if (!json_parse(&json, text, arena, &err) || !journal_facts_read(&tx, json, arena, &err))
        return;
    struct writer w = writer_growing(arena, 4u << 20);
    struct json_writer j = json_writer_of(&w);
    journal_facts_write(&j, &tx);
    if (!writer_finish(&w, &first))
        return;
    REQUIRE(json_parse(&json, first, arena, &err) && journal_facts_read(&tx, json, arena, &err));
    w = writer_growing(arena, 4u << 20);
    j = json_writer_of(&w);
    journal_facts_write(&j, &tx);
    REQUIRE(writer_finish(&w, &second) && bytes_equal(first, second));
}

FUZZ_TARGET(data)
{
    static const uint8_t key[32] = { 1 };
    struct journal_verifier v;
    check_frame(data);
    check_facts(data);
    REQUIRE(!journal_verify(&v, data, key, NULL) && v.n_good == 0);
}
