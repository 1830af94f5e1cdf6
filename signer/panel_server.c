#include "signer/panel_server.h"
#include "base/require.h"
#include "base/secret.h"
#include "signer/socket_file.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum {
    CHUNK = 4096,             // read at once
    GROUPS_MAX = 1024,        // of a peer
    REQUEST_MEMORY = 1 << 20, // what one line unpacks to
    STALL_MS = 30000,         // a panel that takes nothing for that long is cut off
};

struct client {
    struct panel_server *server;
    int fd; // -1: free
    bool watching;
    bool stale;     // watches, and has not been sent the present screen
    uint64_t timer; // runs while something waits to be sent
    struct panel_lines lines;
    size_t in_len, in_at; // what was read, and how far it was understood
    uint8_t in[CHUNK];
    size_t out_len, out_at; // one reply, and how far it was sent
    uint8_t out[PANEL_LINE_MAX];
};

struct panel_server {
    struct panel_server_options options;
    int fd;
    uint64_t changed; // timer that tells those who watch; 0: none
    struct client *clients[PANEL_CLIENTS];
    struct socket_file file;
};

static void on_client(void *context, int fd, short revents);

// --- One connection ---

static void log_panel(const struct panel_server *server, const char *event, uint64_t uid)
{
    if (server->options.log)
        LOG(server->options.log, LOG_INFO, event, LOG_U64("uid", uid));
}

static void hang_up(struct client *client)
{
    struct panel_server *server = client->server;
    for (size_t i = 0; i < COUNT(server->clients); i++)
        if (server->clients[i] == client)
            server->clients[i] = NULL;
    loop_cancel(server->options.loop, client->timer);
    loop_unwatch(server->options.loop, client->fd);
    (void)close(client->fd);
    wipe(client, sizeof *client); // a PIN may lie in a half line
    free(client);
}

static void on_stall(void *context)
{
    struct client *client = context;
    client->timer = 0;
    hang_up(client);
}

// While something waits to be sent nothing is read: a panel has one request in flight.
static bool watch_for(struct client *client, short events)
{
    struct loop *loop = client->server->options.loop;
    loop_cancel(loop, client->timer);
    client->timer = events == POLLOUT ? loop_after(loop, STALL_MS, on_stall, client) : 0;
    return loop_watch(loop, client->fd, events, on_client, client);
}

