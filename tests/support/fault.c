#include "base/arena.h"
#include "tests/support/fault_call.h"
#include "tests/support/test.h"
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REFUSED = 40, HARMLESS, STOPPED, DONE, WRONG, NAMELESS };
enum { SWEEP_MAX = 5000, CHILD_S = 60 };

// What the wrapped calls have to know, and nobody can hand them.
static struct {
    bool armed, struck;
    enum fault_kind kind;
    unsigned left; // calls until it fails
    const struct arena *spared;
} fault;

bool fault_strikes(enum fault_kind kind)
{
    if (!fault.armed || fault.struck || kind != fault.kind || fault.left-- > 0)
        return false;
    fault.struck = true;
    return true;
}

// --- The calls, by the names that they have with _FILE_OFFSET_BITS=64 ---

static bool refuses_memory(const struct arena *arena)
{
    if (arena == fault.spared)
        return false;
    const bool is_full = fault.armed && fault.struck && fault.kind == FAULT_FULL;
    return is_full || fault_strikes(FAULT_MEMORY) || fault_strikes(FAULT_FULL);
}

static bool refuses_file(void)
{
    return fault_strikes(FAULT_SYSTEM) || fault_strikes(FAULT_SIGNAL) ||
           fault_strikes(FAULT_UNKNOWN);
}

static int system_failed(void)
{
    errno = fault.kind == FAULT_SIGNAL ? EINTR : fault.kind == FAULT_UNKNOWN ? EINVAL : EIO;
    return -1;
}

WRAP(refuses_memory(a), void *, arena_alloc, (struct arena * a, size_t size), (a, size), NULL)
WRAP(refuses_memory(a), void *, arena_array, (struct arena * a, size_t n, size_t size),
     (a, n, size), NULL)
WRAP(refuses_memory(a), bool, arena_copy, (struct arena * a, struct bytes in, struct bytes *out),
     (a, in, out), false)
WRAP(refuses_memory(a), const char *, arena_text, (struct arena * a, struct bytes in), (a, in),
     NULL)

// Nobody pulls the plug here, so nobody waits for a disk.
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    return refuses_file() ? system_failed() : fd < 0 ? -1 : 0;
}

WRAP(refuses_file(), int, fstat64, (int fd, struct stat *st), (fd, st), system_failed())
WRAP(refuses_file(), int, fstatat64, (int fd, const char *path, struct stat *st, int flags),
     (fd, path, st, flags), system_failed())
WRAP(refuses_file(), ssize_t, read, (int fd, void *to, size_t n), (fd, to, n), system_failed())
WRAP(refuses_file(), ssize_t, write, (int fd, const void *from, size_t n), (fd, from, n),
     system_failed())
WRAP(refuses_file(), ssize_t, writev, (int fd, const struct iovec *from, int n), (fd, from, n),
     system_failed())
WRAP(refuses_file(), int, ftruncate64, (int fd, off_t n), (fd, n), system_failed())
WRAP(refuses_file(), int, renameat, (int fd, const char *path, int to, const char *name),
     (fd, path, to, name), system_failed())
WRAP(refuses_file(), int, renameat2,
     (int fd, const char *path, int to, const char *name, unsigned how), (fd, path, to, name, how),
     system_failed())
WRAP(refuses_file(), int, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode),
     system_failed())
WRAP(refuses_file(), int, flock, (int fd, int how), (fd, how), system_failed())
WRAP(refuses_file(), int, openat64, (int fd, const char *path, int flags, mode_t mode),
     (fd, path, flags, mode), system_failed())
WRAP(refuses_file(), int, open64, (const char *path, int flags, mode_t mode), (path, flags, mode),
     system_failed())

NORETURN void __real_require_failed(const char *condition, const char *file, int line);
NORETURN void __wrap_require_failed(const char *condition, const char *file, int line);
NORETURN void __wrap_require_failed(const char *condition, const char *file, int line)
{
    if (fault.struck)
        _exit(STOPPED);
    __real_require_failed(condition, file, line);
}

// --- The test's directory as it was, in the same files: who has them open goes on ---

enum { FILES_MAX = 64 };

struct kept_file {
    char *path;
    uint8_t *content;
    off_t len;
};

struct kept_files {
    size_t n;
    struct kept_file list[FILES_MAX];
};

