// cli/key_path.h -- derivation paths and address formats on the command line.
// Source: cli.md 3.4, 3.6, 3.9; wire-protocol.md 8.4.
#ifndef CASEMATE_CLI_KEY_PATH_H
#define CASEMATE_CLI_KEY_PATH_H
#include "bitcoin/address.h"
#include "bitcoin/keypath.h"
#include "cli/cli.h"

// Reads a path that somebody typed: before connecting, as bad usage; with --compat not at all, as
// there the device refuses it. Fails: ERR_USAGE "<path>: <what>".
MUST_CHECK bool key_path_check(struct cli *cli, struct keypath *out, const char *text,
                               struct err *err);

// Reads a path that the device has accepted. Fails: ERR_FRAMING.
MUST_CHECK bool key_path_read(struct keypath *out, const char *text, struct err *err);

// By the options, "wrap, segwit, taproot, else p2pkh".
enum addr_format key_path_format(const struct cli *cli);

// `text`, or where it is NULL the first path of that format on the device's chain: connected.
MUST_CHECK bool key_path_or_default(struct cli *cli, const char **out, const char *text,
                                    enum addr_format format, struct err *err);

// "0f056943/84h/0h/0h", in the run's arena: connected.
MUST_CHECK bool key_path_origin(struct cli *cli, struct bytes *out, const struct keypath *path,
                                struct err *err);

// The member `path` of the result.
void key_path_put(struct cli *cli, const struct keypath *path);

#endif
