#include "bitcoin/message.h"
#include "fuzz/fuzz.h"

// What is read from an armour, written again, is read as the same.
static void check_armor(struct bytes data)
{
    static uint8_t mem[1 << 17];
    struct writer w = writer_of(mem, sizeof mem);
    struct message_armor armor, again;
    struct err err;
    bool header_matches;
    if (!message_armor_parse(&armor, data, &err))
        return;
    message_armor_write(&w, &armor);
    REQUIRE(!w.failed);
    if (armor.signature.len > 0 && armor.address.len > 0) {
        REQUIRE(message_armor_parse(&again, writer_bytes(&w), &err));
        REQUIRE(bytes_equal(again.text, armor.text));
        REQUIRE(bytes_equal(again.address, armor.address));
        REQUIRE(bytes_equal(again.signature, armor.signature));
    }
    if (message_verify(&header_matches, &armor, &err)) {
        // A signature of this text is none of a longer one.
        again = armor;
        again.text = data;
        REQUIRE(!message_verify(&header_matches, &again, &err));
    }
}

FUZZ_TARGET(data)
{
    const struct hash256 digest = message_digest(data);
    enum addr_format format;
    struct pubkey key;
    struct err err;
    check_armor(data);
    if (message_check(data, MESSAGE_MAX, false, &err)) {
        REQUIRE(data.len >= 2 && data.len <= MESSAGE_MAX && bytes_is_printable_ascii(data));
        REQUIRE(message_check(data, MESSAGE_BIP322_MAX, true, &err));
    }
    if (message_recover(&key, &format, data, &digest))
        REQUIRE(data.len == MESSAGE_SIGNATURE_LEN);
}
