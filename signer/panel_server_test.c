#include "signer/panel_server.h"
#include "signer/store_fixture.h"
#include "tests/support/test.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

// --- A device that notes what it is told ---

struct rig {
    struct fixture_clock clock;
    struct loop *loop;
    struct panel_server *server;
    char path[128];
    char text[PANEL_LINE_MAX]; // the screen's
    struct panel_screen screen;
    char done[4096]; // what was asked of the device
    bool refuse;     // ... which it then refuses
};

static bool note(struct rig *rig, const char *what, struct bytes a, struct bytes b, struct err *err)
{
    const size_t len = strlen(rig->done);
    (void)snprintf(rig->done + len, sizeof rig->done - len, "%s(%.*s,%.*s)", what, BYTES_ARG(a),
                   BYTES_ARG(b));
    return !rig->refuse || err_set(err, ERR_STATE, "not \"now\"");
}

static void screen(void *device, struct panel_screen *out)
{
    struct rig *rig = device;
    *out = rig->screen;
    out->text = bytes_of_text(rig->text);
}
static bool keys(void *device, struct bytes pressed, struct err *err)
{
    return note(device, "keys", pressed, BYTES(""), err);
}
static bool text(void *device, struct bytes typed, struct err *err)
{
    return note(device, "text", typed, BYTES(""), err);
}
static bool menu(void *device, enum panel_item item, struct bytes name, struct err *err)
{
    return note(device, item == PANEL_DELETE_USER ? "delete" : "item", name, BYTES(""), err);
}
static bool advance(void *device, uint64_t seconds, struct err *err)
{
    char number[32];
    (void)snprintf(number, sizeof number, "%llu", (unsigned long long)seconds);
    return note(device, "advance", bytes_of_text(number), BYTES(""), err);
}
static bool set(void *device, struct bytes key, struct bytes value, struct err *err)
{
    return note(device, "set", key, value, err);
}
static bool reset(void *device, const struct panel_request *request, struct err *err)
{
    return note(device, "reset", request->chain, request->words, err);
}

static void remove_rig(struct rig **rig)
{
    panel_server_free((*rig)->server);
    loop_free((*rig)->loop);
    free(*rig);
}

static struct rig *new_rig(bool simulator, bool has_group, gid_t group)
{
    struct rig *rig = calloc(1, sizeof *rig);
    struct err err;
    assert_non_null(rig);
    rig->clock = fixture_clock();
    rig->loop = loop_new(&rig->clock.clock);
    (void)snprintf(rig->path, sizeof rig->path, "%s/panel.sock", test_dir());
    (void)snprintf(rig->text, sizeof rig->text, "a \"text\"\n");
    rig->screen = (struct panel_screen){ .title = BYTES("Title"),
                                         .ask = PANEL_ASK_KEY,
                                         .state = PANEL_NORMAL };
    const struct panel_server_options options = {
        .loop = rig->loop,
        .path = rig->path,
        .name = "A",
        .simulator = simulator,
        .has_group = has_group,
        .group = group,
        .backend = { rig, screen, keys, text, menu, simulator ? advance : NULL,
                     simulator ? set : NULL, simulator ? reset : NULL }
    };
    if (!panel_server_new(&rig->server, &options, &err))
        fail_msg("%s", err.text);
    return rig;
}

// --- A panel ---

struct panel {
    int fd;
    size_t len; // bytes received and not yet taken
    char b[1 << 20];
};

static struct panel *new_panel(const struct rig *rig)
{
    struct panel *panel = arena_alloc(test_arena(), sizeof *panel);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    memcpy(address.sun_path, rig->path, strlen(rig->path));
    panel->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(panel->fd >= 0);
    assert_int_equal(connect(panel->fd, (const struct sockaddr *)&address, sizeof address), 0);
    return panel;
}

static void turn(struct rig *rig)
{
    struct err err;
    for (unsigned i = 0; i < 8; i++)
        assert_true(loop_step(rig->loop, 0, &err));
}

