// bitcoin/psbt_err.h -- the replies of psbt-signing.md 0, each with its detail.
//
// The reply is what the host reads; the detail goes to panel, journal and log. Each is false.
#ifndef CASEMATE_BITCOIN_PSBT_ERR_H
#define CASEMATE_BITCOIN_PSBT_ERR_H
#include "base/err.h"

#define PSBT_PARSE_FAILED  "PSBT parse failed"
#define PSBT_INVALID       "Invalid PSBT"
#define PSBT_TOO_COMPLEX   "Transaction is too complex"
#define PSBT_SIGNING_LATE  "Signing failed late"
#define PSBT_OUTPUT_FAILED "PSBT output failed"

// Change fraud has a reply of its own; the detail is the title of the screen that shows it.
#define PSBT_CHANGE_FRAUD "Change Fraud"

// Macros, so that the compiler checks the arguments of the detail.
#define psbt_reply(err, code, reply, ...)                                                          \
    ((void)err_set((err), (code), "%s", (reply)), err_detail((err), __VA_ARGS__))
#define psbt_unreadable(err, ...) psbt_reply((err), ERR_MALFORMED, PSBT_PARSE_FAILED, __VA_ARGS__)
#define psbt_invalid(err, ...)    psbt_reply((err), ERR_INVALID, PSBT_INVALID, __VA_ARGS__)
#define psbt_late(err, ...)       psbt_reply((err), ERR_INVALID, PSBT_SIGNING_LATE, __VA_ARGS__)
#define psbt_no_output(err, ...)  psbt_reply((err), ERR_INVALID, PSBT_OUTPUT_FAILED, __VA_ARGS__)
#define psbt_too_complex(err)     err_set((err), ERR_NO_MEMORY, "%s", PSBT_TOO_COMPLEX)

#endif
