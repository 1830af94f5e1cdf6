#include "bitcoin/base58.h"
#include "tests/support/test.h"
#include <string.h>

static struct bytes decoded(struct bytes text, bool *good)
{
    const size_t room = BASE58_TEXT_MAX;
    struct writer w = writer_of(arena_alloc(test_arena(), room), room);
    *good = base58_read(&w, text);
    return writer_bytes(&w);
}

static struct bytes encoded(struct bytes binary, bool *good)
{
    const size_t room = 2048;
    struct writer w = writer_of(arena_alloc(test_arena(), room), room);
    base58_write(&w, binary);
    *good = !w.failed;
    return writer_bytes(&w);
}

TEST(psbt_signing_27_1_raw_vectors)
{
    const struct json *rows = json_need(test_vectors("base58check.json"), "raw");
    size_t n_longer = 0;
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct json *row = json_item(rows, i);
        const struct bytes binary = json_item_hex(row, 0), text = json_item_text(row, 1);
        const bool bounded = text.len <= BASE58_TEXT_MAX;
        bool good;
        const struct bytes out = encoded(binary, &good);
        assert_int_equal(good, bounded);
        if (bounded)
            assert_bytes_equal(out, text);
        const struct bytes back = decoded(text, &good);
        assert_int_equal(good, bounded);
        if (bounded)
            assert_bytes_equal(back, binary);
        n_longer += !bounded;
    }
    assert_int_equal(rows->n_items, 14);
    assert_int_equal(n_longer, 1); // 256 bytes: more than anything we exchange
}

TEST(psbt_signing_27_1_check_vectors)
{
    const struct json *rows = json_need(test_vectors("base58check.json"), "check");
    for (size_t i = 0; i < rows->n_items; i++) {
        const struct json *row = json_item(rows, i);
        const struct bytes payload = json_item_hex(row, 0), text = json_item_text(row, 1);
        uint8_t mem[BASE58_TEXT_MAX];
        struct writer w = writer_of(mem, sizeof mem);
        base58check_write(&w, payload);
        if (text.len > BASE58_TEXT_MAX) {
            assert_true(w.failed);
            continue;
        }
        assert_bytes_equal(writer_bytes(&w), text);
        w = writer_of(mem, sizeof mem);
        assert_true(base58check_read(&w, text));
        assert_bytes_equal(writer_bytes(&w), payload);
    }
    assert_int_equal(rows->n_items, 14);
}

TEST(psbt_signing_27_1_invalid_vectors)
{
    const struct json *rows = json_need(test_vectors("base58check.json"), "check_invalid");
    for (size_t i = 0; i < rows->n_items; i++) {
        uint8_t mem[BASE58_TEXT_MAX];
        struct writer w = writer_of(mem, sizeof mem);
        if (base58check_read(&w, json_item_text(rows, i)))
            fail_msg("accepted: %.*s", BYTES_ARG(json_item_text(rows, i)));
        assert_int_equal(w.len, 0);
    }
}

TEST(psbt_signing_27_1_only_the_alphabet_is_read)
{
    static const char *const refused[] = {
        " 3QJmnh",    "3QJmnh ", "3QJ mnh", "3QJmnh\n", "\t3QJmnh", // blanks
        "3QJmnh0",    "3QJmnhO", "3QJmnhI", "3QJmnhl",              // left out for their looks
        "3QJmnh\x80", "3QJmnh+", "\xff",
    };
    uint8_t mem[BASE58_TEXT_MAX];
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct writer w = writer_of(mem, sizeof mem);
        assert_false(base58_read(&w, bytes_of_text(refused[i])));
    }
    struct writer w = writer_of(mem, sizeof mem);
    assert_false(base58_read(&w, bytes_of("3Q\0mnh", 6)));
    for (unsigned c = 0; c < 256; c++) {
        w = writer_of(mem, sizeof mem);
        const uint8_t text[1] = { (uint8_t)c };
        assert_int_equal(base58_read(&w, BYTES_OF(text)), base58_has((uint8_t)c));
    }
}

// A megabyte costs nothing: it is refused by its length.
TEST(psbt_signing_27_1_long_text_is_refused_undecoded)
{
    static char text[1 << 20];
    uint8_t mem[BASE58_TEXT_MAX];
    struct writer w = writer_of(mem, sizeof mem);
    memset(text, 'z', sizeof text);
    assert_false(base58_read(&w, bytes_of(text, sizeof text)));
    assert_false(base58check_read(&w, bytes_of(text, sizeof text)));
    assert_false(base58_read(&w, bytes_of(text, BASE58_TEXT_MAX + 1)));
    assert_true(base58_read(&w, bytes_of(text, BASE58_TEXT_MAX)));
    w = writer_of(mem, sizeof mem);
    base58_write(&w, bytes_of(text, sizeof text));
    assert_true(w.failed);
}

TEST(zero_bytes_alone)
{
    uint8_t zeros[BASE58_TEXT_MAX + 1] = { 0 };
    bool good;
    assert_bytes_text(encoded(bytes_of(zeros, 3), &good), "111");
    char ones[BASE58_TEXT_MAX];
    memset(ones, '1', sizeof ones);
    assert_bytes_equal(decoded(BYTES_OF(ones), &good), bytes_of(zeros, sizeof ones));
    assert_true(good);
}
