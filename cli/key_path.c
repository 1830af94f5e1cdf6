#include "cli/key_path.h"

bool key_path_check(struct cli *cli, struct keypath *out, const char *text, struct err *err)
{
    if (cli->o->compat || keypath_parse(out, bytes_of_text(text), err))
        return true;
    return err_set(err, ERR_USAGE, "path '%s': %s", text, err->text);
}

bool key_path_read(struct keypath *out, const char *text, struct err *err)
{
    return keypath_parse(out, bytes_of_text(text), err) ||
           err_set(err, ERR_FRAMING, "the device accepted the path '%s': %s", text, err->text);
}

enum addr_format key_path_format(const struct cli *cli)
{
    if (cli->o->wrap)
        return ADDR_P2SH_P2WPKH;
    if (cli->o->segwit)
        return ADDR_P2WPKH;
    return cli->o->taproot ? ADDR_P2TR : ADDR_P2PKH;
}

static unsigned purpose_of(enum addr_format format)
{
    switch (format) {
    case ADDR_P2SH_P2WPKH:
        return 49;
    case ADDR_P2WPKH:
        return 84;
    case ADDR_P2TR:
        return 86;
    default:
        return 44;
    }
}

bool key_path_or_default(struct cli *cli, const char **out, const char *text,
                         enum addr_format format, struct err *err)
{
    uint8_t mem[KEYPATH_TEXT_MAX];
    struct writer w = writer_of(mem, sizeof mem);
    *out = text;
    if (text != NULL)
        return true;
    // "c = 1 if the device's master key starts with `t`, else 0"
    const bool is_test = connection_identity(cli->connection)->xpub[0] == 't';
    writer_printf(&w, "m/%uh/%dh/0h/0/0", purpose_of(format), is_test ? 1 : 0);
    *out = arena_text(cli->arena, writer_bytes(&w));
    return *out != NULL || err_set(err, ERR_NO_MEMORY, "no memory for a path");
}

bool key_path_origin(struct cli *cli, struct bytes *out, const struct keypath *path,
                     struct err *err)
{
    struct writer w = writer_growing(cli->arena, (size_t)2 * KEYPATH_TEXT_MAX);
    char text[KEYPATH_TEXT_MAX];
    struct writer p = writer_of(text, sizeof text);
    const struct connection_identity *id = connection_identity(cli->connection);
    writer_hex(&w, BYTES_OF(id->xfp));
    keypath_write(&p, path);
    writer_put(&w, bytes_slice(writer_bytes(&p), 1, SIZE_MAX)); // without the m
    return writer_finish(&w, out) || err_set(err, ERR_NO_MEMORY, "no memory for a path");
}

void key_path_put(struct cli *cli, const struct keypath *path)
{
    char text[KEYPATH_TEXT_MAX];
    struct writer w = writer_of(text, sizeof text);
    keypath_write(&w, path);
    cli_text(cli, "path", writer_bytes(&w));
}
