// policy/named.h -- a policy where nobody can say which users and wallets there are: those that it names are
// taken to exist.
//
// For forecasts, editors and tools away from the device, which checks the names itself when it takes the policy.
// Source: policy.md 2.6, 2.7; docs/policy-extensions.md for `casemate.msg_users`.
#ifndef CASEMATE_POLICY_NAMED_H
#define CASEMATE_POLICY_NAMED_H
#include "policy/rules.h"

#define POLICY_NAMED_MAX 1000 // users, and wallets

// The names in a policy's text, each once, in its order: `users` of rules and `msg_users` of `casemate`; `wallet` of
// rules but for "1", which means no multisig wallet. A text that is no policy names nobody. Names beyond
// POLICY_NAMED_MAX are left out: policy_parse then says that they do not exist.
// *out lives in `arena`, with what the text's JSON takes there, and borrows from `text`.
// Fails: ERR_NO_MEMORY.
MUST_CHECK bool policy_names(struct policy_world *out, struct bytes text, struct arena *arena,
                             struct err *err);

// policy_parse with those names. Fails: as it.
MUST_CHECK bool policy_parse_named(struct policy *out, struct bytes text, struct arena *arena,
                                   struct err *err);

#endif
