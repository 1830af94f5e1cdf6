#include "cli/panel_text.h"
#include "base/writer.h"
#include "tests/support/test.h"
#include <locale.h>

static struct bytes wrapped(const char *text, size_t width)
{
    struct panel_text lines;
    struct err err;
    assert_true(panel_text_wrap(&lines, bytes_of_text(text), width, test_arena(), &err));
    struct writer w = writer_growing(test_arena(), 1u << 20);
    for (size_t i = 0; i < lines.n; i++)
        writer_printf(&w, "%s%*s%.*s", i > 0 ? "|" : "", (int)lines.lines[i].indent, "",
                      BYTES_ARG(lines.lines[i].text));
    return writer_bytes(&w);
}

static const struct {
    const char *text;
    size_t width;
    const char *lines; // joined by |
} cases[] = {
    { "", 10, "" },
    { "\n\n \n", 10, "" },                     // nothing but empty lines
    { "\n one\n\ntwo \n\n", 10, " one||two" }, // (2)
    { "0123456789", 10, "0123456789" },        // fits exactly
    { "01234 6789 b", 10, "01234 6789|b" },    // the blank where it breaks is not shown
    { "01234 6789  b", 10, "01234 6789|b" },   // nor are two
    { "012 456 89a", 10, "012 456|89a" },      // breaks before what does not fit
    { "0123456789abc", 10, "0123456789|abc" }, // a word wider than a line
    { "x 0123456789abc", 10, "x|0123456789|abc" },
    { "- one two three", 10, "- one two|  three" }, // hangs behind its dash
    { "  one two three", 10, "  one two|  three" },
    { "- 0123456789abc", 10, "- 01234567|  89abc" },     // the dash does not stand alone
    { "      - 0123456789", 10, "      - 01|23456789" }, // too deep to hang
    { "            x", 8, "x" },                         // more blanks than columns
    { "a\nb", PANEL_TEXT_NO_WRAP, "a|b" },
    { "\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad\xe6\x96\x87x", 8,
      "\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad\xe6\x96\x87|x" }, // two columns each
    { "e\xcc\x81"
      "1234567x",
      8,
      "e\xcc\x81"
      "1234567|x" }, // an accent takes none
    { "a\tb", 20, "a<U+0009>b" },
    { "a\x1b[2Jb", 20, "a<U+001B>[2Jb" }, // (1) a terminal's commands
    { "\xc2\x9b"
      "2J",
      20, "<U+009B>2J" }, // the same as one character
    { "a\xe2\x80\xae"
      "b",
      20, "a<U+202E>b" }, // turns what follows around
    { "a\xe2\x80\x8b"
      "b",
      20, "a<U+200B>b" },                    // no width
    { "\xf3\xa0\x81\x81", 20, "<U+E0041>" }, // an invisible tag
    { "a\rb\x7f", 20, "a<U+000D>b<U+007F>" },
};

TEST(panel_text_wraps_as_listed)
{
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct bytes got = wrapped(cases[i].text, cases[i].width);
        if (!bytes_equal_text(got, cases[i].lines))
            fail_msg("case %zu: '%.*s', not '%s'", i, BYTES_ARG(got), cases[i].lines);
    }
    assert_non_null(setlocale(LC_CTYPE, "C"));
}

// What the locale cannot show must not vanish from a policy that is being approved.
TEST(panel_text_shows_in_ascii_what_the_locale_cannot)
{
    assert_non_null(setlocale(LC_CTYPE, "C"));
    assert_bytes_text(wrapped("M\xc3\xbcnzen", 20), "M<U+00FC>nzen");
}

TEST(panel_text_that_is_no_utf8_is_refused)
{
    struct panel_text lines;
    struct bytes safe;
    struct err err;
    assert_false(panel_text_wrap(&lines, BYTES("a\xff"), 20, test_arena(), &err));
    assert_err(&err, ERR_MALFORMED, "text is not UTF-8");
    assert_false(panel_text_safe(&safe, BYTES("\xc3"), test_arena(), &err));
    assert_err(&err, ERR_MALFORMED, "text is not UTF-8");
}

TEST(panel_text_title_stays_on_one_line)
{
    struct bytes safe;
    struct err err;
    assert_true(panel_text_safe(&safe, BYTES("Start\nHSM?"), test_arena(), &err));
    assert_bytes_text(safe, "Start<U+000A>HSM?");
    assert_true(panel_text_safe(&safe, BYTES("a\0b"), test_arena(), &err));
    assert_bytes_text(safe, "a<U+0000>b");
}

TEST(panel_text_counts_columns)
{
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    assert_int_equal(panel_text_columns(BYTES("")), 0);
    assert_int_equal(panel_text_columns(BYTES("abc")), 3);
    assert_int_equal(panel_text_columns(BYTES("e\xcc\x81\xe4\xb8\xad")), 3);
    assert_bytes_text(panel_text_fit(BYTES("a\xe4\xb8\xad"), 2), "a"); // no half character
    assert_bytes_text(panel_text_fit(BYTES("ae\xcc\x81"
                                           "b"),
                                     2),
                      "ae\xcc\x81");
    assert_non_null(setlocale(LC_CTYPE, "C"));
}

static const struct {
    struct panel_window before;
    int64_t by;
    size_t first, above, below;
} moves[] = {
    { { 0, 5, 10 }, 0, 0, 0, 5 },    { { 0, 5, 10 }, 3, 3, 3, 2 },    { { 3, 5, 10 }, 3, 5, 5, 0 },
    { { 5, 5, 10 }, 1, 5, 5, 0 },    { { 5, 5, 10 }, -2, 3, 3, 2 },   { { 1, 5, 10 }, -2, 0, 0, 5 },
    { { 0, 5, 5 }, 1, 0, 0, 0 },     { { 0, 5, 3 }, 1, 0, 0, 0 },     { { 0, 5, 0 }, -1, 0, 0, 0 },
    { { 7, 5, 6 }, 0, 1, 1, 0 },  // the text became shorter
    { { 2, 9, 10 }, 0, 1, 1, 0 }, // the terminal became higher
    { { 7, 5, 20 }, -20, 0, 0, 15 }, { { 7, 5, 20 }, 99, 15, 15, 0 },
};

TEST(panel_text_window_stays_on_the_text)
{
    for (size_t i = 0; i < COUNT(moves); i++) {
        struct panel_window w = moves[i].before;
        panel_window_move(&w, moves[i].by);
        if (w.first != moves[i].first || panel_window_above(&w) != moves[i].above ||
            panel_window_below(&w) != moves[i].below)
            fail_msg("case %zu: first %zu, below %zu", i, w.first, panel_window_below(&w));
    }
}
