#include "bunker/bbqr.h"
#include "base/base64.h"
#include "base/require.h"

size_t bbqr_parts(size_t file_len)
{
    const size_t n = file_len / BBQR_PART_BYTES + (file_len % BBQR_PART_BYTES != 0);
    return n <= BBQR_PARTS_MAX ? n : 0;
}

static void write_base36(struct writer *w, size_t n)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    writer_u8(w, (uint8_t)digits[n / 36]);
    writer_u8(w, (uint8_t)digits[n % 36]);
}

void bbqr_part(char out[static BBQR_TEXT_SIZE], struct bytes file, enum bbqr_type type,
               size_t index)
{
    struct writer w = writer_of((uint8_t *)out, BBQR_TEXT_SIZE);
    const size_t n = bbqr_parts(file.len);
    REQUIRE(index < n);
    writer_text(&w, "B$2");
    writer_u8(&w, (uint8_t)type);
    write_base36(&w, n);
    write_base36(&w, index);
    base32_write(&w, bytes_slice(file, index * BBQR_PART_BYTES, BBQR_PART_BYTES));
    writer_u8(&w, 0);
    REQUIRE(!w.failed);
}
