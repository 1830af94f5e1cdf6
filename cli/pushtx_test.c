#include "cli/pushtx.h"
#include "tests/support/test.h"

// cli.md 3.8.
TEST(cli_3_8_pushtx_url)
{
    static const struct {
        const char *base, *chain, *url;
    } rows[] = {
        { "coldcard", "XTN", "https://coldcard.com/pushtx#t=AgAAAAABAQA&c=gROufzJqNM0&n=XTN" },
        { "mempool", "BTC", "https://mempool.space/pushtx#t=AgAAAAABAQA&c=gROufzJqNM0" },
        { "http://x/y?", "XRT", "http://x/y?t=AgAAAAABAQA&c=gROufzJqNM0&n=XRT" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct writer w = writer_growing(test_arena(), 1000);
        const char *base;
        struct err err;
        assert_true(pushtx_base(&base, rows[i].base, &err));
        pushtx_write(&w, base, test_hex("0200000000010100"), bytes_of_text(rows[i].chain));
        assert_bytes_text(writer_bytes(&w), rows[i].url);
    }
}

TEST(base64url_has_no_plus_slash_or_padding)
{
    struct writer w = writer_growing(test_arena(), 1000);
    pushtx_write(&w, "", test_hex("fbefbefffffe"), BYTES("BTC"));
    assert_true(bytes_starts_with(writer_bytes(&w), BYTES("t=----___-&c=")));
}

TEST(a_base_that_is_none)
{
    static const char *const rows[] = { "", "ftp://x#", "https://x/", "coldcard#", "http:/x#" };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *base;
        struct err err;
        assert_false(pushtx_base(&base, rows[i], &err));
        assert_int_equal(err.code, ERR_USAGE);
    }
    const char *base = "x";
    struct err err;
    assert_true(pushtx_base(&base, NULL, &err));
    assert_null(base);
}
