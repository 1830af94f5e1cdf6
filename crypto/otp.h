// crypto/otp.h -- RFC 4226 one-time codes, and the dynamic truncations that go with them.
#ifndef CASEMATE_CRYPTO_OTP_H
#define CASEMATE_CRYPTO_OTP_H
#include "base/bytes.h"

// Six decimal digits and a final zero: HMAC-SHA-1 over the counter. For TOTP (RFC 6238) the counter
// is the time step.
#define OTP_TEXT_SIZE 7
void otp_code(char out[static OTP_TEXT_SIZE], struct bytes secret, uint64_t counter);

// The code of the local operator: HMAC-SHA-256(key, digest), last four bytes big-endian, top bit
// cleared, modulo 10^6. Source: policy.md 14.
void local_code(char out[static OTP_TEXT_SIZE], struct bytes key, struct bytes digest);

#endif
