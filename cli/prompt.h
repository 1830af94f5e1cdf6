// cli/prompt.h -- what a person is asked for: secrets without echo, and one-time codes.
//
// (1) A secret is never read from the command line without a warning.
// (2) Whatever ends the prompt, the terminal echoes again.
// Source: cli.md 7.4.
#ifndef CASEMATE_CLI_PROMPT_H
#define CASEMATE_CLI_PROMPT_H
#include "base/secret.h"
#include "cli/cli.h"

#define PROMPT_MAX 1024 // bytes of an answer

#define PROMPT_STDIN_TAKEN  0x01u // standard input holds something else
#define PROMPT_TWICE        0x02u // at a terminal it is asked for again, and both must agree
#define PROMPT_MAY_BE_EMPTY 0x04u

// A secret from --password-fd, --password-file, a line of standard input where that is no terminal,
// else the controlling terminal with echo off. The line's end is left out. flags: of PROMPT_.
// Fails: ERR_USAGE "no terminal to ask at: ...", "the two differ", "the secret is empty";
//        ERR_LIMIT; ERR_IO; ERR_INTERRUPTED.
MUST_CHECK bool prompt_secret(struct secret **out, struct cli *cli, const char *question,
                              unsigned flags, struct err *err);

// The same for a secret that came as an argument, with the warning.
struct secret *prompt_argument(struct cli *cli, const char *what, const char *argument);

// A short answer with echo on: one-time codes. *out lies in the arena.
MUST_CHECK bool prompt_text(struct bytes *out, struct cli *cli, const char *question,
                            struct err *err);

#endif
