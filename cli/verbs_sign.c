// sign: cli.md 3.8.
#include "base/base64.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/reader.h"
#include "bitcoin/psbt.h"
#include "cli/psbt_input.h"
#include "cli/pushtx.h"
#include "cli/verbs.h"
#include "client/codes.h"

#define RESULT_FILE 1u // what `dwld` calls the result of signing

enum kind { KIND_PSBT, KIND_TRANSACTION, KIND_TEXT };

struct signing {
    struct cli *cli;
    const char *in, *out; // out: NULL for standard output, encoded
    uint32_t flags;
    const char *pushtx; // base of the URL, or NULL
    struct bytes psbt;
    struct bytes result;
    enum kind kind;
    char txid[TXID_TEXT_SIZE]; // of KIND_TRANSACTION
};

// "`-p` cancels `-z`/`-s`"; "VISUALIZE (+ SIGNED); else `-f` -> FINALIZE; else 0"
static uint32_t flags_of(const struct options *o)
{
    if (o->pushtx != NULL)
        return STXN_FINALIZE;
    if (o->visualize || o->signed_text)
        return STXN_VISUALIZE | (o->signed_text ? STXN_SIGNED : 0);
    return o->finalize ? STXN_FINALIZE : 0;
}

// --- Asking the device ---

static bool start(struct signing *s, struct err *err)
{
    struct cli *cli = s->cli;
    struct request request = { .id = REQUEST_STXN };
    request.stxn.flags = s->flags;
    request.stxn.wallet = bytes_of_text(cli->o->miniscript);
    cli_compat_note(cli, "%zu bytes (start @ 0) to send from 'memory'\n", s->psbt.len);
    cli_compat_print(cli, "Uploading\n");
    cli->hint = request.stxn.wallet.len > 0 ? HINT_NAMED_WALLET : HINT_NONE;
    const bool ok = cli_start(cli, s->psbt, &request, err);
    cli->hint = HINT_NONE;
    return ok;
}

static bool fetch(struct signing *s, struct err *err)
{
    struct cli *cli = s->cli;
    const struct progress progress = cli_progress(cli);
    struct reply strx;
    cli_compat_note(cli, "Waiting for OK on the Coldcard...");
    const bool decided = cli_wait(cli, &strx, REQUEST_STOK, REPLY_STRX, err);
    cli_compat_note(cli, "\r%34s\r", "");
    if (!decided)
        return false;
    cli_compat_note(cli, "Ok! Downloading result (%u bytes)\n", (unsigned)strx.strx.length);
    cli->hint = HINT_DOWNLOAD;
    return transfer_download(cli->connection, &s->result, RESULT_FILE, &strx, cli->arena, &progress,
                             err);
}

// What came must be what was asked for: a PSBT, a transaction or text.
static bool classify(struct signing *s, struct err *err)
{
    struct tx tx;
    struct err why;
    s->kind = KIND_TEXT;
    if ((s->flags & STXN_VISUALIZE) != 0)
        return true;
    s->kind = KIND_PSBT;
    if (bytes_starts_with(s->result, BYTES(PSBT_MAGIC)))
        return true;
    s->kind = KIND_TRANSACTION;
    if (!tx_parse(&tx, s->result, s->cli->arena, &why))
        return err_set(err, ERR_FRAMING, "the result is neither PSBT nor transaction: %s",
                       why.text);
    const struct hash256 txid = tx_txid(&tx);
    txid_to_text(s->txid, &txid);
    return true;
}

// --- Handing it out ---

static void write_encoded(struct signing *s, struct writer *w)
{
    if (s->cli->o->hex)
        writer_hex(w, s->result);
    else
        base64_write(w, s->result);
}

// --compat encodes also the text of `-s` without `-z`.
static bool is_encoded_text(const struct signing *s)
{
    return s->cli->o->compat && !s->cli->o->visualize;
}

static const char *stdout_encoding(const struct signing *s)
{
    if (s->kind == KIND_TEXT && !is_encoded_text(s))
        return "text";
    return s->cli->o->hex ? "hex" : "base64";
}

static const char *file_encoding(const struct signing *s)
{
    const struct options *o = s->cli->o;
    if (s->kind == KIND_TEXT && !(is_encoded_text(s) && (o->hex || o->base64)))
        return "text";
    return o->hex ? "hex" : o->base64 ? "base64" : "binary";
}

// The result in the form that a file gets: never with a line feed of ours.
static struct bytes file_content(struct signing *s)
{
    const char *encoding = file_encoding(s);
    if (strcmp(encoding, "text") == 0 || strcmp(encoding, "binary") == 0)
        return s->result;
    struct writer w = writer_growing(s->cli->arena, CLI_OUTPUT_MAX);
    write_encoded(s, &w);
    return writer_bytes(&w);
}

static bool is_file(const char *out)
{
    return out != NULL && strcmp(out, "-") != 0;
}

