#include "signer/backup_text.h"
#include "fuzz/fuzz.h"
#include "signer/backup_file.h"

static struct bytes written(const struct backup *backup, struct arena *arena)
{
    struct writer w = writer_growing(arena, BACKUP_TEXT_MAX);
    struct err err;
    REQUIRE(backup_text_write(&w, backup, &err));
    return writer_bytes(&w);
}

static bool is_one_of(enum err_code code)
{
    return code == ERR_MALFORMED || code == ERR_UNSUPPORTED || code == ERR_INVALID ||
           code == ERR_LIMIT || code == ERR_NO_MEMORY;
}

// What is accepted is written as a text that reads as the same; what is not has its reason. The bytes
// as a sealed file are refused: nobody sealed them.
FUZZ_TARGET(data)
{
    AUTO(arena_freep) struct arena *arena = arena_new(BACKUP_ARENA);
    AUTO(backup_wipe) struct backup first = { 0 };
    AUTO(backup_wipe) struct backup second = { 0 };
    struct err err;
    if (!backup_text_read(&first, data, arena, &err)) {
        REQUIRE(is_one_of(err.code) && err.text[0] != '\0');
        return;
    }
    const struct bytes text = written(&first, arena);
    REQUIRE(backup_text_read(&second, text, arena, &err));
    REQUIRE(bytes_equal(written(&second, arena), text));
}
