#include "cli/firmware.h"
#include "base/writer.h"
#include "tests/support/test.h"

#define IMAGE_LEN 0x4100

static struct bytes image_of(size_t len, uint32_t magic)
{
    uint8_t *image = arena_alloc(test_arena(), len);
    struct writer w = writer_of(image + FIRMWARE_HEADER_AT, 4);
    memset(image, 0xa5, len);
    writer_u32le(&w, magic);
    return bytes_of(image, len);
}

struct container {
    const char *mark, *target;
    uint8_t version, n_targets;
    uint32_t n_elements, address, size;
};
static const struct container good = { "DfuSe", "Target", 1, 1, 1, 0x08008000, IMAGE_LEN };

static struct bytes pack(const struct container *c, struct bytes image)
{
    struct writer w = writer_growing(test_arena(), 100000);
    writer_text(&w, c->mark);
    writer_u8(&w, c->version);
    writer_u32le(&w, 0x1234);
    writer_u8(&w, c->n_targets);
    writer_text(&w, c->target);
    writer_u8(&w, 0);
    writer_u32le(&w, 1);
    for (int i = 0; i < 255; i++)
        writer_u8(&w, 0);
    writer_u32le(&w, 8 + c->size);
    writer_u32le(&w, c->n_elements);
    writer_u32le(&w, c->address);
    writer_u32le(&w, c->size);
    writer_put(&w, image);
    writer_text(&w, "suffix of 16 byt");
    return writer_bytes(&w);
}

TEST(cli_3_22_the_image_of_both_forms)
{
    const struct bytes image = image_of(IMAGE_LEN, FIRMWARE_MAGIC);
    struct bytes out, header;
    struct err err;
    assert_true(firmware_read(&out, &header, image, &err));
    assert_bytes_equal(out, image);
    assert_true(firmware_read(&out, &header, pack(&good, image), &err));
    assert_bytes_equal(out, image);
    assert_bytes_equal(header, bytes_slice(image, FIRMWARE_HEADER_AT, FIRMWARE_HEADER_LEN));
    // "11-byte prefix", "per target 274 bytes", 8 for the element
    assert_ptr_equal(out.ptr - (11 + 274 + 8), header.ptr - FIRMWARE_HEADER_AT - (11 + 274 + 8));
}

TEST(cli_3_22_what_is_no_firmware)
{
    const char *no_magic = "This does not look like a firmware file! Bad magic value.";
    const struct {
        struct container c;
        size_t len;
        uint32_t magic;
        const char *what;
    } rows[] = {
        { good, IMAGE_LEN, 0xcc001235, no_magic },
        { { "DfuSE", "Target", 1, 1, 1, 0x08008000, IMAGE_LEN },
          IMAGE_LEN,
          FIRMWARE_MAGIC,
          no_magic }, // a raw image then
        { { "DfuSe", "Targed", 1, 1, 1, 0x08008000, IMAGE_LEN },
          IMAGE_LEN,
          FIRMWARE_MAGIC,
          "DfuSe: no target at byte 11" },
        { { "DfuSe", "Target", 2, 1, 1, 0x08008000, IMAGE_LEN },
          IMAGE_LEN,
          FIRMWARE_MAGIC,
          "DfuSe: version 2" },
        { { "DfuSe", "Target", 1, 0, 1, 0x08008000, IMAGE_LEN },
          IMAGE_LEN,
          FIRMWARE_MAGIC,
          "DfuSe: no target" },
        { { "DfuSe", "Target", 1, 1, 0, 0x08008000, IMAGE_LEN },
          IMAGE_LEN,
          FIRMWARE_MAGIC,
          "DfuSe: a target without elements" },
        { { "DfuSe", "Target", 1, 1, 1, 0x08007fff, IMAGE_LEN },
          IMAGE_LEN,
          FIRMWARE_MAGIC,
          "DfuSe: address 08007fff" },
        { { "DfuSe", "Target", 1, 1, 1, 0x08008000, UINT32_MAX },
          IMAGE_LEN,
          FIRMWARE_MAGIC,
          "DfuSe: ends at byte 293" },
        { { "DfuSe", "Target", 1, 1, 1, 0x08008000, IMAGE_LEN - 1 },
          IMAGE_LEN,
          FIRMWARE_MAGIC,
          "the image has 16639 bytes, no multiple of 256" },
        { { "DfuSe", "Target", 1, 1, 1, 0x08008000, 0x3f83 }, IMAGE_LEN, FIRMWARE_MAGIC, no_magic },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bytes out, header;
        struct err err;
        assert_false(firmware_read(&out, &header,
                                   pack(&rows[i].c, image_of(rows[i].len, rows[i].magic)), &err));
        assert_string_equal(err.text, rows[i].what);
    }
}

// Property: no prefix of a file is a firmware but the one that holds the whole image.
TEST(cli_3_22_every_cut_is_refused)
{
    const struct bytes file = pack(&good, image_of(IMAGE_LEN, FIRMWARE_MAGIC));
    const size_t whole = 11 + 274 + 8 + IMAGE_LEN;
    for (size_t len = 0; len < file.len; len += len < 400 || len > whole - 20 ? 1 : 97) {
        struct bytes out, header;
        struct err err;
        assert_int_equal(firmware_read(&out, &header, bytes_slice(file, 0, len), &err),
                         len >= whole);
    }
}
