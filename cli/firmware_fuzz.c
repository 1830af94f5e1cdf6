#include "cli/firmware.h"
#include "fuzz/fuzz.h"

FUZZ_TARGET(data) // image and header lie in the file, and the header in the image
{
    struct bytes image, header;
    struct err err;
    if (!firmware_read(&image, &header, data, &err))
        return;
    REQUIRE(image.ptr >= data.ptr && image.ptr + image.len <= data.ptr + data.len);
    REQUIRE(header.ptr == image.ptr + FIRMWARE_HEADER_AT && header.len == FIRMWARE_HEADER_LEN);
    REQUIRE(image.len >= FIRMWARE_HEADER_AT + FIRMWARE_HEADER_LEN);
    REQUIRE(header.ptr[0] == 0x34 && header.ptr[1] == 0x12 && header.ptr[2] == 0 &&
            header.ptr[3] == 0xcc);
}
