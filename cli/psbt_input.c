#include "cli/psbt_input.h"
#include "base/file.h"
#include "bitcoin/psbt.h"

#define FILE_MAX ((size_t)8 * PSBT_SIZE_MAX) // hex with blanks between

bool psbt_input_read(struct cli *cli, struct bytes *out, const char *path, struct err *err)
{
    struct bytes file;
    enum psbt_encoding encoding;
    cli->stage = STAGE_INPUT;
    if (!file_read(&file, path, FILE_MAX, cli->arena, err))
        return false;
    if (!psbt_decode_file(out, &encoding, file, cli->arena, err)) {
        cli_compat_print(cli, "File doesn't have PSBT magic number at start.\n");
        return err->code == ERR_MALFORMED
                   ? err_set(err, ERR_MALFORMED, "%s: not a PSBT in binary, hex or base64", path)
                   : err_within(err, "%s", path);
    }
    if (out->len > PSBT_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "%s: a PSBT has at most %d bytes", path, PSBT_SIZE_MAX);
    return true;
}
