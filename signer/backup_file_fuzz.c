#include "signer/backup_file.h"
#include "crypto/stream.h"
#include "fuzz/fuzz.h"

#define COST_AT 17 // passes and memory, which the fuzzer may not choose: they are time
#define WORDS                                                                                      \
    BYTES("abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "       \
          "abandon about")

// A file that begins well and goes on as the bytes say opens only if it was sealed; and one that was
// sealed, with one byte changed, never.
FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new(64u << 20);
    const struct vault_cost weak = vault_cost_weak();
    struct writer w = writer_growing(arena, 1u << 20);
    struct backup_words words = { .len = WORDS.len };
    struct bytes text;
    struct err err;
    memcpy(words.b, WORDS.ptr, WORDS.len);
    if (data.len < 3)
        return;
    writer_text(&w, BACKUP_FILE_MAGIC);
    writer_u8(&w, BACKUP_FILE_VERSION);
    writer_u32le(&w, weak.passes);
    writer_u32le(&w, weak.memory_kib);
    writer_put(&w, data);
    REQUIRE(!w.failed && !backup_file_open(&text, writer_bytes(&w), WORDS, arena, &err));
    REQUIRE(err.text[0] != '\0');

    struct writer sealed = writer_growing(arena, 1u << 20);
    const struct bytes plain = bytes_slice(data, 3, SIZE_MAX);
    REQUIRE(backup_file_seal(&sealed, plain, &words, weak, &err));
    REQUIRE(backup_file_open(&text, writer_bytes(&sealed), WORDS, arena, &err));
    REQUIRE(bytes_equal(text, plain));
    const size_t at = (data.ptr[0] | (size_t)data.ptr[1] << 8) % sealed.len;
    if (data.ptr[2] == 0 || (at >= COST_AT && at < COST_AT + 8))
        return;
    sealed.ptr[at] ^= data.ptr[2];
    REQUIRE(!backup_file_open(&text, writer_bytes(&sealed), WORDS, arena, &err));
}
