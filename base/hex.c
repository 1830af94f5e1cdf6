#include "base/hex.h"

static void encode(char *out, struct bytes in, const char *digits)
{
    for (size_t i = 0; i < in.len; i++) {
        *out++ = digits[in.ptr[i] >> 4];
        *out++ = digits[in.ptr[i] & 15];
    }
    *out = 0;
}

void hex_encode(char *out, struct bytes in)
{
    encode(out, in, "0123456789abcdef");
}

void hex_encode_upper(char *out, struct bytes in)
{
    encode(out, in, "0123456789ABCDEF");
}

static int digit_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool hex_decode(void *out, size_t len, struct bytes text)
{
    if (text.len % 2 != 0 || text.len / 2 != len)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (digit_value(text.ptr[i]) < 0)
            return false;
    }
    uint8_t *bytes = out;
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)((unsigned)digit_value(text.ptr[2 * i]) << 4 |
                             (unsigned)digit_value(text.ptr[2 * i + 1]));
    return true;
}
