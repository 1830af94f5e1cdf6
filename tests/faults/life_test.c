// A signer's process as the system sees it: shut before it speaks to anybody, without cores, with its
// secrets in locked memory; ended at any moment without a trace.
#include "base/file.h"
#include "base/require.h"
#include "tests/faults/rig.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_SANDBOX false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_SANDBOX false
#endif
#endif
#ifndef HAS_SANDBOX
#define HAS_SANDBOX true
#endif

// A line of /proc/PID/FILE that begins with `key`, without that; -1: there is none.
static long proc_number(pid_t pid, const char *file, const char *key)
{
    char path[128], line[512];
    long number = -1;
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    FILE *f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0)
            number = strtol(line + strlen(key), NULL, 10);
    }
    if (f != NULL)
        (void)fclose(f);
    return number;
}

// The process has made the first of its sockets this instant.
static void wait_for_a_socket(int watch)
{
    struct pollfd ready = { watch, POLLIN, 0 };
    uint8_t events[4096];
    assert_int_equal(poll(&ready, 1, 60000), 1);
    assert_true(read(watch, events, sizeof events) > 0);
}

// The panel's socket comes first, the wire's after unlocking; who connects to either finds a process
// that is shut.
TEST(it_is_shut_before_there_is_a_socket)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    if (!HAS_SANDBOX)
        skip();
    for (int i = 0; i < 5; i++) {
        const int watch = inotify_init1(IN_CLOEXEC);
        (void)snprintf(rig.log, sizeof rig.log, "%.100s/log", rig.store); // elsewhere
        assert_true(inotify_add_watch(watch, rig.dir, IN_CREATE) >= 0);
        rig_spawn(&rig, false);
        wait_for_a_socket(watch);
        assert_int_equal(proc_number(rig.pid, "status", "Seccomp:"), 2);
        assert_int_equal(proc_number(rig.pid, "status", "NoNewPrivs:"), 1);
        (void)close(watch);
        rig_drop(&rig);
        (void)unlink(rig.socket);
        (void)unlink(rig.panel);
    }
}

TEST(secrets_are_in_locked_memory)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    if (!HAS_SANDBOX) // AddressSanitizer locks nothing
        skip();
    rig_start(&rig);
    assert_true(proc_number(rig.pid, "status", "VmLck:") >= 12);
}

// Where nothing can be locked, keys would be swapped: it does not start.
TEST(without_locked_memory_it_does_not_start)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    const struct rlimit none = { 0, 0 };
    struct rlimit before;
    if (!HAS_SANDBOX || (geteuid() == 0 && setgroups(0, NULL) != 0)) // root locks what it wants
        skip();
    assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &before), 0);
    const pid_t child = fork();
    if (child == 0) {
        const int log = open(rig.log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        REQUIRE(log >= 0 && dup2(log, 2) == 2);
        if (geteuid() == 0 &&
            (chown(rig.store, 65534, 65534) != 0 || setgid(65534) != 0 || setuid(65534) != 0))
            _exit(99);
        REQUIRE(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
        execl(getenv("CASEMATE_SIGNER"), "casemate-signer", "--version", (char *)NULL);
        _exit(98);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) >= 98)
        skip(); // the program is where that user cannot run it
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_bytes_text(rig_said(&rig), "casemate-signer: the system has no guarded memory or no "
                                      "random bytes\n");
}

static void allow_cores(void)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_CORE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_CORE, &limit), 0);
}

TEST(it_leaves_no_core)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    allow_cores();
    rig_start(&rig);
    assert_int_equal(proc_number(rig.pid, "limits", "Max core file size"), 0);
    const int status = rig_signal(&rig, SIGABRT);
    assert_true(WIFSIGNALED(status));
    assert_false(WCOREDUMP(status));
}

