// coordinator/refill_engine.h -- one round over all refill policies.
//
// Every replica runs it; the ledger lets one of them win each sequence.
// Source: coordinator.md D12.
#ifndef CASEMATE_COORDINATOR_REFILL_ENGINE_H
#define CASEMATE_COORDINATOR_REFILL_ENGINE_H
#include "base/log.h"
#include "coordinator/refill_sources.h"
#include "coordinator/treasury.h"

struct refill_engine {
    struct db *db;
    struct treasury *treasury;
    struct refill_ways ways;
    const struct log *log;
    int64_t alerted_us; // when an alert was last raised: at most one each REFILL_ALERT_US
};
#define REFILL_ALERT_US ((int64_t)600000000)

// Looks at each policy that is enabled and not paused. *n_started: refills that were asked for.
// Fails: CODE_LEDGER_UNAVAILABLE; what is wrong with one policy does not stop the others.
MUST_CHECK bool refill_round(struct refill_engine *engine, size_t *n_started, struct err *err);

#endif