static void send_text(struct panel *panel, const char *sent)
{
    assert_int_equal(send(panel->fd, sent, strlen(sent), MSG_NOSIGNAL), strlen(sent));
}

// Takes in what has come. False at the end of the connection.
static bool receive(struct panel *panel)
{
    for (;;) {
        const ssize_t got =
            recv(panel->fd, panel->b + panel->len, sizeof panel->b - panel->len, MSG_DONTWAIT);
        if (got <= 0)
            return got < 0 && errno == EAGAIN;
        panel->len += (size_t)got;
    }
}

static bool next_line(struct panel *panel, char *out, size_t size)
{
    const char *feed = memchr(panel->b, '\n', panel->len);
    if (!feed)
        return false;
    const size_t len = (size_t)(feed - panel->b) + 1;
    assert_true(len < size);
    memcpy(out, panel->b, len - 1);
    out[len - 1] = '\0';
    panel->len -= len;
    memmove(panel->b, panel->b + len, panel->len);
    return true;
}

static void expect_line(struct rig *rig, struct panel *panel, const char *expected)
{
    char *line = arena_alloc(test_arena(), PANEL_LINE_MAX + 1);
    turn(rig);
    assert_true(receive(panel));
    if (!next_line(panel, line, PANEL_LINE_MAX + 1))
        fail_msg("no line, but expected %s", expected);
    assert_string_equal(line, expected);
}

static void expect_nothing(struct rig *rig, struct panel *panel)
{
    turn(rig);
    assert_true(receive(panel));
    assert_int_equal(panel->len, 0);
}

static void expect_end(struct rig *rig, struct panel *panel)
{
    turn(rig);
    assert_false(receive(panel));
    assert_int_equal(close(panel->fd), 0);
    turn(rig);
}

static struct panel *greeted(struct rig *rig)
{
    struct panel *panel = new_panel(rig);
    expect_line(rig, panel, "{\"panel\": 1, \"name\": \"A\", \"simulator\": false}");
    return panel;
}

#define SCREEN                                                                                     \
    "{\"ok\": true, \"title\": \"Title\", \"text\": \"a \\\"text\\\"\\n\", \"ask\": \"key\", "     \
    "\"state\": \"normal\"}"

// --- Requests ---

TEST(a_panel_is_greeted_and_sees_the_screen)
{
    AUTO(remove_rig) struct rig *rig = new_rig(false, false, 0);
    struct panel *panel = greeted(rig);
    send_text(panel, "{\"do\": \"screen\"}\n");
    expect_line(rig, panel, SCREEN);
    rig->screen = (struct panel_screen){ .title = BYTES("HSM MODE"),
                                         .ask = PANEL_ASK_DIGITS,
                                         .state = PANEL_HSM,
                                         .approved = 1,
                                         .refused = 2,
                                         .period_left = BYTES("12m 3s"),
                                         .digits = BYTES("123") };
    rig->text[0] = '\0';
    send_text(panel, "{\"do\": \"screen\"}\n");
    expect_line(rig, panel,
                "{\"ok\": true, \"title\": \"HSM MODE\", \"text\": \"\", \"ask\": \"digits\", "
                "\"state\": \"hsm\", \"approved\": 1, \"refused\": 2, \"period_left\": \"12m 3s\", "
                "\"digits\": \"123\"}");
    assert_int_equal(panel_server_clients(rig->server), 1);
    assert_int_equal(close(panel->fd), 0);
    turn(rig);
    assert_int_equal(panel_server_clients(rig->server), 0);
}