static FTS *walk(void)
{
    char *roots[] = { (char *)(uintptr_t)test_dir(), NULL };
    FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    assert_non_null(fts);
    return fts;
}

static void keep_files(struct kept_files *kept)
{
    FTS *fts = walk();
    kept->n = 0;
    for (const FTSENT *e; (e = fts_read(fts)) != NULL;) {
        if (e->fts_info != FTS_F)
            continue;
        assert_true(kept->n < FILES_MAX);
        struct kept_file *file = &kept->list[kept->n++];
        const int fd = __real_open64(e->fts_path, O_RDONLY | O_CLOEXEC, 0);
        *file = (struct kept_file){ strdup(e->fts_path), malloc((size_t)e->fts_statp->st_size + 1),
                                    e->fts_statp->st_size };
        assert_true(fd >= 0 && file->path != NULL && file->content != NULL);
        assert_int_equal(__real_read(fd, file->content, (size_t)file->len), file->len);
        (void)close(fd);
    }
    (void)fts_close(fts);
}

static void put_files_back(const struct kept_files *kept)
{
    FTS *fts = walk();
    for (const FTSENT *e; (e = fts_read(fts)) != NULL;) {
        bool is_kept = e->fts_info != FTS_F;
        for (size_t i = 0; !is_kept && i < kept->n; i++)
            is_kept = strcmp(kept->list[i].path, e->fts_path) == 0;
        if (!is_kept)
            assert_int_equal(unlink(e->fts_path), 0);
    }
    (void)fts_close(fts);
    for (size_t i = 0; i < kept->n; i++) {
        const struct kept_file *file = &kept->list[i];
        const int fd = __real_open64(file->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(__real_ftruncate64(fd, file->len), 0);
        assert_int_equal(pwrite(fd, file->content, (size_t)file->len, 0), file->len);
        (void)close(fd);
    }
}

static void forget_files(struct kept_files *kept)
{
    for (size_t i = 0; i < kept->n; i++) {
        free(kept->list[i].path);
        free(kept->list[i].content);
    }
}

// --- One child after the other ---

void fault_spare(const struct arena *arena)
{
    fault.spared = arena;
}

void fault_arm(void)
{
    fault.armed = true;
}

void fault_disarm(void)
{
    fault.armed = false;
}

bool fault_has_struck(void)
{
    return fault.struck;
}

void fault_wrong(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    _exit(WRONG);
}

NORETURN static void run_child(bool (*operation)(void *context, struct err *err), void *context)
{
    static const int caught[] = { SIGSEGV, SIGILL, SIGFPE, SIGBUS, SIGSYS };
    for (size_t i = 0; i < COUNT(caught); i++)
        (void)signal(caught[i], SIG_DFL); // cmocka's handlers would go on with the tests here
    // An assertion here would go on with the next test, too.
    (void)setenv("CMOCKA_TEST_ABORT", "1", 1);
    (void)alarm(CHILD_S);
    struct err err = { 0 };
    const bool ok = operation(context, &err);
    fault.armed = false;
    if (!ok && (err.code == ERR_NONE || err.text[0] == '\0'))
        _exit(NAMELESS);
    if (!ok && !fault.struck)
        fault_wrong(err.text, "without a fault", 0);
    _exit(!ok ? REFUSED : fault.struck ? HARMLESS : DONE);
}

// How the child ended in which the n-th call failed.
static int run_with(enum fault_kind kind, unsigned n,
                    bool (*operation)(void *context, struct err *err), void *context)
{
    int status;
    fault.kind = kind;
    fault.left = n;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        run_child(operation, context);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status))
        fail_msg("call %u failed: signal %d", n, WTERMSIG(status));
    return WEXITSTATUS(status);
}

struct fault_counts fault_sweep(enum fault_kind kind,
                                bool (*operation)(void *context, struct err *err), void *context)
{
    struct fault_counts counts = { 0 };
    struct kept_files kept;
    int end = HARMLESS;
    keep_files(&kept);
    for (unsigned n = 0; end != DONE; n++) {
        end = run_with(kind, n, operation, context);
        put_files_back(&kept);
        if (n == SWEEP_MAX || end < REFUSED || end > DONE)
            fail_msg("call %u failed: the child ended with %d", n, end);
        counts.refused += end == REFUSED;
        counts.harmless += end == HARMLESS;
        counts.stopped += end == STOPPED;
    }
    forget_files(&kept);
    return counts;
}
