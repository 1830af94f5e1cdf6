// fuzz/fuzz.h -- a fuzz target is a function of bytes with an oracle.
//
//   FUZZ_TARGET(data) { struct x x; if (x_parse(&x, data, &err)) REQUIRE(x_is_sound(&x)); }
//
// Built by clang for libFuzzer (Meson option `fuzz`), and in ordinary builds with a main that runs
// the files of fuzz/corpus/<target> as a test.
#ifndef CASEMATE_FUZZ_FUZZ_H
#define CASEMATE_FUZZ_FUZZ_H
#include "base/bytes.h"
#include "base/require.h"

void fuzz_target(struct bytes data);
#define FUZZ_TARGET(data) void fuzz_target(struct bytes data)

#endif
