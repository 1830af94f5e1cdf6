// bunker/command.h -- the command line of casemate-bunker, and its commands that serve nothing.
//
// Source: bunker.md 13.
#ifndef CASEMATE_BUNKER_COMMAND_H
#define CASEMATE_BUNKER_COMMAND_H
#include "base/secret.h"
#include "bunker/cert_command.h"
#include "bunker/config.h"
#include "bunker/keeper.h"

enum command_kind {
    COMMAND_RUN, // and setup
    COMMAND_HELP,
    COMMAND_VERSION,
    COMMAND_LIST,
    COMMAND_EXAMPLE,
    COMMAND_HASH_PASSWORD,
    COMMAND_KEEP,
    COMMAND_CERT,
};

struct command {
    enum command_kind kind;
    struct config_request config;
    bool check, quiet;
    const struct keeper_command *keep; // of COMMAND_KEEP
    const char *args[KEEPER_ARGS_MAX];
    const char *days;         // --days, of
    struct cert_command cert; // COMMAND_CERT
};

// Options stand anywhere. Fails: ERR_USAGE.
MUST_CHECK bool command_parse(struct command *out, int argc, char *const *argv, struct err *err);

// Everything but COMMAND_RUN; the exit status.
int command_run(const struct command *command, struct arena *arena);

int command_show(const struct bunker_config *config, struct arena *arena);

// Prints "casemate-bunker: <text>"; 2 for ERR_USAGE, else 1.
int command_complain(const struct err *err);

// The key in a settings key file: 64 hex digits.
MUST_CHECK bool command_key(struct secret **out, struct bytes text, const char *path,
                            struct err *err);

// Makes the folder, 0700, if it is not there.
MUST_CHECK bool command_make_folder(const char *path, struct err *err);

#endif
