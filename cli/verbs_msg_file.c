// msg-file: a text that somebody wants signed, from a request file to a signed one.
// Source: psbt-signing.md 18.3.
#include "base/base64.h"
#include "base/file.h"
#include "bitcoin/message.h"
#include "bitcoin/message_request.h"
#include "cli/collect.h"
#include "cli/verbs.h"

enum { REQUEST_FILE_MAX = 4096, SIGNED_FILE_MAX = 8192, SIGNED_FILE_MODE = 0644 };

static bool read_chain(struct cli *cli, const struct chain **out, struct err *err)
{
    const struct request request = { .id = REQUEST_BLKC };
    struct reply reply;
    if (!cli_call(cli, &reply, REPLY_ASCI, &request, err))
        return false;
    *out = chain_by_code(reply.data);
    return *out != NULL || err_set(err, ERR_FRAMING, "blkc: no chain that is known");
}

static bool sign(struct cli *cli, struct reply *smrx, const struct message_request *wanted,
                 struct err *err)
{
    char path[KEYPATH_TEXT_MAX];
    struct writer w = writer_of(path, sizeof path);
    keypath_write(&w, &wanted->path);
    struct request start = { .id = REQUEST_SMSG,
                             .smsg = { (uint32_t)wanted->format, writer_bytes(&w), wanted->text } };
    // A link takes one line; the rest of the rules the file's reader has seen to.
    return (message_check(wanted->text, MESSAGE_MAX, false, err) ||
            err_within(err, "the message")) &&
           cli_start(cli, (struct bytes){ 0 }, &start, err) &&
           collect_answer(cli, smrx, REQUEST_SMOK, REPLY_SMRX, err);
}

// "Result file `<base>-signed.txt`": beside the request.
static const char *signed_name(struct cli *cli, const char *file)
{
    const char *slash = strrchr(file, '/'), *dot = strrchr(file, '.');
    const size_t base = dot != NULL && dot > (slash != NULL ? slash + 1 : file)
                            ? (size_t)(dot - file)
                            : strlen(file);
    struct writer w = writer_growing(cli->arena, strlen(file) + 32);
    writer_put(&w, bytes_of(file, base));
    writer_text(&w, "-signed.txt");
    return arena_text(cli->arena, writer_bytes(&w));
}

static bool put(struct cli *cli, const struct message_request *wanted, const struct reply *smrx,
                struct err *err)
{
    uint8_t base64[BASE64_LEN(MESSAGE_SIGNATURE_LEN)];
    struct writer signature = writer_of(base64, sizeof base64);
    struct writer file = writer_growing(cli->arena, SIGNED_FILE_MAX);
    const char *name = signed_name(cli, cli->line.words[0]);
    struct bytes content;
    base64_write(&signature, BYTES_OF(smrx->smrx.signature));
    const struct message_armor armor = { wanted->text, smrx->smrx.address,
                                         writer_bytes(&signature) };
    if (!bytes_is_printable_ascii(armor.address) || armor.address.len == 0)
        return err_set(err, ERR_FRAMING, "smrx: not an address");
    message_armor_write(&file, &armor);
    if (name == NULL || !writer_finish(&file, &content))
        return err_set(err, ERR_NO_MEMORY, "no memory for the signed text");
    if (!file_create(name, content, SIGNED_FILE_MODE, err))
        return false;
    cli_print(cli, "%s\n", name);
    cli_text(cli, "file", bytes_of_text(name));
    cli_text(cli, "message", armor.text);
    cli_text(cli, "address", armor.address);
    cli_text(cli, "signature", armor.signature);
    return true;
}

static bool run_msg_file(struct cli *cli, struct err *err)
{
    struct message_request wanted;
    const struct chain *chain;
    struct reply smrx = { .id = REPLY_NONE };
    struct bytes file;
    if (!file_read(&file, cli->line.words[0], REQUEST_FILE_MAX, cli->arena, err) ||
        !cli_connect(cli, err) || !read_chain(cli, &chain, err))
        return false;
    if (!message_request_read(&wanted, file, chain, cli->arena, err))
        return err_within(err, "%s", cli->line.words[0]);
    return sign(cli, &smrx, &wanted, err) && put(cli, &wanted, &smrx, err);
}

const struct verb verb_msg_file = {
    "msg-file",
    "FILE",
    1,
    1,
    "Sign the text that a request file asks for",
    "FILE has the message, and on further lines a path and an address type, which may be left "
    "out;\n"
    "or JSON with msg, subpath and addr_fmt; or 'signmessage PATH ascii:MESSAGE'.\n"
    "The armoured text is written to NAME-signed.txt beside it.\n",
    NO_OPTIONS,
    0,
    run_msg_file
};
