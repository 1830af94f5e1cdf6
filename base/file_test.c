#include "base/file.h"
#include "tests/support/test.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const char *in_dir(const char *name)
{
    char *path = arena_alloc(test_arena(), PATH_MAX);
    assert_non_null(path);
    snprintf(path, PATH_MAX, "%s/%s", test_dir(), name);
    return path;
}

static void replace(const char *path, struct bytes content)
{
    struct err err;
    if (!file_replace(path, content, 0600, &err))
        fail_msg("%s", err.text);
}

static unsigned count_files(void)
{
    DIR *dir = opendir(test_dir());
    unsigned n = 0;
    assert_non_null(dir);
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

TEST(what_was_written_is_read)
{
    static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 100000 };
    static uint8_t content[100000];
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (uint8_t)(i * 7 + i / 256);
    const char *path = in_dir("a");
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct bytes out;
        struct err err;
        replace(path, bytes_of(content, sizes[i]));
        assert_true(file_read(&out, path, sizes[i], test_arena(), &err)); // just within the limit
        assert_bytes_equal(out, bytes_of(content, sizes[i]));
        assert_true(file_read(&out, path, 1 << 20, test_arena(), &err));
        assert_bytes_equal(out, bytes_of(content, sizes[i]));
        if (sizes[i] == 0)
            continue;
        char expected[256];
        snprintf(expected, sizeof expected, "%s: larger than %zu bytes", path, sizes[i] - 1);
        assert_false(file_read(&out, path, sizes[i] - 1, test_arena(), &err));
        assert_err(&err, ERR_LIMIT, expected);
    }
    assert_int_equal(count_files(), 1); // no temporary file stays
}

TEST(replace_keeps_to_the_mode)
{
    const char *path = in_dir("m");
    struct err err;
    struct stat st;
    const mode_t old = umask(022);
    assert_true(file_replace(path, BYTES("a"), 0600, &err));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(file_replace(path, BYTES("b"), 0666, &err));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    umask(old);
}

TEST(replace_makes_a_new_file)
{
    const char *path = in_dir("a"), *link_path = in_dir("b");
    struct bytes out;
    struct err err;
    replace(path, BYTES("old"));
    assert_int_equal(link(path, link_path), 0);
    replace(path, BYTES("new"));
    assert_true(file_read(&out, link_path, 10, test_arena(), &err));
    assert_bytes_text(out, "old"); // the old file was not written to
    assert_true(file_read(&out, path, 10, test_arena(), &err));
    assert_bytes_text(out, "new");
}

TEST(relative_names)
{
    struct bytes out;
    struct err err;
    char *before = getcwd(NULL, 0);
    assert_non_null(before);
    assert_int_equal(chdir(test_dir()), 0);
    replace("here", BYTES("x"));
    assert_true(file_read(&out, in_dir("here"), 10, test_arena(), &err));
    assert_bytes_text(out, "x");
    assert_int_equal(chdir(before), 0);
    free(before);
}

TEST(failures_name_the_path_and_the_reason)
{
    static char long_name[NAME_MAX + 2], long_path[PATH_MAX + 100];
    struct bytes out = BYTES("before");
    struct err err;
    char expected[512];
    const char *path = in_dir("none");
    snprintf(expected, sizeof expected, "%s: No such file or directory", path);
    assert_false(file_read(&out, path, 10, test_arena(), &err));
    assert_err(&err, ERR_NOT_FOUND, expected);
    snprintf(expected, sizeof expected, "%s: Is a directory", test_dir());
    assert_false(file_read(&out, test_dir(), 10, test_arena(), &err));
    assert_err(&err, ERR_IO, expected);
    assert_bytes_text(out, "before");

    path = in_dir("none/x");
    snprintf(expected, sizeof expected, "%s: No such file or directory", path);
    assert_false(file_replace(path, BYTES("a"), 0600, &err));
    assert_err(&err, ERR_NOT_FOUND, expected);
    path = in_dir("folder");
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(expected, sizeof expected, "%s: Is a directory", path);
    assert_false(file_replace(path, BYTES("a"), 0600, &err));
    assert_err(&err, ERR_IO, expected);
    assert_int_equal(count_files(), 1); // no temporary file stays
    assert_int_equal(rmdir(path), 0);

    memset(long_name, 'a', sizeof long_name - 1);
    assert_false(file_replace(in_dir(long_name), BYTES("a"), 0600, &err));
    assert_non_null(strstr(err.text, ": File name too long"));
    memset(long_path, '/', sizeof long_path - 1);
    assert_false(file_replace(long_path, BYTES("a"), 0600, &err));
    assert_int_equal(err.code, ERR_IO);
}

