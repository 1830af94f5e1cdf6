// bitcoin/taproot.c
#include "bitcoin/taproot.h"

struct hash256 taproot_tweak(const uint8_t internal[static XONLY_LEN])
{
    struct sha256 h;
    sha256_init_tagged(&h, "TapTweak");
    sha256_update(&h, bytes_of(internal, XONLY_LEN));
    return sha256_final(&h);
}

// BIP-341: "If the spending conditions do not require a script path, the output key should commit
// to an unspendable script path": Q = P + int(hash_TapTweak(bytes(P)))G.
bool taproot_output_key(uint8_t out[static XONLY_LEN], const uint8_t internal[static XONLY_LEN])
{
    const struct hash256 tweak = taproot_tweak(internal);
    return xonly_tweak_add(out, internal, tweak.b);
}
