// tests/faults/no_sandbox.c -- in place of signer/sandbox.c in a signer that runs under valgrind, whose
// own system calls the sandbox would refuse. Never installed.
#include "signer/sandbox.h"

bool sandbox_restrict_files(const struct sandbox_paths *paths, bool *has_landlock, struct err *err)
{
    (void)paths;
    (void)err;
    *has_landlock = false;
    return true;
}

bool sandbox_restrict_calls(struct err *err)
{
    (void)err;
    return true;
}

enum sandbox_level sandbox_level(bool has_landlock)
{
    (void)has_landlock;
    return SANDBOX_NONE;
}
