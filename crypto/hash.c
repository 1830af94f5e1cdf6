#include "crypto/hash.h"
#include "base/require.h"
#include "base/secret.h"
// The low-level functions are deprecated in OpenSSL 3 for EVP. We want exactly them: a one-shot EVP
// call costs 4 to 6 times the hash of a small message, and an EVP context is no value that can be
// copied by assignment. The macro asks for the interface of 1.1.0, which has them.
#define OPENSSL_API_COMPAT 0x10100000L
#include <openssl/ripemd.h>
#include <openssl/sha.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct sha256), "struct sha256 holds the context");
_Static_assert(_Alignof(SHA256_CTX) <= _Alignof(struct sha256), "struct sha256 is aligned for it");

static SHA256_CTX *inner(struct sha256 *ctx)
{
    return (SHA256_CTX *)(void *)ctx->state;
}

void sha256_init(struct sha256 *ctx)
{
    REQUIRE(SHA256_Init(inner(ctx)) == 1);
}

void sha256_update(struct sha256 *ctx, struct bytes data)
{
    REQUIRE(SHA256_Update(inner(ctx), data.ptr, data.len) == 1);
}

void sha256_u8(struct sha256 *ctx, uint8_t value)
{
    sha256_update(ctx, bytes_of(&value, 1));
}

// The low `len` bytes of `value`.
static void update_le(struct sha256 *ctx, uint64_t value, size_t len)
{
    uint8_t b[8];
    for (size_t i = 0; i < sizeof b; i++)
        b[i] = (uint8_t)(value >> 8 * i);
    sha256_update(ctx, bytes_of(b, len));
}

void sha256_u32le(struct sha256 *ctx, uint32_t value)
{
    update_le(ctx, value, 4);
}

void sha256_u64le(struct sha256 *ctx, uint64_t value)
{
    update_le(ctx, value, 8);
}

void sha256_compact_size(struct sha256 *ctx, uint64_t value)
{
    if (value < 0xfd) {
        sha256_u8(ctx, (uint8_t)value);
    } else if (value <= UINT16_MAX) {
        sha256_u8(ctx, 0xfd);
        update_le(ctx, value, 2);
    } else if (value <= UINT32_MAX) {
        sha256_u8(ctx, 0xfe);
        update_le(ctx, value, 4);
    } else {
        sha256_u8(ctx, 0xff);
        update_le(ctx, value, 8);
    }
}

struct hash256 sha256_final(struct sha256 *ctx)
{
    struct hash256 out;
    REQUIRE(SHA256_Final(out.b, inner(ctx)) == 1);
    wipe(ctx, sizeof *ctx);
    return out;
}

struct hash256 sha256d_final(struct sha256 *ctx)
{
    const struct hash256 once = sha256_final(ctx);
    return sha256(BYTES_OF(once.b));
}

struct hash256 sha256(struct bytes data)
{
    struct sha256 ctx;
    sha256_init(&ctx);
    sha256_update(&ctx, data);
    return sha256_final(&ctx);
}

struct hash256 sha256d(struct bytes data)
{
    const struct hash256 once = sha256(data);
    return sha256(BYTES_OF(once.b));
}

void sha512(uint8_t out[static 64], struct bytes data)
{
    SHA512_CTX ctx;
    REQUIRE(SHA512_Init(&ctx) == 1);
    REQUIRE(SHA512_Update(&ctx, data.ptr, data.len) == 1);
    REQUIRE(SHA512_Final(out, &ctx) == 1);
    wipe(&ctx, sizeof ctx);
}

struct hash160 ripemd160(struct bytes data)
{
    RIPEMD160_CTX ctx;
    struct hash160 out;
    REQUIRE(RIPEMD160_Init(&ctx) == 1);
    REQUIRE(RIPEMD160_Update(&ctx, data.ptr, data.len) == 1);
    REQUIRE(RIPEMD160_Final(out.b, &ctx) == 1);
    wipe(&ctx, sizeof ctx);
    return out;
}

struct hash160 sha1(struct bytes data)
{
    struct hash160 out;
    REQUIRE(SHA1(data.ptr, data.len, out.b) != NULL);
    return out;
}

struct hash160 hash160(struct bytes data)
{
    const struct hash256 inside = sha256(data);
    return ripemd160(BYTES_OF(inside.b));
}

void sha256_init_tagged(struct sha256 *ctx, const char *tag)
{
    const struct hash256 prefix = sha256(bytes_of_text(tag));
    sha256_init(ctx);
    sha256_update(ctx, BYTES_OF(prefix.b));
    sha256_update(ctx, BYTES_OF(prefix.b));
}
