#include "coordinator/child.h"
#include "base/file.h"
#include "base/writer.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_SIZE 4096

struct run {
    const struct child *child;
    pid_t pid;
    int pid_fd, out_fd; // readable: it ended; what it says
    int status;
    struct writer *w;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

// --- Starting ---

// The input as a file in memory, so that nobody has to write while it reads.
static int input_fd(struct bytes input, struct err *err)
{
    const int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0) {
        (void)err_set_errno(err, errno, "memfd_create");
        return -1;
    }
    if (!file_write_fd(fd, "input", input, err) || lseek(fd, 0, SEEK_SET) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

// Default handling of every signal, none blocked, a group of its own.
static bool set_attributes(posix_spawnattr_t *attr)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    return posix_spawnattr_setflags(attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF) == 0 &&
           posix_spawnattr_setpgroup(attr, 0) == 0 &&
           posix_spawnattr_setsigmask(attr, &none) == 0 &&
           posix_spawnattr_setsigdefault(attr, &all) == 0;
}

static bool set_descriptors(posix_spawn_file_actions_t *files, int in, int out)
{
    return posix_spawn_file_actions_adddup2(files, in, STDIN_FILENO) == 0 &&
           posix_spawn_file_actions_adddup2(files, out, STDOUT_FILENO) == 0 &&
           posix_spawn_file_actions_addopen(files, STDERR_FILENO, "/dev/null", O_WRONLY, 0) == 0 &&
           posix_spawn_file_actions_addchdir_np(files, "/") == 0 &&
           posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1) == 0;
}

static int spawn(pid_t *pid, const char *const *argv, int in, int out)
{
    // "clean environment": of ours, nothing
    char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", lang[] = "LANG=C.UTF-8";
    char *const environment[] = { path, lang, NULL };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    if (posix_spawn_file_actions_init(&files) != 0)
        return ENOMEM;
    if (posix_spawnattr_init(&attr) != 0) {
        posix_spawn_file_actions_destroy(&files);
        return ENOMEM;
    }
    int why = ENOMEM;
    if (set_attributes(&attr) && set_descriptors(&files, in, out)) {
        union {
            const char *const *borrowed; // posix_spawn changes no word of it
            char *const *words;
        } args = { argv };
        why = posix_spawn(pid, argv[0], &files, &attr, args.words, environment);
    }
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return why;
}

static bool start(struct run *run, struct err *err)
{
    const char *name = run->child->argv[0];
    AUTO(close_fd) int in = input_fd(run->child->input, err);
    int pipe_fds[2];
    if (in < 0)
        return false;
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return err_set_errno(err, errno, "pipe");
    AUTO(close_fd) int theirs = pipe_fds[1];
    run->out_fd = pipe_fds[0];
    if (fcntl(run->out_fd, F_SETFL, O_NONBLOCK) != 0)
        return err_set_errno(err, errno, "pipe");
    const int why = name[0] == '/' ? spawn(&run->pid, run->child->argv, in, theirs) : ENOENT;
    if (why != 0) {
        (void)err_set_errno(err, why, "%s", name);
        err->code = ERR_NOT_FOUND;
        return false;
    }
    run->pid_fd = pidfd_open(run->pid, 0);
    return run->pid_fd >= 0 || err_set_errno(err, errno, "%s", name);
}

// --- Waiting ---

// What is there now. *done: it closed its output.
static bool read_some(struct run *run, bool *done, struct err *err)
{
    uint8_t mem[READ_SIZE];
    for (;;) {
        const ssize_t n = read(run->out_fd, mem, sizeof mem);
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n < 0 && errno != EINTR)
            return err_set_errno(err, errno, "%s", run->child->argv[0]);
        if (n == 0) {
            *done = true;
            return true;
        }
        if (n > 0)
            writer_put(run->w, bytes_of(mem, (size_t)n));
        if (run->w->failed)
            return err_set(err, ERR_LIMIT, "%s: more than %zu bytes", run->child->argv[0],
                           run->child->output_max);
    }
}

// Until it has ended; what it left running is not waited for.
static bool listen_to(struct run *run, struct err *err)
{
    const int stop_fd = run->child->stop_fd > 0 ? run->child->stop_fd : -1;
    bool done = false;
    for (;;) {
        struct pollfd fds[] = { { .fd = run->pid_fd, .events = POLLIN },
                                { .fd = done ? -1 : run->out_fd, .events = POLLIN },
                                { .fd = stop_fd, .events = POLLIN } };
        if (poll(fds, COUNT(fds), -1) < 0 && errno != EINTR)
            return err_set_errno(err, errno, "poll");
        if (fds[2].revents != 0)
            return err_set(err, ERR_INTERRUPTED, "%s: stopped", run->child->argv[0]);
        if (!done && !read_some(run, &done, err))
            return false;
        if (fds[0].revents != 0)
            return true;
    }
}

static void finish(struct run *run, bool ended)
{
    if (run->pid > 0) {
        if (!ended || !run->child->may_leave)
            (void)kill(-run->pid, SIGKILL); // its group, whatever is left of it
        while (waitpid(run->pid, &run->status, 0) < 0 && errno == EINTR)
            ;
    }
    close_fd(&run->pid_fd);
    close_fd(&run->out_fd);
}

static bool ended_well(const struct run *run, struct err *err)
{
    const char *name = run->child->argv[0];
    if (WIFSIGNALED(run->status))
        return err_set(err, ERR_INVALID, "%s: ended by signal %d", name, WTERMSIG(run->status));
    if (WEXITSTATUS(run->status) != 0)
        return err_set(err, ERR_INVALID, "%s: ended with status %d", name,
                       WEXITSTATUS(run->status));
    return true;
}

bool child_run(struct bytes *out, const struct child *child, struct arena *arena, struct err *err)
{
    struct writer w = writer_growing(arena, child->output_max);
    struct run run = { .child = child, .pid_fd = -1, .out_fd = -1, .w = &w };
    const bool ok = start(&run, err) && listen_to(&run, err);
    finish(&run, ok);
    if (!ok || !ended_well(&run, err))
        return false;
    return writer_finish(&w, out) ||
           err_set(err, ERR_LIMIT, "%s: more than %zu bytes", child->argv[0], child->output_max);
}
