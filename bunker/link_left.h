// bunker/link_left.h -- what signer links left on the device when their jobs ended: codes, and the last decision.
//
// (1) Codes count as a certificate's own for LINK_CODES_MS after it gave the last; the others' stop what
//     they could authorise, once for each warning.
// (2) A device tells a decision once, and a socket may be lost just then: who it was for may ask again.
// Without a clock of its own: times are milliseconds of one that never goes back.
// Source: bunker.md 3.4, 9.5.
#ifndef CASEMATE_BUNKER_LINK_LEFT_H
#define CASEMATE_BUNKER_LINK_LEFT_H
#include "bunker/link_rules.h"
#include "crypto/certificate.h"

#define LINK_DECISION_MAX 512 // the longest reply to `smok` is less

// Zeroed: nothing.
struct link_left {
    char giver[CERTIFICATE_NAME_SIZE]; // of codes; empty: nobody
    struct link_users users;           // they are for
    int64_t given_ms;
    char warned[CERTIFICATE_NAME_SIZE]; // who was told of codes that are not its own
    int64_t warned_ms;
    enum request_id poll; // `stok` or `smok`, and its reply; REQUEST_NONE: there is none
    uint8_t decision[LINK_DECISION_MAX];
    size_t decision_len;
};

// Whether `pending` codes on the device stop this certificate. "the user may proceed explicitly": whoever
// was told so and asks again within LINK_CODES_MS goes on.
bool link_left_stops(struct link_left *left, const char *certificate, uint64_t pending,
                     int64_t now_ms);

// This certificate gave codes for these users.
void link_left_add_users(struct link_left *left, const char *certificate,
                         const struct link_users *users, int64_t now_ms);

// Keeps the reply to a poll that was a decision; others change nothing.
void link_left_keep(struct link_left *left, struct bytes message, struct bytes reply);

#endif
