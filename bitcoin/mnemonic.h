// bitcoin/mnemonic.h -- BIP-39 words.
#ifndef CASEMATE_BITCOIN_MNEMONIC_H
#define CASEMATE_BITCOIN_MNEMONIC_H
#include "base/err.h"
#include "base/writer.h"

#define MNEMONIC_TEXT_MAX       256 // 24 words of 8 letters and blanks
#define MNEMONIC_PASSPHRASE_MAX 99
#define MNEMONIC_SEED_LEN       64

// Room for words and for a seed, wiped on the way out: AUTO(mnemonic_text_wipe).
struct mnemonic_text {
    char b[MNEMONIC_TEXT_MAX];
};
struct mnemonic_seed {
    uint8_t b[MNEMONIC_SEED_LEN];
};
void mnemonic_text_wipe(struct mnemonic_text *text);
void mnemonic_seed_wipe(struct mnemonic_seed *seed);

// Cleans what a person typed: any blanks, either case, words by their first four letters (or
// whole); checks the word count (12, 18, 24) and the checksum; writes full lower-case words with
// one blank. Fails: ERR_MALFORMED naming the word's number (never the word), the count, or the
// checksum.
MUST_CHECK bool mnemonic_normalize(struct writer *out, struct bytes text, struct err *err);

// Words of 16, 24 or 32 bytes of entropy, and back. Fails: ERR_INVALID for another length of entropy;
// back: as mnemonic_normalize.
MUST_CHECK bool mnemonic_from_entropy(struct writer *out, struct bytes entropy, struct err *err);
MUST_CHECK bool mnemonic_to_entropy(struct writer *out, struct bytes words, struct err *err);

// PBKDF2-HMAC-SHA-512 of normalized words. passphrase: "" for none, else 1 to 99 bytes of 0x20 to
// 0x7e. Fails: ERR_INVALID "must be ascii printable", "too long".
MUST_CHECK bool mnemonic_to_seed(uint8_t seed[static MNEMONIC_SEED_LEN], struct bytes words,
                                 struct bytes passphrase, struct err *err);

#endif
