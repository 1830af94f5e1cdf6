#include "coordinator/child.h"
#include "base/file.h"
#include "coordinator/deadline.h"
#include "tests/support/test.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static bool run_shell(struct bytes *out, const char *script, struct bytes input, size_t most,
                      int stop_fd, struct err *err)
{
    const char *const argv[] = { "/bin/sh", "-c", script, NULL };
    const struct child child = {
        .argv = argv, .input = input, .output_max = most, .stop_fd = stop_fd
    };
    return child_run(out, &child, test_arena(), err);
}

TEST(coordinator_F35_child_answers)
{
    struct bytes out;
    struct err err;
    assert_true(run_shell(&out, "cat; echo end", BYTES("in\n"), 100, 0, &err));
    assert_bytes_text(out, "in\nend\n");
    assert_true(run_shell(&out, "true", (struct bytes){ 0 }, 100, 0, &err));
    assert_bytes_text(out, "");
    // Exactly as much as is allowed.
    assert_true(run_shell(&out, "printf 0123456789", (struct bytes){ 0 }, 10, 0, &err));
    assert_bytes_text(out, "0123456789");
}

TEST(coordinator_F35_child_environment_is_clean)
{
    struct bytes out;
    struct err err;
    setenv("CASEMATE_SECRET", "leaks", 1);
    const char *const argv[] = { "/usr/bin/env", NULL };
    const struct child child = { .argv = argv, .output_max = 1000 };
    assert_true(child_run(&out, &child, test_arena(), &err));
    unsetenv("CASEMATE_SECRET");
    assert_bytes_text(out, "PATH=/usr/local/bin:/usr/bin:/bin\nLANG=C.UTF-8\n");
    // No descriptor of ours but the three; ls has one of its own for the folder.
    const int ours = dup(0);
    assert_true(run_shell(&out, "cd /proc/self/fd && for f in *; do echo $f; done; pwd",
                          (struct bytes){ 0 }, 1000, 0, &err));
    close(ours);
    assert_null(memmem(out.ptr, out.len, "4\n", 2));
}

TEST(coordinator_F35_child_that_fails)
{
    static const struct {
        const char *script;
        const char *text;
        enum err_code code;
    } rows[] = {
        { "exit 3", "/bin/sh: ended with status 3", ERR_INVALID },
        { "kill -9 $$", "/bin/sh: ended by signal 9", ERR_INVALID },
        { "while :; do echo 0123456789; done", "/bin/sh: more than 1000 bytes", ERR_LIMIT },
    };
    struct bytes out;
    struct err err;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_false(run_shell(&out, rows[i].script, (struct bytes){ 0 }, 1000, 0, &err));
        assert_err(&err, rows[i].code, rows[i].text);
    }
    const char *const nobody[] = { "/nonexistent/signer", NULL };
    const struct child none = { .argv = nobody, .output_max = 10 };
    assert_false(child_run(&out, &none, test_arena(), &err));
    assert_err(&err, ERR_NOT_FOUND, "/nonexistent/signer: No such file or directory");
    const char *const bare[] = { "sh", NULL }; // no search along PATH
    const struct child named = { .argv = bare, .output_max = 10 };
    assert_false(child_run(&out, &named, test_arena(), &err));
    assert_err(&err, ERR_NOT_FOUND, "sh: No such file or directory");
}

// A child that hangs ends with its time, and what it started with it.
TEST(coordinator_F35_child_that_hangs)
{
    struct deadline d;
    struct bytes out;
    struct err err;
    char script[200];
    snprintf(script, sizeof script, "sleep 100 & echo $! > %s/pid; sleep 100", test_dir());
    assert_true(deadline_open(&d, 0, &err));
    deadline_set(&d, 2000, 2000);
    assert_false(run_shell(&out, script, (struct bytes){ 0 }, 100, d.fd, &err));
    assert_err(&err, ERR_INTERRUPTED, "/bin/sh: stopped");
    assert_false(deadline_explain(&d, &err));
    assert_err(&err, ERR_TIMEOUT, "no answer in time");
    deadline_close(&d);
    struct bytes pid;
    char path[200];
    snprintf(path, sizeof path, "%s/pid", test_dir());
    assert_true(file_read(&pid, path, 20, test_arena(), &err) && pid.len > 1);
    snprintf(path, sizeof path, "/proc/%.*s/stat", (int)(pid.len - 1), (const char *)pid.ptr);
    struct bytes stat; // gone, or a zombie until init looks
    for (int i = 0; i < 100 && file_read(&stat, path, 2000, test_arena(), &err) &&
                    memmem(stat.ptr, stat.len, ") Z ", 4) == NULL;
         i++)
        usleep(20000);
    assert_true(!file_read(&stat, path, 2000, test_arena(), &err) ||
                memmem(stat.ptr, stat.len, ") Z ", 4) != NULL);
}

// It ended; what it left behind keeps its output open, and nobody waits for that.
TEST(coordinator_F35_child_leaves_something_behind)
{
    struct bytes out;
    struct err err;
    assert_true(run_shell(&out, "sleep 100 & echo done", (struct bytes){ 0 }, 100, 0, &err));
    assert_bytes_text(out, "done\n");
}

// A command that restarts a signer leaves it running.
TEST(coordinator_D8_child_that_may_leave_something)
{
    char script[300], path[200];
    struct bytes out, pid;
    struct err err;
    (void)snprintf(path, sizeof path, "%s/left", test_dir());
    (void)snprintf(script, sizeof script, "sleep 100 >/dev/null & echo $! > %s", path);
    const char *const argv[] = { "/bin/sh", "-c", script, NULL };
    const struct child child = { .argv = argv, .output_max = 10, .may_leave = true };
    assert_true(child_run(&out, &child, test_arena(), &err));
    assert_true(file_read(&pid, path, 20, test_arena(), &err));
    usleep(50000);
    assert_int_equal(kill((pid_t)strtol((const char *)pid.ptr, NULL, 10), SIGKILL), 0);
}

TEST(deadlines_are_extended_up_to_a_point)
{
    struct deadline d;
    struct err err;
    const int cancel = eventfd(0, EFD_NONBLOCK);
    assert_true(deadline_open(&d, cancel, &err));
    deadline_set(&d, 100000, 50);
    deadline_extend(&d, 100000); // not past the 50 ms
    usleep(80000);
    assert_true(deadline_is_over(&d));
    deadline_extend(&d, 100000);
    usleep(5000);
    assert_true(deadline_is_over(&d));
    deadline_set(&d, 100000, 100000);
    assert_false(deadline_is_over(&d));
    // Somebody else's interruption is none of time.
    const uint64_t one = 1;
    assert_int_equal(write(cancel, &one, sizeof one), sizeof one);
    err_set(&err, ERR_INTERRUPTED, "interrupted");
    assert_false(deadline_explain(&d, &err));
    assert_err(&err, ERR_INTERRUPTED, "interrupted");
    deadline_clear(&d);
    assert_false(deadline_is_over(&d));
    deadline_close(&d);
    close(cancel);
}
