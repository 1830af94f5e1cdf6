// signer/backup_secret.h -- the master secret in the text of a backup, in each of its forms.
// Source: psbt-signing.md 3.3.
#ifndef CASEMATE_SIGNER_BACKUP_SECRET_H
#define CASEMATE_SIGNER_BACKUP_SECRET_H
#include "base/err.h"
#include "base/secret.h"

// The values of the lines of those names; empty: not there. All borrowed.
struct backup_secret {
    struct bytes mnemonic, passphrase;
    struct bytes raw_secret; // hex digits of the reference's container
    struct bytes xprv;       // beside one of the others: it must be the same key
};

// *out is a container of signer/master.h, which the caller frees.
// Fails: ERR_MALFORMED "<name>: <what>", "no key: ..."; ERR_INVALID where two of them are two keys.
MUST_CHECK bool backup_secret_read(struct secret **out, const struct backup_secret *in,
                                   struct err *err);

#endif
