// bunker/spent.h -- how much of each rule's limit is used in this period, told rightly.
//
// The device charges every capped rule with its full cap when it starts with a stored policy; that is
// what was presumed, not what was spent. Amounts are satoshi. Source: bunker.md 10.
#ifndef CASEMATE_BUNKER_SPENT_H
#define CASEMATE_BUNKER_SPENT_H
#include "base/json.h"
#include "bitcoin/sats.h"

#define SPENT_RULES_MAX 64

struct gauge {
    size_t rule; // from 1
    bool has_cap;
    struct sats cap, spent, presumed; // presumed: a part of spent
};

struct spending {
    size_t n_rules;
    struct gauge rules[SPENT_RULES_MAX];
    bool has_period_end;
    uint64_t period_ends_s;
    bool presumed;     // something is
    struct sats total; // spent less presumed, over capped rules

    // What was seen before, to tell what is presumed.
    bool seen;
    uint64_t approvals;
    int64_t uptime_s;
    struct sats baseline[SPENT_RULES_MAX];
    char policy_hash[65];
};

// Takes a new status (`hsm` of STATUS, or NULL: none). Keeps its memory of the period between calls.
void spending_update(struct spending *s, const struct json *hsm);

// "Rule #3: Up to 1.5 BTC per period ..." of a summary's line: the rule and its cap.
bool spent_cap_of_line(struct bytes line, size_t *rule, struct sats *cap);

void spending_write(struct json_writer *j, const struct spending *s); // the array `gauges`

#endif
