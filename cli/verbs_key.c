// What the device says of itself and of its keys: cli.md 3.2 to 3.6.
#include "base/reader.h"
#include "bitcoin/hdkey.h"
#include "cli/address_put.h"
#include "cli/key_path.h"
#include "cli/qr.h"
#include "cli/verbs.h"

// --- version, chain, bag ---

// "Clients must tolerate more lines." The first five have names.
static bool run_version(struct cli *cli, struct err *err)
{
    static const char *const names[] = { "date", "version", "bootloader", "stamp", "hardware" };
    const struct request request = { .id = REQUEST_VERS };
    struct reply reply;
    struct bytes line;
    if (!cli_connect(cli, err) || !cli_call(cli, &reply, REPLY_ASCI, &request, err))
        return false;
    cli_print_bytes(cli, reply.data);
    cli_print(cli, "\n");
    struct reader r = reader_of(reply.data);
    for (size_t i = 0; i < COUNT(names); i++)
        if (reader_until(&r, '\n', &line))
            cli_text(cli, names[i], line);
    cli_key(cli, "extra");
    json_begin_array(&cli->result);
    while (reader_until(&r, '\n', &line))
        json_string(&cli->result, line);
    json_end_array(&cli->result);
    return true;
}
const struct verb verb_version = {
    "version", "", 0, 0, "Show the firmware's version", NULL, NO_OPTIONS, 0, run_version
};

// One line of text that the device answers with.
static bool ask_line(struct cli *cli, const struct request *request, struct bytes *out,
                     struct err *err)
{
    struct reply reply;
    if (!cli_connect(cli, err) || !cli_call(cli, &reply, REPLY_ASCI, request, err))
        return false;
    *out = reply.data;
    return true;
}

static bool run_chain(struct cli *cli, struct err *err)
{
    const struct request request = { .id = REQUEST_BLKC };
    struct bytes line;
    if (!ask_line(cli, &request, &line, err))
        return false;
    cli_print(cli, "%.*s\n", BYTES_ARG(line));
    cli_text(cli, "chain", line);
    return true;
}
const struct verb verb_chain = {
    "chain", "", 0, 0, "Show the chain: BTC, XTN or XRT", NULL, NO_OPTIONS, 0, run_chain
};

static bool run_bag(struct cli *cli, struct err *err)
{
    const struct request request = { .id = REQUEST_BAGI,
                                     .data = bytes_of_text(cli->o->bag_number) };
    struct bytes line;
    if (!ask_line(cli, &request, &line, err))
        return false;
    cli_print(cli, "Bag number: '%.*s'\n", BYTES_ARG(line));
    cli_text(cli, "number", line);
    return true;
}
static const struct option bag_options[] = {
    TEXT('n', "number", "TEXT", bag_number, "set it, which only a factory can"),
};
const struct verb verb_bag = { "bag",
                               "",
                               0,
                               0,
                               "Show the number of the device's bag",
                               NULL,
                               OPTIONS(bag_options),
                               VERB_NOT_OVER_LINK,
                               run_bag };

// --- xfp ---

static bool need_seed(struct cli *cli, const struct connection_identity **out, struct err *err)
{
    *out = connection_identity(cli->connection);
    if ((*out)->has_seed)
        return true;
    (void)cli_compat_raise(cli, "AssertionError");
    return err_set(err, ERR_STATE, "the device has no seed yet");
}

static bool run_xfp(struct cli *cli, struct err *err)
{
    const struct connection_identity *id;
    char text[XFP_TEXT_SIZE];
    struct xfp xfp;
    if (!cli_connect(cli, err) || !need_seed(cli, &id, err))
        return false;
    memcpy(xfp.b, id->xfp, sizeof xfp.b);
    xfp_to_text(text, xfp);
    if (cli->o->swab)
        cli_print(cli, "0x%08x\n", (unsigned)xfp_to_u32(xfp));
    else
        cli_print(cli, "%s\n", text);
    cli_hex(cli, "xfp", BYTES_OF(xfp.b));
    return true;
}
static const struct option xfp_options[] = {
    FLAG('s', "swab", swab, "as a number in the other byte order, as old programs show it"),
};
const struct verb verb_xfp = {
    "xfp", "",     0, 0, "Show the fingerprint of the master key", NULL, OPTIONS(xfp_options),
    0,     run_xfp
};

// --- xpub, pubkey ---

static bool ask_xpub(struct cli *cli, struct keypath *path, struct bytes *xpub, struct err *err)
{
    const char *text = cli->line.n_words > 0 ? cli->line.words[0] : "m";
    const struct request request = { .id = REQUEST_XPUB, .data = bytes_of_text(text) };
    return key_path_check(cli, path, text, err) && ask_line(cli, &request, xpub, err) &&
           key_path_read(path, text, err);
}

