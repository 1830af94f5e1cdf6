#include "cli/collect.h"
#include "base/base64.h"
#include "base/file.h"
#include "bitcoin/hdkey.h"
#include "bitcoin/message.h"
#include "client/codes.h"

#define FILE_OF_STOK 1u // what `dwld` calls the result of signing
#define FILE_OF_BKOK 0u // and a backup

bool collect_answer(struct cli *cli, struct reply *out, enum request_id poll,
                    enum reply_id expected, struct err *err)
{
    cli_compat_note(cli, "Waiting for OK on the Coldcard...");
    const bool decided = cli_wait(cli, out, poll, expected, err);
    cli_compat_note(cli, "\r%34s\r", "");
    return decided;
}

bool collect_file(struct cli *cli, struct bytes *out, enum request_id poll, struct err *err)
{
    const struct progress progress = cli_progress(cli);
    const uint32_t file = poll == REQUEST_BKOK ? FILE_OF_BKOK : FILE_OF_STOK;
    struct reply strx;
    if (!collect_answer(cli, &strx, poll, REPLY_STRX, err))
        return false;
    cli_compat_note(cli, "Ok! Downloading result (%u bytes)\n", (unsigned)strx.strx.length);
    cli->hint = HINT_DOWNLOAD;
    return transfer_download(cli->connection, out, file, &strx, cli->arena, &progress, err);
}

// --- A message ---

static void print_signature(struct cli *cli, const struct message_armor *armor)
{
    if (cli->o->just_signature) {
        cli_print(cli, "%.*s\n", BYTES_ARG(armor->signature));
    } else if (cli->o->verbose) {
        message_armor_write(&cli->text, armor);
        cli_print(cli, "\n"); // "followed by one empty line"
    } else {
        if (armor->text.len > 0)
            cli_print(cli, "%.*s\n", BYTES_ARG(armor->text));
        cli_print(cli, "%.*s\n%.*s\n", BYTES_ARG(armor->address), BYTES_ARG(armor->signature));
    }
}

bool collect_put_message(struct cli *cli, const struct reply *smrx,
                         const struct collect_message *asked, struct err *err)
{
    uint8_t *mem = arena_alloc(cli->arena, BASE64_LEN(MESSAGE_SIGNATURE_LEN));
    if (mem == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for a signature");
    struct writer w = writer_of(mem, BASE64_LEN(MESSAGE_SIGNATURE_LEN));
    base64_write(&w, BYTES_OF(smrx->smrx.signature));
    const struct message_armor armor = { .text = asked->text,
                                         .address = smrx->smrx.address,
                                         .signature = writer_bytes(&w) };
    if (!bytes_is_printable_ascii(armor.address) || armor.address.len == 0)
        return err_set(err, ERR_FRAMING, "smrx: not an address");
    print_signature(cli, &armor);
    if (asked->text.len > 0)
        cli_text(cli, "message", asked->text);
    cli_text(cli, "address", armor.address);
    if (asked->format != NULL)
        cli_text(cli, "format", bytes_of_text(asked->format));
    if (asked->path != NULL)
        cli_text(cli, "path", bytes_of_text(asked->path));
    cli_text(cli, "signature", armor.signature);
    return true;
}

// --- A backup ---

// "name `backup-YYYYMMDD-HHMM.7z` (local time)"
static bool name_backup(struct cli *cli, struct writer *w, struct err *err)
{
    const time_t now = (time_t)cli->clock.wall_s(&cli->clock);
    struct tm tm;
    if (localtime_r(&now, &tm) == NULL)
        return err_set(err, ERR_INTERNAL, "the clock shows no date");
    writer_printf(w, "backup-%04d%02d%02d-%02d%02d.7z", tm.tm_year + 1900, tm.tm_mon + 1,
                  tm.tm_mday, tm.tm_hour, tm.tm_min);
    return true;
}

static bool is_there_already(const char *path, struct err *err)
{
    return err_set(err, ERR_EXISTS, "%s: is there already; --force replaces it", path);
}

static bool may_replace(const struct cli *cli)
{
    return cli->o->force || cli->o->compat; // "An existing file is overwritten."
}

bool collect_backup_path(struct cli *cli, const char **out, struct err *err)
{
    struct writer w = writer_growing(cli->arena, 4096);
    *out = cli->o->outfile;
    if (*out == NULL) {
        if (cli->o->outdir != NULL)
            writer_printf(&w, "%s/", cli->o->outdir);
        if (!name_backup(cli, &w, err))
            return false;
        *out = w.failed ? NULL : arena_text(cli->arena, writer_bytes(&w));
        if (*out == NULL)
            return err_set(err, ERR_LIMIT, "the folder's path is too long");
    }
    return may_replace(cli) || strcmp(*out, "-") == 0 || access(*out, F_OK) != 0 ||
           is_there_already(*out, err);
}

bool collect_put_backup(struct cli *cli, struct bytes backup, const char *path, struct err *err)
{
    const struct hash256 sha = codes_sha256(backup);
    const bool to_stdout = strcmp(path, "-") == 0;
    cli->stage = STAGE_OUTPUT;
    cli_number(cli, "bytes", backup.len);
    cli_hex(cli, "sha256", BYTES_OF(sha.b));
    cli_text(cli, "file", bytes_of_text(path));
    if (to_stdout) {
        cli_print_bytes(cli, backup);
        return true;
    }
    const bool written = may_replace(cli) ? file_replace(path, backup, 0600, err)
                                          : file_create(path, backup, 0600, err);
    if (!written)
        return err->code == ERR_EXISTS ? is_there_already(path, err) : false;
    cli_print(cli, "Wrote %zu bytes into: %s\nSHA256: ", backup.len, path);
    writer_hex(&cli->text, BYTES_OF(sha.b));
    cli_print(cli, "\n");
    return true;
}

// --- A wallet behind a passphrase ---

bool collect_put_wallet(struct cli *cli, struct bytes xpub, struct err *err)
{
    char text[XFP_TEXT_SIZE];
    struct hdpub master;
    struct xfp expected;
    bool is_main;
    if (!hdpub_from_text(&master, &is_main, xpub, err))
        return err_set(err, ERR_FRAMING, "pwok: not an extended public key");
    const struct xfp xfp = hdpub_xfp(&master);
    xfp_to_text(text, xfp);
    if (cli->o->expect_xfp != NULL) {
        if (!xfp_from_text(&expected, bytes_of_text(cli->o->expect_xfp)) ||
            !xfp_equal(expected, xfp))
            return cli_fail(cli, EXIT_IDENTITY, err, ERR_AUTH,
                            "that passphrase opened the wallet %s, not %s; a restart of the device "
                            "leaves it",
                            text, cli->o->expect_xfp);
    } else {
        cli_note(cli, "The device now uses the wallet %s: compare it with the one you expect.",
                 text);
    }
    if (cli->o->verbose)
        cli_print(cli, "%.*s\n", BYTES_ARG(xpub));
    else if (cli->o->compat)
        cli_print(cli, "Done.\n");
    else
        cli_print(cli, "%s\n", text);
    cli_hex(cli, "xfp", BYTES_OF(xfp.b));
    cli_text(cli, "xpub", xpub);
    return true;
}
