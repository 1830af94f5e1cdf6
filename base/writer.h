// base/writer.h -- writes bytes into memory that it cannot leave.
//
// Writes past the end are remembered, write nothing, and are asked for once, by writer_finish.
#ifndef CASEMATE_BASE_WRITER_H
#define CASEMATE_BASE_WRITER_H
#include "base/arena.h"
#include "base/bytes.h"

struct writer {
    uint8_t *ptr;
    size_t len;          // written so far
    size_t cap;          // of `ptr`
    size_t limit;        // how far a growing writer may grow
    struct arena *arena; // of a growing writer, else NULL
    bool failed;
};

// Over the caller's memory, which must outlive the result.
struct writer writer_of(void *mem, size_t cap);

// In the arena, growing up to `limit` bytes.
struct writer writer_growing(struct arena *arena, size_t limit);

// For a growing writer whose length is known: takes room for `len` more bytes at once, where it would
// otherwise leave smaller pieces behind. Nothing else changes; too much is found out when written.
void writer_reserve(struct writer *w, size_t len);

void writer_u8(struct writer *w, uint8_t value);
void writer_u16le(struct writer *w, uint16_t value);
void writer_u32le(struct writer *w, uint32_t value);
void writer_u32be(struct writer *w, uint32_t value);
void writer_u64le(struct writer *w, uint64_t value);
void writer_i64le(struct writer *w, int64_t value);
void writer_compact_size(struct writer *w, uint64_t value);
void writer_put(struct writer *w, struct bytes content);
void writer_counted(struct writer *w, struct bytes content); // compact size, then content
void writer_text(struct writer *w, const char *text);
void writer_printf(struct writer *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
void writer_hex(struct writer *w, struct bytes content); // lower case

// What was written so far, borrowed.
struct bytes writer_bytes(const struct writer *w);

// *out = what was written; false (and *out empty) if anything did not fit.
MUST_CHECK bool writer_finish(const struct writer *w, struct bytes *out);

#endif
