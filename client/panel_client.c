#include "client/panel_client.h"
#include "base/require.h"
#include "base/secret.h"
#include "client/wait.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#define REPLY_ARENA (8u << 20)

struct panel_client {
    int fd;
    int cancel_fd;
    struct panel_lines lines;
    uint8_t in[4096];    // as read
    struct bytes rest;   // of `in`, not yet looked at
    struct arena *hello; // as long as the connection
    struct arena *reply; // until the next one
    char path[108];      // for error texts
};

static struct panel_client *panel_new(const char *path, int fd, int cancel_fd)
{
    struct panel_client *panel = calloc(1, sizeof *panel);
    REQUIRE(panel != NULL);
    panel->fd = fd;
    panel->cancel_fd = cancel_fd;
    panel->hello = arena_new(REPLY_ARENA);
    panel->reply = arena_new(REPLY_ARENA);
    snprintf(panel->path, sizeof panel->path, "%s", path);
    return panel;
}

void panel_client_close(struct panel_client *panel)
{
    if (panel == NULL)
        return;
    close(panel->fd);
    arena_free(panel->hello);
    arena_free(panel->reply);
    wipe(panel, sizeof *panel);
    free(panel);
}

void panel_client_closep(struct panel_client **panel)
{
    panel_client_close(*panel);
    *panel = NULL;
}

int panel_client_fd(const struct panel_client *panel)
{
    return panel->fd;
}

static bool connect_failed(const char *path, int errnum, struct err *err)
{
    if (errnum == ENOENT || errnum == ECONNREFUSED || errnum == ENOTSOCK || errnum == EPROTOTYPE)
        return err_set(err, ERR_NOT_FOUND, "%s: no signer shows its panel there", path);
    if (errnum == EACCES || errnum == EPERM)
        return err_set(err, ERR_AUTH, "%s: permission denied", path);
    return err_set_errno(err, errnum, "%s", path);
}

static bool connect_to(int *fd, const char *path, struct err *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof address.sun_path)
        return err_set(err, ERR_NOT_FOUND, "%s: longer than a socket's path can be", path);
    memcpy(address.sun_path, path, strlen(path));
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return err_set_errno(err, errno, "socket");
    if (connect(*fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return true;
    const int why = errno;
    close(*fd);
    return connect_failed(path, why, err);
}

static bool gone(const struct panel_client *panel, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "%s: the signer closed the panel", panel->path);
}

static bool no_answer(const struct panel_client *panel, int timeout_ms, struct err *err)
{
    return err_set(err, ERR_TIMEOUT, "%s: no answer within %d s", panel->path, timeout_ms / 1000);
}

// --- Reading ---

static bool read_more(struct panel_client *panel, int timeout_ms, struct err *err)
{
    if (!wait_fd(panel->fd, POLLIN, panel->cancel_fd, timeout_ms, err))
        return false;
    const ssize_t n = recv(panel->fd, panel->in, sizeof panel->in, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return gone(panel, err);
    if (n < 0)
        return err_set_errno(err, errno, "%s", panel->path);
    panel->rest = bytes_of(panel->in, (size_t)n);
    return true;
}

static bool read_line(struct panel_client *panel, struct bytes *line, int timeout_ms,
                      struct err *err)
{
    const int64_t start_ms = wait_now_ms();
    for (;;) {
        const enum panel_line state = panel_lines_feed(&panel->lines, &panel->rest, line);
        if (state == PANEL_LINE_COMPLETE)
            return true;
        if (state == PANEL_LINE_TOO_LONG)
            return err_set(err, ERR_MALFORMED, "%s: a line longer than %d bytes", panel->path,
                           PANEL_LINE_MAX);
        const int64_t spent = wait_now_ms() - start_ms;
        int left_ms = timeout_ms;
        if (timeout_ms > 0)
            left_ms = spent < timeout_ms ? (int)(timeout_ms - spent) : 0;
        if (!read_more(panel, left_ms, err))
            return err->code == ERR_TIMEOUT && no_answer(panel, timeout_ms, err);
    }
}

bool panel_client_receive(struct panel_client *panel, struct panel_reply *out, int timeout_ms,
                          struct err *err)
{
    struct bytes line;
    arena_reset(panel->reply);
    return read_line(panel, &line, timeout_ms, err) &&
           (panel_reply_unpack(out, line, panel->reply, err) || err_within(err, "%s", panel->path));
}

bool panel_client_open(struct panel_client **out, const char *path, int cancel_fd,
                       struct panel_hello *hello, struct err *err)
{
    int fd = -1;
    struct bytes line, kept;
    struct panel_hello greeting;
    if (!connect_to(&fd, path, err))
        return false;
    AUTO(panel_client_closep) struct panel_client *panel = panel_new(path, fd, cancel_fd);
    if (!read_line(panel, &line, PANEL_OPEN_MS, err))
        return false;
    if (!arena_copy(panel->hello, line, &kept)) // what was parsed may borrow from the line
        return err_set(err, ERR_NO_MEMORY, "%s: no memory for the greeting", path);
    if (!panel_hello_unpack(&greeting, kept, panel->hello, err))
        return err_within(err, "%s", path);
    if (hello != NULL)
        *hello = greeting;
    *out = panel;
    panel = NULL; // the caller's now
    return true;
}

// --- Writing ---

static bool send_all(struct panel_client *panel, struct bytes line, struct err *err)
{
    while (line.len > 0) {
        if (!wait_fd(panel->fd, POLLOUT, panel->cancel_fd, PANEL_ANSWER_MS, err))
            return false;
        const ssize_t n = send(panel->fd, line.ptr, line.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
            return gone(panel, err);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return err_set_errno(err, errno, "%s", panel->path);
        if (n > 0)
            line = bytes_slice(line, (size_t)n, SIZE_MAX);
    }
    return true;
}

bool panel_client_send(struct panel_client *panel, const struct panel_request *request,
                       struct err *err)
{
    // A request can hold secrets: its line lies in an arena of its own, which wipes.
    AUTO(arena_freep) struct arena *arena = arena_new(PANEL_LINE_MAX);
    void *mem = arena_alloc(arena, PANEL_LINE_MAX);
    REQUIRE(mem != NULL);
    struct writer w = writer_of(mem, PANEL_LINE_MAX);
    struct bytes line;
    panel_request_pack(&w, request);
    if (!writer_finish(&w, &line))
        return err_set(err, ERR_LIMIT, "request too long for the panel, or not UTF-8");
    return send_all(panel, line, err);
}

bool panel_client_ask(struct panel_client *panel, const struct panel_request *request,
                      struct panel_reply *out, struct err *err)
{
    if (!panel_client_send(panel, request, err) ||
        !panel_client_receive(panel, out, PANEL_ANSWER_MS, err))
        return false;
    if (!out->ok)
        return err_set(err, ERR_INVALID, "%.*s", BYTES_ARG(out->error));
    return true;
}
