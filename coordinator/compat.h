// coordinator/compat.h -- what the two files of the seed's routes share.
//
// The same people, limits, ledger and workers stand behind them as behind the native API; only words and
// forms are the seed's. Source: coordinator.md A3, A4, A9, D15.
#ifndef CASEMATE_COORDINATOR_COMPAT_H
#define CASEMATE_COORDINATOR_COMPAT_H
#include "coordinator/api_handlers.h"

// compat.wallet; empty: the only one.
struct bytes compat_wallet_name(const struct call *c);
MUST_CHECK bool compat_wallet(struct call *c, struct treasury_wallet *out, unsigned roles,
                              struct err *err);

// The address that `dest=sink` pays; empty: there is none.
MUST_CHECK bool compat_sink(struct call *c, const char *wallet_id, struct bytes *out,
                            struct err *err);

// /spend (compat_spend.c).
bool compat_spend(struct call *c, struct err *err);

#endif
