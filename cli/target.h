// cli/target.h -- which device a run talks to, and whether it is the right one.
// Source: cli.md 1.1, 7.1, 7.6.
#ifndef CASEMATE_CLI_TARGET_H
#define CASEMATE_CLI_TARGET_H
#include "cli/cli.h"

struct target {
    const char *socket; // its path; NULL: a Coldcard on USB
    const char *serial; // of that; NULL: the first that is found
    bool is_link;       // neither: the signer behind a bunker
    struct link_choice link;
};

// What options, environment and configuration file name: cli/settings.h. Text with a `/` in place of
// a serial number is a socket's path.
// Fails: as settings_read; ERR_USAGE for what no signer link can do; --compat: ERR_USAGE for a path that is not there.
MUST_CHECK bool target_find(struct cli *cli, struct target *out, struct err *err);

// Compares the device that answered with the pinned key and --pin-xfp, and has it
// prove its key where these are given, with --check, and for verbs that want it. Over a signer link nothing
// can be proved: who is there is what the bunker says, and the bunker is who its certificate says.
// Fails: ERR_AUTH "the device's key is not the pinned one: ...", ERR_STATE without a seed, ERR_USAGE
//        for a pin that is none, and as connection_prove.
MUST_CHECK bool target_check(struct cli *cli, struct err *err);

// The socket of the panel that belongs to it: --panel PATH or NAME, else beside the wire socket.
// Fails: ERR_USAGE, ERR_NOT_FOUND, ERR_LIMIT.
MUST_CHECK bool target_panel_path(struct cli *cli, const char **out, struct err *err);

#endif
