#include "bitcoin/bech32.h"
#include "fuzz/fuzz.h"
#include <string.h>

// An address that reads is written as the same text in lower case.
FUZZ_TARGET(data)
{
    struct segwit_program p;
    struct bytes hrp;
    uint8_t mem[BECH32_TEXT_MAX];
    char prefix[BECH32_TEXT_MAX + 1];
    struct writer w = writer_of(mem, sizeof mem);
    if (!segwit_read(&p, &hrp, data))
        return;
    REQUIRE(p.version <= 16 && p.len >= 2 && p.len <= sizeof p.program);
    for (size_t i = 0; i < hrp.len; i++)
        prefix[i] = (char)(hrp.ptr[i] >= 'A' && hrp.ptr[i] <= 'Z' ? hrp.ptr[i] | 0x20 : hrp.ptr[i]);
    prefix[hrp.len] = '\0';
    segwit_write(&w, prefix, &p);
    REQUIRE(!w.failed && w.len == data.len);
    for (size_t i = 0; i < data.len; i++) {
        const uint8_t c = data.ptr[i];
        REQUIRE(mem[i] == (c >= 'A' && c <= 'Z' ? c | 0x20 : c));
    }
}
