// crypto/random.h -- random bytes from the kernel.
#ifndef CASEMATE_CRYPTO_RANDOM_H
#define CASEMATE_CRYPTO_RANDOM_H
#include "base/bytes.h"

// Stops the process if the kernel has none.
void random_bytes(void *out, size_t len);

// Uniform in 0 ... bound - 1, bound at least 1.
uint32_t random_below(uint32_t bound);

#endif
