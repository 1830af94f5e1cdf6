#include "crypto/hmac.h"
#include "base/require.h"
#include "base/secret.h"
#include <string.h>
// See hash.c: EVP costs more than the hash itself, and leaves key states behind on the heap.
#define OPENSSL_API_COMPAT 0x10100000L
#include <openssl/sha.h>

#define BLOCK_LEN_MAX  128 // of SHA-512
#define DIGEST_LEN_MAX 64

union state {
    SHA_CTX sha1;
    SHA256_CTX sha256;
    SHA512_CTX sha512;
};

struct function {
    size_t block_len, digest_len;
    int (*init)(union state *);
    int (*update)(union state *, const void *, size_t);
    int (*final)(uint8_t *, union state *);
};

// The library's three functions of one hash, brought to one type, and their row.
#define HASH_FUNCTION(member, NAME, block, digest)                                                 \
    static int member##_init(union state *s)                                                       \
    {                                                                                              \
        return NAME##_Init(&s->member);                                                            \
    }                                                                                              \
    static int member##_update(union state *s, const void *data, size_t len)                       \
    {                                                                                              \
        return NAME##_Update(&s->member, data, len);                                               \
    }                                                                                              \
    static int member##_final(uint8_t *out, union state *s)                                        \
    {                                                                                              \
        return NAME##_Final(out, &s->member);                                                      \
    }                                                                                              \
    static const struct function member##_function = { block, digest, member##_init,               \
                                                       member##_update, member##_final };

HASH_FUNCTION(sha1, SHA1, 64, 20)
HASH_FUNCTION(sha256, SHA256, 64, 32)
HASH_FUNCTION(sha512, SHA512, 128, 64)

// out = H(first || second)
static void hash_two(uint8_t *out, const struct function *f, struct bytes first,
                     struct bytes second)
{
    union state s;
    REQUIRE(f->init(&s) == 1);
    REQUIRE(f->update(&s, first.ptr, first.len) == 1);
    REQUIRE(f->update(&s, second.ptr, second.len) == 1);
    REQUIRE(f->final(out, &s) == 1);
    wipe(&s, sizeof s);
}

static void xor_all(uint8_t block[static BLOCK_LEN_MAX], uint8_t pad)
{
    for (size_t i = 0; i < BLOCK_LEN_MAX; i++)
        block[i] ^= pad;
}

// RFC 2104: "H(K XOR opad, H(K XOR ipad, text))"; "Applications that use keys longer than B bytes
// will first hash the key using H".
static void hmac(uint8_t *out, const struct function *f, struct bytes key, struct bytes data)
{
    uint8_t block[BLOCK_LEN_MAX] = { 0 };
    uint8_t inner[DIGEST_LEN_MAX];
    if (key.len > f->block_len)
        hash_two(block, f, key, bytes_of(NULL, 0));
    else if (key.len > 0)
        memcpy(block, key.ptr, key.len);
    xor_all(block, 0x36);
    hash_two(inner, f, bytes_of(block, f->block_len), data);
    xor_all(block, 0x36 ^ 0x5c);
    hash_two(out, f, bytes_of(block, f->block_len), bytes_of(inner, f->digest_len));
    wipe(block, sizeof block);
    wipe(inner, sizeof inner);
}

void hmac_sha1(uint8_t out[static 20], struct bytes key, struct bytes data)
{
    hmac(out, &sha1_function, key, data);
}

void hmac_sha256(uint8_t out[static 32], struct bytes key, struct bytes data)
{
    hmac(out, &sha256_function, key, data);
}

void hmac_sha512(uint8_t out[static 64], struct bytes key, struct bytes data)
{
    hmac(out, &sha512_function, key, data);
}