TEST(each_request_reaches_the_device)
{
    static const struct {
        const char *line, *done;
        bool simulator;
    } cases[] = {
        { "{\"do\": \"keys\", \"keys\": \"y12x\"}", "keys(y12x,)", false },
        { "{\"do\": \"text\", \"text\": \"123456\"}", "text(123456,)", false },
        { "{\"do\": \"menu\", \"item\": \"lock\"}", "item(,)", false },
        { "{\"do\": \"menu\", \"item\": \"delete-user\", \"name\": \"alice\"}", "delete(alice,)",
          false },
        { "{\"do\": \"advance\", \"seconds\": 60}", "advance(60,)", true },
        { "{\"do\": \"set\", \"key\": \"rz\", \"value\": \"5\"}", "set(rz,5)", true },
        { "{\"do\": \"reset\", \"chain\": \"BTC\", \"words\": \"a b\"}", "reset(BTC,a b)", true },
    };
    for (int simulator = 0; simulator <= 1; simulator++) {
        AUTO(remove_rig) struct rig *rig = new_rig(simulator == 1, false, 0);
        struct panel *panel = new_panel(rig);
        expect_line(rig, panel,
                    simulator == 1 ? "{\"panel\": 1, \"name\": \"A\", \"simulator\": true}"
                                   : "{\"panel\": 1, \"name\": \"A\", \"simulator\": false}");
        for (size_t i = 0; i < COUNT(cases); i++) {
            const bool allowed = simulator == 1 || !cases[i].simulator;
            rig->done[0] = '\0';
            send_text(panel, cases[i].line);
            send_text(panel, "\n");
            expect_line(rig, panel,
                        allowed ? "{\"ok\": true}"
                                : "{\"ok\": false, \"error\": \"only a simulator does that\"}");
            assert_string_equal(rig->done, allowed ? cases[i].done : "");
        }
        rig->refuse = true;
        send_text(panel, "{\"do\": \"keys\", \"keys\": \"y\"}\n");
        expect_line(rig, panel, "{\"ok\": false, \"error\": \"not \\\"now\\\"\"}");
        assert_int_equal(close(panel->fd), 0);
    }
}

// A host can replace the question at any moment; what was pressed for the old one answers nothing.
TEST(a_key_answers_the_question_that_it_was_pressed_for)
{
    static const struct {
        const char *line, *done;
    } cases[] = {
        { "{\"do\": \"keys\", \"keys\": \"y\", \"question\": 7}", "keys(y,)" },
        { "{\"do\": \"text\", \"text\": \"1\", \"question\": 7}", "text(1,)" },
        { "{\"do\": \"keys\", \"keys\": \"y\"}", "keys(y,)" },
        { "{\"do\": \"keys\", \"keys\": \"y\", \"question\": 6}", NULL },
        { "{\"do\": \"text\", \"text\": \"1\", \"question\": 8}", NULL },
        { "{\"do\": \"keys\", \"keys\": \"y\", \"question\": 0}", NULL },
    };
    AUTO(remove_rig) struct rig *rig = new_rig(false, false, 0);
    struct panel *panel = greeted(rig);
    rig->screen.question = 7;
    for (size_t i = 0; i < COUNT(cases); i++) {
        rig->done[0] = '\0';
        send_text(panel, cases[i].line);
        send_text(panel, "\n");
        expect_line(rig, panel,
                    cases[i].done != NULL
                        ? "{\"ok\": true}"
                        : "{\"ok\": false, \"error\": "
                          "\"The question has changed. Read it, then press again.\"}");
        assert_string_equal(rig->done, cases[i].done != NULL ? cases[i].done : "");
    }
    assert_int_equal(close(panel->fd), 0);
}

TEST(what_is_no_request_is_answered)
{
    static const char *const lines[] = { "",
                                         "x",
                                         "{}",
                                         "[]",
                                         "{\"do\": \"fly\"}",
                                         "{\"do\": \"keys\"}",
                                         "{\"do\": \"screen\", \"x\": 1}",
                                         "\xff" };
    AUTO(remove_rig) struct rig *rig = new_rig(false, false, 0);
    struct panel *panel = greeted(rig);
    for (size_t i = 0; i < COUNT(lines); i++) {
        char line[256];
        send_text(panel, lines[i]);
        send_text(panel, "\n");
        turn(rig);
        assert_true(receive(panel));
        assert_true(next_line(panel, line, sizeof line));
        if (strncmp(line, "{\"ok\": false, \"error\": \"", 23) != 0)
            fail_msg("'%s': %s", lines[i], line);
    }
    send_text(panel, "{\"do\": \"screen\"}\n"); // and the connection goes on
    expect_line(rig, panel, SCREEN);
    assert_int_equal(close(panel->fd), 0);
}

