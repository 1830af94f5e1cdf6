// bunker/simulate.h -- "what would happen": the loaded PSBT under a policy, by the signer's own evaluation.
//
// Source: bunker.md 19.4.
#ifndef CASEMATE_BUNKER_SIMULATE_H
#define CASEMATE_BUNKER_SIMULATE_H
#include "base/json.h"
#include "bitcoin/chain.h"

#define SIMULATE_MAX ((size_t)48 << 20) // bytes of an answer

struct bunker;
struct session;

// What the device says it signs for; of one that says nothing, the main chain.
const struct chain *bunker_chain(const struct bunker *b);

// asked: {"users": [...], "local": bool, "spent": [satoshi of each rule], or absent for what the device
// says, "policy": text of the form, or absent for the copy of the installed one}; NULL: those whose codes
// have been given, and the installed policy.
// Writes what advice_on_transaction does. Fails: as that; ERR_NOT_FOUND "No PSBT is loaded.", "The bunker
// has no copy of the device's policy.".
MUST_CHECK bool simulate_write(struct json_writer *j, struct bunker *b, struct session *session,
                               const struct json *asked, struct arena *arena, struct err *err);

#endif