// Not dumpable: the system gives its folder in /proc to root, and no other process of its user may
// look at its memory.
TEST(no_other_process_of_its_user_may_look_into_it)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    char path[64];
    struct stat st;
    if (geteuid() == 0)
        skip(); // everything is root's; `it_leaves_no_core` says the same another way
    rig_start(&rig);
    (void)snprintf(path, sizeof path, "/proc/%d/mem", (int)rig.pid);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, 0);
    assert_int_equal(open(path, O_RDONLY | O_CLOEXEC), -1);
}

// --- Told to end, at any moment ---

// How far it is told to get first, in milliseconds; the end is clean from the first moment at which it
// can be told. Before that, the signal ends it as any program.
static void end_after(struct rig *rig, int ms)
{
    rig_spawn(rig, false);
    rig_pause_ms(ms);
    const int status = rig_signal(rig, SIGTERM);
    const bool ended_early = WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
    if (!ended_early && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        fail_msg("after %d ms: wait status %x: %.*s", ms, (unsigned)status,
                 BYTES_ARG(rig_said(rig)));
    if (access(rig->socket, F_OK) == 0 || access(rig->panel, F_OK) == 0)
        fail_msg("after %d ms: a socket is left", ms);
}

TEST(told_to_end_it_ends_cleanly_while_it_starts)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    const int n = (int)rig_count(20);
    for (int i = 0; i < n; i++)
        end_after(&rig, i % 80);
    rig_start(&rig);
    rig_stop(&rig);
}

#define POLICY "{\"never_log\":true,\"period\":600,\"rules\":[{\"per_period\":2000000000}]}"

// A client that signs until the signer goes, and says how often it could.
static NORETURN void sign_until_it_goes(const struct rig *rig, int out)
{
    AUTO(connection_closep) struct connection *c = NULL;
    AUTO(arena_freep) struct arena *arena = arena_new(1u << 20);
    const struct bytes psbt = rig_payment(1000, (uint32_t)getpid());
    uint32_t n_signed = 0;
    struct err err;
    bool ok = rig_try_connect(rig, &c, &err);
    while (ok) {
        arena_reset(arena);
        ok = rig_sign(c, psbt, arena, &err) == RIG_SIGNED;
        n_signed += ok;
    }
    REQUIRE(write(out, &n_signed, sizeof n_signed) == sizeof n_signed);
    _exit(0);
}

// Every signature that a host has is charged; sockets go; the journal has what the store has.
TEST(told_to_end_while_it_signs_it_loses_no_commit)
{
    AUTO(rig_drop) struct rig rig = rig_prepare();
    enum { CLIENTS = 3 };
    uint64_t n_signed = 0;
    rig.reply_ms = 2000; // of one that has gone there will be none
    rig_start(&rig);
    rig_arm(&rig, POLICY);
    const int n = (int)rig_count(3);
    for (int i = 0; i < n; i++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        for (int k = 0; k < CLIENTS; k++) {
            if (fork() == 0)
                sign_until_it_goes(&rig, ends[1]);
        }
        rig_pause_ms(60 + i * 137 % 400);
        rig_stop(&rig);
        for (int k = 0; k < CLIENTS; k++) {
            uint32_t more;
            assert_int_equal(read(ends[0], &more, sizeof more), sizeof more);
            n_signed += more;
        }
        while (wait(NULL) > 0)
            ;
        (void)close(ends[0]);
        (void)close(ends[1]);
        rig_start_offering(&rig);
        assert_true(rig_keys(&rig, "y"));
        assert_int_equal(rig_state(&rig), PANEL_HSM);
        AUTO(connection_closep) struct connection *c = rig_connect(&rig);
        const struct hsm_status status = rig_status(c);
        assert_true(rig_spent(&status) >= n_signed * 1000);
        // Beyond that only what was decided when it was told to end.
        assert_true(rig_spent(&status) <= n_signed * 1000 + (uint64_t)(i + 1) * CLIENTS * 1000);
    }
    rig_stop(&rig);
    print_message("# counted: %d ends, %llu signatures\n", n, (unsigned long long)n_signed);
}
