#include "http/notify.h"
#include "tests/support/test.h"
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

static int listen_at(const struct sockaddr_un *own, size_t path_len)
{
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)own,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_len)),
                     0);
    return fd;
}

static void check_receives(int fd)
{
    char mem[20];
    notify_send("READY=1");
    struct pollfd p = { .fd = fd, .events = POLLIN };
    assert_int_equal(poll(&p, 1, 5000), 1);
    const ssize_t n = recv(fd, mem, sizeof mem, 0);
    assert_bytes_text(bytes_of(mem, (size_t)n), "READY=1");
    close(fd);
}

TEST(bunker_13_states_for_systemd)
{
    struct sockaddr_un own = { .sun_family = AF_UNIX };
    char name[100];
    (void)snprintf(own.sun_path, sizeof own.sun_path, "%s/n", test_dir());
    assert_int_equal(setenv("NOTIFY_SOCKET", own.sun_path, 1), 0);
    check_receives(listen_at(&own, strlen(own.sun_path) + 1));
    (void)snprintf(name, sizeof name, "@casemate-notify-test-%d", (int)getpid());
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    memcpy(own.sun_path, name, strlen(name));
    own.sun_path[0] = '\0';
    check_receives(listen_at(&own, strlen(name)));
    notify_send("READY=1"); // nobody listens any more: nothing happens
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    notify_send("READY=1");
}

TEST(bunker_13_the_watchdog_is_fed_twice_in_its_time)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        { "30000000", 15000 }, { "2000", 1 }, { "0", 0 }, { "", 0 }, { "x", 0 }, { "1x", 0 }
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(setenv("WATCHDOG_USEC", rows[i].text, 1), 0);
        assert_int_equal(notify_watchdog_ms(), rows[i].ms);
    }
    assert_int_equal(unsetenv("WATCHDOG_USEC"), 0);
    assert_int_equal(notify_watchdog_ms(), 0);
}
