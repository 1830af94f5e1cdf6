// msg: cli.md 3.9.
#include "base/file.h"
#include "bitcoin/message.h"
#include "cli/collect.h"
#include "cli/key_path.h"
#include "cli/verbs.h"

#define TEXT_FILE_MAX 65536

// A file's last line end is the file's, not the message's.
static struct bytes without_line_end(struct bytes text)
{
    if (text.len > 0 && text.ptr[text.len - 1] == '\n')
        text.len--;
    if (text.len > 0 && text.ptr[text.len - 1] == '\r')
        text.len--;
    return text;
}

static bool read_message(struct cli *cli, struct bytes *out, struct err *err)
{
    const char *word = cli->line.n_words > 0 ? cli->line.words[0] : NULL;
    const char *file = word != NULL && strcmp(word, "-") == 0 ? word : cli->o->file;
    if (word == NULL && file == NULL)
        return err_set(err, ERR_USAGE, "Missing argument 'MESSAGE'.");
    *out = bytes_of_text(word);
    if (file != NULL) {
        if (!file_read(out, file, TEXT_FILE_MAX, cli->arena, err))
            return false;
        *out = without_line_end(*out);
    }
    // With --compat the device refuses what it does not sign.
    return cli->o->compat || message_check(*out, MESSAGE_MAX, false, err) ||
           err_within(err, "the message");
}

static bool sign(struct cli *cli, const struct request *request, struct reply *smrx,
                 struct err *err)
{
    struct request start = *request;
    if (!cli_start(cli, (struct bytes){ 0 }, &start, err))
        return false;
    cli->token = "msg";
    return cli->o->no_wait ? cli_put_token(cli, cli->token)
                           : collect_answer(cli, smrx, REQUEST_SMOK, REPLY_SMRX, err);
}

static bool put(struct cli *cli, struct bytes message, const char *path_text,
                enum addr_format format, const struct reply *smrx, struct err *err)
{
    char text[KEYPATH_TEXT_MAX];
    struct writer w = writer_of(text, sizeof text - 1);
    struct keypath path;
    if (!key_path_read(&path, path_text, err))
        return false;
    keypath_write(&w, &path);
    text[w.len] = 0;
    const struct collect_message asked = { message, text, addr_format_name(format) };
    return collect_put_message(cli, smrx, &asked, err);
}

static bool run_msg(struct cli *cli, struct err *err)
{
    const enum addr_format format = key_path_format(cli);
    struct keypath path;
    struct bytes message = { 0 };
    struct reply smrx = { .id = REPLY_NONE };
    const char *path_text;
    if (!read_message(cli, &message, err) ||
        !key_path_check(cli, &path, cli->o->path != NULL ? cli->o->path : "m", err) ||
        !cli_connect(cli, err) || !key_path_or_default(cli, &path_text, cli->o->path, format, err))
        return false;
    const struct request request = {
        .id = REQUEST_SMSG, .smsg = { (uint32_t)format, bytes_of_text(path_text), message }
    };
    if (!sign(cli, &request, &smrx, err))
        return false;
    return cli->o->no_wait || put(cli, message, path_text, format, &smrx, err);
}

static const struct option msg_options[] = {
    TEXT('p', "path", "PATH", path, "derivation path of the key"),
    FLAG('s', "segwit", segwit, "for a p2wpkh address"),
    FLAG('w', "wrap", wrap, "for a p2sh-p2wpkh address"),
    FLAG('j', "just-sig", just_signature, "only the signature"),
    FLAG('v', "verbose", verbose, "as an armoured block"),
    TEXT(0, "file", "FILE", file, "read the message from a file"),
};
const struct verb verb_msg = { "msg",
                               "[MESSAGE]",
                               0,
                               1,
                               "Sign a text message",
                               "MESSAGE is printable ASCII, 2 to 240 characters; - reads standard "
                               "input. PATH is the first of\n"
                               "its kind if it is left out, as for addr.\n",
                               OPTIONS(msg_options),
                               0,
                               run_msg };
