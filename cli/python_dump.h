// cli/python_dump.h -- --compat: a JSON value as Python's pprint shows it, 80 columns wide.
//
// Scripts in the field grep this form. The layout follows the documented behaviour of Python 3's
// pprint module: sorted keys, one member a line where all do not fit into one, long strings as
// adjacent literals cut at line ends and blanks. Source: cli.md 3.16.
#ifndef CASEMATE_CLI_PYTHON_DUMP_H
#define CASEMATE_CLI_PYTHON_DUMP_H
#include "base/json.h"

// Appends the dump and a line feed. False without room.
MUST_CHECK bool python_dump_write(struct writer *w, const struct json *value, struct arena *arena);

#endif
