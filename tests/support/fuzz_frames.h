// tests/support/fuzz_frames.h -- what a bunker sends to its sockets, read for fuzz targets.
#ifndef CASEMATE_TESTS_SUPPORT_FUZZ_FRAMES_H
#define CASEMATE_TESTS_SUPPORT_FUZZ_FRAMES_H
#include "base/bytes.h"

// REQUIREs an object in JSON of printable ASCII alone; whether a file is in it. Of long frames, `n` says
// whether this one is read to its end: one in eight is. What was read once is not read again.
bool fuzz_frame_has_file(struct bytes text, unsigned n);

#endif