TEST(a_failed_replace_leaves_the_old_file)
{
    static const uint8_t large[65536];
    const char *path = in_dir("a");
    const struct rlimit small = { 1000, RLIM_INFINITY };
    struct rlimit before;
    struct bytes out;
    struct err err;
    char expected[256];
    replace(path, BYTES("old"));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*old_handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0); // as a full disk: a short write, an error
    const bool ok = file_replace(path, BYTES_OF(large), 0600, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, old_handler);
    assert_false(ok);
    snprintf(expected, sizeof expected, "%s: File too large", path);
    assert_err(&err, ERR_IO, expected);
    assert_true(file_read(&out, path, 10, test_arena(), &err));
    assert_bytes_text(out, "old");
    assert_int_equal(count_files(), 1);
}

// A pipe tells no size and gives what it has: reading must go on.
static void write_slowly(int fd, size_t total)
{
    static const uint8_t piece[1500] = { 9 };
    struct err err;
    for (size_t done = 0; done < total; done += sizeof piece) {
        if (!file_write_fd(fd, "pipe", BYTES_OF(piece), &err))
            _exit(1);
        usleep(500);
    }
    _exit(0);
}

// What is there stays, be it a file, a folder or a link to nowhere; no temporary file stays either.
TEST(create_replaces_nothing)
{
    struct bytes out;
    struct err err;
    const char *path = in_dir("a"), *link = in_dir("b");
    assert_true(file_create(path, BYTES("first"), 0600, &err));
    assert_false(file_create(path, BYTES("second"), 0600, &err));
    char expected[PATH_MAX + 32];
    snprintf(expected, sizeof expected, "%s: is there already", path);
    assert_err(&err, ERR_EXISTS, expected);
    assert_int_equal(symlink("nowhere", link), 0);
    assert_false(file_create(link, BYTES("second"), 0600, &err));
    assert_int_equal(err.code, ERR_EXISTS);
    assert_true(file_read(&out, path, 100, test_arena(), &err));
    assert_bytes_text(out, "first");
    assert_int_equal(count_files(), 2);
    assert_false(file_create(in_dir("none/a"), BYTES("x"), 0600, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

TEST(pipes_are_read_to_their_end)
{
    enum { TOTAL = 150000 };
    int fds[2];
    struct bytes out;
    struct err err;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    const pid_t child = fork();
    if (child == 0)
        write_slowly(fds[1], TOTAL);
    close(fds[1]);
    assert_true(file_read_fd(&out, fds[0], "pipe", TOTAL, test_arena(), &err));
    assert_int_equal(out.len, TOTAL);
    for (size_t i = 0; i < TOTAL; i++)
        assert_int_equal(out.ptr[i], i % 1500 == 0 ? 9 : 0);
    close(fds[0]);
}

TEST(a_file_that_does_not_tell_its_size)
{
    struct bytes out;
    struct err err;
    assert_true(file_read(&out, "/proc/self/status", 1 << 20, test_arena(), &err));
    assert_true(bytes_starts_with(out, BYTES("Name:")));
    assert_true(file_read(&out, "/dev/null", 0, test_arena(), &err));
    assert_int_equal(out.len, 0);
    assert_false(file_read(&out, "/dev/zero", 100000, test_arena(), &err));
    assert_err(&err, ERR_LIMIT, "/dev/zero: larger than 100000 bytes");
}

TEST(memory_and_descriptors)
{
    AUTO(arena_freep) struct arena *small = arena_new(100);
    const char *path = in_dir("a");
    static const uint8_t content[101];
    struct bytes out;
    struct err err;
    char expected[256];
    replace(path, BYTES_OF(content));
    snprintf(expected, sizeof expected, "%s: no memory left", path);
    assert_false(file_read(&out, path, 1000, small, &err));
    assert_err(&err, ERR_NO_MEMORY, expected);
    assert_false(file_read_fd(&out, -1, "nothing", 10, test_arena(), &err));
    assert_err(&err, ERR_IO, "nothing: Bad file descriptor");
    assert_false(file_write_fd(-1, "nothing", BYTES("a"), &err));
    assert_err(&err, ERR_IO, "nothing: Bad file descriptor");
    assert_true(file_write_fd(-1, "nothing", BYTES(""), &err));
}

TEST(a_dash_is_standard_input_and_output)
{
    const char *path = in_dir("in"), *out_path = in_dir("out");
    struct bytes out;
    struct err err;
    replace(path, BYTES("content"));
    const int in_fd = open(path, O_RDONLY | O_CLOEXEC);
    const int out_fd = open(out_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    const int saved_in = dup(STDIN_FILENO), saved_out = dup(STDOUT_FILENO);
    fflush(stdout);
    dup2(in_fd, STDIN_FILENO);
    dup2(out_fd, STDOUT_FILENO);
    const bool ok = file_read(&out, "-", 7, test_arena(), &err) && file_replace("-", out, 0, &err);
    dup2(saved_in, STDIN_FILENO);
    dup2(saved_out, STDOUT_FILENO);
    close(saved_in);
    close(saved_out);
    close(in_fd);
    close(out_fd);
    assert_true(ok);
    assert_true(file_read(&out, out_path, 10, test_arena(), &err));
    assert_bytes_text(out, "content");
}
