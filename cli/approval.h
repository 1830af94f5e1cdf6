// cli/approval.h -- questions on the device's screen whose answer no poll tells: enrolment, restore,
// the start of HSM mode.
//
// (1) What is watched is what the answer changes (`msck`, `msls`, `hsts`), never `stok`: a poll for
//     another request would disturb the one in hand (wire-protocol.md 7.1).
// (2) Agreed and refused are reported only when they were seen; all else is unknown.
// Source: cli.md 7.4.
#ifndef CASEMATE_CLI_APPROVAL_H
#define CASEMATE_CLI_APPROVAL_H
#include "cli/cli.h"

enum approval { APPROVAL_OPEN, APPROVAL_AGREED, APPROVAL_REFUSED, APPROVAL_UNKNOWN };

// How it stands, waited_ms after it was asked.
typedef bool approval_look(struct cli *cli, void *context, int64_t waited_ms, enum approval *out,
                           struct err *err);

// Looks again and again until it is open no longer. Fails: ERR_PENDING "nobody has decided within
// <n> s" as --timeout and --no-wait say, ERR_INTERRUPTED, and as `look`.
MUST_CHECK bool approval_watch(struct cli *cli, approval_look *look, void *context,
                               enum approval *out, struct err *err);

// Whether a question of that kind is on the screen no longer. Asks with an upload of no bytes, which
// is `busy` while it is there (wire-protocol.md 6.1 check 2).
MUST_CHECK bool approval_screen_is_free(struct cli *cli, bool *is_free, struct err *err);

// Turns what was seen into success or an error. `what` was asked: "the wallet".
MUST_CHECK bool approval_report(struct cli *cli, enum approval state, const char *what,
                                struct err *err);

#endif
