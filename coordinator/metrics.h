// coordinator/metrics.h -- what is measured, as Prometheus text.
//
// Counts of money and spends come from the ledger, so that every replica tells the same; what only this process
// sees comes from the board and the fleet. With the ledger away, what it would say is left out and
// casemate_ledger_up is 0.
// Source: coordinator.md D13.
#ifndef CASEMATE_COORDINATOR_METRICS_H
#define CASEMATE_COORDINATOR_METRICS_H
#include "coordinator/board.h"
#include "coordinator/fleet.h"
#include "coordinator/treasury.h"

struct metrics_sources {
    struct db *db; // NULL: it cannot be opened
    struct treasury *treasury;
    struct fleet *fleet; // NULL: none
    struct board *board;
    const struct clock *clock;
};
void metrics_write(struct writer *w, const struct metrics_sources *sources, struct arena *arena);

// A label's value, escaped: \ " and line ends.
void metrics_label(struct writer *w, struct bytes value);

#endif
