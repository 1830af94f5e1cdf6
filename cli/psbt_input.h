// cli/psbt_input.h -- the one way in which `sign`, `local-conf` and `auth -f` read a PSBT.
//
// All three work on the binary form, which is what is uploaded and hashed; a hash of the file as it
// stands would be silently wrong for hex and base64. Source: cli.md 7.1, 3.8.
#ifndef CASEMATE_CLI_PSBT_INPUT_H
#define CASEMATE_CLI_PSBT_INPUT_H
#include "cli/cli.h"

// path: a file, or "-" for standard input. *out lies in the run's arena.
// Fails: ERR_MALFORMED "<path>: not a PSBT in binary, hex or base64" (--compat: the reference's
//        text on standard output), ERR_LIMIT above 2 MiB, ERR_NOT_FOUND, ERR_IO.
MUST_CHECK bool psbt_input_read(struct cli *cli, struct bytes *out, const char *path,
                                struct err *err);

#endif
