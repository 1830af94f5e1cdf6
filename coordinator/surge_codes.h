// coordinator/surge_codes.h -- surge codes on their way from a person to the signers: in memory, briefly, nowhere else.
//
// (1) A code is never stored, logged or sent to another replica; what the process forgets at its end is lost,
//     and the spend that waited for it ends.
// (2) It is wiped when it was used, replaced, or is older than SURGE_CODES_LIFE_MS.
// Any thread.
// Source: coordinator.md D9 "Surge", C26.
#ifndef CASEMATE_COORDINATOR_SURGE_CODES_H
#define CASEMATE_COORDINATOR_SURGE_CODES_H
#include "base/clock.h"
#include "coordinator/fleet.h"

#define SURGE_CODES_MAX     64
#define SURGE_CODES_LIFE_MS 90000

struct surge_codes;
struct surge_codes *surge_codes_new(const struct clock *clock); // borrowed
void surge_codes_free(struct surge_codes *codes);               // wipes; NULL is fine

// Keeps it for that spend, in place of an earlier one. False: too many wait.
MUST_CHECK bool surge_codes_put(struct surge_codes *codes, const char *spend_id,
                                const struct fleet_auth *auth);

// A copy; it stays until surge_codes_drop. False: there is none for that spend.
bool surge_codes_get(struct surge_codes *codes, const char *spend_id, struct fleet_auth *out);
void surge_codes_drop(struct surge_codes *codes, const char *spend_id);

void fleet_auth_wipe(struct fleet_auth *auth); // for AUTO

#endif
