#include "bitcoin/mnemonic.h"
#include "fuzz/fuzz.h"

// What is accepted is written in full, is accepted again unchanged, and is the words of its entropy.
FUZZ_TARGET(data)
{
    char mem[3][MNEMONIC_TEXT_MAX];
    uint8_t entropy[32];
    struct writer first = writer_of(mem[0], sizeof mem[0]);
    struct writer second = writer_of(mem[1], sizeof mem[1]);
    struct writer third = writer_of(mem[2], sizeof mem[2]);
    struct writer bits = writer_of(entropy, sizeof entropy);
    struct err err;
    if (!mnemonic_normalize(&first, data, &err)) {
        REQUIRE(err.code == ERR_MALFORMED && first.len == 0);
        return;
    }
    REQUIRE(mnemonic_normalize(&second, writer_bytes(&first), &err));
    REQUIRE(bytes_equal(writer_bytes(&first), writer_bytes(&second)));
    REQUIRE(mnemonic_to_entropy(&bits, data, &err));
    REQUIRE(mnemonic_from_entropy(&third, writer_bytes(&bits), &err));
    REQUIRE(bytes_equal(writer_bytes(&first), writer_bytes(&third)));
}