static bool put_result(struct signing *s, struct err *err)
{
    struct cli *cli = s->cli;
    cli->stage = STAGE_OUTPUT;
    if (is_file(s->out))
        return file_replace(s->out, file_content(s), 0666, err);
    if (s->out != NULL) {
        cli_print_bytes(cli, file_content(s));
    } else if (strcmp(stdout_encoding(s), "text") == 0) {
        cli_print_bytes(cli, s->result);
    } else {
        write_encoded(s, &cli->text);
        cli_print(cli, "\n");
    }
    return true;
}

// The warnings of the text form, "<label>: <text>" each (wire-protocol.md 10).
static void put_warnings(struct signing *s)
{
    static const char heading[] = "---WARNING---\n\n";
    const struct bytes text = s->result;
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

static void put_json(struct signing *s)
{
    static const char *const kinds[] = {
        [KIND_PSBT] = "psbt", [KIND_TRANSACTION] = "transaction", [KIND_TEXT] = "text"
    };
    struct cli *cli = s->cli;
    const struct hash256 sha = codes_sha256(s->result);
    cli_text(cli, "kind", bytes_of_text(kinds[s->kind]));
    cli_text(cli, "encoding",
             bytes_of_text(is_file(s->out) ? file_encoding(s) : stdout_encoding(s)));
    if (is_file(s->out)) {
        cli_text(cli, "file", bytes_of_text(s->out));
    } else if (strcmp(stdout_encoding(s), "text") == 0) {
        cli_text(cli, "data", s->result);
    } else {
        struct writer w = writer_growing(cli->arena, CLI_OUTPUT_MAX);
        write_encoded(s, &w);
        cli_text(cli, "data", writer_bytes(&w));
    }
    cli_hex(cli, "sha256", BYTES_OF(sha.b));
    if (s->kind == KIND_TRANSACTION)
        cli_text(cli, "txid", bytes_of_text(s->txid));
    if (s->kind == KIND_TEXT)
        put_warnings(s);
}

static bool put_pushtx(struct signing *s, struct err *err)
{
    struct cli *cli = s->cli;
    const struct request request = { .id = REQUEST_BLKC };
    struct writer w = writer_growing(cli->arena, CLI_OUTPUT_MAX);
    struct reply chain;
    if (!cli_call(cli, &chain, REPLY_ASCI, &request, err))
        return false;
    pushtx_write(&w, s->pushtx, s->result, chain.data);
    cli_print_bytes(cli, writer_bytes(&w));
    cli_print(cli, "\n");
    cli_text(cli, "url", writer_bytes(&w));
    cli_text(cli, "txid", bytes_of_text(s->txid));
    return true;
}

// --no-wait: who asked is who has to come back.
static bool put_token(struct signing *s)
{
    const struct hash256 sha = codes_sha256(s->psbt);
    char token[2 * sizeof sha.b + 1];
    hex_encode(token, BYTES_OF(sha.b));
    cli_print(s->cli, "sign:%s\n", token);
    cli_text(s->cli, "token", bytes_trim(writer_bytes(&s->cli->text)));
    return true;
}

static bool run_sign(struct cli *cli, struct err *err)
{
    struct signing s = { .cli = cli,
                         .in = cli->line.words[0],
                         .out = cli->line.n_words > 1 ? cli->line.words[1] : NULL,
                         .flags = flags_of(cli->o) };
    if (!pushtx_base(&s.pushtx, cli->o->pushtx, err) || !psbt_input_read(cli, &s.psbt, s.in, err) ||
        !cli_connect(cli, err) || !start(&s, err))
        return false;
    if (cli->o->no_wait)
        return put_token(&s);
    if (!fetch(&s, err) || !classify(&s, err))
        return false;
    if (s.pushtx != NULL)
        return put_pushtx(&s, err);
    put_json(&s);
    return put_result(&s, err);
}

static const struct option sign_options[] = {
    FLAG('f', "finalize", finalize, "ask for the network transaction"),
    FLAG('z', "visualize", visualize, "ask for the transaction in words; signs nothing"),
    FLAG('s', "signed", signed_text, "ask for the words with the device's signature"),
    TEXT('p', "pushtx", "URL", pushtx,
         "finalize, and print a PushTx URL; coldcard and mempool are short names"),
    TEXT('m', "miniscript", "NAME", miniscript, "name of the wallet, on EDGE firmware"),
    FLAG('x', "hex", hex, "result in hex"),
    FLAG('6', "base64", base64, "result in base64"),
};
const struct verb verb_sign = {
    "sign",
    "PSBT_IN [PSBT_OUT]",
    1,
    2,
    "Sign a PSBT, or show it in words",
    "PSBT_IN is binary, hex or base64; - is standard input or output. To a file the result goes\n"
    "in binary, to standard output in base64, unless an option says otherwise.\n",
    OPTIONS(sign_options),
    VERB_PROVES | VERB_STDOUT_ERRORS,
    run_sign
};
