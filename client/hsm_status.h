// client/hsm_status.h -- the HSM status report, `hsts`: outside text, read into types.
//
// Which members are there depends on the state and on `priv_over_ux`; absent members are empty,
// NULL or false, and counters 0. Unknown members are kept in `object` and ignored here.
// Source: wire-protocol.md 9.1; policy.md 18.
#ifndef CASEMATE_CLIENT_HSM_STATUS_H
#define CASEMATE_CLIENT_HSM_STATUS_H
#include "base/json.h"
#include "client/connection.h"

#define HSM_STATUS_ARENA ((size_t)64 << 20) // enough for the JSON of any reply of REPLY_MAX

struct hsm_status {
    const struct json *object; // all of it
    bool active;
    bool policy_available; // not active: a stored policy exists
    bool approval_wait;    // not active: the start question is open
    struct bytes chain;
    struct bytes policy_hash; // 64 hex digits
    struct bytes next_local_code;
    uint64_t approvals, refusals, pending_auth, sl_reads;
    struct bytes last_refusal; // empty: none since the last approval
    struct bytes summary;
    const struct json *users;   // array of text; NULL: hidden
    const struct json *wallets; // likewise; NULL when active
};

// Fails: ERR_FRAMING "hsts: <what>": an unexpected reply, as the caller sees it; ERR_NO_MEMORY.
MUST_CHECK bool hsm_status_parse(struct hsm_status *out, struct bytes text, struct arena *arena,
                                 struct err *err);

// Asks the device. Fails: also as connection_call, `HSM commands disabled` among it.
MUST_CHECK bool hsm_status_fetch(struct hsm_status *out, struct connection *c, struct arena *arena,
                                 struct err *err);

// The serial number that a password user's key was salted with, where it is not the device's own: of a
// user who came from another device by a backup (policy.md D33). No bytes: the device's own.
struct bytes hsm_status_salt_serial(const struct hsm_status *status, struct bytes user);

// The next reason of a `last_refusal`: "rule #1: amount exceeded" out of "Rejected: rule #1: ...,
// rule #2: ...", or the whole text where it names no rules. *rest: what is left, all of it at first.
// False when nothing is left.
bool hsm_refusal_next(struct bytes *rest, struct bytes *reason);

// Whether that refusal came after authorisations and local code were looked at, and so used them up.
// Source: policy.md 10.1, 13.4.
bool hsm_refusal_consumed(struct bytes last_refusal);

#endif
