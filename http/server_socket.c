#include "http/server_internal.h"

#include "base/require.h"
#include "base/utf8.h"

#define UPGRADE_ARENA ((size_t)64 << 10)
#define DISCARD_MAX   ((size_t)64 << 20)

// --- Opening ---

// Whether the client offers the link's subprotocol, which the library then agrees to.
static bool offers_link(const struct http_server *s, struct bytes offered)
{
    struct reader r = reader_of(offered);
    struct bytes name;
    while (reader_until(&r, ',', &name))
        if (bytes_equal_text(bytes_trim(name), s->link_protocols[0].name))
            return true;
    return false;
}

int on_upgrade(struct lws *wsi)
{
    AUTO(arena_freep) struct arena *arena = arena_new(UPGRADE_ARENA);
    struct http_server *s = server_of(wsi);
    struct http_request request;
    struct bytes location = { 0 };
    unsigned status = 400;
    if (request_read(&request, wsi, arena))
        status = request_check(&request);
    if (status == 0 && !listener_has_origin(request.listener, request.origin))
        status = 403;
    if (status == 0 && request.listener->serve == SERVE_LINK &&
        !offers_link(s, request.subprotocol))
        status = 404;
    if (status == 0)
        status = s->app.upgrade(s->app.context, &request, &location);
    if (status == 101)
        return 0;
    write_short_reply(wsi, &request, status, location);
    return 1;
}

int on_open(struct lws *wsi, struct connection *c)
{
    AUTO(arena_freep) struct arena *arena = arena_new(UPGRADE_ARENA);
    struct http_server *server = server_of(wsi);
    struct http_request request;
    struct http_socket *s = calloc(1, sizeof *s);
    REQUIRE(s != NULL);
    *c = (struct connection){ .socket = s };
    *s = (struct http_socket){ .server = server, .wsi = wsi };
    outbox_init(&s->outbox, HTTP_OUTPUT_MAX);
    server->n_sockets++;
    s->listener = &server->listeners->items[listener_of(wsi)];
    s->is_link = s->listener->serve == SERVE_LINK;
    if (!request_read(&request, wsi, arena))
        return -1;
    server->app.opened(server->app.context, s, &request);
    return 0;
}

void on_socket_gone(struct connection *c)
{
    struct http_socket *s = c->socket;
    if (s == NULL)
        return;
    c->socket = NULL;
    s->server->n_sockets--;
    s->server->app.closed(s->server->app.context, s);
    outbox_free(&s->outbox);
    if (s->message != NULL)
        wipe(s->message, s->message_cap);
    free(s->message);
    free(s->head);
    free(s);
}

// --- Input ---

// Codes and passwords may be in it.
static void forget_message(struct http_socket *s)
{
    if (s->message != NULL)
        wipe(s->message, s->message_len);
    if (s->message_cap > CHUNK_MAX) {
        free(s->message);
        s->message = NULL;
        s->message_cap = 0;
    }
    s->message_len = 0;
}

static void make_room(struct http_socket *s, size_t needed)
{
    if (needed <= s->message_cap)
        return;
    size_t cap = s->message_cap < 4096 ? 4096 : s->message_cap;
    while (cap < needed)
        cap *= 2;
    uint8_t *grown = malloc(cap);
    REQUIRE(grown != NULL);
    if (s->message_len > 0)
        memcpy(grown, s->message, s->message_len);
    if (s->message != NULL)
        wipe(s->message, s->message_len);
    free(s->message);
    s->message = grown;
    s->message_cap = cap;
}

static int refuse(struct http_socket *s, unsigned code)
{
    http_socket_close(s, code);
    return 0;
}

// The rest of a message that is too large is read and forgotten: if we closed while the client still
// sends, it would never read why.
static int discard(struct http_socket *s, size_t len, bool whole)
{
    s->discarded += len;
    return whole || s->discarded > DISCARD_MAX ? refuse(s, 1009) : 0;
}

