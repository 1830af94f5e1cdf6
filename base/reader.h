// base/reader.h -- a position in borrowed bytes that cannot leave them.
//
// Each read succeeds whole, writing *out and moving on, or returns false and changes nothing. Only
// reader.c moves a reader. A parser ends by asking reader_done: left-over bytes are an error.
#ifndef CASEMATE_BASE_READER_H
#define CASEMATE_BASE_READER_H
#include "base/bytes.h"

struct reader {
    struct bytes rest;
    size_t offset; // of `rest` from the start of the outermost reader
};

struct reader reader_of(struct bytes in);
bool reader_done(const struct reader *r);

MUST_CHECK bool reader_u8(struct reader *r, uint8_t *out);
MUST_CHECK bool reader_u16le(struct reader *r, uint16_t *out);
MUST_CHECK bool reader_u32le(struct reader *r, uint32_t *out);
MUST_CHECK bool reader_u64le(struct reader *r, uint64_t *out);
MUST_CHECK bool reader_i64le(struct reader *r, int64_t *out);
MUST_CHECK bool reader_u32be(struct reader *r, uint32_t *out);

// Bitcoin's variable-length integer, shortest form only.
MUST_CHECK bool reader_compact_size(struct reader *r, uint64_t *out);

// `len` bytes, borrowed from the input.
MUST_CHECK bool reader_take(struct reader *r, uint64_t len, struct bytes *out);

// `len` bytes, copied.
MUST_CHECK bool reader_copy(struct reader *r, void *out, size_t len);

// A compact size, then that many bytes; as bytes, or as a reader that knows its offset.
MUST_CHECK bool reader_counted(struct reader *r, struct bytes *out);
MUST_CHECK bool reader_nested(struct reader *r, struct reader *out);

// All that is left; may be empty.
struct bytes reader_rest(struct reader *r);

// Text: moves on if the next byte is `c` / the next bytes are `word`.
bool reader_accept(struct reader *r, char c);
bool reader_accept_bytes(struct reader *r, struct bytes word);

// The next byte without moving.
bool reader_peek(const struct reader *r, uint8_t *out);

// The decimal digits that come next; may be none.
struct bytes reader_digits(struct reader *r);

// A decimal number of at most `max`, without leading zeros, sign or blanks.
MUST_CHECK bool reader_decimal(struct reader *r, uint32_t max, uint32_t *out);
MUST_CHECK bool reader_decimal64(struct reader *r, uint64_t max, uint64_t *out);

// Up to and without the next `c`, moving past it; without one, all that is left. False at the end.
MUST_CHECK bool reader_until(struct reader *r, char c, struct bytes *out);

#endif
