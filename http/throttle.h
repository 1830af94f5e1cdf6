// http/throttle.h -- slows down guessing, and locks nobody out.
//
// Each failure in a row doubles the pause before the next attempt is looked at, from 1 s to 60 s; a
// success ends it. A pause never becomes a lock: visitors through Tor share one address, so a lock would
// be a switch by which anybody shuts everybody out. Source: bunker.md 4.3 "Throttle".
#ifndef CASEMATE_HTTP_THROTTLE_H
#define CASEMATE_HTTP_THROTTLE_H
#include "base/bytes.h"

#define THROTTLE_ACCOUNTS  64
#define THROTTLE_NAME_MAX  32
#define THROTTLE_MAX_S     60
#define THROTTLE_WINDOW_S  600 // failures are forgotten after it
#define THROTTLE_ALL_PER_S 2   // attempts of everybody together that are looked at in a second

struct throttle_account {
    char name[THROTTLE_NAME_MAX];
    unsigned failures; // in a row
    int64_t last_ms;   // of the last of them
};
struct throttle {
    struct throttle_account accounts[THROTTLE_ACCOUNTS]; // the oldest makes room
    unsigned recent;                                     // failures of everybody in the window
    int64_t window_ms;                                   // when it began
    unsigned tokens;                                     // of the bucket for everybody
    int64_t tokens_ms;                                   // when it was filled up
};

// Milliseconds after which an attempt may be looked at; 0: now, and it then counts.
int64_t throttle_wait_ms(struct throttle *t, struct bytes account, int64_t now_ms);

// Whether so many attempts have failed, of everybody, that a captcha is asked for.
#define THROTTLE_CAPTCHA 5 // in THROTTLE_WINDOW_S
bool throttle_wants_captcha(const struct throttle *t, int64_t now_ms);

void throttle_failed(struct throttle *t, struct bytes account, int64_t now_ms);
void throttle_succeeded(struct throttle *t, struct bytes account);

#endif
