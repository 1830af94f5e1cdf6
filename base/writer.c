#include "base/writer.h"
#include "base/hex.h"
#include "base/secret.h"
#include <stdarg.h>

#define GROWING_CAP_MIN 256

struct writer writer_of(void *mem, size_t cap)
{
    return (struct writer){ .ptr = mem, .cap = cap, .limit = cap };
}

struct writer writer_growing(struct arena *arena, size_t limit)
{
    return (struct writer){ .arena = arena, .limit = limit };
}

// What the writer leaves behind as it grows is wiped with its arena, not before.
static bool move_to(struct writer *w, uint8_t *larger, size_t cap)
{
    if (larger == NULL)
        return false;
    if (w->len > 0)
        memcpy(larger, w->ptr, w->len);
    w->ptr = larger;
    w->cap = cap;
    return true;
}

static bool grow(struct writer *w, size_t need)
{
    size_t cap = w->cap <= w->limit / 2 ? 2 * w->cap : w->limit;
    if (cap < GROWING_CAP_MIN)
        cap = GROWING_CAP_MIN < w->limit ? GROWING_CAP_MIN : w->limit;
    if (cap < need)
        cap = need;
    uint8_t *larger = arena_alloc(w->arena, cap);
    if (larger == NULL && cap > need) { // nearly used up: take no more than must be
        cap = need;
        larger = arena_alloc(w->arena, cap);
    }
    return move_to(w, larger, cap);
}

void writer_reserve(struct writer *w, size_t len)
{
    if (w->arena == NULL || w->failed || len > w->limit - w->len || len <= w->cap - w->len)
        return;
    (void)move_to(w, arena_alloc(w->arena, w->len + len), w->len + len);
}

// Room for `len` more bytes, counted as written; NULL if they do not fit. One miss fails the writer
// for good: what follows a gap is not what the caller meant.
static uint8_t *extend(struct writer *w, size_t len)
{
    if (w->failed || len > w->limit - w->len) {
        w->failed = true;
        return NULL;
    }
    if (len > w->cap - w->len && (w->arena == NULL || !grow(w, w->len + len))) {
        w->failed = true;
        return NULL;
    }
    uint8_t *room = w->ptr + w->len;
    w->len += len;
    return room;
}

void writer_put(struct writer *w, struct bytes content)
{
    if (content.len == 0)
        return;
    uint8_t *room = extend(w, content.len);
    if (room != NULL)
        memcpy(room, content.ptr, content.len);
}

static void put_little_endian(struct writer *w, uint64_t value, size_t len)
{
    uint8_t b[8];
    for (size_t i = 0; i < len; i++)
        b[i] = (uint8_t)(value >> (8 * i));
    writer_put(w, bytes_of(b, len));
}

void writer_u8(struct writer *w, uint8_t value)
{
    writer_put(w, bytes_of(&value, 1));
}

void writer_u16le(struct writer *w, uint16_t value)
{
    put_little_endian(w, value, 2);
}

void writer_u32le(struct writer *w, uint32_t value)
{
    put_little_endian(w, value, 4);
}

void writer_u64le(struct writer *w, uint64_t value)
{
    put_little_endian(w, value, 8);
}

void writer_i64le(struct writer *w, int64_t value)
{
    put_little_endian(w, (uint64_t)value, 8);
}

void writer_u32be(struct writer *w, uint32_t value)
{
    put_little_endian(w, __builtin_bswap32(value), 4);
}

void writer_compact_size(struct writer *w, uint64_t value)
{
    if (value < 0xfd) {
        writer_u8(w, (uint8_t)value);
        return;
    }
    const size_t len = value <= UINT16_MAX ? 2 : value <= UINT32_MAX ? 4 : 8;
    writer_u8(w, len == 2 ? 0xfd : len == 4 ? 0xfe : 0xff);
    put_little_endian(w, value, len);
}

void writer_counted(struct writer *w, struct bytes content)
{
    writer_compact_size(w, content.len);
    writer_put(w, content);
}

void writer_text(struct writer *w, const char *text)
{
    writer_put(w, bytes_of_text(text));
}

// Printed aside first: vsnprintf would cut a text whose final zero does not fit.
// Longer than most texts are.
__attribute__((format(printf, 2, 0))) static void print_long(struct writer *w, const char *fmt,
                                                             va_list args)
{
    char *text = NULL;
    const int len = vasprintf(&text, fmt, args);
    if (len < 0) {
        w->failed = true;
        return;
    }
    writer_put(w, bytes_of(text, (size_t)len));
    wipe(text, (size_t)len);
    free(text);
}

void writer_printf(struct writer *w, const char *fmt, ...)
{
    char text[256];
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    const int len = vsnprintf(text, sizeof text, fmt, args);
    if (len >= 0 && (size_t)len < sizeof text)
        writer_put(w, bytes_of(text, (size_t)len));
    else
        print_long(w, fmt, again);
    wipe(text, sizeof text);
    va_end(again);
    va_end(args);
}

void writer_hex(struct writer *w, struct bytes content)
{
    char digits[3];
    for (size_t i = 0; i < content.len; i++) {
        hex_encode(digits, bytes_slice(content, i, 1));
        writer_put(w, bytes_of(digits, 2));
    }
}

struct bytes writer_bytes(const struct writer *w)
{
    return bytes_of(w->ptr, w->len);
}

bool writer_finish(const struct writer *w, struct bytes *out)
{
    *out = w->failed ? (struct bytes){ NULL, 0 } : writer_bytes(w);
    return !w->failed;
}
