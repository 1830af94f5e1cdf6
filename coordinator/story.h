// coordinator/story.h -- a spend told step by step, in the frames that the seed's page understands.
//
// Steps: 1 build the PSBT, 2 fan it out, 3 sign, 4 combine and finalise, 5 broadcast.
// Source: coordinator.md A3 "SSE frames", A8, A9.
#ifndef CASEMATE_COORDINATOR_STORY_H
#define CASEMATE_COORDINATOR_STORY_H
#include "coordinator/ledger.h"

enum story_step { STEP_BUILD = 1, STEP_FAN_OUT, STEP_SIGN, STEP_COMBINE, STEP_BROADCAST };

// What kind of line: the seed's `cls`.
#define STORY_PLAIN ""
#define STORY_SAY   "c" // narration
#define STORY_WARN  "y"
#define STORY_GOOD  "g"
#define STORY_DATUM "a" // txid, address, signature
#define STORY_ERROR "e"

// Each adds a frame to the spend's story (ledger_story). That a frame does not fit is no reason to stop a
// payment: nothing is returned.
void story_log(struct db *db, const char *spend_id, const char *cls, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
void story_begin(struct db *db, const char *spend_id, enum story_step step);
void story_done(struct db *db, const char *spend_id, enum story_step step);

// The last frame: refused (a limit or a signer said no, nothing was sent) or not; with a code unless
// it is CODE_NONE.
void story_end(struct db *db, const char *spend_id, bool refused, enum code code);

#endif
