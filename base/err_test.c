#include "base/err.h"
#include "base/utf8.h"
#include "tests/support/test.h"
#include <errno.h>

TEST(set_within_and_detail)
{
    struct err err;
    assert_false(err_set(&err, ERR_TRUNCATED, "output ends at byte %d", 41));
    assert_err(&err, ERR_TRUNCATED, "output ends at byte 41");
    assert_string_equal(err.detail, "");
    assert_false(err_detail(&err, "of %s", "input"));
    assert_false(err_within(&err, "input %d: witness utxo", 3));
    assert_err(&err, ERR_TRUNCATED, "input 3: witness utxo: output ends at byte 41");
    assert_string_equal(err.detail, "of input");
    assert_false(err_set(&err, ERR_BUSY, "busy"));
    assert_string_equal(err.detail, ""); // not that of the error before
}

TEST(arguments_may_lie_in_the_error)
{
    struct err err;
    (void)err_set(&err, ERR_IO, "abc");
    (void)err_set(&err, ERR_LIMIT, "%s and %s", err.text, err.text);
    assert_err(&err, ERR_LIMIT, "abc and abc");
    (void)err_within(&err, "[%s]", err.text);
    assert_err(&err, ERR_LIMIT, "[abc and abc]: abc and abc");
    (void)err_detail(&err, "d");
    (void)err_set(&err, ERR_IO, "%s", err.detail);
    assert_err(&err, ERR_IO, "d");
    (void)err_detail(&err, "<%s>", err.text);
    (void)err_detail(&err, "%s%s", err.detail, err.detail);
    assert_string_equal(err.detail, "<d><d>");
    (void)err_set_errno(&err, EACCES, "%s", err.text);
    assert_err(&err, ERR_IO, "d: Permission denied");
}

TEST(errno_becomes_text)
{
    struct err err;
    assert_false(err_set_errno(&err, ENOENT, "%s", "x"));
    assert_err(&err, ERR_NOT_FOUND, "x: No such file or directory");
    assert_false(err_set_errno(&err, ENOSPC, "x %d", 1));
    assert_err(&err, ERR_IO, "x 1: No space left on device");
}

TEST(long_texts_are_cut_between_characters)
{
    char text[2 * ERR_TEXT_MAX + 1] = { 0 };
    struct err err;
    for (size_t start = 0; start < 4; start++) { // so that the cut falls into each place
        memset(text, 'a', start);
        for (size_t i = start; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xe2\x82\xbf", 3);
        (void)err_set(&err, ERR_IO, "%s", text);
        const size_t whole = start + (ERR_TEXT_MAX - 1 - start) / 3 * 3;
        assert_int_equal(strlen(err.text), whole);
        assert_memory_equal(err.text, text, whole);
        (void)err_within(&err, "b");
        assert_true(utf8_is_valid(bytes_of_text(err.text)));
        assert_in_range(strlen(err.text), ERR_TEXT_MAX - 3, ERR_TEXT_MAX - 1);
        (void)err_detail(&err, "%s", text);
        assert_true(utf8_is_valid(bytes_of_text(err.detail)));
        assert_in_range(strlen(err.detail), ERR_DETAIL_MAX - 3, ERR_DETAIL_MAX - 1);
    }
    memset(text, 'x', ERR_TEXT_MAX - 1);
    text[ERR_TEXT_MAX - 1] = 0;
    (void)err_set(&err, ERR_IO, "%s", text);
    assert_string_equal(err.text, text); // just fits
}

TEST(each_code_has_its_name)
{
    assert_string_equal(err_code_name(ERR_NONE), "none");
    assert_string_equal(err_code_name(ERR_MALFORMED), "malformed");
    for (int a = ERR_NONE; a <= ERR_INTERNAL; a++) {
        for (int b = a + 1; b <= ERR_INTERNAL; b++)
            assert_string_not_equal(err_code_name((enum err_code)a),
                                    err_code_name((enum err_code)b));
    }
    assert_string_equal(err_code_name((enum err_code)(ERR_INTERNAL + 1)), "unknown");
}
