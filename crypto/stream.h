// crypto/stream.h -- authenticated encryption of a whole file, in pieces (libsodium's secretstream:
// XChaCha20-Poly1305).
//
// Layout: header (24 bytes), an empty piece, then pieces of STREAM_PIECE bytes and a last one of 0 to
// STREAM_PIECE bytes; each is 17 bytes longer when sealed. The empty piece authenticates key, header
// and `prefix`; the last one is marked, so that a file that was cut short is found.
// Source: libsodium, "Encrypted streams and file encryption".
#ifndef CASEMATE_CRYPTO_STREAM_H
#define CASEMATE_CRYPTO_STREAM_H
#include "base/arena.h"
#include "base/writer.h"

#define STREAM_KEY_LEN  32
#define STREAM_PIECE    4096
#define STREAM_OVERHEAD 41 // header and empty piece

// Appends the sealed stream. prefix: what stands in the clear before it, authenticated with it.
void stream_seal(struct writer *w, struct bytes plain, struct bytes prefix,
                 const uint8_t key[static STREAM_KEY_LEN]);

enum stream_result {
    STREAM_DAMAGED = 0, // what was sealed has been changed
    STREAM_WRONG_KEY,   // another key, or header or prefix were changed
    STREAM_CUT,         // good so far, but the end is missing
    STREAM_NO_MEMORY,
    STREAM_GOOD,
};
// *out lies in the arena, which wipes it; it is written for STREAM_GOOD only, and then is all of it.
MUST_CHECK enum stream_result stream_unseal(struct bytes *out, struct bytes sealed,
                                            struct bytes prefix,
                                            const uint8_t key[static STREAM_KEY_LEN],
                                            struct arena *arena);

#endif
