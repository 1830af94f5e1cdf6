// base/secret.h -- secrets: guarded memory for what lives long, wiping for what does not.
//
// (1) A struct secret lies between guard pages, is locked into memory, is left out of core files,
//     and can be read only between secret_open and secret_close.
// (2) There is no formatter for secrets, so they cannot be logged.
#ifndef CASEMATE_BASE_SECRET_H
#define CASEMATE_BASE_SECRET_H
#include "base/bytes.h"

struct secret;

// Starts libsodium; call once in main before anything else here. False if the system lacks what
// guarded memory or random bytes need.
MUST_CHECK bool secret_init(void);

// A copy of `content`, which the caller wipes. Never NULL: no guarded memory stops the process.
struct secret *secret_new(struct bytes content);
struct secret *secret_new_zeroed(size_t len);
void secret_free(struct secret *s);   // wipes; NULL is fine
void secret_freep(struct secret **s); // for AUTO

size_t secret_len(const struct secret *s);

// Read access until secret_close; calls nest. secret_edit allows writing as well.
struct bytes secret_open(const struct secret *s);
uint8_t *secret_edit(struct secret *s);
void secret_close(const struct secret *s);

// Overwrites; not removed by the compiler.
void wipe(void *ptr, size_t len);

// Overwrites 16 KiB of stack below the caller: what library calls left there.
void wipe_stack(void);

// Equal length and content, in time that depends on the length only.
bool ct_equal(struct bytes a, struct bytes b);

#endif
