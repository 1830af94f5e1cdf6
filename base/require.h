// base/require.h -- stops the process, in every build, where our own code broke its promise.
// No input from outside may reach a REQUIRE that fails.
#ifndef CASEMATE_BASE_REQUIRE_H
#define CASEMATE_BASE_REQUIRE_H
#include "base/bytes.h"

#define REQUIRE(condition) ((condition) ? (void)0 : require_failed(#condition, __FILE__, __LINE__))

NORETURN void require_failed(const char *condition, const char *file, int line);

#endif
