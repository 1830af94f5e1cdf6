// multisig, p2sh: cli.md 3.7, 3.13.
#include "base/file.h"
#include "base/hex.h"
#include "base/reader.h"
#include "bitcoin/hdkey.h"
#include "bitcoin/multisig.h"
#include "cli/address_put.h"
#include "cli/key_path.h"
#include "cli/verbs.h"

#define SKELETON_MAX 8192

// --- multisig ---

struct skeleton {
    uint32_t m, n;
    const char *name, *path, *format;
    struct bytes xpub;
    char xfp[XFP_TEXT_SIZE]; // of the master key
};

static const struct {
    const char *name, *label, *before, *after;
} formats[] = {
    { "p2wsh", "P2WSH", "wsh(", ")" },
    { "p2sh", "P2SH", "sh(", ")" },
    { "p2sh-p2wsh", "P2SH-P2WSH", "sh(wsh(", "))" },
};

static size_t format_of(const char *name)
{
    size_t i = 0;
    while (i < COUNT(formats) && strcmp(formats[i].name, name) != 0)
        i++;
    return i;
}

static bool check_skeleton(struct cli *cli, const struct skeleton *s, struct err *err)
{
    const size_t len = strlen(s->name);
    // The reference refuses 15 as well.
    if (s->n < 1 || s->n > MS_KEYS_MAX || (cli->o->compat && s->n == MS_KEYS_MAX)) {
        (void)cli_compat_complain(cli, "N must be 1..15");
        return err_set(err, ERR_USAGE, "N must be 1..15");
    }
    if (s->m < 1 || s->m > s->n) {
        (void)cli_compat_complain(cli, "Minimum number of signers (M) must be between 1 and N=%u",
                                  (unsigned)s->n);
        return err_set(err, ERR_USAGE, "Minimum number of signers (M) must be between 1 and N=%u",
                       (unsigned)s->n);
    }
    if (len < 1 || len > MS_NAME_MAX || !bytes_is_printable_ascii(bytes_of_text(s->name))) {
        (void)cli_compat_complain(cli, "Name must be between 1 and 20 characters of ASCII.");
        return err_set(err, ERR_USAGE, "Name must be between 1 and 20 characters of ASCII.");
    }
    return format_of(s->format) < COUNT(formats) ||
           err_set(err, ERR_USAGE, "--format: '%s' is not p2sh, p2sh-p2wsh or p2wsh", s->format);
}

static bool read_options(struct cli *cli, struct skeleton *s, struct err *err)
{
    const struct options *o = cli->o;
    struct keypath path;
    *s = (struct skeleton){ .m = o->min_signers.value,
                            .n = o->signers.is_set ? o->signers.value : 3,
                            .name = o->name != NULL ? o->name : "Unnamed",
                            .path = o->path != NULL ? o->path : "m/45'",
                            .format = o->format != NULL ? o->format : "p2wsh" };
    if (s->n < s->m)
        s->n = s->m;
    if (s->m == 0) // "0 = all"
        s->m = s->n;
    return check_skeleton(cli, s, err) && key_path_check(cli, &path, s->path, err);
}

static bool fetch_key(struct cli *cli, struct skeleton *s, struct err *err)
{
    const struct request request = { .id = REQUEST_XPUB, .data = bytes_of_text(s->path) };
    struct reply reply;
    struct xfp xfp;
    if (!cli_connect(cli, err) || !cli_call(cli, &reply, REPLY_ASCI, &request, err))
        return false;
    if (!bytes_is_printable_ascii(reply.data))
        return err_set(err, ERR_FRAMING, "xpub: not an extended public key");
    s->xpub = reply.data;
    memcpy(xfp.b, connection_identity(cli->connection)->xfp, sizeof xfp.b);
    xfp_to_text(s->xfp, xfp);
    return true;
}

static void write_text(struct writer *w, const struct skeleton *s)
{
    writer_printf(w, "name: %s\npolicy: %u of %u\nformat: %s\n\n#path: %s\n", s->name,
                  (unsigned)s->m, (unsigned)s->n, formats[format_of(s->format)].label, s->path);
    writer_printf(w, "%s: %.*s\n", s->xfp, BYTES_ARG(s->xpub));
    for (uint32_t i = 2; i <= s->n; i++)
        writer_printf(w, "#%u# FINGERPRINT: xpub123123123123123\n", (unsigned)i);
}

