// http/password.h -- password verifiers as text, and one-time codes as a second factor.
//
// Hashing takes half a second and 64 MiB: call it from a worker, one at a time.
// Source: bunker.md 4.3.
#ifndef CASEMATE_HTTP_PASSWORD_H
#define CASEMATE_HTTP_PASSWORD_H
#include "base/err.h"
#include "base/writer.h"

#define PASSWORD_MIN      4   // characters, as the reference asks for
#define PASSWORD_MAX      199 // bytes
#define PASSWORD_TEXT_MAX 128 // of a verifier, final zero included

// What Argon2id is to cost. The usual is libsodium's INTERACTIVE: 64 MiB, 2 passes.
struct password_cost {
    uint32_t passes, memory_kib;
};
#define PASSWORD_COST ((struct password_cost){ 2, 65536 })

// "$argon2id$v=19$m=65536,t=2,p=1$<salt>$<hash>", base64 without padding, with a fresh salt.
// Fails: ERR_LIMIT "Master password must be at least 4 chars long", "password: more than 199 bytes";
//        ERR_NO_MEMORY.
MUST_CHECK bool password_hash(char out[static PASSWORD_TEXT_MAX], struct bytes password,
                              struct password_cost cost, struct err *err);

// Whether the verifier is of that form, with costs within reason (at most 1 GiB, 16 passes).
bool password_is_verifier(struct bytes verifier);

// Compares in constant time. An empty verifier (an unknown account) is hashed against all the same,
// and never matches. Fails: ERR_AUTH "wrong password", ERR_MALFORMED, ERR_NO_MEMORY.
MUST_CHECK bool password_verify(struct bytes verifier, struct bytes password, struct err *err);

// RFC 6238, SHA-1, six digits, 30 s. Takes steps -1 to +1 around now, later than *last only, and then
// sets *last: no code works twice.
MUST_CHECK bool totp_verify(struct bytes secret, struct bytes code, int64_t now_s, uint64_t *last);

#endif
