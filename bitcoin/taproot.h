// bitcoin/taproot.h -- taproot outputs that only a key can spend: no script tree.
//
// Keys are x-only, 32 bytes. Source: BIP-341, psbt-signing.md 22.
#ifndef CASEMATE_BITCOIN_TAPROOT_H
#define CASEMATE_BITCOIN_TAPROOT_H
#include "crypto/ec.h"

#define XONLY_LEN 32

// What is added to the internal key: hash_TapTweak of its bytes.
struct hash256 taproot_tweak(const uint8_t internal[static XONLY_LEN]);

// The key of the output. False if `internal` is on no point of the curve, or in 2^127.
MUST_CHECK bool taproot_output_key(uint8_t out[static XONLY_LEN],
                                   const uint8_t internal[static XONLY_LEN]);

#endif
