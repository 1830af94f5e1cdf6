// signer/sandbox.h -- the process gives up what it will never need.
//
// (1) No network: sockets of the family AF_UNIX only. No exec. No memory that becomes executable.
// (2) Files: the state directory; in the sockets' folders only making and removing a socket; reading
//     the PIN file. Enforced by Landlock where the kernel has it.
// (3) Everything else that a system call could do is answered EPERM by a seccomp filter.
// Source: design.md "Sandbox".
#ifndef CASEMATE_SIGNER_SANDBOX_H
#define CASEMATE_SIGNER_SANDBOX_H
#include "base/err.h"

struct sandbox_paths {
    const char *state_dir;
    const char *socket_dirs[2]; // folders of the wire socket and of the panel socket
    const char *pin_file;       // NULL: none
    const char *temporary_in; // folder of a temporary state directory that will be removed, or NULL
};

enum sandbox_level {
    SANDBOX_NONE,    // built with a sanitizer, which needs what a sandbox takes away
    SANDBOX_SECCOMP, // the kernel has no Landlock
    SANDBOX_FULL,
};

// For this process and for ever. Call when the store is open and groups have been looked up.
// Fails: ERR_IO if the kernel refuses; the process must end then.
MUST_CHECK bool sandbox_enter(const struct sandbox_paths *paths, enum sandbox_level *level,
                              struct err *err);

#endif
