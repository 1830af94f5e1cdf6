// coordinator/command.h -- the command line of casemate-coordinator.
//
// Source: coordinator.md D14.
#ifndef CASEMATE_COORDINATOR_COMMAND_H
#define CASEMATE_COORDINATOR_COMMAND_H
#include "coordinator/config.h"
#include "coordinator/db.h"

#define COMMAND_WORDS 8
#define COMMAND_ROLES 16

// Exit statuses: 0 done, 1 it failed, 2 the command line or a file of the operator's is wrong, 3 what was
// checked is not as it should be.
#define EXIT_WRONG_USE 2
#define EXIT_NOT_SOUND 3

struct command {
    const char *config; // --config; NULL: COORDINATOR_CONF
    bool help, version, json, check_config, yes;
    const char *display, *tier, *grant; // --display TEXT, --tier TIER, --grant ROLE
    const char *days, *wait;            // --days N, --wait SECONDS
    const char *roles[COMMAND_ROLES];   // --role WALLET:ROLE, or ROLE; may repeat
    size_t n_roles;
    const char *words[COMMAND_WORDS];
    size_t n_words;
};

// Options stand anywhere. Fails: ERR_USAGE.
MUST_CHECK bool command_parse(struct command *out, int argc, char *const *argv, struct err *err);

// What one command has.
struct run {
    const struct command *command;
    const struct coordinator_config *config;
    const struct log *log;
    struct arena *arena;
    struct writer *out; // standard output, written at the end
    int status;
};
struct command_row {
    const char *words[2];      // "token", "add"; the second may be NULL
    size_t min_args, max_args; // words after them
    bool (*run)(struct run *r, struct err *err);
};
// The row of the words. Fails: ERR_USAGE.
MUST_CHECK bool command_row_find(const struct command_row **out, const struct command *command,
                                 struct err *err);

const char *command_help(void);

// The ledger as it is, at the step that this program knows.
MUST_CHECK bool command_open_ledger(const struct run *r, struct db **db, struct err *err);

// command_run.c, command_export.c, serve.c
bool command_serve(struct run *r, struct err *err);
bool command_export_wallet(struct run *r, struct err *err);
bool command_export_policy(struct run *r, struct err *err);
bool command_recover(struct run *r, struct err *err);
bool command_dry_run(struct run *r, struct err *err);

extern const struct command_row command_rows[];
extern const size_t n_command_rows;

#endif
