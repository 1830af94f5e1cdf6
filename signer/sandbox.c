#include "signer/sandbox.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#ifndef HAS_SANITIZER
#define HAS_SANITIZER 0
#endif

// --- Landlock ---

#define READ_ONLY LANDLOCK_ACCESS_FS_READ_FILE
#define SOCKETS   (LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE)
#define STATE                                                                                      \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_DIR |  \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                              \
     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK)

// Every access that the first version of Landlock knows; what a later one adds is added if it is
// there.
static uint64_t handled_accesses(long abi)
{
    uint64_t accesses = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
    if (abi >= 2)
        accesses |= LANDLOCK_ACCESS_FS_REFER;
#ifdef LANDLOCK_ACCESS_FS_TRUNCATE
    if (abi >= 3)
        accesses |= LANDLOCK_ACCESS_FS_TRUNCATE;
#endif
    return accesses;
}

static uint64_t state_accesses(uint64_t handled)
{
    uint64_t accesses = STATE;
#ifdef LANDLOCK_ACCESS_FS_TRUNCATE
    accesses |= LANDLOCK_ACCESS_FS_TRUNCATE;
#endif
    return accesses & handled;
}

static bool allow_path(int ruleset, const char *path, uint64_t accesses, struct err *err)
{
    const int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, errno, "sandbox: %s", path);
    const struct landlock_path_beneath_attr rule = { .allowed_access = accesses, .parent_fd = fd };
    const long failed =
        syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    const int reason = errno;
    close(fd);
    return failed == 0 || err_set_errno(err, reason, "sandbox: %s", path);
}

static bool allow_paths(int ruleset, const struct sandbox_paths *paths, uint64_t handled,
                        struct err *err)
{
    for (size_t i = 0; i < COUNT(paths->socket_dirs); i++) {
        if (!allow_path(ruleset, paths->socket_dirs[i], SOCKETS, err))
            return false;
    }
    if (paths->pin_file != NULL && !allow_path(ruleset, paths->pin_file, READ_ONLY, err))
        return false;
    if (paths->temporary_in != NULL &&
        !allow_path(ruleset, paths->temporary_in, LANDLOCK_ACCESS_FS_REMOVE_DIR, err))
        return false;
    return allow_path(ruleset, paths->state_dir, state_accesses(handled), err);
}

bool sandbox_restrict_files(const struct sandbox_paths *paths, bool *done, struct err *err)
{
    *done = false;
    if (HAS_SANITIZER)
        return true;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_set_errno(err, errno, "sandbox: cannot give up privileges");
    // ENOSYS: an old kernel; EOPNOTSUPP: turned off at boot.
    const long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1)
        return true;
    const struct landlock_ruleset_attr attr = { .handled_access_fs = handled_accesses(abi) };
    const int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    if (ruleset < 0)
        return err_set_errno(err, errno, "sandbox: cannot restrict files");
    *done = allow_paths(ruleset, paths, attr.handled_access_fs, err);
    if (*done && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        *done = err_set_errno(err, errno, "sandbox: cannot restrict files");
    close(ruleset);
    return *done;
}

// --- seccomp ---

// What the event loop, SQLite, libsodium and the way out need.
static const char *const allowed[] = {
    // files of the state directory
    "access",
    "chmod",
    "chown",
    "close",
    "dup",
    "faccessat",
    "faccessat2",
    "fallocate",
    "fchmod",
    "fchmodat",
    "fchown",
    "fchownat",
    "fcntl",
    "fdatasync",
    "flock",
    "fstat",
    "fstatfs",
    "fsync",
    "ftruncate",
    "getcwd",
    "getdents64",
    "lseek",
    "lstat",
    "mkdir",
    "mkdirat",
    "newfstatat",
    "open",
    "openat",
    "pread64",
    "pwrite64",
    "read",
    "readlink",
    "readlinkat",
    "readv",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "stat",
    "statx",
    "sync_file_range",
    "umask",
    "unlink",
    "unlinkat",
    "utimensat",
    "write",
    "writev",
    // sockets; socket itself is limited below
    "accept",
    "accept4",
    "bind",
    "connect",
    "getpeername",
    "getsockname",
    "getsockopt",
    "listen",
    "poll",
    "ppoll",
    "recvfrom",
    "recvmsg",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "setsockopt",
    "shutdown",
    "signalfd4",
    // memory; mmap and mprotect are limited below
    "brk",
    "madvise",
    "mlock",
    "mlock2",
    "mremap",
    "munlock",
    "munmap",
    // time, random bytes, signals, threads of this process, the end
    "clock_getres",
    "clock_gettime",
    "clock_nanosleep",
    "exit",
    "exit_group",
    "futex",
    "getegid",
    "geteuid",
    "getgid",
    "getpid",
    "getppid",
    "getrandom",
    "gettid",
    "gettimeofday",
    "getuid",
    "nanosleep",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_yield",
    "set_robust_list",
    "sigaltstack",
    "sysinfo",
    "tgkill",
    "time",
    "uname",
};

static bool allow_calls(scmp_filter_ctx filter)
{
    for (size_t i = 0; i < COUNT(allowed); i++) {
        // A name that this architecture does not have needs no rule.
        const int number = seccomp_syscall_resolve_name(allowed[i]);
        if (number != __NR_SCMP_ERROR && seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0) != 0)
            return false;
    }
    const struct scmp_arg_cmp unix_only = { .arg = 0, .op = SCMP_CMP_EQ, .datum_a = AF_UNIX };
    const struct scmp_arg_cmp not_executable = {
        .arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = PROT_EXEC, .datum_b = 0
    };
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, unix_only) == 0 &&
           seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, not_executable) == 0 &&
           seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, not_executable) == 0;
}

bool sandbox_restrict_calls(struct err *err)
{
    if (HAS_SANITIZER)
        return true;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_set_errno(err, errno, "sandbox: cannot give up privileges");
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    const bool ok = filter != NULL && seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0 &&
                    allow_calls(filter) && seccomp_load(filter) == 0;
    if (filter != NULL)
        seccomp_release(filter);
    return ok || err_set(err, ERR_IO, "sandbox: cannot restrict system calls");
}

enum sandbox_level sandbox_level(bool has_landlock)
{
    if (HAS_SANITIZER)
        return SANDBOX_NONE;
    return has_landlock ? SANDBOX_FULL : SANDBOX_SECCOMP;
}
