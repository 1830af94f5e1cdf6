// tools/analyzer-policy.h -- the same, for policy/: other folders have names of their own that its headers use.
#ifndef CASEMATE_TOOLS_ANALYZER_POLICY_H
#define CASEMATE_TOOLS_ANALYZER_POLICY_H
#include "tools/analyzer.h"

#include "policy/fields.h"

#define fields_fail(...)    (fields_fail(__VA_ARGS__) && false)
#define fields_no_memory(f) (fields_no_memory(f) && false)

#endif
