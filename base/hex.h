// base/hex.h -- hexadecimal text.
#ifndef CASEMATE_BASE_HEX_H
#define CASEMATE_BASE_HEX_H
#include "base/bytes.h"

// Writes 2 * in.len digits and a final zero to `out`, which has room for them.
void hex_encode(char *out, struct bytes in);
void hex_encode_upper(char *out, struct bytes in);

// Exactly `len` bytes from exactly 2 * len digits of either case. False and nothing written
// otherwise.
MUST_CHECK bool hex_decode(void *out, size_t len, struct bytes text);

#endif
