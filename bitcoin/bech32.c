// bitcoin/bech32.c
#include "bitcoin/bech32.h"
#include <string.h>

#define CHECKSUM_LEN     6
#define BECH32_CONSTANT  1u
#define BECH32M_CONSTANT 0x2bc830a3u // BIP-350

static const char charset[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

// BIP-173: the checksum is a remainder in GF(32); one step takes in one 5-bit value. What falls out
// at the top comes back as the sum of BIP-173's generators of its bits: 3b6a57b2 for bit 0, 26508e6d,
// 1ea119fa, 3d4233dd, 2a1462b3 for bit 4.
static uint32_t polymod_step(uint32_t checksum, unsigned value)
{
    static const uint32_t of_top[32] = {
        0x00000000, 0x3b6a57b2, 0x26508e6d, 0x1d3ad9df, 0x1ea119fa, 0x25cb4e48, 0x38f19797,
        0x039bc025, 0x3d4233dd, 0x0628646f, 0x1b12bdb0, 0x2078ea02, 0x23e32a27, 0x18897d95,
        0x05b3a44a, 0x3ed9f3f8, 0x2a1462b3, 0x117e3501, 0x0c44ecde, 0x372ebb6c, 0x34b57b49,
        0x0fdf2cfb, 0x12e5f524, 0x298fa296, 0x1756516e, 0x2c3c06dc, 0x3106df03, 0x0a6c88b1,
        0x09f74894, 0x329d1f26, 0x2fa7c6f9, 0x14cd914b,
    };
    return ((checksum & 0x1ffffff) << 5 ^ value) ^ of_top[checksum >> 25];
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

// "expand the human-readable part": high bits of each character, zero, low bits of each.
static uint32_t polymod_hrp(struct bytes hrp)
{
    uint32_t checksum = 1;
    for (size_t i = 0; i < hrp.len; i++)
        checksum = polymod_step(checksum, (unsigned)lower(hrp.ptr[i]) >> 5);
    checksum = polymod_step(checksum, 0);
    for (size_t i = 0; i < hrp.len; i++)
        checksum = polymod_step(checksum, lower(hrp.ptr[i]) & 31u);
    return checksum;
}

// BIP-173: characters 33 to 126; "Decoders MUST NOT accept strings where some characters are
// uppercase and some are lowercase".
static bool has_good_characters(struct bytes text)
{
    bool upper_seen = false, lower_seen = false;
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        if (c < 33 || c > 126)
            return false;
        upper_seen |= c >= 'A' && c <= 'Z';
        lower_seen |= c >= 'a' && c <= 'z';
    }
    return !(upper_seen && lower_seen);
}

// The separator is the last '1'; false if none.
static bool split(struct bytes *hrp, struct bytes *data, struct bytes text)
{
    size_t at = text.len;
    while (at > 0 && text.ptr[at - 1] != '1')
        at--;
    if (at == 0)
        return false;
    *hrp = bytes_slice(text, 0, at - 1);
    *data = bytes_slice(text, at, text.len);
    return true;
}

enum bech32_kind bech32_decode(struct bytes *hrp, uint8_t data[static BECH32_TEXT_MAX],
                               size_t *n_data, struct bytes text)
{
    struct bytes part;
    if (text.len > BECH32_TEXT_MAX || !has_good_characters(text) || !split(hrp, &part, text))
        return BECH32_INVALID;
    if (hrp->len == 0 || part.len < CHECKSUM_LEN)
        return BECH32_INVALID;
    uint32_t checksum = polymod_hrp(*hrp);
    for (size_t i = 0; i < part.len; i++) {
        const char *at = strchr(charset, lower(part.ptr[i])); // never 0: has_good_characters
        if (at == NULL)
            return BECH32_INVALID;
        data[i] = (uint8_t)(at - charset);
        checksum = polymod_step(checksum, data[i]);
    }
    *n_data = part.len - CHECKSUM_LEN;
    if (checksum == BECH32_CONSTANT)
        return BECH32;
    return checksum == BECH32M_CONSTANT ? BECH32M : BECH32_INVALID;
}

static bool is_sound(const struct segwit_program *p)
{
    if (p->version > 16 || p->len < 2 || p->len > sizeof p->program)
        return false;
    return p->version != 0 || p->len == 20 || p->len == 32;
}

// Regroups 5-bit values to bytes. BIP-173: "there must be no more than 4 bits of padding, and they
// must be zero".
static bool unpack(struct segwit_program *out, const uint8_t *data, size_t n_data)
{
    unsigned buffer = 0, n_bits = 0;
    out->len = 0;
    for (size_t i = 0; i < n_data; i++) {
        buffer = buffer << 5 | data[i];
        n_bits += 5;
        if (n_bits < 8)
            continue;
        if (out->len == sizeof out->program)
            return false;
        n_bits -= 8;
        out->program[out->len++] = (uint8_t)(buffer >> n_bits);
        buffer &= (1u << n_bits) - 1;
    }
    return n_bits < 5 && buffer == 0;
}

bool segwit_read(struct segwit_program *out, struct bytes *hrp, struct bytes text)
{
    uint8_t data[BECH32_TEXT_MAX];
    struct segwit_program p;
    struct bytes part;
    size_t n_data;
    const enum bech32_kind kind = bech32_decode(&part, data, &n_data, text);
    if (kind == BECH32_INVALID || n_data == 0)
        return false;
    p.version = data[0];
    if (!unpack(&p, data + 1, n_data - 1) || !is_sound(&p))
        return false;
    // BIP-350: "version 0 ... Bech32, versions 1 through 16 ... Bech32m"
    if (kind != (p.version == 0 ? BECH32 : BECH32M))
        return false;
    *out = p;
    *hrp = part;
    return true;
}

static void put_value(struct writer *w, uint32_t *checksum, unsigned value)
{
    *checksum = polymod_step(*checksum, value);
    writer_u8(w, (uint8_t)charset[value]);
}

void segwit_write(struct writer *w, const char *hrp, const struct segwit_program *program)
{
    uint32_t checksum = polymod_hrp(bytes_of_text(hrp));
    unsigned buffer = 0, n_bits = 0;
    writer_text(w, hrp);
    writer_u8(w, '1');
    put_value(w, &checksum, program->version);
    for (size_t i = 0; i < program->len; i++) {
        buffer = (buffer << 8 | program->program[i]) & 0xfff;
        for (n_bits += 8; n_bits >= 5; n_bits -= 5)
            put_value(w, &checksum, buffer >> (n_bits - 5) & 31);
    }
    if (n_bits > 0)
        put_value(w, &checksum, buffer << (5 - n_bits) & 31);
    for (unsigned i = 0; i < CHECKSUM_LEN; i++)
        checksum = polymod_step(checksum, 0);
    checksum ^= program->version == 0 ? BECH32_CONSTANT : BECH32M_CONSTANT;
    for (unsigned i = 0; i < CHECKSUM_LEN; i++)
        writer_u8(w, (uint8_t)charset[checksum >> 5 * (CHECKSUM_LEN - 1 - i) & 31]);
}
