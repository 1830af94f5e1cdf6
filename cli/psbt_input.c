#include "cli/psbt_input.h"
#include "base/file.h"
#include "bitcoin/psbt.h"

#define FILE_MAX ((size_t)8 * PSBT_SIZE_MAX) // hex with blanks between

// The reference ignores line ends inside base64 as well, where the `base64` tool puts them.
static bool without_blanks(struct bytes *file, struct arena *arena, struct err *err)
{
    if (!bytes_starts_with(bytes_trim(*file), BYTES("cHNidP")))
        return true;
    uint8_t *mem = arena_alloc(arena, file->len);
    size_t n = 0;
    if (mem == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for the file");
    for (size_t i = 0; i < file->len; i++)
        if (strchr(" \t\r\n", file->ptr[i]) == NULL || file->ptr[i] == 0)
            mem[n++] = file->ptr[i];
    *file = bytes_of(mem, n);
    return true;
}

static bool not_psbt(struct cli *cli, const char *path, struct err *err)
{
    (void)cli_compat_complain(cli, "File doesn't have PSBT magic number at start.");
    return err_set(err, ERR_MALFORMED, "%s: not a PSBT in binary, hex or base64", path);
}

bool psbt_input_read(struct cli *cli, struct bytes *out, const char *path, struct err *err)
{
    struct bytes file;
    enum psbt_encoding encoding;
    cli->stage = STAGE_INPUT;
    if (!file_read(&file, path, FILE_MAX, cli->arena, err) ||
        !without_blanks(&file, cli->arena, err))
        return false;
    if (!psbt_decode_file(out, &encoding, file, cli->arena, err))
        return err->code == ERR_MALFORMED ? not_psbt(cli, path, err) : err_within(err, "%s", path);
    if (!bytes_starts_with(*out, BYTES(PSBT_MAGIC))) // base64 tells only most of it beforehand
        return not_psbt(cli, path, err);
    if (out->len > PSBT_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "%s: a PSBT has at most %d bytes", path, PSBT_SIZE_MAX);
    return true;
}
