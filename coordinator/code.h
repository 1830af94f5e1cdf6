// coordinator/code.h -- the stable codes of the API, carried inside a struct err.
//
// A function that a caller's request can make fail sets one of these; what it does not set is
// CODE_INTERNAL towards the outside, whatever the error's text says.
// Source: coordinator.md D10.
#ifndef CASEMATE_COORDINATOR_CODE_H
#define CASEMATE_COORDINATOR_CODE_H
#include "base/err.h"

enum code {
    CODE_NONE,
    CODE_BAD_REQUEST,
    CODE_UNAUTHENTICATED,
    CODE_FORBIDDEN,
    CODE_NOT_FOUND,
    CODE_IDEMPOTENCY_MISMATCH,
    CODE_AMOUNT_OUT_OF_RANGE,
    CODE_DESTINATION_NOT_ALLOWED,
    CODE_VELOCITY_EXCEEDED,
    CODE_FEE_VELOCITY_EXCEEDED,
    CODE_SURGE_REQUIRED,
    CODE_CODE_INVALID,
    CODE_QUORUM_LOST,
    CODE_SIGNER_REFUSED,
    CODE_INSUFFICIENT_FUNDS,
    CODE_COINS_BUSY,
    CODE_FEE_TOO_HIGH,
    CODE_PREFLIGHT_FAILED,
    CODE_LEDGER_STALE,
    CODE_RECOVERING,
    CODE_FROZEN,
    CODE_EXPIRED,
    CODE_CONFLICT,
    CODE_NODE_UNAVAILABLE,
    CODE_LEDGER_UNAVAILABLE,
    CODE_RATE_LIMITED,
    CODE_INTERNAL,
};
#define CODES (CODE_INTERNAL + 1)

const char *code_name(enum code code);     // "velocity_exceeded"; of CODE_NONE ""
enum code code_of_name(struct bytes name); // CODE_NONE: none of that name

// The status of an HTTP reply that carries it.
unsigned code_http_status(enum code code);

// As err_set, with the code beside the text; returns false.
bool code_fail(struct err *err, enum code code, const char *fmt, ...) PRINTF_LIKE(3, 4);

// Adds words for the log, which the text may not show, to an error that code_fail has made: its code stays. Returns
// false.
bool code_words(struct err *err, const char *words);

// The code of an error: what code_fail set (err_within keeps it), else CODE_INTERNAL.
enum code code_of(const struct err *err);

#endif
