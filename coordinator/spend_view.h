// coordinator/spend_view.h -- a spend as JSON, for whoever may see it.
//
// Nothing secret is in the ledger's rows of a spend; PSBTs and signatures are left out all the same.
// Source: coordinator.md D10.
#ifndef CASEMATE_COORDINATOR_SPEND_VIEW_H
#define CASEMATE_COORDINATOR_SPEND_VIEW_H
#include "base/json.h"
#include "coordinator/ledger.h"

// explain: what signers said is shown (D10, E "explain_refusals").
struct spend_view {
    bool explain;
};

// One spend in full. Fails: CODE_NOT_FOUND.
MUST_CHECK bool spend_view_write(struct db *db, struct json_writer *j, const char *id,
                                 const struct spend_view *view, struct arena *arena,
                                 struct err *err);

// A page of them, newest first, as {"spends": [...], "next": cursor or null}.
struct spend_filter {
    const char *wallet_ids[64]; // those that the caller may see
    size_t n_wallets;
    struct bytes state;     // empty: any
    int64_t from_us, to_us; // of their creation; 0: any
    struct bytes cursor;    // id of the last of the page before
    uint64_t limit;
};
MUST_CHECK bool spend_view_list(struct db *db, struct json_writer *j,
                                const struct spend_filter *filter, struct arena *arena,
                                struct err *err);

#endif
