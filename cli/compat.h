// cli/compat.h -- --compat: how the reference client ends.
// Source: cli.md 1.3.
#ifndef CASEMATE_CLI_COMPAT_H
#define CASEMATE_CLI_COMPAT_H
#include "cli/cli.h"

// Prints what was collected so far and the error, on the stream and in the words of the reference.
// Where it shows a Python traceback this is the traceback's last line. Returns the exit code.
int compat_finish(struct cli *cli, const struct err *err);

#endif
