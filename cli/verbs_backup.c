// backup, restore, pass: cli.md 3.10 to 3.12.
#include "base/file.h"
#include "cli/approval.h"
#include "cli/collect.h"
#include "cli/prompt.h"
#include "cli/verbs.h"
#include "client/codes.h"
#include <strings.h>

#define BACKUP_MAX PSBT_MAX // bytes: wire-protocol.md 8.9

// --- backup ---

static bool run_backup(struct cli *cli, struct err *err)
{
    struct request start = { .id = REQUEST_BACK };
    struct bytes backup;
    const char *path;
    if (!collect_backup_path(cli, &path, err) || !cli_connect(cli, err) ||
        !cli_start(cli, (struct bytes){ 0 }, &start, err))
        return false;
    cli->token = "backup";
    if (cli->o->no_wait)
        return cli_put_token(cli, cli->token);
    return collect_file(cli, &backup, REQUEST_BKOK, err) &&
           collect_put_backup(cli, backup, path, err);
}
static const struct option backup_options[] = {
    TEXT('d', "outdir", "DIR", outdir, "folder for the file, by default this one"),
    TEXT('o', "outfile", "FILE", outfile, "name of the file; - is standard output"),
    FLAG(0, "force", force, "replace a file that is there already"),
};
const struct verb verb_backup = {
    "backup",
    "",
    0,
    0,
    "Fetch an encrypted backup",
    "The device shows the words that open it. By default the file is backup-YYYYMMDD-HHMM.7z.\n",
    OPTIONS(backup_options),
    VERB_PROVES | VERB_STDOUT_ERRORS | VERB_NOT_OVER_LINK,
    run_backup
};

// --- restore ---

static bool is_text_file(const char *path)
{
    const size_t len = strlen(path);
    return len >= 4 && strcasecmp(path + len - 4, ".txt") == 0;
}

static uint8_t restore_flags(const struct cli *cli)
{
    const struct options *o = cli->o;
    const bool plain = o->restore_plain || is_text_file(cli->line.words[0]);
    return (uint8_t)((o->restore_password ? REST_CUSTOM_PASSWORD : 0) |
                     (plain ? REST_PLAINTEXT : 0) | (o->temporary ? REST_TEMPORARY : 0));
}

// A device that has restored starts anew, and its session is gone.
static bool look_restored(struct cli *cli, void *context, int64_t waited_ms, enum approval *out,
                          struct err *err)
{
    bool is_free;
    (void)context, (void)waited_ms;
    if (!approval_screen_is_free(cli, &is_free, err)) {
        *out = APPROVAL_AGREED;
        return err->code == ERR_NOT_FOUND || err->code == ERR_TIMEOUT || err->code == ERR_FRAMING;
    }
    *out = is_free ? APPROVAL_UNKNOWN : APPROVAL_OPEN;
    return true;
}

bool restore_watch(struct cli *cli, struct err *err)
{
    enum approval state;
    if (!approval_watch(cli, look_restored, NULL, &state, err) ||
        !approval_report(cli, state, "the backup", err))
        return false;
    cli_print(cli, "Restored: the device starts anew.\n");
    return true;
}

static bool run_restore(struct cli *cli, struct err *err)
{
    struct request start = { .id = REQUEST_REST };
    struct bytes backup;
    start.rest.flags = restore_flags(cli);
    if ((start.rest.flags & REST_PLAINTEXT) && (start.rest.flags & REST_CUSTOM_PASSWORD)) {
        (void)cli_compat_complain(cli, "Failed: Plaintext backup cannot have custom password.");
        return err_set(err, ERR_USAGE, "a plaintext backup has no password");
    }
    if (!file_read(&backup, cli->line.words[0], BACKUP_MAX, cli->arena, err))
        return false;
    if (backup.len == 0)
        return err_set(err, ERR_MALFORMED, "%s: nothing in it", cli->line.words[0]);
    if (!cli_connect(cli, err))
        return false;
    cli_compat_note(cli, "%zu bytes (start @ 0) to send from '%s'\n", backup.len,
                    cli->line.words[0]);
    cli_compat_print(cli, "Uploading\n");
    if (!cli_start(cli, backup, &start, err))
        return false;
    if (cli->o->compat)
        return true;
    return cli->o->no_wait ? cli_put_token(cli, "restore") : restore_watch(cli, err);
}
static const struct option restore_options[] = {
    FLAG('c', "plaintext", restore_plain, "the backup is not encrypted; .txt says the same"),
    FLAG('p', "password", restore_password, "it opens with a password that is no list of words"),
    FLAG('t', "tmp", temporary, "use it as a temporary seed, until the device restarts"),
};
const struct verb verb_restore = { "restore",
                                   "FILE",
                                   1,
                                   1,
                                   "Send a backup to a device, which then asks for its words",
                                   "Words and password are entered on the device only.\n",
                                   OPTIONS(restore_options),
                                   VERB_STDOUT_ERRORS | VERB_NOT_OVER_LINK,
                                   run_restore };

// --- pass ---

static bool read_passphrase(struct cli *cli, struct secret **out, struct err *err)
{
    const char *argument = cli->line.n_words > 0 ? cli->line.words[0] : cli->o->passphrase;
    if (cli->o->compat && cli->line.n_words == 0)
        argument = NULL; // "the prompt appears anyway"
    if (argument != NULL) {
        *out = prompt_argument(cli, "passphrase", argument);
        return true;
    }
    // "There is no confirmation prompt although a typo silently opens a different wallet"
    return prompt_secret(out, cli, cli->o->compat ? "Passphrase:" : "Passphrase (hidden): ",
                         cli->o->compat ? PROMPT_MAY_BE_EMPTY : PROMPT_TWICE, err);
}

static bool send_passphrase(struct cli *cli, const struct secret *passphrase, struct err *err)
{
    struct request start = { .id = REQUEST_PASS, .data = secret_open(passphrase) };
    const bool ok = cli_start(cli, (struct bytes){ 0 }, &start, err);
    secret_close(passphrase);
    cli->token = "pass";
    return ok;
}

static bool run_pass(struct cli *cli, struct err *err)
{
    AUTO(secret_freep) struct secret *passphrase = NULL;
    struct reply reply;
    if (!read_passphrase(cli, &passphrase, err) || !cli_connect(cli, err) ||
        !send_passphrase(cli, passphrase, err))
        return false;
    if (cli->o->no_wait)
        return cli_put_token(cli, cli->token);
    return collect_answer(cli, &reply, REQUEST_PWOK, REPLY_ASCI, err) &&
           collect_put_wallet(cli, reply.data, err);
}
static const struct option pass_options[] = {
    TEXT(0, "passphrase", "TEXT", passphrase, "the passphrase, visible to other users"),
    TEXT(0, "expect-xfp", "XFP", expect_xfp, "fail if another wallet than this one opens"),
    FLAG('v', "verbose", verbose, "print the master key of the wallet, not its fingerprint"),
    NUMBER(0, "password-fd", "N", password_fd, 0, 1023, "read it from this descriptor"),
    TEXT(0, "password-file", "FILE", password_file, "read it from this file"),
};
const struct verb verb_pass = { "pass",
                                "[PASSPHRASE]",
                                0,
                                1,
                                "Open the wallet behind a BIP-39 passphrase",
                                "The passphrase is asked for twice if it is left out. Prints the "
                                "fingerprint of the wallet.\n",
                                OPTIONS(pass_options),
                                VERB_PROVES | VERB_NOT_OVER_LINK,
                                run_pass };
