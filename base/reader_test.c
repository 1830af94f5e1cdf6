#include "base/reader.h"
#include "tests/support/test.h"

// Whether two readers are at the same place.
static bool same(const struct reader *a, const struct reader *b)
{
    return a->offset == b->offset && a->rest.ptr == b->rest.ptr && a->rest.len == b->rest.len;
}

TEST(integers)
{
    struct reader r = reader_of(BYTES("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
                                      "\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff\xff\xff\xff\x7f"
                                      "\xf1\xf2\xf3\xf4"));
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    int64_t i64;
    assert_true(reader_u8(&r, &u8) && u8 == 0x01);
    assert_true(reader_u16le(&r, &u16) && u16 == 0x0302);
    assert_true(reader_u32le(&r, &u32) && u32 == 0x07060504);
    assert_true(reader_u64le(&r, &u64) && u64 == UINT64_C(0x0f0e0d0c0b0a0908));
    assert_int_equal(r.offset, 15);
    r.rest = bytes_slice(r.rest, 0, 19);
    struct reader again = r;
    assert_true(reader_u32be(&again, &u32) && u32 == 0xffffffff);
    assert_true(reader_take(&r, 7, &(struct bytes){ 0 }));
    assert_true(reader_i64le(&r, &i64) && i64 == INT64_C(0x7ffffffffffffffe));
    assert_true(reader_u32be(&r, &u32) && u32 == 0xf1f2f3f4);
    assert_true(reader_done(&r));
}

TEST(negative_integer)
{
    struct reader r = reader_of(BYTES("\xfe\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\x80"));
    int64_t value;
    assert_true(reader_i64le(&r, &value) && value == -2);
    assert_true(reader_i64le(&r, &value) && value == INT64_MIN);
}

TEST(a_failed_read_changes_nothing)
{
    static const struct bytes seven = { (const uint8_t *)"\xff\x01\x01\x01\x01\x01\x01", 7 };
    struct { // values that no read may touch
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
        int64_t i64;
    } out = { 1, 2, 3, 4, 5 };
    uint8_t mem[9] = { 9 };
    struct bytes part = BYTES("x");
    struct reader inner = reader_of(BYTES("y")), inner_before = inner;
    for (size_t len = 0; len <= seven.len; len++) {
        struct reader r = reader_of(bytes_slice(seven, 0, len));
        const struct reader before = r;
        assert_true(len >= 1 || !reader_u8(&r, &out.u8));
        assert_true(len >= 2 || !reader_u16le(&r, &out.u16));
        assert_true(len >= 4 || !reader_u32le(&r, &out.u32));
        assert_true(len >= 4 || !reader_u32be(&r, &out.u32));
        assert_false(reader_u64le(&r, &out.u64));
        assert_false(reader_i64le(&r, &out.i64));
        assert_false(reader_compact_size(&r, &out.u64));
        assert_false(reader_take(&r, len + 1, &part));
        assert_false(reader_take(&r, UINT64_MAX, &part));
        assert_false(reader_copy(&r, mem, len + 1));
        assert_false(reader_counted(&r, &part));
        assert_false(reader_nested(&r, &inner));
        assert_false(reader_accept(&r, '\0'));
        assert_false(reader_accept_bytes(&r, BYTES("\xff\x01\x01\x01\x01\x01\x01\x01")));
        assert_false(reader_decimal(&r, UINT32_MAX, &out.u32));
        assert_false(reader_decimal64(&r, UINT64_MAX, &out.u64));
        assert_true(len > 0 || !reader_until(&r, 'x', &part));
        assert_true(same(&r, &before));
    }
    assert_true(out.u8 == 1 && out.u16 == 2 && out.u32 == 3 && out.u64 == 4 && out.i64 == 5);
    assert_int_equal(mem[0], 9);
    assert_bytes_text(part, "x");
    assert_true(same(&inner, &inner_before));
}

static const struct {
    struct bytes in;
    bool ok;
    uint64_t value;
} sizes[] = {
    { BYTES_INIT("\x00"), true, 0 },
    { BYTES_INIT("\xfc"), true, 0xfc },
    { BYTES_INIT("\xfd\xfd\x00"), true, 0xfd },
    { BYTES_INIT("\xfd\xff\xff"), true, 0xffff },
    { BYTES_INIT("\xfe\x00\x00\x01\x00"), true, 0x10000 },
    { BYTES_INIT("\xfe\xff\xff\xff\xff"), true, 0xffffffff },
    { BYTES_INIT("\xff\x00\x00\x00\x00\x01\x00\x00\x00"), true, 0x100000000 },
    { BYTES_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff"), true, UINT64_MAX },
    { BYTES_INIT("\xfd\xfc\x00"), false, 0 }, // not the shortest form: two texts of one value
    { BYTES_INIT("\xfd\x00\x00"), false, 0 },
    { BYTES_INIT("\xfe\xff\xff\x00\x00"), false, 0 },
    { BYTES_INIT("\xff\xff\xff\xff\xff\x00\x00\x00\x00"), false, 0 },
    { BYTES_INIT(""), false, 0 },
    { BYTES_INIT("\xfd\xfd"), false, 0 }, // cut off
    { BYTES_INIT("\xfe\x00\x00\x01"), false, 0 },
    { BYTES_INIT("\xff\x00\x00\x00\x00\x01\x00\x00"), false, 0 },
};

TEST(compact_sizes)
{
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct reader r = reader_of(sizes[i].in);
        uint64_t value = 0;
        assert_int_equal(reader_compact_size(&r, &value), sizes[i].ok);
        assert_true(value == sizes[i].value);
        assert_int_equal(r.offset, sizes[i].ok ? sizes[i].in.len : 0);
    }
}

