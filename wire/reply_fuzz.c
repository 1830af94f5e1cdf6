#include "wire/reply.h"
#include "fuzz/fuzz.h"

// What the client accepts is what a device packs: the same bytes. Two exceptions that we read and
// never send: the blanks behind an old `fram`, and `asci` beyond ASCII.
FUZZ_TARGET(data)
{
    static uint8_t mem[1 << 16];
    struct writer w = writer_of(mem, sizeof mem);
    struct reply reply;
    struct bytes packed;
    struct err err;
    if (data.len > sizeof mem)
        return;
    if (!reply_unpack(&reply, data, &err)) {
        REQUIRE(err.code == ERR_FRAMING);
        return;
    }
    struct err why = { .code = ERR_NONE };
    const bool success = reply_is_success(&reply, &why);
    REQUIRE(success == (reply.id != REPLY_FRAM && reply.id != REPLY_ERR_ &&
                        reply.id != REPLY_REFU && reply.id != REPLY_BUSY));
    REQUIRE(success == (why.code == ERR_NONE));
    reply_pack(&w, &reply);
    if (!writer_finish(&w, &packed)) {
        REQUIRE(reply.id == REPLY_ASCI && !bytes_is_printable_ascii(reply.data));
        return;
    }
    REQUIRE(bytes_starts_with(data, packed));
    for (size_t i = packed.len; i < data.len; i++)
        REQUIRE(reply.id == REPLY_FRAM && data.ptr[i] == ' ');
}
