#include "signer/sandbox.h"
#include "base/file.h"
#include "tests/support/test.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

// What is attempted lies in the sandbox of `dir`/state; the pin file is `dir`/pin, the sockets' folder
// `dir`/run.
struct place {
    char state[4096], run[4096], pin[4096], elsewhere[4096];
};

static struct place make_place(const char *dir)
{
    struct place place;
    struct err err;
    (void)snprintf(place.state, sizeof place.state, "%s/state", dir);
    (void)snprintf(place.run, sizeof place.run, "%s/run", dir);
    (void)snprintf(place.pin, sizeof place.pin, "%s/pin", dir);
    (void)snprintf(place.elsewhere, sizeof place.elsewhere, "%s/elsewhere", dir);
    assert_true(mkdir(place.state, 0700) == 0 || errno == EEXIST);
    assert_true(mkdir(place.run, 0700) == 0 || errno == EEXIST);
    assert_true(file_replace(place.pin, BYTES("123456\n"), 0600, &err));
    assert_true(file_replace(place.elsewhere, BYTES("not yours"), 0600, &err));
    return place;
}

static struct sandbox_paths paths_of(const struct place *place)
{
    return (struct sandbox_paths){ .state_dir = place->state,
                                   .socket_dirs = { place->run, place->state },
                                   .pin_file = place->pin };
}

enum { REFUSED_TO_ENTER = 255, NOT_FULL = 254 };

