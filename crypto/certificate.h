// crypto/certificate.h -- whose a verified TLS client certificate is.
#ifndef CASEMATE_CRYPTO_CERTIFICATE_H
#define CASEMATE_CRYPTO_CERTIFICATE_H
#include "base/bytes.h"

#define CERTIFICATE_NAME_SIZE 256

// The first DNS name among the subject's alternative names, else the common name, of the certificate that
// OpenSSL is verifying: store_context is its X509_STORE_CTX. Only of the certificate itself, not of the
// authorities above it: false for those, and for names that are absent, too long, or hold a zero byte or
// other than printable ASCII. Source: bunker.md 3.4, 4.3.
MUST_CHECK bool certificate_name(char out[static CERTIFICATE_NAME_SIZE], void *store_context);

// The same of a certificate in DER.
MUST_CHECK bool certificate_name_of(char out[static CERTIFICATE_NAME_SIZE], struct bytes der);

#endif