// Sends what waits, as far as the socket takes it. False: the panel is gone.
static bool send_some(struct client *client)
{
    while (client->out_at < client->out_len) {
        const ssize_t sent = send(client->fd, client->out + client->out_at,
                                  client->out_len - client->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN && watch_for(client, POLLOUT);
        client->out_at += (size_t)sent;
    }
    wipe(client->out, client->out_len); // a shorter line would leave the rest of a secret one
    client->out_len = client->out_at = 0;
    return true;
}

static bool is_idle(const struct client *client)
{
    return client->out_len == 0;
}

// --- Replies ---

static bool reply(struct client *client, const struct panel_reply *reply)
{
    struct writer w = writer_of(client->out, sizeof client->out);
    struct bytes line;
    panel_reply_pack(&w, reply);
    if (!writer_finish(&w, &line)) {
        const struct panel_reply too_long = { .error = BYTES("the screen does not fit in a line") };
        w = writer_of(client->out, sizeof client->out);
        panel_reply_pack(&w, &too_long);
    }
    client->out_len = w.len;
    return send_some(client);
}

static bool reply_screen(struct client *client)
{
    const struct panel_backend *b = &client->server->options.backend;
    struct panel_reply r = { .ok = true, .has_screen = true };
    b->screen(b->device, &r.screen);
    client->stale = false;
    return reply(client, &r);
}

static bool reply_result(struct client *client, bool ok, const struct err *err)
{
    const struct panel_reply r = { .ok = ok, .error = bytes_of_text(ok ? "" : err->text) };
    return reply(client, &r);
}

// --- Requests ---

static bool simulator_only(struct err *err)
{
    return err_set(err, ERR_STATE, "only a simulator does that");
}

// A host may have put another question up since the panel was sent this one.
static bool is_for_what_is_asked(const struct panel_backend *b, const struct panel_request *request,
                                 struct err *err)
{
    struct panel_screen now;
    if (!request->has_question)
        return true;
    b->screen(b->device, &now);
    return now.question == request->question ||
           err_set(err, ERR_STATE, "The question has changed. Read it, then press again.");
}

static bool carry_out(const struct panel_backend *b, const struct panel_request *request,
                      struct err *err)
{
    if (!is_for_what_is_asked(b, request, err))
        return false;
    switch (request->verb) {
    case PANEL_KEYS:
        return b->keys(b->device, request->keys, err);
    case PANEL_TEXT:
        return b->text(b->device, request->text, err);
    case PANEL_MENU:
        return b->menu(b->device, request->item, request->name, err);
    case PANEL_ADVANCE:
        return b->advance ? b->advance(b->device, request->seconds, err) : simulator_only(err);
    case PANEL_SET:
        return b->set ? b->set(b->device, request->key, request->value, err) : simulator_only(err);
    case PANEL_RESET:
        return b->reset ? b->reset(b->device, request, err) : simulator_only(err);
    case PANEL_NONE:
    case PANEL_SCREEN:
    case PANEL_WATCH:
        break;
    }
    return err_set(err, ERR_INTERNAL, "no such request");
}

// False: the panel is gone.
static bool answer_line(struct client *client, struct bytes line)
{
    AUTO(arena_freep) struct arena *arena = arena_new(REQUEST_MEMORY);
    struct panel_request request;
    struct err err;
    if (!panel_request_unpack(&request, line, arena, &err))
        return reply_result(client, false, &err);
    if (request.verb == PANEL_WATCH)
        client->watching = true;
    if (request.verb == PANEL_WATCH || request.verb == PANEL_SCREEN)
        return reply_screen(client);
    const bool ok = carry_out(&client->server->options.backend, &request, &err);
    panel_lines_wipe(&client->lines);
    return reply_result(client, ok, &err);
}

// Answers the lines that have come, one by one, for as long as the replies can be sent.
static bool answer_all(struct client *client)
{
    while (is_idle(client) && client->in_at < client->in_len) {
        struct bytes rest = bytes_of(client->in + client->in_at, client->in_len - client->in_at);
        struct bytes line;
        const enum panel_line got = panel_lines_feed(&client->lines, &rest, &line);
        client->in_at = client->in_len - rest.len;
        if (got == PANEL_LINE_TOO_LONG ||
            (got == PANEL_LINE_COMPLETE && !answer_line(client, line)))
            return false;
    }
    if (client->in_at == client->in_len)
        wipe(client->in, sizeof client->in);
    return true;
}

// False at the end of the connection.
static bool read_some(struct client *client)
{
    const ssize_t got = recv(client->fd, client->in, sizeof client->in, MSG_DONTWAIT);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    client->in_at = 0;
    client->in_len = (size_t)got;
    return got > 0;
}

// Goes on where the socket had stopped us. False: the panel is gone.
static bool go_on(struct client *client, short revents)
{
    const bool was_idle = is_idle(client);
    if (!was_idle && !send_some(client))
        return false;
    if (!is_idle(client))
        return true;
    if (was_idle && (revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !read_some(client))
        return false;
    if (!answer_all(client))
        return false;
    if (is_idle(client) && client->stale && !reply_screen(client))
        return false;
    return !is_idle(client) || was_idle || watch_for(client, POLLIN);
}

static void on_client(void *context, int fd, short revents)
{
    struct client *client = context;
    (void)fd;
    if (!go_on(client, revents))
        hang_up(client);
}

// --- Changes ---

static void on_changed(void *context)
{
    struct panel_server *server = context;
    server->changed = 0;
    for (size_t i = 0; i < COUNT(server->clients); i++) {
        struct client *client = server->clients[i];
        // A panel that is still busy with an older line gets the screen after it.
        if (client && client->stale && is_idle(client) && !reply_screen(client))
            hang_up(client);
    }
}

void panel_server_changed(struct panel_server *server)
{
    for (size_t i = 0; i < COUNT(server->clients); i++)
        if (server->clients[i] && server->clients[i]->watching)
            server->clients[i]->stale = true;
    if (server->changed == 0)
        server->changed = loop_after(server->options.loop, 0, on_changed, server);
}

size_t panel_server_clients(const struct panel_server *server)
{
    size_t n = 0;
    for (size_t i = 0; i < COUNT(server->clients); i++)
        n += server->clients[i] != NULL;
    return n;
}

// --- Who may connect ---

static bool in_group(int fd, const struct ucred *peer, gid_t group)
{
    gid_t groups[GROUPS_MAX];
    socklen_t len = sizeof groups;
    if (peer->gid == group)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0)
        return false;
    for (size_t i = 0; i < len / sizeof groups[0]; i++)
        if (groups[i] == group)
            return true;
    return false;
}

// The kernel's word, not the peer's.
static bool may_connect(const struct panel_server *server, int fd, uint64_t *uid)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    *uid = UINT32_MAX;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || len != sizeof peer)
        return false;
    *uid = peer.uid;
    return peer.uid == 0 || peer.uid == geteuid() ||
           (server->options.has_group && in_group(fd, &peer, server->options.group));
}