// "wsh(sortedmulti(2,[0f056943/48'/1'/0'/2']tpub.../0/*,...))"
static void write_descriptor(struct writer *w, const struct skeleton *s)
{
    const size_t format = format_of(s->format);
    const char *below = strchr(s->path, '/');
    writer_printf(w, "%ssortedmulti(%u,[", formats[format].before, (unsigned)s->m);
    for (const char *c = s->xfp; *c != 0; c++)
        writer_u8(w, *c >= 'A' ? (uint8_t)(*c - 'A' + 'a') : (uint8_t)*c);
    writer_printf(w, "%s]%.*s/0/*,...)%s", below != NULL ? below : "", BYTES_ARG(s->xpub),
                  formats[format].after);
}

static void write_named_descriptor(struct writer *w, const struct skeleton *s)
{
    struct json_writer j = json_writer_of(w);
    uint8_t mem[512];
    struct writer d = writer_of(mem, sizeof mem);
    write_descriptor(&d, s);
    if (strcmp(s->name, "Unnamed") == 0) {
        writer_put(w, writer_bytes(&d));
        return;
    }
    json_begin_object(&j);
    json_key(&j, "name");
    json_text(&j, s->name);
    json_key(&j, "desc");
    json_string(&j, writer_bytes(&d));
    json_end_object(&j);
}

static bool put_skeleton(struct cli *cli, struct bytes text, struct err *err)
{
    const char *file = cli->o->outfile;
    cli_text(cli, "text", bytes_trim(text));
    if (file == NULL || cli->o->verbose)
        cli_print_bytes(cli, text);
    if (file == NULL)
        return true;
    cli->stage = STAGE_OUTPUT;
    cli_text(cli, "file", bytes_of_text(file));
    if (strcmp(file, "-") != 0)
        cli_print(cli, "Wrote to: %s\n", file);
    return file_replace(file, text, 0666, err);
}

static bool run_multisig(struct cli *cli, struct err *err)
{
    struct writer w = writer_growing(cli->arena, SKELETON_MAX);
    struct skeleton s;
    struct bytes text;
    if (!read_options(cli, &s, err) || !fetch_key(cli, &s, err))
        return false;
    if (cli->o->key_line)
        writer_printf(&w, "%s: %.*s\n", s.xfp, BYTES_ARG(s.xpub));
    else if (cli->o->descriptor)
        write_named_descriptor(&w, &s);
    else
        write_text(&w, &s);
    if (cli->o->descriptor && !cli->o->key_line)
        writer_u8(&w, '\n');
    return writer_finish(&w, &text) ? put_skeleton(cli, text, err)
                                    : err_set(err, ERR_NO_MEMORY, "no memory for the text");
}
static const struct option multisig_options[] = {
    NUMBER('m', "min-signers", "M", min_signers, 0, 1000,
           "how many must sign; 0, the default: all"),
    NUMBER('n', "signers", "N", signers, 0, 1000, "of how many; by default 3"),
    TEXT('l', "name", "NAME", name, "of the wallet, 1 to 20 characters"),
    TEXT('p', "path", "PATH", path, "derivation of this device's key, by default m/45'"),
    TEXT(0, "format", "FORMAT", format, "p2wsh, which is the default, p2sh or p2sh-p2wsh"),
    TEXT('f', "output-file", "FILE", outfile, "write it there"),
    FLAG('v', "verbose", verbose, "print it as well when writing"),
    FLAG('a', "add", key_line, "only the line of this device's key"),
    FLAG('d', "desc", descriptor, "as a descriptor"),
};
const struct verb verb_multisig = {
    "multisig",
    "",
    0,
    0,
    "Print the beginning of a multisig wallet's file",
    "With the lines of all devices in place of the comments it can be enrolled: upload -m.\n",
    OPTIONS(multisig_options),
    VERB_PROVES_COMPAT,
    run_multisig
};

// --- p2sh ---

struct script_request {
    uint8_t script[MS_SCRIPT_MAX];
    size_t script_len;
    uint8_t keys[MS_KEYS_MAX * 4 * (1 + 1 + KEYPATH_DEPTH_MAX)];
    size_t keys_len, n;
};

