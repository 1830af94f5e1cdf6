#include "crypto/ec.h"
#include "fuzz/fuzz.h"

// One integer of BIP-66: "Zero-length integers are not allowed", "Negative numbers are not
// allowed", "Null bytes at the start of R are not allowed, unless R would otherwise be interpreted
// as a negative number."
static bool is_strict_integer(struct bytes integer)
{
    if (integer.len == 0 || (integer.ptr[0] & 0x80) != 0)
        return false;
    return integer.len == 1 || integer.ptr[0] != 0 || (integer.ptr[1] & 0x80) != 0;
}

// An independent reading of BIP-66, without its hash type byte.
static bool is_strict_der(struct bytes der)
{
    if (der.len < 8 || der.len > 72 || der.ptr[0] != 0x30 || der.ptr[1] != der.len - 2)
        return false;
    const size_t r_len = der.ptr[3];
    if (der.ptr[2] != 0x02 || 6 + r_len >= der.len)
        return false;
    const size_t s_len = der.ptr[5 + r_len];
    return der.ptr[4 + r_len] == 0x02 && 6 + r_len + s_len == der.len &&
           is_strict_integer(bytes_slice(der, 4, r_len)) &&
           is_strict_integer(bytes_slice(der, 6 + r_len, s_len));
}

// What parses is strict and comes back as the same bytes; what is strict and does not parse has
// a number not below the group order, which takes more than 32 bytes.
FUZZ_TARGET(data)
{
    struct signature sig;
    uint8_t again[ECDSA_DER_MAX];
    if (ecdsa_from_der(&sig, data)) {
        REQUIRE(is_strict_der(data));
        REQUIRE(bytes_equal(bytes_of(again, ecdsa_to_der(again, &sig)), data));
    } else if (is_strict_der(data)) {
        const size_t r_len = data.ptr[3], s_len = data.ptr[5 + r_len];
        REQUIRE(r_len > 32 || s_len > 32);
    }
}
