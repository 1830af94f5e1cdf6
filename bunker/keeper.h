// bunker/keeper.h -- commands that change the sealed settings while the bunker does not run: tokens,
// accounts, second factors. They need the settings' key file. Source: bunker.md 13.
#ifndef CASEMATE_BUNKER_KEEPER_H
#define CASEMATE_BUNKER_KEEPER_H
#include "bunker/settings.h"

#define KEEPER_ARGS_MAX 2

struct keeper_command {
    const char *words[2]; // "token", "add"; the second may be empty
    size_t n_args;
    bool changes; // the settings are saved afterwards
    // Writes what is to be printed. Fails: ERR_USAGE, ERR_NOT_FOUND, ERR_LIMIT, ERR_IO.
    bool (*run)(struct settings *s, const char *const *args, struct writer *w, struct err *err);
};
extern const struct keeper_command keeper_commands[];
extern const size_t n_keeper_commands;

#endif
