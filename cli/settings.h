// cli/settings.h -- what environment and configuration file say about the device to talk to.
//
// Options win over the environment, that over the file.
// The file: --config, else casemate/casemate.conf in $XDG_CONFIG_HOME or ~/.config, else
// /etc/casemate/casemate.conf; the first that is there, and none need be.
// Source: cli.md 7.1; design.md "How the programs are configured and wired".
#ifndef CASEMATE_CLI_SETTINGS_H
#define CASEMATE_CLI_SETTINGS_H
#include "base/arena.h"
#include "base/err.h"
#include "cli/options.h"

struct settings {
    const char *socket, *serial,
        *bunker; // at most one is there: whichever was named nearer to the command
    bool simulator;
    const char *tls_cert, *tls_key, *tls_ca, *tls_pin; // for the bunker
    const char *pin_xpub;
};

// Texts lie in the arena or belong to options and environment.
// Fails: ERR_USAGE "<file>:<line>: ...", "--bunker and another device: which is it?", ERR_NOT_FOUND for a --config that is not there, ERR_IO.
MUST_CHECK bool settings_read(struct settings *out, const struct options *o, struct arena *arena,
                              struct err *err);

#endif