TEST(lines_come_in_any_pieces)
{
    static const char all[] = "{\"do\": \"keys\", \"keys\": \"1\"}\n{\"do\": \"screen\"}\n";
    AUTO(remove_rig) struct rig *rig = new_rig(false, false, 0);
    struct panel *panel = greeted(rig);
    for (size_t i = 0; i < sizeof all - 1; i++) {
        assert_int_equal(send(panel->fd, all + i, 1, MSG_NOSIGNAL), 1);
        turn(rig);
    }
    expect_line(rig, panel, "{\"ok\": true}");
    expect_line(rig, panel, SCREEN);
    assert_string_equal(rig->done, "keys(1,)");
    assert_int_equal(close(panel->fd), 0);
}

TEST(a_line_that_is_too_long_ends_the_connection)
{
    AUTO(remove_rig) struct rig *rig = new_rig(false, false, 0);
    struct panel *other = greeted(rig), *panel = greeted(rig);
    char chunk[1025];
    memset(chunk, 'x', 1024);
    chunk[1024] = '\0';
    for (unsigned i = 0; i < 64; i++) {
        if (send(panel->fd, chunk, 1024, MSG_NOSIGNAL) != 1024)
            break;
        turn(rig);
    }
    expect_end(rig, panel);
    assert_int_equal(panel_server_clients(rig->server), 1);
    send_text(other, "{\"do\": \"screen\"}\n");
    expect_line(rig, other, SCREEN);
    assert_int_equal(close(other->fd), 0);
}

TEST(a_screen_that_does_not_fit_is_not_cut)
{
    AUTO(remove_rig) struct rig *rig = new_rig(false, false, 0);
    struct panel *panel = greeted(rig);
    memset(rig->text, 'x', sizeof rig->text - 1);
    send_text(panel, "{\"do\": \"screen\"}\n");
    expect_line(rig, panel, "{\"ok\": false, \"error\": \"the screen does not fit in a line\"}");
    assert_int_equal(close(panel->fd), 0);
}

// --- Watching ---

TEST(those_who_watch_are_told_of_changes)
{
    AUTO(remove_rig) struct rig *rig = new_rig(false, false, 0);
    struct panel *watcher = greeted(rig), *other = greeted(rig);
    send_text(watcher, "{\"do\": \"watch\"}\n");
    expect_line(rig, watcher, SCREEN);
    expect_nothing(rig, watcher);
    (void)snprintf(rig->text, sizeof rig->text, "b");
    panel_server_changed(rig->server);
    panel_server_changed(rig->server); // twice before the loop turns: one line
    expect_line(rig, watcher,
                "{\"ok\": true, \"title\": \"Title\", \"text\": \"b\", \"ask\": \"key\", "
                "\"state\": \"normal\"}");
    expect_nothing(rig, watcher);
    expect_nothing(rig, other);
    // Requests of one who watches have their reply first.
    send_text(watcher, "{\"do\": \"keys\", \"keys\": \"y\"}\n");
    expect_line(rig, watcher, "{\"ok\": true}");
    expect_nothing(rig, watcher);
    assert_int_equal(close(watcher->fd), 0);
    assert_int_equal(close(other->fd), 0);
    panel_server_changed(rig->server); // to nobody
    turn(rig);
}

