// crypto/hmac.h -- HMAC (RFC 2104). Keys of any length. Inner state is wiped.
#ifndef CASEMATE_CRYPTO_HMAC_H
#define CASEMATE_CRYPTO_HMAC_H
#include "base/bytes.h"

void hmac_sha1(uint8_t out[static 20], struct bytes key, struct bytes data);
void hmac_sha256(uint8_t out[static 32], struct bytes key, struct bytes data);
void hmac_sha512(uint8_t out[static 64], struct bytes key, struct bytes data);

#endif
