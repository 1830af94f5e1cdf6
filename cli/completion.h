// cli/completion.h -- scripts that complete our command lines in bash, zsh and fish, made from the
// tables that the parser reads.
//
// What a word can be is known by its name in the tables: FILE, USERNAME, NAME ... Sockets and serial
// numbers are looked for on this machine; users and wallets are asked of the device only where
// CASEMATE_COMPLETE_DEVICE is set. Source: cli.md 7.4.
#ifndef CASEMATE_CLI_COMPLETION_H
#define CASEMATE_CLI_COMPLETION_H
#include "base/writer.h"
#include "cli/command_line.h"

#define COMPLETION_MAX ((size_t)1 << 18)

struct completion_shell {
    const char *name;
    void (*write)(struct writer *w, struct option_table globals, struct verb_table verbs);
};

// NULL: no shell of that name.
const struct completion_shell *completion_find(const char *name);

// --- For the shells: what stands where ---

enum completion_kind {
    COMPLETE_NOTHING, // only the person knows
    COMPLETE_FILE,
    COMPLETE_FOLDER,
    COMPLETE_LIST,    // one of some words
    COMPLETE_COMMAND, // what `casemate completion <list>` prints
};
struct completion_value {
    enum completion_kind kind;
    const char *list;
};
struct completion_value completion_of_option(const struct option *option);
struct completion_value completion_of_word(struct bytes name);

// The n-th word of a verb, without its brackets and dots; the last stands for all further ones if it
// may be repeated. False past the end.
bool completion_word(const struct verb *verb, size_t n, struct bytes *name, bool *is_repeated);

// "policy" of "policy check"; no bytes for a verb of one word.
struct bytes completion_group(const struct verb *verb);

void completion_bash(struct writer *w, struct option_table globals, struct verb_table verbs);
void completion_zsh(struct writer *w, struct option_table globals, struct verb_table verbs);
void completion_fish(struct writer *w, struct option_table globals, struct verb_table verbs);

#endif
