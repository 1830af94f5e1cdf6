#include "bunker/command.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "bunker/settings.h"
#include "client/discover.h"
#include "http/password.h"
#include <errno.h>
#include <sys/stat.h>

#define OUTPUT_MAX ((size_t)4 << 20)

static const char help[] =
    "usage: casemate-bunker [OPTION ...] COMMAND\n"
    "\n"
    "Serves one signer or Coldcard to browsers and programs. It holds no keys.\n"
    "\n"
    "  run              serve; people log in\n"
    "  setup            serve on loopback without a login, to set things up\n"
    "  list             serial numbers of Coldcards on USB, and the sockets of signers\n"
    "  example          a configuration file with every default\n"
    "  hash-password    read a password from standard input, print its verifier\n"
    "\n"
    "While the bunker does not run, with the settings' key file; ROLE is viewer, operator or "
    "admin:\n"
    "\n"
    "  token add ROLE [DAYS] | list | revoke ID      tokens for programs\n"
    "  account set NAME ROLE | list | remove NAME    people; set reads the password from\n"
    "                                                standard input\n"
    "  totp enrol NAME                               a second factor for an account\n"
    "  export-settings                               all of them, under a password from standard\n"
    "                                                input; import-settings FILE takes them back\n"
    "\n"
    "For signer links (serve = link); FOLDER holds the authority:\n"
    "\n"
    "  cert ca FOLDER [NAME]          make a private authority\n"
    "  cert server FOLDER NAME ...    a certificate for the bunker, for these names and addresses\n"
    "  cert client FOLDER NAME        one for who may use a link\n"
    "  cert show FILE                 the SHA-256 of a certificate, which clients pin\n"
    "\n"
    "  -l, --local                  run: on loopback without a login\n"
    "  -f, --psbt FILE              begin with this PSBT, seen by all\n"
    "  -c, --config-file FILE       default /etc/casemate/bunker.conf; CKBunker's file is read, "
    "too\n"
    "  -s, --serial HEX             the device must have this serial number\n"
    "      --listen ADDRESS         one listener there instead of the file's\n"
    "      --settings-key-file FILE 64 hex digits that seal the settings, instead of the locker\n"
    "      --days N                 cert: how long it is valid (an authority 3650, others 825)\n"
    "      --check-config           print the configuration and exit\n"
    "      --quiet                  log warnings only\n"
    "      --help, --version\n";

// --- Parsing ---

enum option_kind { OPTION_FLAG, OPTION_VALUE };

static const struct {
    const char *name;
    char letter;
    enum option_kind kind;
    size_t member; // of struct command
} options[] = {
    { "local", 'l', OPTION_FLAG, offsetof(struct command, config.local) },
    { "psbt", 'f', OPTION_VALUE, offsetof(struct command, config.preload) },
    { "config-file", 'c', OPTION_VALUE, offsetof(struct command, config.file) },
    { "config", 0, OPTION_VALUE, offsetof(struct command, config.file) },
    { "serial", 's', OPTION_VALUE, offsetof(struct command, config.serial) },
    { "listen", 0, OPTION_VALUE, offsetof(struct command, config.listen) },
    { "settings-key-file", 0, OPTION_VALUE, offsetof(struct command, config.settings_key_file) },
    { "days", 0, OPTION_VALUE, offsetof(struct command, days) },
    { "check-config", 0, OPTION_FLAG, offsetof(struct command, check) },
    { "quiet", 0, OPTION_FLAG, offsetof(struct command, quiet) },
};

static bool is_option(const char *word, size_t i)
{
    if (word[1] != '-')
        return options[i].letter != 0 && word[1] == options[i].letter && word[2] == '\0';
    return strcmp(word + 2, options[i].name) == 0;
}