// Runs `attempt` in a child that has entered the sandbox; it returns 0 or an errno value.
static int in_sandbox(const struct place *place, int (*attempt)(const struct place *place))
{
    const pid_t child = fork();
    if (child == 0) {
        const struct sandbox_paths paths = paths_of(place);
        bool has_landlock;
        struct err err;
        if (!sandbox_restrict_files(&paths, &has_landlock, &err) || !sandbox_restrict_calls(&err))
            _exit(REFUSED_TO_ENTER);
        _exit(sandbox_level(has_landlock) == SANDBOX_FULL ? attempt(place) : NOT_FULL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

// --- Calls ---

// Every family that this kernel's headers know but AF_UNIX, and a few numbers more.
static int open_any_socket(const struct place *place)
{
    static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET };
    (void)place;
    for (int family = 0; family < AF_MAX + 8; family++) {
        for (size_t i = 0; i < COUNT(types) && family != AF_UNIX; i++) {
            if (socket(family, types[i] | SOCK_CLOEXEC, 0) >= 0 || errno != EPERM)
                return 1;
        }
    }
    return EPERM;
}
static int run_a_program(const struct place *place)
{
    char *const argv[] = { (char[]){ "true" }, NULL };
    (void)place;
    execv("/bin/true", argv);
    return errno;
}
static int start_a_process(const struct place *place)
{
    (void)place;
    return fork() >= 0 ? 0 : errno;
}
static int signal_another(const struct place *place)
{
    (void)place;
    return kill(getppid(), 0) == 0 ? 0 : errno;
}

// Calls that reach other programs, the kernel's insides, or other files. The arguments are nonsense:
// allowed, each would fail with another error, or do nothing.
static const long never[] = {
    SYS_execve,
    SYS_execveat,
    SYS_fork,
    SYS_vfork,
    SYS_clone3,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_pidfd_open,
    SYS_pidfd_getfd,
    SYS_pidfd_send_signal,
    SYS_kill,
    SYS_tkill,
    SYS_rt_sigqueueinfo,
    SYS_kcmp,
    SYS_memfd_create,
    SYS_memfd_secret,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_setup,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_mount,
    SYS_umount2,
    SYS_move_mount,
    SYS_open_tree,
    SYS_fsopen,
    SYS_pivot_root,
    SYS_chroot,
    SYS_chdir,
    SYS_fchdir,
    SYS_unshare,
    SYS_setns,
    SYS_socketpair,
    SYS_symlink,
    SYS_symlinkat,
    SYS_link,
    SYS_linkat,
    SYS_mknod,
    SYS_mknodat,
    SYS_truncate,
    SYS_open_by_handle_at,
    SYS_name_to_handle_at,
    SYS_fanotify_init,
    SYS_inotify_init1,
    SYS_setuid,
    SYS_setgid,
    SYS_setgroups,
    SYS_setresuid,
    SYS_capset,
    SYS_setxattr,
    SYS_ioctl,
    SYS_prctl,
    SYS_seccomp,
    SYS_personality,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_init_module,
    SYS_finit_module,
    SYS_kexec_load,
    SYS_reboot,
    SYS_swapon,
    SYS_acct,
    SYS_quotactl,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_sethostname,
    SYS_setrlimit,
    SYS_prlimit64,
    SYS_shmget,
    SYS_shmat,
    SYS_msgget,
    SYS_semget,
    SYS_mq_open,
    SYS_splice,
    SYS_vmsplice,
    SYS_tee,
    SYS_sendfile,
    SYS_copy_file_range,
    SYS_execve,
    SYS_modify_ldt,
    SYS_iopl,
    SYS_ioperm,
    SYS_syslog,
    SYS_vhangup,
    SYS_process_madvise,
    SYS_setpriority,
    SYS_sched_setscheduler,
    SYS_landlock_create_ruleset,
    SYS_openat2,
};

static int call_what_is_never_needed(const struct place *place)
{
    (void)place;
    for (size_t i = 0; i < COUNT(never); i++) {
        if (syscall(never[i], -1, -1, -1, -1, -1, -1) != -1 || errno != EPERM)
            return 2; // a debugger says which
    }
    return EPERM;
}

static int make_code(const struct place *place)
{
    (void)place;
    void *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED ? 0 : errno;
}
static int make_pages_executable(const struct place *place)
{
    (void)place;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0 ? 0 : errno;
}

// --- Files ---

static int open_as(const char *path, int flags)
{
    return open(path, flags | O_CLOEXEC, 0600) >= 0 ? 0 : errno;
}
static int read_elsewhere(const struct place *place)
{
    return open_as(place->elsewhere, O_RDONLY);
}
static int read_passwords(const struct place *place)
{
    (void)place;
    return open_as("/etc/passwd", O_RDONLY);
}
static int read_own_memory(const struct place *place)
{
    (void)place;
    return open_as("/proc/self/mem", O_RDWR);
}
static int list_elsewhere(const struct place *place)
{
    (void)place;
    return open_as("/etc", O_RDONLY | O_DIRECTORY);
}
static int write_elsewhere(const struct place *place)
{
    return open_as(place->elsewhere, O_WRONLY);
}
static int truncate_elsewhere(const struct place *place)
{
    return open_as(place->elsewhere, O_WRONLY | O_TRUNC);
}
static int make_a_file_elsewhere(const struct place *place)
{
    char path[4200];
    (void)snprintf(path, sizeof path, "%s/../new", place->state);
    return open_as(path, O_WRONLY | O_CREAT | O_EXCL);
}
static int make_a_folder_elsewhere(const struct place *place)
{
    char path[4200];
    (void)snprintf(path, sizeof path, "%s/../folder", place->state);
    return mkdir(path, 0700) == 0 ? 0 : errno;
}
static int remove_elsewhere(const struct place *place)
{
    return unlink(place->elsewhere) == 0 ? 0 : errno;
}
static int move_in(const struct place *place)
{
    char path[4200];
    (void)snprintf(path, sizeof path, "%s/stolen", place->state);
    return rename(place->elsewhere, path) == 0 ? 0 : errno;
}
static int write_among_sockets(const struct place *place)
{
    char path[4200];
    (void)snprintf(path, sizeof path, "%s/file", place->run);
    return open_as(path, O_WRONLY | O_CREAT);
}
static int read_the_pin(const struct place *place)
{
    return open_as(place->pin, O_RDONLY);
}
static int change_the_pin(const struct place *place)
{
    return open_as(place->pin, O_WRONLY);
}

// --- What it needs ---

static int write_state(const struct place *place)
{
    char path[4200], renamed[4200];
    snprintf(path, sizeof path, "%s/file", place->state);
    snprintf(renamed, sizeof renamed, "%s/renamed", place->state);
    const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) != 0 || ftruncate(fd, 0) != 0)
        return errno;
    return rename(path, renamed) == 0 && unlink(renamed) == 0 ? 0 : errno;
}
static int serve_a_socket(const struct place *place)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%.90s/sock", place->run);
    const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(address.sun_path, 0660) != 0)
        return errno;
    return unlink(address.sun_path) == 0 ? 0 : errno;
}

static const struct {
    const char *what;
    int (*attempt)(const struct place *place);
    int expected; // errno, or 0
} cases[] = {
    { "a socket of any other family", open_any_socket, EPERM },
    { "another program", run_a_program, EPERM },
    { "another process", start_a_process, EPERM },
    { "a call that is never needed", call_what_is_never_needed, EPERM },
    { "executable memory", make_code, EPERM },
    { "memory that becomes executable", make_pages_executable, EPERM },
    { "signals to others", signal_another, EPERM },
    { "reading outside", read_elsewhere, EACCES },
    { "reading /etc/passwd", read_passwords, EACCES },
    { "its own memory as a file", read_own_memory, EACCES },
    { "listing another folder", list_elsewhere, EACCES },
    { "writing outside", write_elsewhere, EACCES },
    { "emptying a file outside", truncate_elsewhere, EACCES },
    { "a new file outside", make_a_file_elsewhere, EACCES },
    { "a new folder outside", make_a_folder_elsewhere, EACCES },
    { "removing outside", remove_elsewhere, EACCES },
    { "moving a file in", move_in, EACCES },
    { "a file among the sockets", write_among_sockets, EACCES },
    { "writing the PIN file", change_the_pin, EACCES },
    { "reading the PIN file", read_the_pin, 0 },
    { "writing the state directory", write_state, 0 },
    { "serving a socket", serve_a_socket, 0 },
};

