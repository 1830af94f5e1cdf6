// bunker/feed.h -- what was approved and refused since this bunker started: for people who watch.
//
// (1) The newest FEED_MAX events stay; each has a number that is never used again.
// (2) What the device counted and no job of ours explains was done by another host: it is told as such,
//     once the jobs that could explain it have ended.
// (3) Public data only: no code, no PSBT. Everybody who is logged in may read it.
// Source: bunker.md 19.2 "Live feed".
#ifndef CASEMATE_BUNKER_FEED_H
#define CASEMATE_BUNKER_FEED_H
#include "base/json.h"
#include "bitcoin/sats.h"

#define FEED_MAX       200
#define FEED_TEXT_MAX  512 // bytes; more of a reason is cut
#define FEED_NAME_SIZE 33

enum feed_kind {
    FEED_APPROVED,
    FEED_REFUSED,
    FEED_FAILED,
    FEED_MESSAGE,
    FEED_MESSAGE_REFUSED,
    FEED_BROADCAST,
    FEED_BROADCAST_FAILED,
    FEED_ELSEWHERE_APPROVED, // by another host
    FEED_ELSEWHERE_REFUSED,
    FEED_ARMED, // HSM mode began
    FEED_CONNECTED,
    FEED_DISCONNECTED,
};
const char *feed_kind_name(enum feed_kind kind); // "elsewhere_refused"

struct feed_event {
    uint64_t seq; // from 1
    int64_t at_s;
    enum feed_kind kind;
    char account[FEED_NAME_SIZE]; // who asked; empty: nobody here
    bool has_paid;
    struct sats paid;      // to others: what is no change
    size_t n_destinations; // how many get it
    size_t rule;           // whose limit was charged; 0: none, or not known
    char text[FEED_TEXT_MAX + 1];
};

// The device's counters and what is charged to its rules, as they were seen last.
#define FEED_RULES_MAX 64
struct feed_counts {
    bool active;
    uint64_t approvals, refusals;
    size_t n_rules;
    struct sats spent[FEED_RULES_MAX];
};

struct feed {
    uint64_t last; // number of the newest; 0: there is none
    struct feed_event items[FEED_MAX];
    bool seen;
    struct feed_counts counts;
    uint64_t approvals, refusals; // counted by the device, and not explained yet
    size_t charged;               // rule whose charge rose with the last counts; 0: none
};

// A reason, cut between characters where it is too long; text that is no UTF-8 is left out.
void feed_set_text(struct feed_event *event, const char *text);

struct feed *feed_new(void); // feed_free takes NULL too
void feed_free(struct feed *feed);

// Adds a copy with the next number. An approval or refusal explains one that the device counted, and an
// approval names the rule that was charged.
void feed_add(struct feed *feed, int64_t now_s, const struct feed_event *event);

// New counts of the device. Counters that went back, or another HSM session, explain nothing.
void feed_count(struct feed *feed, const struct feed_counts *now);

// No job is under way: what is not explained by now was not ours. True if that added something.
bool feed_settle(struct feed *feed, int64_t now_s);

// The events after number `after`, oldest first, as an array.
void feed_write(struct json_writer *j, const struct feed *feed, uint64_t after);

#endif