static bool take_option(struct command *c, int argc, char *const *argv, int *at, struct err *err)
{
    const char *word = argv[*at];
    for (size_t i = 0; i < COUNT(options); i++) {
        if (!is_option(word, i))
            continue;
        char *member = (char *)c + options[i].member;
        if (options[i].kind == OPTION_FLAG) {
            *(bool *)(void *)member = true;
            return true;
        }
        if (*at + 1 >= argc)
            return err_set(err, ERR_USAGE, "option '%s' wants a value", word);
        *(const char **)(void *)member = argv[++*at];
        return true;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "--version") == 0) {
        c->kind = word[2] == 'h' ? COMMAND_HELP : COMMAND_VERSION;
        return true;
    }
    return err_set(err, ERR_USAGE, "there is no option '%s'", word);
}

static const struct {
    const char *word;
    enum command_kind kind;
} commands[] = {
    { "run", COMMAND_RUN },
    { "setup", COMMAND_RUN },
    { "list", COMMAND_LIST },
    { "example", COMMAND_EXAMPLE },
    { "hash-password", COMMAND_HASH_PASSWORD },
};

static bool take_keeper(struct command *c, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n_keeper_commands; i++) {
        const struct keeper_command *k = &keeper_commands[i];
        const size_t n_words = k->words[1][0] != '\0' ? 2 : 1;
        if (n != n_words + k->n_args || strcmp(words[0], k->words[0]) != 0 ||
            (n_words == 2 && strcmp(words[1], k->words[1]) != 0))
            continue;
        c->kind = COMMAND_KEEP;
        c->keep = k;
        for (size_t arg = 0; arg < k->n_args; arg++)
            c->args[arg] = words[n_words + arg];
        return true;
    }
    return false;
}

static bool take_words(struct command *c, const char *const *words, size_t n, struct err *err)
{
    if (n == 0)
        return err_set(err, ERR_USAGE, "a command is missing; see --help");
    if (strcmp(words[0], "cert") == 0) {
        c->kind = COMMAND_CERT;
        return cert_command_parse(&c->cert, words + 1, n - 1, c->days, err);
    }
    for (size_t i = 0; n == 1 && i < COUNT(commands); i++)
        if (strcmp(words[0], commands[i].word) == 0) {
            c->kind = commands[i].kind;
            c->config.setup = strcmp(words[0], "setup") == 0;
            return true;
        }
    return take_keeper(c, words, n) ||
           err_set(err, ERR_USAGE, "there is no command '%s' with these words; see --help",
                   words[0]);
}

bool command_parse(struct command *out, int argc, char *const *argv, struct err *err)
{
    const char *words[CERT_WORDS_MAX] = { NULL };
    size_t n = 0;
    *out = (struct command){ .kind = COMMAND_RUN };
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1] != '\0') {
            if (!take_option(out, argc, argv, &i, err))
                return false;
        } else if (n == COUNT(words)) {
            return err_set(err, ERR_USAGE, "too many words");
        } else {
            words[n++] = argv[i];
        }
    }
    if (out->kind == COMMAND_HELP || out->kind == COMMAND_VERSION)
        return true;
    return take_words(out, words, n, err);
}

// --- Small commands ---

int command_complain(const struct err *err)
{
    (void)fprintf(stderr, "casemate-bunker: %s\n", err->text);
    return err->code == ERR_USAGE ? 2 : 1;
}

static int print(struct bytes text)
{
    struct err err;
    return file_write_fd(STDOUT_FILENO, "standard output", text, &err) ? 0 : command_complain(&err);
}

int command_show(const struct bunker_config *config, struct arena *arena)
{
    struct writer w = writer_growing(arena, OUTPUT_MAX);
    config_write(&w, config);
    return print(writer_bytes(&w));
}

static int run_example(struct arena *arena)
{
    struct bunker_config config;
    struct err err;
    const struct config_request none = { 0 };
    return config_parse(&config, "example", (struct bytes){ 0 }, &none, arena, &err)
               ? command_show(&config, arena)
               : command_complain(&err);
}

