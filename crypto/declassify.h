// crypto/declassify.h -- marks where something computed from a secret becomes public.
//
// ct_check.c has valgrind report each branch and each index that depends on a secret. Signatures and
// public keys are computed from secrets too, so the code says where such a value may be known.
// Means nothing outside of that test's build, in which ct_check.c implements it.
#ifndef CASEMATE_CRYPTO_DECLASSIFY_H
#define CASEMATE_CRYPTO_DECLASSIFY_H
#include "base/bytes.h"

#ifdef CASEMATE_CT_CHECK
void declassify(const void *ptr, size_t len);
#else
static inline void declassify(const void *ptr, size_t len)
{
    (void)ptr;
    (void)len;
}
#endif

#endif