TEST(what_a_signer_never_needs_is_refused_and_what_it_needs_works)
{
    const struct place place = make_place(test_dir());
    for (size_t i = 0; i < COUNT(cases); i++) {
        const int result = in_sandbox(&place, cases[i].attempt);
        if (result != cases[i].expected)
            fail_msg("%s: %d %s, not %s", cases[i].what, result, strerror(result),
                     strerror(cases[i].expected));
    }
    // Nothing was done to them.
    struct bytes content;
    struct err err;
    assert_true(file_read(&content, place.elsewhere, 100, test_arena(), &err));
    assert_bytes_text(content, "not yours");
}

// --- Threads: those that run when the filter comes are in it as well ---

struct waiter {
    pthread_t thread;
    pthread_barrier_t closed;
    int socket_errno, file_errno;
};

static void *try_after(void *context)
{
    struct waiter *w = context;
    (void)pthread_barrier_wait(&w->closed);
    w->socket_errno = socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : errno;
    w->file_errno = open_as("/etc/passwd", O_RDONLY);
    return NULL;
}

static int try_in_a_thread(const struct sandbox_paths *paths)
{
    struct waiter w = { .socket_errno = 0 };
    bool has_landlock;
    struct err err;
    if (!sandbox_restrict_files(paths, &has_landlock, &err) ||
        pthread_barrier_init(&w.closed, NULL, 2) != 0 ||
        pthread_create(&w.thread, NULL, try_after, &w) != 0 || !sandbox_restrict_calls(&err))
        return REFUSED_TO_ENTER;
    (void)pthread_barrier_wait(&w.closed);
    (void)pthread_join(w.thread, NULL);
    return w.socket_errno == EPERM && w.file_errno == EACCES ? 0 : 1;
}

TEST(threads_are_in_it_too)
{
    const struct place place = make_place(test_dir());
    const struct sandbox_paths paths = paths_of(&place);
    int status;
    const pid_t child = fork();
    if (child == 0)
        _exit(try_in_a_thread(&paths));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

// --- A kernel without Landlock ---

// A filter of the test's own answers Landlock's calls as such a kernel does.
static bool hide_landlock(int how)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    return filter != NULL &&
           seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint32_t)how),
                            SCMP_SYS(landlock_create_ruleset), 0) == 0 &&
           seccomp_load(filter) == 0;
}

// The files are then as their modes say; everything else is as refused as ever, and the caller is told.
static int try_without_landlock(const struct sandbox_paths *paths, int how)
{
    bool has_landlock = true;
    struct err err;
    if (!hide_landlock(how) || !sandbox_restrict_files(paths, &has_landlock, &err) ||
        !sandbox_restrict_calls(&err))
        return REFUSED_TO_ENTER;
    if (has_landlock || sandbox_level(has_landlock) != SANDBOX_SECCOMP)
        return 1;
    if (open_any_socket(NULL) != EPERM || call_what_is_never_needed(NULL) != EPERM)
        return 2;
    return read_passwords(NULL) == 0 ? 0 : 3;
}

TEST(without_landlock_calls_are_restricted_and_the_caller_knows)
{
    static const int hows[] = { ENOSYS, EOPNOTSUPP };
    const struct place place = make_place(test_dir());
    const struct sandbox_paths paths = paths_of(&place);
    for (size_t i = 0; i < COUNT(hows); i++) {
        int status;
        const pid_t child = fork();
        if (child == 0)
            _exit(try_without_landlock(&paths, hows[i]));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

// A folder that is not there cannot be allowed: the signer must not start half closed.
TEST(what_cannot_be_restricted_is_an_error)
{
    struct place place = make_place(test_dir());
    int status;
    (void)snprintf(place.run, sizeof place.run, "%s/nowhere", test_dir());
    const struct sandbox_paths paths = paths_of(&place);
    const pid_t child = fork();
    if (child == 0) {
        bool has_landlock;
        struct err err;
        const bool ok = sandbox_restrict_files(&paths, &has_landlock, &err);
        _exit(!ok && strstr(err.text, "/nowhere") != NULL && !has_landlock ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}
