#include "crypto/aes_ctr.h"
#include "crypto/evp.h"

#include "base/require.h"

#define CHUNK ((size_t)1 << 30) // the library counts in int

struct aes_ctr {
    EVP_CIPHER_CTX *cipher;
};

struct aes_ctr *aes_ctr_new(const uint8_t key[static 32])
{
    static const uint8_t counter[16];
    struct aes_ctr *stream = malloc(sizeof *stream);
    REQUIRE(stream != NULL);
    stream->cipher = EVP_CIPHER_CTX_new();
    REQUIRE(stream->cipher != NULL);
    REQUIRE(EVP_EncryptInit_ex(stream->cipher, EVP_aes_256_ctr(), NULL, key, counter) == 1);
    return stream;
}

void aes_ctr_free(struct aes_ctr *stream)
{
    if (stream == NULL)
        return;
    EVP_CIPHER_CTX_free(stream->cipher); // cleanses the key schedule
    free(stream);
}

void aes_ctr_apply(struct aes_ctr *stream, uint8_t *data, size_t len)
{
    while (len > 0) {
        const size_t part = len < CHUNK ? len : CHUNK;
        int done;
        REQUIRE(EVP_EncryptUpdate(stream->cipher, data, &done, data, (int)part) == 1);
        REQUIRE(done == (int)part);
        data += part;
        len -= part;
    }
}
