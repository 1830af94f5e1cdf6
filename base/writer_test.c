#include "base/writer.h"
#include "base/reader.h"
#include "tests/support/test.h"

TEST(integers)
{
    uint8_t mem[64];
    struct writer w = writer_of(mem, sizeof mem);
    writer_u8(&w, 0x01);
    writer_u16le(&w, 0x0302);
    writer_u32le(&w, 0x07060504);
    writer_u32be(&w, 0x08090a0b);
    writer_u64le(&w, UINT64_C(0x131211100f0e0d0c));
    writer_i64le(&w, -2);
    struct bytes out;
    assert_true(writer_finish(&w, &out));
    assert_bytes_equal(out, BYTES("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"
                                  "\x11\x12\x13\xfe\xff\xff\xff\xff\xff\xff\xff"));
    assert_bytes_equal(writer_bytes(&w), out);
}

static const struct {
    uint64_t value;
    struct bytes expected;
} sizes[] = {
    { 0, BYTES_INIT("\x00") },
    { 0xfc, BYTES_INIT("\xfc") },
    { 0xfd, BYTES_INIT("\xfd\xfd\x00") },
    { 0xffff, BYTES_INIT("\xfd\xff\xff") },
    { 0x10000, BYTES_INIT("\xfe\x00\x00\x01\x00") },
    { 0xffffffff, BYTES_INIT("\xfe\xff\xff\xff\xff") },
    { 0x100000000, BYTES_INIT("\xff\x00\x00\x00\x00\x01\x00\x00\x00") },
    { UINT64_MAX, BYTES_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff") },
};

TEST(compact_sizes)
{
    for (size_t i = 0; i < COUNT(sizes); i++) {
        uint8_t mem[9];
        struct writer w = writer_of(mem, sizeof mem);
        writer_compact_size(&w, sizes[i].value);
        assert_bytes_equal(writer_bytes(&w), sizes[i].expected);
    }
}

TEST(texts)
{
    char mem[64];
    struct writer w = writer_of(mem, sizeof mem);
    writer_text(&w, "a");
    writer_text(&w, NULL);
    writer_put(&w, (struct bytes){ NULL, 0 });
    writer_counted(&w, BYTES("bc"));
    writer_hex(&w, BYTES("\x00\xaf"));
    writer_printf(&w, "%d-%s", 12, "x");
    assert_bytes_text(writer_bytes(&w), "a\x02"
                                        "bc00af12-x");
}

TEST(past_the_end_nothing_is_written)
{
    uint8_t mem[5] = { 0, 0, 0, 0, 0x55 };
    struct bytes out = BYTES("x");
    struct writer w = writer_of(mem, 4);
    writer_u16le(&w, 0x1111);
    writer_u32le(&w, 0x22222222); // half would fit
    assert_true(w.failed);
    writer_u8(&w, 0x33); // would fit, but follows a gap
    assert_int_equal(w.len, 2);
    assert_memory_equal(mem, "\x11\x11\x00\x00\x55", 5);
    assert_false(writer_finish(&w, &out));
    assert_int_equal(out.len, 0);
    assert_null(out.ptr);
}

TEST(just_full)
{
    char mem[7] = "......#";
    struct bytes out;
    struct writer w = writer_of(mem, 6);
    writer_printf(&w, "%s", "abc");
    writer_printf(&w, "%s", "def"); // its final zero has no room and needs none
    assert_true(writer_finish(&w, &out));
    assert_bytes_text(out, "abcdef");
    assert_int_equal(mem[6], '#');
    writer_printf(&w, "%s", "");
    assert_true(writer_finish(&w, &out));
    writer_printf(&w, "g");
    assert_false(writer_finish(&w, &out));
}

TEST(printf_never_cuts)
{
    char mem[8];
    struct bytes out;
    struct writer w = writer_of(mem, sizeof mem);
    writer_printf(&w, "%s", "123456789");
    assert_int_equal(w.len, 0);
    assert_false(writer_finish(&w, &out));
    struct writer long_one = writer_growing(test_arena(), 100000);
    writer_printf(&long_one, "%*s", 70000, "x");
    assert_true(writer_finish(&long_one, &out));
    assert_int_equal(out.len, 70000);
    assert_int_equal(out.ptr[69999], 'x');
}

TEST(nothing_into_nothing)
{
    struct bytes out;
    struct writer w = writer_of(NULL, 0);
    writer_text(&w, "");
    writer_printf(&w, "%s", "");
    assert_true(writer_finish(&w, &out));
    assert_int_equal(out.len, 0);
    writer_u8(&w, 1);
    assert_false(writer_finish(&w, &out));
}

TEST(growing_keeps_content_up_to_its_limit)
{
    AUTO(arena_freep) struct arena *a = arena_new((size_t)1 << 20);
    struct bytes out;
    struct writer w = writer_growing(a, 100001);
    for (uint32_t i = 0; i < 25000; i++)
        writer_u32le(&w, i);
    writer_u8(&w, 7);
    assert_true(writer_finish(&w, &out));
    struct reader r = reader_of(out);
    uint32_t value;
    for (uint32_t i = 0; i < 25000; i++)
        assert_true(reader_u32le(&r, &value) && value == i);
    writer_u8(&w, 7);
    assert_false(writer_finish(&w, &out));
}

TEST(growing_fails_with_its_arena)
{
    AUTO(arena_freep) struct arena *a = arena_new(1000);
    struct bytes out;
    struct writer w = writer_growing(a, 100000);
    for (int i = 0; i < 1000; i++)
        writer_u8(&w, 1);
    assert_false(writer_finish(&w, &out));
    AUTO(arena_freep) struct arena *b = arena_new(300);
    struct writer exact = writer_growing(b, 100000);
    writer_put(&exact, bytes_of("12345678901234567890", 20)); // 256 bytes, 44 are left
    writer_put(&exact, bytes_of("12345678901234567890", 20));
    assert_true(writer_finish(&exact, &out));
    struct writer large = writer_growing(b, 100000);
    uint8_t content[44] = { 5 };
    writer_put(&large, BYTES_OF(content)); // no room for 256, but for what must be
    assert_true(writer_finish(&large, &out));
    assert_bytes_equal(out, BYTES_OF(content));
}

TEST(growing_has_a_small_limit)
{
    struct bytes out;
    struct writer w = writer_growing(test_arena(), 3);
    writer_text(&w, "abc");
    assert_true(writer_finish(&w, &out));
    writer_u8(&w, 'd');
    assert_false(writer_finish(&w, &out));
}

// --- What was written can be read: random sequences of every kind of piece ---

enum piece { U8, U16LE, U32LE, U32BE, U64LE, I64LE, COMPACT_SIZE, COUNTED, N_PIECES };

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void write_piece(struct writer *w, enum piece piece, uint64_t value)
{
    static const uint8_t content[600] = { 1, 2, 3 };
    switch (piece) {
    case U8:
        writer_u8(w, (uint8_t)value);
        break;
    case U16LE:
        writer_u16le(w, (uint16_t)value);
        break;
    case U32LE:
        writer_u32le(w, (uint32_t)value);
        break;
    case U32BE:
        writer_u32be(w, (uint32_t)value);
        break;
    case U64LE:
        writer_u64le(w, value);
        break;
    case I64LE:
        writer_i64le(w, (int64_t)value);
        break;
    case COMPACT_SIZE:
        writer_compact_size(w, value);
        break;
    case COUNTED:
    case N_PIECES:
        writer_counted(w, bytes_slice(BYTES_OF(content), 0, (size_t)value % sizeof content));
        break;
    }
}

static void check_piece(struct reader *r, enum piece piece, uint64_t value)
{
    uint8_t u8 = 0;
    uint16_t u16 = 0;
    uint32_t u32 = 0;
    uint64_t u64 = 0;
    int64_t i64 = 0;
    struct bytes content = { 0 };
    switch (piece) {
    case U8:
        assert_true(reader_u8(r, &u8) && u8 == (uint8_t)value);
        break;
    case U16LE:
        assert_true(reader_u16le(r, &u16) && u16 == (uint16_t)value);
        break;
    case U32LE:
        assert_true(reader_u32le(r, &u32) && u32 == (uint32_t)value);
        break;
    case U32BE:
        assert_true(reader_u32be(r, &u32) && u32 == (uint32_t)value);
        break;
    case U64LE:
        assert_true(reader_u64le(r, &u64) && u64 == value);
        break;
    case I64LE:
        assert_true(reader_i64le(r, &i64) && i64 == (int64_t)value);
        break;
    case COMPACT_SIZE:
        assert_true(reader_compact_size(r, &u64) && u64 == value);
        break;
    case COUNTED:
    case N_PIECES:
        assert_true(reader_counted(r, &content) && content.len == value % 600);
        break;
    }
}

TEST(random_pieces_are_read_as_they_were_written)
{
    enum { ROUNDS = 300, PIECES = 50 };
    uint64_t state = 88172645463325252;
    for (int round = 0; round < ROUNDS; round++) {
        AUTO(arena_freep) struct arena *a = arena_new((size_t)1 << 20);
        struct writer w = writer_growing(a, (size_t)1 << 18);
        enum piece kind[PIECES];
        uint64_t value[PIECES];
        for (int i = 0; i < PIECES; i++) {
            kind[i] = (enum piece)(next_random(&state) % N_PIECES);
            value[i] = next_random(&state) >> next_random(&state) % 64; // every magnitude
            write_piece(&w, kind[i], value[i]);
        }
        struct bytes out;
        assert_true(writer_finish(&w, &out));
        struct reader r = reader_of(out);
        for (int i = 0; i < PIECES; i++)
            check_piece(&r, kind[i], value[i]);
        assert_true(reader_done(&r));
        assert_int_equal(r.offset, out.len);

        // Into one byte less it must not fit, and it must not write past the end.
        uint8_t *mem = malloc(out.len); // so that sanitizers know the end
        assert_non_null(mem);
        struct writer small = writer_of(mem, out.len - 1);
        for (int i = 0; i < PIECES; i++)
            write_piece(&small, kind[i], value[i]);
        struct bytes none;
        assert_false(writer_finish(&small, &none));
        struct writer exact = writer_of(mem, out.len);
        for (int i = 0; i < PIECES; i++)
            write_piece(&exact, kind[i], value[i]);
        assert_bytes_equal(writer_bytes(&exact), out);
        free(mem);
    }
}

TEST(reserved_room_is_taken_once)
{
    AUTO(arena_freep) struct arena *arena = arena_new(4096);
    struct writer w = writer_growing(arena, 2000);
    writer_text(&w, "before ");
    const size_t used = arena_used(arena);
    writer_reserve(&w, 1000);
    const size_t reserved = arena_used(arena);
    assert_true(reserved >= used + 1007);
    for (size_t i = 0; i < 1000; i++)
        writer_u8(&w, (uint8_t)('a' + i % 26));
    assert_int_equal(arena_used(arena), reserved);
    assert_bytes_equal(bytes_slice(writer_bytes(&w), 0, 12), BYTES("before abcde"));
    writer_reserve(&w, 0); // what is there
    writer_u8(&w, 'x');    // more than was foretold
    assert_int_equal(writer_bytes(&w).len, 1008);
    assert_false(w.failed);
}

// Asking for too much is no error: writing it is.
TEST(reserving_too_much_changes_nothing)
{
    AUTO(arena_freep) struct arena *arena = arena_new(1024);
    uint8_t mem[4];
    struct writer growing = writer_growing(arena, 100), fixed = writer_of(mem, sizeof mem);
    writer_reserve(&growing, 101); // above its limit
    writer_reserve(&growing, SIZE_MAX);
    writer_reserve(&fixed, 5);
    assert_int_equal(arena_used(arena), 0);
    struct writer poor = writer_growing(arena, 1 << 20);
    writer_reserve(&poor, 5000); // above what the arena has
    assert_false(growing.failed || fixed.failed || poor.failed);
    writer_text(&poor, "still");
    writer_text(&fixed, "four");
    assert_bytes_equal(writer_bytes(&poor), BYTES("still"));
    assert_bytes_equal(writer_bytes(&fixed), BYTES("four"));
}
