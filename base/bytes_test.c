#include "base/bytes.h"
#include "tests/support/test.h"

static const struct bytes none = { NULL, 0 };

TEST(literals_arrays_and_texts)
{
    const uint8_t array[] = { 1, 2, 3 };
    assert_int_equal(BYTES("a\0b").len, 3);
    assert_int_equal(BYTES_OF(array).len, 3);
    assert_ptr_equal(BYTES_OF(array).ptr, array);
    assert_int_equal(bytes_of_text(NULL).len, 0);
    assert_int_equal(bytes_of_text("").len, 0);
    assert_bytes_text(bytes_of_text("abc"), "abc");
}

TEST(printing)
{
    char text[32];
    assert_int_equal(snprintf(text, sizeof text, "[%.*s]", BYTES_ARG(none)), 2);
    assert_string_equal(text, "[]");
    // A length above INT_MAX must not become a negative precision, which reads on to a zero.
    assert_int_equal(snprintf(text, sizeof text, "%.*s", BYTES_ARG(bytes_of("x", (size_t)1 << 31))),
                     1);
    assert_string_equal(text, "x");
}

TEST(equal_and_compare)
{
    static const struct {
        const char *a, *b;
        int order;
    } cases[] = {
        { "", "", 0 },     { "a", "a", 0 },     { "a", "b", -1 },
        { "", "a", -1 },   { "ab", "abc", -1 },                         // a shorter prefix first
        { "b", "abc", 1 }, { "abc", "ab", 1 },  { "\x7f", "\x80", -1 }, // bytes have no sign
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const int order = bytes_compare(bytes_of_text(cases[i].a), bytes_of_text(cases[i].b));
        assert_int_equal((order > 0) - (order < 0), cases[i].order);
        assert_int_equal(bytes_equal_text(bytes_of_text(cases[i].a), cases[i].b),
                         cases[i].order == 0);
    }
    assert_true(bytes_equal(none, BYTES("")));
    assert_false(bytes_equal(none, BYTES("a")));
    assert_false(bytes_equal_text(BYTES("a\0"), "a")); // a zero is content
}

TEST(starts_with)
{
    assert_true(bytes_starts_with(BYTES("abc"), BYTES("ab")));
    assert_true(bytes_starts_with(BYTES("abc"), none));
    assert_true(bytes_starts_with(none, none));
    assert_false(bytes_starts_with(BYTES("ab"), BYTES("abc")));
    assert_false(bytes_starts_with(none, BYTES("a")));
    assert_false(bytes_starts_with(BYTES("abc"), BYTES("ac")));
}

TEST(slice_stays_inside)
{
    static const struct {
        size_t start, len;
        const char *expected;
    } cases[] = {
        { 0, 3, "abc" }, { 0, 4, "abc" }, { 1, 1, "b" },       { 1, SIZE_MAX, "bc" },
        { 3, 0, "" },    { 3, 9, "" },    { 4, SIZE_MAX, "" }, { SIZE_MAX, SIZE_MAX, "" },
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_bytes_text(bytes_slice(BYTES("abc"), cases[i].start, cases[i].len),
                          cases[i].expected);
    assert_int_equal(bytes_slice(none, 1, 1).len, 0);
    assert_null(bytes_slice(none, 0, 0).ptr);
}

TEST(trim)
{
    assert_bytes_text(bytes_trim(BYTES("  a b\t\r\n\v\f ")), "a b");
    assert_bytes_text(bytes_trim(BYTES(" \n ")), "");
    assert_bytes_text(bytes_trim(none), "");
    assert_bytes_equal(bytes_trim(BYTES("\0a\x1f")), BYTES("\0a\x1f")); // not blanks
    assert_bytes_text(bytes_trim(BYTES("\xc2\xa0")), "\xc2\xa0");       // nor is U+00A0
}

TEST(printable_ascii)
{
    assert_true(bytes_is_printable_ascii(BYTES(" az~")));
    assert_true(bytes_is_printable_ascii(none));
    assert_false(bytes_is_printable_ascii(BYTES("a\n")));
    assert_false(bytes_is_printable_ascii(BYTES("a\x7f")));
    assert_false(bytes_is_printable_ascii(BYTES("\x80")));
    assert_false(bytes_is_printable_ascii(BYTES("a\0b")));
}
