#include "bitcoin/address.h"
#include "fuzz/fuzz.h"

// An address that a chain reads pays to a script; where the script has an address, it is the cleaned
// text.
static void check_chain(struct bytes text, struct bytes cleaned, const struct chain *chain)
{
    uint8_t mem[42];
    char back[ADDRESS_TEXT_MAX];
    struct writer script = writer_of(mem, sizeof mem);
    struct writer address = writer_of(back, sizeof back);
    struct err err;
    if (!address_to_script(&script, text, chain, &err)) {
        REQUIRE(script.len == 0);
        return;
    }
    REQUIRE(cleaned.len > 0 && !script.failed);
    if (address_from_script(&address, writer_bytes(&script), chain))
        REQUIRE(bytes_equal(writer_bytes(&address), cleaned));
}

FUZZ_TARGET(data)
{
    char mem[2][ADDRESS_TEXT_MAX];
    struct writer cleaned = writer_of(mem[0], sizeof mem[0]);
    struct writer again = writer_of(mem[1], sizeof mem[1]);
    if (address_clean(&cleaned, data)) {
        REQUIRE(!cleaned.failed && cleaned.len == data.len);
        REQUIRE(address_clean(&again, writer_bytes(&cleaned)));
        REQUIRE(bytes_equal(writer_bytes(&again), writer_bytes(&cleaned)));
    }
    for (int id = CHAIN_BTC; id <= CHAIN_XRT; id++)
        check_chain(data, writer_bytes(&cleaned), chain_by_id((enum chain_id)id));
    // And from the other side: whatever has an address is what the address pays to.
    struct writer address = writer_of(mem[0], sizeof mem[0]);
    if (address_from_script(&address, data, chain_by_id(CHAIN_XTN))) {
        uint8_t script_mem[42];
        struct writer script = writer_of(script_mem, sizeof script_mem);
        struct err err;
        REQUIRE(address_to_script(&script, writer_bytes(&address), chain_by_id(CHAIN_XTN), &err));
        REQUIRE(bytes_equal(writer_bytes(&script), data));
    }
}
