#include "crypto/ec.h"
#include "fuzz/fuzz.h"
#include <string.h>

// What parses is a point: it is read again from each of its forms, and these are the input's bytes.
FUZZ_TARGET(data)
{
    struct pubkey key, again;
    struct err err;
    if (!pubkey_parse(&key, data, &err)) {
        REQUIRE(err.code == ERR_INVALID);
        return;
    }
    REQUIRE(pubkey_parse(&again, BYTES_OF(key.b), &err) && pubkey_equal(&again, &key));
    const struct pubkey64 wide = pubkey_to64(&key);
    REQUIRE(pubkey_from64(&again, &wide, &err) && pubkey_equal(&again, &key));
    REQUIRE(key.b[0] == (wide.b[63] % 2 == 0 ? 0x02 : 0x03));
    REQUIRE(memcmp(wide.b, key.b + 1, 32) == 0);
    if (data.len == sizeof key.b)
        REQUIRE(bytes_equal(BYTES_OF(key.b), data));
    else
        REQUIRE(data.ptr[0] == 0x04 && bytes_equal(BYTES_OF(wide.b), bytes_slice(data, 1, 64)));
}
