// coordinator/invariants.h -- whether a ledger, as it stands, breaks any invariant of D17 that can be seen in it.
//
// For tests, after whatever they did to a store, and for the nightly job. Of the forty it covers 1, 3 to 7, 9, 13,
// 14, 17, 18, 20, 34 and 36; the rest speak of the chain, of devices, of callers or of time.
// Source: coordinator.md D2 "a nightly job recomputes and compares it", D4 "the nightly job proves it", D17.
#ifndef CASEMATE_COORDINATOR_INVARIANTS_H
#define CASEMATE_COORDINATOR_INVARIANTS_H
#include "coordinator/db.h"

// Reads one state of the whole store. Fails: ERR_INVALID "invariant <n>: <what> (<id of the row>)" for the first one
// that is broken; CODE_LEDGER_UNAVAILABLE.
MUST_CHECK bool invariants_check(struct db *db, struct err *err);

// The statement of one of them, for plans and tests: rows are what breaks it. number 0 ends the table.
struct invariant {
    unsigned number;
    const char *what, *sql;
};
const struct invariant *invariants_table(void);

#endif
