#include "bitcoin/bip322.h"
#include "base/reader.h"
#include "fuzz/fuzz.h"

// address LF message LF signature. Whatever verifies does so for that message alone, and again.
FUZZ_TARGET(data)
{
    struct arena *arena = arena_new(64 << 20);
    struct reader r = reader_of(data);
    struct bytes address, message, signature;
    struct bip322_proof proof, again;
    struct err err = { 0 };
    if (reader_until(&r, '\n', &address) && reader_until(&r, '\n', &message)) {
        signature = reader_rest(&r);
        if (bip322_verify(&proof, message, address, signature, arena, &err)) {
            REQUIRE(bip322_verify(&again, message, address, signature, arena, &err));
            REQUIRE(again.n_funds == proof.n_funds && again.funds.n == proof.funds.n);
            REQUIRE(!bip322_verify(&again, bytes_slice(data, 0, address.len), address, signature,
                                   arena, &err) ||
                    bytes_equal(message, address));
        } else {
            REQUIRE(err.code != ERR_NONE && err.text[0] != '\0');
        }
    }
    arena_free(arena);
}