// A panel that does not read for a while: nothing piles up, and it ends with the newest screen.
TEST(a_slow_watcher_misses_screens_but_not_the_last)
{
    AUTO(remove_rig) struct rig *rig = new_rig(false, false, 0);
    struct panel *panel = greeted(rig);
    char *line = arena_alloc(test_arena(), PANEL_LINE_MAX + 1);
    unsigned lines = 0;
    memset(rig->text, 'x', 60000);
    rig->text[60000] = '\0';
    send_text(panel, "{\"do\": \"watch\"}\n");
    for (unsigned i = 0; i < 100; i++) {
        panel_server_changed(rig->server);
        turn(rig);
    }
    (void)snprintf(rig->text, sizeof rig->text, "the last");
    panel_server_changed(rig->server);
    for (unsigned i = 0; i < 100; i++) {
        turn(rig);
        assert_true(receive(panel));
        while (next_line(panel, line, PANEL_LINE_MAX + 1))
            lines++;
    }
    assert_non_null(strstr(line, "\"text\": \"the last\""));
    assert_true(lines > 2 && lines < 50);
    assert_int_equal(close(panel->fd), 0);
}

TEST(many_requests_at_once_are_answered_in_order)
{
    enum { REQUESTS = 200 };
    AUTO(remove_rig) struct rig *rig = new_rig(false, false, 0);
    struct panel *panel = greeted(rig);
    char *line = arena_alloc(test_arena(), PANEL_LINE_MAX + 1);
    unsigned screens = 0, results = 0;
    memset(rig->text, 'x', 60000);
    rig->text[60000] = '\0';
    for (unsigned i = 0; i < REQUESTS; i++)
        send_text(panel, "{\"do\": \"screen\"}\n{\"do\": \"keys\", \"keys\": \"1\"}\n");
    for (unsigned i = 0; i < 20; i++)
        turn(rig); // nobody reads: the rest waits in the socket
    assert_true(strlen(rig->done) < REQUESTS * 8 / 2);
    for (unsigned i = 0; i < 2000 && results < REQUESTS; i++) {
        turn(rig);
        assert_true(receive(panel));
        while (next_line(panel, line, PANEL_LINE_MAX + 1)) {
            if (strcmp(line, "{\"ok\": true}") == 0)
                assert_int_equal(++results, screens);
            else
                assert_int_equal(++screens, results + 1);
        }
    }
    assert_int_equal(results, REQUESTS);
    assert_int_equal(close(panel->fd), 0);
}

TEST(a_panel_that_takes_nothing_is_cut_off)
{
    AUTO(remove_rig) struct rig *rig = new_rig(false, false, 0);
    struct panel *panel = greeted(rig), *other = greeted(rig);
    memset(rig->text, 'x', 60000);
    rig->text[60000] = '\0';
    for (unsigned i = 0; i < 20; i++)
        send_text(panel, "{\"do\": \"screen\"}\n");
    turn(rig);
    rig->clock.now_ms += 29999;
    turn(rig);
    assert_int_equal(panel_server_clients(rig->server), 2);
    rig->clock.now_ms += 1;
    turn(rig);
    assert_int_equal(panel_server_clients(rig->server), 1);
    rig->clock.now_ms += 3600000; // who waits for nothing may wait for ever
    turn(rig);
    assert_int_equal(panel_server_clients(rig->server), 1);
    assert_int_equal(close(panel->fd), 0);
    assert_int_equal(close(other->fd), 0);
}

// --- Who may connect ---

TEST(there_are_at_most_sixteen_panels)
{
    AUTO(remove_rig) struct rig *rig = new_rig(false, false, 0);
    struct panel *panels[PANEL_CLIENTS];
    for (size_t i = 0; i < PANEL_CLIENTS; i++)
        panels[i] = greeted(rig);
    expect_end(rig, new_panel(rig));
    assert_int_equal(panel_server_clients(rig->server), PANEL_CLIENTS);
    assert_int_equal(close(panels[7]->fd), 0);
    turn(rig);
    panels[7] = greeted(rig);
    for (size_t i = 0; i < PANEL_CLIENTS; i++)
        assert_int_equal(close(panels[i]->fd), 0);
}

