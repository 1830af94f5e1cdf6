#include "cli/firmware.h"
#include "base/reader.h"

#define DFUSE_MARK      "DfuSe"
#define TARGET_MARK     "Target"
#define TARGET_NAME_LEN 255
#define DFUSE_VERSION   1

static bool ends_early(const struct reader *r, struct err *err)
{
    return err_set(err, ERR_TRUNCATED, "DfuSe: ends at byte %zu", r->offset);
}

// "u8 version, u32 size, u8 targets"
static bool read_prefix(struct reader *r, struct err *err)
{
    uint8_t version, n_targets;
    uint32_t size;
    if (!reader_u8(r, &version) || !reader_u32le(r, &size) || !reader_u8(r, &n_targets))
        return ends_early(r, err);
    if (version != DFUSE_VERSION)
        return err_set(err, ERR_MALFORMED, "DfuSe: version %u", version);
    return n_targets > 0 || err_set(err, ERR_MALFORMED, "DfuSe: no target");
}

// "`Target`, u8 alt, u32 named, 255 name, u32 size, u32 elements"
static bool read_target(struct reader *r, struct err *err)
{
    uint8_t alternate;
    uint32_t is_named, size, n_elements;
    struct bytes mark, name;
    if (!reader_take(r, sizeof TARGET_MARK - 1, &mark) || !reader_u8(r, &alternate) ||
        !reader_u32le(r, &is_named) || !reader_take(r, TARGET_NAME_LEN, &name) ||
        !reader_u32le(r, &size) || !reader_u32le(r, &n_elements))
        return ends_early(r, err);
    if (!bytes_equal_text(mark, TARGET_MARK))
        return err_set(err, ERR_MALFORMED, "DfuSe: no target at byte 11");
    return n_elements > 0 || err_set(err, ERR_MALFORMED, "DfuSe: a target without elements");
}

// "u32 address (>= 0x08008000), u32 size; the first element is used"
static bool read_element(struct reader *r, struct bytes *image, struct err *err)
{
    uint32_t address, size;
    if (!reader_u32le(r, &address) || !reader_u32le(r, &size) || !reader_take(r, size, image))
        return ends_early(r, err);
    return address >= FIRMWARE_START ||
           err_set(err, ERR_MALFORMED, "DfuSe: address %08x", (unsigned)address);
}

static bool read_container(struct bytes *image, struct bytes file, struct err *err)
{
    struct reader r = reader_of(file);
    *image = file;
    if (!reader_accept_bytes(&r, BYTES(DFUSE_MARK)))
        return true;
    return read_prefix(&r, err) && read_target(&r, err) && read_element(&r, image, err);
}

static bool check_header(struct bytes *header, struct bytes image, struct err *err)
{
    uint32_t magic;
    *header = bytes_slice(image, FIRMWARE_HEADER_AT, FIRMWARE_HEADER_LEN);
    struct reader r = reader_of(*header);
    if (header->len != FIRMWARE_HEADER_LEN || !reader_u32le(&r, &magic) || magic != FIRMWARE_MAGIC)
        return err_set(err, ERR_INVALID,
                       "This does not look like a firmware file! Bad magic value.");
    return image.len % FIRMWARE_ALIGN == 0 ||
           err_set(err, ERR_INVALID, "the image has %zu bytes, no multiple of %d", image.len,
                   FIRMWARE_ALIGN);
}

bool firmware_read(struct bytes *image, struct bytes *header, struct bytes file, struct err *err)
{
    return read_container(image, file, err) && check_header(header, *image, err);
}