static int run_list(struct arena *arena)
{
    struct discovery *found = arena_alloc(arena, sizeof *found);
    struct writer w = writer_growing(arena, OUTPUT_MAX);
    struct err err;
    if (found == NULL || !discover_sockets(found, arena, &err) || !discover_usb(found, arena, &err))
        return 1;
    for (size_t i = 0; i < found->n; i++)
        writer_printf(&w, "%s\n",
                      strcmp(found->items[i].transport, "usb") == 0 ? found->items[i].serial
                                                                    : found->items[i].path);
    if (found->n == 0)
        writer_text(&w, "(none found)\n");
    return print(writer_bytes(&w));
}

static int run_hash_password(struct arena *arena)
{
    char verifier[PASSWORD_TEXT_MAX + 1];
    struct bytes text;
    struct err err;
    if (!file_read_fd(&text, STDIN_FILENO, "standard input", 4096, arena, &err))
        return command_complain(&err);
    if (text.len > 0 && text.ptr[text.len - 1] == '\n')
        text.len--;
    if (!password_hash(verifier, text, PASSWORD_COST, &err))
        return command_complain(&err);
    (void)snprintf(verifier + strlen(verifier), 2, "\n");
    return print(bytes_of_text(verifier));
}

bool command_key(struct secret **out, struct bytes text, const char *path, struct err *err)
{
    uint8_t key[SETTINGS_KEY_LEN];
    if (!hex_decode(key, sizeof key, bytes_trim(text)))
        return err_set(err, ERR_USAGE, "%s: is not 64 hex digits", path);
    *out = secret_new(BYTES_OF(key));
    wipe(key, sizeof key);
    return true;
}

bool command_make_folder(const char *path, struct err *err)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST || err_set_errno(err, errno, "%s", path);
}

// The settings as the key file opens them.
static bool open_settings(struct settings *out, const struct command *c,
                          struct bunker_config *config, struct arena *arena, struct err *err)
{
    struct secret *key;
    struct bytes text;
    if (!config_load(config, &c->config, arena, err))
        return false;
    if (config->settings_key_file == NULL)
        return err_set(err, ERR_USAGE, "%s needs settings_key_file", c->keep->words[0]);
    if (!file_read(&text, config->settings_key_file, 1024, arena, err) ||
        !command_key(&key, text, config->settings_key_file, err))
        return false;
    settings_init(out, config->data_files);
    return settings_open(out, key, err);
}

static int run_keep(const struct command *c, struct arena *arena)
{
    struct bunker_config config;
    struct settings settings = { 0 };
    struct writer w = writer_growing(arena, OUTPUT_MAX);
    struct err err;
    const bool ok = open_settings(&settings, c, &config, arena, &err) &&
                    c->keep->run(&settings, c->args, &w, &err) &&
                    (!c->keep->changes || settings_save(&settings, &err));
    settings_free(&settings);
    return ok ? print(writer_bytes(&w)) : command_complain(&err);
}

static int run_cert(const struct command *c, struct arena *arena)
{
    const struct clock clock = clock_system();
    struct writer w = writer_growing(arena, OUTPUT_MAX);
    struct err err;
    return cert_command_run(&c->cert, clock.wall_s(&clock), &w, arena, &err)
               ? print(writer_bytes(&w))
               : command_complain(&err);
}

int command_run(const struct command *c, struct arena *arena)
{
    switch (c->kind) {
    case COMMAND_HELP:
        return print(bytes_of_text(help));
    case COMMAND_VERSION:
        return print(BYTES("casemate-bunker " CASEMATE_VERSION "\n"));
    case COMMAND_LIST:
        return run_list(arena);
    case COMMAND_EXAMPLE:
        return run_example(arena);
    case COMMAND_HASH_PASSWORD:
        return run_hash_password(arena);
    case COMMAND_CERT:
        return run_cert(c, arena);
    default:
        return run_keep(c, arena);
    }
}
