// coordinator/refusal.h -- what a signer's "no" means, as one of a few tags, so that policies and alerts
// parse no prose.
//
// Source: coordinator.md D8 "Refusals map to tags", D9; policy.md 10.3, 12; wire-protocol.md 8.6, 9.4.
#ifndef CASEMATE_COORDINATOR_REFUSAL_H
#define CASEMATE_COORDINATOR_REFUSAL_H
#include "base/err.h"

enum refusal_tag {
    REFUSAL_UNKNOWN, // a text that nobody has told us of
    REFUSAL_AMOUNT,
    REFUSAL_VELOCITY,
    REFUSAL_ADDRESS,
    REFUSAL_USER,
    REFUSAL_LOCAL,
    REFUSAL_WALLET,
    REFUSAL_WARNING,
    REFUSAL_LOG,
    REFUSAL_MESSAGE,
    REFUSAL_BUSY,
    REFUSAL_TIMEOUT,
    REFUSAL_UNREACHABLE,
    REFUSAL_PROTOCOL,
};
#define REFUSAL_TAGS (REFUSAL_PROTOCOL + 1)

const char *refusal_tag_name(enum refusal_tag tag);      // "velocity"
enum refusal_tag refusal_tag_of_name(struct bytes name); // REFUSAL_UNKNOWN: no such name
enum refusal_tag refusal_tag_of(struct bytes text); // of a signer's text, last_refusal or error
enum refusal_tag refusal_tag_of_err(const struct err *err); // of a call of client/ that failed

// The text as it is kept and shown: printable ASCII, the rest as \xNN, of at most REFUSAL_TEXT_SIZE - 1
// bytes, cut between escapes. Source: D8 "at most 200 bytes, escaped".
#define REFUSAL_TEXT_SIZE 201
void refusal_escape(char out[static REFUSAL_TEXT_SIZE], struct bytes text);

#endif
