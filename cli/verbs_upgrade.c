// upgrade: cli.md 3.22.
#include "base/file.h"
#include "cli/firmware.h"
#include "cli/verbs.h"
#include "client/codes.h"

#define FILE_LIMIT ((size_t)8 << 20)

// "uploads the 128-byte header again as a trailer at offset = size with total = size + 128"
static bool send_trailer(struct cli *cli, struct bytes image, struct bytes header, struct err *err)
{
    const struct request trailer = { .id = REQUEST_UPLD,
                                     .upld = { .offset = (uint32_t)image.len,
                                               .total = (uint32_t)(image.len + header.len),
                                               .data = header } };
    const struct request ask = { .id = REQUEST_SHA2 };
    struct writer w = writer_growing(cli->arena, UPLOAD_MAX);
    struct reply reply;
    writer_reserve(&w, image.len + header.len);
    writer_put(&w, image);
    writer_put(&w, header);
    const struct hash256 sha = codes_sha256(writer_bytes(&w));
    if (!cli_call(cli, &reply, REPLY_INT1, &trailer, err) ||
        !cli_call(cli, &reply, REPLY_BINY, &ask, err))
        return false;
    return bytes_equal(reply.data, BYTES_OF(sha.b)) ||
           err_set(err, ERR_FRAMING, "Checksum wrong after upload");
}

static bool send_firmware(struct cli *cli, struct bytes image, struct bytes header, struct err *err)
{
    const struct progress progress = cli_progress(cli);
    cli_compat_note(cli, "%zu bytes (start @ 0) to send from '%s'\n", image.len,
                    cli->line.words[0]);
    cli_compat_print(cli, "Uploading\n");
    return transfer_upload(cli->connection, image, BLOCK_MAX, &progress, err) &&
           send_trailer(cli, image, header, err);
}

static bool restart(struct cli *cli, struct err *err)
{
    const struct request request = { .id = REQUEST_REBO };
    struct reply reply;
    return cli_call(cli, &reply, REPLY_OKAY, &request, err);
}

static bool run_upgrade(struct cli *cli, struct err *err)
{
    struct bytes file, image, header;
    if (cli->line.n_words == 0) // the reference's default is a path of its developer's
        return err_set(err, ERR_USAGE, "Missing argument 'FIRMWARE'.");
    if (!file_read(&file, cli->line.words[0], FILE_LIMIT, cli->arena, err))
        return false;
    if (!firmware_read(&image, &header, file, err)) {
        (void)cli_compat_complain(cli, "%s", err->text);
        return err_within(err, "%s", cli->line.words[0]);
    }
    if (image.len + header.len > UPLOAD_MAX)
        return err_set(err, ERR_LIMIT, "%s: an image of %zu bytes is too large", cli->line.words[0],
                       image.len);
    if (!cli_connect(cli, err) || !send_firmware(cli, image, header, err) ||
        (!cli->o->stop_early && !restart(cli, err)))
        return false;
    const struct hash256 sha = codes_sha256(image);
    cli_number(cli, "bytes", image.len);
    cli_hex(cli, "sha256", BYTES_OF(sha.b));
    cli_note(cli, "The device asks on its screen whether it should install this.");
    return true;
}
static const struct option upgrade_options[] = {
    FLAG('s', "stop-early", stop_early, "only send it; do not restart the device"),
};
const struct verb verb_upgrade = {
    "upgrade",
    "[FIRMWARE]",
    0,
    1,
    "Send new firmware to a Coldcard",
    "FIRMWARE is a DfuSe file or a raw image. A Casemate signer has no firmware and refuses it.\n",
    OPTIONS(upgrade_options),
    VERB_NOT_OVER_LINK,
    run_upgrade
};
