#include "coordinator/rpc.h"

#include "fuzz/fuzz.h"

// What a node (or who stands in for one) answers: a result or a fault, never both, never neither; every
// number in it is an exact amount or none.
static void try_amounts(const struct json *value, unsigned depth)
{
    char text[RPC_DECIMAL_SIZE];
    int64_t amount;
    struct sats sats;
    if (value->type == JSON_NUMBER && rpc_signed_sats(value, &amount)) {
        REQUIRE(rpc_sats(value, &sats) == (amount >= 0));
        rpc_decimal(text, amount < 0 ? 0 : (uint64_t)amount);
        REQUIRE(strlen(text) >= 10 && text[strlen(text) - 9] == '.');
    }
    if (value->type == JSON_ARRAY || value->type == JSON_OBJECT)
        for (const struct json *item = value->items; item != NULL; item = item->next)
            if (depth < JSON_DEPTH_MAX)
                try_amounts(item, depth + 1);
}

FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new(1 << 20);
    const struct json *result = NULL;
    struct rpc_fault fault;
    struct err err = { 0 };
    if (rpc_read_reply(&result, data, 1, arena, &fault, &err)) {
        REQUIRE(fault.kind == RPC_FAULT_NONE && result != NULL);
        try_amounts(result, 0);
        return;
    }
    REQUIRE(fault.kind != RPC_FAULT_NONE && result == NULL);
    REQUIRE(memchr(fault.text, 0, sizeof fault.text) != NULL);
    REQUIRE(bytes_is_printable_ascii(bytes_of_text(fault.text)));
}
