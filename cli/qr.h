// cli/qr.h -- QR codes on a terminal, two modules a character.
//
// (1) Dark on light, whatever the terminal's colours are: with colours we set both, without them the
//     terminal's own background decides which modules are drawn (COLORFGBG; else it is dark).
// (2) The quiet zone of 4 modules that readers need is a part of the picture.
// Source: cli.md 7.4; ISO/IEC 18004 for the code itself, by libqrencode.
#ifndef CASEMATE_CLI_QR_H
#define CASEMATE_CLI_QR_H
#include "cli/cli.h"

#define QR_QUIET 4 // modules on each side

enum qr_look {
    QR_COLORS,     // dark on light by escape sequences
    QR_ON_DARK,    // light modules are drawn
    QR_ON_LIGHT,   // dark modules are drawn
    QR_ASCII_DARK, // the same without block characters: two characters a module
    QR_ASCII_LIGHT,
};

// Appends the picture of `text`, lines of `*columns` characters. Fails: ERR_LIMIT "too long for a QR
// code: <n> bytes".
MUST_CHECK bool qr_write(struct writer *w, size_t *columns, struct bytes text, enum qr_look look,
                         struct err *err);

// The picture behind the run's result, as the terminal wants it. What does not fit on it, or into a
// code, is left out with a note. Not with --json: ERR_USAGE.
MUST_CHECK bool qr_put(struct cli *cli, struct bytes text, struct err *err);

// Whether a secret may be drawn, to be asked before it is made: only a person may see it.
// Fails: ERR_USAGE where standard output or error is no terminal.
MUST_CHECK bool qr_may_show_secret(const struct cli *cli, struct err *err);

#endif
