#include "signer/loop.h"
#include "tests/support/test.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

struct test_clock {
    struct clock clock;
    int64_t now_ms;
};

static int64_t now_ms(const struct clock *clock)
{
    return ((const struct test_clock *)(const void *)clock)->now_ms;
}

static struct test_clock test_clock(void)
{
    return (struct test_clock){ { .wall_s = now_ms, .monotonic_ms = now_ms }, 1000 };
}

static void step(struct loop *loop)
{
    struct err err;
    assert_true(loop_step(loop, 0, &err));
}

// What happened, a letter each. (Handlers of signals have no context to keep it in.)
static char happened[64];

static void note(void *context)
{
    const size_t len = strlen(happened);
    assert_true(len + 1 < sizeof happened);
    happened[len] = *(const char *)context;
    happened[len + 1] = 0;
}

static void forget(void)
{
    happened[0] = 0;
}

// --- Timers ---

TEST(timers_fire_once_in_their_order)
{
    struct test_clock clock = test_clock();
    struct loop *loop = loop_new(&clock.clock);
    forget();
    (void)loop_after(loop, 20, note, (void *)(uintptr_t) "b");
    (void)loop_after(loop, 10, note, (void *)(uintptr_t) "a");
    (void)loop_after(loop, 30, note, (void *)(uintptr_t) "c");
    step(loop);
    assert_string_equal(happened, "");
    clock.now_ms += 9;
    step(loop);
    assert_string_equal(happened, "");
    clock.now_ms += 11;
    step(loop);
    assert_string_equal(happened, "ab");
    clock.now_ms += 1000000; // a clock that jumps fires what is due, once
    step(loop);
    step(loop);
    assert_string_equal(happened, "abc");
    loop_free(loop);
}

TEST(a_cancelled_timer_does_not_fire)
{
    struct test_clock clock = test_clock();
    struct loop *loop = loop_new(&clock.clock);
    forget();
    const uint64_t a = loop_after(loop, 0, note, (void *)(uintptr_t) "a");
    (void)loop_after(loop, 0, note, (void *)(uintptr_t) "b");
    assert_true(a > 0);
    loop_cancel(loop, a);
    loop_cancel(loop, 0); // nothing
    step(loop);
    assert_string_equal(happened, "b");
    loop_cancel(loop, a); // has its place been taken by another, it is not that one
    const uint64_t c = loop_after(loop, 0, note, (void *)(uintptr_t) "c");
    loop_cancel(loop, a);
    step(loop);
    assert_string_equal(happened, "bc");
    assert_true(c != a);
    loop_free(loop);
}

static void set_another(void *context)
{
    note((void *)(uintptr_t) "x");
    (void)loop_after(context, 0, set_another, context);
}

TEST(a_timer_set_by_a_timer_waits_for_the_next_round)
{
    struct test_clock clock = test_clock();
    struct loop *loop = loop_new(&clock.clock);
    forget();
    (void)loop_after(loop, 0, set_another, loop);
    step(loop);
    assert_string_equal(happened, "x");
    step(loop);
    assert_string_equal(happened, "xx");
    loop_free(loop);
}

// --- Idleness ---

TEST(what_waits_for_idleness_lets_everything_else_go_first)
{
    struct test_clock clock = test_clock();
    struct loop *loop = loop_new(&clock.clock);
    forget();
    (void)loop_when_idle(loop, 20, note, (void *)(uintptr_t) "i");
    const uint64_t never = loop_when_idle(loop, 20, note, (void *)(uintptr_t) "n");
    (void)loop_after(loop, 0, note, (void *)(uintptr_t) "a");
    loop_cancel(loop, never);
    step(loop);
    assert_string_equal(happened, "a");
    step(loop);
    assert_string_equal(happened, "ai");
    step(loop);
    assert_string_equal(happened, "ai"); // once
    loop_free(loop);
}

TEST(what_waits_for_idleness_waits_no_longer_than_it_says)
{
    struct test_clock clock = test_clock();
    struct loop *loop = loop_new(&clock.clock);
    forget();
    (void)loop_when_idle(loop, 20, note, (void *)(uintptr_t) "i");
    for (int i = 0; i < 19; i++) {
        (void)loop_after(loop, 0, note, (void *)(uintptr_t) "a");
        clock.now_ms++;
        step(loop);
    }
    assert_string_equal(happened, "aaaaaaaaaaaaaaaaaaa");
    clock.now_ms++;
    step(loop);
    assert_string_equal(happened, "aaaaaaaaaaaaaaaaaaai");
    loop_free(loop);
}

