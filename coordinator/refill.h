// coordinator/refill.h -- keeps hot wallets filled: watches a balance, and asks for a spend when it is low.
//
// (1) A refill is a spend like any other, with the request id "refill/<policy id>/<sequence>": however often
//     and wherever it is asked for, there is one spend for each sequence.
// (2) The sequence moves on only when the run before has ended, settled or void.
// (3) Balances that are old, missing or contradict each other stop refills; they never start one.
// (4) A hot wallet that drains fast asks for money, too: past its guard a policy is paused until a person
//     looks (B5).
// Source: coordinator.md B5, D12.
#ifndef CASEMATE_COORDINATOR_REFILL_H
#define CASEMATE_COORDINATOR_REFILL_H
#include "base/json.h"
#include "bitcoin/sats.h"
#include "coordinator/code.h"

#define REFILL_SOURCES      4
#define REFILL_DESTINATIONS 16

enum source_kind {
    SOURCE_DESCRIPTOR, // watched on a node
    SOURCE_WALLET,     // a wallet that the node has
    SOURCE_HTTPS, // {"sat", "height", "time"}, signed with a BIP-340 key over the SHA-256 of the body
};
struct refill_source {
    enum source_kind kind;
    struct bytes node;       // [node NAME]; HTTPS: empty
    struct bytes descriptor; // DESCRIPTOR
    struct bytes wallet;     // WALLET: its name
    struct bytes url;        // HTTPS
    uint8_t key[32];         //
};

// The members of refill_policy.body; all amounts in satoshi.
struct refill_rules {
    struct bytes destinations[REFILL_DESTINATIONS]; // names, in rotation
    size_t n_destinations;
    struct sats floor;
    struct sats target; // or
    struct sats amount; // a fixed one; exactly one of the two is not 0
    struct sats least, most;
    uint64_t interval_s; // between two refills
    uint64_t per_day;
    uint64_t stale_s;
    struct sats tolerance; // between sources
    uint64_t quorum;       // how many sources must answer
    struct refill_source sources[REFILL_SOURCES];
    size_t n_sources;
    uint64_t drain_count, drain_s; // more than so many in that time; 0: no guard
    uint64_t drain_factor;         // percent of the usual rate of outflow; 0: no guard
};
// Fails: CODE_BAD_REQUEST "refill: <member>: <what>". Borrows from the arena.
MUST_CHECK bool refill_rules_parse(struct refill_rules *out, struct bytes text, struct arena *arena,
                                   struct err *err);

// What one source said.
struct refill_balance {
    bool ok;
    struct sats balance;
    int64_t time_s; // of the newest block that it knows, or of the answer
    uint32_t height;
};

// What the run before was, for the engine's decision.
struct refill_past {
    bool live;             // not ended yet
    struct sats unsettled; // of own refills that are sent and not settled: they count as balance
    int64_t last_s;        // when the last was asked for; 0: never
    uint64_t today;        // in the last 24 h
    uint64_t recent;       // in the last drain_s
    // How fast the hot wallet emptied: of the last refill and the median of those before, sat a day; 0: not known.
    uint64_t rate_last, rate_usual;
    uint32_t
        height; // of the block with the newest refill in one: no source below it has seen that; 0: none
};

enum refill_verdict {
    REFILL_ENOUGH,   // above the floor
    REFILL_WAITS,    // for the run before, the interval or the day
    REFILL_NO_ROOM,  // the cap leaves less than the least amount: alert
    REFILL_UNKNOWN,  // balances are stale, missing or contradict: alert
    REFILL_DRAINING, // pause, and call a person
    REFILL_PAY,
};
struct refill_decision {
    enum refill_verdict verdict;
    struct sats amount;    // REFILL_PAY
    struct sats effective; // balance that was decided on
    char why[160];         // for people
};
// Pure: the same arguments give the same decision.
struct refill_decision refill_decide(const struct refill_rules *rules,
                                     const struct refill_balance *balances,
                                     const struct refill_past *past, struct sats cap_room,
                                     int64_t now_s);
const char *refill_verdict_name(enum refill_verdict verdict);

// The body of an HTTPS source's answer. Fails: ERR_MALFORMED, ERR_AUTH for a bad signature.
MUST_CHECK bool refill_read_answer(struct refill_balance *out, struct bytes body,
                                   struct bytes signature_hex, const uint8_t key[static 32],
                                   struct arena *arena, struct err *err);

#endif
