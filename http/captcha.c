#include "http/captcha.h"
#include "base/require.h"
#include "base/secret.h"
#include "crypto/random.h"

static const char alphabet[] = "abcdefghkmnpqrstuvwxyz23456789";

// Five columns a character, the lowest bit on top.
static const uint8_t glyphs[][5] = {
    { 0x20, 0x54, 0x54, 0x78, 0x40 }, // a
    { 0x7f, 0x28, 0x44, 0x44, 0x38 }, // b
    { 0x38, 0x44, 0x44, 0x44, 0x28 }, // c
    { 0x38, 0x44, 0x44, 0x28, 0x7f }, // d
    { 0x38, 0x54, 0x54, 0x54, 0x18 }, // e
    { 0x00, 0x08, 0x7e, 0x09, 0x02 }, // f
    { 0x18, 0xa4, 0xa4, 0x9c, 0x78 }, // g
    { 0x7f, 0x08, 0x04, 0x04, 0x78 }, // h
    { 0x7f, 0x10, 0x28, 0x44, 0x00 }, // k
    { 0x7c, 0x04, 0x78, 0x04, 0x78 }, // m
    { 0x7c, 0x08, 0x04, 0x04, 0x78 }, // n
    { 0xfc, 0x18, 0x24, 0x24, 0x18 }, // p
    { 0x18, 0x24, 0x24, 0x18, 0xfc }, // q
    { 0x7c, 0x08, 0x04, 0x04, 0x08 }, // r
    { 0x48, 0x54, 0x54, 0x54, 0x24 }, // s
    { 0x04, 0x04, 0x3f, 0x44, 0x24 }, // t
    { 0x3c, 0x40, 0x40, 0x20, 0x7c }, // u
    { 0x1c, 0x20, 0x40, 0x20, 0x1c }, // v
    { 0x3c, 0x40, 0x30, 0x40, 0x3c }, // w
    { 0x44, 0x28, 0x10, 0x28, 0x44 }, // x
    { 0x4c, 0x90, 0x90, 0x90, 0x7c }, // y
    { 0x44, 0x64, 0x54, 0x4c, 0x44 }, // z
    { 0x72, 0x49, 0x49, 0x49, 0x46 }, // 2
    { 0x21, 0x41, 0x49, 0x4d, 0x33 }, // 3
    { 0x18, 0x14, 0x12, 0x7f, 0x10 }, // 4
    { 0x27, 0x45, 0x45, 0x45, 0x39 }, // 5
    { 0x3c, 0x4a, 0x49, 0x49, 0x31 }, // 6
    { 0x41, 0x21, 0x11, 0x09, 0x07 }, // 7
    { 0x36, 0x49, 0x49, 0x49, 0x36 }, // 8
    { 0x46, 0x49, 0x49, 0x29, 0x1e }, // 9
};
_Static_assert(COUNT(glyphs) == sizeof alphabet - 1, "a glyph for each character");

#define CELL      (CAPTCHA_WIDTH / CAPTCHA_LEN)
#define SCALE     4
#define MARGIN    6  // of a character in its cell
#define TOP       16 // of the characters
#define LINES     5
#define ROW_BYTES (CAPTCHA_WIDTH / 8)

void captcha_pick(char out[static CAPTCHA_SIZE])
{
    char left[sizeof alphabet];
    memcpy(left, alphabet, sizeof left);
    for (uint32_t i = 0; i < CAPTCHA_LEN; i++) {
        const uint32_t at = i + random_below((uint32_t)sizeof alphabet - 1 - i);
        const char picked = left[at];
        left[at] = left[i];
        left[i] = picked;
        out[i] = picked;
    }
    out[CAPTCHA_LEN] = '\0';
}

