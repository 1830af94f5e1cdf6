#include "cli/qr.h"
#include "base/reader.h"
#include "tests/support/test.h"

#define CODE 21 // modules of the smallest code
#define ALL  (CODE + 2 * QR_QUIET)

static struct bytes draw(const char *text, enum qr_look look, size_t *columns)
{
    struct writer w = writer_growing(test_arena(), 1 << 20);
    struct err err;
    assert_true(qr_write(&w, columns, bytes_of_text(text), look, &err));
    return writer_bytes(&w);
}

// Takes one character of a picture apart: which of its halves are drawn.
static void take(struct reader *r, bool *upper, bool *lower)
{
    const bool both = reader_accept_bytes(r, BYTES("█"));
    *upper = both || reader_accept_bytes(r, BYTES("▀"));
    *lower = both || (!*upper && reader_accept_bytes(r, BYTES("▄")));
    assert_true(*upper || *lower || reader_accept(r, ' '));
}

static void read_blocks(bool module[ALL + 1][ALL], struct bytes picture, enum qr_look look)
{
    struct reader r = reader_of(picture);
    for (size_t y = 0; y < ALL; y += 2) {
        assert_true(look != QR_COLORS || reader_accept_bytes(&r, BYTES("\033[30;107m")));
        for (size_t x = 0; x < ALL; x++)
            take(&r, &module[y][x], &module[y + 1][x]);
        assert_true(look != QR_COLORS || reader_accept_bytes(&r, BYTES("\033[0m")));
        assert_true(reader_accept(&r, '\n'));
    }
    assert_true(reader_done(&r));
}

// The finder in three corners is what readers look for: a ring, and a square inside.
static void assert_finder(bool module[ALL + 1][ALL], size_t top, size_t left)
{
    for (size_t y = 0; y < 7; y++)
        for (size_t x = 0; x < 7; x++) {
            const bool ring = y == 0 || y == 6 || x == 0 || x == 6;
            const bool square = y >= 2 && y <= 4 && x >= 2 && x <= 4;
            assert_int_equal(module[top + y][left + x], ring || square);
        }
}

TEST(cli_7_4_qr_codes_have_finders_and_a_quiet_zone)
{
    static const enum qr_look looks[] = { QR_COLORS, QR_ON_LIGHT };
    for (size_t i = 0; i < COUNT(looks); i++) {
        bool module[ALL + 1][ALL] = { { false } };
        size_t columns;
        read_blocks(module, draw("hello", looks[i], &columns), looks[i]);
        assert_int_equal(columns, ALL);
        assert_finder(module, QR_QUIET, QR_QUIET);
        assert_finder(module, QR_QUIET, QR_QUIET + CODE - 7);
        assert_finder(module, QR_QUIET + CODE - 7, QR_QUIET);
        for (size_t y = 0; y < ALL; y++)
            for (size_t x = 0; x < ALL; x++)
                if (y < QR_QUIET || y >= ALL - QR_QUIET || x < QR_QUIET || x >= ALL - QR_QUIET)
                    assert_false(module[y][x]);
    }
}

// On a dark background the light modules are drawn: the same code, the other way round.
TEST(cli_7_4_qr_codes_on_dark)
{
    bool light[ALL + 1][ALL], dark[ALL + 1][ALL];
    size_t columns;
    read_blocks(light, draw("hello", QR_ON_LIGHT, &columns), QR_ON_LIGHT);
    read_blocks(dark, draw("hello", QR_ON_DARK, &columns), QR_ON_DARK);
    for (size_t y = 0; y < ALL; y++)
        for (size_t x = 0; x < ALL; x++)
            assert_int_equal(light[y][x], !dark[y][x]);
}

TEST(cli_7_4_qr_codes_without_block_characters)
{
    bool module[ALL + 1][ALL];
    size_t columns;
    read_blocks(module, draw("hello", QR_ON_LIGHT, &columns), QR_ON_LIGHT);
    struct reader r = reader_of(draw("hello", QR_ASCII_LIGHT, &columns));
    assert_int_equal(columns, 2 * ALL);
    for (size_t y = 0; y < ALL; y++) {
        for (size_t x = 0; x < ALL; x++)
            assert_true(reader_accept_bytes(&r, module[y][x] ? BYTES("##") : BYTES("  ")));
        assert_true(reader_accept(&r, '\n'));
    }
    assert_true(reader_done(&r));
}

TEST(cli_7_4_what_no_qr_code_holds)
{
    struct writer w = writer_growing(test_arena(), 1 << 20);
    char text[4298];
    size_t columns;
    struct err err;
    memset(text, 'A', sizeof text); // a code holds 4296 capitals
    assert_true(qr_write(&w, &columns, bytes_of(text, 4296), QR_COLORS, &err));
    assert_false(qr_write(&w, &columns, bytes_of(text, 4297), QR_COLORS, &err));
    assert_err(&err, ERR_LIMIT, "too long for a QR code: 4297 bytes");
    assert_false(qr_write(&w, &columns, (struct bytes){ 0 }, QR_COLORS, &err));
}
