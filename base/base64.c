#include "base/base64.h"
#include "base/reader.h"

// Both encodings cut the bits of the input, first bit first, into groups of `bits` and write each
// as one digit; a last group that is not full is filled up with zero bits.
struct digits {
    unsigned bits;
    bool either_case; // when reading
    const char *alphabet;
};

static const struct digits base64 = {
    6, false, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
};
static const struct digits base32 = { 5, true, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" };

static void write_digits(struct writer *w, const struct digits *d, struct bytes in)
{
    uint32_t held = 0;
    unsigned n_held = 0; // bits of `held` that no digit has told yet; below 8 + bits
    for (size_t i = 0; i < in.len; i++) {
        held = (held << 8 | in.ptr[i]) & 0xffff;
        for (n_held += 8; n_held >= d->bits; n_held -= d->bits)
            writer_u8(w, (uint8_t)d->alphabet[held >> (n_held - d->bits) & ((1U << d->bits) - 1)]);
    }
    if (n_held > 0)
        writer_u8(w, (uint8_t)d->alphabet[held << (d->bits - n_held) & ((1U << d->bits) - 1)]);
}

static bool digit_value(const struct digits *d, uint8_t c, uint32_t *out)
{
    if (d->either_case && c >= 'a' && c <= 'z')
        c = (uint8_t)(c - 'a' + 'A');
    const char *at = c == 0 ? NULL : strchr(d->alphabet, c);
    if (at != NULL)
        *out = (uint32_t)(at - d->alphabet);
    return at != NULL;
}

// Writes nothing unless w is given, so that a first pass can check. RFC 4648 3.5: the surplus bits
// must be zero, otherwise several texts would stand for the same bytes.
static bool read_digits(struct writer *w, const struct digits *d, struct bytes text)
{
    uint32_t held = 0, value;
    unsigned n_held = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!digit_value(d, text.ptr[i], &value))
            return false;
        held = (held << d->bits | value) & 0xffff;
        n_held += d->bits;
        if (n_held < 8)
            continue;
        n_held -= 8;
        if (w != NULL)
            writer_u8(w, (uint8_t)(held >> n_held));
    }
    return n_held < d->bits && (held & ((1U << n_held) - 1)) == 0;
}

static bool check_then_read(struct writer *w, const struct digits *d, struct bytes text)
{
    return read_digits(NULL, d, text) && read_digits(w, d, text) && !w->failed;
}

// Without at most `max` signs of padding at the end.
static struct bytes strip_padding(struct bytes text, size_t max)
{
    size_t n = 0;
    while (n < max && n < text.len && text.ptr[text.len - 1 - n] == '=')
        n++;
    return bytes_slice(text, 0, text.len - n);
}

void base64_write(struct writer *w, struct bytes in)
{
    write_digits(w, &base64, in);
    for (size_t n = in.len % 3; n > 0 && n < 3; n++)
        writer_u8(w, '=');
}

bool base64_read(struct writer *w, struct bytes text)
{
    if (text.len % 4 != 0)
        return false;
    return check_then_read(w, &base64, strip_padding(text, 2));
}

void base32_write(struct writer *w, struct bytes in)
{
    write_digits(w, &base32, in);
}

bool base32_read(struct writer *w, struct bytes text)
{
    const struct bytes bare = strip_padding(text, 6);
    if (bare.len != text.len && text.len % 8 != 0)
        return false;
    return check_then_read(w, &base32, bare);
}
