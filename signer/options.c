#include "signer/options.h"
#include "base/reader.h"
#include "signer/simulator.h"
#include <getopt.h>

#define NAME_LEN_MAX 16

static const char help[] =
    "usage: casemate-signer run NAME [OPTION ...]\n"
    "       casemate-signer init NAME [OPTION ...]\n"
    "       casemate-signer backup NAME FILE [OPTION ...]\n"
    "       casemate-signer restore NAME FILE [OPTION ...]\n"
    "       casemate-signer --simulator [OPTION ...]\n"
    "\n"
    "Signs Bitcoin transactions that a written policy allows, with nobody at the keyboard.\n"
    "\n"
    "  run NAME         run the signer of that name (1 to 16 of A-Za-z0-9_)\n"
    "  init NAME        make its state directory, PIN and seed\n"
    "  backup NAME FILE write what it holds, sealed under twelve words; it must not be running\n"
    "  restore NAME FILE\n"
    "                   make it out of a backup, or of the text in a Coldcard's backup archive\n"
    "\n"
    "  --dir DIR        state directory, in place of " STATE_DIR "/NAME\n"
    "  --config FILE    configuration, in place of DIR/signer.conf\n"
    "  --check-config   print the configuration in force, and exit\n"
    "  --socket PATH    wire socket, in place of " RUN_DIR "/signer-NAME.sock\n"
    "  --panel PATH     panel socket, in place of DIR/panel.sock\n"
    "  --pin-fd N       read the PIN from this descriptor, once\n"
    "  --pin-file FILE  read the PIN from this file at each unlock\n"
    "  --words N        init: make a new seed of 12, 18 or 24 words\n"
    "  --import WHAT    init: read a seed: words, or xprv\n"
    "  --simulator      throw-away store and public test seed; for tests only\n"
    "  --chain CODE     simulator: BTC, XTN (default) or XRT\n"
    "  --quiet          log warnings and errors only\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 ended as asked, 1 failed, 2 wrong usage, 3 wrong PIN.\n";

void options_show_help(void)
{
    fputs(help, stdout);
}

static bool is_name(const char *name)
{
    const size_t len = strlen(name);
    return len >= 1 && len <= NAME_LEN_MAX &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

static bool parse_number(const char *option, const char *text, unsigned max, unsigned *out,
                         struct err *err)
{
    struct reader r = reader_of(bytes_of_text(text));
    uint32_t value;
    if (!reader_decimal(&r, max, &value) || !reader_done(&r))
        return err_set(err, ERR_USAGE, "%s: '%s' is not a number up to %u", option, text, max);
    *out = value;
    return true;
}

static bool parse_words(struct options *o, const char *text, struct err *err)
{
    unsigned n;
    if (!parse_number("--words", text, 24, &n, err))
        return false;
    if (n != 12 && n != 18 && n != 24)
        return err_set(err, ERR_USAGE, "--words: 12, 18 or 24");
    o->n_words = n;
    o->source = INIT_GENERATE;
    return true;
}

static bool parse_import(struct options *o, const char *text, struct err *err)
{
    if (strcmp(text, "words") == 0)
        o->source = INIT_WORDS;
    else if (strcmp(text, "xprv") == 0)
        o->source = INIT_XPRV;
    else
        return err_set(err, ERR_USAGE, "--import: words or xprv, not '%s'", text);
    return true;
}

static bool parse_chain(struct options *o, const char *text, struct err *err)
{
    const struct chain *chain = chain_by_code(bytes_of_text(text));
    if (chain == NULL)
        return err_set(err, ERR_USAGE, "--chain: BTC, XTN or XRT, not '%s'", text);
    o->chain = chain->id;
    return true;
}

static bool parse_option(struct options *o, int option, const char *value, struct err *err)
{
    unsigned n = 0;
    switch (option) {
    case 'd':
        o->dir = value;
        return true;
    case 'c':
        o->config = value;
        return true;
    case 'k':
        o->check_config = true;
        return true;
    case 's':
        o->socket = value;
        return true;
    case 'p':
        o->panel = value;
        return true;
    case 'f':
        if (!parse_number("--pin-fd", value, 1023, &n, err))
            return false;
        o->pin_fd = (int)n;
        return true;
    case 'F':
        o->pin_file = value;
        return true;
    case 'w':
        return parse_words(o, value, err);
    case 'i':
        return parse_import(o, value, err);
    case 'S':
        o->simulator = true;
        return simulator_is_built() ||
               err_set(err, ERR_USAGE, "--simulator: this build has no simulator mode");
    case 'C':
        return parse_chain(o, value, err);
    case 'q':
        o->quiet = true;
        return true;
    default:
        return err_set(err, ERR_USAGE, "see casemate-signer --help");
    }
}

static bool parse_verb(struct options *o, char **words, struct err *err)
{
    static const struct {
        const char *word;
        enum verb verb;
        bool has_file;
    } verbs[] = { { "run", VERB_RUN, false },
                  { "init", VERB_INIT, false },
                  { "backup", VERB_BACKUP, true },
                  { "restore", VERB_RESTORE, true } };
    size_t v = 0, n = 0;
    if (words[0] == NULL) {
        o->name = "simulator";
        return o->simulator || err_set(err, ERR_USAGE, "run or init? See casemate-signer --help");
    }
    while (v < COUNT(verbs) && strcmp(words[0], verbs[v].word) != 0)
        v++;
    if (v == COUNT(verbs))
        return err_set(err, ERR_USAGE, "'%s' is not run, init, backup or restore", words[0]);
    o->verb = verbs[v].verb;
    while (words[n + 1] != NULL)
        n++;
    if (n > 1u + verbs[v].has_file)
        return err_set(err, ERR_USAGE, "'%s' is too much", words[2 + verbs[v].has_file]);
    if (verbs[v].has_file) {
        if (n == 0)
            return err_set(err, ERR_USAGE, "%s: a FILE is missing", words[0]);
        o->file = words[n--];
    }
    if (n == 0 && o->dir == NULL)
        return err_set(err, ERR_USAGE, "%s: a NAME is missing, or --dir", words[0]);
    o->name = n == 1 ? words[1] : "signer";
    return is_name(o->name) ||
           err_set(err, ERR_USAGE, "'%s': a name has 1 to %d of A-Za-z0-9_", o->name, NAME_LEN_MAX);
}

bool options_parse(struct options *o, int argc, char **argv, struct err *err)
{
    static const struct option table[] = {
        { "dir", required_argument, NULL, 'd' },
        { "config", required_argument, NULL, 'c' },
        { "check-config", no_argument, NULL, 'k' },
        { "socket", required_argument, NULL, 's' },
        { "panel", required_argument, NULL, 'p' },
        { "pin-fd", required_argument, NULL, 'f' },
        { "pin-file", required_argument, NULL, 'F' },
        { "words", required_argument, NULL, 'w' },
        { "import", required_argument, NULL, 'i' },
        { "simulator", no_argument, NULL, 'S' },
        { "chain", required_argument, NULL, 'C' },
        { "quiet", no_argument, NULL, 'q' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'v' },
        { NULL, 0, NULL, 0 },
    };
    *o = (struct options){ .pin_fd = -1, .chain = CHAIN_XTN };
    int option;
    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (option == 'h' || option == 'v') {
            o->verb = option == 'h' ? VERB_HELP : VERB_VERSION;
            return true;
        }
        if (!parse_option(o, option, optarg, err))
            return false;
    }
    return parse_verb(o, argv + optind, err);
}
