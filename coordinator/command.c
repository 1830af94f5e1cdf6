#include "coordinator/command.h"

static const char help[] =
    "usage: casemate-coordinator [OPTION ...] COMMAND\n"
    "\n"
    "Spends from k-of-n wallets whose keys sit in signers with a policy of their own. It holds no "
    "keys.\n"
    "\n"
    "  serve                       answer the API, watch the chain, carry spends on\n"
    "  migrate                     bring the ledger's schema up to date\n"
    "  check                       look at configuration, ledger, audit chain and nodes; change "
    "nothing\n"
    "  setup FILE                  make a wallet with signers, caps, list and people from a JSON "
    "file\n"
    "  dry-run WALLET TO SAT       what a spend would be, without doing any of it\n"
    "  export wallet WALLET        what registers the wallet on a signer, and is kept off site\n"
    "  export policy SIGNER        the policy that the signer is to run\n"
    "  recover                     carry on what a stopped coordinator left, without the API\n"
    "  audit verify                check every link of the audit chain\n"
    "  principal add KIND NAME     a person or program: nostr HEXKEY, cert NAME, service NAME\n"
    "  principal list\n"
    "  principal disable ID\n"
    "  token add SUBJECT           a bearer token, printed this once\n"
    "  token list\n"
    "  token revoke ID\n"
    "\n"
    "  -c, --config FILE           default /etc/casemate/coordinator.conf\n"
    "      --check-config          print the configuration and exit\n"
    "      --json                  print JSON where a script would read it\n"
    "      --yes                   setup: do not ask\n"
    "      --display TEXT          principal add: how people see it\n"
    "      --role WALLET:ROLE      principal add: a role for a wallet; may repeat\n"
    "      --role ROLE             token add: only that role of the principal's; may repeat\n"
    "      --days N                token add: how long it is valid (90); 0: until it is revoked\n"
    "      --tier TIER             dry-run: auto or surge\n"
    "      --grant ROLE            migrate: let this role of PostgreSQL's serve\n"
    "      --wait SECONDS          recover: for how long (300)\n"
    "      --help, --version\n"
    "\n"
    "Exit status: 0; 1 it failed; 2 wrong command line or file; 3 what was checked is not sound.\n";

const char *command_help(void)
{
    return help;
}

enum option_kind { OPTION_FLAG, OPTION_VALUE, OPTION_LIST };

static const struct {
    const char *name;
    char letter;
    enum option_kind kind;
    size_t member; // of struct command
} options[] = {
    { "config", 'c', OPTION_VALUE, offsetof(struct command, config) },
    { "check-config", 0, OPTION_FLAG, offsetof(struct command, check_config) },
    { "json", 0, OPTION_FLAG, offsetof(struct command, json) },
    { "yes", 0, OPTION_FLAG, offsetof(struct command, yes) },
    { "display", 0, OPTION_VALUE, offsetof(struct command, display) },
    { "days", 0, OPTION_VALUE, offsetof(struct command, days) },
    { "tier", 0, OPTION_VALUE, offsetof(struct command, tier) },
    { "grant", 0, OPTION_VALUE, offsetof(struct command, grant) },
    { "wait", 0, OPTION_VALUE, offsetof(struct command, wait) },
    { "role", 0, OPTION_LIST, 0 },
    { "help", 0, OPTION_FLAG, offsetof(struct command, help) },
    { "version", 0, OPTION_FLAG, offsetof(struct command, version) },
};

static bool is_option(const char *word, size_t i)
{
    if (word[1] != '-')
        return options[i].letter != 0 && word[1] == options[i].letter && word[2] == '\0';
    return strcmp(word + 2, options[i].name) == 0;
}

static bool take_value(struct command *c, size_t i, const char *value, struct err *err)
{
    if (options[i].kind == OPTION_VALUE) {
        *(const char **)(void *)((char *)c + options[i].member) = value;
        return true;
    }
    if (c->n_roles == COMMAND_ROLES)
        return err_set(err, ERR_USAGE, "more than %d roles", COMMAND_ROLES);
    c->roles[c->n_roles++] = value;
    return true;
}

static bool take_option(struct command *c, int argc, char *const *argv, int *at, struct err *err)
{
    const char *word = argv[*at];
    for (size_t i = 0; i < COUNT(options); i++) {
        if (!is_option(word, i))
            continue;
        if (options[i].kind == OPTION_FLAG) {
            *(bool *)(void *)((char *)c + options[i].member) = true;
            return true;
        }
        if (*at + 1 >= argc)
            return err_set(err, ERR_USAGE, "option '%s' wants a value", word);
        return take_value(c, i, argv[++*at], err);
    }
    return err_set(err, ERR_USAGE, "there is no option '%s'; see --help", word);
}

bool command_parse(struct command *out, int argc, char *const *argv, struct err *err)
{
    *out = (struct command){ 0 };
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1] != '\0') {
            if (!take_option(out, argc, argv, &i, err))
                return false;
        } else if (out->n_words == COMMAND_WORDS) {
            return err_set(err, ERR_USAGE, "too many words; see --help");
        } else {
            out->words[out->n_words++] = argv[i];
        }
    }
    return out->help || out->version || out->check_config || out->n_words > 0 ||
           err_set(err, ERR_USAGE, "a command is missing; see --help");
}

bool command_row_find(const struct command_row **out, const struct command *c, struct err *err)
{
    for (size_t i = 0; i < n_command_rows; i++) {
        const struct command_row *row = &command_rows[i];
        const size_t own = row->words[1] != NULL ? 2 : 1;
        if (c->n_words < own || strcmp(c->words[0], row->words[0]) != 0 ||
            (own == 2 && strcmp(c->words[1], row->words[1]) != 0))
            continue;
        if (c->n_words - own < row->min_args || c->n_words - own > row->max_args)
            continue;
        *out = row;
        return true;
    }
    return err_set(err, ERR_USAGE, "there is no command '%s' with these words; see --help",
                   c->words[0]);
}
