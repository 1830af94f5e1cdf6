#include "base/utf8.h"
#include "tests/support/test.h"

static const struct {
    const char *text;
    int length; // in characters; -1: not valid
} cases[] = {
    { "", 0 },
    { "abc\x7f", 4 },
    { "caf\xc3\xa9 \xe2\x82\xbf", 6 },
    { "\xc2\x80", 1 }, // the least of two bytes
    { "\xdf\xbf", 1 },
    { "\xe0\xa0\x80", 1 }, // the least of three
    { "\xed\x9f\xbf", 1 }, // the last before the surrogates
    { "\xee\x80\x80", 1 }, // the first after them
    { "\xef\xbf\xbf", 1 },
    { "\xf0\x90\x80\x80", 1 }, // the least of four
    { "\xf0\x9f\x98\x80", 1 },
    { "\xf4\x8f\xbf\xbf", 1 }, // U+10FFFF
    { "\x80", -1 },            // starts with a continuation
    { "\xbf", -1 },
    { "\xc0\xaf", -1 }, // overlong "/"
    { "\xc1\xbf", -1 },
    { "\xe0\x9f\xbf", -1 }, // overlong
    { "\xf0\x8f\xbf\xbf", -1 },
    { "\xed\xa0\x80", -1 },     // U+D800
    { "\xed\xbf\xbf", -1 },     // U+DFFF
    { "\xf4\x90\x80\x80", -1 }, // U+110000
    { "\xf5\x80\x80\x80", -1 },
    { "\xf8\x88\x80\x80\x80", -1 },
    { "\xfe", -1 },
    { "\xff", -1 },
    { "a\xc3", -1 }, // cut off
    { "\xe2\x82", -1 },
    { "\xf0\x9f\x98", -1 },
    { "\xc3z", -1 },
    { "\xe2\x82z", -1 },
    { "\xe2z\xbf", -1 },
    { "\xf0\x9f\x98z", -1 },
};

TEST(listed_cases_hold)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct bytes text = bytes_of_text(cases[i].text);
        assert_int_equal(utf8_is_valid(text), cases[i].length >= 0);
        if (cases[i].length >= 0)
            assert_int_equal(utf8_length(text), cases[i].length);
    }
    assert_true(utf8_is_valid(BYTES("a\0b"))); // U+0000 is a character
}

static size_t encode(uint8_t out[static 4], uint32_t c)
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    const size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    out[0] = (uint8_t)((0xf0f << (8 - len) & 0xff & (0xff00 >> len)) | c);
    return len;
}

TEST(every_code_point)
{
    uint8_t b[4];
    for (uint32_t c = 0; c < 0x120000; c++) {
        const bool is_character = c < 0xd800 || (c > 0xdfff && c < 0x110000);
        const size_t len = encode(b, c);
        assert_int_equal(utf8_is_valid(bytes_of(b, len)), is_character);
    }
}

TEST(whatever_is_cleaned_is_valid)
{
    static const struct {
        const char *text, *expected;
    } texts[] = {
        { "", "" },
        { "a\xc3\xa9\xe2\x82\xbf", "a\xc3\xa9\xe2\x82\xbf" }, // nothing is wrong with it
        { "a\xe2\x82", "a??" },                               // cut in the middle
        { "\x80\xff\xc3z", "???z" },
        { "\xc0\xaf\xed\xa0\x80", "?????" }, // overlong, a surrogate
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%s", texts[i].text);
        utf8_clean((uint8_t *)text, strlen(text));
        assert_string_equal(text, texts[i].expected);
        assert_true(utf8_is_valid(bytes_of_text(text)));
    }
}

TEST(cut_between_characters)
{
    static const struct {
        size_t len;
        const char *expected;
    } cuts[] = {
        { 0, "" },
        { 1, "a" },
        { 2, "a" },
        { 3, "a\xc3\xa9" },
        { 5, "a\xc3\xa9" },
        { 6, "a\xc3\xa9\xe2\x82\xbf" },
        { 7, "a\xc3\xa9\xe2\x82\xbf" },
        { SIZE_MAX, "a\xc3\xa9\xe2\x82\xbf" },
    };
    for (size_t i = 0; i < COUNT(cuts); i++)
        assert_bytes_text(utf8_cut(BYTES("a\xc3\xa9\xe2\x82\xbf"), cuts[i].len), cuts[i].expected);
    assert_int_equal(utf8_cut(BYTES("\x80\x80\x80"), 2).len, 0); // not valid, but inside
}
