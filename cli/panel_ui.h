// cli/panel_ui.h -- the operator's panel: on a terminal, or as plain lines.
#ifndef CASEMATE_CLI_PANEL_UI_H
#define CASEMATE_CLI_PANEL_UI_H
#include "base/err.h"

// Shows the screen of the signer whose panel socket is at `path` and sends it what is typed, until
// the operator leaves; connects anew when the signer restarts. Standard input and output are a
// terminal, which is as it was before on every return. wants_color: where the terminal has colours.
// cancel_fd: see client/wait.h; SIGINT, SIGTERM and SIGHUP are blocked and arrive there.
// Fails: ERR_NOT_FOUND, ERR_AUTH as panel_client_open; ERR_INTERRUPTED; ERR_USAGE without a
//        terminal.
MUST_CHECK bool panel_ui_run(const char *path, bool wants_color, int cancel_fd, struct err *err);

// The same for a screen reader or a script: prints the screen as lines whenever it changes, and
// reads lines: `y`, `x`, digits, `?` to print again, `q` to leave; answers to `text` unseen. Needs
// no terminal. Returns true at the end of standard input, too.
MUST_CHECK bool panel_ui_run_plain(const char *path, int cancel_fd, struct err *err);

#endif
