// base/base64.h -- RFC 4648 base64 (standard alphabet, padded) and base32 (upper case, unpadded).
#ifndef CASEMATE_BASE_BASE64_H
#define CASEMATE_BASE_BASE64_H
#include "base/writer.h"

#define BASE64_LEN(n) (((n) + 2) / 3 * 4)
#define BASE32_LEN(n) (((n)*8 + 4) / 5)

void base64_write(struct writer *w, struct bytes in);
// Strict: full padding, no blanks, no surplus bits. Writes up to text.len / 4 * 3 bytes; nothing if
// the text is malformed. False also if the writer has no room.
MUST_CHECK bool base64_read(struct writer *w, struct bytes text);

void base32_write(struct writer *w, struct bytes in);
// Either case, `=` padding optional (all or none), no blanks, no surplus bits.
MUST_CHECK bool base32_read(struct writer *w, struct bytes text);

#endif