bool captcha_is(const char *text, struct bytes given)
{
    char lower[CAPTCHA_LEN];
    if (strlen(text) != CAPTCHA_LEN || given.len != CAPTCHA_LEN)
        return false;
    for (size_t i = 0; i < CAPTCHA_LEN; i++) {
        const char c = (char)given.ptr[i];
        lower[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    return ct_equal(bytes_of(lower, CAPTCHA_LEN), bytes_of_text(text));
}

// --- Drawing: a bit a pixel, 1 is white ---

struct picture {
    uint8_t row[CAPTCHA_HEIGHT][ROW_BYTES];
};

static void blacken(struct picture *p, int x, int y)
{
    if (x >= 0 && x < CAPTCHA_WIDTH && y >= 0 && y < CAPTCHA_HEIGHT)
        p->row[y][x / 8] &= (uint8_t) ~(0x80u >> (x % 8));
}

static int wobble(int by)
{
    return (int)random_below((uint32_t)(2 * by + 1)) - by;
}

static void draw_glyph(struct picture *p, size_t place, const uint8_t glyph[static 5], bool easy)
{
    const int left = (int)place * CELL + MARGIN + (easy ? 0 : wobble(MARGIN - 1));
    const int top = TOP + (easy ? 0 : wobble(12));
    const int slant = easy ? 0 : wobble(5);
    for (int x = 0; x < 5 * SCALE; x++)
        for (int y = 0; y < 8 * SCALE; y++)
            if ((glyph[x / SCALE] >> (y / SCALE) & 1) != 0)
                blacken(p, left + x + slant * y / (8 * SCALE), top + y);
}

static void cross_out(struct picture *p)
{
    const int from = (int)random_below(CAPTCHA_HEIGHT), to = (int)random_below(CAPTCHA_HEIGHT);
    for (int x = 0; x < CAPTCHA_WIDTH; x++) {
        const int y = from + (to - from) * x / CAPTCHA_WIDTH;
        blacken(p, x, y);
        blacken(p, x, y + 1);
    }
}

static void draw(struct picture *p, const char *text, bool easy)
{
    memset(p->row, 0xff, sizeof p->row);
    for (size_t i = 0; i < CAPTCHA_LEN; i++) {
        const char *found = strchr(alphabet, text[i]);
        REQUIRE(found != NULL && *found != '\0');
        draw_glyph(p, i, glyphs[found - alphabet], easy);
    }
    for (int i = 0; !easy && i < LINES; i++)
        cross_out(p);
}

// --- PNG: one stored block, nothing is compressed ---

static uint32_t crc_of(struct bytes data)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < data.len; i++) {
        crc ^= data.ptr[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1)));
    }
    return ~crc;
}

// type: four letters, then the content; the length counts the content alone.
static void put_chunk(struct writer *w, struct bytes chunk)
{
    writer_u32be(w, (uint32_t)chunk.len - 4);
    writer_put(w, chunk);
    writer_u32be(w, crc_of(chunk));
}

static void put_pixels(struct writer *w, const struct picture *p)
{
    const uint16_t len = CAPTCHA_HEIGHT * (1 + ROW_BYTES);
    uint32_t a = 1, b = 0; // Adler-32
    writer_put(w, BYTES("IDAT\x78\x01\x01"));
    writer_u16le(w, len);
    writer_u16le(w, (uint16_t)~len);
    for (size_t y = 0; y < CAPTCHA_HEIGHT; y++) {
        writer_u8(w, 0); // no filter
        writer_put(w, BYTES_OF(p->row[y]));
        b = (b + a) % 65521;
        for (size_t x = 0; x < ROW_BYTES; x++) {
            a = (a + p->row[y][x]) % 65521;
            b = (b + a) % 65521;
        }
    }
    writer_u32be(w, b << 16 | a);
}

void captcha_png(struct writer *w, const char *text, bool easy)
{
    uint8_t mem[CAPTCHA_HEIGHT * (1 + ROW_BYTES) + 64];
    struct writer chunk = writer_of(mem, sizeof mem);
    struct picture p;
    draw(&p, text, easy);
    writer_put(w, BYTES("\x89PNG\r\n\x1a\n"));
    writer_put(&chunk, BYTES("IHDR"));
    writer_u32be(&chunk, CAPTCHA_WIDTH);
    writer_u32be(&chunk, CAPTCHA_HEIGHT);
    writer_put(&chunk, BYTES("\x01\x00\x00\x00\x00")); // a bit, grey
    put_chunk(w, writer_bytes(&chunk));
    chunk.len = 0;
    put_pixels(&chunk, &p);
    REQUIRE(!chunk.failed);
    put_chunk(w, writer_bytes(&chunk));
    put_chunk(w, BYTES("IEND"));
}
