// tools/analyzer.h -- what the analyzers of clang and gcc, which see one file at a time, cannot know of others.
#ifndef CASEMATE_TOOLS_ANALYZER_H
#define CASEMATE_TOOLS_ANALYZER_H
// base/banned.h poisons names that headers of libraries use, which come behind this one.
#define CASEMATE_BASE_BANNED_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "coordinator/code.h"

// These return false; without that, it follows a failed call as if it had succeeded.
#define err_set(...)       (err_set(__VA_ARGS__) && false)
#define err_set_errno(...) (err_set_errno(__VA_ARGS__) && false)
#define err_within(...)    (err_within(__VA_ARGS__) && false)
#define err_detail(...)    (err_detail(__VA_ARGS__) && false)
#define code_fail(...)     (code_fail(__VA_ARGS__) && false)

#endif
