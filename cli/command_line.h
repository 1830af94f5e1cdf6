// cli/command_line.h -- the arguments of the program, read by tables: which verbs there are, which
// options each takes, and what they mean. Help, man page and completion are made from the same rows.
//
// (1) Before the verb stand the global options, in short or long form. After it stand the verb's own
//     in both forms, and the global ones in long form; where both have a name, it is the verb's.
// (2) What no row names is an error, never ignored.
// Source: cli.md 1.1, 7.1.
#ifndef CASEMATE_CLI_COMMAND_LINE_H
#define CASEMATE_CLI_COMMAND_LINE_H
#include "base/err.h"
#include "cli/options.h"

#define WORDS_MAX 32

struct cli;

enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_NUMBER, OPTION_REPEATED };

// One option.
struct option {
    const char *name;
    const char *argument; // NULL for a flag: "PATH"
    const char *help;     // begins in lower case, no full stop
    size_t member; // of struct options: bool, const char *, struct option_number, option_list
    enum option_kind kind;
    uint32_t min, max; // of a number
    char letter;       // 0: none
};

struct option_table {
    size_t n;
    const struct option *rows;
};

#define VERB_PROVES        0x01u // the device proves its key first, always
#define VERB_PROVES_COMPAT 0x02u // only as the reference client does
#define VERB_STDOUT_ERRORS 0x04u // --compat: device errors go to standard output
#define VERB_NOT_OVER_LINK 0x08u // no bunker allows it over a signer link

struct verb {
    const char *name;  // "sign", "policy check"
    const char *words; // "PSBT_IN [PSBT_OUT]"
    size_t min_words, max_words;
    const char *purpose; // one line
    const char *details; // further lines of its help; may be NULL
    struct option_table options;
    unsigned flags;
    bool (*run)(struct cli *cli, struct err *err);
};

struct verb_table {
    size_t n;
    const struct verb *const *rows; // in the order of the help
};

struct command_line {
    const struct verb *verb; // NULL: none was given
    struct options options;
    size_t n_words;
    const char *words[WORDS_MAX]; // borrowed from argv
};

// Fails: ERR_USAGE "No such command '<verb>'.", "No such option: <option>", "Option '<option>'
//        requires an argument.", "Missing argument '<WORD>'.", "Got unexpected extra argument
//        (<word>)", and the like. out->verb is set also then, once it is known.
MUST_CHECK bool command_line_parse(struct command_line *out, int argc, char *const *argv,
                                   struct option_table globals, struct verb_table verbs,
                                   struct err *err);

#endif
