// cli/firmware.h -- firmware images of Coldcards: the DfuSe container, and the header inside.
//
// (1) The image is a part of the file, or nothing: no length of the file is believed.
// Source: cli.md 3.22.
#ifndef CASEMATE_CLI_FIRMWARE_H
#define CASEMATE_CLI_FIRMWARE_H
#include "base/err.h"

#define FIRMWARE_HEADER_AT  0x3f80 // in the image
#define FIRMWARE_HEADER_LEN 128
#define FIRMWARE_MAGIC      0xcc001234u
#define FIRMWARE_ALIGN      256
#define FIRMWARE_START      0x08008000u // lowest address of an element

// The image in a DfuSe file (its first element), or the file itself where it is none; *header is its
// header. Both borrow from `file`.
// Fails: ERR_TRUNCATED, ERR_MALFORMED "DfuSe: ..."; ERR_INVALID "This does not look like a firmware
//        file! Bad magic value."; ERR_INVALID "the image has <n> bytes, no multiple of 256".
MUST_CHECK bool firmware_read(struct bytes *image, struct bytes *header, struct bytes file,
                              struct err *err);

#endif