static bool run_xpub(struct cli *cli, struct err *err)
{
    struct keypath path;
    struct bytes xpub, origin;
    if (!ask_xpub(cli, &path, &xpub, err) || !key_path_origin(cli, &origin, &path, err))
        return false;
    if (!cli->o->verbose)
        cli_print(cli, "%.*s\n", BYTES_ARG(xpub));
    else if (cli->o->compat && path.depth == 0) // "Bugs: for `m` it prints `[0f056943/m]`"
        cli_print(cli, "[%.*s/m]%.*s\n", BYTES_ARG(origin), BYTES_ARG(xpub));
    else
        cli_print(cli, "[%.*s]%.*s\n", BYTES_ARG(origin), BYTES_ARG(xpub));
    key_path_put(cli, &path);
    cli_text(cli, "xpub", xpub);
    cli_text(cli, "origin", origin);
    return !cli->o->qr || qr_put(cli, bytes_trim(writer_bytes(&cli->text)), err);
}
static const struct option xpub_options[] = {
    FLAG('v', "verbose", verbose, "with its origin, as in descriptors (BIP-380)"),
    FLAG(0, "qr", qr, "as a QR code as well"),
};
const struct verb verb_xpub = { "xpub",
                                "[SUBPATH]",
                                0,
                                1,
                                "Show an extended public key",
                                "SUBPATH is m, the master key, if it is left out.\n",
                                OPTIONS(xpub_options),
                                0,
                                run_xpub };

static bool run_pubkey(struct cli *cli, struct err *err)
{
    struct keypath path;
    struct bytes xpub, origin;
    struct hdpub node;
    bool is_main;
    if (!ask_xpub(cli, &path, &xpub, err) || !key_path_origin(cli, &origin, &path, err))
        return false;
    if (!hdpub_from_text(&node, &is_main, xpub, err))
        return err_set(err, ERR_FRAMING, "xpub: not an extended public key");
    writer_hex(&cli->text, BYTES_OF(node.key.b));
    cli_print(cli, "\n");
    key_path_put(cli, &path);
    cli_hex(cli, "pubkey", BYTES_OF(node.key.b));
    cli_text(cli, "origin", origin);
    return true;
}
const struct verb verb_pubkey = { "pubkey",
                                  "[SUBPATH]",
                                  0,
                                  1,
                                  "Show a public key, compressed, in hex",
                                  "SUBPATH is m, the master key, if it is left out.\n",
                                  NO_OPTIONS,
                                  0,
                                  run_pubkey };

// --- addr ---

static bool run_addr(struct cli *cli, struct err *err)
{
    const enum addr_format format = key_path_format(cli);
    struct keypath path;
    struct reply reply;
    struct bytes origin;
    const char *text;
    if (!key_path_check(cli, &path, cli->line.n_words > 0 ? cli->line.words[0] : "m", err) ||
        !cli_connect(cli, err))
        return false;
    if (!key_path_or_default(cli, &text, cli->line.n_words > 0 ? cli->line.words[0] : NULL, format,
                             err))
        return false;
    const struct request request = { .id = REQUEST_SHOW,
                                     .show = { (uint32_t)format, bytes_of_text(text) } };
    cli->hint = format == ADDR_P2TR ? HINT_TAPROOT : HINT_NONE;
    if (!cli_call(cli, &reply, REPLY_ASCI, &request, err) || !key_path_read(&path, text, err) ||
        !key_path_origin(cli, &origin, &path, err))
        return false;
    key_path_put(cli, &path);
    cli_text(cli, "origin", origin);
    return address_put(cli, reply.data, format, err);
}
static const struct option addr_options[] = {
    FLAG('s', "segwit", segwit, "p2wpkh, bc1q..."),
    FLAG('t', "taproot", taproot, "p2tr, bc1p..."),
    FLAG('w', "wrap", wrap, "p2sh-p2wpkh, 3..."),
    FLAG('q', "quiet", address_only, "only the address"),
    FLAG(0, "qr", qr, "as a QR code as well"),
};
const struct verb verb_addr = {
    "addr",
    "[PATH]",
    0,
    1,
    "Show an address, here and on the device's screen",
    "Without an option it is a p2pkh address. PATH is the first of its kind if it is left out:\n"
    "m/44h/0h/0h/0/0, or 49h, 84h, 86h by format, with 1h for the coin on a test chain.\n",
    OPTIONS(addr_options),
    0,
    run_addr
};
