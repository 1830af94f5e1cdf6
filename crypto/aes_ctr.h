// crypto/aes_ctr.h -- AES-256 in counter mode as one continuous stream.
#ifndef CASEMATE_CRYPTO_AES_CTR_H
#define CASEMATE_CRYPTO_AES_CTR_H
#include <stddef.h>
#include <stdint.h>

struct aes_ctr;

// Counter block: 16 zero bytes at the start, one 128-bit big-endian integer.
// Source: wire-protocol.md 4.2; NIST SP 800-38A.
struct aes_ctr *aes_ctr_new(const uint8_t key[static 32]);
void aes_ctr_free(struct aes_ctr *stream); // wipes; NULL is fine

// Encrypts or decrypts `len` bytes in place and moves the stream on by as many.
void aes_ctr_apply(struct aes_ctr *stream, uint8_t *data, size_t len);

#endif
