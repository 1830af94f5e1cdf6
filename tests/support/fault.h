// tests/support/fault.h -- an operation again and again, while one call after the other fails beneath it.
//
// A program of such a test depends on fault_dep (base/meson.build), and on fault_database_dep (signer/meson.build)
// if it has a store: the linker then leads calls for memory, to files and to SQLite through fault*.c, which pass
// them on but for one.
#ifndef CASEMATE_TESTS_SUPPORT_FAULT_H
#define CASEMATE_TESTS_SUPPORT_FAULT_H
#include "base/err.h"

enum fault_kind {
    FAULT_MEMORY,   // one piece that an arena has no room for
    FAULT_FULL,     // an arena that is full from then on
    FAULT_DATABASE, // a statement that SQLite cannot run
    FAULT_SYSTEM,   // a file that cannot be opened, read, written, looked at, made to last: EIO
    FAULT_SIGNAL,   // the same calls, interrupted: EINTR
    FAULT_UNKNOWN,  // the same calls, which this file system does not know: EINVAL
};

struct fault_counts {
    unsigned refused;  // the operation failed, and said why
    unsigned harmless; // it succeeded all the same
    unsigned stopped;  // REQUIRE ended the process, as memory that must be there was not
};

// Calls `operation` in a child process in which the n-th call of that kind fails, for n = 0, 1, ... until
// there is no n-th; files of the test's directory are each time as they were before. It arms the fault itself (fault_arm), at the call that it is about; that call's result
// is what it returns. Fails the test if a child ends otherwise, if the last one, without a fault, does not
// succeed, or if an error has no code or no text.
struct fault_counts fault_sweep(enum fault_kind kind,
                                bool (*operation)(void *context, struct err *err), void *context);
// In an operation: what follows may fail, from here on; no more.
void fault_arm(void);
void fault_disarm(void);
bool fault_has_struck(void);
// Memory of this arena, the test's own, is always there.
struct arena;
void fault_spare(const struct arena *arena);

// In an operation: ends the child, and fails the test, unless it holds.
#define FAULT_CHECK(condition) ((condition) ? (void)0 : fault_wrong(#condition, __FILE__, __LINE__))
NORETURN void fault_wrong(const char *condition, const char *file, int line);

#endif
