#include "bitcoin/base58.h"
#include "fuzz/fuzz.h"

// Text that reads is the only text of its bytes.
static void check_text(struct bytes text)
{
    uint8_t mem[2][BASE58_TEXT_MAX];
    struct writer binary = writer_of(mem[0], sizeof mem[0]);
    struct writer again = writer_of(mem[1], sizeof mem[1]);
    if (!base58_read(&binary, text))
        return;
    base58_write(&again, writer_bytes(&binary));
    REQUIRE(bytes_equal(writer_bytes(&again), text));
}

// What is written with a checksum reads back, and no longer with one digit changed.
static void check_payload(struct bytes payload)
{
    uint8_t mem[2][BASE58_TEXT_MAX];
    struct writer text = writer_of(mem[0], sizeof mem[0]);
    struct writer again = writer_of(mem[1], sizeof mem[1]);
    base58check_write(&text, payload);
    if (text.failed || text.len == 0)
        return;
    REQUIRE(base58check_read(&again, writer_bytes(&text)));
    REQUIRE(bytes_equal(writer_bytes(&again), payload));
    uint8_t *digit = &mem[0][payload.len % text.len];
    *digit = *digit == 'z' ? 'y' : 'z';
    again = writer_of(mem[1], sizeof mem[1]);
    REQUIRE(!base58check_read(&again, writer_bytes(&text)));
    REQUIRE(again.len == 0);
}

FUZZ_TARGET(data)
{
    check_text(data);
    check_payload(data);
}
