// bunker/yaml.h -- CKBunker's settings file: the flat mapping of upper-case keys that it writes.
//
// A subset of YAML: `KEY: value` lines, comments, quotes. Source: bunker.md 13.
#ifndef CASEMATE_BUNKER_YAML_H
#define CASEMATE_BUNKER_YAML_H
#include "base/err.h"
#include "base/reader.h"

struct yaml_line {
    struct bytes key, value; // value without quotes and comment
    unsigned line;           // from 1
};

// Whether a file is in that format: its first key is upper-case and ends in a colon.
bool yaml_is_reference(struct bytes file);

// The next line with a key; *line counts. False at the end, or with an error: `err->code` tells.
// Fails: ERR_MALFORMED "<line>: <what>" for nesting, lists and lines that are no `KEY: value`.
bool yaml_next(struct reader *r, struct yaml_line *out, unsigned *line, struct err *err);

// "true", "yes", "on" and their opposites, in any of YAML's three cases.
MUST_CHECK bool yaml_bool(struct bytes value, bool *out);

#endif