// --- Descriptors ---

struct pipe_ends {
    int in, out;
};

static struct pipe_ends make_pipe(void)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    return (struct pipe_ends){ ends[1], ends[0] };
}

static void take_byte(void *context, int fd, short revents)
{
    char c;
    (void)context;
    assert_true((revents & POLLIN) != 0);
    assert_int_equal(read(fd, &c, 1), 1);
    note(&c);
}

TEST(a_watched_descriptor_calls)
{
    struct test_clock clock = test_clock();
    struct loop *loop = loop_new(&clock.clock);
    const struct pipe_ends p = make_pipe();
    forget();
    assert_true(loop_watch(loop, p.out, POLLIN, take_byte, NULL));
    step(loop);
    assert_string_equal(happened, "");
    assert_int_equal(write(p.in, "ab", 2), 2);
    step(loop);
    step(loop);
    step(loop);
    assert_string_equal(happened, "ab");
    loop_unwatch(loop, p.out);
    loop_unwatch(loop, p.out);
    loop_unwatch(loop, -1);
    assert_int_equal(write(p.in, "c", 1), 1);
    step(loop);
    assert_string_equal(happened, "ab");
    loop_free(loop);
    close(p.in);
    close(p.out);
}

struct pair {
    struct loop *loop;
    struct pipe_ends a, b;
};

// The first of two that are ready takes the other away.
static void unwatch_other(void *context, int fd, short revents)
{
    struct pair *pair = context;
    (void)revents;
    loop_unwatch(pair->loop, fd == pair->a.out ? pair->b.out : pair->a.out);
    note((void *)(uintptr_t) "1");
}

TEST(a_handler_may_unwatch_another)
{
    struct test_clock clock = test_clock();
    struct pair pair = { loop_new(&clock.clock), make_pipe(), make_pipe() };
    forget();
    assert_true(loop_watch(pair.loop, pair.a.out, POLLIN, unwatch_other, &pair));
    assert_true(loop_watch(pair.loop, pair.b.out, POLLIN, unwatch_other, &pair));
    assert_int_equal(write(pair.a.in, "a", 1), 1);
    assert_int_equal(write(pair.b.in, "b", 1), 1);
    step(pair.loop);
    assert_string_equal(happened, "1");
    loop_free(pair.loop);
    close(pair.a.in);
    close(pair.a.out);
    close(pair.b.in);
    close(pair.b.out);
}

TEST(no_more_than_loop_fds_max)
{
    struct test_clock clock = test_clock();
    struct loop *loop = loop_new(&clock.clock);
    for (int fd = 0; fd < LOOP_FDS_MAX; fd++)
        assert_true(loop_watch(loop, 1000 + fd, POLLIN, take_byte, NULL));
    assert_false(loop_watch(loop, 5000, POLLIN, take_byte, NULL));
    assert_true(loop_watch(loop, 1000, POLLOUT, take_byte, NULL)); // replaces
    loop_unwatch(loop, 1001);
    assert_true(loop_watch(loop, 5000, POLLIN, take_byte, NULL));
    loop_free(loop);
}

// --- Running ---

static void stop(void *context)
{
    note((void *)(uintptr_t) "s");
    loop_stop(context);
}

TEST(it_runs_until_it_is_stopped)
{
    struct clock clock = clock_system();
    struct loop *loop = loop_new(&clock);
    struct err err;
    forget();
    (void)loop_after(loop, 5, stop, loop);
    (void)loop_after(loop, 5, note, (void *)(uintptr_t) "n");
    assert_true(loop_run(loop, &err));
    assert_string_equal(happened, "s"); // nothing runs after the stop
    loop_free(loop);
}

TEST(signals_are_events)
{
    struct clock clock = clock_system();
    struct loop *loop = loop_new(&clock);
    struct err err;
    sigset_t before;
    forget();
    assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &before), 0);
    assert_true(loop_on_terminate(loop, stop, loop, &err));
    assert_int_equal(raise(SIGTERM), 0);
    assert_string_equal(happened, ""); // from the loop, not from a handler
    assert_true(loop_run(loop, &err));
    assert_int_equal(raise(SIGINT), 0);
    assert_true(loop_run(loop, &err));
    assert_string_equal(happened, "ss");
    loop_free(loop);
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
}
