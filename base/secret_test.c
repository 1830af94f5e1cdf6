#include "base/secret.h"
#include "tests/support/test.h"
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

TEST(content_is_kept)
{
    AUTO(secret_freep) struct secret *s = secret_new(BYTES("hello"));
    assert_int_equal(secret_len(s), 5);
    assert_bytes_text(secret_open(s), "hello");
    secret_edit(s)[0] = 'j';
    assert_bytes_text(secret_open(s), "jello");
    for (int i = 0; i < 3; i++)
        secret_close(s);
    assert_bytes_text(secret_open(s), "jello");
    secret_close(s);
}

TEST(new_zeroed_is_zero_and_may_be_empty)
{
    static const uint8_t zeros[5000];
    AUTO(secret_freep) struct secret *s = secret_new_zeroed(sizeof zeros);
    assert_bytes_equal(secret_open(s), BYTES_OF(zeros));
    secret_close(s);
    AUTO(secret_freep) struct secret *empty = secret_new((struct bytes){ NULL, 0 });
    assert_int_equal(secret_open(empty).len, 0);
    secret_close(empty);
    struct secret *none = NULL;
    secret_free(none);
    secret_freep(&none);
}

// What happens in a child process that does what nobody may do.
static int signal_of(void (*action)(struct secret *), struct secret *s)
{
    int status;
    fflush(stdout);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL) // what sanitizers say of it
            _exit(0);
        signal(SIGSEGV, SIG_DFL);
        signal(SIGABRT, SIG_DFL);
        action(s);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void read_closed(struct secret *s)
{
    const volatile uint8_t *mem = secret_open(s).ptr;
    secret_close(s);
    (void)mem[0];
}

static void read_open(struct secret *s)
{
    const volatile uint8_t *mem = secret_open(s).ptr;
    (void)secret_open(s);
    secret_close(s); // one of two: it is still open
    (void)mem[0];
    secret_close(s);
}

static void write_while_reading(struct secret *s)
{
    uint8_t *mem = secret_edit(s);
    secret_close(s);
    (void)secret_open(s);
    *(volatile uint8_t *)mem = 1;
}

static void write_while_editing(struct secret *s)
{
    (void)secret_open(s);
    uint8_t *mem = secret_edit(s);
    (void)secret_open(s); // takes nothing away
    *(volatile uint8_t *)mem = 1;
}

static void read_behind(struct secret *s)
{
    const volatile uint8_t *mem = secret_open(s).ptr;
    (void)mem[secret_len(s)];
}

static void close_too_often(struct secret *s)
{
    (void)secret_open(s);
    secret_close(s);
    secret_close(s);
}

TEST(secret_1_only_open_memory_can_be_read)
{
    AUTO(secret_freep) struct secret *s = secret_new(BYTES("hello"));
    assert_int_equal(signal_of(read_open, s), 0);
    assert_int_equal(signal_of(write_while_editing, s), 0);
    assert_int_not_equal(signal_of(read_closed, s), 0);
    assert_int_not_equal(signal_of(write_while_reading, s), 0);
    assert_int_not_equal(signal_of(read_behind, s), 0); // a guard page
    assert_int_equal(signal_of(close_too_often, s), SIGABRT);
}

// AddressSanitizer makes mlock do nothing.
#if defined(__SANITIZE_ADDRESS__)
#define WITHOUT_MLOCK 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITHOUT_MLOCK 1
#endif
#endif

// The line of /proc/self/smaps about the mapping that holds `ptr`, from its VmFlags.
static bool has_flag(const void *ptr, const char *flag)
{
    FILE *f = fopen("/proc/self/smaps", "re");
    char line[512];
    bool here = false, found = false;
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        char *after;
        const unsigned long start = strtoul(line, &after, 16);
        if (*after == '-') {
            const unsigned long end = strtoul(after + 1, &after, 16);
            if (*after == ' ')
                here = (uintptr_t)ptr >= start && (uintptr_t)ptr < end;
        }
        if (here && strncmp(line, "VmFlags:", 8) == 0)
            found = strstr(line, flag) != NULL;
    }
    (void)fclose(f);
    return found;
}

TEST(secret_1_locked_and_left_out_of_core_files)
{
    AUTO(secret_freep) struct secret *s = secret_new(BYTES("hello"));
    const void *mem = secret_open(s).ptr;
#ifndef WITHOUT_MLOCK
    assert_true(has_flag(mem, " lo"));
#endif
    assert_true(has_flag(mem, " dd"));
    secret_close(s);
}

struct user {
    pthread_t thread;
    const struct secret *secret;
    size_t sum;
};

static void *use_often(void *arg)
{
    struct user *u = arg;
    for (int i = 0; i < 2000; i++) {
        u->sum += secret_open(u->secret).ptr[0];
        secret_close(u->secret);
    }
    return NULL;
}

TEST(two_threads_may_open_one_secret)
{
    AUTO(secret_freep) struct secret *s = secret_new(BYTES("\x01"));
    struct user users[2] = { { .secret = s }, { .secret = s } };
    for (size_t i = 0; i < COUNT(users); i++)
        assert_int_equal(pthread_create(&users[i].thread, NULL, use_often, &users[i]), 0);
    for (size_t i = 0; i < COUNT(users); i++) {
        assert_int_equal(pthread_join(users[i].thread, NULL), 0);
        assert_int_equal(users[i].sum, 2000);
    }
}

TEST(wiping)
{
    uint8_t mem[] = { 1, 2, 3 };
    wipe(mem, 2);
    assert_memory_equal(mem, "\0\0\3", 3);
    wipe(mem, 0);
    wipe(NULL, 0);
    wipe_stack();
}

TEST(comparing)
{
    assert_true(ct_equal(BYTES("abc"), BYTES("abc")));
    assert_false(ct_equal(BYTES("abc"), BYTES("abd")));
    assert_false(ct_equal(BYTES("abc"), BYTES("ab")));
    assert_true(ct_equal((struct bytes){ NULL, 0 }, BYTES("")));
}