static struct client **free_place(struct panel_server *server)
{
    for (size_t i = 0; i < COUNT(server->clients); i++)
        if (!server->clients[i])
            return &server->clients[i];
    return NULL;
}

static void greet(struct client *client)
{
    const struct panel_server_options *options = &client->server->options;
    const struct panel_hello hello = { bytes_of_text(options->name), options->simulator };
    struct writer w = writer_of(client->out, sizeof client->out);
    panel_hello_pack(&w, &hello);
    client->out_len = w.len;
    if (!watch_for(client, POLLIN) || !send_some(client))
        hang_up(client);
}

static void on_connect(void *context, int fd, short revents)
{
    struct panel_server *server = context;
    struct client **place = free_place(server);
    uint64_t uid;
    (void)revents;
    const int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (peer < 0)
        return;
    if (!may_connect(server, peer, &uid) || !place) {
        log_panel(server, place ? "panel_refused" : "panel_too_many", uid);
        (void)close(peer);
        return;
    }
    struct client *client = calloc(1, sizeof *client);
    REQUIRE(client != NULL);
    client->server = server;
    client->fd = peer;
    *place = client;
    log_panel(server, "panel_connected", uid);
    greet(client);
}

// --- The socket ---

static bool bind_socket(struct panel_server *server, struct err *err)
{
    const struct panel_server_options *o = &server->options;
    const gid_t group = o->has_group ? o->group : (gid_t)-1;
    if (!socket_file_bind(&server->file, server->fd, SOCK_STREAM, o->path, group, err))
        return false;
    return listen(server->fd, PANEL_CLIENTS) == 0 || err_set_errno(err, errno, "%s", o->path);
}

bool panel_server_new(struct panel_server **out, const struct panel_server_options *options,
                      struct err *err)
{
    struct panel_server *server = calloc(1, sizeof *server);
    REQUIRE(server != NULL);
    server->options = *options;
    server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server->fd >= 0 && bind_socket(server, err)) {
        if (loop_watch(options->loop, server->fd, POLLIN, on_connect, server)) {
            *out = server;
            return true;
        }
        err_set(err, ERR_LIMIT, "%s: too many descriptors", options->path);
    } else if (server->fd < 0) {
        err_set_errno(err, errno, "%s", options->path);
    }
    socket_file_remove(&server->file);
    if (server->fd >= 0)
        (void)close(server->fd);
    free(server);
    return false;
}

void panel_server_free(struct panel_server *server)
{
    if (!server)
        return;
    for (size_t i = 0; i < COUNT(server->clients); i++)
        if (server->clients[i])
            hang_up(server->clients[i]);
    loop_cancel(server->options.loop, server->changed);
    loop_unwatch(server->options.loop, server->fd);
    (void)close(server->fd);
    socket_file_remove(&server->file);
    free(server);
}
