#include "bunker/bbqr.h"
#include "base/base64.h"
#include "tests/support/test.h"

// The first part of a signed transaction, and of a PSBT: worked out by hand from the specification's header.
TEST(bunker_19_5_bbqr_of_a_small_file)
{
    char text[BBQR_TEXT_SIZE];
    bbqr_part(text, BYTES("hello"), BBQR_TRANSACTION, 0);
    assert_string_equal(text, "B$2T0100NBSWY3DP"); // RFC 4648: "hello" is NBSWY3DP
    bbqr_part(text, BYTES("psbt\xff\x01"), BBQR_PSBT, 0);
    assert_string_equal(text, "B$2P0100OBZWE5H7AE"); // unpadded
}

// Every part begins and ends at a whole byte, and together they are the file.
TEST(bunker_19_5_bbqr_parts_are_the_file)
{
    static uint8_t file[BBQR_PART_BYTES * 36 + 1];
    static const size_t sizes[] = { 1, BBQR_PART_BYTES, BBQR_PART_BYTES + 1, sizeof file };
    for (size_t i = 0; i < sizeof file; i++)
        file[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct writer w = writer_growing(test_arena(), sizeof file + 8);
        const size_t n = bbqr_parts(sizes[i]);
        for (size_t k = 0; k < n; k++) {
            char text[BBQR_TEXT_SIZE];
            bbqr_part(text, bytes_of(file, sizes[i]), BBQR_PSBT, k);
            assert_true(base32_read(&w, bytes_slice(bytes_of_text(text), BBQR_HEADER, SIZE_MAX)));
        }
        assert_bytes_equal(writer_bytes(&w), bytes_of(file, sizes[i]));
    }
    char text[BBQR_TEXT_SIZE];
    bbqr_part(text, BYTES_OF(file), BBQR_PSBT, 36);
    assert_bytes_text(bytes_slice(bytes_of_text(text), 0, BBQR_HEADER),
                      "B$2P1110"); // 37 parts, the last
}

TEST(bunker_19_5_bbqr_has_its_limits)
{
    assert_int_equal(bbqr_parts(0), 0);
    assert_int_equal(bbqr_parts((size_t)BBQR_PARTS_MAX * BBQR_PART_BYTES), BBQR_PARTS_MAX);
    assert_int_equal(bbqr_parts((size_t)BBQR_PARTS_MAX * BBQR_PART_BYTES + 1), 0);
    assert_int_equal(bbqr_parts(SIZE_MAX), 0);
}
