// bitcoin/base58.c
#include "bitcoin/base58.h"
#include "base/require.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include <string.h>

#define CHECKSUM_LEN 4
#define BINARY_MAX   BASE58_TEXT_MAX // each character is at most one byte: all of them '1'

static const char alphabet[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

bool base58_has(uint8_t c)
{
    return c != 0 && strchr(alphabet, c) != NULL;
}

// Extended private keys pass through here, so both buffers are wiped.
struct number {
    uint8_t digit[BINARY_MAX]; // big-endian, `len` of them in use, at the end
    size_t len;
};

static void number_wipe(struct number *n)
{
    wipe(n, sizeof *n);
}

// number = number * from + carry, in base `to`. False if it grows past the buffer.
static bool multiply_add(struct number *n, unsigned from, unsigned carry, unsigned to)
{
    for (size_t i = 0; i < n->len; i++) {
        uint8_t *digit = &n->digit[BINARY_MAX - 1 - i];
        carry += *digit * from;
        *digit = (uint8_t)(carry % to);
        carry /= to;
    }
    while (carry > 0) {
        if (n->len == BINARY_MAX)
            return false;
        n->digit[BINARY_MAX - 1 - n->len++] = (uint8_t)(carry % to);
        carry /= to;
    }
    return true;
}

static struct bytes digits_of(const struct number *n)
{
    return bytes_of(&n->digit[BINARY_MAX - n->len], n->len);
}

static size_t count_leading(struct bytes in, uint8_t c)
{
    size_t n = 0;
    while (n < in.len && in.ptr[n] == c)
        n++;
    return n;
}

void base58_write(struct writer *w, struct bytes in)
{
    AUTO(number_wipe) struct number n = { .len = 0 };
    for (size_t i = 0; i < in.len; i++)
        if (!multiply_add(&n, 256, in.ptr[i], 58)) {
            w->failed = true;
            return;
        }
    for (size_t zeros = count_leading(in, 0); zeros > 0; zeros--)
        writer_u8(w, (uint8_t)alphabet[0]);
    const struct bytes digits = digits_of(&n);
    for (size_t i = 0; i < digits.len; i++)
        writer_u8(w, (uint8_t)alphabet[digits.ptr[i]]);
}

bool base58_read(struct writer *w, struct bytes text)
{
    AUTO(number_wipe) struct number n = { .len = 0 };
    if (text.len > BASE58_TEXT_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!base58_has(text.ptr[i]))
            return false;
        const unsigned digit = (unsigned)(strchr(alphabet, text.ptr[i]) - alphabet);
        if (!multiply_add(&n, 58, digit, 256))
            return false;
    }
    for (size_t ones = count_leading(text, (uint8_t)alphabet[0]); ones > 0; ones--)
        writer_u8(w, 0);
    writer_put(w, digits_of(&n));
    return !w->failed;
}

void base58check_write(struct writer *w, struct bytes payload)
{
    uint8_t mem[BINARY_MAX];
    struct writer content = writer_of(mem, sizeof mem);
    const struct hash256 checksum = sha256d(payload);
    writer_put(&content, payload);
    writer_put(&content, bytes_of(checksum.b, CHECKSUM_LEN));
    base58_write(w, writer_bytes(&content));
    w->failed |= content.failed;
    wipe(mem, sizeof mem);
}

bool base58check_read(struct writer *w, struct bytes text)
{
    uint8_t mem[BINARY_MAX];
    struct writer content = writer_of(mem, sizeof mem);
    bool good = base58_read(&content, text) && content.len >= CHECKSUM_LEN;
    if (good) {
        const struct bytes payload = bytes_of(mem, content.len - CHECKSUM_LEN);
        const struct hash256 checksum = sha256d(payload);
        good = bytes_equal(bytes_of(checksum.b, CHECKSUM_LEN),
                           bytes_of(mem + payload.len, CHECKSUM_LEN));
        if (good)
            writer_put(w, payload);
    }
    wipe(mem, sizeof mem);
    return good && !w->failed;
}
