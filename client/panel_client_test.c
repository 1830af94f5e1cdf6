#include "client/panel_client.h"
#include "client/test_peer.h"
#include "client/wait.h"
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

// A panel socket that sends `greeting`, then for each line that comes one of `replies`, and keeps
// what came.
struct fake_panel {
    const char *path, *greeting;
    const char *replies[4]; // NULL: closes
    int fd;
    pthread_t thread;
    char came[4][300];
};

static void say(int fd, const char *text)
{
    assert_true(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

static bool read_line(int fd, char *line, size_t size)
{
    size_t n = 0;
    char c;
    while (read(fd, &c, 1) == 1) {
        if (c == '\n') {
            line[n] = 0;
            return true;
        }
        if (n + 1 < size)
            line[n++] = c;
    }
    return false;
}

static void *serve(void *context)
{
    struct fake_panel *p = context;
    const int fd = accept(p->fd, NULL, NULL);
    if (fd < 0)
        return NULL;
    say(fd, p->greeting);
    for (size_t i = 0; i < COUNT(p->replies) && p->replies[i] != NULL; i++) {
        if (!read_line(fd, p->came[i], sizeof p->came[i]))
            break;
        say(fd, p->replies[i]);
    }
    close(fd);
    return NULL;
}

static void start(struct fake_panel *p)
{
    struct sockaddr_un own = { .sun_family = AF_UNIX };
    p->path = test_path("panel.sock");
    memcpy(own.sun_path, p->path, strlen(p->path));
    p->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    (void)unlink(p->path);
    assert_int_equal(bind(p->fd, (const struct sockaddr *)&own, sizeof own), 0);
    assert_int_equal(listen(p->fd, 1), 0);
    assert_int_equal(pthread_create(&p->thread, NULL, serve, p), 0);
}

static void stop(struct fake_panel *p)
{
    (void)shutdown(p->fd, SHUT_RDWR);
    (void)pthread_join(p->thread, NULL);
    close(p->fd);
}

#define HELLO "{\"panel\": 1, \"name\": \"A\", \"simulator\": true}\n"
#define SCREEN                                                                                     \
    "{\"ok\": true, \"title\": \"T\", \"text\": \"x\\ny\", \"ask\": \"key\", \"state\": "          \
    "\"normal\"}\n"

TEST(panel_ask_and_answer)
{
    struct fake_panel fake = { .greeting = HELLO, .replies = { SCREEN, "{\"ok\": true}\n" } };
    start(&fake);
    struct panel_client *panel;
    struct panel_hello hello;
    struct panel_reply reply;
    struct err err;
    assert_true(panel_client_open(&panel, fake.path, WAIT_NO_CANCEL, &hello, &err));
    assert_bytes_text(hello.name, "A");
    assert_true(hello.simulator);
    const struct panel_request screen = { .verb = PANEL_SCREEN };
    assert_true(panel_client_ask(panel, &screen, &reply, &err));
    assert_bytes_text(reply.screen.text, "x\ny");
    assert_int_equal(reply.screen.ask, PANEL_ASK_KEY);
    const struct panel_request keys = { .verb = PANEL_KEYS, .keys = BYTES("y12") };
    assert_true(panel_client_ask(panel, &keys, &reply, &err));
    panel_client_close(panel);
    stop(&fake);
    assert_string_equal(fake.came[0], "{\"do\": \"screen\"}");
    assert_string_equal(fake.came[1], "{\"do\": \"keys\", \"keys\": \"y12\"}");
}

TEST(panel_errors_and_the_end)
{
    struct fake_panel fake = { .greeting = HELLO,
                               .replies = { "{\"ok\": false, \"error\": \"no user 'x'\"}\n" } };
    start(&fake);
    struct panel_client *panel;
    struct panel_reply reply;
    struct err err;
    assert_true(panel_client_open(&panel, fake.path, WAIT_NO_CANCEL, NULL, &err));
    const struct panel_request menu = { .verb = PANEL_MENU, .item = PANEL_LOCK };
    assert_false(panel_client_ask(panel, &menu, &reply, &err));
    assert_err(&err, ERR_INVALID, "no user 'x'");
    char text[300];
    snprintf(text, sizeof text, "%s: the signer closed the panel", fake.path);
    assert_false(panel_client_receive(panel, &reply, 2000, &err));
    assert_err(&err, ERR_NOT_FOUND, text);
    panel_client_close(panel);
    stop(&fake);
}

TEST(panel_replies_that_come_together)
{
    struct fake_panel fake = { .greeting = HELLO, .replies = { SCREEN SCREEN "{\"ok\": true}\n" } };
    start(&fake);
    struct panel_client *panel;
    struct panel_reply reply;
    struct err err;
    assert_true(panel_client_open(&panel, fake.path, WAIT_NO_CANCEL, NULL, &err));
    const struct panel_request watch = { .verb = PANEL_WATCH };
    assert_true(panel_client_send(panel, &watch, &err));
    assert_true(panel_client_receive(panel, &reply, 2000, &err));
    assert_true(panel_client_receive(panel, &reply, 2000, &err) && reply.has_screen);
    assert_true(panel_client_receive(panel, &reply, 2000, &err) && !reply.has_screen);
    panel_client_close(panel);
    stop(&fake);
}

TEST(panel_that_does_not_answer)
{
    struct fake_panel fake = { .greeting = HELLO, .replies = { "", "" } };
    start(&fake);
    struct panel_client *panel;
    struct panel_reply reply;
    struct err err;
    assert_true(panel_client_open(&panel, fake.path, WAIT_NO_CANCEL, NULL, &err));
    const struct panel_request screen = { .verb = PANEL_SCREEN };
    assert_true(panel_client_send(panel, &screen, &err));
    char text[300];
    snprintf(text, sizeof text, "%s: no answer within 1 s", fake.path);
    assert_false(panel_client_receive(panel, &reply, 1000, &err));
    assert_err(&err, ERR_TIMEOUT, text);
    panel_client_close(panel);
    stop(&fake);
}

TEST(panel_greetings_that_are_none)
{
    static const struct {
        const char *greeting;
        enum err_code code;
    } rows[] = {
        { "{\"panel\": 2, \"name\": \"A\", \"simulator\": false}\n", ERR_UNSUPPORTED },
        { "hello\n", ERR_MALFORMED },
        { "", ERR_NOT_FOUND }, // closes at once
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fake_panel fake = { .greeting = rows[i].greeting };
        start(&fake);
        struct panel_client *panel;
        struct err err;
        assert_false(panel_client_open(&panel, fake.path, WAIT_NO_CANCEL, NULL, &err));
        assert_int_equal(err.code, rows[i].code);
        stop(&fake);
    }
}

TEST(no_panel_there)
{
    struct panel_client *panel;
    struct err err;
    char text[300];
    snprintf(text, sizeof text, "%s: no signer shows its panel there", test_path("none"));
    assert_false(panel_client_open(&panel, test_path("none"), WAIT_NO_CANCEL, NULL, &err));
    assert_err(&err, ERR_NOT_FOUND, text);
}
