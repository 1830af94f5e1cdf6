// signer/master.h -- the master secret as the vault keeps it: words and passphrase, or an xprv.
//
// A container is bytes of ours: kind, then the content, at most MASTER_MAX. It is a secret.
// Source: psbt-signing.md 3.3 (the reference's container; ours adds the passphrase).
#ifndef CASEMATE_SIGNER_MASTER_H
#define CASEMATE_SIGNER_MASTER_H
#include "base/secret.h"
#include "bitcoin/hdkey.h"
#include "bitcoin/mnemonic.h"

#define MASTER_MAX 160

enum master_kind {
    MASTER_NONE, // a blank signer
    MASTER_WORDS,
    MASTER_XPRV,
};

// A container of words as a person typed them. passphrase: empty for none.
// Fails: as mnemonic_normalize and mnemonic_to_seed.
MUST_CHECK bool master_of_words(struct secret **out, struct bytes words, struct bytes passphrase,
                                struct err *err);

// A container of the first extended private key in the text. Depth, parent and index are dropped:
// the node is treated as a root. *is_main: the version said BTC rather than XTN or XRT.
// Fails: ERR_MALFORMED "Failed to parse extended private key."
MUST_CHECK bool master_of_xprv(struct secret **out, bool *is_main, struct bytes text,
                               struct err *err);

// A container of no secret.
struct secret *master_of_nothing(void);

// MASTER_NONE also for what is no container.
enum master_kind master_kind(const struct secret *container);

// The root node: PBKDF2 and all, 2 ms. Fails: ERR_STATE "no seed" for MASTER_NONE, ERR_INVALID.
MUST_CHECK bool master_node(struct hdkey *out, const struct secret *container, struct err *err);

// The same with another passphrase in the place of the stored one, for as long as the caller keeps
// it (wire command `pass`). Fails: ERR_STATE "no seed" unless MASTER_WORDS without a passphrase.
MUST_CHECK bool master_node_with_passphrase(struct hdkey *out, const struct secret *container,
                                            struct bytes passphrase, struct err *err);

// Whether a passphrase can be put to it: words, without one.
bool master_has_words(const struct secret *container);

// The words, for the backup. Fails: ERR_STATE "no words" unless MASTER_WORDS.
MUST_CHECK bool master_words(struct writer *out, const struct secret *container, struct err *err);

// The passphrase, empty for none. Fails as master_words.
MUST_CHECK bool master_passphrase(struct writer *out, const struct secret *container,
                                  struct err *err);

#endif
