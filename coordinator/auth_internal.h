// coordinator/auth_internal.h -- what auth.c and auth_challenge.c share; nobody else includes it.
#ifndef CASEMATE_COORDINATOR_AUTH_INTERNAL_H
#define CASEMATE_COORDINATOR_AUTH_INTERNAL_H
#include "coordinator/auth.h"
#include "crypto/hash.h"

#define AUTH_ARENA ((size_t)256 << 10)

// Purpose and version are inside, so that a text is of use for one purpose.
struct hash256 auth_hash(const char *purpose, struct bytes text);
// 32 random bytes as base64url without padding.
void auth_make_secret(char out[static AUTH_SECRET_SIZE]);

#endif
