// The first half of the data tells which reads to make of the second. Each read must agree with an
// index into the same bytes that is kept beside it, and one that fails must change nothing.
#include "base/reader.h"
#include "base/writer.h"
#include "fuzz/fuzz.h"

struct model {
    struct reader r;
    struct bytes all;
    size_t at; // where `r` must be
};

static uint64_t little_endian(const struct model *m, size_t len)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++)
        value |= (uint64_t)m->all.ptr[m->at + i] << (8 * i);
    return value;
}

// A read of `len` bytes has said `ok`; it must have, if they were there.
static void moved(struct model *m, bool ok, uint64_t len)
{
    REQUIRE(ok == (len <= m->all.len - m->at));
    m->at += ok ? (size_t)len : 0;
}

static void read_integers(struct model *m)
{
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    int64_t i64;
    bool ok = reader_u8(&m->r, &u8);
    REQUIRE(!ok || u8 == little_endian(m, 1));
    moved(m, ok, 1);
    ok = reader_u16le(&m->r, &u16);
    REQUIRE(!ok || u16 == little_endian(m, 2));
    moved(m, ok, 2);
    ok = reader_u32le(&m->r, &u32);
    REQUIRE(!ok || u32 == little_endian(m, 4));
    moved(m, ok, 4);
    ok = reader_u32be(&m->r, &u32);
    REQUIRE(!ok || __builtin_bswap32(u32) == little_endian(m, 4));
    moved(m, ok, 4);
    ok = reader_u64le(&m->r, &u64);
    REQUIRE(!ok || u64 == little_endian(m, 8));
    moved(m, ok, 8);
    ok = reader_i64le(&m->r, &i64);
    REQUIRE(!ok || (uint64_t)i64 == little_endian(m, 8));
    moved(m, ok, 8);
}

// What was read, written again, must be the bytes that were passed.
static void read_counted(struct model *m)
{
    uint8_t mem[9];
    struct reader again = m->r;
    struct writer w = writer_of(mem, sizeof mem);
    struct bytes content;
    uint64_t len;
    if (reader_compact_size(&again, &len)) {
        writer_compact_size(&w, len);
        REQUIRE(bytes_starts_with(m->r.rest, writer_bytes(&w)));
        REQUIRE(again.offset == m->at + w.len);
        REQUIRE(reader_counted(&m->r, &content) == (len <= m->all.len - again.offset));
        if (m->r.offset != m->at) {
            REQUIRE(content.len == len && m->r.offset == again.offset + len);
            m->at = m->r.offset;
        }
    } else {
        REQUIRE(!reader_counted(&m->r, &content));
    }
}

static void read_nested(struct model *m)
{
    struct reader inner, before = m->r;
    struct bytes content;
    const bool ok = reader_nested(&m->r, &inner);
    REQUIRE(reader_counted(&before, &content) == ok);
    if (!ok)
        return;
    REQUIRE(inner.offset + inner.rest.len == m->r.offset);
    REQUIRE(bytes_equal(inner.rest, bytes_slice(m->all, inner.offset, inner.rest.len)));
    REQUIRE(bytes_equal(reader_rest(&inner), content));
    REQUIRE(reader_done(&inner) && inner.offset == m->r.offset);
    m->at = m->r.offset;
}

static void read_decimal(struct model *m, uint64_t max)
{
    struct reader again = m->r;
    struct bytes digits = reader_digits(&again);
    uint64_t value;
    if (!reader_decimal64(&m->r, max, &value)) {
        // Only too large, or decorated.
        REQUIRE(digits.len == 0 || digits.ptr[0] == '0' || max < UINT64_MAX || digits.len >= 20);
        return;
    }
    char text[32];
    REQUIRE(value <= max);
    REQUIRE(snprintf(text, sizeof text, "%llu", (unsigned long long)value) > 0);
    REQUIRE(bytes_equal_text(digits, text));
    m->at += digits.len;
}

static void read_until(struct model *m, uint8_t c)
{
    struct bytes part;
    if (!reader_until(&m->r, (char)c, &part)) {
        REQUIRE(m->at == m->all.len);
        return;
    }
    REQUIRE(part.len == 0 || memchr(part.ptr, c, part.len) == NULL);
    REQUIRE(bytes_equal(part, bytes_slice(m->all, m->at, part.len)));
    m->at += part.len;
    if (m->at < m->all.len)
        REQUIRE(m->all.ptr[m->at++] == c);
}

static void read_bytes(struct model *m, uint64_t len)
{
    uint8_t mem[255];
    struct bytes part;
    struct reader again = m->r;
    const bool ok = reader_take(&m->r, len, &part);
    REQUIRE(!ok || bytes_equal(part, bytes_slice(m->all, m->at, part.len)));
    if (len <= sizeof mem) {
        REQUIRE(reader_copy(&again, mem, (size_t)len) == ok);
        REQUIRE(!ok || bytes_equal(part, bytes_of(mem, (size_t)len)));
    }
    moved(m, ok, len);
}

static void read_word(struct model *m, uint8_t c)
{
    uint8_t next;
    const bool more = reader_peek(&m->r, &next);
    REQUIRE(more == (m->at < m->all.len) && (!more || next == m->all.ptr[m->at]));
    const bool ok = reader_accept(&m->r, (char)c);
    REQUIRE(ok == (more && next == c));
    m->at += ok;
}

FUZZ_TARGET(data)
{
    struct reader script = reader_of(bytes_slice(data, 0, data.len / 2));
    struct model m = { .all = bytes_slice(data, data.len / 2, SIZE_MAX) };
    m.r = reader_of(m.all);
    uint8_t what, with = 0;
    while (reader_u8(&script, &what)) {
        if (reader_done(&script) || !reader_u8(&script, &with))
            with = 0;
        switch (what % 8) {
        case 0:
            read_integers(&m);
            break;
        case 1:
            read_counted(&m);
            break;
        case 2:
            read_nested(&m);
            break;
        case 3:
            read_decimal(&m, with % 2 ? UINT64_MAX : with);
            break;
        case 4:
            read_until(&m, with);
            break;
        case 5:
            read_bytes(&m, with == 255 ? UINT64_MAX : with);
            break;
        default:
            read_word(&m, with);
            break;
        }
        REQUIRE(m.r.offset == m.at);
        REQUIRE(m.r.rest.len == m.all.len - m.at);
        REQUIRE(m.r.rest.len == 0 || m.r.rest.ptr == m.all.ptr + m.at);
    }
}