int on_message(struct lws *wsi, struct connection *c, struct bytes piece)
{
    struct http_socket *s = c->socket;
    const struct http_app *app = &s->server->app;
    const bool whole = lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0;
    // "close after 75 s without any inbound frame": to the library only a pong is a sign of life.
    lws_validity_confirmed(wsi);
    if (s->too_large)
        return discard(s, piece.len, whole);
    if (s->close_code != 0)
        return 0;
    if ((lws_frame_is_binary(wsi) != 0) != s->is_link)
        return refuse(s, 1003);
    if (piece.len >
        (s->is_link ? s->server->link_message_max : HTTP_MESSAGE_MAX) - s->message_len) {
        if (!s->is_link)
            app->too_large(app->context, s, bytes_of(s->message, s->message_len));
        forget_message(s);
        s->too_large = true;
        return discard(s, piece.len, whole);
    }
    make_room(s, s->message_len + piece.len);
    if (piece.len > 0)
        memcpy(s->message + s->message_len, piece.ptr, piece.len);
    s->message_len += piece.len;
    if (!whole)
        return 0;
    const struct bytes content = bytes_of(s->message, s->message_len);
    if (s->is_link)
        app->binary(app->context, s, content);
    else if (!utf8_is_valid(content))
        (void)refuse(s, 1007);
    else
        app->message(app->context, s, content);
    forget_message(s);
    return 0;
}

// --- Output ---

static int write_message(struct lws *wsi, struct http_socket *s, struct outbox_message *m)
{
    const enum lws_write_protocol kind = s->is_stream ? LWS_WRITE_HTTP
                                         : m->binary  ? LWS_WRITE_BINARY
                                                      : LWS_WRITE_TEXT;
    const int n = lws_write(wsi, m->mem + OUTBOX_ROOM, m->len, kind);
    outbox_drop(m);
    return n < 0 ? -1 : 0;
}

static int end_socket(struct lws *wsi, struct http_socket *s)
{
    if (!s->is_stream)
        lws_close_reason(wsi, (enum lws_close_status)s->close_code, NULL, 0);
    return -1;
}

int on_socket_writeable(struct lws *wsi, struct connection *c)
{
    struct http_socket *s = c->socket;
    if (s == NULL)
        return 0;
    if (s->head != NULL) {
        const int n = lws_write(wsi, s->head + OUTBOX_ROOM, s->head_len, LWS_WRITE_HTTP_HEADERS);
        free(s->head);
        s->head = NULL;
        lws_callback_on_writable(wsi);
        return n < 0 ? -1 : 0;
    }
    struct outbox_message *m = outbox_take(&s->outbox);
    if (m == NULL)
        return s->close_code != 0 ? end_socket(wsi, s) : 0;
    if (write_message(wsi, s, m) != 0)
        return -1;
    if (!outbox_is_empty(&s->outbox) || s->close_code != 0)
        lws_callback_on_writable(wsi);
    return 0;
}

// "data: <text>", a blank line: texts of ours have no line ends.
static bool put_event(struct http_socket *s, struct bytes text, unsigned key)
{
    uint8_t *mem = malloc(text.len + 8);
    REQUIRE(mem != NULL);
    struct writer w = writer_of(mem, text.len + 8);
    writer_text(&w, "data: ");
    writer_put(&w, text);
    writer_text(&w, "\n\n");
    const bool ok = outbox_put(&s->outbox, writer_bytes(&w), key);
    free(mem);
    return ok;
}

void http_socket_send(struct http_socket *s, struct bytes text, unsigned key)
{
    if (s->close_code != 0)
        return;
    if (s->is_stream ? !put_event(s, text, key) : !outbox_put(&s->outbox, text, key)) {
        outbox_free(&s->outbox);
        s->close_code = 1013;
    }
    lws_callback_on_writable(s->wsi);
}

void http_socket_send_binary(struct http_socket *s, struct bytes message)
{
    if (s->close_code != 0)
        return;
    if (!outbox_put_binary(&s->outbox, message)) {
        outbox_free(&s->outbox);
        s->close_code = 1013;
    }
    lws_callback_on_writable(s->wsi);
}

void http_socket_send_lines(struct http_socket *s, struct bytes lines)
{
    if (s->close_code != 0)
        return;
    if (!outbox_put(&s->outbox, lines, 0)) {
        outbox_free(&s->outbox);
        s->close_code = 1013;
    }
    lws_callback_on_writable(s->wsi);
}

void http_socket_close(struct http_socket *s, unsigned code)
{
    if (s->close_code == 0)
        s->close_code = code;
    lws_callback_on_writable(s->wsi);
}

void http_socket_set_data(struct http_socket *s, void *data)
{
    s->data = data;
}

void *http_socket_data(const struct http_socket *s)
{
    return s->data;
}

const struct listener *http_socket_listener(const struct http_socket *s)
{
    return s->listener;
}

bool http_socket_is_stream(const struct http_socket *s)
{
    return s->is_stream;
}
