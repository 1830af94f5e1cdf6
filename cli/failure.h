// cli/failure.h -- what a failed command tells people, programs and the shell.
// Source: cli.md 7.3, 7.5.
#ifndef CASEMATE_CLI_FAILURE_H
#define CASEMATE_CLI_FAILURE_H
#include "base/err.h"

enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NO_DEVICE = 3,
    EXIT_BUSY = 4,
    EXIT_REFUSED_BY_USER = 5,
    EXIT_REFUSED_BY_POLICY = 6,
    EXIT_LINK = 7,
    EXIT_TIMEOUT = 8,
    EXIT_IDENTITY = 9,
    EXIT_PENDING = 10,
    EXIT_REJECTED_CREDENTIAL = 11,
    EXIT_INTERRUPTED = 130, // as a shell counts Ctrl-C
};

// Where a command was when it failed: the same error means different things there.
enum stage {
    STAGE_INPUT,   // command line, files, prompts
    STAGE_CONNECT, // until the session with the device stands
    STAGE_DEVICE,
    STAGE_PANEL,
    STAGE_OUTPUT,
};

// What was being asked for, where the device's text alone does not tell.
enum hint {
    HINT_NONE,
    HINT_PICKED_SECRET, // nwur without a secret
    HINT_NAMED_WALLET,  // stxn with a wallet's name
    HINT_TAPROOT,       // show of a taproot address
    HINT_DOWNLOAD,
    HINT_MINISCRIPT, // what only EDGE firmware knows
};

struct failure {
    enum exit_code exit;
    char message[ERR_TEXT_MAX];     // a plain sentence
    char device_text[ERR_TEXT_MAX]; // what the device said; may be empty
};

struct failure failure_of(const struct err *err, enum stage stage, enum hint hint);

// "refused_by_policy": the code of the JSON form.
const char *exit_code_name(enum exit_code exit);

#endif