// "hex fingerprint (BIP-32 byte order), then path"
static bool read_key(struct writer *keys, const char *text, struct err *err)
{
    struct reader r = reader_of(bytes_of_text(text));
    struct p2sh_key key = { .depth = 0 };
    struct bytes xfp, rest;
    struct keypath path;
    if (strchr(text, '/') == NULL || !reader_until(&r, '/', &xfp) ||
        !hex_decode(key.xfp, sizeof key.xfp, xfp))
        return err_set(err, ERR_USAGE, "'%s' does not begin with a fingerprint and /", text);
    rest = reader_rest(&r);
    if (!keypath_parse(&path, rest, err))
        return err_set(err, ERR_USAGE, "'%s': %s", text, err->text);
    memcpy(key.step, path.step, sizeof path.step);
    key.depth = path.depth;
    p2sh_key_write(keys, &key);
    return true;
}

// "1...15 keys; first script byte - 80 = M with 1 <= M <= N; last byte AE; last but one = 80 + N"
static bool check_script(const struct script_request *s, struct err *err)
{
    if (s->n < 1 || s->n > MS_KEYS_MAX)
        return err_set(err, ERR_USAGE, "1 to %d keys, not %zu", MS_KEYS_MAX, s->n);
    if (s->script_len < 3 || s->script[s->script_len - 1] != 0xae)
        return err_set(err, ERR_USAGE, "the script does not end in OP_CHECKMULTISIG");
    if (s->script[s->script_len - 2] != 80 + s->n)
        return err_set(err, ERR_USAGE, "the script is not one of %zu keys", s->n);
    if (s->script[0] < 81 || s->script[0] > 80 + s->n)
        return err_set(err, ERR_USAGE, "the script begins with no M of 1 to %zu", s->n);
    return true;
}

static bool read_words(struct cli *cli, struct script_request *s, struct err *err)
{
    const struct bytes hex = bytes_of_text(cli->line.words[0]);
    struct writer keys = writer_of(s->keys, sizeof s->keys);
    s->n = cli->line.n_words - 1;
    s->script_len = hex.len / 2;
    if (s->script_len > sizeof s->script || hex.len % 2 != 0 ||
        !hex_decode(s->script, s->script_len, hex))
        return err_set(err, ERR_USAGE, "SCRIPT: not a multisig script in hex");
    if (!check_script(s, err))
        return false;
    for (size_t i = 1; i < cli->line.n_words; i++)
        if (!read_key(&keys, cli->line.words[i], err))
            return false;
    s->keys_len = keys.len;
    return true;
}

static enum addr_format script_format(const struct options *o)
{
    if (o->wrap)
        return ADDR_P2SH_P2WSH;
    return o->segwit ? ADDR_P2WSH : ADDR_P2SH;
}

static bool run_p2sh(struct cli *cli, struct err *err)
{
    const enum addr_format format = script_format(cli->o);
    struct script_request s = { .n = 0 };
    struct reply reply;
    if (!read_words(cli, &s, err)) {
        (void)cli_compat_raise(cli, "AssertionError");
        return false;
    }
    const struct request request = { .id = REQUEST_P2SH,
                                     .p2sh = { .addr_format = (uint32_t)format,
                                               .m = (uint8_t)(s.script[0] - 80),
                                               .n = (uint8_t)s.n,
                                               .script = bytes_of(s.script, s.script_len),
                                               .keys = bytes_of(s.keys, s.keys_len) } };
    if (!cli_connect(cli, err) || !cli_call(cli, &reply, REPLY_ASCI, &request, err))
        return false;
    return address_put(cli, reply.data, format, err);
}
static const struct option p2sh_options[] = {
    FLAG('s', "segwit", segwit, "p2wsh, bc1q..."),
    FLAG('w', "wrap", wrap, "p2sh-p2wsh, 3..."),
    FLAG('q', "quiet", address_only, "only the address"),
    FLAG(0, "qr", qr, "as a QR code as well"),
};
const struct verb verb_p2sh = {
    "p2sh",
    "SCRIPT FINGERPRINTS...",
    2,
    1 + MS_KEYS_MAX + 1,
    "Show a multisig address, here and on the device's screen",
    "SCRIPT is the redeem or witness script in hex. FINGERPRINTS, in the order of its keys, are\n"
    "0F056943/45h/0/1: the master's fingerprint, then the path. The wallet must be enrolled.\n",
    OPTIONS(p2sh_options),
    0,
    run_p2sh
};
