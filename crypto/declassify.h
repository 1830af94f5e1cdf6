// crypto/declassify.h -- marks where something computed from a secret becomes public.
//
// ct_check.c marks secrets as undefined for valgrind, which then reports each branch and each index
// that depends on them. A signature or public key is computed from secrets too, so the code says
// where such a value may be known. Costs nothing, and is nothing, outside of that test's build.
#ifndef CASEMATE_CRYPTO_DECLASSIFY_H
#define CASEMATE_CRYPTO_DECLASSIFY_H

#ifdef CASEMATE_CT_CHECK
#include <valgrind/memcheck.h>
#define DECLASSIFY(ptr, len) (void)VALGRIND_MAKE_MEM_DEFINED((ptr), (len))
#else
#define DECLASSIFY(ptr, len) (void)0
#endif

#endif
