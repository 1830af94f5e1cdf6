// coordinator/frame.h -- the seed's frames, each one JSON object: stored in a spend's story, sent on its streams.
//
// What is not ASCII is escaped; a text that was cut within a character ends before it.
// Source: coordinator.md A3 "SSE frames".
#ifndef CASEMATE_COORDINATOR_FRAME_H
#define CASEMATE_COORDINATOR_FRAME_H
#include "base/json.h"
#include <stdarg.h>

#define FRAME_MAX 4096 // bytes

void frame_json_log(struct writer *w, const char *cls, const char *fmt, va_list args)
    PRINTF_LIKE(3, 0);
void frame_json_step(struct writer *w, const char *key, int step); // "step", "done_step"
// The last one. refused, authorized, code: left out when false, empty, NULL.
void frame_json_end(struct writer *w, bool refused, struct bytes authorized, const char *code);
// A stored frame again.
void frame_json_copy(struct writer *w, const struct json *object);

#endif
