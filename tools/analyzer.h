// tools/analyzer.h -- what clang's analyzer, which sees one file at a time, cannot know of others.
#ifndef CASEMATE_TOOLS_ANALYZER_H
#define CASEMATE_TOOLS_ANALYZER_H
#include "base/err.h"

// These return false; without that, it follows a failed call as if it had succeeded.
#define err_set(...)       (err_set(__VA_ARGS__) && false)
#define err_set_errno(...) (err_set_errno(__VA_ARGS__) && false)
#define err_within(...)    (err_within(__VA_ARGS__) && false)
#define err_detail(...)    (err_detail(__VA_ARGS__) && false)

#endif
