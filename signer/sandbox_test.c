#include "signer/sandbox.h"
#include "tests/support/test.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static struct sandbox_paths paths_of(const char *dir)
{
    return (struct sandbox_paths){ .state_dir = dir, .socket_dirs = { dir, dir } };
}

// Runs `attempt` in a child that has entered the sandbox of `dir`; it returns 0 or an errno value.
static int in_sandbox(const char *dir, int (*attempt)(const char *dir))
{
    const pid_t child = fork();
    if (child == 0) {
        const struct sandbox_paths paths = paths_of(dir);
        enum sandbox_level level;
        struct err err;
        if (!sandbox_enter(&paths, &level, &err))
            _exit(255);
        _exit(level == SANDBOX_FULL ? attempt(dir) : 254);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int open_tcp(const char *dir)
{
    (void)dir;
    return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : errno;
}
static int open_netlink(const char *dir)
{
    (void)dir;
    return socket(AF_NETLINK, SOCK_RAW, 0) >= 0 ? 0 : errno;
}
static int run_a_program(const char *dir)
{
    char *const argv[] = { (char[]){ "true" }, NULL };
    (void)dir;
    execv("/bin/true", argv);
    return errno;
}
static int start_a_process(const char *dir)
{
    (void)dir;
    return fork() >= 0 ? 0 : errno;
}
static int read_elsewhere(const char *dir)
{
    (void)dir;
    return open("/etc/passwd", O_RDONLY) >= 0 ? 0 : errno;
}
static int write_elsewhere(const char *dir)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/../casemate-sandbox-test", dir);
    return open(path, O_WRONLY | O_CREAT, 0600) >= 0 ? 0 : errno;
}
static int make_code(const char *dir)
{
    (void)dir;
    void *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED ? 0 : errno;
}
static int trace_another(const char *dir)
{
    (void)dir;
    return kill(getppid(), 0) == 0 ? 0 : errno;
}

static int write_state(const char *dir)
{
    char path[4096], renamed[4096];
    snprintf(path, sizeof path, "%s/file", dir);
    snprintf(renamed, sizeof renamed, "%s/renamed", dir);
    const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) != 0 || ftruncate(fd, 0) != 0)
        return errno;
    return rename(path, renamed) == 0 && unlink(renamed) == 0 ? 0 : errno;
}
static int serve_a_socket(const char *dir)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%.90s/sock", dir);
    const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(address.sun_path, 0660) != 0)
        return errno;
    return unlink(address.sun_path) == 0 ? 0 : errno;
}

static const struct {
    const char *what;
    int (*attempt)(const char *dir);
    int expected; // errno, or 0
} cases[] = {
    { "a TCP socket", open_tcp, EPERM },
    { "a netlink socket", open_netlink, EPERM },
    { "another program", run_a_program, EPERM },
    { "another process", start_a_process, EPERM },
    { "reading outside", read_elsewhere, EACCES },
    { "writing outside", write_elsewhere, EACCES },
    { "executable memory", make_code, EPERM },
    { "signals to others", trace_another, EPERM },
    { "writing the state directory", write_state, 0 },
    { "serving a socket", serve_a_socket, 0 },
};

TEST(what_a_signer_never_needs_is_refused_and_what_it_needs_works)
{
    const char *dir = test_dir();
    for (size_t i = 0; i < COUNT(cases); i++) {
        const int result = in_sandbox(dir, cases[i].attempt);
        if (result != cases[i].expected)
            fail_msg("%s: %s, not %s", cases[i].what, strerror(result),
                     strerror(cases[i].expected));
    }
}
