// verify: signed texts and signed visualisations, offline. Source: cli.md 7.1.
#include "base/file.h"
#include "cli/signed_text.h"
#include "cli/verbs.h"

#define FILE_LIMIT ((size_t)1 << 20)

static bool not_good(struct cli *cli, struct err *err)
{
    char text[ERR_TEXT_MAX];
    snprintf(text, sizeof text, "%s", err->text);
    return err->code == ERR_INVALID ? cli_fail(cli, EXIT_FAILED, err, ERR_INVALID, "%s", text)
                                    : false;
}

// --- A visualisation: whose key is it? ---

static bool compare(struct cli *cli, const struct pubkey *key, struct xfp xfp, struct err *err)
{
    struct hdpub pinned;
    struct xfp wanted;
    bool is_main;
    if (!settings_read(&cli->settings, cli->o, cli->arena, err))
        return false;
    if (cli->settings.pin_xpub != NULL &&
        !hdpub_from_text(&pinned, &is_main, bytes_of_text(cli->settings.pin_xpub), err))
        return err_set(err, ERR_USAGE, "the pinned key is no extended public key");
    if (cli->o->pin_xfp != NULL && !xfp_from_text(&wanted, bytes_of_text(cli->o->pin_xfp)))
        return err_set(err, ERR_USAGE, "--pin-xfp: '%s' is no fingerprint of 8 hex digits",
                       cli->o->pin_xfp);
    const bool same = (cli->settings.pin_xpub == NULL || pubkey_equal(&pinned.key, key)) &&
                      (cli->o->pin_xfp == NULL || xfp_equal(wanted, xfp));
    return same || cli_fail(cli, EXIT_IDENTITY, err, ERR_AUTH,
                            "another key than the pinned one signed this");
}

static bool verify_story(struct cli *cli, const struct message_armor *story, struct err *err)
{
    char text[XFP_TEXT_SIZE];
    struct hdpub master = { .depth = 0 };
    if (!signed_text_key(&master.key, story, err))
        return not_good(cli, err);
    const struct xfp xfp = hdpub_xfp(&master);
    if (!compare(cli, &master.key, xfp, err))
        return false;
    xfp_to_text(text, xfp);
    cli_print(cli, "Good signature by the master key %s\n", text);
    if (cli->settings.pin_xpub == NULL && cli->o->pin_xfp == NULL)
        cli_note(cli, "Compare the fingerprint with the one you know: any key can sign a text.");
    cli_text(cli, "kind", BYTES("visualization"));
    cli_hex(cli, "xfp", BYTES_OF(xfp.b));
    cli_hex(cli, "pubkey", BYTES_OF(master.key.b));
    cli_text(cli, "text", story->text);
    return true;
}

// --- A message ---

static bool verify_message(struct cli *cli, const struct message_armor *armor, struct err *err)
{
    bool header_matches;
    if (!message_verify(&header_matches, armor, err))
        return not_good(cli, err);
    cli_print(cli, "Good signature by %.*s\n", BYTES_ARG(armor->address));
    if (!header_matches)
        cli_note(cli, "Specified address format does not match signature header byte format.");
    cli_text(cli, "kind", BYTES("message"));
    cli_text(cli, "address", armor->address);
    cli_text(cli, "message", armor->text);
    return true;
}

// --- What is given ---

// A message in options: --address, --signature, and the text in --message or the file.
static bool read_options(struct cli *cli, struct signed_text *out, struct err *err)
{
    const struct options *o = cli->o;
    const char *file = cli->line.n_words > 0 ? cli->line.words[0] : "-";
    if (o->address == NULL || o->signature == NULL)
        return err_set(err, ERR_USAGE, "--address and --signature go together");
    *out = (struct signed_text){ .parts = { .text = bytes_of_text(o->message),
                                            .address = bytes_of_text(o->address),
                                            .signature = bytes_of_text(o->signature) } };
    out->is_bip322 = signed_text_is_bip322(out->parts.signature);
    return o->message != NULL || file_read(&out->parts.text, file, FILE_LIMIT, cli->arena, err);
}

static bool read_file(struct cli *cli, struct signed_text *out, struct err *err)
{
    const char *file = cli->line.n_words > 0 ? cli->line.words[0] : "-";
    struct bytes text;
    return file_read(&text, file, FILE_LIMIT, cli->arena, err) &&
           (signed_text_read(out, text, err) || err_within(err, "%s", file));
}

static bool run_verify(struct cli *cli, struct err *err)
{
    const struct options *o = cli->o;
    const bool in_options = o->address != NULL || o->signature != NULL || o->message != NULL;
    struct signed_text given;
    if (in_options ? !read_options(cli, &given, err) : !read_file(cli, &given, err))
        return false;
    if (given.is_bip322) {
        cli_text(cli, "kind", BYTES("bip322"));
        return bip322_check_run(cli, given.parts.address, given.parts.text, given.parts.signature,
                                err);
    }
    return given.is_story ? verify_story(cli, &given.parts, err)
                          : verify_message(cli, &given.parts, err);
}
static const struct option verify_options[] = {
    TEXT(0, "message", "TEXT", message, "the text, with --address and --signature"),
    TEXT(0, "address", "ADDRESS", address, "the address that is said to have signed"),
    TEXT(0, "signature", "BASE64", signature, "its signature"),
};
const struct verb verb_verify = {
    "verify",
    "[FILE]",
    0,
    1,
    "Check the signature of a text, offline",
    "FILE, or standard input, is what 'msg' or 'sign -zs' printed: an armoured block; text, "
    "address\n"
    "and signature, a line each; or the words of a transaction with their signature. A signature\n"
    "that begins with smp, ful or pof is one of BIP-322.\n",
    OPTIONS(verify_options),
    0,
    run_verify
};
