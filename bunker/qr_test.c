#include "bunker/qr.h"
#include "tests/support/test.h"

// Version 1 of "1", as qrencode(1) draws it: the finder patterns stand in three corners.
TEST(bunker_19_5_modules)
{
    struct writer w = writer_growing(test_arena(), 1 << 20);
    struct json_writer j = json_writer_of(&w);
    const struct json *rows;
    struct err err;
    qr_write(&j, "otpauth://totp/x");
    assert_true(json_parse(&rows, writer_bytes(&w), test_arena(), &err));
    assert_int_equal(rows->n_items, 21);
    assert_bytes_text(bytes_slice(json_item_text(rows, 0), 0, 8), "11111110");
    assert_bytes_text(bytes_slice(json_item_text(rows, 0), 13, 8), "01111111");
    assert_bytes_text(bytes_slice(json_item_text(rows, 20), 0, 8), "11111110");
    for (size_t i = 0; i < rows->n_items; i++)
        assert_int_equal(json_item_text(rows, i).len, 21);
}

TEST(bunker_19_5_picture)
{
    struct writer w = writer_growing(test_arena(), 1 << 20);
    assert_true(qr_svg(&w, "otpauth://totp/x"));
    assert_true(bytes_starts_with(
        writer_bytes(&w),
        BYTES("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 29 29\" ")));
    assert_true(bytes_equal_text(bytes_slice(writer_bytes(&w), w.len - 10, 10), "\"/></svg>\n"));
}

TEST(bunker_20_14_too_long_is_null)
{
    static char text[QR_TEXT_MAX + 2];
    struct writer w = writer_growing(test_arena(), 1 << 20);
    struct json_writer j = json_writer_of(&w);
    memset(text, 'x', QR_TEXT_MAX + 1);
    qr_write(&j, text);
    assert_bytes_text(writer_bytes(&w), "null");
    assert_false(qr_svg(&w, text));
    assert_false(qr_svg(&w, ""));
    text[QR_TEXT_MAX] = '\0';
    assert_true(qr_svg(&w, text));
}
