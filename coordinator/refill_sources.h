// coordinator/refill_sources.h -- asks the sources of a refill policy what the hot wallet holds.
//
// Source: coordinator.md D12 "Sources".
#ifndef CASEMATE_COORDINATOR_REFILL_SOURCES_H
#define CASEMATE_COORDINATOR_REFILL_SOURCES_H
#include "coordinator/refill.h"
#include "coordinator/rpc.h"

// Connections to the configured nodes, one thread's.
struct named_rpc {
    const char *name; // of its [node NAME]
    struct rpc *rpc;
};
struct named_rpcs {
    const struct named_rpc *items;
    size_t n;
};

struct refill_ways {
    struct named_rpcs nodes;
    bool allow_private; // HTTPS sources at private addresses
};

// One answer for each source; one that fails is not ok, with the reason in why.
void refill_ask_sources(const struct refill_rules *rules, const struct refill_ways *ways,
                        struct refill_balance out[static REFILL_SOURCES],
                        char why[static REFILL_SOURCES][160]);

#endif
