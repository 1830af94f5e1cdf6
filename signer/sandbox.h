// signer/sandbox.h -- the process gives up what it will never need.
//
// (1) No network: sockets of the family AF_UNIX only. No exec. No memory that becomes executable.
// (2) Files: the state directory; in the sockets' folders only making and removing a socket; reading
//     the PIN file. Enforced by Landlock where the kernel has it.
// (3) Everything else that a system call could do is answered EPERM by a seccomp filter. It stands before
//     the sockets exist, so before a first byte comes from anybody.
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

// Both for ever. Threads start between the two: files are restricted for the calling thread and those
// that it starts later, calls for all that there are, and none can start after it. Call when the store is
// open and groups have been looked up.
// *has_landlock is false, without an error, where the kernel has no Landlock; file modes and the filter
// are all that there is then.
// Fails: ERR_IO if the kernel refuses; the process must end then.
MUST_CHECK bool sandbox_restrict_files(const struct sandbox_paths *paths, bool *has_landlock,
                                       struct err *err);
MUST_CHECK bool sandbox_restrict_calls(struct err *err);

// What a build with a sanitizer, where the two above do nothing, or a kernel without Landlock leaves.
enum sandbox_level sandbox_level(bool has_landlock);

#endif