TEST(nested_readers_know_their_offset)
{
    struct reader r = reader_of(BYTES("ab\x04"
                                      "\x02xyz"
                                      "c")),
                  inner, innermost;
    struct bytes part;
    assert_true(reader_take(&r, 2, &part));
    assert_true(reader_nested(&r, &inner));
    assert_int_equal(inner.offset, 3);
    assert_int_equal(r.offset, 7);
    assert_true(reader_nested(&inner, &innermost));
    assert_int_equal(innermost.offset, 4);
    assert_bytes_text(reader_rest(&innermost), "xy");
    assert_int_equal(innermost.offset, 6);
    assert_bytes_text(reader_rest(&inner), "z");
    assert_bytes_text(reader_rest(&r), "c");
    assert_int_equal(r.offset, 8);
    assert_int_equal(reader_rest(&r).len, 0);
}

TEST(counted_and_copied)
{
    struct reader r = reader_of(BYTES("\x03"
                                      "abc\x00"
                                      "de"));
    struct bytes part;
    char text[2];
    assert_true(reader_counted(&r, &part));
    assert_bytes_text(part, "abc");
    assert_true(reader_counted(&r, &part));
    assert_bytes_text(part, "");
    assert_true(reader_copy(&r, NULL, 0));
    assert_true(reader_copy(&r, text, 2));
    assert_memory_equal(text, "de", 2);
    assert_true(reader_take(&r, 0, &part)); // nothing of nothing
    struct reader empty = reader_of((struct bytes){ NULL, 0 });
    assert_true(reader_done(&empty));
    assert_true(reader_take(&empty, 0, &part));
    assert_false(reader_u8(&empty, (uint8_t[1]){ 0 }));
}

TEST(accept_and_peek)
{
    struct reader r = reader_of(BYTES("a\xe9"
                                      "bc"));
    uint8_t c;
    assert_false(reader_accept(&r, 'b'));
    assert_true(reader_accept(&r, 'a'));
    assert_true(reader_accept(&r, (char)0xe9)); // whatever the sign of char
    assert_true(reader_peek(&r, &c) && c == 'b');
    assert_int_equal(r.offset, 2);
    assert_false(reader_accept_bytes(&r, BYTES("bcd")));
    assert_true(reader_accept_bytes(&r, BYTES("")));
    assert_true(reader_accept_bytes(&r, BYTES("bc")));
    assert_false(reader_peek(&r, &c));
    assert_false(reader_accept(&r, 'c'));
    assert_int_equal(r.offset, 4);
}

static const struct {
    const char *text;
    uint64_t max;
    bool ok;
    uint64_t value;
    size_t offset;
} decimals[] = {
    { "0", 0, true, 0, 1 },
    { "7/", 7, true, 7, 1 },
    { "8", 7, false, 0, 0 },
    { "123abc", 1000, true, 123, 3 },
    { "4294967295", UINT32_MAX, true, UINT32_MAX, 10 },
    { "4294967296", UINT32_MAX, false, 0, 0 },
    { "18446744073709551615", UINT64_MAX, true, UINT64_MAX, 20 },
    { "18446744073709551616", UINT64_MAX, false, 0, 0 }, // wraps to 0
    { "99999999999999999999999999", UINT64_MAX, false, 0, 0 },
    { "01", 9, false, 0, 0 },
    { "00", 9, false, 0, 0 },
    { "", 9, false, 0, 0 },
    { "+1", 9, false, 0, 0 },
    { "-1", 9, false, 0, 0 },
    { " 1", 9, false, 0, 0 },
    { "x", 9, false, 0, 0 },
    { "\xb2", 9, false, 0, 0 },
};

TEST(decimals_without_decoration)
{
    for (size_t i = 0; i < COUNT(decimals); i++) {
        struct reader r = reader_of(bytes_of_text(decimals[i].text));
        struct reader r32 = r;
        uint64_t value = 0;
        uint32_t value32 = 0;
        assert_int_equal(reader_decimal64(&r, decimals[i].max, &value), decimals[i].ok);
        assert_true(value == decimals[i].value);
        assert_int_equal(r.offset, decimals[i].offset);
        if (decimals[i].max > UINT32_MAX)
            continue;
        assert_int_equal(reader_decimal(&r32, (uint32_t)decimals[i].max, &value32), decimals[i].ok);
        assert_true(value32 == decimals[i].value);
        assert_int_equal(r32.offset, decimals[i].offset);
    }
}

TEST(digits)
{
    struct reader r = reader_of(BYTES("007x"));
    assert_bytes_text(reader_digits(&r), "007");
    assert_bytes_text(reader_digits(&r), "");
    assert_int_equal(r.offset, 3);
}

TEST(until)
{
    struct reader r = reader_of(BYTES("a,,b"));
    struct bytes part;
    assert_true(reader_until(&r, ',', &part));
    assert_bytes_text(part, "a");
    assert_int_equal(r.offset, 2);
    assert_true(reader_until(&r, ',', &part));
    assert_bytes_text(part, "");
    assert_true(reader_until(&r, ',', &part));
    assert_bytes_text(part, "b");
    assert_int_equal(r.offset, 4);
    assert_false(reader_until(&r, ',', &part));
    r = reader_of(BYTES("a\n")); // a line that ends makes no empty line behind it
    assert_true(reader_until(&r, '\n', &part));
    assert_false(reader_until(&r, '\n', &part));
    r = reader_of(BYTES("a\xff"
                        "b"));
    assert_true(reader_until(&r, (char)0xff, &part));
    assert_bytes_text(part, "a");
}
