// coordinator/ledger_rows.h -- rows of the ledger as structs; for the parts of ledger.h only.
#ifndef CASEMATE_COORDINATOR_LEDGER_ROWS_H
#define CASEMATE_COORDINATOR_LEDGER_ROWS_H
#include "coordinator/ledger_internal.h"

// The columns that spend_of_row reads, of `spend s`.
#define SPEND_SELECT                                                                               \
    "SELECT s.id, s.wallet_id, s.principal_id, s.request_id, s.tier, s.amount, s.state, s.fence, " \
    "s.owner, s.lease_until, s.created_at, s.not_after, s.next_at, s.anchor_txid, s.anchor_vout, " \
    "s.change_index, s.code, s.bumps, s.cancel_asked, s.fee_rate FROM spend s"
struct spend spend_of_row(const struct db_rows *rows, size_t row);

// Of `attempt a`; the inputs are read by op_inputs.
#define ATTEMPT_SELECT                                                                             \
    "SELECT a.id, a.number, a.kind, a.state, a.psbt, a.txid, a.raw, a.fee, a.vsize, "              \
    "a.first_sent_at FROM attempt a"
struct attempt attempt_of_row(const struct db_rows *rows, size_t row);
MUST_CHECK bool attempt_kind_of(enum attempt_kind *out, struct bytes name);
MUST_CHECK bool attempt_state_of(enum attempt_state *out, struct bytes name);
MUST_CHECK bool sign_state_of(enum sign_state *out, struct bytes name);

#endif
