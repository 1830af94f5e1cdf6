#include "bitcoin/tx.h"
#include "bitcoin/tx_scan.h"
#include "fuzz/fuzz.h"

#define ROOM (1 << 17)

// The bytes again, and nothing allocated beyond what they can hold.
static void check_parsed(const struct tx *tx, struct bytes raw, struct arena *arena)
{
    uint8_t *mem = arena_alloc(arena, ROOM);
    REQUIRE(mem != NULL);
    struct writer w = writer_of(mem, ROOM);
    tx_write(&w, tx);
    REQUIRE(bytes_equal(writer_bytes(&w), raw));
    for (size_t i = 0; i < tx->n_in; i++)
        REQUIRE(tx->has_witness || tx->in[i].witness.len == 0);
    // Without witnesses the serialization hashes to the txid.
    if (!tx->has_witness) {
        const struct hash256 expected = sha256d(raw), txid = tx_txid(tx);
        REQUIRE(bytes_equal(BYTES_OF(txid.b), BYTES_OF(expected.b)));
    }
}

// The scanner is a second reader of the same format.
FUZZ_TARGET(data)
{
    struct arena *arena = arena_new(64 << 20);
    struct tx_scan scan;
    struct tx tx;
    struct err err;
    const bool parsed = tx_parse(&tx, data, arena, &err);
    REQUIRE(arena_used(arena) <= 8 * data.len + 1024);
    REQUIRE(parsed == tx_scan(&scan, data, &err));
    if (parsed) {
        const struct hash256 a = tx_txid(&tx), b = tx_scan_txid(&scan);
        REQUIRE(bytes_equal(BYTES_OF(a.b), BYTES_OF(b.b)));
        REQUIRE(scan.n_in == tx.n_in && scan.n_out == tx.n_out);
        check_parsed(&tx, data, arena);
    }
    arena_reset(arena);
    if (tx_parse_legacy(&tx, data, arena, &err)) {
        REQUIRE(!tx.has_witness);
        check_parsed(&tx, data, arena);
    }
    arena_free(arena);
}
