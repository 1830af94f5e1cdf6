// policy/replay.h -- the past under another policy: which decisions of a journal would have been others.
//
// (1) Decided by policy_simulate on the facts that the journal keeps, in its order, with the velocity
//     that this policy would have had.
// (2) What cannot be known is said to be unknown, never guessed: facts that did not fit into the line,
//     text messages (their path is not in it).
// Verify the journal first (journal_verify.h): nothing here looks at signatures.
// Source: policy.md D18.
#ifndef CASEMATE_POLICY_REPLAY_H
#define CASEMATE_POLICY_REPLAY_H
#include "policy/journal.h"

struct replay {
    const struct policy *policy;
    struct velocity velocity; // as it would be after the records so far
    uint64_t n_same, n_different, n_unknown;
};

enum replay_result {
    REPLAY_NO_DECISION,
    REPLAY_SAME, // signed or refused as before
    REPLAY_DIFFERENT,
    REPLAY_UNKNOWN,
};
struct replay_outcome {
    enum replay_result result;
    uint64_t seq;
    int64_t time_s;
    bool was_signed;            // would not be now, with REPLAY_DIFFERENT; or the reverse
    struct bytes was, would_be; // the decisions' texts
};

// One line of a journal, without LF. *out lives in the arena and borrows from `line`.
// Fails: ERR_MALFORMED "not a journal record", ERR_NO_MEMORY.
MUST_CHECK bool replay_line(struct replay_outcome *out, struct replay *replay, struct bytes line,
                            struct arena *arena, struct err *err);

#endif
