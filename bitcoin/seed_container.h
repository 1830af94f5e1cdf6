// bitcoin/seed_container.h -- the 72 bytes in which the reference keeps its secret, for backups.
//
// Zero padded. The first byte says what follows:
//   00        nothing                      01        chain code (32), private key (32)
//   80 81 82  16, 24, 32 bytes of entropy  10 to 40  a raw master secret of that many bytes
// Source: psbt-signing.md 3.3.
#ifndef CASEMATE_BITCOIN_SEED_CONTAINER_H
#define CASEMATE_BITCOIN_SEED_CONTAINER_H
#include "bitcoin/hdkey.h"

#define SEED_CONTAINER_LEN 72
#define SEED_CONTENT_MAX   64

enum seed_kind {
    SEED_NONE,
    SEED_NODE,    // chain code and private key of an imported extended key
    SEED_ENTROPY, // of BIP-39 words
    SEED_RAW,     // used as BIP-32 seed
};
// A secret; wipe after use.
struct seed_content {
    enum seed_kind kind;
    size_t len;
    uint8_t b[SEED_CONTENT_MAX];
};
void seed_content_wipe(struct seed_content *content); // also for AUTO

// Fails: ERR_INVALID for a length that no marker stands for.
MUST_CHECK bool seed_container_write(uint8_t out[static SEED_CONTAINER_LEN],
                                     const struct seed_content *content, struct err *err);

// Fails: ERR_MALFORMED "secret container: <what>": not 72 bytes, an unknown marker, padding that is
//        not zero. Never names a byte of it.
MUST_CHECK bool seed_container_read(struct seed_content *out, struct bytes container,
                                    struct err *err);

// The root node. passphrase: of entropy only; elsewhere it must be empty (3.3: "A BIP-39 passphrase
// cannot be combined" with an extended key).
// Fails: ERR_STATE "no seed" for SEED_NONE; ERR_INVALID for a key out of range and for a passphrase
//        that there cannot be; as mnemonic_to_seed.
MUST_CHECK bool seed_content_node(struct hdkey *out, const struct seed_content *content,
                                  struct bytes passphrase, struct err *err);

#endif
