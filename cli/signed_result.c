#include "cli/signed_result.h"
#include "base/base64.h"
#include "base/file.h"
#include "base/reader.h"
#include "base/utf8.h"
#include "bitcoin/psbt.h"
#include "client/codes.h"

// --- What it is ---

static bool read_transaction(struct signed_result *s, struct err *err)
{
    struct tx tx;
    if (!tx_parse(&tx, s->content, s->cli->arena, err))
        return err_set(err, ERR_FRAMING, "the result is neither PSBT nor transaction: %s",
                       err->text);
    const struct hash256 txid = tx_txid(&tx);
    txid_to_text(s->txid, &txid);
    s->kind = RESULT_TRANSACTION;
    return true;
}

bool signed_result_read(struct signed_result *s, bool asked_for_text, struct err *err)
{
    s->kind = asked_for_text ? RESULT_TEXT : RESULT_PSBT;
    return asked_for_text || bytes_starts_with(s->content, BYTES(PSBT_MAGIC)) ||
           read_transaction(s, err);
}

bool signed_result_guess(struct signed_result *s, struct err *err)
{
    if (signed_result_read(s, false, err))
        return true;
    s->kind = RESULT_TEXT;
    return utf8_is_valid(s->content);
}

// --- Handing it out ---

static void write_encoded(struct signed_result *s, struct writer *w)
{
    if (s->cli->o->hex)
        writer_hex(w, s->content);
    else
        base64_write(w, s->content);
}

// --compat encodes also the text of `-s` without `-z`.
static bool is_encoded_text(const struct signed_result *s)
{
    return s->cli->o->compat && !s->cli->o->visualize;
}

static const char *stdout_encoding(const struct signed_result *s)
{
    if (s->kind == RESULT_TEXT && !is_encoded_text(s))
        return "text";
    return s->cli->o->hex ? "hex" : "base64";
}

static const char *file_encoding(const struct signed_result *s)
{
    const struct options *o = s->cli->o;
    if (s->kind == RESULT_TEXT && !(is_encoded_text(s) && (o->hex || o->base64)))
        return "text";
    return o->hex ? "hex" : o->base64 ? "base64" : "binary";
}

// The result in the form that a file gets: never with a line feed of ours.
static struct bytes file_content(struct signed_result *s)
{
    const char *encoding = file_encoding(s);
    if (strcmp(encoding, "text") == 0 || strcmp(encoding, "binary") == 0)
        return s->content;
    struct writer w = writer_growing(s->cli->arena, CLI_OUTPUT_MAX);
    write_encoded(s, &w);
    return writer_bytes(&w);
}

static bool is_file(const char *out)
{
    return out != NULL && strcmp(out, "-") != 0;
}

static bool put_content(struct signed_result *s, struct err *err)
{
    struct cli *cli = s->cli;
    cli->stage = STAGE_OUTPUT;
    if (is_file(s->out))
        return file_replace(s->out, file_content(s), 0666, err);
    if (s->out != NULL) {
        cli_print_bytes(cli, file_content(s));
    } else if (strcmp(stdout_encoding(s), "text") == 0) {
        cli_print_bytes(cli, s->content);
    } else {
        write_encoded(s, &cli->text);
        cli_print(cli, "\n");
    }
    return true;
}

// The warnings of the text form, "<label>: <text>" each (wire-protocol.md 10).
static void put_warnings(struct signed_result *s)
{
    static const char heading[] = "---WARNING---\n\n";
    const struct bytes text = s->content;
    struct bytes block, line;
    size_t at = 0;
    while (at < text.len &&
           !bytes_starts_with(bytes_slice(text, at, SIZE_MAX), bytes_of_text(heading)))
        at++;
    block = bytes_slice(text, at + sizeof heading - 1, SIZE_MAX);
    cli_key(s->cli, "warnings");
    json_begin_array(&s->cli->result);
    for (struct reader r = reader_of(block); reader_until(&r, '\n', &line);)
        if (bytes_starts_with(line, BYTES("- ")))
            cli_item(s->cli, bytes_slice(line, 2, SIZE_MAX));
    json_end_array(&s->cli->result);
}

static void put_json(struct signed_result *s)
{
    static const char *const kinds[] = {
        [RESULT_PSBT] = "psbt", [RESULT_TRANSACTION] = "transaction", [RESULT_TEXT] = "text"
    };
    struct cli *cli = s->cli;
    const struct hash256 sha = codes_sha256(s->content);
    cli_text(cli, "kind", bytes_of_text(kinds[s->kind]));
    cli_text(cli, "encoding",
             bytes_of_text(is_file(s->out) ? file_encoding(s) : stdout_encoding(s)));
    if (is_file(s->out)) {
        cli_text(cli, "file", bytes_of_text(s->out));
    } else if (strcmp(stdout_encoding(s), "text") == 0) {
        cli_text(cli, "data", s->content);
    } else {
        struct writer w = writer_growing(cli->arena, CLI_OUTPUT_MAX);
        write_encoded(s, &w);
        cli_text(cli, "data", writer_bytes(&w));
    }
    cli_hex(cli, "sha256", BYTES_OF(sha.b));
    if (s->kind == RESULT_TRANSACTION)
        cli_text(cli, "txid", bytes_of_text(s->txid));
    if (s->kind == RESULT_TEXT)
        put_warnings(s);
}

bool signed_result_put(struct signed_result *s, struct err *err)
{
    put_json(s);
    return put_content(s, err);
}
