// tests/support/fault_call.h -- for fault*.c: a call that can be made to fail.
#ifndef CASEMATE_TESTS_SUPPORT_FAULT_CALL_H
#define CASEMATE_TESTS_SUPPORT_FAULT_CALL_H
#include "tests/support/fault.h"

// Counts a call of that kind; whether it is the one that fails.
bool fault_strikes(enum fault_kind kind);

// The linker gives ours for each `name`, and the true one as __real_name.
#define WRAP(does_fail, type, name, parameters, arguments, failed)                                 \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        return (does_fail) ? (failed) : __real_##name arguments;                                   \
    }

#endif
