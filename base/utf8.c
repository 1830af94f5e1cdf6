#include "base/utf8.h"
#include "base/require.h"

static bool is_continuation(uint8_t c)
{
    return (c & 0xc0) == 0x80;
}

// The bytes of the character that starts at `at`, or 0. RFC 3629 4: the second byte's range keeps
// out overlong forms (e0, f0), surrogates (ed) and what is above U+10FFFF (f4).
static size_t character_len(struct bytes at)
{
    static const struct {
        uint8_t first_min, first_max, second_min, second_max;
        size_t len;
    } forms[] = {
        { 0x00, 0x7f, 0x00, 0xff, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
        { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
        { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };
    for (size_t i = 0; i < COUNT(forms); i++) {
        if (at.ptr[0] < forms[i].first_min || at.ptr[0] > forms[i].first_max)
            continue;
        if (forms[i].len == 1)
            return 1;
        if (at.len < forms[i].len || at.ptr[1] < forms[i].second_min ||
            at.ptr[1] > forms[i].second_max)
            return 0;
        for (size_t k = 2; k < forms[i].len; k++) {
            if (!is_continuation(at.ptr[k]))
                return 0;
        }
        return forms[i].len;
    }
    return 0;
}

bool utf8_is_valid(struct bytes text)
{
    while (text.len > 0) {
        const size_t len = character_len(text);
        if (len == 0)
            return false;
        text = bytes_slice(text, len, SIZE_MAX);
    }
    return true;
}

size_t utf8_length(struct bytes text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += !is_continuation(text.ptr[i]);
    return n;
}

struct bytes utf8_cut(struct bytes text, size_t len)
{
    if (len >= text.len)
        return text;
    while (len > 0 && is_continuation(text.ptr[len]))
        len--;
    return bytes_slice(text, 0, len);
}

void utf8_clean(uint8_t *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        const size_t n = character_len(bytes_of(text + at, len - at));
        if (n == 0)
            text[at] = '?';
        at += n > 0 ? n : 1;
    }
}

uint32_t utf8_code_point(struct bytes text)
{
    static const uint8_t first_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    const size_t len = character_len(text);
    REQUIRE(len > 0);
    uint32_t c = text.ptr[0] & first_bits[len];
    for (size_t i = 1; i < len; i++)
        c = c << 6 | (text.ptr[i] & 0x3fu);
    return c;
}
