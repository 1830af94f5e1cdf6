// sign: cli.md 3.8.
#include "base/hex.h"
#include "cli/collect.h"
#include "cli/psbt_input.h"
#include "cli/pushtx.h"
#include "cli/qr.h"
#include "cli/signed_result.h"
#include "cli/verbs.h"
#include "client/codes.h"

struct signing {
    struct cli *cli;
    uint32_t flags;
    const char *pushtx; // base of the URL, or NULL
    struct bytes psbt;
    struct signed_result result;
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
    cli->token = "sign";
    return ok;
}

static bool fetch(struct signing *s, struct err *err)
{
    return collect_file(s->cli, &s->result.content, REQUEST_STOK, err) &&
           signed_result_read(&s->result, (s->flags & STXN_VISUALIZE) != 0, err);
}

// --- Handing it out ---

static bool put_pushtx(struct signing *s, struct err *err)
{
    struct cli *cli = s->cli;
    const struct request request = { .id = REQUEST_BLKC };
    struct writer w = writer_growing(cli->arena, CLI_OUTPUT_MAX);
    struct reply chain;
    if (!cli_call(cli, &chain, REPLY_ASCI, &request, err))
        return false;
    pushtx_write(&w, s->pushtx, s->result.content, chain.data);
    cli_print_bytes(cli, writer_bytes(&w));
    cli_print(cli, "\n");
    cli_text(cli, "url", writer_bytes(&w));
    cli_text(cli, "txid", bytes_of_text(s->result.txid));
    return !cli->o->qr || qr_put(cli, writer_bytes(&w), err);
}

// A transaction in hex fits where base64 does not: QR codes store capitals and digits densely.
static bool put_qr(struct signing *s, struct err *err)
{
    struct writer w = writer_growing(s->cli->arena, CLI_OUTPUT_MAX);
    char digits[3] = "";
    for (size_t i = 0; i < s->result.content.len; i++) {
        hex_encode_upper(digits, bytes_slice(s->result.content, i, 1));
        writer_text(&w, digits);
    }
    return qr_put(s->cli, writer_bytes(&w), err);
}

// --no-wait: who asked is who has to come back.
static bool put_token(struct signing *s)
{
    const struct hash256 sha = codes_sha256(s->psbt);
    char token[sizeof "sign:" + 2 * sizeof sha.b] = "sign:";
    hex_encode(token + strlen(token), BYTES_OF(sha.b));
    return cli_put_token(s->cli, token);
}

static bool check_options(struct cli *cli, struct err *err)
{
    if (cli->o->qr && !cli->o->finalize && cli->o->pushtx == NULL)
        return err_set(err, ERR_USAGE, "--qr shows a transaction: use it with -f or -p");
    return true;
}

static bool run_sign(struct cli *cli, struct err *err)
{
    struct signing s = { .cli = cli,
                         .flags = flags_of(cli->o),
                         .result = { .cli = cli,
                                     .out = cli->line.n_words > 1 ? cli->line.words[1] : NULL } };
    if (!check_options(cli, err) || !pushtx_base(&s.pushtx, cli->o->pushtx, err) ||
        !psbt_input_read(cli, &s.psbt, cli->line.words[0], err) || !cli_connect(cli, err) ||
        !start(&s, err))
        return false;
    if (cli->o->no_wait)
        return put_token(&s);
    if (!fetch(&s, err))
        return false;
    if (s.pushtx != NULL)
        return put_pushtx(&s, err);
    return signed_result_put(&s.result, err) && (!cli->o->qr || put_qr(&s, err));
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
    FLAG(0, "qr", qr, "with -f or -p: the transaction as a QR code as well"),
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
