// coordinator/compat.h -- what the files of the seed's routes share.
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

// Fails: CODE_UNAUTHENTICATED in the seed's words.
MUST_CHECK bool compat_needs_session(const struct call *c, struct err *err);
// The frames so far, and the end, are the answer.
void compat_end_stream(struct call *c, const struct writer *w);
// The object that /status has under "global".
MUST_CHECK bool compat_write_global(struct call *c, struct json_writer *j, const char *wallet_id,
                                    struct velocity_view *v, struct err *err);

// /spend (compat_spend.c); limits and list (compat_limits.c).
bool compat_spend(struct call *c, struct err *err);
bool compat_post_globalpolicy(struct call *c, struct err *err);
bool compat_post_policy(struct call *c, struct err *err);
bool compat_post_surgepolicy(struct call *c, struct err *err);
bool compat_post_authorize(struct call *c, struct err *err);

#endif
