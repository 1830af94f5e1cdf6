// client/codes.h -- what the host works out about a PSBT for the device to check.
//
// All are over the binary PSBT as it will be uploaded: who hashes a hex or base64 file gets a code
// that is silently wrong. Source: wire-protocol.md 9.2; policy.md 13.3, 14.
#ifndef CASEMATE_CLIENT_CODES_H
#define CASEMATE_CLIENT_CODES_H
#include "base/err.h"
#include "crypto/hash.h"
#include "crypto/otp.h"

struct hash256 codes_sha256(struct bytes content);

// The six digits for the keypad. next_local_code: 20 base64 characters, as `hsts` shows them.
// Fails: ERR_MALFORMED "local code: not 20 base64 characters".
MUST_CHECK bool codes_local(char out[static OTP_TEXT_SIZE], struct bytes next_local_code,
                            const struct hash256 *psbt_hash, struct err *err);

// A TOTP time step, of 30 s, and how many seconds of it are left.
#define CODES_STEP_S 30
uint32_t codes_totp_step(int64_t wall_s, unsigned *left_s);

#endif