// Connects as another user; the exit status tells whether it was greeted.
static bool greeted_as(struct rig *rig, uid_t uid, gid_t gid, gid_t second)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        char got;
        memcpy(address.sun_path, rig->path, strlen(rig->path));
        const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (setgroups(1, &second) != 0 || setgid(gid) != 0 || setuid(uid) != 0 || fd < 0 ||
            connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
            _exit(2);
        _exit(recv(fd, &got, 1, 0) == 1 ? 0 : 1);
    }
    int status = 0;
    struct err err;
    for (unsigned i = 0; i < 1000 && waitpid(child, &status, WNOHANG) == 0; i++)
        assert_true(loop_step(rig->loop, 10, &err));
    turn(rig);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 2);
    return WEXITSTATUS(status) == 0;
}

// The file's mode is opened for all, so that only the peer's credentials decide.
TEST(the_kernels_word_decides_who_may_connect)
{
    if (geteuid() != 0)
        skip(); // only root can be somebody else
    for (int has_group = 0; has_group <= 1; has_group++) {
        AUTO(remove_rig) struct rig *rig = new_rig(false, has_group == 1, 4321);
        assert_int_equal(chmod(rig->path, 0666), 0);
        assert_int_equal(chmod(test_dir(), 0755), 0);
        assert_true(greeted_as(rig, 0, 0, 0));
        assert_false(greeted_as(rig, 12345, 12345, 12345));
        assert_false(greeted_as(rig, 12345, 0, 0)); // root's group is not root
        assert_int_equal(greeted_as(rig, 12345, 4321, 12345), has_group);
        assert_int_equal(greeted_as(rig, 12345, 12345, 4321), has_group);
        assert_int_equal(panel_server_clients(rig->server), 0);
    }
}

// --- The socket ---

TEST(the_socket_is_private_and_goes_with_the_server)
{
    struct stat st;
    struct rig *rig = new_rig(false, geteuid() == 0, 4321);
    char path[sizeof rig->path];
    memcpy(path, rig->path, sizeof path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    if (geteuid() == 0)
        assert_int_equal(st.st_gid, 4321);
    remove_rig(&rig);
    assert_int_equal(stat(path, &st), -1);
}

TEST(an_old_socket_is_replaced_and_nothing_else)
{
    struct panel_server *server;
    struct err err;
    char text[256];
    // What a killed process leaves: a socket on which nobody answers.
    struct sockaddr_un old = { .sun_family = AF_UNIX };
    (void)snprintf(old.sun_path, sizeof old.sun_path, "%.90s/panel.sock", test_dir());
    const int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(dead, (struct sockaddr *)&old, sizeof old), 0);
    assert_int_equal(close(dead), 0);
    struct rig *first = new_rig(false, false, 0);

    // A panel that is served stays, with its file.
    struct panel_server_options options = { .loop = first->loop,
                                            .name = "A",
                                            .path = old.sun_path };
    (void)snprintf(text, sizeof text, "%s: another program answers there", old.sun_path);
    assert_false(panel_server_new(&server, &options, &err));
    assert_err(&err, ERR_BUSY, text);
    struct panel *panel = greeted(first);
    assert_int_equal(close(panel->fd), 0);

    char file[128];
    (void)snprintf(file, sizeof file, "%s/file", test_dir());
    assert_int_equal(close(open(file, O_WRONLY | O_CREAT, 0600)), 0);
    options.path = file;
    (void)snprintf(text, sizeof text, "%s: exists and is not a socket", file);
    assert_false(panel_server_new(&server, &options, &err));
    assert_err(&err, ERR_EXISTS, text);

    char long_path[200];
    memset(long_path, 'a', sizeof long_path);
    long_path[0] = '/';
    long_path[108] = '\0';
    options.path = long_path;
    assert_false(panel_server_new(&server, &options, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    options.path = "/nowhere/panel.sock";
    assert_false(panel_server_new(&server, &options, &err));
    assert_err(&err, ERR_NOT_FOUND, "/nowhere/panel.sock: No such file or directory");
    remove_rig(&first);
}
