#include "tests/ports/box.h"
#include "base/file.h"
#include "base/require.h"
#include "client/panel_client.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_MS 60000

void box_pause_ms(long ms)
{
    const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
    (void)nanosleep(&t, NULL);
}

pid_t box_spawn(const char *const *argv, const char *log)
{
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    const int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    REQUIRE(fd >= 0 && dup2(fd, 2) == 2 && dup2(fd, 1) == 1);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

void box_wait_for(const char *path, pid_t pid, const char *log)
{
    struct bytes said = { 0 };
    struct err err;
    for (int ms = 0; access(path, F_OK) != 0; ms += 10) {
        const bool ended = waitpid(pid, NULL, WNOHANG) != 0;
        if (ended || ms >= START_MS) {
            (void)!file_read(&said, log, 1u << 20, test_arena(), &err);
            fail_msg("%s does not come: %.*s", path, BYTES_ARG(said));
        }
        box_pause_ms(10);
    }
}

void box_prepare(struct box *box, const char *name)
{
    *box = (struct box){ .pid = 0 };
    (void)snprintf(box->dir, sizeof box->dir, "%s/%s", test_dir(), name);
    (void)snprintf(box->socket, sizeof box->socket, "%s/cm-%s.sock", test_dir(), name);
    (void)snprintf(box->panel, sizeof box->panel, "%s/%s.panel", test_dir(), name);
    (void)snprintf(box->log, sizeof box->log, "%s/%s.log", test_dir(), name);
    assert_true(mkdir(box->dir, 0700) == 0 || errno == EEXIST);
}

static void spawn(struct box *box)
{
    const char *signer = getenv("CASEMATE_SIGNER");
    REQUIRE(signer != NULL);
    const char *const argv[] = { signer,     "--simulator", "--socket", box->socket, "--panel",
                                 box->panel, "--dir",       box->dir,   NULL };
    assert_int_equal(box->pid, 0);
    box->pid = box_spawn(argv, box->log);
}

void box_start(struct box *box)
{
    spawn(box);
    box_wait_for(box->socket, box->pid, box->log);
}

void box_start_saved(struct box *box)
{
    spawn(box);
    box_wait_for(box->panel, box->pid, box->log);
    box_keys(box, "y");
    box_wait_for(box->socket, box->pid, box->log);
}

void box_forget(struct box *box)
{
    const char *const argv[] = { "/bin/rm", "-rf", box->dir, NULL };
    const pid_t pid = box_spawn(argv, box->log);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(mkdir(box->dir, 0700), 0);
}

void box_drop(struct box *box)
{
    if (box->pid <= 0)
        return;
    (void)kill(box->pid, SIGKILL);
    (void)waitpid(box->pid, NULL, 0);
    box->pid = 0;
}

void box_kill(struct box *box)
{
    box_drop(box);
    (void)unlink(box->socket); // as its own start would
    (void)unlink(box->panel);
}

void box_freeze(struct box *box)
{
    assert_int_equal(kill(box->pid, SIGSTOP), 0);
}

void box_thaw(struct box *box)
{
    assert_int_equal(kill(box->pid, SIGCONT), 0);
}

// --- The panel ---

static bool ask(struct box *box, const struct panel_request *request, struct panel_reply *reply)
{
    struct panel_client *panel = NULL;
    struct err err;
    for (int ms = 0; !panel_client_open(&panel, box->panel, -1, NULL, &err); ms += 10) {
        if (ms >= START_MS)
            fail_msg("%s", err.text);
        box_pause_ms(10);
    }
    const bool ok = panel_client_ask(panel, request, reply, &err);
    panel_client_close(panel);
    return ok;
}

void box_keys(struct box *box, const char *keys)
{
    struct panel_reply reply;
    (void)ask(box, &(struct panel_request){ .verb = PANEL_KEYS, .keys = bytes_of_text(keys) },
              &reply);
}

void box_arm(struct box *box)
{
    box_keys(box, "y");
    box_keys(box, "0123456789"); // the digit that the second screen asks for; it ignores the others
    box_keys(box, "x");          // digits that were left over
}

void box_reset(struct box *box, const char *words)
{
    struct panel_reply reply;
    const struct panel_request request = { .verb = PANEL_RESET,
                                           .chain = BYTES("XTN"),
                                           .words = bytes_of_text(words) };
    assert_true(ask(box, &request, &reply));
}

void box_advance(struct box *box, int64_t seconds)
{
    struct panel_reply reply;
    const struct panel_request request = { .verb = PANEL_ADVANCE, .seconds = (uint64_t)seconds };
    assert_true(ask(box, &request, &reply));
}
