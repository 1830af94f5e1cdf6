// upload: cli.md 3.14.
#include "base/file.h"
#include "cli/approval.h"
#include "cli/verbs.h"
#include "cli/wallet_query.h"
#include "client/codes.h"

static bool check_options(struct cli *cli, uint32_t *block_len, struct err *err)
{
    const struct options *o = cli->o;
    *block_len = o->block_len.is_set ? o->block_len.value : BLOCK_MAX;
    if (o->as_multisig + o->as_miniscript + o->as_backup > 1) {
        (void)cli_compat_complain(
            cli, "Failed: Only one can be specified from miniscript/multisig/backup");
        return err_set(err, ERR_USAGE, "only one of --multisig, --miniscript and --backup");
    }
    if (*block_len % BLOCK_ALIGN != 0 && !o->compat)
        return err_set(err, ERR_USAGE, "--blksize: %u is no multiple of %d", (unsigned)*block_len,
                       BLOCK_ALIGN);
    return true;
}

static bool send(struct cli *cli, struct bytes content, uint32_t block_len, struct err *err)
{
    const struct progress progress = cli_progress(cli);
    cli_compat_note(cli, "%zu bytes (start @ 0) to send from '%s'\n", content.len,
                    cli->line.words[0]);
    cli_compat_print(cli, "Uploading\n");
    return transfer_upload(cli->connection, content, block_len, &progress, err);
}

// The request that starts from the file, or REQUEST_NONE.
static struct request start_of(const struct options *o, struct bytes content)
{
    const struct request_file file = { (uint32_t)content.len, codes_sha256(content) };
    if (o->as_multisig)
        return (struct request){ .id = REQUEST_ENRL, .enrl = file };
    if (o->as_miniscript)
        return (struct request){ .id = REQUEST_MINS, .mins = file };
    if (o->as_backup)
        return (struct request){ .id = REQUEST_REST, .rest = { file, 0 } };
    return (struct request){ .id = REQUEST_NONE };
}

// The others change nothing that can be looked at.
static bool watch_screen(struct cli *cli, struct err *err)
{
    struct wallet_query unknown = { .is_known = false };
    return wallet_query_watch(cli, &unknown, err);
}

static bool start(struct cli *cli, struct bytes content, uint32_t block_len, struct err *err)
{
    struct request request = start_of(cli->o, content);
    struct wallet_query wallet = { .is_known = false };
    if (cli->o->as_multisig && !cli->o->compat && !wallet_query_make(cli, &wallet, content, err))
        return false;
    cli->hint = cli->o->as_miniscript ? HINT_MINISCRIPT : HINT_NONE;
    if (!send(cli, content, block_len, err) || !cli_start(cli, (struct bytes){ 0 }, &request, err))
        return false;
    if (cli->o->compat)
        return true;
    if (cli->o->no_wait)
        return cli_put_token(cli, cli->o->as_multisig ? wallet_query_token(cli, &wallet)
                                  : cli->o->as_backup ? "restore"
                                                      : "miniscript");
    return cli->o->as_multisig ? wallet_query_watch(cli, &wallet, err) : watch_screen(cli, err);
}

static bool run_upload(struct cli *cli, struct err *err)
{
    struct bytes content;
    uint32_t block_len;
    if (!check_options(cli, &block_len, err) ||
        !file_read(&content, cli->line.words[0], UPLOAD_MAX, cli->arena, err))
        return false;
    if (content.len == 0)
        return err_set(err, ERR_MALFORMED, "%s: nothing in it", cli->line.words[0]);
    const bool starts = start_of(cli->o, content).id != REQUEST_NONE;
    if (!cli_connect(cli, err) ||
        !(starts ? start(cli, content, block_len, err) : send(cli, content, block_len, err)))
        return false;
    const struct hash256 sha = codes_sha256(content);
    cli_number(cli, "bytes", content.len);
    cli_hex(cli, "sha256", BYTES_OF(sha.b));
    return true;
}
static const struct option upload_options[] = {
    NUMBER(0, "blksize", "N", block_len, 256, BLOCK_MAX, "bytes in a block, a multiple of 256"),
    FLAG('m', "multisig", as_multisig, "it is a multisig wallet: enroll it"),
    FLAG(0, "miniscript", as_miniscript, "it is a miniscript wallet: enroll it, on EDGE firmware"),
    FLAG(0, "backup", as_backup, "it is a backup: restore it"),
};
const struct verb verb_upload = {
    "upload",
    "FILE",
    1,
    1,
    "Send a file to the device, and enroll it",
    "Without an option it only sends it, and nothing starts from it. With one it waits until the\n"
    "operator has agreed or refused on the device.\n",
    OPTIONS(upload_options),
    0,
    run_upload
};
