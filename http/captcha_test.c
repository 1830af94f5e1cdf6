#include "http/captcha.h"
#include "tests/support/test.h"

TEST(bunker_4_2_eight_distinct_characters)
{
    char text[CAPTCHA_SIZE];
    for (int i = 0; i < 200; i++) {
        captcha_pick(text);
        assert_int_equal(strlen(text), CAPTCHA_LEN);
        for (size_t a = 0; a < CAPTCHA_LEN; a++) {
            assert_non_null(strchr("abcdefghkmnpqrstuvwxyz23456789", text[a]));
            assert_null(strchr(text + a + 1, text[a]));
        }
    }
}

TEST(bunker_4_2_answers_in_either_case)
{
    assert_true(captcha_is("abcdefgh", BYTES("ABCdefgh")));
    assert_false(captcha_is("abcdefgh", BYTES("abcdefg")));
    assert_false(captcha_is("abcdefgh", BYTES("abcdefgk")));
    assert_false(captcha_is("", BYTES(""))); // none was shown, or it was used
}

static struct bytes picture(const char *text, bool easy)
{
    struct writer w = writer_growing(test_arena(), 65536);
    captcha_png(&w, text, easy);
    return writer_bytes(&w);
}

// The easy one was read by Python's zlib, pixel by pixel, and is always the same.
TEST(bunker_4_2_picture)
{
    const struct bytes png = picture("abcdefgh", true);
    assert_int_equal(png.len, 8 + 25 + (12 + 7 + 64 * 33 + 4) + 12);
    assert_bytes_text(bytes_slice(png, 12, 4), "IHDR");
    assert_bytes_equal(bytes_slice(png, png.len - 12, 12), test_hex("0000000049454e44ae426082"));
    assert_bytes_equal(picture("abcdefgh", true), png);
    const struct bytes hard = picture("abcdefgh", false);
    assert_int_equal(hard.len, png.len);
    assert_false(bytes_equal(hard, png));
    assert_false(bytes_equal(hard, picture("abcdefgh", false)));
}
