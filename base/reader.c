#include "base/reader.h"

struct reader reader_of(struct bytes in)
{
    return (struct reader){ in, 0 };
}

bool reader_done(const struct reader *r)
{
    return r->rest.len == 0;
}

bool reader_take(struct reader *r, uint64_t len, struct bytes *out)
{
    if (len > r->rest.len)
        return false;
    *out = bytes_slice(r->rest, 0, (size_t)len);
    r->rest = bytes_slice(r->rest, (size_t)len, SIZE_MAX);
    r->offset += (size_t)len;
    return true;
}

bool reader_copy(struct reader *r, void *out, size_t len)
{
    struct bytes content;
    if (!reader_take(r, len, &content))
        return false;
    if (len > 0)
        memcpy(out, content.ptr, len);
    return true;
}

bool reader_u8(struct reader *r, uint8_t *out)
{
    return reader_copy(r, out, 1);
}

static bool little_endian(struct reader *r, size_t len, uint64_t *out)
{
    struct bytes b;
    if (!reader_take(r, len, &b))
        return false;
    *out = 0;
    for (size_t i = len; i > 0; i--)
        *out = *out << 8 | b.ptr[i - 1];
    return true;
}

bool reader_u16le(struct reader *r, uint16_t *out)
{
    uint64_t value;
    if (!little_endian(r, 2, &value))
        return false;
    *out = (uint16_t)value;
    return true;
}

bool reader_u32le(struct reader *r, uint32_t *out)
{
    uint64_t value;
    if (!little_endian(r, 4, &value))
        return false;
    *out = (uint32_t)value;
    return true;
}

bool reader_u64le(struct reader *r, uint64_t *out)
{
    return little_endian(r, 8, out);
}

bool reader_i64le(struct reader *r, int64_t *out)
{
    uint64_t value;
    if (!little_endian(r, 8, &value))
        return false;
    memcpy(out, &value, sizeof *out); // two's complement, as int64_t is
    return true;
}

bool reader_u32be(struct reader *r, uint32_t *out)
{
    struct bytes b;
    if (!reader_take(r, 4, &b))
        return false;
    *out = (uint32_t)b.ptr[0] << 24 | (uint32_t)b.ptr[1] << 16 | (uint32_t)b.ptr[2] << 8 | b.ptr[3];
    return true;
}

bool reader_compact_size(struct reader *r, uint64_t *out)
{
    // First byte 0xfd, 0xfe, 0xff: so many bytes follow, holding at least so much.
    static const struct {
        size_t len;
        uint64_t min;
    } forms[] = { { 2, 0xfd }, { 4, 0x10000 }, { 8, 0x100000000 } };
    struct reader ahead = *r;
    uint8_t first;
    uint64_t value;
    if (!reader_u8(&ahead, &first))
        return false;
    if (first < 0xfd) {
        value = first;
    } else if (!little_endian(&ahead, forms[first - 0xfd].len, &value) ||
               value < forms[first - 0xfd].min) {
        return false;
    }
    *r = ahead;
    *out = value;
    return true;
}

bool reader_nested(struct reader *r, struct reader *out)
{
    struct reader ahead = *r, nested;
    uint64_t len;
    if (!reader_compact_size(&ahead, &len))
        return false;
    nested.offset = ahead.offset;
    if (!reader_take(&ahead, len, &nested.rest))
        return false;
    *r = ahead;
    *out = nested;
    return true;
}

bool reader_counted(struct reader *r, struct bytes *out)
{
    struct reader nested;
    if (!reader_nested(r, &nested))
        return false;
    *out = nested.rest;
    return true;
}

struct bytes reader_rest(struct reader *r)
{
    const struct bytes rest = r->rest;
    r->rest = bytes_slice(rest, rest.len, 0);
    r->offset += rest.len;
    return rest;
}

bool reader_accept(struct reader *r, char c)
{
    return reader_accept_bytes(r, bytes_of(&c, 1));
}

bool reader_accept_bytes(struct reader *r, struct bytes word)
{
    struct bytes passed;
    return bytes_starts_with(r->rest, word) && reader_take(r, word.len, &passed);
}

bool reader_peek(const struct reader *r, uint8_t *out)
{
    if (reader_done(r))
        return false;
    *out = r->rest.ptr[0];
    return true;
}

struct bytes reader_digits(struct reader *r)
{
    const struct bytes start = r->rest;
    size_t n = 0;
    while (n < start.len && start.ptr[n] >= '0' && start.ptr[n] <= '9')
        n++;
    r->rest = bytes_slice(start, n, SIZE_MAX);
    r->offset += n;
    return bytes_slice(start, 0, n);
}

bool reader_decimal64(struct reader *r, uint64_t max, uint64_t *out)
{
    struct reader ahead = *r;
    const struct bytes digits = reader_digits(&ahead);
    uint64_t value = 0;
    if (digits.len == 0 || (digits.len > 1 && digits.ptr[0] == '0'))
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(digits.ptr[i] - '0'), &value))
            return false;
    }
    if (value > max)
        return false;
    *r = ahead;
    *out = value;
    return true;
}

bool reader_decimal(struct reader *r, uint32_t max, uint32_t *out)
{
    uint64_t value;
    if (!reader_decimal64(r, max, &value))
        return false;
    *out = (uint32_t)value;
    return true;
}

bool reader_until(struct reader *r, char c, struct bytes *out)
{
    if (reader_done(r))
        return false;
    const uint8_t *at = memchr(r->rest.ptr, c, r->rest.len);
    if (at == NULL) {
        *out = reader_rest(r);
        return true;
    }
    return reader_take(r, (uint64_t)(at - r->rest.ptr), out) && reader_accept(r, c);
}
