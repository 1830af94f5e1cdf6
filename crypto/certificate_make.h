// crypto/certificate_make.h -- X.509 certificates for a private authority: its own, servers', clients'.
//
// (1) Keys are of the curve P-256 and leave here once, as PEM in the arena.
// (2) An authority's certificate may sign leaves only (path length 0); a server's does not serve as a client's, nor the
//     other way round (extended key usage).
// Source: bunker.md 3.4; RFC 5280.
#ifndef CASEMATE_CRYPTO_CERTIFICATE_MAKE_H
#define CASEMATE_CRYPTO_CERTIFICATE_MAKE_H
#include "base/arena.h"
#include "base/err.h"
#include "crypto/hash.h"

#define CERTIFICATE_NAMES_MAX 16
#define CERTIFICATE_DAYS_MAX  36500
#define CERTIFICATE_PEM_MAX   65536 // longest file of certificates that is read

enum certificate_kind { CERTIFICATE_AUTHORITY, CERTIFICATE_SERVER, CERTIFICATE_CLIENT };

struct certificate_wish {
    enum certificate_kind kind;
    // An authority: one text, its common name. Else DNS names and, for servers, IP addresses; the first is
    // the common name too.
    size_t n_names;
    const char *names[CERTIFICATE_NAMES_MAX];
    int64_t now_s;
    unsigned days; // an authority gets one more
};
struct certificate_pem { // in the arena; the key is secret
    struct bytes certificate, key;
};

// issuer: an authority's; NULL for an authority, which signs itself.
// Fails: ERR_USAGE "'<name>' is not <what>", "authority: <what>", "would outlive its authority, which ends in <n> days".
MUST_CHECK bool certificate_make(struct certificate_pem *out, const struct certificate_wish *wish,
                                 const struct certificate_pem *issuer, struct arena *arena,
                                 struct err *err);

// SHA-256 of the first certificate of a PEM file, in DER: what clients pin.
// Fails: ERR_MALFORMED "not a certificate in PEM".
MUST_CHECK bool certificate_fingerprint(struct hash256 *out, struct bytes pem, struct err *err);

#endif
