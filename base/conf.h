// base/conf.h -- the configuration file format of all our programs.
//
// UTF-8 lines `key = value`; `#` starts a comment line; `[kind]` or `[kind name]` starts a section.
// Keys and kinds are made of letters, digits, `_`, `-` and `.`; a `#` within a line is a part of it.
// Reading is separate from meaning: the caller takes the keys it knows, then conf_finish names the
// first line that nobody took.
#ifndef CASEMATE_BASE_CONF_H
#define CASEMATE_BASE_CONF_H
#include "base/arena.h"
#include "base/err.h"

#define CONF_FILE_MAX 65536 // bytes

struct conf_entry {
    struct bytes kind, name; // of the section; empty before the first
    struct bytes key, value; // trimmed; the section's own line has an empty key
    unsigned line;           // from 1
    bool taken;
};
struct conf {
    const char *file; // for error texts; borrowed
    struct conf_entry *entries;
    size_t n_entries;
};

// Fails: ERR_MALFORMED "<file>:<line>: <what>" for a line of no known form or invalid UTF-8,
//        ERR_LIMIT, ERR_NO_MEMORY.
MUST_CHECK bool conf_parse(struct conf *out, const char *file, struct bytes text,
                           struct arena *arena, struct err *err);

// Takes the value of `key` in section [kind name] (empty strings: before the first section); keeps
// *out as it is when the key is absent. A key that stands twice is an error naming the second line.
// Each fails with ERR_USAGE "<file>:<line>: <key>: <what>".
MUST_CHECK bool conf_text(struct conf *c, const char *kind, const char *name, const char *key,
                          struct bytes *out, struct err *err);
MUST_CHECK bool conf_u64(struct conf *c, const char *kind, const char *name, const char *key,
                         uint64_t min, uint64_t max, uint64_t *out, struct err *err);
MUST_CHECK bool conf_bool(struct conf *c, const char *kind, const char *name, const char *key,
                          bool *out, struct err *err); // on, off

// The next entry of a key that may repeat, or NULL; `after` is the entry found before, or NULL.
struct conf_entry *conf_next(struct conf *c, const char *kind, const char *name, const char *key,
                             struct conf_entry *after);

// The next section of that kind, as the entry of its own line, or NULL: for kinds whose names only
// the file knows. Asking for any key of a section takes its line, too.
struct conf_entry *conf_next_section(struct conf *c, const char *kind, struct conf_entry *after);

// Fails with ERR_USAGE "<file>:<line>: unknown key '<key>'" (or "unknown section '<kind> <name>'")
// if any entry was not taken.
MUST_CHECK bool conf_finish(const struct conf *c, struct err *err);

#endif
