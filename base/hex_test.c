#include "base/hex.h"
#include "tests/support/test.h"

TEST(every_byte_both_ways)
{
    for (unsigned i = 0; i < 256; i++) {
        const uint8_t b = (uint8_t)i;
        uint8_t back;
        char text[3], expected[3];
        snprintf(expected, sizeof expected, "%02x", i);
        hex_encode(text, bytes_of(&b, 1));
        assert_string_equal(text, expected);
        assert_true(hex_decode(&back, 1, bytes_of_text(text)));
        assert_int_equal(back, i);
        snprintf(expected, sizeof expected, "%02X", i);
        hex_encode_upper(text, bytes_of(&b, 1));
        assert_string_equal(text, expected);
        assert_true(hex_decode(&back, 1, bytes_of_text(text)));
        assert_int_equal(back, i);
    }
}

TEST(only_digits_are_digits)
{
    for (unsigned i = 0; i < 256; i++) {
        const char c = (char)i;
        const bool is_digit = i != 0 && strchr("0123456789abcdefABCDEF", (int)i) != NULL;
        const char high[] = { c, '0' }, low[] = { '0', c };
        uint8_t out;
        assert_int_equal(hex_decode(&out, 1, BYTES_OF(high)), is_digit);
        assert_int_equal(hex_decode(&out, 1, BYTES_OF(low)), is_digit);
    }
}

TEST(lengths)
{
    uint8_t out[2] = { 7, 7 };
    char text[1] = { 'x' };
    assert_false(hex_decode(out, 2, BYTES("aabbc")));
    assert_false(hex_decode(out, 2, BYTES("aabbcc")));
    assert_false(hex_decode(out, 2, BYTES("aa")));
    assert_false(hex_decode(out, SIZE_MAX / 2 + 1, BYTES(""))); // twice that is 0
    assert_false(hex_decode(out, 2, BYTES("aabg")));
    assert_int_equal(out[0], 7); // nothing written
    assert_true(hex_decode(out, 0, BYTES("")));
    hex_encode(text, bytes_of(NULL, 0));
    assert_int_equal(text[0], 0);
}
