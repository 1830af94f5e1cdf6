// coordinator/hooks.h -- webhooks: what happened is told to other programs, signed, in order, until they
// have taken it.
//
// (1) What is to be told is a row of the outbox, written in the transaction that made it happen.
// (2) Of one object (a spend) a receiver gets the events in their order; one that does not answer holds up
//     its own, and nobody else's.
// (3) Nothing is sent to a private address unless the configuration allows it: the address that is connected
//     to is looked at, not the name. Redirects are not followed.
// (4) A delivery that got no 2xx within 10 s is made again, with growing pauses: at least once, never less.
// Source: coordinator.md D13 "Webhooks"; F49.
#ifndef CASEMATE_COORDINATOR_HOOKS_H
#define CASEMATE_COORDINATOR_HOOKS_H
#include "base/err.h"

#define HOOK_TIMEOUT_S      10
#define HOOK_PAUSE_MIN_S    5
#define HOOK_PAUSE_MAX_S    86400
#define HOOK_SECRET_MAX     256
#define HOOK_SIGNATURE_SIZE 65 // hex and a final zero

// HMAC-SHA256 over "timestamp.body", as hex.
void hook_sign(char out[static HOOK_SIGNATURE_SIZE], struct bytes secret, int64_t timestamp_s,
               struct bytes body);

// Seconds until the next try after so many failed ones: 5, 10, 20 ... a day.
int64_t hook_pause_s(uint64_t tries);

// One delivery.
struct hook_delivery {
    const char *url;     // http or https
    struct bytes secret; // empty: unsigned
    struct bytes body;   // JSON
    int64_t timestamp_s;
    uint64_t event; // its number: the delivery's id
    bool allow_private;
};
// Blocks for up to HOOK_TIMEOUT_S. Fails: ERR_IO, ERR_TIMEOUT, ERR_REFUSED (status other than 2xx, or a
// private address), ERR_USAGE (no http or https address). No text of the receiver is in the error.
MUST_CHECK bool hook_send(const struct hook_delivery *delivery, struct err *err);

#endif
