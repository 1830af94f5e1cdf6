// crypto/evp.h -- OpenSSL's <openssl/evp.h>, made to live beside base/. For crypto/ only.
//
// A file includes this before any header of base/, in a block of its own: it has parameters named
// `rand`, which base/banned.h poisons for what follows, and a type ERR_STATE, a code in base/err.h.
#ifndef CASEMATE_CRYPTO_EVP_H
#define CASEMATE_CRYPTO_EVP_H

#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/evp.h>
#undef ERR_STATE

#endif
